//! A shard with every write and message in the test's hands.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use bytes::BytesMut;

use super::key_work::KeyWork;
use crate::catalogue::{CatalogueMessage, OwnedState, OwnerState, TopicSettings};
use crate::format::batch::BatchBuilder;
use crate::format::block::JournalName;
use crate::format::checksum::Chain;
use crate::format::layout::Geometry;
use crate::format::superblock::{FileUse, ManifestName, RingFile, Superblock};
use crate::group::GroupOffsets;
use crate::io::{DiskError, DiskErrorKind, DiskOperation};
use crate::journal::append::{Journal, JournalStart};
use crate::journal::recovery::Recovery;
use crate::journal::ring::Ring;
use crate::key::KeyHasher;
use crate::model::{
    Epoch, FileIndex, Id128, Monotonic, Now, Offset, PartitionId, Position, ProducerEpoch, ProducerId, Realtime,
    RequestId, SegmentId, Sequence, ShardId, TopicId,
};
use crate::partition::Isolation;
use crate::producer::ProducerIdMint;
use crate::segment::merge::{MergePart, MergePlan, Merged};
use crate::segment::read::ReadPlan;
use crate::segment::write::FileWritten;
use crate::segment::{Run, SegmentTable};
use crate::shard::open::{last_resort, raised};
use crate::shard::replay::ShardState;
use crate::shard::rest::{RestPlan, RestWritten};
use crate::shard::{
    CutReport, Effect, Event, FetchFrom, ManifestWrite, OffsetAt, Refusal, Reply, Report, Request, Shard, ShardMessage,
    ShardStart,
};
use crate::transaction::{TransactionCoordinator, TransactionMessage};

mod endings;

pub(super) const SECOND_NS: u64 = 1_000_000_000;
pub(super) const SMALL: Geometry = Geometry { file_count: 4, file_bytes: 64 * 1024, manifest_bytes: 32 * 1024 };

/// Memory enough for whatever a small ring holds.
const MEMORY: u64 = 1 << 30;

pub(super) struct Rig {
    pub(super) shard: Shard,
    pub(super) now: Now,
    pub(super) id: ShardId,
    pub(super) replies: BTreeMap<RequestId, Reply>,
    pub(super) messages: VecDeque<(ShardId, CatalogueMessage)>,
    /// What shards are told about transactions.
    pub(super) tells: VecDeque<(ShardId, TransactionMessage)>,
    pub(super) superblocks: VecDeque<Superblock>,
    pub(super) manifests: VecDeque<ManifestWrite>,
    /// Blocks being written.
    pub(super) blocks: VecDeque<Sequence>,
    /// Segment files being written.
    pub(super) writes: VecDeque<Rc<RestPlan>>,
    /// Runs being put together.
    pub(super) merges: VecDeque<Rc<MergePlan>>,
    /// Reads of segment files.
    pub(super) reads: VecDeque<(u64, ReadPlan)>,
    /// Keys that are looked for in compressed batches, reads of key runs, and key runs that are put together.
    pub(super) key_work: KeyWork,
    /// Segment files that were removed.
    pub(super) removed: Vec<SegmentId>,
    pub(super) cuts: Vec<CutReport>,
    /// What an operator heard.
    pub(super) reports: Vec<Report>,
    /// Segment files find no space.
    pub(super) disk_full: bool,
    pub(super) failed: Vec<DiskError>,
    pub(super) stopped: Option<bool>,
    request_count: u64,
}

pub(super) fn disk_error(kind: DiskErrorKind) -> DiskError {
    DiskError { operation: DiskOperation::Write, path: "file".into(), position: None, kind, detail: String::new() }
}

pub(super) fn batch(value: &[u8]) -> BytesMut {
    let mut builder = BatchBuilder::new();
    builder.push(0, None, Some(value), &[]).unwrap();
    builder.finish()
}

