//! Ask for something that must be refused, and is refused for that reason.

use bytes::{Bytes, BytesMut};
use florin_engine::catalogue::{TopicChange, TopicSettings};
use florin_engine::format::batch::{BatchBuilder, HEADERS_NONE};
use florin_engine::limits::{RECORD_BYTES_MAX_MIN, TOPIC_NAME_BYTES_MAX, TOPIC_PARTITION_COUNT_MAX};
use florin_engine::model::{Offset, PartitionId, ShardId, TopicId};
use florin_engine::partition::Isolation;
use florin_engine::shard::{FetchFrom, OffsetAt, Request};
use rand::Rng;

use crate::fuzz::batches::{ATTRIBUTES_AT, repair};
use crate::world::clients::{batch, key_of};
use crate::world::run::{Asked, World};

/// An id that no topic of a world ever gets.
const NO_TOPIC: TopicId = TopicId(1 << 30);
/// A serial that no batch of a world ever gets.
const NO_SERIAL: u64 = u64::MAX;
/// The bit of a batch's attributes that makes it part of a transaction.
const TRANSACTIONAL: u8 = 1 << 4;

pub(super) fn play(world: &mut World) {
    let asks_keys = world.plan.has_keys && world.random.random_bool(0.5);
    let wrong = match world.random.random_range(0..4) {
        _ if asks_keys => wrong_key(world),
        0 => Some(wrong_topic(world)),
        1 => Some(unknown_topic(world)),
        2 => wrong_batch(world),
        _ => world.any_partition().map(|(partition, _)| no_such_partition(world, partition)),
    };
    if let Some((shard, code, request)) = wrong {
        world.summary.wrong_count += 1;
        world.submit(shard, Asked::Wrong { code }, request);
    }
}

type Wrong = (ShardId, u16, Request);

/// A topic that cannot be, or that this shard does not create.
fn wrong_topic(world: &mut World) -> Wrong {
    let mut name = "wrong".to_owned();
    let mut partition_count = 1;
    let mut settings = TopicSettings::default();
    let mut shard = ShardId(0);
    let code = match world.random.random_range(0..4) {
        0 => {
            let names = [String::new(), "..".to_owned(), "a/b".to_owned(), "x".repeat(TOPIC_NAME_BYTES_MAX + 1)];
            name = names[world.random.random_range(0..names.len())].clone();
            14
        }
        1 => {
            partition_count = [0, TOPIC_PARTITION_COUNT_MAX + 1][world.random.random_range(0..2)];
            16
        }
        2 => {
            settings.record_bytes_max = RECORD_BYTES_MAX_MIN - 1;
            19
        }
        _ if world.plan.shard_count > 1 => {
            shard = ShardId(world.random.random_range(1..world.plan.shard_count));
            13
        }
        _ => {
            name.clear();
            14
        }
    };
    (shard, code, Request::CreateTopic { name, partition_count, settings, keys: None })
}

/// A topic that nobody created.
fn unknown_topic(world: &mut World) -> Wrong {
    let shard = ShardId(world.random.random_range(0..world.plan.shard_count));
    match world.random.random_range(0..3) {
        0 => (ShardId(0), 12, Request::AlterTopic { topic: NO_TOPIC, change: TopicChange::default() }),
        1 => (ShardId(0), 12, Request::DeleteTopic { topic: NO_TOPIC }),
        _ => (shard, 12, Request::DescribePartitions { topic: NO_TOPIC }),
    }
}

/// A batch that cannot be stored. Nobody ever sees it: it has no serial.
fn wrong_batch(world: &mut World) -> Option<Wrong> {
    let (partition, owner) = world.any_partition()?;
    let mut batch = batch(0, 1, world.plan.value_bytes_max, None, &mut world.random);
    let code = match world.random.random_range(0..4) {
        0 => {
            let last = batch.len() - 1;
            batch[last] ^= 1;
            23
        }
        1 => {
            batch.truncate(world.random.random_range(0..batch.len()));
            20
        }
        2 => {
            batch[ATTRIBUTES_AT] |= TRANSACTIONAL;
            repair(&mut batch);
            22
        }
        _ => {
            batch = BytesMut::new();
            20
        }
    };
    Some((owner, code, Request::Capture { partition, batch }))
}

/// A key where there are none, none where there must be one, or one that belongs to another partition.
fn wrong_key(world: &mut World) -> Option<Wrong> {
    let (partition, owner) = world.any_partition()?;
    let descriptor = &world.model.topics[&partition.topic].descriptor;
    let count = descriptor.partition_count();
    let elsewhere = (partition.index + 1) % count;
    let key = Bytes::from(key_of(NO_SERIAL, 0, (elsewhere, count)));
    if descriptor.keys().is_none() {
        return Some((owner, 55, Request::LookUpKey { partition, key }));
    }
    let capture = |key: Option<&[u8]>| {
        let mut builder = BatchBuilder::new();
        builder.push(0, key, Some(b"wrong"), HEADERS_NONE).expect("small batches fit");
        Request::Capture { partition, batch: builder.finish() }
    };
    Some(match world.random.random_range(0..3) {
        0 if count > 1 => (owner, 51, capture(Some(&key))),
        1 if count > 1 => (owner, 51, Request::LookUpKey { partition, key }),
        _ => (owner, 50, capture(None)),
    })
}

/// A partition that nobody has.
fn no_such_partition(world: &mut World, of: PartitionId) -> Wrong {
    let is_near = world.random.random_bool(0.5);
    let partition = if is_near {
        PartitionId { index: TOPIC_PARTITION_COUNT_MAX, ..of }
    } else {
        PartitionId { topic: NO_TOPIC, index: 0 }
    };
    let shard = ShardId(world.random.random_range(0..world.plan.shard_count));
    let request = match world.random.random_range(0..3) {
        0 => Request::Fetch {
            partition,
            from: FetchFrom::Offset(Offset(0)),
            bytes_max: 1,
            wait_ns: 1_000_000,
            isolation: Isolation::Uncommitted,
        },
        1 => Request::ListOffset { partition, at: OffsetAt::Start },
        _ => Request::Capture { partition, batch: batch(0, 1, 1, None, &mut world.random) },
    };
    (shard, 10, request)
}
