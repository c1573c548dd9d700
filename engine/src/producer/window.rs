//! The last batches of one producer and epoch, and where another batch lies relative to them.

use super::Receipt;
use crate::format::batch::{ProducerStamp, SEQUENCE_COUNT, sequence_distance, sequence_plus};
use crate::limits::PRODUCER_WINDOW_BATCHES;
use crate::model::{Offset, Realtime, Sequence};

/// As many records as a partition has offsets for.
pub(super) const ACCEPTED_COUNT_MAX: u64 = i64::MAX.cast_unsigned();

/// A batch that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) base_sequence: u32,
    pub(super) last_sequence: u32,
    pub(super) crc: u32,
    /// It was answered by its idempotency keys: the receipt says where the partition ended.
    pub(super) is_known: bool,
    pub(super) receipt: Receipt,
}

/// Fills the unused places of a window.
const ENTRY_NONE: Entry = Entry {
    base_sequence: 0,
    last_sequence: 0,
    crc: 0,
    is_known: false,
    receipt: Receipt { base_offset: Offset(0), append_time: Realtime(0), sequence: Sequence(0) },
};

impl Entry {
    pub(super) fn of(stamp: &ProducerStamp, crc: u32, receipt: Receipt, is_known: bool) -> Self {
        let (base_sequence, last_sequence) = (stamp.base_sequence, stamp.last_sequence);
        Self { base_sequence, last_sequence, crc, is_known, receipt }
    }

    /// Whether the partition can have come from here to `next`: what is not stored takes no offset.
    pub(super) fn is_followed_by(&self, next: &Self) -> bool {
        let (from, to) = (self.receipt.base_offset, next.receipt.base_offset);
        from < to || (self.is_known && from == to)
    }

    pub(super) fn record_count(&self) -> u32 {
        sequence_distance(self.base_sequence, self.last_sequence) + 1
    }

    fn overlaps(&self, stamp: &ProducerStamp) -> bool {
        sequence_distance(self.base_sequence, stamp.base_sequence) < self.record_count()
            || sequence_distance(stamp.base_sequence, self.base_sequence) < stamp.record_count()
    }
}

/// Where a batch lies relative to those accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Right behind the latest.
    Next,
    /// It is one of the window.
    Held(Entry),
    /// It shares sequences with this one of the window, the first such, but is another batch.
    Overlaps(Entry),
    /// Accepted once, before all of the window.
    BeforeWindow,
    /// Ahead of what is next; or never accepted in this epoch.
    NeverAccepted,
}

/// The last batches of one epoch, contiguous in sequence, at least one, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    entries: [Entry; PRODUCER_WINDOW_BATCHES],
    count: usize,
    /// Records accepted in this epoch. The first had sequence 0, so this is the next sequence, not wrapped: it tells
    /// a sequence that was accepted long ago from one that never was.
    accepted_count: u64,
}

impl Window {
    /// The window of an epoch whose first batch this is.
    pub(super) fn starting_with(entry: Entry) -> Self {
        assert_eq!(entry.base_sequence, 0, "the first batch of an epoch begins at sequence 0");
        let mut entries = [ENTRY_NONE; PRODUCER_WINDOW_BATCHES];
        entries[0] = entry;
        Self { entries, count: 1, accepted_count: u64::from(entry.record_count()) }
    }

    /// The window of a producer of which batches before this one are lost. `accepted_count` counts these too.
    pub(super) fn resuming_with(entry: Entry, accepted_count: u64) -> Self {
        let next_sequence = u64::from(sequence_plus(entry.last_sequence, 1));
        assert_eq!(accepted_count % u64::from(SEQUENCE_COUNT), next_sequence, "sequences count records");
        let mut entries = [ENTRY_NONE; PRODUCER_WINDOW_BATCHES];
        entries[0] = entry;
        Self { entries, count: 1, accepted_count }
    }

    /// A window from its parts, or nothing if they do not fit each other.
    pub(super) fn from_parts(entries: &[Entry], accepted_count: u64) -> Option<Self> {
        let (first, last) = (entries.first()?, entries.last()?);
        let mut window = Self { entries: [ENTRY_NONE; PRODUCER_WINDOW_BATCHES], count: entries.len(), accepted_count };
        window.entries.get_mut(..entries.len())?.copy_from_slice(entries);
        let in_order = entries.windows(2).all(|pair| {
            sequence_plus(pair[0].last_sequence, 1) == pair[1].base_sequence
                && pair[0].is_followed_by(&pair[1])
                && pair[0].receipt.append_time <= pair[1].receipt.append_time
                && pair[0].receipt.sequence <= pair[1].receipt.sequence
        });
        let held_count: u64 = entries.iter().map(|entry| u64::from(entry.record_count())).sum();
        // A window that is not full holds everything from sequence 0 on, or from behind what was lost.
        let is_whole = accepted_count == held_count && first.base_sequence == 0;
        let count_fits = is_whole || accepted_count > held_count;
        let next_fits = accepted_count % u64::from(SEQUENCE_COUNT) == u64::from(sequence_plus(last.last_sequence, 1));
        (in_order && count_fits && next_fits && accepted_count <= ACCEPTED_COUNT_MAX).then_some(window)
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries[..self.count]
    }

    pub(super) fn accepted_count(&self) -> u64 {
        self.accepted_count
    }

    pub(super) fn oldest(&self) -> &Entry {
        &self.entries[0]
    }

    pub(super) fn latest(&self) -> &Entry {
        &self.entries[self.count - 1]
    }

    /// The sequence with which the next batch begins.
    pub(super) fn next_sequence(&self) -> u32 {
        sequence_plus(self.latest().last_sequence, 1)
    }

    /// Adds the next batch and forgets the oldest if the window is full.
    pub(super) fn push(&mut self, entry: Entry) {
        assert_eq!(entry.base_sequence, self.next_sequence(), "a batch out of sequence was placed");
        if self.count == PRODUCER_WINDOW_BATCHES {
            self.entries.rotate_left(1);
            self.count -= 1;
        }
        self.entries[self.count] = entry;
        self.count += 1;
        self.accepted_count += u64::from(entry.record_count());
    }

    /// Where the batch of this stamp lies.
    pub(super) fn find(&self, stamp: &ProducerStamp, crc: u32) -> Place {
        let next_sequence = self.next_sequence();
        if stamp.base_sequence == next_sequence {
            return Place::Next;
        }
        if let Some(entry) = self.entries().iter().find(|entry| entry.overlaps(stamp)) {
            let is_same = entry.base_sequence == stamp.base_sequence
                && entry.last_sequence == stamp.last_sequence
                && entry.crc == crc;
            return if is_same { Place::Held(*entry) } else { Place::Overlaps(*entry) };
        }
        let behind_count = sequence_distance(stamp.base_sequence, next_sequence);
        let is_behind = behind_count <= SEQUENCE_COUNT / 2;
        if is_behind && u64::from(behind_count) <= self.accepted_count {
            Place::BeforeWindow
        } else {
            Place::NeverAccepted
        }
    }
}
