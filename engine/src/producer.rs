//! Idempotent producers: a retry of a batch gets the original answer, and nothing is stored twice or out of order.
//!
//! Pure state of one partition. A batch's stamp is first checked ([`ProducerTable::check`]); once the batch has its
//! place, the stamp is applied ([`ProducerTable::apply`]), on the live path as in replay. The table is bounded and
//! never evicts: a producer leaves it only by [`ProducerTable::remove`], which a journal entry causes.
//!
//! Every answer depends on a journal block: a receipt may be shown only when the block that holds the original is
//! durable, and a refusal that tells of stored batches ([`ProducerError::depends_on`]) likewise.

mod codec;
mod error;
mod mint;
#[cfg(test)]
mod tests;
mod window;

use std::collections::{BTreeMap, BTreeSet};

pub use codec::{PRODUCER_BYTES_MAX, ProducerDecodeError};
pub use error::ProducerError;
pub use mint::{MintError, Minted, PRODUCER_COUNTER_MAX, PRODUCER_SHARD_MAX, ProducerIdMint};

use crate::format::batch::{ProducerStamp, sequence_distance};
use crate::limits::PARTITION_PRODUCER_COUNT_MAX;
use crate::model::{Offset, ProducerEpoch, ProducerId, Realtime, Sequence};
use window::{ACCEPTED_COUNT_MAX, Entry, Place, Window};

/// The original answer to a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Offset of the batch's first record.
    pub base_offset: Offset,
    /// When the batch was appended.
    pub append_time: Realtime,
    /// The journal block that holds the original: the answer leaves only once that is durable.
    pub sequence: Sequence,
}

/// What becomes of a batch that carries a producer's stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is the producer's next: place it, then [`ProducerTable::apply`] its stamp.
    New,
    /// It is stored already: answer with the original's receipt.
    Duplicate(Receipt),
    /// It was answered by its idempotency keys and is not stored as such: they tell the answer once more, which depends on
    /// the journal block that notes this.
    Known(Sequence),
    /// It is not stored by this request.
    Refused(ProducerError),
}

/// What one partition knows of one producer.
#[derive(Clone, Copy, Debug)]
struct Producer {
    epoch: ProducerEpoch,
    window: Window,
    /// Under which time it is in the index of idle producers.
    indexed: Realtime,
}

/// The producers of one partition.
#[derive(Clone, Debug)]
pub struct ProducerTable {
    count_max: usize,
    producers: BTreeMap<ProducerId, Producer>,
    /// Every producer once, under the time of one of its batches: only when that is long ago, it is looked up when its last
    /// one was. So a batch of a producer that is known changes nothing here.
    by_append_time: BTreeSet<(Realtime, ProducerId)>,
}

/// What is known of producers is the same, whenever it was looked at who is idle.
impl PartialEq for ProducerTable {
    fn eq(&self, other: &Self) -> bool {
        let known = |table: &Self| -> Vec<_> {
            table.producers.iter().map(|(id, producer)| (*id, producer.epoch, producer.window)).collect()
        };
        self.count_max == other.count_max && known(self) == known(other)
    }
}

impl Eq for ProducerTable {}

impl Default for ProducerTable {
    fn default() -> Self {
        Self::new(PARTITION_PRODUCER_COUNT_MAX)
    }
}

impl ProducerTable {
    /// An empty table with room for `count_max` producers.
    pub fn new(count_max: usize) -> Self {
        Self { count_max, producers: BTreeMap::new(), by_append_time: BTreeSet::new() }
    }

    /// A producer whose last batch does not lie below this offset, or is of a later time or block than these.
    pub(crate) fn ahead_of(&self, end: Receipt) -> Option<ProducerId> {
        let is_before = |last: &Entry| {
            let (receipt, is_known) = (last.receipt, last.is_known);
            (receipt.base_offset < end.base_offset || is_known && receipt.base_offset == end.base_offset)
                && receipt.append_time <= end.append_time
                && receipt.sequence <= end.sequence
        };
        let mut producers = self.producers.iter();
        producers.find(|(_, producer)| !is_before(producer.window.latest())).map(|(id, _)| *id)
    }

