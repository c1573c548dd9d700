//! Carries out what a shard asks for: the same code in production and in simulation.
//!
//! There is no loop: every event is handled to its end, the effects are carried out, and each write is a task of its
//! own that comes back with an event. A task is never cancelled, so a write is always either reported or lost with
//! the process.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use super::Shard;
use super::message::ShardMessage;
use super::open::{Opened, ShardFiles};
use super::report::Report;
use super::request::{CutReport, Effect, Event, ManifestWrite, Reply, Request, ShardStatus};
use super::rest::{self, RestPlan};
use super::status::HeldBack;
use crate::catalogue::TopicDescriptor;
use crate::checkpoint::slot;
use crate::format::layout::{Copy, Geometry};
use crate::format::superblock::Superblock;
use crate::io::{DiskError, DiskFile, Runtime};
use crate::limits::{COLD_REST_FACTOR, COLD_REST_NS_MAX};
use crate::model::{Id128, Monotonic, PartitionId, RequestId, SegmentId, ShardId, TopicId};
use crate::segment;
use crate::segment::merge::MergePlan;
use crate::segment::read::ReadPlan;
use crate::segment::write::Writing;

/// A journal block that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockReport {
    /// Entries in it: 0 for one that only confirms.
    pub entry_count: usize,
    /// Its size on disk.
    pub bytes: usize,
    /// How long its first entry waited until the write began, in nanoseconds.
    pub queued_ns: u64,
    /// How long the write took, in nanoseconds.
    pub write_ns: u64,
}

/// Where a shard's answers and messages go.
pub trait Outlet: 'static {
    /// The answer to a request. Called once for each.
    fn reply(&self, id: RequestId, reply: Reply);

    /// A message to another shard. May be dropped: it is sent again.
    fn send(&self, from: ShardId, to: ShardId, message: ShardMessage);

    /// A block is on stable storage; the answers that depend on it follow. For measurements.
    fn block_written(&self, shard: ShardId, report: &BlockReport) {
        let _ = (shard, report);
    }

    /// Retention cut the front of a partition, durably. For whoever keeps account.
    fn cut(&self, shard: ShardId, report: &CutReport) {
        let _ = (shard, report);
    }

    /// A segment file that nobody needs could not be removed; the next start does.
    fn segment_stays(&self, shard: ShardId, error: &DiskError) {
        let _ = (shard, error);
    }

    /// Something that an operator should hear of although the shard goes on.
    fn report(&self, shard: ShardId, report: &Report) {
        let _ = (shard, report);
    }

    /// A write failed: the shard takes nothing new until it is restarted.
    fn failed(&self, shard: ShardId, error: &DiskError);

    /// The shard is closed, and none of its writes is under way: its directory may be opened again.
    fn stopped(&self, shard: ShardId, clean: bool);
}

mod keys;

/// A running shard. Clones share it; all of them live on one executor.
pub struct ShardDriver<R: Runtime, O: Outlet> {
    inner: Rc<Inner<R, O>>,
}

impl<R: Runtime, O: Outlet> Clone for ShardDriver<R, O> {
    fn clone(&self) -> Self {
        Self { inner: Rc::clone(&self.inner) }
    }
}

struct Inner<R: Runtime, O: Outlet> {
    runtime: R,
    outlet: O,
    shard: RefCell<Shard>,
    id: ShardId,
    geometry: Geometry,
    journal_id: Id128,
    segment_unsynced_bytes: usize,
    /// Bytes of segment files that are not synced now.
    unsynced_bytes: Cell<usize>,
    files: ShardFiles<R::Disk>,
    /// Deadlines that sleeping tasks will wake for.
    armed: RefCell<BTreeSet<Monotonic>>,
    stopped: Cell<bool>,
    /// What takes long and nobody waits for is given up.
    must_stop: Cell<bool>,
    /// When the first entry of the block that waits to be written was placed.
    forming_since: Cell<Option<Monotonic>>,
    /// Writes that were begun and have not come back.
    writing_count: Cell<usize>,
    /// The shard is closed, in order or not; told when the last write is back.
    to_tell: Cell<Option<bool>>,
}

impl<R: Runtime, O: Outlet> Inner<R, O> {
    /// Whose segment files are written, and how.
    fn writing(&self) -> Writing<'_> {
        Writing {
            directory: &self.files.directory,
            journal_id: self.journal_id,
            shard: self.id,
            unsynced_bytes_max: self.segment_unsynced_bytes,
            unsynced_bytes: &self.unsynced_bytes,
        }
    }
}

