//! Responses as bytes, for servers, and that every one of them fits a frame.

use bytes::{BufMut, BytesMut};
use florin_engine::format::batch::HEADER_BYTES;
use florin_engine::limits::{
    BATCH_BYTES_MAX, BATCH_RECORD_COUNT_MAX, FETCH_BYTES_MAX, PARTITION_TRANSACTIONS_MAX, SHARD_COUNT_MAX,
    TOPIC_NAME_BYTES_MAX, TOPIC_PARTITION_COUNT_MAX,
};
use florin_engine::model::{Offset, PartitionId, Realtime};
use florin_engine::partition::CutReason;
use florin_engine::transaction::AbortedTransaction;

use super::{
    ErrorResponse, Negotiated, PartitionDescription, Response, ShardDescription, ShardEndpoints, ShardState,
    TopicDescription, TopicsPage,
};
use crate::limits::{
    ERROR_MESSAGE_BYTES_MAX, METADATA_NAMES_MAX, METADATA_PAGE_BYTES, RESPONSE_BYTES_MAX, TEXT_BYTES_MAX,
};
use crate::protocol::api::Api;
use crate::protocol::code::{Code, action_number};
use crate::protocol::field::{cut_text, put_count, put_text};
use crate::protocol::frame::{FRAME_HEADER_BYTES, Kind, put_frame};
use crate::protocol::keys::{
    RECEIPT_BYTES, RULE_BYTES_MAX, RULE_BYTES_MIN, VERDICT_BYTES, put_receipts, put_rule, put_verdicts, rule_bytes,
};
use crate::protocol::settings::{SETTINGS_BYTES, put_settings};
use crate::protocol::transactions::{
    ABORTED_BYTES, OFFSETS_BYTES_MAX, STATUSES_BYTES_MAX, put_aborted, put_key, put_last, put_offsets,
    put_optional_key, put_outcome, put_receipts as put_batch_receipts, put_statuses,
};

const COUNT_BYTES: usize = size_of::<u32>();
const TEXT_FIELD_BYTES_MAX: usize = size_of::<u16>() + TEXT_BYTES_MAX;
const TOPIC_BYTES_MAX: usize = TopicDescription::ENCODED_BYTES_MIN
    + TOPIC_NAME_BYTES_MAX
    + 2 * TOPIC_PARTITION_COUNT_MAX as usize
    + (RULE_BYTES_MAX - RULE_BYTES_MIN);
const TOPICS_BYTES_MAX: usize = if METADATA_PAGE_BYTES > METADATA_NAMES_MAX * TOPIC_BYTES_MAX {
    METADATA_PAGE_BYTES
} else {
    METADATA_NAMES_MAX * TOPIC_BYTES_MAX
};
const PAGE_HEAD_BYTES_MAX: usize = TEXT_FIELD_BYTES_MAX
    + COUNT_BYTES
    + 2 * SHARD_COUNT_MAX as usize
    + size_of::<u8>()
    + size_of::<u64>()
    + COUNT_BYTES
    + TOPICS_BYTES_MAX;
const DESCRIBED_HEAD_BYTES_MAX: usize = TOPIC_BYTES_MAX
    + SETTINGS_BYTES
    + COUNT_BYTES
    + TOPIC_PARTITION_COUNT_MAX as usize * PartitionDescription::ENCODED_BYTES;
const SHARDS_HEAD_BYTES_MAX: usize =
    COUNT_BYTES + SHARD_COUNT_MAX as usize * (ShardDescription::ENCODED_BYTES_MIN + TEXT_BYTES_MAX);
/// What is known of each record of the largest batch, or its receipt, and what stands before that.
const RECORDS_HEAD_BYTES_MAX: usize =
    2 * TEXT_FIELD_BYTES_MAX + BATCH_RECORD_COUNT_MAX as usize * (RECEIPT_BYTES + VERDICT_BYTES);
