use bytes::BytesMut;
use proptest::prelude::*;

use super::*;
use crate::format::batch::BatchBuilder;
use crate::model::{ProducerEpoch, ProducerId, TopicId};

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
    partition.append(slot, &info, bytes.freeze(), placed(sequence))
}

/// A batch as the journal holds it.
fn at(base_offset: u64, mut bytes: BytesMut) -> Bytes {
    batch::place(&mut bytes, Offset(base_offset));
    bytes.freeze()
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
    let held = partition.read(Offset(0), usize::MAX);
    assert_eq!(bases(&held), [0, 3, 4]);
    for batch in &held {
        assert_eq!(batch::base_offset(&batch.bytes), Ok(batch.base_offset));
        assert_eq!(batch::last_offset(&batch.bytes), Ok(batch.last_offset));
    }
    assert_eq!(partition.held_bytes(), held.iter().map(|batch| batch.bytes.len()).sum::<usize>());
    assert_eq!(partition.ring_files().len(), 3.min(held.len()) - 1, "blocks 1, 4 and 5 stand in files 1, 1 and 2");
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
    assert_eq!(bases(&partition.read(Offset(0), usize::MAX)), [0u64; 0]);
    partition.make_durable(Offset(6));
    assert_eq!(bases(&partition.read(Offset(0), usize::MAX)), [0, 2, 4]);
    assert_eq!(bases(&partition.read(Offset(3), usize::MAX)), [2, 4], "the batch that contains the offset");
    assert_eq!(bases(&partition.read(Offset(6), usize::MAX)), [0u64; 0]);
    for (bytes_max, count) in [(0, 1), (1, 1), (2 * one - 1, 1), (2 * one, 2), (3 * one, 3)] {
        assert_eq!(partition.read(Offset(0), bytes_max).len(), count, "{bytes_max} bytes");
    }
    partition.make_durable(Offset(8));
    assert_eq!(bases(&partition.read(Offset(7), 0)), [6]);
}

#[test]
fn offsets_by_time_are_those_of_the_first_durable_batch_at_or_after_it() {
    let mut partition = Partition::new(ID);
    for time in [10, 20, 20, 30] {
        append(&mut partition, batch(2, 1, None), time, time);
    }
    assert_eq!(partition.offset_at(Realtime(0)), Offset(0), "nothing is durable: the high watermark");
    partition.make_durable(Offset(6));
    let at = [0, 10, 11, 20, 21, 30, 31].map(|time| partition.offset_at(Realtime(time)).0);
    assert_eq!(at, [0, 0, 2, 2, 6, 6, 6]);
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
    for (held, sequence) in live.read(Offset(0), usize::MAX).into_iter().zip(1..) {
        replayed.replay(held.append_time, held.bytes, placed(sequence), false).unwrap();
    }
    replayed.finish_replay().unwrap();
    assert_eq!(format!("{replayed:?}"), format!("{live:?}"));
}

#[test]
fn replay_refuses_gaps_repeats_and_times_that_go_back() {
    let mut partition = Partition::new(ID);
    partition.replay(Realtime(10), at(0, batch(2, 1, None)), placed(1), false).unwrap();
    for found in [0, 1, 3] {
        let gap = PartitionDamage::Gap { expected: Offset(2), found: Offset(found) };
        let bytes = at(found, batch(1, 1, None));
        assert_eq!(partition.replay(Realtime(11), bytes.clone(), placed(2), false), Err(gap.clone()));
        assert_eq!(partition.replay(Realtime(11), bytes, placed(2), true), Err(gap));
    }
    let back = partition.replay(Realtime(9), at(2, batch(1, 1, None)), placed(2), false);
    assert_eq!(back, Err(PartitionDamage::TimeGoesBack(Offset(2))));
    assert_eq!(partition.next_offset(), Offset(2), "nothing was taken");
}

