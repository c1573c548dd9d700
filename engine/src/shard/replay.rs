//! Rebuilds the state of a shard from its manifest and the journal behind it.

use std::collections::BTreeMap;

use bytes::Buf;

use super::Record;
use super::checkpointing::SECTION_VERSION;
use crate::catalogue::{COORDINATOR, OwnedRecord, OwnedState, OwnerState, TopicDescriptor, TopicState};
use crate::format::block::JournalName;
use crate::format::control::{Control, Entry, EntryWalk};
use crate::format::manifest::{Manifest, Module};
use crate::group::GroupOffsets;
use crate::journal::recovery::RecoveredBlock;
use crate::key::KeyHasher;
use crate::model::{PartitionId, Realtime, Sequence, ShardId, TopicId};
use crate::partition::{Partition, Placed, ReplayedBatch};
use crate::producer::ProducerIdMint;
use crate::segment::{Run, SegmentTable};
use crate::transaction::TransactionCoordinator;

mod keys;
mod transactions;

/// What a shard knows after replay.
#[derive(Debug)]
pub struct ShardState {
    /// Names and placement, on shard 0.
    pub owner: Option<OwnerState>,
    /// Topics that this shard has partitions of.
    pub owned: OwnedState,
    /// Its partitions, with everything the journal holds of them.
    pub partitions: BTreeMap<PartitionId, Partition>,
    /// Producer ids.
    pub mint: ProducerIdMint,
    /// The latest append time of any batch.
    pub latest_append_time: Realtime,
    /// What the wall clock showed when it was last confirmed; 0 if it never was.
    pub clock_confirmed: Realtime,
    /// Segment files, with the runs of these partitions counted.
    pub segments: SegmentTable,
    /// What makes hashes of idempotency keys.
    pub(crate) hasher: KeyHasher,
    /// Shards of the directory.
    pub(crate) shard_count: u16,
    /// Its transactional ids.
    pub(crate) coordinator: TransactionCoordinator,
    /// Offsets of its consumer groups.
    pub(crate) groups: GroupOffsets,
}

/// The manifest or a block contradicts the rest, although every checksum is right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {what}", sequence.map_or("manifest".to_owned(), |sequence| format!("journal block {sequence}")))]
pub struct ReplayError {
    /// The block; `None`: the manifest, or the two against each other.
    pub sequence: Option<Sequence>,
    /// What is wrong.
    pub what: String,
}

fn in_manifest(what: impl ToString) -> ReplayError {
    ReplayError { sequence: None, what: what.to_string() }
}

/// What is taken from blocks.
#[derive(Clone, Copy)]
enum Mode<'a> {
    /// Everything must be there.
    Strict,
    /// Offsets that nothing holds any more are lost.
    Salvage(Accepted<'a>),
}

/// What stands in for lost blocks.
#[derive(Clone, Copy)]
pub struct Accepted<'a> {
    /// When an operator accepts the loss.
    pub time: Realtime,
    /// Shard 0's table as far as it is known, for another shard that lost blocks.
    pub catalogue: Option<&'a OwnerState>,
    /// Nothing of that table is lost: a topic that is not in it is gone.
    pub is_complete: bool,
}

/// How far a loss of journal blocks reaches beyond what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LossBound {
    /// A partition with a batch in a later block lost nothing behind that.
    pub last_lost: Sequence,
    /// Offsets that may have been given out in what is lost.
    pub offset_count: u64,
    /// Entries that may have stood there.
    pub entry_count: u64,
}

/// Rebuilds what damage left of the state: offsets that nothing holds are gaps, accepted now. With a `bound`, blocks
/// are lost: every partition goes on behind all offsets that these may have given out, and so do ids.
pub fn replay_salvage(
    name: JournalName,
    shard_count: u16,
    manifest: &Manifest,
    blocks: &[RecoveredBlock],
    bound: Option<LossBound>,
    accepted: Accepted<'_>,
) -> Result<ShardState, ReplayError> {
    let mut state = ShardState::from_manifest(name, shard_count, manifest)?;
    state.apply_blocks(manifest.sequence, blocks, Mode::Salvage(accepted))?;
    if bound.is_some() {
        state.reconcile(accepted).map_err(in_manifest)?;
    }
    for (id, partition) in &mut state.partitions {
        let more = bound.filter(|bound| partition.last_held_sequence() <= Some(bound.last_lost));
        let more = more.map_or(0, |bound| bound.offset_count);
        let finished = partition.finish_salvage(more, accepted.time);
        finished.map_err(|damage| in_manifest(format!("partition {id}: {damage}")))?;
        count_runs(partition, &mut state.segments);
    }
    if let Some(bound) = bound {
        state.coordinator.after_loss();
        state.mint.skip(bound.entry_count).map_err(in_manifest)?;
        if let Some(owner) = &mut state.owner {
            owner.skip(bound.entry_count).map_err(in_manifest)?;
        }
    }
    Ok(state)
}

