//! One connection that asks and waits: topics, places and counters.

#![allow(clippy::disallowed_methods, reason = "a bench waits by the host's clock")]

mod look;

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bytes::BytesMut;
use florin_engine::catalogue::TopicSettings;
use florin_engine::format::control::KeyRule;
use florin_engine::limits::TRANSACTION_TIMEOUT_MS_MAX;
use florin_engine::model::{TopicId, TransactionKey, TransactionalId};
use florin_engine::shard::Action;
use florin_net::limits::RESPONSE_BYTES_MAX;
use florin_net::protocol::{ErrorResponse, FrameReader, Request, Response, ShardDescription, TopicsPage, code_row};

pub use look::Captured;

const CLIENT_NAME: &str = "florin-bench";
/// Connecting, over networks that a bench is for.
const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// A change of the catalogue may take a server half a minute before it says that it goes on.
const ANSWER_WAIT: Duration = Duration::from_secs(40);
/// How long a deletion is asked for again.
const DELETION_WAIT: Duration = Duration::from_secs(30);
/// How long the journal is waited for after a deletion: files come free with the next checkpoint.
const UNUSED_FILES_WAIT: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(5);
const JOURNAL_FULL: &str = "journal_full";
const READ_BYTES: usize = 16 * 1024;

/// A connection with at most one request in flight.
#[derive(Debug)]
pub struct Control {
    stream: TcpStream,
    reader: FrameReader,
    correlation: u64,
}

/// A topic's partitions, and the addresses of the shards that have them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The topic.
    pub topic: TopicId,
    /// The shard of each partition.
    pub shards: Vec<u16>,
    /// The host of all shards.
    pub host: String,
    /// The port of each shard, 0 where none listens.
    pub ports: Vec<u16>,
}

/// What the journals of all shards together count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JournalCounters {
    /// Blocks made durable.
    pub durable_sequence: u64,
    /// Batches stored.
    pub captured_count: u64,
    /// Files that hold nothing.
    pub unused_files: u64,
}

impl Control {
    /// Connects to a server's port and negotiates.
    pub fn connect(address: &str) -> Result<Self> {
        let connected =
            connect(address).with_context(|| format!("{address} cannot be connected to: is a server there?"))?;
        let mut control = Self { stream: connected, reader: FrameReader::new(RESPONSE_BYTES_MAX), correlation: 0 };
        match control.ask(&Request::Negotiate { client: CLIENT_NAME.to_owned() })? {
            Response::Negotiated(_) => Ok(control),
            other => bail!("{address} answered a negotiation with {other:?}"),
        }
    }

    /// Connects to the shard that changes the catalogue, starting from any shard's address.
    pub fn connect_to_coordinator(address: &str) -> Result<Self> {
        let mut control = Self::connect(address)?;
        let page = control.topics(Vec::new())?;
        let (host, port) = host_and_port(address)?;
        let host = if page.endpoints.host.is_empty() { host } else { &page.endpoints.host };
        match page.endpoints.ports.first() {
            Some(coordinator) if *coordinator != 0 && *coordinator != port => {
                Self::connect(&address_of(host, *coordinator))
            }
            _ => Ok(control),
        }
    }

    /// The connection itself, negotiated, for whoever drives it from here on.
    pub fn into_stream(self) -> Result<TcpStream> {
        ensure!(self.reader.buffered_bytes() == 0, "the server sent more than was asked for");
        Ok(self.stream)
    }

    /// Creates a topic that keeps everything.
    pub fn create_topic(&mut self, name: &str, partition_count: u32) -> Result<TopicId> {
        self.create_topic_with(name, partition_count, TopicSettings::default())
    }

    /// Creates a topic.
    pub fn create_topic_with(&mut self, name: &str, partition_count: u32, settings: TopicSettings) -> Result<TopicId> {
        match self.ask(&Request::CreateTopic { name: name.to_owned(), partition_count, settings, keys: None })? {
            Response::TopicCreated(topic) => Ok(topic.id),
            other => bail!("the creation of a topic was answered with {other:?}"),
        }
    }

    /// Creates a topic with idempotency keys.
    pub fn create_keyed_topic(
        &mut self,
        name: &str,
        partition_count: u32,
        settings: TopicSettings,
        keys: KeyRule,
    ) -> Result<TopicId> {
        let request = Request::CreateTopic { name: name.to_owned(), partition_count, settings, keys: Some(keys) };
        match self.ask(&request)? {
            Response::TopicCreated(topic) => Ok(topic.id),
            other => bail!("the creation of a topic was answered with {other:?}"),
        }
    }

    /// Bytes of idempotency keys at rest that are in memory, and reads of them so far.
    pub fn key_counters(&mut self) -> Result<(u64, u64)> {
        let shards = self.shards()?;
        let sum = |number: fn(&ShardDescription) -> u64| shards.iter().map(number).sum();
        Ok((sum(|shard| shard.keys_cached_bytes), sum(|shard| shard.keys_read_count)))
    }

    /// A producer id of its own.
    pub fn producer(&mut self) -> Result<TransactionKey> {
        match self.ask(&Request::InitProducer)? {
            Response::Producer { id, epoch } => Ok(TransactionKey { producer: id, epoch }),
            other => bail!("the question for a producer id was answered with {other:?}"),
        }
    }

