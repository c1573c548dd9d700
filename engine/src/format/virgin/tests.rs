use proptest::prelude::*;

use super::*;

/// The first 64 bytes of the unit below; all that follow are zero.
const GOLDEN: &str = "\
    464c524e56495247f4ab002e03000100a0a1a2a3a4a5a6a7a8a9aaabacadaeaf00200000000000000000000000000000\
    00000000000000000000000000000000";

fn journal_id() -> Id128 {
    Id128(std::array::from_fn(|at| 0xa0 + u8::try_from(at).unwrap()))
}

fn unit() -> Vec<u8> {
    let mut unit = vec![0xff; UNIT_BYTES];
    encode(&mut unit, journal_id(), FileIndex(1), Position(8192));
    unit
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn a_virgin_unit_has_these_bytes_and_zeroes() {
    let mut golden = bytes(GOLDEN);
    golden.resize(UNIT_BYTES, 0);
    assert_eq!(unit(), golden);
    assert!(matches(&golden, journal_id(), FileIndex(1), Position(8192)));
}

#[test]
fn every_flipped_bit_is_noticed() {
    let mut unit = unit();
    for bit in 0..unit.len() * 8 {
        unit[bit / 8] ^= 1 << (bit % 8);
        assert!(!matches(&unit, journal_id(), FileIndex(1), Position(8192)), "bit {bit}");
        unit[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn a_virgin_unit_belongs_to_its_journal_file_and_position_only() {
    let unit = unit();
    assert!(!matches(&unit, Id128([1; 16]), FileIndex(1), Position(8192)));
    assert!(!matches(&unit, journal_id(), FileIndex(0), Position(8192)));
    assert!(!matches(&unit, journal_id(), FileIndex(1), Position(4096)));
    assert!(!matches(&unit[..UNIT_BYTES - 1], journal_id(), FileIndex(1), Position(8192)));
    assert!(!matches(&[], journal_id(), FileIndex(1), Position(8192)));
}

#[test]
fn a_unit_of_another_version_is_not_virgin() {
    for version in [FORMAT_VERSION - 1, FORMAT_VERSION + 1] {
        let mut unit = unit();
        unit[12..14].copy_from_slice(&version.to_le_bytes());
        let checksum = Seed::of(journal_id()).checksum(&unit[CHECKED_FROM..]);
        unit[8..CHECKED_FROM].copy_from_slice(&checksum.to_le_bytes());
        assert!(!matches(&unit, journal_id(), FileIndex(1), Position(8192)), "version {version}");
    }
}

proptest! {
    #[test]
    fn a_virgin_unit_is_found_wherever_it_was_written(id: [u8; 16], file: u16, position: u64) {
        let mut unit = vec![0; UNIT_BYTES];
        encode(&mut unit, Id128(id), FileIndex(file), Position(position));
        prop_assert!(matches(&unit, Id128(id), FileIndex(file), Position(position)));
        prop_assert!(!matches(&unit, Id128(id), FileIndex(file), Position(position ^ 4096)));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2 * UNIT_BYTES)) {
        prop_assert!(!matches(&bytes, journal_id(), FileIndex(1), Position(8192)));
    }
}
