//! A topic with idempotency keys through kills: payers that send each payment until it is answered, and again after that,
//! through producers that come and go.
//!
//! Payers share some payments, so that two of them race for the same key, and sometimes send another amount under a key
//! that is stored. In the end each payment is stored exactly once, where everybody who asked was told ([`judge`]).

#![allow(clippy::disallowed_methods, reason = "a harness of real processes has real threads and a real clock")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use florin_engine::catalogue::TopicSettings;
use florin_net::client::{
    Client, Delivery, KeyRule, KeySource, Partitioner, Producer, ProducerSettings, Receipt, Record, SendError,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::library::{connect, free_ports, read_all};
use super::restarts::{Rests, begin, kill_again, stop};
use super::server::Start;
use judge::{Answer, Answers, Payment};

pub mod judge;

const TOPIC: &str = "payments";
const HEADER: &str = "payment-id";
const PARTITION_COUNT: u32 = 4;
const SHARD_COUNT: u16 = 2;
const PAYER_COUNT: u32 = 3;
const WINDOW_DAYS: u16 = 30;
/// Payments that all payers send at about the same time, of each round of theirs.
const SHARED_COUNT: u64 = 4;
/// Payments that a payer has under way at most.
const ROUND_PAYMENTS: usize = 60;
/// Some producers outlive a kill, others give up while the server is down.
const DELIVERY_TIMEOUTS: [Duration; 3] =
    [Duration::from_secs(20), Duration::from_millis(250), Duration::from_millis(50)];
/// Producers that a payer tries a payment with before it says that there is no answer.
const PRODUCERS_MAX: usize = 400;
const RESTS: Rests = Rests { up_ms: 50..400, down_ms_max: 200 };
/// Keys that are looked up at the end.
const LOOK_UP_COUNT: usize = 500;

/// What came of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Payments that are stored.
    pub stored: u64,
    /// Answers that told a receipt.
    pub receipts: u64,
    /// Of these, receipts of payments that were stored before.
    pub duplicates: u64,
    /// Answers that told of another payment under the key.
    pub conflicts: u64,
    /// Sendings that came to no answer, and were repeated.
    pub unanswered: u64,
    /// Producers made.
    pub producers: u64,
}

/// Plays a run of `kill_count` kills in a directory that is absent.
///
/// # Errors
/// If a payment is stored twice or not at all, or an answer does not hold.
pub fn play(directory: &Path, seed: u64, kill_count: u32) -> Result<Summary, String> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let port = free_ports(&mut random).ok_or("no two ports next to each other are free")?;
    let address = format!("127.0.0.1:{port}");
    // A small journal: keys go to rest, and are put together, all the time.
    let start = Start::new(directory).shards(SHARD_COUNT).journal(8, 256 * 1024).listen(&address);
    let start = start.with(&["--http", "off", "--cores", "2", "--allow-cow", "--key-cache-bytes", "1MiB"]);
    let server = begin(&start)?;
    let client = connect(&address)?;
    let rule = KeyRule::new(KeySource::Header(HEADER.into()), WINDOW_DAYS, Vec::new(), Partitioner::Murmur2);
    let rule = rule.map_err(|error| error.to_string())?;
    let created = client.create_keyed_topic(TOPIC, PARTITION_COUNT, TopicSettings::default(), rule);
    let topic = created.map_err(|error| error.to_string())?;
    let answers = Mutex::new(Answers::default());
    let is_over = AtomicBool::new(false);
    let (server, summary) = thread::scope(|scope| {
        let payers: Vec<_> = (0..PAYER_COUNT)
            .map(|number| {
                let random = ChaCha8Rng::seed_from_u64(seed ^ (1 + u64::from(number)));
                let payer = Payer::new(&client, &answers, number, random);
                let is_over = &is_over;
                scope.spawn(move || payer.pay(is_over))
            })
            .collect();
        let killed = kill_again(server, &start, (kill_count, &RESTS), &mut random);
        is_over.store(true, Ordering::SeqCst);
        let summaries: Vec<_> = payers.into_iter().map(|payer| payer.join().expect("a payer does not panic")).collect();
        let server = killed?;
        let summaries = summaries.into_iter().collect::<Result<Vec<_>, String>>()?;
        Ok::<_, String>((server, summaries.into_iter().fold(Summary::default(), plus)))
    })?;
    let contents = read_all(&server, topic.id, &topic.placement)?;
    let answers = answers.into_inner().map_err(|_| "a payer panicked")?;
    let stored = judge::judge(&answers, &contents)?;
    for (key, (partition, offset)) in stored.iter().step_by(stored.len().div_ceil(LOOK_UP_COUNT).max(1)) {
        let found = client.look_up_key(&topic, Bytes::from(key.clone())).map_err(|error| error.to_string())?;
        let told = found.receipt.map(|receipt| (found.partition, receipt.offset.0));
        if told != Some((*partition, *offset)) {
            return Err(format!("key {key} is stored at {partition}/{offset}, and looked up at {told:?}"));
        }
    }
    drop(client);
    stop(server)?;
    Ok(Summary { stored: stored.len() as u64, ..summary })
}

