//! Closed-loop producers: each sends a batch, waits for the answer, says it, and goes on.

use std::collections::VecDeque;
use std::rc::Rc;

use florin_engine::io::Runtime;
use florin_engine::model::PartitionId;
use florin_engine::shard::{Refusal, Reply, Request};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::appender::ShardContext;
use super::line::{Line, Placed, Sent, Stamp, Tag};
use super::payload;

/// Batches whose answer a retry may still expect: the engine's retry window.
const RETRY_WINDOW_BATCHES: usize = florin_engine::limits::PRODUCER_WINDOW_BATCHES;
/// One in this many stamped batches is sent twice at once.
const TWICE_ONE_IN: u32 = 12;
/// One in this many times a stamped batch that was acknowledged is sent again.
const RETRY_ONE_IN: u32 = 6;

/// How a producer identifies itself.
#[derive(Clone, Debug)]
pub enum Identity {
    /// Not at all: nothing is ever sent twice.
    Plain,
    /// With an identity that is asked for at the start.
    Fresh,
    /// With the identity of a run before, whose last batch is sent again first.
    Resumed(Sent),
}

/// A producer's part of the work.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its number in this run.
    pub number: u32,
    /// Who it is.
    pub identity: Identity,
    /// Partitions it writes to; an idempotent one only to the first.
    pub partitions: Vec<PartitionId>,
}

/// The end of a producer: the shard takes nothing more, or something is wrong and was said.
struct Ended;

struct Producer<R: Runtime> {
    context: Rc<ShardContext<R>>,
    plan: Plan,
    random: ChaCha8Rng,
    serial: u32,
    /// The stamp of the next batch, of an idempotent producer.
    stamp: Option<Stamp>,
    /// Acknowledged batches whose answer a retry must repeat, with their stamps.
    held: VecDeque<(Stamp, Placed)>,
}

/// Produces until the shard takes nothing more.
pub async fn produce<R: Runtime>(context: Rc<ShardContext<R>>, plan: Plan, random: ChaCha8Rng) {
    let mut producer = Producer { context, plan, random, serial: 0, stamp: None, held: VecDeque::new() };
    if producer.identify().await.is_ok() {
        while !producer.context.is_stopping() && producer.step().await.is_ok() {}
    }
}

impl<R: Runtime> Producer<R> {
    async fn identify(&mut self) -> Result<(), Ended> {
        match self.plan.identity.clone() {
            Identity::Plain => Ok(()),
            Identity::Fresh => self.mint().await,
            Identity::Resumed(sent) => {
                let stamp = sent.stamp.expect("only stamped batches are resumed");
                self.plan.partitions = vec![sent.partition];
                self.send(sent, 1).await?;
                if self.random.random_ratio(1, 4) {
                    // An instance that takes over fences its predecessor with the next epoch.
                    self.stamp = Some(Stamp { epoch: stamp.epoch + 1, sequence: 0, ..stamp });
                    self.held.clear();
                    return Ok(());
                }
                self.stamp = Some(Stamp { sequence: stamp.sequence + sent.record_count, ..stamp });
                Ok(())
            }
        }
    }

    async fn mint(&mut self) -> Result<(), Ended> {
        match self.context.client.ask(Request::InitProducer).await {
            Reply::Producer { id, epoch } => {
                let stamp = Stamp { id: id.0, epoch: epoch.0, sequence: 0 };
                self.context.voice.say(&Line::Minted(stamp));
                self.stamp = Some(stamp);
                self.held.clear();
                Ok(())
            }
            other => Err(self.give_up(other)),
        }
    }