/// A fetch of nothing but the shortest batches there can be, of a header each, has the longest table of them.
const FETCHED_BYTES_MAX: usize = FETCHED_FIXED_BYTES
    + FETCHED_COUNT_MAX * (FETCHED_BATCH_BYTES + ABORTED_BYTES)
    + ABORTED_BYTES_MAX
    + FETCH_BYTES_MAX;
/// Batches in one fetch, each of which may be of another aborted transaction.
const FETCHED_COUNT_MAX: usize = FETCH_BYTES_MAX.div_ceil(HEADER_BYTES);
/// Aborted transactions that were open where a fetch begins.
const ABORTED_BYTES_MAX: usize = PARTITION_TRANSACTIONS_MAX * ABORTED_BYTES;

/// Bytes of a whole frame that [`put_fetched_frame`] begins.
pub fn fetched_frame_bytes(aborted_count: usize, batch_count: usize, batch_bytes: usize) -> usize {
    let tables = aborted_count * ABORTED_BYTES + batch_count * FETCHED_BATCH_BYTES;
    FRAME_HEADER_BYTES + FETCHED_FIXED_BYTES + tables + batch_bytes
}

/// What stands in the head of a fetch before its table of batches.
#[derive(Clone, Copy, Debug)]
pub struct FetchedHead<'a> {
    /// The first offset that can be read.
    pub start_offset: Offset,
    /// One behind the last offset that can be read.
    pub high_watermark: Offset,
    /// Up to here every transaction is decided.
    pub stable_offset: Offset,
    /// Aborted transactions.
    pub aborted: &'a [AbortedTransaction],
}

/// Bytes in the head of a fetch around its table of batches.
const FETCHED_FIXED_BYTES: usize = 3 * size_of::<u64>() + 2 * COUNT_BYTES;
/// Bytes of one batch in the table.
pub(super) const FETCHED_BATCH_BYTES: usize = 2 * size_of::<u64>() + size_of::<u32>();

const _: () = assert!(FRAME_HEADER_BYTES + PAGE_HEAD_BYTES_MAX <= RESPONSE_BYTES_MAX);
const _: () = assert!(FRAME_HEADER_BYTES + DESCRIBED_HEAD_BYTES_MAX <= RESPONSE_BYTES_MAX);
const _: () = assert!(FRAME_HEADER_BYTES + SHARDS_HEAD_BYTES_MAX <= RESPONSE_BYTES_MAX);
const _: () = assert!(FRAME_HEADER_BYTES + FETCHED_BYTES_MAX <= RESPONSE_BYTES_MAX);
const _: () = assert!(FRAME_HEADER_BYTES + RECORDS_HEAD_BYTES_MAX <= RESPONSE_BYTES_MAX);
const _: () = assert!(FRAME_HEADER_BYTES + STATUSES_BYTES_MAX <= RESPONSE_BYTES_MAX);
const _: () = assert!(FRAME_HEADER_BYTES + OFFSETS_BYTES_MAX <= RESPONSE_BYTES_MAX);
const _: () = assert!(FETCH_BYTES_MAX >= BATCH_BYTES_MAX);
const _: () = assert!(TOPIC_BYTES_MAX <= METADATA_PAGE_BYTES);
const _: () = assert!(TEXT_BYTES_MAX <= u16::MAX as usize && ERROR_MESSAGE_BYTES_MAX <= u16::MAX as usize);

impl PartitionDescription {
    /// Bytes of one in a head.
    pub const ENCODED_BYTES: usize = 108;
}

impl Response {
    /// Appends the whole frame. `api` is that of the request. Texts are cut where they are too long.
    ///
    /// # Panics
    /// If it is an error with the code of success or with records that its code does not have, or has more topics,
    /// partitions, records or batches than there can be: the caller's broken invariant.
    pub fn encode(&self, api: Api, correlation: u64, out: &mut BytesMut) {
        let code = match self {
            Self::Error(error) => {
                assert_ne!(error.code, Code::OK, "an error has a code");
                error.code.0
            }
            _ => Code::OK.0,
        };
        let payload_bytes = match self {
            Self::Fetched(fetched) => fetched.batches.iter().map(|batch| batch.bytes.len()).sum(),
            _ => 0,
        };
        put_frame(out, Kind::Response(code), api.version(), correlation, payload_bytes, |out| self.put_head(out));
        if let Self::Fetched(fetched) = self {
            for batch in &fetched.batches {
                out.put_slice(&batch.bytes);
            }
        }
    }

