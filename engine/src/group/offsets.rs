//! The offsets of the consumer groups of one shard.
//!
//! Pure state, changed by [`OffsetRecord`]s on the live path as in replay. What a transaction commits is kept apart until it
//! ends; who asks meanwhile for the offsets that it would change is told to ask again.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Buf, BufMut};

use crate::format::control::transaction::{RecordFault, get_group, get_key, put_key, put_name};
use crate::format::control::{GroupOffset, OffsetRecord, Partitioner};
use crate::limits::PARTITION_TRANSACTIONS_MAX;
use crate::model::{GroupId, Offset, PartitionId, Realtime, ShardId, TransactionKey, TransactionOutcome};

/// Bytes of a group in a manifest beside its name and its offsets.
const GROUP_BYTES: usize = 10;
/// Bytes of a transaction's offsets beside them.
const PENDING_BYTES: usize = 22;
/// Bytes of an offset beside what [`GroupOffset::put`] writes.
const TIME_BYTES: usize = 8;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Committed {
    offset: Offset,
    metadata: Box<str>,
    time: Realtime,
}

/// What a transaction that is open has committed of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Pending {
    since: Realtime,
    offsets: BTreeMap<PartitionId, (Offset, Box<str>)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Group {
    offsets: BTreeMap<PartitionId, Committed>,
    pending: BTreeMap<TransactionKey, Pending>,
    /// Bytes of both in a manifest.
    bytes: usize,
}

impl Group {
    fn commit(&mut self, of: GroupOffset, time: Realtime) {
        let bytes = TIME_BYTES + of.encoded_bytes();
        let GroupOffset { partition, offset, metadata } = of;
        let before = self.offsets.insert(partition, Committed { offset, metadata, time });
        self.bytes += bytes;
        self.bytes -= before.map_or(0, |before| TIME_BYTES + offset_bytes(&before.metadata));
    }

    /// Bytes of what is committed of a partition.
    fn bytes_of(&self, partition: PartitionId) -> usize {
        self.offsets.get(&partition).map_or(0, |committed| TIME_BYTES + offset_bytes(&committed.metadata))
    }

    /// Keeps what a transaction commits until it ends.
    fn hold(&mut self, transaction: TransactionKey, offsets: &[GroupOffset], time: Realtime) {
        let pending = self.pending.entry(transaction).or_insert_with(|| {
            self.bytes += PENDING_BYTES;
            Pending { since: time, offsets: BTreeMap::new() }
        });
        for of in offsets {
            let before = pending.offsets.insert(of.partition, (of.offset, of.metadata.clone()));
            self.bytes += of.encoded_bytes();
            self.bytes -= before.map_or(0, |(_, metadata)| offset_bytes(&metadata));
        }
    }

    fn end(&mut self, transaction: TransactionKey, outcome: TransactionOutcome, time: Realtime) {
        let Some(pending) = self.pending.remove(&transaction) else { return };
        self.bytes -= PENDING_BYTES;
        for (partition, (offset, metadata)) in pending.offsets {
            self.bytes -= offset_bytes(&metadata);
            if outcome == TransactionOutcome::Committed {
                self.commit(GroupOffset { partition, offset, metadata }, time);
            }
        }
    }
}

/// Bytes of an offset with this metadata.
fn offset_bytes(metadata: &str) -> usize {
    22 + metadata.len()
}

fn group_bytes(name: &GroupId, group: &Group) -> usize {
    GROUP_BYTES + name.as_str().len() + group.bytes
}

fn narrow(count: usize) -> u32 {
    u32::try_from(count).expect("bounded by the manifest")
}

/// Why offsets are not taken or given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetsRefusal {
    /// There is no room for more groups, offsets or transactions.
    NoRoom,
    /// A transaction would change them and is not decided.
    Undecided(TransactionKey),
}

/// A record that cannot follow what is known. The bytes were checksummed before: it is damage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a record of offsets cannot follow those before it: {0:?}")]
pub struct ImpossibleOffsets(pub OffsetRecord);

/// The groups of one shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupOffsets {
    groups: BTreeMap<GroupId, Group>,
    encoded_bytes: usize,
}