impl<R: Runtime, O: Outlet> ShardDriver<R, O> {
    /// Starts an opened shard: its epoch's first block is written at once.
    pub fn start(runtime: R, opened: Opened<R::Disk>, outlet: O) -> Self {
        let Opened { shard, files, report, segment_unsynced_bytes } = opened;
        let inner = Inner {
            runtime,
            outlet,
            geometry: shard.geometry(),
            journal_id: shard.journal_id(),
            segment_unsynced_bytes,
            unsynced_bytes: Cell::new(0),
            shard: RefCell::new(shard),
            id: report.shard,
            files,
            armed: RefCell::default(),
            stopped: Cell::new(false),
            must_stop: Cell::new(false),
            forming_since: Cell::new(None),
            writing_count: Cell::new(0),
            to_tell: Cell::new(None),
        };
        let driver = Self { inner: Rc::new(inner) };
        driver.carry_out(driver.inner.runtime.monotonic());
        driver
    }

    /// Hands a request to the shard; the answer comes through the outlet.
    pub fn submit(&self, id: RequestId, request: Request) {
        self.handle(Event::Request { id, request });
    }

    /// Says that nobody waits for a request any more; it is answered all the same, one that waits for data at once.
    pub fn cancel(&self, id: RequestId) {
        self.handle(Event::Cancel { id });
    }

    /// The shard that has a partition, as far as this one knows.
    pub fn owner(&self, partition: PartitionId) -> Option<ShardId> {
        self.inner.shard.borrow().owner(partition)
    }

    /// A topic, as far as this shard knows.
    pub fn topic(&self, topic: TopicId) -> Option<TopicDescriptor> {
        self.inner.shard.borrow().topic(topic).cloned()
    }

    /// Hands a message to the shard.
    pub fn deliver(&self, from: ShardId, message: ShardMessage) {
        self.handle(Event::Message { from, message });
    }

    /// Takes nothing new, finishes what is under way, and closes; [`Outlet::stopped`] says when.
    pub fn shutdown(&self) {
        self.inner.must_stop.set(true);
        self.handle(Event::Shutdown);
    }

    /// The partitions that have been held back for longest, at most so many, the longest first.
    pub fn held_back(&self, count_max: usize) -> Vec<HeldBack> {
        self.inner.shard.borrow().held_back(count_max)
    }

    /// How the shard is doing.
    pub fn status(&self) -> ShardStatus {
        let unsynced_bytes = self.inner.unsynced_bytes.get() as u64;
        ShardStatus { unsynced_bytes, ..self.inner.shard.borrow().status() }
    }

    fn handle(&self, event: Event) {
        let now = self.inner.runtime.now();
        self.inner.shard.borrow_mut().handle(event, now);
        self.carry_out(now.monotonic);
    }

    /// Starts the writes that are ready, carries out the effects, and sees to the next deadline. The shard is
    /// borrowed only while it is asked: whoever gets an answer may hand in the next request at once.
    fn carry_out(&self, now: Monotonic) {
        self.write_ready_blocks(now);
        loop {
            let effects = self.inner.shard.borrow_mut().take_effects();
            if effects.is_empty() {
                break;
            }
            for effect in effects {
                self.carry_out_one(effect);
            }
            self.write_ready_blocks(now);
        }
        self.arm();
    }

    fn carry_out_one(&self, effect: Effect) {
        let inner = &self.inner;
        match effect {
            Effect::Reply { id, reply } => inner.outlet.reply(id, reply),
            Effect::Send { to, message } if to == inner.id => {
                let driver = self.clone();
                let from = inner.id;
                inner.runtime.spawn(async move { driver.deliver(from, message) });
            }
            Effect::Send { to, message } => inner.outlet.send(inner.id, to, message),
            Effect::WriteSuperblock(superblock) => self.write_superblock(superblock),
            Effect::WriteManifest(write) => self.write_manifest(write),
            Effect::WriteSegments(plan) => self.write_segments(plan),
            Effect::MergeSegments(plan) => self.merge_segments(plan),
            Effect::ReadSegment { read, plan } => self.read_segment(read, plan),
            Effect::DeriveKeys(derive) => self.derive_keys(*derive),
            Effect::ReadKeys(read) => self.read_keys(read),
            Effect::MergeKeys(plan) => self.merge_keys(plan),
            Effect::RemoveSegments(segments) => self.remove_segments(segments),
            Effect::Cut(report) => inner.outlet.cut(inner.id, &report),
            Effect::Report(report) => inner.outlet.report(inner.id, &report),
            Effect::Failed(error) => inner.outlet.failed(inner.id, &error),
            Effect::Stopped { clean } => {
                inner.stopped.set(true);
                inner.to_tell.set(Some(clean));
                self.tell_when_quiet();
            }
        }
    }

    fn write_ready_blocks(&self, now: Monotonic) {
        loop {
            let mut shard = self.inner.shard.borrow_mut();
            if shard.has_forming_block() && self.inner.forming_since.get().is_none() {
                self.inner.forming_since.set(Some(now));
            }
            let Some(ready) = shard.ready_block() else { break };
            let file = self.inner.files.ring[usize::from(ready.place.file.0)].clone();
            let mut buffer = file.allocate(ready.bytes);
            let write = shard.encode_block(&mut buffer);
            drop(shard);
            let since = self.inner.forming_since.take().unwrap_or(now);
            let driver = self.begin_write();
            self.inner.runtime.spawn(async move {
                let begun = driver.inner.runtime.monotonic();
                let result = file.write_durable(buffer, write.place.position).await.result;
                if result.is_ok() {
                    let ended = driver.inner.runtime.monotonic();
                    driver.inner.outlet.block_written(
                        driver.inner.id,
                        &BlockReport {
                            entry_count: write.entry_count,
                            bytes: write.bytes,
                            queued_ns: begun.0.saturating_sub(since.0),
                            write_ns: ended.0.saturating_sub(begun.0),
                        },
                    );
                }
                driver.end_write(Event::BlockWritten { sequence: write.sequence, result });
            });
        }
    }

