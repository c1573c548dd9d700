//! The production cores of the client library, a producer and a consumer of one topic, carried out over one connection
//! at a time as the blocking adapter does over many.

use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use bytes::Bytes;
use florin_engine::limits::BATCH_BYTES_MAX;
use florin_engine::model::PartitionId;
use florin_engine::partition::Isolation;
use florin_net::client::core::connection::Connection;
use florin_net::client::core::consumer::{ConsumerCore, ConsumerRules};
use florin_net::client::core::producer::{AppendError, BatchOutcome, ProducerCore, ProducerRules};
use florin_net::client::{Record, SendError, Start};
use florin_net::protocol::Response;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::outlets::{OneLink, REQUEST_NS, Tag, exchange};
use super::{Client, FETCH_BYTES_MAX, hangs_up};
use crate::sim::SimStream;
use crate::wire::ground::{Ground, Trouble};
use crate::wire::server::{SECOND_NS, address_of};
use crate::world::Violation;
use crate::world::checkers::{Checked, violation};
use crate::world::model::SentBatch;

/// A patient library never gives a record up: the server must come back within this.
const PATIENCE_NS: u64 = 100_000 * SECOND_NS;
/// An impatient one gives records up that take longer than some time up to this.
const IMPATIENCE_NS: u64 = SECOND_NS;
/// The longest that the client waits for nothing.
const LOOK_NS: u64 = SECOND_NS;

/// The client.
pub(super) struct Library {
    ground: Rc<Ground>,
    random: ChaCha8Rng,
    cores: Option<(ProducerCore, ConsumerCore)>,
    /// The next record, if there was no room for it.
    refused: Option<Record>,
    /// Whether the server recognises a batch that is sent again; otherwise none ever is whose answer was lost.
    is_idempotent: bool,
    /// How long a record may take.
    delivery_ns: u64,
    /// The serial of the first record of each batch without an outcome.
    open: BTreeMap<u64, u64>,
    /// The offset that is handed out next, by partition.
    next: BTreeMap<u32, u64>,
    topic_is_asked: bool,
}

impl Library {
    pub(super) fn new(ground: &Rc<Ground>, mut random: ChaCha8Rng) -> Self {
        let is_idempotent = random.random_bool(0.7);
        let is_patient = random.random_bool(0.5);
        Self {
            is_idempotent,
            delivery_ns: if is_patient {
                PATIENCE_NS
            } else {
                random.random_range(IMPATIENCE_NS / 100..=IMPATIENCE_NS)
            },
            ground: Rc::clone(ground),
            random,
            cores: None,
            refused: None,
            open: BTreeMap::new(),
            next: BTreeMap::new(),
            topic_is_asked: false,
        }
    }

    fn make_cores(&mut self) {
        let topics = self.ground.topics.borrow();
        let topic = topics[self.random.random_range(0..topics.len())].clone();
        let producer = ProducerRules {
            linger_ns: [0, 2_000_000][self.random.random_range(0..2)],
            batch_bytes_max: [200, 8_000][self.random.random_range(0..2)],
            server_batch_bytes_max: BATCH_BYTES_MAX,
            batch_records_max: [1, 4][self.random.random_range(0..2)],
            batches_in_flight_max: self.random.random_range(1..=5),
            buffer_bytes_max: 40_000,
            delivery_ns: self.delivery_ns,
            idempotent: self.is_idempotent,
            transactional: false,
        };
        let consumer = ConsumerRules {
            fetch_bytes_max: u32::try_from(FETCH_BYTES_MAX).expect("few bytes"),
            buffer_bytes_max: 4 * FETCH_BYTES_MAX,
            wait_ms: [0, 20, 500][self.random.random_range(0..3)],
            reads_added: true,
            isolation: Isolation::Committed,
        };
        let all: Vec<u32> = (0..).take(topic.placement.len()).collect();
        let consumer = ConsumerCore::new(topic.clone(), &all, Start::Beginning, consumer);
        self.cores = Some((ProducerCore::new(topic, producer), consumer));
    }

