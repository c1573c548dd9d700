//! Topics created, altered, deleted and described.

use std::rc::Rc;

use florin_engine::catalogue::{COORDINATOR, TopicChange, TopicSettings};
use florin_engine::format::control::KeyRule;
use florin_engine::model::{ShardId, TopicId};
use florin_engine::shard::{Refusal, Request};

use super::gather::Gather;
use crate::io::Network;
use crate::protocol::{ErrorResponse, PartitionDescription, Response};
use crate::server::core::{Core, Pending, Waiter};

/// Asks shard 0 for a new topic.
pub(super) fn create<N: Network>(
    core: &Core<N>,
    pending: Pending<N::Stream>,
    name: String,
    partition_count: u32,
    settings: TopicSettings,
    keys: Option<KeyRule>,
) {
    ask_coordinator(core, pending, Request::CreateTopic { name, partition_count, settings, keys });
}

/// Asks shard 0 to alter a topic.
pub(super) fn alter<N: Network>(core: &Core<N>, pending: Pending<N::Stream>, topic: TopicId, change: TopicChange) {
    ask_coordinator(core, pending, Request::AlterTopic { topic, change });
}

/// Asks shard 0 to delete a topic.
pub(super) fn delete<N: Network>(core: &Core<N>, pending: Pending<N::Stream>, topic: TopicId) {
    ask_coordinator(core, pending, Request::DeleteTopic { topic });
}

/// Asks every shard that has partitions of the topic how they are doing.
pub(super) fn describe<N: Network>(core: &Core<N>, mut pending: Pending<N::Stream>, topic: TopicId) {
    let Some(descriptor) = core.topic(pending.connection.shard, topic) else {
        let response = Response::Error(ErrorResponse::from(&Refusal::UnknownTopic(topic)));
        return core.answer_now(pending, &response);
    };
    let owners: Vec<ShardId> = descriptor.owners().into_iter().collect();
    // The answer is held from now on, part by part.
    core.charge(&mut pending, descriptor.placement().len() * PartitionDescription::ENCODED_BYTES);
    let gather = Rc::new(Gather::new(pending, &descriptor));
    for shard in owners {
        let waiter = Waiter::Part { gather: Rc::clone(&gather), shard };
        core.ask(shard, Request::DescribePartitions { topic }, waiter);
    }
}

fn ask_coordinator<N: Network>(core: &Core<N>, pending: Pending<N::Stream>, request: Request) {
    if pending.connection.shard != COORDINATOR {
        core.counters().misrouted.add(1);
    }
    core.ask(COORDINATOR, request, Waiter::Client(pending));
}
