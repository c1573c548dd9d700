//! A server of one shard and one topic of two partitions, to which more can be added, in memory, a thread per connection.
#![allow(clippy::disallowed_methods, reason = "a server for tests of the blocking adapter")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use florin_engine::catalogue::{TopicChange, TopicSettings};
use florin_engine::format::batch;
use florin_engine::model::{Id128, Offset, PartitionId, ProducerEpoch, ProducerId, Realtime, Sequence, TopicId};
use florin_engine::producer::{Admission, ProducerError, ProducerTable, Receipt};

use crate::limits::REQUEST_BYTES_MAX;
use crate::protocol::{
    API_VERSIONS, Code, ErrorResponse, FetchResponse, FetchedBatch, FrameReader, ListAt, Negotiated, Request,
    RequestFrom, Response, ShardEndpoints, TopicDescription, TopicsPage,
};

/// How it misbehaves.
#[derive(Clone, Copy, Default)]
pub(super) struct Behaviour {
    /// Every connection is closed after so many requests, the last of which is carried out and not answered.
    pub(super) close_after_requests: Option<usize>,
    /// What is not answered.
    pub(super) ignores: Option<fn(&Request) -> bool>,
}

#[derive(Default)]
struct Partition {
    table: ProducerTable,
    batches: Vec<Bytes>,
    next_offset: u64,
}

struct Shared {
    behaviour: Behaviour,
    port: u16,
    partitions: Mutex<Vec<Partition>>,
    closes: AtomicBool,
    stops: AtomicBool,
}

pub(super) struct Server {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(super) fn start(behaviour: Behaviour) -> Self {
        Self::start_at(0, behaviour)
    }

