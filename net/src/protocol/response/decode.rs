//! Heads of responses as values, for clients.

use bytes::Buf;
use florin_engine::limits::{SHARD_COUNT_MAX, TOPIC_COUNT_MAX, TOPIC_NAME_BYTES_MAX, TOPIC_PARTITION_COUNT_MAX};
use florin_engine::model::{Id128, Offset, ProducerEpoch, ProducerId, Realtime, TopicId};
use florin_engine::partition::CutReason;
use florin_engine::shard::KeyReceipt;
use florin_engine::transaction::OpenTransaction;

use super::{
    ErrorResponse, FetchResponse, FetchedBatch, Negotiated, PartitionDescription, Response, ResponseError,
    ShardDescription, ShardEndpoints, ShardState, TopicDescription, TopicsPage, encode::FETCHED_BATCH_BYTES,
};
use crate::limits::{ERROR_MESSAGE_BYTES_MAX, RESPONSE_BYTES_MAX, TEXT_BYTES_MAX};
use crate::protocol::api::{Api, ApiVersions};
use crate::protocol::code::{Code, action_of_number};
use crate::protocol::field::{FieldError, FieldReader};
use crate::protocol::frame::{Frame, Kind};
use crate::protocol::keys::{receipt, receipts, rule, verdicts};
use crate::protocol::settings::settings;
use crate::protocol::transactions::{
    aborted, groups, key as key_of, last, offsets_and_times, optional_key, outcome, receipts as batch_receipts,
    statuses,
};

/// Apis that a server may name.
const API_COUNT_MAX: usize = 1024;

impl Response {
    /// Reads a frame as the response to a request of `api`.
    ///
    /// # Errors
    /// If it is none. Nothing that follows on the connection can be trusted.
    pub fn decode(api: Api, frame: Frame) -> Result<Self, ResponseError> {
        let Kind::Response(code) = frame.kind else { return Err(ResponseError::NotAResponse) };
        let fields = |error| ResponseError::Fields { api, error };
        if (api != Api::Fetch || code != Code::OK.0) && !frame.payload.is_empty() {
            return Err(fields(FieldError::Payload { bytes: frame.payload.len() }));
        }
        if code != Code::OK.0 {
            // An error reads the same in every version: it may be about the version itself.
            return decode_error(Code(code), &frame.head).map(Self::Error).map_err(fields);
        }
        if !api.speaks(frame.version) {
            return Err(ResponseError::UnsupportedVersion { api, version: frame.version });
        }
        Self::decode_head(api, frame).map_err(fields)
    }

    fn decode_head(api: Api, frame: Frame) -> Result<Self, FieldError> {
        let head = frame.head.clone();
        let mut reader = FieldReader::new(&head);
        let response = match api {
            Api::Negotiate => Self::Negotiated(negotiated(&mut reader)?),
            Api::Metadata => Self::Topics(topics_page(&mut reader)?),
            Api::CreateTopic => Self::TopicCreated(topic(&mut reader)?),
            Api::DeleteTopic => Self::TopicDeleted(TopicId(reader.u64("topic")?)),
            Api::DescribeTopic => {
                let (topic, settings) = (topic(&mut reader)?, settings(&mut reader)?);
                let count_max = TOPIC_PARTITION_COUNT_MAX as usize;
                let count = reader.count("partitions", count_max, PartitionDescription::ENCODED_BYTES)?;
                let partitions = (0..count).map(|_| partition(&mut reader)).collect::<Result<_, _>>()?;
                Self::TopicDescribed { topic, settings, partitions }
            }
            Api::InitProducer => {
                let (id, epoch) = (bounded(reader.u64("id")?, "id", i64::MAX.cast_unsigned())?, reader.u16("epoch")?);
                bounded(epoch.into(), "epoch", i16::MAX.cast_unsigned().into())?;
                Self::Producer { id: ProducerId(id), epoch: ProducerEpoch(epoch) }
            }
            Api::Produce => produced(&mut reader)?,
            Api::LookUpKey => key(&mut reader)?,
            Api::Fetch => return fetched(frame).map(Self::Fetched),
            Api::ListOffsets => Self::Offset(Offset(reader.u64("offset")?)),
            Api::DescribeShards => {
                let count =
                    reader.count("shards", usize::from(SHARD_COUNT_MAX), ShardDescription::ENCODED_BYTES_MIN)?;
                Self::Shards((0..count).map(|_| shard(&mut reader)).collect::<Result<_, _>>()?)
            }
            Api::ConfirmClock => Self::ClockConfirmed,
            Api::AlterTopic => Self::TopicAltered { topic: topic(&mut reader)?, settings: settings(&mut reader)? },
            _ => Self::decode_transaction_head(api, &mut reader)?,
        };
        reader.end()?;
        Ok(response)
    }
}

