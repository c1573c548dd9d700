//! A client on a raw socket: it waits for every answer, never for ever, and sends whatever bytes it is given.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use bytes::BytesMut;
use florin_engine::catalogue::TopicSettings;
use florin_engine::format::batch::{self, BatchBuilder, HEADERS_NONE, RecordWalk};
use florin_engine::model::{Offset, PartitionId};
use florin_engine::partition::Isolation;
use florin_net::limits::RESPONSE_BYTES_MAX;
use florin_net::protocol::{
    Api, ErrorResponse, FetchResponse, Frame, FrameReader, ListAt, Negotiated, Request, RequestFrom, Response,
    TopicDescription, TopicsPage,
};

/// How long an answer, or room for a request, may take.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// What a client calls itself.
const NAME: &str = "florin-harness";
const READ_BYTES: usize = 64 * 1024;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WireError {
    /// The connection ended.
    Closed,
    /// Nothing came in time.
    TimedOut,
    /// The server refused.
    Refused(ErrorResponse),
    /// What came is not what must come.
    Unexpected(String),
}

impl WireError {
    /// The code of a refusal.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Refused(error) => Some(error.code.0),
            Self::Closed | Self::TimedOut | Self::Unexpected(_) => None,
        }
    }
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Self::TimedOut,
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof | ErrorKind::NotConnected => {
                Self::Closed
            }
            _ => Self::Unexpected(error.to_string()),
        }
    }
}

/// One connection.
pub struct Wire {
    stream: TcpStream,
    reader: FrameReader,
    next_correlation: u64,
    asked: BTreeMap<u64, Api>,
}

