//! Making connections, and what happens when they end.
#![allow(clippy::disallowed_methods, reason = "the blocking adapter is where sockets and threads enter the client")]

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use mio::Token;

use super::link::{Link, LinkKey, LinkState, Stream, StreamEnd};
use super::{Hub, Tag};
use crate::client::blocking::command::{CallFault, Command};
use crate::client::blocking::completion::lock;
use crate::client::core::connection::Connection;

/// Faults of the protocol in a row until callers are told: one may be damage on the way.
const PROTOCOL_FAULT_COUNT_MAX: usize = 3;
/// However many addresses share the time, each gets as much.
const CONNECT_NS_MIN: u64 = 100_000_000;

impl Link {
    /// Notes that an attempt failed; the next one comes after a while, or at once if another address is left.
    fn fail_to_connect(&mut self, reason: String, has_next: bool, now_ns: u64) {
        self.state = LinkState::Down;
        self.last_failure = reason;
        if !has_next {
            self.back_off.fail(now_ns);
        }
    }

    /// Sends calls that wait, as far as there is room.
    pub(super) fn send_waiting(&mut self) {
        while !self.waiting.is_empty() {
            let LinkState::Up(stream) = &mut self.state else { return };
            if !stream.connection.has_room() {
                return;
            }
            let Some(call) = self.waiting.pop_front() else { return };
            let (request, deadline_ns) = (call.request.clone(), call.deadline_ns);
            stream.connection.request(&request, Tag::Call(call), deadline_ns);
        }
    }
}

impl Hub {
    /// Begins to connect whatever is wanted and down.
    pub(super) fn connect_wanted(&mut self, now_ns: u64) {
        let wanted = self.links.iter().filter(|(_, link)| {
            link.is_wanted && matches!(link.state, LinkState::Down) && link.back_off.is_over(now_ns)
        });
        let keys: Vec<LinkKey> = wanted.map(|(key, _)| *key).collect();
        for key in keys {
            let connect_ns = match key {
                LinkKey::Shard(_) => self.start.connect_ns,
                // A dead address leaves time for the others.
                LinkKey::Bootstrap => self.start.connect_ns / self.start.servers.len() as u64,
            };
            let until_ns = now_ns.saturating_add(connect_ns.max(CONNECT_NS_MIN));
            match self.address(key) {
                Ok((host, port)) => self.resolve(key, host, port, until_ns, now_ns),
                Err(reason) => self.fail_to_connect(key, reason, now_ns),
            }
        }
    }

    /// Host and port of the next attempt.
    fn address(&mut self, key: LinkKey) -> Result<(String, u16), String> {
        match key {
            LinkKey::Shard(shard) => match self.metadata.endpoint(shard) {
                Some(("", port)) => Ok((self.host.clone(), port)),
                Some((host, port)) => Ok((host.to_owned(), port)),
                None => Err(format!("shard {shard} does not listen, or it is not known where")),
            },
            LinkKey::Bootstrap => {
                self.bootstrap_count += 1;
                let server = &self.start.servers[self.bootstrap_server()];
                let parts = server.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
                let (host, port) = parts.ok_or_else(|| format!("{server} is no address: give host:port"))?;
                Ok((host.trim_start_matches('[').trim_end_matches(']').to_owned(), port))
            }
        }
    }

    /// Whose turn it is among the servers that the caller named.
    fn bootstrap_server(&self) -> usize {
        (self.bootstrap_count - 1) % self.start.servers.len()
    }

