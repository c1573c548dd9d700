//! Watchers: the consumer of the client library reads what counts of transactions, from the beginning on and through every
//! end of the server. The last of them reads everything back.

use std::collections::BTreeMap;
use std::rc::Rc;

use florin_engine::format::batch::{self, BatchHeader, RecordWalk, StoredBatch};
use florin_engine::model::{GroupId, Offset, PartitionId, TransactionalId};
use florin_engine::partition::Isolation;
use florin_net::client::Start;
use florin_net::client::core::connection::Connection;
use florin_net::client::core::consumer::{ConsumerCore, ConsumerRules, FetchAttempt, FetchOutlet};
use florin_net::protocol::{Code, FetchResponse, ListAt, Request, RequestFrom, Response};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::mover::NAMES;
use super::outlets::{REQUEST_NS, exchange};
use super::{Client, FETCH_BYTES_MAX, hangs_up};
use crate::sim::SimStream;
use crate::wire::ground::{Ground, Trouble};
use crate::wire::promises::moves::Stored;
use crate::wire::server::{SECOND_NS, address_of};
use crate::wire::session::{Manner, Session};
use crate::world::checkers::violation;

/// The longest that a watcher waits for nothing.
const LOOK_NS: u64 = SECOND_NS;

/// The client.
pub(super) struct Watcher {
    ground: Rc<Ground>,
    random: ChaCha8Rng,
    core: ConsumerCore,
    number: usize,
}

struct OneLink<'a> {
    ground: &'a Ground,
    connection: &'a mut Connection<FetchAttempt>,
}

impl OneLink<'_> {
    fn request(&mut self, request: &Request, attempt: FetchAttempt) {
        let deadline_ns = self.ground.executor.now_ns() + REQUEST_NS;
        self.connection.request(request, attempt, deadline_ns);
    }
}

impl FetchOutlet for OneLink<'_> {
    fn has_room(&mut self, _shard: u16) -> bool {
        self.connection.has_room()
    }

    fn fetch(
        &mut self,
        _shard: u16,
        partition: PartitionId,
        (from, isolation): (RequestFrom, Isolation),
        bytes_max: u32,
        wait_ms: u32,
        attempt: FetchAttempt,
    ) {
        self.request(&Request::Fetch { partition, from, bytes_max, wait_ms, isolation }, attempt);
    }

    fn list_offset(&mut self, _shard: u16, partition: PartitionId, at: ListAt, attempt: FetchAttempt) {
        self.request(&Request::ListOffsets { partition, at }, attempt);
    }
}

impl Watcher {
    pub(super) fn new(ground: &Rc<Ground>, mut random: ChaCha8Rng) -> Self {
        let topic = ground.moves_topic().expect("it was made before watchers were");
        let rules = ConsumerRules {
            fetch_bytes_max: [400, u32::try_from(FETCH_BYTES_MAX).expect("few bytes")][random.random_range(0..2)],
            buffer_bytes_max: 4 * FETCH_BYTES_MAX,
            wait_ms: [0, 20, 500][random.random_range(0..3)],
            reads_added: true,
            isolation: Isolation::Committed,
        };
        let all: Vec<u32> = (0..).take(topic.placement.len()).collect();
        let core = ConsumerCore::new(topic, &all, Start::Beginning, rules);
        let number = ground.moves.borrow_mut().reader();
        Self { ground: Rc::clone(ground), random, core, number }
    }

    fn take_news(&mut self) -> Result<(), Trouble> {
        for batch in self.core.take_ready() {
            for record in batch.records() {
                let value = value_of(record.value)?;
                self.ground.count(|summary| summary.watched_count += 1);
                self.ground.moves.borrow_mut().hand(self.number, (batch.partition, record.offset.0), value)?;
            }
        }
        match self.core.take_error() {
            Some(error) => violation("durability", format!("a watcher cannot go on: {error}"))?,
            None => Ok(()),
        }
    }

    async fn talk(&mut self, stream: &SimStream, connection: &mut Connection<FetchAttempt>) -> Result<(), Trouble> {
        let mut answers = Vec::new();
        loop {
            let now_ns = self.ground.executor.now_ns();
            self.core.pump(now_ns, &mut OneLink { ground: &self.ground, connection });
            self.take_news()?;
            if self.is_done() || hangs_up(&mut self.random) {
                return Ok(());
            }
            let rest_ns = self.random.random_range(100_000..20_000_000);
            let wake_in_ns = self.core.wake_at_ns(now_ns).saturating_sub(now_ns).clamp(1, rest_ns.min(LOOK_NS));
            exchange(&self.ground, stream, connection, wake_in_ns).await.map_err(|_gone| Trouble::Lost)?;
            let taken = connection.take_answers(&mut answers);
            let now_ns = self.ground.executor.now_ns();
            answers.drain(..).for_each(|(attempt, response)| self.core.on_answer(attempt, response, now_ns));
            self.ground.goes_on(taken.and_then(|()| connection.check_deadlines(now_ns)), "a watcher's library")?;
        }
    }
}

