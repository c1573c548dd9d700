//! Requests carried out: one file per verb. What a shard must answer is asked of it, what the server knows is answered
//! at once.

use std::rc::Rc;

use florin_engine::model::Monotonic;
use florin_engine::shard::{GroupRequest, Request as ToShard, TransactionRequest};

use crate::connection::{Connection, FrameSink};
use crate::io::Network;
use crate::limits::CONNECTION_REQUESTS_MAX;
use crate::metrics::counted;
use crate::protocol::{Api, Code, ErrorResponse, FRAME_HEADER_BYTES, Frame, Request, Response};
use crate::server::core::{Core, Pending};

mod fetch;
pub mod gather;
mod keys;
pub mod metadata;
mod negotiate;
mod offsets;
mod produce;
mod producer;
pub mod reply;
mod shards;
pub mod together;
mod topics;
mod transactions;

/// Takes the frames of a connection to the shards.
pub struct Intake<N: Network> {
    core: Rc<Core<N>>,
    connection: Rc<Connection<N::Stream>>,
}

impl<N: Network> Intake<N> {
    /// Takes the frames of `connection`.
    pub fn new(core: Rc<Core<N>>, connection: Rc<Connection<N::Stream>>) -> Self {
        Self { core, connection }
    }
}

impl<N: Network> FrameSink for Intake<N> {
    fn has_room(&self) -> bool {
        let (core, connection) = (&self.core, &self.connection);
        connection.request_count() < CONNECTION_REQUESTS_MAX
            && connection.held_bytes() < core.settings.connection_bytes_max
            && core.bytes.admits(connection.held_bytes())
            && core.requests.admits(connection.request_count())
    }

    fn received(&self, bytes: usize) {
        self.core.counters().received_bytes.add(counted(bytes));
    }

    fn buffered(&self, before: usize, after: usize) {
        self.core.bytes.give_back(before);
        self.core.bytes.take(after);
    }

    fn paused(&self) {
        self.core.counters().paused.add(1);
    }

    fn client_ended(&self) {
        self.core.cancel_polls(&self.connection);
    }

    fn take(&self, frame: Frame, now: Monotonic) {
        let correlation = frame.correlation;
        let bytes = FRAME_HEADER_BYTES + frame.head.len() + frame.payload.len();
        match Request::decode(frame) {
            Ok(request) => {
                let api = request.api();
                if api != Api::Negotiate && !self.connection.has_negotiated() {
                    let message = "the first request on a connection is a negotiation: send one, then the rest";
                    self.turn_away(correlation, &ErrorResponse::new(Code::NEGOTIATE_FIRST, message));
                    return;
                }
                self.core.counters().requests[usize::from(api.number())].add(1);
                let pending = self.begin(correlation, api, bytes, now);
                self.carry_out(pending, request);
            }
            Err(error) => {
                let response = ErrorResponse::from(&error);
                if self.connection.has_negotiated() {
                    self.core.push_error(&self.connection, correlation, &response);
                } else {
                    self.turn_away(correlation, &response);
                }
            }
        }
    }
}

impl<N: Network> Intake<N> {
    fn begin(&self, correlation: u64, api: Api, bytes: usize, received: Monotonic) -> Pending<N::Stream> {
        self.connection.begin_request(bytes);
        self.core.bytes.take(bytes);
        self.core.requests.take(1);
        Pending { connection: Rc::clone(&self.connection), correlation, api, count: 1, bytes, received, query: None }
    }

    fn carry_out(&self, pending: Pending<N::Stream>, request: Request) {
        let core = &*self.core;
        match request {
            Request::Negotiate { client } => negotiate::negotiate(core, pending, &client),
            Request::Metadata { from, names } => metadata::metadata(core, pending, from, names),
            Request::CreateTopic { name, partition_count, settings, keys } => {
                topics::create(core, pending, name, partition_count, settings, keys);
            }
            Request::AlterTopic { topic, change } => topics::alter(core, pending, topic, change),
            Request::DeleteTopic { topic } => topics::delete(core, pending, topic),
            Request::DescribeTopic { topic } => topics::describe(core, pending, topic),
            Request::InitProducer => producer::init(core, pending),
            Request::Produce { partition, batch } => produce::produce(core, pending, partition, batch),
            Request::Fetch { partition, from, bytes_max, wait_ms, isolation } => {
                fetch::fetch(core, pending, partition, (from, isolation), bytes_max, wait_ms);
            }
            Request::ListOffsets { partition, at } => offsets::list(core, pending, partition, at),
            Request::DescribeShards => shards::describe(core, pending),
            Request::LookUpKey { topic, key } => keys::look_up(core, pending, topic, key),
            Request::ConfirmClock => shards::confirm_clock(core, pending),
            Request::ProduceTogether { batches } => together::produce(core, pending, batches),
            other => Self::carry_out_transaction(core, pending, other),
        }
    }

    /// Requests about transactions and groups.
    fn carry_out_transaction(core: &Core<N>, pending: Pending<N::Stream>, request: Request) {
        match request {
            Request::OpenTransactionalId { name, timeout_ms } => {
                let request = TransactionRequest::Open { name: name.clone(), timeout_ms };
                transactions::of_id(core, pending, &name, request);
            }
            Request::EndTransaction { transaction, outcome } => {
                let request = TransactionRequest::End { transaction, outcome };
                transactions::of_transaction(core, pending, transaction, request);
            }
            Request::ListTransactions { after } => {
                transactions::of_port(core, pending, ToShard::Transaction(TransactionRequest::List { after }));
            }
            Request::DescribeTransaction { name } => {
                transactions::of_id(core, pending, &name, TransactionRequest::Describe { name: name.clone() });
            }
            Request::CommitOffsets { group, transaction, offsets } => {
                let request = GroupRequest::Commit { group: group.clone(), transaction, offsets };
                transactions::of_group(core, pending, &group, request);
            }
            Request::FetchOffsets { group, after } => {
                transactions::of_group(core, pending, &group, GroupRequest::Offsets { group: group.clone(), after });
            }
            Request::ListGroups { after } => {
                transactions::of_port(core, pending, ToShard::Group(GroupRequest::List { after }));
            }
            Request::ForgetGroup { group } => {
                transactions::of_group(core, pending, &group, GroupRequest::Forget { group: group.clone() });
            }
            other => unreachable!("{other:?} is not about transactions"),
        }
    }

    /// Answers and closes: whoever does not begin as it must does not mean Florin. What it has sent behind that is still
    /// read, or the network would throw the answer away with it.
    fn turn_away(&self, correlation: u64, error: &ErrorResponse) {
        self.core.push_error(&self.connection, correlation, error);
        self.connection.finish_sending();
    }
}

impl<N: Network> Core<N> {
    /// Sends an error that ends no request under way.
    pub fn push_error(&self, connection: &Connection<N::Stream>, correlation: u64, error: &ErrorResponse) {
        self.counters().errors.add(1);
        let response = Response::Error(error.clone());
        let bytes = connection.push_frames(|out| response.encode(Api::Negotiate, correlation, out));
        self.bytes.take(bytes);
    }

    /// Sends the response to a request under way.
    pub fn respond_with(&self, pending: &Pending<N::Stream>, response: &Response) {
        if let Response::Error(_) = response {
            self.counters().errors.add(1);
        }
        let bytes = pending.connection.push_frames(|out| response.encode(pending.api, pending.correlation, out));
        self.bytes.take(bytes);
    }

    /// Answers a request under way with what the server knows by itself.
    pub fn answer_now(&self, pending: Pending<N::Stream>, response: &Response) {
        self.finish(pending, |core, pending| core.respond_with(pending, response));
    }
}
