//! Movers: they write records that belong together, as transactions or with one request, and read what others wrote. Some
//! share a transactional id and take it from each other. They commit, abort, go away in between, and ask again for ends
//! that are long over.

mod beside;

use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::BytesMut;
use florin_engine::format::batch::{BatchBuilder, sequence_plus};
use florin_engine::format::control::GroupOffset;
use florin_engine::model::{GroupId, Offset, PartitionId, TransactionKey, TransactionOutcome, TransactionalId};
use florin_net::protocol::{Code, ErrorResponse, Request, Response, TopicDescription};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Client, hangs_up};
use crate::wire::ground::{Ground, Trouble};
use crate::wire::promises::moves::{self, Moves};
use crate::wire::session::{Manner, Session};

/// Transactional ids of a world.
pub(super) const NAMES: [&str; 2] = ["mover-0", "mover-1"];
/// Ends that are asked for again.
const REMEMBERED_COUNT: usize = 4;

/// A batch of a move.
struct Part {
    partition: u32,
    bytes: BytesMut,
    values: Vec<u64>,
    is_stored: bool,
}

/// A transaction under way.
struct Current {
    number: u64,
    key: TransactionKey,
    parts: Vec<Part>,
    /// Its number is to be the offset of the group.
    has_offset: bool,
    /// The offset is noted.
    is_noted: bool,
    /// How it is to end; none: it is left alone.
    wish: Option<TransactionOutcome>,
    /// Everything with one request.
    at_once: bool,
    is_commit_asked: bool,
}

/// What an answer about a transaction means.
enum Met {
    /// Ask again.
    Again,
    /// It was aborted.
    Aborted,
    /// It was committed, and the transactional id is another one's since.
    Committed,
    /// The transactional id is another one's.
    Over,
}

/// The client.
pub(super) struct Mover {
    ground: Rc<Ground>,
    random: ChaCha8Rng,
    name: TransactionalId,
    timeout_ms: u32,
    next: Option<TransactionKey>,
    current: Option<Current>,
    ended: Vec<(TransactionKey, TransactionOutcome)>,
    positions: BTreeMap<u32, u64>,
}

type Conversation = Session<usize>;

impl Mover {
    pub(super) fn new(ground: &Rc<Ground>, mut random: ChaCha8Rng) -> Self {
        let name = NAMES[random.random_range(0..NAMES.len())];
        Self {
            ground: Rc::clone(ground),
            name: TransactionalId::new(name).expect("a name"),
            timeout_ms: [20, 1_000, 10_000][random.random_range(0..3)],
            random,
            next: None,
            current: None,
            ended: Vec::new(),
            positions: BTreeMap::new(),
        }
    }

    fn topic(&self) -> TopicDescription {
        self.ground.moves_topic().expect("it was made before movers were")
    }

    /// Asks all, and gives the answers in the order of the questions.
    async fn ask(&self, session: &mut Conversation, requests: &[Request]) -> Result<Vec<Response>, Trouble> {
        for (index, request) in requests.iter().enumerate() {
            session.ask(request, index);
        }
        let mut answers: BTreeMap<usize, Response> = BTreeMap::new();
        while session.asked_count() > 0 {
            answers.extend(session.step().await?);
        }
        Ok(answers.into_values().collect())
    }

    async fn ask_one(&self, session: &mut Conversation, request: Request) -> Result<Response, Trouble> {
        Ok(self.ask(session, &[request]).await?.remove(0))
    }

    fn met(&self, error: &ErrorResponse, is_commit_asked: bool) -> Result<Met, Trouble> {
        match error.code {
            Code::TRANSACTION_ABORTED => Ok(Met::Aborted),
            Code::TRANSACTION_FENCED | Code::FENCED => Ok(Met::Over),
            Code::TRANSACTION_COMMITTED if is_commit_asked => Ok(Met::Committed),
            // A batch before it was not stored.
            Code::OUT_OF_ORDER | Code::UNKNOWN_PRODUCER => Ok(Met::Again),
            _ => self.ground.is_no_blame(error).map(|()| Met::Again).map_err(Trouble::from),
        }
    }

    /// Takes the transactional id, from whoever has it.
    async fn open(&mut self, session: &mut Conversation) -> Result<(), Trouble> {
        let request = Request::OpenTransactionalId { name: self.name.clone(), timeout_ms: self.timeout_ms };
        match self.ask_one(session, request).await? {
            Response::TransactionalIdOpened { next, last } => {
                self.ground.count(|summary| summary.opened_id_count += 1);
                if let Some(last) = last {
                    self.ground.moves.borrow_mut().tell_of(last.transaction, last.outcome)?;
                }
                self.next = Some(next);
                Ok(())
            }
            Response::Error(error) => self.ground.is_no_blame(&error).map_err(Trouble::from),
            other => self.ground.misfit("the wish for a transactional id", &other),
        }
    }

