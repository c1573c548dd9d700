//! Batches on their way: where they go, who sends them, and what is noted of it.

use bytes::BytesMut;
use florin_engine::format::batch::ProducerStamp;
use florin_engine::limits::KEY_WINDOW_DAYS_MAX;
use florin_engine::model::{PartitionId, ProducerEpoch, ProducerId, Realtime, ShardId};
use florin_engine::shard::Request;
use rand::Rng;

use super::clients::{Producer, Standing, batch, compressed, key_of, keyed_batch, under_stamp, with_new_record};
use super::model::{SentBatch, TopicFacts};
use super::run::{Asked, Expect, World};

/// A producer's id, its epoch and the first sequence of a batch.
pub(super) type Stamp = (ProducerId, ProducerEpoch, u32);

impl World {
    /// A partition of a topic that is not deleted, and the shard that has it.
    pub(super) fn any_partition(&mut self) -> Option<(PartitionId, ShardId)> {
        let live: Vec<_> = self.model.topics.values().filter(|topic| !topic.deleted).collect();
        if live.is_empty() {
            return None;
        }
        let topic = live[self.random.random_range(0..live.len())];
        let index = self.random.random_range(0..topic.descriptor.partition_count());
        let owner = topic.descriptor.shard_of(index).expect("the index was drawn below the count");
        Some((PartitionId { topic: topic.descriptor.id(), index }, owner))
    }

    /// All partitions of topics that are there for sure.
    pub(super) fn live_partitions(&self) -> Vec<PartitionId> {
        let live = self.model.topics.values().filter(|topic| topic.is_surely_live());
        live.flat_map(|topic| {
            let id = topic.descriptor.id();
            (0..topic.descriptor.partition_count()).map(move |index| PartitionId { topic: id, index })
        })
        .collect()
    }

    pub(super) fn owner(&self, partition: PartitionId) -> Option<ShardId> {
        self.model.topics.get(&partition.topic)?.descriptor.shard_of(partition.index)
    }

    /// A producer that is in use.
    pub(super) fn any_producer(&mut self) -> Option<usize> {
        let usable: Vec<_> = (0..self.producers.len()).filter(|index| !self.producers[*index].retired).collect();
        (!usable.is_empty()).then(|| usable[self.random.random_range(0..usable.len())])
    }

    /// Makes a batch; its serial, and how many records it has.
    pub(super) fn new_batch(&mut self, partition: PartitionId, stamp: Option<Stamp>, expect: Expect) -> (u64, u32) {
        let serial = self.next_serial;
        self.next_serial += 1;
        let record_count = self.random.random_range(1..=4);
        let bytes = match self.key_place(partition) {
            Some(place) => {
                let bytes_max = self.plan.value_bytes_max;
                let batch = keyed_batch(serial, (serial, place), record_count, bytes_max, stamp, &mut self.random);
                // Of one that is compressed the first record stands for all.
                if record_count == 1 && self.random.random_bool(0.5) { compressed(&batch) } else { batch }
            }
            None => batch(serial, record_count, self.plan.value_bytes_max, stamp, &mut self.random),
        };
        self.note_batch(serial, partition, (bytes, record_count), stamp, expect);
        (serial, record_count)
    }

    /// A batch under keys of one that is stored: as a whole with other bodies, or with a record more that is new.
    pub(super) fn strange_batch(&mut self, of: u64, is_mixed: bool) -> Option<u64> {
        let (partition, record_count) = (self.model.sent[&of].partition, self.model.sent[&of].record_count);
        let place = self.key_place(partition)?;
        let record_count = u32::try_from(record_count).expect("batches are small");
        let serial = self.next_serial;
        self.next_serial += 1;
        let original = self.model.sent[&of].bytes.clone();
        let mixed = is_mixed.then(|| with_new_record(&original, key_of(serial, 0, place))).flatten();
        let (bytes, record_count) = match mixed {
            Some(bytes) => (bytes, record_count + 1),
            None => (keyed_batch(serial, (of, place), record_count, 9, None, &mut self.random), record_count),
        };
        self.note_batch(serial, partition, (bytes, record_count), None, Expect::Refused);
        Some(serial)
    }

