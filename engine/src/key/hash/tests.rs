use super::*;

fn hasher() -> KeyHasher {
    KeyHasher::new(Id128(std::array::from_fn(|at| u8::try_from(at).unwrap())))
}

/// The reference implementation's vectors begin with an empty input under the key 00..0f: a3817f04ba25a8e66df67214c7550293.
#[test]
fn the_hash_below_is_siphash_2_4_with_128_bits() {
    let empty = SipHasher24::new_with_key(&std::array::from_fn(|at| u8::try_from(at).unwrap()));
    let vector = [0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93];
    assert_eq!(empty.finish128().as_bytes(), vector);
}

#[test]
fn hashes_at_rest_stay_what_they_are() {
    assert_eq!(hasher().key(b"pay-1").0, 208_429_292_709_177_139_957_426_747_263_025_122_144);
    let mut body = hasher().body(Some(b"EUR 12.00"));
    body.header(0, Some(b"shop"));
    assert_eq!(body.finish().0, 315_035_569_686_875_437_338_405_192_306_747_506_314);
}

#[test]
fn a_key_of_another_journal_has_another_hash() {
    assert_ne!(hasher().key(b"pay-1"), KeyHasher::new(Id128([7; 16])).key(b"pay-1"));
    assert_ne!(hasher().key(b"pay-1"), hasher().key(b"pay-2"));
}

#[test]
fn no_two_bodies_with_other_parts_have_the_same_hash() {
    let of = |value: Option<&[u8]>, headers: &[(u8, Option<&[u8]>)]| {
        let mut body = hasher().body(value);
        headers.iter().for_each(|(place, value)| body.header(*place, *value));
        body.finish()
    };
    let bodies = [
        of(None, &[]),
        of(Some(b""), &[]),
        of(Some(b"ab"), &[]),
        of(Some(b"a"), &[(0, Some(b"b"))]),
        of(Some(b"a"), &[(1, Some(b"b"))]),
        of(Some(b"a"), &[(0, None)]),
        of(Some(b"a"), &[(0, Some(b""))]),
        of(Some(b"a"), &[(0, Some(b"b")), (0, Some(b""))]),
        of(Some(b"a"), &[(0, Some(b"")), (0, Some(b"b"))]),
    ];
    for (at, body) in bodies.iter().enumerate() {
        assert!(!bodies[..at].contains(body), "body {at} has the hash of one before it");
    }
}
