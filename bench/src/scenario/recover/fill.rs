//! Fills a server, and remembers every batch that it acknowledged.

#![allow(clippy::disallowed_methods, reason = "a bench waits by the host's clock")]

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use florin_engine::model::{Offset, PartitionId};

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
}

/// An acknowledged batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receipt {
    pub(super) partition: PartitionId,
    pub(super) base_offset: Offset,
    /// The number of its batch.
    pub(super) batch: usize,
}

/// Starts a server on a new directory and fills it. It still runs, under way with what was not acknowledged.
pub(super) fn fill(
    settings: &ServerSettings,
    payloads: &Payloads,
    filling: &Filling,
    say: &dyn Fn(&str),
) -> Result<(Filled, Server)> {
    let server = Server::start(settings)?;
    let filled = load(server.address(), payloads, filling, say)?;
    Ok((filled, server))
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
    let is_full = AtomicBool::new(false);
    let is_over = AtomicBool::new(false);
    let sample = std::thread::scope(|scope| {
        let looking = scope.spawn(|| match filling.until {
            Until::UsedBytes(bytes) => look_until_full(&mut control, bytes, &is_full, &is_over),
            Until::BatchCount => Ok(()),
        });
        let mut told = Instant::now();
        let mut noting = EachStored::new(|stored| {
            let receipt = Receipt { partition: stored.partition, base_offset: stored.base_offset, batch: stored.batch };
            receipts.push(receipt);
            tally.take_next(stored)?;
            if told.elapsed() >= TELL {
                told = Instant::now();
                say(&format!("{} of at most {} batches", receipts.len(), filling.batch_count_max));
            }
            let is_full = is_full.load(Ordering::Relaxed);
            Ok(if is_full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        });
        let sample = load.run(payloads, settings, &mut noting);
        is_over.store(true, Ordering::Relaxed);
        looking.join().map_err(|_| anyhow!("the thread that looks at the journal is gone"))??;
        sample
    })?;
    ensure!(!receipts.is_empty(), "nothing was stored");
    let sent_records = sample.sent_batches * u64::from(filling.batch_records);
    Ok(Filled { receipts, tally, sent_records, journal_full_count: sample.journal_full_count })
}

/// Asks again and again how much of the journal is taken.
fn look_until_full(control: &mut Control, bytes: u64, is_full: &AtomicBool, is_over: &AtomicBool) -> Result<()> {
    while !is_over.load(Ordering::Relaxed) {
        let shards = control.shards().context("the server does not say how full its journal is")?;
        if shards.iter().map(|shard| shard.journal_used_bytes).sum::<u64>() >= bytes {
            is_full.store(true, Ordering::Relaxed);
            return Ok(());
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}
