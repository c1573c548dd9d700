use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::*;
use crate::format::batch;
use crate::format::batch::{BatchBuilder, Keep};
use crate::model::{Position, ProducerEpoch, ProducerId, SegmentId, TopicId};
use crate::producer::ProducerDecodeError;

const ID: PartitionId = PartitionId { topic: TopicId(3), index: 4 };

fn placed(sequence: u64) -> Placed {
    Placed { sequence: Sequence(sequence), file: FileIndex(u16::try_from(sequence % 3).unwrap()) }
}

fn batch(records: usize, value_bytes: usize, stamp: Option<u32>) -> BytesMut {
    let mut builder = BatchBuilder::new();
    for _ in 0..records {
        builder.push(0, None, Some(&vec![7; value_bytes]), &[]).unwrap();
    }
    if let Some(sequence) = stamp {
        builder.stamp(ProducerId(9), ProducerEpoch(1), sequence);
    }
    builder.finish()
}

/// Appends a batch as a shard does.
fn append(partition: &mut Partition, mut bytes: BytesMut, now: u64, sequence: u64) -> Receipt {
    let info = batch::validate(&bytes, bytes.len()).unwrap();
    assert_eq!(partition.admit(&info), Admission::New);
    let slot = partition.next_slot(Realtime(now));
    batch::place(&mut bytes, slot.base_offset);
    partition.append(slot, &info, bytes.freeze(), placed(sequence), &[])
}

/// What is read from memory, which holds everything from there on.
fn read(partition: &Partition, from: Offset, bytes_max: usize) -> Vec<HeldBatch> {
    partition.read(from, partition.durable_offset(), bytes_max).expect("it is in memory")
}

/// A batch as the journal holds it.
fn at(base_offset: u64, mut bytes: BytesMut) -> Bytes {
    batch::place(&mut bytes, Offset(base_offset));
    bytes.freeze()
}

/// What a journal's entry of this block says of a batch.
fn entry(append_time: Realtime, bytes: &Bytes, sequence: u64) -> ReplayedBatch<'_> {
    ReplayedBatch { append_time, undecided: 0, bytes, placed: placed(sequence) }
}

fn bases(batches: &[HeldBatch]) -> Vec<u64> {
    batches.iter().map(|batch| batch.base_offset.0).collect()
}

#[test]
fn offsets_follow_each_other_and_are_written_into_the_batches() {
    let mut partition = Partition::new(ID);
    assert_eq!((partition.start_offset(), partition.next_offset()), (Offset(0), Offset(0)));
    for (records, base) in [(3, 0), (1, 3), (5, 4)] {
        let receipt = append(&mut partition, batch(records, 10, None), 50, base + 1);
        assert_eq!((receipt.base_offset, receipt.sequence), (Offset(base), Sequence(base + 1)));
    }
    assert_eq!((partition.next_offset(), partition.durable_offset()), (Offset(9), Offset(0)));
    partition.make_durable(Offset(9));
    let held = read(&partition, Offset(0), usize::MAX);
    assert_eq!(bases(&held), [0, 3, 4]);
    for batch in &held {
        assert_eq!(batch::base_offset(&batch.bytes), Ok(batch.base_offset));
        assert_eq!(batch::last_offset(&batch.bytes), Ok(batch.last_offset));
    }
    assert_eq!(partition.held_bytes(), held.iter().map(|batch| batch.bytes.len()).sum::<usize>());
    assert_eq!(partition.ring_files().count(), 3.min(held.len()) - 1, "blocks 1, 4 and 5 stand in files 1, 1 and 2");
}

#[test]
fn append_times_never_go_back_when_the_clock_does() {
    let mut partition = Partition::new(ID);
    let times: Vec<_> = [50, 40, 60, 0, 61].map(|now| append(&mut partition, batch(1, 1, None), now, 1)).into();
    assert_eq!(times.iter().map(|receipt| receipt.append_time.0).collect::<Vec<_>>(), [50, 50, 60, 60, 61]);
}

