//! The words of the engine as types: identifiers, logical places, physical places and times.
//!
//! Each is a transparent integer with only the arithmetic that means something for it. `Offset` is a logical
//! place in a partition, `Position` a byte in a file, `Sequence` the number of a journal block.

use std::fmt;

mod name;

pub use name::{GroupId, NameError, TransactionalId};

/// Declares a transparent integer type with ordering, display and conversion.
macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// A shard: one journal, its partitions and its connections. Counted from 0 in a directory.
    ShardId(u16)
);
number!(
    /// A topic. Never reused, also not after the topic was deleted.
    TopicId(u64)
);
number!(
    /// The logical place of a record in its partition, from 0.
    Offset(u64)
);
number!(
    /// A byte in a file, from 0.
    Position(u64)
);
number!(
    /// The number of a journal block of one shard: 1 for the first ever written, each next one higher.
    Sequence(u64)
);
number!(
    /// Raised durably each time a shard's journal is opened, before the first write.
    Epoch(u64)
);
number!(
    /// A ring file's index in its journal, from 0.
    FileIndex(u16)
);
number!(
    /// A segment file of a shard. Never reused.
    SegmentId(u64)
);
number!(
    /// How often a ring file was taken into use: 0 never, 1 while its first contents are written.
    Lap(u64)
);
number!(
    /// A producer: the minting shard in the bits 48..63, a counter below. Never negative as `i64`.
    ProducerId(u64)
);
number!(
    /// A producer's epoch; a lower one than the known is fenced. 0 to 32767.
    ProducerEpoch(u16)
);
number!(
    /// Nanoseconds of a clock that never goes back within one process.
    Monotonic(u64)
);
number!(
    /// Unix nanoseconds of the wall clock.
    Realtime(u64)
);
number!(
    /// A request as its sender numbers it; the reply carries it back.
    RequestId(u64)
);

/// A random 128-bit name: of a data directory, or of a shard's journal.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id128(pub [u8; 16]);

impl fmt::Display for Id128 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Id128 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id128({self})")
    }
}

/// One partition of one topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionId {
    /// The topic.
    pub topic: TopicId,
    /// The partition's index in the topic, from 0.
    pub index: u32,
}

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.index)
    }
}

/// One transaction: a producer and the epoch that is this transaction's alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionKey {
    /// The producer.
    pub producer: ProducerId,
    /// Its epoch, which moves on with every transaction.
    pub epoch: ProducerEpoch,
}

impl fmt::Display for TransactionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.producer, self.epoch)
    }
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TransactionOutcome {
    /// Nothing of it counts.
    Aborted,
    /// All of it counts.
    Committed,
}

impl TransactionOutcome {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aborted => "aborted",
            Self::Committed => "committed",
        }
    }
}

/// The two clocks at one instant. State takes it as an argument and never asks a clock itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// For durations and deadlines.
    pub monotonic: Monotonic,
    /// For what is written down.
    pub realtime: Realtime,
}

impl Offset {
    /// The place `count` records later.
    pub fn plus(self, count: u64) -> Self {
        Self(self.0 + count)
    }

    /// The same, if batches can hold it: their field for it is an `i64`.
    pub fn checked_plus(self, count: u64) -> Option<Self> {
        self.0.checked_add(count).filter(|offset| i64::try_from(*offset).is_ok()).map(Self)
    }
}

impl Position {
    /// The byte `bytes` further on.
    pub fn plus(self, bytes: u64) -> Self {
        Self(self.0 + bytes)
    }
}

impl Sequence {
    /// The block after this one.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl Epoch {
    /// The epoch after this one.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl SegmentId {
    /// No file gets a higher id: as many as no shard ever writes.
    pub const MAX: Self = Self(i64::MAX.cast_unsigned());

    /// The id after this one.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl Lap {
    /// The lap after this one.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl Monotonic {
    /// The instant `nanoseconds` later.
    pub fn plus_ns(self, nanoseconds: u64) -> Self {
        Self(self.0.saturating_add(nanoseconds))
    }
}

impl Realtime {
    /// Nanoseconds from `earlier` to this instant, 0 if that lies ahead.
    pub fn since_ns(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}