    /// What becomes of a batch with this stamp, whose checksum is `batch_crc`. Changes nothing.
    pub fn check(&self, stamp: &ProducerStamp, batch_crc: u32) -> Admission {
        let Some(producer) = self.producers.get(&stamp.id) else {
            return self.check_unknown(stamp);
        };
        let depends_on = producer.window.latest().receipt.sequence;
        if stamp.epoch < producer.epoch {
            return Admission::Refused(ProducerError::Fenced {
                id: stamp.id,
                known: producer.epoch,
                got: stamp.epoch,
                depends_on,
            });
        }
        if stamp.epoch > producer.epoch {
            return match stamp.base_sequence {
                0 => Admission::New,
                got => Admission::Refused(ProducerError::OutOfOrder { id: stamp.id, expected: 0, got, depends_on }),
            };
        }
        match producer.window.find(stamp, batch_crc) {
            Place::Next => Admission::New,
            Place::Held(Entry { is_known: true, receipt, .. }) => Admission::Known(receipt.sequence),
            Place::Held(entry) => Admission::Duplicate(entry.receipt),
            Place::Overlaps(entry) => Admission::Refused(ProducerError::SequenceConflict {
                id: stamp.id,
                base_sequence: stamp.base_sequence,
                last_sequence: stamp.last_sequence,
                held_base_sequence: entry.base_sequence,
                held_last_sequence: entry.last_sequence,
                base_offset: entry.receipt.base_offset,
                depends_on: entry.receipt.sequence,
            }),
            Place::BeforeWindow => Admission::Refused(ProducerError::DuplicateBeyondWindow {
                id: stamp.id,
                base_sequence: stamp.base_sequence,
                oldest_sequence: producer.window.oldest().base_sequence,
                depends_on,
            }),
            Place::NeverAccepted => Admission::Refused(ProducerError::OutOfOrder {
                id: stamp.id,
                expected: producer.window.next_sequence(),
                got: stamp.base_sequence,
                depends_on,
            }),
        }
    }

    fn check_unknown(&self, stamp: &ProducerStamp) -> Admission {
        if stamp.base_sequence != 0 {
            let base_sequence = stamp.base_sequence;
            return Admission::Refused(ProducerError::UnknownProducer { id: stamp.id, base_sequence });
        }
        if self.producers.len() >= self.count_max {
            return Admission::Refused(ProducerError::TableFull { id: stamp.id, count_max: self.count_max });
        }
        Admission::New
    }

    /// Notes a batch that was placed. Its stamp was found [`Admission::New`] and nothing was applied in between.
    ///
    /// # Panics
    /// If that is not so, or the receipt lies before the producer's previous one: the caller's broken invariant.
    /// Replay, which takes stamps from disk, calls [`ProducerTable::check`] first as well.
    pub fn apply(&mut self, stamp: &ProducerStamp, batch_crc: u32, receipt: Receipt) {
        self.take(stamp, Entry::of(stamp, batch_crc, receipt, false));
    }

    /// Notes a batch that its idempotency keys answered: its sequences are used, and nothing of it is stored. `receipt` says
    /// where the partition ended, when, and which block notes it. The same panics as [`ProducerTable::apply`].
    pub fn apply_known(&mut self, stamp: &ProducerStamp, batch_crc: u32, receipt: Receipt) {
        self.take(stamp, Entry::of(stamp, batch_crc, receipt, true));
    }

    fn take(&mut self, stamp: &ProducerStamp, entry: Entry) {
        let receipt = entry.receipt;
        if let Some(producer) = self.producers.get_mut(&stamp.id) {
            let latest = *producer.window.latest();
            let previous = latest.receipt;
            assert!(latest.is_followed_by(&entry), "offsets of producer {} go back", stamp.id);
            assert!(previous.append_time <= receipt.append_time, "append times of producer {} go back", stamp.id);
            assert!(previous.sequence <= receipt.sequence, "journal blocks of producer {} go back", stamp.id);
            assert!(stamp.epoch >= producer.epoch, "a batch of a fenced epoch of producer {} was placed", stamp.id);
            if stamp.epoch > producer.epoch {
                (producer.epoch, producer.window) = (stamp.epoch, Window::starting_with(entry));
            } else {
                producer.window.push(entry);
            }
            return;
        }
        assert!(self.producers.len() < self.count_max, "a batch of producer {} too many was placed", stamp.id);
        self.insert(stamp.id, stamp.epoch, Window::starting_with(entry));
    }

    /// Notes a producer that was not known.
    fn insert(&mut self, id: ProducerId, epoch: ProducerEpoch, window: Window) {
        let indexed = window.latest().receipt.append_time;
        let before = self.producers.insert(id, Producer { epoch, window, indexed });
        assert!(before.is_none(), "producer {id} was known");
        self.by_append_time.insert((indexed, id));
        assert_eq!(self.producers.len(), self.by_append_time.len(), "every producer is indexed once");
    }