    fn begin_write(&self) -> Self {
        self.inner.writing_count.set(self.inner.writing_count.get() + 1);
        self.clone()
    }

    /// A write is back: the shard hears of it, and whoever waits for the end if it was the last.
    fn end_write(&self, event: Event) {
        self.inner.writing_count.set(self.inner.writing_count.get() - 1);
        self.handle(event);
        self.tell_when_quiet();
    }

    /// A task is over that the shard need not hear of.
    fn end_task(&self) {
        self.inner.writing_count.set(self.inner.writing_count.get() - 1);
        self.tell_when_quiet();
    }

    /// A closed shard counts as closed when no write of it can land any more: then its files may be opened again.
    fn tell_when_quiet(&self) {
        if self.inner.writing_count.get() == 0
            && let Some(clean) = self.inner.to_tell.take()
        {
            self.inner.outlet.stopped(self.inner.id, clean);
        }
    }

    fn write_superblock(&self, superblock: Superblock) {
        let driver = self.begin_write();
        self.inner.runtime.spawn(async move {
            let result = driver.inner.files.superblocks.write(&superblock, Copy::A).await;
            driver.end_write(Event::SuperblockWritten(result));
        });
    }

    fn write_manifest(&self, write: ManifestWrite) {
        let driver = self.begin_write();
        self.inner.runtime.spawn(async move {
            let inner = &driver.inner;
            let disk = inner.runtime.disk();
            let directory = &inner.files.directory;
            let result = slot::write(disk, directory, inner.geometry, write.slot, &write.manifest).await;
            driver.end_write(Event::ManifestWritten(result));
        });
    }

    fn write_segments(&self, plan: Rc<RestPlan>) {
        let driver = self.begin_write();
        self.inner.runtime.spawn(async move {
            let inner = &driver.inner;
            let written = rest::write(&inner.runtime, inner.writing(), &plan).await;
            driver.end_write(Event::SegmentsWritten(written));
        });
    }

    fn merge_segments(&self, plan: Rc<MergePlan>) {
        let driver = self.begin_write();
        self.inner.runtime.spawn(async move {
            let inner = &driver.inner;
            let merged = segment::merge::merge(&inner.runtime, inner.writing(), &plan).await;
            driver.end_write(Event::SegmentsMerged(merged));
        });
    }

    fn read_segment(&self, read: u64, plan: ReadPlan) {
        let driver = self.begin_write();
        self.inner.runtime.spawn(async move {
            let runtime = &driver.inner.runtime;
            let piece_begun = Cell::new(None);
            let rest = async || {
                if let Some(Monotonic(begun)) = piece_begun.get() {
                    let took_ns = runtime.monotonic().0.saturating_sub(begun);
                    runtime.sleep(took_ns.saturating_mul(COLD_REST_FACTOR).min(COLD_REST_NS_MAX)).await;
                }
                piece_begun.set(Some(runtime.monotonic()));
            };
            let done = segment::read::read(runtime.disk(), &driver.inner.files.directory, &plan, &rest).await;
            driver.end_write(Event::SegmentRead { read, done });
        });
    }

    fn remove_segments(&self, segments: Vec<SegmentId>) {
        let driver = self.begin_write();
        self.inner.runtime.spawn(async move {
            let inner = &driver.inner;
            let errors = segment::remove::remove(inner.runtime.disk(), &inner.files.directory, &segments).await;
            errors.iter().for_each(|error| inner.outlet.segment_stays(inner.id, error));
            driver.end_task();
        });
    }

    /// Sees to it that a task wakes at the next deadline, or earlier. A sleeping task keeps nothing alive.
    fn arm(&self) {
        let next = self.inner.shard.borrow().next_deadline();
        let mut armed = self.inner.armed.borrow_mut();
        if self.inner.stopped.get() || armed.first().is_some_and(|first| *first <= next) {
            return;
        }
        armed.insert(next);
        drop(armed);
        let (runtime, inner) = (self.inner.runtime.clone(), Rc::downgrade(&self.inner));
        self.inner.runtime.spawn(async move {
            let now = runtime.monotonic();
            runtime.sleep(next.0.saturating_sub(now.0)).await;
            if let Some(inner) = inner.upgrade() {
                inner.armed.borrow_mut().remove(&next);
                if !inner.stopped.get() {
                    Self { inner }.handle(Event::Tick);
                }
            }
        });
    }
}
