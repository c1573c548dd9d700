use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::look_up::{KeyFound, KeyPiece, look_up};
use super::merge::{KeyMerge, KeyMergeError, merge};
use super::write::{KeyPart, KeyWriting, write_runs};
use super::*;
use crate::format::keys::{BodyHash, KeyEntry, KeyHash, SectionMap, TableEntry};
use crate::format::layout::segment_path;
use crate::format::stored::Stored;
use crate::io::blocking::{BlockingDisk, block_on};
use crate::model::{Offset, Position, Realtime, SegmentId};
use crate::segment::index::FileName;
use crate::segment::tests::{JOURNAL_ID, PARTITION, SHARD, StillRuntime, overwrite};

fn writing(directory: &Path, section_entry_count_max: usize) -> KeyWriting<'_> {
    KeyWriting {
        directory,
        journal_id: JOURNAL_ID,
        shard: SHARD,
        section_entry_count_max,
        unsynced_bytes_max: 65_536,
        rest_factor: 0,
    }
}

fn name() -> FileName {
    FileName { journal_id: JOURNAL_ID, shard: SHARD, segment: SegmentId(0) }
}

/// The key of payment `number`, appended at `offset` and at a time that is its offset.
fn entry(number: u64, offset: u64) -> KeyEntry {
    let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    KeyEntry {
        key: KeyHash(u128::from(mixed) << 64 | u128::from(number)),
        body: BodyHash(u128::from(offset)),
        offset: Offset(offset),
        append_time: Realtime(offset),
    }
}

fn part(base_offset: u64, numbers: impl IntoIterator<Item = u64>) -> KeyPart {
    let entries: Vec<_> =
        numbers.into_iter().zip(base_offset..).map(|(number, offset)| entry(number, offset)).collect();
    let next_offset = Offset(base_offset + entries.len() as u64);
    let chunks = entries.chunks(7).map(|chunk| Arc::new(chunk.to_vec())).collect();
    KeyPart { partition: PARTITION, base_offset: Offset(base_offset), next_offset, chunks }
}

fn written(directory: &Path, segment: u64, section_entry_count_max: usize, parts: Vec<KeyPart>) -> Vec<KeyRun> {
    let writing = writing(directory, section_entry_count_max);
    block_on(write_runs(&StillRuntime, writing, SegmentId(segment), &parts)).expect("keys are written")
}

fn read(directory: &Path, piece: KeyPiece) -> KeyFound {
    block_on(look_up(&BlockingDisk, directory, name(), &[piece])).pop().expect("one was asked for")
}

fn sections(directory: &Path, run: &KeyRun) -> Vec<TableEntry> {
    match read(directory, KeyPiece::Table(*run)) {
        KeyFound::Table(Stored::Present(sections)) => sections,
        other => panic!("{other:?}"),
    }
}

fn map(directory: &Path, segment: SegmentId, section: TableEntry) -> SectionMap {
    match read(directory, KeyPiece::Section { segment, section }) {
        KeyFound::Section(Stored::Present(map)) => map,
        other => panic!("{other:?}"),
    }
}

/// Everything in a run, found as a reader of one key would find it.
fn look_up_one(directory: &Path, run: &KeyRun, key: KeyHash) -> Option<KeyEntry> {
    let sections = sections(directory, run);
    let section = sections[sections.partition_point(|section| section.first_key <= key).checked_sub(1)?];
    let map = map(directory, run.segment, section);
    if !map.may_hold(key) {
        return None;
    }
    let position = map.page_position(section.position, map.page_of(key)?);
    match read(directory, KeyPiece::Page { segment: run.segment, position }) {
        KeyFound::Page(Stored::Present(entries)) => entries.into_iter().find(|entry| entry.key == key),
        other => panic!("{other:?}"),
    }
}

fn merged(directory: &Path, runs: Vec<KeyRun>, expired_before: Option<u64>) -> Result<Option<KeyRun>, KeyMergeError> {
    let expired_before = expired_before.map(Realtime);
    let plan =
        KeyMerge { partition: PARTITION, runs, segment: SegmentId(99), expired_before, leaves_out_damage: false };
    block_on(merge(&StillRuntime, writing(directory, 100), &plan, &Cell::new(false)))
}

