//! A topic's description as journal and manifest keep it: name, placement, settings. The id stands before it.
//!
//! | at | field |
//! | --- | --- |
//! | 0 | partition count u32, 1 to `TOPIC_PARTITION_COUNT_MAX` |
//! | 4 | name bytes u16, 1 to `TOPIC_NAME_BYTES_MAX` |
//! | 6 | key rule bytes u16, 0: the topic has no idempotency keys |
//! | 8 | revision u32, from 1 on |
//! | 12 | record bytes max u32, see [`TopicSettings`] |
//! | 16 | segment bytes u64 |
//! | 24 | retention bytes u64, 0: everything is kept |
//! | 32 | retention ns u64, 0: everything is kept |
//! | 40 | the shard of each partition, u16 each, below `SHARD_COUNT_MAX` |
//! | 40 + 2 × partition count | the name, then the key rule, see [`KeyRule`] |

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use bytes::{Buf, BufMut};
use thiserror::Error;

use crate::limits::{SHARD_COUNT_MAX, TOPIC_NAME_BYTES_MAX, TOPIC_PARTITION_COUNT_MAX};
use crate::model::{PartitionId, ShardId, TopicId};

mod key_rule;
mod partitioner;
mod settings;
#[cfg(test)]
pub(in crate::format::control) mod tests;

pub use key_rule::{KeyRule, KeyRuleError, KeySource};
pub use partitioner::Partitioner;
pub use settings::{Setting, SettingOutOfBounds, TopicSettings};

const FIXED_BYTES: usize = 40;
const SHARD_BYTES: usize = 2;

const _: () = assert!(TOPIC_NAME_BYTES_MAX <= u16::MAX as usize);

/// The revision of a topic's first description.
pub const REVISION_FIRST: u32 = 1;

/// A topic: its id, its name, the shard that owns each partition, and its settings. Always within the limits; cheap to
/// clone, as every shard holds every live topic.
///
/// Id, name and the rule of idempotency keys never change. An alteration gives a description of the next revision, with other settings or further
/// partitions; partitions that are there stay where they are.
#[derive(Clone, PartialEq, Eq)]
pub struct TopicDescriptor {
    id: TopicId,
    name: Arc<str>,
    placement: Arc<[ShardId]>,
    revision: u32,
    settings: TopicSettings,
    keys: Option<Arc<KeyRule>>,
}

/// Why a text is not a topic's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TopicNameError {
    /// It has no characters.
    #[error("topic name is empty")]
    Empty,
    /// It is longer than [`TOPIC_NAME_BYTES_MAX`].
    #[error("topic name has {bytes} bytes, at most {TOPIC_NAME_BYTES_MAX} are allowed")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A character is not one of `a-z A-Z 0-9 . _ -`.
    #[error("topic name may hold only a-z, A-Z, 0-9, '.', '_' and '-'; byte {position} is something else")]
    Character {
        /// The first such byte, from 0.
        position: usize,
    },
    /// `.` and `..` mean something to file systems.
    #[error("topic name may not be '.' or '..'")]
    Dots,
}

