//! The writer of a connection: sends what waits, in order, as much at once as there is.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;

use bytes::BytesMut;
use florin_engine::shard::Fetched;

use super::outgoing::{fetched_head, frame_bytes};
use super::{Connection, Outgoing, Phase};
use crate::bulk::BulkTurns;
use crate::io::{Network, Stream};

/// Batches of a fetch are gathered up to this many bytes for one send; larger ones are sent from where they are held.
const GATHER_BYTES: usize = 16 * 1024;
/// What a client must take within its time.
const PIECE_BYTES: usize = 64 * 1024;

/// Sends until the connection is closed, everything under way is answered and everything is sent, or until it is gone.
/// Large answers take `turns`. `sent` is told of every piece that left with the bytes that it had been counted with.
pub async fn send_responses<N: Network>(
    network: &N,
    connection: &Connection<N::Stream>,
    turns: &BulkTurns,
    sent: impl Fn(usize),
) -> io::Result<()> {
    loop {
        let next = connection.outgoing.borrow_mut().pop();
        match next {
            Some(Outgoing::Frames(frames)) => {
                let result = send_all(network, connection, &frames).await;
                let bytes = frames.len();
                connection.outgoing.borrow_mut().give_back(frames);
                connection.left(bytes);
                sent(bytes);
                result?;
            }
            Some(Outgoing::Fetched { correlation, fetched }) => {
                let bytes = frame_bytes(&fetched);
                let result = send_fetched(network, connection, turns, correlation, &fetched).await;
                connection.left(bytes);
                sent(bytes);
                result?;
            }
            None if connection.phase() != Phase::Open && connection.request_count() == 0 => return Ok(()),
            None => connection.to_send.happened().await,
        }
        if connection.phase() == Phase::Gone {
            return Ok(());
        }
    }
}

async fn send_fetched<N: Network>(
    network: &N,
    connection: &Connection<N::Stream>,
    turns: &BulkTurns,
    correlation: u64,
    fetched: &Fetched,
) -> io::Result<()> {
    let mut buffer = BytesMut::with_capacity(GATHER_BYTES);
    fetched_head(&mut buffer, correlation, fetched);
    for batch in &fetched.batches {
        if buffer.len() + batch.bytes.len() > GATHER_BYTES {
            send_in_turns(network, connection, turns, &buffer).await?;
            buffer.clear();
        }
        if batch.bytes.len() > GATHER_BYTES {
            send_in_turns(network, connection, turns, &batch.bytes).await?;
        } else {
            buffer.extend_from_slice(&batch.bytes);
        }
    }
    send_in_turns(network, connection, turns, &buffer).await
}

async fn send_in_turns<N: Network>(
    network: &N,
    connection: &Connection<N::Stream>,
    turns: &BulkTurns,
    mut bytes: &[u8],
) -> io::Result<()> {
    while !bytes.is_empty() && connection.phase() != Phase::Gone {
        let piece_bytes = turns.next(network).await.min(bytes.len());
        let (piece, rest) = bytes.split_at(piece_bytes);
        send_all(network, connection, piece).await?;
        bytes = rest;
    }
    Ok(())
}

/// Polls once, with the waker of the task.
async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
}

async fn send_all<N: Network>(network: &N, connection: &Connection<N::Stream>, bytes: &[u8]) -> io::Result<()> {
    // A client that takes a byte now and then takes as good as nothing: the time begins anew with each piece only.
    for mut piece in bytes.chunks(PIECE_BYTES) {
        let result = loop {
            let mut write = pin!(connection.stream.write(piece));
            let written = match poll_once(write.as_mut()).await {
                Poll::Ready(written) => written,
                Poll::Pending => {
                    if connection.send_since.get().is_none() {
                        connection.send_since.set(Some(network.monotonic()));
                    }
                    write.await
                }
            };
            match written {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(done) if done == piece.len() => break Ok(()),
                Ok(done) => piece = &piece[done..],
                Err(error) => break Err(error),
            }
        };
        connection.send_since.set(None);
        result?;
    }
    Ok(())
}

impl<S: Stream> Connection<S> {
    /// Something that waited has left, or never will.
    fn left(&self, bytes: usize) {
        self.queued_bytes.set(self.queued_bytes.get() - bytes);
        self.has_room.notify();
    }

    /// Gives up what waits; returns its bytes.
    pub fn drop_outgoing(&self) -> usize {
        let mut outgoing = self.outgoing.borrow_mut();
        while outgoing.pop().is_some() {}
        self.queued_bytes.take()
    }
}
