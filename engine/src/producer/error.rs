//! Why a producer's batch is refused, and what its client must do.

use thiserror::Error;

use crate::model::{Offset, ProducerEpoch, ProducerId, Sequence};

/// Why a stamped batch was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProducerError {
    /// The partition does not know the producer, and the batch is not its first.
    #[error(
        "producer {id} is not known here but sends sequence {base_sequence}: if its sequence 0 was never stored, \
         send that first; otherwise it was idle for too long and forgotten: ask for a new producer id, begin at \
         sequence 0, and send nothing again whose outcome is unknown"
    )]
    UnknownProducer {
        /// The producer.
        id: ProducerId,
        /// First sequence of the batch.
        base_sequence: u32,
    },
    /// The partition knows as many producers as it may.
    #[error(
        "producer {id} is new and the partition knows {count_max} producers already: use fewer producers, \
         or wait until idle ones are forgotten, and send again"
    )]
    TableFull {
        /// The producer.
        id: ProducerId,
        /// The limit.
        count_max: usize,
    },
    /// A later epoch of the same producer was here.
    #[error("producer {id} of epoch {got} is fenced by epoch {known}: another instance took over, stop sending")]
    Fenced {
        /// The producer.
        id: ProducerId,
        /// The latest epoch.
        known: ProducerEpoch,
        /// The batch's epoch.
        got: ProducerEpoch,
        /// The latest journal block with a batch of the producer.
        depends_on: Sequence,
    },
    /// Batches before this one are missing.
    #[error(
        "producer {id} sends sequence {got} but {expected} is next: nothing was stored, send the missing batches \
         first, in order"
    )]
    OutOfOrder {
        /// The producer.
        id: ProducerId,
        /// The sequence that is next.
        expected: u32,
        /// First sequence of the batch.
        got: u32,
        /// The latest journal block with a batch of the producer.
        depends_on: Sequence,
    },
    /// Some of the sequences are stored, but as another batch.
    #[error(
        "producer {id} sends sequences {base_sequence} to {last_sequence}, of which other content is stored as \
         {held_base_sequence} to {held_last_sequence} at offset {base_offset}: nothing was stored, a retry must \
         send the same bytes; correct the client"
    )]
    SequenceConflict {
        /// The producer.
        id: ProducerId,
        /// First sequence of the batch.
        base_sequence: u32,
        /// Last sequence of the batch.
        last_sequence: u32,
        /// First sequence of the stored batch.
        held_base_sequence: u32,
        /// Last sequence of the stored batch.
        held_last_sequence: u32,
        /// Offset of the stored batch's first record.
        base_offset: Offset,
        /// The journal block that holds the stored batch.
        depends_on: Sequence,
    },
    /// The sequences were stored so long ago that the receipt is gone.
    #[error(
        "producer {id} sends sequence {base_sequence} again, receipts are held from {oldest_sequence} on: it is \
         stored already, do not send it again; read the partition for its offset"
    )]
    DuplicateBeyondWindow {
        /// The producer.
        id: ProducerId,
        /// First sequence of the batch.
        base_sequence: u32,
        /// First sequence of the oldest batch with a receipt.
        oldest_sequence: u32,
        /// The latest journal block with a batch of the producer.
        depends_on: Sequence,
    },
}

impl ProducerError {
    /// The journal block that must be durable before this answer leaves, if it tells of anything stored: otherwise
    /// a power loss could take back what the client was told.
    pub fn depends_on(&self) -> Option<Sequence> {
        match *self {
            Self::UnknownProducer { .. } | Self::TableFull { .. } => None,
            Self::Fenced { depends_on, .. }
            | Self::OutOfOrder { depends_on, .. }
            | Self::SequenceConflict { depends_on, .. }
            | Self::DuplicateBeyondWindow { depends_on, .. } => Some(depends_on),
        }
    }
}
