//! The transactions of one instance of a transactional id: what may be done next, and what an answer means.
//!
//! Every transaction has an epoch of its own, which the server gives with the end of the one before. So an end that is
//! asked for again, however late, is about the same transaction and about no other.

use florin_engine::model::{TransactionKey, TransactionOutcome};
use florin_engine::shard::{Action, BatchReceipt};

use crate::client::{ClientError, SendError, TransactionError};
use crate::protocol::{Code, ErrorResponse, Response};

/// How far an instance has come.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// The transaction may begin.
    Ready(TransactionKey),
    /// It takes records and offsets.
    Open(TransactionKey),
    /// It can only be aborted.
    Broken { transaction: TransactionKey, reason: String },
    /// Its commit was asked for, and the answer is not known.
    Committing(TransactionKey),
    /// The transactional id is another instance's, or was forgotten.
    Over { reason: String },
}

/// The transactions of one instance of a transactional id.
#[derive(Debug)]
pub struct TransactionCore {
    state: State,
}

impl TransactionCore {
    /// For an instance that was just given its transactional id, and with it its first transaction.
    pub fn new(next: TransactionKey) -> Self {
        Self { state: State::Ready(next) }
    }

    /// The transaction that takes records and offsets, if one does.
    pub fn open(&self) -> Option<TransactionKey> {
        match self.state {
            State::Open(transaction) => Some(transaction),
            _ => None,
        }
    }

    /// The transaction that has to be aborted before the next one can begin.
    pub fn to_abort(&self) -> Option<TransactionKey> {
        match self.state {
            State::Open(transaction) | State::Broken { transaction, .. } => Some(transaction),
            _ => None,
        }
    }

    /// The transaction whose commit was asked for and not answered: it has to be asked for again.
    pub fn in_doubt(&self) -> Option<TransactionKey> {
        match self.state {
            State::Committing(transaction) => Some(transaction),
            _ => None,
        }
    }

    /// Begins the next transaction.
    ///
    /// # Errors
    /// `Abortable` if one is open, `OutcomeUnknown` if it has to be found out how the last one ended, `Fatal` if there will
    /// be no other one.
    pub fn begin(&mut self) -> Result<TransactionKey, TransactionError> {
        let State::Ready(transaction) = self.state else { return Err(self.error()) };
        self.state = State::Open(transaction);
        Ok(transaction)
    }

    /// What stands in the way of going on.
    pub fn error(&self) -> TransactionError {
        match &self.state {
            State::Ready(_) => TransactionError::Abortable { reason: "it has not begun".to_owned() },
            State::Open(_) => {
                TransactionError::Abortable { reason: "it has neither been committed nor aborted".to_owned() }
            }
            State::Broken { reason, .. } => TransactionError::Abortable { reason: reason.clone() },
            State::Committing(_) => {
                TransactionError::OutcomeUnknown { reason: "its commit was not answered".to_owned() }
            }
            State::Over { reason } => TransactionError::Fatal { reason: reason.clone() },
        }
    }

    /// Something of the open transaction was not stored: it can only be aborted.
    pub fn on_unsent(&mut self, error: &SendError) -> TransactionError {
        match error {
            SendError::Refused(refusal) if refusal.action == Action::Fenced => self.close(refusal.to_string()),
            _ => self.break_off(error.to_string()),
        }
    }

    /// Offsets of the open transaction were not noted: it can only be aborted.
    pub fn on_unnoted(&mut self, error: &ClientError) -> TransactionError {
        match error {
            ClientError::Refused(refusal) if refusal.action == Action::Fenced => self.close(refusal.to_string()),
            _ => self.break_off(error.to_string()),
        }
    }

    fn break_off(&mut self, reason: String) -> TransactionError {
        if let State::Open(transaction) = self.state {
            self.state = State::Broken { transaction, reason };
        }
        self.error()
    }

    fn close(&mut self, reason: String) -> TransactionError {
        self.state = State::Over { reason };
        self.error()
    }

    /// The transaction whose commit is to be asked for: the open one, or the one in doubt.
    ///
    /// # Errors
    /// `Abortable` if none is open or something of it was not stored, `Fatal` if there will be no other one.
    pub fn commit(&mut self) -> Result<TransactionKey, TransactionError> {
        let (State::Open(transaction) | State::Committing(transaction)) = self.state else { return Err(self.error()) };
        self.state = State::Committing(transaction);
        Ok(transaction)
    }

