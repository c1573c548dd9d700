//! Fills a server, and remembers every batch that it acknowledged.

#![allow(clippy::disallowed_methods, reason = "a bench waits by the host's clock")]

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use florin_engine::model::{Offset, PartitionId};

use super::full_disk::FullDisk;
use crate::client::control::Control;
use crate::client::load::{EachStored, Load, LoadSettings, WhenFull};
use crate::client::payload::Payloads;
use crate::client::routes;
use crate::scenario::tally::Tally;
use crate::server::{Server, ServerSettings};

const TOPIC: &str = "bench-recover";
/// How often it is looked how full the journal is.
const LOOK: Duration = Duration::from_millis(2);
/// A load that is ended by something else than its time.
const NEVER: Duration = Duration::from_secs(24 * 3600);
/// How often it is told how far it is.
const TELL: Duration = Duration::from_secs(1);

/// When a server is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// So many bytes of its journal are taken, or all batches are stored.
    UsedBytes(u64),
    /// The same, or about as many as were taken at most while the first half of the batches was stored: a disk may be
    /// faster than the load.
    Fullest(u64),
    /// All batches are stored.
    BatchCount,
}

/// How a server is filled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filling {
    pub(super) connections: u32,
    pub(super) in_flight: usize,
    pub(super) batch_records: u32,
    pub(super) batch_count_max: u64,
    pub(super) until: Until,
    /// Nothing comes to rest meanwhile.
    pub(super) on_full_disk: bool,
}

/// What a server has acknowledged.
#[derive(Clone, Debug)]
pub(super) struct Filled {
    pub(super) receipts: Vec<Receipt>,
    pub(super) tally: Tally,
    /// Records that were sent: more may be there than was acknowledged.
    pub(super) sent_records: u64,
    /// How often a batch had to wait because the journal was full.
    pub(super) journal_full_count: u64,
    /// As much of its journal was taken as was wanted.
    pub(super) is_full: bool,
}

/// An acknowledged batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receipt {
    pub(super) partition: PartitionId,
    pub(super) base_offset: Offset,
    /// The number of its batch.
    pub(super) batch: usize,
}

/// How full a journal is to become.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) until: Until,
    /// The most that was taken in the first half.
    pub(super) highest: u64,
}

/// Starts a server on a new directory, fills it, and ends it by a crash, under way with what was not acknowledged.
pub(super) fn fill(
    settings: &ServerSettings,
    payloads: &Payloads,
    filling: &Filling,
    say: &dyn Fn(&str),
) -> Result<Filled> {
    let directory = settings.directory.parent().context("a data directory lies in another one")?;
    let server = Server::start(settings)?;
    let full_disk = filling.on_full_disk.then(|| FullDisk::take(directory)).transpose()?;
    let filled = load(server.address(), payloads, filling, say)?;
    server.kill()?;
    if let Some(full_disk) = full_disk {
        full_disk.give_back(directory)?;
        ensure!(filled.is_full, "all batches were stored before the journal was full: the disk got space meanwhile");
    }
    Ok(filled)
}

/// Fills a server that runs.
pub(super) fn load(address: &str, payloads: &Payloads, filling: &Filling, say: &dyn Fn(&str)) -> Result<Filled> {
    let mut control = Control::connect_to_coordinator(address)?;
    let topic = control.create_topic(TOPIC, filling.connections)?;
    let routes = routes::spread(&control.placement(TOPIC)?, usize::try_from(filling.connections)?)?;
    let settings = LoadSettings {
        warm_up: Duration::ZERO,
        in_flight: filling.in_flight,
        batch_count_max: Some(filling.batch_count_max),
        // A journal that is full is as full as it gets; what is to be at rest must go on.
        when_full: WhenFull::Wait,
        ..LoadSettings::lasting(NEVER)
    };
    let mut load = Load::connect(&routes)?;
    let mut tally = Tally::new(&[(topic, filling.connections)], filling.batch_records);
    let mut receipts = Vec::new();
    let stored_count = AtomicU64::new(0);
    let is_full = AtomicBool::new(false);
    let is_over = AtomicBool::new(false);
    let sample = std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let is_second_half = || stored_count.load(Ordering::Relaxed) >= filling.batch_count_max / 2;
            let mut wanted = Wanted { until: filling.until, highest: 0 };
            while filling.until != Until::BatchCount && !is_over.load(Ordering::Relaxed) {
                if wanted.is_reached(used_bytes(&mut control)?, is_second_half()) {
                    is_full.store(true, Ordering::Relaxed);
                    break;
                }
                std::thread::sleep(LOOK);
            }
            anyhow::Ok(())
        });
        let mut told = Instant::now();
        let mut noting = EachStored::new(|stored| {
            let receipt = Receipt { partition: stored.partition, base_offset: stored.base_offset, batch: stored.batch };
            receipts.push(receipt);
            stored_count.fetch_add(1, Ordering::Relaxed);
            tally.take_next(stored)?;
            if told.elapsed() >= TELL {
                told = Instant::now();
                say(&format!("{} of at most {} batches", receipts.len(), filling.batch_count_max));
            }
            Ok(ControlFlow::Continue(()))
        })
        .until(&is_full);
        let sample = load.run(payloads, settings, &mut noting);
        is_over.store(true, Ordering::Relaxed);
        looking.join().map_err(|_| anyhow!("the thread that looks at the journal is gone"))??;
        sample
    })?;
    ensure!(!receipts.is_empty(), "nothing was stored");
    let sent_records = sample.sent_batches * u64::from(filling.batch_records);
    let (journal_full_count, is_full) = (sample.journal_full_count, is_full.into_inner());
    Ok(Filled { receipts, tally, sent_records, journal_full_count, is_full })
}

/// How much of the journal is taken.
fn used_bytes(control: &mut Control) -> Result<u64> {
    let shards = control.shards().context("the server does not say how full its journal is")?;
    Ok(shards.iter().map(|shard| shard.journal_used_bytes).sum())
}

impl Wanted {
    /// Whether so much is enough.
    pub(super) fn is_reached(&mut self, used_bytes: u64, is_second_half: bool) -> bool {
        match self.until {
            Until::BatchCount => false,
            Until::UsedBytes(bytes) => used_bytes >= bytes,
            Until::Fullest(bytes) if is_second_half => used_bytes >= bytes.min(self.highest - self.highest / 64),
            Until::Fullest(bytes) => {
                self.highest = self.highest.max(used_bytes);
                used_bytes >= bytes
            }
        }
    }
}
