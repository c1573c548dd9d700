//! Transactions of the client library through kills: workers read orders, write each to two topics, and note how far they
//! have come, all in one transaction. They share a transactional id and take it from each other.
//!
//! In the end each order that the group has passed counts exactly once in both topics, and nothing else does.

#![allow(clippy::disallowed_methods, reason = "a harness of real processes has real threads and a real clock")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use florin_engine::catalogue::TopicSettings;
use florin_engine::format::batch::RecordWalk;
use florin_engine::model::{Offset, PartitionId};
use florin_engine::partition::Isolation;
use florin_net::client::{
    Client, ClientError, ClientSettings, ConsumerSettings, Delivery, GroupId, GroupOffset, ProducerSettings, Record,
    TransactionError, TransactionSettings, TransactionalProducer,
};
use florin_net::protocol::{Code, ListAt, RequestFrom, TopicDescription};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::library::{connect, free_ports};
use super::restarts::{Rests, begin, kill_again, stop};
use super::server::Start;

const ORDERS: &str = "orders";
/// Each order goes to both.
const TARGETS: [&str; 2] = ["debits", "credits"];
const PARTITION_COUNT: u32 = 4;
const SHARD_COUNT: u16 = 2;
const WORKER_COUNT: u64 = 2;
const ID: &str = "transfers";
/// Orders of one transaction at most.
const ORDERS_MAX: u64 = 40;
/// Workers give a request up before the server is back, now and then also the one to commit.
const WORKER_PATIENCE: Duration = Duration::from_millis(150);
const FETCH_BYTES_MAX: u32 = 64 * 1024;
const RESTS: Rests = Rests { up_ms: 100..500, down_ms_max: 200 };
const FEED_REST: Duration = Duration::from_micros(500);
/// Whoever lost its transactional id takes it back after this at most: both come forward.
const TAKE_BACK_MS_MAX: u64 = 600;
/// How long the last transactions may take to be decided, and readers to see it.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Orders that the group has passed.
    pub passed: u64,
    /// Transactions told to be committed.
    pub committed: u64,
    /// Transactions that failed with [`TransactionError::Abortable`], or were aborted without need.
    pub aborted: u64,
    /// Commits whose outcome was not known, and was found out.
    pub found_out: u64,
    /// Times that an instance lost its transactional id.
    pub lost_id: u64,
}

/// Plays a run of `kill_count` kills in a directory that is absent.
///
/// # Errors
/// If an order counts twice or not at all, or a topic holds half of a transaction.
pub fn play(directory: &Path, seed: u64, kill_count: u32) -> Result<Summary, String> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let port = free_ports(&mut random).ok_or("no two ports next to each other are free")?;
    let address = format!("127.0.0.1:{port}");
    let start = Start::new(directory).shards(SHARD_COUNT).journal(8, 1024 * 1024).listen(&address);
    let start = start.with(&["--http", "off", "--cores", "2", "--allow-cow"]);
    let server = begin(&start)?;
    let client = connect(&address)?;
    let settings = ClientSettings { request_timeout: WORKER_PATIENCE, ..ClientSettings::new(&address) };
    let hasty = Client::connect(settings).map_err(|error| error.to_string())?;
    let create = |name, count| client.create_topic(name, count, TopicSettings::default()).map_err(|e| e.to_string());
    let orders = create(ORDERS, 1)?;
    let targets = TARGETS.map(|name| create(name, PARTITION_COUNT));
    let targets = targets.into_iter().collect::<Result<Vec<_>, String>>()?;
    let is_over = AtomicBool::new(false);
    let (server, summary) = thread::scope(|scope| {
        let feeder = scope.spawn(|| feed(&client, &is_over));
        let workers: Vec<_> = (0..WORKER_COUNT)
            .map(|number| {
                let random = ChaCha8Rng::seed_from_u64(seed ^ (1 + number));
                let worker =
                    Worker { client: &hasty, orders: &orders, random, summary: Summary::default(), in_doubt: None };
                let is_over = &is_over;
                scope.spawn(move || worker.work(is_over))
            })
            .collect();
        let killed = kill_again(server, &start, (kill_count, &RESTS), &mut random);
        is_over.store(true, Ordering::SeqCst);
        let fed = feeder.join().expect("the feeder does not panic");
        let summaries: Vec<_> = workers.into_iter().map(|worker| worker.join().expect("no panic")).collect();
        let server = killed?;
        fed?;
        let summaries = summaries.into_iter().collect::<Result<Vec<_>, String>>()?;
        Ok::<_, String>((server, summaries.into_iter().fold(Summary::default(), plus)))
    })?;
    let passed = group_offset(&client).map_err(|error| error.to_string())?;
    for topic in &targets {
        let counts = count_orders(&client, topic)?;
        is_once(&topic.name, passed, &counts)?;
    }
    drop((client, hasty));
    stop(server)?;
    if passed < summary.passed {
        return Err(format!("the group is at {passed}, and {} was committed", summary.passed));
    }
    Ok(Summary { passed, ..summary })
}

