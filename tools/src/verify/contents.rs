//! What the blocks say: every entry, every record batch, and whether manifest and journal tell the same story.

use florin_engine::format::batch::{self, BatchError};
use florin_engine::format::block::BLOCK_HEADER_BYTES;
use florin_engine::format::control::{Entry, EntryWalk};
use florin_engine::format::manifest::Manifest;
use florin_engine::format::superblock::Superblock;
use florin_engine::io::UNIT_BYTES;
use florin_engine::journal::recovery::RecoveredBlock;
use florin_engine::shard::replay::{ShardState, replay};

use super::finding::{Finding, Severity};
use super::journal::{CheckedJournal, file_name};
use super::shard::ShardReport;
use crate::directory::Directory;

/// Decodes every accepted block; replays them behind the manifest if nothing is wrong with either, and returns the
/// state that this gives.
pub fn check(
    directory: &Directory,
    superblock: &Superblock,
    manifest: Option<&Manifest>,
    journal: &CheckedJournal,
    report: &mut ShardReport,
) -> Option<ShardState> {
    let recovery = journal.recovery.as_ref()?;
    let mut all_decoded = true;
    for block in &recovery.blocks {
        report.checked.block_count += 1;
        report.checked.block_bytes += block.bytes.len() as u64;
        let name = file_name(directory, superblock, block.file);
        all_decoded &= check_block(block, superblock, &name, report);
    }
    match manifest {
        Some(manifest) if journal.is_whole && all_decoded => {
            check_replay(directory, superblock, manifest, &recovery.blocks, report)
        }
        _ => {
            let what = "manifest and journal were not held against each other, because one of them is not whole";
            let shard_path = directory.shard_path(superblock.name.shard);
            report.find(Finding::new(Severity::Note, what).in_file(&directory.relative(&shard_path)));
            None
        }
    }
}

/// Checks the entries of a block; returns whether all are sound.
fn check_block(block: &RecoveredBlock, superblock: &Superblock, name: &str, report: &mut ShardReport) -> bool {
    let payload_position = block.position.0 + BLOCK_HEADER_BYTES as u64;
    let batch_bytes_max = superblock.geometry.batch_bytes_max();
    let mut entry_position = payload_position;
    let mut is_sound = true;
    for entry in EntryWalk::new(block.payload(), block.entry_count) {
        let (entry_bytes, problem) = match &entry {
            Err(error) => (0, Some(error.to_string())),
            Ok(entry) => (entry.encoded_bytes() as u64, check_entry(entry, batch_bytes_max, report)),
        };
        if let Some(problem) = problem {
            is_sound = false;
            let what = format!("block {}: {problem}", block.sequence);
            let finding = Finding::new(Severity::Damage, what).in_file(name);
            report.find(Finding { position: Some(entry_position), ..finding });
        }
        entry_position += entry_bytes;
    }
    is_sound
}

/// Counts an entry; returns what is wrong with it.
fn check_entry(entry: &Entry, batch_bytes_max: usize, report: &mut ShardReport) -> Option<String> {
    report.checked.entry_count += 1;
    let Entry::Batch { partition, batch: bytes, .. } = entry else { return None };
    let within = bytes.len() <= batch_bytes_max;
    let too_large = BatchError::TooLarge { bytes: bytes.len(), bytes_max: batch_bytes_max };
    match batch::validate_stored(bytes).and_then(|stored| if within { Ok(stored) } else { Err(too_large) }) {
        Ok(stored) => {
            report.checked.batch_count += 1;
            report.checked.record_count += u64::from(stored.record_count());
            report.checked.batch_bytes += bytes.len() as u64;
            None
        }
        Err(error) => Some(format!("a record batch of partition {partition} is not valid: {error}")),
    }
}

fn check_replay(
    directory: &Directory,
    superblock: &Superblock,
    manifest: &Manifest,
    blocks: &[RecoveredBlock],
    report: &mut ShardReport,
) -> Option<ShardState> {
    let shard = superblock.name.shard;
    let error = match replay(superblock.name, directory.shard_count, manifest, blocks) {
        Ok(state) => {
            report.checked.partition_count = state.partitions.len() as u64;
            return Some(state);
        }
        Err(error) => error,
    };
    let block = error.sequence.and_then(|sequence| blocks.iter().find(|block| block.sequence == sequence));
    let what = format!("manifest {} and journal contradict each other: {error}", manifest.generation);
    let finding = Finding::new(Severity::Damage, what);
    report.find(match block {
        Some(block) => {
            let whole_bytes = block.bytes.len().next_multiple_of(UNIT_BYTES) as u64;
            finding.in_file(&file_name(directory, superblock, block.file)).at(block.position.0, whole_bytes)
        }
        None => finding.in_file(&directory.relative(&directory.shard_path(shard))),
    });
    None
}
