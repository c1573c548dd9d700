//! The handles of transactions: begin, send, send offsets, commit or abort.

use std::collections::BTreeMap;

use florin_engine::model::{TransactionKey, TransactionOutcome, TransactionalId};
use florin_engine::transaction::{Ended, shard_of};

use super::Client;
use super::call::Repetition;
use super::command::Route;
use super::producer::{Delivery, Producer};
use crate::client::core::together::Together;
use crate::client::core::transaction::TransactionCore;
use crate::client::{
    ClientError, GroupId, GroupOffset, ProducerSettings, Record, SendError, TransactionError, TransactionSettings,
};
use crate::protocol::{Request, Response, TopicDescription};

/// An instance of a transactional id: its transactions follow one another.
///
/// Opening a transactional id takes it from the instance that had it, whose transactions fail with
/// [`TransactionError::Fatal`] from then on. Dropping the handle aborts nothing at once: the server aborts what is open
/// when its time is over, or when the transactional id is opened again.
pub struct TransactionalProducer {
    pub(super) client: Client,
    settings: TransactionSettings,
    pub(super) core: TransactionCore,
    last: Option<Ended>,
    topics: BTreeMap<String, TopicProducer>,
    pub(super) descriptions: BTreeMap<String, TopicDescription>,
    /// The one request of the transaction in doubt, if it had one: it is found out by making it again.
    pub(super) in_doubt: Option<Together>,
}

/// The producer of one topic, and which transaction it is in.
struct TopicProducer {
    producer: Producer,
    transaction: Option<TransactionKey>,
}

/// An open transaction.
///
/// Whatever fails in it can only be aborted. Dropping the handle is as good: the next
/// [`begin`](TransactionalProducer::begin) aborts it, or its time-out does.
pub struct Transaction<'a> {
    producer: &'a mut TransactionalProducer,
    key: TransactionKey,
}

impl TransactionalProducer {
    pub(super) fn open(client: Client, settings: TransactionSettings) -> Result<Self, ClientError> {
        let name = TransactionalId::new(&settings.transactional_id)?;
        let what = format!("opening transactional id {name}");
        let timeout_ms = u32::try_from(settings.timeout.as_millis()).unwrap_or(u32::MAX);
        let route = client.coordinator_of(&name);
        // Opened twice, the first of the two is fenced: it is this instance all the same.
        let request = Request::OpenTransactionalId { name, timeout_ms };
        match client.inner.request(&what, route, request, Repetition::Repeatable)? {
            Response::TransactionalIdOpened { next, last } => Ok(Self {
                client,
                settings,
                core: TransactionCore::new(next),
                last,
                topics: BTreeMap::new(),
                descriptions: BTreeMap::new(),
                in_doubt: None,
            }),
            _ => Err(client.inner.unexpected(&what)),
        }
    }

    /// The last transaction of the transactional id that had been decided when this instance opened it, as far as the
    /// server knows it. An instance that notes the [key](Transaction::key) of what it commits learns here, when it is
    /// started again, whether that counts.
    pub fn last_before(&self) -> Option<Ended> {
        self.last
    }

