//! What the measurements of reading take.

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;
use florin_engine::limits::{BATCH_RECORD_COUNT_MAX, FETCH_BYTES_MAX, TOPIC_PARTITION_COUNT_MAX};

use super::load::{POINT_COUNT_MAX, rate};
use super::shared::florin_bytes;
use super::{OutputArguments, OwnServerArguments, TargetArguments, seconds, size};
use crate::client::payload::PayloadKind;

/// Connections, consumers or readers of one point, at most: a port of a server has a thousand when nothing else is
/// asked for.
const COUNT_MAX: u64 = 2048;
/// Readers of what was written before, at most: each has a partition, which was written over a connection of its own.
const OLD_READER_COUNT_MAX: u64 = 64;

/// What records are made of, and how often everything is measured.
#[derive(Clone, Debug, Args)]
pub struct RecordArguments {
    /// Bytes of a record's value
    #[arg(long, default_value_t = 256, value_name = "BYTES", value_parser = size)]
    pub size: usize,
    /// What values hold: fixed, random, or the lines of a file, each of its own size
    #[arg(long, default_value = "random", value_name = "fixed|random|FILE")]
    pub payload: PayloadKind,
    /// How often each point is measured, all points one after the other
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// Bytes of batches that a fetch asks for at most; one batch comes even if it is larger
    #[arg(long, default_value = "1MiB", value_name = "SIZE", value_parser = fetch_bytes)]
    pub fetch_bytes: u32,
}

/// What `e2e` takes.
#[derive(Debug, Args)]
pub struct E2eArguments {
    /// Connections that send, one point for each number: each has a partition of its own, which one consumer reads
    #[arg(long, value_delimiter = ',', default_value = "1,8,32", value_name = "K",
          value_parser = clap::value_parser!(u64).range(1..=COUNT_MAX))]
    pub connections: Vec<u64>,
    /// Records of a batch
    #[arg(long, default_value_t = 1, value_name = "RECORDS",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(BATCH_RECORD_COUNT_MAX)))]
    pub batch: u32,
    /// Of each point, in every round
    #[arg(long, value_name = "S", default_value = "6", value_parser = seconds)]
    pub seconds: Duration,
    /// Batches in flight on each connection of a closed loop
    #[arg(long, default_value_t = 1, value_name = "BATCHES", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub in_flight: u16,
    /// An open loop: so many records per second over all connections, whose latency begins when they are due
    #[arg(long, value_name = "RECORDS", conflicts_with = "in_flight", value_parser = rate)]
    pub rate: Option<f64>,
    /// Records.
    #[command(flatten)]
    pub records: RecordArguments,
    /// Server and cores.
    #[command(flatten)]
    pub target: TargetArguments,
    /// Output.
    #[command(flatten)]
    pub output: OutputArguments,
}

/// What `fanout` takes.
#[derive(Debug, Args)]
pub struct FanoutArguments {
    /// Consumers, one point for each number: each reads everything
    #[arg(long, value_delimiter = ',', default_value = "1,4,16", value_name = "N",
          value_parser = clap::value_parser!(u64).range(1..=COUNT_MAX))]
    pub consumers: Vec<u64>,
    /// Records per second that are sent over all partitions, in an open loop
    #[arg(long, default_value = "5000", value_name = "RECORDS", value_parser = rate)]
    pub rate: f64,
    /// Records of a batch
    #[arg(long, default_value_t = 1, value_name = "RECORDS",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(BATCH_RECORD_COUNT_MAX)))]
    pub batch: u32,
    /// Of each point, in every round
    #[arg(long, value_name = "S", default_value = "6", value_parser = seconds)]
    pub seconds: Duration,
    /// Partitions of the topic that each point creates and deletes; each is sent to over a connection of its own
    #[arg(long, default_value_t = 8, value_name = "COUNT",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(TOPIC_PARTITION_COUNT_MAX)))]
    pub partitions: u32,
    /// Records.
    #[command(flatten)]
    pub records: RecordArguments,
    /// Server and cores.
    #[command(flatten)]
    pub target: TargetArguments,
    /// Output.
    #[command(flatten)]
    pub output: OutputArguments,
}

