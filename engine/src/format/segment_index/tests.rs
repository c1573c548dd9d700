use proptest::prelude::*;

use super::*;
use crate::model::{Id128, SegmentId, ShardId};

/// Header and entries of the index below; the rest of the unit is zero.
const GOLDEN: &str = "\
    464c524e494e4458625155d803000500101112131415161718191a1b1c1d1e1f07000000000000000030000000000000\
    02000000001000000000000000000000000000000000000028000000000000008c00000000000000fbffffffffffffff\
    001000000000000000100000000000002f000000000000009300000000000000fbffffffffffffff0020000000000000";

fn place() -> ExtentPlace {
    ExtentPlace {
        journal_id: Id128(std::array::from_fn(|at| 0x10 + u8::try_from(at).unwrap())),
        shard: ShardId(5),
        segment: SegmentId(7),
        position: Position(12288),
    }
}

fn entries() -> Vec<IndexEntry> {
    let entry = |position, base_offset, extent_bytes| IndexEntry {
        position: Position(position),
        base_offset: Offset(base_offset),
        last_append_time: Realtime(100 + base_offset),
        max_timestamp_ms: -5,
        extent_bytes,
    };
    vec![entry(0, 40, 4096), entry(4096, 47, 8192)]
}

fn encoded() -> Vec<u8> {
    let mut out = vec![0; index_bytes(2)];
    encode(&place(), &entries(), &mut out);
    out
}

fn decoded(bytes: &[u8]) -> Stored<Vec<IndexEntry>> {
    decode(&Bytes::copy_from_slice(bytes), &place())
}

fn seal(bytes: &mut [u8]) {
    let checksum = Seed::of(place().journal_id).checksum(&bytes[CHECKED_FROM..]);
    bytes[8..CHECKED_FROM].copy_from_slice(&checksum.to_le_bytes());
}

#[test]
fn an_index_has_these_bytes_and_no_others() {
    let bytes = encoded();
    let used = INDEX_HEADER_BYTES + 2 * INDEX_ENTRY_BYTES;
    let hex: String = bytes[..used].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((bytes.len(), hex.as_str()), (UNIT_BYTES, GOLDEN));
    assert!(bytes[used..].iter().all(|byte| *byte == 0));
}

#[test]
fn what_was_written_is_read_again() {
    assert_eq!(decoded(&encoded()), Stored::Present(entries()));
}

#[test]
fn an_index_of_another_place_is_not_taken_for_this_one() {
    let bytes = Bytes::from(encoded());
    for other in [
        ExtentPlace { journal_id: Id128([1; 16]), ..place() },
        ExtentPlace { shard: ShardId(6), ..place() },
        ExtentPlace { segment: SegmentId(8), ..place() },
        ExtentPlace { position: Position(16384), ..place() },
    ] {
        assert!(matches!(decode(&bytes, &other), Stored::Damaged(_)), "{other:?}");
    }
}

#[test]
fn extents_that_overlap_or_reach_into_the_index_are_damage_although_the_checksum_is_right() {
    for (at, value) in [(64 + 32, 8192u32), (104 + 32, 12288), (48, 3)] {
        let mut bytes = encoded();
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        seal(&mut bytes);
        assert!(matches!(decoded(&bytes), Stored::Damaged(_)), "byte {at}");
    }
}

#[test]
fn entries_that_are_no_extents_of_a_file_are_damage_although_the_checksum_is_right() {
    // A position whose extent would end behind all positions, one within a unit; no bytes, part of a unit.
    let last = u64::MAX - 4095;
    for (at, value) in [(104, &last.to_le_bytes()[..]), (64, &[8]), (64 + 32, &[0; 4]), (64 + 32, &[1])] {
        let mut bytes = encoded();
        bytes[at..at + value.len()].copy_from_slice(value);
        seal(&mut bytes);
        assert!(matches!(decoded(&bytes), Stored::Damaged(_)), "byte {at}");
        assert!(standing_entries(&bytes).iter().all(|entry| entry.end() >= entry.position));
    }
}

#[test]
fn nothing_written_differs_from_another_version() {
    assert_eq!(decoded(&[0; UNIT_BYTES]), Stored::Absent);
    let mut bytes = encoded();
    bytes[12..14].copy_from_slice(&(FORMAT_VERSION + 1).to_le_bytes());
    seal(&mut bytes);
    assert_eq!(decoded(&bytes), Stored::OtherVersion(FORMAT_VERSION + 1));
}

/// Extents behind each other, some with room between them, and the place of their index.
fn any_index() -> impl Strategy<Value = (ExtentPlace, Vec<IndexEntry>)> {
    let entry = (0..3_u64, 1..=64_u32, any::<(u64, u64, i64)>());
    (prop::collection::vec(entry, 0..150), 0..3_u64).prop_map(|(entries, more)| {
        let mut end = Position(0);
        let entry = |(units_before, units, (base_offset, time, max_timestamp_ms))| {
            let entry = IndexEntry {
                position: end.plus(units_before * UNIT_BYTES as u64),
                base_offset: Offset(base_offset),
                last_append_time: Realtime(time),
                max_timestamp_ms,
                extent_bytes: units * 4096,
            };
            end = entry.end();
            entry
        };
        let entries: Vec<_> = entries.into_iter().map(entry).collect();
        (ExtentPlace { position: end.plus(more * UNIT_BYTES as u64), ..place() }, entries)
    })
}

proptest! {
    #[test]
    fn any_index_survives_its_encoding((place, entries) in any_index()) {
        let mut bytes = vec![0; index_bytes(entries.len())];
        encode(&place, &entries, &mut bytes);
        prop_assert_eq!(claimed_bytes(&bytes).map(|claimed| claimed as usize), Some(bytes.len()));
        prop_assert_eq!(&standing_entries(&bytes), &entries);
        prop_assert_eq!(decode(&bytes.into(), &place), Stored::Present(entries));
    }

    #[test]
    fn an_index_that_is_damaged_under_a_right_checksum_is_refused_or_means_exactly_its_bytes(
        at in 12..UNIT_BYTES, flip in 1u8..,
    ) {
        let mut bytes = encoded();
        bytes[at] ^= flip;
        seal(&mut bytes);
        if let Stored::Present(entries) = decoded(&bytes) {
            let mut again = vec![0; index_bytes(entries.len())];
            encode(&place(), &entries, &mut again);
            prop_assert_eq!(again, bytes);
        }
    }

    #[test]
    fn any_flipped_bit_is_noticed(bit in 0..UNIT_BYTES * 8) {
        let mut bytes = encoded();
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(!matches!(decoded(&bytes), Stored::Present(_)));
    }
}

#[test]
fn damaged_entries_are_shown_as_they_stand() {
    let mut bytes = encoded();
    assert_eq!(claimed_bytes(&bytes), Some(4096));
    bytes[INDEX_HEADER_BYTES + 8] ^= 1;
    assert!(matches!(decoded(&bytes), Stored::Damaged(_)));
    let standing = standing_entries(&bytes);
    assert_eq!(standing[0].base_offset, Offset(41));
    assert_eq!(standing[1..], entries()[1..]);
    bytes[48..52].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(standing_entries(&bytes).len(), (UNIT_BYTES - INDEX_HEADER_BYTES) / INDEX_ENTRY_BYTES);
    assert_eq!((standing_entries(&bytes[..40]).len(), claimed_bytes(&bytes[..40])), (0, None));
    bytes[0] = 0;
    assert_eq!((standing_entries(&bytes).len(), claimed_bytes(&bytes)), (0, None));
}
