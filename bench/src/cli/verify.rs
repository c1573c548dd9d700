//! What the check of crashes and damage takes.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::shared::seconds;

/// What `crash-verify` takes.
#[derive(Clone, Debug, Args)]
pub struct CrashVerifyArguments {
    /// An existing directory on the disk to check, or target below the current directory
    ///
    /// Everything happens in a new folder below, which is removed afterwards unless a promise was broken. What is in the
    /// directory already is not touched.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// How often a server is killed under load; other endings come in between
    #[arg(long, default_value_t = 25, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub rounds: u32,
    /// How many times a file of a server that has ended is damaged
    #[arg(long, default_value_t = 60, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub cases: u32,
    /// What everything random follows from
    #[arg(long, default_value_t = 1, value_name = "S")]
    pub seed: u64,
    /// No round and no case begins later than this
    #[arg(long, default_value = "3600", value_name = "S", value_parser = seconds)]
    pub seconds: Duration,
    /// Plays one case again, in a folder that an earlier run kept
    #[arg(long, value_name = "DIR", requires = "case", conflicts_with_all = ["data", "rounds", "cases"])]
    pub replay: Option<PathBuf>,
    /// The number of that case
    #[arg(long, value_name = "N", requires = "replay")]
    pub case: Option<u32>,
    /// One JSON object instead of the tables
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    /// Also a written report, in Markdown
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub report: Option<PathBuf>,
}
