//! What is said of transactions and of the offsets of consumer groups, as fields.

use bytes::{BufMut, BytesMut};
use florin_engine::format::control::{GroupOffset, Participant};
use florin_engine::limits::{
    GIVEN_NAME_BYTES_MAX, LISTED_COUNT_MAX, OFFSET_METADATA_BYTES_MAX, OFFSETS_PER_COMMIT_MAX, STATUS_PARTICIPANTS_MAX,
    TRANSACTION_PARTICIPANTS_MAX,
};
use florin_engine::model::{
    GroupId, Offset, PartitionId, ProducerEpoch, ProducerId, Realtime, ShardId, TopicId, TransactionKey,
    TransactionOutcome, TransactionalId,
};
use florin_engine::shard::BatchReceipt;
use florin_engine::transaction::{AbortedTransaction, Ended, TransactionState, TransactionStatus, Unnoted};

use super::field::{FieldError, FieldReader, put_count, put_text};
use crate::limits::{RESPONSE_BYTES_MAX, TEXT_BYTES_MAX};

/// Bytes of a partition.
pub(super) const PARTITION_BYTES: usize = 12;
/// Bytes of producer and epoch.
pub(super) const KEY_BYTES: usize = 10;
/// Bytes of a transaction in the table of those that were aborted.
pub(super) const ABORTED_BYTES: usize = KEY_BYTES + 2 * size_of::<u64>();
/// Bytes of an offset without metadata, with its time.
const OFFSET_BYTES_MIN: usize = PARTITION_BYTES + 2 * size_of::<u64>() + size_of::<u16>();
/// Bytes of a batch in the table of those that are to be stored together.
pub(super) const TOGETHER_BYTES: usize = PARTITION_BYTES + size_of::<u32>();
const RECEIPT_BYTES: usize = 2 * size_of::<u64>();
const PARTICIPANT_BYTES_MAX: usize = 1 + PARTITION_BYTES + size_of::<u16>() + GIVEN_NAME_BYTES_MAX + size_of::<u16>();
const STATUS_BYTES_MIN: usize = 2 + KEY_BYTES + 4 + 9 + 12 + 16;
/// Bytes of the longest list of transactional ids.
pub(super) const STATUSES_BYTES_MAX: usize = 4 + LISTED_COUNT_MAX
    * (STATUS_BYTES_MIN + GIVEN_NAME_BYTES_MAX + 2 * STATUS_PARTICIPANTS_MAX * (PARTICIPANT_BYTES_MAX + KEY_BYTES + 1));
/// Bytes of the most offsets that are told at once.
pub(super) const OFFSETS_BYTES_MAX: usize = 4 + OFFSETS_PER_COMMIT_MAX * (OFFSET_BYTES_MIN + OFFSET_METADATA_BYTES_MAX);

const NO_KEY: TransactionKey = TransactionKey { producer: ProducerId(u64::MAX), epoch: ProducerEpoch(u16::MAX) };

pub(super) fn put_partition(out: &mut BytesMut, partition: PartitionId) {
    out.put_u64_le(partition.topic.0);
    out.put_u32_le(partition.index);
}

pub(super) fn partition(reader: &mut FieldReader<'_>) -> Result<PartitionId, FieldError> {
    Ok(PartitionId { topic: TopicId(reader.u64("topic")?), index: reader.u32("partition")? })
}

pub(super) fn transactional_id(reader: &mut FieldReader<'_>) -> Result<TransactionalId, FieldError> {
    TransactionalId::new(reader.text("transactional_id", TEXT_BYTES_MAX)?).map_err(FieldError::Name)
}

pub(super) fn group(reader: &mut FieldReader<'_>) -> Result<GroupId, FieldError> {
    GroupId::new(reader.text("group", TEXT_BYTES_MAX)?).map_err(FieldError::Name)
}