    async fn step(&mut self) -> Result<(), Ended> {
        self.context.rest_while_ring_is_used().await;
        let tag = Tag { run: self.context.settings.run, producer: self.plan.number, serial: self.serial };
        self.serial += 1;
        let partition = match self.stamp {
            Some(_) => self.plan.partitions[0],
            None => self.plan.partitions[self.random.random_range(0..self.plan.partitions.len())],
        };
        let crc = payload::crc(&payload::build(tag, self.stamp));
        let record_count = payload::record_count(tag);
        let sent = Sent { partition, tag, crc, record_count, stamp: self.stamp };
        let twice = self.stamp.is_some() && self.random.random_ratio(1, TWICE_ONE_IN);
        self.send(sent, if twice { 2 } else { 1 }).await?;
        if let Some(stamp) = &mut self.stamp {
            stamp.sequence += record_count;
        }
        if !self.held.is_empty() && self.random.random_ratio(1, RETRY_ONE_IN) {
            self.retry().await?;
        }
        self.pause().await;
        Ok(())
    }

    /// Sends a batch, all of its copies before the first answer, and says every acknowledgement.
    async fn send(&mut self, sent: Sent, copies: usize) -> Result<(), Ended> {
        let batch = payload::build(sent.tag, sent.stamp);
        self.context.voice.say(&Line::Sent(sent));
        let capture = || Request::Capture { partition: sent.partition, batch: batch.clone() };
        let answers: Vec<_> = (0..copies).map(|_| self.context.client.ask(capture())).collect();
        let mut first = None;
        for answer in answers {
            let (placed, duplicate) = self.receipt(sent, answer.await)?;
            self.context.voice.say(&Line::Acked { placed, duplicate });
            if first.is_some_and(|first| first != placed || !duplicate) {
                self.wrong(format!("a copy of batch {} was answered with {placed}, duplicate {duplicate}", sent.tag));
            }
            first = Some(placed);
        }
        if let (Some(stamp), Some(placed)) = (sent.stamp, first) {
            if self.held.len() == RETRY_WINDOW_BATCHES {
                self.held.pop_front();
            }
            self.held.push_back((stamp, placed));
        }
        Ok(())
    }

    /// Sends an acknowledged batch again: it must get its first answer.
    async fn retry(&mut self) -> Result<(), Ended> {
        let (stamp, original) = self.held[self.random.random_range(0..self.held.len())];
        let batch = payload::build(original.tag, Some(stamp));
        let record_count = payload::record_count(original.tag);
        let sent = Sent {
            partition: original.partition,
            tag: original.tag,
            crc: original.crc,
            record_count,
            stamp: Some(stamp),
        };
        let answer = self.context.client.ask(Request::Capture { partition: original.partition, batch }).await;
        let (placed, duplicate) = self.receipt(sent, answer)?;
        self.context.voice.say(&Line::Acked { placed, duplicate });
        if placed != original || !duplicate {
            self.wrong(format!("a retry of {original} was answered with {placed}, duplicate {duplicate}"));
        }
        Ok(())
    }

    fn receipt(&self, sent: Sent, reply: Reply) -> Result<(Placed, bool), Ended> {
        let Reply::Captured { base_offset, append_time, duplicate } = reply else {
            return Err(self.give_up(reply));
        };
        let placed = Placed {
            partition: sent.partition,
            base_offset: base_offset.0,
            last_offset: base_offset.0 + u64::from(sent.record_count) - 1,
            append_time: append_time.0,
            crc: sent.crc,
            tag: sent.tag,
        };
        Ok((placed, duplicate))
    }

    fn give_up(&self, reply: Reply) -> Ended {
        match reply {
            Reply::Refused(Refusal::Stopping(_)) if self.context.is_stopping() => {}
            Reply::Refused(refusal) => self.context.voice.say(&Line::Refused {
                shard: self.context.shard.0,
                code: refusal.code(),
                why: refusal.to_string(),
            }),
            other => self.wrong(format!("a producer was answered with {other:?}")),
        }
        Ended
    }

    fn wrong(&self, what: String) {
        self.context.voice.say(&Line::Wrong(what));
    }

    async fn pause(&mut self) {
        let pause_us = self.context.settings.pause_us;
        if pause_us > 0 && self.random.random_ratio(1, 2) {
            let pause_ns = self.random.random_range(0..pause_us * 1000);
            self.context.runtime.sleep(pause_ns).await;
        }
    }
}
