//! Ends of the server, and the starts that follow.

use rand::Rng;

use super::checkers::{Checked, healthy_opens};
use super::cluster::Cluster;
use super::run::{World, start};

/// Starts that may fail in a row while disk faults strike.
const START_TRIES_MAX: u32 = 8;
/// Events of a start that another crash follows, at most.
const START_EVENTS_MAX: u64 = 120;

impl World {
    /// Ends the process here, and starts another one.
    pub(super) fn crash(&mut self, power: bool) -> Checked {
        self.take_seen()?;
        self.end_process(power);
        self.start_again()
    }

    /// The power goes, and the disk is sound and has room from now on.
    pub(super) fn lose_power(&mut self) -> Checked {
        self.take_seen()?;
        self.end_process(true);
        self.device.disarm();
        self.device.set_capacity_bytes(None);
        Ok(())
    }

    fn end_process(&mut self, power: bool) {
        self.note(|| if power { "the power goes".to_owned() } else { "the process is killed".to_owned() });
        self.executor.crash_process(self.cluster.process());
        if power {
            self.summary.power_loss_count += 1;
            self.device.power_loss(&mut self.crash);
        } else {
            self.summary.kill_count += 1;
            self.device.kill(&mut self.crash);
        }
        self.lose_requests();
    }

    /// Closes in order and starts again.
    pub(super) fn close_and_start(&mut self) -> Checked {
        self.close()?;
        self.start_again()
    }

    /// Closes in order.
    pub(super) fn close(&mut self) -> Checked {
        self.summary.restart_count += 1;
        self.cluster.shutdown();
        self.wait_for_close()?;
        self.is_quiet()?;
        self.executor.crash_process(self.cluster.process());
        self.device.kill(&mut self.crash);
        self.lose_requests();
        self.verifies()
    }

    /// Starts a server, whatever comes of it.
    pub(super) fn start(&mut self) {
        self.incarnation += 1;
        let _ = self.device.take_struck();
        self.faulty = false;
        self.struck.clear();
        self.watched.clear();
        self.failed_before.clear();
        self.cluster = start(&self.executor, &self.device, &self.plan, self.incarnation, &self.message_counts);
    }

    /// Starts a server, and another one if this one ends before it is up; checks everything that is known.
    pub(super) fn start_again(&mut self) -> Checked {
        self.start();
        if self.random.random_bool(0.15) {
            let events = self.random.random_range(0..START_EVENTS_MAX);
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
                return self.read_back();
            };
            self.note(|| format!("shard {shard} is refused: {error}"));
            self.note_struck();
            self.may_be_refused(shard, &error)?;
            self.summary.refused_start_count += 1;
            self.device.disarm();
            self.executor.crash_process(self.cluster.process());
            self.device.kill(&mut self.crash);
            self.start();
        }
        healthy_opens::never_opens()
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
