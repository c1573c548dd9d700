use proptest::prelude::*;

use super::*;
use crate::limits::RING_FILE_COUNT_MIN;

/// Header and both ring files of the copy below; all that follow are zero.
const GOLDEN: &str = "\
    464c524e53555052b0a602e103000500101112131415161718191a1b1c1d1e1fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf\
    0700000000000000040000000000000009000000000000000c0000000000000088776655443322110000010000000000\
    00800000000000000600000000000000bebafeca02000201000000000000000000000000000000000000000000000000\
    000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
    000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
    000000000000000000000000000000000300000000000000002000000000000009000000000000000c00000000000000\
    010000000000000002000000000000000000010000000000010000000000000008000000000000000200000000000000";
/// CRC-32C of the whole copy.
const GOLDEN_CRC: u32 = 0x9b2d_a2f5;

fn id(from: u8) -> Id128 {
    Id128(std::array::from_fn(|at| from + u8::try_from(at).unwrap()))
}

fn superblock() -> Superblock {
    let file = |state, lap, confirmed_bytes, first, last| RingFile {
        state,
        lap: Lap(lap),
        confirmed_bytes,
        first_sequence: Sequence(first),
        last_sequence: Sequence(last),
    };
    Superblock {
        directory_id: id(0x10),
        name: JournalName { journal_id: id(0xa0), shard: ShardId(5) },
        geometry: Geometry { file_count: 2, file_bytes: 65536, manifest_bytes: 32768 },
        generation: 7,
        epoch: Epoch(4),
        epoch_first_sequence: Sequence(9),
        confirmed_sequence: Sequence(12),
        confirmed_chain: Chain(0x1122_3344_5566_7788),
        clean: true,
        manifest: ManifestName { slot: 2, generation: 6, checksum: 0xcafe_babe },
        files: vec![file(FileUse::Open, 3, 8192, 9, 12), file(FileUse::Sealed, 2, 65536, 1, 8)],
    }
}

fn encoded(superblock: &Superblock) -> Vec<u8> {
    let mut copy = vec![0xff; SUPERBLOCK_BYTES];
    superblock.encode(&mut copy);
    copy
}

fn decoded(copy: &[u8]) -> Stored<Superblock> {
    Superblock::decode(copy, id(0x10), ShardId(5))
}

/// Makes the checksum right again after a test has changed bytes.
fn seal(copy: &mut [u8]) {
    let directory_id = Id128(copy[16..32].try_into().unwrap());
    let checksum = Seed::of(directory_id).checksum(&copy[CHECKED_FROM..]);
    copy[8..CHECKED_FROM].copy_from_slice(&checksum.to_le_bytes());
}

