//! Accepts the connections of a shard's port, and sees each through its life.

use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use bytes::BytesMut;
use florin_engine::model::ShardId;
use futures_util::future::{Either, select};

use crate::connection::{Connection, Event, Lapse, Phase, ReadEnd, read_requests, send_responses};
use crate::handler::Intake;
use crate::io::{Listener, Network, Stream};
use crate::limits::SWEEP_NS;
use crate::metrics::counted;
use crate::protocol::{Api, Code, ErrorResponse, Response};
use crate::server::core::Core;

/// How long to wait after a failed accept: without free descriptors the next one fails as well.
const ACCEPT_RETRY_NS: u64 = 100_000_000;
/// What a client that is told of an error may still send before the connection is torn down: otherwise the network
/// would throw the error away with the unread bytes.
const LINGER_BYTES: usize = 1024 * 1024;
/// How long it may take for that.
const LINGER_NS: u64 = 1_000_000_000;
/// Connections that are told at the same time that there are too many; more are closed without a word, for each holds
/// a descriptor until it has heard.
const TURNED_AWAY_MAX: usize = 64;

/// Accepts until `closing` happens.
pub async fn accept_connections<N: Network>(
    core: Rc<Core<N>>,
    shard: ShardId,
    listener: N::Listener,
    closing: Rc<Event>,
) {
    let mut closed = pin!(closing.happened());
    loop {
        let accepted = match select(pin!(listener.accept()), &mut closed).await {
            Either::Left((accepted, _)) => accepted,
            Either::Right(_) => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                core.counters().accepted.add(1);
                // Counted here and not by the task: many may be accepted before the first task has its turn.
                let connections = &core.shared.shard(shard).counters.connections;
                let open = connections.get();
                if open >= counted(core.settings.connection_count_max) {
                    core.counters().turned_away.add(1);
                    if core.turning_away_count.get() < TURNED_AWAY_MAX {
                        core.turning_away_count.set(core.turning_away_count.get() + 1);
                        core.network.spawn(turn_away(Rc::clone(&core), stream));
                    } else {
                        stream.shut_down();
                    }
                    continue;
                }
                connections.set(open + 1);
                let now = core.network.monotonic();
                let connection = Rc::new(Connection::new(stream, shard, peer, now));
                core.network.spawn(serve(Rc::clone(&core), connection));
            }
            Err(error) => {
                core.counters().accept_failed.add(1);
                tracing::warn!(%shard, %error, "a connection could not be accepted");
                core.network.sleep(ACCEPT_RETRY_NS).await;
            }
        }
    }
}

/// Says that there are too many connections, if that can be said at once.
async fn turn_away<N: Network>(core: Rc<Core<N>>, stream: N::Stream) {
    let limit = core.settings.connection_count_max;
    let message = format!("this port has {limit} connections already: close some, or connect again later");
    let mut error = ErrorResponse::new(Code::TOO_MANY_CONNECTIONS, message);
    error.details[0] = counted(limit);
    let mut frame = BytesMut::new();
    Response::Error(error).encode(Api::Negotiate, 0, &mut frame);
    let _ = select(pin!(stream.write(&frame)), pin!(core.network.sleep(LINGER_NS))).await;
    stream.end_sending();
    linger(&core.network, &stream).await;
    stream.shut_down();
    core.turning_away_count.set(core.turning_away_count.get() - 1);
}

/// Sees a connection, which is counted already, through its life.
async fn serve<N: Network>(core: Rc<Core<N>>, connection: Rc<Connection<N::Stream>>) {
    let shared = Arc::clone(&core.shared);
    let open = &shared.shard(connection.shard).counters.connections;
    let key = core.connections.borrow_mut().insert(Rc::clone(&connection));
    let written = Rc::new(Event::default());
    core.network.spawn(write(Rc::clone(&core), Rc::clone(&connection), Rc::clone(&written)));

    let intake = Intake::new(Rc::clone(&core), Rc::clone(&connection));
    let end = read_requests(&core.network, &connection, &intake).await;
    core.cancel_polls(&connection);
    match end {
        ReadEnd::Closed => {
            connection.answered().await;
            if connection.phase() == Phase::Finishing {
                linger(&core.network, connection.stream()).await;
            }
        }
        ReadEnd::Malformed(error) => {
            core.counters().malformed.add(1);
            tracing::debug!(peer = %connection.peer, %error, "closed: its stream cannot be cut into frames");
            connection.answered().await;
            core.push_error(&connection, 0, &ErrorResponse::from(&error));
            connection.finish_sending();
            linger(&core.network, connection.stream()).await;
        }
        ReadEnd::Failed(error) => {
            tracing::debug!(peer = %connection.peer, %error, "lost");
            connection.abort();
        }
    }
    connection.close();
    written.happened().await;
    connection.abort();
    core.bytes.give_back(connection.drop_outgoing());
    core.connections.borrow_mut().remove(key);
    open.set(open.get() - 1);
}

async fn write<N: Network>(core: Rc<Core<N>>, connection: Rc<Connection<N::Stream>>, written: Rc<Event>) {
    let sent = |bytes: usize| {
        core.bytes.give_back(bytes);
        core.counters().sent_bytes.add(counted(bytes));
    };
    if let Err(error) = send_responses(&core.network, &connection, &core.bulk, sent).await {
        tracing::debug!(peer = %connection.peer, %error, "lost");
        connection.abort();
    }
    match connection.phase() {
        // The reader may still wait for a client that sends nothing.
        Phase::Closing => connection.hang_up(),
        Phase::Finishing => connection.end_sending(),
        Phase::Open | Phase::Gone => {}
    }
    written.notify();
}

/// Takes what the client still sends, so that it gets to read why the connection ends.
async fn linger<N: Network>(network: &N, stream: &N::Stream) {
    let read = async {
        let mut rest = BytesMut::new();
        let mut left = LINGER_BYTES;
        while left > 0
            && let Ok(bytes @ 1..) = stream.read(&mut rest, None).await
        {
            left = left.saturating_sub(bytes);
            rest.clear();
        }
    };
    let _ = select(pin!(read), pin!(network.sleep(LINGER_NS))).await;
}

/// Looks at every connection from time to time: whoever takes too long is closed. Publishes how the shards are doing.
pub async fn sweep_connections<N: Network>(core: Rc<Core<N>>) {
    loop {
        core.network.sleep(SWEEP_NS).await;
        core.publish();
        let now = core.network.monotonic();
        let connections: Vec<_> = core.connections.borrow().iter().map(|(_, open)| Rc::clone(open)).collect();
        for connection in connections {
            // Others may have given back what this one waits for.
            connection.look_for_room();
            match connection.lapse(now, &core.settings.patience) {
                None => {}
                Some(Lapse::Idle) => {
                    core.counters().idle_closed.add(1);
                    connection.close();
                }
                Some(Lapse::Frame) => {
                    core.counters().timed_out.add(1);
                    let message = "a whole frame, or the negotiation, did not arrive in time: connect again";
                    core.push_error(&connection, 0, &ErrorResponse::new(Code::TIMED_OUT, message));
                    connection.close();
                }
                Some(Lapse::Send) => {
                    core.counters().timed_out.add(1);
                    connection.abort();
                }
            }
        }
    }
}
