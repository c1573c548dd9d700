//! Requests as values, and their heads as bytes.

use bytes::{BufMut, Bytes, BytesMut};
use florin_engine::catalogue::{TopicChange, TopicSettings};
use florin_engine::format::control::{GroupOffset, KeyRule};
use florin_engine::limits::{BATCH_BYTES_MAX, TOPIC_NAME_BYTES_MAX};
use florin_engine::model::{
    GroupId, Offset, PartitionId, Realtime, TopicId, TransactionKey, TransactionOutcome, TransactionalId,
};
use florin_engine::partition::Isolation;
use thiserror::Error;

mod transactions;

use super::api::Api;
use super::field::{FieldError, FieldReader, cut_text, put_count, put_text};
use super::frame::{FRAME_HEADER_BYTES, Frame, Kind, put_frame};
use super::keys::{put_rule, rule};
use super::settings::{change, put_change, put_settings, settings};
use super::transactions::{PARTITION_BYTES, partition, put_partition};
use crate::limits::{ASKED_NAME_BYTES_MAX, CLIENT_NAME_BYTES_MAX, METADATA_NAMES_MAX, REQUEST_BYTES_MAX};

/// The first bytes of every negotiation: whoever sends them means Florin.
pub const NEGOTIATE_MAGIC: [u8; 8] = *b"FLORIN\r\n";

const METADATA_HEAD_BYTES_MAX: usize =
    size_of::<u64>() + size_of::<u32>() + METADATA_NAMES_MAX * (size_of::<u16>() + ASKED_NAME_BYTES_MAX);

const _: () = assert!(FRAME_HEADER_BYTES + PARTITION_BYTES + BATCH_BYTES_MAX <= REQUEST_BYTES_MAX);
const _: () = assert!(FRAME_HEADER_BYTES + METADATA_HEAD_BYTES_MAX <= REQUEST_BYTES_MAX);
// A name that is cut, by up to a character, is still too long for a topic: it never becomes the name of another one.
const _: () = assert!(ASKED_NAME_BYTES_MAX - 3 > TOPIC_NAME_BYTES_MAX && ASKED_NAME_BYTES_MAX <= u16::MAX as usize);
const _: () = assert!(CLIENT_NAME_BYTES_MAX <= u16::MAX as usize);

/// Where a fetch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestFrom {
    /// At the batch that holds this offset.
    Offset(Offset),
    /// At the first batch appended at this time or later.
    Time(Realtime),
}

