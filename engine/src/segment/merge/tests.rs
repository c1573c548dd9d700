use std::cell::Cell;

use super::*;
use crate::io::blocking::{BlockingDisk, block_on};
use crate::segment::SegmentState;
use crate::segment::read::RunReader;
use crate::segment::tests::{
    JOURNAL_ID, PARTITION, SHARD, SIZES, StillRuntime, batches, new_file, overwrite, writing, written,
};

fn plan(runs: Vec<(Run, SegmentFile)>, start_offset: u64) -> MergePlan {
    let part = MergePart { partition: PARTITION, runs, start_offset: Offset(start_offset) };
    MergePlan { segment: SegmentId(50), parts: vec![part], sizes: SIZES, rest_factor: 0 }
}

#[test]
fn runs_put_together_hold_the_same_batches_from_the_start_that_is_wanted() {
    let directory = tempfile::tempdir().unwrap();
    let runs: Vec<_> = (0..8)
        .map(|number| written(directory.path(), new_file(number + 1, batches(number * 5, 5, 300), true)))
        .collect();
    let merged = block_on(merge(&StillRuntime, writing(directory.path(), &Cell::new(0)), &plan(runs, 7))).unwrap();
    let [run] = merged.runs[..] else { panic!("{:?}", merged.runs) };
    assert_eq!((run.base_offset, run.next_offset, run.position), (Offset(7), Offset(40), Position(0)));
    assert_eq!(run.max_timestamp_ms, 390);
    let file = SegmentFile { end: merged.end, index_bytes: merged.index_bytes, state: SegmentState::Sealed };
    let mut reader = RunReader::new(JOURNAL_ID, SHARD, PARTITION, run, file);
    let mut read = Vec::new();
    while let Some(chunk) = block_on(reader.next(&BlockingDisk, directory.path())) {
        read.extend(chunk.unwrap().batches);
    }
    assert_eq!(read, batches(7, 33, 300));
}

#[test]
fn runs_with_damage_stay_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let run = written(directory.path(), new_file(1, batches(0, 5, 300), true));
    overwrite(directory.path(), SegmentId(1), 200, &[0xff; 4]);
    let result = block_on(merge(&StillRuntime, writing(directory.path(), &Cell::new(0)), &plan(vec![run], 0)));
    assert!(matches!(result, Err(MergeError::Read(PARTITION))), "{result:?}");
}

#[test]
fn only_many_small_runs_that_follow_each_other_are_worth_it() {
    const SMALL: u64 = 4096;
    assert_eq!(choose(&[SMALL; MERGE_RUN_COUNT_MIN - 1], Room::Enough), None);
    assert_eq!(choose(&[SMALL; MERGE_RUN_COUNT_MIN], Room::Enough), Some(0..MERGE_RUN_COUNT_MIN));
    let large = MERGE_RUN_BYTES_MAX + 1;
    let behind: Vec<u64> = [large].into_iter().chain([SMALL; MERGE_RUN_COUNT_MIN]).collect();
    assert_eq!(choose(&behind, Room::Enough), Some(1..1 + MERGE_RUN_COUNT_MIN));
    let broken: Vec<u64> = [[SMALL; 5].as_slice(), &[large], &[SMALL; 5]].concat();
    assert_eq!(choose(&broken, Room::Enough), None);
}

#[test]
fn a_run_that_was_put_together_waits_until_as_much_stands_beside_it() {
    let together = 64 * 4096;
    let few: Vec<u64> = [together].into_iter().chain([4096; 8]).collect();
    assert_eq!(choose(&few, Room::Enough), Some(1..9), "the small ones alone");
    let mut many: Vec<u64> = [together].into_iter().chain([8 * 4096; 8]).collect();
    assert_eq!(choose(&many, Room::Enough), Some(0..9));
    many.truncate(5);
    assert_eq!(choose(&many, Room::Enough), None);
}

#[test]
fn the_less_room_a_manifest_has_the_fewer_runs_are_worth_it() {
    const SMALL: u64 = 4096;
    assert_eq!(choose(&[SMALL; 2], Room::Enough), None);
    assert_eq!(choose(&[SMALL; 2], Room::Short), Some(0..2));
    assert_eq!(choose(&[4 * SMALL, SMALL], Room::Short), None, "it would be written again with every small one");
    assert_eq!(choose(&[4 * SMALL, SMALL], Room::None), Some(0..2));
    assert_eq!(choose(&[SMALL], Room::None), None);
    assert_eq!(choose(&[MERGE_RUN_BYTES_MAX + 1, SMALL], Room::None), None);
}

#[test]
fn no_more_is_put_together_than_memory_is_allowed_for_it() {
    let runs = [MERGE_RUN_BYTES_MAX; 40];
    let chosen = choose(&runs, Room::Enough);
    let bytes = chosen.map_or(0, |range| range.len() as u64 * MERGE_RUN_BYTES_MAX);
    assert!(bytes <= MERGE_BYTES_MAX, "{bytes}");
}
