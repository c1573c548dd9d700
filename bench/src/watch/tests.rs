use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use florin_engine::format::layout::{Copy, Geometry, journal_path, segment_path, shard_path, superblock_path};
use florin_engine::format::superblock::{FileUse, SUPERBLOCK_BYTES, Superblock};
use florin_engine::io::blocking::{BlockingDisk, block_on};
use florin_engine::journal::create::{FormatSettings, format};
use florin_engine::journal::write::read_superblocks;
use florin_engine::model::{FileIndex, Id128, Realtime, SegmentId, ShardId};
use tempfile::TempDir;

use super::ring::Ring;
use super::shard::Progress;
use super::{DirectoryWatch, Span, Watched};

const SHARD: ShardId = ShardId(0);
const DIRECTORY_ID: Id128 = Id128([3; 16]);
const GEOMETRY: Geometry = Geometry { file_count: 3, file_bytes: 32_768, manifest_bytes: 32_768 };

fn formatted() -> TempDir {
    let directory = TempDir::new().unwrap();
    let settings = FormatSettings {
        directory_id: DIRECTORY_ID,
        journal_ids: vec![Id128([9; 16])],
        geometry: GEOMETRY,
        created: Realtime(0),
    };
    block_on(format(&BlockingDisk, directory.path(), &settings)).unwrap();
    directory
}

fn change_superblock(data: &Path, change: impl FnOnce(&mut Superblock)) {
    let folder = shard_path(data, SHARD);
    let copies = block_on(read_superblocks(&BlockingDisk, &folder, DIRECTORY_ID, SHARD));
    let mut superblock = copies.choose().unwrap().superblock.next_generation();
    change(&mut superblock);
    let mut bytes = [0; SUPERBLOCK_BYTES];
    superblock.encode(&mut bytes);
    for copy in [Copy::A, Copy::B] {
        std::fs::write(superblock_path(&folder, copy), bytes).unwrap();
    }
}

#[allow(clippy::disallowed_methods, reason = "an instant has no other beginning")]
fn instants<const COUNT: usize>() -> [Instant; COUNT] {
    let first = Instant::now();
    std::array::from_fn(|index| first + Duration::from_secs(index as u64))
}

fn sizes(files: &[(u64, u64)]) -> BTreeMap<SegmentId, u64> {
    files.iter().map(|(segment, bytes)| (SegmentId(*segment), *bytes)).collect()
}

#[test]
fn a_checkpoint_begins_with_its_manifest_and_ends_in_force() {
    let at = instants::<8>();
    let mut progress = Progress::default();
    progress.manifests(vec![(1, 0), (2, 0)], at[0]);
    assert_eq!(progress.superblock(4, at[0], at[0]), [], "what is in force at first is no news");
    progress.manifests(vec![(1, 0), (2, 0)], at[1]);
    progress.manifests(vec![(1, 0), (3, 0)], at[2]);
    progress.manifests(vec![(1, 0), (3, 9)], at[3]);
    assert_eq!(progress.superblock(4, at[3], at[4]), []);
    assert_eq!(progress.superblock(5, at[4], at[5]), [Span { begun: at[2], ended: at[5] }]);
    // A manifest that was written and named between two looks.
    assert_eq!(progress.superblock(6, at[6], at[7]), [Span { begun: at[6], ended: at[7] }]);
}

#[test]
fn segments_are_written_when_one_of_them_grows() {
    let at = instants::<6>();
    let mut progress = Progress::default();
    assert_eq!(progress.segments(sizes(&[(1, 100)]), at[0], at[0]), None, "what is there at first is no news");
    assert_eq!(progress.segments(sizes(&[(1, 100)]), at[0], at[1]), None);
    assert_eq!(progress.segments(sizes(&[(1, 200)]), at[1], at[2]), Some(Span { begun: at[1], ended: at[2] }));
    assert_eq!(progress.segments(sizes(&[(1, 200), (2, 50)]), at[2], at[3]), Some(Span { begun: at[2], ended: at[3] }));
    // One file goes and the other stays: nothing is written.
    assert_eq!(progress.segments(sizes(&[(2, 50)]), at[3], at[4]), None);
}

#[test]
fn checkpoints_between_two_looks_are_all_counted() {
    let at = instants::<3>();
    let mut progress = Progress::default();
    progress.superblock(1, at[0], at[0]);
    assert_eq!(progress.superblock(4, at[1], at[2]).len(), 3);
}

#[test]
fn only_checkpoints_that_came_into_force_in_a_stretch_of_time_count_in_it() {
    let at = instants::<4>();
    let checkpoint = |ended| Span { begun: at[0], ended };
    let watched = Watched { checkpoints: vec![checkpoint(at[1]), checkpoint(at[3])], ..Watched::default() };
    assert_eq!(watched.checkpoint_count(at[0], at[2]), 1);
    assert_eq!(watched.checkpoint_count(at[1], at[3]), 2);
    assert_eq!(watched.checkpoint_count(at[2], at[2]), 0);
}

#[test]
fn a_directory_is_watched_from_its_files_alone() {
    let data = formatted();
    let folder = shard_path(data.path(), SHARD);
    let watch = DirectoryWatch::start(data.path()).unwrap();
    std::fs::write(segment_path(&folder, SegmentId(1)), vec![1; 1 << 20]).unwrap();
    change_superblock(data.path(), |superblock| superblock.manifest.generation += 2);
    let watched = watch.stop().unwrap();
    assert_eq!(watched.checkpoints.len(), 2, "{watched:?}");
    assert!(watched.disk_bytes_max >= 1 << 20 && !watched.segment_writes.is_empty());
    let error = format!("{:#}", DirectoryWatch::start(&folder).unwrap_err());
    assert!(error.contains("cannot be looked into"), "{error}");
}

#[test]
fn what_a_start_reads_of_a_ring_are_the_files_that_are_not_free() {
    let data = formatted();
    change_superblock(data.path(), |superblock| superblock.files[1].state = FileUse::Open);
    let ring = Ring::of(data.path()).unwrap();
    let path = journal_path(&shard_path(data.path(), SHARD), FileIndex(1));
    assert!(ring.files.contains(&(path, GEOMETRY.file_bytes)));
    assert_eq!(ring.file_bytes, ring.files.len() as u64 * GEOMETRY.file_bytes);
    assert_eq!((ring.block_count, ring.block_bytes), (0, 0));
    assert_eq!(ring.bytes, u64::from(GEOMETRY.file_count) * GEOMETRY.file_bytes);
    assert!(ring.replayed_share().abs() < f64::EPSILON, "nothing was written");
    let half = Ring { block_bytes: ring.bytes / 2, ..ring.clone() };
    assert!((half.replayed_share() - 0.5).abs() < f64::EPSILON);
    // A ring that a start refuses is no floor for anything.
    std::fs::remove_file(&ring.files[0].0).unwrap();
    let error = format!("{:#}", Ring::of(data.path()).unwrap_err());
    assert!(error.contains("damaged") && error.contains("shard 0"), "{error}");
}
