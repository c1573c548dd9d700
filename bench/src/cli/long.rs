//! What the measurements take that last, or that need a server of their own.

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use florin_engine::limits::BATCH_RECORD_COUNT_MAX;

use super::load::{CONNECTION_COUNT_MAX, POINT_COUNT_MAX, rate};
use super::shared::florin_bytes;
use super::{OutputArguments, OwnServerArguments, TargetArguments, seconds, size};
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

/// What `keys` takes.
#[derive(Debug, Args)]
pub struct KeysArguments {
    /// Idempotency keys in the window, over all partitions
    #[arg(long, default_value_t = 100_000_000, value_name = "COUNT",
          value_parser = clap::value_parser!(u64).range(1_000..=10_000_000_000))]
    pub keys: u64,
    /// Partitions of both topics
    #[arg(long, default_value_t = 8, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub partitions: u32,
    /// Connections, with one record in flight on each
    #[arg(long, default_value_t = 128, value_name = "K",
          value_parser = clap::value_parser!(u64).range(1..=CONNECTION_COUNT_MAX))]
    pub connections: u64,
    /// Bytes of a record's value
    #[arg(long, default_value_t = 256, value_name = "BYTES", value_parser = size)]
    pub size: usize,
    /// What values hold: fixed or random
    #[arg(long, default_value = "random", value_name = "fixed|random")]
    pub payload: PayloadKind,
    /// Of each topic, in every round
    #[arg(long, value_name = "S", default_value = "10", value_parser = seconds)]
    pub seconds: Duration,
    /// Of the disk's floor, in every round
    #[arg(long, value_name = "S", default_value = "1", value_parser = seconds)]
    pub floor_seconds: Duration,
    /// Of each load before it counts, until the index is not read any more, or twenty times
    #[arg(long, value_name = "S", default_value = "2", value_parser = seconds)]
    pub warm_up: Duration,
    /// How often each topic is measured, one after the other
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// Server and cores.
    #[command(flatten)]
    pub target: OwnServerArguments,
    /// Output.
    #[command(flatten)]
    pub output: OutputArguments,
}

/// What `transactions` takes.
#[derive(Debug, Args)]
pub struct TransactionsArguments {
    /// Producers, each with one request in flight, a point for each number
    #[arg(long, value_delimiter = ',', default_value = "1,32", value_name = "K",
          value_parser = clap::value_parser!(u64).range(1..=CONNECTION_COUNT_MAX))]
    pub producers: Vec<u64>,
    /// Batches of a transaction, one sent after the other, a point for each number
    #[arg(long, value_delimiter = ',', default_value = "1,4,16", value_name = "BATCHES",
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub batches: Vec<u32>,
    /// Partitions of each topic, over which producers are spread
    #[arg(long, default_value_t = 8, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub partitions: u32,
    /// Shards of the server that is started
    #[arg(long, default_value_t = 1, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub shards: u16,
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
    /// Of each point, with and without transactions, in every round
    #[arg(long, value_name = "S", default_value = "5", value_parser = seconds)]
    pub seconds: Duration,
    /// Of the disk's floor, in every round
    #[arg(long, value_name = "S", default_value = "1", value_parser = seconds)]
    pub floor_seconds: Duration,
    /// How often each is measured, one after the other
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// Server and cores.
    #[command(flatten)]
    pub target: OwnServerArguments,
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
    pub target: OwnServerArguments,
    /// Output.
    #[command(flatten)]
    pub output: OutputArguments,
}

/// What a server is started from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum RecoverPoint {
    /// A crash with a journal that is as full as it gets under load, in large blocks
    FullRing,
    /// A crash with one of two ring files full, in blocks of one record each
    ///
    /// A single client leaves no more of them: a file is at rest before the next one is full.
    HalfRingSmall,
    /// A crash with all of the journal needed, in large blocks, because the disk was full: it takes all space of the
    /// disk for that time, so --data has to name one that nobody else uses
    FullDisk,
    /// The same in blocks of one record each
    FullDiskSmall,
    /// A stop in order with everything in segment files
    AtRest,
}

/// What `recover` takes.
#[derive(Debug, Args)]
pub struct RecoverArguments {
    /// What to start from
    #[arg(long, value_delimiter = ',', default_value = "full_ring,half_ring_small,at_rest", value_name = "POINTS")]
    pub points: Vec<RecoverPoint>,
    /// Bytes of batches that at_rest brings to segment files
    #[arg(long, value_name = "SIZE", default_value = "20GiB", value_parser = florin_bytes)]
    pub at_rest_bytes: u64,
    /// Bytes of a record's value
    #[arg(long, default_value_t = 256, value_name = "BYTES", value_parser = size)]
    pub size: usize,
    /// Records of a batch, but for half_ring_small and full_disk_small
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
    pub target: OwnServerArguments,
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
    pub target: OwnServerArguments,
    /// Output.
    #[command(flatten)]
    pub output: OutputArguments,
}

impl RecoverPoint {
    /// Every one, in the order of what is left of the journal.
    pub const ALL: [Self; 5] = [Self::FullRing, Self::HalfRingSmall, Self::FullDisk, Self::FullDiskSmall, Self::AtRest];

    /// As it is called on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::FullRing => "full_ring",
            Self::HalfRingSmall => "half_ring_small",
            Self::FullDisk => "full_disk",
            Self::FullDiskSmall => "full_disk_small",
            Self::AtRest => "at_rest",
        }
    }

    /// What was done before the start, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::FullRing => "a crash with the journal as full as the load makes it",
            Self::HalfRingSmall => {
                "a crash with one of two ring files full of blocks of one record each, of which a single client \
                 leaves no more, because a file is at rest before the next one is full"
            }
            Self::FullDisk => "a crash with a journal of which nothing can come to rest, because the disk is full",
            Self::FullDiskSmall => {
                "a crash with a journal of blocks of one record each, of which nothing can come to rest, because the disk is full"
            }
            Self::AtRest => "a stop in order with everything in segment files",
        }
    }

    /// Whether every block has one record.
    pub fn is_small(self) -> bool {
        matches!(self, Self::HalfRingSmall | Self::FullDiskSmall)
    }

    /// Whether all space of the disk is taken while the journal is filled.
    pub fn is_on_full_disk(self) -> bool {
        matches!(self, Self::FullDisk | Self::FullDiskSmall)
    }
}

impl RecoverArguments {
    /// Refuses to take all space of a disk that was not named.
    pub fn expect_named_disk(&self) -> Result<()> {
        let full = self.points.iter().find(|point| point.is_on_full_disk());
        ensure!(
            full.is_none() || self.target.data.is_some(),
            "{} takes all space of the disk for a while: name a directory on a disk that nobody else uses with --data",
            full.map_or("", |point| point.name())
        );
        Ok(())
    }
}

impl PartitionsArguments {
    /// The points, as counts in memory.
    pub fn points(&self) -> Result<Vec<u32>> {
        ensure!(self.partitions.len() <= POINT_COUNT_MAX, "--partitions takes at most {POINT_COUNT_MAX} numbers");
        self.partitions.iter().map(|count| Ok(u32::try_from(*count)?)).collect()
    }
}

impl OwnServerArguments {
    /// Refuses a core for a client that is not measured.
    pub fn expect_no_client_core(&self) -> Result<()> {
        ensure!(self.client_core.is_none(), "no client is measured here: leave --client-core away");
        Ok(())
    }
}