/// A name that may be missing: it is empty then.
pub(super) fn after_id(reader: &mut FieldReader<'_>) -> Result<Option<TransactionalId>, FieldError> {
    match reader.text("after", TEXT_BYTES_MAX)? {
        "" => Ok(None),
        text => TransactionalId::new(text).map(Some).map_err(FieldError::Name),
    }
}

/// The same of a group.
pub(super) fn after_group(reader: &mut FieldReader<'_>) -> Result<Option<GroupId>, FieldError> {
    match reader.text("after", TEXT_BYTES_MAX)? {
        "" => Ok(None),
        text => GroupId::new(text).map(Some).map_err(FieldError::Name),
    }
}

/// Appends producer and epoch.
pub(super) fn put_key(out: &mut BytesMut, key: TransactionKey) {
    out.put_u64_le(key.producer.0);
    out.put_u16_le(key.epoch.0);
}

/// Reads what [`put_key`] writes.
pub(super) fn key(reader: &mut FieldReader<'_>) -> Result<TransactionKey, FieldError> {
    let (producer, epoch) = (reader.u64("producer")?, reader.u16("epoch")?);
    if i64::try_from(producer).is_err() {
        return Err(FieldError::Value { field: "producer", value: producer });
    }
    if i16::try_from(epoch).is_err() {
        return Err(FieldError::Value { field: "epoch", value: u64::from(epoch) });
    }
    Ok(TransactionKey { producer: ProducerId(producer), epoch: ProducerEpoch(epoch) })
}

/// Appends a transaction, or all ones for none.
pub(super) fn put_optional_key(out: &mut BytesMut, key: Option<TransactionKey>) {
    put_key(out, key.unwrap_or(NO_KEY));
}

/// Reads what [`put_optional_key`] writes.
pub(super) fn optional_key(reader: &mut FieldReader<'_>) -> Result<Option<TransactionKey>, FieldError> {
    if reader.starts_with(&[u8::MAX; KEY_BYTES]) {
        return reader.array::<KEY_BYTES>("producer").map(|_| None);
    }
    key(reader).map(Some)
}

pub(super) fn put_outcome(out: &mut BytesMut, outcome: TransactionOutcome) {
    out.put_u8(match outcome {
        TransactionOutcome::Aborted => 0,
        TransactionOutcome::Committed => 1,
    });
}

pub(super) fn outcome(reader: &mut FieldReader<'_>) -> Result<TransactionOutcome, FieldError> {
    match reader.flag("outcome")? {
        false => Ok(TransactionOutcome::Aborted),
        true => Ok(TransactionOutcome::Committed),
    }
}

/// Appends how the last transaction ended: zeroes if there was none.
pub(super) fn put_last(out: &mut BytesMut, last: Option<Ended>) {
    out.put_u8(u8::from(last.is_some()));
    let Some(Ended { transaction, outcome }) = last else { return out.put_bytes(0, KEY_BYTES + 1) };
    put_key(out, transaction);
    put_outcome(out, outcome);
}

/// Reads what [`put_last`] writes.
pub(super) fn last(reader: &mut FieldReader<'_>) -> Result<Option<Ended>, FieldError> {
    let is_there = reader.flag("has_last")?;
    let ended = Ended { transaction: key(reader)?, outcome: outcome(reader)? };
    match (is_there, ended.transaction.producer.0) {
        (true, _) => Ok(Some(ended)),
        (false, 0) => Ok(None),
        (false, value) => Err(FieldError::Value { field: "has_last", value }),
    }
}

/// Appends offsets behind their number, each with `time` if that is told.
pub(super) fn put_offsets<'a>(
    out: &mut BytesMut,
    count: usize,
    offsets: impl Iterator<Item = (&'a GroupOffset, Option<Realtime>)>,
) {
    put_count(out, count);
    for (offset, time) in offsets {
        put_partition(out, offset.partition);
        out.put_u64_le(offset.offset.0);
        put_text(out, &offset.metadata);
        time.into_iter().for_each(|time| out.put_u64_le(time.0));
    }
}

