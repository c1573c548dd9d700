//! The command line: what can be asked, in the words of `--help`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use florin_engine::limits::{MANIFEST_BYTES_DEFAULT, RING_FILE_BYTES_DEFAULT, RING_FILE_COUNT_DEFAULT};

use crate::size::Size;

/// Makes, shows and checks the data directories of Florin, a durable log for payments.
///
/// A data directory is made once with `format`, served by a Florin server, looked into with `inspect`, and checked
/// byte by byte, while no server runs on it, with `verify`. Nothing here ever changes a directory that exists.
#[derive(Debug, Parser)]
#[command(name = "florin", version, after_help = AFTER_HELP, verbatim_doc_comment)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "\
Examples:
  florin format /var/lib/florin --shards 4
  florin inspect superblock /var/lib/florin
  florin inspect journal /var/lib/florin --shard 0 --entries --from 100 --to 120
  florin verify /var/lib/florin --json

Exit codes: format 0 made, 1 refused or failed; inspect 0 shown, 2 not everything could be shown;
verify 0 clean, 1 damage, 2 cannot tell. Wrong arguments give 2.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a new data directory.
    Format(FormatArguments),
    /// Show what is stored, item by item, with what is wrong with it.
    ///
    /// Only reads, takes no lock, and shows damaged directories as far as they can be read. While a server runs on
    /// the directory, what is shown is a moment's state and may not fit together.
    #[command(verbatim_doc_comment)]
    Inspect {
        /// What to show.
        #[command(subcommand)]
        what: InspectCommand,
    },
    /// Check every checksum, the chain of blocks and every record batch, and say what is wrong and where.
    ///
    /// Takes the directory's lock, so no server may be running on it. Exit code 0: clean (the torn remains of a last
    /// write that nobody was told about are a note, not damage). 1: damage. 2: cannot tell, because bytes could not
    /// be read, the directory is in use, has no identity or another format version. Damage outweighs not knowing.
    #[command(verbatim_doc_comment)]
    Verify(VerifyArguments),
}

/// What `format` is told.
#[derive(Debug, Args)]
#[command(after_help = "SIZE is a number of bytes, or a number with KiB, MiB or GiB: 67108864 and 64MiB are the same.")]
pub struct FormatArguments {
    /// The directory: absent or empty; its parent must exist.
    pub directory: PathBuf,
    /// Shards, fixed for ever; each needs its own journal. Default: one per usable core.
    #[arg(long, value_name = "N")]
    pub shards: Option<u16>,
    /// Files in the ring of each shard's journal.
    #[arg(long, value_name = "N", default_value_t = RING_FILE_COUNT_DEFAULT)]
    pub journal_files: u16,
    /// Size of each of these files. Together they bound what a shard holds and what a restart reads.
    #[arg(long, value_name = "SIZE", default_value_t = Size(RING_FILE_BYTES_DEFAULT))]
    pub journal_file_bytes: Size,
    /// Size of one copy of a manifest, the state of a shard at a checkpoint. Each shard has six.
    #[arg(long, value_name = "SIZE", default_value_t = Size(MANIFEST_BYTES_DEFAULT))]
    pub manifest_bytes: Size,
    /// Accept a file system that copies on write (btrfs, ZFS, overlayfs).
    #[arg(long)]
    pub allow_cow: bool,
    /// Accept a file system without O_DIRECT; the server must then be started with --no-direct as well.
    #[arg(long)]
    pub no_direct: bool,
}

/// What `inspect` shows.
#[derive(Debug, Subcommand)]
pub enum InspectCommand {
    /// Which directory this is: both copies of its identity.
    Identity(Look),
    /// Both superblock copies of each shard, which is in force, and the state of each journal file.
    Superblock(ShardLook),
    /// The manifest slots of each shard: topics, partitions, producers, reserved ids.
    Manifest(ShardLook),
    /// Every block of each shard's journal, and what recovery makes of it.
    Journal(JournalLook),
}

/// Where to look and how to show it.
#[derive(Clone, Debug, Args)]
pub struct Look {
    /// The data directory.
    pub directory: PathBuf,
    /// Print one JSON document instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Where to look, shard by shard.
#[derive(Clone, Debug, Args)]
pub struct ShardLook {
    /// Where and how.
    #[command(flatten)]
    pub look: Look,
    /// Only this shard.
    #[arg(long, value_name = "N")]
    pub shard: Option<u16>,
}

/// Which part of the journal to show.
#[derive(Clone, Debug, Args)]
pub struct JournalLook {
    /// Where and how.
    #[command(flatten)]
    pub shards: ShardLook,
    /// Only this file of the ring.
    #[arg(long, value_name = "N")]
    pub file: Option<u16>,
    /// Show each block's entries as well: what, which partition and offsets, when, how large.
    #[arg(long)]
    pub entries: bool,
    /// Only blocks with this sequence or a higher one.
    #[arg(long, value_name = "SEQ")]
    pub from: Option<u64>,
    /// Only blocks with this sequence or a lower one.
    #[arg(long, value_name = "SEQ")]
    pub to: Option<u64>,
}

/// What `verify` is told.
#[derive(Clone, Debug, Args)]
pub struct VerifyArguments {
    /// Where and how.
    #[command(flatten)]
    pub shards: ShardLook,
}
