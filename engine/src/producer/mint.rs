//! New producer ids: the minting shard in the high 16 bits, a counter in the low 48. None is ever given twice.
//!
//! Counters are reserved by journal entries, a chunk each. After a restart the mint goes on behind everything ever
//! reserved, so a chunk that was begun is lost and none of its ids can return.

use bytes::{Buf, BufMut, TryGetError};
use thiserror::Error;

use crate::limits::PRODUCER_ID_CHUNK;
use crate::model::{ProducerId, Sequence, ShardId};

const COUNTER_BITS: u32 = 48;

/// Counters that one shard can give out.
pub const PRODUCER_COUNTER_MAX: u64 = 1 << COUNTER_BITS;
/// The highest shard that can mint: above it ids would be negative as `i64`.
pub const PRODUCER_SHARD_MAX: ShardId = ShardId(i16::MAX.cast_unsigned());

const _: () = assert!(PRODUCER_ID_CHUNK > 0 && PRODUCER_ID_CHUNK <= PRODUCER_COUNTER_MAX);
const _: () = assert!(crate::limits::SHARD_COUNT_MAX <= PRODUCER_SHARD_MAX.0);

/// Why there is no mint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MintError {
    /// The shard's ids would be negative.
    #[error("shard {shard} cannot mint producer ids: only shards up to {PRODUCER_SHARD_MAX} can")]
    Shard {
        /// The shard.
        shard: ShardId,
    },
    /// The end of the reservation is beyond all counters.
    #[error("producer ids are reserved up to {up_to}, beyond the last counter {PRODUCER_COUNTER_MAX}: damaged state")]
    Reservation {
        /// The end as found.
        up_to: u64,
    },
    /// The bytes end within the state.
    #[error("state of the producer ids is cut off: {needed_bytes} bytes are needed, {found_bytes} are left")]
    CutOff {
        /// Bytes of the field.
        needed_bytes: usize,
        /// Bytes there are.
        found_bytes: usize,
    },
}

impl From<TryGetError> for MintError {
    fn from(error: TryGetError) -> Self {
        Self::CutOff { needed_bytes: error.requested, found_bytes: error.available }
    }
}

/// What the mint has to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Minted {
    /// A new id.
    Id {
        /// The id.
        id: ProducerId,
        /// The journal block with its reservation: the id leaves only once that is durable.
        depends_on: Sequence,
    },
    /// Enqueue a journal entry that reserves the counters below `up_to`, call [`ProducerIdMint::reserved`], and ask
    /// again.
    NeedsReservation {
        /// One behind the last counter to reserve.
        up_to: u64,
    },
    /// All 2^48 counters of the shard are used up.
    Exhausted,
}

/// The producer ids of one shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerIdMint {
    shard: ShardId,
    next_counter: u64,
    reserved_end: u64,
    /// The block of the latest reservation; the counters left are at most as old.
    reserved_in: Sequence,
}

impl ProducerIdMint {
    /// A mint that has never given an id.
    ///
    /// # Errors
    /// If the shard is above [`PRODUCER_SHARD_MAX`].
    pub fn new(shard: ShardId) -> Result<Self, MintError> {
        if shard > PRODUCER_SHARD_MAX {
            return Err(MintError::Shard { shard });
        }
        Ok(Self { shard, next_counter: 0, reserved_end: 0, reserved_in: Sequence(0) })
    }

    /// The next id, or what it takes to get one.
    #[expect(clippy::should_implement_trait, reason = "it never ends as an iterator does: it may need a reservation")]
    pub fn next(&mut self) -> Minted {
        assert!(self.next_counter <= self.reserved_end, "a counter was given that is not reserved");
        if self.next_counter < self.reserved_end {
            let id = ProducerId(u64::from(self.shard.0) << COUNTER_BITS | self.next_counter);
            self.next_counter += 1;
            return Minted::Id { id, depends_on: self.reserved_in };
        }
        match PRODUCER_COUNTER_MAX - self.reserved_end {
            0 => Minted::Exhausted,
            left_count => Minted::NeedsReservation { up_to: self.reserved_end + left_count.min(PRODUCER_ID_CHUNK) },
        }
    }

    /// The counters below `up_to` are reserved by an entry that was enqueued in the journal block `sequence`.
    ///
    /// # Panics
    /// If nothing is reserved by that, or more than there is.
    pub fn reserved(&mut self, up_to: u64, sequence: Sequence) {
        assert!(up_to > self.reserved_end, "producer ids up to {up_to} are reserved already");
        assert!(up_to <= PRODUCER_COUNTER_MAX, "there are no producer ids up to {up_to}");
        assert!(sequence >= self.reserved_in, "reservations of producer ids go back in the journal");
        self.reserved_end = up_to;
        self.reserved_in = sequence;
    }

    /// Goes on behind `up_to`, the end of a reservation found in the journal or the manifest; never goes back.
    ///
    /// # Errors
    /// If there are not so many counters.
    pub fn restore(&mut self, up_to: u64) -> Result<(), MintError> {
        if up_to > PRODUCER_COUNTER_MAX {
            return Err(MintError::Reservation { up_to });
        }
        self.reserved_end = self.reserved_end.max(up_to);
        self.next_counter = self.reserved_end;
        Ok(())
    }

    /// So many reservations may be lost: goes on behind all that they can have reserved, as far as there are ids.
    pub fn skip(&mut self, reservation_count: u64) -> Result<(), MintError> {
        let more = reservation_count.saturating_mul(PRODUCER_ID_CHUNK);
        self.restore(self.reserved_end.saturating_add(more).min(PRODUCER_COUNTER_MAX))
    }

    /// One behind the last counter reserved.
    pub fn reserved_end(&self) -> u64 {
        self.reserved_end
    }

    /// Appends the end of the reservation, a little-endian `u64`.
    pub fn encode(&self, out: &mut impl BufMut) {
        out.put_u64_le(self.reserved_end);
    }

    /// Reads what [`ProducerIdMint::encode`] wrote, and goes on behind it.
    ///
    /// # Errors
    /// If the bytes are not that, or the shard is above [`PRODUCER_SHARD_MAX`].
    pub fn decode(shard: ShardId, buf: &mut impl Buf) -> Result<Self, MintError> {
        let mut mint = Self::new(shard)?;
        mint.restore(buf.try_get_u64_le()?)?;
        Ok(mint)
    }
}