    fn put_head(&self, out: &mut BytesMut) {
        match self {
            Self::Negotiated(negotiated) => negotiated.put(out),
            Self::Topics(page) => page.put(out),
            Self::TopicCreated(topic) => topic.put(out),
            Self::TopicDeleted(topic) => out.put_u64_le(topic.0),
            Self::TopicDescribed { topic, settings, partitions } => {
                topic.put(out);
                put_settings(out, settings);
                put_count(out, partitions.len());
                partitions.iter().for_each(|partition| partition.put(out));
            }
            Self::Producer { id, epoch } => {
                out.put_u64_le(id.0);
                out.put_u16_le(epoch.0);
            }
            Self::Produced { base_offset, append_time, duplicate } => {
                out.put_u64_le(base_offset.0);
                out.put_u64_le(append_time.0);
                out.put_u8(u8::from(*duplicate));
                put_receipts(out, &[]);
            }
            Self::Known(receipts) => {
                let first = receipts.first().expect("a batch has records");
                out.put_u64_le(first.offset.0);
                out.put_u64_le(first.append_time.0);
                out.put_u8(1);
                put_receipts(out, receipts);
            }
            Self::Key { partition, receipt } => {
                out.put_u32_le(*partition);
                out.put_u8(u8::from(receipt.is_some()));
                out.put_u64_le(receipt.map_or(0, |receipt| receipt.offset.0));
                out.put_u64_le(receipt.map_or(0, |receipt| receipt.append_time.0));
            }
            Self::Fetched(fetched) => {
                let batches =
                    fetched.batches.iter().map(|batch| (batch.base_offset, batch.append_time, batch.bytes.len()));
                let head = FetchedHead {
                    start_offset: fetched.start_offset,
                    high_watermark: fetched.high_watermark,
                    stable_offset: fetched.stable_offset,
                    aborted: &fetched.aborted,
                };
                put_fetched_head(out, &head, batches);
            }
            Self::Offset(offset) => out.put_u64_le(offset.0),
            Self::Shards(shards) => {
                put_count(out, shards.len());
                shards.iter().for_each(|shard| shard.put(out));
            }
            Self::ClockConfirmed => {}
            Self::TopicAltered { topic, settings } => {
                topic.put(out);
                put_settings(out, settings);
            }
            Self::Error(error) => error.put(out),
            _ => self.put_head_of_transactions(out),
        }
    }

    /// The heads of what is about transactions, groups and several partitions at once.
    fn put_head_of_transactions(&self, out: &mut BytesMut) {
        match self {
            Self::TransactionalIdOpened { next, last } => {
                put_key(out, *next);
                put_last(out, *last);
            }
            Self::TransactionEnded { outcome, next } => {
                put_outcome(out, *outcome);
                put_key(out, *next);
            }
            Self::Transactions(statuses) => put_statuses(out, statuses),
            Self::Transaction(status) => put_statuses(out, status.as_slice()),
            Self::OffsetsCommitted | Self::GroupForgotten => {}
            Self::Offsets(offsets) => {
                put_offsets(out, offsets.len(), offsets.iter().map(|(offset, time)| (offset, Some(*time))));
            }
            Self::Groups(groups) => {
                put_count(out, groups.len());
                groups.iter().for_each(|group| put_text(out, group.as_str()));
            }
            Self::ProducedTogether { receipts, duplicate, next } => {
                out.put_u8(u8::from(*duplicate));
                put_optional_key(out, *next);
                put_batch_receipts(out, receipts);
            }
            _ => unreachable!("the others have their heads above"),
        }
    }
}

