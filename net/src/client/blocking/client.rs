//! The client's handle: requests and their answers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use crossbeam::channel::{Sender, bounded};
use florin_engine::catalogue::{SettingOutOfBounds, TopicChange, TopicSettings};
use florin_engine::format::control::KeyRule;
use florin_engine::limits::FETCH_WAIT_NS_MAX;
use florin_engine::model::{Offset, PartitionId, TopicId};
use florin_engine::partition::Isolation;
use florin_engine::shard::Refusal;
use mio::{Poll, Waker};

use super::call::{Ask, Repetition};
use super::clock::{Clock, duration_ns};
use super::command::{Bell, COMMAND_COUNT_MAX, Command, Route};
use super::completion::lock;
use super::hub::{BELL_TOKEN, Hub, HubStart};
use super::{Consumer, Producer, TransactionalProducer};
use crate::client::{
    AlteredTopic, ClientError, ClientSettings, ConsumerSettings, DescribedTopic, FoundKey, ProducerSettings,
    TransactionSettings,
};
use crate::protocol::{
    Code, ErrorResponse, FetchResponse, ListAt, Negotiated, Request, RequestFrom, Response, ShardDescription,
    TopicDescription,
};

/// A client of a Florin server, shared by its clones, producers and consumers. Its thread ends with the last of them.
#[derive(Clone)]
pub struct Client {
    pub(super) inner: Arc<Inner>,
}

