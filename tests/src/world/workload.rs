//! What a world does, a file for each operation.

pub(super) mod alter_topic;
mod cancel;
mod capture;
mod checkpoint;
mod clock_jump;
mod confirm_clock;
mod conflict;
mod create_topic;
mod damage;
mod delete_topic;
mod describe;
mod disk_fault;
mod disk_space;
mod fetch;
mod fetch_by_time;
mod gap;
mod identity;
mod init_producer;
mod kill;
mod list_offset;
mod metadata;
mod misroute;
mod power_loss;
mod produce;
mod restart;
mod retry;
mod silent_fault;
mod stale_epoch;
mod wait;
mod wrong_request;

use super::checkers::Checked;
use super::run::World;

/// Something a world does at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// A producer without identity sends a new batch.
    Capture,
    /// An idempotent producer sends its next batch, or what is not settled yet.
    Produce,
    /// An idempotent producer sends a batch again that was sent before.
    Retry,
    /// Another batch under a sequence that is taken.
    Conflict,
    /// A batch behind a gap in the sequence.
    Gap,
    /// A batch of an older epoch.
    StaleEpoch,
    /// A producer asks for an identity.
    InitProducer,
    /// Read from some offset.
    Fetch,
    /// Read from some time.
    FetchByTime,
    /// Do not wait for data any more.
    Cancel,
    /// Ask where a partition begins, ends, or was at some time.
    ListOffset,
    /// Ask how partitions are doing.
    Describe,
    /// Send a batch to a shard that does not have the partition.
    Misroute,
    /// Ask for what must be refused.
    WrongRequest,
    /// Create a topic.
    CreateTopic,
    /// Delete a topic.
    DeleteTopic,
    /// Add partitions to a topic, or change its settings.
    AlterTopic,
    /// Ask for the topics.
    Metadata,
    /// Ask for a checkpoint.
    Checkpoint,
    /// Confirm the clock.
    ConfirmClock,
    /// Let time pass.
    Wait,
    /// Make the next disk operation of some kind fail, or take long.
    DiskFault,
    /// The disk gets full, or there is room again.
    DiskSpace,
    /// The disk reports a write that it loses or puts elsewhere, and an operator accepts what is lost.
    SilentFault,
    /// A file is damaged while the server is down, and an operator accepts what is lost.
    Damage,
    /// Copies of the directory's identity are damaged while the server is down.
    IdentityDamage,
    /// The wall clock jumps.
    ClockJump,
    /// Close in order and start again.
    Restart,
    /// End the process at this instant.
    Kill,
    /// Cut the power at this instant.
    PowerLoss,
}

impl Operation {
    /// All of them, with how often each is drawn when it is not left out.
    pub const WEIGHTS: [(Self, u32); 30] = [
        (Self::Capture, 180),
        (Self::Produce, 260),
        (Self::Retry, 120),
        (Self::Conflict, 20),
        (Self::Gap, 10),
        (Self::StaleEpoch, 10),
        (Self::InitProducer, 15),
        (Self::Fetch, 110),
        (Self::FetchByTime, 30),
        (Self::Cancel, 10),
        (Self::ListOffset, 50),
        (Self::Describe, 10),
        (Self::Misroute, 6),
        (Self::WrongRequest, 15),
        (Self::CreateTopic, 14),
        (Self::DeleteTopic, 7),
        (Self::AlterTopic, 12),
        (Self::Metadata, 12),
        (Self::Checkpoint, 16),
        (Self::ConfirmClock, 4),
        (Self::Wait, 60),
        (Self::DiskFault, 6),
        (Self::DiskSpace, 5),
        (Self::SilentFault, 2),
        (Self::Damage, 3),
        (Self::IdentityDamage, 1),
        (Self::ClockJump, 3),
        (Self::Restart, 4),
        (Self::Kill, 5),
        (Self::PowerLoss, 6),
    ];

    /// Whether a world may do without it: the main line and the crashes always happen.
    pub fn may_be_left_out(self) -> bool {
        !matches!(self, Self::Capture | Self::Produce | Self::PowerLoss | Self::Kill | Self::CreateTopic)
    }

    /// Does it.
    pub(super) fn play(self, world: &mut World) -> Checked {
        match self {
            Self::Capture => capture::play(world),
            Self::Produce => produce::play(world),
            Self::Retry => retry::play(world),
            Self::Conflict => conflict::play(world),
            Self::Gap => gap::play(world),
            Self::StaleEpoch => stale_epoch::play(world),
            Self::InitProducer => init_producer::play(world),
            Self::Fetch => fetch::play(world),
            Self::FetchByTime => fetch_by_time::play(world),
            Self::Cancel => cancel::play(world),
            Self::ListOffset => list_offset::play(world),
            Self::Describe => return describe::play(world),
            Self::Misroute => misroute::play(world),
            Self::WrongRequest => wrong_request::play(world),
            Self::CreateTopic => create_topic::play(world),
            Self::DeleteTopic => delete_topic::play(world),
            Self::AlterTopic => alter_topic::play(world),
            Self::Metadata => metadata::play(world),
            Self::Checkpoint => checkpoint::play(world),
            Self::ConfirmClock => confirm_clock::play(world),
            Self::Wait => wait::play(world),
            Self::DiskFault => disk_fault::play(world),
            Self::DiskSpace => disk_space::play(world),
            Self::SilentFault => return silent_fault::play(world),
            Self::Damage => return damage::play(world),
            Self::IdentityDamage => return identity::play(world),
            Self::ClockJump => clock_jump::play(world),
            Self::Restart => return restart::play(world),
            Self::Kill => return kill::play(world),
            Self::PowerLoss => return power_loss::play(world),
        }
        Ok(())
    }

    /// Whether the server ends with it, and another one is started.
    pub(super) fn ends_server(self) -> bool {
        matches!(
            self,
            Self::Kill | Self::PowerLoss | Self::Restart | Self::Damage | Self::IdentityDamage | Self::SilentFault
        )
    }
}
