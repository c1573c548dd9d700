//! What readers of what is committed are told of stretches that memory let go of.

use super::super::rig::{Rig, SMALL, batch};
use super::{end, in_transaction, next, open};
use crate::model::{Offset, PartitionId, RequestId, TransactionKey, TransactionOutcome};
use crate::partition::{HeldBatch, Isolation};
use crate::segment::read::{Chunk, ReadDone, Target};
use crate::shard::{Event, FetchFrom, Reply, Request};

/// Every batch of a partition as it was stored, to be given back as segment files would.
#[derive(Default)]
struct Stored(Vec<HeldBatch>);

impl Stored {
    /// Takes what is shown from where it came to.
    fn follow(&mut self, rig: &mut Rig, partition: PartitionId) {
        let from = self.0.last().map_or(0, |last| last.next_offset().0);
        let id = rig.fetch(partition, from, 0);
        let Some(Reply::Fetched(fetched)) = rig.replies.remove(&id) else { panic!("a fetch of shown data") };
        self.0.extend(fetched.batches);
    }

    /// The stretch of `count` batches around an offset.
    fn chunk(&self, offset: Offset, count: usize) -> Chunk {
        let at = self.0.iter().position(|batch| batch.last_offset >= offset).expect("it is stored");
        let batches: Vec<_> = self.0[at / count * count..].iter().take(count).cloned().collect();
        Chunk {
            base_offset: batches[0].base_offset,
            next_offset: batches[batches.len() - 1].next_offset(),
            batches,
            damaged: Vec::new(),
            is_unreadable: false,
        }
    }
}

/// A partition of which the front is only in segments: a transaction is open there for `span` batches of others, ends so, and
/// 40 batches follow.
fn with_transaction(span: usize, outcome: TransactionOutcome) -> (Rig, PartitionId, TransactionKey, Stored) {
    let (mut rig, partition) = Rig::with_partition();
    rig.shard.segments.limit_memory(SMALL.ring_bytes());
    let mut stored = Stored::default();
    let transaction = open(&mut rig);
    rig.capture(partition, in_transaction(transaction, 0));
    rig.settle();
    let mut plain = |rig: &mut Rig| {
        rig.capture(partition, batch(&[7; 3000]));
        rig.settle();
        stored.follow(rig, partition);
    };
    (0..span).for_each(|_| plain(&mut rig));
    rig.ask(end(transaction, outcome));
    rig.settle();
    while rig.shard.partitions[&partition].memory_offset() < Offset(span as u64 + 20) {
        plain(&mut rig);
    }
    (rig, partition, transaction, stored)
}

