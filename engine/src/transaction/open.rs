//! The transactions of one partition: which are open in it, and which of those that ended were aborted.
//!
//! Pure state. A transaction is open from its first batch on until its marker is appended. Readers that want what is
//! committed are shown what lies below the *last stable offset*: the first record of the oldest transaction whose marker is
//! not durable yet, or the end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::{Buf, BufMut, TryGetError};

use crate::format::batch::{Marker, undecided};
use crate::model::{Offset, ProducerEpoch, ProducerId, Realtime, TransactionKey, TransactionOutcome};

/// A transaction that is open in a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenTransaction {
    /// Which.
    pub transaction: TransactionKey,
    /// Offset of its first record here.
    pub first_offset: Offset,
    /// When that was appended.
    pub since: Realtime,
}

/// A transaction of which nothing counts in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AbortedTransaction {
    /// Which.
    pub transaction: TransactionKey,
    /// Offset of its first record here.
    pub first_offset: Offset,
    /// Offset of its marker: behind it there is nothing of it.
    pub marker: Offset,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Open {
    first_offset: Offset,
    since: Realtime,
}

/// What a partition knows of transactions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionTransactions {
    open: BTreeMap<TransactionKey, Open>,
    by_first: BTreeSet<(Offset, TransactionKey)>,
    /// Marker and first record of those that ended and whose marker is not durable.
    ending: VecDeque<(Offset, Offset)>,
    /// By their markers: those whose marker is in memory.
    aborted: BTreeMap<Offset, AbortedTransaction>,
}

/// A transaction that cannot be so. The bytes were checksummed before: it is damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("transaction {0} cannot be so")]
pub struct ImpossibleTransaction(pub TransactionKey);

impl PartitionTransactions {
    /// Bytes that [`PartitionTransactions::encode`] writes for each open one, beside [`PartitionTransactions::HEAD_BYTES`].
    pub const OPEN_BYTES: usize = 26;
    /// Bytes that it writes in any case.
    pub const HEAD_BYTES: usize = 4;

