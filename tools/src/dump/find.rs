//! Which topic is meant, and the shard that has its partition, recovered.

use std::path::Path;

use anyhow::{Result, bail, ensure};
use florin_engine::catalogue::{CatalogueTopic, OwnerState, TopicDescriptor};
use florin_engine::format::identity::Identity;
use florin_engine::format::superblock::Superblock;
use florin_engine::io::Disk;
use florin_engine::io::blocking::block_on;
use florin_engine::model::{ShardId, TopicId};
use florin_engine::shard::open::{RecoveredShard, recover_shard};
use florin_engine::shard::replay::ShardState;

use crate::output;
use crate::size::counted;

/// Shard 0 knows all topics.
const CATALOGUE: ShardId = ShardId(0);
/// Names of topics that are listed when the one that was asked for is not among them.
const NAMES_SHOWN: usize = 10;

/// A topic, and the shard that its partition is on.
pub(super) struct Found {
    pub(super) topic: TopicDescriptor,
    pub(super) superblock: Superblock,
    pub(super) state: ShardState,
    /// What an operator should know about the shard.
    pub(super) notes: Vec<String>,
}

impl Found {
    fn on(topic: TopicDescriptor, recovered: RecoveredShard) -> Self {
        let RecoveredShard { superblock, state, cuts, notes } = recovered;
        let shard = superblock.name.shard;
        let mut notes: Vec<String> = notes.into_iter().map(|note| format!("shard {shard}: {note}")).collect();
        if !cuts.is_empty() {
            let units = counted(cuts.len() as u64, "place", "places");
            notes.push(format!(
                "shard {shard}: the remains of a last write that was interrupted stand at {units} of the journal; nobody \
                 was told about them, a start cuts them off, and they are not shown"
            ));
        }
        Self { topic, superblock, state, notes }
    }
}

/// Finds a topic by its name or id, and recovers the shard of one of its partitions.
pub(super) fn partition<D: Disk>(
    disk: &D,
    directory: &Path,
    identity: &Identity,
    asked: &str,
    index: u32,
) -> Result<Found> {
    let recover = |shard: ShardId| block_on(recover_shard(disk, directory, identity, shard));
    let catalogue = match recover(CATALOGUE) {
        Ok(catalogue) => catalogue,
        Err(error) => {
            output::complain(&format!(
                "{error}: which topics there are is looked for on the other shards, which know their own"
            ));
            return on_other_shards(identity, asked, index, recover);
        }
    };
    let owner = catalogue.state.owner.as_ref().expect("shard 0 has the catalogue");
    let Some(topic) = named(owner, asked) else {
        bail!("{} has no topic {asked}: {}", directory.display(), all(owner))
    };
    // While a topic is altered, partitions that are to be added may be there already.
    let topic = topic.wanted().clone();
    let Some(shard) = topic.shard_of(index) else {
        let (name, count) = (topic.name(), topic.partition_count());
        bail!("topic {name} has no partition {index}: it has {count}, from 0 on");
    };
    if shard == CATALOGUE {
        return Ok(Found::on(topic, catalogue));
    }
    // The memory of one shard at a time.
    drop(catalogue);
    Ok(Found::on(topic, recover(shard)?))
}

fn named<'a>(owner: &'a OwnerState, asked: &str) -> Option<&'a CatalogueTopic> {
    let by_id = || owner.topic(TopicId(asked.parse().ok()?));
    owner.topic_named(asked).or_else(by_id)
}

fn all(owner: &OwnerState) -> String {
    let names: Vec<&str> = owner.topics().map(|topic| topic.descriptor.name()).take(NAMES_SHOWN).collect();
    match owner.topic_count() {
        0 => "it has none".to_owned(),
        count if count > NAMES_SHOWN => format!("it has {count}, among them {}", names.join(", ")),
        _ => format!("it has {}", names.join(", ")),
    }
}

/// Every shard describes the topics that it has partitions of.
fn on_other_shards(
    identity: &Identity,
    asked: &str,
    index: u32,
    recover: impl Fn(ShardId) -> Result<RecoveredShard, florin_engine::shard::open::OpenError>,
) -> Result<Found> {
    let mut is_known = false;
    for shard in (0..identity.shard_count).map(ShardId).filter(|shard| *shard != CATALOGUE) {
        let recovered = match recover(shard) {
            Ok(recovered) => recovered,
            Err(error) => {
                output::complain(&error.to_string());
                continue;
            }
        };
        let is_asked = |topic: &&TopicDescriptor| topic.name() == asked || topic.id().0.to_string() == asked;
        let Some(topic) = recovered.state.owned.topics().find(is_asked).cloned() else { continue };
        is_known = true;
        if topic.shard_of(index) == Some(shard) {
            return Ok(Found::on(topic, recovered));
        }
    }
    ensure!(!is_known, "partition {index} of topic {asked} is on no shard that can be recovered");
    bail!("no shard that can be recovered has a partition of topic {asked}")
}