/// Which offset is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListAt {
    /// The first that can be read.
    Start,
    /// The high watermark.
    End,
    /// The last stable offset: up to it every transaction is decided.
    Stable,
    /// The first appended at this time or later.
    Time(Realtime),
    /// That of the first record whose own timestamp, in Unix milliseconds as its producer wrote it, is this or later;
    /// the high watermark if there is none. Of a compressed batch the first record stands for all.
    Timestamp(i64),
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// [`Api::Negotiate`].
    Negotiate {
        /// What the client calls itself, for logs; at most `CLIENT_NAME_BYTES_MAX` bytes, more are cut. It may hold
        /// any character: logs must escape it.
        client: String,
    },
    /// [`Api::Metadata`].
    Metadata {
        /// Only topics with this id or a higher one: where the page before ended.
        from: TopicId,
        /// Only these names, at most `METADATA_NAMES_MAX`; none means all.
        names: Vec<String>,
    },
    /// [`Api::CreateTopic`].
    CreateTopic {
        /// Its name.
        name: String,
        /// Its partitions.
        partition_count: u32,
        /// Its settings. A retention of 0 is sent as none.
        settings: TopicSettings,
        /// What makes two of its payments the same one, if it has idempotency keys.
        keys: Option<KeyRule>,
    },
    /// [`Api::DeleteTopic`].
    DeleteTopic {
        /// The topic.
        topic: TopicId,
    },
    /// [`Api::DescribeTopic`].
    DescribeTopic {
        /// The topic.
        topic: TopicId,
    },
    /// [`Api::InitProducer`].
    InitProducer,
    /// [`Api::Produce`].
    Produce {
        /// To which partition.
        partition: PartitionId,
        /// Exactly one record batch.
        batch: BytesMut,
    },
    /// [`Api::Fetch`].
    Fetch {
        /// From which partition.
        partition: PartitionId,
        /// From where on.
        from: RequestFrom,
        /// Bytes wanted at most; one batch comes even if it is larger.
        bytes_max: u32,
        /// How long to wait if there is nothing yet, in milliseconds; 0 does not wait.
        wait_ms: u32,
        /// What to see of transactions.
        isolation: Isolation,
    },
    /// [`Api::ListOffsets`].
    ListOffsets {
        /// The partition.
        partition: PartitionId,
        /// Which offset.
        at: ListAt,
    },
    /// [`Api::DescribeShards`].
    DescribeShards,
    /// [`Api::ConfirmClock`]: of the shard whose port this is sent to.
    ConfirmClock,
    /// [`Api::AlterTopic`].
    AlterTopic {
        /// The topic.
        topic: TopicId,
        /// What is to be changed. A retention of 0 is sent as none.
        change: TopicChange,
    },
    /// [`Api::LookUpKey`].
    LookUpKey {
        /// The topic.
        topic: TopicId,
        /// The key.
        key: Bytes,
    },
    /// [`Api::OpenTransactionalId`].
    OpenTransactionalId {
        /// The transactional id.
        name: TransactionalId,
        /// How long each of its transactions may take, in milliseconds.
        timeout_ms: u32,
    },
    /// [`Api::EndTransaction`].
    EndTransaction {
        /// The transaction.
        transaction: TransactionKey,
        /// How it is to end.
        outcome: TransactionOutcome,
    },
    /// [`Api::ListTransactions`]: those that the shard coordinates whose port this is sent to.
    ListTransactions {
        /// Only transactional ids behind this one: where the answer before ended.
        after: Option<TransactionalId>,
    },
    /// [`Api::DescribeTransaction`].
    DescribeTransaction {
        /// The transactional id.
        name: TransactionalId,
    },
    /// [`Api::CommitOffsets`].
    CommitOffsets {
        /// The group.
        group: GroupId,
        /// The transaction with which they count, if they belong to one.
        transaction: Option<TransactionKey>,
        /// The offsets: at least one, each partition once.
        offsets: Vec<GroupOffset>,
    },
    /// [`Api::FetchOffsets`].
    FetchOffsets {
        /// The group.
        group: GroupId,
        /// Only partitions behind this one: where the answer before ended.
        after: Option<PartitionId>,
    },
    /// [`Api::ListGroups`]: those of the shard whose port this is sent to.
    ListGroups {
        /// Only groups behind this one: where the answer before ended.
        after: Option<GroupId>,
    },
    /// [`Api::ForgetGroup`].
    ForgetGroup {
        /// The group.
        group: GroupId,
    },
    /// [`Api::ProduceTogether`].
    ProduceTogether {
        /// Record batches, each partition once, none empty.
        batches: Vec<(PartitionId, BytesMut)>,
    },
}

/// Why a frame is no request that can be carried out. The connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RequestError {
    /// It is a response.
    #[error("a response was sent to a server: send requests")]
    NotARequest,
    /// No api has the number.
    #[error("api {number} is not known: negotiate says which are")]
    UnknownApi {
        /// The number found.
        number: u16,
    },
    /// The version is not spoken.
    #[error("version {version} of api {} is not spoken: negotiate says which are", api.name())]
    UnsupportedVersion {
        /// The api.
        api: Api,
        /// The version found.
        version: u8,
    },
    /// The head cannot be read.
    #[error("a request of api {} cannot be read: {error}", api.name())]
    Fields {
        /// The api.
        api: Api,
        /// Why.
        error: FieldError,
    },
}

impl Request {
    /// Its api.
    pub fn api(&self) -> Api {
        match self {
            Self::Negotiate { .. } => Api::Negotiate,
            Self::Metadata { .. } => Api::Metadata,
            Self::CreateTopic { .. } => Api::CreateTopic,
            Self::DeleteTopic { .. } => Api::DeleteTopic,
            Self::DescribeTopic { .. } => Api::DescribeTopic,
            Self::InitProducer => Api::InitProducer,
            Self::Produce { .. } => Api::Produce,
            Self::Fetch { .. } => Api::Fetch,
            Self::ListOffsets { .. } => Api::ListOffsets,
            Self::DescribeShards => Api::DescribeShards,
            Self::ConfirmClock => Api::ConfirmClock,
            Self::AlterTopic { .. } => Api::AlterTopic,
            Self::LookUpKey { .. } => Api::LookUpKey,
            Self::OpenTransactionalId { .. } => Api::OpenTransactionalId,
            Self::EndTransaction { .. } => Api::EndTransaction,
            Self::ListTransactions { .. } => Api::ListTransactions,
            Self::DescribeTransaction { .. } => Api::DescribeTransaction,
            Self::CommitOffsets { .. } => Api::CommitOffsets,
            Self::FetchOffsets { .. } => Api::FetchOffsets,
            Self::ListGroups { .. } => Api::ListGroups,
            Self::ForgetGroup { .. } => Api::ForgetGroup,
            Self::ProduceTogether { .. } => Api::ProduceTogether,
        }
    }

