//! What was done in a world, or in many.

use std::fmt;

use florin_engine::marks::{Mark, MarkCounts};

use super::run::Outcome;
use crate::sim::disk::Counters;

macro_rules! summary {
    ($($(#[doc = $what:literal])+ $name:ident,)+) => {
        /// What one run did.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Summary {
            $($(#[doc = $what])+ pub $name: u64,)+
            /// The last step that was played.
            pub last_step: u32,
        }

        impl Summary {
            /// Both together.
            pub fn plus(&self, other: &Self) -> Self {
                Self {
                    $($name: self.$name + other.$name,)+
                    last_step: self.last_step.max(other.last_step),
                }
            }

            /// All counts by name.
            fn counts(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name)),+]
            }
        }
    };
}

summary! {
    /// Operations done.
    operation_count,
    /// Executor events.
    event_count,
    /// Ends by kill.
    kill_count,
    /// Ends by power loss.
    power_loss_count,
    /// Ends in order.
    restart_count,
    /// Captures acknowledged.
    acked_count,
    /// Captures answered as duplicates.
    duplicate_count,
    /// Captures whose outcome was unknown.
    unknown_count,
    /// Captures refused because the journal was full.
    full_count,
    /// Shards that stopped after a failed write.
    failed_count,
    /// Torn tails that were cut.
    cut_count,
    /// Checkpoints asked for and taken.
    checkpoint_count,
    /// Batches read back after a start.
    verified_count,
    /// Starts refused because of an injected fault.
    refused_start_count,
    /// Topics altered.
    altered_count,
    /// Times that retention was seen to have cut.
    cut_front_count,
    /// Times that something was damaged while the server was down.
    damage_count,
    /// Repairs of a damaged shard.
    repair_count,
    /// Stretches of offsets that repairs gave up.
    loss_count,
    /// Writes that the disk reported and did not do as it was told.
    silent_count,
    /// Worlds that ended early, because a disk broke what it is trusted with.
    over_count,
}

/// What many worlds did.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Worlds.
    pub world_count: u64,
    /// What was done in them.
    pub summary: Summary,
    /// What their disks did.
    pub disk: Counters,
    /// Which rare turns the engine took, and how often.
    pub marks: MarkCounts,
}

impl Totals {
    /// Those of one world.
    pub fn of(outcome: &Outcome) -> Self {
        Self { world_count: 1, summary: outcome.summary, disk: outcome.disk.clone(), marks: outcome.marks }
    }

    /// Both together.
    pub fn plus(&self, other: &Self) -> Self {
        let mut disk = self.disk.clone();
        disk.add(&other.disk);
        Self {
            world_count: self.world_count + other.world_count,
            summary: self.summary.plus(&other.summary),
            disk,
            marks: self.marks.plus(&other.marks),
        }
    }

    /// Marks that were hit in none of the worlds.
    pub fn missed(&self) -> Vec<&'static str> {
        Mark::ALL.into_iter().filter(|mark| self.marks.of(*mark) == 0).map(Mark::name).collect()
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |counts: Vec<(&str, u64)>| {
            counts.into_iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
        };
        writeln!(f, "done: {}", list(self.summary.counts()))?;
        writeln!(f, "disk: {}", list(self.disk.counts()))?;
        writeln!(f, "marks: {}", list(Mark::ALL.into_iter().map(|mark| (mark.name(), self.marks.of(mark))).collect()))
    }
}
