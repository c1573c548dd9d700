//! Takes checkpoints: the state at a block boundary becomes a manifest, and what it makes unnecessary goes with the
//! superblock that names it: ring files, segment files, and what retention cut.

use std::collections::BTreeSet;

use bytes::{BufMut, Bytes};

use super::report::Report;
use super::request::{Effect, ManifestWrite, Reply};
use super::superblock::UnnamedManifest;
use super::{Refusal, Shard};
use crate::format::manifest::{EncodedManifest, Manifest, ManifestTooLarge, Module, Section};
use crate::format::superblock::{ManifestName, Superblock};
use crate::io::{DiskError, DiskErrorKind};
use crate::limits::{CHECKPOINT_RETRY_NS, MANIFEST_FAILURES_IN_A_ROW_MAX, MANIFEST_SLOT_COUNT};
use crate::marks::{self, Mark};
use crate::model::{FileIndex, Monotonic, Now, PartitionId, RequestId, SegmentId, Sequence};
use crate::partition::Cut;

/// Version of each section's encoding.
pub(super) const SECTION_VERSION: u16 = 1;

/// A checkpoint under way.
#[derive(Debug)]
enum Step {
    Idle,
    /// The snapshot is taken; its last block is not durable yet.
    WaitForBlock(Snapshot),
    /// The manifest is being written.
    Writing(Snapshot),
    /// The manifest is durable; the superblock that names it is not.
    Naming(Sequence, Stated),
}

#[derive(Debug)]
struct Snapshot {
    sequence: Sequence,
    generation: u64,
    slot: u8,
    manifest: EncodedManifest,
    free: BTreeSet<FileIndex>,
    stated: Stated,
}

/// What is in force with a manifest beside the state of modules.
#[derive(Debug)]
pub(super) struct Stated {
    /// The segment files that it names.
    segments: BTreeSet<SegmentId>,
    /// Files with this id or a higher one did not exist when it was made.
    segment_next: SegmentId,
    /// What retention cut with it.
    cuts: Vec<(PartitionId, Cut)>,
}

/// The checkpoints of a shard.
#[derive(Debug)]
pub(super) struct Checkpointing {
    step: Step,
    waiters: Vec<RequestId>,
    asked: Vec<RequestId>,
    /// What was durable when the first of them asked.
    asked_up_to: Sequence,
    generation: u64,
    /// Slots that a write failed on.
    abandoned: BTreeSet<u8>,
    failures_in_a_row: u32,
    /// After a failure nothing is tried unasked before this.
    retry_at: Monotonic,
}

impl Checkpointing {
    /// None under way; the last manifest had this generation.
    pub(super) fn new(generation: u64) -> Self {
        Self {
            step: Step::Idle,
            waiters: Vec::new(),
            asked: Vec::new(),
            asked_up_to: Sequence(0),
            generation,
            abandoned: BTreeSet::new(),
            failures_in_a_row: 0,
            retry_at: Monotonic(0),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        matches!(self.step, Step::Idle)
    }

    /// Whether a client asked for a checkpoint that has not begun.
    pub(super) fn is_asked(&self) -> bool {
        !self.asked.is_empty()
    }

    /// Up to where everything is taken to rest before the checkpoint that was asked for.
    pub(super) fn asked_up_to(&self) -> Option<Sequence> {
        self.is_asked().then_some(self.asked_up_to)
    }

    /// How many requests wait for a checkpoint.
    pub(super) fn waiting_count(&self) -> usize {
        self.waiters.len() + self.asked.len()
    }

    /// Requests that wait for a checkpoint.
    pub(super) fn waiting(&mut self) -> Vec<RequestId> {
        let mut waiting = std::mem::take(&mut self.waiters);
        waiting.append(&mut self.asked);
        waiting
    }
}

/// The slot that a new manifest goes into: none that the superblock names, none of `avoided`.
fn free_slot(superblock: &Superblock, avoided: &BTreeSet<u8>) -> Option<u8> {
    (0..MANIFEST_SLOT_COUNT).find(|slot| *slot != superblock.manifest.slot && !avoided.contains(slot))
}

impl Shard {
    /// A client asks for a checkpoint: what is durable is taken to rest first, and the one that begins then includes
    /// everything asked before.
    pub(super) fn ask_for_checkpoint(&mut self, id: RequestId, now: Now) {
        if !self.checkpointing.is_asked() {
            self.checkpointing.asked_up_to = self.journal.marks().durable();
        }
        self.checkpointing.asked.push(id);
        self.begin_segment_work(now);
        if self.segments.is_idle() {
            self.begin_checkpoint();
        }
    }