    /// Whether this one is open.
    pub fn is_open(&self, transaction: TransactionKey) -> bool {
        self.open.contains_key(&transaction)
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Those that are open, the one that began first in front.
    pub fn iter(&self) -> impl Iterator<Item = OpenTransaction> {
        self.by_first.iter().map(|(first_offset, transaction)| OpenTransaction {
            transaction: *transaction,
            first_offset: *first_offset,
            since: self.open[transaction].since,
        })
    }

    /// Offsets up to `next_offset` that are not stable once a batch of this transaction, or of none, was appended at
    /// `base_offset`.
    pub fn undecided_after(
        &self,
        transaction: Option<TransactionKey>,
        base_offset: Offset,
        next_offset: Offset,
    ) -> u32 {
        let oldest = self.by_first.first().map(|(first, _)| *first);
        let stable = oldest.or(transaction.map(|_| base_offset)).unwrap_or(next_offset);
        undecided(stable, next_offset)
    }

    /// The same once the marker of an open transaction was appended.
    pub fn undecided_after_marker(&self, transaction: TransactionKey, next_offset: Offset) -> u32 {
        let oldest = self.by_first.iter().find(|(_, open)| *open != transaction);
        undecided(oldest.map_or(next_offset, |(first, _)| *first), next_offset)
    }

    /// A batch of a transaction was appended at this offset.
    pub fn appended(&mut self, transaction: TransactionKey, base_offset: Offset, append_time: Realtime) {
        if self.open.contains_key(&transaction) {
            return;
        }
        self.open.insert(transaction, Open { first_offset: base_offset, since: append_time });
        self.by_first.insert((base_offset, transaction));
    }

    /// What the marker of an open transaction says.
    pub fn marker(&self, transaction: TransactionKey, outcome: TransactionOutcome) -> Option<Marker> {
        let open = self.open.get(&transaction)?;
        Some(Marker { transaction, outcome, first_offset: open.first_offset })
    }

    /// The marker of a transaction was appended at this offset.
    ///
    /// # Errors
    /// If it is not open, or began elsewhere.
    pub fn ended(&mut self, marker: &Marker, at: Offset) -> Result<(), ImpossibleTransaction> {
        let transaction = marker.transaction;
        let open = self.open.get(&transaction).filter(|open| open.first_offset == marker.first_offset);
        let first_offset = open.ok_or(ImpossibleTransaction(transaction))?.first_offset;
        self.open.remove(&transaction);
        self.by_first.remove(&(first_offset, transaction));
        self.ending.push_back((at, first_offset));
        self.note_marker(marker, at);
        Ok(())
    }

    /// The same where what began the transaction is lost.
    pub fn close_after_loss(&mut self, marker: &Marker, at: Offset) {
        if let Some(open) = self.open.remove(&marker.transaction) {
            self.by_first.remove(&(open.first_offset, marker.transaction));
        }
        self.note_marker(marker, at);
    }

    /// A marker stands at this offset, of a transaction that is not open any more.
    pub fn note_marker(&mut self, marker: &Marker, at: Offset) {
        let Marker { transaction, outcome, first_offset } = *marker;
        if outcome == TransactionOutcome::Aborted {
            self.aborted.insert(at, AbortedTransaction { transaction, first_offset, marker: at });
        }
    }

    /// Everything below is durable.
    pub fn make_durable(&mut self, durable_offset: Offset) {
        while self.ending.pop_front_if(|(marker, _)| *marker < durable_offset).is_some() {}
    }

    /// The last stable offset of a partition that is durable up to this offset.
    pub fn stable_offset(&self, durable_offset: Offset) -> Offset {
        let open = self.by_first.first().map(|(first, _)| *first);
        let ending = self.ending.iter().map(|(_, first)| *first).min();
        [open, ending].into_iter().flatten().fold(durable_offset, Offset::min)
    }

    /// Those aborted whose marker lies in these offsets.
    pub fn aborted_between(&self, from: Offset, last: Offset) -> impl Iterator<Item = AbortedTransaction> {
        let markers = (from <= last).then(|| self.aborted.range(from..=last));
        markers.into_iter().flatten().map(|(_, aborted)| *aborted)
    }

    /// Nothing below is in memory any more.
    pub fn forget_below(&mut self, memory_offset: Offset) {
        if self.aborted.first_key_value().is_some_and(|(marker, _)| *marker < memory_offset) {
            self.aborted = self.aborted.split_off(&memory_offset);
        }
    }

    /// Appends those that are open, little-endian: count u32, and for each producer u64, epoch u16, first offset u64, when
    /// that was appended u64, in the order of first offsets.
    pub fn encode(&self, out: &mut impl BufMut) {
        out.put_u32_le(u32::try_from(self.open.len()).expect("bounded by the limits"));
        for OpenTransaction { transaction, first_offset, since } in self.iter() {
            out.put_u64_le(transaction.producer.0);
            out.put_u16_le(transaction.epoch.0);
            out.put_u64_le(first_offset.0);
            out.put_u64_le(since.0);
        }
    }

    /// Reads what [`PartitionTransactions::encode`] wrote of a partition that ends at `next_offset`.
    ///
    /// # Errors
    /// If it wrote something else.
    pub fn decode(buf: &mut impl Buf, next_offset: Offset) -> Result<Self, TransactionsDecodeError> {
        let mut found = Self::default();
        for _ in 0..buf.try_get_u32_le()? {
            let producer = ProducerId(buf.try_get_u64_le()?);
            let transaction = TransactionKey { producer, epoch: ProducerEpoch(buf.try_get_u16_le()?) };
            let (first_offset, since) = (Offset(buf.try_get_u64_le()?), Realtime(buf.try_get_u64_le()?));
            let rises = found.by_first.last().is_none_or(|(last, _)| *last < first_offset);
            let is_new = found.open.insert(transaction, Open { first_offset, since }).is_none();
            if !rises || !is_new || first_offset >= next_offset {
                return Err(ImpossibleTransaction(transaction).into());
            }
            found.by_first.insert((first_offset, transaction));
        }
        Ok(found)
    }
}

/// Why bytes are not the open transactions of a partition. They were checksummed before: it is damage, or another format.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransactionsDecodeError {
    /// The bytes end within them.
    #[error("open transactions are cut off")]
    CutOff(#[from] TryGetError),
    /// Offsets or numbers that cannot be.
    #[error("open {0}")]
    Impossible(#[from] ImpossibleTransaction),
}

#[cfg(test)]
mod tests;
