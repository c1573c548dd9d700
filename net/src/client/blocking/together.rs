//! A transaction with one request: its records are stored in several partitions, all or none.

#![allow(clippy::disallowed_methods, reason = "the blocking adapter reads the host's clock")]

use std::time::Instant;

use florin_engine::format::batch::BatchError;
use florin_engine::model::PartitionId;
use florin_engine::transaction::shard_of;

use super::call::Repetition;
use super::clock::Clock;
use super::command::Route;
use super::transaction::TransactionalProducer;
use crate::client::core::producer::chosen;
use crate::client::core::together::Together;
use crate::client::{Receipt, Record, SendError, TransactionError, TransactionKey};
use crate::protocol::Request;

impl TransactionalProducer {
    /// Stores records of any topics as one transaction, all or none, with one request: it is begun, sent and committed at once.
    /// The receipts are in the order of the records; `None`: they are stored, and their receipts are gone. All records of a
    /// partition make one batch, so they must fit into one. If a transaction is open still, it is aborted first.
    ///
    /// # Errors
    /// `Abortable` if nothing of it counts: a record cannot be stored, a topic does not exist or has idempotency keys, or the
    /// transaction's time was over. `OutcomeUnknown` if there was no answer: [`TransactionalProducer::find_out`] tells.
    /// `Fatal` if this instance does not have the transactional id any more.
    pub fn append_together<'a>(
        &mut self,
        records: impl IntoIterator<Item = (&'a str, Record)>,
    ) -> Result<Option<Vec<Receipt>>, TransactionError> {
        self.abort_open()?;
        let transaction = self.core.begin()?;
        let placed = self.place(transaction, records)?;
        let built = Together::build(transaction, &placed, Clock::realtime_ms());
        let together = built.and_then(|together| self.checked(together));
        let together = together.map_err(|error| self.core.on_unsent(&error))?;
        self.core.commit()?;
        self.in_doubt = Some(together);
        self.ask_together()
    }

    /// Makes the request of the transaction in doubt, for the first time or again.
    pub(super) fn ask_together(&mut self) -> Result<Option<Vec<Receipt>>, TransactionError> {
        let Some(transaction) = self.core.in_doubt() else { return Err(self.core.error()) };
        let together = self.in_doubt.take().expect("it is what is in doubt");
        let what = format!("storing transaction {transaction}");
        let route = Route::Shard(shard_of(transaction.producer).0);
        let request = Request::ProduceTogether { batches: together.batches().to_vec() };
        let asked = Instant::now();
        // The same batches, asked for again, are answered as the first time.
        let answer = self.client.inner.request(&what, route, request, Repetition::Repeatable);
        match self.core.on_together(answer) {
            Ok(Some((stored, duplicate))) => Ok(together.receipts(&stored, duplicate, asked.elapsed())),
            Ok(None) => self.ask_to_commit(transaction).map(|()| None),
            Err(unknown @ TransactionError::OutcomeUnknown { .. }) => {
                self.in_doubt = Some(together);
                Err(unknown)
            }
            Err(error) => Err(error),
        }
    }

    /// The partition of each record. Those of a topic that have neither a partition nor a key go to the same one.
    fn place<'a>(
        &mut self,
        transaction: TransactionKey,
        records: impl IntoIterator<Item = (&'a str, Record)>,
    ) -> Result<Vec<(PartitionId, Record)>, TransactionError> {
        let mut placed = Vec::new();
        for (name, record) in records {
            if !self.descriptions.contains_key(name) {
                let described = self.client.topic(name).map_err(|error| self.core.on_unnoted(&error))?;
                self.descriptions.insert(name.to_owned(), described);
            }
            let topic = &self.descriptions[name];
            let partition_count = u32::try_from(topic.placement.len()).unwrap_or(u32::MAX);
            let chosen = chosen(&record, partition_count).map_err(|error| self.core.on_unsent(&error))?;
            let index = chosen.unwrap_or(u32::from(transaction.epoch.0) % partition_count.max(1));
            placed.push((PartitionId { topic: topic.id, index }, record));
        }
        Ok(placed)
    }

    /// What a request takes.
    fn checked(&self, together: Together) -> Result<Together, SendError> {
        let bytes_max = self.client.server().request_bytes_max as usize;
        match together.size_bytes() {
            bytes if bytes > bytes_max => Err(SendError::Record(BatchError::TooLarge { bytes, bytes_max })),
            _ => Ok(together),
        }
    }
}