impl Response {
    /// The heads of responses about transactions, groups and batches that belong together.
    fn decode_transaction_head(api: Api, reader: &mut FieldReader<'_>) -> Result<Self, FieldError> {
        Ok(match api {
            Api::OpenTransactionalId => Self::TransactionalIdOpened { next: key_of(reader)?, last: last(reader)? },
            Api::EndTransaction => Self::TransactionEnded { outcome: outcome(reader)?, next: key_of(reader)? },
            Api::ListTransactions => Self::Transactions(statuses(reader)?),
            Api::DescribeTransaction => {
                let mut statuses = statuses(reader)?;
                if statuses.len() > 1 {
                    return Err(FieldError::Value { field: "transactions", value: statuses.len() as u64 });
                }
                Self::Transaction(statuses.pop())
            }
            Api::CommitOffsets => Self::OffsetsCommitted,
            Api::FetchOffsets => Self::Offsets(offsets_and_times(reader)?),
            Api::ListGroups => Self::Groups(groups(reader)?),
            Api::ForgetGroup => Self::GroupForgotten,
            Api::ProduceTogether => {
                let (duplicate, next) = (reader.flag("duplicate")?, optional_key(reader)?);
                Self::ProducedTogether { receipts: batch_receipts(reader)?, duplicate, next }
            }
            other => unreachable!("{other:?} is not about transactions"),
        })
    }
}

/// A number that has to fit a batch: what is above `max` comes from no server that can be trusted.
fn bounded(value: u64, field: &'static str, max: u64) -> Result<u64, FieldError> {
    if value <= max { Ok(value) } else { Err(FieldError::Value { field, value }) }
}

fn produced(reader: &mut FieldReader<'_>) -> Result<Response, FieldError> {
    let base_offset = bounded(reader.u64("base_offset")?, "base_offset", i64::MAX.cast_unsigned())?;
    let first = KeyReceipt { offset: Offset(base_offset), append_time: Realtime(reader.u64("append_time")?) };
    let duplicate = reader.flag("duplicate")?;
    let receipts = receipts(reader)?;
    match receipts.first() {
        None => Ok(Response::Produced { base_offset: first.offset, append_time: first.append_time, duplicate }),
        Some(receipt) if *receipt == first && duplicate => Ok(Response::Known(receipts)),
        Some(receipt) => Err(FieldError::Value { field: "receipts", value: receipt.offset.0 }),
    }
}

fn key(reader: &mut FieldReader<'_>) -> Result<Response, FieldError> {
    let (partition, found) = (reader.u32("partition")?, reader.flag("found")?);
    let receipt = receipt(reader)?;
    match (found, receipt.offset.0.max(receipt.append_time.0)) {
        (true, _) => Ok(Response::Key { partition, receipt: Some(receipt) }),
        (false, 0) => Ok(Response::Key { partition, receipt: None }),
        (false, value) => Err(FieldError::Value { field: "found", value }),
    }
}

fn decode_error(code: Code, head: &[u8]) -> Result<ErrorResponse, FieldError> {
    let mut reader = FieldReader::new(head);
    let number = reader.u8("action")?;
    let action = action_of_number(number).ok_or(FieldError::Value { field: "action", value: u64::from(number) })?;
    let details = [reader.u64("detail_first")?, reader.u64("detail_second")?];
    let message = reader.text("message", ERROR_MESSAGE_BYTES_MAX)?.to_owned();
    let records = if code.has_records() { verdicts(&mut reader)? } else { Vec::new() };
    reader.end()?;
    Ok(ErrorResponse { code, action, details, message, records })
}

