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
    /// Of these, bits that flipped.
    bit_flip_count,
    /// Of these, stretches of noise.
    noise_count,
    /// Of these, units that could not be read any more.
    unreadable_count,
    /// Of these, files that were cut off.
    truncated_count,
    /// Of these, files that were gone.
    deleted_count,
    /// Of these, pairs of files with each other's content.
    swapped_count,
    /// Copies of identities that were damaged.
    identity_damage_count,
    /// Formats that ended on the way.
    format_cut_count,
    /// Times that the wall clock jumped forwards.
    clock_forward_count,
    /// Times that it jumped back.
    clock_back_count,
    /// Times that the disk got nearly or quite full.
    disk_full_count,
    /// Messages between shards that were lost.
    message_lost_count,
    /// Messages between shards that came twice.
    message_twice_count,
    /// Requests that were wrong.
    wrong_count,
    /// Repairs of a damaged shard.
    repair_count,
    /// Stretches of offsets that repairs gave up.
    loss_count,
    /// Writes that the disk reported and did not do as it was told.
    silent_count,
    /// Worlds that ended early, because a disk broke what it is trusted with.
    over_count,
}
