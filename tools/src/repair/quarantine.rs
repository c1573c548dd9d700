//! Copies of what a repair gives up, kept in the data directory until somebody removes them.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use florin_engine::model::Realtime;
use rustix::fs::{Mode, OFlags};

use super::report::Report;
use crate::time::rfc3339;

/// The name of the folder that holds all quarantines of a directory.
pub const QUARANTINE_NAME: &str = "quarantine";
/// The name of the report in a quarantine.
const REPORT_NAME: &str = "report.json";

/// Where what was given up at this time is kept.
pub fn path(directory: &Path, accepted: Realtime) -> PathBuf {
    directory.join(QUARANTINE_NAME).join(rfc3339(accepted).replace(':', "-"))
}

/// The place as people name it, without the directory.
pub fn relative(directory: &Path, place: &Path) -> String {
    place.strip_prefix(directory).unwrap_or(place).display().to_string()
}

/// Copies files of the directory, each below its own path there, and makes the copies durable. One that is missing is
/// left out.
pub fn keep(directory: &Path, place: &Path, files: &[PathBuf]) -> Result<()> {
    make_folder(place)?;
    for file in files {
        let target = place.join(file.strip_prefix(directory).unwrap_or(file));
        if target.exists() {
            continue;
        }
        let parent = target.parent().expect("a file lies in a folder");
        make_folder(parent)?;
        match fs::copy(file, &target) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            copied => copied.with_context(|| format!("copy {} to {}", file.display(), target.display()))?,
        };
        sync(&target)?;
        sync(parent)?;
    }
    [Some(place), place.parent(), Some(directory)].into_iter().flatten().try_for_each(sync)
}

/// Makes a folder, and those above it, that only the server's user and group can look into.
fn make_folder(path: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o750).create(path);
    made.with_context(|| format!("make {}: remove or rename what stands there, or make room", path.display()))
}

/// Writes the report beside the copies, durably.
#[expect(clippy::disallowed_methods, reason = "a copy for people, not a file that the engine reads")]
pub fn write_report(place: &Path, report: &Report) -> Result<()> {
    let path = place.join(REPORT_NAME);
    let text = serde_json::to_string_pretty(report).context("the report cannot be put into JSON")?;
    fs::write(&path, text + "\n").with_context(|| format!("write {}", path.display()))?;
    let permissions = Permissions::from_mode(0o640);
    fs::set_permissions(&path, permissions).with_context(|| format!("protect {}", path.display()))?;
    sync(&path)?;
    sync(place)
}

fn sync(path: &Path) -> Result<()> {
    let opened = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    let synced = opened.and_then(rustix::fs::fsync);
    synced.with_context(|| format!("sync {}", path.display()))
}
