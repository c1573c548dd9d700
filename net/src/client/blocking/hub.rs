//! The thread with the sockets: events in, cores asked, requests out.

mod connecting;
mod dispatch;
mod link;
mod outlets;
mod refusals;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender};
use florin_engine::model::Id128;
use mio::{Events, Poll, Token};

use super::clock::{Clock, until};
use super::command::{Bell, Command};
use super::completion::lock;
use super::consumer::ConsumerShared;
use super::producer::ProducerShared;
use crate::client::core::back_off::BackOff;
use crate::client::core::consumer::FetchAttempt;
use crate::client::core::metadata::{Metadata, MetadataPages};
use crate::client::core::producer::Attempt;
use crate::protocol::{Negotiated, Response};
pub(super) use link::LinkKey;
use link::{Link, LinkState, StreamEnd};
use outlets::Outlets;
use refusals::Refusals;

/// The token of the bell; sockets have higher ones.
pub(super) const BELL_TOKEN: Token = Token(0);
const EVENT_COUNT: usize = 256;
const SCRATCH_BYTES: usize = 256 * 1024;
/// The thread looks around this often even if nothing happens.
const TURN_MAX: Duration = Duration::from_secs(1);

/// By what a request is known that is under way.
#[derive(Debug)]
pub(super) enum Tag {
    Call(super::command::Call),
    Metadata,
    Produce { producer: u64, attempt: Attempt },
    InitProducer { producer: u64, shard: u16 },
    Fetch { consumer: u64, attempt: FetchAttempt },
}

/// What the thread is started with.
pub(super) struct HubStart {
    pub(super) servers: Vec<String>,
    pub(super) client_name: String,
    pub(super) connect_ns: u64,
    pub(super) request_ns: u64,
    pub(super) metadata_age_ns: u64,
    pub(super) clock: Clock,
    pub(super) poll: Poll,
    pub(super) bell: Arc<Bell>,
    pub(super) commands: Receiver<Command>,
    /// For threads that look up names.
    pub(super) commands_back: Sender<Command>,
    pub(super) server: Arc<OnceLock<Negotiated>>,
}

/// The thread's state.
pub(super) struct Hub {
    start: HubStart,
    links: BTreeMap<LinkKey, Link>,
    keys: BTreeMap<Token, LinkKey>,
    next_token: usize,
    /// Attempts at any of the servers that the caller named.
    bootstrap_count: usize,
    refusals: Refusals,
    /// The host that an endpoint without a host is on.
    host: String,
    directory_id: Option<Id128>,
    metadata: Metadata,
    metadata_is_stale: bool,
    /// When all topics were last heard of.
    metadata_at_ns: u64,
    metadata_pages: Option<MetadataPages>,
    metadata_back_off: BackOff,
    producers: BTreeMap<u64, Arc<ProducerShared>>,
    consumers: BTreeMap<u64, Arc<ConsumerShared>>,
    scratch: Vec<u8>,
}

impl Hub {
    pub(super) fn new(start: HubStart) -> Self {
        Self {
            refusals: Refusals::new(start.servers.len()),
            start,
            links: BTreeMap::new(),
            keys: BTreeMap::new(),
            next_token: BELL_TOKEN.0 + 1,
            bootstrap_count: 0,
            host: String::new(),
            directory_id: None,
            metadata: Metadata::default(),
            metadata_is_stale: true,
            metadata_at_ns: 0,
            metadata_pages: None,
            metadata_back_off: BackOff::default(),
            producers: BTreeMap::new(),
            consumers: BTreeMap::new(),
            scratch: vec![0; SCRATCH_BYTES],
        }
    }

