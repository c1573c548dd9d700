//! The command line: what can be asked, in the words of `--help`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};

use crate::settings::flags::FormatFlags;
use keys::KeyCommand;
use network::{ClockCommand, ShardCommand, TopicCommand};
use records::{
    CONSUME_HELP, ConsumeArguments, DUMP_HELP, DemoArguments, DumpArguments, PRODUCE_HELP, ProduceArguments,
};
use transactions::{GroupCommand, TxnCommand};

pub mod keys;
pub mod network;
pub mod records;
mod serve;
pub mod transactions;

pub use serve::ServeArguments;

/// Florin, a durable log for payments: the server, and the tools for it, its topics, records and data directories.
///
/// `serve` makes a data directory if there is none and serves it. `topic`, `key`, `txn`, `group`, `shard`, `clock`,
/// `produce` and `consume` ask a running server, found with --server or FLORIN_SERVER. `demo` needs nothing: it captures
/// real payments with a server of its own, and checks every one of them.
///
/// Without a server a directory is made with `format`, looked into with `inspect`, which writes nothing, and checked
/// byte by byte, while no process uses it, with `verify`, which writes nothing but the file `lock`. `dump` shows the
/// records in it, in the same way. `disk-check` says whether a disk is fit for one.
#[derive(Debug, Parser)]
#[command(name = "florin", version, after_help = AFTER_HELP, verbatim_doc_comment)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "\
Examples:
  florin demo
  florin disk-check /var/lib
  florin serve /var/lib/florin --listen 0.0.0.0:7878
  florin format /var/lib/florin --shards 4
  florin topic create payments --partitions 32
  florin produce payments purchases.txt --key-column 1 --skip-header
  florin consume payments --from -10m --format json
  florin txn list --partition payments:3
  florin inspect journal /var/lib/florin --shard 0 --entries --from 100 --to 120
  florin inspect segment /var/lib/florin --shard 0 --segment 7
  florin verify /var/lib/florin --json
  florin dump /var/lib/florin payments --partition 3 --json