/// Reads offsets without times.
pub(super) fn offsets(reader: &mut FieldReader<'_>) -> Result<Vec<GroupOffset>, FieldError> {
    let count = reader.count("offsets", OFFSETS_PER_COMMIT_MAX, OFFSET_BYTES_MIN - size_of::<u64>())?;
    (0..count).map(|_| offset(reader)).collect()
}

/// Reads offsets with their times.
pub(super) fn offsets_and_times(reader: &mut FieldReader<'_>) -> Result<Vec<(GroupOffset, Realtime)>, FieldError> {
    let count = reader.count("offsets", OFFSETS_PER_COMMIT_MAX, OFFSET_BYTES_MIN)?;
    (0..count).map(|_| Ok((offset(reader)?, Realtime(reader.u64("commit_time")?)))).collect()
}

fn offset(reader: &mut FieldReader<'_>) -> Result<GroupOffset, FieldError> {
    let (partition, offset) = (partition(reader)?, reader.u64("offset")?);
    if i64::try_from(offset).is_err() {
        return Err(FieldError::Value { field: "offset", value: offset });
    }
    let metadata = reader.text("metadata", OFFSET_METADATA_BYTES_MAX)?.into();
    Ok(GroupOffset { partition, offset: Offset(offset), metadata })
}

/// Appends receipts behind their number.
pub(super) fn put_receipts(out: &mut BytesMut, receipts: &[BatchReceipt]) {
    put_count(out, receipts.len());
    for BatchReceipt { base_offset, append_time } in receipts {
        out.put_u64_le(base_offset.0);
        out.put_u64_le(append_time.0);
    }
}

/// Reads what [`put_receipts`] writes.
pub(super) fn receipts(reader: &mut FieldReader<'_>) -> Result<Vec<BatchReceipt>, FieldError> {
    let count = reader.count("receipts", TRANSACTION_PARTICIPANTS_MAX, RECEIPT_BYTES)?;
    let receipt = |_| {
        let (base_offset, append_time) = (Offset(reader.u64("base_offset")?), Realtime(reader.u64("append_time")?));
        Ok(BatchReceipt { base_offset, append_time })
    };
    (0..count).map(receipt).collect()
}

/// Appends aborted transactions behind their number.
pub(super) fn put_aborted(out: &mut BytesMut, aborted: &[AbortedTransaction]) {
    put_count(out, aborted.len());
    for AbortedTransaction { transaction, first_offset, marker } in aborted {
        put_key(out, *transaction);
        out.put_u64_le(first_offset.0);
        out.put_u64_le(marker.0);
    }
}

/// Reads what [`put_aborted`] writes.
pub(super) fn aborted(reader: &mut FieldReader<'_>) -> Result<Vec<AbortedTransaction>, FieldError> {
    let count = reader.count("aborted", RESPONSE_BYTES_MAX / ABORTED_BYTES, ABORTED_BYTES)?;
    let one = |_| {
        let transaction = key(reader)?;
        let (first_offset, marker) = (Offset(reader.u64("first_offset")?), Offset(reader.u64("marker")?));
        Ok(AbortedTransaction { transaction, first_offset, marker })
    };
    (0..count).map(one).collect()
}

fn put_participant(out: &mut BytesMut, participant: &Participant, shard: ShardId) {
    let (kind, partition, group) = match participant {
        Participant::Partition(partition) => (1, *partition, ""),
        Participant::Group(group) => (2, PartitionId::default(), group.as_str()),
    };
    out.put_u8(kind);
    put_partition(out, partition);
    put_text(out, group);
    out.put_u16_le(shard.0);
}

