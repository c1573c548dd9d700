//! Rare turns of the engine, counted where they are taken, so that whoever tests it can say which were reached.
//!
//! Counters belong to a thread and are never on the path of a capture that is stored, or of a fetch from memory.

use std::cell::Cell;

macro_rules! marks {
    ($($(#[doc = $what:literal])+ $name:ident,)+) => {
        /// A turn that is rarely taken.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Mark {
            $($(#[doc = $what])+ $name,)+
        }

        impl Mark {
            /// All of them.
            pub const ALL: [Self; [$(stringify!($name)),+].len()] = [$(Self::$name),+];

            /// What it is called.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }
        }
    };
}

marks! {
    /// A start cut torn remains of a last write.
    TailCut,
    /// A start found a block that something states to be durable gone.
    ConfirmedBlockLost,
    /// A start found damage behind what a superblock confirms.
    TailDamaged,
    /// A start found damage in what a superblock confirms.
    ConfirmedDamaged,
    /// A start found remains of an earlier epoch or lap behind the end.
    StaleRemains,
    /// One copy of the superblock was not usable.
    SuperblockCopyLost,
    /// One copy of the manifest was not usable.
    ManifestCopyLost,
    /// A start went on in the last file of a full ring, behind a cut.
    LastFileGoesOn,
    /// A ring file was taken into use again.
    RingFileReused,
    /// A capture found the journal full.
    JournalFull,
    /// A block states what is durable although nothing was captured.
    ConfirmationBlock,
    /// A shard failed after a write.
    ShardFailed,
    /// A write of segment files failed.
    SegmentWriteFailed,
    /// Segment files found no space.
    DiskFull,
    /// Segment files found space again.
    DiskFullOver,
    /// A manifest had no room for more runs.
    ManifestFull,
    /// What goes to rest was written in part, for lack of room in a manifest.
    PartialWrite,
    /// Runs were put together.
    RunsMerged,
    /// Runs were put together because a manifest had no room.
    RunsMergedForRoom,
    /// Runs stayed as they were, because some of them could not be read.
    MergeGivenUp,
    /// A segment file was removed.
    SegmentRemoved,
    /// A manifest was not written.
    ManifestWriteFailed,
    /// Records went for their age.
    CutByAge,
    /// Records went for their bytes.
    CutBySize,
    /// A batch of a transaction waited for a coordinator on another shard.
    CoordinatorAsked,
    /// A coordinator did not answer for so long that those who waited for it were told.
    CoordinatorSilent,
    /// A partition took the marker of a transaction that was committed.
    CommitMarker,
    /// A partition took the marker of a transaction that was aborted.
    AbortMarker,
    /// A transaction was aborted because its time was over.
    TransactionTimedOut,
    /// A transaction was aborted because another instance took its transactional id over.
    TransactionTakenOver,
    /// A transaction was ended a second time, in the same way.
    TransactionEndedAgain,
    /// A transactional id went on with another producer.
    EpochsUsedUp,
    /// A shard asked what became of an old transaction.
    TransactionInquiry,
    /// A transactional id was forgotten.
    TransactionalIdForgotten,
    /// A reader of what is committed had to look further to learn what was aborted.
    CommittedLookedFurther,
    /// A decision to let records go was taken back or changed.
    CutReconsidered,
    /// Memory let go of what is at rest.
    MemoryEvicted,
    /// A fetch was answered from a segment file.
    ColdRead,
    /// A segment file was read ahead of who reads on.
    ReadAhead,
    /// A read of a segment file found damage.
    ReadDamaged,
    /// A segment file could not be read.
    ReadFailed,
    /// The index of a segment file was made again from its extents.
    IndexRebuilt,
    /// A fetch waited for data and got some.
    PollWoken,
    /// A fetch waited for data and got none in its time.
    PollEnded,
    /// A fetch met offsets that an operator gave up.
    ReadLost,
    /// Somebody waited to hear what is known of keys.
    KeysWaited,
    /// Parts of key runs were read.
    KeysRead,
    /// A compressed batch was looked into for its keys.
    KeysDecompressed,
    /// A part of a key run was damaged.
    KeysDamaged,
    /// A batch was answered by its keys.
    KeysDuplicate,
    /// A batch was refused for what is known of its keys.
    KeysMixed,
    /// Key runs were put together.
    KeyRunsMerged,
    /// Key runs were not put together.
    KeyMergeFailed,
    /// All keys of a run had expired.
    KeyRunExpired,
    /// A stamped batch was there already.
    Duplicate,
    /// A stamped batch was refused for its sequence.
    SequenceRefused,
    /// A producer was forgotten after a long time.
    ProducerExpired,
    /// The wall clock jumped.
    ClockSuspended,
    /// An operator confirmed the wall clock.
    ClockConfirmed,
    /// A shard that closes had no time or room to take everything to rest.
    ClosedWithRest,
    /// A shard that closes left its ring empty.
    ClosedEmpty,
    /// A repair gave offsets up.
    RepairLost,
    /// A repair made a ring file anew.
    RepairRingFile,
}

/// How often each mark was hit, in the order of [`Mark::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkCounts([u64; Mark::ALL.len()]);

impl Default for MarkCounts {
    fn default() -> Self {
        Self([0; Mark::ALL.len()])
    }
}

impl MarkCounts {
    /// How often the mark was hit.
    pub fn of(&self, mark: Mark) -> u64 {
        self.0[mark as usize]
    }

    /// Both together.
    pub fn plus(&self, other: &Self) -> Self {
        let mut sum = *self;
        sum.0.iter_mut().zip(other.0).for_each(|(sum, count)| *sum += count);
        sum
    }
}

thread_local! {
    static COUNTS: [Cell<u64>; Mark::ALL.len()] = const { [const { Cell::new(0) }; Mark::ALL.len()] };
}

/// The turn was taken.
pub fn hit(mark: Mark) {
    COUNTS.with(|counts| {
        let count = &counts[mark as usize];
        count.set(count.get() + 1);
    });
}

/// What this thread has hit since it was asked last.
pub fn take() -> MarkCounts {
    COUNTS.with(|counts| MarkCounts(std::array::from_fn(|index| counts[index].take())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hit_is_counted_until_it_is_taken() {
        let _ = take();
        hit(Mark::TailCut);
        hit(Mark::TailCut);
        hit(Mark::RepairRingFile);
        let counts = take();
        assert_eq!((counts.of(Mark::TailCut), counts.of(Mark::RepairRingFile), counts.of(Mark::ColdRead)), (2, 1, 0));
        assert_eq!(counts.plus(&counts).of(Mark::TailCut), 4);
        assert_eq!(take(), MarkCounts::default());
    }

    #[test]
    fn every_mark_has_its_own_place_and_name() {
        for (index, mark) in Mark::ALL.into_iter().enumerate() {
            assert_eq!(mark as usize, index);
            assert_eq!(format!("{mark:?}"), mark.name());
        }
    }
}
