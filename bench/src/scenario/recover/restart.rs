//! One start, timed, and the check that everything is there.

#![allow(clippy::disallowed_methods, reason = "a bench measures with the host's clock")]

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use florin_engine::model::{Offset, PartitionId};

use super::fill::{Filled, Receipt};
use crate::client::control::{Captured, Control};
use crate::client::payload::Payloads;
use crate::floor::read_once;
use crate::machine::on_core;
use crate::server::{Server, ServerSettings};
use crate::watch::ring::Ring;

/// How long the first batch is sent again while the server says so.
const FIRST_ACK_WAIT: Duration = Duration::from_secs(120);
const FIRST_ACK_PAUSE: Duration = Duration::from_millis(1);
/// How long everything may take to come to rest.
const REST_WAIT: Duration = Duration::from_secs(120);
const REST_PAUSE: Duration = Duration::from_millis(20);
/// Batches that are read back, beside the first and the last of every partition.
const READ_BACK_COUNT: usize = 64;

/// What a start took, and what it had to do.
#[derive(Clone, Debug)]
pub(super) struct Restart {
    pub(super) ready_ms: f64,
    pub(super) first_ack_ms: f64,
    /// How often the first batch had to be sent again.
    pub(super) retry_count: u64,
    pub(super) floor_read_ms: f64,
    pub(super) ring: Ring,
    /// Bytes in segment files.
    pub(super) stored_bytes: u64,
    pub(super) acknowledged_records: u64,
    pub(super) unacknowledged_records: u64,
    /// How often a batch had to wait while the server was filled.
    pub(super) journal_full_count: u64,
}

/// The first batch behind a start.
struct FirstBatch {
    milliseconds: f64,
    retry_count: u64,
    base_offset: Offset,
}

/// Starts a server on what another one left behind, times it, and checks that what was acknowledged is there. The floor
/// is measured before: nothing else reads or writes then. `small` has the batches of one record that are stored first.
pub(super) fn measure(
    settings: &ServerSettings,
    filled: &mut Filled,
    payloads: &Payloads,
    small: &Payloads,
) -> Result<(Restart, Server)> {
    let ring = Ring::of(&settings.directory)?;
    let floor = on_core(settings.core, || read_once(&ring.files))?;
    let begun = Instant::now();
    let server = Server::start(settings).context("the server does not start again")?;
    let ready_ms = milliseconds(begun.elapsed());
    let partition = filled.receipts.last().context("something was stored")?.partition;
    let first = first_ack(server.address(), partition, small, begun)?;
    let mut control = Control::connect_to_coordinator(server.address())?;
    let stored_bytes = control.shards()?.iter().map(|shard| shard.stored_bytes).sum();
    let acknowledged_records = filled.tally.total();
    let acknowledged = filled.tally.records(partition);
    ensure!(
        first.base_offset.0 >= acknowledged,
        "the first batch behind the start got offset {}, and {acknowledged} records of its partition were acknowledged",
        first.base_offset
    );
    filled.tally.take_records(partition, first.base_offset, 1);
    filled.sent_records += 1;
    let unacknowledged_records = check(&mut control, filled, payloads)?;
    let restart = Restart {
        ready_ms,
        first_ack_ms: first.milliseconds,
        retry_count: first.retry_count,
        floor_read_ms: milliseconds(floor),
        ring,
        stored_bytes,
        acknowledged_records,
        unacknowledged_records,
        journal_full_count: filled.journal_full_count,
    };
    Ok((restart, server))
}

/// Sends one record until it is stored.
fn first_ack(address: &str, partition: PartitionId, small: &Payloads, begun: Instant) -> Result<FirstBatch> {
    let mut control = Control::connect(address)?;
    let mut retry_count = 0;
    loop {
        match control.capture(partition, small.batch(0))? {
            Captured::Stored(base_offset) => {
                return Ok(FirstBatch { milliseconds: milliseconds(begun.elapsed()), retry_count, base_offset });
            }
            Captured::Retry if begun.elapsed() < FIRST_ACK_WAIT => retry_count += 1,
            Captured::Retry => bail!(
                "the server took nothing for {} s after its start: what it says on standard error tells why",
                FIRST_ACK_WAIT.as_secs()
            ),
        }
        std::thread::sleep(FIRST_ACK_PAUSE);
    }
}

/// Every partition ends behind what was acknowledged, no more is there than was sent, and a sample of batches is as it
/// was sent. Returns how many records are there that were not acknowledged.
fn check(control: &mut Control, filled: &Filled, payloads: &Payloads) -> Result<u64> {
    let kept = filled.tally.check(control, false)?;
    let (there, sent) = (filled.tally.total() + kept.unacknowledged_records, filled.sent_records);
    ensure!(kept.cut_records == 0, "{} records were cut, and nothing should be", kept.cut_records);
    ensure!(there <= sent, "{there} records are there and {sent} were sent: something is there twice");
    for receipt in sample(&filled.receipts) {
        control.check_stored(receipt.partition, receipt.base_offset, payloads.batch(receipt.batch))?;
    }
    Ok(kept.unacknowledged_records)
}

/// Some of all, at equal distances, and always the first and the last.
pub(super) fn sample(receipts: &[Receipt]) -> Vec<Receipt> {
    let step = receipts.len().div_ceil(READ_BACK_COUNT).max(1);
    let mut chosen: Vec<Receipt> = receipts.iter().copied().step_by(step).collect();
    let mut seen = std::collections::BTreeSet::new();
    chosen.extend(receipts.iter().rev().filter(|receipt| seen.insert(receipt.partition)));
    chosen
}

/// Waits until the batches of all sealed ring files are in segment files, and these ring files are free.
pub(super) fn wait_for_rest(address: &str, journal_files: u16) -> Result<()> {
    let mut control = Control::connect(address)?;
    let begun = Instant::now();
    loop {
        // All but the one in use.
        let unused = u64::from(journal_files) - 1;
        if control.shards()?.iter().all(|shard| u64::from(shard.unused_file_count) >= unused) {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < REST_WAIT,
            "the journal was not taken to rest within {} s: what the server says on standard error tells why",
            REST_WAIT.as_secs()
        );
        std::thread::sleep(REST_PAUSE);
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