#[test]
fn reads_are_bounded_by_the_durable_offset_and_by_bytes_but_give_at_least_one_batch() {
    let mut partition = Partition::new(ID);
    for sequence in 1..=4 {
        append(&mut partition, batch(2, 100, None), sequence, sequence);
    }
    let one = batch(2, 100, None).len();
    assert_eq!(bases(&read(&partition, Offset(0), usize::MAX)), [0u64; 0]);
    partition.make_durable(Offset(6));
    assert_eq!(bases(&read(&partition, Offset(0), usize::MAX)), [0, 2, 4]);
    assert_eq!(bases(&read(&partition, Offset(3), usize::MAX)), [2, 4], "the batch that contains the offset");
    assert_eq!(bases(&read(&partition, Offset(6), usize::MAX)), [0u64; 0]);
    for (bytes_max, count) in [(0, 1), (1, 1), (2 * one - 1, 1), (2 * one, 2), (3 * one, 3)] {
        assert_eq!(read(&partition, Offset(0), bytes_max).len(), count, "{bytes_max} bytes");
    }
    partition.make_durable(Offset(8));
    assert_eq!(bases(&read(&partition, Offset(7), 0)), [6]);
}

#[test]
fn offsets_by_time_are_those_of_the_first_durable_batch_at_or_after_it() {
    let mut partition = Partition::new(ID);
    for time in [10, 20, 20, 30] {
        append(&mut partition, batch(2, 1, None), time, time);
    }
    assert_eq!(partition.offset_at(Realtime(0)), Lookup::Offset(Offset(0)), "nothing is durable: the high watermark");
    partition.make_durable(Offset(6));
    let at = [0, 10, 11, 20, 21, 30, 31].map(|time| partition.offset_at(Realtime(time)));
    assert_eq!(at, [0, 0, 2, 2, 6, 6, 6].map(|offset| Lookup::Offset(Offset(offset))));
}

#[test]
#[should_panic(expected = "appended >= durable")]
fn durability_ahead_of_what_was_appended_is_a_broken_invariant() {
    Partition::new(ID).make_durable(Offset(1));
}

#[test]
fn a_producers_retry_is_known_and_its_gap_refused() {
    let mut partition = Partition::new(ID);
    let first = append(&mut partition, batch(2, 1, Some(0)), 5, 1);
    let admit = |bytes: BytesMut| partition.admit(&batch::validate(&bytes, bytes.len()).unwrap());
    assert_eq!(admit(batch(2, 1, Some(0))), Admission::Duplicate(first));
    assert_eq!(admit(batch(2, 1, Some(2))), Admission::New);
    assert!(matches!(admit(batch(2, 1, Some(3))), Admission::Refused(_)));
    assert!(matches!(admit(batch(2, 2, Some(0))), Admission::Refused(_)));
}

#[test]
fn replay_rebuilds_what_was_appended() {
    let mut live = Partition::new(ID);
    for (number, sequence) in (0u32..6).zip(1..) {
        append(&mut live, batch(2, 10, Some(2 * number)), 100 - u64::from(number), sequence);
    }
    live.make_durable(Offset(12));
    let mut replayed = Partition::new(ID);
    for (held, sequence) in read(&live, Offset(0), usize::MAX).into_iter().zip(1..) {
        replayed.replay(&entry(held.append_time, &held.bytes, sequence), false, Keep::Copy).unwrap();
    }
    replayed.finish_replay().unwrap();
    assert_eq!(format!("{replayed:?}"), format!("{live:?}"));
}

