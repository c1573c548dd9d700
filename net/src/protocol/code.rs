//! The codes of responses, and what a client does about each. The engine's refusals keep their numbers here.

use florin_engine::shard::Action;
use florin_engine::shard::Refusal;

/// The code of a response: 0 is success. A client that does not know a code goes by the action beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u16);

impl Code {
    /// It was done.
    pub const OK: Self = Self(0);
    /// See [`CODES`], like all that follow.
    pub const STOPPING: Self = Self(2);
    /// The shard takes nothing new.
    pub const SHARD_UNAVAILABLE: Self = Self(3);
    /// It may have happened or not.
    pub const OUTCOME_UNKNOWN: Self = Self(4);
    /// Too much waits.
    pub const BUSY: Self = Self(6);
    /// The partition is not here.
    pub const UNKNOWN_PARTITION: Self = Self(10);
    /// The topic is not known.
    pub const UNKNOWN_TOPIC: Self = Self(12);
    /// There is a topic of this name.
    pub const NAME_TAKEN: Self = Self(15);
    /// A setting is out of its bounds.
    pub const TOPIC_SETTING: Self = Self(19);
    /// The offset does not exist.
    pub const OFFSET_OUT_OF_RANGE: Self = Self(21);
    /// The offsets are lost for good.
    pub const LOST: Self = Self(27);
    /// The producer is not known.
    pub const UNKNOWN_PRODUCER: Self = Self(30);
    /// A later epoch was here.
    pub const FENCED: Self = Self(32);
    /// Batches before this one are missing.
    pub const OUT_OF_ORDER: Self = Self(33);
    /// Stored, but the receipt is gone.
    pub const DUPLICATE_BEYOND_WINDOW: Self = Self(35);
    /// Some of a batch's keys are known, or come twice in it.
    pub const KEYS_KNOWN: Self = Self(52);
    /// Another body is stored under a key.
    pub const KEY_CONFLICT: Self = Self(53);
    /// What is known of a key cannot be read.
    pub const KEYS_UNANSWERABLE: Self = Self(54);
    /// The transaction was aborted, or is not known any more.
    pub const TRANSACTION_ABORTED: Self = Self(60);
    /// The transaction was committed.
    pub const TRANSACTION_COMMITTED: Self = Self(61);
    /// No transactional id has the producer.
    pub const UNKNOWN_TRANSACTION: Self = Self(62);
    /// Another instance took the transactional id over.
    pub const TRANSACTION_FENCED: Self = Self(63);
    /// A transaction with offsets of the group is not decided.
    pub const OFFSETS_UNDECIDED: Self = Self(67);
    /// No offset was committed for the group.
    pub const UNKNOWN_GROUP: Self = Self(69);
    /// Batches or offsets cannot be stored together as they are.
    pub const TOGETHER: Self = Self(73);
    /// The stream cannot be cut into frames.
    pub const MALFORMED_FRAME: Self = Self(100);
    /// A frame is too large.
    pub const FRAME_TOO_LARGE: Self = Self(101);
    /// A frame was damaged on the way.
    pub const FRAME_CHECKSUM: Self = Self(102);
    /// The api is not known.
    pub const UNKNOWN_API: Self = Self(103);
    /// The version of the api is not spoken.
    pub const UNSUPPORTED_VERSION: Self = Self(104);
    /// The fields of the request cannot be read.
    pub const MALFORMED_REQUEST: Self = Self(105);
    /// Something else came before a negotiation.
    pub const NEGOTIATE_FIRST: Self = Self(106);
    /// The port has as many connections as it may.
    pub const TOO_MANY_CONNECTIONS: Self = Self(107);
    /// The client took too long.
    pub const TIMED_OUT: Self = Self(108);
    /// Too much is under way for this connection to have more.
    pub const OVERLOADED: Self = Self(109);
}

impl Code {
    /// Whether an error with this code says what is known of each record.
    pub(super) fn has_records(self) -> bool {
        matches!(self, Self::KEYS_KNOWN | Self::KEY_CONFLICT)
    }
}

