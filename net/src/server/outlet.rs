//! Where the answers and messages of a shard go.

use std::rc::Rc;

use florin_engine::io::DiskError;
use florin_engine::model::{RequestId, ShardId};
use florin_engine::shard::driver::{BlockReport, Outlet};
use florin_engine::shard::{CutReport, Refusal, Reply, Report, ShardMessage};

use super::core::Core;
use super::reports::ShardLog;
use crate::io::Network;
use crate::metrics::{ShardCounters, counted, record};
use crate::protocol::ShardState;
use crate::route::Message;

/// The outlet of one shard of an executor.
pub struct CoreOutlet<N: Network> {
    core: Rc<Core<N>>,
    shard: ShardId,
    log: ShardLog,
}

impl<N: Network> CoreOutlet<N> {
    /// The outlet of a shard.
    pub fn new(core: Rc<Core<N>>, shard: ShardId) -> Self {
        Self { core, shard, log: ShardLog::default() }
    }

    fn counters(&self) -> &ShardCounters {
        &self.core.shared.shard(self.shard).counters
    }
}

impl<N: Network> Outlet for CoreOutlet<N> {
    fn reply(&self, id: RequestId, reply: Reply) {
        let counters = self.counters();
        match &reply {
            Reply::Captured { duplicate: false, .. } => counters.captured.add(1),
            Reply::Captured { duplicate: true, .. } => counters.duplicates.add(1),
            Reply::CapturedTogether { receipts, duplicate: false } => counters.captured.add(counted(receipts.len())),
            Reply::CapturedTogether { receipts, duplicate: true } => counters.duplicates.add(counted(receipts.len())),
            Reply::Refused(Refusal::OutcomeUnknown(_)) => counters.outcome_unknown.add(1),
            Reply::Refused(refusal) => {
                counters.refused.add(1);
                if let Refusal::JournalFull(shard) = refusal {
                    self.log.journal_full(*shard, counters, self.core.network.monotonic());
                }
            }
            Reply::Fetched(fetched) => {
                let bytes = fetched.batches.iter().map(|batch| batch.bytes.len()).sum();
                counters.fetched.add(counted(fetched.batches.len()));
                counters.fetched_bytes.add(counted(bytes));
            }
            _ => {}
        }
        self.core.answered(id, reply);
    }

    fn send(&self, from: ShardId, to: ShardId, message: ShardMessage) {
        let executor = self.core.shared.executor_of(to);
        if executor != self.core.mesh.executor() {
            if !self.core.mesh.send(executor, Message { from, to, message }) {
                self.core.counters().messages_dropped.add(1);
            }
        } else if let Some(driver) = self.core.driver(to) {
            // Not from within the sender's own turn: two shards of one executor could call each other without end.
            self.core.network.spawn(async move { driver.deliver(from, message) });
        }
    }

    fn block_written(&self, shard: ShardId, report: &BlockReport) {
        if report.entry_count > 0 {
            self.core.bulk.captured(self.core.network.monotonic());
        }
        let counters = &self.core.shared.shard(shard).counters;
        counters.blocks.add(1);
        counters.block_bytes.add(counted(report.bytes));
        counters.block_entries.add(counted(report.entry_count));
        self.core.measure(shard, |stages| {
            if report.entry_count > 0 {
                record(&mut stages.queue, report.queued_ns);
            }
            record(&mut stages.write, report.write_ns);
        });
    }

    fn cut(&self, shard: ShardId, report: &CutReport) {
        self.log.cut(shard, report, self.counters(), self.core.network.monotonic());
    }

    fn segment_stays(&self, shard: ShardId, error: &DiskError) {
        self.log.segment_stays(shard, error, self.counters(), self.core.network.monotonic());
    }

    fn report(&self, shard: ShardId, report: &Report) {
        self.log.report(shard, report, self.counters(), self.core.network.monotonic());
    }

    fn failed(&self, shard: ShardId, error: &DiskError) {
        tracing::error!(%shard, %error, "a write failed: the shard takes nothing new until it is restarted");
        let shared = self.core.shared.shard(shard);
        shared.set_problem(error.to_string());
        shared.set_state(ShardState::Failed);
    }

    fn stopped(&self, shard: ShardId, clean: bool) {
        tracing::info!(%shard, clean, "shard closed");
        self.core.stopped_count.set(self.core.stopped_count.get() + 1);
        self.core.shared.shard(shard).set_state(ShardState::Stopping);
    }
}
