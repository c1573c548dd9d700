//! One thread: waits for sockets, takes what they have, writes it durably, answers, waits again.

use std::fs::File;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::TcpListener;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use bytes::{Buf, BytesMut};
use mio::net::{TcpListener as MioListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use rustix::io::{ReadWriteFlags, pwritev2};
use slab::Slab;

use super::block::{AlignedBlock, Positions};
use super::cut::{Received, put_answer};
use super::{Ending, ring_file};
use crate::machine::on_core;

const LISTENER: Token = Token(usize::MAX);
const EVENT_COUNT_MAX: usize = 1024;
const SCRATCH_BYTES: usize = 256 * 1024;

struct Connection {
    stream: TcpStream,
    received: Received,
    /// Answers that wait for the block.
    waiting: BytesMut,
    /// Answers that may leave.
    outgoing: BytesMut,
}

struct Server {
    poll: Poll,
    listener: MioListener,
    file: File,
    connections: Slab<Connection>,
    block: AlignedBlock,
    positions: Positions,
    /// Connections with answers that wait for the block.
    answered: Vec<usize>,
    /// Connections with whole frames that the block had no room for.
    left_over: Vec<usize>,
    scratch: Vec<u8>,
}

/// Serves until the end comes. `ready` is called when connections are taken.
pub fn serve(
    listener: TcpListener,
    path: &Path,
    core: Option<usize>,
    ending: &Ending,
    ready: impl FnOnce() -> Result<()> + Send,
) -> Result<()> {
    on_core(core, || {
        listener.set_nonblocking(true).context("the listener cannot be made non-blocking")?;
        let poll = Poll::new().context("events cannot be waited for")?;
        let mut listener = MioListener::from_std(listener);
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let mut server = Server {
            poll,
            listener,
            file: ring_file::open_direct(path)?,
            connections: Slab::new(),
            block: AlignedBlock::new(),
            positions: Positions::default(),
            answered: Vec::new(),
            left_over: Vec::new(),
            scratch: vec![0; SCRATCH_BYTES],
        };
        ready()?;
        server.run(ending)
    })
}

impl Server {
    fn run(&mut self, ending: &Ending) -> Result<()> {
        let mut events = Events::with_capacity(EVENT_COUNT_MAX);
        while !ending.has_come() {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled.context("events cannot be waited for")?,
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    Token(key) => {
                        if event.is_writable() {
                            self.send(key);
                        }
                        if event.is_readable() || event.is_read_closed() {
                            self.receive(key);
                        }
                    }
                }
            }
            while !self.block.is_empty() {
                self.write_and_answer()?;
                for key in std::mem::take(&mut self.left_over) {
                    self.cut(key);
                }
            }
        }
        Ok(())
    }

    fn accept(&mut self) -> Result<()> {
        loop {
            match self.listener.accept() {
                Ok((mut stream, _)) => {
                    stream.set_nodelay(true)?;
                    let entry = self.connections.vacant_entry();
                    let interests = Interest::READABLE | Interest::WRITABLE;
                    self.poll.registry().register(&mut stream, Token(entry.key()), interests)?;
                    entry.insert(Connection {
                        stream,
                        received: Received::default(),
                        waiting: BytesMut::new(),
                        outgoing: BytesMut::new(),
                    });
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("a connection cannot be accepted"),
            }
        }
    }

    fn receive(&mut self, key: usize) {
        loop {
            let Some(connection) = self.connections.get_mut(key) else { return };
            match connection.stream.read(&mut self.scratch) {
                Ok(0) => {
                    self.connections.remove(key);
                    return;
                }
                Ok(bytes) => {
                    connection.received.push(&self.scratch[..bytes]);
                    self.cut(key);
                    if bytes < self.scratch.len() {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.connections.remove(key);
                    return;
                }
            }
        }
    }

    fn cut(&mut self, key: usize) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        while let Some((correlation, frame)) = connection.received.front() {
            if !self.block.push(frame) {
                self.left_over.push(key);
                return;
            }
            let bytes = frame.len();
            connection.received.drop_front(bytes);
            if connection.waiting.is_empty() {
                self.answered.push(key);
            }
            put_answer(&mut connection.waiting, correlation);
        }
    }

    fn write_and_answer(&mut self) -> Result<()> {
        let units = self.block.units();
        let position = self.positions.take(units.len());
        let written = pwritev2(&self.file, &[IoSlice::new(units)], position, ReadWriteFlags::DSYNC);
        let written = written.context("the durable write failed")?;
        ensure!(written == units.len(), "a write stopped after {written} of {} bytes", units.len());
        self.block.clear();
        for key in std::mem::take(&mut self.answered) {
            if let Some(connection) = self.connections.get_mut(key) {
                connection.outgoing.extend_from_slice(&connection.waiting);
                connection.waiting.clear();
                self.send(key);
            }
        }
        Ok(())
    }

    fn send(&mut self, key: usize) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        while !connection.outgoing.is_empty() {
            match connection.stream.write(&connection.outgoing) {
                Ok(0) => break,
                Ok(bytes) if bytes == connection.outgoing.len() => connection.outgoing.clear(),
                Ok(bytes) => connection.outgoing.advance(bytes),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.connections.remove(key);
                    return;
                }
            }
        }
    }
}
