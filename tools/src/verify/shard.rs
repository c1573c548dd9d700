//! One shard: superblocks, manifests, journal, in the order in which a start would read them.

use florin_engine::checkpoint::slot::{self, ManifestCopy};
use florin_engine::format::layout::{Copy, manifest_path, superblock_path};
use florin_engine::format::manifest::Manifest;
use florin_engine::format::stored::Stored;
use florin_engine::format::superblock::{ManifestName, SUPERBLOCK_BYTES, Superblock};
use florin_engine::io::Disk;
use florin_engine::journal::write::{SuperblockCopies, read_superblocks};
use florin_engine::limits::MANIFEST_SLOT_COUNT;
use florin_engine::model::{Id128, ShardId};
use serde::Serialize;

use super::finding::{Finding, Severity, coalesce, severity_of, severity_of_copy};
use super::{contents, journal, segments};
use crate::directory::{Directory, file_bytes};
use crate::sections;

/// What was checked, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Superblock copies that are whole.
    pub superblock_copy_count: u64,
    /// Copies of named manifests that are whole.
    pub manifest_copy_count: u64,
    /// Sections that were decoded, in the manifest in force.
    pub section_count: u64,
    /// Journal files that were read from end to end.
    pub journal_file_count: u64,
    /// Bytes of these.
    pub journal_bytes: u64,
    /// Blocks that are whole and in order.
    pub block_count: u64,
    /// Bytes of these.
    pub block_bytes: u64,
    /// Their entries.
    pub entry_count: u64,
    /// Record batches among these.
    pub batch_count: u64,
    /// Records of these.
    pub record_count: u64,
    /// Bytes of these batches.
    pub batch_bytes: u64,
    /// Partitions whose offsets were followed from the manifest through the journal.
    pub partition_count: u64,
    /// Segment files that were read from end to end.
    pub segment_count: u64,
    /// Record batches at rest in these.
    pub stored_batch_count: u64,
    /// Bytes of these batches.
    pub stored_batch_bytes: u64,
    /// Idempotency keys at rest, those included that stand twice.
    pub stored_key_count: u64,
}

/// A part of a file that was read but not judged, because nothing in it is needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotExamined {
    /// The file, relative to the data directory.
    pub file: String,
    /// Where the part begins; it goes on to the end.
    pub position: u64,
    /// Why nothing in it is needed.
    pub why: &'static str,
}

/// What was found in a shard.
#[derive(Debug, Serialize)]
pub struct ShardReport {
    /// Which shard.
    pub shard: u16,
    /// What was checked.
    pub checked: Checked,
    /// What was not judged.
    pub not_examined: Vec<NotExamined>,
    /// What was found.
    pub findings: Vec<Finding>,
}

impl ShardReport {
    /// Adds a finding.
    pub fn find(&mut self, finding: Finding) {
        self.findings.push(finding);
    }
}

/// Checks everything of one shard.
pub async fn check<D: Disk>(disk: &D, directory: &Directory, id: Id128, shard: ShardId) -> ShardReport {
    let mut report =
        ShardReport { shard: shard.0, checked: Checked::default(), not_examined: Vec::new(), findings: Vec::new() };
    if let Some(superblock) = check_superblocks(disk, directory, id, shard, &mut report).await {
        let manifest = check_manifests(disk, directory, &superblock, &mut report).await;
        let journal = journal::check(disk, directory, &superblock.in_force, manifest.as_ref(), &mut report).await;
        let state = contents::check(directory, &superblock.in_force, manifest.as_ref(), &journal, &mut report);
        if let Some(state) = state {
            segments::check(disk, directory, &superblock.in_force, &state, &mut report).await;
        } else {
            let file = directory.relative(&directory.shard_path(shard).join("segment-*"));
            let why = "manifest or journal is damaged: which segment files hold what is not known; repair reads them";
            report.not_examined.push(NotExamined { file, position: 0, why });
        }
    }
    report.findings = coalesce(report.findings);
    report
}

/// The superblock in force and the other copy, if that is whole.
struct Superblocks {
    in_force: Superblock,
    other: Option<Superblock>,
}

async fn check_superblocks<D: Disk>(
    disk: &D,
    directory: &Directory,
    id: Id128,
    shard: ShardId,
    report: &mut ShardReport,
) -> Option<Superblocks> {
    let shard_path = directory.shard_path(shard);
    let copies = read_superblocks(disk, &shard_path, id, shard).await;
    for (copy, stored) in [(Copy::A, &copies.a), (Copy::B, &copies.b)] {
        let path = superblock_path(&shard_path, copy);
        let file = directory.relative(&path);
        match file_bytes(disk, &path).await {
            Ok(bytes) => check_size(bytes, SUPERBLOCK_BYTES as u64, &file, report),
            Err(error) => report.find(Finding::new(severity_of(&error), error.to_string()).in_file(&file)),
        }
        match Finding::of_copy("superblock copy", stored) {
            None => report.checked.superblock_copy_count += 1,
            Some(finding) => report.find(finding.in_file(&file).at(0, SUPERBLOCK_BYTES as u64)),
        }
    }
    compare_generations(&copies, directory, shard, report);
    match copies.choose() {
        Ok(chosen) => {
            let both = [copies.a, copies.b].into_iter().filter_map(|stored| match stored {
                Stored::Present(superblock) => Some(superblock),
                _ => None,
            });
            let other = both.into_iter().find(|copy| copy.generation != chosen.superblock.generation);
            Some(Superblocks { in_force: chosen.superblock, other })
        }
        Err(error) => {
            let unknown =
                [&copies.a, &copies.b].iter().any(|copy| severity_of_copy(copy) == Some(Severity::CannotTell));
            let severity = if unknown { Severity::CannotTell } else { Severity::Damage };
            let what = format!("{error}; without one, manifests and journal cannot be checked");
            report.find(Finding::new(severity, what).in_file(&directory.relative(&shard_path)));
            None
        }
    }
}

