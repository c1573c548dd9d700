//! Group commit: entries are placed into forming blocks; what arrives while a block is being written goes into the
//! next one. Synchronous and without a clock: the same calls give the same bytes.

use std::collections::VecDeque;

use super::ring::Ring;
use super::watermarks::Watermarks;
use crate::format::block::{BLOCK_HEADER_BYTES, BlockHead, JournalName, Place, block_bytes};
use crate::format::checksum::Chain;
use crate::format::control::Entry;
use crate::limits::{BLOCKS_IN_FLIGHT_MAX, JOURNAL_QUEUED_BYTES_MAX};
use crate::marks::{self, Mark};
use crate::model::{Epoch, FileIndex, Sequence};

/// Where a journal stands when it is opened.
#[derive(Clone, Copy, Debug)]
pub struct JournalStart {
    /// Whose it is.
    pub name: JournalName,
    /// The epoch, durably raised.
    pub epoch: Epoch,
    /// First sequence of the epoch.
    pub epoch_first_sequence: Sequence,
    /// Last block of the epochs before.
    pub last_sequence: Sequence,
    /// Its chain link.
    pub last_chain: Chain,
    /// Blocks being written at the same time, 1 to [`BLOCKS_IN_FLIGHT_MAX`].
    pub blocks_in_flight: usize,
}

/// Who is appending: captures leave a reserve to the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Anything that clients cause or that only confirms.
    Capture,
    /// A change of the catalogue: deleting topics must work when captures do not.
    Control,
}

/// Where an entry was placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The block: replies that depend on the entry wait for it.
    pub sequence: Sequence,
    /// The ring file that the block is in.
    pub file: FileIndex,
}

/// Why an entry was not placed. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// No ring file has room.
    #[error("the journal is full")]
    JournalFull,
    /// Too much waits for the disk.
    #[error("more than {JOURNAL_QUEUED_BYTES_MAX} bytes wait for the disk")]
    QueueFull,
    /// It was closed, or a write failed; nothing is appended any more.
    #[error("the journal has stopped")]
    Stopped,
}

/// A block that is ready to be encoded and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadyBlock {
    /// Where it goes.
    pub place: Place,
    /// Its size, a multiple of the unit.
    pub bytes: usize,
}

/// A block that was encoded and must now be written, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockWrite {
    /// Which block.
    pub sequence: Sequence,
    /// Where it goes.
    pub place: Place,
    /// Its size, a multiple of the unit.
    pub bytes: usize,
    /// Entries in it: 0 for one that only confirms.
    pub entry_count: usize,
}

#[derive(Debug)]
struct Forming {
    sequence: Sequence,
    place: Place,
    bytes: usize,
    payload_bytes: usize,
    entries: Vec<Entry>,
    closed: bool,
}

#[derive(Debug)]
struct InFlight {
    sequence: Sequence,
    place: Place,
    bytes: usize,
    chain: Chain,
    states_durable: Sequence,
    done: bool,
}

/// The writing side of one journal.
#[derive(Debug)]
pub struct Journal {
    start: JournalStart,
    ring: Ring,
    marks: Watermarks,
    forming: VecDeque<Forming>,
    in_flight: VecDeque<InFlight>,
    queued_bytes: usize,
    written_chain: Chain,
    durable_chain: Chain,
    /// The last block that holds entries.
    last_entry_sequence: Sequence,
    /// The last block that a later durable block or a superblock states to be durable.
    confirmed: Sequence,
    stopped: bool,
}

impl Journal {
    /// A journal that goes on after `start.last_sequence`, in `ring`.
    pub fn new(start: JournalStart, ring: Ring) -> Self {
        assert!((1..=BLOCKS_IN_FLIGHT_MAX).contains(&start.blocks_in_flight), "blocks in flight are bounded");
        assert_eq!(start.epoch_first_sequence, start.last_sequence.next(), "an epoch begins behind the last block");
        Self {
            start,
            ring,
            marks: Watermarks::at(start.last_sequence),
            forming: VecDeque::new(),
            in_flight: VecDeque::new(),
            queued_bytes: 0,
            written_chain: start.last_chain,
            durable_chain: start.last_chain,
            last_entry_sequence: start.last_sequence,
            confirmed: start.last_sequence,
            stopped: false,
        }
    }

