//! Metadata: topics by pages, and where the shards listen.

use florin_engine::catalogue::TopicDescriptor;
use florin_engine::model::TopicId;
use florin_engine::shard::Request;

use crate::io::Network;
use crate::limits::METADATA_PAGE_BYTES;
use crate::protocol::{ShardEndpoints, TopicDescription, TopicsPage};
use crate::server::core::{Core, Pending, Waiter};

/// Which topics were asked for.
#[derive(Debug)]
pub struct TopicQuery {
    from: TopicId,
    names: Vec<String>,
}

/// Asks the port's shard for the live topics.
pub(super) fn metadata<N: Network>(core: &Core<N>, mut pending: Pending<N::Stream>, from: TopicId, names: Vec<String>) {
    pending.query = Some(Box::new(TopicQuery { from, names }));
    let shard = pending.connection.shard;
    core.ask(shard, Request::Metadata, Waiter::Client(pending));
}

/// A topic as it is told.
pub(super) fn description(topic: &TopicDescriptor) -> TopicDescription {
    TopicDescription {
        id: topic.id(),
        name: topic.name().to_owned(),
        revision: topic.revision(),
        placement: topic.placement().iter().map(|shard| shard.0).collect(),
        keys: topic.keys().cloned(),
    }
}

impl TopicQuery {
    /// The page of `topics` that was asked for.
    pub(super) fn page<N: Network>(&self, core: &Core<N>, complete: bool, topics: &[TopicDescriptor]) -> TopicsPage {
        let asked = topics
            .iter()
            .filter(|topic| topic.id() >= self.from)
            .filter(|topic| self.names.is_empty() || self.names.iter().any(|name| name == topic.name()));
        let mut page = TopicsPage {
            endpoints: ShardEndpoints {
                host: core.shared.advertise.clone(),
                ports: core.shared.shards.iter().map(super::super::server::shared::SharedShard::port).collect(),
            },
            complete,
            next: TopicId(0),
            topics: Vec::new(),
        };
        let mut bytes = 0;
        for topic in asked {
            let described = description(topic);
            bytes += described.encoded_bytes();
            if bytes > METADATA_PAGE_BYTES && !page.topics.is_empty() {
                page.next = described.id;
                break;
            }
            page.topics.push(described);
        }
        page
    }
}