/// What `catchup` takes.
#[derive(Debug, Args)]
pub struct CatchupArguments {
    /// Readers, one point for each number: they share all that was written
    #[arg(long, value_delimiter = ',', default_value = "1", value_name = "N",
          value_parser = clap::value_parser!(u64).range(1..=OLD_READER_COUNT_MAX))]
    pub readers: Vec<u64>,
    /// Bytes of batches that are written before anything is measured; the disk needs about three times as much
    #[arg(long, default_value = "1GiB", value_name = "SIZE", value_parser = florin_bytes)]
    pub bytes: u64,
    /// Records of a batch
    #[arg(long, default_value_t = 1000, value_name = "RECORDS",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(BATCH_RECORD_COUNT_MAX)))]
    pub batch: u32,
    /// Records.
    #[command(flatten)]
    pub records: RecordArguments,
    /// Server and cores.
    #[command(flatten)]
    pub target: OwnServerArguments,
    /// Output.
    #[command(flatten)]
    pub output: OutputArguments,
}

/// What `mixed` takes.
#[derive(Debug, Args)]
pub struct MixedArguments {
    /// Connections that capture, one point for each number
    #[arg(long, value_delimiter = ',', default_value = "32", value_name = "K",
          value_parser = clap::value_parser!(u64).range(1..=COUNT_MAX))]
    pub connections: Vec<u64>,
    /// Records of a captured batch
    #[arg(long, default_value_t = 1, value_name = "RECORDS",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(BATCH_RECORD_COUNT_MAX)))]
    pub batch: u32,
    /// Of each half of each point, in every round
    #[arg(long, value_name = "S", default_value = "6", value_parser = seconds)]
    pub seconds: Duration,
    /// Partitions of the topic that is captured to
    #[arg(long, default_value_t = 8, value_name = "COUNT",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(TOPIC_PARTITION_COUNT_MAX)))]
    pub partitions: u32,
    /// Readers of old data, each of a partition of its own, over and over
    #[arg(long, default_value_t = 8, value_name = "N",
          value_parser = clap::value_parser!(u64).range(1..=OLD_READER_COUNT_MAX))]
    pub readers: u64,
    /// The core of the thread that drives these readers, or that of the captures
    #[arg(long, value_name = "N")]
    pub reader_core: Option<usize>,
    /// Bytes of old batches that are written before anything is measured
    #[arg(long, default_value = "1GiB", value_name = "SIZE", value_parser = florin_bytes)]
    pub bytes: u64,
    /// Records of an old batch
    #[arg(long, default_value_t = 1000, value_name = "RECORDS",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(BATCH_RECORD_COUNT_MAX)))]
    pub old_batch: u32,
    /// Records.
    #[command(flatten)]
    pub records: RecordArguments,
    /// Server and cores.
    #[command(flatten)]
    pub target: OwnServerArguments,
    /// Output.
    #[command(flatten)]
    pub output: OutputArguments,
}

/// The numbers of a list that has a point for each, as counts in memory.
pub fn points(list: &[u64]) -> Result<Vec<usize>> {
    ensure!(list.len() <= POINT_COUNT_MAX, "{} points were asked for, at most {POINT_COUNT_MAX} can be", list.len());
    list.iter().map(|count| Ok(usize::try_from(*count)?)).collect()
}

fn fetch_bytes(text: &str) -> Result<u32, String> {
    match u32::try_from(florin_bytes(text)?) {
        Ok(bytes) if bytes > 0 && bytes as usize <= FETCH_BYTES_MAX => Ok(bytes),
        _ => Err(format!("a fetch asks for 1 to {FETCH_BYTES_MAX} bytes")),
    }
}