/// Fetches what is committed and gives every read what it asks for. What was shown, what was aborted, and how many reads it took.
fn fetch(rig: &mut Rig, partition: PartitionId, from: u64, stored: &Stored) -> (Vec<u64>, Vec<TransactionKey>, usize) {
    let id = ask(rig, partition, from, Isolation::Committed);
    let mut reads = 0;
    while let Some((read, plan)) = rig.reads.pop_front() {
        let Target::Offset(offset) = plan.target else { panic!("{:?}", plan.target) };
        let result = Ok(stored.chunk(offset, 10));
        rig.event(Event::SegmentRead { read, done: ReadDone { index: None, result } });
        reads += 1;
        assert!(reads < 20, "it comes to an end");
    }
    match rig.replies.remove(&id) {
        Some(Reply::Fetched(fetched)) => {
            let shown = fetched.batches.iter().map(|batch| batch.base_offset.0).collect();
            (shown, fetched.aborted.iter().map(|aborted| aborted.transaction).collect(), reads)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_marker_far_behind_a_stretch_at_rest_is_found() {
    let (mut rig, partition, transaction, stored) = with_transaction(25, TransactionOutcome::Aborted);
    let (shown, aborted, reads) = fetch(&mut rig, partition, 0, &stored);
    assert_eq!((shown, aborted), ((0..10).collect(), vec![transaction]));
    assert!(reads >= 3, "{reads} reads");
    let (shown, aborted, reads) = fetch(&mut rig, partition, 10, &stored);
    assert_eq!(
        (shown.first(), aborted, reads),
        (Some(&10), vec![transaction], 0),
        "whoever reads on is not kept waiting"
    );
    let (shown, aborted, _) = fetch(&mut rig, partition, 30, &stored);
    assert_eq!((shown.first(), aborted), (Some(&30), vec![]), "behind the marker there is nothing of it");
}

#[test]
fn a_stretch_at_rest_of_a_committed_transaction_names_none_as_aborted() {
    let (mut rig, partition, _, stored) = with_transaction(25, TransactionOutcome::Committed);
    let (shown, aborted, _) = fetch(&mut rig, partition, 5, &stored);
    assert_eq!((shown, aborted), ((5..10).collect(), vec![]));
}

#[test]
fn a_marker_in_memory_is_found_from_a_stretch_at_rest() {
    let (mut rig, partition) = Rig::with_partition();
    rig.shard.segments.limit_memory(SMALL.ring_bytes());
    let mut stored = Stored::default();
    let transaction = open(&mut rig);
    rig.capture(partition, in_transaction(transaction, 0));
    rig.settle();
    while rig.shard.partitions[&partition].memory_offset() < Offset(20) {
        rig.capture(partition, batch(&[7; 3000]));
        rig.settle();
        stored.follow(&mut rig, partition);
    }
    assert_eq!(fetch(&mut rig, partition, 0, &stored), (vec![], vec![], 0), "it is not decided");
    rig.ask(end(transaction, TransactionOutcome::Aborted));
    rig.settle();
    let (shown, aborted, _) = fetch(&mut rig, partition, 0, &stored);
    assert_eq!((shown, aborted), ((0..10).collect(), vec![transaction]));
}

/// Answers reads, of which nothing is kept, and calls `between` before each. The offsets that were asked for.
fn read_all(rig: &mut Rig, partition: PartitionId, stored: &Stored, mut between: impl FnMut(&mut Rig)) -> Vec<u64> {
    let mut asked = Vec::new();
    while let Some((read, plan)) = rig.reads.pop_front() {
        let Target::Offset(offset) = plan.target else { panic!("{:?}", plan.target) };
        asked.push(offset.0);
        rig.shard.cold.forget_read(partition);
        between(rig);
        let result = Ok(stored.chunk(offset, 10));
        rig.event(Event::SegmentRead { read, done: ReadDone { index: None, result } });
        assert!(asked.len() < 40, "it comes to an end: {asked:?}");
    }
    asked
}

fn ask(rig: &mut Rig, partition: PartitionId, from: u64, isolation: Isolation) -> RequestId {
    let from = FetchFrom::Offset(Offset(from));
    rig.ask(Request::Fetch { partition, from, bytes_max: 1 << 20, wait_ns: 0, isolation })
}

#[test]
fn a_search_ends_although_nothing_that_was_read_is_kept() {
    let (mut rig, partition, transaction, stored) = with_transaction(25, TransactionOutcome::Aborted);
    let id = ask(&mut rig, partition, 3, Isolation::Committed);
    let asked = read_all(&mut rig, partition, &stored, |_| {});
    let Some(Reply::Fetched(fetched)) = rig.replies.remove(&id) else { panic!("it is answered") };
    assert_eq!(fetched.aborted.len(), 1);
    assert_eq!(fetched.aborted[0].transaction, transaction);
    assert_eq!(next(transaction).producer, transaction.producer);
    assert_eq!(asked, [3, 10, 20, 3], "forward to the marker, and once more where it was asked for");
}

#[test]
fn a_search_keeps_no_other_reader_of_the_partition_from_its_reads() {
    let (mut rig, partition, _, stored) = with_transaction(25, TransactionOutcome::Aborted);
    let searching = ask(&mut rig, partition, 3, Isolation::Committed);
    let other = ask(&mut rig, partition, 31, Isolation::Uncommitted);
    let asked = read_all(&mut rig, partition, &stored, |_| {});
    assert!([searching, other].iter().all(|id| matches!(rig.replies.get(id), Some(Reply::Fetched(_)))));
    assert_eq!(asked, [3, 31, 10, 20, 3]);
}

#[test]
fn readers_of_other_places_do_not_set_a_search_back() {
    let (mut rig, partition, transaction, stored) = with_transaction(25, TransactionOutcome::Aborted);
    let searching = ask(&mut rig, partition, 3, Isolation::Committed);
    let mut others = Vec::new();
    let asked = read_all(&mut rig, partition, &stored, |rig| {
        if others.len() < 10 {
            others.push(ask(rig, partition, 30, Isolation::Committed));
        }
    });
    assert!(others.iter().all(|id| matches!(rig.replies.get(id), Some(Reply::Fetched(_)))));
    let Some(Reply::Fetched(fetched)) = rig.replies.remove(&searching) else { panic!("it is answered") };
    assert_eq!(fetched.aborted[0].transaction, transaction);
    assert_eq!(asked.iter().filter(|offset| **offset < 30).count(), 4, "{asked:?}");
}
