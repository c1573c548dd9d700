//! A server that keeps nothing: it answers as the protocol says, so that the loop is tested without a disk.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use bytes::BytesMut;
use florin_engine::format::batch::validate;
use florin_engine::limits::BATCH_BYTES_MAX;
use florin_engine::model::{Id128, Offset, PartitionId, Realtime, TopicId};
use florin_net::limits::REQUEST_BYTES_MAX;
use florin_net::protocol::{
    Code, ErrorResponse, FrameReader, Negotiated, Request, Response, ShardDescription, ShardEndpoints,
    TopicDescription, TopicsPage,
};

/// Shards on ports of their own; partition i is on shard i modulo their number.
pub struct FakeServer {
    shared: Arc<Shared>,
    accepting: Vec<JoinHandle<()>>,
}

struct Shared {
    ports: Vec<u16>,
    stops: AtomicBool,
    state: Mutex<State>,
}

/// What was done so far.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Topics that are not deleted.
    pub topics: Vec<TopicDescription>,
    /// Batches of each partition, in the order in which each was first heard of.
    pub batch_counts: Vec<(PartitionId, u64)>,
    /// Batches stored.
    pub captured_count: u64,
    /// With which code batches are refused once so many are stored.
    pub refuses: Option<(u64, Code)>,
}

impl FakeServer {
    /// Starts so many shards.
    pub fn start(shard_count: usize) -> Self {
        let bind = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let listeners: Vec<TcpListener> = (0..shard_count).map(bind).collect();
        let ports = listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        let shared = Arc::new(Shared { ports, stops: AtomicBool::new(false), state: Mutex::default() });
        let accept = |(shard, listener)| {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new().spawn(move || accept_until_end(&shared, shard, &listener)).unwrap()
        };
        let accepting = (0_u16..).zip(listeners).map(accept).collect();
        Self { shared, accepting }
    }

    /// Where a shard listens.
    pub fn address(&self, shard: usize) -> String {
        format!("127.0.0.1:{}", self.shared.ports[shard])
    }

    /// What was done, to look at or to change.
    pub fn with_state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.shared.state.lock().unwrap())
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.shared.stops.store(true, Ordering::SeqCst);
        for (port, accepting) in self.shared.ports.iter().zip(self.accepting.drain(..)) {
            // Wakes the thread that accepts.
            drop(TcpStream::connect((Ipv4Addr::LOCALHOST, *port)));
            let _ = accepting.join();
        }
    }
}

fn accept_until_end(shared: &Arc<Shared>, shard: u16, listener: &TcpListener) {
    while let Ok((stream, _)) = listener.accept() {
        if shared.stops.load(Ordering::SeqCst) {
            return;
        }
        let shared = Arc::clone(shared);
        std::thread::Builder::new().spawn(move || answer_until_end(&shared, shard, stream)).unwrap();
    }
}

fn answer_until_end(shared: &Shared, shard: u16, mut stream: TcpStream) {
    let mut reader = FrameReader::new(REQUEST_BYTES_MAX);
    let mut buffer = [0; 4096];
    loop {
        while let Some(frame) = reader.next_frame().unwrap() {
            let correlation = frame.correlation;
            let request = Request::decode(frame).unwrap();
            let mut out = BytesMut::new();
            answer(shared, shard, &request).encode(request.api(), correlation, &mut out);
            // In two parts, so that answers are put together from pieces.
            let (first, second) = out.split_at(out.len() / 2);
            if stream.write_all(first).and_then(|()| stream.write_all(second)).is_err() {
                return;
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(bytes) => reader.buffer_mut().extend_from_slice(&buffer[..bytes]),
        }
    }
}

fn answer(shared: &Shared, shard: u16, request: &Request) -> Response {
    let mut state = shared.state.lock().unwrap();
    let shard_count = u16::try_from(shared.ports.len()).unwrap();
    match request {
        Request::Negotiate { .. } => Response::Negotiated(negotiated(shard, shard_count)),
        Request::Metadata { names, .. } => {
            let wanted = |topic: &&TopicDescription| names.is_empty() || names.contains(&topic.name);
            let topics = state.topics.iter().filter(wanted).cloned().collect();
            let endpoints = ShardEndpoints { host: String::new(), ports: shared.ports.clone() };
            Response::Topics(TopicsPage { endpoints, complete: true, next: TopicId(0), topics })
        }
        Request::CreateTopic { .. } | Request::DeleteTopic { .. } if shard != 0 => {
            Response::Error(ErrorResponse::new(Code(13), "not here"))
        }
        Request::CreateTopic { name, partition_count, .. } => {
            let placement = (0..*partition_count).map(|index| u16::try_from(index).unwrap() % shard_count).collect();
            let topic = TopicDescription { id: TopicId(7), name: name.clone(), revision: 1, placement };
            state.topics.push(topic.clone());
            Response::TopicCreated(topic)
        }
        Request::DeleteTopic { topic } => {
            state.topics.retain(|kept| kept.id != *topic);
            Response::TopicDeleted(*topic)
        }
        Request::DescribeShards => {
            let captured_count = state.captured_count;
            let shard = ShardDescription { captured_count, durable_sequence: captured_count, ..Default::default() };
            Response::Shards(vec![shard])
        }
        Request::Produce { partition, batch } => produce(&mut state, shard, *partition, batch),
        other => panic!("the bench does not ask for {other:?}"),
    }
}

fn produce(state: &mut State, shard: u16, partition: PartitionId, batch: &[u8]) -> Response {
    validate(batch, BATCH_BYTES_MAX).unwrap();
    let topic = state.topics.iter().find(|topic| topic.id == partition.topic);
    if topic.and_then(|topic| topic.shard_of(partition)) != Some(shard) {
        return Response::Error(ErrorResponse::new(Code::UNKNOWN_PARTITION, "not here"));
    }
    if let Some((count, code)) = state.refuses
        && state.captured_count >= count
    {
        return Response::Error(ErrorResponse::new(code, "no more"));
    }
    state.captured_count += 1;
    match state.batch_counts.iter_mut().find(|(known, _)| *known == partition) {
        Some((_, count)) => *count += 1,
        None => state.batch_counts.push((partition, 1)),
    }
    Response::Produced { base_offset: Offset(0), append_time: Realtime(1), duplicate: false }
}

fn negotiated(shard: u16, shard_count: u16) -> Negotiated {
    Negotiated {
        directory_id: Id128([1; 16]),
        shard,
        shard_count,
        server: "fake".to_owned(),
        request_bytes_max: 0,
        batch_bytes_max: 0,
        fetch_bytes_max: 0,
        requests_max: 0,
        retry_window_batches: 0,
        idle_ms: 0,
        apis: Vec::new(),
    }
}