    /// How far the journal is.
    pub fn marks(&self) -> &Watermarks {
        &self.marks
    }

    /// Every reply that depends on `sequence` or less was released.
    pub fn ack(&mut self, sequence: Sequence) {
        self.marks.ack(sequence);
    }

    /// The epoch and where it began.
    pub fn start(&self) -> &JournalStart {
        &self.start
    }

    /// The ring.
    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    /// The ring, to take files into use and to learn of durable superblocks.
    pub fn ring_mut(&mut self) -> &mut Ring {
        &mut self.ring
    }

    /// Chain link of the last durable block.
    pub fn durable_chain(&self) -> Chain {
        self.durable_chain
    }

    /// Bytes of entries that wait to be written.
    #[cfg(test)]
    pub fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    /// Whether everything appended is durable.
    pub fn is_idle(&self) -> bool {
        self.forming.is_empty() && self.in_flight.is_empty()
    }

    /// Whether a block waits to be written.
    pub fn has_forming_block(&self) -> bool {
        !self.forming.is_empty()
    }

    /// Places an entry into the last forming block, or into a new one.
    pub fn append(&mut self, entry: Entry, purpose: Purpose) -> Result<Appended, AppendError> {
        let entry_bytes = entry.encoded_bytes();
        self.append_into_one_block(std::iter::once(entry), entry_bytes, purpose)
    }

    /// Places entries all into the same block: after a crash either all of them are there, or none.
    ///
    /// # Errors
    /// Then none of them was placed.
    ///
    /// # Panics
    /// If they do not fit into a block: whoever takes them from a client bounds them.
    pub fn append_together(&mut self, entries: Vec<Entry>) -> Result<Appended, AppendError> {
        let entry_bytes = entries.iter().map(Entry::encoded_bytes).sum();
        self.append_into_one_block(entries.into_iter(), entry_bytes, Purpose::Capture)
    }

    fn append_into_one_block(
        &mut self,
        entries: impl Iterator<Item = Entry>,
        entry_bytes: usize,
        purpose: Purpose,
    ) -> Result<Appended, AppendError> {
        if self.stopped {
            return Err(AppendError::Stopped);
        }
        if purpose == Purpose::Capture && self.queued_bytes + entry_bytes > JOURNAL_QUEUED_BYTES_MAX {
            return Err(AppendError::QueueFull);
        }
        if !self.extend_last(entry_bytes, purpose) {
            self.begin_block(entry_bytes, purpose)?;
        }
        let block = self.forming.back_mut().expect("a block was extended or begun");
        block.payload_bytes += entry_bytes;
        block.entries.extend(entries);
        self.queued_bytes += entry_bytes;
        self.last_entry_sequence = block.sequence;
        Ok(Appended { sequence: block.sequence, file: block.place.file })
    }

    /// Begins a block without entries, whose header states how far the journal is durable. Returns whether it did:
    /// there must be nothing else to write, and room.
    pub fn append_confirmation(&mut self) -> bool {
        let is_begun = self.wants_confirmation() && self.begin_block(0, Purpose::Capture).is_ok();
        if is_begun {
            marks::hit(Mark::ConfirmationBlock);
        }
        is_begun
    }

    /// Whether the last block with entries is durable and nothing on disk states so yet.
    pub fn wants_confirmation(&self) -> bool {
        !self.stopped && self.is_idle() && self.confirmed < self.last_entry_sequence
    }

    /// No entry is added to the blocks that are forming now; returns the last of them, or the last appended.
    pub fn close_block(&mut self) -> Sequence {
        if let Some(block) = self.forming.back_mut() {
            block.closed = true;
        }
        self.marks.appended()
    }

    /// The next block to encode, if one may be written now.
    pub fn ready_block(&self) -> Option<ReadyBlock> {
        let block = self.forming.front()?;
        let may_write = !self.stopped
            && self.in_flight.len() < self.start.blocks_in_flight
            && self.ring.is_opened(block.place.file);
        may_write.then_some(ReadyBlock { place: block.place, bytes: block.bytes })
    }