    /// Hands records to the producer, as long as there is something to be begun.
    fn append(&mut self) {
        let Some((producer, _)) = &mut self.cores else { return };
        if self.ground.settles() {
            producer.expedite();
            return;
        }
        if self.random.random_bool(0.5) {
            return;
        }
        let serial = self.ground.serial();
        let value_bytes = self.random.random_range(1..=self.ground.plan.value_bytes_max);
        let record = self.refused.take().unwrap_or_else(|| Record {
            partition: Some(self.random.random_range(0..producer.partition_count())),
            key: Some(Bytes::copy_from_slice(&serial.to_le_bytes())),
            value: Some(Bytes::from(vec![7; value_bytes])),
            headers: Vec::new(),
            timestamp_ms: Some(1),
        });
        let now_ns = self.ground.executor.now_ns();
        match producer.append(&record, 1, now_ns, now_ns) {
            Ok(appended) if appended.index == 0 => {
                let key = record.key.as_deref().and_then(|key| key.try_into().ok()).map(u64::from_le_bytes);
                self.open.insert(appended.batch, key.expect("a key of eight bytes"));
            }
            Ok(_) => {}
            Err(AppendError::Full) => self.refused = Some(record),
            Err(AppendError::Never(error)) => self.ground.note(refused(&error)),
        }
    }

    fn pump(&mut self, connection: &mut Connection<Tag>) {
        let now_ns = self.ground.executor.now_ns();
        let Some((producer, consumer)) = &mut self.cores else { return };
        let mut outlet = OneLink { ground: &self.ground, connection };
        producer.tick(now_ns);
        producer.pump(now_ns, &mut outlet);
        consumer.pump(now_ns, &mut outlet);
        let wants = producer.wants_metadata() || consumer.wants_metadata();
        if wants && !self.topic_is_asked && outlet.connection.has_room() {
            self.topic_is_asked = true;
            outlet.topic(&producer.topic().name);
        }
    }

