//! `florin verify`: reads every byte that matters and says what is wrong and where.

mod contents;
mod finding;
mod journal;
mod report;
mod segments;
mod shard;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use florin_engine::format::identity::{IDENTITY_BYTES, IDENTITY_FILE_BYTES};
use florin_engine::io::blocking::{BlockingDisk, block_on};
use florin_engine::io::fitness::{DirectoryLock, LockError};
use florin_engine::io::{Disk, DiskErrorKind};
use florin_engine::journal::create::LOCK_NAME;

use crate::cli::VerifyArguments;
use crate::directory::{Directory, IDENTITY_COPIES};
use crate::repair::QUARANTINE_NAME;
use crate::{EXIT_CANNOT_TELL, output};
pub use finding::Verdict;
use finding::{Finding, Severity, severity_of};
use report::Report;

const EXIT_DAMAGE: u8 = 1;
const IDENTITY_NAME: &str = "identity";

const CHECK_PATH: &str = "check the path, and that the right volume is mounted there, then verify again";
const RESTORE_IDENTITY: &str = "keep a copy of the directory as it is and remove nothing, check that the right volume \
     is mounted, and restore the file identity from a copy of this directory, then verify again";

/// Verifies a directory and prints the report.
pub fn run(arguments: &VerifyArguments) -> Result<ExitCode> {
    let look = &arguments.shards.look;
    let report = verify(&look.directory, arguments.shards.shard);
    if look.json {
        output::print_json(&report)?
    } else {
        output::print(&report.text())?
    }
    if let Some(complaint) = report.complaint() {
        output::complain(&complaint);
    }
    Ok(match report.verdict {
        Verdict::Clean => ExitCode::SUCCESS,
        Verdict::Damage => ExitCode::from(EXIT_DAMAGE),
        Verdict::CannotTell => ExitCode::from(EXIT_CANNOT_TELL),
    })
}

/// Takes the lock, if this is a data directory at all, and checks everything while holding it.
pub fn verify(path: &Path, only: Option<u16>) -> Report {
    let refuse = |finding: Finding| {
        let mut report = Report::new(path);
        report.findings.push(finding);
        report.concluded()
    };
    // A lock leaves a file behind: it is not taken in a directory that is not ours.
    match block_on(Directory::read(&BlockingDisk, path)) {
        Err(error) => {
            let finding = Finding::new(Severity::CannotTell, error.to_string());
            return refuse(match error.kind {
                DiskErrorKind::NotFound => finding.advised(CHECK_PATH),
                _ => finding.advised("check that this is a directory that this user may read, then verify again"),
            });
        }
        Ok(directory) => {
            if let Some(finding) = not_a_directory_of_ours(&directory) {
                return refuse(finding);
            }
        }
    }
    match DirectoryLock::take(path) {
        Err(error) => refuse(not_locked(&error)),
        Ok(_lock) => block_on(check(&BlockingDisk, path, only)),
    }
}

/// Why the lock could not be had.
fn not_locked(error: &LockError) -> Finding {
    let (what, advice) = match error {
        LockError::Held { process_id: Some(id), .. } => (
            format!("it is held by process {id}: only one process may use a data directory at a time"),
            format!("stop process {id} in order first, then verify again"),
        ),
        LockError::Held { process_id: None, .. } => (
            "it is held by another process: only one process may use a data directory at a time".to_owned(),
            "find out which process holds it (`fuser` names it), stop it in order first, then verify again".to_owned(),
        ),
        LockError::Failed { detail, .. } => (
            format!("it cannot be locked ({detail}): verify writes its process id there"),
            "let this user write the file lock, the only one that verify changes, or verify a copy that can be \
             written, then verify again"
                .to_owned(),
        ),
    };
    Finding::new(Severity::CannotTell, what).in_file(LOCK_NAME).advised(advice)
}

