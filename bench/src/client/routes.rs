//! Which connection goes to which port, and to which of the partitions behind it.

use std::sync::Arc;

use anyhow::{Result, ensure};
use florin_engine::model::{PartitionId, TopicId};

use super::control::{Placement, address_of};
use super::stamp::KeyStamp;

/// Where one connection goes, and what it sends to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Host and port.
    pub address: String,
    /// A partition of the shard that listens there.
    pub partition: PartitionId,
    /// Many partitions in its place, request by request.
    pub turns: Option<Turns>,
    /// It is a bare server, which knows nothing but produce requests.
    pub is_bare: bool,
    /// The idempotency keys that its records get.
    pub keys: Option<KeyStamp>,
}

/// Partitions that requests go to in turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turns {
    partitions: Arc<[PartitionId]>,
    next: usize,
    /// Below the number of partitions.
    step: usize,
}

/// A shard that listens and has partitions.
struct Owner {
    address: String,
    partitions: Vec<PartitionId>,
}

/// Spreads connections over the shards, and those of a shard over its partitions, so that no shard forwards anything.
pub fn spread(placement: &Placement, connection_count: usize) -> Result<Vec<Route>> {
    let owners: Vec<Owner> = owners(placement);
    ensure!(!owners.is_empty(), "no shard that has a partition of the topic listens on a port");
    let route = |number: usize| {
        let owner = &owners[number % owners.len()];
        let partition = owner.partitions[number / owners.len() % owner.partitions.len()];
        Route { address: owner.address.clone(), partition, turns: None, is_bare: false, keys: None }
    };
    Ok((0..connection_count).map(route).collect())
}

/// A connection for each partition, in their order, to the shard that has it.
pub fn to_each_partition(placement: &Placement) -> Result<Vec<Route>> {
    let route = |(index, shard): (u32, &u16)| {
        let partition = PartitionId { topic: placement.topic, index };
        let port = placement.ports.get(usize::from(*shard)).copied().unwrap_or(0);
        ensure!(port != 0, "shard {shard}, which has partition {partition}, does not listen: see `florin shard list`");
        Ok(Route { address: address_of(&placement.host, port), partition, turns: None, is_bare: false, keys: None })
    };
    (0..).zip(&placement.shards).map(route).collect()
}

/// Connections that together go round all partitions of several topics: whoever takes the connections in their order
/// takes the partitions of each shard in theirs.
pub fn in_turns(placements: &[Placement], connection_count: usize) -> Result<Vec<Route>> {
    let mut all: Vec<Owner> = Vec::new();
    for owner in placements.iter().flat_map(owners) {
        match all.iter_mut().find(|known| known.address == owner.address) {
            Some(known) => known.partitions.extend(owner.partitions),
            None => all.push(owner),
        }
    }
    ensure!(!all.is_empty(), "no shard that has a partition of the topics listens on a port");
    let (shard_count, asked) = (all.len(), connection_count);
    ensure!(asked >= shard_count, "{shard_count} shards need as many --connections at least: there are {asked}");
    let shared: Vec<(String, Arc<[PartitionId]>)> =
        all.into_iter().map(|owner| (owner.address, owner.partitions.into())).collect();
    let route = |number: usize| {
        let (address, partitions) = &shared[number % shard_count];
        let of_shard = (connection_count - 1 - number % shard_count) / shard_count + 1;
        let turns = Turns::new(Arc::clone(partitions), number / shard_count, of_shard);
        Route { address: address.clone(), partition: turns.first(), turns: Some(turns), is_bare: false, keys: None }
    };
    Ok((0..connection_count).map(route).collect())
}

impl Turns {
    /// Begins at one of the partitions, and from each goes on to the one so many behind it; both go round.
    fn new(partitions: Arc<[PartitionId]>, first: usize, step: usize) -> Self {
        let count = partitions.len();
        assert!(count > 0, "an owner has a partition");
        Self { next: first % count, step: step % count, partitions }
    }

    fn first(&self) -> PartitionId {
        self.partitions[self.next]
    }

    /// The partition whose turn it is.
    pub fn take(&mut self) -> PartitionId {
        let partition = self.partitions[self.next];
        self.next += self.step;
        if self.next >= self.partitions.len() {
            self.next -= self.partitions.len();
        }
        partition
    }
}

fn owners(placement: &Placement) -> Vec<Owner> {
    let mut owners = Vec::new();
    for (shard, port) in (0_u16..).zip(&placement.ports) {
        let on_shard = (0_u32..).zip(&placement.shards).filter(|(_, owner)| **owner == shard);
        let partitions: Vec<PartitionId> =
            on_shard.map(|(index, _)| PartitionId { topic: placement.topic, index }).collect();
        if *port != 0 && !partitions.is_empty() {
            owners.push(Owner { address: address_of(&placement.host, *port), partitions });
        }
    }
    owners
}

/// As many connections to a bare server.
pub fn to_bare(address: &str, connection_count: usize) -> Vec<Route> {
    let partition = PartitionId { topic: TopicId(1), index: 0 };
    vec![Route { address: address.to_owned(), partition, turns: None, is_bare: true, keys: None }; connection_count]
}

#[cfg(test)]
mod tests;