/// Every update writes one copy after the other: they are never more than one generation apart.
fn compare_generations(copies: &SuperblockCopies, directory: &Directory, shard: ShardId, report: &mut ShardReport) {
    let (Stored::Present(a), Stored::Present(b)) = (&copies.a, &copies.b) else { return };
    let older = if a.generation < b.generation { Copy::A } else { Copy::B };
    let file = directory.relative(&superblock_path(&directory.shard_path(shard), older));
    let (low, high) = (a.generation.min(b.generation), a.generation.max(b.generation));
    match high - low {
        0 => {}
        1 => {
            let what =
                format!("holds generation {low}, the other copy {high}: an update was interrupted, the newer counts");
            report.find(Finding::new(Severity::Note, what).in_file(&file));
        }
        _ => {
            let what =
                format!("holds generation {low}, the other copy {high}: a write that was reported durable is lost");
            report.find(Finding::new(Severity::Damage, what).in_file(&file).at(0, SUPERBLOCK_BYTES as u64));
        }
    }
}

fn check_size(found: u64, expected: u64, file: &str, report: &mut ShardReport) {
    if found != expected {
        let what = format!("the file has {found} bytes, it was formatted with {expected}");
        report.find(Finding::new(Severity::Damage, what).in_file(file));
    }
}

/// Checks every slot; returns the manifest in force, if a copy of it is whole and every section can be read.
async fn check_manifests<D: Disk>(
    disk: &D,
    directory: &Directory,
    superblocks: &Superblocks,
    report: &mut ShardReport,
) -> Option<Manifest> {
    let superblock = &superblocks.in_force;
    let shard_path = directory.shard_path(superblock.name.shard);
    let also_named = superblocks.other.as_ref().map(|other| other.manifest);
    let also_named = also_named.filter(|name| name.slot != superblock.manifest.slot);
    let mut in_force = None;
    for number in 0..MANIFEST_SLOT_COUNT {
        let path = manifest_path(&shard_path, number);
        let file = directory.relative(&path);
        match file_bytes(disk, &path).await {
            Ok(bytes) => check_size(bytes, slot::file_bytes(superblock.geometry), &file, report),
            Err(error) => report.find(Finding::new(severity_of(&error), error.to_string()).in_file(&file)),
        }
        let copies = slot::read_copies(disk, &shard_path, superblock, number).await;
        let named = [Some(superblock.manifest), also_named].into_iter().flatten().find(|name| name.slot == number);
        let slot = Slot { file, named, superblock };
        for (copy, position) in copies.into_iter().zip(slot::copy_positions(superblock.geometry)) {
            if let Some(manifest) = slot.check_copy(copy, position.0, report)
                && number == superblock.manifest.slot
            {
                in_force = Some(manifest);
            }
        }
    }
    in_force.filter(|manifest| check_sections(manifest, directory, superblock, report))
}

/// A manifest slot and what should be in it.
struct Slot<'a> {
    file: String,
    named: Option<ManifestName>,
    superblock: &'a Superblock,
}

impl Slot<'_> {
    /// Checks one copy; returns it if it is the one that a superblock names.
    fn check_copy(&self, copy: ManifestCopy, position: u64, report: &mut ShardReport) -> Option<Manifest> {
        let problem = copy.stored.problem().unwrap_or_default();
        let place =
            |finding: Finding| finding.in_file(&self.file).at(position, self.superblock.geometry.manifest_bytes);
        let Some(name) = self.named else {
            match &copy.stored {
                Stored::Present(_) | Stored::Absent => {}
                Stored::Unreadable(error) if severity_of(error) == Severity::CannotTell => {
                    report.find(place(Finding::new(Severity::CannotTell, problem)));
                }
                Stored::Damaged(_) | Stored::OtherVersion(_) | Stored::Unreadable(_) => {
                    let what = format!("{problem}; no superblock names this slot, the next checkpoint overwrites it");
                    report.find(place(Finding::new(Severity::Note, what)));
                }
            }
            return None;
        };
        if let Some(finding) = Finding::of_copy(&format!("copy of manifest {}", name.generation), &copy.stored) {
            report.find(place(finding));
            return None;
        }
        let Stored::Present(manifest) = copy.stored else { return None };
        if manifest.generation != name.generation || copy.checksum != Some(name.checksum) {
            let (found, named) = (manifest.generation, name.generation);
            let what = format!("holds another manifest ({found}) than the superblock names ({named})");
            report.find(place(Finding::new(Severity::Damage, what)));
            return None;
        }
        report.checked.manifest_copy_count += 1;
        Some(manifest)
    }
}

fn check_sections(
    manifest: &Manifest,
    directory: &Directory,
    superblock: &Superblock,
    report: &mut ShardReport,
) -> bool {
    let path = manifest_path(&directory.shard_path(superblock.name.shard), superblock.manifest.slot);
    let file = directory.relative(&path);
    let mut all = true;
    for (section, decoded) in manifest.sections.iter().zip(sections::decode(manifest, directory.shard_count)) {
        match decoded {
            Ok(_) => report.checked.section_count += 1,
            Err(problem) => {
                all = false;
                let what = format!("section {} of both copies: {problem}", sections::module_word(section.module));
                report.find(Finding::new(Severity::Damage, what).in_file(&file));
            }
        }
    }
    all
}