/// Why there is nothing to verify, if there is nothing.
fn not_a_directory_of_ours(directory: &Directory) -> Option<Finding> {
    let has = |wanted: &str| directory.names.iter().any(|name| name == wanted);
    if has(IDENTITY_NAME) {
        return None;
    }
    let (what, advice) = if has("identity.draft") {
        (
            "a format was begun here and not finished",
            "check that this is the directory that was meant; to begin anew, format another one",
        )
    } else if directory.shard_count > 0 {
        ("the identity is missing although there are shards", RESTORE_IDENTITY)
    } else {
        ("there is no identity: this is not a Florin data directory", CHECK_PATH)
    };
    Some(Finding::new(Severity::CannotTell, what).in_file(IDENTITY_NAME).advised(advice))
}

/// Checks a directory that nobody else uses.
async fn check<D: Disk>(disk: &D, path: &Path, only: Option<u16>) -> Report {
    let mut report = Report::new(path);
    let directory = match Directory::read(disk, path).await {
        Ok(directory) => directory,
        Err(error) => {
            report.findings.push(Finding::new(severity_of(&error), error.to_string()));
            return report.concluded();
        }
    };
    check_identity(&directory, &mut report);
    note_unknown_names(&directory, &mut report);
    report.directory_id = directory.directory_id.map(|id| id.to_string());
    let shards = directory.shards(only);
    if let Some(shard) = only.filter(|shard| *shard >= directory.shard_count) {
        let what = format!("there is no shard {shard}: {}", directory.shard_range());
        let finding = Finding::new(Severity::CannotTell, what);
        report.findings.push(finding.advised(format!("choose another --shard: {}", directory.shard_range())));
    } else if let Some(id) = directory.directory_id {
        for shard in shards {
            report.shards.push(shard::check(disk, &directory, id, shard).await);
        }
    }
    report.concluded()
}

fn check_identity(directory: &Directory, report: &mut Report) {
    let mut find = |finding: Finding| report.findings.push(finding.in_file(IDENTITY_NAME));
    match &directory.identity_bytes {
        Ok(bytes) if *bytes != IDENTITY_FILE_BYTES as u64 => {
            let what = format!("the file has {bytes} bytes, it was formatted with {IDENTITY_FILE_BYTES}");
            find(Finding::new(Severity::Damage, what));
        }
        Ok(_) => {}
        Err(error) if error.kind == DiskErrorKind::NotFound => {
            find(Finding::new(Severity::CannotTell, error.to_string()).advised(RESTORE_IDENTITY))
        }
        Err(error) => find(Finding::new(severity_of(error), error.to_string())),
    }
    for ((copy, name), at) in directory.copies.iter().zip(IDENTITY_COPIES).zip([0, IDENTITY_BYTES as u64]) {
        if let Some(finding) = Finding::of_copy(&format!("the {name} copy of the identity"), copy) {
            find(finding.at(at, IDENTITY_BYTES as u64));
        }
    }
    let present_count = directory.copies.iter().filter(|copy| copy.present().is_some()).count();
    if present_count > 0 && directory.identity().is_none() {
        find(Finding::new(Severity::Damage, "its copies are whole, but differ or name an impossible number of shards"));
    } else if directory.directory_id.is_none() {
        let what = "without an identity and superblocks the shards cannot be checked";
        find(Finding::new(Severity::CannotTell, what).advised(RESTORE_IDENTITY));
    }
}

/// Names that no part of Florin gives are harmless, but somebody put them there.
fn note_unknown_names(directory: &Directory, report: &mut Report) {
    let shards: Vec<_> = directory.shards(None).into_iter().map(|shard| directory.shard_path(shard)).collect();
    for name in &directory.names {
        let is_shard = shards.iter().any(|path| path.file_name().is_some_and(|wanted| wanted == name.as_str()));
        if !is_shard && name != IDENTITY_NAME && name != LOCK_NAME && name != QUARANTINE_NAME {
            report.findings.push(Finding::new(Severity::Note, "is nothing that belongs here").in_file(name));
        }
    }
}
