//! Payers: the producer of the client library on a topic with idempotency keys. They share the payments that they send, send
//! some again, some with another body, and make a new producer now and then, which knows nothing of the one before.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use bytes::Bytes;
use florin_engine::format::batch::RecordWalk;
use florin_engine::limits::BATCH_BYTES_MAX;
use florin_engine::model::{Offset, PartitionId};
use florin_engine::partition::Isolation;
use florin_net::client::Record;
use florin_net::client::core::connection::Connection;
use florin_net::client::core::producer::{
    AppendError, Appended, Attempt, BatchOutcome, Outlet, ProducerCore, ProducerRules, StoredRecord,
};
use florin_net::protocol::{Request, RequestFrom, Response, TopicDescription};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::outlets::{REQUEST_NS, exchange};
use super::{Client, FETCH_BYTES_MAX, hangs_up};
use crate::sim::SimStream;
use crate::wire::ground::{Ground, Trouble};
use crate::wire::promises::payments::{Payment, Place};
use crate::wire::server::{SECOND_NS, address_of};
use crate::wire::session::{Manner, Session};
use crate::world::checkers::violation;

/// The header with the key.
pub(super) const KEY_HEADER: &str = "payment";
/// The latest payments, of which some are sent again.
const RECENT_COUNT: u64 = 40;
/// Payments of one payer.
const PAYMENTS_MAX: u32 = 400;
/// Keys that are looked up at the end.
const LOOKED_UP_COUNT: usize = 100;
/// Identities of one payer: a small shard has no room for many, and keeps them for days.
const IDENTITIES_MAX: u32 = 6;
/// A patient producer gives nothing up: the server comes back within this.
const PATIENCE_NS: u64 = 100_000 * SECOND_NS;
/// The longest that a payer waits for nothing.
const LOOK_NS: u64 = SECOND_NS;

/// What a payer asked.
enum Tag {
    Produce(Attempt),
    Identity(u16),
}

/// The client.
pub(super) struct Payer {
    ground: Rc<Ground>,
    random: ChaCha8Rng,
    core: Option<ProducerCore>,
    /// The payments of each batch without an outcome, and its partition.
    open: BTreeMap<u64, (u32, Vec<Payment>)>,
    /// What has to be sent (again).
    waiting: VecDeque<Payment>,
    /// Whether its producer waits for an answer however long that takes.
    is_patient: bool,
    identity_count: u32,
    payment_count: u32,
}

struct OneLink<'a> {
    ground: &'a Ground,
    connection: &'a mut Connection<Tag>,
}

impl OneLink<'_> {
    /// A payer asks whenever it is answered. What it asks is no operation of its world: the others have as many as without.
    fn deadline_ns(&self) -> u64 {
        self.ground.executor.now_ns() + REQUEST_NS
    }
}

impl Outlet for OneLink<'_> {
    fn has_room(&mut self, _shard: u16) -> bool {
        self.connection.has_room()
    }

    fn produce(&mut self, _shard: u16, partition: PartitionId, batch: &Bytes, attempt: Attempt) {
        let deadline_ns = self.deadline_ns();
        self.connection.produce(partition, batch, Tag::Produce(attempt), deadline_ns);
    }

    fn init_producer(&mut self, shard: u16) {
        let deadline_ns = self.deadline_ns();
        self.connection.request(&Request::InitProducer, Tag::Identity(shard), deadline_ns);
    }
}

impl Payer {
    pub(super) fn new(ground: &Rc<Ground>, random: ChaCha8Rng) -> Self {
        let ground = Rc::clone(ground);
        let (open, waiting) = (BTreeMap::new(), VecDeque::new());
        Self { ground, random, core: None, open, waiting, is_patient: false, identity_count: 0, payment_count: 0 }
    }

    fn make_core(&mut self) {
        let topic = self.ground.paid_topic().expect("it was made before payers were");
        let random = &mut self.random;
        let delivery_ns = [SECOND_NS / 50, SECOND_NS, PATIENCE_NS][random.random_range(0..3)];
        // In the end everybody waits, or a slow disk would never let an impatient one come to its end.
        let delivery_ns = if self.ground.settles() { PATIENCE_NS } else { delivery_ns };
        self.is_patient = delivery_ns == PATIENCE_NS;
        let rules = ProducerRules {
            linger_ns: [0, 2_000_000][random.random_range(0..2)],
            batch_bytes_max: 8_000,
            server_batch_bytes_max: BATCH_BYTES_MAX,
            batch_records_max: [1, 3, 9][random.random_range(0..3)],
            batches_in_flight_max: random.random_range(1..=5),
            buffer_bytes_max: 40_000,
            delivery_ns,
            idempotent: random.random_bool(0.7) && self.identity_count < IDENTITIES_MAX,
            transactional: false,
        };
        self.identity_count += u32::from(rules.idempotent);
        self.core = Some(ProducerCore::new(topic, rules));
    }