    /// Batches for some partitions, each with some records.
    fn parts(&mut self, number: u64, key: Option<TransactionKey>, partitions: &[u32]) -> Vec<Part> {
        let mut sequences: BTreeMap<u32, u32> = BTreeMap::new();
        let mut value_count = 0;
        let mut parts = Vec::new();
        for partition in partitions {
            let count = self.random.random_range(1..=3);
            let values: Vec<u64> =
                (value_count..value_count + count).map(|index| Moves::value(number, index)).collect();
            value_count += count;
            let mut builder = BatchBuilder::default();
            for value in &values {
                builder.push(1, None, Some(&value.to_le_bytes()), &[]).expect("few bytes");
            }
            if let Some(TransactionKey { producer, epoch }) = key {
                let sequence = sequences.entry(*partition).or_insert(0);
                builder.stamp(producer, epoch, *sequence).transactional(true);
                *sequence = sequence_plus(*sequence, builder.record_count());
            }
            parts.push(Part { partition: *partition, bytes: builder.finish(), values, is_stored: false });
        }
        parts
    }

    fn begin(&mut self, number: u64, manner: moves::Manner, parts: &[Part], has_offset: bool) {
        let values = parts.iter().flat_map(|part| part.values.iter().map(|value| (part.partition, *value))).collect();
        self.ground.moves.borrow_mut().begin(number, manner, values, has_offset);
        self.ground.count(|summary| summary.move_count += 1);
    }

    fn begin_transaction(&mut self, key: TransactionKey) {
        let number = self.ground.move_number();
        let partition_count = u32::try_from(self.topic().placement.len()).expect("few partitions");
        let at_once = self.random.random_bool(0.3);
        let mut partitions: Vec<u32> =
            (0..self.random.random_range(1..=4)).map(|_| self.random.random_range(0..partition_count)).collect();
        if at_once {
            partitions.sort_unstable();
            partitions.dedup();
        }
        let parts = self.parts(number, Some(key), &partitions);
        let has_offset = !at_once && self.random.random_bool(0.4);
        self.begin(number, moves::Manner::Transaction(self.name.clone(), key), &parts, has_offset);
        let wish = match self.random.random_range(0..10) {
            0..7 => Some(TransactionOutcome::Committed),
            7..9 => Some(TransactionOutcome::Aborted),
            _ => None,
        };
        self.current =
            Some(Current { number, key, parts, has_offset, is_noted: false, wish, at_once, is_commit_asked: false });
    }

    /// Nothing more is done for the transaction under way, and another one is not begun before the id is opened anew.
    fn leave(&mut self) {
        (self.current, self.next) = (None, None);
    }

    /// Goes on with the transaction under way, by one round of questions.
    async fn go_on(&mut self, session: &mut Conversation) -> Result<(), Trouble> {
        let mut current = self.current.take().expect("it goes on");
        let done = self.advance(session, &mut current).await;
        if !matches!(done, Ok(true)) {
            self.current = Some(current);
        }
        done.map(drop)
    }

    /// Whether the transaction is over.
    async fn advance(&mut self, session: &mut Conversation, current: &mut Current) -> Result<bool, Trouble> {
        if self.random.random_bool(0.2) {
            self.read(session, Some(current.number)).await?;
        }
        let is_sent = current.parts.iter().all(|part| part.is_stored);
        let wishes_commit = current.wish == Some(TransactionOutcome::Committed);
        if current.at_once && wishes_commit {
            return self.send_at_once(session, current).await;
        }
        if !is_sent && current.wish != Some(TransactionOutcome::Aborted) {
            return self.send(session, current).await;
        }
        if current.has_offset && !current.is_noted && wishes_commit {
            return self.note_offset(session, current).await;
        }
        match current.wish {
            Some(outcome) => self.end(session, current, outcome).await,
            None => {
                self.leave();
                Ok(true)
            }
        }
    }

    /// From now on it may count.
    fn ask_to_commit(&self, current: &mut Current) {
        self.ground.moves.borrow_mut().ask(current.number);
        current.is_commit_asked = true;
    }

    /// The transaction was refused: what is left of it.
    fn refused(&mut self, current: &mut Current, error: &ErrorResponse) -> Result<bool, Trouble> {
        match self.met(error, current.is_commit_asked)? {
            Met::Again => Ok(false),
            Met::Committed => {
                self.ground.moves.borrow_mut().tell(current.number, TransactionOutcome::Committed)?;
                self.leave();
                Ok(true)
            }
            Met::Aborted => {
                self.ground.moves.borrow_mut().tell(current.number, TransactionOutcome::Aborted)?;
                current.wish = Some(TransactionOutcome::Aborted);
                current.at_once = false;
                Ok(false)
            }
            Met::Over => {
                self.ground.count(|summary| summary.fenced_move_count += 1);
                self.leave();
                Ok(true)
            }
        }
    }

