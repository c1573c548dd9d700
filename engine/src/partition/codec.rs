//! A partition as bytes, for the manifest. Little-endian: topic u64, index u32, next offset u64, last append time
//! u64, start offset u64, bytes cut u64, time of the last cut u64, reason of the last cut u8, run count u32, gap count
//! u32, the runs, the gaps. Its producers are written apart.

use bytes::{Buf, BufMut, TryGetError};

use super::Partition;
use super::gap::Gap;
use super::retention::{CutReason, CutTotals};
use crate::model::{Offset, PartitionId, Realtime, SegmentId, Sequence, TopicId};
use crate::producer::{ProducerDecodeError, ProducerTable, Receipt};
use crate::segment::Run;
use crate::transaction::{PartitionTransactions, TransactionsDecodeError};

/// Why bytes are not a partition. The bytes were checksummed before: it is damage, or another format.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartitionDecodeError {
    /// The bytes end within it.
    #[error("a partition is cut off")]
    CutOff(#[from] TryGetError),
    /// Offsets, runs or reasons that cannot be.
    #[error("partition {0} contradicts itself")]
    Impossible(PartitionId),
}

impl Partition {
    /// Bytes that [`Partition::encode`] writes beside runs and gaps.
    pub const ENCODED_BYTES: usize = 61;

    /// Writes offsets, times, runs and gaps, as they are with the cut that was decided.
    pub fn encode(&self, out: &mut impl BufMut) {
        let start_offset = self.start_offset.max(self.cut_ahead.map_or(Offset(0), |cut| cut.to));
        let cuts = self.cut_ahead.map_or(self.cuts, |cut| self.cuts.with(&cut));
        out.put_u64_le(self.id.topic.0);
        out.put_u32_le(self.id.index);
        out.put_u64_le(self.next_offset.0);
        out.put_u64_le(self.last_append_time.0);
        out.put_u64_le(start_offset.0);
        out.put_u64_le(cuts.bytes);
        out.put_u64_le(cuts.time.0);
        out.put_u8(cuts.reason.map_or(0, |reason| reason as u8));
        out.put_u32_le(u32::try_from(self.encoded_runs().count()).expect("bounded by the manifest"));
        let gaps = || self.gaps.iter().filter(|gap| gap.next_offset > start_offset);
        out.put_u32_le(u32::try_from(gaps().count()).expect("bounded by the manifest"));
        self.encoded_runs().for_each(|run| run.encode(out));
        gaps().for_each(|gap| gap.encode(out));
    }

    /// The runs that [`Partition::encode`] writes.
    pub fn encoded_runs(&self) -> impl Iterator<Item = &Run> {
        let start_offset = self.start_offset.max(self.cut_ahead.map_or(Offset(0), |cut| cut.to));
        self.stored.iter().filter(move |run| run.next_offset > start_offset)
    }

    /// The segment file of each of them, and of each key run.
    pub fn encoded_segments(&self) -> impl Iterator<Item = SegmentId> {
        let of_keys = self.keys.iter().flat_map(|keys| keys.all_runs());
        self.encoded_runs().map(|run| run.segment).chain(of_keys.map(|run| run.segment))
    }

    /// Reads what [`Partition::encode`] wrote; its producers are read apart.
    pub fn decode(buf: &mut impl Buf) -> Result<Self, PartitionDecodeError> {
        let topic = TopicId(buf.try_get_u64_le()?);
        let id = PartitionId { topic, index: buf.try_get_u32_le()? };
        let impossible = || PartitionDecodeError::Impossible(id);
        let mut partition = Self::new(id);
        partition.next_offset = Offset(buf.try_get_u64_le()?);
        partition.last_append_time = Realtime(buf.try_get_u64_le()?);
        partition.start_offset = Offset(buf.try_get_u64_le()?);
        let (bytes, time) = (buf.try_get_u64_le()?, Realtime(buf.try_get_u64_le()?));
        let reason = match buf.try_get_u8()? {
            0 => None,
            1 => Some(CutReason::Age),
            2 => Some(CutReason::Size),
            _ => return Err(impossible()),
        };
        partition.cuts = CutTotals { bytes, time, reason };
        let (run_count, gap_count) = (buf.try_get_u32_le()?, buf.try_get_u32_le()?);
        for _ in 0..run_count {
            let run = Run::decode(buf)?;
            let is_behind = partition.stored.end_offset().is_none_or(|end| run.base_offset >= end);
            let fits = run.base_offset < run.next_offset && run.next_offset > partition.start_offset;
            let is_counted = run.is_in_a_file() && partition.stored.bytes().checked_add(run.bytes).is_some();
            if !is_behind || !fits || !is_counted || run.next_offset > partition.next_offset {
                return Err(impossible());
            }
            partition.stored.push(run);
        }
        for _ in 0..gap_count {
            let gap = Gap::decode(buf)?;
            let is_behind = partition.gaps.end_offset().is_none_or(|end| gap.base_offset >= end);
            let fits = gap.base_offset < gap.next_offset && gap.next_offset > partition.start_offset;
            if !is_behind || !fits || gap.next_offset > partition.next_offset {
                return Err(impossible());
            }
            partition.gaps.insert(gap);
        }
        let end = partition.stored.end_offset().max(partition.gaps.end_offset()).unwrap_or_default();
        let end = end.max(partition.start_offset);
        if end > partition.next_offset || i64::try_from(partition.next_offset.0).is_err() {
            return Err(impossible());
        }
        partition.held.begin_at(end);
        if !partition.is_covered() {
            return Err(impossible());
        }
        Ok(partition)
    }

    /// Reads the open transactions that [`PartitionTransactions::encode`](crate::transaction::PartitionTransactions::encode)
    /// wrote.
    ///
    /// # Errors
    /// If it wrote something else, or one that begins behind the partition.
    pub fn decode_transactions(&mut self, buf: &mut impl Buf) -> Result<(), TransactionsDecodeError> {
        self.transactions = PartitionTransactions::decode(buf, self.next_offset)?;
        Ok(())
    }

    /// Reads the producers that [`ProducerTable::encode`] wrote when `included` was the last block.
    ///
    /// # Errors
    /// If it wrote something else, or a producer's last batch is not one that the partition and the journal have come to.
    pub fn decode_producers(&mut self, buf: &mut impl Buf, included: Sequence) -> Result<(), ProducerDecodeError> {
        let producers = ProducerTable::decode(buf, self.producers.count_max())?;
        let end = Receipt { base_offset: self.next_offset, append_time: self.last_append_time, sequence: included };
        match producers.ahead_of(end) {
            Some(id) => Err(ProducerDecodeError::Beyond { id, next_offset: self.next_offset }),
            None => {
                self.producers = producers;
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;
