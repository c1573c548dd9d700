use std::cell::Cell;
use std::fs::{self, OpenOptions};

use super::*;
use crate::format::layout::segment_path;
use crate::io::blocking::{BlockingDisk, block_on};
use crate::model::{Position, SegmentId, TopicId};
use crate::segment::FilePlan;
use crate::segment::plan::SegmentSizes;
use crate::segment::tests::{JOURNAL_ID, PARTITION, SHARD, SIZES, bases, batches, chunk, new_file, read_from, written};

const SEGMENT: u64 = 6;

fn overwrite(directory: &Path, position: u64, bytes: &[u8]) {
    crate::segment::tests::overwrite(directory, SegmentId(SEGMENT), position, bytes);
}

/// A file of 100 batches from offset 10 on, in extents of a unit each.
fn file(seal: bool) -> (tempfile::TempDir, Run, SegmentFile) {
    let directory = tempfile::tempdir().unwrap();
    let (run, file) = written(directory.path(), new_file(SEGMENT, batches(10, 100, 300), seal));
    (directory, run, file)
}

/// All of a run, stretch by stretch.
fn read_all(directory: &Path, run: Run, file: SegmentFile) -> Vec<Chunk> {
    let mut reader = RunReader::new(JOURNAL_ID, SHARD, PARTITION, run, file);
    std::iter::from_fn(|| block_on(reader.next(&BlockingDisk, directory))).map(Result::unwrap).collect()
}

#[test]
fn every_batch_is_read_back_by_its_offset_with_and_without_an_index() {
    for seal in [false, true] {
        let (directory, run, file) = file(seal);
        for offset in 10..110 {
            let chunk = chunk(directory.path(), run, file, Target::Offset(Offset(offset)));
            assert!(chunk.base_offset.0 <= offset && offset < chunk.next_offset.0, "offset {offset}");
            assert!(bases(&chunk.batches).contains(&offset));
            assert_eq!(chunk.damaged, []);
        }
        let all: Vec<_> = read_all(directory.path(), run, file).into_iter().flat_map(|chunk| chunk.batches).collect();
        assert_eq!(all, batches(10, 100, 300));
    }
}

#[test]
fn a_reader_begins_with_the_extent_that_holds_the_offset_it_is_told() {
    let (directory, run, file) = file(true);
    for (offset, begins) in [(0, 10..11), (10, 10..11), (60, 11..61), (109, 11..110)] {
        let reader = RunReader::new(JOURNAL_ID, SHARD, PARTITION, run, file);
        let mut reader = reader.starting_at(Offset(offset));
        let first = block_on(reader.next(&BlockingDisk, directory.path())).unwrap().unwrap();
        assert!(begins.contains(&first.base_offset.0), "{offset}: {:?}", first.base_offset);
        assert!(first.next_offset.0 > offset);
    }
    let mut behind = RunReader::new(JOURNAL_ID, SHARD, PARTITION, run, file).starting_at(Offset(110));
    assert!(block_on(behind.next(&BlockingDisk, directory.path())).is_none());
}

#[test]
fn a_read_brings_no_more_bytes_than_asked_for_but_at_least_an_extent() {
    let (directory, run, file) = file(true);
    let mut plan = crate::segment::tests::read_plan(run, file, Target::Offset(Offset(10)));
    let count = |plan: &ReadPlan| {
        block_on(read(&BlockingDisk, directory.path(), plan, &async || {})).result.unwrap().batches.len()
    };
    plan.bytes_max = 1;
    let one = count(&plan);
    plan.bytes_max = 3 * 4096;
    assert_eq!(count(&plan), 3 * one);
}