fn with_bytes(at: usize, value: &[u8]) -> Stored<Superblock> {
    let mut copy = encoded(&superblock());
    copy[at..at + value.len()].copy_from_slice(value);
    seal(&mut copy);
    decoded(&copy)
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn a_superblock_has_these_bytes_and_no_others() {
    let golden = bytes(GOLDEN);
    let copy = encoded(&superblock());
    assert_eq!(copy[..336], golden);
    assert!(copy[336..].iter().all(|byte| *byte == 0));
    assert_eq!(crc32c::crc32c(&copy), GOLDEN_CRC);
    assert_eq!(decoded(&copy), Stored::Present(superblock()));
}

#[test]
fn every_flipped_bit_is_noticed() {
    let mut copy = encoded(&superblock());
    for bit in 0..copy.len() * 8 {
        copy[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(decoded(&copy), Stored::Damaged(_)), "bit {bit}");
        copy[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn another_version_under_a_right_checksum_is_named_and_refused() {
    for version in [0, FORMAT_VERSION - 1, FORMAT_VERSION + 1, u16::MAX] {
        assert_eq!(with_bytes(12, &version.to_le_bytes()), Stored::OtherVersion(version));
    }
}

#[test]
fn a_copy_of_another_directory_or_shard_is_damaged() {
    let copy = encoded(&superblock());
    assert!(matches!(Superblock::decode(&copy, id(0x11), ShardId(5)), Stored::Damaged(_)));
    assert!(matches!(Superblock::decode(&copy, id(0x10), ShardId(4)), Stored::Damaged(_)));
}

#[test]
fn zeroes_are_absent_and_everything_shorter_or_longer_is_damaged() {
    assert_eq!(decoded(&[0; SUPERBLOCK_BYTES]), Stored::Absent);
    let copy = encoded(&superblock());
    for length in [0, 255, 4096, SUPERBLOCK_BYTES - 1] {
        assert!(matches!(decoded(&copy[..length]), Stored::Damaged(_)), "{length} bytes");
    }
    assert!(matches!(decoded(&[copy.clone(), copy].concat()), Stored::Damaged(_)));
}

#[test]
fn impossible_values_under_a_right_checksum_are_damaged() {
    let cases: [(usize, &[u8], &str); 14] = [
        (88, &4096u64.to_le_bytes(), "files smaller than allowed"),
        (88, &65537u64.to_le_bytes(), "files of broken units"),
        (88, &u64::MAX.to_le_bytes(), "files larger than allowed"),
        (96, &0u64.to_le_bytes(), "manifests of no bytes"),
        (96, &(1u64 << 40).to_le_bytes(), "manifests larger than allowed"),
        (116, &0u16.to_le_bytes(), "no ring files"),
        (116, &1u16.to_le_bytes(), "one ring file"),
        (116, &129u16.to_le_bytes(), "more ring files than there is room for"),
        (116, &u16::MAX.to_le_bytes(), "65535 ring files"),
        (118, &[MANIFEST_SLOT_COUNT], "a slot that does not exist"),
        (119, &[2], "a flag that is neither set nor unset"),
        (256 + 32, &[3], "an unknown state of a ring file"),
        (256 + 32, &[0xff], "an unknown state of a ring file"),
        (256 + 8, &(65536u64 + 4096).to_le_bytes(), "confirmed beyond the end of the file"),
    ];
    for (at, value, what) in cases {
        let found = with_bytes(at, value);
        assert!(matches!(found, Stored::Damaged(_)), "{what}: {found:?}");
    }
}

#[test]
fn bytes_that_mean_nothing_are_damaged_under_a_right_checksum() {
    let unused_file = 256 + 40 * usize::from(superblock().geometry.file_count);
    for at in [120, 255, 256 + 33, 256 + 39, unused_file, SUPERBLOCK_BYTES - 1] {
        assert_eq!(with_bytes(at, &[1]), Stored::Damaged(MEANINGLESS.to_owned()), "byte {at}");
    }
}

#[test]
fn ends_that_are_not_whole_units_are_damaged_under_a_right_checksum() {
    for confirmed_bytes in [1u64, 8191, 65535] {
        let found = with_bytes(256 + 8, &confirmed_bytes.to_le_bytes());
        assert!(matches!(found, Stored::Damaged(_)), "confirmed up to byte {confirmed_bytes}: {found:?}");
    }
}

#[test]
fn sequences_that_contradict_each_other_are_damaged_under_a_right_checksum() {
    let cases = [
        (256 + 16, 13u64, "a file that begins behind its end"),
        (256 + 24, 13, "a file that ends behind the last confirmed block"),
        (64, 14, "an epoch that begins behind the next block"),
    ];
    for (at, sequence, what) in cases {
        let found = with_bytes(at, &sequence.to_le_bytes());
        assert!(matches!(found, Stored::Damaged(_)), "{what}: {found:?}");
    }
}

#[test]
fn the_next_update_has_the_next_generation_and_nothing_else_new() {
    let next = superblock().next_generation();
    assert_eq!(next, Superblock { generation: 8, ..superblock() });
}

fn any_file(file_bytes: u64) -> impl Strategy<Value = RingFile> {
    let state = prop::sample::select(vec![FileUse::Free, FileUse::Open, FileUse::Sealed]);
    (state, any::<u64>(), 1..=file_bytes / 4096, 1..1000u64, 0..1000u64).prop_map(|(state, lap, units, first, more)| {
        let used = RingFile {
            state,
            lap: Lap(lap),
            confirmed_bytes: units * 4096,
            first_sequence: Sequence(first),
            last_sequence: Sequence(first + more),
        };
        if state == FileUse::Free { RingFile { state, lap: Lap(lap), ..RingFile::default() } } else { used }
    })
}

fn any_superblock() -> impl Strategy<Value = Superblock> {
    let file_count = usize::from(RING_FILE_COUNT_MIN)..=usize::from(RING_FILE_COUNT_MAX);
    let files = prop::collection::vec(any_file(65536), file_count);
    (files, any::<[u64; 4]>(), any::<bool>(), 0..MANIFEST_SLOT_COUNT, any::<u32>()).prop_map(
        |(files, n, clean, slot, checksum)| Superblock {
            geometry: Geometry { file_count: u16::try_from(files.len()).unwrap(), ..superblock().geometry },
            generation: n[0],
            epoch: Epoch(n[1]),
            epoch_first_sequence: Sequence(1),
            confirmed_sequence: Sequence(1_000_000),
            confirmed_chain: Chain(n[2]),
            clean,
            manifest: ManifestName { slot, generation: n[3], checksum },
            files,
            ..superblock()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_superblock_survives_its_encoding(superblock in any_superblock()) {
        prop_assert_eq!(decoded(&encoded(&superblock)), Stored::Present(superblock));
    }

    #[test]
    fn arbitrary_bytes_never_panic(mut copy in prop::collection::vec(any::<u8>(), 0..2 * SUPERBLOCK_BYTES)) {
        let _ = decoded(&copy);
        copy.resize(SUPERBLOCK_BYTES, 0);
        copy[..8].copy_from_slice(&MAGIC);
        copy[12..14].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        copy[14..16].copy_from_slice(&5u16.to_le_bytes());
        copy[16..32].copy_from_slice(&id(0x10).0);
        seal(&mut copy);
        prop_assert!(matches!(decoded(&copy), Stored::Damaged(_) | Stored::Present(_)));
    }
}