fn negotiated(reader: &mut FieldReader<'_>) -> Result<Negotiated, FieldError> {
    let mut negotiated = Negotiated {
        directory_id: Id128(reader.array("directory_id")?),
        shard: reader.u16("shard")?,
        shard_count: reader.u16("shard_count")?,
        request_bytes_max: reader.u32("request_bytes_max")?,
        batch_bytes_max: reader.u32("batch_bytes_max")?,
        fetch_bytes_max: reader.u32("fetch_bytes_max")?,
        requests_max: reader.u32("requests_max")?,
        retry_window_batches: reader.u32("retry_window_batches")?,
        idle_ms: reader.u32("idle_ms")?,
        server: reader.text("server", TEXT_BYTES_MAX)?.to_owned(),
        apis: Vec::new(),
    };
    let count = reader.count("apis", API_COUNT_MAX, size_of::<u32>())?;
    for _ in 0..count {
        let (api, version_min, version_max) =
            (reader.u16("api")?, reader.u8("version_min")?, reader.u8("version_max")?);
        negotiated.apis.push(ApiVersions { api, version_min, version_max });
    }
    Ok(negotiated)
}

fn topics_page(reader: &mut FieldReader<'_>) -> Result<TopicsPage, FieldError> {
    let host = reader.text("host", TEXT_BYTES_MAX)?.to_owned();
    let count = reader.count("ports", usize::from(SHARD_COUNT_MAX), size_of::<u16>())?;
    let ports = (0..count).map(|_| reader.u16("port")).collect::<Result<_, _>>()?;
    let complete = reader.flag("complete")?;
    let next = TopicId(reader.u64("next")?);
    let count = reader.count("topics", TOPIC_COUNT_MAX, TopicDescription::ENCODED_BYTES_MIN)?;
    let topics = (0..count).map(|_| topic(reader)).collect::<Result<_, _>>()?;
    Ok(TopicsPage { endpoints: ShardEndpoints { host, ports }, complete, next, topics })
}

fn topic(reader: &mut FieldReader<'_>) -> Result<TopicDescription, FieldError> {
    let (id, revision) = (TopicId(reader.u64("topic")?), reader.u32("revision")?);
    let name = reader.text("name", TOPIC_NAME_BYTES_MAX)?.to_owned();
    let count = reader.count("placement", TOPIC_PARTITION_COUNT_MAX as usize, size_of::<u16>())?;
    let placement = (0..count).map(|_| reader.u16("shard")).collect::<Result<_, _>>()?;
    Ok(TopicDescription { id, name, revision, placement, keys: rule(reader)? })
}

fn partition(reader: &mut FieldReader<'_>) -> Result<PartitionDescription, FieldError> {
    Ok(PartitionDescription {
        index: reader.u32("index")?,
        shard: reader.u16("shard")?,
        code: reader.u16("code")?,
        start_offset: reader.u64("start_offset")?,
        high_watermark: reader.u64("high_watermark")?,
        held_bytes: reader.u64("held_bytes")?,
        stored_bytes: reader.u64("stored_bytes")?,
        producer_count: reader.u32("producer_count")?,
        last_append_time: reader.u64("last_append_time")?,
        cut_bytes: reader.u64("cut_bytes")?,
        cut_time: reader.u64("cut_time")?,
        cut_reason: match reader.u8("cut_reason")? {
            0 => None,
            1 => Some(CutReason::Age),
            2 => Some(CutReason::Size),
            value => return Err(FieldError::Value { field: "cut_reason", value: u64::from(value) }),
        },
        stable_offset: reader.u64("stable_offset")?,
        open_transaction_count: reader.u32("open_transactions")?,
        oldest_transaction: oldest(reader)?,
    })
}

fn oldest(reader: &mut FieldReader<'_>) -> Result<Option<OpenTransaction>, FieldError> {
    let (is_there, transaction) = (reader.flag("has_oldest")?, key_of(reader)?);
    let (first_offset, since) = (Offset(reader.u64("first_offset")?), Realtime(reader.u64("since")?));
    let open = OpenTransaction { transaction, first_offset, since };
    match is_there {
        true => Ok(Some(open)),
        false if open == OpenTransaction::default() => Ok(None),
        false => Err(FieldError::Value { field: "has_oldest", value: 0 }),
    }
}

