//! Create a topic, unless there are some.

use florin_engine::catalogue::TopicSettings;
use florin_engine::format::control::{KeyRule, KeySource, Partitioner};
use florin_engine::limits::{KEY_WINDOW_DAYS_MAX, KEY_WINDOW_DAYS_MIN, SEGMENT_BYTES_DEFAULT, SEGMENT_BYTES_MIN};
use florin_engine::model::ShardId;
use florin_engine::shard::Request;
use rand::Rng;

use crate::world::run::{Asked, World};

/// Names that topics may have.
const NAME_COUNT: u32 = 60;

pub(super) fn play(world: &mut World) {
    let alive = world.model.topics.values().filter(|topic| !topic.deleted).count();
    if alive >= world.plan.topic_count_max {
        return;
    }
    let name = format!("topic-{}", world.random.random_range(0..NAME_COUNT));
    let partition_count = world.random.random_range(1..=world.plan.partition_count_max);
    world.model.names.insert(name.clone());
    let settings = TopicSettings {
        retention_bytes: world.any_retention(&[1, 20_000, 200_000]),
        retention_ns: world.any_retention(&[20_000_000, 5_000_000_000, 100_000_000_000]),
        segment_bytes: [SEGMENT_BYTES_MIN, SEGMENT_BYTES_DEFAULT][world.random.random_range(0..2)],
        ..TopicSettings::default()
    };
    let keys = (world.plan.has_keys && world.random.random_bool(0.6)).then(|| {
        let partitioner = Partitioner::Murmur2;
        // Of those that are remembered for a short time nothing is expected: the clock jumps by days.
        let days = [KEY_WINDOW_DAYS_MIN, KEY_WINDOW_DAYS_MAX, KEY_WINDOW_DAYS_MAX][world.random.random_range(0..3)];
        KeyRule::new(KeySource::RecordKey, days, Vec::new(), partitioner).expect("within the limits")
    });
    world.submit(ShardId(0), Asked::CreateTopic, Request::CreateTopic { name, partition_count, settings, keys });
}

impl World {
    /// Some retention now and then, in worlds that have any.
    pub(super) fn any_retention(&mut self, choices: &[u64]) -> Option<u64> {
        let is_chosen = self.plan.has_retention && self.random.random_bool(0.25);
        is_chosen.then(|| choices[self.random.random_range(0..choices.len())])
    }
}