/// What all handles share.
pub(super) struct Inner {
    pub(super) settings: ClientSettings,
    pub(super) clock: Clock,
    pub(super) bell: Arc<Bell>,
    commands: Sender<Command>,
    server: Arc<OnceLock<Negotiated>>,
    next_number: AtomicU64,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Inner {
    /// Gives the thread something to do.
    pub(super) fn command(&self, command: Command) -> Result<(), ClientError> {
        self.commands.send(command).map_err(|_| ClientError::Closed)?;
        self.bell.ring();
        Ok(())
    }

    /// A number for a producer or a consumer.
    pub(super) fn number(&self) -> u64 {
        self.next_number.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn server(&self) -> Negotiated {
        self.server.get().expect("a client has negotiated before it is handed out").clone()
    }

    fn request_deadline_ns(&self) -> u64 {
        self.clock.now_ns().saturating_add(duration_ns(self.settings.request_timeout))
    }

    pub(super) fn request(
        &self,
        what: &str,
        route: Route,
        request: Request,
        repetition: Repetition,
    ) -> Result<Response, ClientError> {
        self.ask(&Ask { what, route, request, repetition, deadline_ns: self.request_deadline_ns() })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // If the thread is gone already, there is nothing to tell it.
        let _is_gone = self.command(Command::Stop);
        if let Some(thread) = lock(&self.thread).take() {
            let _panicked = thread.join();
        }
    }
}

impl DescribedTopic {
    /// Whether it is as it was asked for.
    fn is(&self, partition_count: u32, settings: &TopicSettings, keys: Option<&KeyRule>) -> bool {
        u32::try_from(self.topic.placement.len()) == Ok(partition_count)
            && self.settings == *settings
            && self.topic.keys.as_ref() == keys
    }
}

/// What the server would answer: it could not tell a retention of 0, which keeps nothing, from none.
fn refused_setting(error: SettingOutOfBounds) -> ClientError {
    ClientError::Refused(ErrorResponse::from(&Refusal::TopicSetting(error)))
}

fn no_thread(error: &std::io::Error, settings: &ClientSettings) -> ClientError {
    let reason = format!("the client's thread cannot be started ({error})");
    ClientError::Connect { servers: settings.servers.join(", "), reason }
}

impl Client {
    /// Connects: tries the servers in turn, negotiates, and asks where the shards are.
    ///
    /// # Errors
    /// If no server answers within the connect timeout, all addresses refuse the connection, or none speaks the
    /// protocol.
    pub fn connect(settings: ClientSettings) -> Result<Self, ClientError> {
        let servers = settings.servers.join(", ");
        if settings.servers.is_empty() {
            return Err(ClientError::Connect { servers, reason: "no address was given".to_owned() });
        }
        let poll = Poll::new().map_err(|error| no_thread(&error, &settings))?;
        let waker = Waker::new(poll.registry(), BELL_TOKEN).map_err(|error| no_thread(&error, &settings))?;
        let (bell, clock, server) = (Arc::new(Bell::new(waker)), Clock::start(), Arc::new(OnceLock::new()));
        let (commands, commands_out) = bounded(COMMAND_COUNT_MAX);
        // An attempt ends a little before the time is over, so that it can be said what became of it.
        let hub = Hub::new(HubStart {
            servers: settings.servers.clone(),
            client_name: settings.name.clone(),
            connect_ns: duration_ns(settings.connect_timeout) / 20 * 19,
            request_ns: duration_ns(settings.request_timeout),
            metadata_age_ns: duration_ns(settings.metadata_age_max),
            clock,
            poll,
            bell: bell.clone(),
            commands: commands_out,
            commands_back: commands.clone(),
            server: server.clone(),
        });
        let thread = std::thread::Builder::new()
            .name("florin-client".to_owned())
            .spawn(move || hub.run())
            .map_err(|error| no_thread(&error, &settings))?;
        let thread = Mutex::new(Some(thread));
        let inner = Inner { settings, clock, bell, commands, server, next_number: AtomicU64::new(0), thread };
        let deadline_ns = inner.clock.now_ns().saturating_add(duration_ns(inner.settings.connect_timeout));
        match inner.load_topics(deadline_ns) {
            Ok(_learnt) => Ok(Self { inner: Arc::new(inner) }),
            Err(ClientError::Disconnected { reason, .. }) => Err(ClientError::Connect { servers, reason }),
            Err(ClientError::TimedOut { .. }) => {
                Err(ClientError::Connect { servers, reason: "no answer came in time".to_owned() })
            }
            Err(error) => Err(error),
        }
    }

    /// What the server said of itself when it was first connected to.
    pub fn server(&self) -> Negotiated {
        self.inner.server()
    }

    /// All topics, in the order of their ids.
    ///
    /// # Errors
    /// If the server does not answer in time.
    pub fn topics(&self) -> Result<Vec<TopicDescription>, ClientError> {
        Ok(self.inner.load_topics(self.inner.request_deadline_ns())?.topics().cloned().collect())
    }

    /// One topic.
    ///
    /// # Errors
    /// `Refused` with the code `unknown_topic` if there is none of this name.
    pub fn topic(&self, name: &str) -> Result<TopicDescription, ClientError> {
        // A shard may not have heard of a new topic yet; shard 0 has.
        for route in [Route::Any, Route::Shard(0)] {
            let what = format!("looking for topic {name}");
            let request = Request::Metadata { from: TopicId(0), names: vec![name.to_owned()] };
            let Response::Topics(page) = self.inner.request(&what, route, request, Repetition::Read)? else {
                return Err(self.inner.unexpected(&what));
            };
            if let Some(topic) = page.topics.into_iter().find(|topic| topic.name == name) {
                return Ok(topic);
            }
        }
        let absent = format!("there is no topic {name}: create it first");
        Err(ClientError::Refused(ErrorResponse::new(Code::UNKNOWN_TOPIC, absent)))
    }

    /// Creates a topic and waits until it is there. If the answer is lost and a topic of this name with as many
    /// partitions and these settings is there afterwards, it is taken for this one.
    ///
    /// # Errors
    /// If it is refused, or its outcome is not known within the request timeout.
    pub fn create_topic(
        &self,
        name: &str,
        partition_count: u32,
        settings: TopicSettings,
    ) -> Result<TopicDescription, ClientError> {
        self.create(name, partition_count, settings, None)
    }

    /// As [`Client::create_topic`], of a topic that stores each payment once, whoever sends it and however often: by this
    /// rule, which can never be changed, and neither can the number of partitions.
    ///
    /// # Errors
    /// As for [`Client::create_topic`].
    pub fn create_keyed_topic(
        &self,
        name: &str,
        partition_count: u32,
        settings: TopicSettings,
        keys: KeyRule,
    ) -> Result<TopicDescription, ClientError> {
        self.create(name, partition_count, settings, Some(keys))
    }

    fn create(
        &self,
        name: &str,
        partition_count: u32,
        settings: TopicSettings,
        keys: Option<KeyRule>,
    ) -> Result<TopicDescription, ClientError> {
        settings.check().map_err(refused_setting)?;
        let what = format!("creating topic {name}");
        let name_asked = name.to_owned();
        let request = Request::CreateTopic { name: name_asked, partition_count, settings, keys: keys.clone() };
        match self.inner.request(&what, Route::Shard(0), request, Repetition::Once) {
            Ok(Response::TopicCreated(topic)) => Ok(topic),
            Ok(_) => Err(self.inner.unexpected(&what)),
            // If it is there now as it was asked for, it was created by this request or by an equal one.
            Err(unknown @ ClientError::OutcomeUnknown { .. }) => {
                match self.topic(name).and_then(|topic| self.describe_topic(topic.id)) {
                    Ok(described) if described.is(partition_count, &settings, keys.as_ref()) => Ok(described.topic),
                    _ => Err(unknown),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Alters a topic and waits until the change is in force. Asking for what is so already succeeds.
    ///
    /// Partitions can be added, never taken away. Records of a key go to another partition then, so that those before
    /// the change and those behind it are not in one order.
    ///
    /// # Errors
    /// If it is refused, or its outcome is not known within the request timeout.
    pub fn alter_topic(&self, topic: TopicId, change: TopicChange) -> Result<AlteredTopic, ClientError> {
        change.check().map_err(refused_setting)?;
        let what = format!("altering topic {topic}");
        // What is set to a value twice has that value.
        match self.inner.request(
            &what,
            Route::Shard(0),
            Request::AlterTopic { topic, change },
            Repetition::Repeatable,
        )? {
            Response::TopicAltered { topic, settings } => Ok(AlteredTopic { topic, settings }),
            _ => Err(self.inner.unexpected(&what)),
        }
    }

    /// Deletes a topic with everything in it.
    ///
    /// # Errors
    /// If it is refused, or its outcome is not known within the request timeout.
    pub fn delete_topic(&self, topic: TopicId) -> Result<(), ClientError> {
        let what = format!("deleting topic {topic}");
        // Deleting what is deleted already succeeds, and ids are never given out again.
        match self.inner.request(&what, Route::Shard(0), Request::DeleteTopic { topic }, Repetition::Repeatable)? {
            Response::TopicDeleted(_) => Ok(()),
            _ => Err(self.inner.unexpected(&what)),
        }
    }

    /// A topic, its settings and its partitions.
    ///
    /// # Errors
    /// If there is no such topic, or the server does not answer in time.
    pub fn describe_topic(&self, topic: TopicId) -> Result<DescribedTopic, ClientError> {
        let what = format!("describing topic {topic}");
        match self.inner.request(&what, Route::Any, Request::DescribeTopic { topic }, Repetition::Read)? {
            Response::TopicDescribed { topic, settings, partitions } => {
                Ok(DescribedTopic { topic, settings, partitions })
            }
            _ => Err(self.inner.unexpected(&what)),
        }
    }

    /// How the shards are doing.
    ///
    /// # Errors
    /// If the server does not answer in time.
    pub fn describe_shards(&self) -> Result<Vec<ShardDescription>, ClientError> {
        match self.inner.request("describing the shards", Route::Any, Request::DescribeShards, Repetition::Read)? {
            Response::Shards(shards) => Ok(shards),
            _ => Err(self.inner.unexpected("describing the shards")),
        }
    }

    /// Tells a shard that the wall clock is right although it jumped.
    ///
    /// # Errors
    /// If the shard does not answer in time.
    pub fn confirm_clock(&self, shard: u16) -> Result<(), ClientError> {
        let what = format!("confirming the clock of shard {shard}");
        match self.inner.request(&what, Route::Shard(shard), Request::ConfirmClock, Repetition::Repeatable)? {
            Response::ClockConfirmed => Ok(()),
            _ => Err(self.inner.unexpected(&what)),
        }
    }

    /// Where a partition begins, ends, or was at a time: by when the server appended, or by the records' own timestamps.
    ///
    /// # Errors
    /// If there is no such partition, or its shard does not answer in time.
    pub fn list_offset(&self, partition: PartitionId, at: ListAt) -> Result<Offset, ClientError> {
        let what = format!("asking for an offset of partition {partition}");
        let request = Request::ListOffsets { partition, at };
        match self.inner.request(&what, Route::Partition(partition), request, Repetition::Read)? {
            Response::Offset(offset) => Ok(offset),
            _ => Err(self.inner.unexpected(&what)),
        }
    }

    /// What is stored under an idempotency key of a topic that has them; none if nothing is within the window.
    ///
    /// # Errors
    /// If the topic has no keys, or what is known of the key cannot be read, or its shard does not answer in time.
    pub fn look_up_key(&self, topic: &TopicDescription, key: Bytes) -> Result<FoundKey, ClientError> {
        let what = format!("looking up a key of topic {}", topic.name);
        let partition_count = u32::try_from(topic.placement.len()).unwrap_or(u32::MAX);
        let route = topic.keys.as_ref().map_or(Route::Any, |rule| {
            let index = rule.partitioner().partition_of(&key, partition_count.max(1));
            Route::Partition(PartitionId { topic: topic.id, index })
        });
        match self.inner.request(&what, route, Request::LookUpKey { topic: topic.id, key }, Repetition::Read)? {
            Response::Key { partition, receipt } => Ok(FoundKey { partition, receipt }),
            _ => Err(self.inner.unexpected(&what)),
        }
    }

    /// One fetch, as the server answers it: batches are neither trimmed nor checked, and those of aborted transactions are
    /// among them.
    ///
    /// # Errors
    /// If the offset does not exist, or the shard does not answer in time.
    pub fn fetch(
        &self,
        partition: PartitionId,
        (from, isolation): (RequestFrom, Isolation),
        bytes_max: u32,
        wait: Duration,
    ) -> Result<FetchResponse, ClientError> {
        let what = format!("fetching from partition {partition}");
        let wait_ns = duration_ns(wait).min(FETCH_WAIT_NS_MAX);
        let wait_ms = u32::try_from(wait_ns / 1_000_000).unwrap_or(u32::MAX);
        let request = Request::Fetch { partition, from, bytes_max, wait_ms, isolation };
        let deadline_ns = self.inner.request_deadline_ns().saturating_add(wait_ns);
        let route = Route::Partition(partition);
        match self.inner.ask(&Ask { what: &what, route, request, repetition: Repetition::Read, deadline_ns })? {
            Response::Fetched(fetched) => Ok(fetched),
            _ => Err(self.inner.unexpected(&what)),
        }
    }

    /// A producer for one topic.
    ///
    /// # Errors
    /// If the topic is not known.
    pub fn producer(&self, settings: ProducerSettings) -> Result<Producer, ClientError> {
        let topic = self.topic(&settings.topic)?;
        Producer::start(self.clone(), topic, &settings, false)
    }

    /// Opens a transactional id: whatever instance had it before is fenced, and its transaction aborted if one is open.
    ///
    /// # Errors
    /// If the name or the time-out is refused, or the server does not answer in time.
    pub fn transactional_producer(&self, settings: TransactionSettings) -> Result<TransactionalProducer, ClientError> {
        TransactionalProducer::open(self.clone(), settings)
    }

    /// A consumer of one topic.
    ///
    /// # Errors
    /// If the topic or one of the partitions is not known.
    pub fn consumer(&self, settings: ConsumerSettings) -> Result<Consumer, ClientError> {
        let topic = self.topic(&settings.topic)?;
        Consumer::start(self.clone(), topic, &settings)
    }
}