    /// Appends the whole frame. Texts are cut where they are too long. More names than `METADATA_NAMES_MAX` and an empty
    /// batch are for the server to refuse; a batch that is larger than it takes would end the connection.
    ///
    /// # Panics
    /// If a batch, a key or a list of names is longer than a frame can tell, 4 GiB: the caller's broken invariant.
    pub fn encode(&self, correlation: u64, out: &mut BytesMut) {
        let api = self.api();
        let payload_bytes = match self {
            Self::Produce { batch, .. } => batch.len(),
            Self::ProduceTogether { batches } => batches.iter().map(|(_, batch)| batch.len()).sum(),
            _ => 0,
        };
        put_frame(out, Kind::Request(api.number()), api.version(), correlation, payload_bytes, |out| {
            self.put_head(out);
        });
        match self {
            Self::Produce { batch, .. } => out.put_slice(batch),
            Self::ProduceTogether { batches } => batches.iter().for_each(|(_, batch)| out.put_slice(batch)),
            _ => {}
        }
    }

    fn put_head(&self, out: &mut BytesMut) {
        match self {
            Self::Negotiate { client } => {
                out.put_slice(&NEGOTIATE_MAGIC);
                put_text(out, cut_text(client, CLIENT_NAME_BYTES_MAX));
            }
            Self::Metadata { from, names } => {
                out.put_u64_le(from.0);
                put_count(out, names.len());
                names.iter().for_each(|name| put_text(out, cut_text(name, ASKED_NAME_BYTES_MAX)));
            }
            Self::CreateTopic { name, partition_count, settings, keys } => {
                out.put_u32_le(*partition_count);
                put_settings(out, settings);
                put_text(out, cut_text(name, ASKED_NAME_BYTES_MAX));
                put_rule(out, keys.as_ref());
            }
            Self::DeleteTopic { topic } | Self::DescribeTopic { topic } => out.put_u64_le(topic.0),
            Self::InitProducer | Self::DescribeShards | Self::ConfirmClock => {}
            Self::Produce { partition, .. } => put_partition(out, *partition),
            Self::Fetch { partition, from, bytes_max, wait_ms, isolation } => {
                put_partition(out, *partition);
                out.put_u32_le(*bytes_max);
                out.put_u32_le(*wait_ms);
                let (kind, value) = match from {
                    RequestFrom::Offset(offset) => (0, offset.0),
                    RequestFrom::Time(time) => (1, time.0),
                };
                out.put_u8(kind);
                out.put_u64_le(value);
                out.put_u8(match isolation {
                    Isolation::Uncommitted => 0,
                    Isolation::Committed => 1,
                });
            }
            Self::AlterTopic { topic, change } => {
                out.put_u64_le(topic.0);
                put_change(out, change);
            }
            Self::LookUpKey { topic, key } => {
                out.put_u64_le(topic.0);
                put_count(out, key.len());
                out.put_slice(key);
            }
            Self::ListOffsets { partition, at } => {
                put_partition(out, *partition);
                let (kind, value) = match at {
                    ListAt::Start => (0, 0),
                    ListAt::End => (1, 0),
                    ListAt::Time(time) => (2, time.0),
                    ListAt::Timestamp(ms) => (3, ms.cast_unsigned()),
                    ListAt::Stable => (4, 0),
                };
                out.put_u8(kind);
                out.put_u64_le(value);
            }
            _ => self.put_transaction_head(out),
        }
    }

    /// Reads a frame as the request it is.
    ///
    /// # Errors
    /// If it is none that this build can carry out.
    pub fn decode(frame: Frame) -> Result<Self, RequestError> {
        let Kind::Request(number) = frame.kind else { return Err(RequestError::NotARequest) };
        let api = Api::from_number(number).ok_or(RequestError::UnknownApi { number })?;
        if !api.speaks(frame.version) {
            return Err(RequestError::UnsupportedVersion { api, version: frame.version });
        }
        let fields = |error| RequestError::Fields { api, error };
        let has_payload = matches!(api, Api::Produce | Api::ProduceTogether);
        if frame.payload.is_empty() == has_payload {
            return Err(fields(FieldError::Payload { bytes: frame.payload.len() }));
        }
        Self::decode_head(api, &frame.head, frame.payload).map_err(fields)
    }

