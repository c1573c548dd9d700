//! Live topics are listed, deleted ones are not, ids are not reused; descriptions follow each other, shard 0 shows none
//! that is older than one it gave, and each partition in them is there.

use florin_engine::catalogue::{TopicChange, TopicDescriptor};
use florin_engine::format::batch;
use florin_engine::model::{PartitionId, ShardId, TopicId};
use florin_engine::shard::{PartitionStatus, Refusal, Reply};

use crate::world::checkers::{Checked, answers_fit, violation};
use crate::world::model::{Model, SureLimit, TopicFacts};
use crate::world::run::World;

const PROMISE: &str = "topics";

/// A shard that knows who has a partition knows the right one.
pub fn is_placed_on(partition: PartitionId, owner: ShardId, said: Option<ShardId>) -> Checked {
    match said {
        Some(said) if said != owner => violation(PROMISE, format!("{partition} is on shard {owner}, not on {said}")),
        _ => Ok(()),
    }
}

/// A topic is told under its own id.
pub fn is_topic(topic: TopicId, shown: &TopicDescriptor) -> Checked {
    if shown.id() == topic {
        return Ok(());
    }
    violation(PROMISE, format!("topic {topic} was asked for, and {shown:?} was shown"))
}

/// A partition is described with its topic, and ends behind its start.
pub fn is_partition_of(topic: TopicId, status: &PartitionStatus) -> Checked {
    if status.partition.topic == topic && status.start_offset <= status.high_watermark {
        return Ok(());
    }
    violation(PROMISE, format!("topic {topic} was asked for, and {status:?} was shown"))
}

impl Model {
    /// Shard 0 says how a topic is: never older than anybody was told.
    pub fn topic_in_force(&mut self, descriptor: &TopicDescriptor) -> Checked {
        self.topic_shown(descriptor)?;
        let newest = &self.topics[&descriptor.id()].descriptor;
        if descriptor.revision() < newest.revision() {
            return violation(PROMISE, format!("shard 0 shows {descriptor:?} after {newest:?}"));
        }
        Ok(())
    }

    /// The server names a topic.
    pub fn topic_shown(&mut self, descriptor: &TopicDescriptor) -> Checked {
        if !self.names.contains(descriptor.name()) {
            return violation(PROMISE, format!("topic {} was never asked for", descriptor.name()));
        }
        match self.topics.get_mut(&descriptor.id()) {
            Some(known) => known.show(descriptor).or_else(|what| violation(PROMISE, what)),
            None => {
                self.topics.insert(descriptor.id(), TopicFacts::new(descriptor.clone()));
                Ok(())
            }
        }
    }

    /// Shard 0 lists all live topics.
    pub fn all_topics(&mut self, listed: &[TopicDescriptor]) -> Checked {
        for descriptor in listed {
            self.topic_in_force(descriptor)?;
            if self.topics[&descriptor.id()].deleted {
                return violation(PROMISE, format!("deleted topic {} is listed", descriptor.id()));
            }
        }
        let missing = self
            .topics
            .iter()
            .find(|(id, facts)| !facts.may_be_deleted && !listed.iter().any(|descriptor| descriptor.id() == **id));
        match missing {
            Some((id, _)) => violation(PROMISE, format!("live topic {id} is not listed")),
            None => Ok(()),
        }
    }

    /// What is read is not of a topic that somebody was told is deleted.
    pub fn may_be_read(&self, partition: PartitionId) -> Checked {
        if self.topics.get(&partition.topic).is_some_and(|topic| topic.deleted) {
            return violation(PROMISE, format!("{partition} is read after its topic was deleted"));
        }
        Ok(())
    }
}

impl World {
    /// The answer to an alteration: the topic is as it was asked to be, or why not.
    pub fn altered(&mut self, topic: TopicId, change: &TopicChange, asked_at: u64, reply: &Reply) -> Checked {
        let newest = &self.model.topics[&topic].descriptor;
        match reply {
            Reply::TopicAltered(descriptor) => {
                self.summary.altered_count += 1;
                let is_so = change.apply_to(descriptor.settings()) == *descriptor.settings()
                    && change.partition_count.is_none_or(|count| count == descriptor.partition_count());
                if descriptor.id() != topic || !is_so {
                    return answers_fit::does_not_fit(change, descriptor);
                }
                self.model.topic_in_force(descriptor)?;
                self.model.alteration_over(topic);
            }
            Reply::Refused(refusal @ (Refusal::PartitionCount { .. } | Refusal::PartitionsFixed { .. })) => {
                if !newest_refuses(newest, change, refusal) {
                    return answers_fit::does_not_fit(change, reply);
                }
                self.model.alteration_over(topic);
            }
            Reply::Refused(Refusal::UnknownTopic(_)) if self.model.topics[&topic].is_surely_live() => {
                return violation(PROMISE, format!("{newest:?} is not known to shard 0"));
            }
            Reply::Refused(refusal) if self.never_began(refusal, asked_at) => self.model.alteration_over(topic),
            Reply::Refused(_) => {}
            other => return answers_fit::does_not_fit(change, other),
        }
        Ok(())
    }

    /// A capture is refused for its topic's sake only if there is reason to: every partition that was shown is there,
    /// and only records above a limit that the topic may have are too large.
    pub fn topic_refused(&self, serial: u64, refusal: &Refusal) -> Checked {
        let sent = &self.model.sent[&serial];
        let facts = &self.model.topics[&sent.partition.topic];
        match refusal {
            Refusal::UnknownPartition(_) | Refusal::NotOwner { .. } if facts.is_surely_live() => {
                violation(PROMISE, format!("{} of {:?}: {refusal}", sent.partition, facts.descriptor))
            }
            Refusal::RecordTooLarge { bytes, max } => {
                let is_right = *bytes == largest_record(&sent.bytes) && bytes > max && facts.limits.contains(max);
                if is_right { Ok(()) } else { violation(PROMISE, format!("batch {serial}: {refusal}")) }
            }
            _ => Ok(()),
        }
    }

    /// What is above a limit that was surely in force when it was sent, and stayed so, is not stored.
    pub fn within_limit(&self, serial: u64, limit: Option<SureLimit>, reply: &Reply) -> Checked {
        let (Some((limit, alteration_count)), Reply::Captured { duplicate: false, .. }) = (limit, reply) else {
            return Ok(());
        };
        let sent = &self.model.sent[&serial];
        let is_unchanged = self.model.topics[&sent.partition.topic].alteration_count == alteration_count;
        let bytes = largest_record(&sent.bytes);
        if is_unchanged && bytes > limit {
            return violation(PROMISE, format!("batch {serial} has a record of {bytes} bytes, the limit is {limit}"));
        }
        Ok(())
    }
}

/// Whether a number of partitions is refused for the right reason.
fn newest_refuses(newest: &TopicDescriptor, change: &TopicChange, refusal: &Refusal) -> bool {
    use crate::world::workload::alter_topic::PARTITION_COUNT_MAX;
    if newest.keys().is_some() {
        let Refusal::PartitionsFixed { asked, count } = refusal else { return false };
        return change.partition_count == Some(*asked) && asked != count && *count == newest.partition_count();
    }
    let Refusal::PartitionCount { asked, least, most } = refusal else { return false };
    change.partition_count == Some(*asked)
        && (newest.partition_count()..=PARTITION_COUNT_MAX).contains(least)
        && asked < least
        && *most == florin_engine::limits::TOPIC_PARTITION_COUNT_MAX
}

fn largest_record(batch: &[u8]) -> u32 {
    batch::validate(batch, batch.len()).expect("these clients send right batches").largest_record_bytes
}
