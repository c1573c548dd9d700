//! The producer's handle.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use florin_engine::limits::{BATCH_BYTES_MAX, KEY_WINDOW_DAYS_MIN, PRODUCER_IDLE_NS};
use florin_engine::model::TransactionKey;

use super::Client;
use super::clock::{Clock, duration_ns, until};
use super::command::Command;
use super::completion::{BatchResult, Completion, StoredBatch, lock};
use crate::client::core::producer::{AppendError, BatchOutcome, ProducerCore, ProducerRules};
use crate::client::{ClientError, ProducerSettings, Receipt, Record, SendError};
use crate::protocol::TopicDescription;

/// No batch is sent again so late that the server may have forgotten its producer or its idempotency keys: it could be
/// stored twice.
const DELIVERY_NS_MAX: u64 = HOUR_NS * 12;
const _: () = assert!(DELIVERY_NS_MAX < PRODUCER_IDLE_NS / 2);
const _: () = assert!(DELIVERY_NS_MAX <= HOUR_NS * 24 * (KEY_WINDOW_DAYS_MIN as u64) / 2);
const HOUR_NS: u64 = 3_600 * 1_000_000_000;

/// Sends records to one topic; may be shared by threads.
///
/// Records of one thread to one partition are stored in the order in which they were sent, if the producer is
/// idempotent. Dropping it flushes nothing: what was not sent is not stored, what was sent has an unknown outcome.
pub struct Producer {
    client: Client,
    topic: TopicDescription,
    shared: Arc<ProducerShared>,
    number: u64,
    delivery_ns: u64,
}

/// A record on its way.
pub struct Delivery {
    completion: Arc<Completion>,
    partition: u32,
    index: u32,
    since_ns: u64,
}

/// What senders and the thread share.
#[derive(Debug)]
pub(super) struct ProducerShared {
    pub(super) state: Mutex<ProducerState>,
    /// Told when the buffer may have room.
    room: Condvar,
}

#[derive(Debug)]
pub(super) struct ProducerState {
    pub(super) core: ProducerCore,
    /// Of every batch without an outcome.
    completions: BTreeMap<u64, Arc<Completion>>,
    waiting_count: usize,
}

impl ProducerShared {
    /// Hands out the outcomes there are.
    pub(super) fn publish(&self, now_ns: u64) {
        let mut state = lock(&self.state);
        if !state.core.has_outcomes() {
            return;
        }
        for (batch, outcome) in state.core.take_outcomes() {
            let completion = state.completions.remove(&batch).expect("every batch without an outcome is expected");
            completion.fill(match outcome {
                BatchOutcome::Stored { base_offset, append_time, duplicate } => {
                    BatchResult::Stored(StoredBatch { base_offset, append_time, duplicate, answered_ns: now_ns })
                }
                BatchOutcome::Records(records) => BatchResult::Records(records.into(), now_ns),
                BatchOutcome::Failed(error) => BatchResult::Failed(error),
            });
        }
        if state.waiting_count > 0 {
            drop(state);
            self.room.notify_all();
        }
    }

    /// Ends everything.
    pub(super) fn close(&self, now_ns: u64) {
        lock(&self.state).core.close();
        self.publish(now_ns);
        self.room.notify_all();
    }
}

impl Producer {
    pub(super) fn start(
        client: Client,
        topic: TopicDescription,
        settings: &ProducerSettings,
        transactional: bool,
    ) -> Result<Self, ClientError> {
        let server = client.server();
        let window = usize::try_from(server.retry_window_batches).unwrap_or(usize::MAX);
        let server_batch_bytes_max = usize::try_from(server.batch_bytes_max).unwrap_or(usize::MAX).min(BATCH_BYTES_MAX);
        let rules = ProducerRules {
            linger_ns: duration_ns(settings.linger),
            batch_bytes_max: settings.batch_bytes_max.min(server_batch_bytes_max),
            server_batch_bytes_max,
            batch_records_max: settings.batch_records_max.max(1),
            batches_in_flight_max: settings.batches_in_flight.clamp(1, window),
            buffer_bytes_max: settings.buffer_bytes_max,
            delivery_ns: duration_ns(settings.delivery_timeout).min(DELIVERY_NS_MAX),
            idempotent: settings.idempotent || transactional,
            transactional,
        };
        let core = ProducerCore::new(topic.clone(), rules);
        let state = Mutex::new(ProducerState { core, completions: BTreeMap::new(), waiting_count: 0 });
        let shared = Arc::new(ProducerShared { state, room: Condvar::new() });
        let number = client.inner.number();
        client.inner.command(Command::AddProducer { number, producer: shared.clone() })?;
        Ok(Self { client, topic, shared, number, delivery_ns: rules.delivery_ns })
    }