#[test]
fn replay_refuses_gaps_repeats_and_times_that_go_back() {
    let mut partition = Partition::new(ID);
    partition.replay(&entry(Realtime(10), &at(0, batch(2, 1, None)), 1), false, Keep::Copy).unwrap();
    for found in [0, 1, 3] {
        let gap = PartitionDamage::Gap { expected: Offset(2), found: Offset(found) };
        let bytes = at(found, batch(1, 1, None));
        assert_eq!(partition.replay(&entry(Realtime(11), &bytes, 2), false, Keep::Copy), Err(gap.clone()));
        assert_eq!(partition.replay(&entry(Realtime(11), &bytes, 2), true, Keep::Copy), Err(gap));
    }
    let back = partition.replay(&entry(Realtime(9), &at(2, batch(1, 1, None)), 2), false, Keep::Copy);
    assert_eq!(back, Err(PartitionDamage::TimeGoesBack(Offset(2))));
    assert_eq!(partition.next_offset(), Offset(2), "nothing was taken");
}

#[test]
fn replay_refuses_damaged_batches_and_producers_that_cannot_have_been_admitted() {
    let mut partition = Partition::new(ID);
    let mut damaged = batch(1, 1, None);
    *damaged.last_mut().unwrap() ^= 1;
    let refused = partition.replay(&entry(Realtime(1), &damaged.freeze(), 1), false, Keep::Copy);
    assert!(matches!(refused, Err(PartitionDamage::Batch { .. })));
    let short = partition.replay(&entry(Realtime(1), &Bytes::from_static(&[1; 20]), 1), true, Keep::Copy);
    assert!(matches!(short, Err(PartitionDamage::Batch { .. })));
    partition.replay(&entry(Realtime(1), &at(0, batch(1, 1, Some(0))), 1), false, Keep::Copy).unwrap();
    for sequence in [0, 5] {
        let again = partition.replay(&entry(Realtime(1), &at(1, batch(1, 1, Some(sequence))), 2), false, Keep::Copy);
        assert_eq!(again, Err(PartitionDamage::Producer(Offset(1))));
    }
}

/// A partition as a manifest describes it after `records` records of one batch each.
fn from_manifest(records: u64) -> Partition {
    let mut live = Partition::new(ID);
    for sequence in 1..=records {
        append(&mut live, batch(1, 1, None), sequence, sequence);
    }
    let mut bytes = Vec::new();
    live.encode(&mut bytes);
    Partition::decode(&mut &bytes[..]).unwrap()
}

fn replay_known(partition: &mut Partition, offsets: impl IntoIterator<Item = u64>) {
    for offset in offsets {
        partition.replay(&entry(Realtime(offset + 1), &at(offset, batch(1, 1, None)), 1), true, Keep::Copy).unwrap();
    }
}

#[test]
fn what_a_manifest_knows_is_only_held_and_everything_behind_it_appended() {
    let mut partition = from_manifest(3);
    replay_known(&mut partition, 0..3);
    partition.replay(&entry(Realtime(9), &at(3, batch(1, 1, None)), 2), false, Keep::Copy).unwrap();
    partition.finish_replay().unwrap();
    assert_eq!((partition.next_offset(), partition.durable_offset()), (Offset(4), Offset(4)));
    assert_eq!(bases(&read(&partition, Offset(0), usize::MAX)), [0, 1, 2, 3]);
}

#[test]
fn records_that_a_manifest_knows_and_no_block_holds_are_damage() {
    let mut partition = from_manifest(3);
    let lost = PartitionDamage::Lost { next_offset: Offset(3), held: Offset(0) };
    assert_eq!(partition.clone().finish_replay(), Err(lost));
    replay_known(&mut partition, 0..2);
    let lost = PartitionDamage::Lost { next_offset: Offset(3), held: Offset(2) };
    assert_eq!(partition.finish_replay(), Err(lost));
    let gap = PartitionDamage::Gap { expected: Offset(0), found: Offset(1) };
    let behind = from_manifest(3).replay(&entry(Realtime(2), &at(1, batch(1, 1, None)), 1), true, Keep::Copy);
    assert_eq!(behind, Err(gap));
}