    fn answer(&mut self, tag: Tag, response: Response) -> Result<(), Trouble> {
        let now_ns = self.ground.executor.now_ns();
        let Some((producer, consumer)) = &mut self.cores else { return Ok(()) };
        match tag {
            Tag::Produce(attempt, serial) => {
                match &response {
                    Response::Produced { base_offset, append_time, duplicate } => {
                        self.ground.captured(serial, *base_offset, *append_time, *duplicate)?;
                    }
                    Response::Error(error) => self.ground.capture_refused(serial, false, error)?,
                    other => self.ground.misfit("a batch", other)?,
                }
                producer.on_answer(attempt, response, now_ns);
            }
            Tag::Identity(shard) => match response {
                Response::Producer { id, epoch } => {
                    self.ground.model.borrow_mut().producer_minted(id)?;
                    producer.on_identity(id, epoch);
                }
                Response::Error(_) => producer.on_identity_refused(shard, now_ns),
                other => self.ground.misfit("the wish for an identity", &other)?,
            },
            Tag::Fetch(attempt, asked) => {
                match &response {
                    Response::Fetched(fetched) => drop(self.ground.fetched(&asked, fetched)?),
                    Response::Error(error) => self.ground.fetch_refused(&asked, error)?,
                    other => self.ground.misfit("a fetch", other)?,
                }
                consumer.on_answer(attempt, response, now_ns);
            }
            Tag::List(attempt, partition) => {
                if let Response::Offset(start) = response {
                    self.ground.starts_at_zero(partition, start)?;
                }
                consumer.on_answer(attempt, response, now_ns);
            }
            Tag::Topic => {
                self.topic_is_asked = false;
                if let Response::Topics(page) = response {
                    self.ground.page_shown(&page)?;
                    if let own @ Some(_) = page.topics.first() {
                        producer.on_topic(own);
                        consumer.on_topic(own);
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes what the cores have for their callers.
    fn take_news(&mut self) -> Checked {
        let Some((producer, consumer)) = &mut self.cores else { return Ok(()) };
        for (batch, outcome) in producer.take_outcomes() {
            self.ground.count(|summary| summary.library_outcome_count += 1);
            let Some(serial) = self.open.remove(&batch) else {
                return violation("exactly once", format!("batch {batch} of the library has a second outcome"));
            };
            let told = Told { is_patient: self.delivery_ns == PATIENCE_NS, is_idempotent: self.is_idempotent };
            if !told.fits(self.ground.model.borrow().sent.get(&serial), &outcome) {
                let known = self.ground.model.borrow().sent.get(&serial).and_then(|sent| sent.receipt);
                return violation("exactly once", format!("batch {serial} is at {known:?}, told {outcome:?}"));
            }
        }
        for batch in consumer.take_ready() {
            self.ground.count(|summary| summary.library_consumed_count += 1);
            let next = self.next.entry(batch.partition).or_insert(0);
            if batch.first_offset.0 != *next {
                let what =
                    format!("partition {}: {} is handed out, {next} is next", batch.partition, batch.first_offset);
                return violation("order", what);
            }
            *next = batch.last_offset.0 + 1;
        }
        match consumer.take_error() {
            Some(error) => violation("durability", format!("a consumer of the library cannot go on: {error}")),
            None => Ok(()),
        }
    }

    /// Whether everything that was known when this is asked was handed out.
    fn has_read_all(&self) -> bool {
        let Some((producer, _)) = &self.cores else { return true };
        let topic = producer.topic().id;
        (0..producer.partition_count()).all(|index| {
            self.next.get(&index).copied().unwrap_or(0) >= self.ground.known_end(PartitionId { topic, index })
        })
    }

    async fn talk(&mut self, stream: &SimStream, connection: &mut Connection<Tag>) -> Result<(), Trouble> {
        let mut answers = Vec::new();
        loop {
            self.append();
            self.pump(connection);
            self.take_news()?;
            if self.is_done() || hangs_up(&mut self.random) {
                return Ok(());
            }
            self.move_bytes(stream, connection).await.map_err(|_gone| Trouble::Lost)?;
            let taken = connection.take_answers(&mut answers);
            for (tag, response) in answers.drain(..) {
                self.answer(tag, response)?;
            }
            let now_ns = self.ground.executor.now_ns();
            self.ground.goes_on(taken.and_then(|()| connection.check_deadlines(now_ns)), "the library")?;
        }
    }

    /// Sends or receives something, or lets time pass until there is something to be done.
    async fn move_bytes(&mut self, stream: &SimStream, connection: &mut Connection<Tag>) -> io::Result<()> {
        let now_ns = self.ground.executor.now_ns();
        let rest_ns = self.random.random_range(10_000..2_000_000);
        let rest_ns = if self.ground.settles() { LOOK_NS } else { rest_ns };
        let wake_at_ns = self
            .cores
            .as_ref()
            .map_or(u64::MAX, |(producer, consumer)| producer.wake_at_ns(now_ns).min(consumer.wake_at_ns(now_ns)));
        let wake_in_ns = wake_at_ns.saturating_sub(now_ns).clamp(1, rest_ns);
        exchange(&self.ground, stream, connection, wake_in_ns).await
    }

    fn lost(&mut self, tag: Tag) {
        let now_ns = self.ground.executor.now_ns();
        let Some((producer, consumer)) = &mut self.cores else { return };
        match tag {
            Tag::Produce(attempt, serial) => {
                self.ground.unknown(serial);
                producer.on_lost(attempt, "the connection was lost", now_ns);
            }
            Tag::Identity(shard) => producer.on_identity_refused(shard, now_ns),
            Tag::Fetch(attempt, _) | Tag::List(attempt, _) => consumer.on_lost(attempt, now_ns),
            Tag::Topic => self.topic_is_asked = false,
        }
    }
}

/// What a library may be told of a batch.
struct Told {
    is_patient: bool,
    is_idempotent: bool,
}

impl Told {
    /// Whether an outcome is true of a batch, as far as anybody knows; none of it if it was never sent.
    fn fits(&self, sent: Option<&SentBatch>, outcome: &BatchOutcome) -> bool {
        let receipt = sent.and_then(|sent| sent.receipt);
        let may_be_stored = sent.is_some_and(|sent| sent.may_be_stored || sent.open_count > 0);
        match outcome {
            BatchOutcome::Stored { base_offset, append_time, .. } => receipt == Some((*base_offset, *append_time)),
            BatchOutcome::Failed(SendError::OutcomeUnknown { .. }) => {
                may_be_stored && !(self.is_patient && self.is_idempotent)
            }
            BatchOutcome::Failed(SendError::TimedOut | SendError::Refused(_)) => {
                !self.is_patient && !may_be_stored && receipt.is_none()
            }
            BatchOutcome::Failed(_) | BatchOutcome::Records(_) => false,
        }
    }
}

fn refused(error: &SendError) -> Violation {
    Violation { checker: "exactly once", what: format!("a record is never taken: {error}") }
}

impl Client for Library {
    async fn converse(&mut self) -> Result<(), Trouble> {
        if self.cores.is_none() {
            self.make_cores();
        }
        let port = self.ground.any_port(&mut self.random);
        let stream = self.ground.wire.connect(address_of(port)).await.map_err(|_refused| Trouble::Lost)?;
        let deadline_ns = self.ground.executor.now_ns() + REQUEST_NS;
        let mut connection = Connection::new("library", deadline_ns);
        let result = self.talk(&stream, &mut connection).await;
        connection.into_lost().for_each(|tag| self.lost(tag));
        result
    }

    fn is_done(&self) -> bool {
        self.ground.settles() && self.open.is_empty() && self.has_read_all()
    }

    fn random(&mut self) -> &mut ChaCha8Rng {
        &mut self.random
    }
}
