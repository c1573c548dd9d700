//! A client that does a little of everything, several requests at a time, and sends nothing twice.

use std::rc::Rc;

use florin_engine::catalogue::TopicSettings;
use florin_engine::model::{Offset, PartitionId, TopicId};
use florin_engine::partition::Isolation;
use florin_net::protocol::{ErrorResponse, ListAt, Request, RequestFrom, Response};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Client, FETCH_BYTES_MAX, FETCHES_MAX, hangs_up};
use crate::wire::ground::{Ground, Trouble};
use crate::wire::promises::AskedFetch;
use crate::wire::session::{Manner, Session};
use crate::world::checkers::Checked;

/// What was asked.
enum Asked {
    Greeting,
    Capture(u64),
    Fetch(AskedFetch),
    End { partition: PartitionId, known_end: u64 },
    Start(PartitionId),
    Topics { port: u16, known: Vec<TopicId> },
    Create { name: String },
    Describe { known_ends: Vec<u64>, topic: TopicId },
    Producer,
    Shards,
}

/// The client.
pub(super) struct Writer {
    ground: Rc<Ground>,
    random: ChaCha8Rng,
}

impl Writer {
    pub(super) fn new(ground: &Rc<Ground>, random: ChaCha8Rng) -> Self {
        Self { ground: Rc::clone(ground), random }
    }

    fn ask(&mut self, session: &mut Session<Asked>, port: u16) {
        let ground = Rc::clone(&self.ground);
        let Some(partition) = ground.any_partition(&mut self.random) else { return };
        match self.random.random_range(0..100) {
            0..45 => self.capture(session, partition),
            45..70 => self.fetch(session, partition),
            70..80 => {
                let asked = Asked::End { partition, known_end: ground.known_end(partition) };
                session.ask(&Request::ListOffsets { partition, at: ListAt::End }, asked);
            }
            80..83 => {
                session.ask(&Request::ListOffsets { partition, at: ListAt::Start }, Asked::Start(partition));
            }
            83..88 => {
                let known = ground.topics.borrow().iter().map(|topic| topic.id).collect();
                let request = Request::Metadata { from: TopicId(0), names: Vec::new() };
                session.ask(&request, Asked::Topics { port, known });
            }
            88..93 => self.describe(session, partition.topic),
            93..96 => session.ask(&Request::InitProducer, Asked::Producer),
            96..99 => session.ask(&Request::DescribeShards, Asked::Shards),
            _ => self.create(session),
        }
    }

    fn capture(&mut self, session: &mut Session<Asked>, partition: PartitionId) {
        let (serial, _) = self.ground.new_batch(partition, None, &mut self.random);
        self.ground.sent(serial);
        let batch = self.ground.bytes_of(serial);
        session.ask(&Request::Produce { partition, batch }, Asked::Capture(serial));
    }

    fn fetch(&mut self, session: &mut Session<Asked>, partition: PartitionId) {
        let known_end = self.ground.known_end(partition);
        let from = self.random.random_range(0..=known_end + 1);
        let bytes_max = [1, 2_000, FETCH_BYTES_MAX][self.random.random_range(0..3)];
        let wait_ms = [0, 3, 200][self.random.random_range(0..3)];
        let request = Request::Fetch {
            partition,
            from: RequestFrom::Offset(Offset(from)),
            bytes_max: u32::try_from(bytes_max).expect("few bytes"),
            wait_ms,
            isolation: Isolation::Uncommitted,
        };
        session.ask(&request, Asked::Fetch(AskedFetch { partition, from, bytes_max, known_end }));
    }

    fn describe(&mut self, session: &mut Session<Asked>, topic: TopicId) {
        let topics = self.ground.topics.borrow();
        let count = topics.iter().find(|known| known.id == topic).map_or(0, |topic| topic.placement.len());
        let end = |index| self.ground.known_end(PartitionId { topic, index });
        let known_ends = (0..).take(count).map(end).collect();
        session.ask(&Request::DescribeTopic { topic }, Asked::Describe { known_ends, topic });
    }

