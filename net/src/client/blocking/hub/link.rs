//! One socket and what is spoken on it.
#![allow(clippy::disallowed_methods, reason = "the blocking adapter is where sockets enter the client")]

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;

use bytes::Buf;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::Tag;
use crate::client::blocking::command::{Call, CallFault};
use crate::client::core::back_off::BackOff;
use crate::client::core::connection::{Connection, ConnectionFault};
use crate::protocol::Response;

/// Bytes that are read from one socket before the others have their turn.
const READ_TURN_BYTES: usize = 4 * 1024 * 1024;

/// Whom a link leads to. Shards come first: where any will do, shard 0 is asked, which knows all topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::client::blocking) enum LinkKey {
    Shard(u16),
    /// One of the addresses that the caller gave.
    Bootstrap,
}

/// A socket that is connected or about to be.
#[derive(Debug)]
pub(super) struct Stream {
    socket: TcpStream,
    address: SocketAddr,
    pub(super) token: Token,
    pub(super) connection: Connection<Tag>,
    pub(super) server: String,
    pub(super) host: String,
    /// It must be connected and have negotiated by then.
    pub(super) ready_by_ns: u64,
    pub(super) used_at_ns: u64,
    is_connected: bool,
    is_readable: bool,
    is_writable: bool,
}

#[derive(Debug, Default)]
pub(super) enum LinkState {
    #[default]
    Down,
    /// The host's name is being looked up.
    Resolving {
        until_ns: u64,
        host: String,
    },
    Up(Box<Stream>),
}

/// The way to one shard, or to any.
#[derive(Debug, Default)]
pub(super) struct Link {
    pub(super) state: LinkState,
    pub(super) back_off: BackOff,
    /// Calls that were not sent yet.
    pub(super) waiting: VecDeque<Call>,
    pub(super) is_wanted: bool,
    pub(super) attempt_count: u64,
    /// In a row.
    pub(super) protocol_fault_count: usize,
    /// Why it was down the last time.
    pub(super) last_failure: String,
}

/// Why a stream ended.
#[derive(Debug)]
pub(super) enum StreamEnd {
    Socket(String),
    /// Nobody listens there.
    Refused(SocketAddr, String),
    Fault(ConnectionFault),
}

impl StreamEnd {
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Socket(reason) | Self::Refused(_, reason) => reason.clone(),
            Self::Fault(fault) => fault.to_string(),
        }
    }

    pub(super) fn is_protocol(&self) -> bool {
        matches!(self, Self::Fault(fault) if fault.is_protocol())
    }
}

