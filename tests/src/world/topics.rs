//! Topics created, altered and deleted, and what must hold of them.

use florin_engine::catalogue::{TopicChange, TopicSettings};
use florin_engine::format::batch;
use florin_engine::limits::{
    CATALOGUE_WAIT_NS, RECORD_BYTES_MAX_MAX, SEGMENT_BYTES_DEFAULT, SEGMENT_BYTES_MIN, TOPIC_PARTITION_COUNT_MAX,
};
use florin_engine::model::{ShardId, TopicId};
use florin_engine::shard::{Refusal, Reply, Request};
use rand::Rng;

use super::model::{Checked, SureLimit, violation};
use super::run::{Asked, World};

/// Topics alive at the same time.
const TOPIC_COUNT_MAX: usize = 4;
/// Partitions that a topic is altered to have.
const PARTITION_COUNT_MAX: u32 = 6;
/// A limit of records that some batches of a world are above.
const RECORD_BYTES_FEW: u32 = 4_000;

impl World {
    pub(super) fn create_topic(&mut self) {
        let alive = self.model.topics.values().filter(|topic| !topic.deleted).count();
        if alive >= TOPIC_COUNT_MAX {
            return;
        }
        let name = format!("topic-{}", self.random.random_range(0..12));
        let partition_count = self.random.random_range(1..=4);
        self.model.names.insert(name.clone());
        let settings = TopicSettings {
            retention_bytes: self.any_retention(&[1, 20_000, 200_000]),
            retention_ns: self.any_retention(&[20_000_000, 5_000_000_000, 100_000_000_000]),
            segment_bytes: [SEGMENT_BYTES_MIN, SEGMENT_BYTES_DEFAULT][self.random.random_range(0..2)],
            ..TopicSettings::default()
        };
        self.submit(ShardId(0), Asked::CreateTopic, Request::CreateTopic { name, partition_count, settings });
    }

    fn any_topic(&mut self, least_count: usize) -> Option<TopicId> {
        let topics = self.model.topics.iter();
        let live: Vec<TopicId> = topics.filter(|(_, topic)| !topic.deleted).map(|(id, _)| *id).collect();
        (live.len() >= least_count).then(|| live[self.random.random_range(0..live.len())])
    }

    pub(super) fn delete_topic(&mut self) {
        let Some(topic) = self.any_topic(2) else { return };
        let asked_at = self.executor.handle().now_ns();
        if self.submit(ShardId(0), Asked::DeleteTopic { topic, asked_at }, Request::DeleteTopic { topic }) {
            let facts = self.model.topics.get_mut(&topic).expect("it was just listed");
            facts.may_be_deleted = true;
            facts.deletions_open += 1;
            self.producers.iter_mut().filter(|p| p.partition.topic == topic).for_each(|p| p.retired = true);
        }
    }

    /// Some retention now and then, in worlds that have any.
    fn any_retention(&mut self, choices: &[u64]) -> Option<u64> {
        let is_chosen = self.plan.has_retention && self.random.random_bool(0.25);
        is_chosen.then(|| choices[self.random.random_range(0..choices.len())])
    }

    pub(super) fn alter_topic(&mut self) {
        let Some(topic) = self.any_topic(1) else { return };
        let mut change = TopicChange::default();
        if self.random.random_bool(0.6) {
            change.partition_count = Some(self.random.random_range(1..=PARTITION_COUNT_MAX));
        }
        if self.random.random_bool(0.4) {
            change.segment_bytes = Some([SEGMENT_BYTES_MIN, SEGMENT_BYTES_DEFAULT][self.random.random_range(0..2)]);
        }
        if self.random.random_bool(0.4) {
            let limits = [RECORD_BYTES_FEW, RECORD_BYTES_MAX_MAX, RECORD_BYTES_MAX_MAX];
            change.record_bytes_max = Some(limits[self.random.random_range(0..limits.len())]);
        }
        if self.plan.has_retention && self.random.random_bool(0.3) {
            change.retention_bytes = Some(self.any_retention(&[1, 20_000, 200_000]));
            change.retention_ns = Some(self.any_retention(&[20_000_000, 5_000_000_000, 100_000_000_000]));
        }
        let asked_at = self.executor.handle().now_ns();
        let asked = Asked::AlterTopic { topic, change, asked_at };
        if self.submit(ShardId(0), asked, Request::AlterTopic { topic, change }) {
            let facts = self.model.topics.get_mut(&topic).expect("it was just listed");
            facts.alteration_count += 1;
            facts.alterations_open += 1;
            facts.limits.extend(change.record_bytes_max);
            facts.may_keep(change.retention_ns.flatten(), change.retention_bytes.flatten().is_some());
        }
    }