fn plus(one: Summary, other: Summary) -> Summary {
    Summary {
        stored: 0,
        receipts: one.receipts + other.receipts,
        duplicates: one.duplicates + other.duplicates,
        conflicts: one.conflicts + other.conflicts,
        unanswered: one.unanswered + other.unanswered,
        producers: one.producers + other.producers,
    }
}

/// Who pays.
struct Payer<'a> {
    client: &'a Client,
    answers: &'a Mutex<Answers>,
    number: u32,
    random: ChaCha8Rng,
    /// Payments of its own so far.
    own_count: u64,
    round: u64,
    summary: Summary,
}

impl<'a> Payer<'a> {
    fn new(client: &'a Client, answers: &'a Mutex<Answers>, number: u32, random: ChaCha8Rng) -> Self {
        Self { client, answers, number, random, own_count: 0, round: 0, summary: Summary::default() }
    }

    fn pay(mut self, is_over: &AtomicBool) -> Result<Summary, String> {
        while !is_over.load(Ordering::SeqCst) {
            let count = self.random.random_range(1..=ROUND_PAYMENTS);
            let mut payments: Vec<_> = (0..count).map(|_| self.any_payment()).collect();
            self.round += 1;
            let mut tried = 0;
            while !payments.is_empty() {
                tried += 1;
                if tried > PRODUCERS_MAX {
                    return Err(format!("payer {}: {} payments are never answered", self.number, payments.len()));
                }
                payments = self.send(payments)?;
            }
        }
        Ok(self.summary)
    }

    /// A new payment, one that others send as well, one that was sent before, or another under the key of one that was.
    fn any_payment(&mut self) -> Payment {
        let own = |payer: &mut Self, serial| Payment::new(format!("payer-{}-{serial}", payer.number), 100);
        match self.random.random_range(0..10) {
            0..5 => {
                self.own_count += 1;
                own(self, self.own_count)
            }
            5..7 => {
                let serial = self.random.random_range(0..(1 + self.round) * SHARED_COUNT);
                Payment::new(format!("shared-{serial}"), 100)
            }
            7..9 => {
                let serial = self.random.random_range(0..=self.own_count);
                own(self, serial)
            }
            _ => {
                let serial = self.random.random_range(0..=self.own_count);
                Payment { amount: 999, ..own(self, serial) }
            }
        }
    }

    /// Sends payments through a producer of their own; gives those that have no answer.
    fn send(&mut self, payments: Vec<Payment>) -> Result<Vec<Payment>, String> {
        let delivery_timeout = DELIVERY_TIMEOUTS[self.random.random_range(0..DELIVERY_TIMEOUTS.len())];
        let settings = ProducerSettings {
            delivery_timeout,
            idempotent: self.random.random_bool(0.7),
            batch_records_max: [1, 8, 1000][self.random.random_range(0..3)],
            linger: Duration::from_millis(self.random.random_range(0..3)),
            ..ProducerSettings::new(TOPIC)
        };
        let Ok(producer) = self.client.producer(settings) else { return Ok(payments) };
        self.summary.producers += 1;
        let sent: Vec<_> = payments.iter().map(|payment| send_one(&producer, payment)).collect();
        let mut unanswered = Vec::new();
        for (payment, delivery) in payments.into_iter().zip(sent) {
            let outcome = delivery.and_then(Delivery::wait);
            match self.answer(&payment, outcome)? {
                Some(answer) => self.note(payment, answer)?,
                None => {
                    self.summary.unanswered += 1;
                    unanswered.push(payment);
                }
            }
        }
        Ok(unanswered)
    }

    /// What the outcome of a sending says; nothing if there is no answer.
    fn answer(&mut self, payment: &Payment, outcome: Result<Receipt, SendError>) -> Result<Option<Answer>, String> {
        match outcome {
            Ok(Receipt { partition, offset, duplicate, .. }) => {
                self.summary.receipts += 1;
                self.summary.duplicates += u64::from(duplicate);
                Ok(Some(Answer::Stored { partition, offset: offset.0 }))
            }
            Err(SendError::KeyConflict { partition, offset, .. }) => {
                self.summary.conflicts += 1;
                Ok(Some(Answer::Conflict { partition, offset: offset.0 }))
            }
            Err(SendError::OutcomeUnknown { .. } | SendError::TimedOut) => Ok(None),
            // Its time was over while the server said to come again.
            Err(SendError::Refused(error)) if error.action == florin_engine::shard::Action::Retry => Ok(None),
            Err(error) => Err(format!("payment {payment:?}: {error}")),
        }
    }

    fn note(&mut self, payment: Payment, answer: Answer) -> Result<(), String> {
        self.answers.lock().map_err(|_| "a payer panicked")?.note(payment, answer)
    }
}

fn send_one(producer: &Producer, payment: &Payment) -> Result<Delivery, SendError> {
    let key = Bytes::copy_from_slice(payment.key.as_bytes());
    let headers = vec![(Bytes::from_static(HEADER.as_bytes()), Some(key))];
    producer.send(Record { headers, ..Record::new(payment.value()) })
}

/// What is stored, by key: partition and offset.
pub type Stored = BTreeMap<String, (u32, u64)>;