#[test]
fn a_hole_between_what_a_manifest_knows_and_what_follows_it_is_damage() {
    let mut partition = from_manifest(3);
    replay_known(&mut partition, 0..2);
    let behind = partition.replay(&entry(Realtime(9), &at(3, batch(1, 1, None)), 2), false, Keep::Copy);
    assert!(behind.is_err() || partition.finish_replay().is_err(), "offset 2 is nowhere and nobody said so");
}

#[test]
fn an_encoded_partition_has_a_fixed_size_and_is_refused_if_cut_off() {
    let mut bytes = Vec::new();
    from_manifest(3).encode(&mut bytes);
    assert_eq!(bytes.len(), Partition::ENCODED_BYTES);
    let golden = [
        3u64.to_le_bytes().to_vec(),
        4u32.to_le_bytes().to_vec(),
        [3u64.to_le_bytes(); 2].concat(),
        vec![0; 3 * 8 + 1 + 4 + 4],
    ]
    .concat();
    assert_eq!(bytes, golden);
    for length in 0..bytes.len() {
        assert!(Partition::decode(&mut &bytes[..length]).is_err());
    }
}

#[test]
fn producers_survive_their_encoding() {
    let mut partition = Partition::new(ID);
    append(&mut partition, batch(2, 1, Some(0)), 5, 1);
    let mut bytes = Vec::new();
    partition.producers().encode(&mut bytes);
    let mut own = Vec::new();
    partition.encode(&mut own);
    let decoded = || Partition::decode(&mut &own[..]).unwrap();
    let mut again = decoded();
    again.decode_producers(&mut &bytes[..], Sequence(1)).unwrap();
    assert_eq!(again.producers(), partition.producers());
    assert!(decoded().decode_producers(&mut &bytes[..bytes.len() - 1], Sequence(1)).is_err());
}

#[test]
fn a_producer_that_is_ahead_of_its_partition_or_journal_is_refused_so_nothing_is_placed_before_its_last_batch() {
    let mut partition = Partition::new(ID);
    append(&mut partition, batch(2, 1, Some(0)), 5, 3);
    let (mut bytes, mut own) = (Vec::new(), Vec::new());
    partition.producers().encode(&mut bytes);
    partition.encode(&mut own);
    let decoded = |own: &[u8], included| {
        Partition::decode(&mut &own[..]).unwrap().decode_producers(&mut &bytes[..], Sequence(included))
    };
    assert_eq!(decoded(&own, 3), Ok(()));
    let refused = |result| assert!(matches!(result, Err(ProducerDecodeError::Beyond { .. })), "{result:?}");
    refused(decoded(&own, 2));
    let mut ends_before = own.clone();
    ends_before[12..20].copy_from_slice(&0_u64.to_le_bytes());
    refused(decoded(&ends_before, 3));
    let mut older = own.clone();
    older[20..28].copy_from_slice(&4_u64.to_le_bytes());
    refused(decoded(&older, 3));
}

proptest! {
    #[test]
    fn what_is_read_is_always_a_durable_run_without_a_gap(
        sizes in prop::collection::vec((1..5usize, 1..300usize), 1..30),
        durable in 0..30usize,
        from in 0..100u64,
        bytes_max in 0..3000usize,
    ) {
        let mut partition = Partition::new(ID);
        let mut ends = vec![0];
        for (records, value_bytes) in sizes {
            append(&mut partition, batch(records, value_bytes, None), 1, 1);
            ends.push(partition.next_offset().0);
        }
        let durable = ends[durable.min(ends.len() - 1)];
        partition.make_durable(Offset(durable));
        let read = read(&partition, Offset(from), bytes_max);
        prop_assert_eq!(read.is_empty(), from >= durable);
        prop_assert!(read.iter().all(|batch| batch.last_offset.0 < durable));
        prop_assert!(read.first().is_none_or(|batch| batch.base_offset.0 <= from && from <= batch.last_offset.0));
        prop_assert!(read.windows(2).all(|pair| pair[0].last_offset.plus(1) == pair[1].base_offset));
        let bytes: usize = read.iter().map(|batch| batch.bytes.len()).sum();
        prop_assert!(read.len() <= 1 || bytes <= bytes_max);
    }
}

