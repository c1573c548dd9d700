//! What handles ask of the thread.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam::channel::Sender;
use florin_engine::model::PartitionId;
use mio::Waker;

use super::consumer::ConsumerShared;
use super::hub::LinkKey;
use super::producer::ProducerShared;
use crate::protocol::{Request, Response};

/// Commands under way.
pub(super) const COMMAND_COUNT_MAX: usize = 1024;

/// Which connection a request takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Whichever there is.
    Any,
    /// To this shard.
    Shard(u16),
    /// To the shard of this partition.
    Partition(PartitionId),
}

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CallFault {
    /// It was not sent within its time.
    NotSent { reason: String },
    /// It was sent, and its connection ended.
    Lost { reason: String },
    /// The other side does not speak the protocol. It was not sent.
    Protocol { server: String, reason: String },
    /// Nobody knows where to send it.
    NoRoute,
}

/// One attempt of one request.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) route: Route,
    pub(super) request: Request,
    pub(super) deadline_ns: u64,
    pub(super) reply: Sender<Result<Response, CallFault>>,
}

impl Call {
    /// Answers it. A caller that went away does not mind.
    pub(super) fn answer(&self, result: Result<Response, CallFault>) {
        let _gone = self.reply.try_send(result);
    }
}

/// A command.
#[derive(Debug)]
pub(super) enum Command {
    Call(Call),
    AddProducer {
        number: u64,
        producer: Arc<ProducerShared>,
    },
    RemoveProducer {
        number: u64,
    },
    AddConsumer {
        number: u64,
        consumer: Arc<ConsumerShared>,
    },
    RemoveConsumer {
        number: u64,
    },
    /// A host's name was looked up for this attempt to connect.
    Resolved {
        key: LinkKey,
        attempt: u64,
        result: Result<Vec<SocketAddr>, String>,
    },
    Stop,
}

/// Wakes the thread, once for any number of wishes until it looks.
#[derive(Debug)]
pub(super) struct Bell {
    waker: Waker,
    is_rung: AtomicBool,
}

impl Bell {
    pub(super) fn new(waker: Waker) -> Self {
        Self { waker, is_rung: AtomicBool::new(false) }
    }

    pub(super) fn ring(&self) {
        if !self.is_rung.swap(true, Ordering::AcqRel)
            && let Err(error) = self.waker.wake()
        {
            panic!("the client's thread cannot be woken: {error}");
        }
    }

    /// The thread looks now: what is wished for from here on rings again.
    pub(super) fn heard(&self) {
        self.is_rung.store(false, Ordering::Release);
    }
}