#[test]
fn every_key_that_was_written_is_found_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let run = written(directory.path(), 1, 100, vec![part(500, 0..950)])[0];
    assert_eq!((run.entry_count, run.base_offset, run.next_offset), (950, Offset(500), Offset(1450)));
    assert_eq!((run.first_append_time, run.last_append_time), (Realtime(500), Realtime(1449)));
    assert!(run.is_possible());
    assert_eq!(sections(directory.path(), &run).len(), 10);
    let size = std::fs::metadata(segment_path(directory.path(), run.segment)).unwrap().len();
    assert_eq!(run.end(), Position(size), "a file ends with its last run");
    for number in 0..950 {
        let expected = entry(number, 500 + number);
        assert_eq!(look_up_one(directory.path(), &run, expected.key), Some(expected));
    }
    for number in 950..1200 {
        assert_eq!(look_up_one(directory.path(), &run, entry(number, 0).key), None);
    }
}

#[test]
fn a_file_holds_runs_of_several_partitions_one_behind_the_other() {
    let directory = tempfile::tempdir().unwrap();
    let parts = vec![part(0, 0..3), part(10, 3..300)];
    let runs = written(directory.path(), 1, 100, parts);
    assert_eq!(runs.len(), 2);
    assert_eq!((runs[0].position, runs[1].position), (Position(0), runs[0].end()));
    assert_eq!(look_up_one(directory.path(), &runs[1], entry(200, 207).key), Some(entry(200, 207)));
    assert_eq!(look_up_one(directory.path(), &runs[0], entry(200, 0).key), None);
}

#[test]
fn of_a_key_that_comes_twice_the_later_one_counts() {
    let directory = tempfile::tempdir().unwrap();
    let run = written(directory.path(), 1, 100, vec![part(0, [5, 6, 5, 7])])[0];
    assert_eq!(run.entry_count, 3);
    assert_eq!(look_up_one(directory.path(), &run, entry(5, 0).key), Some(entry(5, 2)));
}

#[test]
fn runs_that_are_put_together_keep_the_later_of_two_entries_and_lose_what_has_expired() {
    let directory = tempfile::tempdir().unwrap();
    let first = written(directory.path(), 1, 100, vec![part(0, 0..400)])[0];
    let second = written(directory.path(), 2, 7, vec![part(400, 300..500)])[0];
    let third = written(directory.path(), 3, 4096, vec![part(600, [3, 600])])[0];
    let run = merged(directory.path(), vec![first, second, third], Some(150)).unwrap().expect("keys are left");
    assert_eq!((run.base_offset, run.next_offset), (Offset(0), Offset(602)));
    assert_eq!((run.first_append_time, run.last_append_time), (Realtime(150), Realtime(601)));
    // 150 to 299 of the first run, 300 to 499 of the second, 3 and 600 of the third.
    assert_eq!(run.entry_count, 150 + 200 + 2);
    let found = |number: u64| look_up_one(directory.path(), &run, entry(number, 0).key);
    assert_eq!(found(149), None);
    assert_eq!(found(150), Some(entry(150, 150)));
    assert_eq!(found(350), Some(entry(350, 450)));
    assert_eq!(found(3), Some(entry(3, 600)));
}

#[test]
fn when_everything_has_expired_no_run_and_no_file_are_left() {
    let directory = tempfile::tempdir().unwrap();
    let runs = written(directory.path(), 1, 100, vec![part(0, 0..400)]);
    assert_eq!(merged(directory.path(), runs, Some(400)), Ok(None));
    assert!(!segment_path(directory.path(), SegmentId(99)).exists());
}

#[test]
fn only_the_keys_of_its_offsets_are_written_of_a_chunk() {
    let directory = tempfile::tempdir().unwrap();
    let all = part(0, 0..20);
    let middle = KeyPart { base_offset: Offset(5), next_offset: Offset(9), ..all };
    let run = written(directory.path(), 1, 100, vec![middle])[0];
    assert_eq!((run.entry_count, run.base_offset, run.next_offset), (4, Offset(5), Offset(9)));
    assert_eq!(look_up_one(directory.path(), &run, entry(4, 4).key), None);
    assert_eq!(look_up_one(directory.path(), &run, entry(5, 5).key), Some(entry(5, 5)));
}

#[test]
fn a_merge_that_nobody_waits_for_is_given_up() {
    let directory = tempfile::tempdir().unwrap();
    let runs = written(directory.path(), 1, 100, vec![part(0, 0..400)]);
    let plan =
        KeyMerge { partition: PARTITION, runs, segment: SegmentId(99), expired_before: None, leaves_out_damage: false };
    let ended = block_on(merge(&StillRuntime, writing(directory.path(), 100), &plan, &Cell::new(true)));
    assert_eq!(ended, Err(KeyMergeError::Stopped));
}