    /// Encodes the block that [`Journal::ready_block`] announced into `out`, a zeroed buffer of its size.
    pub fn encode_block(&mut self, out: &mut [u8]) -> BlockWrite {
        let block = self.forming.pop_front().expect("encode_block follows ready_block");
        let mut at = BLOCK_HEADER_BYTES;
        for entry in &block.entries {
            at += entry.encode(&mut out[at..]);
        }
        assert_eq!(at, BLOCK_HEADER_BYTES + block.payload_bytes, "entries fill the payload exactly");
        let head = BlockHead {
            place: block.place,
            epoch: self.start.epoch,
            epoch_first_sequence: self.start.epoch_first_sequence,
            sequence: block.sequence,
            durable_sequence: self.marks.durable(),
            previous: self.written_chain,
            entry_count: u32::try_from(block.entries.len()).expect("a block is at most 4 MiB"),
            payload_bytes: u32::try_from(block.payload_bytes).expect("a block is at most 4 MiB"),
        };
        let chain = head.seal(self.start.name, out);
        self.written_chain = chain;
        self.marks.write(block.sequence);
        self.in_flight.push_back(InFlight {
            sequence: block.sequence,
            place: block.place,
            bytes: block.bytes,
            chain,
            states_durable: self.marks.durable(),
            done: false,
        });
        self.queued_bytes -= block.payload_bytes;
        let (bytes, entry_count) = (block.bytes, block.entries.len());
        BlockWrite { sequence: block.sequence, place: block.place, bytes, entry_count }
    }

    /// The disk reported the block durable. Returns the last block that is now durable with all before it.
    pub fn block_written(&mut self, sequence: Sequence) -> Sequence {
        let written = self.in_flight.iter_mut().find(|block| block.sequence == sequence);
        written.expect("only blocks in flight are reported").done = true;
        while self.in_flight.front().is_some_and(|block| block.done) && !self.stopped {
            let block = self.in_flight.pop_front().expect("just seen");
            self.ring.block_durable(block.place, block.bytes, block.sequence);
            self.durable_chain = block.chain;
            self.confirmed = self.confirmed.max(block.states_durable);
            self.marks.make_durable(block.sequence);
        }
        self.marks.durable()
    }

    /// A superblock states durably that the journal is durable up to `sequence`.
    pub fn superblock_confirms(&mut self, sequence: Sequence) {
        self.confirmed = self.confirmed.max(sequence);
    }

    /// Takes nothing more: everything appended is durable.
    pub fn close(&mut self) {
        assert!(self.is_idle(), "a journal is closed when everything is durable");
        self.stopped = true;
    }

    /// Whether nothing is appended any more.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// A write failed: nothing is written or becomes durable any more.
    pub fn stop(&mut self) {
        self.stopped = true;
        self.forming.clear();
    }

    fn extend_last(&mut self, entry_bytes: usize, purpose: Purpose) -> bool {
        let block_bytes_max = self.ring.geometry().block_bytes_max();
        let Some(block) = self.forming.back_mut().filter(|block| !block.closed) else { return false };
        let bytes = block_bytes(block.payload_bytes + entry_bytes);
        let more = bytes - block.bytes;
        let allowed = purpose == Purpose::Control || self.ring.has_room_for_capture(more);
        if bytes > block_bytes_max || !allowed || !self.ring.grow(more) {
            return false;
        }
        block.bytes = bytes;
        true
    }

    fn begin_block(&mut self, entry_bytes: usize, purpose: Purpose) -> Result<(), AppendError> {
        let bytes = block_bytes(entry_bytes);
        assert!(bytes <= self.ring.geometry().block_bytes_max(), "an entry fits into a block");
        if self.stopped {
            return Err(AppendError::Stopped);
        }
        if purpose == Purpose::Capture && !self.ring.has_room_for_capture(bytes) {
            return Err(AppendError::JournalFull);
        }
        let place = self.ring.place(bytes).ok_or(AppendError::JournalFull)?;
        let sequence = self.marks.append();
        self.forming.push_back(Forming {
            sequence,
            place,
            bytes,
            payload_bytes: 0,
            entries: Vec::new(),
            closed: false,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
