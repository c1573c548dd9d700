//! Catalogue messages between shards on different executors: a bounded inbox each, emptied every millisecond.
//!
//! A full inbox drops the message, as the catalogue allows: it is sent again.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use florin_engine::model::ShardId;
use florin_engine::shard::ShardMessage;

use super::client::Forward;

/// Messages that wait in one inbox, at most.
const INBOX_COUNT_MAX: usize = 1024;

/// A message on its way.
#[derive(Debug)]
pub struct Parcel {
    /// Who sends it.
    pub from: ShardId,
    /// What.
    pub message: ShardMessage,
}

/// One shard's place in the mesh.
#[derive(Debug)]
pub struct Port {
    inbox: Receiver<Parcel>,
    outboxes: Vec<SyncSender<Parcel>>,
}

/// A port for each of `shard_count` shards, in their order.
pub fn mesh(shard_count: u16) -> Vec<Port> {
    let (outboxes, inboxes): (Vec<_>, Vec<_>) = (0..shard_count).map(|_| sync_channel(INBOX_COUNT_MAX)).unzip();
    inboxes.into_iter().map(|inbox| Port { inbox, outboxes: outboxes.clone() }).collect()
}

impl Port {
    /// What carries messages away.
    pub fn forward(&self) -> Forward {
        let outboxes = self.outboxes.clone();
        Box::new(move |from, to, message| {
            if let Some(outbox) = outboxes.get(usize::from(to.0)) {
                // Full, or its shard is gone: either way it comes again.
                let _ = outbox.try_send(Parcel { from, message });
            }
        })
    }

    /// The next message that came in.
    pub fn receive(&self) -> Option<Parcel> {
        self.inbox.try_recv().ok()
    }
}