    /// Begins a transaction. If one is open still, it is aborted first.
    ///
    /// # Errors
    /// `OutcomeUnknown` if it has to be [found out](TransactionalProducer::find_out) how the last one ended, `Fatal` if the
    /// transactional id is another instance's, `Abortable` if the open one could not be aborted now: begin again.
    pub fn begin(&mut self) -> Result<Transaction<'_>, TransactionError> {
        self.abort_open()?;
        let key = self.core.begin()?;
        Ok(Transaction { producer: self, key })
    }

    /// After [`TransactionError::OutcomeUnknown`]: asks again for the end of that transaction. Asked as often as it takes,
    /// it commits once at most. If nothing is unknown, nothing is asked.
    ///
    /// # Errors
    /// `OutcomeUnknown` if the server does not answer in time: ask again. `Abortable` if it turns out that it was aborted.
    /// `Fatal` if another instance has the transactional id.
    pub fn find_out(&mut self) -> Result<(), TransactionError> {
        match self.core.in_doubt() {
            Some(_) if self.in_doubt.is_some() => self.ask_together().map(|_receipts| ()),
            Some(transaction) => self.ask_to_commit(transaction),
            None => Ok(()),
        }
    }

    /// Aborts what is open, if something is.
    pub(super) fn abort_open(&mut self) -> Result<(), TransactionError> {
        let Some(transaction) = self.core.to_abort() else { return Ok(()) };
        self.leave();
        let answer = self.ask_to_end(transaction, TransactionOutcome::Aborted);
        self.core.on_abort(answer)
    }

    pub(super) fn ask_to_commit(&mut self, transaction: TransactionKey) -> Result<(), TransactionError> {
        let answer = self.ask_to_end(transaction, TransactionOutcome::Committed);
        self.core.on_commit(answer)
    }

    fn ask_to_end(&self, transaction: TransactionKey, outcome: TransactionOutcome) -> Result<Response, ClientError> {
        let what = format!("ending transaction {transaction}");
        let route = Route::Shard(shard_of(transaction.producer).0);
        // Whatever is asked twice is about this transaction only, and ended it the first time.
        self.client.inner.request(
            &what,
            route,
            Request::EndTransaction { transaction, outcome },
            Repetition::Repeatable,
        )
    }

    /// No topic's producer is in a transaction any longer. One that failed is not used again.
    fn leave(&mut self) {
        self.topics.retain(|_, topic| {
            if topic.transaction.take().is_some() {
                topic.producer.leave();
            }
            topic.producer.failure().is_none()
        });
    }

    /// The producer of a topic, as a part of this transaction.
    fn of_topic(&mut self, topic: &str, transaction: TransactionKey) -> Result<&Producer, ClientError> {
        if !self.topics.contains_key(topic) {
            let chosen = self.settings.topics.iter().find(|settings| settings.topic == topic);
            let mut settings = chosen.cloned().unwrap_or_else(|| ProducerSettings::new(topic));
            // What is not stored by then never counts.
            settings.delivery_timeout = settings.delivery_timeout.min(self.settings.timeout);
            let description = self.client.topic(topic)?;
            let producer = Producer::start(self.client.clone(), description, &settings, true)?;
            self.topics.insert(topic.to_owned(), TopicProducer { producer, transaction: None });
        }
        let topic = self.topics.get_mut(topic).expect("it is there now");
        if topic.transaction.is_none() {
            topic.producer.begin(transaction);
            topic.transaction = Some(transaction);
        }
        Ok(&topic.producer)
    }

    /// Waits until every record that was sent in the open transaction has its outcome.
    fn flush(&self) -> Result<(), SendError> {
        let sending = self.topics.values().filter(|topic| topic.transaction.is_some());
        sending
            .map(|topic| {
                let flushed = topic.producer.flush();
                topic.producer.failure().map_or(flushed, Err)
            })
            .fold(Ok(()), Result::and)
    }
}

impl Transaction<'_> {
    /// Which transaction it is: what the server's lists, and [`TransactionalProducer::last_before`], call it by.
    pub fn key(&self) -> TransactionKey {
        self.key
    }

    /// Takes a record for a topic; waits while that topic's buffer is full. It counts once the transaction is committed.
    ///
    /// # Errors
    /// `Abortable` or `Fatal`: also if the record cannot be part of any batch, since the transaction would count without it.
    pub fn send(&mut self, topic: &str, record: Record) -> Result<Delivery, TransactionError> {
        if self.producer.core.open() != Some(self.key) {
            return Err(self.producer.core.error());
        }
        let sent = match self.producer.of_topic(topic, self.key) {
            Ok(producer) => producer.send(record),
            Err(error) => return Err(self.producer.core.on_unnoted(&error)),
        };
        sent.map_err(|error| self.producer.core.on_unsent(&error))
    }

    /// Notes how far a group has come: these offsets are the group's once the transaction is committed.
    ///
    /// # Errors
    /// `Abortable` if they are not noted, whyever. `Fatal` if another instance has the transactional id.
    pub fn send_offsets(&mut self, group: &GroupId, offsets: Vec<GroupOffset>) -> Result<(), TransactionError> {
        if self.producer.core.open() != Some(self.key) {
            return Err(self.producer.core.error());
        }
        let noted = self.producer.client.note_offsets(group, Some(self.key), offsets);
        noted.map_err(|error| self.producer.core.on_unnoted(&error))
    }

    /// Waits until every record that was sent is stored, and commits.
    ///
    /// # Errors
    /// `Abortable` if a record was not stored, or the transaction was aborted because its time was over. `OutcomeUnknown`
    /// if the commit was not answered: [`TransactionalProducer::find_out`] tells. `Fatal` if this instance does not have the
    /// transactional id any more.
    pub fn commit(self) -> Result<(), TransactionError> {
        let Self { producer, .. } = self;
        if let Err(error) = producer.flush() {
            let error = producer.core.on_unsent(&error);
            producer.leave();
            return Err(error);
        }
        producer.leave();
        let transaction = producer.core.commit()?;
        producer.ask_to_commit(transaction)
    }

    /// Aborts: nothing of it counts.
    ///
    /// # Errors
    /// `Abortable` if the server did not answer in time, and `Fatal`: nothing of it counts all the same.
    pub fn abort(self) -> Result<(), TransactionError> {
        self.producer.abort_open()
    }
}
