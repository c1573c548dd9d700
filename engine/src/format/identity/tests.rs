use proptest::prelude::*;

use super::*;

/// The first 40 bytes of the copy below; all that follow are zero.
const GOLDEN: &str = "464c524e4944454ed679d3dc03000300101112131415161718191a1b1c1d1e1f15cd853dfe9c9717";

fn identity() -> Identity {
    let directory_id = Id128(std::array::from_fn(|at| 0x10 + u8::try_from(at).unwrap()));
    Identity { directory_id, shard_count: 3, created: Realtime(1_700_000_000_123_456_789) }
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// Makes the checksum right again after a test has changed bytes.
fn seal(copy: &mut [u8]) {
    let checksum = crc32c::crc32c(&copy[CHECKED_FROM..]);
    copy[8..CHECKED_FROM].copy_from_slice(&checksum.to_le_bytes());
}

#[test]
fn an_identity_has_these_bytes_and_no_others() {
    let mut golden = bytes(GOLDEN);
    golden.resize(IDENTITY_BYTES, 0);
    assert_eq!(identity().encode().to_vec(), golden);
    assert_eq!(Identity::decode(&golden), Stored::Present(identity()));
}

#[test]
fn every_flipped_bit_is_noticed() {
    let mut copy = identity().encode();
    for bit in 0..copy.len() * 8 {
        copy[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(Identity::decode(&copy), Stored::Damaged(_)), "bit {bit}");
        copy[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn another_version_under_a_right_checksum_is_named_and_refused() {
    for version in [0, FORMAT_VERSION - 1, FORMAT_VERSION + 1, u16::MAX] {
        let mut copy = identity().encode();
        copy[12..14].copy_from_slice(&version.to_le_bytes());
        seal(&mut copy);
        assert_eq!(Identity::decode(&copy), Stored::OtherVersion(version));
    }
}

#[test]
fn zeroes_are_absent_and_everything_shorter_or_longer_is_damaged() {
    assert_eq!(Identity::decode(&[0; IDENTITY_BYTES]), Stored::Absent);
    let copy = identity().encode();
    for length in [0, 1, 39, 40, IDENTITY_BYTES - 1] {
        assert!(matches!(Identity::decode(&copy[..length]), Stored::Damaged(_)), "{length} bytes");
        assert!(matches!(Identity::decode(&vec![0; length]), Stored::Damaged(_)), "{length} zeroes");
    }
    let twice = [copy, copy].concat();
    assert!(matches!(Identity::decode(&twice), Stored::Damaged(_)));
}

#[test]
fn bytes_that_mean_nothing_are_damaged_under_a_right_checksum() {
    for at in [40, IDENTITY_BYTES - 1] {
        let mut copy = identity().encode();
        copy[at] = 1;
        seal(&mut copy);
        assert_eq!(Identity::decode(&copy), Stored::Damaged(MEANINGLESS.to_owned()), "byte {at}");
    }
}

#[test]
fn a_number_of_shards_that_no_directory_has_is_damaged_under_a_right_checksum() {
    for shard_count in [0, crate::limits::SHARD_COUNT_MAX + 1, u16::MAX] {
        let mut copy = identity().encode();
        copy[14..16].copy_from_slice(&shard_count.to_le_bytes());
        seal(&mut copy);
        let decoded = Identity::decode(&copy);
        assert!(matches!(decoded, Stored::Damaged(_)), "{shard_count} shards: {decoded:?}");
    }
}

proptest! {
    #[test]
    fn any_identity_survives_its_encoding(id: [u8; 16], shard_count in 1..=256u16, created: u64) {
        let identity = Identity { directory_id: Id128(id), shard_count, created: Realtime(created) };
        prop_assert_eq!(Identity::decode(&identity.encode()), Stored::Present(identity));
    }

    #[test]
    fn arbitrary_bytes_never_panic(mut copy in prop::collection::vec(any::<u8>(), 0..2 * IDENTITY_BYTES)) {
        let _ = Identity::decode(&copy);
        copy.resize(IDENTITY_BYTES, 0);
        copy[..8].copy_from_slice(&MAGIC);
        seal(&mut copy);
        let decoded = Identity::decode(&copy);
        prop_assert!(!matches!(decoded, Stored::Absent | Stored::Unreadable(_)));
    }
}