    /// Names are looked up by a thread of their own: that may take seconds, which no other connection waits for.
    fn resolve(&mut self, key: LinkKey, host: String, port: u16, until_ns: u64, now_ns: u64) {
        let link = self.links.entry(key).or_default();
        link.attempt_count += 1;
        if let Ok(ip) = host.parse::<IpAddr>() {
            let address = SocketAddr::new(ip, port);
            self.note_addresses(key, &[address]);
            return self.connect(key, &host, address, until_ns, now_ns);
        }
        let (commands, bell, attempt, name) =
            (self.start.commands_back.clone(), self.start.bell.clone(), link.attempt_count, host.clone());
        let looked_up = std::thread::Builder::new().name("florin-resolve".to_owned()).spawn(move || {
            let addresses = (name.as_str(), port).to_socket_addrs();
            let result = addresses.map(Iterator::collect).map_err(|error| format!("{name}: {error}"));
            // If the client is gone, nobody wants to know.
            if commands.send(Command::Resolved { key, attempt, result }).is_ok() {
                bell.ring();
            }
        });
        match looked_up {
            Ok(_detached) => link.state = LinkState::Resolving { until_ns, host },
            Err(error) => self.fail_to_connect(key, format!("no thread to look up {host}: {error}"), now_ns),
        }
    }

    pub(super) fn on_resolved(
        &mut self,
        key: LinkKey,
        attempt: u64,
        result: Result<Vec<SocketAddr>, String>,
        now_ns: u64,
    ) {
        let Some(link) = self.links.get_mut(&key).filter(|link| link.attempt_count == attempt) else { return };
        let LinkState::Resolving { until_ns, host } = std::mem::take(&mut link.state) else { return };
        // A host may have several addresses of which only some are served: each attempt takes the next one. Of several
        // servers each has its turn in between.
        let turn = match key {
            LinkKey::Shard(_) => usize::try_from(attempt).unwrap_or(0),
            LinkKey::Bootstrap => (self.bootstrap_count - 1) / self.start.servers.len(),
        };
        let chosen = result.map(|addresses| {
            self.note_addresses(key, &addresses);
            addresses.get(turn % addresses.len().max(1)).copied()
        });
        match chosen {
            Ok(Some(address)) => self.connect(key, &host, address, until_ns, now_ns),
            Ok(None) => self.fail_to_connect(key, format!("{host} has no address"), now_ns),
            Err(reason) => self.fail_to_connect(key, reason, now_ns),
        }
    }

    fn connect(&mut self, key: LinkKey, host: &str, address: SocketAddr, until_ns: u64, now_ns: u64) {
        let token = Token(self.next_token);
        self.next_token += 1;
        let connection = Connection::new(&self.start.client_name, until_ns);
        match Stream::begin(address, host, token, self.start.poll.registry(), connection, until_ns) {
            Ok(stream) => {
                self.keys.insert(token, key);
                self.links.entry(key).or_default().state = LinkState::Up(Box::new(stream));
            }
            Err(error) => {
                let has_next = error.kind() == ErrorKind::ConnectionRefused && self.note_refusal(key, address);
                self.links.entry(key).or_default().fail_to_connect(format!("{address}: {error}"), has_next, now_ns);
            }
        }
    }

    fn fail_to_connect(&mut self, key: LinkKey, reason: String, now_ns: u64) {
        self.links.entry(key).or_default().fail_to_connect(reason, false, now_ns);
        self.metadata_is_stale = true;
    }

    fn note_addresses(&mut self, key: LinkKey, addresses: &[SocketAddr]) {
        if key == LinkKey::Bootstrap {
            self.refusals.set_addresses(self.bootstrap_server(), addresses);
        }
    }

    /// An address refused. As long as there never was a connection, whoever waits for one is told once all have;
    /// behind an earlier one a server may be about to come back. Whether there are others to try at once.
    fn note_refusal(&mut self, key: LinkKey, address: SocketAddr) -> bool {
        if key != LinkKey::Bootstrap || self.directory_id.is_some() {
            return false;
        }
        let is_new = self.refusals.refuse(address);
        let Some(reason) = self.refusals.take_if_all() else { return is_new };
        if let Some(link) = self.links.get_mut(&key) {
            link.refuse_waiting(&CallFault::NotSent { reason });
        }
        false
    }

