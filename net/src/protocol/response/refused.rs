//! What a server answers to what it refuses: code, action, details and words of every cause.

use florin_engine::catalogue::SettingOutOfBounds;
use florin_engine::format::control::KeyRuleError;
use florin_engine::key::{KeyFault, KeyVerdict};
use florin_engine::limits::{
    KEY_WINDOW_DAYS_MAX, KEY_WINDOW_DAYS_MIN, TRANSACTION_TIMEOUT_MS_MAX, TRANSACTION_TIMEOUT_MS_MIN,
};
use florin_engine::producer::ProducerError;
use florin_engine::shard::{Refusal, TransactionRefusal};

use super::ErrorResponse;
use crate::protocol::api::API_VERSIONS;
use crate::protocol::code::Code;
use crate::protocol::field::FieldError;
use crate::protocol::frame::FrameError;
use crate::protocol::request::RequestError;

impl From<&Refusal> for ErrorResponse {
    fn from(refusal: &Refusal) -> Self {
        let details = match refusal {
            Refusal::NotOwner { owner, .. } => [u64::from(owner.0), 0],
            Refusal::NameTaken(topic) => [topic.0, 0],
            Refusal::PartitionCount { asked, least, most } => {
                [u64::from(*asked), u64::from(*if asked < least { least } else { most })]
            }
            Refusal::TopicSetting(SettingOutOfBounds { asked, least, most, .. }) => {
                [*asked, *if asked < least { least } else { most }]
            }
            Refusal::RecordTooLarge { bytes, max } => [u64::from(*bytes), u64::from(*max)],
            Refusal::OffsetOutOfRange { start, end, .. } => [start.0, end.0],
            Refusal::Damaged { from, to, .. } => [from.0, to.0],
            Refusal::Lost { gap, .. } => [gap.base_offset.0, gap.next_offset.0],
            Refusal::Producer(error) => producer_details(error),
            Refusal::Keys(fault) => key_details(fault),
            Refusal::KeysKnown { verdicts, .. } => conflict_details(verdicts),
            Refusal::PartitionsFixed { asked, count } => [u64::from(*asked), u64::from(*count)],
            Refusal::Transaction(refusal) => transaction_details(refusal),
            _ => [0; 2],
        };
        let records = match refusal {
            Refusal::KeysKnown { verdicts, .. } => verdicts.clone(),
            _ => Vec::new(),
        };
        Self { code: Code::from(refusal), action: refusal.action(), details, message: refusal.to_string(), records }
    }
}

/// The record's index, and the partition that its key belongs to.
fn key_details(fault: &KeyFault) -> [u64; 2] {
    match fault {
        KeyFault::Missing { index, .. } | KeyFault::Twice { index, .. } => [u64::from(*index), 0],
        KeyFault::Elsewhere { index, belongs } => [u64::from(*index), u64::from(*belongs)],
        KeyFault::Batch(_) | KeyFault::Decompress(_) => [0; 2],
    }
}

/// The index of the first conflict, and the offset of its original.
fn conflict_details(verdicts: &[KeyVerdict]) -> [u64; 2] {
    let mut indexed = (0..).zip(verdicts);
    let first = indexed.find_map(|(index, verdict)| match verdict {
        KeyVerdict::Conflict { offset, .. } => Some([index, offset.0]),
        _ => None,
    });
    first.unwrap_or_default()
}

/// Producer and epoch; or the shard, the topic or the number that it is about.
fn transaction_details(refusal: &TransactionRefusal) -> [u64; 2] {
    match refusal {
        TransactionRefusal::Aborted(transaction)
        | TransactionRefusal::Committed(transaction)
        | TransactionRefusal::UnknownTransaction(transaction)
        | TransactionRefusal::Fenced(transaction) => [transaction.producer.0, u64::from(transaction.epoch.0)],
        TransactionRefusal::CoordinatorSilent(shard)
        | TransactionRefusal::NoRoom(shard)
        | TransactionRefusal::GroupsFull(shard) => [u64::from(shard.0), 0],
        TransactionRefusal::KeyedTopic(topic) => [topic.0, 0],
        TransactionRefusal::Timeout(asked) => {
            let within = (*asked).clamp(TRANSACTION_TIMEOUT_MS_MIN, TRANSACTION_TIMEOUT_MS_MAX);
            [u64::from(*asked), u64::from(within)]
        }
        TransactionRefusal::OffsetsUndecided(_)
        | TransactionRefusal::UnknownGroup(_)
        | TransactionRefusal::UnknownId(_)
        | TransactionRefusal::StoredApart
        | TransactionRefusal::Together(_)
        | TransactionRefusal::OutsideTransaction(_) => [0; 2],
    }
}

fn producer_details(error: &ProducerError) -> [u64; 2] {
    match *error {
        ProducerError::UnknownProducer { .. } | ProducerError::TableFull { .. } => [0; 2],
        ProducerError::Fenced { known, .. } => [u64::from(known.0), 0],
        ProducerError::OutOfOrder { expected, .. } => [u64::from(expected), 0],
        ProducerError::SequenceConflict { held_base_sequence, base_offset, .. } => {
            [base_offset.0, u64::from(held_base_sequence)]
        }
        ProducerError::DuplicateBeyondWindow { oldest_sequence, .. } => [u64::from(oldest_sequence), 0],
    }
}

/// The connection is closed behind it, and its correlation is 0: what was asked cannot be told.
impl From<&FrameError> for ErrorResponse {
    fn from(error: &FrameError) -> Self {
        let (code, limit) = match error {
            FrameError::TooLarge { bytes_max, .. } => (Code::FRAME_TOO_LARGE, *bytes_max as u64),
            FrameError::Malformed { .. } => (Code::MALFORMED_FRAME, 0),
            FrameError::Checksum { .. } => (Code::FRAME_CHECKSUM, 0),
        };
        Self { details: [limit, 0], ..Self::new(code, error.to_string()) }
    }
}

/// Whether the connection goes on is for the server to say: before a negotiation it does not.
impl From<&RequestError> for ErrorResponse {
    fn from(error: &RequestError) -> Self {
        let (code, details) = match error {
            RequestError::Fields { error: FieldError::KeyRule(rule), .. } => {
                let details = match rule {
                    KeyRuleError::Window(days) => {
                        [u64::from(*days), u64::from(*days.clamp(&KEY_WINDOW_DAYS_MIN, &KEY_WINDOW_DAYS_MAX))]
                    }
                    _ => [0; 2],
                };
                return Self { details, ..Self::new(Code::TOPIC_SETTING, rule.to_string()) };
            }
            RequestError::NotARequest | RequestError::Fields { .. } => (Code::MALFORMED_REQUEST, [0; 2]),
            RequestError::UnknownApi { .. } => (Code::UNKNOWN_API, [0; 2]),
            RequestError::UnsupportedVersion { api, .. } => {
                let spoken = API_VERSIONS[usize::from(api.number())];
                (Code::UNSUPPORTED_VERSION, [u64::from(spoken.version_min), u64::from(spoken.version_max)])
            }
        };
        Self { details, ..Self::new(code, error.to_string()) }
    }
}