fn plus(one: Summary, other: Summary) -> Summary {
    Summary {
        passed: one.passed.max(other.passed),
        committed: one.committed + other.committed,
        aborted: one.aborted + other.aborted,
        found_out: one.found_out + other.found_out,
        lost_id: one.lost_id + other.lost_id,
    }
}

/// Each order below `passed` once, and no other.
fn is_once(topic: &str, passed: u64, counts: &BTreeMap<u64, u64>) -> Result<(), String> {
    if let Some((order, count)) = counts.iter().find(|(order, count)| **count != 1 || **order >= passed) {
        return Err(format!("{topic}: order {order} counts {count} times, the group is at {passed}"));
    }
    let missing = (0..passed).find(|order| !counts.contains_key(order));
    missing.map_or(Ok(()), |order| Err(format!("{topic}: order {order} is missing, the group is at {passed}")))
}

/// Sends numbered orders until it is over.
fn feed(client: &Client, is_over: &AtomicBool) -> Result<(), String> {
    let producer = client.producer(ProducerSettings::new(ORDERS)).map_err(|error| error.to_string())?;
    for order in 0_u64.. {
        if is_over.load(Ordering::SeqCst) {
            break;
        }
        let sent = producer.send(Record::new(order.to_le_bytes().to_vec()));
        drop(sent.map_err(|error| error.to_string())?);
        thread::sleep(FEED_REST);
    }
    producer.flush().map_err(|error| error.to_string())
}

fn group() -> GroupId {
    GroupId::new(ID).expect("a name")
}

/// Where the group is: behind the last order that counts.
fn group_offset(client: &Client) -> Result<u64, ClientError> {
    match client.offsets(&group()) {
        Ok(offsets) => Ok(offsets.first().map_or(0, |(offset, _)| offset.offset.0)),
        Err(ClientError::Refused(error)) if error.code == Code::UNKNOWN_GROUP => Ok(0),
        Err(error) => Err(error),
    }
}

/// How often each order counts in a topic.
fn count_orders(client: &Client, topic: &TopicDescription) -> Result<BTreeMap<u64, u64>, String> {
    let said = |error: ClientError| error.to_string();
    let since = Instant::now();
    let mut ends = BTreeMap::new();
    for index in 0..PARTITION_COUNT {
        let partition = PartitionId { topic: topic.id, index };
        let end = client.list_offset(partition, ListAt::End).map_err(said)?;
        while client.list_offset(partition, ListAt::Stable).map_err(said)? < end {
            if since.elapsed() > PATIENCE {
                return Err(format!("{partition}: a transaction is never decided"));
            }
            thread::sleep(Duration::from_millis(20));
        }
        ends.insert(index, end);
    }
    let mut consumer = client.consumer(ConsumerSettings::new(&topic.name)).map_err(said)?;
    let mut counts = BTreeMap::new();
    while ends.iter().any(|(index, end)| consumer.position(*index).unwrap_or(Offset(0)) < *end) {
        if since.elapsed() > PATIENCE {
            return Err(format!("{}: it is never read to its end", topic.name));
        }
        for batch in consumer.poll(Duration::from_millis(100)).map_err(said)? {
            for record in batch.records() {
                *counts.entry(order_of(record.value)?).or_default() += 1;
            }
        }
    }
    Ok(counts)
}

fn order_of(value: Option<&[u8]>) -> Result<u64, String> {
    let bytes = value.and_then(|value| value.try_into().ok());
    bytes.map(u64::from_le_bytes).ok_or_else(|| format!("{value:?} is no order"))
}

