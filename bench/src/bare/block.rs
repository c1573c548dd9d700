//! One block: frames back to back, zeros up to a whole unit.

use florin_engine::io::UNIT_BYTES;

use super::ring_file::RING_BYTES;

/// As much as one write takes: a journal block's limit.
pub const BLOCK_BYTES_MAX: usize = 4 << 20;

/// How many bytes a write of so many takes.
pub fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(UNIT_BYTES)
}

/// Positions in the ring, one write behind the other, from the start again behind its end.
#[derive(Debug, Default)]
pub struct Positions {
    next: u64,
}

impl Positions {
    /// Where a write of so many bytes goes.
    pub fn take(&mut self, bytes: usize) -> u64 {
        if self.next + bytes as u64 > RING_BYTES {
            self.next = 0;
        }
        let position = self.next;
        self.next += bytes as u64;
        position
    }
}

/// Memory that a direct write takes: aligned, and zero behind what was put in.
#[derive(Debug)]
pub struct AlignedBlock {
    memory: Vec<u8>,
    start: usize,
    bytes: usize,
}

impl AlignedBlock {
    /// Empty, with room for a whole block.
    pub fn new() -> Self {
        let memory = vec![0; BLOCK_BYTES_MAX + UNIT_BYTES];
        let start = memory.as_ptr().align_offset(UNIT_BYTES);
        Self { memory, start, bytes: 0 }
    }

    /// Puts bytes in, if there is room.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        let at = self.start + self.bytes;
        if self.bytes + bytes.len() > BLOCK_BYTES_MAX {
            return false;
        }
        self.memory[at..at + bytes.len()].copy_from_slice(bytes);
        self.bytes += bytes.len();
        true
    }

    /// Whole units, to be written.
    pub fn units(&self) -> &[u8] {
        &self.memory[self.start..self.start + padded(self.bytes)]
    }

    /// Empty again.
    pub fn clear(&mut self) {
        let used = self.start..self.start + padded(self.bytes);
        self.memory[used].fill(0);
        self.bytes = 0;
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }
}