/// Rebuilds the state of the shard whose journal this is, in a directory of `shard_count` shards.
pub fn replay(
    name: JournalName,
    shard_count: u16,
    manifest: &Manifest,
    blocks: &[RecoveredBlock],
) -> Result<ShardState, ReplayError> {
    let mut state = ShardState::from_manifest(name, shard_count, manifest)?;
    state.apply_blocks(manifest.sequence, blocks, Mode::Strict)?;
    for (id, partition) in &mut state.partitions {
        partition.finish_replay().map_err(|damage| in_manifest(format!("partition {id}: {damage}")))?;
        count_runs(partition, &mut state.segments);
    }
    Ok(state)
}

fn count_runs(partition: &Partition, segments: &mut SegmentTable) {
    partition.segments().for_each(|segment| segments.add_run(segment));
}

impl ShardState {
    fn from_manifest(name: JournalName, shard_count: u16, manifest: &Manifest) -> Result<Self, ReplayError> {
        let shard = name.shard;
        let mut state = Self {
            owner: (shard == COORDINATOR).then(|| OwnerState::new(shard_count)),
            owned: OwnedState::new(shard),
            partitions: BTreeMap::new(),
            mint: ProducerIdMint::new(shard).map_err(in_manifest)?,
            latest_append_time: Realtime(0),
            clock_confirmed: Realtime(0),
            segments: SegmentTable::default(),
            hasher: KeyHasher::new(name.journal_id),
            shard_count,
            coordinator: TransactionCoordinator::default(),
            groups: GroupOffsets::default(),
        };
        for section in &manifest.sections {
            if section.version != SECTION_VERSION || section.sequence != manifest.sequence {
                return Err(in_manifest(format!("section {:?} has another version or block", section.module)));
            }
        }
        if let Some(section) = manifest.section(Module::Catalogue) {
            if shard != COORDINATOR {
                return Err(in_manifest("a catalogue on a shard that has none"));
            }
            state.owner = Some(OwnerState::decode(shard_count, &section.bytes).map_err(in_manifest)?);
        }
        if let Some(section) = manifest.section(Module::Segments) {
            state.segments = SegmentTable::decode(&section.bytes).map_err(in_manifest)?;
        }
        if let Some(section) = manifest.section(Module::Partitions) {
            state.read_partitions(shard, &section.bytes)?;
        }
        self::keys::read(&mut state, manifest.section(Module::Keys).map(|section| &section.bytes[..]))?;
        if let Some(section) = manifest.section(Module::Producers) {
            let mut bytes = &section.bytes[..];
            for partition in state.partitions.values_mut() {
                partition.decode_producers(&mut bytes, manifest.sequence).map_err(in_manifest)?;
            }
            if !bytes.is_empty() {
                return Err(in_manifest("producers of more partitions than there are"));
            }
        }
        self::transactions::read(&mut state, manifest)?;
        state.read_numbers(shard, manifest)?;
        Ok(state)
    }

    /// Reads the sections that are a number each.
    fn read_numbers(&mut self, shard: ShardId, manifest: &Manifest) -> Result<(), ReplayError> {
        let longer = |module| in_manifest(format!("section {module:?} goes on behind its number"));
        if let Some(section) = manifest.section(Module::ProducerIds) {
            let mut bytes = &section.bytes[..];
            self.mint = ProducerIdMint::decode(shard, &mut bytes).map_err(in_manifest)?;
            if !bytes.is_empty() {
                return Err(longer(section.module));
            }
        }
        if let Some(section) = manifest.section(Module::Clock) {
            let mut bytes = &section.bytes[..];
            self.clock_confirmed = Realtime(bytes.try_get_u64_le().map_err(in_manifest)?);
            if !bytes.is_empty() {
                return Err(longer(section.module));
            }
        }
        Ok(())
    }