#[test]
fn what_is_read_in_pieces_with_rests_is_what_is_read_at_once() {
    let (directory, run, file) = file(true);
    let mut plan = crate::segment::tests::read_plan(run, file, Target::Offset(Offset(10)));
    plan.bytes_max = 1 << 20;
    let rests = Cell::new(0);
    let rest = async || rests.set(rests.get() + 1);
    let chunk = |plan: &ReadPlan| block_on(read(&BlockingDisk, directory.path(), plan, &rest)).result.unwrap();
    let whole = chunk(&plan);
    assert_eq!((whole.next_offset, rests.get()), (Offset(110), 0));
    for piece_bytes in [4096, 8192, 1 << 20] {
        plan.piece_bytes = Some(piece_bytes);
        assert_eq!(chunk(&plan), whole);
        assert!(rests.take() > 0, "it rests ahead of each");
    }
}

#[test]
fn times_are_found_in_the_extent_that_holds_the_first_batch_at_or_after_them() {
    let (directory, run, file) = file(true);
    for offset in 10..110 {
        let by_append_time = chunk(directory.path(), run, file, Target::AppendTime(Realtime(offset)));
        assert!(bases(&by_append_time.batches).contains(&offset));
        let timestamp_ms = i64::try_from(offset * 10 - 3).unwrap();
        let by_timestamp = chunk(directory.path(), run, file, Target::Timestamp(timestamp_ms));
        assert!(bases(&by_timestamp.batches).contains(&offset));
    }
}

#[test]
fn a_damaged_batch_fails_only_its_own_offsets() {
    let (directory, run, file) = file(true);
    // The last byte of the first extent that is not padding belongs to its last batch.
    let bytes = fs::read(segment_path(directory.path(), SegmentId(SEGMENT))).unwrap();
    let last = bytes[..4096].iter().rposition(|byte| *byte != 0).unwrap();
    overwrite(directory.path(), last as u64, &[bytes[last] ^ 1]);
    let chunk = chunk(directory.path(), run, file, Target::Offset(Offset(10)));
    assert_eq!(chunk.damaged.len(), 1, "{:?}", chunk.damaged);
    let damaged = &chunk.damaged[0];
    assert_eq!(damaged.next_offset.0, damaged.base_offset.0 + 1);
    let expected: Vec<_> = (10..chunk.next_offset.0).filter(|offset| *offset != damaged.base_offset.0).collect();
    assert_eq!(bases(&chunk.batches), expected);
    assert_eq!(chunk.damage_at(damaged.base_offset), Some(damaged));
    assert_eq!(chunk.damage_at(Offset(10)), None);
}

#[test]
fn a_file_that_ends_within_an_extent_fails_what_stood_behind_its_end_also_when_it_has_grown_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut plan = FilePlan::new(SegmentId(SEGMENT), true, Position(0));
    plan.add(PARTITION, batches(10, 20, 300), SegmentSizes { extent_bytes_target: 16_384, ..SIZES }, i64::MIN);
    assert_eq!(plan.parts[0].extents.len(), 1, "an extent of several units");
    let (run, file) = written(directory.path(), plan);
    let cut = OpenOptions::new().write(true).open(segment_path(directory.path(), SegmentId(SEGMENT))).unwrap();
    let mut seen = Vec::new();
    for bytes in [4096, file.end.0 + 4096] {
        cut.set_len(bytes).unwrap();
        let chunk = read_all(directory.path(), run, file).remove(0);
        assert!(chunk.batches.len() > 8 && !chunk.is_unreadable, "{}", chunk.batches.len());
        let behind = chunk.batches.last().expect("some").next_offset();
        assert_eq!(chunk.damaged.iter().map(|damaged| damaged.base_offset).min(), Some(behind));
        assert_eq!(chunk.damaged.iter().map(|damaged| damaged.next_offset).max(), Some(Offset(30)));
        seen.push(behind);
    }
    assert_eq!(seen[0], seen[1], "the same is lost, whatever becomes of the file");
    cut.set_len(0).unwrap();
    assert_eq!(read_all(directory.path(), run, file)[0].batches, []);
}