/// Who transfers.
struct Worker<'a> {
    client: &'a Client,
    orders: &'a TopicDescription,
    random: ChaCha8Rng,
    summary: Summary,
    /// Where the group is if the last commit counts, which was not answered.
    in_doubt: Option<u64>,
}

impl Worker<'_> {
    fn work(mut self, is_over: &AtomicBool) -> Result<Summary, String> {
        while !is_over.load(Ordering::SeqCst) {
            let settings = TransactionSettings { timeout: Duration::from_secs(2), ..TransactionSettings::new(ID) };
            // The server may be down for longer than a request may take.
            let Ok(mut producer) = self.client.transactional_producer(settings) else { continue };
            while !is_over.load(Ordering::SeqCst) {
                match self.transfer(&mut producer) {
                    Ok(()) => {}
                    Err(TransactionError::Abortable { .. }) => self.summary.aborted += 1,
                    Err(TransactionError::OutcomeUnknown { .. }) => self.find_out(&mut producer),
                    Err(TransactionError::Fatal { .. }) => {
                        self.summary.lost_id += 1;
                        thread::sleep(Duration::from_millis(self.random.random_range(0..TAKE_BACK_MS_MAX)));
                        break;
                    }
                }
            }
            // What is in doubt is found out by whoever opens the transactional id next.
        }
        Ok(self.summary)
    }

    /// Asks until it is told.
    fn find_out(&mut self, producer: &mut TransactionalProducer) {
        let to = self.in_doubt.take().expect("only a commit is in doubt");
        let found = loop {
            match producer.find_out() {
                Err(TransactionError::OutcomeUnknown { .. }) => {}
                found => break found,
            }
        };
        if found.is_ok() {
            self.summary.found_out += 1;
            self.passed(to);
        }
    }

    fn passed(&mut self, to: u64) {
        self.summary.committed += 1;
        self.summary.passed = to;
    }

    /// One transaction: from where the group is.
    fn transfer(&mut self, producer: &mut TransactionalProducer) -> Result<(), TransactionError> {
        let mut transaction = producer.begin()?;
        let unread = |error: ClientError| TransactionError::Abortable { reason: error.to_string() };
        let from = group_offset(self.client).map_err(unread)?;
        let orders = self.read(from).map_err(unread)?;
        let mut deliveries: Vec<Delivery> = Vec::new();
        for order in &orders {
            for topic in TARGETS {
                let partition = Some(self.random.random_range(0..PARTITION_COUNT));
                let record = Record { partition, ..Record::new(order.to_le_bytes().to_vec()) };
                deliveries.push(transaction.send(topic, record)?);
            }
        }
        let to = from + orders.len() as u64;
        let partition = PartitionId { topic: self.orders.id, index: 0 };
        let offset = GroupOffset { partition, offset: Offset(to), metadata: String::new().into() };
        transaction.send_offsets(&group(), vec![offset])?;
        if self.random.random_bool(0.1) {
            transaction.abort()?;
            self.summary.aborted += 1;
            return Ok(());
        }
        self.in_doubt = Some(to);
        transaction.commit()?;
        self.in_doubt = None;
        self.passed(to);
        let is_stored = deliveries.into_iter().all(|delivery| delivery.wait().is_ok());
        assert!(is_stored, "what was committed has receipts");
        Ok(())
    }

    /// Orders from there on.
    fn read(&mut self, from: u64) -> Result<Vec<u64>, ClientError> {
        let partition = PartitionId { topic: self.orders.id, index: 0 };
        let at = (RequestFrom::Offset(Offset(from)), Isolation::Committed);
        let fetched = self.client.fetch(partition, at, FETCH_BYTES_MAX, Duration::from_millis(20))?;
        let count = self.random.random_range(1..=ORDERS_MAX);
        let mut orders = Vec::new();
        for batch in fetched.batches {
            let walk = RecordWalk::new(&batch.bytes).expect("orders are not compressed");
            for (offset, record) in (batch.base_offset.0..).zip(walk) {
                if offset >= from && (orders.len() as u64) < count {
                    let value = record.expect("it was validated when it was stored").value;
                    let order = order_of(value).expect("orders have eight bytes");
                    assert_eq!(order, offset, "orders are stored once, in their order");
                    orders.push(order);
                }
            }
        }
        Ok(orders)
    }
}
