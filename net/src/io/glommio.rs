//! Sockets on glommio's executor. The crate `glommio` is named in this file and nowhere else in the network side.

#![allow(clippy::disallowed_methods, reason = "this is the seam")]

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener as StdListener, TcpStream as StdStream};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use ::glommio::net::{TcpListener, TcpStream};
use ::glommio::{GlommioError, Latency, Shares, TaskQueueHandle};
use bytes::BytesMut;
use florin_engine::io::Runtime;
use florin_engine::io::glommio::{GlommioDisk, GlommioRuntime};
use florin_engine::model::{Id128, Monotonic, Now};
use futures_util::FutureExt;
use futures_util::io::{AsyncRead, AsyncWrite};

use super::{Listener, Network, Stream, take_turns};

/// What one read takes at most.
const READ_BYTES: usize = 64 * 1024;
/// How long it may take to find out whether somebody listens on this machine.
const KNOCK: Duration = Duration::from_secs(1);
/// How late a prompt task may be.
const PROMPT: Duration = Duration::from_millis(1);

/// The executor that runs on this thread, with its sockets.
#[derive(Clone)]
pub struct GlommioNetwork {
    runtime: GlommioRuntime,
    prompt_queue: TaskQueueHandle,
    /// Where reads land before the connection's own buffer takes what came: its size is paid once per executor, not
    /// per connection.
    landing: Rc<RefCell<Box<[u8]>>>,
}

impl GlommioNetwork {
    /// The network of the executor that runs on this thread.
    pub fn new(runtime: GlommioRuntime) -> Self {
        let prompt_queue =
            ::glommio::executor().create_task_queue(Shares::default(), Latency::Matters(PROMPT), "prompt");
        Self { runtime, prompt_queue, landing: Rc::new(RefCell::new(vec![0; READ_BYTES].into_boxed_slice())) }
    }
}

impl Runtime for GlommioNetwork {
    type Disk = GlommioDisk;

    fn disk(&self) -> &GlommioDisk {
        self.runtime.disk()
    }

    fn now(&self) -> Now {
        self.runtime.now()
    }

    fn monotonic(&self) -> Monotonic {
        self.runtime.monotonic()
    }

    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.runtime.spawn(task);
    }

    async fn sleep(&self, duration_ns: u64) {
        self.runtime.sleep(duration_ns).await;
    }

    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        self.runtime.compute(work).await
    }

    fn random(&self) -> Id128 {
        self.runtime.random()
    }
}

impl Network for GlommioNetwork {
    type Stream = GlommioStream;
    type Listener = GlommioListener;

    fn listen(&self, address: SocketAddr) -> io::Result<GlommioListener> {
        let address = unused(address)?;
        let listener = TcpListener::bind(address).map_err(io_error)?;
        let address = listener.local_addr().map_err(io_error)?;
        Ok(GlommioListener { listener, address, landing: Rc::clone(&self.landing) })
    }

    fn spawn_prompt(&self, task: impl Future<Output = ()> + 'static) {
        match ::glommio::spawn_local_into(task, self.prompt_queue) {
            Ok(task) => drop(task.detach()),
            Err(error) => panic!("the queue for prompt tasks was made with the executor: {error}"),
        }
    }
}

/// An address with its port chosen, if nobody listens there.
///
/// glommio lets several sockets share a port (SO_REUSEPORT), so a second server would quietly take half of the first
/// one's connections: the port is tried without that first. That is also refused while connections of a server that was
/// killed are being closed by the kernel, for a minute: whether anybody listens is then found out by knocking.
fn unused(address: SocketAddr) -> io::Result<SocketAddr> {
    match StdListener::bind(address) {
        Ok(listener) => listener.local_addr(),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            match StdStream::connect_timeout(&address, KNOCK) {
                Err(refused) if refused.kind() == io::ErrorKind::ConnectionRefused => Ok(address),
                // Somebody is there, or does not come to the door.
                Ok(_) | Err(_) => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

/// A listening port of an executor.
pub struct GlommioListener {
    listener: TcpListener,
    address: SocketAddr,
    landing: Rc<RefCell<Box<[u8]>>>,
}

impl Listener for GlommioListener {
    type Stream = GlommioStream;

    fn address(&self) -> SocketAddr {
        self.address
    }

    async fn accept(&self) -> io::Result<(GlommioStream, SocketAddr)> {
        loop {
            let stream = self.listener.accept().await.map_err(io_error)?;
            // Both fail if the client has reset the connection already: that is its affair, and no reason to think that
            // the port has a problem.
            if stream.set_nodelay(true).is_ok()
                && let Ok(peer) = stream.peer_addr()
            {
                return Ok((GlommioStream { stream: RefCell::new(stream), landing: Rc::clone(&self.landing) }, peer));
            }
            take_turns().await;
        }
    }
}

/// A connection of an executor.
pub struct GlommioStream {
    stream: RefCell<TcpStream>,
    landing: Rc<RefCell<Box<[u8]>>>,
}

impl Stream for GlommioStream {
    async fn read(&self, into: &mut BytesMut, expected_bytes: Option<usize>) -> io::Result<usize> {
        // glommio watches the socket on after every read that does not fill its buffer. One that is as large as what
        // comes is filled, and the socket is watched when it is read from again, if nothing has come until then.
        let bytes_max = expected_bytes.map_or(READ_BYTES, |bytes| bytes.clamp(1, READ_BYTES));
        // Both borrows last for one poll: what glommio receives it copies out before it returns.
        poll_fn(|context| {
            let mut landing = self.landing.borrow_mut();
            let poll = Pin::new(&mut *self.stream.borrow_mut()).poll_read(context, &mut landing[..bytes_max]);
            poll.map_ok(|bytes| {
                into.extend_from_slice(&landing[..bytes]);
                bytes
            })
        })
        .await
    }

    async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        poll_fn(|context| Pin::new(&mut *self.stream.borrow_mut()).poll_write(context, bytes)).await
    }

    fn end_sending(&self) {
        // As below.
        let _ = self.stream.borrow().shutdown(Shutdown::Write).now_or_never();
    }

    fn shut_down(&self) {
        // It is ready at once; that the other side has gone already is no news.
        let _ = self.stream.borrow().shutdown(Shutdown::Both).now_or_never();
    }
}

fn io_error(error: GlommioError<()>) -> io::Error {
    match error {
        GlommioError::IoError(error) => error,
        other => io::Error::other(other.to_string()),
    }
}
