//! The command line: what can be measured, in the words of `--help`.

mod instructions;
mod load;
mod long;
mod reading;
mod shared;
mod verify;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::bare::Bare;

pub use instructions::{Captured, InstructionsArguments, StateCoreArguments};
pub use load::CaptureArguments;
pub use long::{
    IdleArguments, KeysArguments, PartitionsArguments, RecoverArguments, RecoverPoint, SustainedArguments,
    TransactionsArguments,
};
pub use reading::{CatchupArguments, E2eArguments, FanoutArguments, MixedArguments, points};
pub use shared::{OutputArguments, OwnServerArguments, TargetArguments, seconds, size};
pub use verify::CrashVerifyArguments;

/// Measures Florin, a durable log for payments, on this machine.
#[derive(Debug, Parser)]
#[command(name = "florin-bench", version, after_help = AFTER_HELP)]
pub struct Cli {
    /// What to measure.
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "\
Examples:
  florin-bench floor --directory /var/lib --core 1 --peer-core 0
  florin-bench capture --connections 1,8,32 --server-core 1 --client-core 0 --floor
  florin-bench capture --rate 20000 --connections 64 --html capture.html
  florin-bench capture --server 127.0.0.1:7878 --json
  florin-bench e2e --connections 8 --rate 20000
  florin-bench fanout --consumers 1,16 --rate 5000
  florin-bench catchup --bytes 4GiB --readers 1,4
  florin-bench mixed --connections 32 --readers 8
  florin-bench partitions --partitions 10,10000 --rate 20000
  florin-bench transactions --producers 1,32 --batches 1,4
  florin-bench sustained --retention-bytes 2GiB
  florin-bench recover --points full_ring,half_ring_small --rounds 5
  florin-bench idle --connections 1000
  florin-bench crash-verify --data /var/lib --report report.md

Exit codes: 0 measured or nothing broken, 1 stopped with a reason, 2 wrong arguments.";

/// The measurements.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// What disk and loopback give without Florin
    Floor(FloorArguments),
    /// Produce requests: what a client waits for, and what a record costs the server
    Capture(CaptureArguments),
    /// Produce requests and consumers: from when a record is sent until it was read
    E2e(E2eArguments),
    /// Many consumers of the same records: what a delivery takes, and costs the server
    Fanout(FanoutArguments),
    /// Old records, which lie in segment files: how fast they are read
    Catchup(CatchupArguments),
    /// Produce requests alone, and beside readers of old records
    Mixed(MixedArguments),
    /// The same load over few and over many partitions, while checkpoints are taken
    Partitions(PartitionsArguments),
    /// A topic with very many idempotency keys in its window, against a plain one
    Keys(KeysArguments),
    /// Idempotent producers with transactions, against the same without
    Transactions(TransactionsArguments),
    /// Instructions of a capture, with a producer's stamp against without; needs valgrind
    Instructions(InstructionsArguments),
    /// A shard without a network, for what counts its instructions
    #[command(hide = true)]
    StateCore(StateCoreArguments),
    /// As much as goes in for a long time, with retention, through checkpoints
    Sustained(SustainedArguments),
    /// How long a start takes after a crash and after a stop
    Recover(RecoverArguments),
    /// What a server takes that has nothing to do
    Idle(IdleArguments),
    /// Kills a server under load and damages its files: whether every promise is kept here
    CrashVerify(CrashVerifyArguments),
    /// A bare server, which does only the input and output of a capture
    #[command(hide = true)]
    BareServer(BareServerArguments),
}

/// What `floor` takes.
#[derive(Debug, Args)]
pub struct FloorArguments {
    /// A directory on the disk to measure, or target below the current directory
    #[arg(long, value_name = "DIR")]
    pub directory: Option<PathBuf>,
    /// Of each floor, in every round
    #[arg(long, value_name = "S", default_value = "2", value_parser = seconds)]
    pub seconds: Duration,
    /// How often each is measured, one after the other
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// The core of the thread that measures
    #[arg(long, value_name = "N")]
    pub core: Option<usize>,
    /// The core of the thread that answers round trips, and of the bare servers
    #[arg(long, value_name = "N")]
    pub peer_core: Option<usize>,
    /// Connections to the bare servers, one row for each number
    #[arg(long, value_delimiter = ',', default_value = "1,32,128", value_name = "K",
          value_parser = clap::value_parser!(u64).range(1..=load::CONNECTION_COUNT_MAX))]
    pub connections: Vec<u64>,
    /// Output.
    #[command(flatten)]
    pub output: OutputArguments,
}

/// What a bare server is started with.
#[derive(Debug, Args)]
pub struct BareServerArguments {
    /// Which
    pub bare: Bare,
    /// Where its file is made
    pub directory: PathBuf,
    /// The core that it runs on
    #[arg(long, value_name = "N")]
    pub core: Option<usize>,
}

#[cfg(test)]
mod tests;
