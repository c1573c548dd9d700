//! Reads every partition from its beginning to its end.

use std::time::Duration;

use anyhow::{Result, ensure};
use florin_net::client::{Client, ConsumerSettings};

use super::TOPIC;
use super::check::{Checker, Findings, PartitionSum, Read};
use super::ledger::Bounds;
use crate::host;
use crate::interrupt::Interrupt;
use crate::progress::Progress;

/// How long nothing may come while something is still to be read.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// How often it is looked at whether somebody wants the demo to end.
const POLL_TIMEOUT: Duration = Duration::from_millis(200);

/// What came of reading everything back.
#[derive(Debug)]
pub struct ReadBack {
    /// What differs.
    pub findings: Findings,
    /// What was read, by partition.
    pub sums: Vec<PartitionSum>,
    /// How long it took.
    pub elapsed: Duration,
}

/// Gives everything between the bounds of the partitions to the checker.
///
/// # Errors
/// If something cannot be read, or does not come.
pub fn read_back(
    client: &Client,
    bounds: &[Bounds],
    mut checker: Checker<'_>,
    interrupt: &Interrupt,
) -> Result<ReadBack> {
    let total = bounds.iter().map(|bounds| bounds.end.saturating_sub(bounds.start)).sum();
    let progress = Progress::new(Some(total), "payments read back");
    let started = host::monotonic();
    let mut consumer = client.consumer(ConsumerSettings::new(TOPIC))?;
    let (mut read_count, mut last_heard) = (0, started);
    // Beyond the ends nothing can be: nobody else writes here.
    while read_count < total {
        ensure!(!interrupt.is_asked(), "interrupted");
        for batch in consumer.poll(POLL_TIMEOUT)? {
            for record in batch.records() {
                checker.read(Read {
                    partition: batch.partition,
                    offset: record.offset.0,
                    timestamp_ms: record.timestamp_ms,
                    key: record.key,
                    value: record.value,
                });
                read_count += 1;
                progress.show(read_count, read_count);
            }
            last_heard = host::monotonic();
        }
        let silence = host::monotonic().saturating_sub(last_heard);
        ensure!(silence < SILENCE_MAX, "only {read_count} of {total} records came back, then nothing for {silence:?}");
    }
    progress.finish();
    let elapsed = host::monotonic().saturating_sub(started);
    let (findings, sums) = checker.finish();
    Ok(ReadBack { findings, sums, elapsed })
}