    /// Takes a record; waits while the buffer is full, for the delivery timeout at most.
    ///
    /// # Errors
    /// If the record cannot be part of a batch, there was no room in time, or the producer is fenced or closed: then
    /// it is not stored.
    pub fn send(&self, record: Record) -> Result<Delivery, SendError> {
        let since_ns = self.client.inner.clock.now_ns();
        let now_ms = Clock::realtime_ms();
        let mut now_ns = since_ns;
        let mut state = lock(&self.shared.state);
        loop {
            match state.core.append(&record, now_ms, since_ns, now_ns) {
                Ok(appended) => {
                    let completion = state.completions.entry(appended.batch).or_default().clone();
                    drop(state);
                    if appended.is_news {
                        self.client.inner.bell.ring();
                    }
                    let (partition, index) = (appended.partition, appended.index);
                    return Ok(Delivery { completion, partition, index, since_ns });
                }
                Err(AppendError::Never(error)) => return Err(error),
                Err(AppendError::Full) => {}
            }
            let left = until(since_ns.saturating_add(self.delivery_ns), now_ns);
            if left == Duration::ZERO {
                return Err(SendError::TimedOut);
            }
            // What lingered is due now.
            self.client.inner.bell.ring();
            state.waiting_count += 1;
            (state, _) = self.shared.room.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
            state.waiting_count -= 1;
            now_ns = self.client.inner.clock.now_ns();
        }
    }

    /// Sends what lingers, and waits until every record taken before has its outcome.
    ///
    /// # Errors
    /// The first of these outcomes that is no receipt.
    pub fn flush(&self) -> Result<(), SendError> {
        let completions: Vec<Arc<Completion>> = {
            let mut state = lock(&self.shared.state);
            state.core.expedite();
            state.completions.values().cloned().collect()
        };
        self.client.inner.bell.ring();
        let mut first = None;
        for completion in completions {
            let outcome = completion.wait();
            first = first.or_else(|| outcome.error().cloned());
        }
        first.map_or(Ok(()), Err)
    }

    /// What is sent from here on is part of this transaction.
    pub(super) fn begin(&self, transaction: TransactionKey) {
        lock(&self.shared.state).core.begin(transaction);
    }

    /// Why the transaction can only be aborted, if that is so.
    pub(super) fn failure(&self) -> Option<SendError> {
        lock(&self.shared.state).core.failure().cloned()
    }

    /// Nothing more is sent for the transaction, and what has no outcome does not count.
    pub(super) fn leave(&self) {
        lock(&self.shared.state).core.leave();
        self.shared.publish(self.client.inner.clock.now_ns());
    }

    /// Partitions of the topic as last heard: those that records go to.
    pub fn partition_count(&self) -> u32 {
        lock(&self.shared.state).core.partition_count()
    }

    /// The topic, as it was when the producer was made.
    pub fn topic(&self) -> &TopicDescription {
        &self.topic
    }

    /// Batches that were sent and have no outcome yet.
    pub fn in_flight_batches(&self) -> usize {
        lock(&self.shared.state).core.in_flight_count()
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        // If the thread is gone, it has ended everything.
        let _is_gone = self.client.inner.command(Command::RemoveProducer { number: self.number });
    }
}

impl Delivery {
    /// Waits for the outcome, which comes at the latest about one request timeout after the delivery timeout.
    ///
    /// # Errors
    /// If there is no receipt; the error says whether the record is stored.
    pub fn wait(self) -> Result<Receipt, SendError> {
        self.receipt(&self.completion.wait())
    }

    /// The outcome, if it is there.
    pub fn try_wait(&mut self) -> Option<Result<Receipt, SendError>> {
        self.completion.peek().map(|result| self.receipt(&result))
    }

    fn receipt(&self, result: &BatchResult) -> Result<Receipt, SendError> {
        let (record, answered_ns) = result.of(self.index)?;
        Ok(Receipt {
            partition: self.partition,
            offset: record.offset,
            append_time: record.append_time,
            duplicate: record.duplicate,
            latency: Duration::from_nanos(answered_ns.saturating_sub(self.since_ns)),
        })
    }
}
