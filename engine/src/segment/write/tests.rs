use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;

use super::*;
use crate::io::blocking::{BlockingDisk, block_on};
use crate::model::{Monotonic, Now, Realtime, TopicId};
use crate::segment::tests::{SIZES, batches, new_file, writing};

/// Looks at how much is not synced whenever the writer rests.
#[derive(Clone, Default)]
struct Watching {
    time: Rc<Cell<u64>>,
    unsynced_bytes: Rc<Cell<usize>>,
    seen: Rc<RefCell<Vec<usize>>>,
}

impl Runtime for Watching {
    type Disk = BlockingDisk;

    fn disk(&self) -> &BlockingDisk {
        &BlockingDisk
    }

    fn now(&self) -> Now {
        self.time.set(self.time.get() + 1);
        Now { monotonic: Monotonic(self.time.get()), realtime: Realtime(0) }
    }

    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        block_on(task);
    }

    async fn sleep(&self, _duration_ns: u64) {
        self.seen.borrow_mut().push(self.unsynced_bytes.get());
    }

    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        work()
    }

    fn random(&self) -> Id128 {
        Id128::default()
    }
}

#[test]
fn bytes_that_are_not_synced_grow_up_to_their_limit_and_are_none_at_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let runtime = Watching::default();
    let file = new_file(1, batches(0, 8, 3000), true);
    let extents: Vec<usize> = file.parts[0].extents.iter().map(|extent| extent.bytes).collect();
    let plan = WritePlan { files: vec![file], rest_factor: 1, is_partial: false };
    let written = block_on(write(&runtime, writing(directory.path(), &runtime.unsynced_bytes), &plan));
    assert!(written.iter().all(|written| written.result.is_ok()), "{written:?}");
    let limit = writing(directory.path(), &runtime.unsynced_bytes).unsynced_bytes_max;
    let mut unsynced = 0;
    let expected = extents.iter().map(|bytes| {
        unsynced += bytes;
        if unsynced >= limit {
            unsynced = 0;
        }
        unsynced
    });
    let expected: Vec<usize> = expected.collect();
    assert!(expected.iter().any(|bytes| *bytes > 0) && expected.contains(&0), "{expected:?}");
    assert_eq!(*runtime.seen.borrow(), expected);
    assert_eq!(runtime.unsynced_bytes.get(), 0);
}

#[test]
fn small_extents_of_many_partitions_are_written_together_and_stand_where_each_would_by_itself() {
    let mut files = Vec::new();
    for (unsynced_bytes_max, write_count) in [(8192, 20), (32 * 1024, 5), (1 << 20, 1)] {
        let directory = tempfile::tempdir().unwrap();
        let runtime = Watching::default();
        let mut file = FilePlan::new(SegmentId(1), true, Position(0));
        for index in 0..20 {
            let partition = PartitionId { topic: TopicId(2), index };
            file.add(partition, batches(0, 2, 300), SIZES, i64::MIN);
        }
        file.seal = true;
        let plan = WritePlan { files: vec![file], rest_factor: 1, is_partial: false };
        let writing = Writing { unsynced_bytes_max, ..writing(directory.path(), &runtime.unsynced_bytes) };
        let written = block_on(write(&runtime, writing, &plan));
        assert!(written.iter().all(|written| written.result.is_ok()), "{written:?}");
        assert_eq!(runtime.seen.borrow().len(), write_count, "{unsynced_bytes_max}");
        files.push(std::fs::read(segment_path(directory.path(), SegmentId(1))).unwrap());
    }
    assert_eq!(files[0].len(), 21 * 4096);
    assert!(files.iter().all(|bytes| *bytes == files[0]));
}
