//! A task for each connection, and one that writes blocks and answers, on the executor that Florin runs on.

#![allow(clippy::disallowed_methods, reason = "the runtime is named here")]

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use ::glommio::io::{DmaFile, OpenOptions};
use ::glommio::net::{TcpListener, TcpStream};
use ::glommio::{allocate_dma_buffer, spawn_local};
use anyhow::{Context, Result, anyhow, ensure};
use bytes::BytesMut;
use florin_engine::io::fitness::DirectIo;
use florin_engine::io::glommio::{ExecutorSettings, ShardExecutor};
use futures_util::io::{AsyncRead, AsyncWrite};

use super::Ending;
use super::block::{BLOCK_BYTES_MAX, Positions, padded};
use super::cut::{Received, put_answer};

const SCRATCH_BYTES: usize = 64 * 1024;

/// What all tasks share.
struct Server {
    /// Frames that wait to be written.
    forming: RefCell<Vec<u8>>,
    /// Who waits for them, with the number of the request.
    waiting: RefCell<Vec<(Rc<Connection>, u64)>>,
    writer: RefCell<Option<Waker>>,
    failed: Cell<bool>,
    scratch: RefCell<Vec<u8>>,
}

struct Connection {
    stream: RefCell<TcpStream>,
    outgoing: RefCell<BytesMut>,
    is_sending: Cell<bool>,
}

/// Serves until the end comes. `ready` is called when connections are taken.
pub fn serve(
    address: SocketAddr,
    path: PathBuf,
    core: Option<usize>,
    ending: Ending,
    ready: impl FnOnce() -> Result<()> + Send + 'static,
) -> Result<()> {
    let directory = path.parent().context("a file has a folder")?.to_owned();
    let settings = ExecutorSettings {
        name: "bare".to_owned(),
        core,
        direct_io: DirectIo::Required,
        directory,
        executor_count: 1,
    };
    ShardExecutor::new(settings).run(move |_| async move { run(address, path, &ending, ready).await })?
}

async fn run(
    address: SocketAddr,
    path: PathBuf,
    ending: &Ending,
    ready: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(libc::O_DSYNC);
    let file = options.dma_open(&path).await.map_err(|error| anyhow!("{} cannot be opened: {error}", path.display()))?;
    let listener = TcpListener::bind(address).map_err(|error| anyhow!("{address} cannot be listened on: {error}"))?;
    let server = Rc::new(Server {
        forming: RefCell::default(),
        waiting: RefCell::default(),
        writer: RefCell::default(),
        failed: Cell::new(false),
        scratch: RefCell::new(vec![0; SCRATCH_BYTES]),
    });
    spawn_local(write_until_failed(Rc::clone(&server), file)).detach();
    ready()?;
    while !ending.has_come() {
        let stream = listener.accept().await.map_err(|error| anyhow!("a connection cannot be accepted: {error}"))?;
        stream.set_nodelay(true).map_err(|error| anyhow!("{error}"))?;
        spawn_local(receive_until_end(Rc::clone(&server), stream)).detach();
        ensure!(!server.failed.get(), "a durable write failed");
    }
    Ok(())
}

async fn receive_until_end(server: Rc<Server>, stream: TcpStream) {
    let connection = Rc::new(Connection {
        stream: RefCell::new(stream),
        outgoing: RefCell::default(),
        is_sending: Cell::new(false),
    });
    let mut received = Received::default();
    loop {
        let bytes = poll_fn(|context| {
            let mut scratch = server.scratch.borrow_mut();
            let poll = Pin::new(&mut *connection.stream.borrow_mut()).poll_read(context, &mut scratch);
            if let Poll::Ready(Ok(bytes)) = poll {
                received.push(&scratch[..bytes]);
            }
            poll
        })
        .await;
        if !matches!(bytes, Ok(1..)) {
            return;
        }
        while let Some((correlation, frame)) = received.front() {
            let bytes = frame.len();
            server.forming.borrow_mut().extend_from_slice(frame);
            server.waiting.borrow_mut().push((Rc::clone(&connection), correlation));
            received.drop_front(bytes);
        }
        if let Some(writer) = server.writer.take() {
            writer.wake();
        }
    }
}

async fn write_until_failed(server: Rc<Server>, file: DmaFile) {
    let mut positions = Positions::default();
    loop {
        poll_fn(|context| {
            if !server.forming.borrow().is_empty() {
                return Poll::Ready(());
            }
            *server.writer.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
        let mut waiting = server.waiting.take();
        let frames = server.forming.take();
        for block in frames.chunks(BLOCK_BYTES_MAX) {
            let bytes = padded(block.len());
            let mut memory = allocate_dma_buffer(bytes);
            memory.as_bytes_mut()[..block.len()].copy_from_slice(block);
            memory.as_bytes_mut()[block.len()..].fill(0);
            let written = file.write_rc_at(Rc::new(memory), positions.take(bytes)).await;
            if !matches!(written, Ok(written) if written == bytes) {
                return server.failed.set(true);
            }
        }
        for (connection, correlation) in waiting.drain(..) {
            put_answer(&mut connection.outgoing.borrow_mut(), correlation);
            send(&connection);
        }
    }
}

/// Sends what the socket takes at once; the rest, if there is any, by a task of its own.
fn send(connection: &Rc<Connection>) {
    if connection.is_sending.replace(true) {
        return;
    }
    let mut sending = Box::pin(send_all(Rc::clone(connection)));
    let mut context = std::task::Context::from_waker(Waker::noop());
    if sending.as_mut().poll(&mut context).is_pending() {
        spawn_local(sending).detach();
    }
}

async fn send_all(connection: Rc<Connection>) {
    loop {
        let outgoing = connection.outgoing.take();
        if outgoing.is_empty() {
            return connection.is_sending.set(false);
        }
        let mut rest = outgoing.as_ref();
        while !rest.is_empty() {
            let sent = poll_fn(|context| Pin::new(&mut *connection.stream.borrow_mut()).poll_write(context, rest));
            match sent.await {
                Ok(bytes @ 1..) => rest = &rest[bytes..],
                // The connection is gone; its reader hears of it.
                Ok(0) | Err(_) => return,
            }
        }
    }
}
