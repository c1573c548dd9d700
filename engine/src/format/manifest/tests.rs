use proptest::prelude::*;

use super::*;

/// Header and section table of the manifest below; the rest of the first unit is zero.
const GOLDEN_TABLE: &str = "\
    464c524e4d414e49aec755d003000500101112131415161718191a1b1c1d1e1f06000000000000000c00000000000000\
    00200000000000000200000000000000020001009b2a5a3000100000000000000a000000000000000c00000000000000\
    03000100efd79db7101000000000000010000000000000000c00000000000000";
/// Both sections; the rest of the second unit is zero.
const GOLDEN_SECTIONS: &str = "706172746974696f6e73000000000000000102030405060708090a0b0c0d0e0f";
const SLOT_BYTES: u64 = 32 * 1024;

fn directory_id() -> Id128 {
    Id128(std::array::from_fn(|at| 0x10 + u8::try_from(at).unwrap()))
}

fn section(module: Module, bytes: &[u8]) -> Section {
    Section { module, version: 1, sequence: Sequence(12), bytes: Bytes::copy_from_slice(bytes) }
}

fn manifest() -> Manifest {
    let numbers: Vec<u8> = (0..16).collect();
    Manifest {
        directory_id: directory_id(),
        shard: ShardId(5),
        generation: 6,
        sequence: Sequence(12),
        sections: vec![section(Module::Partitions, b"partitions"), section(Module::Producers, &numbers)],
    }
}

fn encoded(manifest: &Manifest) -> Vec<u8> {
    manifest.encode(SLOT_BYTES).unwrap().bytes
}

fn decoded(bytes: &[u8]) -> Stored<Manifest> {
    Manifest::decode(&Bytes::copy_from_slice(bytes), directory_id(), ShardId(5))
}

/// Makes the checksum of the first unit right again after a test has changed bytes.
fn seal(bytes: &mut [u8]) {
    let checksum = Seed::of(directory_id()).checksum(&bytes[CHECKED_FROM..UNIT_BYTES]);
    bytes[8..CHECKED_FROM].copy_from_slice(&checksum.to_le_bytes());
}

