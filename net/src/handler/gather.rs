//! A request that several shards answer in parts.

use std::cell::{Cell, RefCell};

use florin_engine::catalogue::{TopicDescriptor, TopicSettings};
use florin_engine::model::ShardId;
use florin_engine::shard::{PartitionStatus, Reply};

use super::metadata::description;
use crate::metrics::counted;
use crate::protocol::{Code, PartitionDescription, Response, TopicDescription};
use crate::server::core::Pending;

/// The parts that are there.
pub struct Gather<S> {
    topic: TopicDescription,
    settings: TopicSettings,
    partitions: RefCell<Vec<PartitionDescription>>,
    missing: Cell<usize>,
    pending: RefCell<Option<Pending<S>>>,
}

impl<S> Gather<S> {
    /// Waits for every shard that owns partitions of a topic.
    pub fn new(pending: Pending<S>, topic: &TopicDescriptor) -> Self {
        let missing = topic.owners().len();
        let unknown = |(index, shard): (u32, &ShardId)| PartitionDescription {
            index,
            shard: shard.0,
            code: Code::UNKNOWN_PARTITION.0,
            ..PartitionDescription::default()
        };
        Self {
            topic: description(topic),
            settings: *topic.settings(),
            partitions: RefCell::new((0..).zip(topic.placement()).map(unknown).collect()),
            missing: Cell::new(missing),
            pending: RefCell::new(Some(pending)),
        }
    }

    /// Takes the part of a shard; with the last one the response is complete.
    pub fn take(&self, shard: ShardId, reply: Reply) -> Option<(Pending<S>, Response)> {
        match reply {
            Reply::Partitions(statuses) => statuses.iter().for_each(|status| self.fill_in(shard, status)),
            Reply::Refused(refusal) => {
                let mut partitions = self.partitions.borrow_mut();
                let of_shard = partitions.iter_mut().filter(|partition| partition.shard == shard.0);
                of_shard.for_each(|partition| partition.code = refusal.code());
            }
            other => unreachable!("shard {shard} was asked for partitions and answers {other:?}"),
        }
        self.missing.set(self.missing.get() - 1);
        if self.missing.get() > 0 {
            return None;
        }
        let pending = self.pending.take().expect("the last part comes once");
        let (topic, partitions) = (self.topic.clone(), self.partitions.take());
        Some((pending, Response::TopicDescribed { topic, settings: self.settings, partitions }))
    }

    fn fill_in(&self, shard: ShardId, status: &PartitionStatus) {
        let index = status.partition.index;
        let mut partitions = self.partitions.borrow_mut();
        let Some(partition) = usize::try_from(index).ok().and_then(|index| partitions.get_mut(index)) else { return };
        *partition = PartitionDescription {
            index,
            shard: shard.0,
            code: Code::OK.0,
            start_offset: status.start_offset.0,
            high_watermark: status.high_watermark.0,
            held_bytes: counted(status.held_bytes),
            stored_bytes: status.stored_bytes,
            producer_count: u32::try_from(status.producer_count).unwrap_or(u32::MAX),
            last_append_time: status.last_append_time.unwrap_or_default().0,
            cut_bytes: status.cuts.bytes,
            cut_time: status.cuts.time.0,
            cut_reason: status.cuts.reason,
            stable_offset: status.stable_offset.0,
            open_transaction_count: u32::try_from(status.open_transaction_count).unwrap_or(u32::MAX),
            oldest_transaction: status.oldest_transaction,
        };
    }
}
