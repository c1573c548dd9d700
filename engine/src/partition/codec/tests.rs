//! Partitions of any shape as bytes, and damage to them.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::model::{Position, SegmentId};

/// A stretch of offsets: at rest with these places and times, or lost.
fn any_piece() -> impl Strategy<Value = (bool, u64, [u64; 4], i64)> {
    let numbers = (0..1_u64 << 50, 0..1_u64 << 50, any::<u64>(), any::<u64>());
    let numbers = numbers.prop_map(|(position, bytes, first_time, last_time)| [position, bytes, first_time, last_time]);
    (any::<bool>(), 1..1_000_000_000_u64, numbers, any::<i64>())
}

/// A partition with runs and gaps, of which the first pieces may have been cut into. No two neighbours can be joined: each
/// run is in a file of its own, and each loss was accepted at a time of its own.
fn any_partition() -> impl Strategy<Value = Partition> {
    let numbers = any::<(u64, u32, u64, u64, u64)>();
    let reason = prop_oneof![Just(None), Just(Some(CutReason::Age)), Just(Some(CutReason::Size))];
    let inner = (vec(any_piece(), 0..12), 0..1_000_000_000_u64, 0..1000_u64, 0..1000_u64);
    (numbers, reason, inner).prop_map(|((topic, index, time, bytes, cut_time), reason, (pieces, base, cut, more))| {
        let mut partition = Partition::new(PartitionId { topic: TopicId(topic), index });
        let mut next = Offset(base);
        let first_bytes = pieces.first().map_or(1, |(_, count, ..)| *count);
        for (number, (is_run, count, [position, bytes, first_time, last_time], max_timestamp_ms)) in (1..).zip(pieces) {
            let (base_offset, next_offset) = (next, next.plus(count));
            if is_run {
                partition.stored.push(Run {
                    segment: SegmentId(number),
                    position: Position(position),
                    bytes,
                    base_offset,
                    next_offset,
                    first_append_time: Realtime(first_time),
                    last_append_time: Realtime(last_time),
                    max_timestamp_ms,
                });
            } else {
                partition.gaps.insert(Gap { base_offset, next_offset, accepted: Realtime(number) });
            }
            next = next_offset;
        }
        partition.start_offset = Offset(base + cut.min(first_bytes - 1));
        partition.next_offset = next.max(partition.start_offset).plus(more);
        partition.last_append_time = Realtime(time);
        partition.cuts = CutTotals { bytes, time: Realtime(cut_time), reason };
        partition
    })
}

fn encoded(partition: &Partition) -> Vec<u8> {
    let mut bytes = Vec::new();
    partition.encode(&mut bytes);
    bytes
}

proptest! {
    #[test]
    fn any_partition_survives_its_encoding(partition in any_partition()) {
        let bytes = encoded(&partition);
        let gap_bytes = Gap::ENCODED_BYTES * partition.gap_count();
        prop_assert_eq!(bytes.len(), Partition::ENCODED_BYTES + Run::ENCODED_BYTES * partition.run_count() + gap_bytes);
        let mut rest = &bytes[..];
        let read = Partition::decode(&mut rest).unwrap();
        prop_assert!(rest.is_empty());
        prop_assert_eq!(encoded(&read), bytes);
        prop_assert!(read.runs().eq(partition.runs()) && read.gaps().eq(partition.gaps()));
        prop_assert_eq!((read.id(), read.cuts()), (partition.id(), partition.cuts()));
        prop_assert_eq!(read.start_offset(), partition.start_offset());
        prop_assert_eq!(read.next_offset(), partition.next_offset());
    }

    #[test]
    fn a_damaged_partition_is_refused_or_means_its_bytes(
        partition in any_partition(), changes in vec((any::<prop::sample::Index>(), 1u8..), 1..4),
    ) {
        let mut bytes = encoded(&partition);
        for (at, flip) in changes {
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
        }
        let mut rest = &bytes[..];
        if let Ok(read) = Partition::decode(&mut rest) {
            let taken = &bytes[..bytes.len() - rest.len()];
            let again = encoded(&read);
            // Neighbours that turn out to be one are written as one.
            prop_assert!(again == taken || again.len() < taken.len());
            prop_assert_eq!(encoded(&Partition::decode(&mut &again[..]).unwrap()), again);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(prop_oneof![0..3_u8, any::<u8>()], 0..400)) {
        let _ = Partition::decode(&mut &bytes[..]);
    }
}

#[test]
fn runs_that_no_file_can_hold_are_refused_so_nothing_overflows() {
    let run = |position, bytes, base| Run {
        segment: SegmentId(base + 1),
        position: Position(position),
        bytes,
        base_offset: Offset(base),
        next_offset: Offset(base + 1),
        first_append_time: Realtime(0),
        last_append_time: Realtime(0),
        max_timestamp_ms: 0,
    };
    let read = |runs: &[Run]| {
        let mut partition = Partition::new(PartitionId::default());
        partition.next_offset = Offset(runs.len() as u64);
        let mut bytes = encoded(&partition);
        bytes[53..57].copy_from_slice(&u32::try_from(runs.len()).unwrap().to_le_bytes());
        runs.iter().for_each(|run| run.encode(&mut bytes));
        Partition::decode(&mut &bytes[..])
    };
    let most = i64::MAX.cast_unsigned();
    assert!(read(&[run(0, most, 0), run(0, most, 1)]).is_ok());
    let refused =
        |runs: &[Run]| assert_eq!(read(runs).err(), Some(PartitionDecodeError::Impossible(PartitionId::default())));
    refused(&[run(1, most, 0)]);
    refused(&[run(u64::MAX, 1, 0)]);
    refused(&[run(0, most, 0), run(0, most, 1), run(0, most, 2)]);
}
