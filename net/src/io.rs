//! The seam to the network: listeners and streams of one executor. The server is generic over [`Network`], so that
//! another driver, or a simulation, takes the place of the sockets and nothing else.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::task::Poll;

use bytes::BytesMut;
use florin_engine::io::Runtime;

pub mod glommio;

/// An executor that has a network beside its disk and clock.
pub trait Network: Runtime {
    /// A connection.
    type Stream: Stream;
    /// A listening port.
    type Listener: Listener<Stream = Self::Stream>;

    /// Listens on an address; port 0 takes any free one. An address that somebody else listens on is refused.
    fn listen(&self, address: SocketAddr) -> io::Result<Self::Listener>;

    /// Starts a task that is polled soon after it was woken, also while others are busy.
    fn spawn_prompt(&self, task: impl Future<Output = ()> + 'static);
}

/// A listening port.
pub trait Listener: 'static {
    /// What is accepted.
    type Stream: Stream;

    /// Where it listens.
    fn address(&self) -> SocketAddr;

    /// The next connection, and who it is from.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>>;
}

/// A connection. One task may read while another writes.
pub trait Stream: 'static {
    /// Appends what has arrived, at least one byte; waits for it. 0 is the end.
    ///
    /// `expected_bytes` is how much the caller thinks will come at once: a read may end there although there is more.
    fn read(&self, into: &mut BytesMut, expected_bytes: Option<usize>) -> impl Future<Output = io::Result<usize>>;

    /// Hands bytes to the network; waits until it takes some, and says how many it took.
    fn write(&self, bytes: &[u8]) -> impl Future<Output = io::Result<usize>>;

    /// Ends the sending direction, behind what was written: the other side is told that nothing more comes.
    fn end_sending(&self);

    /// Ends both directions: whoever reads or writes is told so.
    fn shut_down(&self);
}

/// Lets the executor's other tasks have their turn. A task that always finds something to do would go on for as long
/// as it does, and everybody else would wait.
pub async fn take_turns() {
    let mut is_back = false;
    poll_fn(|context| {
        if std::mem::replace(&mut is_back, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
