use std::cell::Cell;

use super::*;
use crate::io::blocking::{BlockingDisk, block_on};
use crate::segment::SegmentState;
use crate::segment::read::Target;
use crate::segment::tests::{
    JOURNAL_ID, PARTITION, SHARD, SIZES, bases, batches, chunk, new_file, overwrite, writing, written,
};

const SEGMENT: u64 = 6;

fn all_of(directory: &std::path::Path, run: Run, file: SegmentFile) -> Vec<HeldBatch> {
    let mut reader = RunReader::new(JOURNAL_ID, SHARD, PARTITION, run, file);
    let chunks = std::iter::from_fn(|| block_on(reader.next(&BlockingDisk, directory)));
    chunks.flat_map(|chunk| chunk.unwrap().batches).collect()
}

#[test]
fn a_whole_run_is_whole_and_damage_in_one_is_named_by_its_offsets() {
    let directory = tempfile::tempdir().unwrap();
    let (run, file) = written(directory.path(), new_file(SEGMENT, batches(10, 100, 300), true));
    let check = || block_on(check_run(&BlockingDisk, writing(directory.path(), &Cell::new(0)), PARTITION, run, file));
    assert_eq!(check(), RunState::Whole);
    overwrite(directory.path(), SegmentId(SEGMENT), 3 * 4096 + 2000, &[0xff; 8]);
    let RunState::Damaged(damaged) = check() else { panic!("it is damaged") };
    assert_eq!(damaged.lost.len(), 1);
    let (from, to) = damaged.lost[0];
    assert_eq!(to.0 - from.0, 1, "one batch");
    let around = chunk(directory.path(), run, file, Target::Offset(from));
    assert!(!bases(&around.batches).contains(&from.0));
}

#[test]
fn a_file_that_is_gone_or_cut_off_is_damaged_and_not_merely_unreadable() {
    let directory = tempfile::tempdir().unwrap();
    let (run, file) = written(directory.path(), new_file(SEGMENT, batches(10, 100, 300), false));
    let path = segment_path(directory.path(), SegmentId(SEGMENT));
    let check = || block_on(check_run(&BlockingDisk, writing(directory.path(), &Cell::new(0)), PARTITION, run, file));
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(2 * 4096).unwrap();
    let RunState::Damaged(damaged) = check() else { panic!("it is damaged") };
    assert_eq!(damaged.lost.last().unwrap().1, run.next_offset);
    assert!(damaged.lost[0].0 > run.base_offset, "what is left is not lost");
    std::fs::remove_file(&path).unwrap();
    let RunState::Damaged(damaged) = check() else { panic!("it is damaged") };
    assert_eq!(damaged.lost, [(run.base_offset, run.next_offset)]);
}

#[test]
fn what_is_left_is_written_into_one_sealed_file_and_reads_back() {
    let directory = tempfile::tempdir().unwrap();
    let mut table = SegmentTable::default();
    let other = PartitionId { index: PARTITION.index + 1, ..PARTITION };
    let runs = block_on(async {
        let unsynced_bytes = Cell::new(0);
        let mut writer = SalvageWriter::new(&BlockingDisk, writing(directory.path(), &unsynced_bytes), SIZES);
        let mut runs = Vec::new();
        for (partition, base, count) in [(PARTITION, 0, 40), (PARTITION, 40, 3), (PARTITION, 50, 5), (other, 7, 2)] {
            runs.push(writer.add(&mut table, partition, batches(base, count, 300)).await.unwrap());
        }
        writer.finish(&mut table).await.unwrap();
        runs
    });
    let (segment, file) = table.all().next().unwrap();
    assert_eq!((table.len(), file.state), (1, SegmentState::Sealed));
    assert!(runs[0].is_continued_by(&runs[1]) && !runs[1].is_continued_by(&runs[2]));
    assert_eq!(runs[1].max_timestamp_ms, 420, "the running maximum goes on with the run");
    assert!(runs.iter().all(|run| run.segment == segment));
    let joined = runs[0].joined(&runs[1]);
    assert_eq!(all_of(directory.path(), joined, *file), batches(0, 43, 300));
    assert_eq!(all_of(directory.path(), runs[2], *file), batches(50, 5, 300));
    let index = std::fs::read(segment_path(directory.path(), segment)).unwrap();
    assert_eq!(index.len() as u64, file.end.0 + u64::from(file.index_bytes));
}

#[test]
fn nothing_is_written_when_nothing_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let mut table = SegmentTable::default();
    let unsynced_bytes = Cell::new(0);
    let writer = SalvageWriter::new(&BlockingDisk, writing(directory.path(), &unsynced_bytes), SIZES);
    block_on(writer.finish(&mut table)).unwrap();
    assert!(table.is_empty() && std::fs::read_dir(directory.path()).unwrap().next().is_none());
}

#[test]
fn batches_that_stand_elsewhere_are_not_lost_and_only_whole_ones_count() {
    let directory = tempfile::tempdir().unwrap();
    let (run, _) = written(directory.path(), new_file(SEGMENT, batches(10, 100, 300), true));
    let lost = [(20, 25), (40, 41)].map(|(from, to)| (Offset(from), Offset(to))).to_vec();
    let mut damaged = DamagedRun { run, lost, rescued: Vec::new(), why: "damaged".to_owned() };
    for base in [22, 19, 40, 25, 21, 22] {
        damaged.rescue(batches(base, 1, 300).remove(0));
    }
    assert_eq!(bases(&damaged.rescued), [21, 22, 40]);
    assert_eq!(damaged.still_lost(), [(Offset(20), Offset(21)), (Offset(23), Offset(25))]);
}
