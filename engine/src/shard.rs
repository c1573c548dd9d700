//! The state of a shard: requests and completions in, effects out, nothing else.
//!
//! [`Shard`] owns the journal's writing side, the partitions, the shard's part of the catalogue and every reply
//! that waits. It is driven by [`driver`] in production and in simulation alike. [`open`] makes one from a data
//! directory.

use std::collections::{BTreeMap, VecDeque};

use crate::catalogue::{Coordinator, OwnedPartitions, TopicCopies};
use crate::format::control::{Control, Entry};
use crate::format::layout::Geometry;
use crate::format::superblock::Superblock;
use crate::journal::append::{BlockWrite, Journal, Purpose, ReadyBlock};
use crate::key::KeyHasher;
use crate::limits::{
    CAPTURES_EXPECTED_NS, CLOSING_REST_NS_MAX, GROUP_MANIFEST_SHARE, JOURNAL_IDLE_NS, PRODUCER_EXPIRY_INTERVAL_NS,
    PRODUCER_MANIFEST_SHARE, REQUESTS_WAITING_MAX, RETENTION_INTERVAL_NS, TRANSACTION_MANIFEST_SHARE,
};
use crate::model::{Id128, Monotonic, Now, Offset, PartitionId, RequestId, Sequence, ShardId};
use crate::partition::Partition;
use crate::producer::ProducerIdMint;

mod capture;
mod checkpointing;
pub mod clock;
mod closing;
mod cold;
pub mod directory;
pub mod driver;
mod durable;
mod fetch;
mod keyed;
pub mod message;
mod needed;
pub mod open;
pub mod refusal;
pub mod repair;
pub mod replay;
pub mod report;
pub mod request;
pub mod rest;
mod retention;
mod segments;
mod status;
mod superblock;
mod together;
mod topics;
mod transactions;

pub use message::ShardMessage;
pub use refusal::{Action, Refusal, TransactionRefusal};
pub use report::Report;
pub use request::{
    BatchReceipt, CutReport, Effect, Event, FetchFrom, Fetched, GroupReply, GroupRequest, KeyReceipt, ManifestWrite,
    OffsetAt, PartitionStatus, Reply, Request, ShardStatus, TransactionReply, TransactionRequest,
};
pub use status::HeldBack;

use checkpointing::Checkpointing;
use clock::ClockGuard;
use cold::Cold;
use fetch::LongPolls;
use keyed::KeyedRequests;
use needed::NeededFiles;
use segments::Segments;
use superblock::SuperblockKeeper;
use transactions::{TransactionLimits, Transactions};

/// A record of shard 0's table or of an owner, on its way to being durable.
#[derive(Clone, Debug)]
enum Record {
    Catalogue(crate::catalogue::CatalogueRecord),
    Owned(crate::catalogue::OwnedRecord),
}

/// Everything a shard knows. Synchronous; [`Shard::handle`] takes an event, [`Shard::take_effects`] gives what
/// follows from it.
#[derive(Debug)]
pub struct Shard {
    id: ShardId,
    journal: Journal,
    superblock: SuperblockKeeper,
    checkpointing: Checkpointing,
    coordinator: Option<Coordinator>,
    owned: OwnedPartitions,
    copies: TopicCopies,
    partitions: BTreeMap<PartitionId, Partition>,
    mint: ProducerIdMint,
    clock: ClockGuard,
    /// Nothing expires by the wall clock before this.
    clock_settles_at: Monotonic,
    batch_bytes_max: usize,
    producer_count: usize,
    producer_count_max: usize,
    held_bytes: usize,
    /// Replies that wait for a block.
    waiting: BTreeMap<Sequence, Vec<(RequestId, Reply)>>,
    waiting_count: usize,
    /// Which partition ends where with which block.
    placed: VecDeque<(Sequence, PartitionId, Offset)>,
    /// Catalogue records that are not durable yet.
    records: VecDeque<(Sequence, Record)>,
    polls: LongPolls,
    segments: Segments,
    needed: NeededFiles,
    cold: Cold,
    keyed: KeyedRequests,
    transactions: Transactions,
    /// Shards of the directory.
    shard_count: u16,
    /// What makes hashes of idempotency keys.
    key_hasher: KeyHasher,
    /// When the event that is handled came, and when the last capture did.
    at: Monotonic,
    captured_at: Option<Monotonic>,
    /// Retention decided cuts that are not in force.
    has_cuts: bool,
    retention_at: Monotonic,
    effects: Vec<Effect>,
    /// The first block of this epoch is durable, or none can be written.
    epoch_started: bool,
    idle_since: Option<Monotonic>,
    expire_at: Monotonic,
    failed: Option<crate::io::DiskError>,
    stopping: bool,
    /// While it closes: what is not at rest by then stays in the journal.
    rest_until: Monotonic,
    last_checkpoint_tried: bool,
    stopped: bool,
}

