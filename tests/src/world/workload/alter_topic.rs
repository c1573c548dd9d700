//! Add partitions to a topic, or change its settings.

use florin_engine::catalogue::TopicChange;
use florin_engine::limits::{CATALOGUE_WAIT_NS, RECORD_BYTES_MAX_MAX, SEGMENT_BYTES_DEFAULT, SEGMENT_BYTES_MIN};
use florin_engine::model::ShardId;
use florin_engine::shard::{Refusal, Request};
use rand::Rng;

use crate::world::run::{Asked, World};

/// Partitions that a topic is altered to have.
pub const PARTITION_COUNT_MAX: u32 = 18;
/// A limit of records that some batches of a world are above.
const RECORD_BYTES_FEW: u32 = 4_000;

pub(super) fn play(world: &mut World) {
    let Some(topic) = world.any_topic(1) else { return };
    let mut change = TopicChange::default();
    if world.random.random_bool(0.6) {
        change.partition_count = Some(world.random.random_range(1..=world.plan.partition_count_max + 2));
    }
    if world.random.random_bool(0.4) {
        change.segment_bytes = Some([SEGMENT_BYTES_MIN, SEGMENT_BYTES_DEFAULT][world.random.random_range(0..2)]);
    }
    if world.random.random_bool(0.4) {
        let limits = [RECORD_BYTES_FEW, RECORD_BYTES_MAX_MAX, RECORD_BYTES_MAX_MAX];
        change.record_bytes_max = Some(limits[world.random.random_range(0..limits.len())]);
    }
    if world.plan.has_retention && world.random.random_bool(0.3) {
        change.retention_bytes = Some(world.any_retention(&[1, 20_000, 200_000]));
        change.retention_ns = Some(world.any_retention(&[20_000_000, 5_000_000_000, 100_000_000_000]));
    }
    let asked_at = world.executor.handle().now_ns();
    let asked = Asked::AlterTopic { topic, change, asked_at };
    if world.submit(ShardId(0), asked, Request::AlterTopic { topic, change }) {
        let facts = world.model.topics.get_mut(&topic).expect("it was just listed");
        facts.alteration_count += 1;
        facts.alterations_open += 1;
        facts.limits.extend(change.record_bytes_max);
        facts.may_keep(change.retention_ns.flatten(), change.retention_bytes.flatten());
    }
}

impl World {
    /// Whether a change of a topic was refused before it began: whoever waits for one is let go of only after a while.
    pub(in crate::world) fn never_began(&self, refusal: &Refusal, asked_at: u64) -> bool {
        let waited_ns = self.executor.handle().now_ns() - asked_at;
        match refusal {
            Refusal::StillWorking => waited_ns < CATALOGUE_WAIT_NS,
            Refusal::JournalFull(_) | Refusal::CatalogueFull | Refusal::Starting(_) | Refusal::Stopping(_) => true,
            _ => false,
        }
    }
}