    pub(super) fn start_at(port: u16, behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (closes, stops) = (AtomicBool::new(behaviour.close_after_requests.is_some()), AtomicBool::new(false));
        let partitions = Mutex::new(vec![Partition::default(), Partition::default()]);
        let shared = Arc::new(Shared { behaviour, port, partitions, closes, stops });
        let accepting = shared.clone();
        let thread = std::thread::spawn(move || {
            let mut connections = Vec::new();
            for stream in listener.incoming() {
                if accepting.stops.load(Ordering::Acquire) {
                    break;
                }
                let (shared, stream) = (accepting.clone(), stream.unwrap());
                connections.push(std::thread::spawn(move || shared.serve(stream)));
            }
            connections.into_iter().for_each(|connection| connection.join().unwrap());
        });
        Self { shared, thread: Some(thread) }
    }

    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.shared.port)
    }

    pub(super) fn port(&self) -> u16 {
        self.shared.port
    }

    pub(super) fn stop_closing(&self) {
        self.shared.closes.store(false, Ordering::Release);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stops.store(true, Ordering::Release);
        let _wakes_the_listener = TcpStream::connect(("127.0.0.1", self.shared.port));
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) {
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        stream.set_nodelay(true).unwrap();
        let (mut reader, mut scratch, mut request_count) = (FrameReader::new(REQUEST_BYTES_MAX), vec![0; 65_536], 0);
        while !self.stops.load(Ordering::Acquire) {
            match stream.read(&mut scratch) {
                Ok(0) => return,
                Ok(bytes) => reader.buffer_mut().extend_from_slice(&scratch[..bytes]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
                Err(_) => return,
            }
            while let Some(frame) = reader.next_frame().unwrap() {
                let correlation = frame.correlation;
                let request = Request::decode(frame).unwrap();
                let api = request.api();
                let response = self.answer(request);
                request_count += 1;
                let closes = self.closes.load(Ordering::Acquire);
                if closes && self.behaviour.close_after_requests.is_some_and(|count| request_count >= count) {
                    return;
                }
                let Some(response) = response else { continue };
                let mut out = BytesMut::new();
                response.encode(api, correlation, &mut out);
                if stream.write_all(&out).is_err() {
                    return;
                }
            }
        }
    }

    fn answer(&self, request: Request) -> Option<Response> {
        if self.behaviour.ignores.is_some_and(|ignores| ignores(&request)) {
            return None;
        }
        Some(match request {
            Request::Negotiate { .. } => Response::Negotiated(Negotiated {
                directory_id: Id128([1; 16]),
                shard: 0,
                shard_count: 1,
                server: "a server for tests".to_owned(),
                request_bytes_max: 1 << 20,
                batch_bytes_max: 1 << 20,
                fetch_bytes_max: 1 << 20,
                requests_max: 64,
                retry_window_batches: 5,
                idle_ms: 600_000,
                apis: API_VERSIONS.to_vec(),
            }),
            Request::Metadata { names, .. } => self.topics(&names),
            Request::AlterTopic { change, .. } => self.alter(&change),
            Request::InitProducer => Response::Producer { id: ProducerId(5), epoch: ProducerEpoch(0) },
            Request::Produce { partition, batch } => self.store(partition, batch),
            Request::Fetch { partition, from, wait_ms, .. } => self.fetch(partition, from, wait_ms),
            Request::ListOffsets { partition, at } => {
                let partitions = self.partitions.lock().unwrap();
                let held = &partitions[partition.index as usize];
                let since = |ms| held.batches.iter().find_map(|bytes| batch::offset_of_timestamp(bytes, ms));
                Response::Offset(match at {
                    ListAt::Start => Offset(0),
                    ListAt::Timestamp(ms) => since(ms).unwrap_or(Offset(held.next_offset)),
                    ListAt::End | ListAt::Stable | ListAt::Time(_) => Offset(held.next_offset),
                })
            }
            other => error(Code::MALFORMED_REQUEST, &format!("{other:?} is not served")),
        })
    }

    /// The only topic: two partitions at first, one more with each revision.
    fn topic(&self) -> TopicDescription {
        let partition_count = self.partitions.lock().unwrap().len();
        let revision = u32::try_from(partition_count - 1).unwrap();
        TopicDescription {
            id: TopicId(7),
            name: "captures".to_owned(),
            revision,
            placement: vec![0; partition_count],
            keys: None,
        }
    }

    fn alter(&self, change: &TopicChange) -> Response {
        let partition_count = change.partition_count.unwrap() as usize;
        self.partitions.lock().unwrap().resize_with(partition_count, Partition::default);
        Response::TopicAltered { topic: self.topic(), settings: TopicSettings::default() }
    }

    fn topics(&self, names: &[String]) -> Response {
        let topic = self.topic();
        let is_asked = names.is_empty() || names.contains(&topic.name);
        let endpoints = ShardEndpoints { host: String::new(), ports: vec![self.port] };
        let topics = if is_asked { vec![topic] } else { Vec::new() };
        Response::Topics(TopicsPage { endpoints, complete: true, next: TopicId(0), topics })
    }

    fn store(&self, partition: PartitionId, mut bytes: BytesMut) -> Response {
        let mut partitions = self.partitions.lock().unwrap();
        let held = &mut partitions[partition.index as usize];
        let info = batch::validate(&bytes, 1 << 20).unwrap();
        let (base, append_time) = (held.next_offset, Realtime(held.next_offset + 1));
        let receipt = Receipt { base_offset: Offset(base), append_time, sequence: Sequence(base) };
        if let Some(stamp) = &info.producer {
            match held.table.check(stamp, info.crc) {
                Admission::New => held.table.apply(stamp, info.crc, receipt),
                Admission::Duplicate(Receipt { base_offset, append_time, .. }) => {
                    return Response::Produced { base_offset, append_time, duplicate: true };
                }
                Admission::Known(_) => unreachable!("topics have no keys here"),
                Admission::Refused(refusal @ ProducerError::UnknownProducer { .. }) => {
                    return error(Code::UNKNOWN_PRODUCER, &refusal.to_string());
                }
                Admission::Refused(refusal) => return error(Code::OUT_OF_ORDER, &refusal.to_string()),
            }
        }
        batch::place(&mut bytes, Offset(base));
        held.next_offset += u64::from(info.record_count);
        held.batches.push(bytes.freeze());
        Response::Produced { base_offset: Offset(base), append_time, duplicate: false }
    }

    fn fetch(&self, partition: PartitionId, from: RequestFrom, wait_ms: u32) -> Response {
        let RequestFrom::Offset(from) = from else { return error(Code::MALFORMED_REQUEST, "no times") };
        let partitions = self.partitions.lock().unwrap();
        let held = &partitions[partition.index as usize];
        let high_watermark = Offset(held.next_offset);
        if from > high_watermark {
            return error(Code::OFFSET_OUT_OF_RANGE, "beyond the end");
        }
        let batches = held.batches.iter().filter(|bytes| batch::last_offset(bytes).unwrap() >= from).take(3);
        let fetched = |bytes: &Bytes| FetchedBatch {
            base_offset: batch::base_offset(bytes).unwrap(),
            append_time: Realtime(1),
            bytes: bytes.clone(),
        };
        let batches: Vec<_> = batches.map(fetched).collect();
        drop(partitions);
        if batches.is_empty() {
            // Not as long as a server would: the connection has one thread.
            std::thread::sleep(Duration::from_millis(u64::from(wait_ms).min(10)));
        }
        let (start_offset, stable_offset, aborted) = (Offset(0), high_watermark, Vec::new());
        Response::Fetched(FetchResponse { start_offset, high_watermark, stable_offset, aborted, batches })
    }
}

fn error(code: Code, message: &str) -> Response {
    Response::Error(ErrorResponse::new(code, message))
}
