//! The consumer's handle.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use florin_engine::model::Offset;

use super::Client;
use super::clock::{duration_ns, until};
use super::command::Command;
use super::completion::lock;
use crate::client::core::consumer::{ConsumerCore, ConsumerRules};
use crate::client::{ClientError, ConsumedBatch, ConsumerSettings, Start};
use crate::protocol::{Code, ErrorResponse, TopicDescription};

/// How long a fetch waits at the server for data, in milliseconds: an idle partition costs a request in so long.
const WAIT_MS: u32 = 5_000;

/// Reads partitions of one topic, each in order. Offsets are kept by the caller: nothing is committed anywhere.
pub struct Consumer {
    client: Client,
    shared: Arc<ConsumerShared>,
    number: u64,
}

/// What the caller and the thread share.
#[derive(Debug)]
pub(super) struct ConsumerShared {
    pub(super) core: Mutex<ConsumerCore>,
    arrived: Condvar,
    is_closed: AtomicBool,
}

impl ConsumerShared {
    /// Wakes the caller if there is something for it.
    pub(super) fn publish(&self) {
        if lock(&self.core).has_news() {
            self.arrived.notify_all();
        }
    }

    pub(super) fn close(&self) {
        // Under the lock, so that who is about to wait sees it or is woken.
        let core = lock(&self.core);
        self.is_closed.store(true, Ordering::Release);
        drop(core);
        self.arrived.notify_all();
    }
}

impl Consumer {
    pub(super) fn start(
        client: Client,
        topic: TopicDescription,
        settings: &ConsumerSettings,
    ) -> Result<Self, ClientError> {
        let partition_count = u32::try_from(topic.placement.len()).expect("a topic has at most 4096 partitions");
        let partitions = settings.partitions.clone().unwrap_or_else(|| (0..partition_count).collect());
        let absent = partitions.iter().find(|index| **index >= partition_count);
        if partitions.is_empty() || absent.is_some() {
            let words = match absent {
                Some(index) => format!("topic {} has no partition {index}, it has {partition_count}", topic.name),
                None => format!("no partition of topic {} was asked for: name one", topic.name),
            };
            return Err(ClientError::Refused(ErrorResponse::new(Code::UNKNOWN_PARTITION, words)));
        }
        let rules = ConsumerRules {
            fetch_bytes_max: settings.fetch_bytes_max.min(client.server().fetch_bytes_max).max(1),
            buffer_bytes_max: settings.buffer_bytes_max,
            wait_ms: WAIT_MS,
            reads_added: settings.partitions.is_none(),
            isolation: settings.isolation,
        };
        let core = Mutex::new(ConsumerCore::new(topic, &partitions, settings.start, rules));
        let shared = Arc::new(ConsumerShared { core, arrived: Condvar::new(), is_closed: AtomicBool::new(false) });
        let number = client.inner.number();
        client.inner.command(Command::AddConsumer { number, consumer: shared.clone() })?;
        Ok(Self { client, shared, number })
    }

    /// The batches that are there; waits for one, and gives none if the timeout passes.
    ///
    /// # Errors
    /// If a partition cannot be read on: once, then it rests until [`Consumer::seek`], and the others go on. Again if
    /// all of them rest.
    pub fn poll(&mut self, timeout: Duration) -> Result<Vec<ConsumedBatch>, ClientError> {
        let clock = self.client.inner.clock;
        let until_ns = clock.now_ns().saturating_add(duration_ns(timeout));
        let mut core = lock(&self.shared.core);
        loop {
            if let Some(error) = core.take_error() {
                return Err(error);
            }
            let batches = core.take_ready();
            if !batches.is_empty() {
                drop(core);
                // There is room to read ahead again.
                self.client.inner.bell.ring();
                return Ok(batches);
            }
            if self.shared.is_closed.load(Ordering::Acquire) {
                return Err(ClientError::Closed);
            }
            let left = until(until_ns, clock.now_ns());
            if left == Duration::ZERO {
                return Ok(Vec::new());
            }
            (core, _) = self.shared.arrived.wait_timeout(core, left).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The offset behind the last record that was handed out, or where reading begins once that is known.
    pub fn position(&self, partition: u32) -> Option<Offset> {
        lock(&self.shared.core).position(partition)
    }

    /// One behind the last offset that can be read, as far as it was heard of.
    pub fn high_watermark(&self, partition: u32) -> Option<Offset> {
        lock(&self.shared.core).high_watermark(partition)
    }

    /// Reads on from elsewhere; what was read ahead of this partition is dropped.
    ///
    /// # Panics
    /// If the partition is not one that is read.
    pub fn seek(&mut self, partition: u32, to: Start) {
        lock(&self.shared.core).seek(partition, to);
        self.client.inner.bell.ring();
    }

    /// The partitions that are read.
    pub fn partitions(&self) -> Vec<u32> {
        lock(&self.shared.core).partitions().collect()
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        // If the thread is gone, nothing is read any longer.
        let _is_gone = self.client.inner.command(Command::RemoveConsumer { number: self.number });
    }
}
