//! A topic's description as journal and manifest keep it: name and placement. The id stands before it.
//!
//! | at | field |
//! | --- | --- |
//! | 0 | partition count u32, 1 to `TOPIC_PARTITION_COUNT_MAX` |
//! | 4 | name bytes u16, 1 to `TOPIC_NAME_BYTES_MAX` |
//! | 6 | zero u16 |
//! | 8 | the shard of each partition, u16 each, below `SHARD_COUNT_MAX` |
//! | 8 + 2 × partition count | the name |

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use bytes::{Buf, BufMut};
use thiserror::Error;

use crate::limits::{SHARD_COUNT_MAX, TOPIC_NAME_BYTES_MAX, TOPIC_PARTITION_COUNT_MAX};
use crate::model::{PartitionId, ShardId, TopicId};

const FIXED_BYTES: usize = 8;
const SHARD_BYTES: usize = 2;

const _: () = assert!(TOPIC_NAME_BYTES_MAX <= u16::MAX as usize);

/// A topic: its id, its name, and the shard that owns each partition. Always within the limits; cheap to clone, as
/// every shard holds every live topic.
#[derive(Clone, PartialEq, Eq)]
pub struct TopicDescriptor {
    id: TopicId,
    name: Arc<str>,
    placement: Arc<[ShardId]>,
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
    /// The bytes end before the description does.
    #[error("description is cut short")]
    Truncated,
    /// A reserved byte is not zero.
    #[error("reserved bytes of the description are not zero")]
    Reserved,
}

impl TopicDescriptor {
    /// A topic whose partition `i` is owned by `placement[i]`.
    pub fn new(id: TopicId, name: &str, placement: Vec<ShardId>) -> Result<Self, TopicError> {
        Self::check_name(name)?;
        check_partition_count(placement.len())?;
        let beyond = placement.iter().position(|shard| shard.0 >= SHARD_COUNT_MAX);
        match beyond {
            Some(partition) => Err(TopicError::Shard { partition, shard: placement[partition] }),
            None => Ok(Self { id, name: name.into(), placement: placement.into() }),
        }
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
        FIXED_BYTES + SHARD_BYTES * self.placement.len() + self.name.len()
    }

    /// Writes the description, without the id.
    pub fn put(&self, out: &mut impl BufMut) {
        out.put_u32_le(self.partition_count());
        out.put_u16_le(u16::try_from(self.name.len()).expect("checked when it was made"));
        out.put_u16_le(0);
        self.placement.iter().for_each(|shard| out.put_u16_le(shard.0));
        out.put_slice(self.name.as_bytes());
    }

    /// Reads the description of topic `id` from the front of `from`, which then starts behind it.
    pub fn get(id: TopicId, from: &mut &[u8]) -> Result<Self, TopicError> {
        let cut = |_| TopicError::Truncated;
        let partition_count = from.try_get_u32_le().map_err(cut)? as usize;
        let name_bytes = usize::from(from.try_get_u16_le().map_err(cut)?);
        if from.try_get_u16_le().map_err(cut)? != 0 {
            return Err(TopicError::Reserved);
        }
        check_partition_count(partition_count)?;
        let mut placement = Vec::with_capacity(partition_count);
        for _ in 0..partition_count {
            placement.push(ShardId(from.try_get_u16_le().map_err(cut)?));
        }
        let (name, rest) = from.split_at_checked(name_bytes).ok_or(TopicError::Truncated)?;
        check_name_bytes(name)?;
        let name = str::from_utf8(name).expect("an allowed name is ASCII");
        *from = rest;
        Self::new(id, name, placement)
    }
}

impl fmt::Debug for TopicDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shards = self.placement.iter().map(|shard| shard.0).collect::<Vec<_>>();
        write!(f, "TopicDescriptor({} {:?} on {shards:?})", self.id, self.name)
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