    /// The first transaction of whoever takes a transactional id.
    pub fn open_transactional_id(&mut self, name: &str) -> Result<TransactionKey> {
        let name = TransactionalId::new(name)?;
        match self.ask(&Request::OpenTransactionalId { name, timeout_ms: TRANSACTION_TIMEOUT_MS_MAX })? {
            Response::TransactionalIdOpened { next, .. } => Ok(next),
            other => bail!("the opening of a transactional id was answered with {other:?}"),
        }
    }

    /// Deletes a topic, and asks again for as long as the server says that it should be.
    pub fn delete_topic(&mut self, topic: TopicId) -> Result<()> {
        let begun = Instant::now();
        loop {
            match self.exchange(&Request::DeleteTopic { topic })? {
                Response::TopicDeleted(_) => return Ok(()),
                Response::Error(error) if error.action == Action::Retry && begun.elapsed() < DELETION_WAIT => {
                    std::thread::sleep(PAUSE);
                }
                Response::Error(error) => bail!("the bench's topic cannot be deleted: {}", error_text(&error)),
                other => bail!("the deletion of a topic was answered with {other:?}"),
            }
        }
    }

    /// Where the partitions of a topic are.
    pub fn placement(&mut self, name: &str) -> Result<Placement> {
        let page = self.topics(vec![name.to_owned()])?;
        let topic = page.topics.iter().find(|topic| topic.name == name);
        let topic = topic.with_context(|| format!("the server does not know its topic {name}"))?;
        let host = if page.endpoints.host.is_empty() {
            self.stream.peer_addr().context("the connection is gone")?.ip().to_string()
        } else {
            page.endpoints.host.clone()
        };
        Ok(Placement { topic: topic.id, shards: topic.placement.clone(), host, ports: page.endpoints.ports })
    }

    /// What the journals count now.
    pub fn journal_counters(&mut self) -> Result<JournalCounters> {
        let mut sum = JournalCounters::default();
        for shard in self.shards()? {
            sum.durable_sequence += shard.durable_sequence;
            sum.captured_count += shard.captured_count;
            sum.unused_files += u64::from(shard.unused_file_count);
        }
        Ok(sum)
    }

    /// Waits a while until so many journal files are unused; that they are not is no failure.
    pub fn wait_for_unused_files(&mut self, count: u64) -> Result<()> {
        let begun = Instant::now();
        while self.journal_counters()?.unused_files < count && begun.elapsed() < UNUSED_FILES_WAIT {
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    fn topics(&mut self, names: Vec<String>) -> Result<TopicsPage> {
        match self.ask(&Request::Metadata { from: TopicId(0), names })? {
            Response::Topics(page) => Ok(page),
            other => bail!("the question for topics was answered with {other:?}"),
        }
    }

    /// Asks and takes no error for an answer.
    fn ask(&mut self, request: &Request) -> Result<Response> {
        match self.exchange(request)? {
            Response::Error(error) => bail!("{} was refused: {}", request.api().name(), error_text(&error)),
            response => Ok(response),
        }
    }

    fn exchange(&mut self, request: &Request) -> Result<Response> {
        self.correlation += 1;
        let mut frame = BytesMut::new();
        request.encode(self.correlation, &mut frame);
        self.stream.write_all(&frame).context("the server takes no request")?;
        let mut buffer = [0; READ_BYTES];
        loop {
            if let Some(frame) = self.reader.next_frame()? {
                let correlation = frame.correlation;
                let response = Response::decode(request.api(), frame)?;
                // An error that ends the connection answers no request in particular.
                let expected = correlation == self.correlation || matches!(response, Response::Error(_));
                ensure!(expected, "the answer to request {} was numbered {correlation}", self.correlation);
                return Ok(response);
            }
            let bytes = self.stream.read(&mut buffer).context("the server does not answer")?;
            ensure!(bytes > 0, "the server closed the connection");
            self.reader.buffer_mut().extend_from_slice(&buffer[..bytes]);
        }
    }
}

/// Whether a batch was refused because the journal has no room for it now.
pub fn is_journal_full(error: &ErrorResponse) -> bool {
    code_row(error.code).is_some_and(|row| row.name == JOURNAL_FULL)
}

/// A refusal with its number, its name and what to do about it.
pub fn error_text(error: &ErrorResponse) -> String {
    let name = code_row(error.code).map_or("unknown to this build", |row| row.name);
    let advice = if is_journal_full(error) {
        ". The journal has no room: use a larger one (--journal-files, --journal-file-bytes) or fewer --seconds"
    } else {
        ""
    };
    format!("code {} ({name}): {}{advice}", error.code.0, error.message)
}

/// Connects a socket that blocks, without a negotiation.
pub fn connect(address: &str) -> Result<TcpStream> {
    let mut failure = None;
    for resolved in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&resolved, CONNECT_WAIT) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(ANSWER_WAIT))?;
                stream.set_write_timeout(Some(ANSWER_WAIT))?;
                return Ok(stream);
            }
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.context("the name has no address")?.into())
}

/// Host and port as one word; IPv6 addresses need brackets for it.
pub fn address_of(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn host_and_port(address: &str) -> Result<(&str, u16)> {
    let (host, port) = address.rsplit_once(':').with_context(|| format!("{address} is no HOST:PORT"))?;
    Ok((host, port.parse().with_context(|| format!("{address} is no HOST:PORT"))?))
}