impl GroupOffsets {
    /// The shard that keeps a group's offsets, in a directory of so many shards, which never changes.
    pub fn shard_of(group: &GroupId, shard_count: u16) -> ShardId {
        let shard = Partitioner::Murmur2.partition_of(group.as_str().as_bytes(), u32::from(shard_count));
        ShardId(u16::try_from(shard).expect("below the number of shards"))
    }

    /// Bytes that they take in a manifest, at most.
    pub fn encoded_bytes(&self) -> usize {
        self.encoded_bytes
    }

    /// Groups known.
    pub fn group_count(&self) -> usize {
        self.groups.len()
    }

    /// Whether this transaction has committed offsets of the group and is open.
    pub fn is_open(&self, group: &GroupId, transaction: TransactionKey) -> bool {
        self.groups.get(group).is_some_and(|group| group.pending.contains_key(&transaction))
    }

    /// All transactions that are open in groups, and since when.
    pub fn open(&self) -> impl Iterator<Item = (&GroupId, TransactionKey, Realtime)> {
        let of_group = |(id, group)| {
            let group: &Group = group;
            group.pending.iter().map(move |(key, pending)| (id, *key, pending.since))
        };
        self.groups.iter().flat_map(of_group)
    }

    /// Whether there is room in `bytes_max` for these offsets.
    ///
    /// # Errors
    /// If there is not.
    pub fn check_room(
        &self,
        group: &GroupId,
        transaction: Option<TransactionKey>,
        offsets: &[GroupOffset],
        bytes_max: usize,
    ) -> Result<(), OffsetsRefusal> {
        let known = self.groups.get(group);
        let new: usize = offsets.iter().map(|offset| TIME_BYTES + offset.encoded_bytes()).sum();
        // A transaction's offsets stand beside those that they replace until it ends.
        let replaced: usize = match (transaction, known) {
            (None, Some(known)) => {
                // One that comes twice replaces what was there once.
                let partitions: BTreeSet<PartitionId> = offsets.iter().map(|offset| offset.partition).collect();
                partitions.into_iter().map(|partition| known.bytes_of(partition)).sum()
            }
            _ => 0,
        };
        let of_group = if known.is_some() { 0 } else { GROUP_BYTES + group.as_str().len() };
        let of_transaction = if transaction.is_some() { PENDING_BYTES } else { 0 };
        let more = (of_group + of_transaction + new).saturating_sub(replaced);
        let pending_count = known.map_or(0, |group| group.pending.len());
        let is_one_more = transaction.is_some_and(|transaction| !self.is_open(group, transaction));
        let fits = more == 0 || self.encoded_bytes + more <= bytes_max;
        let is_full = is_one_more && pending_count >= PARTITION_TRANSACTIONS_MAX;
        if fits && !is_full { Ok(()) } else { Err(OffsetsRefusal::NoRoom) }
    }

    /// The offsets of a group behind `after`, up to `count_max`, in the order of partitions, and when each was committed.
    /// `None`: the group is not known.
    ///
    /// # Errors
    /// If a transaction would change one of them and is not decided.
    pub fn offsets(
        &self,
        group: &GroupId,
        after: Option<PartitionId>,
        count_max: usize,
    ) -> Result<Option<Vec<(GroupOffset, Realtime)>>, OffsetsRefusal> {
        let Some(group) = self.groups.get(group) else { return Ok(None) };
        if let Some((transaction, _)) = group.pending.first_key_value() {
            return Err(OffsetsRefusal::Undecided(*transaction));
        }
        let later = group.offsets.iter().filter(|(partition, _)| after.is_none_or(|after| **partition > after));
        let given = later.take(count_max).map(|(partition, committed)| {
            let Committed { offset, metadata, time } = committed;
            (GroupOffset { partition: *partition, offset: *offset, metadata: metadata.clone() }, *time)
        });
        Ok(Some(given.collect()))
    }

    /// The groups, in the order of their names, behind `after`.
    pub fn groups<'a>(&'a self, after: Option<&'a GroupId>) -> impl Iterator<Item = &'a GroupId> {
        self.groups.keys().filter(move |name| after.is_none_or(|after| *name > after))
    }

    /// Whether the group is known, and whether a transaction with its offsets is open.
    pub fn standing(&self, group: &GroupId) -> Option<bool> {
        self.groups.get(group).map(|group| !group.pending.is_empty())
    }

