//! What the clients ask, and what they make of the answers.

use std::hash::{Hash, Hasher};

use florin_engine::model::{Offset, PartitionId, ProducerEpoch, ProducerId, Realtime, RequestId, ShardId};
use florin_engine::producer::ProducerError;
use florin_engine::shard::{FetchFrom, OffsetAt, Refusal, Reply, Request};
use rand::Rng;

use super::clients::{PIPELINE_MAX, Producer, Standing, batch};
use super::model::TopicFacts;
use super::model::{Checked, SentBatch, violation};
use super::plan::Operation;
use super::run::{Asked, Expect, World};

impl World {
    /// Does one operation of a client.
    pub(super) fn ask(&mut self, operation: Operation) {
        match operation {
            Operation::Capture => self.capture(),
            Operation::Produce => self.produce(),
            Operation::Retry => self.retry(),
            Operation::Conflict | Operation::Gap | Operation::StaleEpoch => self.produce_wrongly(operation),
            Operation::InitProducer => self.init_producer(),
            Operation::Fetch => self.fetch(),
            Operation::FetchByTime => self.fetch_by_time(),
            Operation::ListEnd => self.list_end(),
            Operation::Misroute => self.misroute(),
            Operation::CreateTopic => self.create_topic(),
            Operation::DeleteTopic => self.delete_topic(),
            Operation::AlterTopic => self.alter_topic(),
            Operation::Metadata => {
                let shard = ShardId(self.random.random_range(0..self.plan.shard_count));
                self.submit(shard, Asked::Metadata { shard }, Request::Metadata);
            }
            Operation::Checkpoint => {
                let shard = ShardId(self.random.random_range(0..self.plan.shard_count));
                let confirms = self.random.random_bool(0.2);
                self.submit(shard, Asked::Other, if confirms { Request::ConfirmClock } else { Request::Checkpoint });
            }
            Operation::Wait
            | Operation::DiskFault
            | Operation::DiskSpace
            | Operation::Damage
            | Operation::ClockJump
            | Operation::Restart
            | Operation::Kill
            | Operation::PowerLoss => unreachable!("not an operation of a client"),
        }
    }

    fn any_partition(&mut self) -> Option<(PartitionId, ShardId)> {
        let live: Vec<_> = self.model.topics.values().filter(|topic| !topic.deleted).collect();
        if live.is_empty() {
            return None;
        }
        let topic = live[self.random.random_range(0..live.len())];
        let index = self.random.random_range(0..topic.descriptor.partition_count());
        let owner = topic.descriptor.shard_of(index).expect("the index was drawn below the count");
        Some((PartitionId { topic: topic.descriptor.id(), index }, owner))
    }

    pub(super) fn owner(&self, partition: PartitionId) -> Option<ShardId> {
        self.model.topics.get(&partition.topic)?.descriptor.shard_of(partition.index)
    }

    fn new_batch(
        &mut self,
        partition: PartitionId,
        stamp: Option<(ProducerId, ProducerEpoch, u32)>,
        expect: Expect,
    ) -> (u64, u32) {
        let serial = self.next_serial;
        self.next_serial += 1;
        let record_count = self.random.random_range(1..=4);
        let bytes = batch(serial, record_count, self.plan.value_bytes_max, stamp, &mut self.random);
        let stamp = stamp
            .map(|(id, epoch, base)| florin_engine::format::batch::ProducerStamp::new(id, epoch, base, record_count));
        let sent = SentBatch {
            partition,
            bytes: bytes.freeze(),
            record_count: u64::from(record_count),
            stamp,
            attempt_count: 0,
            sent_at: Realtime(0),
            open_count: 0,
            may_be_stored: false,
            receipt: None,
            forbidden: expect == Expect::Refused,
        };
        self.model.sent.insert(serial, sent);
        (serial, record_count)
    }

    fn send(&mut self, serial: u64, producer: Option<usize>, expect: Expect) {
        let sent = &self.model.sent[&serial];
        let (partition, batch) = (sent.partition, bytes::BytesMut::from(&sent.bytes[..]));
        let Some(owner) = self.owner(partition) else { return };
        self.model.send(serial, self.executor.handle().now().realtime);
        let request = Request::Capture { partition, batch };
        let limit = self.model.topics.get(&partition.topic).and_then(TopicFacts::sure_limit);
        if !self.submit(owner, Asked::Capture { serial, producer, expect, limit }, request) {
            self.model.refused(serial);
            self.settle(producer, serial, Standing::Unknown);
        }
    }

