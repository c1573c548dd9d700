//! Writers without an identity: what is not answered is never sent again.

use std::collections::BTreeMap;

use florin_net::protocol::{Request, Response};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Flight, Links, Next, Over, Scene, hear};
use crate::real::line::Tag;
use crate::served::ledger::Note;

/// Batches under way at most.
const PIPELINE_MAX: usize = 8;
/// One in this many steps asks for a producer id, which nobody else may get.
const MINT_ONE_IN: u32 = 60;

/// A writer that lives through all rounds.
pub struct Plain {
    number: u32,
    random: ChaCha8Rng,
    is_wrong_port: bool,
    serial: u32,
}

struct Round<'a> {
    plain: &'a mut Plain,
    scene: &'a Scene<'a>,
    links: Links,
    /// The batch of each request under way, by link and correlation; none if it asks for a producer id.
    pending: BTreeMap<(usize, u64), Option<Tag>>,
}

impl Plain {
    /// A writer that has not written yet.
    pub fn new(number: u32, random: ChaCha8Rng, is_wrong_port: bool) -> Self {
        Self { number, random, is_wrong_port, serial: 0 }
    }

    /// Writes until the server is gone.
    pub fn run(&mut self, scene: &Scene<'_>) {
        let over = match Links::open(scene, self.is_wrong_port) {
            Ok(links) => Round { plain: self, scene, links, pending: BTreeMap::new() }.run(),
            Err(over) => over,
        };
        scene.end(&format!("plain writer {}", self.number), &over);
    }
}

impl Round<'_> {
    fn run(mut self) -> Over {
        match self.work() {
            Ok(()) | Err(Over::Gone) => self.hear_out().err().unwrap_or(Over::Gone),
            Err(wrong) => wrong,
        }
    }

    fn hear_out(&mut self) -> Result<(), Over> {
        let (scene, pending) = (self.scene, &mut self.pending);
        self.links.hear_out(|link, correlation, response| match pending.remove(&(link, correlation)) {
            Some(asked) => settle(scene, asked, &response).map(|_| ()),
            None => Ok(()),
        })
    }

    fn work(&mut self) -> Result<(), Over> {
        loop {
            let depth = self.plain.random.random_range(1..=PIPELINE_MAX);
            if self.pending.len() < depth && !self.scene.is_full() {
                self.send()?;
            } else if let Some((link, _)) = self.pending.keys().next().copied() {
                if self.receive(link)? {
                    return Ok(());
                }
            } else {
                // There is no room for more; the connections end with the server.
                return Ok(());
            }
        }
    }

    fn send(&mut self) -> Result<(), Over> {
        let random = &mut self.plain.random;
        let partitions: Vec<_> = self.scene.topic.partitions().collect();
        let index = random.random_range(0..partitions.len());
        let link = self.links.link_to(self.scene.topic.placement[index]);
        if random.random_ratio(1, MINT_ONE_IN) {
            let correlation = self.links.send(link, &Request::InitProducer)?;
            self.pending.insert((link, correlation), None);
            return Ok(());
        }
        let tag = Tag { run: self.scene.run, producer: self.plain.number, serial: self.plain.serial };
        self.plain.serial += 1;
        let flight = Flight::new(partitions[index], tag, None);
        let correlation = self.links.send_batch(self.scene, link, &flight)?;
        self.pending.insert((link, correlation), Some(tag));
        Ok(())
    }

    fn receive(&mut self, link: usize) -> Result<bool, Over> {
        let (correlation, response) = self.links.receive(link)?;
        match self.pending.remove(&(link, correlation)) {
            Some(asked) => settle(self.scene, asked, &response),
            None => Err(Over::Wrong(format!("{response:?} answers nothing that was asked"))),
        }
    }
}

/// Takes an answer; whether the server is being stopped.
fn settle(scene: &Scene<'_>, asked: Option<Tag>, response: &Response) -> Result<bool, Over> {
    let Some(tag) = asked else {
        return match response {
            Response::Producer { id, .. } => {
                scene.note(&Note::Minted(id.0));
                Ok(false)
            }
            Response::Error(_) if scene.is_ending() => Ok(true),
            Response::Error(_) if scene.is_full() => Ok(false),
            other => Err(Over::Wrong(format!("init_producer was answered with {other:?}"))),
        };
    };
    match hear(scene, tag, response)? {
        Next::Stored | Next::Again => Ok(false),
        Next::Stop => Ok(true),
        Next::Refused(code) => Err(Over::Wrong(format!("batch {tag} was refused with code {code}"))),
    }
}
