//! `florin inspect`: shows what is stored, item by item, with what is wrong with it. Only reads.
//!
//! What is seeded with a journal's secret id (checksums of blocks, the links of their chain) is never shown, and the
//! id itself even less: whoever knows it can make payload that parses as a block.

pub(crate) mod batch;
mod entries;
mod extent;
mod identity;
mod index;
mod journal;
mod manifest;
mod records;
mod ring_file;
mod segment;
mod superblock;

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use florin_engine::io::Disk;
use florin_engine::io::blocking::{BlockingDisk, block_on};
use florin_engine::journal::write::{self, SuperblockCopies};
use florin_engine::model::ShardId;
use serde::Serialize;

use crate::cli::{InspectCommand, Look, ShardLook};
use crate::directory::Directory;
use crate::{EXIT_CANNOT_TELL, output};

pub(crate) use journal::first_held;

/// A view of something stored, for people and as JSON.
trait View: Serialize {
    /// Writes the text for people.
    fn render(&self, out: &mut String);

    /// What could not be shown, and where.
    fn problem(&self) -> Option<String>;
}

/// What is shown of a directory, shard by shard.
#[derive(Debug, Serialize)]
struct DirectoryView<'a, V> {
    /// The data directory.
    directory: &'a Path,
    /// One view per shard.
    shards: Vec<V>,
}

/// Shows what was asked for.
pub fn run(what: &InspectCommand) -> Result<ExitCode> {
    match what {
        InspectCommand::Identity(look) => {
            let directory = read(look)?;
            show(&identity::view(&directory), look.json)
        }
        InspectCommand::Superblock(look) => {
            show_shards(look, async |directory, shard| superblock::view(&BlockingDisk, directory, shard).await)
        }
        InspectCommand::Manifest(look) => {
            show_shards(look, async |directory, shard| manifest::view(&BlockingDisk, directory, shard).await)
        }
        InspectCommand::Journal(look) => {
            if let (Some(from), Some(to)) = (look.from, look.to) {
                ensure!(from <= to, "--from {from} is behind --to {to}, so no block can be shown: swap them");
            }
            show_shards(&look.shards, async |directory, shard| {
                journal::view(&BlockingDisk, directory, shard, look).await
            })
        }
        InspectCommand::Segment(look) => segment::run(look),
        InspectCommand::Extent(look) => extent::run(look),
        InspectCommand::Index(look) => index::run(look),
    }
}

fn read(look: &Look) -> Result<Directory> {
    let directory = block_on(Directory::read(&BlockingDisk, &look.directory));
    directory.context("give the path of a data directory that this user may read")
}

fn show_shards<V: View>(look: &ShardLook, view: impl AsyncFn(&Directory, ShardId) -> V) -> Result<ExitCode> {
    let directory = read(&look.look)?;
    check_shard(&directory, look.shard)?;
    let shards = block_on(async {
        let mut shards = Vec::new();
        for shard in directory.shards(look.shard) {
            shards.push(view(&directory, shard).await);
        }
        shards
    });
    show(&DirectoryView { directory: &directory.path, shards }, look.look.json)
}

/// Reads a directory that must have this shard.
fn read_shard(look: &Look, shard: u16) -> Result<(Directory, ShardId)> {
    let directory = read(look)?;
    check_shard(&directory, Some(shard))?;
    Ok((directory, ShardId(shard)))
}

fn check_shard(directory: &Directory, shard: Option<u16>) -> Result<()> {
    let path = directory.path.display();
    let shard_count = directory.shard_count;
    ensure!(shard_count > 0, "{path} is not a Florin data directory: it has neither an identity nor shards");
    if let Some(shard) = shard {
        ensure!(shard < shard_count, "{path} has no shard {shard}: {}", directory.shard_range());
    }
    Ok(())
}

fn show(view: &impl View, json: bool) -> Result<ExitCode> {
    if json {
        output::print_json(view)?;
    } else {
        let mut text = String::new();
        view.render(&mut text);
        output::print(&text)?;
    }
    Ok(conclude(view.problem()))
}

/// Says what could not be shown, and ends accordingly.
fn conclude(problem: Option<String>) -> ExitCode {
    match problem {
        None => ExitCode::SUCCESS,
        Some(problem) => {
            output::complain(&problem);
            ExitCode::from(EXIT_CANNOT_TELL)
        }
    }
}

impl<V: View> View for DirectoryView<'_, V> {
    fn render(&self, out: &mut String) {
        for (number, shard) in self.shards.iter().enumerate() {
            if number > 0 {
                out.push('\n');
            }
            shard.render(out);
        }
    }

    fn problem(&self) -> Option<String> {
        self.shards.iter().find_map(View::problem)
    }
}

/// Reads a shard's superblocks under the directory's id, if that is known.
async fn read_superblocks<D: Disk>(
    disk: &D,
    directory: &Directory,
    shard: ShardId,
) -> Result<SuperblockCopies, String> {
    let id = directory.directory_id.ok_or("neither identity nor superblocks say which directory this is")?;
    Ok(write::read_superblocks(disk, &directory.shard_path(shard), id, shard).await)
}

/// Writes one line.
fn line(out: &mut String, text: &str) {
    let _ = writeln!(out, "{text}");
}
