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
use florin_net::io::take_turns;
use futures_util::io::{AsyncRead, AsyncWrite};

use super::Ending;
use super::block::{BLOCK_BYTES_MAX, Positions, padded};
use super::cut::{Received, put_answer};

const SCRATCH_BYTES: usize = 64 * 1024;

/// What all tasks share.
struct Server {
    /// Frames that wait to be written.
    forming: RefCell<Vec<u8>>,
    /// The number of the block that they will be.
    forming_number: Cell<u64>,
    /// The last block that is durable.
    durable_number: Cell<u64>,
    /// Who waits for a block.
    waiting: RefCell<Vec<(u64, Waker)>>,
    /// The task that writes, if it waits for frames.
    writer: RefCell<Option<Waker>>,
    failed: Cell<bool>,
    scratch: RefCell<Vec<u8>>,
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
    let settings =
        ExecutorSettings { name: "bare".to_owned(), core, direct_io: DirectIo::Required, directory, executor_count: 1 };
    ShardExecutor::new(settings).run(move |_| async move { run(address, path, &ending, ready).await })?
}

async fn run(address: SocketAddr, path: PathBuf, ending: &Ending, ready: impl FnOnce() -> Result<()>) -> Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(libc::O_DSYNC);
    let file =
        options.dma_open(&path).await.map_err(|error| anyhow!("{} cannot be opened: {error}", path.display()))?;
    let listener = TcpListener::bind(address).map_err(|error| anyhow!("{address} cannot be listened on: {error}"))?;
    let server = Rc::new(Server {
        forming: RefCell::default(),
        forming_number: Cell::new(1),
        durable_number: Cell::new(0),
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

/// Reads, waits for the block, answers, and reads again: a socket is watched only if nothing came until then.
async fn receive_until_end(server: Rc<Server>, mut stream: TcpStream) {
    let mut received = Received::default();
    let mut outgoing = BytesMut::new();
    let mut expected_bytes = SCRATCH_BYTES;
    while let Some(read_bytes) = read(&server, &mut stream, &mut received, expected_bytes).await {
        while let Some((correlation, frame)) = received.front() {
            server.forming.borrow_mut().extend_from_slice(frame);
            put_answer(&mut outgoing, correlation);
            let bytes = frame.len();
            received.drop_front(bytes);
        }
        // A read that its buffer cuts short makes glommio watch the socket at once: an interrupt for each request.
        expected_bytes = if received.is_empty() { read_bytes } else { SCRATCH_BYTES };
        if outgoing.is_empty() {
            continue;
        }
        server.durable(server.forming_number.get()).await;
        if !send(&mut stream, &outgoing).await {
            return;
        }
        outgoing.clear();
        // Behind the answers of all others.
        take_turns().await;
    }
}

/// Reads once; `None` at the end.
async fn read(server: &Server, stream: &mut TcpStream, received: &mut Received, bytes_max: usize) -> Option<usize> {
    let read = poll_fn(|context| {
        let mut scratch = server.scratch.borrow_mut();
        let poll = Pin::new(&mut *stream).poll_read(context, &mut scratch[..bytes_max]);
        if let Poll::Ready(Ok(bytes)) = poll {
            received.push(&scratch[..bytes]);
        }
        poll
    });
    read.await.ok().filter(|bytes| *bytes > 0)
}

async fn send(stream: &mut TcpStream, mut rest: &[u8]) -> bool {
    while !rest.is_empty() {
        match poll_fn(|context| Pin::new(&mut *stream).poll_write(context, rest)).await {
            Ok(bytes @ 1..) => rest = &rest[bytes..],
            Ok(0) | Err(_) => return false,
        }
    }
    true
}

impl Server {
    /// Returns when the block of this number is durable.
    async fn durable(&self, number: u64) {
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
        poll_fn(|context| {
            if self.durable_number.get() >= number {
                return Poll::Ready(());
            }
            self.waiting.borrow_mut().push((number, context.waker().clone()));
            Poll::Pending
        })
        .await;
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
        let number = server.forming_number.get();
        server.forming_number.set(number + 1);
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
        server.durable_number.set(number);
        let (ready, later) = server.waiting.take().into_iter().partition(|(block, _)| *block <= number);
        server.waiting.replace(later);
        let ready: Vec<(u64, Waker)> = ready;
        ready.into_iter().for_each(|(_, waker)| waker.wake());
        take_turns().await;
    }
}