/// A run of the partition as if it had been written.
fn run(segment: u64, base: u64, next: u64) -> Run {
    Run {
        segment: SegmentId(segment),
        position: Position(0),
        bytes: 4096,
        base_offset: Offset(base),
        next_offset: Offset(next),
        first_append_time: Realtime(base + 1),
        last_append_time: Realtime(next),
        max_timestamp_ms: 0,
    }
}

/// A durable partition of so many batches of one record, each in a block of its own, appended at 1, 2, 3 …
fn durable(count: u64) -> Partition {
    let mut partition = Partition::new(ID);
    for sequence in 1..=count {
        append(&mut partition, batch(1, 10, None), sequence, sequence);
    }
    partition.make_durable(Offset(count));
    partition
}

fn one_batch() -> usize {
    batch(1, 10, None).len()
}

#[test]
fn what_is_at_rest_lets_go_of_ring_files_and_stays_in_memory_until_it_is_evicted() {
    let mut partition = durable(9);
    assert_eq!(bases(&partition.unflushed(Sequence(5), usize::MAX, 0, u64::MAX).0), [0, 1, 2, 3, 4]);
    assert_eq!(partition.ring_files().count(), 3);
    assert!(partition.run_written(run(1, 0, 7)));
    assert_eq!(bases(&partition.unflushed(Sequence(9), usize::MAX, 0, u64::MAX).0), [7, 8]);
    assert_eq!((partition.unflushed_bytes(), partition.held_bytes()), (2 * one_batch(), 9 * one_batch()));
    assert_eq!(partition.ring_files().copied().collect::<Vec<_>>(), [FileIndex(0), FileIndex(2)]);
    assert_eq!(bases(&read(&partition, Offset(0), usize::MAX)).len(), 9);
    assert_eq!(partition.evict(Offset(9), 1), one_batch(), "at least so many bytes");
    assert_eq!(partition.evict(Offset(9), usize::MAX), 6 * one_batch(), "only what is at rest");
    assert_eq!(partition.read(Offset(6), partition.durable_offset(), 1), None);
    assert_eq!(bases(&read(&partition, Offset(7), usize::MAX)), [7, 8]);
    assert_eq!(partition.run_at(Offset(6)), Some(&run(1, 0, 7)));
    assert_eq!(partition.run_at(Offset(7)), None);
    assert_eq!((partition.memory_offset(), partition.start_offset()), (Offset(7), Offset(0)));
}

#[test]
fn only_durable_batches_are_taken_to_rest() {
    let mut partition = durable(3);
    append(&mut partition, batch(1, 10, None), 4, 4);
    assert_eq!(bases(&partition.unflushed(Sequence(9), usize::MAX, 0, u64::MAX).0), [0, 1, 2]);
}

#[test]
fn a_run_that_goes_on_in_its_file_is_one_with_the_run_before() {
    let mut partition = durable(9);
    assert!(partition.run_written(run(1, 0, 3)));
    assert!(!partition.run_written(Run { position: Position(4096), ..run(1, 3, 5) }));
    assert!(partition.run_written(run(2, 5, 9)));
    let bounds: Vec<_> = partition.runs().map(|run| (run.base_offset.0, run.next_offset.0, run.bytes)).collect();
    assert_eq!(bounds, [(0, 5, 8192), (5, 9, 4096)]);
    assert_eq!(partition.stored_bytes(), 12288);
}

