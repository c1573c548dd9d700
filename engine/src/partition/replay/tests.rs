use bytes::BytesMut;

use super::*;
use crate::format::batch::BatchBuilder;
use crate::model::{FileIndex, PartitionId, Sequence, TopicId};

const ID: PartitionId = PartitionId { topic: TopicId(3), index: 4 };

fn batch(base_offset: u64, records: usize) -> Bytes {
    let mut builder = BatchBuilder::new();
    for _ in 0..records {
        builder.push(0, None, Some(b"pay"), &[]).unwrap();
    }
    let mut bytes: BytesMut = builder.finish();
    batch::place(&mut bytes, Offset(base_offset));
    bytes.freeze()
}

/// Which of the two ways back is taken.
#[derive(Clone, Copy, Debug)]
enum Way {
    Replay,
    Salvage,
}

/// Takes back a batch that was appended at `time`.
fn take(partition: &mut Partition, way: Way, (time, bytes): (u64, &Bytes), known: bool) -> Result<(), PartitionDamage> {
    let placed = Placed { sequence: Sequence(1), file: FileIndex(0) };
    let entry = ReplayedBatch { append_time: Realtime(time), undecided: 0, bytes, placed };
    match way {
        Way::Replay => partition.replay(&entry, known, Keep::Copy),
        Way::Salvage => partition.salvage(&entry, known, Realtime(99)),
    }
}

/// A partition as a manifest says it was: three records, the last one appended at 7.
fn known() -> Partition {
    Partition { next_offset: Offset(3), last_append_time: Realtime(7), ..Partition::new(ID) }
}

#[test]
fn a_batch_that_the_manifest_includes_ends_where_the_manifest_does_at_the_latest() {
    for way in [Way::Replay, Way::Salvage] {
        let mut partition = known();
        take(&mut partition, way, (5, &batch(0, 2)), true).unwrap();
        let ahead = PartitionDamage::Ahead { next_offset: Offset(3), found: Offset(2) };
        assert_eq!(take(&mut partition, way, (5, &batch(2, 2)), true), Err(ahead.clone()), "{way:?}: its end");
        assert_eq!(take(&mut partition, way, (8, &batch(2, 1)), true), Err(ahead), "{way:?}: its time");
        let back = take(&mut partition, way, (4, &batch(2, 1)), true);
        assert_eq!(back, Err(PartitionDamage::TimeGoesBack(Offset(2))), "{way:?}");
        take(&mut partition, way, (7, &batch(2, 1)), true).unwrap();
        partition.finish_replay().unwrap();
        assert_eq!((partition.memory_offset(), partition.next_offset()), (Offset(0), Offset(3)));
    }
}

#[test]
fn a_batch_far_behind_the_manifest_leaves_no_gap_that_ends_behind_the_partition() {
    let mut partition = known();
    let ahead = take(&mut partition, Way::Salvage, (5, &batch(70, 1)), true);
    assert_eq!(ahead, Err(PartitionDamage::Ahead { next_offset: Offset(3), found: Offset(70) }));
    assert_eq!((partition.gap_count(), partition.held_bytes()), (0, 0), "nothing is changed");
}

#[test]
fn no_batch_is_taken_whose_end_does_not_fit_the_field_of_offsets() {
    let last = i64::MAX.cast_unsigned() - 1;
    for (way, known) in [(Way::Replay, false), (Way::Replay, true), (Way::Salvage, false), (Way::Salvage, true)] {
        let mut partition = Partition { start_offset: Offset(last), next_offset: Offset(last), ..Partition::new(ID) };
        partition.held.begin_at(Offset(last));
        let exhausted = take(&mut partition, way, (1, &batch(last, 2)), known);
        assert_eq!(exhausted, Err(PartitionDamage::Exhausted(Offset(last))), "{way:?}");
        if !known {
            take(&mut partition, way, (1, &batch(last, 1)), known).unwrap();
        }
    }
}
