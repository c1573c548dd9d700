//! What the count of instructions takes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::OutputArguments;

/// Which captures are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Captured {
    /// Without a producer
    Plain,
    /// With a producer's stamp
    Idempotent,
}

impl Captured {
    /// Both, the one that the other is held against first.
    pub const ALL: [Self; 2] = [Self::Plain, Self::Idempotent];

    /// As it is called on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Idempotent => "idempotent",
        }
    }
}

/// What `instructions` takes.
#[derive(Debug, Args)]
pub struct InstructionsArguments {
    /// Records of the shorter run
    #[arg(long, default_value_t = 20_000, value_name = "RECORDS", value_parser = clap::value_parser!(u64).range(100..=1_000_000))]
    pub records: u64,
    /// Records of a batch
    #[arg(long, default_value_t = 1, value_name = "RECORDS", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub batch: u32,
    /// How often each kind is counted
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// An existing directory for what the shards write, or target below the current directory
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Output.
    #[command(flatten)]
    pub output: OutputArguments,
}

/// What is counted.
#[derive(Debug, Args)]
pub struct StateCoreArguments {
    /// Which captures
    pub captured: Captured,
    /// Where the shard is made
    pub directory: PathBuf,
    /// How many records
    #[arg(long)]
    pub records: u64,
    /// Records of a batch
    #[arg(long)]
    pub batch: u32,
}