    /// Forgets the producer whose last batch is the oldest.
    fn pop_oldest(&mut self) {
        while let Some((indexed, id)) = self.by_append_time.pop_first() {
            let producer = self.producers.get_mut(&id).expect("what is indexed is known");
            let latest = producer.window.latest().receipt.append_time;
            if latest == indexed {
                self.producers.remove(&id);
                return;
            }
            producer.indexed = latest;
            self.by_append_time.insert((latest, id));
        }
    }

    /// Notes a batch that is left of a producer whose batches before it are lost: these count as accepted, so none of
    /// them is taken a second time. Returns whether the stamp can be so; the same panics as [`ProducerTable::apply`].
    pub fn apply_after_loss(&mut self, stamp: &ProducerStamp, batch_crc: u32, receipt: Receipt) -> bool {
        self.take_after_loss(stamp, Entry::of(stamp, batch_crc, receipt, false))
    }

    /// The same of a batch that its idempotency keys answered.
    pub fn apply_known_after_loss(&mut self, stamp: &ProducerStamp, batch_crc: u32, receipt: Receipt) -> bool {
        self.take_after_loss(stamp, Entry::of(stamp, batch_crc, receipt, true))
    }

    fn take_after_loss(&mut self, stamp: &ProducerStamp, entry: Entry) -> bool {
        let batch_crc = entry.crc;
        // Whoever would be one too many was admitted because another one had expired: the entry is lost.
        while !self.producers.contains_key(&stamp.id) && self.producers.len() >= self.count_max {
            self.pop_oldest();
        }
        let known = self.producers.get(&stamp.id).filter(|producer| producer.epoch == stamp.epoch);
        let accepted_before = match (self.check(stamp, batch_crc), known) {
            (Admission::New, _) => {
                self.take(stamp, entry);
                return true;
            }
            (Admission::Refused(ProducerError::OutOfOrder { expected, got, .. }), Some(producer)) => {
                producer.window.accepted_count() + u64::from(sequence_distance(expected, got))
            }
            (Admission::Refused(ProducerError::OutOfOrder { .. } | ProducerError::UnknownProducer { .. }), _) => {
                u64::from(stamp.base_sequence)
            }
            // It had expired, and began again.
            _ if stamp.base_sequence == 0 && known.is_some() => 0,
            _ => return false,
        };
        let accepted_count = accepted_before + u64::from(entry.record_count());
        if accepted_count > ACCEPTED_COUNT_MAX {
            return false;
        }
        let window = Window::resuming_with(entry, accepted_count);
        match self.producers.get_mut(&stamp.id) {
            Some(producer) => (producer.epoch, producer.window) = (stamp.epoch, window),
            None => self.insert(stamp.id, stamp.epoch, window),
        }
        true
    }

    /// The producers, in the order of their ids, whose last batch was appended more than `idle_ns` before `now`:
    /// those that may be removed by a journal entry. Looks only at these, and at those of which it was not known that they
    /// have gone on.
    pub fn expired(
        &mut self,
        now: Realtime,
        idle_ns: u64,
    ) -> impl Iterator<Item = (ProducerId, ProducerEpoch)> + use<> {
        let is_due = |append_time: Realtime| now.since_ns(append_time) > idle_ns;
        let due: Vec<_> =
            self.by_append_time.iter().take_while(|(append_time, _)| is_due(*append_time)).copied().collect();
        let mut expired = Vec::new();
        for (indexed, id) in due {
            let producer = self.producers.get_mut(&id).expect("what is indexed is known");
            let latest = producer.window.latest().receipt.append_time;
            if is_due(latest) {
                expired.push((id, producer.epoch));
                continue;
            }
            producer.indexed = latest;
            self.by_append_time.remove(&(indexed, id));
            self.by_append_time.insert((latest, id));
        }
        expired.sort_unstable();
        expired.into_iter()
    }

    /// Forgets a producer if it still is of this epoch; tells whether it was.
    pub fn remove(&mut self, id: ProducerId, epoch: ProducerEpoch) -> bool {
        let Some(producer) = self.producers.get(&id).filter(|producer| producer.epoch == epoch) else {
            return false;
        };
        let was_indexed = self.by_append_time.remove(&(producer.indexed, id));
        assert!(was_indexed, "producer {id} is not in the index of append times");
        self.producers.remove(&id);
        true
    }

    /// Whether the producer is known.
    pub fn knows(&self, id: ProducerId) -> bool {
        self.producers.contains_key(&id)
    }

    /// Producers known.
    pub fn len(&self) -> usize {
        self.producers.len()
    }

    /// Whether no producer is known.
    pub fn is_empty(&self) -> bool {
        self.producers.is_empty()
    }

    /// Producers there is room for.
    pub fn count_max(&self) -> usize {
        self.count_max
    }
}