    /// Takes a snapshot unless a checkpoint is under way.
    pub(super) fn begin_checkpoint(&mut self) {
        if !self.checkpointing.is_idle() || self.failed.is_some() {
            return;
        }
        let asked = std::mem::take(&mut self.checkpointing.asked);
        self.checkpointing.waiters.extend(asked);
        let sequence = self.journal.close_block();
        let Some(slot) = free_slot(self.superblock.stored(), &self.checkpointing.abandoned) else {
            self.checkpointing.retry_at = Monotonic(u64::MAX);
            return self.refuse_checkpoint("a write has failed on every manifest slot: restart the shard".to_owned());
        };
        let generation = self.checkpointing.generation + 1;
        self.reconsider_cuts();
        let stated = self.stated();
        let manifest = self.manifest(generation, sequence, &stated.segments);
        match manifest.encode(self.superblock.stored().geometry.manifest_bytes) {
            Err(error) => {
                self.checkpointing.retry_at = Monotonic(u64::MAX);
                self.refuse_checkpoint(error.to_string());
            }
            Ok(manifest) => {
                self.checkpointing.generation = generation;
                self.segments.table.naming(&stated.segments);
                let free = self.files_not_needed();
                let snapshot = Snapshot { sequence, generation, slot, manifest, free, stated };
                self.checkpointing.step = Step::WaitForBlock(snapshot);
                self.continue_checkpoint();
            }
        }
    }

    /// Goes on once the snapshot's last block is durable.
    pub(super) fn continue_checkpoint(&mut self) {
        let durable = self.journal.marks().durable();
        let ready = matches!(&self.checkpointing.step, Step::WaitForBlock(snapshot) if snapshot.sequence <= durable);
        if !ready {
            return;
        }
        if let Step::WaitForBlock(snapshot) = std::mem::replace(&mut self.checkpointing.step, Step::Idle) {
            let write = ManifestWrite { slot: snapshot.slot, manifest: snapshot.manifest.clone() };
            self.effects.push(Effect::WriteManifest(write));
            self.checkpointing.step = Step::Writing(snapshot);
        }
    }

    /// A manifest write ended.
    pub(super) fn manifest_written(&mut self, result: Result<(), DiskError>, now: Now) {
        let Step::Writing(snapshot) = std::mem::replace(&mut self.checkpointing.step, Step::Idle) else {
            panic!("a manifest write ended that was not under way");
        };
        match result {
            Ok(()) => {
                self.checkpointing.failures_in_a_row = 0;
                self.pass_last_file(snapshot.sequence);
                self.checkpointing.step = Step::Naming(snapshot.sequence, snapshot.stated);
                let checksum = snapshot.manifest.checksum;
                self.superblock.name_manifest(UnnamedManifest {
                    name: ManifestName { slot: snapshot.slot, generation: snapshot.generation, checksum },
                    sequence: snapshot.sequence,
                    free: snapshot.free,
                });
            }
            Err(error) => {
                marks::hit(Mark::ManifestWriteFailed);
                self.refuse_checkpoint(error.to_string());
                self.checkpointing.retry_at = now.monotonic.plus_ns(CHECKPOINT_RETRY_NS);
                if error.kind != DiskErrorKind::NoSpace {
                    self.checkpointing.abandoned.insert(snapshot.slot);
                    self.checkpointing.failures_in_a_row += 1;
                }
                if self.checkpointing.failures_in_a_row >= MANIFEST_FAILURES_IN_A_ROW_MAX {
                    self.fail(error);
                }
            }
        }
    }

    /// The superblock that names the manifest is durable.
    pub(super) fn manifest_named(&mut self) {
        let Step::Naming(sequence, stated) = std::mem::replace(&mut self.checkpointing.step, Step::Idle) else {
            panic!("a manifest was named that was not written");
        };
        self.checkpointing.retry_at = Monotonic(0);
        self.take_stated(stated);
        for id in std::mem::take(&mut self.checkpointing.waiters) {
            self.answer(id, Reply::Checkpointed { sequence });
        }
        if self.checkpointing.is_asked() && self.segments.is_idle() {
            self.begin_checkpoint();
        }
    }

    fn stated(&self) -> Stated {
        let open = self.owned.ahead().partitions();
        let named = open.flat_map(|id| self.partitions[&id].encoded_segments());
        Stated { segments: named.collect(), segment_next: self.segments.table.next_id(), cuts: self.cuts_ahead() }
    }

    /// What a manifest states is in force: both superblock copies name it.
    fn take_stated(&mut self, stated: Stated) {
        self.segments.table.named(&stated.segments, stated.segment_next);
        self.settle_cuts(stated.cuts);
        self.remove_unneeded_segments();
    }

    /// The opening superblock, which names the opening manifest, is durable.
    pub(super) fn opening_manifest_named(&mut self) {
        let stated = self.stated();
        self.take_stated(stated);
    }

    /// A manifest of what was recovered, before the epoch begins.
    /// `other_slot` is what the superblock copy names that is not in force.
    pub(super) fn opening_manifest(
        &mut self,
        other_slot: Option<u8>,
    ) -> Result<(ManifestWrite, UnnamedManifest), ManifestTooLarge> {
        let sequence = self.journal.marks().durable();
        let stored = self.superblock.stored();
        let slot = free_slot(stored, &other_slot.into_iter().collect()).expect("there are more slots than names");
        let generation = self.checkpointing.generation + 1;
        let segments = self.stated().segments;
        let manifest = self.manifest(generation, sequence, &segments).encode(stored.geometry.manifest_bytes)?;
        let name = ManifestName { slot, generation, checksum: manifest.checksum };
        let free = self.files_not_needed();
        Ok((ManifestWrite { slot, manifest }, UnnamedManifest { name, sequence, free }))
    }