/// A row of the table of codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeRow {
    /// The code.
    pub code: Code,
    /// Its name.
    pub name: &'static str,
    /// What the client does.
    pub action: Action,
    /// What it means.
    pub meaning: &'static str,
}

const fn row(code: u16, name: &'static str, action: Action, meaning: &'static str) -> CodeRow {
    CodeRow { code: Code(code), name, action, meaning }
}

/// Every code but success, in the order of their numbers.
#[rustfmt::skip]
pub const CODES: [CodeRow; 66] = [
    row(1, "starting", Action::Retry, "the shard is recovering"),
    row(2, "stopping", Action::Retry, "the shard is shutting down"),
    row(3, "shard_unavailable", Action::Retry, "the shard takes nothing new until an operator has looked at its disk"),
    row(4, "outcome_unknown", Action::OutcomeUnknown, "a write failed: it may have happened or not"),
    row(5, "journal_full", Action::Retry, "the shard's journal has no room"),
    row(6, "busy", Action::Retry, "too much waits on the shard"),
    row(7, "shard_not_open", Action::Retry, "the shard was refused at the start, an operator must look at its directory"),
    row(10, "unknown_partition", Action::Refresh, "there is no such partition"),
    row(11, "not_owner", Action::Refresh, "another shard has the partition"),
    row(12, "unknown_topic", Action::Refresh, "there is no such topic"),
    row(13, "not_coordinator", Action::Refresh, "only shard 0 changes the catalogue"),
    row(14, "topic_name", Action::FixRequest, "the topic's name breaks a rule"),
    row(15, "name_taken", Action::FixRequest, "a topic has this name already"),
    row(16, "partition_count", Action::FixRequest, "the number of partitions is 0, fewer than the topic has, or above the limit"),
    row(17, "catalogue_full", Action::FixRequest, "there are as many topics or partitions as fit"),
    row(18, "still_working", Action::Retry, "the change is under way and goes on"),
    row(19, "topic_setting", Action::FixRequest, "a setting of the topic is out of its bounds"),
    row(20, "batch", Action::FixRequest, "the batch breaks a rule"),
    row(21, "offset_out_of_range", Action::FixRequest, "the offset does not exist"),
    row(22, "transaction_without_producer", Action::FixRequest, "the batch is part of a transaction and has no producer"),
    row(23, "batch_checksum", Action::Retry, "the batch was damaged on the way"),
    row(24, "record_too_large", Action::FixRequest, "a record is larger than its topic takes"),
    row(25, "damaged", Action::Fatal, "what is stored at these offsets is damaged, an operator must look at the directory"),
    row(26, "read_failed", Action::Retry, "a segment file could not be opened"),
    row(27, "lost", Action::FixRequest, "these offsets are lost for good, as an operator accepted: go on behind them"),
    row(30, "unknown_producer", Action::FixRequest, "the producer is not known and the batch is not its first"),
    row(31, "producer_table_full", Action::Retry, "the partition knows as many producers as it may"),
    row(32, "fenced", Action::Fenced, "a later epoch of the same producer was here"),
    row(33, "out_of_order", Action::FixRequest, "batches before this one are missing"),
    row(34, "sequence_conflict", Action::FixRequest, "other content is stored under these sequences"),
    row(35, "duplicate_beyond_window", Action::FixRequest, "stored already, its receipt is no longer held"),
    row(36, "producers_full", Action::Retry, "the shard knows as many producers as it may"),
    row(37, "producer_ids_exhausted", Action::Fatal, "the shard has no producer ids left"),
    row(40, "checkpoint_failed", Action::Retry, "the checkpoint did not come about"),
    row(50, "key_missing", Action::FixRequest, "a record has no idempotency key, an empty one, or one twice"),
    row(51, "key_elsewhere", Action::Refresh, "an idempotency key belongs to another partition"),
    row(52, "keys_known", Action::FixRequest, "some records are stored already, or repeat a key within the batch"),
    row(53, "key_conflict", Action::FixRequest, "another payment is stored under an idempotency key"),
    row(54, "keys_unanswerable", Action::Retry, "what is known of an idempotency key cannot be read"),
    row(55, "no_keys", Action::FixRequest, "the topic has no idempotency keys"),
    row(56, "partitions_fixed", Action::FixRequest, "a topic with idempotency keys keeps its number of partitions"),
    row(60, "transaction_aborted", Action::AbortTransaction, "the transaction was aborted, or is not known any more: nothing of the request counts"),
    row(61, "transaction_committed", Action::FixRequest, "the transaction was committed, nothing can be added to it or taken back"),
    row(62, "unknown_transaction", Action::FixRequest, "no transactional id has the producer of the transaction"),
    row(63, "transaction_fenced", Action::Fenced, "another instance took the transactional id over"),
    row(64, "coordinator_silent", Action::Retry, "the shard that coordinates the transaction does not answer"),
    row(65, "transactions_full", Action::Retry, "there is no room for more transactions, or for more that one writes to"),
    row(66, "keyed_topic", Action::FixRequest, "a topic with idempotency keys takes no batches of transactions or of several partitions together"),
    row(67, "offsets_undecided", Action::Retry, "a transaction with offsets of the group is not decided"),
    row(68, "groups_full", Action::FixRequest, "there is no room for more offsets of groups"),
    row(69, "unknown_group", Action::FixRequest, "no offset was committed for the group"),
    row(70, "transaction_timeout", Action::FixRequest, "the time-out of a transaction is out of its bounds"),
    row(71, "unknown_transactional_id", Action::FixRequest, "another shard coordinates the transactional id"),
    row(72, "stored_apart", Action::FixRequest, "some of the batches to be stored together are stored, and others not"),
    row(73, "together", Action::FixRequest, "batches or offsets cannot be stored together as they are"),
    row(74, "outside_transaction", Action::FixRequest, "the producer of the batch has an open transaction, which the batch is no part of"),
    row(100, "malformed_frame", Action::FixRequest, "the stream cannot be cut into frames; the connection is closed"),
    row(101, "frame_too_large", Action::FixRequest, "the frame is above the limit; the connection is closed"),
    row(102, "frame_checksum", Action::Retry, "the frame was damaged on the way; the connection is closed"),
    row(103, "unknown_api", Action::FixRequest, "there is no such api"),
    row(104, "unsupported_version", Action::FixRequest, "the version of the api is not spoken"),
    row(105, "malformed_request", Action::FixRequest, "the fields of the request cannot be read"),
    row(106, "negotiate_first", Action::FixRequest, "the first request was no negotiation; the connection is closed"),
    row(107, "too_many_connections", Action::Retry, "the port has as many connections as it may; this one is closed"),
    row(108, "timed_out", Action::Retry, "a frame was not there in time; the connection is closed"),
    row(109, "overloaded", Action::Retry, "too much is under way for this connection to have more"),
];

/// The row of a code, if this build knows it.
pub fn code_row(code: Code) -> Option<&'static CodeRow> {
    CODES.iter().find(|row| row.code == code)
}

impl From<&Refusal> for Code {
    fn from(refusal: &Refusal) -> Self {
        Self(refusal.code())
    }
}

/// The number of an action in an error's head.
pub(super) fn action_number(action: Action) -> u8 {
    match action {
        Action::Retry => 1,
        Action::Refresh => 2,
        Action::Fenced => 3,
        Action::FixRequest => 4,
        Action::Fatal => 5,
        Action::OutcomeUnknown => 6,
        Action::AbortTransaction => 7,
    }
}

/// The action of a number in an error's head.
pub(super) fn action_of_number(number: u8) -> Option<Action> {
    use Action::{AbortTransaction, Fatal, Fenced, FixRequest, OutcomeUnknown, Refresh, Retry};
    [Retry, Refresh, Fenced, FixRequest, Fatal, OutcomeUnknown, AbortTransaction]
        .into_iter()
        .find(|action| action_number(*action) == number)
}

#[cfg(test)]
mod tests;
