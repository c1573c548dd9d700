//! Topics that are created, filled and deleted while everything else goes on.

#![allow(clippy::disallowed_methods, reason = "a harness of real processes has real threads and a real clock")]

use std::collections::VecDeque;
use std::time::Duration;

use florin_engine::catalogue::TopicSettings;
use florin_net::protocol::{Request, Response};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Flight, Links, Next, Over, Scene, UNKNOWN_PARTITION, hear};
use crate::real::line::Tag;
use crate::served::ledger::topics::Topic;
use crate::served::ledger::{Heard, Note};

/// Topics that are left alone at most.
const TOPICS_MAX: usize = 5;
const PARTITION_COUNT_MAX: u32 = 3;
/// The longest rest between changes.
const REST_US_MAX: u64 = 30_000;
/// A change of which nobody knows yet what becomes of it.
const MAYBE: [u16; 2] = [super::OUTCOME_UNKNOWN, 18];
/// The deletion of a topic that is gone.
const UNKNOWN_TOPIC: u16 = 12;

/// Changes topics through all rounds.
pub struct Changer {
    number: u32,
    random: ChaCha8Rng,
    serial: u32,
    /// Created, and their deletion was not asked for.
    topics: VecDeque<Topic>,
}

impl Changer {
    /// One that has not changed anything yet.
    pub fn new(number: u32, random: ChaCha8Rng) -> Self {
        Self { number, random, serial: 0, topics: VecDeque::new() }
    }

    /// All its topics are gone.
    pub fn forget(&mut self) {
        self.topics.clear();
    }

    /// Changes topics until the server is gone.
    pub fn run(&mut self, scene: &Scene<'_>) {
        // Changes go to shard 0, or are forwarded to it.
        let is_wrong_port = self.random.random_bool(0.5);
        let over = Links::open(scene, is_wrong_port).and_then(|mut links| {
            loop {
                self.step(scene, &mut links)?;
            }
        });
        let over: Result<(), Over> = over;
        scene.end("changer", &over.err().unwrap_or(Over::Gone));
    }

    fn step(&mut self, scene: &Scene<'_>, links: &mut Links) -> Result<(), Over> {
        let is_delete = self.topics.len() >= TOPICS_MAX || !self.topics.is_empty() && self.random.random_ratio(2, 5);
        if is_delete {
            self.delete(scene, links)?;
        } else if !scene.is_full() {
            self.create(scene, links)?;
        } else if scene.is_ending() {
            return Err(Over::Gone);
        }
        std::thread::sleep(Duration::from_micros(self.random.random_range(0..REST_US_MAX)));
        Ok(())
    }

    fn create(&mut self, scene: &Scene<'_>, links: &mut Links) -> Result<(), Over> {
        let name = format!("side-{}-{}", scene.run, self.serial);
        self.serial += 1;
        let partition_count = self.random.random_range(1..=PARTITION_COUNT_MAX);
        scene.note(&Note::Creating(name.clone(), partition_count));
        match links.ask(
            links.link_to(0),
            &Request::CreateTopic {
                name: name.clone(),
                partition_count,
                settings: TopicSettings::default(),
                keys: None,
            },
        )? {
            Response::TopicCreated(topic) => {
                let topic = Topic { id: topic.id, name: topic.name, placement: topic.placement };
                scene.note(&Note::Created(topic.clone()));
                self.topics.push_back(topic.clone());
                self.fill(scene, links, &topic)
            }
            Response::Error(error) => refused(scene, &error, MAYBE.contains(&error.code.0), || {
                scene.note(&Note::NotCreated(name));
            }),
            other => Err(Over::Wrong(format!("create_topic was answered with {other:?}"))),
        }
    }

    /// A batch into each partition, so that something is there to be lost.
    fn fill(&mut self, scene: &Scene<'_>, links: &mut Links, topic: &Topic) -> Result<(), Over> {
        for (partition, shard) in topic.partitions().zip(&topic.placement) {
            let tag = Tag { run: scene.run, producer: self.number, serial: self.serial };
            self.serial += 1;
            let link = links.link_to(*shard);
            links.send_batch(scene, link, &Flight::new(partition, tag, None))?;
            let (_, response) = links.receive(link)?;
            if links.go_astray() && matches!(&response, Response::Error(error) if error.code.0 == UNKNOWN_PARTITION) {
                scene.note(&Note::Answered(tag, Heard::Refused(UNKNOWN_PARTITION)));
                continue;
            }
            match hear(scene, tag, &response)? {
                Next::Stored | Next::Again => {}
                Next::Stop => return Err(Over::Gone),
                Next::Refused(code) => return Err(Over::Wrong(format!("batch {tag} was refused with code {code}"))),
            }
        }
        Ok(())
    }

    fn delete(&mut self, scene: &Scene<'_>, links: &mut Links) -> Result<(), Over> {
        let topic = self.topics.pop_front().expect("there is one");
        scene.note(&Note::Deleting(topic.id));
        match links.ask(links.link_to(0), &Request::DeleteTopic { topic: topic.id })? {
            Response::TopicDeleted(id) if id == topic.id => {
                scene.note(&Note::Deleted(id));
                Ok(())
            }
            Response::Error(error) if error.code.0 != UNKNOWN_TOPIC => refused(scene, &error, false, || {}),
            other => Err(Over::Wrong(format!("delete_topic was answered with {other:?}"))),
        }
    }
}

/// A change was refused, which may be for want of room or because the server ends.
fn refused(
    scene: &Scene<'_>,
    error: &florin_net::protocol::ErrorResponse,
    is_unknown: bool,
    not_done: impl FnOnce(),
) -> Result<(), Over> {
    if !is_unknown {
        not_done();
    }
    match error.code.0 {
        _ if scene.is_ending() => Err(Over::Gone),
        super::JOURNAL_FULL | 6 | 109 => {
            scene.full.fetch_or(error.code.0 == super::JOURNAL_FULL, std::sync::atomic::Ordering::SeqCst);
            Ok(())
        }
        _ => Err(Over::Wrong(format!("a change of topics was answered with {error}"))),
    }
}