#[test]
fn times_are_looked_up_in_memory_where_it_reaches_and_in_runs_before() {
    let mut partition = durable(9);
    assert!(partition.run_written(run(1, 0, 3)));
    assert!(partition.run_written(run(2, 3, 7)));
    let at = |partition: &Partition, time| partition.offset_at(Realtime(time));
    assert_eq!(at(&partition, 2), Lookup::Offset(Offset(1)), "memory holds everything still");
    partition.evict(Offset(5), usize::MAX);
    assert_eq!(at(&partition, 2), Lookup::InRun(run(1, 0, 3)));
    assert_eq!(at(&partition, 4), Lookup::InRun(run(2, 3, 7)));
    assert_eq!(at(&partition, 7), Lookup::Offset(Offset(6)), "memory begins before it");
    assert_eq!(at(&partition, 10), Lookup::Offset(Offset(9)));
    assert_eq!(partition.offset_of_timestamp(1, Offset(0)), Lookup::Offset(Offset(9)), "no record is as late");
    assert_eq!(partition.offset_of_timestamp(0, Offset(0)), Lookup::InRun(run(1, 0, 3)));
    assert_eq!(partition.offset_of_timestamp(0, Offset(3)), Lookup::InRun(run(2, 3, 7)));
    assert_eq!(partition.offset_of_timestamp(0, Offset(7)), Lookup::Offset(Offset(7)));
}

/// The manifest's bytes of a partition, read again.
fn stored_again(partition: &Partition) -> Partition {
    let mut bytes = Vec::new();
    partition.encode(&mut bytes);
    Partition::decode(&mut &bytes[..]).unwrap()
}

#[test]
fn batches_at_rest_are_passed_over_in_the_journal() {
    let mut live = durable(5);
    live.run_written(run(1, 0, 3));
    let mut partition = stored_again(&live);
    assert_eq!(partition.flushed_offset(), Offset(3));
    replay_known(&mut partition, 0..5);
    partition.finish_replay().unwrap();
    assert_eq!(partition.memory_offset(), Offset(3));
    assert_eq!(partition.runs().collect::<Vec<_>>(), live.runs().collect::<Vec<_>>());
}

#[test]
fn age_and_size_cut_whole_runs_and_then_batches_in_memory() {
    let retention = |bytes, ns| Retention { bytes, ns };
    let prepared = || {
        let mut partition = durable(9);
        partition.run_written(run(1, 0, 3));
        partition.run_written(run(2, 3, 7));
        partition
    };
    let unflushed = 2 * one_batch() as u64;
    for (bytes, ns, now, to) in [
        (None, Some(100), 50, None),
        (None, Some(10), 12, None),
        (None, Some(10), 13, Some((3, 4096, CutReason::Age))),
        (None, Some(10), 18, Some((8, 8192 + one_batch() as u64, CutReason::Age))),
        (None, Some(10), 1000, Some((9, 8192 + unflushed, CutReason::Age))),
        (Some(8192 + unflushed), None, 0, None),
        (Some(4096 + unflushed), None, 0, Some((3, 4096, CutReason::Size))),
        (Some(4096), None, 0, Some((3, 4096, CutReason::Size))),
        (Some(0), None, 0, Some((9, 8192 + unflushed, CutReason::Size))),
        (None, None, 1000, None),
    ] {
        let cut = prepared().plan_cut(&retention(bytes, ns), Realtime(now));
        let found = cut.map(|cut| (cut.to.0, cut.bytes, cut.reason));
        assert_eq!(found, to, "bytes {bytes:?}, ns {ns:?}, now {now}");
    }
}

