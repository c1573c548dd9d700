//! How far the journal is: one tracker, one inequality.

use crate::model::Sequence;

/// appended ≥ written ≥ durable ≥ acked, in block sequences; asserted at every step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermarks {
    appended: Sequence,
    written: Sequence,
    durable: Sequence,
    acked: Sequence,
}

impl Watermarks {
    /// A journal that ends durably at `sequence`.
    pub fn at(sequence: Sequence) -> Self {
        Self { appended: sequence, written: sequence, durable: sequence, acked: sequence }
    }

    /// The last block that entries were placed into.
    pub fn appended(&self) -> Sequence {
        self.appended
    }

    /// The last block that is on stable storage with all blocks before it.
    pub fn durable(&self) -> Sequence {
        self.durable
    }

    /// A block was begun; returns its sequence.
    pub fn append(&mut self) -> Sequence {
        self.appended = self.appended.next();
        self.check();
        self.appended
    }

    /// The next block was handed to the disk.
    pub fn write(&mut self, sequence: Sequence) {
        assert_eq!(sequence, self.written.next(), "blocks are written in order");
        self.written = sequence;
        self.check();
    }

    /// Everything up to `sequence` is on stable storage.
    pub fn make_durable(&mut self, sequence: Sequence) {
        assert!(sequence >= self.durable, "durability does not go back");
        self.durable = sequence;
        self.check();
    }

    /// Every reply that depends on `sequence` or less was released.
    pub fn ack(&mut self, sequence: Sequence) {
        assert!(sequence >= self.acked, "acks do not go back");
        self.acked = sequence;
        self.check();
    }

    fn check(&self) {
        assert!(
            self.appended >= self.written && self.written >= self.durable && self.durable >= self.acked,
            "appended {} >= written {} >= durable {} >= acked {}",
            self.appended,
            self.written,
            self.durable,
            self.acked
        );
    }
}