    fn decode_head(api: Api, head: &[u8], payload: BytesMut) -> Result<Self, FieldError> {
        let mut reader = FieldReader::new(head);
        let request = match api {
            Api::Negotiate => {
                let magic = reader.array("magic")?;
                if magic != NEGOTIATE_MAGIC {
                    return Err(FieldError::Value { field: "magic", value: u64::from_le_bytes(magic) });
                }
                Self::Negotiate { client: reader.text("client", CLIENT_NAME_BYTES_MAX)?.to_owned() }
            }
            Api::Metadata => {
                let from = TopicId(reader.u64("from")?);
                let count = reader.count("names", METADATA_NAMES_MAX, size_of::<u16>())?;
                let names = (0..count).map(|_| reader.text("name", ASKED_NAME_BYTES_MAX).map(str::to_owned));
                Self::Metadata { from, names: names.collect::<Result<_, _>>()? }
            }
            Api::CreateTopic => {
                let (partition_count, settings) = (reader.u32("partition_count")?, settings(&mut reader)?);
                // What a name may be is for the catalogue to say, with its own code.
                let name = reader.text("name", ASKED_NAME_BYTES_MAX)?.to_owned();
                Self::CreateTopic { partition_count, settings, name, keys: rule(&mut reader)? }
            }
            Api::DeleteTopic => Self::DeleteTopic { topic: TopicId(reader.u64("topic")?) },
            Api::DescribeTopic => Self::DescribeTopic { topic: TopicId(reader.u64("topic")?) },
            Api::InitProducer => Self::InitProducer,
            Api::Produce => Self::Produce { partition: partition(&mut reader)?, batch: payload },
            Api::Fetch => {
                let partition = partition(&mut reader)?;
                let (bytes_max, wait_ms) = (reader.u32("bytes_max")?, reader.u32("wait_ms")?);
                let from = match (reader.u8("from_kind")?, reader.u64("from")?) {
                    (0, offset) => RequestFrom::Offset(Offset(offset)),
                    (1, time) => RequestFrom::Time(Realtime(time)),
                    (kind, _) => return Err(FieldError::Value { field: "from_kind", value: u64::from(kind) }),
                };
                let isolation = match reader.flag("isolation")? {
                    false => Isolation::Uncommitted,
                    true => Isolation::Committed,
                };
                Self::Fetch { partition, from, bytes_max, wait_ms, isolation }
            }
            Api::ListOffsets => {
                let partition = partition(&mut reader)?;
                let at = match (reader.u8("at_kind")?, reader.u64("at")?) {
                    (0, 0) => ListAt::Start,
                    (1, 0) => ListAt::End,
                    (2, time) => ListAt::Time(Realtime(time)),
                    (3, ms) => ListAt::Timestamp(ms.cast_signed()),
                    (4, 0) => ListAt::Stable,
                    (0 | 1 | 4, value) => return Err(FieldError::Value { field: "at", value }),
                    (kind, _) => return Err(FieldError::Value { field: "at_kind", value: u64::from(kind) }),
                };
                Self::ListOffsets { partition, at }
            }
            Api::DescribeShards => Self::DescribeShards,
            Api::ConfirmClock => Self::ConfirmClock,
            Api::AlterTopic => Self::AlterTopic { topic: TopicId(reader.u64("topic")?), change: change(&mut reader)? },
            Api::LookUpKey => Self::LookUpKey {
                topic: TopicId(reader.u64("topic")?),
                key: Bytes::copy_from_slice(reader.bytes("key")?),
            },
            _ => Self::decode_transaction_head(api, &mut reader, payload)?,
        };
        reader.end()?;
        Ok(request)
    }
}

/// Appends a produce request for a batch that is held elsewhere; the batch must follow. For clients that send the
/// same bytes again.
pub fn put_produce_head(out: &mut BytesMut, correlation: u64, partition: PartitionId, batch_bytes: usize) {
    out.reserve(FRAME_HEADER_BYTES + PARTITION_BYTES + batch_bytes);
    put_frame(out, Kind::Request(Api::Produce.number()), Api::Produce.version(), correlation, batch_bytes, |out| {
        put_partition(out, partition);
    });
}

#[cfg(test)]
mod tests;
