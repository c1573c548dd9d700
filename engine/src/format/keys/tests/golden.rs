//! Every byte of a page, of a section's head and of a table.

use super::*;

const PAGE: &str = "\
    614ba0650200000000100000000000000101010101010101010101010101010111111111111111111111111111111111\
    010000000000000001010000000000000202020202020202020202020202020212121212121212121212121212121212\
    02000000000000000201";
const HEAD: &str = "\
    464c524e4b455953407f5c8f03000500101112131415161718191a1b1c1d1e1f07000000000000000020000000000000\
    030000000000000002000000020000000101010101010101010101010101010102020202020202020202020202020202\
    c15c0289ec2d0a91040000000c00000000100000a4f81728000000000000000001010101010101010101010101010101\
    0000000000000000ebaa0000000000000000000000009cf6";
const TABLE: &str = "\
    464c524e4b5441421da94d0703000500101112131415161718191a1b1c1d1e1f07000000000000000080000000000000\
    002000000000000002000000001000000100000000000000000000000000000000200000000000000010000002000000\
    0900000000000000000000000000000000500000000000000020000001";

fn hex(bytes: &[u8]) -> String {
    let used = bytes.len() - bytes.iter().rev().take_while(|byte| **byte == 0).count();
    bytes[..used].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn two() -> [KeyEntry; 2] {
    let entry = |number: u8| KeyEntry {
        key: KeyHash(u128::from_le_bytes([number; 16])),
        body: BodyHash(u128::from_le_bytes([number + 0x10; 16])),
        offset: Offset(u64::from(number)),
        append_time: Realtime(0x100 + u64::from(number)),
    };
    [entry(1), entry(2)]
}

#[test]
fn a_page_has_these_bytes_and_no_others() {
    assert_eq!(hex(&page(&two(), 4096)), PAGE);
}

#[test]
fn the_head_of_a_section_has_these_bytes_and_no_others() {
    let map = SectionMap::build(partition(), &two()).expect("a filter");
    assert_eq!(hex(&head(&map, 8192)), HEAD);
}

#[test]
fn a_table_has_these_bytes_and_no_others() {
    assert_eq!(hex(&table(&sections())), TABLE);
}

/// 600 keys in 700 fingerprints: a filter that was written stays readable, whatever becomes of the library.
#[test]
fn a_filter_has_these_fingerprints_and_no_others() {
    let map = SectionMap::build(partition(), &entries(600)).expect("a filter");
    let bytes = head(&map, 0);
    assert_eq!((bytes.len(), crc32c::crc32c(&bytes)), (4096, 3071803103));
}
