//! What was done in a world.

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
            pub fn counts(&self) -> Vec<(&'static str, u64)> {
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
