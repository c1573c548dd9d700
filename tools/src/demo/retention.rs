//! Lets retention cut the topic, and waits for it.

use std::collections::BTreeSet;
use std::fmt;
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use florin_engine::limits::RETENTION_NS_MIN;
use florin_net::client::{Client, DescribedTopic, TopicChange};
use florin_net::protocol::{PartitionDescription, TopicDescription};

use crate::host;
use crate::interrupt::Interrupt;
use crate::size::Size;

#[cfg(test)]
mod tests;

/// What each partition keeps, and how long it is waited for: shards look at what they need not keep every five seconds.
/// Only whole runs are cut, and how large they are depends on when small ones were put together: where all partitions of a
/// shard have one run each, nothing can be cut that leaves as much, and everything is let go by its age.
const TRIES: [(Kept, Duration); 2] =
    [(Kept::Bytes(4096), Duration::from_secs(10)), (Kept::Nothing, Duration::from_secs(20))];
/// How often it is looked.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// Looks without a change after which nothing is expected to move.
const SETTLE_LOOK_COUNT: u32 = 10;

/// What each partition keeps of what is at rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kept {
    /// So many bytes at least.
    Bytes(u64),
    /// Nothing that is older than a nanosecond.
    #[default]
    Nothing,
}

impl Kept {
    fn change(self) -> TopicChange {
        let (retention_bytes, retention_ns) = match self {
            Self::Bytes(bytes) => (Some(bytes), None),
            Self::Nothing => (None, Some(RETENTION_NS_MIN)),
        };
        TopicChange {
            retention_bytes: Some(retention_bytes),
            retention_ns: Some(retention_ns),
            ..TopicChange::default()
        }
    }

    fn bytes(self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Nothing => 0,
        }
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{} for each partition", Size(*bytes)),
            Self::Nothing => write!(f, "{RETENTION_NS_MIN} ns"),
        }
    }
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    /// What each partition had to keep.
    pub kept: Kept,
    /// How long it was waited for.
    pub elapsed: Duration,
    /// Shards that could have cut something and did not.
    pub idle_shards: BTreeSet<u16>,
    /// Bytes that went, as the shards count them.
    pub cut_bytes: u64,
}

/// Alters the topic so that little is kept, waits until every shard that can has cut something, and lets everything be
/// kept again: from then on nothing moves.
///
/// # Errors
/// If the server refuses, or does not answer.
pub fn cut(client: &Client, topic: &TopicDescription, interrupt: &Interrupt) -> Result<Retained> {
    let started = host::monotonic();
    let mut kept = Kept::Nothing;
    for (next, wait_max) in TRIES {
        kept = next;
        client.alter_topic(topic.id, kept.change())?;
        if is_cut_in_time(client, topic, (kept, wait_max), interrupt)? {
            break;
        }
    }
    let everything = TopicChange { retention_bytes: Some(None), retention_ns: Some(None), ..TopicChange::default() };
    client.alter_topic(topic.id, everything)?;
    let mut partitions = described(client, topic)?.partitions;
    if kept != TRIES[0].0 {
        // While one shard was waited for, another may have decided to cut more: that is in force with its checkpoint.
        partitions = settled(client, topic, partitions)?;
    }
    Ok(Retained {
        kept,
        elapsed: host::monotonic().saturating_sub(started),
        idle_shards: idle_shards(&partitions, kept.bytes()),
        cut_bytes: partitions.iter().map(|partition| partition.cut_bytes).sum(),
    })
}

/// The partitions once none has begun elsewhere for a while.
fn settled(
    client: &Client,
    topic: &TopicDescription,
    mut partitions: Vec<PartitionDescription>,
) -> Result<Vec<PartitionDescription>> {
    let starts = |partitions: &[PartitionDescription]| -> Vec<u64> {
        partitions.iter().map(|partition| partition.start_offset).collect()
    };
    loop {
        (0..SETTLE_LOOK_COUNT).for_each(|_| pause());
        let now = described(client, topic)?.partitions;
        if starts(&now) == starts(&partitions) {
            return Ok(now);
        }
        partitions = now;
    }
}

/// Waits until every shard that can has cut something.
fn is_cut_in_time(
    client: &Client,
    topic: &TopicDescription,
    (kept, wait_max): (Kept, Duration),
    interrupt: &Interrupt,
) -> Result<bool> {
    let started = host::monotonic();
    while !idle_shards(&described(client, topic)?.partitions, kept.bytes()).is_empty() {
        ensure!(!interrupt.is_asked(), "interrupted");
        if host::monotonic().saturating_sub(started) > wait_max {
            return Ok(false);
        }
        pause();
    }
    Ok(true)
}

#[expect(clippy::disallowed_methods, reason = "between two questions to a server: no shard is of this process")]
fn pause() {
    thread::sleep(LOOK_INTERVAL);
}

fn described(client: &Client, topic: &TopicDescription) -> Result<DescribedTopic> {
    let described = client.describe_topic(topic.id)?;
    let silent = described.partitions.iter().find(|partition| partition.code != 0);
    if let Some(PartitionDescription { index, shard, code, .. }) = silent {
        anyhow::bail!("shard {shard} does not say how partition {index} is doing (code {code})");
    }
    Ok(described)
}

/// Shards with a partition that is larger than what must be kept, and none that was cut. A shard cuts all its partitions
/// with one checkpoint: where one was cut, all were.
fn idle_shards(partitions: &[PartitionDescription], retention_bytes: u64) -> BTreeSet<u16> {
    let is_large =
        |partition: &&PartitionDescription| partition.held_bytes.max(partition.stored_bytes) > retention_bytes;
    let large: BTreeSet<u16> = partitions.iter().filter(is_large).map(|partition| partition.shard).collect();
    let cut: BTreeSet<u16> =
        partitions.iter().filter(|partition| partition.start_offset > 0).map(|partition| partition.shard).collect();
    &large - &cut
}
