use bytes::BytesMut;

use super::*;
use crate::format::batch::{self, BatchBuilder};
use crate::model::{FileIndex, PartitionId, Position, ProducerEpoch, ProducerId, SegmentId, TopicId};
use crate::partition::{Cut, CutReason, Lookup, Placed, Retention};

const ID: PartitionId = PartitionId { topic: TopicId(3), index: 4 };
const NOW: Realtime = Realtime(1_000);

fn batch(base_offset: u64, records: usize, stamp: Option<(u64, u16, u32)>) -> Bytes {
    let mut builder = BatchBuilder::new();
    for _ in 0..records {
        builder.push(0, None, Some(b"pay"), &[]).unwrap();
    }
    if let Some((producer, epoch, sequence)) = stamp {
        builder.stamp(ProducerId(producer), ProducerEpoch(epoch), sequence);
    }
    let mut bytes: BytesMut = builder.finish();
    batch::place(&mut bytes, Offset(base_offset));
    bytes.freeze()
}

/// Takes a batch of one record that stands in the block with this number, appended at that time.
fn take(partition: &mut Partition, block: u64, bytes: &Bytes, known: bool) -> Result<(), PartitionDamage> {
    let placed = Placed { sequence: Sequence(block), file: FileIndex(0) };
    let entry = ReplayedBatch { append_time: Realtime(block), undecided: 0, bytes, placed };
    partition.salvage(&entry, known, NOW)
}

fn gaps(partition: &Partition) -> Vec<(u64, u64)> {
    partition.gaps().map(|gap| (gap.base_offset.0, gap.next_offset.0)).collect()
}

fn run(from: u64, to: u64) -> Run {
    Run {
        segment: SegmentId(from + 1),
        position: Position(0),
        bytes: 4096,
        base_offset: Offset(from),
        next_offset: Offset(to),
        first_append_time: Realtime(from),
        last_append_time: Realtime(to),
        max_timestamp_ms: 0,
    }
}

fn stretches(partition: &Partition) -> Vec<Vec<u64>> {
    let bases = |stretch: Vec<HeldBatch>| stretch.iter().map(|batch| batch.base_offset.0).collect();
    partition.salvaged().into_iter().map(bases).collect()
}

#[test]
fn what_no_block_holds_any_more_is_a_gap_and_everything_else_is_kept() {
    let mut partition = Partition::new(ID);
    for (block, base) in [(1, 0), (2, 1), (5, 7), (6, 8)] {
        take(&mut partition, block, &batch(base, 1, None), false).unwrap();
    }
    partition.finish_salvage(0, NOW).unwrap();
    assert_eq!(gaps(&partition), [(2, 7)]);
    assert_eq!(stretches(&partition), [vec![0, 1], vec![7, 8]]);
    assert_eq!((partition.next_offset(), partition.durable_offset()), (Offset(9), Offset(9)));
}

#[test]
fn offsets_that_may_have_been_given_out_behind_the_end_are_never_given_out_again() {
    let mut partition = Partition::new(ID);
    take(&mut partition, 1, &batch(0, 2, None), false).unwrap();
    partition.finish_salvage(1_000, NOW).unwrap();
    assert_eq!(gaps(&partition), [(2, 1_002)]);
    assert_eq!(partition.next_slot(Realtime(5)).base_offset, Offset(1_002));
}

#[test]
fn offsets_behind_the_end_are_not_lost_where_no_batch_can_have_one() {
    let last = i64::MAX.cast_unsigned();
    let mut partition = Partition { start_offset: Offset(last), next_offset: Offset(last), ..Partition::new(ID) };
    partition.held.begin_at(Offset(last));
    assert_eq!(partition.finish_salvage(1, NOW), Err(PartitionDamage::Exhausted(Offset(last))));
    assert_eq!(partition.finish_salvage(u64::MAX, NOW), Err(PartitionDamage::Exhausted(Offset(last))));
    assert_eq!(partition.finish_salvage(0, NOW), Ok(()));
}

#[test]
fn records_that_a_manifest_knows_and_nothing_holds_are_lost() {
    let mut partition = Partition::new(ID);
    take(&mut partition, 1, &batch(0, 5, None), false).unwrap();
    let mut bytes = Vec::new();
    partition.encode(&mut bytes);
    let mut known = Partition::decode(&mut &bytes[..]).unwrap();
    take(&mut known, 1, &batch(3, 1, None), true).unwrap();
    known.finish_salvage(0, NOW).unwrap();
    assert_eq!(gaps(&known), [(0, 3), (4, 5)]);
    assert_eq!(stretches(&known), [vec![3]]);
}

#[test]
fn batches_that_contradict_each_other_are_damage_still() {
    let mut partition = Partition::new(ID);
    take(&mut partition, 3, &batch(4, 2, None), false).unwrap();
    let overlap = take(&mut partition, 4, &batch(5, 1, None), false);
    assert_eq!(overlap, Err(PartitionDamage::Gap { expected: Offset(6), found: Offset(5) }));
    let back = take(&mut partition, 2, &batch(6, 1, None), false);
    assert_eq!(back, Err(PartitionDamage::TimeGoesBack(Offset(6))));
    for (block, base, sequence) in [(5, 6, 0), (6, 7, 1)] {
        take(&mut partition, block, &batch(base, 1, Some((9, 1, sequence))), false).unwrap();
    }
    let twice = take(&mut partition, 7, &batch(8, 1, Some((9, 1, 1))), false);
    assert_eq!(twice, Err(PartitionDamage::Producer(Offset(8))));
    take(&mut partition, 8, &batch(8, 1, Some((9, 1, 0))), false).expect("it had expired, which is lost");
}

