//! What goes wrong in a world: crashes, disk faults, a wall clock that jumps; and the starts that follow.

use florin_engine::io::DiskOperation;
use florin_engine::model::ShardId;
use florin_engine::shard::open::OpenError;
use rand::Rng;

use super::cluster::Cluster;
use super::model::{Checked, violation};
use super::run::{PATIENCE_NS, World, start};
use crate::sim::{Fault, Injection};

/// Virtual time in which any disk operation ends.
const WRITE_PATIENCE_NS: u64 = 250_000_000;
/// Starts that may fail in a row while disk faults strike.
const START_TRIES_MAX: u32 = 8;

impl World {
    /// The wall clock jumps by hours, or by days while the server is down; producers that may have expired meanwhile
    /// are not used any more.
    pub(super) fn jump_clock(&mut self) {
        const HOUR_NS: i64 = 3_600 * 1_000_000_000;
        let hours = [-2, 2, 30, 24 * 8][self.random.random_range(0..4)];
        if hours > 24 * 7 {
            self.producers.iter_mut().for_each(|producer| producer.retired = true);
        }
        self.skew_ns += hours * HOUR_NS;
        self.executor.set_realtime_skew_ns(self.skew_ns);
    }

    /// Makes the next disk operation of some kind on some file fail.
    pub(super) fn inject_fault(&mut self) {
        let shard = ShardId(self.faults.random_range(0..self.plan.shard_count));
        let files = ["journal", "journal", "journal", "superblock", "manifest", "segment", "segment"];
        let file = files[self.faults.random_range(0..files.len())];
        let path = format!("shard-{shard}/{file}");
        let fault = [Fault::Fail, Fault::Fail, Fault::NoSpace, Fault::Short][self.faults.random_range(0..4)];
        let operation = [
            DiskOperation::Write,
            DiskOperation::Write,
            DiskOperation::Write,
            DiskOperation::Sync,
            DiskOperation::Read,
        ][self.faults.random_range(0..5)];
        let fault = if operation == DiskOperation::Write { fault } else { Fault::Fail };
        let skip_count = self.faults.random_range(0..4);
        self.faulty = true;
        if operation == DiskOperation::Write && !matches!(file, "manifest" | "segment") {
            self.watched.push((shard, path.clone()));
        }
        self.device.inject(Injection { operation, path_contains: path, skip_count, fault });
    }

    /// The disk has no room for more than a few units, or as much as anybody wants.
    pub(super) fn change_disk_space(&mut self) {
        const UNIT: u64 = 4096;
        let spare = [None, Some(0), Some(4 * UNIT), Some(40 * UNIT)][self.faults.random_range(0..4)];
        self.device.set_capacity_bytes(spare.map(|spare| self.device.used_bytes() + spare));
    }

    /// A journal or superblock write that failed must have stopped its shard.
    pub(super) fn check_failed_writes(&mut self) -> Checked {
        if self.watched.is_empty() {
            return Ok(());
        }
        let armed = self.device.disarm();
        let is_armed = |path: &str| armed.iter().any(|injection| injection.path_contains == path);
        let (waiting, struck): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.watched).into_iter().partition(|(_, path)| is_armed(path));
        self.watched = waiting;
        armed.into_iter().for_each(|injection| self.device.inject(injection));
        for (shard, path) in struck {
            let _ = self.executor.run_for(WRITE_PATIENCE_NS);
            self.take_seen()?;
            let status = self.cluster.statuses().into_iter().find(|status| status.shard == shard);
            if status.is_some_and(|status| status.failed.is_none()) {
                return violation(
                    "a failed write ends acks",
                    format!("shard {shard} goes on after a failed write on {path}"),
                );
            }
        }
        Ok(())
    }

    /// Ends the process here, and starts another one.
    pub(super) fn crash(&mut self, power: bool) -> Checked {
        self.take_seen()?;
        self.executor.crash_process(self.cluster.process());
        if power {
            self.summary.power_loss_count += 1;
            self.device.power_loss(&mut self.crash);
        } else {
            self.summary.kill_count += 1;
            self.device.kill(&mut self.crash);
        }
        self.lose_requests();
        self.start_again()
    }

    /// Closes in order and starts again; what was acknowledged or not must not change.
    pub(super) fn close_and_start(&mut self) -> Checked {
        self.summary.restart_count += 1;
        self.cluster.shutdown();
        let shards = self.cluster.statuses().len();
        let mut stopped = 0;
        let deadline = self.executor.handle().now_ns() + PATIENCE_NS;
        while stopped < shards {
            let cluster = &self.cluster;
            let handle = self.executor.handle();
            let _ = self.executor.run_until(|| cluster.has_seen() || handle.now_ns() > deadline);
            if self.executor.handle().now_ns() > deadline {
                return violation("progress", format!("{} of {shards} shards did not close", shards - stopped));
            }
            stopped += self.take_seen()?;
        }
        let in_flight = self.device.in_flight_write_count();
        if in_flight > 0 {
            return violation("closed is quiet", format!("{in_flight} writes are under way after every shard closed"));
        }
        self.executor.crash_process(self.cluster.process());
        self.device.kill(&mut self.crash);
        self.lose_requests();
        self.start_again()
    }

    pub(super) fn start_again(&mut self) -> Checked {
        self.incarnation += 1;
        self.watched.clear();
        self.failed_before.clear();
        self.cluster = start(&self.executor, &self.device, &self.plan, self.incarnation);
        if self.random.random_bool(0.15) {
            let events = self.random.random_range(0..120);
            let _ = self.executor.run_until_event(self.executor.event_count() + events);
            return self.crash(self.plan.seed.is_multiple_of(2));
        }
        self.settle_start()
    }

    /// Waits until every shard serves, and checks everything that is known.
    pub(super) fn settle_start(&mut self) -> Checked {
        for _ in 0..START_TRIES_MAX {
            self.wait(|cluster| cluster.is_settled(), "shards did not open")?;
            let Some((shard, error)) = self.cluster.refusal() else {
                self.wait(Cluster::is_serving, "shards do not serve")?;
                self.summary.cut_count +=
                    self.cluster.reports().iter().filter(|report| !report.cuts.is_empty()).count() as u64;
                return self.verify();
            };
            let struck = self.faulty && !matches!(error, OpenError::Identity { .. });
            if !struck {
                return violation("healthy directory opens", format!("shard {shard} was refused: {error}"));
            }
            self.summary.refused_start_count += 1;
            self.faulty = false;
            self.device.disarm();
            self.executor.crash_process(self.cluster.process());
            self.device.kill(&mut self.crash);
            self.incarnation += 1;
            self.cluster = start(&self.executor, &self.device, &self.plan, self.incarnation);
        }
        violation("healthy directory opens", "too many failed starts".to_owned())
    }

    /// A shard that failed is restarted after a while, as an operator would.
    pub(super) fn restart_if_failed(&mut self) -> Checked {
        let failed = self.cluster.statuses().iter().any(|status| status.failed.is_some());
        if !failed || self.random.random_bool(0.8) {
            return Ok(());
        }
        if self.random.random_bool(0.5) {
            return self.close_and_start();
        }
        let power = self.random.random_bool(0.5);
        self.crash(power)
    }
}
