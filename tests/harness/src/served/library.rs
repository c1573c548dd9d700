//! The client library through kills: producers and a consumer that live longer than the servers they speak to.
//!
//! The server is started again on the same ports. Every record that a producer took has exactly one outcome, and what
//! is stored at the end fits all outcomes ([`accounts`]).

#![allow(clippy::disallowed_methods, reason = "a harness of real processes has real threads and a real clock")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use florin_engine::catalogue::TopicSettings;
use florin_engine::model::PartitionId;
use florin_net::client::{
    Client, ClientSettings, Consumer, ConsumerSettings, Delivery, Producer, ProducerSettings, Receipt, Record,
    SendError,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::restarts::{Rests, begin, kill_again, stop};
use super::server::{Server, Start};
use super::wire::Wire;
use accounts::{Contents, Outcome, Sending, record_value};

pub mod accounts;

const TOPIC: &str = "payments";
const PARTITION_COUNT: u32 = 4;
const SHARD_COUNT: u16 = 2;
/// Below the ports that the kernel gives to clients: one of those could take the port of a server that is down.
const PORTS: std::ops::Range<u16> = 20_000..30_000;
/// Long enough to outlive every kill; the second producer gives up while the server is down.
const DELIVERY_TIMEOUTS: [Duration; 2] = [Duration::from_secs(60), Duration::from_millis(250)];
const RESTS: Rests = Rests { up_ms: 50..400, down_ms_max: 500 };
/// The longest rest of a producer between records.
const REST_US_MAX: u64 = 1500;
const POLL: Duration = Duration::from_millis(50);
/// Polls without anything new behind the last kill until the consumer has read everything there is.
const QUIET_POLLS: u32 = 40;

/// What came of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records sent, by outcome.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Records that are stored.
    pub stored: u64,
    /// Of these, records whose outcome was unknown.
    pub stored_unknown: u64,
    /// Records that the consumer was shown.
    pub consumed: u64,
}

/// Plays a run of `kill_count` kills in a directory that is absent.
///
/// # Errors
/// If an outcome does not hold, or the library cannot go on.
pub fn play(directory: &Path, seed: u64, kill_count: u32) -> Result<Summary, String> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let port = free_ports(&mut random).ok_or("no two ports next to each other are free")?;
    let address = format!("127.0.0.1:{port}");
    let start = Start::new(directory).shards(SHARD_COUNT).journal(40, 256 * 1024).listen(&address);
    let start = start.with(&["--http", "off", "--cores", "2", "--allow-cow"]);
    let server = begin(&start)?;
    let client = connect(&address)?;
    let topic =
        client.create_topic(TOPIC, PARTITION_COUNT, TopicSettings::default()).map_err(|error| error.to_string())?;
    let producers: Vec<_> =
        DELIVERY_TIMEOUTS.iter().map(|timeout| producer(&client, *timeout)).collect::<Result<_, _>>()?;
    let consumer = client.consumer(ConsumerSettings::new(TOPIC)).map_err(|error| error.to_string())?;
    let is_over = AtomicBool::new(false);
    let (server, sendings, seen) = thread::scope(|scope| {
        let senders: Vec<_> = (0..)
            .zip(&producers)
            .map(|(number, producer)| {
                let random = ChaCha8Rng::seed_from_u64(seed ^ (1 + u64::from(number)));
                let is_over = &is_over;
                scope.spawn(move || send(producer, number, random, is_over))
            })
            .collect();
        let reader = scope.spawn(|| follow(consumer, &is_over));
        let killed = kill_again(server, &start, (kill_count, &RESTS), &mut random);
        is_over.store(true, Ordering::SeqCst);
        let sendings = senders.into_iter().flat_map(|sender| sender.join().expect("a sender does not panic")).collect();
        let seen = reader.join().expect("a reader does not panic");
        killed.map(|server| (server, sendings, seen))
    })?;
    let contents = read_all(&server, topic.id, &topic.placement)?;
    stop(server)?;
    judge(sendings, &contents, &seen?)
}

