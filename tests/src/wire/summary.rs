//! What one run did, and what went wrong in it, by kind.

/// Declares the counts once, with their sum.
macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What one run did.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Summary {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Summary {
            /// Both together.
            pub fn plus(&self, other: &Self) -> Self {
                Self { $($name: self.$name + other.$name,)* }
            }

            /// All counts by name.
            pub fn counts(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name)),*]
            }
        }
    };
}

counts! {
    /// Requests that well-meaning clients sent.
    operation_count,
    /// Executor events.
    event_count,
    /// Ends by kill.
    kill_count,
    /// Ends by power loss.
    power_loss_count,
    /// Ends in order.
    stop_count,
    /// Ends that came while the server started.
    early_end_count,
    /// Captures acknowledged.
    acked_count,
    /// Captures answered as duplicates.
    duplicate_count,
    /// Captures whose answer never came or was unknown.
    unknown_count,
    /// Batches sent again by idempotent producers.
    retry_count,
    /// Requests refused.
    refused_count,
    /// Batches that fetches brought.
    shown_count,
    /// Batches read back at the end.
    verified_count,
    /// Records that the library's producers had an outcome for.
    library_outcome_count,
    /// Batches that the library's consumers handed out.
    library_consumed_count,
    /// Payments that were told to be stored.
    paid_count,
    /// Of these, payments that were stored before.
    known_payment_count,
    /// Payments that were refused because another one has their key.
    conflict_count,
    /// Payments read back at the end.
    read_payment_count,
    /// Moves begun as transactions or with one request.
    move_count,
    /// Transactional ids taken.
    opened_id_count,
    /// Transactions told to be committed.
    committed_move_count,
    /// Transactions told to be aborted.
    aborted_move_count,
    /// Transactions whose id another one had taken.
    fenced_move_count,
    /// Moves stored with one request on one shard.
    together_count,
    /// Ends asked for again long after.
    late_end_count,
    /// Records that watchers were handed.
    watched_count,
    /// Records of moves that counted in the end.
    read_move_count,
    /// Connections that well-meaning clients lost.
    lost_count,
    /// Disk faults injected.
    disk_fault_count,
    /// Shards that stopped after a failed write.
    failed_count,
    /// Connections of hostile clients.
    hostile_count,
    /// Of these, streams that are no frames, or are too large.
    garbage_count,
    /// Of these, frames that never became whole.
    half_frame_count,
    /// Of these, clients that asked and never read.
    deaf_count,
    /// Of these, connections that were made and given up at once.
    storm_count,
    /// Of these, right frames with wrong content.
    wrong_count,
    /// Connections of the network.
    connection_count,
    /// Connections refused.
    connect_refused_count,
    /// Accepts that failed.
    accept_failed_count,
    /// Reads and writes that took only a part.
    part_count,
    /// Segments that were very late.
    stall_count,
    /// Connections that broke.
    reset_count,
    /// Connections that ended in order on the way.
    end_count,
    /// Connections that fell silent.
    silence_count,
    /// Writes that found the window full.
    full_count,
    /// Times that the server did not read from a connection for it held too much.
    paused_count,
    /// Requests that went from one executor to another.
    forwarded_count,
    /// Connections that the server closed for taking too long.
    timed_out_count,
    /// Connections that were told that there are too many.
    turned_away_count,
}
