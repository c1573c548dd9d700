//! What the executors of a server and its control thread have in common: state of shards, counters, the wish to stop.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crossbeam::queue::ArrayQueue;
use florin_engine::model::{Id128, ShardId};
use florin_engine::shard::{HeldBack, ShardStatus};

use crate::metrics::{ExecutorCounters, ShardCounters, StageHistograms, counted};
use crate::protocol::{ShardDescription, ShardState};
use crate::route::Doorbell;

/// What executors gave away and nobody took yet, per executor.
const MEASURED_MAX: usize = 4;

/// A shard as all threads see it.
#[derive(Debug, Default)]
pub struct SharedShard {
    state: AtomicU8,
    port: AtomicU16,
    problem: OnceLock<String>,
    /// What is counted.
    pub counters: ShardCounters,
}

/// An executor as all threads see it.
#[derive(Debug)]
pub struct SharedExecutor {
    /// What is counted.
    pub counters: ExecutorCounters,
    measured_wanted: AtomicBool,
    measured: ArrayQueue<Measured>,
}

/// What an executor tells when it is asked.
#[derive(Debug, Default)]
pub struct Measured {
    /// What was measured of each shard since it was asked last.
    pub histograms: Vec<(ShardId, StageHistograms)>,
    /// The partitions of each shard that have been held back for longest.
    pub held_back: Vec<(ShardId, HeldBack)>,
}

/// The server as all threads see it.
#[derive(Debug)]
pub struct ServerShared {
    /// Which directory is served.
    pub directory_id: Id128,
    /// The host that clients are told; empty for the one they know.
    pub advertise: String,
    /// The largest batch that is stored, in bytes; 0 before a shard is open.
    pub batch_bytes_max: AtomicUsize,
    /// The shards, in order.
    pub shards: Vec<SharedShard>,
    /// The executors, in order.
    pub executors: Vec<SharedExecutor>,
    doorbells: Arc<[Doorbell]>,
    stopping: AtomicBool,
    drained: AtomicUsize,
}

impl SharedShard {
    /// What it is doing.
    pub fn state(&self) -> ShardState {
        match self.state.load(Ordering::Acquire) {
            0 => ShardState::Starting,
            1 => ShardState::Serving,
            2 => ShardState::Failed,
            3 => ShardState::Stopping,
            _ => ShardState::NotOpen,
        }
    }

    /// Says what it is doing.
    pub fn set_state(&self, state: ShardState) {
        let number = match state {
            ShardState::Starting => 0,
            ShardState::Serving => 1,
            ShardState::Failed => 2,
            ShardState::Stopping => 3,
            ShardState::NotOpen => 4,
        };
        self.state.store(number, Ordering::Release);
    }

    /// Says why it failed or was refused; the first reason stays.
    pub fn set_problem(&self, problem: String) {
        let _ = self.problem.set(problem);
    }

    /// Why it failed or was refused; empty if it did not.
    pub fn problem(&self) -> &str {
        self.problem.get().map_or("", String::as_str)
    }

    /// Its port, 0 before it listens.
    pub fn port(&self) -> u16 {
        self.port.load(Ordering::Acquire)
    }

    /// Says where it listens.
    pub fn set_address(&self, address: SocketAddr) {
        self.port.store(address.port(), Ordering::Release);
    }

    /// Publishes its status.
    pub fn publish(&self, status: &ShardStatus) {
        let counters = &self.counters;
        counters.epoch.set(status.epoch.0);
        counters.durable_sequence.set(status.durable_sequence.0);
        counters.appended_sequence.set(status.appended_sequence.0);
        counters.partitions.set(counted(status.partition_count));
        counters.waiting.set(counted(status.waiting_count));
        counters.unused_files.set(counted(status.unused_ring_file_count));
        counters.held_bytes.set(counted(status.held_bytes));
        counters.clock_suspended.set(u64::from(status.clock_suspended));
        counters.held_bytes_max.set(counted(status.held_bytes_max));
        counters.segments.set(counted(status.segment_count));
        counters.stored_bytes.set(status.stored_bytes);
        counters.unsynced_bytes.set(status.unsynced_bytes);
        counters.disk_full.set(u64::from(status.disk_full));
        counters.manifest_full.set(u64::from(status.manifest_full));
        counters.manifest_run_bytes.set(status.manifest_run_bytes);
        counters.manifest_run_bytes_max.set(status.manifest_run_bytes_max);
        counters.journal_used_bytes.set(status.journal_used_bytes);
        counters.journal_ring_bytes.set(status.journal_bytes);
        counters.cold_reads.set(status.cold_read_count);
        counters.cold_waiting.set(counted(status.cold_waiting_count));
        counters.keys_recent.set(counted(status.keys_recent_count));
        counters.keys_cached_bytes.set(counted(status.keys_cached_bytes));
        counters.keys_reads.set(status.keys_read_count);
        counters.keys_waiting.set(counted(status.keys_waiting_count));
        counters.transactional_ids.set(counted(status.transactional_id_count));
        counters.unsettled_transactions.set(counted(status.unsettled_transaction_count));
        counters.open_transactions.set(counted(status.open_transaction_count));
        counters.groups.set(counted(status.group_count));
        counters.coordinator_waiting.set(counted(status.coordinator_waiting_count));
        if self.state() == ShardState::Starting && status.serving {
            self.set_state(ShardState::Serving);
        }
    }

