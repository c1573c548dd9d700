//! What a server answers to what it refuses: code, action, details and words of every cause.

use florin_engine::catalogue::SettingOutOfBounds;
use florin_engine::producer::ProducerError;
use florin_engine::shard::Refusal;

use super::ErrorResponse;
use crate::protocol::api::API_VERSIONS;
use crate::protocol::code::Code;
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
            _ => [0; 2],
        };
        Self { code: Code::from(refusal), action: refusal.action(), details, message: refusal.to_string() }
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