#[test]
fn replay_refuses_damaged_batches_and_producers_that_cannot_have_been_admitted() {
    let mut partition = Partition::new(ID);
    let mut damaged = batch(1, 1, None);
    *damaged.last_mut().unwrap() ^= 1;
    let refused = partition.replay(Realtime(1), damaged.freeze(), placed(1), false);
    assert!(matches!(refused, Err(PartitionDamage::Batch { .. })));
    let short = partition.replay(Realtime(1), Bytes::from_static(&[1; 20]), placed(1), true);
    assert!(matches!(short, Err(PartitionDamage::Batch { .. })));
    partition.replay(Realtime(1), at(0, batch(1, 1, Some(0))), placed(1), false).unwrap();
    for sequence in [0, 5] {
        let again = partition.replay(Realtime(1), at(1, batch(1, 1, Some(sequence))), placed(2), false);
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
        partition.replay(Realtime(offset + 1), at(offset, batch(1, 1, None)), placed(1), true).unwrap();
    }
}

#[test]
fn what_a_manifest_knows_is_only_held_and_everything_behind_it_appended() {
    let mut partition = from_manifest(3);
    replay_known(&mut partition, 0..3);
    partition.replay(Realtime(9), at(3, batch(1, 1, None)), placed(2), false).unwrap();
    partition.finish_replay().unwrap();
    assert_eq!((partition.next_offset(), partition.durable_offset()), (Offset(4), Offset(4)));
    assert_eq!(bases(&partition.read(Offset(0), usize::MAX)), [0, 1, 2, 3]);
}

#[test]
fn records_that_a_manifest_knows_and_no_block_holds_are_damage() {
    let mut partition = from_manifest(3);
    let lost = PartitionDamage::Lost { next_offset: Offset(3), held: Offset(0) };
    assert_eq!(partition.clone().finish_replay(), Err(lost));
    replay_known(&mut partition, 0..2);
    let lost = PartitionDamage::Lost { next_offset: Offset(3), held: Offset(2) };
    assert_eq!(partition.finish_replay(), Err(lost));
    let mut partition = from_manifest(3);
    replay_known(&mut partition, 1..3);
    let gap = PartitionDamage::Gap { expected: Offset(0), found: Offset(1) };
    assert_eq!(partition.finish_replay(), Err(gap));
}

#[test]
fn a_hole_between_what_a_manifest_knows_and_what_follows_it_is_damage() {
    let mut partition = from_manifest(3);
    replay_known(&mut partition, 0..2);
    let behind = partition.replay(Realtime(9), at(3, batch(1, 1, None)), placed(2), false);
    assert!(behind.is_err() || partition.finish_replay().is_err(), "offset 2 is nowhere and nobody said so");
}

#[test]
fn an_encoded_partition_has_a_fixed_size_and_is_refused_if_cut_off() {
    let mut bytes = Vec::new();
    from_manifest(3).encode(&mut bytes);
    assert_eq!(bytes.len(), Partition::ENCODED_BYTES);
    let golden = [3u64.to_le_bytes().to_vec(), 4u32.to_le_bytes().to_vec(), [3u64.to_le_bytes(); 2].concat()].concat();
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
    let mut decoded = Partition::new(ID);
    decoded.decode_producers(&mut &bytes[..]).unwrap();
    assert_eq!(decoded.producers(), partition.producers());
    assert!(decoded.decode_producers(&mut &bytes[..bytes.len() - 1]).is_err());
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
        let read = partition.read(Offset(from), bytes_max);
        prop_assert_eq!(read.is_empty(), from >= durable);
        prop_assert!(read.iter().all(|batch| batch.last_offset.0 < durable));
        prop_assert!(read.first().is_none_or(|batch| batch.base_offset.0 <= from && from <= batch.last_offset.0));
        prop_assert!(read.windows(2).all(|pair| pair[0].last_offset.plus(1) == pair[1].base_offset));
        let bytes: usize = read.iter().map(|batch| batch.bytes.len()).sum();
        prop_assert!(read.len() <= 1 || bytes <= bytes_max);
    }
}