/// Why a topic's description cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TopicError {
    /// Its name.
    #[error(transparent)]
    Name(#[from] TopicNameError),
    /// No partitions, or more than [`TOPIC_PARTITION_COUNT_MAX`].
    #[error("{partition_count} partitions, 1 to {TOPIC_PARTITION_COUNT_MAX} are allowed")]
    PartitionCount {
        /// The number found.
        partition_count: usize,
    },
    /// A partition is placed on a shard that no directory has.
    #[error("partition {partition} is placed on shard {shard}, shards end below {SHARD_COUNT_MAX}")]
    Shard {
        /// The partition's index.
        partition: usize,
        /// The shard found.
        shard: ShardId,
    },
    /// A setting.
    #[error(transparent)]
    Setting(#[from] SettingOutOfBounds),
    /// Revisions begin at [`REVISION_FIRST`].
    #[error("revision {revision} cannot be")]
    Revision {
        /// The number found.
        revision: u32,
    },
    /// The bytes end before the description does.
    #[error("description is cut short")]
    Truncated,
    /// The rule of its idempotency keys.
    #[error(transparent)]
    KeyRule(#[from] KeyRuleError),
    /// With more partitions a key would belong to another one.
    #[error("partitions cannot be added to a topic with idempotency keys: a retry would go to another one")]
    PartitionsFixed,
}

impl TopicDescriptor {
    /// The first description of a topic whose partition `i` is owned by `placement[i]`, with the settings that nobody
    /// chose.
    pub fn new(id: TopicId, name: &str, placement: Vec<ShardId>) -> Result<Self, TopicError> {
        Self::check_name(name)?;
        check_placement(&placement)?;
        let (revision, settings) = (REVISION_FIRST, TopicSettings::default());
        Ok(Self { id, name: name.into(), placement: placement.into(), revision, settings, keys: None })
    }

    /// The same description with this rule of idempotency keys.
    pub fn with_keys(self, keys: KeyRule) -> Self {
        Self { keys: Some(Arc::new(keys)), ..self }
    }

    /// The same description with these settings.
    pub fn with_settings(self, settings: TopicSettings) -> Result<Self, TopicError> {
        settings.check()?;
        Ok(Self { settings, ..self })
    }

    /// The description that follows this one, with these settings and with `added` behind the partitions that are
    /// there. None if there are no more revisions.
    pub fn altered(&self, settings: TopicSettings, added: &[ShardId]) -> Result<Option<Self>, TopicError> {
        settings.check()?;
        if self.keys.is_some() && !added.is_empty() {
            return Err(TopicError::PartitionsFixed);
        }
        let Some(revision) = self.revision.checked_add(1) else { return Ok(None) };
        let placement =
            if added.is_empty() { self.placement.clone() } else { [&self.placement[..], added].concat().into() };
        check_placement(&placement)?;
        Ok(Some(Self { placement, revision, settings, ..self.clone() }))
    }

    /// Whether this is a description that an alteration of `before` can have given.
    pub fn follows(&self, before: &Self) -> bool {
        self.id == before.id
            && self.name == before.name
            && Some(self.revision) == before.revision.checked_add(1)
            && self.keeps_partitions_of(before)
    }

    /// Whether alterations can have made this of `before`. Settings are not looked at: when blocks are lost, two shards may
    /// know different ones by the same revision.
    pub fn is_made_of(&self, before: &Self) -> bool {
        self.id == before.id
            && self.name == before.name
            && self.revision >= before.revision
            && self.keeps_partitions_of(before)
    }

    fn keeps_partitions_of(&self, before: &Self) -> bool {
        let are_fixed = self.keys.is_some() && self.placement.len() != before.placement.len();
        self.keys == before.keys && self.placement.starts_with(&before.placement) && !are_fixed
    }

    /// Whether a topic can have this name.
    pub fn check_name(name: &str) -> Result<(), TopicNameError> {
        check_name_bytes(name.as_bytes())
    }

    /// The topic's id.
    pub fn id(&self) -> TopicId {
        self.id
    }

    /// The topic's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name, to be held on to.
    pub fn name_shared(&self) -> Arc<str> {
        self.name.clone()
    }

    /// How often the topic was altered, counted from [`REVISION_FIRST`] on.
    pub fn revision(&self) -> u32 {
        self.revision
    }

    /// What was chosen for the topic.
    pub fn settings(&self) -> &TopicSettings {
        &self.settings
    }

    /// What makes two payments of the topic the same one, if it has idempotency keys.
    pub fn keys(&self) -> Option<&KeyRule> {
        self.keys.as_deref()
    }

    /// The same, to be held on to.
    pub fn keys_shared(&self) -> Option<Arc<KeyRule>> {
        self.keys.clone()
    }

    /// The shard of each partition, in the order of their indices.
    pub fn placement(&self) -> &[ShardId] {
        &self.placement
    }

    /// How many partitions the topic has: 1 to [`TOPIC_PARTITION_COUNT_MAX`].
    pub fn partition_count(&self) -> u32 {
        u32::try_from(self.placement.len()).expect("checked when it was made")
    }

    /// The shard that owns the partition, if the topic has it.
    pub fn shard_of(&self, index: u32) -> Option<ShardId> {
        usize::try_from(index).ok().and_then(|index| self.placement.get(index)).copied()
    }

    /// The shards that own at least one partition. Never empty.
    pub fn owners(&self) -> BTreeSet<ShardId> {
        self.placement.iter().copied().collect()
    }

    /// The partitions that `shard` owns, in the order of their indices.
    pub fn partitions_on(&self, shard: ShardId) -> impl Iterator<Item = PartitionId> + '_ {
        let topic = self.id;
        let indexed = (0u32..).zip(self.placement.iter());
        indexed.filter(move |(_, owner)| **owner == shard).map(move |(index, _)| PartitionId { topic, index })
    }

    /// Length of what [`TopicDescriptor::put`] writes.
    pub fn encoded_bytes(&self) -> usize {
        let keys_bytes = self.keys().map_or(0, KeyRule::encoded_bytes);
        FIXED_BYTES + SHARD_BYTES * self.placement.len() + self.name.len() + keys_bytes
    }

    /// Writes the description, without the id.
    pub fn put(&self, out: &mut impl BufMut) {
        out.put_u32_le(self.partition_count());
        out.put_u16_le(u16::try_from(self.name.len()).expect("checked when it was made"));
        let keys_bytes = self.keys().map_or(0, KeyRule::encoded_bytes);
        out.put_u16_le(u16::try_from(keys_bytes).expect("a rule is bounded"));
        out.put_u32_le(self.revision);
        out.put_u32_le(self.settings.record_bytes_max);
        out.put_u64_le(self.settings.segment_bytes);
        out.put_u64_le(self.settings.retention_bytes.unwrap_or(0));
        out.put_u64_le(self.settings.retention_ns.unwrap_or(0));
        self.placement.iter().for_each(|shard| out.put_u16_le(shard.0));
        out.put_slice(self.name.as_bytes());
        if let Some(keys) = &self.keys {
            keys.put(out);
        }
    }

    /// Reads the description of topic `id` from the front of `from`, which then starts behind it.
    pub fn get(id: TopicId, from: &mut &[u8]) -> Result<Self, TopicError> {
        let cut = |_| TopicError::Truncated;
        let partition_count = from.try_get_u32_le().map_err(cut)? as usize;
        let name_bytes = usize::from(from.try_get_u16_le().map_err(cut)?);
        let keys_bytes = usize::from(from.try_get_u16_le().map_err(cut)?);
        let revision = from.try_get_u32_le().map_err(cut)?;
        let record_bytes_max = from.try_get_u32_le().map_err(cut)?;
        let segment_bytes = from.try_get_u64_le().map_err(cut)?;
        let kept = |number: u64| (number != 0).then_some(number);
        let retention_bytes = kept(from.try_get_u64_le().map_err(cut)?);
        let retention_ns = kept(from.try_get_u64_le().map_err(cut)?);
        if revision < REVISION_FIRST {
            return Err(TopicError::Revision { revision });
        }
        check_partition_count(partition_count)?;
        let mut placement = Vec::with_capacity(partition_count);
        for _ in 0..partition_count {
            placement.push(ShardId(from.try_get_u16_le().map_err(cut)?));
        }
        let (name, rest) = from.split_at_checked(name_bytes).ok_or(TopicError::Truncated)?;
        check_name_bytes(name)?;
        let name = str::from_utf8(name).expect("an allowed name is ASCII");
        let (keys, rest) = rest.split_at_checked(keys_bytes).ok_or(TopicError::Truncated)?;
        let keys = (!keys.is_empty()).then(|| KeyRule::get(keys).map(Arc::new)).transpose()?;
        *from = rest;
        let settings = TopicSettings { retention_bytes, retention_ns, segment_bytes, record_bytes_max };
        Ok(Self { revision, keys, ..Self::new(id, name, placement)?.with_settings(settings)? })
    }
}

impl fmt::Debug for TopicDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shards = self.placement.iter().map(|shard| shard.0).collect::<Vec<_>>();
        write!(f, "TopicDescriptor({} {:?} revision {} on {shards:?}, ", self.id, self.name, self.revision)?;
        if let Some(keys) = &self.keys {
            write!(f, "{keys:?}, ")?;
        }
        write!(f, "{:?})", self.settings)
    }
}

fn check_placement(placement: &[ShardId]) -> Result<(), TopicError> {
    check_partition_count(placement.len())?;
    match placement.iter().position(|shard| shard.0 >= SHARD_COUNT_MAX) {
        Some(partition) => Err(TopicError::Shard { partition, shard: placement[partition] }),
        None => Ok(()),
    }
}

fn check_partition_count(partition_count: usize) -> Result<(), TopicError> {
    if (1..=TOPIC_PARTITION_COUNT_MAX as usize).contains(&partition_count) {
        Ok(())
    } else {
        Err(TopicError::PartitionCount { partition_count })
    }
}

fn check_name_bytes(name: &[u8]) -> Result<(), TopicNameError> {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if name.is_empty() {
        Err(TopicNameError::Empty)
    } else if name.len() > TOPIC_NAME_BYTES_MAX {
        Err(TopicNameError::TooLong { bytes: name.len() })
    } else if let Some(position) = name.iter().position(|byte| !allowed(byte)) {
        Err(TopicNameError::Character { position })
    } else if name == b"." || name == b".." {
        Err(TopicNameError::Dots)
    } else {
        Ok(())
    }
}
