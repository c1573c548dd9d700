//! The ring files of a shard: the confirmed part strictly, the tail by the rules of recovery, files that were never
//! used against what format wrote.

use std::collections::BTreeMap;

use florin_engine::checkpoint::slot;
use florin_engine::format::layout::journal_path;
use florin_engine::format::manifest::Manifest;
use florin_engine::format::superblock::{FileUse, Superblock};
use florin_engine::format::virgin;
use florin_engine::io::{Disk, DiskError, DiskErrorKind, DiskOperation, UNIT_BYTES};
use florin_engine::journal::decision::{Body, Header};
use florin_engine::journal::recovery::{CutUnit, Damage, Recovery, Told, Wrong, examine, later_laps};
use florin_engine::journal::scan::{FileImage, Found, read_file};
use florin_engine::model::{FileIndex, Position};

use super::finding::{Finding, Severity, severity_of};
use super::shard::{NotExamined, ShardReport};
use crate::directory::Directory;
use crate::inspect::first_held;

const UNIT: u64 = UNIT_BYTES as u64;

/// What a journal holds.
pub struct CheckedJournal {
    /// What recovery found; `None` if it could not be asked.
    pub recovery: Option<Recovery>,
    /// Whether everything was read and nothing is wrong, so that the blocks can be replayed.
    pub is_whole: bool,
}

/// A ring file's name for findings.
pub fn file_name(directory: &Directory, superblock: &Superblock, file: FileIndex) -> String {
    directory.relative(&journal_path(&directory.shard_path(superblock.name.shard), file))
}

/// Reads and checks every ring file.
pub async fn check<D: Disk>(
    disk: &D,
    directory: &Directory,
    superblock: &Superblock,
    manifest: Option<&Manifest>,
    report: &mut ShardReport,
) -> CheckedJournal {
    let shard_path = directory.shard_path(superblock.name.shard);
    let mut needed = Vec::new();
    let mut is_whole = true;
    let mut is_unknown = false;
    for (index, file) in superblock.geometry.files().zip(&superblock.files) {
        let name = file_name(directory, superblock, index);
        let image = match read_file(disk, &shard_path, index, superblock.geometry.file_bytes).await {
            Ok(image) => image,
            Err(error) => {
                let finding = finding_of_file(&error).in_file(&name);
                is_whole &= file.state == FileUse::Free;
                is_unknown |= finding.severity == Severity::CannotTell;
                report.find(finding);
                continue;
            }
        };
        report.checked.journal_file_count += 1;
        report.checked.journal_bytes += superblock.geometry.file_bytes;
        for position in &image.unreadable {
            let what = "the disk cannot read this, so nobody knows what it holds";
            report.find(Finding::new(Severity::CannotTell, what).in_file(&name).at(position.0, UNIT));
        }
        match file.state {
            FileUse::Free => check_free(&image, superblock, &name, report),
            FileUse::Open | FileUse::Sealed => {
                is_unknown |= !image.unreadable.is_empty();
                needed.push(image);
            }
        }
    }
    if let Some(finding) = impossible_end(directory, superblock) {
        report.find(finding);
        return CheckedJournal { recovery: None, is_whole: false };
    }
    let included = manifest.map_or_else(|| first_held(superblock), |manifest| manifest.sequence);
    let later = slot::later_manifests(disk, &shard_path, superblock).await;
    let mut recovery = examine(superblock, Told::by(included).and(later.sequence), &needed);
    let later = later_laps(disk, &shard_path, superblock).await;
    recovery.damage.splice(0..0, later.map(Damage::of_later_lap));
    let judge = Judge { directory, superblock, images: &needed, is_unknown };
    is_whole &= recovery.damage.is_empty();
    report.findings.extend(judge.findings(&recovery.damage));
    report.findings.extend(recovery.cuts.iter().map(|cut| judge.cut(cut)));
    note_sealed_remains(directory, superblock, &needed, report);
    CheckedJournal { recovery: Some(recovery), is_whole }
}

/// A file that is missing or of the wrong size is damage; one that cannot be opened is not known.
fn finding_of_file(error: &DiskError) -> Finding {
    let what = match error.kind {
        DiskErrorKind::NotFound => "the journal file is missing".to_owned(),
        DiskErrorKind::Short { asked_bytes, done_bytes } if error.operation == DiskOperation::Open => {
            format!("the journal file has {done_bytes} bytes, it was formatted with {asked_bytes}")
        }
        _ => error.to_string(),
    };
    Finding::new(severity_of(error), what)
}

/// A file of which the superblock vouches for parts of units was never described so by a writer.
fn impossible_end(directory: &Directory, superblock: &Superblock) -> Option<Finding> {
    let mut files = superblock.geometry.files().zip(&superblock.files);
    let (index, file) = files.find(|(_, file)| !file.confirmed_bytes.is_multiple_of(UNIT))?;
    let what =
        format!("the superblock says that {} bytes are confirmed, which is not whole units", file.confirmed_bytes);
    Some(Finding::new(Severity::Damage, what).in_file(&file_name(directory, superblock, index)))
}