    fn read_partitions(&mut self, shard: ShardId, section: &[u8]) -> Result<(), ReplayError> {
        let mut bytes = section;
        let cut_off = |_| in_manifest("section of the partitions is cut off");
        let topics_bytes = bytes.try_get_u32_le().map_err(cut_off)? as usize;
        if topics_bytes > bytes.len() {
            return Err(in_manifest("section of the partitions is cut off"));
        }
        self.owned = OwnedState::decode(shard, &bytes[..topics_bytes]).map_err(in_manifest)?;
        bytes.advance(topics_bytes);
        let count = bytes.try_get_u32_le().map_err(cut_off)?;
        for _ in 0..count {
            let partition = Partition::decode(&mut bytes).map_err(in_manifest)?;
            let is_there = |run: &Run| self.segments.get(run.segment).is_some_and(|file| run.end() <= file.end);
            if !partition.runs().all(is_there) {
                return Err(in_manifest(format!("partition {} has a run that is in no segment file", partition.id())));
            }
            if self.partitions.last_key_value().is_some_and(|(last, _)| partition.id() <= *last) {
                return Err(in_manifest(format!("partition {} is out of order", partition.id())));
            }
            self.latest_append_time = self.latest_append_time.max(partition.last_append_time());
            self.partitions.insert(partition.id(), partition);
        }
        let agree = bytes.is_empty() && self.owned.partitions().eq(self.partitions.keys().copied());
        if agree { Ok(()) } else { Err(in_manifest("partitions and their topics do not agree")) }
    }

    /// Applies every entry; of blocks up to `included` the manifest has everything but data.
    fn apply_blocks(
        &mut self,
        included: Sequence,
        blocks: &[RecoveredBlock],
        mode: Mode<'_>,
    ) -> Result<(), ReplayError> {
        for block in blocks {
            let at = |what: String| ReplayError { sequence: Some(block.sequence), what };
            let known = block.sequence <= included;
            for entry in EntryWalk::new(block.payload(), block.entry_count) {
                let entry = entry.map_err(|error| at(error.to_string()))?;
                self.apply(entry, block, known, mode).map_err(at)?;
            }
        }
        Ok(())
    }

    /// Applies one entry. `known`: the manifest includes it, so only its data is wanted.
    fn apply(&mut self, entry: Entry, block: &RecoveredBlock, known: bool, mode: Mode<'_>) -> Result<(), String> {
        let placed = Placed { sequence: block.sequence, file: block.file };
        match entry {
            Entry::Batch { partition, append_time, undecided, batch } => {
                if let Mode::Salvage(accepted) = mode
                    && !known
                {
                    self.open_from_catalogue(partition, accepted)?;
                    if accepted.is_complete && !self.partitions.contains_key(&partition) {
                        return Ok(());
                    }
                }
                let Some(state) = self.partitions.get_mut(&partition) else {
                    return if known { Ok(()) } else { Err(format!("a batch of unknown partition {partition}")) };
                };
                self.latest_append_time = self.latest_append_time.max(append_time);
                let entry = ReplayedBatch { append_time, undecided, bytes: &batch, placed };
                let result = match mode {
                    Mode::Strict => state.replay(&entry, known, block.keep),
                    Mode::Salvage(accepted) => state.salvage(&entry, known, accepted.time),
                };
                result.map_err(|damage| format!("partition {partition}: {damage}"))
            }
            Entry::Control(_) if known => Ok(()),
            Entry::Control(control) => self.apply_control(&control, block, mode),
        }
    }

    fn apply_control(&mut self, control: &Control, block: &RecoveredBlock, mode: Mode<'_>) -> Result<(), String> {
        if let Some(record) = Record::from_control(control) {
            return self.apply_record(&record, mode);
        }
        match control {
            Control::EpochStart { epoch, last_sequence, .. } => {
                let follows = *epoch == block.epoch && last_sequence.0.checked_add(1) == Some(block.sequence.0);
                if follows { Ok(()) } else { Err("begins an epoch that is not the block's".to_owned()) }
            }
            Control::ProducerIdsReserved { up_to } => self.mint.restore(*up_to).map_err(|error| error.to_string()),
            Control::ProducerExpired { partition, producer, epoch } => {
                if let Some(state) = self.partitions.get_mut(partition) {
                    state.producers_mut().remove(*producer, *epoch);
                }
                Ok(())
            }
            Control::BatchKnown { partition, append_time, stamp, crc } => {
                let Some(state) = self.partitions.get_mut(partition) else {
                    let is_lost = matches!(mode, Mode::Salvage(_));
                    return if is_lost { Ok(()) } else { Err(format!("an answer of unknown partition {partition}")) };
                };
                self.latest_append_time = self.latest_append_time.max(*append_time);
                let result = match mode {
                    Mode::Strict => state.replay_known(stamp, *crc, *append_time, block.sequence),
                    Mode::Salvage(_) => state.salvage_known(stamp, *crc, *append_time, block.sequence),
                };
                result.map_err(|damage| format!("partition {partition}: {damage}"))
            }
            Control::ClockConfirmed { realtime } => {
                self.clock_confirmed = *realtime;
                Ok(())
            }
            Control::Transaction(record) => transactions::done(self.coordinator.apply(record), mode),
            Control::Offsets(record) => transactions::done(self.groups.apply(record), mode),
            Control::TopicCreating(_)
            | Control::TopicLive(_)
            | Control::TopicDeleting(_)
            | Control::TopicDeleted(_)
            | Control::TopicAltering(_)
            | Control::PartitionsOpened(_)
            | Control::PartitionsClosed { .. } => unreachable!("these are records of the catalogue"),
        }
    }

