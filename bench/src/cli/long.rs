//! What the measurements take that last, or that need a server of their own.

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use florin_engine::limits::BATCH_RECORD_COUNT_MAX;

use super::load::{CONNECTION_COUNT_MAX, POINT_COUNT_MAX, rate};
use super::shared::florin_bytes;
use super::{OutputArguments, TargetArguments, seconds, size};
use crate::client::payload::PayloadKind;

/// Partitions of one point, at most: a manifest must have room for them.
const PARTITION_COUNT_MAX: u64 = 1_000_000;

/// What `partitions` takes.
#[derive(Debug, Args)]
pub struct PartitionsArguments {
    /// Partitions that are written to in turn, one point for each number
    #[arg(long, value_delimiter = ',', default_value = "10,10000", value_name = "COUNT",
          value_parser = clap::value_parser!(u64).range(1..=PARTITION_COUNT_MAX))]
    pub partitions: Vec<u64>,
    /// Records per second over all connections, whose latency begins when they are due
    #[arg(long, default_value = "20000", value_name = "RECORDS", value_parser = rate)]
    pub rate: f64,
    /// Connections
    #[arg(long, default_value_t = 64, value_name = "K",
          value_parser = clap::value_parser!(u64).range(1..=CONNECTION_COUNT_MAX))]
    pub connections: u64,
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
    /// Of each point, in every round: as many as some checkpoints take
    #[arg(long, value_name = "S", default_value = "60", value_parser = seconds)]
    pub seconds: Duration,
    /// How often each point is measured, all points one after the other
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// Server and cores.
    #[command(flatten)]
    pub target: TargetArguments,
    /// Output.
    #[command(flatten)]
    pub output: OutputArguments,
}

/// What `sustained` takes.
#[derive(Debug, Args)]
pub struct SustainedArguments {
    /// Connections, each with a partition of its own
    #[arg(long, default_value_t = 1, value_name = "K",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(florin_engine::limits::TOPIC_PARTITION_COUNT_MAX)))]
    pub connections: u32,
    /// Bytes of a record's value
    #[arg(long, default_value_t = 256, value_name = "BYTES", value_parser = size)]
    pub size: usize,
    /// Records of a batch
    #[arg(long, default_value_t = 1000, value_name = "RECORDS",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(BATCH_RECORD_COUNT_MAX)))]
    pub batch: u32,
    /// What values hold: fixed, random, or the lines of a file, each of its own size
    #[arg(long, default_value = "random", value_name = "fixed|random|FILE")]
    pub payload: PayloadKind,
    /// Batches in flight on each connection
    #[arg(long, default_value_t = 8, value_name = "BATCHES", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub in_flight: u16,
    /// Of every round
    #[arg(long, value_name = "S", default_value = "60", value_parser = seconds)]
    pub seconds: Duration,
    /// Of each floor, before and after every round
    #[arg(long, value_name = "S", default_value = "2", value_parser = seconds)]
    pub floor_seconds: Duration,
    /// How often it is measured
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// Bytes of each partition that retention keeps
    #[arg(long, value_name = "SIZE", default_value = "2GiB", value_parser = florin_bytes)]
    pub retention_bytes: u64,
    /// Server and cores.
    #[command(flatten)]
    pub target: TargetArguments,
    /// Output.
    #[command(flatten)]
    pub output: OutputArguments,
}

/// What a server is started from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum RecoverPoint {
    /// A crash with a journal that is as full as it gets, in large blocks
    FullRing,
    /// A crash with half a journal in blocks of one record each
    FullRingSmall,
    /// A stop in order with everything in segment files
    AtRest,
}

/// What `recover` takes.
#[derive(Debug, Args)]
pub struct RecoverArguments {
    /// What to start from
    #[arg(long, value_delimiter = ',', default_value = "full_ring,full_ring_small,at_rest", value_name = "POINTS")]
    pub points: Vec<RecoverPoint>,
    /// Bytes of batches that at_rest brings to segment files
    #[arg(long, value_name = "SIZE", default_value = "20GiB", value_parser = florin_bytes)]
    pub at_rest_bytes: u64,
    /// Bytes of a record's value
    #[arg(long, default_value_t = 256, value_name = "BYTES", value_parser = size)]
    pub size: usize,
    /// Records of a batch, but for full_ring_small
    #[arg(long, default_value_t = 1000, value_name = "RECORDS",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(BATCH_RECORD_COUNT_MAX)))]
    pub batch: u32,
    /// What values hold: fixed, random, or the lines of a file, each of its own size
    #[arg(long, default_value = "random", value_name = "fixed|random|FILE")]
    pub payload: PayloadKind,
    /// How often each start is measured, all points one after the other
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// Server and cores.
    #[command(flatten)]
    pub target: TargetArguments,
    /// Output.
    #[command(flatten)]
    pub output: OutputArguments,
}

/// What `idle` takes.
#[derive(Debug, Args)]
pub struct IdleArguments {
    /// Connections that are negotiated and ask for nothing
    #[arg(long, default_value_t = 1000, value_name = "K",
          value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub connections: u64,
    /// Without connections, and as long with them, in every round
    #[arg(long, value_name = "S", default_value = "10", value_parser = seconds)]
    pub seconds: Duration,
    /// How often it is measured, each time with a new server
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// Server and cores.
    #[command(flatten)]
    pub target: TargetArguments,
    /// Output.
    #[command(flatten)]
    pub output: OutputArguments,
}

impl PartitionsArguments {
    /// The points, as counts in memory.
    pub fn points(&self) -> Result<Vec<u32>> {
        ensure!(self.partitions.len() <= POINT_COUNT_MAX, "--partitions takes at most {POINT_COUNT_MAX} numbers");
        self.partitions.iter().map(|count| Ok(u32::try_from(*count)?)).collect()
    }
}

impl TargetArguments {
    /// Refuses a server of somebody else where it must be our own.
    pub fn expect_own(&self, what: &str) -> Result<()> {
        ensure!(self.server.is_none(), "{what} starts a server of its own: leave --server away");
        Ok(())
    }

    /// Refuses a core for a client that is not measured.
    pub fn expect_no_client_core(&self) -> Result<()> {
        ensure!(self.client_core.is_none(), "no client is measured here: leave --client-core away");
        Ok(())
    }
}