pub(super) fn stamped(value: &[u8], producer: u64, epoch: u16, sequence: u32) -> BytesMut {
    let mut builder = BatchBuilder::new();
    builder.push(0, None, Some(value), &[]).unwrap();
    builder.stamp(ProducerId(producer), ProducerEpoch(epoch), sequence);
    builder.finish()
}

pub(super) fn create(name: &str, partition_count: u32) -> Request {
    Request::CreateTopic { name: name.to_owned(), partition_count, settings: TopicSettings::default(), keys: None }
}

pub(super) fn captured(base_offset: u64, append_time: Realtime) -> Reply {
    Reply::Captured { base_offset: Offset(base_offset), append_time, duplicate: false }
}

pub(super) fn refused(refusal: Refusal) -> Reply {
    Reply::Refused(refusal)
}

impl Rig {
    /// A shard of a new directory whose epoch has not begun.
    pub(super) fn unopened(id: ShardId, shard_count: u16, geometry: Geometry, blocks_in_flight: usize) -> Self {
        let name = JournalName { journal_id: Id128([9; 16]), shard: id };
        let superblock = Superblock {
            directory_id: Id128([8; 16]),
            name,
            geometry,
            generation: 1,
            epoch: Epoch(1),
            epoch_first_sequence: Sequence(1),
            confirmed_sequence: Sequence(0),
            confirmed_chain: Chain(0),
            clean: false,
            manifest: ManifestName { slot: 0, generation: 1, checksum: 0 },
            files: vec![RingFile::default(); usize::from(geometry.file_count)],
        };
        let start = JournalStart {
            name,
            epoch: Epoch(1),
            epoch_first_sequence: Sequence(1),
            last_sequence: Sequence(0),
            last_chain: Chain(0),
            blocks_in_flight,
        };
        let state = ShardState {
            owner: (id == ShardId(0)).then(|| OwnerState::new(shard_count)),
            owned: OwnedState::new(id),
            partitions: BTreeMap::new(),
            mint: ProducerIdMint::new(id).unwrap(),
            latest_append_time: Realtime(0),
            clock_confirmed: Realtime(0),
            segments: SegmentTable::default(),
            hasher: KeyHasher::new(name.journal_id),
            shard_count,
            coordinator: TransactionCoordinator::default(),
            groups: GroupOffsets::default(),
        };
        let journal = Journal::new(start, Ring::restore(geometry, &superblock.files, None));
        let now = Now { monotonic: Monotonic(SECOND_NS), realtime: Realtime(1000 * SECOND_NS) };
        Self::of(
            ShardStart {
                journal,
                superblock,
                state,
                manifest_generation: 1,
                memory_bytes_max: MEMORY,
                key_cache_bytes_max: MEMORY,
                clock_settle_ns: 0,
            },
            now,
        )
    }

    /// The same shard as it is opened again after a crash at rest: every file with blocks is sealed.
    pub(super) fn crashed(self) -> Self {
        let shard = &self.shard;
        let (marks, chain) = (shard.journal.marks(), shard.journal.durable_chain());
        let mut old = shard.superblock.stored().next_generation();
        old.files = shard.journal.ring().describe(|_, _| false);
        old.clean = false;
        let is_tail = |file: &RingFile| file.state == FileUse::Open && file.last_sequence == marks.durable();
        let tail_file = (0u16..).map(FileIndex).zip(&old.files).find(|(_, file)| is_tail(file)).map(|(index, _)| index);
        let recovery = Recovery {
            blocks: Vec::new(),
            last_sequence: marks.durable(),
            last_chain: chain,
            files: old.files.clone(),
            tail_file,
            cuts: Vec::new(),
            damage: Vec::new(),
        };
        let state = ShardState {
            owner: shard.coordinator.as_ref().map(|coordinator| coordinator.durable().clone()),
            owned: shard.owned.durable().clone(),
            partitions: shard.partitions.clone(),
            mint: shard.mint.clone(),
            latest_append_time: self.now.realtime,
            clock_confirmed: Realtime(0),
            segments: shard.segments.table.clone(),
            hasher: shard.key_hasher.clone(),
            shard_count: shard.shard_count,
            coordinator: shard.transactions.coordinator.clone(),
            groups: shard.transactions.groups.clone(),
        };
        let active = last_resort(&recovery, &state);
        let superblock = raised(&old, &recovery, active);
        let start = JournalStart {
            epoch: superblock.epoch,
            epoch_first_sequence: superblock.epoch_first_sequence,
            last_sequence: superblock.confirmed_sequence,
            last_chain: superblock.confirmed_chain,
            ..*shard.journal.start()
        };
        let journal = Journal::new(start, Ring::restore(superblock.geometry, &superblock.files, active));
        let manifest_generation = superblock.manifest.generation;
        let start = ShardStart {
            journal,
            superblock,
            state,
            manifest_generation,
            memory_bytes_max: MEMORY,
            key_cache_bytes_max: MEMORY,
            clock_settle_ns: 0,
        };
        Self { disk_full: self.disk_full, ..Self::of(start, self.now) }
    }