fn judge(sendings: Vec<Sending>, contents: &Contents, seen: &Contents) -> Result<Summary, String> {
    accounts::judge(&sendings, contents)?;
    accounts::judge_consumed(seen, contents)?;
    let mut summary = Summary::default();
    let stored: std::collections::BTreeSet<_> = contents.values().flatten().map(|(_, value)| value.clone()).collect();
    for sending in &sendings {
        *summary.outcomes.entry(sending.outcome.name()).or_default() += 1;
        let is_stored = stored.contains(record_value(sending.producer, sending.serial).as_bytes());
        summary.stored += u64::from(is_stored);
        summary.stored_unknown += u64::from(is_stored && sending.outcome == Outcome::Unknown);
    }
    summary.consumed = seen.values().map(|records| records.len() as u64).sum();
    Ok(summary)
}

/// The first of as many free ports as there are shards. Nobody in this process is given one of them again: their server may
/// not listen yet, or be down for a while.
pub fn free_ports(random: &mut ChaCha8Rng) -> Option<u16> {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let ports = |first: u16| first..first + SHARD_COUNT;
    let is_free = |port: u16| !given.contains(&port) && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let first = (0..100).map(|_| random.random_range(PORTS)).find(|first| ports(*first).all(is_free))?;
    given.extend(ports(first));
    Some(first)
}

pub(super) fn connect(address: &str) -> Result<Client, String> {
    Client::connect(ClientSettings::new(address)).map_err(|error| error.to_string())
}

fn producer(client: &Client, delivery_timeout: Duration) -> Result<Producer, String> {
    let settings = ProducerSettings { delivery_timeout, ..ProducerSettings::new(TOPIC) };
    client.producer(settings).map_err(|error| error.to_string())
}

/// Sends until it is over, and waits for every outcome.
fn send(producer: &Producer, number: u32, mut random: ChaCha8Rng, is_over: &AtomicBool) -> Vec<Sending> {
    let mut deliveries: Vec<(u32, u32, Result<Delivery, SendError>)> = Vec::new();
    while !is_over.load(Ordering::SeqCst) {
        let serial = u32::try_from(deliveries.len()).expect("a run is short");
        let partition = random.random_range(0..PARTITION_COUNT);
        let record = Record { partition: Some(partition), ..Record::new(record_value(number, serial)) };
        deliveries.push((serial, partition, producer.send(record)));
        thread::sleep(Duration::from_micros(random.random_range(0..REST_US_MAX)));
    }
    let outcome = |(serial, partition, sent): (u32, u32, Result<Delivery, SendError>)| Sending {
        producer: number,
        serial,
        partition,
        outcome: outcome_of(sent.and_then(Delivery::wait)),
    };
    deliveries.into_iter().map(outcome).collect()
}

fn outcome_of(outcome: Result<Receipt, SendError>) -> Outcome {
    match outcome {
        Ok(receipt) => Outcome::Stored { partition: receipt.partition, offset: receipt.offset.0 },
        Err(SendError::OutcomeUnknown { .. }) => Outcome::Unknown,
        Err(SendError::StoredReceiptLost { .. }) => Outcome::StoredSomewhere,
        Err(SendError::TimedOut) => Outcome::TimedOut,
        Err(error) => Outcome::NotStored(error.to_string()),
    }
}

/// Reads on through all kills, and what is left behind the last one.
fn follow(mut consumer: Consumer, is_over: &AtomicBool) -> Result<Contents, String> {
    let mut seen = Contents::new();
    let mut quiet = 0;
    while quiet < QUIET_POLLS {
        let batches = consumer.poll(POLL).map_err(|error| format!("the consumer: {error}"))?;
        quiet = if batches.is_empty() && is_over.load(Ordering::SeqCst) { quiet + 1 } else { 0 };
        for batch in &batches {
            let records = batch.records().map(|record| (record.offset.0, record.value.unwrap_or_default().to_vec()));
            seen.entry(batch.partition).or_default().extend(records);
        }
    }
    Ok(seen)
}

pub(super) fn read_all(
    server: &Server,
    topic: florin_engine::model::TopicId,
    placement: &[u16],
) -> Result<Contents, String> {
    let read = |(index, shard): (u32, &u16)| {
        let mut wire = Wire::open(server.address_of(*shard))?;
        Ok((index, wire.read_all(PartitionId { topic, index })?))
    };
    let contents: Result<_, super::wire::WireError> = (0..).zip(placement).map(read).collect();
    contents.map_err(|error| format!("{error:?}"))
}