/// What a shard begins with, made by [`open`].
#[derive(Debug)]
pub(crate) struct ShardStart {
    pub(crate) journal: Journal,
    pub(crate) superblock: Superblock,
    pub(crate) state: replay::ShardState,
    pub(crate) manifest_generation: u64,
    pub(crate) memory_bytes_max: u64,
    pub(crate) key_cache_bytes_max: u64,
    pub(crate) clock_settle_ns: u64,
}

impl Shard {
    /// A shard that goes on from what was recovered. It serves nothing before its epoch has begun.
    pub(crate) fn new(start: ShardStart, now: Now) -> Self {
        let ShardStart { journal, superblock, state, manifest_generation, memory_bytes_max, .. } = start;
        let geometry = superblock.geometry;
        let producer_count_max = producer_count_max(geometry);
        let open_count = state.partitions.values().map(|partition| partition.transactions().len()).sum();
        let of_transactions = (state.coordinator, state.groups);
        let limits = TransactionLimits::of(geometry);
        let mut shard = Self {
            id: superblock.name.shard,
            journal,
            superblock: SuperblockKeeper::new(superblock),
            checkpointing: Checkpointing::new(manifest_generation),
            coordinator: state.owner.map(Coordinator::new),
            owned: OwnedPartitions::new(state.owned),
            copies: TopicCopies::new(),
            producer_count: state.partitions.values().map(|partition| partition.producers().len()).sum(),
            held_bytes: state.partitions.values().map(Partition::held_bytes).sum(),
            keyed: KeyedRequests::new(state.partitions.values(), start.key_cache_bytes_max),
            transactions: Transactions::new(of_transactions, open_count, limits, now.monotonic),
            shard_count: state.shard_count,
            key_hasher: state.hasher,
            partitions: state.partitions,
            mint: state.mint,
            clock: ClockGuard::new(state.latest_append_time, state.clock_confirmed),
            clock_settles_at: now.monotonic.plus_ns(start.clock_settle_ns),
            batch_bytes_max: geometry.batch_bytes_max(),
            producer_count_max,
            waiting: BTreeMap::new(),
            waiting_count: 0,
            placed: VecDeque::new(),
            records: VecDeque::new(),
            polls: LongPolls::default(),
            segments: Segments::new(state.segments, geometry, memory_bytes_max),
            needed: NeededFiles::default(),
            cold: Cold::new(),
            at: now.monotonic,
            captured_at: None,
            has_cuts: false,
            retention_at: now.monotonic.plus_ns(RETENTION_INTERVAL_NS),
            effects: Vec::new(),
            epoch_started: false,
            idle_since: None,
            expire_at: now.monotonic.plus_ns(PRODUCER_EXPIRY_INTERVAL_NS),
            failed: None,
            stopping: false,
            rest_until: Monotonic(u64::MAX),
            last_checkpoint_tried: false,
            stopped: false,
        };
        shard.observe_clock(now);
        shard
    }

    /// The superblock that raises the epoch; [`Shard::begin_epoch`] follows when it is durable in both copies.
    pub(crate) fn opening_superblock(&mut self) -> Superblock {
        self.superblock.write_now(&mut self.journal)
    }

    /// The raised epoch is durable. The epoch's first block names the last accepted one, so that older blocks
    /// behind it are stale for ever.
    pub(crate) fn begin_epoch(&mut self, now: Now) {
        if self.superblock.written(&mut self.journal).manifest_named {
            self.opening_manifest_named();
        }
        let start = *self.journal.start();
        let entry = Entry::Control(Control::EpochStart {
            epoch: start.epoch,
            last_sequence: start.last_sequence,
            last_chain: start.last_chain.0,
            boot_time: now.realtime,
        });
        if self.journal.append(entry, Purpose::Capture).is_err() {
            self.epoch_started = true;
        }
        if let Some(mut coordinator) = self.coordinator.take() {
            let actions = coordinator.resume(now.monotonic);
            self.coordinator = Some(coordinator);
            self.carry_out(actions);
        }
        self.resume_transactions(now);
        self.pump(now);
    }

