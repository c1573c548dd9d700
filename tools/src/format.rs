//! `florin format`: makes a data directory.

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use florin_engine::checkpoint::slot;
use florin_engine::format::identity::IDENTITY_FILE_BYTES;
use florin_engine::format::layout::Geometry;
use florin_engine::format::superblock::SUPERBLOCK_BYTES;
use florin_engine::io::fitness::Warning;
use florin_engine::journal::create::{FormatError, FormatSettings};
use florin_engine::limits::MANIFEST_SLOT_COUNT;
use florin_engine::shard::directory::{DirectoryError, make};

use crate::cli::FormatArguments;
use crate::output;
use crate::size::Size;
use crate::time::rfc3339;

/// Makes the directory and prints what was made.
pub fn run(arguments: &FormatArguments) -> Result<ExitCode> {
    let settings = arguments.settings.in_force().for_directory()?;
    let made = make(&arguments.directory, &settings).map_err(with_advice)?;
    output::print(&describe(&arguments.directory, &made.settings, &made.warnings))?;
    Ok(ExitCode::SUCCESS)
}

fn with_advice(error: DirectoryError) -> anyhow::Error {
    match error {
        DirectoryError::Format(FormatError::Disk(error)) => anyhow::Error::new(error)
            .context("the directory is left unfinished: remove it, mend the cause and format again"),
        DirectoryError::Format(error @ (FormatError::ShardCount(_) | FormatError::Geometry(_))) => {
            anyhow::Error::new(error).context("nothing was made")
        }
        error => error.into(),
    }
}

fn describe(directory: &Path, settings: &FormatSettings, warnings: &[Warning]) -> String {
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
