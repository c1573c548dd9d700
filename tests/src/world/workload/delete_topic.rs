//! Delete a topic, if another one is left.

use florin_engine::model::{ShardId, TopicId};
use florin_engine::shard::{Refusal, Request};
use rand::Rng;

use crate::world::run::{Asked, World};

pub(super) fn play(world: &mut World) {
    let Some(topic) = world.any_topic(2) else { return };
    let asked_at = world.executor.handle().now_ns();
    if world.submit(ShardId(0), Asked::DeleteTopic { topic, asked_at }, Request::DeleteTopic { topic }) {
        let facts = world.model.topics.get_mut(&topic).expect("it was just listed");
        facts.may_be_deleted = true;
        facts.deletions_open += 1;
        world.producers.iter_mut().filter(|p| p.partition.topic == topic).for_each(|p| p.retired = true);
    }
}

impl World {
    /// A topic that is not deleted, if there are at least so many.
    pub(super) fn any_topic(&mut self, least_count: usize) -> Option<TopicId> {
        let topics = self.model.topics.iter();
        let live: Vec<TopicId> = topics.filter(|(_, topic)| !topic.deleted).map(|(id, _)| *id).collect();
        (live.len() >= least_count).then(|| live[self.random.random_range(0..live.len())])
    }

    /// A deletion that was refused before it began, and that nobody else asks for, did not happen.
    pub(in crate::world) fn deletion_refused(&mut self, topic: TopicId, asked_at: u64, refusal: &Refusal) {
        if self.never_began(refusal, asked_at)
            && let Some(facts) = self.model.topics.get_mut(&topic)
        {
            facts.deletions_open -= 1;
            facts.may_be_deleted = facts.deletions_open > 0;
        }
    }
}
