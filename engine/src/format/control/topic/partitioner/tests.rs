use super::*;

/// The values of Kafka's own tests.
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
    assert_eq!(Partitioner::Murmur2.partition_of(b"21", 16), expected % 16);
    assert_eq!(Partitioner::Murmur2.partition_of(b"21", 1), 0);
}

/// The check value of CRC-32 (ISO 3309): of `123456789`.
#[test]
fn crc_32_is_the_one_that_librdkafka_has() {
    assert_eq!(Partitioner::Crc32.partition_of(b"123456789", u32::MAX), 0xcbf4_3926);
    assert_eq!(Partitioner::Crc32.partition_of(b"", 7), 0);
}

#[test]
fn a_number_stands_for_the_partitioner_that_has_it() {
    for partitioner in Partitioner::ALL {
        assert_eq!(Partitioner::of_number(partitioner as u8), Some(partitioner));
    }
    assert_eq!(Partitioner::of_number(0), None);
}