    /// Takes a record that was planned, or that a replay found.
    ///
    /// # Errors
    /// If it cannot follow what is known. Nothing was changed.
    pub fn apply(&mut self, record: &OffsetRecord) -> Result<(), ImpossibleOffsets> {
        let (OffsetRecord::Committed { group, .. }
        | OffsetRecord::Ended { group, .. }
        | OffsetRecord::Forgotten { group }) = record;
        let before = self.groups.get(group).map_or(0, |state| group_bytes(group, state));
        match record {
            OffsetRecord::Committed { group, transaction, offsets, time } => {
                let state = self.groups.entry(group.clone()).or_default();
                match transaction {
                    None => offsets.iter().for_each(|offset| state.commit(offset.clone(), *time)),
                    Some(transaction) => state.hold(*transaction, offsets, *time),
                }
            }
            OffsetRecord::Ended { group, transaction, outcome, time } => {
                let state = self.groups.get_mut(group).filter(|state| state.pending.contains_key(transaction));
                let Some(state) = state else { return Err(ImpossibleOffsets(record.clone())) };
                state.end(*transaction, *outcome, *time);
                if state.offsets.is_empty() && state.pending.is_empty() {
                    self.groups.remove(group);
                }
            }
            OffsetRecord::Forgotten { group } => {
                if self.standing(group) != Some(false) {
                    return Err(ImpossibleOffsets(record.clone()));
                }
                self.groups.remove(group);
            }
        }
        let after = self.groups.get(group).map_or(0, |state| group_bytes(group, state));
        self.encoded_bytes = self.encoded_bytes - before + after;
        Ok(())
    }

    /// Appends them, little-endian: count u32 of groups, and for each its name, count u32 of offsets, these with the time
    /// u64 when each was committed, count u32 of transactions, and for each producer u64, epoch u16, since when u64, count
    /// u32 of offsets, these.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_u32_le(narrow(self.groups.len()));
        for (name, group) in &self.groups {
            put_name(name.as_str(), out);
            out.put_u32_le(narrow(group.offsets.len()));
            for (partition, Committed { offset, metadata, time }) in &group.offsets {
                GroupOffset { partition: *partition, offset: *offset, metadata: metadata.clone() }.put(out);
                out.put_u64_le(time.0);
            }
            out.put_u32_le(narrow(group.pending.len()));
            for (transaction, pending) in &group.pending {
                put_key(*transaction, out);
                out.put_u64_le(pending.since.0);
                out.put_u32_le(narrow(pending.offsets.len()));
                for (partition, (offset, metadata)) in &pending.offsets {
                    GroupOffset { partition: *partition, offset: *offset, metadata: metadata.clone() }.put(out);
                }
            }
        }
    }

    /// Reads what [`GroupOffsets::encode`] wrote, all of `bytes`.
    ///
    /// # Errors
    /// If it wrote something else.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordFault> {
        let mut rest = bytes;
        let buf = &mut rest;
        let mut found = Self::default();
        for _ in 0..buf.try_get_u32_le()? {
            let name = get_group(buf)?;
            let mut group = Group::default();
            for _ in 0..buf.try_get_u32_le()? {
                let offset = GroupOffset::get(buf)?;
                group.commit(offset, Realtime(buf.try_get_u64_le()?));
            }
            for _ in 0..buf.try_get_u32_le()? {
                let (transaction, since) = (get_key(buf)?, Realtime(buf.try_get_u64_le()?));
                let count = buf.try_get_u32_le()?;
                let offsets = (0..count).map(|_| GroupOffset::get(buf)).collect::<Result<Vec<_>, _>>()?;
                group.hold(transaction, &offsets, since);
            }
            if found.groups.last_key_value().is_some_and(|(last, _)| *last >= name) {
                return Err(RecordFault::Impossible("order of groups"));
            }
            found.encoded_bytes += group_bytes(&name, &group);
            found.groups.insert(name, group);
        }
        if !rest.is_empty() {
            return Err(RecordFault::Longer);
        }
        let mut again = Vec::with_capacity(bytes.len());
        found.encode(&mut again);
        if again == bytes { Ok(found) } else { Err(RecordFault::Impossible("order of offsets")) }
    }
}

#[cfg(test)]
mod tests;