fn with_bytes(at: usize, value: &[u8]) -> Stored<Manifest> {
    let mut bytes = encoded(&manifest());
    bytes[at..at + value.len()].copy_from_slice(value);
    seal(&mut bytes);
    decoded(&bytes)
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn a_manifest_has_these_bytes_and_no_others() {
    let mut golden = bytes(GOLDEN_TABLE);
    golden.resize(UNIT_BYTES, 0);
    golden.extend(bytes(GOLDEN_SECTIONS));
    golden.resize(2 * UNIT_BYTES, 0);
    let encoded = manifest().encode(SLOT_BYTES).unwrap();
    assert_eq!(encoded.bytes, golden);
    assert_eq!(encoded.checksum, u32::from_le_bytes(golden[8..12].try_into().unwrap()));
    assert_eq!(Manifest::stored_checksum(&golden), Some(encoded.checksum));
    assert_eq!(Manifest::encoded_bytes(&golden), Some(8192));
    assert_eq!(decoded(&golden), Stored::Present(manifest()));
}

#[test]
fn every_flipped_bit_is_noticed() {
    let mut bytes = encoded(&manifest());
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(decoded(&bytes), Stored::Damaged(_)), "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn another_version_under_a_right_checksum_is_named_and_refused() {
    for version in [0, FORMAT_VERSION - 1, FORMAT_VERSION + 1, u16::MAX] {
        assert_eq!(with_bytes(12, &version.to_le_bytes()), Stored::OtherVersion(version));
    }
}

#[test]
fn a_manifest_of_another_directory_or_shard_is_damaged() {
    let bytes = Bytes::from(encoded(&manifest()));
    assert!(matches!(Manifest::decode(&bytes, Id128([1; 16]), ShardId(5)), Stored::Damaged(_)));
    assert!(matches!(Manifest::decode(&bytes, directory_id(), ShardId(4)), Stored::Damaged(_)));
}

#[test]
fn zeroes_are_absent_and_a_shortened_manifest_is_damaged() {
    assert_eq!(decoded(&[0; UNIT_BYTES]), Stored::Absent);
    let bytes = encoded(&manifest());
    for length in [0, 63, 64, 4095, 4096, 8191] {
        assert!(matches!(decoded(&bytes[..length]), Stored::Damaged(_)), "{length} bytes");
    }
    assert!(matches!(decoded(&[&bytes[..], &[0; UNIT_BYTES]].concat()), Stored::Damaged(_)));
}

#[test]
fn impossible_values_under_a_right_checksum_are_damaged() {
    let second = TABLE_FROM + 32;
    let cases: [(usize, &[u8], &str); 12] = [
        (48, &4096u64.to_le_bytes(), "a length that is not the manifest's"),
        (48, &u64::MAX.to_le_bytes(), "an endless manifest"),
        (56, &33u16.to_le_bytes(), "more sections than the table has room for"),
        (56, &u16::MAX.to_le_bytes(), "65535 sections"),
        (56, &1u16.to_le_bytes(), "one section less: its bytes belong to nobody"),
        (56, &3u16.to_le_bytes(), "one section more: a zero module"),
        (TABLE_FROM, &0u16.to_le_bytes(), "module 0"),
        (TABLE_FROM, &99u16.to_le_bytes(), "an unknown module"),
        (TABLE_FROM + 8, &4104u64.to_le_bytes(), "a section that does not begin behind the table"),
        (TABLE_FROM + 16, &u64::MAX.to_le_bytes(), "an endless section"),
        (TABLE_FROM + 16, &8192u64.to_le_bytes(), "a section that ends behind the manifest"),
        (second + 8, &4096u64.to_le_bytes(), "two sections at one place"),
    ];
    for (at, value, what) in cases {
        let found = with_bytes(at, value);
        assert!(matches!(found, Stored::Damaged(_)), "{what}: {found:?}");
    }
}

#[test]
fn bytes_that_mean_nothing_are_damaged_under_a_right_checksum() {
    let table_end = TABLE_FROM + manifest().sections.len() * size_of::<SectionLayout>();
    for at in [TABLE_FROM - 6, TABLE_FROM - 1, table_end, UNIT_BYTES - 1] {
        assert_eq!(with_bytes(at, &[1]), Stored::Damaged(MEANINGLESS.to_owned()), "byte {at}");
    }
}

#[test]
fn a_module_with_two_sections_is_damaged_under_a_right_checksum() {
    let found = with_bytes(TABLE_FROM + 32, &(Module::Partitions as u16).to_le_bytes());
    assert!(matches!(found, Stored::Damaged(_)), "{found:?}");
}

#[test]
fn a_manifest_larger_than_its_slot_is_refused_with_both_sizes() {
    let large = Manifest { sections: vec![section(Module::Producers, &[1; 30_000])], ..manifest() };
    assert_eq!(
        large.encode(SLOT_BYTES).map(|encoded| encoded.bytes.len()),
        Err(ManifestTooLarge { needed_bytes: 36_864, slot_bytes: SLOT_BYTES })
    );
    assert_eq!(large.encode(36_864).unwrap().bytes.len(), 36_864);
}

#[test]
fn sections_are_found_by_their_module() {
    let manifest = manifest();
    assert_eq!(manifest.section(Module::Producers), Some(&manifest.sections[1]));
    assert_eq!(manifest.section(Module::Catalogue), None);
}

#[test]
fn the_first_unit_alone_says_how_far_the_journal_was_durable() {
    let bytes = encoded(&manifest());
    let first = &bytes[..UNIT_BYTES];
    let head = |unit: &[u8]| Manifest::head(unit, directory_id(), ShardId(5));
    assert_eq!(head(first), Some((6, Sequence(12))));
    assert_eq!(head(&bytes), None, "one unit is asked for");
    assert_eq!(Manifest::head(first, directory_id(), ShardId(4)), None);
    assert_eq!(Manifest::head(first, Id128([0; 16]), ShardId(5)), None);
    for at in 0..UNIT_BYTES {
        let mut flipped = first.to_vec();
        flipped[at] ^= 1;
        assert_eq!(head(&flipped), None, "byte {at}");
    }
}

fn any_manifest() -> impl Strategy<Value = Manifest> {
    let modules = prop::sample::subsequence(Module::ALL.to_vec(), 0..=4);
    let contents = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 4);
    (modules, contents, any::<[u64; 3]>(), any::<u16>()).prop_map(|(modules, contents, numbers, version)| {
        let sequence = Sequence(numbers[0]);
        let section = |(module, bytes): (Module, Vec<u8>)| Section { module, version, sequence, bytes: bytes.into() };
        Manifest {
            generation: numbers[1],
            sequence: Sequence(numbers[2]),
            sections: modules.into_iter().zip(contents).map(section).collect(),
            ..manifest()
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_manifest_survives_its_encoding(manifest in any_manifest()) {
        let bytes = encoded(&manifest);
        prop_assert!(bytes.len().is_multiple_of(UNIT_BYTES));
        prop_assert_eq!(Manifest::encoded_bytes(&bytes), Some(bytes.len() as u64));
        prop_assert_eq!(decoded(&bytes), Stored::Present(manifest));
    }

    #[test]
    fn arbitrary_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..3 * UNIT_BYTES), count in 0..40u16) {
        let _ = (decoded(&bytes), Manifest::encoded_bytes(&bytes), Manifest::stored_checksum(&bytes));
        let _ = Manifest::head(&bytes, directory_id(), ShardId(5));
        bytes.resize(2 * UNIT_BYTES, 0);
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[12..14].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes[14..16].copy_from_slice(&5u16.to_le_bytes());
        bytes[16..32].copy_from_slice(&directory_id().0);
        bytes[48..56].copy_from_slice(&8192u64.to_le_bytes());
        bytes[56..58].copy_from_slice(&count.to_le_bytes());
        seal(&mut bytes);
        prop_assert!(matches!(decoded(&bytes), Stored::Damaged(_) | Stored::Present(_)));
    }
}