    /// Works until it is told to stop. Whoever waits then gets an answer when the hub is dropped.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(EVENT_COUNT);
        loop {
            let timeout = self.timeout();
            match self.start.poll.poll(&mut events, Some(timeout)) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => panic!("sockets cannot be waited for: {error}"),
            }
            self.start.bell.heard();
            for event in &events {
                let Some(key) = self.keys.get(&event.token()) else { continue };
                if let Some(stream) = self.links.get_mut(key).and_then(Link::stream) {
                    let failed = event.is_error() || event.is_read_closed() || event.is_write_closed();
                    stream.note(event.is_readable() || failed, event.is_writable() || failed);
                }
            }
            let now_ns = self.start.clock.now_ns();
            if !self.take_commands(now_ns) {
                return;
            }
            self.read_links(now_ns);
            self.check_links(now_ns);
            self.pump(now_ns);
            self.connect_wanted(now_ns);
            self.write_links(now_ns);
            self.publish(now_ns);
        }
    }

    fn timeout(&mut self) -> Duration {
        if self.links.values_mut().any(|link| link.stream().is_some_and(link::Stream::is_busy)) {
            return Duration::ZERO;
        }
        let now_ns = self.start.clock.now_ns();
        let mut wake_at_ns = self.links.values().map(Link::wake_at_ns).min().unwrap_or(u64::MAX);
        for producer in self.producers.values() {
            wake_at_ns = wake_at_ns.min(lock(&producer.state).core.wake_at_ns(now_ns));
        }
        for consumer in self.consumers.values() {
            wake_at_ns = wake_at_ns.min(lock(&consumer.core).wake_at_ns(now_ns));
        }
        let metadata_at_ns = self.metadata_back_off.not_before_ns();
        if self.metadata_is_stale && metadata_at_ns > now_ns {
            wake_at_ns = wake_at_ns.min(metadata_at_ns);
        }
        until(wake_at_ns, now_ns).min(TURN_MAX)
    }

    /// Whether to go on.
    fn take_commands(&mut self, now_ns: u64) -> bool {
        while let Ok(command) = self.start.commands.try_recv() {
            match command {
                Command::Call(call) => self.route(call),
                Command::AddProducer { number, producer } => {
                    self.producers.insert(number, producer);
                }
                Command::RemoveProducer { number } => {
                    if let Some(producer) = self.producers.remove(&number) {
                        producer.close(now_ns);
                    }
                }
                Command::AddConsumer { number, consumer } => {
                    self.consumers.insert(number, consumer);
                }
                Command::RemoveConsumer { number } => {
                    self.consumers.remove(&number);
                }
                Command::Resolved { key, attempt, result } => self.on_resolved(key, attempt, result, now_ns),
                Command::Stop => return false,
            }
        }
        true
    }

    fn read_links(&mut self, now_ns: u64) {
        let keys: Vec<LinkKey> = self.links.keys().copied().collect();
        let mut scratch = std::mem::take(&mut self.scratch);
        for key in keys {
            let mut answers = Vec::new();
            let Some(stream) = self.links.get_mut(&key).and_then(Link::stream) else { continue };
            let was_ready = stream.is_ready();
            let result = stream.read(&mut scratch, &mut answers, now_ns);
            let is_ready = stream.is_ready();
            for (tag, response) in answers {
                self.on_answer(tag, response, now_ns);
            }
            match result {
                Err(end) => self.end_stream(key, &end, now_ns),
                Ok(()) if is_ready && !was_ready => self.on_ready(key, now_ns),
                Ok(()) => {}
            }
        }
        self.scratch = scratch;
    }

    fn write_links(&mut self, now_ns: u64) {
        let keys: Vec<LinkKey> = self.links.keys().copied().collect();
        for key in keys {
            let Some(stream) = self.links.get_mut(&key).and_then(Link::stream) else { continue };
            if let Err(end) = stream.write(now_ns) {
                self.end_stream(key, &end, now_ns);
            }
        }
    }

    /// Ends what took too long.
    fn check_links(&mut self, now_ns: u64) {
        let keys: Vec<LinkKey> = self.links.keys().copied().collect();
        for key in keys {
            let Some(link) = self.links.get_mut(&key) else { continue };
            link.expire_waiting(now_ns);
            link.is_wanted = !link.waiting.is_empty();
            match &mut link.state {
                LinkState::Up(stream) if !stream.is_ready() => {
                    if stream.ready_by_ns <= now_ns {
                        let end = StreamEnd::Socket(format!("{} did not answer in time", stream.server));
                        self.end_stream(key, &end, now_ns);
                    }
                }
                LinkState::Up(stream) if stream.is_idle_for_long(now_ns) => {
                    stream.deregister(self.start.poll.registry());
                    self.keys.remove(&stream.token);
                    link.state = LinkState::Down;
                }
                LinkState::Up(stream) => {
                    if let Err(fault) = stream.connection.check_deadlines(now_ns) {
                        self.end_stream(key, &StreamEnd::Fault(fault), now_ns);
                    }
                }
                LinkState::Resolving { until_ns, host, .. } if *until_ns <= now_ns => {
                    link.last_failure = format!("the name {host} was not found in time");
                    link.state = LinkState::Down;
                    link.back_off.fail(now_ns);
                }
                LinkState::Resolving { .. } | LinkState::Down => {}
            }
        }
    }

    /// Lets everybody send.
    fn pump(&mut self, now_ns: u64) {
        let deadline_ns = now_ns.saturating_add(self.start.request_ns);
        for (number, producer) in &self.producers {
            let mut state = lock(&producer.state);
            state.core.tick(now_ns);
            state.core.pump(now_ns, &mut Outlets { links: &mut self.links, owner: *number, deadline_ns });
            self.metadata_is_stale |= state.core.wants_metadata();
        }
        for (number, consumer) in &self.consumers {
            let mut core = lock(&consumer.core);
            core.pump(now_ns, &mut Outlets { links: &mut self.links, owner: *number, deadline_ns });
            self.metadata_is_stale |= core.wants_metadata();
        }
        self.age_metadata(now_ns);
        self.ask_metadata(now_ns);
        for link in self.links.values_mut() {
            link.is_wanted |= !link.waiting.is_empty();
            link.send_waiting();
        }
    }

    /// Tells callers what has become of things.
    fn publish(&mut self, now_ns: u64) {
        for producer in self.producers.values() {
            producer.publish(now_ns);
        }
        for consumer in self.consumers.values() {
            consumer.publish();
        }
    }

    /// What became of a request.
    fn on_answer(&mut self, tag: Tag, response: Response, now_ns: u64) {
        match tag {
            Tag::Call(call) => {
                self.learn(&response);
                call.answer(Ok(response));
            }
            Tag::Metadata => self.on_metadata(response, now_ns),
            Tag::Produce { producer, attempt } => {
                if let Some(producer) = self.producers.get(&producer) {
                    lock(&producer.state).core.on_answer(attempt, response, now_ns);
                }
            }
            Tag::InitProducer { producer, shard } => {
                if let Some(producer) = self.producers.get(&producer) {
                    let mut state = lock(&producer.state);
                    match response {
                        Response::Producer { id, epoch } => state.core.on_identity(id, epoch),
                        _ => state.core.on_identity_refused(shard, now_ns),
                    }
                }
            }
            Tag::Fetch { consumer, attempt } => {
                if let Some(consumer) = self.consumers.get(&consumer) {
                    lock(&consumer.core).on_answer(attempt, response, now_ns);
                }
            }
        }
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let now_ns = self.start.clock.now_ns();
        // Also when the thread panicked: nobody may wait for ever.
        while let Ok(command) = self.start.commands.try_recv() {
            if let Command::AddProducer { number, producer } = command {
                self.producers.insert(number, producer);
            }
        }
        self.producers.values().for_each(|producer| producer.close(now_ns));
        self.consumers.values().for_each(|consumer| consumer.close());
    }
}