    /// The negotiation is over: is it whom we wanted?
    pub(super) fn on_ready(&mut self, key: LinkKey, now_ns: u64) {
        let Some(stream) = self.links.get_mut(&key).and_then(Link::stream) else { return };
        let Some(server) = stream.connection.negotiated() else { return };
        let shard = server.shard;
        let wrong = match (self.directory_id, key) {
            (Some(known), _) if known != server.directory_id => {
                Some(format!("{} serves directory {}, not {known}", stream.server, server.directory_id))
            }
            (_, LinkKey::Shard(wanted)) if wanted != shard => {
                Some(format!("{} is shard {shard}, not {wanted}", stream.server))
            }
            _ => None,
        };
        if let Some(reason) = wrong {
            return self.end_stream(key, &StreamEnd::Socket(reason), now_ns);
        }
        self.directory_id = Some(server.directory_id);
        let _first_stays = self.start.server.set(server.clone());
        stream.used_at_ns = now_ns;
        let host = stream.host.clone();
        if let Some(link) = self.links.get_mut(&key) {
            link.back_off.succeed();
            link.protocol_fault_count = 0;
        }
        if key == LinkKey::Bootstrap {
            self.host = host;
            self.adopt(shard);
        }
    }

    /// The connection that any shard would have done for becomes that of the shard it led to.
    fn adopt(&mut self, shard: u16) {
        let own = LinkKey::Shard(shard);
        if !matches!(self.links.entry(own).or_default().state, LinkState::Down) {
            return;
        }
        let Some(bootstrap) = self.links.remove(&LinkKey::Bootstrap) else { return };
        if let LinkState::Up(stream) = &bootstrap.state {
            self.keys.insert(stream.token, own);
        }
        let link = self.links.entry(own).or_default();
        link.state = bootstrap.state;
        link.back_off.succeed();
        link.waiting.extend(bootstrap.waiting);
    }

    /// A connection ended: whatever was asked on it and not answered may have been done.
    pub(super) fn end_stream(&mut self, key: LinkKey, end: &StreamEnd, now_ns: u64) {
        let Some(link) = self.links.get_mut(&key) else { return };
        let LinkState::Up(mut stream) = std::mem::take(&mut link.state) else { return };
        stream.deregister(self.start.poll.registry());
        self.keys.remove(&stream.token);
        let (was_ready, server) = (stream.is_ready(), stream.server.clone());
        let reason = end.reason();
        link.last_failure.clone_from(&reason);
        // A connection that worked is made again at once, one that never did after a while.
        let has_failed = !was_ready || end.is_protocol();
        if end.is_protocol() {
            link.protocol_fault_count += 1;
            if link.protocol_fault_count >= PROTOCOL_FAULT_COUNT_MAX.max(self.start.servers.len()) {
                link.refuse_waiting(&CallFault::Protocol { server, reason: reason.clone() });
            }
        }
        let has_next = matches!(end, StreamEnd::Refused(address, _) if self.note_refusal(key, *address));
        if let Some(link) = self.links.get_mut(&key).filter(|_| has_failed && !has_next) {
            link.back_off.fail(now_ns);
        }
        self.metadata_is_stale = true;
        for tag in stream.connection.into_lost() {
            self.on_lost(tag, &reason, now_ns);
        }
    }

    fn on_lost(&mut self, tag: Tag, reason: &str, now_ns: u64) {
        match tag {
            Tag::Call(call) => call.answer(Err(CallFault::Lost { reason: reason.to_owned() })),
            Tag::Metadata => self.on_metadata_failed(now_ns),
            Tag::Produce { producer, attempt } => {
                if let Some(producer) = self.producers.get(&producer) {
                    lock(&producer.state).core.on_lost(attempt, reason, now_ns);
                }
            }
            Tag::InitProducer { producer, shard } => {
                if let Some(producer) = self.producers.get(&producer) {
                    lock(&producer.state).core.on_identity_refused(shard, now_ns);
                }
            }
            Tag::Fetch { consumer, attempt } => {
                if let Some(consumer) = self.consumers.get(&consumer) {
                    lock(&consumer.core).on_lost(attempt, now_ns);
                }
            }
        }
    }
}