    /// A new payment, one of the last of all payers, or another under the key of one of them.
    fn any_payment(&mut self) -> Payment {
        let serial = match self.random.random_range(0..10) {
            0..5 => self.ground.payment(),
            _ => {
                let next = self.ground.payment_count();
                self.random.random_range(next.saturating_sub(RECENT_COUNT)..=next)
            }
        };
        let body = if self.random.random_bool(0.05) { "other" } else { "payment" };
        Payment { key: format!("key-{serial}"), body: format!("{body} of {serial}") }
    }

    /// Hands payments to the producer, as long as there is something to be begun.
    fn append(&mut self) {
        let is_busy = self.payment_count < PAYMENTS_MAX && !self.ground.settles();
        if is_busy && self.waiting.len() < 20 && self.random.random_bool(0.4) {
            self.payment_count += 1;
            let payment = self.any_payment();
            self.waiting.push_back(payment);
        }
        let now_ns = self.ground.executor.now_ns();
        let core = self.core.as_mut().expect("made for the connection");
        while let Some(payment) = self.waiting.front() {
            let key = Some(Bytes::copy_from_slice(payment.key.as_bytes()));
            let trace = Some(Bytes::from(now_ns.to_le_bytes().to_vec()));
            let header = |name: &'static str, value| (Bytes::from_static(name.as_bytes()), value);
            let headers = vec![header("trace", trace), header(KEY_HEADER, key)];
            let record = Record { headers, timestamp_ms: Some(1), ..Record::new(payment.body.clone()) };
            match core.append(&record, 1, now_ns, now_ns) {
                Ok(Appended { batch, index, partition, .. }) => {
                    let payment = self.waiting.pop_front().expect("just seen");
                    let (_, payments) = self.open.entry(batch).or_insert_with(|| (partition, Vec::new()));
                    assert_eq!(payments.len(), index as usize, "records of a batch are counted");
                    payments.push(payment);
                }
                Err(AppendError::Full) => break,
                Err(AppendError::Never(error)) => {
                    let never = violation("a payment is stored once", format!("a payment is never taken: {error}"));
                    return never.unwrap_or_else(|violation| self.ground.note(violation));
                }
            }
        }
        if self.ground.settles() {
            core.expedite();
        }
    }

    /// Whether its producer would give up what nobody but this payer will ever send.
    fn is_too_hasty(&self) -> bool {
        self.ground.settles() && !self.is_patient && self.core.is_some()
    }

    fn take_outcomes(&mut self) -> Result<(), Trouble> {
        let Some(core) = &mut self.core else { return Ok(()) };
        for (batch, outcome) in core.take_outcomes() {
            let (partition, payments) = self.open.remove(&batch).expect("a batch has one outcome");
            for (index, payment) in (0..).zip(payments) {
                let of_record = match &outcome {
                    BatchOutcome::Stored { base_offset, append_time, duplicate } => Ok(StoredRecord {
                        offset: base_offset.plus(index),
                        append_time: *append_time,
                        duplicate: *duplicate,
                    }),
                    BatchOutcome::Records(records) => records[usize::try_from(index).expect("few records")].clone(),
                    BatchOutcome::Failed(error) => Err(error.clone()),
                };
                if self.ground.paid(&payment, partition, of_record)? {
                    self.waiting.push_back(payment);
                }
            }
        }
        Ok(())
    }

    fn answer(&mut self, tag: Tag, response: Response) {
        let now_ns = self.ground.executor.now_ns();
        let core = self.core.as_mut().expect("made for the connection");
        match (tag, response) {
            (Tag::Produce(attempt), response) => core.on_answer(attempt, response, now_ns),
            (Tag::Identity(_), Response::Producer { id, epoch }) => core.on_identity(id, epoch),
            (Tag::Identity(shard), _) => core.on_identity_refused(shard, now_ns),
        }
    }

    async fn talk(&mut self, stream: &SimStream, connection: &mut Connection<Tag>) -> Result<(), Trouble> {
        let mut answers = Vec::new();
        loop {
            self.append();
            let now_ns = self.ground.executor.now_ns();
            let core = self.core.as_mut().expect("made for the connection");
            core.tick(now_ns);
            core.pump(now_ns, &mut OneLink { ground: &self.ground, connection });
            let wake_at_ns = core.wake_at_ns(now_ns);
            self.take_outcomes()?;
            if self.is_done() || self.is_too_hasty() || hangs_up(&mut self.random) {
                return Ok(());
            }
            let rest_ns = self.random.random_range(10_000..2_000_000);
            let rest_ns = if self.ground.settles() { LOOK_NS } else { rest_ns };
            let wake_in_ns = wake_at_ns.saturating_sub(now_ns).clamp(1, rest_ns);
            exchange(&self.ground, stream, connection, wake_in_ns).await.map_err(|_gone| Trouble::Lost)?;
            let taken = connection.take_answers(&mut answers);
            answers.drain(..).for_each(|(tag, response)| self.answer(tag, response));
            let now_ns = self.ground.executor.now_ns();
            self.ground.goes_on(taken.and_then(|()| connection.check_deadlines(now_ns)), "a payer's library")?;
        }
    }
}

