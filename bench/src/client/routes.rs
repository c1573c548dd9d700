//! Which connection goes to which port, and to which of the partitions behind it.

use anyhow::{Result, ensure};
use florin_engine::model::{PartitionId, TopicId};

use super::control::{Placement, address_of};

/// Where one connection goes, and the one partition that it sends to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Host and port.
    pub address: String,
    /// A partition of the shard that listens there.
    pub partition: PartitionId,
    /// It is a bare server, which knows nothing but produce requests.
    pub is_bare: bool,
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
        Route { address: owner.address.clone(), partition, is_bare: false }
    };
    Ok((0..connection_count).map(route).collect())
}

/// A connection for each partition, in their order, to the shard that has it.
pub fn to_each_partition(placement: &Placement) -> Result<Vec<Route>> {
    let route = |(index, shard): (u32, &u16)| {
        let partition = PartitionId { topic: placement.topic, index };
        let port = placement.ports.get(usize::from(*shard)).copied().unwrap_or(0);
        ensure!(port != 0, "shard {shard}, which has partition {partition}, does not listen: see `florin shard list`");
        Ok(Route { address: address_of(&placement.host, port), partition, is_bare: false })
    };
    (0..).zip(&placement.shards).map(route).collect()
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
    vec![Route { address: address.to_owned(), partition, is_bare: true }; connection_count]
}
