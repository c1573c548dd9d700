//! The values of Kafka's own tests.

use super::{murmur2, partition_of_key};

#[test]
fn hashes_are_those_of_kafkas_java_client() {
    let vectors: [(&[u8], i32); 6] = [
        (b"21", -973_932_308),
        (b"foobar", -790_332_482),
        (b"a-little-bit-long-string", -985_981_536),
        (b"a-little-bit-longer-string", -1_486_304_829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        (b"abc", 479_470_107),
    ];
    for (key, hash) in vectors {
        assert_eq!(murmur2(key).cast_signed(), hash, "{}", String::from_utf8_lossy(key));
    }
}

#[test]
fn a_negative_hash_loses_its_sign_bit_and_not_its_magnitude() {
    let expected = (-973_932_308_i32).cast_unsigned() & 0x7fff_ffff;
    assert_eq!(partition_of_key(b"21", 16), expected % 16);
    assert_eq!(partition_of_key(b"21", 1), 0);
}