    fn settle(&mut self, producer: Option<usize>, serial: u64, standing: Standing) {
        if let Some(producer) = producer {
            self.producers[producer].stands(serial, standing);
        }
    }

    fn capture(&mut self) {
        if let Some((partition, _)) = self.any_partition() {
            let (serial, _) = self.new_batch(partition, None, Expect::Stored);
            self.send(serial, None, Expect::Stored);
        }
    }

    fn any_producer(&mut self) -> Option<usize> {
        let usable: Vec<_> = (0..self.producers.len()).filter(|index| !self.producers[*index].retired).collect();
        (!usable.is_empty()).then(|| usable[self.random.random_range(0..usable.len())])
    }

    /// Sends what is not settled again, in order, before anything new.
    fn produce(&mut self) {
        let Some(index) = self.any_producer() else { return self.init_producer() };
        let producer = &self.producers[index];
        if let Some(unknown) = producer.first_unknown() {
            self.producers[index].stands(unknown.serial, Standing::Open);
            return self.send(unknown.serial, Some(index), Expect::Stored);
        }
        if producer.unsettled_count() >= PIPELINE_MAX {
            return;
        }
        let stamp = (producer.id, producer.epoch, producer.next_sequence);
        let (serial, record_count) = self.new_batch(producer.partition, Some(stamp), Expect::Stored);
        self.producers[index].track(serial, record_count);
        self.send(serial, Some(index), Expect::Stored);
        if self.random.random_bool(0.1) {
            self.send(serial, Some(index), Expect::Stored);
        }
    }

    /// Sends one of the last batches once more, answered or not.
    fn retry(&mut self) {
        let Some(index) = self.any_producer() else { return };
        let tracked = &self.producers[index].tracked;
        let recent = tracked.len().min(PIPELINE_MAX);
        if recent > 0 {
            let serial = tracked[tracked.len() - 1 - self.random.random_range(0..recent)].serial;
            self.send(serial, Some(index), Expect::Stored);
        }
    }

    /// Sends what must be refused: only when the producer's state on the server is known.
    fn produce_wrongly(&mut self, operation: Operation) {
        let Some(index) = self.any_producer() else { return };
        let producer = &self.producers[index];
        let settled = producer.unsettled_count() == 0 && !producer.tracked.is_empty();
        let (id, epoch, next) = (producer.id, producer.epoch, producer.next_sequence);
        let stamp = match operation {
            Operation::Conflict => {
                let last = producer.tracked.back().map(|tracked| tracked.base_sequence);
                last.map(|base_sequence| (id, epoch, base_sequence))
            }
            Operation::Gap => Some((id, epoch, next + 7)),
            _ => epoch.0.checked_sub(1).map(|older| (id, ProducerEpoch(older), next)),
        };
        if let (true, Some(stamp)) = (settled, stamp) {
            let partition = producer.partition;
            let (serial, _) = self.new_batch(partition, Some(stamp), Expect::Refused);
            self.send(serial, None, Expect::Refused);
        }
    }

    fn init_producer(&mut self) {
        let Some((partition, owner)) = self.any_partition() else { return };
        let settled = |producer: &Producer| !producer.retired && producer.unsettled_count() == 0;
        let bump = (0..self.producers.len())
            .find(|index| settled(&self.producers[*index]))
            .filter(|_| self.random.random_bool(0.4));
        match bump {
            Some(index) => {
                let producer = &mut self.producers[index];
                producer.retired = true;
                let epoch = ProducerEpoch(producer.epoch.0 + 1);
                let (id, partition) = (producer.id, producer.partition);
                self.producers.push(Producer::new(id, epoch, partition));
            }
            None => {
                self.submit(owner, Asked::InitProducer { partition }, Request::InitProducer);
            }
        }
    }

    fn fetch(&mut self) {
        let Some((partition, owner)) = self.any_partition() else { return };
        let end = self.model.partitions.get(&partition).map_or(0, |facts| facts.end);
        let from = self.random.random_range(0..=end + 1);
        let wait_ns = [0, 3_000_000, 50_000_000][self.random.random_range(0..3)];
        let bytes_max = [1, 2_000, 1 << 20][self.random.random_range(0..3)];
        let request = Request::Fetch { partition, from: FetchFrom::Offset(Offset(from)), bytes_max, wait_ns };
        self.submit(owner, Asked::Fetch { partition, from, bytes_max, verify: false }, request);
    }

