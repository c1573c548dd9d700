//! Readers that follow all partitions by long poll: whatever they were shown must be there for good.

use std::collections::BTreeMap;

use florin_engine::format::batch;
use florin_engine::model::{Offset, PartitionId};
use florin_engine::partition::Isolation;
use florin_net::protocol::{FetchResponse, FetchedBatch, ListAt, Request, RequestFrom, Response};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Links, Over, Scene};
use crate::real::line::Placed;
use crate::real::payload;
use crate::served::ledger::Note;
use crate::served::ledger::topics::Topic;

/// How long a fetch waits.
const WAIT_MS: u32 = 200;
/// Few, so that a fetch often ends before the partition does.
const FETCH_BYTES: u32 = 8 * 1024;
/// One in this many steps asks where a partition ends.
const END_ONE_IN: u32 = 10;

/// A reader that lives through all rounds.
pub struct Reader {
    number: u32,
    random: ChaCha8Rng,
    is_wrong_port: bool,
    /// Each partition, its shard, and the offset that is read next.
    places: Vec<(PartitionId, u16, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Fetch(usize),
    End(usize),
}

impl Reader {
    /// A reader that has not read yet.
    pub fn new(number: u32, random: ChaCha8Rng, is_wrong_port: bool) -> Self {
        Self { number, random, is_wrong_port, places: Vec::new() }
    }

    /// Reads another topic from now on.
    pub fn turn_to(&mut self, topic: &Topic) {
        let places = topic.partitions().zip(&topic.placement);
        self.places = places.map(|(partition, shard)| (partition, *shard, 0)).collect();
    }

    /// Reads until the server is gone.
    pub fn run(&mut self, scene: &Scene<'_>) {
        let over = Links::open(scene, self.is_wrong_port).and_then(|mut links| {
            let mut pending = BTreeMap::new();
            match self.work(scene, &mut links, &mut pending) {
                Ok(()) | Err(Over::Gone) => links.hear_out(|link, correlation, response| {
                    let asked = pending.remove(&(link, correlation));
                    asked.map_or(Ok(()), |asked| self.settle(scene, asked, &response))
                }),
                Err(wrong) => Err(wrong),
            }
        });
        scene.end(&format!("reader {}", self.number), &over.err().unwrap_or(Over::Gone));
    }

    fn work(
        &mut self,
        scene: &Scene<'_>,
        links: &mut Links,
        pending: &mut BTreeMap<(usize, u64), Asked>,
    ) -> Result<(), Over> {
        for index in 0..self.places.len() {
            self.fetch(links, pending, index)?;
        }
        loop {
            if self.random.random_ratio(1, END_ONE_IN) {
                self.ask_end(scene, links, pending)?;
            }
            let first = self.random.random_range(0..links.count());
            // Both links are busy with fetches all the time; each gets its turn within the wait of one.
            let link = pending.keys().map(|(link, _)| *link).find(|link| *link >= first).unwrap_or(0);
            let (correlation, response) = links.receive(link)?;
            let Some(asked) = pending.remove(&(link, correlation)) else {
                return Err(Over::Wrong(format!("{response:?} answers nothing that was asked")));
            };
            self.settle(scene, asked, &response)?;
            if scene.is_ending() && matches!(response, Response::Error(_)) {
                return Ok(());
            }
            if let Asked::Fetch(index) = asked {
                self.fetch(links, pending, index)?;
            }
        }
    }

    fn fetch(&self, links: &mut Links, pending: &mut BTreeMap<(usize, u64), Asked>, index: usize) -> Result<(), Over> {
        let (partition, shard, next) = self.places[index];
        let link = links.link_to(shard);
        let from = RequestFrom::Offset(Offset(next));
        let request = Request::Fetch {
            partition,
            from,
            bytes_max: FETCH_BYTES,
            wait_ms: WAIT_MS,
            isolation: Isolation::Uncommitted,
        };
        let correlation = links.send(link, &request)?;
        pending.insert((link, correlation), Asked::Fetch(index));
        Ok(())
    }

    fn ask_end(
        &mut self,
        scene: &Scene<'_>,
        links: &mut Links,
        pending: &mut BTreeMap<(usize, u64), Asked>,
    ) -> Result<(), Over> {
        let index = self.random.random_range(0..self.places.len());
        if pending.values().any(|asked| *asked == Asked::End(index)) {
            return Ok(());
        }
        let (partition, shard, _) = self.places[index];
        let link = links.link_to(shard);
        scene.note(&Note::AskingEnd(self.number, partition));
        let correlation = links.send(link, &Request::ListOffsets { partition, at: ListAt::End })?;
        pending.insert((link, correlation), Asked::End(index));
        Ok(())
    }

    fn settle(&mut self, scene: &Scene<'_>, asked: Asked, response: &Response) -> Result<(), Over> {
        match (asked, response) {
            (Asked::Fetch(index), Response::Fetched(fetched)) => self.shown(scene, index, fetched),
            (Asked::End(index), Response::Offset(end)) => {
                scene.note(&Note::End(Some(self.number), self.places[index].0, end.0));
                Ok(())
            }
            // Full queues are no promise, and a server that ends refuses.
            (_, Response::Error(error)) if scene.is_ending() || [6, 109].contains(&error.code.0) => Ok(()),
            (asked, other) => Err(Over::Wrong(format!("{asked:?} was answered with {other:?}"))),
        }
    }

    fn shown(&mut self, scene: &Scene<'_>, index: usize, fetched: &FetchResponse) -> Result<(), Over> {
        let (partition, _, next) = &mut self.places[index];
        for (nth, fetched) in fetched.batches.iter().enumerate() {
            let placed = placed(*partition, fetched).map_err(Over::Wrong)?;
            let is_next =
                placed.base_offset == *next || nth == 0 && (placed.base_offset..=placed.last_offset).contains(next);
            if !is_next {
                return Err(Over::Wrong(format!("{placed} was shown where offset {next} must be")));
            }
            scene.note(&Note::Shown(placed));
            *next = placed.last_offset + 1;
        }
        if *next > fetched.high_watermark.0 || fetched.start_offset.0 != 0 {
            return Err(Over::Wrong(format!("{partition} was shown up to {next}, beyond {fetched:?}")));
        }
        scene.note(&Note::End(None, *partition, fetched.high_watermark.0));
        Ok(())
    }
}

/// Where a batch that was read is, after its checksum and every record were found right.
pub fn placed(partition: PartitionId, fetched: &FetchedBatch) -> Result<Placed, String> {
    let text = |error: batch::BatchError| format!("a batch of partition {partition} that was read: {error}");
    let info = batch::validate(&fetched.bytes, fetched.bytes.len()).map_err(text)?;
    Ok(Placed {
        partition,
        base_offset: batch::base_offset(&fetched.bytes).map_err(text)?.0,
        last_offset: batch::last_offset(&fetched.bytes).map_err(text)?.0,
        append_time: fetched.append_time.0,
        crc: info.crc,
        tag: payload::prove(&fetched.bytes)?,
    })
}
