//! A capture: checked, admitted, placed; answered when its block is durable.

use std::collections::BTreeSet;

use bytes::BytesMut;

use super::keyed::beyond_window;
use super::request::Reply;
use super::{Refusal, Shard, TransactionRefusal};
use crate::format::batch::{self, BatchInfo, ProducerStamp};
use crate::format::control::{Control, Entry};
use crate::journal::append::{AppendError, Purpose};
use crate::key::RecordKey;
use crate::limits::{PRODUCER_EXPIRY_COUNT_MAX, PRODUCER_IDLE_NS};
use crate::marks::{self, Mark};
use crate::model::{Now, PartitionId, ProducerEpoch, ProducerId, RequestId, Sequence, TransactionKey};
use crate::partition::{Partition, Placed};
use crate::producer::{Admission, Minted};

impl Shard {
    /// Takes one batch for one partition.
    pub(super) fn capture(&mut self, id: RequestId, partition: PartitionId, bytes: BytesMut, now: Now) {
        let Some(state) =
            self.partitions.get(&partition).filter(|_| self.owned.ahead().topic(partition.topic).is_some())
        else {
            let refusal = self.unknown_partition(partition);
            return self.refuse(id, refusal);
        };
        let info = match batch::validate(&bytes, self.batch_bytes_max) {
            Ok(info) => info,
            Err(error) => return self.refuse(id, error.into()),
        };
        if let Some(transaction) = info.transaction() {
            return self.capture_in_transaction(id, partition, (bytes, info), transaction, now);
        }
        if state.keys().is_some() {
            return self.capture_keyed(id, partition, bytes, info, now);
        }
        if is_outside_transaction(state, &info) {
            return self.refuse(id, TransactionRefusal::OutsideTransaction(partition).into());
        }
        let admission = state.admit(&info);
        match Self::answer_of_producer(&admission) {
            Some((depends_on, reply)) => self.answer_after(id, depends_on, reply),
            None if admission == Admission::New => self.place(id, partition, bytes, &info, &[], now),
            None => self.refuse(id, beyond_window(&info)),
        }
    }

    /// The answer to a batch that its producer's window settles, and the block that it depends on.
    pub(super) fn answer_of_producer(admission: &Admission) -> Option<(Option<Sequence>, Reply)> {
        match admission {
            Admission::New | Admission::Known(_) => None,
            Admission::Duplicate(receipt) => {
                marks::hit(Mark::Duplicate);
                let (base_offset, append_time) = (receipt.base_offset, receipt.append_time);
                Some((Some(receipt.sequence), Reply::Captured { base_offset, append_time, duplicate: true }))
            }
            Admission::Refused(error) => {
                marks::hit(Mark::SequenceRefused);
                Some((error.depends_on(), Reply::Refused(Refusal::Producer(*error))))
            }
        }
    }

    /// Answers once this block is durable, if there is one to wait for.
    pub(super) fn answer_after(&mut self, id: RequestId, depends_on: Option<Sequence>, reply: Reply) {
        match depends_on {
            Some(sequence) => self.answer_when_durable(id, sequence, reply),
            None => self.answer(id, reply),
        }
    }

    /// Places a batch that was admitted; `keys` are those of its records, if they have some.
    pub(super) fn place(
        &mut self,
        id: RequestId,
        partition: PartitionId,
        mut bytes: BytesMut,
        info: &BatchInfo,
        keys: &[RecordKey],
        now: Now,
    ) {
        // Behind admission: a retry of what was stored before the setting was lowered gets its original answer.
        if let Some(refusal) = self.record_refusal(partition, info) {
            return self.refuse(id, refusal);
        }
        let is_new_producer = match self.has_room_for_producer(partition, info) {
            Ok(is_new_producer) => is_new_producer,
            Err(refusal) => return self.refuse(id, refusal),
        };
        if !self.keyed.has_room_for_keys(keys.len()) {
            return self.refuse(id, Refusal::Busy(self.id));
        }
        let state = self.partitions.get_mut(&partition).expect("it was found before");
        let slot = state.next_slot(now.realtime);
        batch::place(&mut bytes, slot.base_offset);
        let bytes = bytes.freeze();
        let undecided = state.undecided_after(slot, info);
        let entry = Entry::Batch { partition, append_time: slot.append_time, undecided, batch: bytes.clone() };
        let appended = match self.journal.append(entry, Purpose::Capture) {
            Ok(appended) => appended,
            Err(error) => {
                let refusal = self.append_refusal(error);
                return self.refuse(id, refusal);
            }
        };
        self.captured_at = Some(now.monotonic);
        self.producer_count += usize::from(is_new_producer);
        self.held_bytes += bytes.len();
        let placed = Placed { sequence: appended.sequence, file: appended.file };
        let receipt = state.append(slot, info, bytes, placed, keys);
        self.placed.push_back((appended.sequence, partition, state.next_offset()));
        self.keyed.note_recent(keys.len());
        self.evict_memory();
        let (base_offset, append_time) = (receipt.base_offset, receipt.append_time);
        let reply = Reply::Captured { base_offset, append_time, duplicate: false };
        self.answer_when_durable(id, appended.sequence, reply);
    }