    async fn send(&mut self, session: &mut Conversation, current: &mut Current) -> Result<bool, Trouble> {
        let topic = self.topic().id;
        let open: Vec<usize> = (0..current.parts.len()).filter(|index| !current.parts[*index].is_stored).collect();
        let requests = open.iter().map(|index| {
            let part = &current.parts[*index];
            let partition = PartitionId { topic, index: part.partition };
            Request::Produce { partition, batch: part.bytes.clone() }
        });
        let answers = self.ask(session, &requests.collect::<Vec<_>>()).await?;
        for (index, answer) in open.into_iter().zip(answers) {
            let part = &mut current.parts[index];
            match answer {
                Response::Produced { base_offset, .. } => {
                    self.ground.moved(part.partition, base_offset, &part.values)?;
                    part.is_stored = true;
                }
                Response::Error(error) => {
                    if self.refused(current, &error)? {
                        return Ok(true);
                    }
                }
                other => self.ground.misfit("a batch of a transaction", &other)?,
            }
        }
        Ok(false)
    }

    async fn send_at_once(&mut self, session: &mut Conversation, current: &mut Current) -> Result<bool, Trouble> {
        self.ask_to_commit(current);
        match self.ask_one(session, self.together(&current.parts)).await? {
            Response::ProducedTogether { receipts, next, .. } => {
                for (part, receipt) in current.parts.iter().zip(receipts) {
                    self.ground.moved(part.partition, receipt.base_offset, &part.values)?;
                }
                self.ended(current, TransactionOutcome::Committed, next)?;
                Ok(true)
            }
            Response::Error(error) => self.refused(current, &error),
            other => self.ground.misfit("batches of a transaction", &other),
        }
    }

    fn together(&self, parts: &[Part]) -> Request {
        let topic = self.topic().id;
        let batch = |part: &Part| (PartitionId { topic, index: part.partition }, part.bytes.clone());
        Request::ProduceTogether { batches: parts.iter().map(batch).collect() }
    }

    async fn note_offset(&mut self, session: &mut Conversation, current: &mut Current) -> Result<bool, Trouble> {
        let partition = PartitionId { topic: self.topic().id, index: 0 };
        let offset = GroupOffset { partition, offset: Offset(current.number), metadata: "moved".into() };
        let group = GroupId::new(self.name.as_str()).expect("a name");
        let request = Request::CommitOffsets { group, transaction: Some(current.key), offsets: vec![offset] };
        match self.ask_one(session, request).await? {
            Response::OffsetsCommitted => {
                current.is_noted = true;
                Ok(false)
            }
            Response::Error(error) => self.refused(current, &error),
            other => self.ground.misfit("an offset of a transaction", &other),
        }
    }

    async fn end(
        &mut self,
        session: &mut Conversation,
        current: &mut Current,
        outcome: TransactionOutcome,
    ) -> Result<bool, Trouble> {
        if outcome == TransactionOutcome::Committed {
            self.ask_to_commit(current);
        }
        match self.ask_one(session, Request::EndTransaction { transaction: current.key, outcome }).await? {
            Response::TransactionEnded { outcome: ended, next } if ended == outcome => {
                self.ended(current, ended, Some(next))?;
                Ok(true)
            }
            Response::Error(error) => self.refused(current, &error),
            other => self.ground.misfit("the end of a transaction", &other),
        }
    }

    fn ended(
        &mut self,
        current: &Current,
        outcome: TransactionOutcome,
        next: Option<TransactionKey>,
    ) -> Result<(), Trouble> {
        self.ground.count(|summary| match outcome {
            TransactionOutcome::Committed => summary.committed_move_count += 1,
            TransactionOutcome::Aborted => summary.aborted_move_count += 1,
        });
        self.ended.push((current.key, outcome));
        if self.ended.len() > REMEMBERED_COUNT {
            self.ended.remove(0);
        }
        self.next = next;
        Ok(self.ground.moves.borrow_mut().tell(current.number, outcome)?)
    }

    async fn talk(&mut self, session: &mut Conversation) -> Result<(), Trouble> {
        let ground = Rc::clone(&self.ground);
        loop {
            let ends = self.is_done() || hangs_up(&mut self.random);
            match (&self.current, self.next) {
                _ if ends => return Ok(()),
                (Some(_), _) => self.go_on(session).await?,
                (None, None) => self.open(session).await?,
                (None, Some(key)) => match self.random.random_range(0..10) {
                    0 if !self.ended.is_empty() => self.end_late(session).await?,
                    1 => self.append_together(session).await?,
                    2 => self.read(session, None).await?,
                    _ => self.begin_transaction(key),
                },
            }
            ground.rest(&mut self.random).await;
        }
    }
}

impl Client for Mover {
    async fn converse(&mut self) -> Result<(), Trouble> {
        let port = self.ground.any_port(&mut self.random);
        let manner = Manner::any(&mut self.random);
        let mut session = Session::open(&self.ground, port, manner, 0).await?;
        self.talk(&mut session).await
    }

    fn is_done(&self) -> bool {
        self.ground.settles() && self.current.is_none()
    }

    fn random(&mut self) -> &mut ChaCha8Rng {
        &mut self.random
    }
}