impl Wire {
    /// Connects, and says nothing.
    pub fn connect(address: SocketAddr) -> Result<Self, WireError> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let reader = FrameReader::new(RESPONSE_BYTES_MAX);
        Ok(Self { stream, reader, next_correlation: 1, asked: BTreeMap::new() })
    }

    /// Connects and negotiates.
    pub fn open(address: SocketAddr) -> Result<Self, WireError> {
        let mut wire = Self::connect(address)?;
        wire.negotiate()?;
        Ok(wire)
    }

    /// The socket.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// How long to wait for an answer from now on.
    pub fn set_patience(&self, patience: Duration) -> Result<(), WireError> {
        self.stream.set_read_timeout(Some(patience))?;
        Ok(self.stream.set_write_timeout(Some(patience))?)
    }

    /// Says that nothing more will be sent; answers can still come.
    pub fn close_sending(&self) -> Result<(), WireError> {
        Ok(self.stream.shutdown(Shutdown::Write)?)
    }

    /// Sends bytes as they are.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        Ok(self.stream.write_all(bytes)?)
    }

    /// Appends a request to `out`, for several to be sent at once; returns its correlation.
    pub fn encode(&mut self, request: &Request, out: &mut BytesMut) -> u64 {
        let correlation = self.next_correlation;
        self.next_correlation += 1;
        self.asked.insert(correlation, request.api());
        request.encode(correlation, out);
        correlation
    }

    /// Sends a request; returns its correlation.
    pub fn send(&mut self, request: &Request) -> Result<u64, WireError> {
        let mut out = BytesMut::new();
        let correlation = self.encode(request, &mut out);
        self.send_bytes(&out)?;
        Ok(correlation)
    }

    /// The next frame.
    pub fn receive_frame(&mut self) -> Result<Frame, WireError> {
        let mut piece = vec![0; READ_BYTES];
        loop {
            let frame = self.reader.next_frame().map_err(|error| WireError::Unexpected(error.to_string()))?;
            if let Some(frame) = frame {
                return Ok(frame);
            }
            match self.stream.read(&mut piece)? {
                0 => return Err(WireError::Closed),
                bytes => self.reader.buffer_mut().extend_from_slice(&piece[..bytes]),
            }
        }
    }

    /// The next response, to whichever request; errors are responses. What was not asked is read as an error.
    pub fn receive(&mut self) -> Result<(u64, Response), WireError> {
        let frame = self.receive_frame()?;
        let correlation = frame.correlation;
        let api = self.asked.remove(&correlation).unwrap_or(Api::Negotiate);
        let response = Response::decode(api, frame).map_err(|error| WireError::Unexpected(error.to_string()))?;
        Ok((correlation, response))
    }

    /// Reads until the connection ends; returns the errors that came without having been asked for.
    ///
    /// # Errors
    /// If it does not end in time.
    pub fn receive_until_closed(&mut self) -> Result<Vec<ErrorResponse>, WireError> {
        let mut errors = Vec::new();
        loop {
            match self.receive() {
                Ok((_, Response::Error(error))) => errors.push(error),
                Ok(_) => {}
                Err(WireError::Closed) => return Ok(errors),
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends a request and waits for its answer, or for the error that ends the connection; answers to others that
    /// come before are dropped.
    pub fn ask(&mut self, request: &Request) -> Result<Response, WireError> {
        let asked = self.send(request)?;
        loop {
            match self.receive()? {
                (correlation, Response::Error(error)) if correlation == asked || correlation == 0 => {
                    return Err(WireError::Refused(error));
                }
                (correlation, response) if correlation == asked => return Ok(response),
                _ => {}
            }
        }
    }

    /// Who is there.
    pub fn negotiate(&mut self) -> Result<Negotiated, WireError> {
        match self.ask(&Request::Negotiate { client: NAME.to_owned() })? {
            Response::Negotiated(negotiated) => Ok(negotiated),
            other => Err(unexpected(&other)),
        }
    }

    /// A new topic.
    pub fn create_topic(&mut self, name: &str, partition_count: u32) -> Result<TopicDescription, WireError> {
        match self.ask(&Request::CreateTopic {
            name: name.to_owned(),
            partition_count,
            settings: TopicSettings::default(),
            keys: None,
        })? {
            Response::TopicCreated(topic) => Ok(topic),
            other => Err(unexpected(&other)),
        }
    }

    /// The first page of all topics.
    pub fn metadata(&mut self) -> Result<TopicsPage, WireError> {
        let from = florin_engine::model::TopicId(0);
        match self.ask(&Request::Metadata { from, names: Vec::new() })? {
            Response::Topics(page) => Ok(page),
            other => Err(unexpected(&other)),
        }
    }

    /// Stores a batch of one record; returns its offset.
    pub fn produce(&mut self, partition: PartitionId, value: &[u8]) -> Result<Offset, WireError> {
        self.produce_batch(partition, batch_of(value))
    }

    /// Stores a batch; returns the offset of its first record.
    pub fn produce_batch(&mut self, partition: PartitionId, batch: BytesMut) -> Result<Offset, WireError> {
        match self.ask(&Request::Produce { partition, batch })? {
            Response::Produced { base_offset, .. } => Ok(base_offset),
            other => Err(unexpected(&other)),
        }
    }

    /// Batches from an offset on, waiting for them if `wait_ms` is not 0.
    pub fn fetch(&mut self, partition: PartitionId, from: Offset, wait_ms: u32) -> Result<FetchResponse, WireError> {
        let from = RequestFrom::Offset(from);
        match self.ask(&Request::Fetch {
            partition,
            from,
            bytes_max: u32::MAX,
            wait_ms,
            isolation: Isolation::Uncommitted,
        })? {
            Response::Fetched(fetched) => Ok(fetched),
            other => Err(unexpected(&other)),
        }
    }

    /// Every value of a partition from its start to its end, with its offset.
    pub fn read_all(&mut self, partition: PartitionId) -> Result<Vec<(u64, Vec<u8>)>, WireError> {
        let mut from = self.list_offset(partition, ListAt::Start)?;
        let end = self.list_offset(partition, ListAt::End)?;
        let mut values = Vec::new();
        while from < end {
            let fetched = self.fetch(partition, from, 0)?;
            for fetched in &fetched.batches {
                let records = values_of(&fetched.bytes).map_err(WireError::Unexpected)?;
                from = Offset(records.last().map_or(from.0, |(offset, _)| offset + 1));
                values.extend(records);
            }
            if fetched.batches.is_empty() {
                return Err(WireError::Unexpected(format!("nothing at {from:?} before the end {end:?}")));
            }
        }
        Ok(values)
    }

    /// Where a partition begins, ends, or was at a time.
    pub fn list_offset(&mut self, partition: PartitionId, at: ListAt) -> Result<Offset, WireError> {
        match self.ask(&Request::ListOffsets { partition, at })? {
            Response::Offset(offset) => Ok(offset),
            other => Err(unexpected(&other)),
        }
    }
}

fn unexpected(response: &Response) -> WireError {
    WireError::Unexpected(format!("{response:?} answers another question"))
}

/// A batch of one record.
///
/// # Panics
/// If the value is larger than a batch may be.
pub fn batch_of(value: &[u8]) -> BytesMut {
    let mut builder = BatchBuilder::new();
    builder.push(1_700_000_000_000, None, Some(value), HEADERS_NONE).expect("it fits a batch");
    builder.finish()
}

/// The values of a placed batch, each with its offset, after its checksum was found right.
pub fn values_of(bytes: &[u8]) -> Result<Vec<(u64, Vec<u8>)>, String> {
    let text = |error: batch::BatchError| error.to_string();
    batch::validate(bytes, bytes.len()).map_err(text)?;
    let base = batch::base_offset(bytes).map_err(text)?;
    let records = RecordWalk::new(bytes).map_err(text)?;
    let value = |record: Result<batch::Record<'_>, _>| {
        let record = record.map_err(text)?;
        Ok((base.0 + u64::from(record.offset_delta), record.value.unwrap_or_default().to_vec()))
    };
    records.map(value).collect()
}
