//! What an operator should hear of although the shard goes on.

use crate::io::DiskError;
use crate::model::{Offset, PartitionId, Position, Realtime, SegmentId};

/// Something that happened, or began, or is over. Told once each time, through
/// [`Outlet::report`](super::driver::Outlet::report).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// Segment files find no space: nothing is taken to rest, and captures go on until the journal is full.
    DiskFull(DiskError),
    /// They find space again, or need none any more.
    DiskFullOver,
    /// Runs and segment files fill their part of the manifest: nothing is taken to rest until some go, and captures go
    /// on until the journal is full.
    ManifestFull {
        /// Runs that there are.
        run_count: usize,
        /// Runs that would have been added, and have no room.
        wanted_run_count: usize,
        /// Bytes of a manifest that they and their files may take.
        bytes_max: u64,
    },
    /// There is room again, or none is needed any more.
    ManifestFullOver,
    /// A segment file could not be written for another reason than space. Its batches are still in the journal and in
    /// memory, and go into another file; the second failure in a row stops the shard.
    SegmentWriteFailed(DiskError),
    /// A checkpoint did not come about; unless nothing can help, it is tried again.
    CheckpointFailed(String),
    /// Batches in a segment file are damaged. Whoever asks for them is refused.
    Damaged {
        /// Of which partition.
        partition: PartitionId,
        /// In which file.
        segment: SegmentId,
        /// The first damaged offset.
        from: Offset,
        /// The first one behind the last damaged one that this read found.
        to: Offset,
        /// Damaged stretches between them.
        count: usize,
        /// What is wrong with the first.
        why: String,
    },
    /// A segment file could not be opened to be read.
    ReadFailed {
        /// For which partition.
        partition: PartitionId,
        /// Which file.
        segment: SegmentId,
        /// What the disk said.
        error: DiskError,
    },
    /// The wall clock jumped, or is far from what was written down: nothing expires and nothing is cut until it is
    /// confirmed.
    ClockJumped {
        /// What it shows.
        realtime: Realtime,
    },
    /// A part of a key run is damaged or cannot be read: where another one does not say the same, captures whose keys may be
    /// in it are refused.
    KeysDamaged {
        /// Of which partition.
        partition: PartitionId,
        /// In which file.
        segment: SegmentId,
        /// Where in it.
        position: Position,
        /// What is wrong with it.
        what: String,
    },
    /// Key runs of a partition were not put together; unless one is damaged, it is tried again.
    KeyMergeFailed {
        /// Of which partition.
        partition: PartitionId,
        /// Why.
        why: String,
    },
    /// Small runs of a partition are not put together any more until a restart: one of them could not be read in full.
    MergeGivenUp(PartitionId),
}