    /// The answer to an alteration: the topic is as it was asked to be, or why not.
    pub(super) fn altered(&mut self, topic: TopicId, change: &TopicChange, asked_at: u64, reply: &Reply) -> Checked {
        let newest = &self.model.topics[&topic].descriptor;
        match reply {
            Reply::TopicAltered(descriptor) => {
                self.summary.altered_count += 1;
                let is_so = change.apply_to(descriptor.settings()) == *descriptor.settings()
                    && change.partition_count.is_none_or(|count| count == descriptor.partition_count());
                if descriptor.id() != topic || !is_so {
                    return violation("answers fit", format!("{change:?} of topic {topic} gave {descriptor:?}"));
                }
                self.model.topic_in_force(descriptor)?;
                self.alteration_over(topic);
            }
            Reply::Refused(Refusal::PartitionCount { asked, least, most }) => {
                let is_right = change.partition_count == Some(*asked)
                    && (newest.partition_count()..=PARTITION_COUNT_MAX).contains(least)
                    && asked < least
                    && *most == TOPIC_PARTITION_COUNT_MAX;
                if !is_right {
                    return violation("answers fit", format!("{change:?} of {newest:?} was refused: {reply:?}"));
                }
                self.alteration_over(topic);
            }
            Reply::Refused(Refusal::UnknownTopic(_)) if self.model.topics[&topic].is_surely_live() => {
                return violation("topics", format!("{newest:?} is not known to shard 0"));
            }
            Reply::Refused(refusal) if self.never_began(refusal, asked_at) => self.alteration_over(topic),
            Reply::Refused(_) => {}
            other => return violation("answers fit", format!("an alteration was answered with {other:?}")),
        }
        Ok(())
    }

    fn alteration_over(&mut self, topic: TopicId) {
        self.model.topics.get_mut(&topic).expect("only known topics are altered").alterations_open -= 1;
    }

    /// Whether a change of a topic was refused before it began: whoever waits for one is let go of only after a while.
    fn never_began(&self, refusal: &Refusal, asked_at: u64) -> bool {
        let waited_ns = self.executor.handle().now_ns() - asked_at;
        match refusal {
            Refusal::StillWorking => waited_ns < CATALOGUE_WAIT_NS,
            Refusal::JournalFull(_) | Refusal::CatalogueFull | Refusal::Starting(_) | Refusal::Stopping(_) => true,
            _ => false,
        }
    }

    /// A deletion that was refused before it began, and that nobody else asks for, did not happen.
    pub(super) fn deletion_refused(&mut self, topic: TopicId, asked_at: u64, refusal: &Refusal) {
        if self.never_began(refusal, asked_at)
            && let Some(facts) = self.model.topics.get_mut(&topic)
        {
            facts.deletions_open -= 1;
            facts.may_be_deleted = facts.deletions_open > 0;
        }
    }

    /// A capture is refused for its topic's sake only if there is reason to: every partition that was shown is there,
    /// and only records above a limit that the topic may have are too large.
    pub(super) fn topic_refused(&self, serial: u64, refusal: &Refusal) -> Checked {
        let sent = &self.model.sent[&serial];
        let facts = &self.model.topics[&sent.partition.topic];
        match refusal {
            Refusal::UnknownPartition(_) | Refusal::NotOwner { .. } if facts.is_surely_live() => {
                violation("topics", format!("{} of {:?}: {refusal}", sent.partition, facts.descriptor))
            }
            Refusal::RecordTooLarge { bytes, max } => {
                let is_right = *bytes == largest_record(&sent.bytes) && bytes > max && facts.limits.contains(max);
                if is_right { Ok(()) } else { violation("topics", format!("batch {serial}: {refusal}")) }
            }
            _ => Ok(()),
        }
    }

    /// What is above a limit that was surely in force when it was sent, and stayed so, is not stored.
    pub(super) fn within_limit(&self, serial: u64, limit: Option<SureLimit>, reply: &Reply) -> Checked {
        let (Some((limit, alteration_count)), Reply::Captured { duplicate: false, .. }) = (limit, reply) else {
            return Ok(());
        };
        let sent = &self.model.sent[&serial];
        let is_unchanged = self.model.topics[&sent.partition.topic].alteration_count == alteration_count;
        let bytes = largest_record(&sent.bytes);
        if is_unchanged && bytes > limit {
            return violation("topics", format!("batch {serial} has a record of {bytes} bytes, the limit is {limit}"));
        }
        Ok(())
    }
}

fn largest_record(batch: &[u8]) -> u32 {
    batch::validate(batch, batch.len()).expect("these clients send right batches").largest_record_bytes
}