impl ErrorResponse {
    fn put(&self, out: &mut BytesMut) {
        out.put_u8(action_number(self.action));
        self.details.iter().for_each(|number| out.put_u64_le(*number));
        put_text(out, cut_text(&self.message, ERROR_MESSAGE_BYTES_MAX));
        assert!(self.records.is_empty() || self.code.has_records(), "codes without records have none");
        if self.code.has_records() {
            put_verdicts(out, &self.records);
        }
    }
}

/// Appends the frame of a fetch without its payload: the batches must follow, one behind the other.
pub fn put_fetched_frame(
    out: &mut BytesMut,
    correlation: u64,
    head: &FetchedHead<'_>,
    batches: impl ExactSizeIterator<Item = (Offset, Realtime, usize)> + Clone,
) {
    let payload_bytes = batches.clone().map(|(_, _, bytes)| bytes).sum();
    put_frame(out, Kind::Response(Code::OK.0), Api::Fetch.version(), correlation, payload_bytes, |out| {
        put_fetched_head(out, head, batches);
    });
}

fn put_fetched_head(
    out: &mut BytesMut,
    head: &FetchedHead<'_>,
    batches: impl ExactSizeIterator<Item = (Offset, Realtime, usize)>,
) {
    out.put_u64_le(head.start_offset.0);
    out.put_u64_le(head.high_watermark.0);
    out.put_u64_le(head.stable_offset.0);
    put_aborted(out, head.aborted);
    put_count(out, batches.len());
    for (base_offset, append_time, bytes) in batches {
        out.put_u64_le(base_offset.0);
        out.put_u64_le(append_time.0);
        put_count(out, bytes);
    }
}

impl Negotiated {
    fn put(&self, out: &mut BytesMut) {
        out.put_slice(&self.directory_id.0);
        out.put_u16_le(self.shard);
        out.put_u16_le(self.shard_count);
        out.put_u32_le(self.request_bytes_max);
        out.put_u32_le(self.batch_bytes_max);
        out.put_u32_le(self.fetch_bytes_max);
        out.put_u32_le(self.requests_max);
        out.put_u32_le(self.retry_window_batches);
        out.put_u32_le(self.idle_ms);
        put_text(out, cut_text(&self.server, TEXT_BYTES_MAX));
        put_count(out, self.apis.len());
        for versions in &self.apis {
            out.put_u16_le(versions.api);
            out.put_u8(versions.version_min);
            out.put_u8(versions.version_max);
        }
    }
}

impl ShardEndpoints {
    fn put(&self, out: &mut BytesMut) {
        assert!(self.ports.len() <= usize::from(SHARD_COUNT_MAX), "shards are bounded");
        put_text(out, cut_text(&self.host, TEXT_BYTES_MAX));
        put_count(out, self.ports.len());
        self.ports.iter().for_each(|port| out.put_u16_le(*port));
    }
}

impl TopicsPage {
    fn put(&self, out: &mut BytesMut) {
        self.endpoints.put(out);
        out.put_u8(u8::from(self.complete));
        out.put_u64_le(self.next.0);
        put_count(out, self.topics.len());
        self.topics.iter().for_each(|topic| topic.put(out));
    }
}

impl TopicDescription {
    /// Bytes in a head of one without a name and without partitions.
    pub(super) const ENCODED_BYTES_MIN: usize =
        size_of::<u64>() + size_of::<u32>() + size_of::<u16>() + COUNT_BYTES + RULE_BYTES_MIN;

    /// Bytes in a head.
    pub fn encoded_bytes(&self) -> usize {
        let rule_bytes = rule_bytes(self.keys.as_ref());
        Self::ENCODED_BYTES_MIN - RULE_BYTES_MIN + self.name.len() + 2 * self.placement.len() + rule_bytes
    }