    /// Reads from the append time of some batch that is known.
    fn fetch_by_time(&mut self) {
        let Some((partition, owner)) = self.any_partition() else { return };
        let Some(facts) = self.model.partitions.get(&partition).filter(|facts| !facts.batches.is_empty()) else {
            return;
        };
        let serial = facts.batches.values().nth(self.random.random_range(0..facts.batches.len()));
        let (_, time) =
            self.model.sent[serial.expect("it was drawn below the count")].receipt.expect("facts have a place");
        let time = Realtime(time.0 - self.random.random_range(0..2));
        let request = Request::Fetch { partition, from: FetchFrom::Time(time), bytes_max: 1, wait_ns: 0 };
        self.submit(owner, Asked::FetchByTime { partition, time }, request);
    }

    /// Sends a batch to a shard that must refuse it.
    fn misroute(&mut self) {
        let Some((partition, owner)) = self.any_partition() else { return };
        let other = ShardId((owner.0 + 1) % self.plan.shard_count);
        if other == owner {
            return;
        }
        let (serial, _) = self.new_batch(partition, None, Expect::Refused);
        self.model.send(serial, self.executor.handle().now().realtime);
        let batch = bytes::BytesMut::from(&self.model.sent[&serial].bytes[..]);
        let asked = Asked::Capture { serial, producer: None, expect: Expect::Refused, limit: None };
        if !self.submit(other, asked, Request::Capture { partition, batch }) {
            self.model.refused(serial);
        }
    }

    fn list_end(&mut self) {
        if let Some((partition, owner)) = self.any_partition() {
            self.submit(owner, Asked::ListEnd { partition }, Request::ListOffset { partition, at: OffsetAt::End });
        }
    }

    /// Takes one answer.
    pub(super) fn reply(&mut self, id: RequestId, reply: Reply) -> Checked {
        let Some((shard, asked)) = self.asked.remove(&id) else {
            return violation("one answer each", format!("request {id} is answered a second time"));
        };
        let after_failure = self.failed_before.get(&shard).is_some_and(|first| id >= *first);
        if after_failure && matches!(reply, Reply::Captured { duplicate: false, .. } | Reply::Checkpointed { .. }) {
            return violation(
                "a failed write ends acks",
                format!("shard {shard} answered {reply:?} after it had failed"),
            );
        }
        self.answers_digest = digest(self.answers_digest, id, &reply);
        match (asked, reply) {
            (Asked::Capture { serial, producer, expect, limit }, reply) => {
                self.within_limit(serial, limit, &reply)?;
                self.captured(serial, producer, expect, reply)
            }
            (Asked::Fetch { partition, from, bytes_max, verify }, Reply::Fetched(fetched)) => {
                self.starts_at(partition, fetched.start_offset)?;
                Self::fits(partition, from, bytes_max, &fetched)?;
                self.fetched(partition, from, &fetched)?;
                if verify {
                    self.read_back = Some(fetched);
                }
                Ok(())
            }
            (Asked::FetchByTime { partition, time }, Reply::Fetched(fetched)) => {
                self.starts_at(partition, fetched.start_offset)?;
                self.fetched_by_time(partition, time, &fetched)
            }
            (Asked::ListEnd { partition }, Reply::Offset(end)) => self.model.ends_at(partition, end),
            (Asked::CreateTopic, Reply::TopicCreated(descriptor)) => self.model.topic_in_force(&descriptor),
            (Asked::AlterTopic { topic, change, asked_at }, reply) => self.altered(topic, &change, asked_at, &reply),
            (Asked::DeleteTopic { .. }, Reply::TopicDeleted(topic)) => {
                self.model.topics.get_mut(&topic).expect("only known topics are deleted").deleted = true;
                Ok(())
            }
            (Asked::Metadata { shard: ShardId(0) }, Reply::Topics { topics, .. }) => self.model.all_topics(&topics),
            (Asked::Metadata { .. }, Reply::Topics { complete: true, topics }) => {
                topics.iter().try_for_each(|descriptor| self.model.topic_shown(descriptor))
            }
            (Asked::Metadata { .. }, Reply::Topics { complete: false, .. }) => Ok(()),
            (Asked::InitProducer { partition }, Reply::Producer { id, epoch }) => {
                self.model.producer_minted(id)?;
                self.producers.push(Producer::new(id, epoch, partition));
                Ok(())
            }
            (Asked::Other, Reply::Checkpointed { .. }) => {
                self.summary.checkpoint_count += 1;
                Ok(())
            }
            (Asked::Fetch { partition, from, verify, .. }, Reply::Refused(refusal)) => {
                self.read_again = Self::comes_again(&refusal);
                self.read_refused(shard, partition, Some((from, verify)), &refusal)
            }
            (Asked::FetchByTime { partition, .. } | Asked::ListEnd { partition }, Reply::Refused(refusal)) => {
                self.read_refused(shard, partition, None, &refusal)
            }
            (Asked::DeleteTopic { topic, asked_at }, Reply::Refused(refusal)) => {
                self.deletion_refused(topic, asked_at, &refusal);
                Ok(())
            }
            (Asked::Other, Reply::ClockConfirmed) | (_, Reply::Refused(_)) => Ok(()),
            (asked, reply) => violation("answers fit", format!("{asked:?} was answered with {reply:?}")),
        }
    }