impl Client for Watcher {
    async fn converse(&mut self) -> Result<(), Trouble> {
        let port = self.ground.any_port(&mut self.random);
        let stream = self.ground.wire.connect(address_of(port)).await.map_err(|_refused| Trouble::Lost)?;
        let deadline_ns = self.ground.executor.now_ns() + REQUEST_NS;
        let mut connection = Connection::new("watcher", deadline_ns);
        let result = self.talk(&stream, &mut connection).await;
        let now_ns = self.ground.executor.now_ns();
        connection.into_lost().for_each(|attempt| self.core.on_lost(attempt, now_ns));
        result
    }

    fn is_done(&self) -> bool {
        self.ground.settles()
    }

    fn random(&mut self) -> &mut ChaCha8Rng {
        &mut self.random
    }
}

fn value_of(value: Option<&[u8]>) -> Result<u64, Trouble> {
    match value.and_then(|value| value.try_into().ok()) {
        Some(bytes) => Ok(u64::from_le_bytes(bytes)),
        None => violation("bytes", format!("movers send eight bytes, and {value:?} came"))?,
    }
}

/// What counts of what a fetch of what is committed brought, from an offset on, and where the next one begins.
pub(super) fn visible(fetched: &FetchResponse, from: u64) -> Result<(Vec<(u64, u64)>, u64), Trouble> {
    let (mut values, mut next) = (Vec::new(), from);
    for fetched_batch in &fetched.batches {
        let last = batch::last_offset(&fetched_batch.bytes).map_err(damaged)?;
        next = last.0 + 1;
        let stored = batch::validate_stored(&fetched_batch.bytes).map_err(damaged)?;
        let transaction = BatchHeader::read(&fetched_batch.bytes).map_err(damaged)?.transaction();
        let is_aborted = fetched.aborted.iter().any(|aborted| Some(aborted.transaction) == transaction);
        if is_aborted || !matches!(stored, StoredBatch::Records(_)) {
            continue;
        }
        let records = RecordWalk::new(&fetched_batch.bytes).map_err(damaged)?;
        for (offset, record) in (fetched_batch.base_offset.0..).zip(records).filter(|(offset, _)| *offset >= from) {
            values.push((offset, value_of(record.map_err(damaged)?.value)?));
        }
    }
    Ok((values, next))
}

fn damaged(error: batch::BatchError) -> Trouble {
    let Err(violation) = violation::<()>("bytes", format!("a batch that was fetched: {error}")) else { unreachable!() };
    Trouble::Broken(violation)
}

/// Reads the topic of movers and where their groups are, once every transaction is over, and holds it against what they
/// were told.
pub(in crate::wire) async fn read_moves(ground: Rc<Ground>, mut random: ChaCha8Rng) {
    while ground.moves_topic().is_some() && !ground.is_broken() {
        match read_all(&ground, &mut random).await {
            Ok(stored) => {
                if let Err(violation) = ground.moves_hold(&stored) {
                    ground.note(violation);
                }
                return;
            }
            Err(Trouble::Lost) => ground.back_off(&mut random).await,
            Err(Trouble::Broken(violation)) => ground.note(violation),
        }
    }
}

async fn read_all(ground: &Rc<Ground>, random: &mut ChaCha8Rng) -> Result<Stored, Trouble> {
    let topic = ground.moves_topic().expect("it is known");
    let mut session = Session::open(ground, ground.any_port(random), Manner::any(random), ()).await?;
    let mut stored = Stored { visible: BTreeMap::new(), offsets: BTreeMap::new() };
    for index in (0..).take(topic.placement.len()) {
        let partition = PartitionId { topic: topic.id, index };
        let mut from = 0;
        loop {
            let request = Request::Fetch {
                partition,
                from: RequestFrom::Offset(Offset(from)),
                bytes_max: u32::try_from(FETCH_BYTES_MAX).expect("few bytes"),
                wait_ms: 0,
                isolation: Isolation::Committed,
            };
            let Response::Fetched(fetched) = ask(ground, &mut session, &request).await? else {
                return Err(Trouble::Lost);
            };
            let (values, next) = visible(&fetched, from)?;
            stored.visible.entry(index).or_default().extend(values);
            from = next;
            if from >= fetched.high_watermark.0 {
                break;
            }
            if fetched.batches.is_empty() {
                // A transaction is open: its time will be over.
                ground.executor.sleep(SECOND_NS).await;
            }
        }
    }
    for name in NAMES {
        let group = GroupId::new(name).expect("a name");
        let offset = match ask(ground, &mut session, &Request::FetchOffsets { group, after: None }).await? {
            Response::Offsets(offsets) => offsets.first().map(|(offset, _)| offset.offset.0),
            Response::Error(error) if error.code == Code::UNKNOWN_GROUP => None,
            _ => return Err(Trouble::Lost),
        };
        stored.offsets.insert(TransactionalId::new(name).expect("a name"), offset);
    }
    Ok(stored)
}

/// Asks; what the server cannot do now is asked for again with a new connection.
async fn ask(ground: &Rc<Ground>, session: &mut Session<()>, request: &Request) -> Result<Response, Trouble> {
    session.ask(request, ());
    let (_, response) = session.step().await?.remove(0);
    match &response {
        Response::Error(error) if error.code != Code::UNKNOWN_GROUP => ground.is_no_blame(error)?,
        _ => {}
    }
    Ok(response)
}