    /// The shard of a partition, if the topic has it.
    pub fn shard_of(&self, partition: PartitionId) -> Option<u16> {
        usize::try_from(partition.index).ok().and_then(|index| self.placement.get(index)).copied()
    }

    fn put(&self, out: &mut BytesMut) {
        out.put_u64_le(self.id.0);
        out.put_u32_le(self.revision);
        put_text(out, &self.name);
        put_count(out, self.placement.len());
        self.placement.iter().for_each(|shard| out.put_u16_le(*shard));
        put_rule(out, self.keys.as_ref());
    }
}

impl PartitionDescription {
    fn put(&self, out: &mut BytesMut) {
        out.put_u32_le(self.index);
        out.put_u16_le(self.shard);
        out.put_u16_le(self.code);
        out.put_u64_le(self.start_offset);
        out.put_u64_le(self.high_watermark);
        out.put_u64_le(self.held_bytes);
        out.put_u64_le(self.stored_bytes);
        out.put_u32_le(self.producer_count);
        out.put_u64_le(self.last_append_time);
        out.put_u64_le(self.cut_bytes);
        out.put_u64_le(self.cut_time);
        out.put_u8(match self.cut_reason {
            None => 0,
            Some(CutReason::Age) => 1,
            Some(CutReason::Size) => 2,
        });
        out.put_u64_le(self.stable_offset);
        out.put_u32_le(self.open_transaction_count);
        out.put_u8(u8::from(self.oldest_transaction.is_some()));
        let oldest = self.oldest_transaction.unwrap_or_default();
        put_key(out, oldest.transaction);
        out.put_u64_le(oldest.first_offset.0);
        out.put_u64_le(oldest.since.0);
    }
}

impl ShardState {
    fn number(self) -> u8 {
        match self {
            Self::Starting => 0,
            Self::Serving => 1,
            Self::Failed => 2,
            Self::Stopping => 3,
            Self::NotOpen => 4,
        }
    }
}

impl ShardDescription {
    /// Bytes in a head of one without a problem.
    pub(super) const ENCODED_BYTES_MIN: usize = 186;

    fn put(&self, out: &mut BytesMut) {
        out.put_u16_le(self.shard);
        out.put_u8(self.state.number());
        out.put_u8(u8::from(self.clock_suspended));
        out.put_u16_le(self.port);
        out.put_u64_le(self.epoch);
        out.put_u64_le(self.durable_sequence);
        out.put_u64_le(self.appended_sequence);
        out.put_u32_le(self.partition_count);
        out.put_u32_le(self.connection_count);
        out.put_u32_le(self.waiting_count);
        out.put_u32_le(self.unused_file_count);
        out.put_u64_le(self.held_bytes);
        out.put_u64_le(self.captured_count);
        out.put_u8(u8::from(self.disk_full));
        out.put_u8(u8::from(self.manifest_full));
        out.put_u64_le(self.held_bytes_max);
        out.put_u32_le(self.segment_count);
        out.put_u64_le(self.stored_bytes);
        out.put_u64_le(self.unsynced_bytes);
        out.put_u64_le(self.journal_used_bytes);
        out.put_u64_le(self.journal_bytes);
        out.put_u64_le(self.manifest_run_bytes);
        out.put_u64_le(self.manifest_run_bytes_max);
        out.put_u64_le(self.cold_read_count);
        out.put_u32_le(self.cold_waiting_count);
        out.put_u64_le(self.keys_recent_count);
        out.put_u64_le(self.keys_cached_bytes);
        out.put_u64_le(self.keys_read_count);
        out.put_u32_le(self.keys_waiting_count);
        out.put_u32_le(self.transactional_id_count);
        out.put_u32_le(self.unsettled_transaction_count);
        out.put_u32_le(self.open_transaction_count);
        out.put_u32_le(self.group_count);
        out.put_u32_le(self.coordinator_waiting_count);
        put_text(out, cut_text(&self.problem, TEXT_BYTES_MAX));
    }
}
