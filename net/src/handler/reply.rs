//! What a shard answers, as what is sent.

use florin_engine::shard::{GroupReply, Reply, TransactionReply};

use super::metadata::description;
use crate::io::Network;
use crate::protocol::{ErrorResponse, Response};
use crate::server::core::{Core, Pending};

/// Sends a shard's answer to the client that asked.
pub fn respond<N: Network>(core: &Core<N>, pending: &Pending<N::Stream>, reply: Reply) {
    let response = match reply {
        Reply::Captured { base_offset, append_time, duplicate } => {
            Response::Produced { base_offset, append_time, duplicate }
        }
        Reply::Fetched(fetched) => {
            let bytes = pending.connection.push_fetched(pending.correlation, fetched);
            return core.bytes.take(bytes);
        }
        Reply::Offset(offset) => Response::Offset(offset),
        Reply::Producer { id, epoch } => Response::Producer { id, epoch },
        Reply::TopicCreated(topic) => Response::TopicCreated(description(&topic)),
        Reply::TopicAltered(topic) => {
            Response::TopicAltered { topic: description(&topic), settings: *topic.settings() }
        }
        Reply::TopicDeleted(topic) => Response::TopicDeleted(topic),
        Reply::Topics { complete, topics } => {
            let query = pending.query.as_ref().expect("topics were asked for by a query");
            Response::Topics(query.page(core, complete, &topics))
        }
        Reply::ClockConfirmed => Response::ClockConfirmed,
        Reply::Refused(refusal) => Response::Error(ErrorResponse::from(&refusal)),
        Reply::CapturedTogether { receipts, duplicate } => {
            Response::ProducedTogether { receipts, duplicate, next: None }
        }
        Reply::Transaction(TransactionReply::Opened { next, last }) => Response::TransactionalIdOpened { next, last },
        Reply::Transaction(TransactionReply::Ended { outcome, next }) => Response::TransactionEnded { outcome, next },
        Reply::Transaction(TransactionReply::List(statuses)) => Response::Transactions(statuses),
        Reply::Transaction(TransactionReply::Description(status)) => {
            Response::Transaction(status.map(|status| *status))
        }
        Reply::Group(GroupReply::Committed) => Response::OffsetsCommitted,
        Reply::Group(GroupReply::Offsets(offsets)) => Response::Offsets(offsets),
        Reply::Group(GroupReply::List(groups)) => Response::Groups(groups),
        Reply::Group(GroupReply::Forgotten) => Response::GroupForgotten,
        Reply::Known(receipts) => Response::Known(receipts),
        Reply::Key { partition, receipt } => Response::Key { partition: partition.index, receipt },
        Reply::Partitions(_) | Reply::Checkpointed { .. } => {
            unreachable!("no client asks for this by itself")
        }
    };
    core.respond_with(pending, &response);
}