/// A free file of lap 0 is as format left it; any other may hold anything.
fn check_free(image: &FileImage, superblock: &Superblock, name: &str, report: &mut ShardReport) {
    if superblock.files[usize::from(image.file.0)].lap.0 > 0 {
        let why = "the file is free: nothing in it is needed any more";
        report.not_examined.push(NotExamined { file: name.to_owned(), position: 0, why });
        return;
    }
    for (number, unit) in image.bytes.chunks(UNIT_BYTES).enumerate() {
        let position = Position((number * UNIT_BYTES) as u64);
        let is_unread = image.unreadable.binary_search(&position).is_ok();
        if !is_unread && !virgin::matches(unit, superblock.name.journal_id, image.file, position) {
            let what = "the file was never used, and this is not what format wrote";
            report.find(Finding::new(Severity::Damage, what).in_file(name).at(position.0, UNIT));
        }
    }
}

/// Behind the end of a sealed file stands what an earlier lap or a write that was cut off left.
fn note_sealed_remains(directory: &Directory, superblock: &Superblock, images: &[FileImage], report: &mut ShardReport) {
    for image in images {
        let file = &superblock.files[usize::from(image.file.0)];
        if file.state == FileUse::Sealed && file.confirmed_bytes < superblock.geometry.file_bytes {
            report.not_examined.push(NotExamined {
                file: file_name(directory, superblock, image.file),
                position: file.confirmed_bytes,
                why: "the file is sealed: it ends here",
            });
        }
    }
}

/// Turns what recovery says into findings.
struct Judge<'a> {
    directory: &'a Directory,
    superblock: &'a Superblock,
    images: &'a [FileImage],
    /// Something of the journal could not be read.
    is_unknown: bool,
}

impl Judge<'_> {
    /// A finding for each damage. What lies within the body of a block that is damaged as a whole is no finding of
    /// its own, and what could not be read was reported when it was read.
    fn findings(&self, damage: &[Damage]) -> Vec<Finding> {
        let mut covered_until: BTreeMap<FileIndex, Position> = BTreeMap::new();
        let mut findings = Vec::new();
        for damage in damage {
            let Some((file, position)) = damage.file.zip(damage.position) else {
                findings.push(self.without_place(damage));
                continue;
            };
            let covered = covered_until.entry(file).or_insert(position);
            if position < *covered {
                continue;
            }
            let found = self.look(file, position);
            let reach_bytes = found.as_ref().map_or(UNIT, |found| found.reach_bytes);
            *covered = position.plus(reach_bytes);
            let what = match (&damage.wrong, &found) {
                (_, Some(Found { header: Header::Unreadable, .. })) => continue,
                (_, Some(Found { body: Body::Unreadable, .. })) => "a part of this block cannot be read".to_owned(),
                (Wrong::Unit(harm), _) => harm.describe().to_owned(),
                (Wrong::Confirmed(what), _) => format!("confirmed block damaged: {what}"),
                (Wrong::File(_) | Wrong::Missing { .. }, _) => damage.to_string(),
            };
            let is_unread = found.is_some_and(|found| found.body == Body::Unreadable);
            let severity = if is_unread { Severity::CannotTell } else { Severity::Damage };
            findings.push(Finding::new(severity, what).in_file(&self.name(file)).at(position.0, reach_bytes));
        }
        findings
    }

    fn without_place(&self, damage: &Damage) -> Finding {
        // What seems to be gone may stand where the disk does not read.
        let is_lack = matches!(damage.wrong, Wrong::Missing { .. });
        let severity = if is_lack && self.is_unknown { Severity::CannotTell } else { Severity::Damage };
        let what = match &damage.wrong {
            Wrong::Confirmed(what) => what.clone(),
            Wrong::Unit(harm) => harm.describe().to_owned(),
            Wrong::File(error) => error.to_string(),
            Wrong::Missing { .. } => damage.to_string(),
        };
        let finding = Finding::new(severity, what);
        match damage.file {
            Some(file) => finding.in_file(&self.name(file)),
            None => finding.in_file(&self.directory.relative(&self.directory.shard_path(self.superblock.name.shard))),
        }
    }

    fn cut(&self, cut: &CutUnit) -> Finding {
        let what = match cut.sequence {
            Some(sequence) => {
                format!("block {sequence} looks like a last write that was interrupted: the next start cuts it off")
            }
            None => "looks like a last write that was interrupted: the next start cuts it off".to_owned(),
        };
        let reach_bytes = self.look(cut.file, cut.position).map_or(UNIT, |found| found.reach_bytes);
        Finding::new(Severity::Note, what).in_file(&self.name(cut.file)).at(cut.position.0, reach_bytes)
    }

    fn look(&self, file: FileIndex, position: Position) -> Option<Found> {
        let image = self.images.iter().find(|image| image.file == file)?;
        let lap = self.superblock.files[usize::from(file.0)].lap;
        Some(image.look(self.superblock.name, lap, position))
    }

    fn name(&self, file: FileIndex) -> String {
        file_name(self.directory, self.superblock, file)
    }
}
