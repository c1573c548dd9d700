//! `florin format`: makes a data directory.

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use florin_engine::checkpoint::slot;
use florin_engine::format::identity::IDENTITY_FILE_BYTES;
use florin_engine::format::layout::Geometry;
use florin_engine::format::superblock::SUPERBLOCK_BYTES;
use florin_engine::io::blocking::{BlockingDisk, block_on};
use florin_engine::io::fitness::{self, DirectIo, DirectoryLock};
use florin_engine::io::{Disk, DiskErrorKind};
use florin_engine::journal::create::{FormatError, FormatSettings, LOCK_NAME, format};
use florin_engine::limits::{MANIFEST_SLOT_COUNT, SHARD_COUNT_MAX};

use crate::cli::FormatArguments;
use crate::size::Size;
use crate::time::rfc3339;
use crate::{host, output};

/// What stood at the place before.
enum Place {
    Absent,
    /// Empty, or begun by a format: whoever formats it holds its lock.
    Lockable,
}

/// Makes the directory and prints what was made.
pub fn run(arguments: &FormatArguments) -> Result<ExitCode> {
    let directory = &arguments.directory;
    let geometry = Geometry {
        file_count: arguments.journal_files,
        file_bytes: arguments.journal_file_bytes.0,
        manifest_bytes: arguments.manifest_bytes.0,
    };
    let shard_count = arguments.shards.map_or_else(host::usable_core_count, Ok)?;
    check_settings(geometry, shard_count).context("nothing was made")?;
    let place = look_at(directory)?;
    let warnings = check_fitness(arguments, &place)?;
    if let Place::Absent = place {
        make_directory(directory)?;
    }
    let lock = DirectoryLock::take(directory)?;
    let settings = FormatSettings {
        directory_id: host::random_id()?,
        journal_ids: (0..shard_count).map(|_| host::random_id()).collect::<Result<_>>()?,
        geometry,
        created: host::realtime(),
    };
    block_on(format(&BlockingDisk, directory, &settings)).map_err(with_advice)?;
    drop(lock);
    output::print(&describe(directory, &settings, &warnings))?;
    Ok(ExitCode::SUCCESS)
}

/// Refuses impossible sizes before anything is touched.
fn check_settings(geometry: Geometry, shard_count: u16) -> Result<(), FormatError> {
    if !(1..=SHARD_COUNT_MAX).contains(&shard_count) {
        return Err(FormatError::ShardCount(shard_count.into()));
    }
    Ok(geometry.check()?)
}

/// Refuses a directory of somebody else before a lock file is put into it. What a format left there, or is just
/// making, is for the engine to refuse, once the lock is ours.
fn look_at(directory: &Path) -> Result<Place> {
    let names = match block_on(BlockingDisk.list(directory)) {
        Ok(names) => names,
        Err(error) if error.kind == DiskErrorKind::NotFound => return Ok(Place::Absent),
        Err(error) => return Err(error.into()),
    };
    let is_ours = names.iter().any(|name| name == "identity" || name == "identity.draft");
    match names.into_iter().find(|name| name != LOCK_NAME) {
        Some(name) if !is_ours => Err(FormatError::NotEmpty { path: directory.to_owned(), name }.into()),
        _ => Ok(Place::Lockable),
    }
}

/// Checks the file system of the directory, or of its parent while it is absent; returns warnings.
fn check_fitness(arguments: &FormatArguments, place: &Place) -> Result<Vec<String>> {
    let directory = &arguments.directory;
    let asked = match place {
        Place::Absent => {
            let parent = parent_of(directory);
            ensure!(
                parent.is_dir(),
                "{} is no directory: create it first, on the volume for the data",
                parent.display()
            );
            parent
        }
        Place::Lockable => directory,
    };
    let direct_io = if arguments.no_direct { DirectIo::Off } else { DirectIo::Required };
    let fitness = fitness::check(asked, fitness::Options { allow_cow: arguments.allow_cow, direct_io })?;
    Ok(fitness.warnings.iter().map(ToString::to_string).collect())
}

fn parent_of(directory: &Path) -> &Path {
    match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes the directory durably, so that it can be locked.
fn make_directory(directory: &Path) -> Result<()> {
    block_on(async {
        BlockingDisk.create_directory(directory).await?;
        BlockingDisk.sync_directory(parent_of(directory)).await
    })?;
    Ok(())
}

fn with_advice(error: FormatError) -> anyhow::Error {
    match error {
        FormatError::Disk(error) => anyhow::Error::new(error)
            .context("the directory is left unfinished: remove it, mend the cause and format again"),
        FormatError::AlreadyFormatted(_)
        | FormatError::Unfinished(_)
        | FormatError::NotEmpty { .. }
        | FormatError::ShardCount(_)
        | FormatError::Geometry(_)
        | FormatError::Manifest(_) => error.into(),
    }
}

fn describe(directory: &Path, settings: &FormatSettings, warnings: &[String]) -> String {
    let Geometry { file_count, file_bytes, manifest_bytes } = settings.geometry;
    let shard_count = settings.journal_ids.len();
    let shard_bytes = u64::from(file_count) * file_bytes
        + u64::from(MANIFEST_SLOT_COUNT) * slot::file_bytes(settings.geometry)
        + 2 * SUPERBLOCK_BYTES as u64;
    let total_bytes = shard_count as u64 * shard_bytes + IDENTITY_FILE_BYTES as u64;
    let mut text = String::new();
    let _ = writeln!(text, "formatted {}", directory.display());
    let _ = writeln!(text, "  directory id  {}", settings.directory_id);
    let _ = writeln!(text, "  created       {}", rfc3339(settings.created));
    let _ = writeln!(text, "  shards        {shard_count}");
    let _ = writeln!(text, "  journal       {file_count} files of {} per shard", Size(file_bytes));
    let copies = 2 * MANIFEST_SLOT_COUNT;
    let _ = writeln!(text, "  manifests     {copies} copies of {} per shard", Size(manifest_bytes));
    let _ = writeln!(
        text,
        "  on disk       {} ({total_bytes} bytes), all of it allocated now",
        Size(total_bytes).rounded()
    );
    for warning in warnings {
        let _ = writeln!(text, "  warning       {warning}");
    }
    text
}