#[test]
fn a_damaged_extent_fails_its_offsets_and_says_which_with_and_without_an_index() {
    for seal in [false, true] {
        let (directory, run, file) = file(seal);
        let whole = read_all(directory.path(), run, file);
        let healthy: Vec<u64> = whole.iter().flat_map(|chunk| bases(&chunk.batches)).collect();
        assert_eq!(healthy, (10..110).collect::<Vec<_>>());
        overwrite(directory.path(), 4096, &[0xff; 100]);
        let chunks = read_all(directory.path(), run, file);
        let read: Vec<u64> = chunks.iter().flat_map(|chunk| bases(&chunk.batches)).collect();
        let damaged: Vec<u64> = chunks
            .iter()
            .flat_map(|chunk| &chunk.damaged)
            .flat_map(|damaged| damaged.base_offset.0..damaged.next_offset.0)
            .collect();
        assert!(!damaged.is_empty() && damaged.len() < 30, "{damaged:?}");
        let mut both = [read, damaged].concat();
        both.sort_unstable();
        assert_eq!(both, healthy, "every offset is either read or named, sealed: {seal}");
    }
}

#[test]
fn a_damaged_index_is_made_again_from_the_extents() {
    let (directory, run, file) = file(true);
    overwrite(directory.path(), file.end.0 + 70, &[0xff; 8]);
    let done = read_from(directory.path(), run, file, Target::Offset(Offset(57)));
    let index = done.index.unwrap();
    assert!(!index.has_gap);
    assert_eq!(index.end, file.end);
    assert!(bases(&done.result.unwrap().batches).contains(&57));
}

#[test]
fn what_is_known_of_a_growing_file_is_completed_and_not_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let (run, file) = written(directory.path(), new_file(SEGMENT, batches(0, 20, 300), false));
    let first = read_from(directory.path(), run, file, Target::Offset(Offset(0))).index.unwrap();
    let mut more = FilePlan::new(SegmentId(SEGMENT), false, file.end);
    more.add(PARTITION, batches(20, 20, 300), SIZES, run.max_timestamp_ms);
    let (later, grown) = written(directory.path(), more);
    let run = run.joined(&later);
    // The front is damaged now: only what is known of it tells where its extents are.
    overwrite(directory.path(), 0, &[0xff; 100]);
    let mut plan = crate::segment::tests::read_plan(run, grown, Target::Offset(Offset(35)));
    plan.index = Some(first);
    let done = block_on(read(&BlockingDisk, directory.path(), &plan, &async || {}));
    let index = done.index.unwrap();
    assert!(!index.has_gap);
    assert_eq!(index.entries.len(), usize::try_from(grown.end.0 / 4096).unwrap());
    assert!(bases(&done.result.unwrap().batches).contains(&35));
}

#[test]
fn bytes_behind_the_end_of_the_extents_mean_nothing() {
    let (directory, run, file) = file(false);
    overwrite(directory.path(), file.end.0, &[0xff; 4096]);
    let chunks = read_all(directory.path(), run, file);
    assert!(chunks.iter().all(|chunk| chunk.damaged.is_empty()));
    assert_eq!(chunks.last().unwrap().next_offset, Offset(110));
}

#[test]
fn an_extent_of_another_partition_is_damage_and_never_served() {
    let (directory, run, file) = file(true);
    let mut plan = crate::segment::tests::read_plan(run, file, Target::Offset(Offset(10)));
    plan.partition = PartitionId { topic: TopicId(99), index: 0 };
    let chunk = block_on(read(&BlockingDisk, directory.path(), &plan, &async || {})).result.unwrap();
    assert_eq!((chunk.batches.len(), chunk.damaged.len()), (0, 1));
}