#[test]
fn a_cut_is_in_the_manifest_at_once_and_in_force_when_it_is_settled() {
    let mut partition = durable(9);
    partition.run_written(run(1, 0, 3));
    partition.run_written(run(2, 3, 7));
    let retention = Retention { bytes: None, ns: Some(10) };
    let cut = partition.plan_cut(&retention, Realtime(18)).unwrap();
    assert_eq!(partition.plan_cut(&retention, Realtime(99)), None, "one at a time");
    assert_eq!(partition.start_offset(), Offset(0), "still shown");
    let mut stored = stored_again(&partition);
    assert_eq!((stored.start_offset(), stored.run_count(), stored.flushed_offset()), (Offset(8), 0, Offset(8)));
    replay_known(&mut stored, 0..9);
    stored.finish_replay().unwrap();
    assert_eq!((stored.memory_offset(), stored.next_offset()), (Offset(8), Offset(9)));
    assert_eq!(stored.cuts(), &CutTotals { bytes: cut.bytes, time: Realtime(18), reason: Some(CutReason::Age) });
    let (runs, bytes) = partition.settle_cut(&cut);
    assert_eq!((runs, bytes), (vec![run(1, 0, 3), run(2, 3, 7)], 8 * one_batch()));
    assert_eq!((partition.start_offset(), partition.next_offset()), (Offset(8), Offset(9)));
    assert_eq!(partition.cuts(), stored.cuts());
    assert_eq!(partition.ring_files().count(), 1);
}

#[test]
fn everything_may_be_cut_and_the_partition_goes_on_where_it_was() {
    let mut partition = durable(4);
    let retention = Retention { bytes: Some(0), ns: None };
    let cut = partition.plan_cut(&retention, Realtime(9)).unwrap();
    partition.settle_cut(&cut);
    assert_eq!((partition.start_offset(), partition.next_offset()), (Offset(4), Offset(4)));
    assert_eq!(bases(&read(&partition, Offset(4), usize::MAX)), [0u64; 0]);
    let mut stored = stored_again(&partition);
    stored.finish_replay().unwrap();
    assert_eq!(append(&mut stored, batch(1, 10, None), 9, 9).base_offset, Offset(4));
}

#[test]
fn a_run_that_was_written_while_retention_cut_is_kept_only_as_far_as_it_is_wanted() {
    for (to, wanted) in [(3, true), (5, false)] {
        let mut partition = durable(9);
        let cut = Cut { to: Offset(to), bytes: 1, reason: CutReason::Age, time: Realtime(9) };
        partition.settle_cut(&cut);
        assert_eq!(partition.run_written(run(1, 0, 5)), wanted, "cut to {to}");
        assert_eq!(partition.flushed_offset(), Offset(5));
        let stored = stored_again(&partition);
        assert_eq!((stored.start_offset(), stored.run_count()), (Offset(to), usize::from(wanted)));
    }
}

#[test]
fn runs_are_put_together_only_if_they_are_all_still_there() {
    let mut partition = durable(9);
    for (segment, base, next) in [(1, 0, 2), (2, 2, 4), (3, 4, 6)] {
        partition.run_written(run(segment, base, next));
    }
    let old = [run(1, 0, 2), run(2, 2, 4)];
    let mut cut = partition.clone();
    cut.settle_cut(&Cut { to: Offset(2), bytes: 1, reason: CutReason::Age, time: Realtime(9) });
    assert!(!cut.runs_merged(&old, run(9, 0, 4)));
    assert!(partition.runs_merged(&old, run(9, 0, 4)));
    assert_eq!(partition.runs().map(|run| run.segment.0).collect::<Vec<_>>(), [9, 3]);
    assert_eq!(partition.stored_bytes(), 8192);
}

#[test]
fn a_manifest_whose_runs_leave_a_gap_or_reach_too_far_is_refused() {
    let mut partition = durable(9);
    partition.run_written(run(1, 0, 3));
    partition.run_written(run(2, 3, 7));
    let mut bytes = Vec::new();
    partition.encode(&mut bytes);
    let second = Partition::ENCODED_BYTES + Run::ENCODED_BYTES;
    for (at, value) in [(second + 24, 4u64), (second + 32, 10), (second + 32, 3), (28, 8)] {
        let mut bytes = bytes.clone();
        bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        let refused = Partition::decode(&mut &bytes[..]);
        assert!(matches!(refused, Err(PartitionDecodeError::Impossible(ID))), "byte {at}");
    }
}