    /// The answer to the request to commit it.
    ///
    /// # Errors
    /// `Abortable` if it was aborted meanwhile, `Fatal` if another instance has the transactional id, `OutcomeUnknown` if
    /// there is no answer.
    pub fn on_commit(&mut self, answer: Result<Response, ClientError>) -> Result<(), TransactionError> {
        let State::Committing(transaction) = self.state else { return Err(self.error()) };
        match answer {
            Ok(Response::TransactionEnded { outcome: TransactionOutcome::Committed, next }) => {
                self.state = State::Ready(next);
                Ok(())
            }
            // It is committed, and another instance has the transactional id since.
            Err(ClientError::Refused(refusal)) if refusal.code == Code::TRANSACTION_COMMITTED => {
                self.close("another instance took it over after this transaction".to_owned());
                Ok(())
            }
            Err(ClientError::Refused(refusal)) if refusal.code == Code::TRANSACTION_ABORTED => {
                self.state = State::Broken { transaction, reason: refusal.to_string() };
                Err(self.error())
            }
            Err(ClientError::Refused(refusal)) if is_over(refusal.action, refusal.code) => Err(self.give_up(&refusal)),
            Err(error) => Err(TransactionError::OutcomeUnknown { reason: error.to_string() }),
            Ok(_) => Err(TransactionError::OutcomeUnknown { reason: "its answer is one to something else".to_owned() }),
        }
    }

    /// The answer to the one request that stores everything of the transaction and commits it: the receipts of its batches, and
    /// whether they had been stored before. `None`: it is committed, and its receipts are gone; what the transactional id goes
    /// on with is told to whoever asks to commit it.
    ///
    /// # Errors
    /// `Abortable` if nothing of it counts, `Fatal` if this instance does not have its transactional id any more,
    /// `OutcomeUnknown` if there is no answer: the same request has to be made again.
    pub fn on_together(
        &mut self,
        answer: Result<Response, ClientError>,
    ) -> Result<Option<(Vec<BatchReceipt>, bool)>, TransactionError> {
        let State::Committing(transaction) = self.state else { return Err(self.error()) };
        match answer {
            Ok(Response::ProducedTogether { receipts, duplicate, next: Some(next) }) => {
                self.state = State::Ready(next);
                Ok(Some((receipts, duplicate)))
            }
            Err(ClientError::Refused(refusal)) if refusal.code == Code::TRANSACTION_COMMITTED => Ok(None),
            Err(ClientError::Refused(refusal)) if is_over(refusal.action, refusal.code) => Err(self.give_up(&refusal)),
            Err(ClientError::Refused(refusal))
                if matches!(refusal.action, Action::AbortTransaction | Action::FixRequest) =>
            {
                self.state = State::Broken { transaction, reason: refusal.to_string() };
                Err(self.error())
            }
            Err(error) => Err(TransactionError::OutcomeUnknown { reason: error.to_string() }),
            Ok(_) => Err(TransactionError::OutcomeUnknown { reason: "its answer is one to something else".to_owned() }),
        }
    }

    /// It was asked to commit, and this instance does not have its transactional id any more.
    fn give_up(&mut self, refusal: &ErrorResponse) -> TransactionError {
        let who_knows = match refusal.code {
            Code::UNKNOWN_TRANSACTION => "nobody knows: look at the records",
            _ => "the instance that has the transactional id now was told",
        };
        self.close(format!("{refusal}; whether it was committed {who_knows}"))
    }

    /// The answer to the request to abort what is [to be aborted](TransactionCore::to_abort).
    ///
    /// # Errors
    /// `Abortable` if there is no answer: nothing of it counts all the same. `Fatal` if another instance has the
    /// transactional id.
    pub fn on_abort(&mut self, answer: Result<Response, ClientError>) -> Result<(), TransactionError> {
        match answer {
            Ok(Response::TransactionEnded { outcome: TransactionOutcome::Aborted, next }) => {
                self.state = State::Ready(next);
                Ok(())
            }
            Err(ClientError::Refused(refusal)) if is_over(refusal.action, refusal.code) => {
                Err(self.close(refusal.to_string()))
            }
            Err(error) => Err(self.break_off(error.to_string())),
            Ok(_) => Err(self.break_off("its answer is one to something else".to_owned())),
        }
    }
}

/// Whether a refusal to end a transaction says that this instance does not have its transactional id any more.
fn is_over(action: Action, code: Code) -> bool {
    action == Action::Fenced || code == Code::UNKNOWN_TRANSACTION
}

#[cfg(test)]
mod tests;