    fn of(start: ShardStart, now: Now) -> Self {
        let id = start.superblock.name.shard;
        Self {
            shard: Shard::new(start, now),
            now,
            id,
            replies: BTreeMap::new(),
            messages: VecDeque::new(),
            tells: VecDeque::new(),
            superblocks: VecDeque::new(),
            manifests: VecDeque::new(),
            blocks: VecDeque::new(),
            writes: VecDeque::new(),
            merges: VecDeque::new(),
            reads: VecDeque::new(),
            key_work: KeyWork::default(),
            removed: Vec::new(),
            cuts: Vec::new(),
            reports: Vec::new(),
            disk_full: false,
            failed: Vec::new(),
            stopped: None,
            request_count: 0,
        }
    }

    /// Raises the epoch; the first block is being written.
    pub(super) fn begin(&mut self) {
        self.shard.opening_superblock();
        self.shard.begin_epoch(self.now);
        self.collect();
    }

    /// A serving shard 0 of one.
    pub(super) fn serving() -> Self {
        Self::serving_with(ShardId(0), 1, SMALL, 1)
    }

    pub(super) fn serving_with(id: ShardId, shard_count: u16, geometry: Geometry, blocks_in_flight: usize) -> Self {
        let mut rig = Self::unopened(id, shard_count, geometry, blocks_in_flight);
        rig.begin();
        rig.settle();
        assert!(rig.shard.status().serving);
        rig
    }

    /// A serving shard with a topic of one partition.
    pub(super) fn with_partition() -> (Self, PartitionId) {
        let mut rig = Self::serving();
        let partition = rig.create("payments");
        (rig, partition)
    }

    /// Creates a topic of one partition and waits for it.
    pub(super) fn create(&mut self, name: &str) -> PartitionId {
        let id = self.ask(create(name, 1));
        self.settle();
        let Some(Reply::TopicCreated(topic)) = self.replies.get(&id) else { panic!("{:?}", self.replies.get(&id)) };
        PartitionId { topic: topic.id(), index: 0 }
    }

    pub(super) fn event(&mut self, event: Event) {
        self.shard.handle(event, self.now);
        self.collect();
    }

    /// Takes every effect and starts every block that is ready.
    fn collect(&mut self) {
        loop {
            while let Some(ready) = self.shard.ready_block() {
                let write = self.shard.encode_block(&mut vec![0; ready.bytes]);
                self.blocks.push_back(write.sequence);
            }
            let effects = self.shard.take_effects();
            if effects.is_empty() {
                return;
            }
            effects.into_iter().for_each(|effect| self.take(effect));
        }
    }

