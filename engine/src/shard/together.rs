//! Batches for several partitions of this shard, stored all together or not at all: their entries stand in one journal block.

use bytes::BytesMut;

use super::capture::is_outside_transaction;
use super::request::{BatchReceipt, Reply};
use super::{Refusal, Shard, TransactionRefusal};
use crate::format::batch::{self, BatchInfo};
use crate::format::block::block_bytes;
use crate::format::control::{ENTRY_ALIGN_BYTES, ENTRY_HEADER_BYTES, Entry};
use crate::limits::TRANSACTION_PARTICIPANTS_MAX;
use crate::model::{Now, PartitionId, RequestId, Sequence};
use crate::partition::{Placed, Slot};
use crate::producer::Admission;

/// A batch that was found right.
struct Part {
    partition: PartitionId,
    bytes: BytesMut,
    info: BatchInfo,
}

/// Bytes of their entries.
fn entries_bytes(parts: &[Part]) -> usize {
    parts.iter().map(|part| (ENTRY_HEADER_BYTES + part.bytes.len()).next_multiple_of(ENTRY_ALIGN_BYTES)).sum()
}

impl Shard {
    /// Takes batches for several partitions, each at most once.
    pub(super) fn capture_together(&mut self, id: RequestId, batches: Vec<(PartitionId, BytesMut)>, now: Now) {
        match self.examine_together(batches) {
            Ok(parts) => match self.place_together(parts, now) {
                Ok((receipts, sequence)) => {
                    let reply = Reply::CapturedTogether { receipts, duplicate: false };
                    self.answer_when_durable(id, sequence, reply);
                }
                Err(refusal) => self.refuse(id, refusal),
            },
            Err((depends_on, reply)) => self.answer_after(id, depends_on, *reply),
        }
    }

    /// Every batch checked and new. `Err`: the answer, and the block that it depends on.
    fn examine_together(
        &self,
        batches: Vec<(PartitionId, BytesMut)>,
    ) -> Result<Vec<Part>, (Option<Sequence>, Box<Reply>)> {
        let refused = |refusal: Refusal| (None, Box::new(Reply::Refused(refusal)));
        let together = |what| refused(TransactionRefusal::Together(what).into());
        if !(1..=TRANSACTION_PARTICIPANTS_MAX).contains(&batches.len()) {
            return Err(together("their number is out of its bounds"));
        }
        let mut parts: Vec<Part> = Vec::with_capacity(batches.len());
        let mut originals: Vec<BatchReceipt> = Vec::new();
        let mut depends_on = None;
        for (partition, bytes) in batches {
            let is_open = self.owned.ahead().topic(partition.topic).is_some();
            let Some(state) = self.partitions.get(&partition).filter(|_| is_open) else {
                return Err(refused(self.unknown_partition(partition)));
            };
            if parts.iter().any(|part| part.partition == partition) {
                return Err(together("a partition comes twice: give each one batch"));
            }
            let info = batch::validate(&bytes, self.batch_bytes_max).map_err(|error| refused(error.into()))?;
            if state.keys().is_some() {
                return Err(refused(TransactionRefusal::KeyedTopic(partition.topic).into()));
            }
            if info.is_transactional {
                return Err(together("one is part of a transaction: send it by itself"));
            }
            if is_outside_transaction(state, &info) {
                return Err(refused(TransactionRefusal::OutsideTransaction(partition).into()));
            }
            match state.admit(&info) {
                Admission::New => {}
                Admission::Duplicate(receipt) => {
                    let (base_offset, append_time) = (receipt.base_offset, receipt.append_time);
                    originals.push(BatchReceipt { base_offset, append_time });
                    depends_on = depends_on.max(Some(receipt.sequence));
                }
                Admission::Refused(error) => {
                    return Err((error.depends_on(), Box::new(Reply::Refused(Refusal::Producer(error)))));
                }
                Admission::Known(_) => unreachable!("only batches with keys are known"),
            }
            parts.push(Part { partition, bytes, info });
        }
        if block_bytes(entries_bytes(&parts)) > self.geometry().block_bytes_max() {
            return Err(together("they are larger than a journal block: send fewer or smaller ones"));
        }
        match originals.len() {
            0 => Ok(parts),
            count if count == parts.len() => {
                Err((depends_on, Box::new(Reply::CapturedTogether { receipts: originals, duplicate: true })))
            }
            _ => Err((depends_on, Box::new(Reply::Refused(TransactionRefusal::StoredApart.into())))),
        }
    }

    fn place_together(&mut self, parts: Vec<Part>, now: Now) -> Result<(Vec<BatchReceipt>, Sequence), Refusal> {
        let mut new_producers = 0;
        for part in &parts {
            if let Some(refusal) = self.record_refusal(part.partition, &part.info) {
                return Err(refusal);
            }
            new_producers += usize::from(self.has_room_for_producer(part.partition, &part.info)?);
        }
        if self.producer_count + new_producers > self.producer_count_max {
            return Err(Refusal::ProducersFull(self.id));
        }
        let placed: Vec<(Slot, BatchInfo, PartitionId, bytes::Bytes)> = parts
            .into_iter()
            .map(|Part { partition, mut bytes, info }| {
                let slot = self.partitions[&partition].next_slot(now.realtime);
                batch::place(&mut bytes, slot.base_offset);
                (slot, info, partition, bytes.freeze())
            })
            .collect();
        let entry = |(slot, info, partition, bytes): &(Slot, BatchInfo, PartitionId, bytes::Bytes)| Entry::Batch {
            partition: *partition,
            append_time: slot.append_time,
            undecided: self.partitions[partition].undecided_after(*slot, info),
            batch: bytes.clone(),
        };
        let entries = placed.iter().map(entry).collect();
        let appended = self.journal.append_together(entries).map_err(|error| self.append_refusal(error))?;
        self.captured_at = Some(now.monotonic);
        self.producer_count += new_producers;
        let mut receipts = Vec::with_capacity(placed.len());
        for (slot, info, partition, bytes) in placed {
            self.held_bytes += bytes.len();
            let state = self.partitions.get_mut(&partition).expect("it was found before");
            let place = Placed { sequence: appended.sequence, file: appended.file };
            let receipt = state.append(slot, &info, bytes, place, &[]);
            self.placed.push_back((appended.sequence, partition, state.next_offset()));
            receipts.push(BatchReceipt { base_offset: receipt.base_offset, append_time: receipt.append_time });
        }
        self.evict_memory();
        Ok((receipts, appended.sequence))
    }
}