impl Stream {
    /// Begins to connect.
    pub(super) fn begin(
        address: SocketAddr,
        host: &str,
        token: Token,
        registry: &Registry,
        connection: Connection<Tag>,
        ready_by_ns: u64,
    ) -> std::io::Result<Self> {
        let mut socket = TcpStream::connect(address)?;
        // Batches are whole when they are sent: waiting for more to fill a packet only delays their answers.
        socket.set_nodelay(true)?;
        registry.register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self {
            socket,
            address,
            token,
            connection,
            server: address.to_string(),
            host: host.to_owned(),
            ready_by_ns,
            used_at_ns: 0,
            is_connected: false,
            is_readable: false,
            is_writable: false,
        })
    }

    pub(super) fn note(&mut self, readable: bool, writable: bool) {
        self.is_readable |= readable;
        self.is_writable |= writable;
    }

    /// Whether there is something to do without waiting for the socket.
    pub(super) fn is_busy(&mut self) -> bool {
        self.is_connected && (self.is_readable || (self.is_writable && !self.connection.outgoing_mut().is_empty()))
    }

    /// Reads what there is, up to a turn's share, and takes the answers from it.
    pub(super) fn read(
        &mut self,
        scratch: &mut [u8],
        answers: &mut Vec<(Tag, Response)>,
        now_ns: u64,
    ) -> Result<(), StreamEnd> {
        if !self.is_connected && !self.finish_connecting()? {
            return Ok(());
        }
        let mut turn_bytes = 0;
        while self.is_readable && turn_bytes < READ_TURN_BYTES {
            match self.socket.read(scratch) {
                Ok(0) => {
                    self.connection.take_answers(answers).map_err(StreamEnd::Fault)?;
                    return Err(StreamEnd::Socket(format!("{} closed the connection", self.server)));
                }
                Ok(bytes) => {
                    turn_bytes += bytes;
                    self.used_at_ns = now_ns;
                    self.connection.incoming_mut().extend_from_slice(&scratch[..bytes]);
                    self.connection.take_answers(answers).map_err(StreamEnd::Fault)?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.is_readable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(&error)),
            }
        }
        Ok(())
    }

    /// Writes what the socket takes.
    pub(super) fn write(&mut self, now_ns: u64) -> Result<(), StreamEnd> {
        while self.is_connected && self.is_writable && !self.connection.outgoing_mut().is_empty() {
            match self.socket.write(self.connection.outgoing_mut()) {
                Ok(0) => self.is_writable = false,
                Ok(bytes) => {
                    self.connection.outgoing_mut().advance(bytes);
                    self.used_at_ns = now_ns;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.is_writable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(&error)),
            }
        }
        Ok(())
    }

    fn finish_connecting(&mut self) -> Result<bool, StreamEnd> {
        if !self.is_writable && !self.is_readable {
            return Ok(false);
        }
        match self.socket.take_error() {
            Ok(None) => {}
            Ok(Some(error)) | Err(error) => return Err(self.failed(&error)),
        }
        match self.socket.peer_addr() {
            Ok(_) => {
                self.is_connected = true;
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn failed(&self, error: &std::io::Error) -> StreamEnd {
        let reason = format!("{}: {error}", self.server);
        match error.kind() {
            ErrorKind::ConnectionRefused => StreamEnd::Refused(self.address, reason),
            _ => StreamEnd::Socket(reason),
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.connection.negotiated().is_some()
    }

    /// The server may be about to close it: what is sent now could be lost for nothing.
    pub(super) fn is_idle_for_long(&self, now_ns: u64) -> bool {
        self.connection.negotiated().is_some_and(|server| {
            let idle_ns = u64::from(server.idle_ms) * 1_000_000;
            self.connection.outstanding_count() == 0 && now_ns.saturating_sub(self.used_at_ns) > idle_ns / 4 * 3
        })
    }

    pub(super) fn deregister(&mut self, registry: &Registry) {
        // Dropping the socket takes it off as well; this only keeps late events away.
        let _already_gone = registry.deregister(&mut self.socket);
    }
}

impl Link {
    pub(super) fn stream(&mut self) -> Option<&mut Stream> {
        if let LinkState::Up(stream) = &mut self.state { Some(stream) } else { None }
    }

    /// Whether a request can be sent now.
    pub(super) fn is_open(&self) -> bool {
        matches!(&self.state, LinkState::Up(stream) if stream.connection.has_room())
    }

    /// The connection, if a request can be sent now. If not, the link is wanted.
    pub(super) fn outlet(&mut self) -> Option<&mut Connection<Tag>> {
        if let LinkState::Up(stream) = &mut self.state
            && stream.is_ready()
        {
            return if stream.connection.has_room() { Some(&mut stream.connection) } else { None };
        }
        self.is_wanted = true;
        None
    }

    /// Answers every call that was not sent.
    pub(super) fn refuse_waiting(&mut self, fault: &CallFault) {
        self.waiting.drain(..).for_each(|call| call.answer(Err(fault.clone())));
    }

    /// Answers the calls whose time is over.
    pub(super) fn expire_waiting(&mut self, now_ns: u64) {
        let reason = if self.last_failure.is_empty() { "the server is not reached yet" } else { &self.last_failure };
        self.waiting.retain(|call| {
            let in_time = call.deadline_ns > now_ns;
            if !in_time {
                call.answer(Err(CallFault::NotSent { reason: reason.to_owned() }));
            }
            in_time
        });
    }

    /// When something is due that no event tells of.
    pub(super) fn wake_at_ns(&self) -> u64 {
        let waiting_ns = self.waiting.iter().map(|call| call.deadline_ns).min().unwrap_or(u64::MAX);
        let state_ns = match &self.state {
            LinkState::Down if self.is_wanted => self.back_off.not_before_ns(),
            LinkState::Down => u64::MAX,
            LinkState::Resolving { until_ns, .. } => *until_ns,
            LinkState::Up(stream) if stream.is_ready() => stream.connection.check_at_ns(),
            LinkState::Up(stream) => stream.ready_by_ns,
        };
        waiting_ns.min(state_ns)
    }
}