    /// Takes an event. Effects follow from [`Shard::take_effects`], blocks from [`Shard::ready_block`].
    pub fn handle(&mut self, event: Event, now: Now) {
        self.at = now.monotonic;
        self.observe_clock(now);
        if self.is_over(&event) {
            return;
        }
        match event {
            Event::Request { id, request } => self.request(id, request, now),
            Event::Cancel { id } => self.cancel_poll(id),
            Event::Message { from, message: ShardMessage::Catalogue(message) } => self.message(from, &message, now),
            Event::Message { from, message: ShardMessage::Transaction(message) } => {
                self.transaction_message(from, message, now);
            }
            Event::BlockWritten { sequence, result } => self.block_written(sequence, result, now),
            Event::SuperblockWritten(result) => self.superblock_written(result),
            Event::ManifestWritten(result) => self.manifest_written(result, now),
            Event::SegmentsWritten(written) => self.segments_written(&written, now),
            Event::SegmentsMerged(result) => self.segments_merged(result, now),
            Event::SegmentRead { read, done } => self.segment_read(read, done),
            Event::KeysDerived { partition, batch, result } => self.keys_derived(partition, batch, result, now),
            Event::KeysRead { partition, found } => self.keys_read(partition, found, now),
            Event::KeysMerged(result) => self.keys_merged(result, now),
            Event::Tick => self.tick(now),
            Event::Shutdown => {
                self.stopping = true;
                self.rest_until = now.monotonic.plus_ns(CLOSING_REST_NS_MAX);
                self.end_all_polls();
                self.end_cold_waits();
                self.end_keyed_waits(&Refusal::Stopping(self.id));
                self.end_transaction_waits(&Refusal::Stopping(self.id));
            }
        }
        self.pump(now);
    }

    /// Whether more captures are expected: what else is done must not keep them waiting.
    fn is_capturing(&self) -> bool {
        self.captured_at.is_some_and(|at| at.plus_ns(CAPTURES_EXPECTED_NS) > self.at)
    }

    fn observe_clock(&mut self, now: Now) {
        let was_suspended = self.clock.is_suspended();
        self.clock.observe(now);
        if self.clock.is_suspended() && !was_suspended {
            self.report(Report::ClockJumped { realtime: now.realtime });
        }
    }

    fn request(&mut self, id: RequestId, request: Request, now: Now) {
        if let Some(refusal) = self.refuses_everything() {
            return self.refuse(id, refusal);
        }
        match request {
            Request::CreateTopic { name, partition_count, settings, keys } => {
                self.create_topic(id, (&name, partition_count, settings, keys), now);
            }
            Request::AlterTopic { topic, change } => self.alter_topic(id, topic, &change, now),
            Request::DeleteTopic { topic } => self.delete_topic(id, topic, now),
            Request::Metadata => self.metadata(id),
            Request::InitProducer => self.init_producer(id),
            Request::Capture { partition, batch } => self.capture(id, partition, batch, now),
            Request::CaptureTogether { batches } => self.capture_together(id, batches, now),
            Request::Transaction(request) => self.transaction_request(id, request, now),
            Request::Group(request) => self.group_request(id, request, now),
            Request::Fetch { partition, from, bytes_max, wait_ns, isolation } => {
                self.fetch(id, partition, (from, isolation), bytes_max, wait_ns, now);
            }
            Request::ListOffset { partition, at } => self.list_offset(id, partition, at),
            Request::LookUpKey { partition, key } => self.look_up_key(id, partition, &key, now),
            Request::DescribePartitions { topic } => self.describe_partitions(id, topic),
            Request::Checkpoint if self.failed.is_some() => self.refuse(id, Refusal::ShardUnavailable(self.id)),
            Request::Checkpoint => self.ask_for_checkpoint(id, now),
            Request::ConfirmClock => self.confirm_clock(id, now),
        }
    }

    fn refuses_everything(&self) -> Option<Refusal> {
        if self.stopping || self.stopped {
            Some(Refusal::Stopping(self.id))
        } else if !self.epoch_started {
            let failed = self.failed.is_some();
            Some(if failed { Refusal::ShardUnavailable(self.id) } else { Refusal::Starting(self.id) })
        } else if self.requests_waiting() >= REQUESTS_WAITING_MAX {
            Some(Refusal::Busy(self.id))
        } else {
            None
        }
    }