    fn take(&mut self, effect: Effect) {
        assert_eq!(self.stopped, None, "{effect:?} after the end");
        match effect {
            Effect::Reply { id, reply } => {
                let before = self.replies.insert(id, reply);
                assert_eq!(before, None, "request {id} was answered twice");
            }
            Effect::Send { to, message: ShardMessage::Catalogue(message) } => self.messages.push_back((to, message)),
            Effect::Send { to, message: ShardMessage::Transaction(message) } => self.tells.push_back((to, message)),
            Effect::WriteSuperblock(superblock) => self.superblocks.push_back(superblock),
            Effect::WriteManifest(write) => self.manifests.push_back(write),
            Effect::WriteSegments(plan) => self.writes.push_back(plan),
            Effect::MergeSegments(plan) => self.merges.push_back(plan),
            Effect::ReadSegment { read, plan } => self.reads.push_back((read, plan)),
            Effect::DeriveKeys(derive) => self.key_work.derives.push_back(*derive),
            Effect::ReadKeys(read) => self.key_work.reads.push_back(read),
            Effect::MergeKeys(plan) => self.key_work.merges.push_back(plan),
            Effect::RemoveSegments(segments) => self.removed.extend(segments),
            Effect::Cut(report) => self.cuts.push(report),
            Effect::Report(report) => self.reports.push(report),
            Effect::Failed(error) => self.failed.push(error),
            Effect::Stopped { clean } => self.stopped = Some(clean),
        }
        assert!(self.superblocks.len() <= 1 && self.manifests.len() <= 1, "one write of each is under way at a time");
        assert!(self.writes.len() + self.merges.len() <= 1, "one write or merge of segment files at a time");
    }

    pub(super) fn ask(&mut self, request: Request) -> RequestId {
        self.request_count += 1;
        let id = RequestId(self.request_count);
        self.event(Event::Request { id, request });
        id
    }

    /// The answer to a request that leaves at once.
    pub(super) fn answer(&mut self, request: Request) -> Reply {
        let id = self.ask(request);
        self.replies.remove(&id).unwrap_or_else(|| panic!("request {id} was not answered at once"))
    }

    pub(super) fn capture(&mut self, partition: PartitionId, batch: BytesMut) -> RequestId {
        self.ask(Request::Capture { partition, batch })
    }

    pub(super) fn fetch(&mut self, partition: PartitionId, from: u64, wait_ns: u64) -> RequestId {
        let from = FetchFrom::Offset(Offset(from));
        let isolation = Isolation::Uncommitted;
        self.ask(Request::Fetch { partition, from, bytes_max: 1 << 20, wait_ns, isolation })
    }

    /// Base offsets of what a fetch from `from` shows now, and the high watermark.
    pub(super) fn shown(&mut self, partition: PartitionId, from: u64) -> (Vec<u64>, u64) {
        let id = self.fetch(partition, from, 0);
        let Some(Reply::Fetched(fetched)) = self.replies.remove(&id) else { panic!("a fetch of shown data") };
        (fetched.batches.iter().map(|batch| batch.base_offset.0).collect(), fetched.high_watermark.0)
    }

    pub(super) fn end(&mut self, partition: PartitionId) -> Reply {
        self.answer(Request::ListOffset { partition, at: OffsetAt::End })
    }

    pub(super) fn reply(&self, id: RequestId) -> Option<&Reply> {
        self.replies.get(&id)
    }

    pub(super) fn pass(&mut self, nanoseconds: u64) {
        self.now.monotonic = self.now.monotonic.plus_ns(nanoseconds);
        self.now.realtime = Realtime(self.now.realtime.0 + nanoseconds);
    }

    pub(super) fn tick_after(&mut self, nanoseconds: u64) {
        self.pass(nanoseconds);
        self.event(Event::Tick);
        // Or its driver would have it tick again and again.
        assert!(self.shard.next_deadline() > self.now.monotonic, "what was due is due still");
    }

    pub(super) fn unknown_topic(&self) -> PartitionId {
        PartitionId { topic: TopicId(77), index: 0 }
    }
}