#[test]
fn damage_in_a_run_ends_a_merge_and_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let first = written(directory.path(), 1, 100, vec![part(0, 0..400)])[0];
    let second = written(directory.path(), 2, 100, vec![part(400, 400..500)])[0];
    let path = segment_path(directory.path(), first.segment);
    let page = sections(directory.path(), &first)[1];
    let at = usize::try_from(page.position.0).unwrap() + page.head_bytes as usize + 100;
    let bytes = std::fs::read(&path).unwrap();
    overwrite(directory.path(), first.segment, u64::try_from(at).unwrap(), &[bytes[at] ^ 1]);
    let error = merged(directory.path(), vec![first, second], None).expect_err("a page is damaged");
    assert_eq!(
        error.to_string(),
        format!(
            "key run in segment 1, at byte {}: damaged: checksum of the page does not match",
            page.position.0 + u64::from(page.head_bytes)
        )
    );
    std::fs::remove_file(&path).unwrap();
    let error = merged(directory.path(), vec![first, second], None).expect_err("a file is gone");
    assert!(error.to_string().contains("does not exist"), "{error}");
}

#[test]
fn a_part_of_a_file_that_is_gone_is_unreadable_and_one_of_another_place_is_damaged() {
    let directory = tempfile::tempdir().unwrap();
    let run = written(directory.path(), 1, 100, vec![part(0, 0..400)])[0];
    let section = sections(directory.path(), &run)[1];
    let other = TableEntry { first_key: KeyHash(1), ..section };
    let found = read(directory.path(), KeyPiece::Section { segment: run.segment, section: other });
    assert!(matches!(found, KeyFound::Section(Stored::Damaged(_))), "{found:?}");
    let page = KeyPiece::Page { segment: run.segment, position: section.position };
    assert!(matches!(read(directory.path(), page), KeyFound::Page(Stored::Damaged(_))));
    std::fs::remove_file(segment_path(directory.path(), run.segment)).unwrap();
    assert!(matches!(read(directory.path(), KeyPiece::Table(run)), KeyFound::Table(Stored::Unreadable(_))));
}

#[test]
fn a_run_in_a_manifest_is_what_was_written() {
    let run = KeyRun {
        segment: SegmentId(1),
        position: Position(4096),
        bytes: 12_288,
        table_bytes: 4096,
        entry_count: 5,
        base_offset: Offset(6),
        next_offset: Offset(70),
        first_append_time: Realtime(8),
        last_append_time: Realtime(9),
    };
    let mut bytes = Vec::new();
    run.encode(&mut bytes);
    assert_eq!(bytes.len(), KeyRun::ENCODED_BYTES);
    assert_eq!(KeyRun::decode(&mut &bytes[..]), Ok(run));
    assert!(KeyRun::decode(&mut &bytes[..67]).is_err());
    assert!(run.is_possible());
    for impossible in [
        KeyRun { bytes: 4096, ..run },
        KeyRun { table_bytes: 0, ..run },
        KeyRun { entry_count: 0, ..run },
        KeyRun { next_offset: Offset(6), ..run },
        KeyRun { position: Position(u64::MAX - 4095), ..run },
        KeyRun { last_append_time: Realtime(7), ..run },
    ] {
        assert!(!impossible.is_possible(), "{impossible:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_merge_of_any_runs_is_the_map_of_what_was_written_last(
        numbers in prop::collection::vec(prop::collection::vec(0_u64..300, 1..200), 1..6),
        section_entry_count_max in 1_usize..150,
        expired_before in prop::option::of(0_u64..600),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let (mut runs, mut expected, mut offset) = (Vec::new(), BTreeMap::new(), 0);
        for (numbers, segment) in numbers.iter().zip(1..) {
            let part = part(offset, numbers.iter().copied());
            offset = part.next_offset.0;
            expected.extend(part.chunks.iter().flat_map(|chunk| chunk.iter()).map(|entry| (entry.key, *entry)));
            runs.push(written(directory.path(), segment, section_entry_count_max, vec![part])[0]);
        }
        expected.retain(|_, entry| expired_before.is_none_or(|before| entry.append_time.0 >= before));
        let run = merged(directory.path(), runs, expired_before).unwrap();
        prop_assert_eq!(run.map_or(0, |run| run.entry_count), expected.len() as u64);
        for number in 0..300 {
            let key = entry(number, 0).key;
            let found = run.and_then(|run| look_up_one(directory.path(), &run, key));
            prop_assert_eq!(found, expected.get(&key).copied());
        }
    }
}