    /// The opening manifest is durable: the opening superblock names it.
    pub(super) fn name_opening_manifest(&mut self, manifest: UnnamedManifest) {
        self.checkpointing.generation = manifest.name.generation;
        self.superblock.name_manifest(manifest);
    }

    /// Whether a checkpoint would let something go: a ring file, a segment file, or the front of a partition.
    pub(super) fn wants_checkpoint(&mut self, now: Now) -> bool {
        self.checkpointing.is_idle()
            && self.failed.is_none()
            && self.checkpointing.retry_at <= now.monotonic
            && (self.has_cuts || self.segments.table.wants_checkpoint() || self.has_unneeded_file())
    }

    fn refuse_checkpoint(&mut self, why: String) {
        self.report(Report::CheckpointFailed(why.clone()));
        for id in self.checkpointing.waiting() {
            self.answer(id, Reply::Refused(Refusal::CheckpointFailed(why.clone())));
        }
    }

    fn files_not_needed(&self) -> BTreeSet<FileIndex> {
        self.journal.ring().geometry().files().filter(|file| !self.is_needed(*file)).collect()
    }

    /// The state with everything appended so far, whose last block is `sequence`.
    pub(super) fn manifest(&self, generation: u64, sequence: Sequence, segments: &BTreeSet<SegmentId>) -> Manifest {
        let stored = self.superblock.stored();
        let mut modules: Vec<(Module, Vec<u8>)> = Vec::new();
        if let Some(coordinator) = &self.coordinator {
            let mut bytes = Vec::new();
            coordinator.ahead().encode(&mut bytes);
            modules.push((Module::Catalogue, bytes));
        }
        modules.push((Module::Partitions, self.partitions_section()));
        modules.push((Module::Producers, self.producers_section()));
        let mut ids = Vec::new();
        self.mint.encode(&mut ids);
        modules.push((Module::ProducerIds, ids));
        modules.push((Module::Clock, self.clock.confirmed().0.to_le_bytes().to_vec()));
        let mut files = Vec::new();
        self.segments.table.encode(segments, &mut files);
        modules.push((Module::Segments, files));
        modules.push((Module::Keys, self.keys_section()));
        modules.push((Module::Transactions, self.transactions_section()));
        let mut coordinator = Vec::new();
        self.transactions.coordinator.encode(&mut coordinator);
        modules.push((Module::Coordinator, coordinator));
        let mut groups = Vec::new();
        self.transactions.groups.encode(&mut groups);
        modules.push((Module::Groups, groups));
        let section = |(module, bytes): (Module, Vec<u8>)| Section {
            module,
            version: SECTION_VERSION,
            sequence,
            bytes: Bytes::from(bytes),
        };
        Manifest {
            directory_id: stored.directory_id,
            shard: stored.name.shard,
            generation,
            sequence,
            sections: modules.into_iter().map(section).collect(),
        }
    }

    /// Owned topics, then every open partition: u32 bytes of the topics, topics, u32 count, partitions.
    fn partitions_section(&self) -> Vec<u8> {
        let mut topics = Vec::new();
        self.owned.ahead().encode(&mut topics);
        let mut out = Vec::with_capacity(topics.len() + 64);
        out.put_u32_le(u32::try_from(topics.len()).expect("bounded by the topics' limits"));
        out.put_slice(&topics);
        let open: Vec<_> = self.owned.ahead().partitions().collect();
        out.put_u32_le(u32::try_from(open.len()).expect("bounded by the topics' limits"));
        for id in open {
            self.partitions[&id].encode(&mut out);
        }
        out
    }

    /// The key runs of every open partition that has keys, in the same order.
    fn keys_section(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for id in self.owned.ahead().partitions() {
            self.partitions[&id].keys().into_iter().for_each(|keys| keys.encode(&mut out));
        }
        out
    }

    /// Count u32 of open partitions with open transactions, and for each: topic u64, index u32, these.
    fn transactions_section(&self) -> Vec<u8> {
        let with_some = || {
            let open = self.owned.ahead().partitions().map(|id| &self.partitions[&id]);
            open.filter(|state| !state.transactions().is_empty())
        };
        let mut out = Vec::new();
        out.put_u32_le(u32::try_from(with_some().count()).expect("bounded by the topics' limits"));
        for state in with_some() {
            out.put_u64_le(state.id().topic.0);
            out.put_u32_le(state.id().index);
            state.transactions().encode(&mut out);
        }
        out
    }

    /// The producer table of every open partition, in the same order.
    fn producers_section(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for id in self.owned.ahead().partitions() {
            self.partitions[&id].producers().encode(&mut out);
        }
        out
    }
}