#[test]
fn an_extent_that_stood_there_before_and_never_counted_is_damage_of_the_run_and_of_nothing_around_it() {
    for ahead in [3, 6, 9] {
        let (directory, run, file) = file(false);
        // What a write left that failed, before others were taken to rest at the same place.
        let before = tempfile::tempdir().unwrap();
        let (_, before_file) = written(before.path(), new_file(SEGMENT, batches(10 - ahead, 100, 300), false));
        let bytes = fs::read(segment_path(before.path(), SegmentId(SEGMENT))).unwrap();
        let unit_count = before_file.end.0.min(file.end.0) / 4096;
        for unit in [0, 2, unit_count - 1] {
            let at = usize::try_from(unit * 4096).unwrap();
            overwrite(directory.path(), unit * 4096, &bytes[at..at + 4096]);
        }
        let chunks = read_all(directory.path(), run, file);
        let mut expected = Offset(10);
        for chunk in &chunks {
            assert_eq!(chunk.base_offset, expected, "stretches follow each other");
            let mut pieces: Vec<_> =
                chunk.damaged.iter().map(|damaged| (damaged.base_offset, damaged.next_offset)).collect();
            pieces.extend(chunk.batches.iter().map(|batch| (batch.base_offset, batch.next_offset())));
            pieces.sort_unstable();
            for (from, to) in pieces {
                assert_eq!(from, expected, "each offset is there or damaged, and once");
                expected = to;
            }
            assert_eq!(expected, chunk.next_offset);
        }
        assert_eq!(expected, Offset(110));
        assert!(chunks.iter().any(|chunk| !chunk.damaged.is_empty()));
    }
}

#[test]
fn a_file_that_is_gone_fails_all_its_offsets() {
    let (directory, run, file) = file(true);
    fs::remove_file(segment_path(directory.path(), SegmentId(SEGMENT))).unwrap();
    let chunk = chunk(directory.path(), run, file, Target::Offset(Offset(50)));
    assert_eq!(chunk.batches, []);
    assert_eq!((chunk.damaged[0].base_offset, chunk.damaged[0].next_offset), (Offset(10), Offset(110)));
}

#[test]
fn runs_of_several_partitions_in_one_file_are_kept_apart() {
    let directory = tempfile::tempdir().unwrap();
    let mut file = new_file(SEGMENT, batches(0, 30, 300), true);
    let other = PartitionId { index: 7, ..PARTITION };
    file.add(other, batches(500, 30, 300), SIZES, i64::MIN);
    let runs = [file.parts[0].run, file.parts[1].run];
    let (_, state) = written(directory.path(), file);
    for (partition, run) in [PARTITION, other].into_iter().zip(runs) {
        let mut reader = RunReader::new(JOURNAL_ID, SHARD, partition, run, state);
        let mut read = Vec::new();
        while let Some(chunk) = block_on(reader.next(&BlockingDisk, directory.path())) {
            let chunk = chunk.unwrap();
            assert_eq!(chunk.damaged, []);
            read.extend(bases(&chunk.batches));
        }
        assert_eq!(read, (run.base_offset.0..run.next_offset.0).collect::<Vec<_>>());
    }
    assert_eq!(Position(0), runs[0].position);
}

#[test]
fn times_that_damage_may_hold_are_not_looked_for_behind_it() {
    let (directory, run, file) = file(false);
    overwrite(directory.path(), 4096, &[0xff; 100]);
    let front = chunk(directory.path(), run, file, Target::Offset(Offset(10)));
    let damaged = front.damaged.first().expect("the second extent");
    for offset in damaged.base_offset.0..damaged.next_offset.0 {
        let timestamp_ms = i64::try_from(offset * 10).unwrap();
        for target in [Target::AppendTime(Realtime(offset)), Target::Timestamp(timestamp_ms)] {
            let chunk = chunk(directory.path(), run, file, target);
            assert!(chunk.damage_at(Offset(offset)).is_some(), "{target:?}: {:?}", chunk.damaged);
        }
    }
    let last = file.end.0 - 4096;
    overwrite(directory.path(), last, &[0xff; 100]);
    let chunk = chunk(directory.path(), run, file, Target::AppendTime(Realtime(109)));
    assert!(chunk.damage_at(Offset(109)).is_some(), "{:?}", chunk.damaged);
}