Exit codes: inspect 0 shown, 2 something could not be shown; verify 0 clean, 1 damage, 2 cannot tell; dump 0 all shown,
1 damage was skipped, 2 nothing can be shown or the disk did not give something; repair 0 sound or repaired, 1 damage
and nothing changed, 2 cannot be repaired; disk-check 0 fit, 1 unfit, 2 cannot tell; all others 0 done, 1 refused or failed, 2 it may have been done or not. Wrong arguments give 2.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a new data directory.
    Format(FormatArguments),
    /// Serve a data directory until SIGTERM or SIGINT
    ///
    /// Makes the directory if it is absent or empty. Listens on a port per shard; a client may connect to any of them.
    /// Damage in a shard stops that shard only, and is named in the log.
    #[command(verbatim_doc_comment)]
    Serve(ServeArguments),
    /// Show what is stored, item by item, with what is wrong with it
    ///
    /// Only reads, takes no lock, and shows damaged directories as far as they can be read. While a process uses the
    /// directory, what is shown is a moment's state and may not fit together. Exit code 0: shown, with whatever is
    /// damaged. 2: something could not be shown, and everything else was: no identity, superblock or manifest can be
    /// used, a journal or segment file is missing or cannot be read.
    ///
    /// With --deep it shows what clients stored: the beginning of keys, values and headers. Without it, no payload.
    #[command(verbatim_doc_comment)]
    Inspect {
        /// What to show.
        #[command(subcommand)]
        what: InspectCommand,
    },
    /// Check every checksum, the chain of blocks and every record batch, and say what is wrong and where
    ///
    /// Takes the directory's lock, so no process may be using it, and changes nothing but the file `lock`, which this
    /// user must be able to write: a read-only copy gives 2. Exit code 0: clean, perhaps with notes. 1: damage.
    /// 2: cannot tell, because bytes could not be read, the directory is absent, in use, cannot be locked, has no
    /// identity or another format version. Damage outweighs not knowing.
    ///
    /// The torn remains of a last write are a note, because a crash leaves the same. A last block that was durable,
    /// and is damaged or lost afterwards, looks like a torn tail if nothing later confirms it: then verify finds no
    /// damage either.
    #[command(verbatim_doc_comment)]
    Verify(VerifyArguments),
    /// Say what a damaged directory has lost, and with --accept-loss make it open again around that
    ///
    /// Takes the directory's lock, so no process may be using it. Without --accept-loss nothing is changed: what is
    /// damaged is listed, with the offsets of each partition that are lost for good. With it, everything damaged or
    /// written over is copied to the folder `quarantine` in the directory, and each damaged shard then opens again:
    /// lost offsets become gaps, which readers are told of and which are never given out again, and everything else is
    /// where it was. Exit code 0: nothing is damaged, or all of it was repaired. 1: damage, and nothing was changed.
    /// 2: something cannot be repaired, or it cannot be told.
    #[command(verbatim_doc_comment)]
    Repair(RepairArguments),
    /// Check whether a disk and its file system are fit for a data directory
    ///
    /// Asks the file system, the kernel and the block device, and measures durable writes. It works in a directory of its
    /// own below DIR, which it removes, and touches nothing else; DIR need not be a data directory. Other use of the disk
    /// shows in what it measures. Exit code 0: fit, perhaps with warnings. 1: unfit. 2: cannot tell.
    #[command(verbatim_doc_comment, after_help = DISK_CHECK_HELP)]
    DiskCheck(DiskCheckArguments),
    /// Create, alter, list, describe and delete topics.
    Topic {
        /// What to do.
        #[command(subcommand)]
        what: TopicCommand,
    },
    /// Look up the idempotency keys of a topic.
    Key {
        /// What to do.
        #[command(subcommand)]
        what: KeyCommand,
    },
    /// Look at transactions, and abort one that holds readers back.
    Txn {
        /// What to do.
        #[command(subcommand)]
        what: TxnCommand,
    },
    /// See how far consumer groups have come.
    Group {
        /// What to do.
        #[command(subcommand)]
        what: GroupCommand,
    },
    /// Show how the shards of a server are doing.
    Shard {
        /// What to do.
        #[command(subcommand)]
        what: ShardCommand,
    },
    /// Confirm the wall clock of a server after it jumped.
    Clock {
        /// What to do.
        #[command(subcommand)]
        what: ClockCommand,
    },
    /// Store lines as records of a topic, and account for every one of them
    ///
    /// A record counts as stored when the server has acknowledged it: then it is on stable storage. After the first
    /// record that is not stored, or not known to be, nothing more is read, what is under way is waited for, and all
    /// lines without a receipt are named: refused, never sent, or OUTCOME UNKNOWN. The server recognises what this
    /// command sends again by itself after a broken connection.
    #[command(verbatim_doc_comment, after_help = PRODUCE_HELP)]
    Produce(ProduceArguments),
    /// Show the records of a topic, one line each
    ///
    /// Each partition is shown in its order; between partitions there is none. Without --follow it ends where each
    /// partition ended when it began.
    #[command(verbatim_doc_comment, after_help = CONSUME_HELP)]
    Consume(ConsumeArguments),
    /// Show the records of a partition from a directory that no server uses
    ///
    /// Takes the directory's lock, recovers as a start would, and prints the same lines as `consume`. It changes nothing
    /// but the file `lock`. What is damaged is skipped, and named with its offsets on standard error.
    #[command(verbatim_doc_comment, after_help = DUMP_HELP)]
    Dump(DumpArguments),
    /// Capture 69,659 real payments with a server of its own, restart it, and check every one of them
    ///
    /// Makes a data directory in the directory for temporary files, or below the current one if that is in memory;
    /// starts a server on it; captures every payment as a record and a batch of its own, acknowledged when it is on
    /// stable storage, while journals go round and payments are taken to segment files; stops the server, starts it again
    /// and reads everything back. No payment may be missing, doubled or changed, each customer's must be in order, and
    /// every record must be at the offset its acknowledgement named.
    ///
    /// Then retention cuts the topic: what is left must be exactly the end of what each partition held, what was cut and
    /// what is left must add up, in payments and in cents, and one more restart must change nothing. In the end
    /// `florin verify` must find the directory clean. It takes some seconds; with few --payments nothing may go to rest or
    /// be cut, which it says.
    /// Exit code 0: all of that holds. 1: something differs, or it could not be run to its end.
    #[command(verbatim_doc_comment)]
    Demo(DemoArguments),
}

/// What `format` is told.
#[derive(Debug, Args)]
#[command(after_help = "SIZE is a number of bytes, or a number with KiB, MiB or GiB: 67108864 and 64MiB are the same.")]
pub struct FormatArguments {
    /// The directory: absent or empty; its parent must exist.
    pub directory: PathBuf,
    /// What it shall be.
    #[command(flatten)]
    pub settings: FormatFlags,
}

const DISK_CHECK_HELP: &str = "\
A warning is to be known, and no hindrance: a file system that nobody measured, a device that says nothing of its cache, a
slow or implausibly fast one. What is unfit would be refused by format or serve, or would lose what is acknowledged.

