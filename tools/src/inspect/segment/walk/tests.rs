use florin_engine::format::batch::{self, BatchBuilder, HEADERS_NONE, HeldBatch};
use florin_engine::format::extent;
use florin_engine::io::blocking::{BlockingDisk, block_on};
use florin_engine::io::{Access, Disk};
use florin_engine::model::{Id128, Offset, Realtime, SegmentId, ShardId, TopicId};
use tempfile::TempDir;

use super::*;
use crate::faulty::FaultyDisk;

const NAME: FileName = FileName { journal_id: Id128([9; 16]), shard: ShardId(0), segment: SegmentId(1) };
const FIRST: PartitionId = PartitionId { topic: TopicId(1), index: 0 };
const SECOND: PartitionId = PartitionId { topic: TopicId(1), index: 1 };

fn held(base_offset: u64) -> HeldBatch {
    let mut builder = BatchBuilder::new();
    builder.push(0, None, Some(b"value"), HEADERS_NONE).unwrap();
    let mut bytes = builder.finish();
    batch::place(&mut bytes, Offset(base_offset));
    let offset = Offset(base_offset);
    HeldBatch {
        base_offset: offset,
        last_offset: offset,
        append_time: Realtime(1),
        undecided: 0,
        bytes: bytes.freeze(),
    }
}

/// Extents of one unit, each with one record at its offset.
fn file(extents: &[(PartitionId, u64)]) -> TempDir {
    let directory = TempDir::new().expect("a directory");
    let mut bytes = vec![0; extents.len() * UNIT_BYTES];
    for (number, (partition, offset)) in extents.iter().enumerate() {
        let at = number * UNIT_BYTES;
        let place = NAME.at(Position(at as u64));
        extent::encode(&place, *partition, &[held(*offset)], 0, &mut bytes[at..at + UNIT_BYTES]);
    }
    block_on(async {
        let file = BlockingDisk.create(&directory.path().join("file"), bytes.len() as u64).await.expect("created");
        let mut buffer = file.allocate(bytes.len());
        buffer.copy_from_slice(&bytes);
        file.write_unsynced(buffer, Position(0)).await.result.expect("written");
    });
    directory
}

fn run(partition: PartitionId, units: std::ops::Range<u64>, offsets: std::ops::Range<u64>) -> KnownRun {
    KnownRun {
        topic: partition.topic.0,
        partition: partition.index,
        position: units.start * UNIT,
        bytes: (units.end - units.start) * UNIT,
        base_offset: offsets.start,
        next_offset: offsets.end,
    }
}

/// The gaps, and how many extents there are, of a file of so many units of which these are lost.
fn walked(directory: &TempDir, runs: &[KnownRun], units: u64, lost: &[u64]) -> (Vec<Gap>, usize) {
    let lost: Vec<_> = lost.iter().map(|unit| ("file", unit * UNIT)).collect();
    block_on(async {
        let file = FaultyDisk::losing(&lost).open(&directory.path().join("file"), Access::Read).await.expect("opened");
        let mut walk = FileWalk::new(&file, NAME, runs, Position(units * UNIT), true);
        let (mut gaps, mut extent_count) = (Vec::new(), 0);
        while let Some(item) = walk.next().await {
            match item {
                Item::Extent { .. } => extent_count += 1,
                Item::Index { .. } => panic!("there is no index"),
                Item::Gap(gap) => gaps.push(gap),
            }
        }
        (gaps, extent_count)
    })
}

#[test]
fn the_offsets_of_a_gap_follow_from_what_stands_around_it() {
    let extents = [(FIRST, 10), (FIRST, 11), (FIRST, 12), (FIRST, 13), (SECOND, 5), (SECOND, 6)];
    let directory = file(&extents);
    let runs = [run(FIRST, 0..4, 10..14), run(SECOND, 4..6, 5..7)];
    assert_eq!(walked(&directory, &runs, 6, &[]), (Vec::new(), 6));
    let one = |lost: &[u64]| {
        let (gaps, extent_count) = walked(&directory, &runs, 6, lost);
        let [gap] = gaps.as_slice() else { panic!("{gaps:?}") };
        assert!(gap.is_unreadable && gap.why.starts_with("unreadable: "), "{gap:?}");
        assert_eq!((gap.bytes, extent_count), (lost.len() as u64 * UNIT, 6 - lost.len()));
        gap.lost.clone()
    };
    assert_eq!(one(&[1, 2]), [offsets(FIRST, 11, 13)]);
    assert_eq!(one(&[0]), [offsets(FIRST, 10, 11)]);
    assert_eq!(one(&[3, 4]), [offsets(FIRST, 13, 14), offsets(SECOND, 5, 6)]);
    assert_eq!(one(&[5]), [offsets(SECOND, 6, 7)]);
}

#[test]
fn a_file_that_ends_before_it_should_has_a_gap_that_is_damage_and_not_a_disk_error() {
    let directory = file(&[(FIRST, 10), (FIRST, 11)]);
    let runs = [run(FIRST, 0..40, 10..50)];
    let (gaps, extent_count) = walked(&directory, &runs, 40, &[]);
    assert_eq!((gaps.len(), extent_count), (1, 2));
    assert_eq!((gaps[0].position, gaps[0].bytes, gaps[0].is_unreadable), (Position(2 * UNIT), 38 * UNIT, false));
    assert_eq!(gaps[0].lost, [offsets(FIRST, 12, 50)]);
}

#[test]
fn a_gap_that_no_run_needs_costs_no_offsets() {
    let directory = file(&[(FIRST, 10), (SECOND, 3), (FIRST, 11)]);
    let runs = [run(FIRST, 0..1, 10..11), run(FIRST, 2..3, 11..12)];
    let (gaps, _) = walked(&directory, &runs, 3, &[1]);
    assert_eq!(gaps[0].lost, []);
}
