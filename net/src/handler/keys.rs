//! LookUpKey: what is stored under an idempotency key.

use bytes::Bytes;
use florin_engine::model::{PartitionId, TopicId};
use florin_engine::shard::{Refusal, Request};

use super::produce::owner;
use crate::io::Network;
use crate::protocol::{ErrorResponse, Response};
use crate::server::core::{Core, Pending, Waiter};

/// Asks the owner of the partition that the key belongs to.
pub(super) fn look_up<N: Network>(core: &Core<N>, pending: Pending<N::Stream>, topic: TopicId, key: Bytes) {
    let refusal = match core.topic(pending.connection.shard, topic) {
        None => Refusal::UnknownTopic(topic),
        Some(descriptor) => match descriptor.keys() {
            None => Refusal::NoKeys(topic),
            Some(rule) => {
                let index = rule.partitioner().partition_of(&key, descriptor.partition_count());
                let partition = PartitionId { topic, index };
                let shard = owner(core, pending.connection.shard, partition);
                return core.ask(shard, Request::LookUpKey { partition, key }, Waiter::Client(pending));
            }
        },
    };
    core.answer_now(pending, &Response::Error(ErrorResponse::from(&refusal)));
}