Examples:
  florin disk-check /var/lib
  florin disk-check /mnt/journal --seconds 30 --json";

/// What `disk-check` is told.
#[derive(Clone, Debug, Args)]
pub struct DiskCheckArguments {
    /// An existing directory on the disk.
    pub directory: PathBuf,
    /// How long to measure each of two ways of writing.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub seconds: u64,
    /// Accept a file system that copies on write, as `format --allow-cow` does.
    #[arg(long)]
    pub allow_cow: bool,
    /// Accept a file system without O_DIRECT, as `format --no-direct` does.
    #[arg(long)]
    pub no_direct: bool,
    /// Print one JSON document instead of text.
    #[arg(long)]
    pub json: bool,
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
    /// The segment files of a shard, or every extent of one of them
    ///
    /// Without --segment every segment file that the manifest names or that is there, by the headers of its extents: an
    /// orphan is one that no manifest in force names. With it every extent of one file, and every checksum in it; with
    /// --deep every batch and record as well.
    #[command(verbatim_doc_comment)]
    Segment(SegmentLook),
    /// One extent of a segment file: header, table, and which of its checksums is right.
    Extent(ExtentLook),
    /// The index of a segment file: each entry, and whether the header at its place agrees.
    Index(IndexLook),
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
    #[arg(long, value_name = "N", value_parser = number::<u16>)]
    pub shard: Option<u16>,
}

/// Which part of the journal to show.
#[derive(Clone, Debug, Args)]
pub struct JournalLook {
    /// Where and how.
    #[command(flatten)]
    pub shards: ShardLook,
    /// Only this file of the ring.
    #[arg(long, value_name = "N", value_parser = number::<u16>)]
    pub file: Option<u16>,
    /// Show each block's entries as well: what, which partition and offsets, when, how large.
    #[arg(long)]
    pub entries: bool,
    /// Show the records of each batch as well, with the beginning of keys, values and headers. All that is shown is
    /// gathered in memory first: choose blocks with --from and --to.
    #[arg(long, verbatim_doc_comment)]
    pub deep: bool,
    /// Only blocks with this sequence or a higher one.
    #[arg(long, value_name = "SEQ", value_parser = number::<u64>)]
    pub from: Option<u64>,
    /// Only blocks with this sequence or a lower one.
    #[arg(long, value_name = "SEQ", value_parser = number::<u64>)]
    pub to: Option<u64>,
}

/// Which segment files to show.
#[derive(Clone, Debug, Args)]
pub struct SegmentLook {
    /// Where and how.
    #[command(flatten)]
    pub look: Look,
    /// The shard.
    #[arg(long, value_name = "N", value_parser = number::<u16>)]
    pub shard: u16,
    /// Only this file, with every extent of it.
    #[arg(long, value_name = "ID", value_parser = number::<u64>)]
    pub segment: Option<u64>,
    /// Show batches and records as well, with the beginning of keys, values and headers.
    #[arg(long, requires = "segment")]
    pub deep: bool,
}

/// Which extent to show.
#[derive(Clone, Debug, Args)]
pub struct ExtentLook {
    /// Where and how.
    #[command(flatten)]
    pub look: Look,
    /// The shard.
    #[arg(long, value_name = "N", value_parser = number::<u16>)]
    pub shard: u16,
    /// The segment file.
    #[arg(long, value_name = "ID", value_parser = number::<u64>)]
    pub segment: u64,
    /// Where the extent begins in it.
    #[arg(long, value_name = "BYTES", value_parser = number::<u64>)]
    pub position: u64,
    /// Show records as well, with the beginning of keys, values and headers.
    #[arg(long)]
    pub deep: bool,
}

/// Which index to show.
#[derive(Clone, Debug, Args)]
pub struct IndexLook {
    /// Where and how.
    #[command(flatten)]
    pub look: Look,
    /// The shard.
    #[arg(long, value_name = "N", value_parser = number::<u16>)]
    pub shard: u16,
    /// The segment file.
    #[arg(long, value_name = "ID", value_parser = number::<u64>)]
    pub segment: u64,
}

/// What `verify` is told.
#[derive(Clone, Debug, Args)]
pub struct VerifyArguments {
    /// Where and how.
    #[command(flatten)]
    pub shards: ShardLook,
}

/// What `repair` is told.
#[derive(Clone, Debug, Args)]
pub struct RepairArguments {
    /// Where and how.
    #[command(flatten)]
    pub shards: ShardLook,
    /// Give up what is lost, for good.
    #[arg(long)]
    pub accept_loss: bool,
}

fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("write a whole number of at most {} bits, such as 0", 8 * size_of::<T>()))
}