    fn create(&mut self, session: &mut Session<Asked>) {
        let name = format!("topic-{}", self.ground.serial());
        let partition_count = self.random.random_range(1..=3);
        let request = Request::CreateTopic {
            name: name.clone(),
            partition_count,
            settings: TopicSettings::default(),
            keys: None,
        };
        session.ask(&request, Asked::Create { name });
    }

    fn answer(&mut self, asked: Asked, response: Response) -> Result<(), Trouble> {
        let ground = &self.ground;
        match (asked, response) {
            (Asked::Capture(serial), Response::Produced { base_offset, append_time, duplicate }) => {
                ground.captured(serial, base_offset, append_time, duplicate)?;
            }
            (Asked::Fetch(asked), Response::Fetched(fetched)) => drop(ground.fetched(&asked, &fetched)?),
            (Asked::End { partition, known_end }, Response::Offset(end)) => {
                ground.ends_at(partition, known_end, end)?
            }
            (Asked::Start(partition), Response::Offset(start)) => ground.starts_at_zero(partition, start)?,
            (Asked::Topics { port, known }, Response::Topics(page)) => ground.topics_listed(port, &known, &page)?,
            (Asked::Create { name }, Response::TopicCreated(topic)) if topic.name == name => {
                ground.topic_shown(&topic)?;
            }
            (Asked::Describe { known_ends, topic: asked }, Response::TopicDescribed { topic, partitions, .. })
                if asked == topic.id =>
            {
                ground.topic_shown(&topic)?;
                for (known_end, partition) in known_ends.into_iter().zip(partitions).filter(|(_, it)| it.code == 0) {
                    let id = PartitionId { topic: asked, index: partition.index };
                    ground.ends_at(id, known_end, Offset(partition.high_watermark))?;
                }
            }
            (Asked::Producer, Response::Producer { id, .. }) => ground.model.borrow_mut().producer_minted(id)?,
            (Asked::Shards, Response::Shards(shards)) if shards.len() == usize::from(ground.plan.shard_count) => {}
            (asked, Response::Error(error)) => self.refused(asked, &error)?,
            (asked, response) => ground.misfit(asked.name(), &response)?,
        }
        Ok(())
    }

    fn refused(&self, asked: Asked, error: &ErrorResponse) -> Checked {
        match asked {
            Asked::Capture(serial) => self.ground.capture_refused(serial, false, error),
            Asked::Fetch(asked) => self.ground.fetch_refused(&asked, error),
            _ => self.ground.is_no_blame(error),
        }
    }

    async fn talk(&mut self, session: &mut Session<Asked>, port: u16) -> Result<(), Trouble> {
        let ground = Rc::clone(&self.ground);
        let depth = [1, 2, FETCHES_MAX][self.random.random_range(0..3)];
        loop {
            let ends = ground.settles() || hangs_up(&mut self.random);
            while !ends && session.asked_count() < depth {
                self.ask(session, port);
            }
            for (asked, response) in session.step().await? {
                self.answer(asked, response)?;
            }
            if ends && session.asked_count() == 0 {
                return Ok(());
            }
            ground.rest(&mut self.random).await;
        }
    }
}

impl Client for Writer {
    async fn converse(&mut self) -> Result<(), Trouble> {
        let port = self.ground.any_port(&mut self.random);
        let manner = Manner::any(&mut self.random);
        let mut session = Session::open(&self.ground, port, manner, Asked::Greeting).await?;
        let result = self.talk(&mut session, port).await;
        for asked in session.into_lost() {
            if let Asked::Capture(serial) = asked {
                self.ground.unknown(serial);
            }
        }
        result
    }

    fn is_done(&self) -> bool {
        self.ground.settles()
    }

    fn random(&mut self) -> &mut ChaCha8Rng {
        &mut self.random
    }
}

impl Asked {
    fn name(&self) -> &'static str {
        match self {
            Self::Greeting => "a negotiation",
            Self::Capture(_) => "a capture",
            Self::Fetch(_) => "a fetch",
            Self::End { .. } | Self::Start(_) => "a question for an offset",
            Self::Topics { .. } => "a question for topics",
            Self::Create { .. } => "the wish for a topic",
            Self::Describe { .. } => "a question for a topic",
            Self::Producer => "the wish for an identity",
            Self::Shards => "a question for shards",
        }
    }
}