    /// Takes over what cannot follow what is known, because records in between are lost; tells whether it did.
    fn takes_over(&mut self, record: &OwnedRecord) -> Result<bool, String> {
        match record {
            OwnedRecord::Opened(descriptor) => match self.owned.topic(descriptor.id()) {
                Some(open) if !descriptor.follows(open) => self.restore(descriptor).map(|()| true),
                _ => Ok(false),
            },
            OwnedRecord::Closed { topic, .. } => Ok(self.owned.topic(*topic).is_none()),
        }
    }

    fn restore(&mut self, descriptor: &TopicDescriptor) -> Result<(), String> {
        self.owned.restore(descriptor).map_err(|error| error.to_string())?;
        self.open_partitions(descriptor);
        Ok(())
    }

    fn open_partitions(&mut self, descriptor: &TopicDescriptor) {
        for id in descriptor.partitions_on(self.owned.shard()) {
            self.partitions.entry(id).or_insert_with(|| Partition::of(descriptor, id, &self.hasher));
        }
    }

    /// Opens a partition of which a batch is left and the record that opened it is lost, as shard 0 describes it.
    fn open_from_catalogue(&mut self, partition: PartitionId, accepted: Accepted<'_>) -> Result<(), String> {
        if self.partitions.contains_key(&partition) {
            return Ok(());
        }
        let catalogue = accepted.catalogue.or(self.owner.as_ref());
        let topic = catalogue.and_then(|catalogue| catalogue.topic(partition.topic));
        let descriptor = topic.map(|topic| topic.descriptor.clone());
        let is_here = |descriptor: &TopicDescriptor| descriptor.shard_of(partition.index) == Some(self.owned.shard());
        descriptor.filter(is_here).map_or(Ok(()), |descriptor| self.restore(&descriptor))
    }

    /// Holds the topics that this shard knows against shard 0's table: those that it should have are opened, because they
    /// may have had offsets that must not be given out again, and those that are gone are forgotten.
    fn reconcile(&mut self, accepted: Accepted<'_>) -> Result<(), String> {
        let shard = self.owned.shard();
        let catalogue = accepted.catalogue.or(self.owner.as_ref());
        let Some(catalogue) = catalogue else { return Ok(()) };
        let wanted = catalogue.topics().filter(|topic| topic.state != TopicState::Deleting);
        let here = wanted.filter(|topic| topic.descriptor.placement().contains(&shard));
        let here: Vec<TopicDescriptor> = here.map(|topic| topic.descriptor.clone()).collect();
        let is_gone = |topic: &TopicId| accepted.is_complete && catalogue.topic(*topic).is_none();
        let gone: Vec<TopicId> = self.owned.topics().map(TopicDescriptor::id).filter(is_gone).collect();
        here.iter().try_for_each(|descriptor| self.restore(descriptor))?;
        for topic in gone {
            self.owned.forget(topic);
            self.partitions.retain(|id, _| id.topic != topic);
        }
        Ok(())
    }

    fn apply_record(&mut self, record: &Record, mode: Mode<'_>) -> Result<(), String> {
        let is_salvage = matches!(mode, Mode::Salvage(_));
        match record {
            Record::Catalogue(record) => match &mut self.owner {
                Some(owner) if is_salvage => owner.salvage(record).map_err(|error| error.to_string()),
                Some(owner) => owner.apply(record).map_err(|error| error.to_string()),
                None => Err("a record of shard 0's catalogue".to_owned()),
            },
            Record::Owned(record) if is_salvage && self.takes_over(record)? => Ok(()),
            Record::Owned(record) => {
                self.owned.apply(record).map_err(|error| error.to_string())?;
                match record {
                    OwnedRecord::Opened(descriptor) => self.open_partitions(descriptor),
                    OwnedRecord::Closed { topic, .. } => self.partitions.retain(|id, _| id.topic != *topic),
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;
