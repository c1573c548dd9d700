//! A server without a disk: it answers as the protocol says, so that loops are tested without one.

mod stored;

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::BytesMut;
use florin_engine::format::batch::validate;
use florin_engine::limits::BATCH_BYTES_MAX;
use florin_engine::model::{Id128, PartitionId, ProducerEpoch, Realtime, TopicId, TransactionKey};
use florin_net::limits::REQUEST_BYTES_MAX;
use florin_net::protocol::{
    Code, ErrorResponse, FetchResponse, FrameReader, Negotiated, Request, RequestFrom, Response, ShardDescription,
    ShardEndpoints, TopicDescription, TopicsPage,
};

use stored::Log;

/// What waits is looked at so often.
const LOOK_AGAIN: Duration = Duration::from_millis(1);
const JOURNAL_FULL: Code = Code(5);

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
    /// What the shards say of themselves, beside what was stored.
    pub shard: ShardDescription,
    /// So many batches are refused next because the journal is full.
    pub full_count: u64,
    /// Each batch is counted as two, as if somebody else stored as many.
    pub counts_twice: bool,
    /// Batches that came, whatever became of them.
    pub received_count: u64,
    /// No batch is stored or answered before so many came.
    pub holds_until: u64,
    /// With which code fetches are refused.
    pub fetch_refusal: Option<Code>,
    /// What is done to the answer to a fetch that has batches.
    pub spoils: Option<fn(&mut FetchResponse)>,
    /// So many fetches are answered at once and with nothing.
    pub empty_count: u64,
    /// Fetches that were answered are told as reads of segment files.
    pub reads_count_as_cold: bool,
    /// Fetches that were answered.
    pub fetched_count: u64,
    /// Bytes of each partition that the server says are in memory.
    pub held_bytes: u64,
    /// How often the shards were asked how they are.
    pub described_count: u64,
    /// Topics that were created.
    pub created_count: u64,
    /// Transactions that were ended.
    pub ended: Vec<TransactionKey>,
    /// What is stored of each partition.
    pub logs: BTreeMap<PartitionId, Log>,
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
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(LOOK_AGAIN)).unwrap();
    let mut reader = FrameReader::new(REQUEST_BYTES_MAX);
    let mut buffer = [0; 4096];
    let mut waiting: Vec<(u64, Request)> = Vec::new();
    loop {
        while let Some(frame) = reader.next_frame().unwrap() {
            let correlation = frame.correlation;
            let request = Request::decode(frame).unwrap();
            let is_batch = matches!(request, Request::Produce { .. });
            shared.state.lock().unwrap().received_count += u64::from(is_batch);
            waiting.push((correlation, request));
        }
        if answer_waiting(shared, shard, &mut stream, &mut waiting).is_err() {
            return;
        }
        match stream.read(&mut buffer) {
            Ok(0) => return,
            Ok(bytes) => reader.buffer_mut().extend_from_slice(&buffer[..bytes]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

/// Answers what can be answered, in the order in which it came.
fn answer_waiting(
    shared: &Shared,
    shard: u16,
    stream: &mut TcpStream,
    waiting: &mut Vec<(u64, Request)>,
) -> std::io::Result<()> {
    let mut out = BytesMut::new();
    {
        let mut state = shared.state.lock().unwrap();
        waiting.retain(|(correlation, request)| {
            let Some(response) = answer(shared, &mut state, shard, request) else { return true };
            response.encode(request.api(), *correlation, &mut out);
            false
        });
    }
    // In two parts, so that answers are put together from pieces.
    let (first, second) = out.split_at(out.len() / 2);
    stream.write_all(first)?;
    stream.write_all(second)
}

/// `None`: it has to wait.
fn answer(shared: &Shared, state: &mut State, shard: u16, request: &Request) -> Option<Response> {
    let shard_count = u16::try_from(shared.ports.len()).unwrap();
    Some(match request {
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
            let id = TopicId(7 + state.created_count);
            let topic = TopicDescription { id, name: name.clone(), revision: 1, placement, keys: None };
            state.created_count += 1;
            state.topics.push(topic.clone());
            Response::TopicCreated(topic)
        }
        Request::DeleteTopic { topic } => {
            state.topics.retain(|kept| kept.id != *topic);
            state.logs.retain(|partition, _| partition.topic != *topic);
            Response::TopicDeleted(*topic)
        }
        Request::DescribeTopic { topic } => stored::describe(state, *topic),
        Request::DescribeShards => {
            state.described_count += 1;
            let captured_count = state.captured_count * if state.counts_twice { 2 } else { 1 };
            let cold_read_count = if state.reads_count_as_cold { state.fetched_count } else { 0 };
            let durable_sequence = captured_count;
            let shard = ShardDescription { captured_count, durable_sequence, cold_read_count, ..state.shard.clone() };
            Response::Shards(vec![shard])
        }
        Request::Produce { .. } if state.received_count < state.holds_until => return None,
        Request::Produce { partition, batch } => state.produce(shard, *partition, batch),
        Request::Fetch { partition, from: RequestFrom::Offset(from), bytes_max, wait_ms, .. } => {
            let fetched = stored::fetch(state, *partition, *from, *bytes_max);
            return fetched.or_else(|| (*wait_ms == 0).then(|| stored::nothing(state, *partition)));
        }
        Request::EndTransaction { transaction, outcome } => {
            state.ended.push(*transaction);
            let epoch = ProducerEpoch(transaction.epoch.0 + 1);
            Response::TransactionEnded { outcome: *outcome, next: TransactionKey { epoch, ..*transaction } }
        }
        other => panic!("the bench does not ask for {other:?}"),
    })
}

impl State {
    fn produce(&mut self, shard: u16, partition: PartitionId, batch: &[u8]) -> Response {
        let info = validate(batch, BATCH_BYTES_MAX).unwrap();
        let topic = self.topics.iter().find(|topic| topic.id == partition.topic);
        if topic.and_then(|topic| topic.shard_of(partition)) != Some(shard) {
            return Response::Error(ErrorResponse::new(Code::UNKNOWN_PARTITION, "not here"));
        }
        if let Some((count, code)) = self.refuses
            && self.captured_count >= count
        {
            return Response::Error(ErrorResponse::new(code, "no more"));
        }
        if self.full_count > 0 {
            self.full_count -= 1;
            return Response::Error(ErrorResponse::new(JOURNAL_FULL, "full"));
        }
        self.captured_count += 1;
        match self.batch_counts.iter_mut().find(|(known, _)| *known == partition) {
            Some((_, count)) => *count += 1,
            None => self.batch_counts.push((partition, 1)),
        }
        let base_offset = self.logs.entry(partition).or_default().append(batch, info.record_count);
        Response::Produced { base_offset, append_time: Realtime(1), duplicate: false }
    }
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
