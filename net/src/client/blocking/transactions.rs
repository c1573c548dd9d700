//! Looking at transactional ids, and aborting what is open.

use florin_engine::transaction::{coordinator_of, shard_of};

use super::call::Repetition;
use super::command::Route;
use super::{Client, Listed};
use crate::client::{ClientError, TransactionKey, TransactionOutcome, TransactionStatus, TransactionalId};
use crate::protocol::{Request, Response};

impl Client {
    pub(super) fn coordinator_of(&self, name: &TransactionalId) -> Route {
        Route::Shard(coordinator_of(name, self.server().shard_count).0)
    }

    /// All transactional ids, shard by shard, each shard's in the order of their names.
    ///
    /// # Errors
    /// If no shard answers in time, or the server cannot be reached.
    pub fn transactions(&self) -> Result<Listed<TransactionStatus>, ClientError> {
        self.of_every_shard(|shard| self.transactions_of(shard))
    }

    fn transactions_of(&self, shard: u16) -> Result<Vec<TransactionStatus>, ClientError> {
        let what = format!("listing the transactional ids of shard {shard}");
        let mut all: Vec<TransactionStatus> = Vec::new();
        loop {
            let request = Request::ListTransactions { after: all.last().map(|status| status.name.clone()) };
            match self.inner.request(&what, Route::Shard(shard), request, Repetition::Read)? {
                Response::Transactions(page) if page.is_empty() => return Ok(all),
                Response::Transactions(page) => all.extend(page),
                _ => return Err(self.inner.unexpected(&what)),
            }
        }
    }

    /// A transactional id; none if it is not known.
    ///
    /// # Errors
    /// If its shard does not answer in time.
    pub fn transaction(&self, name: &TransactionalId) -> Result<Option<TransactionStatus>, ClientError> {
        let what = format!("describing transactional id {name}");
        let request = Request::DescribeTransaction { name: name.clone() };
        match self.inner.request(&what, self.coordinator_of(name), request, Repetition::Read)? {
            Response::Transaction(status) => Ok(status),
            _ => Err(self.inner.unexpected(&what)),
        }
    }

    /// Aborts a transaction of whoever has it: that one is told with its next request.
    ///
    /// # Errors
    /// If it was committed, is not the last one of its transactional id, or its shard does not answer in time.
    pub fn abort_transaction(&self, transaction: TransactionKey) -> Result<(), ClientError> {
        let what = format!("aborting transaction {transaction}");
        let route = Route::Shard(shard_of(transaction.producer).0);
        let request = Request::EndTransaction { transaction, outcome: TransactionOutcome::Aborted };
        match self.inner.request(&what, route, request, Repetition::Repeatable)? {
            Response::TransactionEnded { .. } => Ok(()),
            _ => Err(self.inner.unexpected(&what)),
        }
    }
}
