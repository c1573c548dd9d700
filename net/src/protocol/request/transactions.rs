//! The heads of requests about transactions, groups and batches that belong together.

use bytes::{BufMut, BytesMut};
use florin_engine::limits::TRANSACTION_PARTICIPANTS_MAX;
use florin_engine::model::{GroupId, PartitionId, TransactionalId};

use super::Request;
use crate::protocol::api::Api;
use crate::protocol::field::{FieldError, FieldReader, put_count, put_text};
use crate::protocol::transactions::{
    TOGETHER_BYTES, after_group, after_id, group, key, offsets, optional_key, outcome, partition, put_key, put_offsets,
    put_optional_key, put_outcome, put_partition, transactional_id,
};

impl Request {
    /// The heads of requests about transactions, groups and batches that belong together.
    pub(super) fn put_transaction_head(&self, out: &mut BytesMut) {
        match self {
            Self::OpenTransactionalId { name, timeout_ms } => {
                out.put_u32_le(*timeout_ms);
                put_text(out, name.as_str());
            }
            Self::EndTransaction { transaction, outcome } => {
                put_key(out, *transaction);
                put_outcome(out, *outcome);
            }
            Self::ListTransactions { after } => put_text(out, after.as_ref().map_or("", TransactionalId::as_str)),
            Self::DescribeTransaction { name } => put_text(out, name.as_str()),
            Self::CommitOffsets { group, transaction, offsets } => {
                put_text(out, group.as_str());
                put_optional_key(out, *transaction);
                put_offsets(out, offsets.len(), offsets.iter().map(|offset| (offset, None)));
            }
            Self::FetchOffsets { group, after } => {
                put_text(out, group.as_str());
                out.put_u8(u8::from(after.is_some()));
                put_partition(out, after.unwrap_or_default());
            }
            Self::ListGroups { after } => put_text(out, after.as_ref().map_or("", GroupId::as_str)),
            Self::ForgetGroup { group } => put_text(out, group.as_str()),
            Self::ProduceTogether { batches } => {
                put_count(out, batches.len());
                for (partition, batch) in batches {
                    put_partition(out, *partition);
                    put_count(out, batch.len());
                }
            }
            other => unreachable!("{other:?} is not about transactions"),
        }
    }

    /// The heads of requests about transactions, groups and batches that belong together.
    pub(super) fn decode_transaction_head(
        api: Api,
        reader: &mut FieldReader<'_>,
        payload: BytesMut,
    ) -> Result<Self, FieldError> {
        Ok(match api {
            Api::OpenTransactionalId => {
                let timeout_ms = reader.u32("timeout_ms")?;
                Self::OpenTransactionalId { name: transactional_id(reader)?, timeout_ms }
            }
            Api::EndTransaction => Self::EndTransaction { transaction: key(reader)?, outcome: outcome(reader)? },
            Api::ListTransactions => Self::ListTransactions { after: after_id(reader)? },
            Api::DescribeTransaction => Self::DescribeTransaction { name: transactional_id(reader)? },
            Api::CommitOffsets => {
                let (group, transaction) = (group(reader)?, optional_key(reader)?);
                Self::CommitOffsets { group, transaction, offsets: offsets(reader)? }
            }
            Api::FetchOffsets => {
                let (group, has_after, after) = (group(reader)?, reader.flag("has_after")?, partition(reader)?);
                let is_zero = after == PartitionId::default();
                if !has_after && !is_zero {
                    return Err(FieldError::Value { field: "after", value: after.topic.0 | u64::from(after.index) });
                }
                Self::FetchOffsets { group, after: has_after.then_some(after) }
            }
            Api::ListGroups => Self::ListGroups { after: after_group(reader)? },
            Api::ForgetGroup => Self::ForgetGroup { group: group(reader)? },
            Api::ProduceTogether => Self::ProduceTogether { batches: together(reader, payload)? },
            other => unreachable!("{other:?} is not about transactions"),
        })
    }
}

/// Cuts the batches that are to be stored together off the payload, whose lengths must add up.
fn together(reader: &mut FieldReader<'_>, mut payload: BytesMut) -> Result<Vec<(PartitionId, BytesMut)>, FieldError> {
    let count = reader.count("batches", TRANSACTION_PARTICIPANTS_MAX, TOGETHER_BYTES)?;
    let mut batches = Vec::with_capacity(count);
    for _ in 0..count {
        let (partition, bytes) = (partition(reader)?, reader.u32("batch_bytes")?);
        let wrong = FieldError::Value { field: "batch_bytes", value: u64::from(bytes) };
        let bytes = usize::try_from(bytes).map_err(|_| wrong)?;
        if bytes == 0 || bytes > payload.len() {
            return Err(wrong);
        }
        batches.push((partition, payload.split_to(bytes)));
    }
    if payload.is_empty() { Ok(batches) } else { Err(FieldError::Payload { bytes: payload.len() }) }
}
