//! What clients make of the answers.

use std::hash::{Hash, Hasher};

use florin_engine::model::{PartitionId, RequestId, ShardId};
use florin_engine::shard::{Fetched, Refusal, Reply};

use super::checkers::{
    Checked, answers_fit, durability, exactly_once, limits, order::Following, original_answer, retention, topics,
};
use super::clients::{Producer, Standing};
use super::run::{Asked, Expect, World};

impl World {
    /// Takes one answer.
    pub(super) fn reply(&mut self, id: RequestId, reply: Reply) -> Checked {
        let (shard, asked) = self.answered(id)?;
        self.note(|| format!("{id}: {}", in_short(&reply)));
        self.acknowledges_nothing_new(shard, id, &reply)?;
        self.answers_digest = digest(self.answers_digest, id, &reply);
        if let Reply::Refused(refusal) = &reply {
            answers_fit::says_what_to_do(refusal)?;
        }
        match (asked, reply) {
            (Asked::Capture { serial, producer, expect, limit }, reply) => {
                self.within_limit(serial, limit, &reply)?;
                self.captured(serial, producer, expect, reply)
            }
            (Asked::Fetch { partition, from, bytes_max, verify }, Reply::Fetched(fetched)) => {
                self.starts_at(partition, fetched.start_offset)?;
                answers_fit::fits(partition, from, bytes_max, &fetched)?;
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
            (Asked::ListOffset { partition, at }, Reply::Offset(offset)) => self.offset_listed(partition, at, offset),
            (Asked::Fetch { partition, from, verify, .. }, Reply::Refused(refusal)) => {
                self.read_again = durability::comes_again(&refusal);
                self.read_refused(shard, partition, Some((from, verify)), &refusal)
            }
            (Asked::FetchByTime { partition, .. } | Asked::ListOffset { partition, .. }, Reply::Refused(refusal)) => {
                self.read_refused(shard, partition, None, &refusal)
            }
            (Asked::LookUpKey { serial }, Reply::Key { receipt, .. }) => {
                exactly_once::is_known(serial, &self.model.sent[&serial], receipt)
            }
            (Asked::LookUpKey { .. }, Reply::Refused(refusal)) => exactly_once::may_not_be_told(&refusal),
            (Asked::Wrong { code }, Reply::Refused(refusal)) => answers_fit::names_the_mistake(code, &refusal),
            (asked, reply) => self.answered_about_topics(asked, reply),
        }
    }

    /// Takes an answer of the catalogue, or of a shard about itself.
    fn answered_about_topics(&mut self, asked: Asked, reply: Reply) -> Checked {
        match (asked, reply) {
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
            (Asked::Describe { topic }, Reply::Partitions(partitions)) => partitions.iter().try_for_each(|status| {
                topics::is_partition_of(topic, status)?;
                self.starts_at(status.partition, status.start_offset)?;
                self.model.ends_at(status.partition, status.high_watermark)
            }),
            (Asked::Other, Reply::Checkpointed { .. }) => {
                self.summary.checkpoint_count += 1;
                Ok(())
            }
            (Asked::DeleteTopic { topic, asked_at }, Reply::Refused(refusal)) => {
                self.deletion_refused(topic, asked_at, &refusal);
                Ok(())
            }
            (Asked::Other, Reply::ClockConfirmed) | (_, Reply::Refused(_)) => Ok(()),
            (asked, reply) => answers_fit::does_not_fit(&asked, &reply),
        }
    }

    /// Takes what a fetch from this offset returned.
    pub(super) fn fetched(&mut self, partition: PartitionId, from: u64, fetched: &Fetched) -> Checked {
        self.model.may_be_read(partition)?;
        let mut following = Following::from(from);
        for held in &fetched.batches {
            retention::is_not_cut(partition, held, fetched.start_offset)?;
            following.take(partition, held)?;
            durability::is_before_end(partition, held, fetched.high_watermark)?;
            self.model.shown(partition, held)?;
        }
        self.model.ends_at(partition, fetched.high_watermark)
    }

    fn captured(&mut self, serial: u64, producer: Option<usize>, expect: Expect, reply: Reply) -> Checked {
        match reply {
            Reply::Captured { base_offset, append_time, duplicate } => {
                self.summary.acked_count += 1;
                self.summary.duplicate_count += u64::from(duplicate);
                exactly_once::may_be_acknowledged(serial, expect)?;
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
                limits::pushback_is_due(&refusal)?;
                self.model.refused(serial);
                exactly_once::keys_may_refuse(serial, expect, &refusal)?;
                if expect == Expect::Refused {
                    return Ok(());
                }
                self.topic_refused(serial, &refusal)?;
                self.capture_refused(serial, producer, &refusal)
            }
            other => answers_fit::does_not_fit(&format!("batch {serial}"), &other),
        }
    }

    /// A batch was refused: by its producer's rules only if nothing of it is known to be stored.
    fn capture_refused(&mut self, serial: u64, producer: Option<usize>, refusal: &Refusal) -> Checked {
        let Some(index) = producer else { return Ok(()) };
        let sent = &self.model.sent[&serial];
        if let Refusal::Producer(error) = refusal {
            original_answer::retry_may_be_refused(serial, sent, &self.producers[index], error)?;
        }
        let may_be_stored = sent.may_be_stored || sent.open_count > 0;
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
            if let Asked::Capture { serial, producer, .. } = asked {
                self.model.unknown(serial);
                self.settle(producer, serial, Standing::Unknown);
            }
        }
    }
}

/// An answer in a few words.
fn in_short(reply: &Reply) -> String {
    match reply {
        Reply::Fetched(fetched) => {
            let (count, end) = (fetched.batches.len(), fetched.high_watermark);
            let from = fetched.batches.first().map(|held| held.base_offset);
            format!("{count} batches from {from:?} on, of offsets {} to {end}", fetched.start_offset)
        }
        Reply::Refused(refusal) => format!("refused: {refusal}"),
        other => format!("{other:?}"),
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