fn shard(reader: &mut FieldReader<'_>) -> Result<ShardDescription, FieldError> {
    Ok(ShardDescription {
        shard: reader.u16("shard")?,
        state: match reader.u8("state")? {
            0 => ShardState::Starting,
            1 => ShardState::Serving,
            2 => ShardState::Failed,
            3 => ShardState::Stopping,
            4 => ShardState::NotOpen,
            value => return Err(FieldError::Value { field: "state", value: u64::from(value) }),
        },
        clock_suspended: reader.flag("clock_suspended")?,
        port: reader.u16("port")?,
        epoch: reader.u64("epoch")?,
        durable_sequence: reader.u64("durable_sequence")?,
        appended_sequence: reader.u64("appended_sequence")?,
        partition_count: reader.u32("partition_count")?,
        connection_count: reader.u32("connection_count")?,
        waiting_count: reader.u32("waiting_count")?,
        unused_file_count: reader.u32("unused_file_count")?,
        held_bytes: reader.u64("held_bytes")?,
        captured_count: reader.u64("captured_count")?,
        disk_full: reader.flag("disk_full")?,
        manifest_full: reader.flag("manifest_full")?,
        held_bytes_max: reader.u64("held_bytes_max")?,
        segment_count: reader.u32("segment_count")?,
        stored_bytes: reader.u64("stored_bytes")?,
        unsynced_bytes: reader.u64("unsynced_bytes")?,
        journal_used_bytes: reader.u64("journal_used_bytes")?,
        journal_bytes: reader.u64("journal_bytes")?,
        manifest_run_bytes: reader.u64("manifest_run_bytes")?,
        manifest_run_bytes_max: reader.u64("manifest_run_bytes_max")?,
        cold_read_count: reader.u64("cold_read_count")?,
        cold_waiting_count: reader.u32("cold_waiting_count")?,
        keys_recent_count: reader.u64("keys_recent_count")?,
        keys_cached_bytes: reader.u64("keys_cached_bytes")?,
        keys_read_count: reader.u64("keys_read_count")?,
        keys_waiting_count: reader.u32("keys_waiting_count")?,
        transactional_id_count: reader.u32("transactional_id_count")?,
        unsettled_transaction_count: reader.u32("unsettled_transaction_count")?,
        open_transaction_count: reader.u32("open_transaction_count")?,
        group_count: reader.u32("group_count")?,
        coordinator_waiting_count: reader.u32("coordinator_waiting_count")?,
        problem: reader.text("problem", TEXT_BYTES_MAX)?.to_owned(),
    })
}

/// The batches are cut off the payload, whose lengths must add up.
fn fetched(frame: Frame) -> Result<FetchResponse, FieldError> {
    let mut reader = FieldReader::new(&frame.head);
    let (start_offset, high_watermark) = (Offset(reader.u64("start_offset")?), Offset(reader.u64("high_watermark")?));
    let (stable_offset, aborted) = (Offset(reader.u64("stable_offset")?), aborted(&mut reader)?);
    let count = reader.count("batches", RESPONSE_BYTES_MAX / FETCHED_BATCH_BYTES, FETCHED_BATCH_BYTES)?;
    let mut payload = frame.payload.freeze();
    let mut batches = Vec::with_capacity(count);
    for _ in 0..count {
        let (base_offset, append_time) = (Offset(reader.u64("base_offset")?), Realtime(reader.u64("append_time")?));
        let bytes = reader.u32("batch_bytes")?;
        let wrong = FieldError::Value { field: "batch_bytes", value: u64::from(bytes) };
        let bytes = usize::try_from(bytes).map_err(|_| wrong)?;
        if bytes == 0 || bytes > payload.remaining() {
            return Err(wrong);
        }
        batches.push(FetchedBatch { base_offset, append_time, bytes: payload.split_to(bytes) });
    }
    reader.end()?;
    if payload.has_remaining() {
        return Err(FieldError::Payload { bytes: payload.remaining() });
    }
    Ok(FetchResponse { start_offset, high_watermark, stable_offset, aborted, batches })
}
