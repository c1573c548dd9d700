//! What the disk does not give is never called damage, and never called clean.

use std::path::Path;

use bytes::Bytes;
use florin_engine::format::block::{BLOCK_HEADER_BYTES, BlockHead, JournalName, Place};
use florin_engine::format::checksum::Chain;
use florin_engine::format::control::{Control, Entry};
use florin_engine::format::layout::{Copy, Geometry, journal_path, shard_path, superblock_path};
use florin_engine::format::superblock::{FileUse, RingFile, SUPERBLOCK_BYTES, Superblock};
use florin_engine::io::blocking::{BlockingDisk, block_on};
use florin_engine::io::{Access, Disk, DiskFile, UNIT_BYTES};
use florin_engine::journal::create::{FormatSettings, format};
use florin_engine::journal::write::read_superblocks;
use florin_engine::model::{Epoch, FileIndex, Id128, Lap, PartitionId, Position, Realtime, Sequence, ShardId, TopicId};
use tempfile::TempDir;

use super::check;
use super::finding::{Finding, Severity, Verdict};
use super::report::Report;
use crate::faulty::FaultyDisk;

const SHARD: ShardId = ShardId(0);
const DIRECTORY_ID: Id128 = Id128([3; 16]);
const NAME: JournalName = JournalName { journal_id: Id128([9; 16]), shard: SHARD };
const GEOMETRY: Geometry = Geometry { file_count: 2, file_bytes: 32_768, manifest_bytes: 32_768 };

fn formatted() -> TempDir {
    let directory = TempDir::new().expect("a directory");
    let settings = FormatSettings {
        directory_id: DIRECTORY_ID,
        journal_ids: vec![NAME.journal_id],
        geometry: GEOMETRY,
        created: Realtime(0),
    };
    block_on(format(&BlockingDisk, directory.path(), &settings)).expect("formatted");
    directory
}

fn write(path: &Path, position: u64, bytes: &[u8]) {
    block_on(async {
        let file = BlockingDisk.open(path, Access::Unsynced).await.expect("opened");
        let mut buffer = file.allocate(bytes.len());
        buffer.copy_from_slice(bytes);
        file.write_unsynced(buffer, Position(position)).await.result.expect("written");
    });
}

fn stored_superblock(directory: &Path) -> Superblock {
    let copies = block_on(read_superblocks(&BlockingDisk, &shard_path(directory, SHARD), DIRECTORY_ID, SHARD));
    copies.choose().expect("a superblock").superblock
}

fn write_superblock(directory: &Path, copy: Copy, superblock: &Superblock) {
    let mut bytes = [0; SUPERBLOCK_BYTES];
    superblock.encode(&mut bytes);
    write(&superblock_path(&shard_path(directory, SHARD), copy), 0, &bytes);
}

fn write_both(directory: &Path, superblock: &Superblock) {
    [Copy::A, Copy::B].into_iter().for_each(|copy| write_superblock(directory, copy, superblock));
}

/// Three empty blocks in the first file, confirmed, closed in order.
fn with_blocks() -> TempDir {
    with_blocks_and(None)
}

/// The same, the last one with an entry.
fn with_blocks_and(entry: Option<&Entry>) -> TempDir {
    let directory = formatted();
    let mut superblock = stored_superblock(directory.path());
    let mut previous = Chain(0);
    for number in 0..3 {
        let entry = entry.filter(|_| number == 2);
        let mut block = [0; UNIT_BYTES];
        let payload_bytes = entry.map_or(0, |entry| entry.encode(&mut block[BLOCK_HEADER_BYTES..]));
        let position = Position(number * UNIT_BYTES as u64);
        let head = BlockHead {
            place: Place { file: FileIndex(0), lap: Lap(1), position },
            epoch: Epoch(1),
            epoch_first_sequence: Sequence(1),
            sequence: Sequence(number + 1),
            durable_sequence: Sequence(number),
            previous,
            entry_count: u32::from(entry.is_some()),
            payload_bytes: u32::try_from(payload_bytes).expect("a small entry"),
        };
        previous = head.seal(NAME, &mut block);
        write(&journal_path(&shard_path(directory.path(), SHARD), FileIndex(0)), position.0, &block);
    }
    superblock.generation = 2;
    superblock.epoch = Epoch(1);
    superblock.confirmed_sequence = Sequence(3);
    superblock.confirmed_chain = previous;
    superblock.files[0] = RingFile {
        state: FileUse::Sealed,
        lap: Lap(1),
        confirmed_bytes: 3 * UNIT_BYTES as u64,
        first_sequence: Sequence(1),
        last_sequence: Sequence(3),
    };
    write_both(directory.path(), &superblock);
    directory
}

fn verified(directory: &TempDir, lost: &[(&str, u64)]) -> Report {
    block_on(check(&FaultyDisk::losing(lost), directory.path(), None))
}

