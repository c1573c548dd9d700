//! `florin dump`: the records of a partition from a directory that no server uses.
//!
//! It recovers as a start would, without writing anything, and shows what a server would serve: what is at rest, then
//! what only the journal holds.

mod find;
mod records;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use florin_engine::io::blocking::{BlockingDisk, block_on};
use florin_engine::io::fitness::DirectoryLock;
use florin_engine::model::Offset;
use florin_engine::partition::Partition;
use florin_engine::shard::open::read_identity;

use crate::cli::records::{DumpArguments, OutputFormat};
use crate::consume::lines::Lines;
use crate::directory::Directory;
use crate::{EXIT_CANNOT_TELL, EXIT_FAILED, output};
use find::Found;
use records::{Dump, Outcome};

/// Shows what is asked for.
pub fn run(arguments: &DumpArguments) -> Result<ExitCode> {
    if let (Some(from), Some(to)) = (arguments.from, arguments.to) {
        ensure!(from <= to, "--from {from} is behind --to {to}, so no record can be shown: swap them");
    }
    let path = &arguments.directory;
    check_is_ours(path)?;
    let _lock = DirectoryLock::take(path)?;
    let identity = block_on(read_identity(&BlockingDisk, path))?;
    let found = find::partition(&BlockingDisk, path, &identity, &arguments.topic, arguments.partition)?;
    let Found { topic, superblock, state, notes } = &found;
    notes.iter().for_each(|note| output::complain(note));
    let shard = superblock.name.shard;
    let index = arguments.partition;
    let partition = state.partitions.values().find(|partition| {
        let id = partition.id();
        id.topic == topic.id() && id.index == index
    });
    let partition = partition.with_context(|| {
        format!("shard {shard} has no partition {index} of topic {}: it is not opened yet, or deleted", topic.name())
    })?;
    let (from, end) = range(arguments, partition, topic.name())?;
    let format = if arguments.json { OutputFormat::Json } else { OutputFormat::Plain };
    let mut dump = Dump::new(&BlockingDisk, path, superblock, state, Lines::new(format, u64::MAX));
    Ok(match dump.partition(partition, from, end)? {
        Outcome::Complete => ExitCode::SUCCESS,
        Outcome::Damaged => ExitCode::from(EXIT_FAILED),
        Outcome::Unreadable => ExitCode::from(EXIT_CANNOT_TELL),
    })
}

/// A lock leaves a file behind: it is not taken in a directory that is not ours.
fn check_is_ours(path: &Path) -> Result<()> {
    let directory = block_on(Directory::read(&BlockingDisk, path));
    let directory = directory.context("give the path of a data directory that this user may read")?;
    ensure!(
        directory.identity().is_some(),
        "{} is not a data directory that a start would accept: no copy of its identity can be relied on, as `florin \
         inspect identity` shows",
        path.display()
    );
    Ok(())
}

/// The first offset to show and the one behind the last, of those that the partition has.
fn range(arguments: &DumpArguments, partition: &Partition, topic: &str) -> Result<(Offset, Offset)> {
    let (start, end) = (partition.start_offset(), partition.durable_offset());
    let index = arguments.partition;
    let cut =
        format!("partition {index} of topic {topic} begins at offset {start}: everything below was cut by retention");
    let last = arguments.to.map(|to| Offset(to.saturating_add(1)));
    let below_start = arguments.from.is_some_and(|from| from < start.0) || last.is_some_and(|last| last <= start);
    match arguments.from {
        _ if below_start && start.0 > 0 => bail!("{cut}; choose offsets from {start} to {end}, where it ends"),
        Some(from) if from > end.0 => {
            bail!(
                "partition {index} of topic {topic} has no offset {from}: choose one from {start} to {end}, where it ends"
            )
        }
        None if start.0 > 0 => output::complain(&cut),
        Some(_) | None => {}
    }
    let from = arguments.from.map_or(start, Offset);
    Ok((from, last.map_or(end, |last| last.min(end))))
}
