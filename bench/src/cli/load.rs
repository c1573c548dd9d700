//! What the measurements of produce requests take.

use std::time::Duration;

use anyhow::ensure;
use clap::Args;
use florin_engine::limits::{BATCH_RECORD_COUNT_MAX, TOPIC_PARTITION_COUNT_MAX};

use super::{OutputArguments, TargetArguments, seconds, size};
use crate::client::payload::PayloadKind;

/// Connections of one point, at most: all are driven by one thread.
pub(super) const CONNECTION_COUNT_MAX: u64 = 4096;
/// Points of one run, at most: each costs a row and its seconds in every round.
pub(super) const POINT_COUNT_MAX: usize = 64;

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
    /// What values hold: fixed, random, or the lines of a file, each of its own size
    #[arg(long, default_value = "random", value_name = "fixed|random|FILE")]
    pub payload: PayloadKind,
    /// Of each point, in every round
    #[arg(long, value_name = "S", default_value = "6", value_parser = seconds)]
    pub seconds: Duration,
    /// How often each point is measured, all points one after the other
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// Batches in flight on each connection of a closed loop
    #[arg(long, default_value_t = 1, value_name = "BATCHES", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub in_flight: u16,
    /// An open loop: so many records per second over all connections, whose latency begins when they are due
    #[arg(long, value_name = "RECORDS", conflicts_with = "in_flight", value_parser = rate)]
    pub rate: Option<f64>,
    /// Also the bare servers, round by round, under the same load, and beside a burst large durable writes
    #[arg(long)]
    pub floor: bool,
    /// A burst: each round ends after so many bytes of batches, should they fit into the journal
    #[arg(long, value_name = "SIZE", conflicts_with = "rate", value_parser = super::shared::florin_bytes)]
    pub burst_bytes: Option<u64>,
    /// Of each floor of large durable writes, before and after every burst
    #[arg(long, value_name = "S", default_value = "1", requires = "burst_bytes", requires = "floor",
          value_parser = seconds)]
    pub floor_seconds: Duration,
    /// Partitions of the topic that each point creates and deletes
    #[arg(long, default_value_t = 8, value_name = "COUNT",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(TOPIC_PARTITION_COUNT_MAX)))]
    pub partitions: u32,
    /// Server and cores.
    #[command(flatten)]
    pub target: TargetArguments,
    /// Output.
    #[command(flatten)]
    pub output: OutputArguments,
}

impl CaptureArguments {
    /// Whether large durable writes are the floor: only a burst is bound by them.
    pub fn has_write_floor(&self) -> bool {
        self.floor && self.burst_bytes.is_some()
    }

    /// The points, as counts in memory.
    pub fn points(&self) -> anyhow::Result<Vec<usize>> {
        ensure!(self.connections.len() <= POINT_COUNT_MAX, "--connections takes at most {POINT_COUNT_MAX} numbers");
        self.connections.iter().map(|count| Ok(usize::try_from(*count)?)).collect()
    }
}

/// Records per second.
pub fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.1..=100e6).contains(&rate) => Ok(rate),
        Ok(_) => Err("from 0.1 to 100 million records per second can be asked for".to_owned()),
        Err(_) => Err(format!("{text:?} is no number of records per second")),
    }
}
