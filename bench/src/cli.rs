//! The command line: what can be measured, in the words of `--help`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use florin_engine::limits::{BATCH_BYTES_MAX, BATCH_RECORD_COUNT_MAX, TOPIC_PARTITION_COUNT_MAX};

/// Connections of one point, at most: all are driven by one thread.
const CONNECTION_COUNT_MAX: u64 = 4096;
/// Points of one run, at most: each costs a row and its seconds in every round.
const POINT_COUNT_MAX: usize = 64;

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
  florin-bench capture --connections 1,8,32 --server-core 1 --client-core 0
  florin-bench capture --server 127.0.0.1:7878 --json

Numbers are medians of rounds with their range. Exit codes: 0 measured, 1 stopped with a reason, 2 wrong arguments.";

/// The measurements.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// What disk and loopback give without Florin: one durable 4 KiB overwrite, one round trip
    Floor(FloorArguments),
    /// Closed loop of produce requests against a server, one in flight per connection
    Capture(CaptureArguments),
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
    /// The core of the thread that answers round trips
    #[arg(long, value_name = "N")]
    pub peer_core: Option<usize>,
    /// One JSON object per floor
    #[arg(long)]
    pub json: bool,
}

/// What `capture` takes.
#[derive(Debug, Args)]
pub struct CaptureArguments {
    /// Connections, one point for each number
    #[arg(long, value_delimiter = ',', default_value = "1,8,32,128", value_name = "K",
          value_parser = clap::value_parser!(u64).range(1..=CONNECTION_COUNT_MAX))]
    pub connections: Vec<u64>,
    /// Bytes of a record's value
    #[arg(long, default_value_t = 256, value_name = "BYTES", value_parser = size)]
    pub size: usize,
    /// Records of a batch
    #[arg(long, default_value_t = 1, value_name = "RECORDS",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(BATCH_RECORD_COUNT_MAX)))]
    pub batch: u32,
    /// Of each point, in every round
    #[arg(long, value_name = "S", default_value = "3", value_parser = seconds)]
    pub seconds: Duration,
    /// How often each point is measured, all points one after the other
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// A running server instead of one that is started for this run
    #[arg(long, value_name = "HOST:PORT")]
    pub server: Option<String>,
    /// An existing directory on the disk to measure, or target below the current directory
    ///
    /// The server that is started here has its data in a new folder below, which is removed afterwards. With
    /// --server, the directory that the other server's data is on: flushes of its device are counted.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Partitions of the topic that each point creates and deletes
    #[arg(long, default_value_t = 8, value_name = "COUNT",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(TOPIC_PARTITION_COUNT_MAX)))]
    pub partitions: u32,
    /// The core of the thread that drives all connections
    #[arg(long, value_name = "N")]
    pub client_core: Option<usize>,
    /// The core that the server is started on, and on which the floor is measured
    #[arg(long, value_name = "N", conflicts_with = "server")]
    pub server_core: Option<usize>,
    /// Journal files of the server that is started
    #[arg(long, default_value_t = 8, value_name = "COUNT", conflicts_with = "server")]
    pub journal_files: u16,
    /// Bytes of each of these files
    #[arg(long, default_value = "256MiB", value_name = "SIZE", conflicts_with = "server")]
    pub journal_file_bytes: String,
    /// One JSON object per point
    #[arg(long)]
    pub json: bool,
}

impl CaptureArguments {
    /// The points, as counts in memory.
    pub fn points(&self) -> anyhow::Result<Vec<usize>> {
        anyhow::ensure!(
            self.connections.len() <= POINT_COUNT_MAX,
            "--connections takes at most {POINT_COUNT_MAX} numbers"
        );
        self.connections.iter().map(|count| Ok(usize::try_from(*count)?)).collect()
    }
}

/// A duration in seconds, with a fraction if need be.
fn seconds(text: &str) -> Result<Duration, String> {
    let value: f64 = text.parse().map_err(|_| format!("{text:?} is no number of seconds"))?;
    if (0.05..=3600.0).contains(&value) {
        Ok(Duration::from_secs_f64(value))
    } else {
        Err("from 0.05 to 3600 seconds can be measured".to_owned())
    }
}

/// A size of a value.
fn size(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(bytes) if bytes <= BATCH_BYTES_MAX => Ok(bytes),
        Ok(_) => Err(format!("a batch has at most {BATCH_BYTES_MAX} bytes")),
        Err(_) => Err(format!("{text:?} is no number of bytes")),
    }
}