    fn requests_waiting(&self) -> usize {
        let of_parts = self.cold.waiting_count() + self.keyed.waiting_count() + self.checkpointing.waiting_count();
        self.waiting_count + self.polls.len() + of_parts + self.transactions.waiting_count()
    }

    fn confirm_clock(&mut self, id: RequestId, now: Now) {
        let entry = Entry::Control(Control::ClockConfirmed { realtime: now.realtime });
        match self.journal.append(entry, Purpose::Capture) {
            Ok(appended) => {
                self.clock.confirm(now.realtime);
                self.answer_when_durable(id, appended.sequence, Reply::ClockConfirmed);
            }
            Err(error) => {
                let refusal = self.append_refusal(error);
                self.refuse(id, refusal);
            }
        }
    }

    fn tick(&mut self, now: Now) {
        self.end_due_polls(now);
        self.tick_catalogue(now);
        self.tick_retention(now);
        self.tick_transactions(now);
        if self.expire_at <= now.monotonic {
            self.expire_at = now.monotonic.plus_ns(PRODUCER_EXPIRY_INTERVAL_NS);
            self.expire_producers(now);
            self.expire_transactional_ids(now);
        }
        if self.idle_since.is_some_and(|since| since.plus_ns(JOURNAL_IDLE_NS) <= now.monotonic) {
            self.idle_since = None;
            // The superblock that closes the journal confirms all of it.
            if !self.last_checkpoint_tried {
                self.journal.append_confirmation();
            }
        }
    }

    /// Asks for the writes that the state now calls for.
    fn pump(&mut self, now: Now) {
        if self.failed.is_some() {
            if self.stopping {
                self.stop(false);
            }
            return;
        }
        // The superblock that closed the journal is the last write.
        if self.stopped {
            return;
        }
        self.forget_keys();
        self.begin_segment_work(now);
        self.begin_key_merge(now);
        let is_asked = self.checkpointing.is_asked() && self.segments.is_idle();
        if is_asked || self.wants_checkpoint(now) {
            self.begin_checkpoint();
        }
        if self.stopping && !self.journal.is_stopped() {
            self.close_when_quiet();
        }
        if self.failed.is_none()
            && let Some(superblock) = self.superblock.next_write(&mut self.journal)
        {
            self.effects.push(Effect::WriteSuperblock(superblock));
        }
    }

    /// What the driver must do, in order.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// The next block to encode and write, if one may be written now.
    pub fn ready_block(&self) -> Option<ReadyBlock> {
        self.journal.ready_block()
    }

    /// Whether a block waits to be written.
    pub fn has_forming_block(&self) -> bool {
        self.journal.has_forming_block()
    }

    /// Encodes the block that [`Shard::ready_block`] announced into a zeroed buffer of its size.
    pub fn encode_block(&mut self, out: &mut [u8]) -> BlockWrite {
        self.idle_since = None;
        self.journal.encode_block(out)
    }

    /// When [`Event::Tick`] is due.
    pub fn next_deadline(&self) -> Monotonic {
        let catalogue = match &self.coordinator {
            Some(coordinator) => coordinator.next_deadline(),
            None => Some(self.copies.next_deadline()),
        };
        let idle = self.idle_since.map(|since| since.plus_ns(JOURNAL_IDLE_NS));
        let due = [
            catalogue,
            idle,
            self.polls.next_deadline(),
            self.segments.next_deadline().filter(|_| self.failed.is_none()),
            self.keyed.merging.next_deadline().filter(|_| self.failed.is_none() && !self.stopping),
            Some(self.transactions.next_deadline()).filter(|_| self.has_transaction_ticks()),
        ];
        due.into_iter().flatten().fold(self.expire_at.min(self.retention_at), Monotonic::min)
    }

    /// The secret name of the shard's journal.
    pub(crate) fn journal_id(&self) -> Id128 {
        self.superblock.stored().name.journal_id
    }

    /// Sizes fixed at format.
    pub fn geometry(&self) -> Geometry {
        self.superblock.stored().geometry
    }
}

/// Producers that a manifest has room for, beside transactions and groups.
fn producer_count_max(geometry: Geometry) -> usize {
    let manifest_bytes = geometry.manifest_bytes;
    let others = manifest_bytes / TRANSACTION_MANIFEST_SHARE + manifest_bytes / GROUP_MANIFEST_SHARE;
    let count = (manifest_bytes / PRODUCER_MANIFEST_SHARE - others) / crate::producer::PRODUCER_BYTES_MAX as u64;
    usize::try_from(count).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
