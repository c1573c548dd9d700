//! Blocks become durable, or a write fails: replies leave, and what they tell of becomes visible.

use super::request::{Effect, Event, Reply};
use super::{Record, Refusal, Shard};
use crate::io::DiskError;
use crate::marks::{self, Mark};
use crate::model::{Now, RequestId, Sequence};

impl Shard {
    /// Answers now: the answer depends on nothing that is not durable.
    pub(super) fn answer(&mut self, id: RequestId, reply: Reply) {
        self.effects.push(Effect::Reply { id, reply });
    }

    /// Refuses now.
    pub(super) fn refuse(&mut self, id: RequestId, refusal: Refusal) {
        self.answer(id, Reply::Refused(refusal));
    }

    /// Answers once the block `depends_on` is durable with all before it.
    pub(super) fn answer_when_durable(&mut self, id: RequestId, depends_on: Sequence, reply: Reply) {
        if depends_on <= self.journal.marks().durable() {
            return self.answer(id, reply);
        }
        if self.failed.is_some() {
            return self.refuse(id, Refusal::OutcomeUnknown(self.id));
        }
        self.waiting.entry(depends_on).or_default().push((id, reply));
        self.waiting_count += 1;
    }

    /// A block write ended.
    pub(super) fn block_written(&mut self, sequence: Sequence, result: Result<(), DiskError>, now: Now) {
        match result {
            Err(error) => self.fail(error),
            Ok(()) if self.failed.is_some() => {}
            Ok(()) => {
                let before = self.journal.marks().durable();
                let durable = self.journal.block_written(sequence);
                if durable > before {
                    self.advance_to(durable, now);
                }
            }
        }
    }

    /// Everything up to `durable` is on stable storage.
    fn advance_to(&mut self, durable: Sequence, now: Now) {
        let mut touched = Vec::new();
        while let Some((_, partition, offset)) = self.placed.pop_front_if(|(sequence, _, _)| *sequence <= durable) {
            if let Some(state) = self.partitions.get_mut(&partition) {
                state.make_durable(offset);
                touched.push(partition);
            }
        }
        while let Some((_, record)) = self.records.pop_front_if(|(sequence, _)| *sequence <= durable) {
            self.record_durable(&record, now);
        }
        self.release(durable);
        self.tell_durable(durable);
        touched.sort_unstable();
        touched.dedup();
        for partition in touched {
            self.wake_polls(partition);
        }
        self.journal.ack(durable);
        self.epoch_started |= durable >= self.journal.start().epoch_first_sequence;
        self.idle_since = self.journal.wants_confirmation().then_some(now.monotonic);
        self.continue_checkpoint();
    }

    /// Lets every reply go that depends on nothing later than `durable`.
    fn release(&mut self, durable: Sequence) {
        let later = self.waiting.split_off(&durable.next());
        let ready = std::mem::replace(&mut self.waiting, later);
        for (id, reply) in ready.into_values().flatten() {
            self.waiting_count -= 1;
            self.answer(id, reply);
        }
    }

    /// A journal, superblock or repeated manifest write failed: nothing is acked any more. Whoever waits for
    /// something that is not durable learns that its outcome is unknown; durable data is still served.
    pub(super) fn fail(&mut self, error: DiskError) {
        if self.failed.is_some() {
            return;
        }
        marks::hit(Mark::ShardFailed);
        self.failed = Some(error.clone());
        self.journal.stop();
        for (id, _) in std::mem::take(&mut self.waiting).into_values().flatten() {
            self.answer(id, Reply::Refused(Refusal::OutcomeUnknown(self.id)));
        }
        self.waiting_count = 0;
        for id in self.checkpointing.waiting() {
            self.answer(id, Reply::Refused(Refusal::OutcomeUnknown(self.id)));
        }
        self.end_keyed_waits(&Refusal::ShardUnavailable(self.id));
        self.end_transaction_waits(&Refusal::ShardUnavailable(self.id));
        self.end_catalogue_changes();
        self.effects.push(Effect::Failed(error));
    }

    /// The superblock write that was under way ended.
    pub(super) fn superblock_written(&mut self, result: Result<(), DiskError>) {
        match result {
            Err(error) => self.fail(error),
            Ok(()) if self.failed.is_some() => {}
            Ok(()) => {
                let settled = self.superblock.written(&mut self.journal);
                if settled.manifest_named {
                    self.manifest_named();
                }
                if settled.closed {
                    self.stop(true);
                }
            }
        }
    }

    /// Ends the shard.
    pub(super) fn stop(&mut self, clean: bool) {
        if !self.stopped {
            self.stopped = true;
            self.end_cold_waits();
            self.end_keyed_waits(&Refusal::Stopping(self.id));
            self.end_transaction_waits(&Refusal::Stopping(self.id));
            self.effects.push(Effect::Stopped { clean });
        }
    }

    /// An owner's or shard 0's record is durable.
    fn record_durable(&mut self, record: &Record, now: Now) {
        match record {
            Record::Catalogue(record) => {
                if let Some(mut coordinator) = self.coordinator.take() {
                    let actions = coordinator.record_durable(record, now.monotonic);
                    self.coordinator = Some(coordinator);
                    self.carry_out(actions);
                }
            }
            Record::Owned(record) => {
                let message = self.owned.record_durable(record);
                self.drop_closed_partitions(record.topic());
                self.effects.push(Effect::Send { to: crate::catalogue::COORDINATOR, message: message.into() });
            }
        }
    }

    /// Whether the event comes too late: a stopped shard still refuses requests, and does nothing else.
    pub(super) fn is_over(&self, event: &Event) -> bool {
        self.stopped && !matches!(event, Event::Request { .. })
    }
}
