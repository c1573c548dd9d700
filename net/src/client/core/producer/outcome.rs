//! The outcomes of batches: exactly one each, also of a batch that was sent in parts.

use std::collections::BTreeMap;

use florin_engine::model::{Offset, Realtime};
use florin_engine::shard::KeyReceipt;

use crate::client::SendError;

/// A record that is on stable storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// Its offset.
    pub offset: Offset,
    /// When it was appended, the first time.
    pub append_time: Realtime,
    /// Whether it had been stored before this batch was sent, or sent again.
    pub duplicate: bool,
}

/// What became of one record.
pub type RecordOutcome = Result<StoredRecord, SendError>;

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchOutcome {
    /// It is on stable storage.
    Stored {
        /// Offset of its first record.
        base_offset: Offset,
        /// When it was appended, the first time.
        append_time: Realtime,
        /// Whether this is the original answer to a batch that was sent again.
        duplicate: bool,
    },
    /// Its records have outcomes of their own, because some of their idempotency keys were known.
    Records(Vec<RecordOutcome>),
    /// There is no receipt; the error says whether it is stored.
    Failed(SendError),
}

impl BatchOutcome {
    /// Every record had been stored before.
    pub(super) fn known(receipts: &[KeyReceipt]) -> Self {
        let stored = |&KeyReceipt { offset, append_time }| Ok(StoredRecord { offset, append_time, duplicate: true });
        Self::Records(receipts.iter().map(stored).collect())
    }

    /// Of what is part of a transaction it does not matter whether it is stored: the transaction can only be aborted.
    pub(super) fn break_transaction(&mut self) {
        if let Self::Failed(error) = self
            && let SendError::OutcomeUnknown { reason } = error
        {
            *error = SendError::TransactionBroken { reason: std::mem::take(reason) };
        }
    }

    /// What became of one record of the batch.
    fn of(&self, index: u32) -> RecordOutcome {
        match self {
            Self::Stored { base_offset, append_time, duplicate } => Ok(StoredRecord {
                offset: base_offset.plus(u64::from(index)),
                append_time: *append_time,
                duplicate: *duplicate,
            }),
            Self::Records(records) => records[index as usize].clone(),
            Self::Failed(error) => Err(error.clone()),
        }
    }
}

/// Outcomes that nobody has taken yet, and those of batches in parts that are not whole yet.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    ended: Vec<(u64, BatchOutcome)>,
    parted: BTreeMap<u64, Parted>,
    /// The first batch since the last transaction began that got no receipt.
    pub(super) failure: Option<SendError>,
}

/// A batch whose records end one by one.
#[derive(Debug)]
struct Parted {
    records: Vec<Option<RecordOutcome>>,
    missing_count: usize,
    /// Records that end as another one does, because they are the same payment.
    followers: BTreeMap<u32, Vec<u32>>,
}

impl Parted {
    fn end(&mut self, record: u32, outcome: RecordOutcome) {
        let mut ended = vec![(record, outcome)];
        while let Some((record, outcome)) = ended.pop() {
            for follower in self.followers.remove(&record).unwrap_or_default() {
                ended.push((follower, repeated(&outcome)));
            }
            let before = self.records[record as usize].replace(outcome);
            assert!(before.is_none(), "record {record} has two outcomes");
            self.missing_count -= 1;
        }
    }
}

/// What became of a record that is the same payment as another one of its batch.
fn repeated(first: &RecordOutcome) -> RecordOutcome {
    first.clone().map(|stored| StoredRecord { duplicate: true, ..stored })
}

impl Outcomes {
    /// A batch came to its end, or these records of one that was parted.
    pub(super) fn end(&mut self, batch: u64, part: Option<&[u32]>, outcome: BatchOutcome) {
        if let BatchOutcome::Failed(error) = &outcome {
            self.failure.get_or_insert_with(|| error.clone());
        }
        let Some(part) = part else { return self.ended.push((batch, outcome)) };
        for (index, record) in (0..).zip(part) {
            self.end_record(batch, *record, outcome.of(index));
        }
    }

    /// A batch is parted: its records end one by one.
    pub(super) fn part(&mut self, batch: u64, record_count: u32) {
        let missing_count = record_count as usize;
        let parted = Parted { records: vec![None; missing_count], missing_count, followers: BTreeMap::new() };
        let before = self.parted.insert(batch, parted);
        assert!(before.is_none(), "batch {batch} is parted once");
    }

    /// A record of a parted batch is the same payment as another one before it, and ends as that one does.
    pub(super) fn follow(&mut self, batch: u64, record: u32, first: u32) {
        let parted = self.parted.get_mut(&batch).expect("the batch was parted");
        match parted.records[first as usize].as_ref().map(repeated) {
            Some(outcome) => self.end_record(batch, record, outcome),
            None => parted.followers.entry(first).or_default().push(record),
        }
    }

    /// A record of a parted batch came to its end; with the last one the batch does.
    pub(super) fn end_record(&mut self, batch: u64, record: u32, outcome: RecordOutcome) {
        let parted = self.parted.get_mut(&batch).expect("the batch was parted");
        parted.end(record, outcome);
        if parted.missing_count == 0 {
            let Parted { records, .. } = self.parted.remove(&batch).expect("just found");
            self.ended.push((batch, BatchOutcome::Records(records.into_iter().flatten().collect())));
        }
    }

    /// What ended since the last call.
    pub(super) fn take(&mut self) -> Vec<(u64, BatchOutcome)> {
        std::mem::take(&mut self.ended)
    }

    /// Whether there is something to take.
    pub(super) fn is_empty(&self) -> bool {
        self.ended.is_empty()
    }
}