fn participant(reader: &mut FieldReader<'_>) -> Result<(Participant, ShardId), FieldError> {
    let (kind, partition) = (reader.u8("participant")?, partition(reader)?);
    let participant = match (kind, reader.text("group", TEXT_BYTES_MAX)?) {
        (1, "") => Participant::Partition(partition),
        (2, group) if partition == PartitionId::default() => {
            Participant::Group(GroupId::new(group).map_err(FieldError::Name)?)
        }
        _ => return Err(FieldError::Value { field: "participant", value: u64::from(kind) }),
    };
    Ok((participant, ShardId(reader.u16("shard")?)))
}

/// Appends a transactional id.
pub(super) fn put_status(out: &mut BytesMut, status: &TransactionStatus) {
    put_text(out, status.name.as_str());
    put_key(out, status.current);
    out.put_u32_le(status.timeout_ms);
    let (is_ongoing, since) = match status.state {
        TransactionState::Ready => (false, Realtime(0)),
        TransactionState::Ongoing { since } => (true, since),
    };
    out.put_u8(u8::from(is_ongoing));
    out.put_u64_le(since.0);
    put_last(out, status.last);
    put_count(out, status.participant_count);
    put_count(out, status.participants.len());
    status.participants.iter().for_each(|(participant, shard)| put_participant(out, participant, *shard));
    put_count(out, status.unnoted_count);
    put_count(out, status.unnoted.len());
    for Unnoted { transaction, outcome, participant, shard } in &status.unnoted {
        put_key(out, *transaction);
        put_outcome(out, *outcome);
        put_participant(out, participant, *shard);
    }
}

/// Reads what [`put_status`] writes.
pub(super) fn status(reader: &mut FieldReader<'_>) -> Result<TransactionStatus, FieldError> {
    let (name, current, timeout_ms) = (transactional_id(reader)?, key(reader)?, reader.u32("timeout_ms")?);
    let state = match (reader.flag("is_ongoing")?, reader.u64("since")?) {
        (true, since) => TransactionState::Ongoing { since: Realtime(since) },
        (false, 0) => TransactionState::Ready,
        (false, value) => return Err(FieldError::Value { field: "since", value }),
    };
    let last = last(reader)?;
    let participant_count = reader.u32("participant_count")? as usize;
    let listed = reader.count("participants", STATUS_PARTICIPANTS_MAX, PARTITION_BYTES)?;
    let participants = (0..listed).map(|_| participant(reader)).collect::<Result<_, _>>()?;
    let unnoted_count = reader.u32("unnoted_count")? as usize;
    let listed = reader.count("unnoted", STATUS_PARTICIPANTS_MAX, KEY_BYTES + PARTITION_BYTES)?;
    let unnoted = (0..listed).map(|_| {
        let (transaction, outcome) = (key(reader)?, outcome(reader)?);
        let (participant, shard) = participant(reader)?;
        Ok(Unnoted { transaction, outcome, participant, shard })
    });
    let unnoted = unnoted.collect::<Result<_, FieldError>>()?;
    Ok(TransactionStatus {
        name,
        current,
        state,
        timeout_ms,
        participants,
        participant_count,
        last,
        unnoted,
        unnoted_count,
    })
}

/// Appends transactional ids behind their number.
pub(super) fn put_statuses(out: &mut BytesMut, statuses: &[TransactionStatus]) {
    put_count(out, statuses.len());
    statuses.iter().for_each(|status| put_status(out, status));
}

/// Reads what [`put_statuses`] writes.
pub(super) fn statuses(reader: &mut FieldReader<'_>) -> Result<Vec<TransactionStatus>, FieldError> {
    let count = reader.count("transactions", LISTED_COUNT_MAX, STATUS_BYTES_MIN)?;
    (0..count).map(|_| status(reader)).collect()
}

/// Reads groups behind their number.
pub(super) fn groups(reader: &mut FieldReader<'_>) -> Result<Vec<GroupId>, FieldError> {
    let count = reader.count("groups", LISTED_COUNT_MAX, size_of::<u16>())?;
    (0..count).map(|_| group(reader)).collect()
}
