//! Names and placement: which topics exist, and which shard owns each of their partitions.
//!
//! Shard 0 owns the table ([`OwnerState`]) as records in its journal, and drives every change over the owning
//! shards ([`Coordinator`]). Each shard keeps records of its own partitions ([`OwnedPartitions`]), so that it
//! recovers and serves alone, and a copy of the live topics in memory ([`TopicCopies`]).
//!
//! ```text
//! create:  shard 0 Creating ── Open ──▶ owners Opened ── Opened ──▶ shard 0 Live    ── Publish ──▶ copies
//! alter:   shard 0 Altering ── Open ──▶ owners Opened ── Opened ──▶ shard 0 Live    ── Publish ──▶ copies
//! delete:  shard 0 Deleting ── Close ─▶ owners Closed ── Closed ──▶ shard 0 Deleted   (Retract when Deleting)
//! ```
//!
//! Each arrow leaves only when the record before it is durable. Open and Close are repeated until answered, and
//! every step can be repeated without harm, so a lost or doubled message and a restart anywhere change nothing.
//!
//! **Late messages.** The catalogue *version* counts shard 0's records. Every message carries the durable version at
//! the time of sending, which never goes back, also not over a restart. An Open of a topic leaves shard 0 before
//! its Deleting record, a Close behind it, so any Open of a topic has a lower version than any Close of it. An
//! owner keeps one number, the highest version of a Close it has recorded, and refuses every Open below: a late Open
//! cannot bring a closed topic back, whatever was lost, doubled or reordered, and no closed id is remembered. An
//! Open of another topic that is refused by the same rule was overtaken, and comes again with a higher version.
//!
//! **Alterations.** A topic that is being altered is served under the description in force; the one that follows is
//! kept beside it until all owners have taken it over. Descriptions are numbered by their *revision*: an owner takes
//! over only the one behind its own, so a late Open brings no older one back, and names in its answer the one it has,
//! so that an answer about an older one does not count. An alteration always comes to its end: nothing takes it back.

use thiserror::Error;

use crate::model::TopicId;

mod coordinator;
mod copies;
mod message;
mod owned;
mod owner;
mod record;
mod section;

#[cfg(test)]
mod model_tests;

pub use crate::format::control::topic::{
    Setting, SettingOutOfBounds, TopicDescriptor, TopicError, TopicNameError, TopicSettings,
};
pub use coordinator::{COORDINATOR, CatalogueAction, Coordinator};
pub use copies::TopicCopies;
pub use message::{CatalogueMessage, CatalogueReply, CopyCursor};
pub use owned::{OwnedAction, OwnedPartitions, OwnedRefusal, OwnedState};
pub use owner::{AlterError, CatalogueTopic, CreateError, DeleteError, OwnerState, TopicChange, TopicState};
pub use record::{CatalogueRecord, OwnedRecord};
pub use section::SectionError;

/// A durable record that the state it is applied to rules out: the journal or manifest it comes from is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CatalogueError {
    /// The record cannot stand where it stands; the state is as it was before.
    #[error("impossible catalogue record of topic {topic}: {reason}")]
    ImpossibleRecord {
        /// The topic the record is about.
        topic: TopicId,
        /// What rules it out.
        reason: Impossible,
    },
}

/// What rules a catalogue record out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Impossible {
    /// Topic ids are minted one after the other.
    #[error("its id is not the next to be minted")]
    IdNotNext,
    /// Numbers end before this record.
    #[error("ids or versions are exhausted")]
    Exhausted,
    /// Another topic has the name.
    #[error("its name is taken")]
    NameTaken,
    /// There is no room for another topic.
    #[error("there are too many topics")]
    TooManyTopics,
    /// A partition is placed on a shard that this directory does not have.
    #[error("it is placed on a shard that does not exist")]
    ShardUnknown,
    /// Only a topic that is being created or altered becomes live.
    #[error("it is neither being created nor altered")]
    NotOpening,
    /// Only a live topic is altered or deleted, and only one at a time.
    #[error("it is not live")]
    NotLive,
    /// Descriptions follow each other by their revisions, and keep the name and the partitions that are there.
    #[error("its description does not follow the one before")]
    NotNext,
    /// Only a topic that is being deleted is gone.
    #[error("it is not being deleted")]
    NotDeleting,
    /// This shard did not open it, or closed it before.
    #[error("it is not open")]
    NotOpen,
    /// No partition of it is placed on this shard.
    #[error("this shard owns none of its partitions")]
    NotPlacedHere,
}