    fn captured(&mut self, serial: u64, producer: Option<usize>, expect: Expect, reply: Reply) -> Checked {
        match reply {
            Reply::Captured { base_offset, append_time, duplicate } => {
                self.summary.acked_count += 1;
                self.summary.duplicate_count += u64::from(duplicate);
                if expect == Expect::Refused {
                    return violation("exactly once", format!("batch {serial} was stored against its sequence"));
                }
                self.settle(producer, serial, Standing::Acked);
                self.model.acked(serial, base_offset, append_time, duplicate)
            }
            Reply::Refused(Refusal::OutcomeUnknown(_)) => {
                self.summary.unknown_count += 1;
                self.model.unknown(serial);
                self.settle(producer, serial, Standing::Unknown);
                Ok(())
            }
            Reply::Refused(refusal) => {
                self.summary.full_count += u64::from(matches!(refusal, Refusal::JournalFull(_)));
                Self::pushback_is_due(&refusal)?;
                self.model.refused(serial);
                if expect == Expect::Refused {
                    return Ok(());
                }
                self.topic_refused(serial, &refusal)?;
                self.capture_refused(serial, producer, &refusal)
            }
            other => violation("answers fit", format!("a capture was answered with {other:?}")),
        }
    }

    /// A batch was refused: by its producer's rules only if nothing of it is known to be stored.
    fn capture_refused(&mut self, serial: u64, producer: Option<usize>, refusal: &Refusal) -> Checked {
        let Some(index) = producer else { return Ok(()) };
        let sent = &self.model.sent[&serial];
        let may_be_stored = sent.may_be_stored || sent.open_count > 0;
        if let Refusal::Producer(error) = refusal {
            let newer = self.producers[index].newer_count(serial);
            let behind_window = matches!(error, ProducerError::DuplicateBeyondWindow { .. }) && newer >= PIPELINE_MAX;
            let retired = self.producers[index].retired;
            if sent.receipt.is_some() && !retired && !behind_window {
                return violation("original answer", format!("batch {serial} is stored and was refused: {error}"));
            }
            if matches!(error, ProducerError::SequenceConflict { .. }) && !retired {
                return violation("original answer", format!("a retry of batch {serial} conflicts: {error}"));
            }
        }
        if sent.receipt.is_none() && !may_be_stored {
            let given_up = self.producers[index].give_up_from(serial);
            let unknown = given_up.iter().any(|serial| {
                let sent = &self.model.sent[serial];
                sent.may_be_stored || sent.open_count > 0 || sent.receipt.is_some()
            });
            self.producers[index].retired |= unknown;
        } else {
            self.producers[index].stands(serial, Standing::Unknown);
        }
        Ok(())
    }

    /// Requests that were under way when the process ended are never answered.
    pub(super) fn lose_requests(&mut self) {
        for (_, asked) in std::mem::take(&mut self.asked).into_values() {
            match asked {
                Asked::Capture { serial, producer, .. } => {
                    self.model.unknown(serial);
                    self.settle(producer, serial, Standing::Unknown);
                }
                Asked::Fetch { .. }
                | Asked::FetchByTime { .. }
                | Asked::ListEnd { .. }
                | Asked::CreateTopic
                | Asked::DeleteTopic { .. }
                | Asked::AlterTopic { .. }
                | Asked::Metadata { .. }
                | Asked::InitProducer { .. }
                | Asked::Other => {}
            }
        }
    }
}

/// Folds an answer into the fingerprint of all answers; of batches only where they are and how long.
fn digest(before: u64, id: RequestId, reply: &Reply) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    (before, id).hash(&mut hasher);
    match reply {
        Reply::Fetched(fetched) => {
            (fetched.start_offset, fetched.high_watermark).hash(&mut hasher);
            let places = fetched.batches.iter().map(|held| (held.base_offset, held.append_time, held.bytes.len()));
            places.for_each(|place| place.hash(&mut hasher));
        }
        other => format!("{other:?}").hash(&mut hasher),
    }
    hasher.finish()
}