    /// A producer's batch of payments that another one has stored.
    pub(super) fn stored_batch(&mut self, of: u64, stamp: Stamp) -> Option<(u64, u32)> {
        let original = &self.model.sent[&of];
        let (partition, bytes) = (original.partition, under_stamp(&original.bytes, stamp)?);
        let record_count = u32::try_from(original.record_count).expect("batches are small");
        let serial = self.next_serial;
        self.next_serial += 1;
        self.note_batch(serial, partition, (bytes, record_count), Some(stamp), Expect::Stored);
        self.model.sent.get_mut(&serial).expect("just noted").known_as = Some(of);
        self.model.noted.insert((stamp.0, stamp.1));
        Some((serial, record_count))
    }

    fn note_batch(
        &mut self,
        serial: u64,
        partition: PartitionId,
        (bytes, record_count): (BytesMut, u32),
        stamp: Option<Stamp>,
        expect: Expect,
    ) {
        let stamp = stamp.map(|(id, epoch, base)| ProducerStamp::new(id, epoch, base, record_count));
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
            known_as: None,
        };
        self.model.sent.insert(serial, sent);
    }

    /// Index and number of partitions, by which keys belong to one; none if its topic has no keys.
    pub(super) fn key_place(&self, partition: PartitionId) -> Option<(u32, u32)> {
        let descriptor = &self.model.topics.get(&partition.topic)?.descriptor;
        descriptor.keys().map(|_| (partition.index, descriptor.partition_count()))
    }

    /// Whether every payment of the partition that was stored must be known by its keys.
    pub(super) fn keys_are_known(&self, partition: PartitionId) -> bool {
        let has_lost = self.model.partitions.get(&partition).is_some_and(|facts| !facts.lost.is_empty());
        let topic = self.model.topics.get(&partition.topic);
        let rule = topic.and_then(|topic| topic.descriptor.keys());
        let is_long = rule.is_some_and(|rule| rule.window_days() == KEY_WINDOW_DAYS_MAX);
        is_long && !has_lost && !self.keys_lost.contains(&partition)
    }

    /// Sends a batch, the first time or again.
    pub(super) fn send(&mut self, serial: u64, producer: Option<usize>, expect: Expect) {
        let sent = &self.model.sent[&serial];
        let (partition, batch) = (sent.partition, BytesMut::from(&sent.bytes[..]));
        let Some(owner) = self.owner(partition) else { return };
        self.model.send(serial, self.executor.handle().now().realtime);
        let request = Request::Capture { partition, batch };
        let limit = self.model.topics.get(&partition.topic).and_then(TopicFacts::sure_limit);
        if !self.submit(owner, Asked::Capture { serial, producer, expect, limit }, request) {
            self.model.refused(serial);
            self.settle(producer, serial, Standing::Unknown);
        }
    }

    /// Sends what must be refused: only when the producer's state on the server is known.
    pub(super) fn send_wrongly(&mut self, stamp: impl Fn(&Producer) -> Option<Stamp>) {
        let Some(index) = self.any_producer() else { return };
        let producer = &self.producers[index];
        let settled = producer.unsettled_count() == 0 && !producer.tracked.is_empty();
        if let (true, Some(stamp)) = (settled, stamp(producer)) {
            let partition = producer.partition;
            let (serial, _) = self.new_batch(partition, Some(stamp), Expect::Refused);
            self.send(serial, None, Expect::Refused);
        }
    }

    pub(super) fn settle(&mut self, producer: Option<usize>, serial: u64, standing: Standing) {
        if let Some(producer) = producer {
            self.producers[producer].stands(serial, standing);
        }
    }
}