fn has(report: &Report, severity: Severity, file: &str, position: u64) -> bool {
    let is_it = |finding: &&Finding| finding.file.as_deref() == Some(file) && finding.position == Some(position);
    report.all_findings().filter(is_it).any(|finding| finding.severity == severity)
}

#[test]
fn blocks_made_by_hand_are_clean() {
    let directory = with_blocks();
    let report = verified(&directory, &[]);
    assert_eq!(report.verdict, Verdict::Clean, "{}", report.text());
    assert_eq!(report.shards[0].checked.block_count, 3);
}

#[test]
fn one_unreadable_unit_anywhere_means_that_it_cannot_be_told() {
    let directory = with_blocks();
    let places = [
        ("identity", 0),
        ("identity", 4096),
        ("shard-0/superblock-a", 4096),
        ("shard-0/superblock-b", 0),
        ("shard-0/manifest-0", 32_768),
        ("shard-0/manifest-1", 0),
        ("shard-0/journal-000", 0),
        ("shard-0/journal-000", 8192),
        ("shard-0/journal-001", 28_672),
    ];
    for (file, position) in places {
        let report = verified(&directory, &[(file, position)]);
        assert_eq!(report.verdict, Verdict::CannotTell, "{file} at {position}: {}", report.text());
    }
}

#[test]
fn an_unreadable_confirmed_block_is_named_once_with_its_place() {
    let directory = with_blocks();
    let report = verified(&directory, &[("journal-000", 4096)]);
    assert!(has(&report, Severity::CannotTell, "shard-0/journal-000", 4096), "{}", report.text());
    let about_it = report.all_findings().filter(|finding| finding.position == Some(4096)).count();
    assert_eq!(about_it, 1, "{}", report.text());
    let complaint = report.complaint().expect("it is not clean");
    assert!(complaint.contains("check permissions and the kernel log for disk errors"), "{complaint}");
}

#[test]
fn damage_beside_something_unreadable_is_still_damage() {
    let directory = with_blocks();
    write(&journal_path(&shard_path(directory.path(), SHARD), FileIndex(1)), 0, &[1; UNIT_BYTES]);
    let report = verified(&directory, &[("journal-000", 4096)]);
    assert_eq!(report.verdict, Verdict::Damage);
    assert!(has(&report, Severity::Damage, "shard-0/journal-001", 0), "{}", report.text());
}

#[test]
fn an_interrupted_update_of_the_superblocks_is_a_note() {
    let directory = with_blocks();
    let next = stored_superblock(directory.path()).next_generation();
    write_superblock(directory.path(), Copy::A, &next);
    let report = verified(&directory, &[]);
    assert_eq!(report.verdict, Verdict::Clean, "{}", report.text());
    assert!(report.text().contains("note in shard-0/superblock-b: holds generation 2, the other copy 3"));
}

#[test]
fn copies_of_one_generation_that_differ_are_damage() {
    let directory = with_blocks();
    let mut other = stored_superblock(directory.path());
    other.clean = !other.clean;
    write_superblock(directory.path(), Copy::B, &other);
    let report = verified(&directory, &[]);
    assert_eq!(report.verdict, Verdict::Damage, "{}", report.text());
    assert!(report.text().contains("both copies claim generation 2 and differ"));
}

#[test]
fn a_block_that_contradicts_the_manifest_is_damage_at_its_place() {
    let directory = with_blocks_and(Some(&Entry::Control(Control::TopicLive(TopicId(5)))));
    let report = verified(&directory, &[]);
    assert!(has(&report, Severity::Damage, "shard-0/journal-000", 8192), "{}", report.text());
    assert!(
        report.text().contains("manifest 1 and journal contradict each other: journal block 3"),
        "{}",
        report.text()
    );
}

#[test]
fn a_batch_that_is_not_valid_is_damage_at_its_entry() {
    let partition = PartitionId { topic: TopicId(1), index: 0 };
    let batch = Bytes::from_static(b"not a batch");
    let directory = with_blocks_and(Some(&Entry::Batch { partition, append_time: Realtime(1), undecided: 0, batch }));
    let report = verified(&directory, &[]);
    assert!(has(&report, Severity::Damage, "shard-0/journal-000", 8192 + 128), "{}", report.text());
    assert!(report.text().contains("block 3: a record batch of partition 1/0 is not valid"), "{}", report.text());
}

#[test]
fn a_superblock_that_vouches_for_half_a_unit_is_damage_and_stops_nothing() {
    let directory = with_blocks();
    let mut superblock = stored_superblock(directory.path()).next_generation();
    superblock.files[0].confirmed_bytes = 4097;
    write_both(directory.path(), &superblock);
    assert_eq!(verified(&directory, &[]).verdict, Verdict::Damage);
}
