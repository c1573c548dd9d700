//! What shards tell each other about transactions. Any message may be lost, doubled or overtaken.

use crate::format::control::Participant;
use crate::model::{TransactionKey, TransactionOutcome};

/// A message between a transaction's coordinator and the shard of a participant, which may be the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionMessage {
    /// To the coordinator: may this transaction write here? If it is going on it does from now on. Also asked of one that is
    /// open here for too long.
    Ask {
        /// The sender's number of this question.
        question: u64,
        /// The transaction.
        transaction: TransactionKey,
        /// Where something of it is.
        participant: Participant,
    },
    /// From the coordinator: the answer, or how the transaction ended.
    Tell {
        /// The transaction.
        transaction: TransactionKey,
        /// For whom.
        participant: Participant,
        /// What is so, durably.
        verdict: Verdict,
    },
    /// To the coordinator: the end of the transaction is noted here, durably, or there is nothing of it.
    Ended {
        /// The transaction.
        transaction: TransactionKey,
        /// Who.
        participant: Participant,
    },
}

/// What a coordinator says of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on, and who asked takes part in it. Holds for the question with this number only: what comes later may be over.
    Ongoing {
        /// The asker's number of its question.
        question: u64,
    },
    /// It goes on, and there is no room for one participant more. Holds for this question only.
    NoRoom {
        /// The asker's number of its question.
        question: u64,
    },
    /// It is over. What nobody knows any more was aborted, or all its participants have noted its end.
    Over(TransactionOutcome),
}
