use proptest::prelude::*;

use super::*;
use crate::format::extent::ExtentPlace;
use crate::format::stored::Stored;
use crate::io::UNIT_BYTES;
use crate::model::{Id128, PartitionId, Position, SegmentId, ShardId, TopicId};

mod golden;

pub(super) fn place(position: u64) -> ExtentPlace {
    ExtentPlace {
        journal_id: Id128(std::array::from_fn(|at| 0x10 + u8::try_from(at).unwrap())),
        shard: ShardId(5),
        segment: SegmentId(7),
        position: Position(position),
    }
}

pub(super) fn partition() -> PartitionId {
    PartitionId { topic: TopicId(3), index: 2 }
}

/// Spreads a number over 128 bits, so that keys look like hashes.
fn spread(number: u64) -> u128 {
    let mixed = |number: u64| (number ^ (number >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    u128::from(mixed(mixed(number + 1))) << 64 | u128::from(mixed(number ^ 0x5555))
}

fn entry(number: u64) -> KeyEntry {
    KeyEntry {
        key: KeyHash(spread(number)),
        body: BodyHash(u128::from(number)),
        offset: Offset(number),
        append_time: Realtime(1_000 + number),
    }
}

pub(super) fn entries(count: u64) -> Vec<KeyEntry> {
    let mut entries: Vec<_> = (0..count).map(entry).collect();
    entries.sort();
    entries
}

fn page(entries: &[KeyEntry], position: u64) -> Vec<u8> {
    let mut out = vec![0; UNIT_BYTES];
    encode_page(&place(position), entries, &mut out);
    out
}

fn head(map: &SectionMap, position: u64) -> Vec<u8> {
    let mut out = vec![0; map.head.head_bytes as usize];
    encode_section(&place(position), map, &mut out);
    out
}

fn sections() -> Vec<TableEntry> {
    let section = |first_key, position, head_bytes, page_count| TableEntry {
        first_key: KeyHash(first_key),
        position: Position(position),
        head_bytes,
        page_count,
    };
    vec![section(1, 8192, 4096, 2), section(9, 20_480, 8192, 1)]
}

fn table(sections: &[TableEntry]) -> Vec<u8> {
    let mut out = vec![0; table_bytes(sections.len())];
    encode_table(&place(32_768), Position(8192), sections, &mut out);
    out
}

fn damaged<T: std::fmt::Debug>(stored: Stored<T>) -> String {
    match stored {
        Stored::Damaged(what) => what,
        other => panic!("not damaged: {other:?}"),
    }
}

#[test]
fn a_page_gives_back_its_entries() {
    let all = entries(85);
    assert_eq!(decode_page(&page(&all, 4096), &place(4096)), Stored::Present(all.clone()));
    assert_eq!(decode_page(&page(&all[..1], 4096), &place(4096)), Stored::Present(all[..1].to_vec()));
    assert_eq!(decode_page(&[0; UNIT_BYTES], &place(4096)), Stored::Absent);
}

#[test]
fn a_page_of_another_place_file_or_journal_is_not_taken_for_this_one() {
    let bytes = page(&entries(3), 4096);
    assert_eq!(damaged(decode_page(&bytes, &place(8192))), "a page of byte 4096");
    let other_file = ExtentPlace { segment: SegmentId(8), ..place(4096) };
    assert_eq!(damaged(decode_page(&bytes, &other_file)), "checksum of the page does not match");
    let other_journal = ExtentPlace { journal_id: Id128([1; 16]), ..place(4096) };
    assert_eq!(damaged(decode_page(&bytes, &other_journal)), "checksum of the page does not match");
}

#[test]
fn entries_out_of_order_are_damage_although_the_checksum_is_right() {
    let mut wrong = entries(3);
    wrong.swap(0, 1);
    assert_eq!(damaged(decode_page(&page(&wrong, 0), &place(0))), "keys of the page are out of order");
    let twice = [wrong[2], wrong[2]];
    assert_eq!(damaged(decode_page(&page(&twice, 0), &place(0))), "keys of the page are out of order");
}

#[test]
fn a_section_knows_each_of_its_keys_and_the_page_of_each() {
    for count in [1, 2, 3, 85, 86, 1_000, 65_536] {
        let all = entries(count);
        let map = SectionMap::build(partition(), &all).expect("hashes have a filter");
        let Stored::Present(read) = decode_section(&head(&map, 8192), &place(8192)) else { panic!("{count} entries") };
        assert_eq!(read, map);
        for (at, entry) in all.iter().enumerate() {
            assert!(read.may_hold(entry.key), "key {at} of {count}");
            assert_eq!(read.page_of(entry.key), Some(at / PAGE_ENTRY_COUNT_MAX));
        }
        assert_eq!(read.head.page_count(), all.len().div_ceil(PAGE_ENTRY_COUNT_MAX));
        assert_eq!(read.page_position(Position(8192), 1).0, 8192 + u64::from(read.head.head_bytes) + 4096);
    }
}

#[test]
fn a_section_denies_nearly_every_key_that_it_does_not_have() {
    let map = SectionMap::build(partition(), &entries(65_536)).expect("hashes have a filter");
    let taken = (100_000..1_100_000).filter(|number| map.may_hold(KeyHash(spread(*number)))).count();
    assert!(taken < 60, "{taken} of a million strange keys, one of 65 536 is to be expected");
    assert!(map.memory_bytes() < 65_536 * 11 / 4, "{} bytes", map.memory_bytes());
}

#[test]
fn keys_that_filters_cannot_tell_apart_are_found_all_the_same() {
    let same_half = |low: u128| KeyEntry { key: KeyHash(7 << 64 | low), ..entry(0) };
    let all: Vec<_> = (0..200).map(same_half).collect();
    let map = SectionMap::build(partition(), &all).expect("one half has a filter");
    assert!(all.iter().all(|entry| map.may_hold(entry.key)));
    assert_eq!(map.page_of(all[170].key), Some(2));
}

#[test]
fn a_key_below_all_has_no_page() {
    let map = SectionMap::build(partition(), &entries(100)).expect("hashes have a filter");
    assert_eq!(map.page_of(KeyHash(0)), None);
    assert!(!map.may_hold(KeyHash(0)) && !map.may_hold(KeyHash(u128::MAX)));
}

#[test]
fn a_section_of_another_place_is_not_taken_for_this_one() {
    let bytes = head(&SectionMap::build(partition(), &entries(10)).expect("a filter"), 8192);
    assert_eq!(
        damaged(decode_section(&bytes, &place(0))),
        "a section of another place: segment 7 at byte 8192 of shard 5"
    );
    assert_eq!(decode_section(&vec![0; bytes.len()], &place(8192)), Stored::Absent);
    assert_eq!(damaged(decode_section(&bytes[..128], &place(8192))), "128 of 4096 bytes");
}

#[test]
fn a_filter_whose_numbers_contradict_each_other_is_refused() {
    for (count, length) in [(0, 4), (12, 3), (8, 4), (13, 4), (12, 0), (12, u32::MAX)] {
        assert!(KeyFilter::of_parts(1, length, vec![0; count]).is_err(), "{count} fingerprints, segments of {length}");
    }
    assert!(KeyFilter::of_parts(1, 4, vec![0; 12]).is_ok());
}

#[test]
fn a_table_gives_back_its_sections() {
    let bytes = table(&sections());
    assert_eq!(decode_table(&bytes, &place(32_768), Position(8192)), Stored::Present(sections()));
    assert_eq!(damaged(decode_table(&bytes, &place(32_768), Position(4096))), "a table of another place");
    assert_eq!(damaged(decode_table(&bytes, &place(36_864), Position(8192))), "a table of another place");
    assert_eq!(decode_table(&vec![0; bytes.len()], &place(32_768), Position(8192)), Stored::Absent);
}

#[test]
fn sections_that_overlap_or_leave_something_out_are_damage() {
    let out_of_order = "sections of the table are out of order";
    let read = |sections: &[TableEntry]| damaged(decode_table(&table(sections), &place(32_768), Position(8192)));
    let mut late = sections();
    late[1].position = Position(24_576);
    assert_eq!(read(&late), out_of_order);
    let mut falling = sections();
    falling[1].first_key = KeyHash(0);
    assert_eq!(read(&falling), out_of_order);
    let mut empty = sections();
    (empty[0].page_count, empty[0].head_bytes) = (0, 12_288);
    assert_eq!(read(&empty), out_of_order);
    assert_eq!(read(&sections()[..1]), out_of_order);
}

#[test]
fn another_version_is_named() {
    let mut bytes = head(&SectionMap::build(partition(), &entries(10)).expect("a filter"), 0);
    bytes[12] = 9;
    let checksum = crate::format::checksum::Seed::of(place(0).journal_id).checksum(&bytes[12..SECTION_HEADER_BYTES]);
    bytes[8..12].copy_from_slice(&checksum.to_le_bytes());
    assert_eq!(decode_section(&bytes, &place(0)), Stored::OtherVersion(9));
    let mut bytes = table(&sections());
    bytes[12] = 9;
    let checksum = crate::format::checksum::Seed::of(place(0).journal_id).checksum(&bytes[12..]);
    bytes[8..12].copy_from_slice(&checksum.to_le_bytes());
    assert_eq!(decode_table(&bytes, &place(32_768), Position(8192)), Stored::OtherVersion(9));
}

proptest! {
    #[test]
    fn no_changed_bit_of_a_page_a_head_or_a_table_goes_unnoticed(count in 1_u64..300, bit in any::<prop::sample::Index>()) {
        let all = entries(count);
        let map = SectionMap::build(partition(), &all).expect("hashes have a filter");
        let flip = |mut bytes: Vec<u8>| {
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes
        };
        let page = flip(page(&all[..all.len().min(PAGE_ENTRY_COUNT_MAX)], 4096));
        prop_assert!(matches!(decode_page(&page, &place(4096)), Stored::Damaged(_)));
        prop_assert!(matches!(decode_section(&flip(head(&map, 0)), &place(0)), Stored::Damaged(_)));
        let table = flip(table(&sections()));
        prop_assert!(matches!(decode_table(&table, &place(32_768), Position(8192)), Stored::Damaged(_)));
    }

    #[test]
    fn arbitrary_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..9000), right in any::<bool>()) {
        if right && bytes.len() >= SECTION_HEADER_BYTES {
            bytes[..8].copy_from_slice(b"FLRNKEYS");
            let end = SECTION_HEADER_BYTES;
            let checksum = crate::format::checksum::Seed::of(place(0).journal_id).checksum(&bytes[12..end]);
            bytes[8..12].copy_from_slice(&checksum.to_le_bytes());
        }
        let _ = decode_section(&bytes, &place(0));
        let _ = decode_table(&bytes, &place(0), Position(0));
        let _ = decode_page(&bytes, &place(0));
    }
}