    /// Everything that is told about it.
    pub fn describe(&self, shard: u16) -> ShardDescription {
        let counters = &self.counters;
        let small = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        ShardDescription {
            shard,
            state: self.state(),
            clock_suspended: counters.clock_suspended.get() != 0,
            port: self.port(),
            epoch: counters.epoch.get(),
            durable_sequence: counters.durable_sequence.get(),
            appended_sequence: counters.appended_sequence.get(),
            partition_count: small(counters.partitions.get()),
            connection_count: small(counters.connections.get()),
            waiting_count: small(counters.waiting.get()),
            unused_file_count: small(counters.unused_files.get()),
            held_bytes: counters.held_bytes.get(),
            captured_count: counters.captured.get(),
            disk_full: counters.disk_full.get() != 0,
            manifest_full: counters.manifest_full.get() != 0,
            held_bytes_max: counters.held_bytes_max.get(),
            segment_count: small(counters.segments.get()),
            stored_bytes: counters.stored_bytes.get(),
            unsynced_bytes: counters.unsynced_bytes.get(),
            journal_used_bytes: counters.journal_used_bytes.get(),
            journal_bytes: counters.journal_ring_bytes.get(),
            manifest_run_bytes: counters.manifest_run_bytes.get(),
            manifest_run_bytes_max: counters.manifest_run_bytes_max.get(),
            cold_read_count: counters.cold_reads.get(),
            cold_waiting_count: small(counters.cold_waiting.get()),
            keys_recent_count: counters.keys_recent.get(),
            keys_cached_bytes: counters.keys_cached_bytes.get(),
            keys_read_count: counters.keys_reads.get(),
            keys_waiting_count: small(counters.keys_waiting.get()),
            transactional_id_count: small(counters.transactional_ids.get()),
            unsettled_transaction_count: small(counters.unsettled_transactions.get()),
            open_transaction_count: small(counters.open_transactions.get()),
            group_count: small(counters.groups.get()),
            coordinator_waiting_count: small(counters.coordinator_waiting.get()),
            problem: self.problem().to_owned(),
        }
    }
}

impl SharedExecutor {
    fn new() -> Self {
        Self {
            counters: ExecutorCounters::default(),
            measured_wanted: AtomicBool::new(false),
            measured: ArrayQueue::new(MEASURED_MAX),
        }
    }

    /// Whether somebody waits for what was measured; asks once.
    pub fn take_wish(&self) -> bool {
        self.measured_wanted.swap(false, Ordering::AcqRel)
    }

    /// Gives away what was measured; if nobody took the last ones, the oldest are lost.
    pub fn give(&self, measured: Measured) {
        let _ = self.measured.force_push(measured);
    }

    /// What the executor gave away.
    pub fn take_measured(&self) -> Option<Measured> {
        self.measured.pop()
    }
}

impl ServerShared {
    /// A server that is about to start.
    pub fn new(directory_id: Id128, advertise: String, shard_count: u16, doorbells: Arc<[Doorbell]>) -> Self {
        Self {
            directory_id,
            advertise,
            batch_bytes_max: AtomicUsize::new(0),
            shards: (0..shard_count).map(|_| SharedShard::default()).collect(),
            executors: (0..doorbells.len()).map(|_| SharedExecutor::new()).collect(),
            doorbells,
            stopping: AtomicBool::new(false),
            drained: AtomicUsize::new(0),
        }
    }

    /// A shard.
    ///
    /// # Panics
    /// If the directory has no such shard.
    pub fn shard(&self, shard: ShardId) -> &SharedShard {
        &self.shards[usize::from(shard.0)]
    }

    /// Which executor has the shard: shards go around.
    pub fn executor_of(&self, shard: ShardId) -> usize {
        usize::from(shard.0) % self.executors.len()
    }

    /// Asks all executors to drain and end.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.doorbells.iter().for_each(Doorbell::ring);
    }

    /// Whether the server is to end.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Notes that an executor needs no other one any more.
    pub fn note_drained(&self) {
        self.drained.fetch_add(1, Ordering::AcqRel);
        self.doorbells.iter().for_each(Doorbell::ring);
    }

    /// Whether no executor needs another one any more.
    pub fn is_drained(&self) -> bool {
        self.drained.load(Ordering::Acquire) >= self.executors.len()
    }

    /// Asks every executor for what it measured; [`SharedExecutor::take_measured`] gives it soon.
    pub fn ask_for_measured(&self) {
        for (executor, doorbell) in self.executors.iter().zip(self.doorbells.iter()) {
            executor.measured_wanted.store(true, Ordering::Release);
            doorbell.ring();
        }
    }

    /// Whether every shard takes captures.
    pub fn is_ready(&self) -> bool {
        !self.is_stopping() && self.shards.iter().all(|shard| shard.state() == ShardState::Serving)
    }
}