    /// Whether a batch brings a producer that the partition does not know.
    ///
    /// # Errors
    /// If the shard has no room for one more.
    pub(super) fn has_room_for_producer(&self, partition: PartitionId, info: &BatchInfo) -> Result<bool, Refusal> {
        let Some(stamp) = info.producer else { return Ok(false) };
        let is_new = !self.partitions[&partition].producers().knows(stamp.id);
        if is_new && self.producer_count >= self.producer_count_max {
            return Err(Refusal::ProducersFull(self.id));
        }
        Ok(is_new)
    }

    pub(super) fn record_refusal(&self, partition: PartitionId, info: &BatchInfo) -> Option<Refusal> {
        let (bytes, max) =
            (info.largest_record_bytes, self.owned.in_force(partition.topic)?.settings().record_bytes_max);
        (bytes > max).then_some(Refusal::RecordTooLarge { bytes, max })
    }

    /// Gives a new producer identity.
    pub(super) fn init_producer(&mut self, id: RequestId) {
        match self.mint_producer() {
            Ok((producer, depends_on)) => {
                self.answer_when_durable(id, depends_on, Reply::Producer { id: producer, epoch: ProducerEpoch(0) });
            }
            Err(refusal) => self.refuse(id, refusal),
        }
    }

    /// A new producer id, and the block without which nobody may hear of it.
    pub(super) fn mint_producer(&mut self) -> Result<(ProducerId, Sequence), Refusal> {
        let minted = match self.mint.next() {
            Minted::NeedsReservation { up_to } => {
                let entry = Entry::Control(Control::ProducerIdsReserved { up_to });
                let appended = self.journal.append(entry, Purpose::Capture);
                let appended = appended.map_err(|error| self.append_refusal(error))?;
                self.mint.reserved(up_to, appended.sequence);
                self.mint.next()
            }
            minted => minted,
        };
        match minted {
            Minted::Id { id, depends_on } => Ok((id, depends_on)),
            Minted::NeedsReservation { .. } => unreachable!("a chunk was just reserved"),
            Minted::Exhausted => Err(Refusal::ProducerIdsExhausted(self.id)),
        }
    }

    /// Why the journal did not take an entry, for the client.
    pub(super) fn append_refusal(&self, error: AppendError) -> Refusal {
        match error {
            AppendError::JournalFull => {
                marks::hit(Mark::JournalFull);
                Refusal::JournalFull(self.id)
            }
            AppendError::QueueFull => Refusal::Busy(self.id),
            AppendError::Stopped => Refusal::ShardUnavailable(self.id),
        }
    }

    /// Forgets producers that have been idle for too long: a journal entry each, a bounded number at a time.
    pub(super) fn expire_producers(&mut self, now: Now) {
        if self.clock.is_suspended() || !self.has_settled(now) {
            return;
        }
        let idle_ns = PRODUCER_IDLE_NS;
        let owned = self.owned.ahead();
        let due: Vec<_> = self
            .partitions
            .iter_mut()
            .filter(|(id, _)| owned.topic(id.topic).is_some())
            .flat_map(|(id, state)| {
                // One whose transaction waits for a coordinator that is out is kept.
                let kept: BTreeSet<_> = state.transactions().iter().map(|open| open.transaction.producer).collect();
                let expired = state.producers_mut().expired(now.realtime, idle_ns);
                let expired = expired.filter(move |(producer, _)| !kept.contains(producer));
                expired.map(|(producer, epoch)| (*id, producer, epoch))
            })
            .take(PRODUCER_EXPIRY_COUNT_MAX)
            .collect();
        for (partition, producer, epoch) in due {
            let entry = Entry::Control(Control::ProducerExpired { partition, producer, epoch });
            if self.journal.append(entry, Purpose::Capture).is_err() {
                return;
            }
            marks::hit(Mark::ProducerExpired);
            let state = self.partitions.get_mut(&partition).expect("it was just listed");
            self.producer_count -= usize::from(state.producers_mut().remove(producer, epoch));
        }
    }
}

/// Whether a batch would go past the transaction that its producer has in the partition.
pub(super) fn is_outside_transaction(state: &Partition, info: &BatchInfo) -> bool {
    let is_open =
        |stamp: ProducerStamp| state.transactions().is_open(TransactionKey { producer: stamp.id, epoch: stamp.epoch });
    !state.transactions().is_empty() && info.producer.is_some_and(is_open)
}