impl Client for Payer {
    async fn converse(&mut self) -> Result<(), Trouble> {
        let is_too_hasty = self.is_too_hasty();
        if let Some(mut core) = self.core.take_if(|_| is_too_hasty || self.random.random_bool(0.3)) {
            core.close();
            self.core = Some(core);
            self.take_outcomes()?;
            self.core = None;
        }
        if self.core.is_none() {
            self.make_core();
        }
        let port = self.ground.any_port(&mut self.random);
        let stream = self.ground.wire.connect(address_of(port)).await.map_err(|_refused| Trouble::Lost)?;
        let deadline_ns = self.ground.executor.now_ns() + REQUEST_NS;
        let mut connection = Connection::new("payer", deadline_ns);
        let result = self.talk(&stream, &mut connection).await;
        let now_ns = self.ground.executor.now_ns();
        for tag in connection.into_lost() {
            let core = self.core.as_mut().expect("made for the connection");
            match tag {
                Tag::Produce(attempt) => core.on_lost(attempt, "the connection was lost", now_ns),
                Tag::Identity(shard) => core.on_identity_refused(shard, now_ns),
            }
        }
        result
    }

    fn is_done(&self) -> bool {
        self.ground.settles() && self.open.is_empty() && self.waiting.is_empty()
    }

    fn random(&mut self) -> &mut ChaCha8Rng {
        &mut self.random
    }
}

/// Reads the topic of payments, and holds it against what payers were told; some keys are looked up.
pub(in crate::wire) async fn read_payments(ground: Rc<Ground>, mut random: ChaCha8Rng) {
    let Some(topic) = ground.paid_topic() else { return };
    while !ground.is_broken() {
        match read_all(&ground, &topic, &mut random).await {
            Ok(()) => return,
            Err(Trouble::Lost) => ground.back_off(&mut random).await,
            Err(Trouble::Broken(violation)) => ground.note(violation),
        }
    }
}

async fn read_all(ground: &Rc<Ground>, topic: &TopicDescription, random: &mut ChaCha8Rng) -> Result<(), Trouble> {
    let mut session = Session::open(ground, ground.any_port(random), Manner::any(random), ()).await?;
    let mut stored: BTreeMap<Place, Payment> = BTreeMap::new();
    for index in (0..).take(topic.placement.len()) {
        let partition = PartitionId { topic: topic.id, index };
        let mut from = Offset(0);
        loop {
            let bytes_max = u32::try_from(FETCH_BYTES_MAX).expect("few bytes");
            session.ask(
                &Request::Fetch {
                    partition,
                    from: RequestFrom::Offset(from),
                    bytes_max,
                    wait_ms: 0,
                    isolation: Isolation::Uncommitted,
                },
                (),
            );
            let (_, response) = session.step().await?.remove(0);
            let Response::Fetched(fetched) = response else { return Err(refused(ground, &response)) };
            for batch in &fetched.batches {
                let walk = RecordWalk::new(&batch.bytes).expect("payers compress nothing");
                for record in walk {
                    let place = (index, from);
                    stored.insert(place, payment_of(&record.expect("it was validated when it was stored")));
                    from = from.plus(1);
                }
            }
            if from >= fetched.high_watermark {
                break;
            }
        }
    }
    ground.count(|summary| summary.read_payment_count += stored.len() as u64);
    ground.payments_hold(&stored)?;
    let step = stored.len().div_ceil(LOOKED_UP_COUNT).max(1);
    for (place, payment) in stored.into_iter().step_by(step) {
        session.ask(&Request::LookUpKey { topic: topic.id, key: Bytes::from(payment.key.clone()) }, ());
        let (_, response) = session.step().await?.remove(0);
        let Response::Key { partition, receipt } = response else { return Err(refused(ground, &response)) };
        if receipt.map(|receipt| (partition, receipt.offset)) != Some(place) {
            let found = format!("{payment:?} is at {place:?}, and looked up in {partition} at {receipt:?}");
            return violation("a payment is stored once", found).map_err(Trouble::from);
        }
    }
    Ok(())
}

/// What the server cannot do now is asked for again.
fn refused(ground: &Ground, response: &Response) -> Trouble {
    match response {
        Response::Error(error) => ground.is_no_blame(error).map_or_else(Trouble::from, |()| Trouble::Lost),
        other => {
            ground.misfit::<()>("a question about payments", other).map_or_else(|trouble| trouble, |()| Trouble::Lost)
        }
    }
}

fn payment_of(record: &florin_engine::format::batch::Record<'_>) -> Payment {
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    let headers = record.headers.clone().filter_map(Result::ok);
    let key = headers.filter(|header| header.key == KEY_HEADER.as_bytes()).find_map(|header| header.value);
    Payment { key: text(key), body: text(record.value) }
}