#[test]
fn a_producer_whose_batches_are_partly_lost_can_store_none_of_them_twice() {
    let mut partition = Partition::new(ID);
    take(&mut partition, 1, &batch(0, 1, Some((9, 1, 0))), false).unwrap();
    take(&mut partition, 4, &batch(3, 1, Some((9, 1, 3))), false).unwrap();
    partition.finish_salvage(0, NOW).unwrap();
    let admit = |sequence| {
        let bytes = batch(0, 1, Some((9, 1, sequence)));
        partition.admit(&batch::validate(&bytes, bytes.len()).unwrap())
    };
    let receipt = Receipt { base_offset: Offset(3), append_time: Realtime(4), sequence: Sequence(4) };
    assert_eq!(admit(3), crate::producer::Admission::Duplicate(receipt), "what is left gets its answer");
    assert_eq!(admit(4), crate::producer::Admission::New);
    for sequence in 0..3 {
        assert!(matches!(admit(sequence), crate::producer::Admission::Refused(_)), "sequence {sequence}");
    }
    let mut bytes = Vec::new();
    partition.producers().encode(&mut bytes);
    let mut again = partition.clone();
    again.decode_producers(&mut &bytes[..], Sequence(4)).expect("such a producer is written and read like any other");
}

#[test]
fn a_salvaged_partition_is_written_and_read_with_its_gaps_and_refuses_to_be_uncovered() {
    let mut partition = Partition::new(ID);
    for (block, base) in [(1, 0), (5, 7)] {
        take(&mut partition, block, &batch(base, 1, None), false).unwrap();
    }
    partition.finish_salvage(10, NOW).unwrap();
    partition.settle_salvage(vec![run(0, 1), run(7, 8)], &[], NOW);
    assert_eq!(partition.flushed_offset(), Offset(18));
    let mut bytes = Vec::new();
    partition.encode(&mut bytes);
    assert_eq!(bytes.len(), Partition::ENCODED_BYTES + 2 * Run::ENCODED_BYTES + 2 * Gap::ENCODED_BYTES);
    let read = Partition::decode(&mut &bytes[..]).unwrap();
    assert_eq!((gaps(&read), read.run_count()), (vec![(1, 7), (8, 18)], 2));
    assert_eq!(read.flushed_offset(), Offset(18));
    // Without its first gap it is covered no more.
    let mut less = bytes.clone();
    less[Partition::ENCODED_BYTES - 4] = 1;
    let first = bytes.len() - 2 * Gap::ENCODED_BYTES;
    less.drain(first..first + Gap::ENCODED_BYTES);
    assert!(Partition::decode(&mut &less[..]).is_err());
}

#[test]
fn a_run_that_lost_something_leaves_gaps_but_none_below_the_start() {
    let mut partition = Partition::new(ID);
    take(&mut partition, 1, &batch(0, 20, None), false).unwrap();
    partition.make_durable(Offset(20));
    partition.run_written(run(0, 20));
    partition.settle_cut(&Cut { to: Offset(5), bytes: 0, reason: CutReason::Age, time: Realtime(1) });
    let lost = [(2, 4), (4, 6), (10, 11)].map(|(from, to)| (Offset(from), Offset(to)));
    partition.settle_salvage(vec![run(0, 2), run(6, 10), run(11, 20)], &lost, NOW);
    assert_eq!(gaps(&partition), [(5, 6), (10, 11)]);
    assert_eq!(partition.run_count(), 2, "the first run lies below the start");
}

#[test]
fn retention_cuts_a_gap_with_what_stands_before_it() {
    let mut partition = Partition::new(ID);
    for (block, base) in [(1, 0), (5, 7)] {
        take(&mut partition, block, &batch(base, 1, None), false).unwrap();
    }
    partition.finish_salvage(10, NOW).unwrap();
    partition.settle_salvage(vec![run(0, 1), run(7, 8)], &[], NOW);
    let retention = Retention { bytes: Some(4096), ns: None };
    let cut = partition.plan_cut(&retention, Realtime(5)).unwrap();
    assert_eq!(cut.to, Offset(7));
    partition.settle_cut(&cut);
    assert_eq!((partition.start_offset(), gaps(&partition)), (Offset(7), vec![(8, 18)]));
    let cut = partition.plan_cut(&Retention { bytes: Some(0), ns: None }, Realtime(6)).unwrap();
    assert_eq!(cut.to, Offset(18));
    partition.settle_cut(&cut);
    assert_eq!((partition.start_offset(), gaps(&partition)), (Offset(18), vec![]));
    assert_eq!(partition.next_offset(), Offset(18));
}

#[test]
fn a_look_up_by_time_that_finds_what_stands_right_behind_a_gap_begins_with_the_gap() {
    let mut partition = Partition::new(ID);
    for (block, base) in [(10, 0), (50, 7)] {
        take(&mut partition, block, &batch(base, 1, None), false).unwrap();
    }
    partition.finish_salvage(10, NOW).unwrap();
    let at = |time| partition.offset_at(Realtime(time));
    assert_eq!(at(10), Lookup::Offset(Offset(0)));
    assert_eq!([at(11), at(50)], [Lookup::Offset(Offset(1)); 2], "what is lost may be as late");
    assert_eq!(at(51), Lookup::Offset(Offset(18)), "nothing was found: the high watermark");
    assert_eq!(partition.offset_of_timestamp(0, Offset(1)), Lookup::Offset(Offset(1)));
}
