//! What several measurements take.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use florin_engine::limits::{BATCH_BYTES_MAX, RING_FILE_BYTES_MAX};

/// Sizes are below this: what is reckoned with them can be counted.
const BYTES_MAX: u64 = 1 << 50;

/// Who is measured, and where everything runs.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Server and cores")]
pub struct TargetArguments {
    /// A running server instead of one that is started for this run
    ///
    /// With --data, the directory that its data is on, flushes of its device are counted.
    #[arg(long, value_name = "HOST:PORT",
          conflicts_with_all = ["server_core", "journal_files", "journal_file_bytes", "setting"])]
    pub server: Option<String>,
    /// A server of our own.
    #[command(flatten)]
    pub own: OwnServerArguments,
}

/// A server that is started for a run, and where everything runs.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Server and cores")]
pub struct OwnServerArguments {
    /// An existing directory on the disk to measure, or target below the current directory
    ///
    /// The server that is started here has its data in a new folder below, which is removed afterwards.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The core of the thread that drives all connections
    #[arg(long, value_name = "N")]
    pub client_core: Option<usize>,
    /// The core that the server is started on, and on which floors are measured
    #[arg(long, value_name = "N")]
    pub server_core: Option<usize>,
    /// Journal files of the server that is started
    #[arg(long, default_value_t = 8, value_name = "COUNT",
          value_parser = clap::value_parser!(u16).range(2..=128))]
    pub journal_files: u16,
    /// Bytes of each of these files
    #[arg(long, default_value = "128MiB", value_name = "SIZE", value_parser = journal_file_bytes)]
    pub journal_file_bytes: u64,
    /// A setting of the server that is started, as its command line takes it: --setting log=debug
    #[arg(long, value_name = "NAME=VALUE")]
    pub setting: Vec<String>,
}

/// How what is measured is told.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArguments {
    /// One JSON object per point, a line each, instead of the table
    #[arg(long)]
    pub json: bool,
    /// Also a page with percentile plots and the machine's facts, in one file
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Also the distribution of each point as a file for HDR plotters, in this folder
    #[arg(long, value_name = "DIR")]
    pub hgrm: Option<PathBuf>,
}

/// A duration in seconds, with a fraction if need be.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let value: f64 = text.parse().map_err(|_| format!("{text:?} is no number of seconds"))?;
    if (0.05..=86_400.0).contains(&value) {
        Ok(Duration::from_secs_f64(value))
    } else {
        Err("from 0.05 to 86400 seconds can be measured".to_owned())
    }
}

/// A size of a value.
pub fn size(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(bytes) if bytes <= BATCH_BYTES_MAX => Ok(bytes),
        Ok(_) => Err(format!("a batch has at most {BATCH_BYTES_MAX} bytes")),
        Err(_) => Err(format!("{text:?} is no number of bytes")),
    }
}

fn journal_file_bytes(text: &str) -> Result<u64, String> {
    match florin_bytes(text)? {
        bytes if bytes <= RING_FILE_BYTES_MAX => Ok(bytes),
        _ => Err(format!("a journal file has at most {RING_FILE_BYTES_MAX} bytes")),
    }
}

/// A size as Florin's settings take it: bytes, or a number with KiB, MiB or GiB.
pub fn florin_bytes(text: &str) -> Result<u64, String> {
    let (digits, shift) = [("KiB", 10), ("MiB", 20), ("GiB", 30)]
        .into_iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, shift)))
        .unwrap_or((text, 0));
    let number: u64 = digits.parse().map_err(|_| format!("{text:?} is no size: bytes, or with KiB, MiB or GiB"))?;
    let bytes = number.checked_mul(1 << shift).filter(|bytes| *bytes <= BYTES_MAX);
    bytes.ok_or_else(|| format!("{text:?} is more than any disk has"))
}
