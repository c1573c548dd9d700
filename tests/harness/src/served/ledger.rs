//! What clients did and were told, and the judgement of it: nothing acknowledged or shown is lost, doubled or moved.
//!
//! Everything is noted in the order in which it happened: a sending before its bytes leave, an answer after it came.
//! After each restart everything is read back, and held against all that was noted before.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use florin_engine::model::{PartitionId, TopicId};

use crate::events::Events;
use crate::real::line::{Placed, Sent, Tag};
use history::{History, Order};
use tape::Tape;
use topics::{Topic, Topics};

mod history;
mod promise;
pub mod tape;
#[cfg(test)]
mod tests;
pub mod topics;
mod totals;

pub use promise::Promise;
pub use totals::Totals;

/// What was heard about one sending of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It is stored.
    Stored {
        /// Offset of its first record.
        base_offset: u64,
        /// When it was appended.
        append_time: u64,
        /// Whether it had been stored before.
        duplicate: bool,
    },
    /// This sending stored nothing.
    Refused(u16),
    /// It may be stored or not.
    Unknown(u16),
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A producer id was given out.
    Minted(u64),
    /// A batch is about to be sent.
    Sending(Sent),
    /// A sending was answered.
    Answered(Tag, Heard),
    /// A reader was shown a batch.
    Shown(Placed),
    /// Somebody, called by a number, is about to ask where a partition ends.
    AskingEnd(u32, PartitionId),
    /// That one was told; nobody, if it came with batches, which were asked for at another time.
    End(Option<u32>, PartitionId, u64),
    /// A topic is about to be asked for.
    Creating(String, u32),
    /// It was created.
    Created(Topic),
    /// It was not, and will not be.
    NotCreated(String),
    /// A topic is about to be deleted.
    Deleting(TopicId),
    /// It was deleted.
    Deleted(TopicId),
    /// The server was restarted, these are its topics, and nobody asks it anything but what is noted next.
    Listed(Vec<Topic>),
    /// Everything that a partition holds.
    ReadBack(PartitionId, Contents),
    /// All partitions were read back.
    AllRead,
}

/// A partition from its first offset to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The first offset that can be read.
    pub start: u64,
    /// The high watermark.
    pub end: u64,
    /// Its batches, as they came.
    pub batches: Vec<Placed>,
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub rule: &'static str,
    /// How.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.what)
    }
}

/// Whether a promise holds.
pub type Verdict = Result<(), Violation>;

pub(super) fn ensure(holds: bool, rule: &'static str, what: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(Violation { rule, what: what() }) }
}

/// One batch, and what is known of it.
#[derive(Clone, Debug)]
struct Batch {
    sent: Sent,
    /// Sendings that may have stored it, or may do so yet.
    open: u32,
    /// Where it is, once anybody was told.
    placed: Option<Placed>,
    is_acked: bool,
    /// Whether it was there when all was read back.
    was_read: bool,
}

/// Everything that happened so far.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    batches: BTreeMap<Tag, Batch>,
    partitions: BTreeMap<PartitionId, History>,
    topics: Topics,
    minted: BTreeSet<u64>,
    /// Partitions that are still to be read back.
    due: BTreeSet<PartitionId>,
    totals: Totals,
    violation: Option<Violation>,
    tape: Option<Tape>,
}

impl Ledger {
    /// Keeps all notes from now on, beside the events of something else.
    pub fn keep_tape(&mut self, events: Events) {
        self.tape = None;
        self.tape = Some(Tape::new(events, self.clone()));
    }

    /// Ends the keeping of notes, and gives those that were kept.
    pub fn take_tape(&mut self) -> Option<Tape> {
        self.tape.take()
    }

    /// Takes note. After the first violation nothing more is judged.
    pub fn note(&mut self, note: &Note) {
        if let Some(tape) = &mut self.tape {
            tape.take(note);
        }
        if self.violation.is_none() {
            let verdict = self.judge(note);
            self.violation = verdict.err().map(|found| {
                let note = format!("{note:?}").chars().take(300).collect::<String>();
                Violation { what: format!("{}\n  at: {note}", found.what), ..found }
            });
        }
    }

    /// A client was told what it must not be told.
    pub fn report(&mut self, what: String) {
        self.violation.get_or_insert(Violation { rule: "unexpected", what });
    }

    /// Whether all promises were kept so far.
    pub fn verdict(&self) -> Verdict {
        self.violation.clone().map_or(Ok(()), Err)
    }

    /// What happened so far.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Topics that are there, or may be.
    pub fn live_topics(&self) -> Vec<TopicId> {
        self.topics.live().collect()
    }

    /// All that is known to be stored, by partition and offset.
    pub fn known(&self) -> impl Iterator<Item = &Placed> {
        self.partitions.values().flat_map(History::places)
    }

    /// Of each producer in each partition, the batch that is known to be stored last: sent again, it must get the answer
    /// that it got first.
    pub fn last_stamped(&self) -> Vec<Sent> {
        let mut last = BTreeMap::new();
        for placed in self.known() {
            let sent = self.batches[&placed.tag].sent;
            if let Some(stamp) = sent.stamp {
                last.insert((placed.partition, stamp.id), sent);
            }
        }
        last.into_values().collect()
    }

    fn judge(&mut self, note: &Note) -> Verdict {
        match note {
            Note::Minted(id) => {
                self.totals.minted += 1;
                ensure(self.minted.insert(*id), "producer id given twice", || format!("{id}"))
            }
            Note::Sending(sent) => self.sending(sent),
            Note::Answered(tag, heard) => self.answered(*tag, *heard),
            Note::Shown(placed) => {
                self.totals.shown += 1;
                self.place(placed, "shown elsewhere")
            }
            Note::AskingEnd(asker, partition) => {
                self.partitions.entry(*partition).or_default().asking_end(*asker);
                Ok(())
            }
            Note::End(asker, partition, end) => {
                self.totals.ends_told += 1;
                self.partitions.entry(*partition).or_default().end_told(*asker, *end)
            }
            Note::Creating(name, partition_count) => {
                self.topics.creating(name, *partition_count);
                Ok(())
            }
            Note::Created(topic) => {
                self.totals.topics_created += 1;
                self.topics.created(topic)
            }
            Note::NotCreated(name) => {
                self.topics.not_created(name);
                Ok(())
            }
            Note::Deleting(topic) => {
                self.topics.deleting(*topic);
                Ok(())
            }
            Note::Deleted(topic) => {
                self.totals.topics_deleted += 1;
                self.topics.deleted(*topic);
                self.drop_deleted();
                Ok(())
            }
            Note::Listed(topics) => self.listed(topics),
            Note::ReadBack(partition, contents) => self.read_back(*partition, contents),
            Note::AllRead => ensure(self.due.is_empty(), "not read back", || format!("{:?}", self.due)),
        }
    }

    fn sending(&mut self, sent: &Sent) -> Verdict {
        self.totals.sendings += 1;
        let fresh = Batch { sent: *sent, open: 0, placed: None, is_acked: false, was_read: false };
        let batch = self.batches.entry(sent.tag).or_insert(fresh);
        let is_right = batch.sent == *sent && (batch.open == 0 && batch.placed.is_none() || sent.stamp.is_some());
        batch.open += 1;
        self.partitions.entry(sent.partition).or_default().begin(sent.tag);
        ensure(is_right, "the test itself", || format!("{sent} must not be sent like this"))
    }

    fn answered(&mut self, tag: Tag, heard: Heard) -> Verdict {
        let Some(batch) = self.batches.get_mut(&tag) else {
            return ensure(false, "never sent", || format!("batch {tag}"));
        };
        let sent = batch.sent;
        match heard {
            Heard::Unknown(code) => {
                self.totals.refused(code);
                Ok(())
            }
            Heard::Refused(code) => {
                self.totals.refused(code);
                batch.open = batch.open.saturating_sub(1);
                self.partitions.entry(sent.partition).or_default().forget_next();
                Ok(())
            }
            Heard::Stored { base_offset, append_time, duplicate } => {
                let last_offset = base_offset + u64::from(sent.record_count) - 1;
                let placed =
                    Placed { partition: sent.partition, base_offset, last_offset, append_time, crc: sent.crc, tag };
                let known = batch.placed;
                if duplicate {
                    self.totals.duplicates += 1;
                    let other = batch.open > 1;
                    ensure(known.is_some() || other, "duplicate of nothing", || format!("{placed} was not stored"))?;
                } else {
                    self.totals.acked += 1;
                    self.totals.acked_records += u64::from(sent.record_count);
                    let again = batch.is_acked || batch.was_read;
                    ensure(!again, "stored again", || format!("{placed} as new, it was {known:?}"))?;
                }
                self.place(&placed, "another receipt")?;
                let batch = self.batches.get_mut(&tag).expect("it was there");
                batch.is_acked = true;
                batch.open = batch.open.saturating_sub(1);
                if duplicate { Ok(()) } else { self.partitions.entry(sent.partition).or_default().next_is(base_offset) }
            }
        }
    }

    /// Somebody was told that the batch is at this place.
    fn place(&mut self, placed: &Placed, rule_if_moved: &'static str) -> Verdict {
        let Some(batch) = self.batches.get_mut(&placed.tag) else {
            return ensure(false, "never sent", || placed.to_string());
        };
        let sent = batch.sent;
        let count = (placed.last_offset + 1).saturating_sub(placed.base_offset);
        let is_same = sent.partition == placed.partition && sent.crc == placed.crc;
        ensure(is_same && u64::from(sent.record_count) == count, "other bytes", || {
            format!("{placed} is stored, {sent} was sent")
        })?;
        match batch.placed {
            Some(before) => ensure(before == *placed, rule_if_moved, || format!("{placed}, it was {before}")),
            None => {
                ensure(batch.open > 0, "refused and stored", || {
                    format!("{placed}: each sending was refused, or it was gone at a restart and not sent since")
                })?;
                batch.placed = Some(*placed);
                self.partitions.entry(placed.partition).or_default().place(placed)
            }
        }
    }

    fn listed(&mut self, topics: &[Topic]) -> Verdict {
        self.totals.restarts += 1;
        self.topics.listed(topics)?;
        self.drop_deleted();
        self.due = topics.iter().flat_map(Topic::partitions).collect();
        Ok(())
    }

    fn drop_deleted(&mut self) {
        let topics = &self.topics;
        self.partitions.retain(|partition, _| !topics.is_deleted(partition.topic));
    }

    fn read_back(&mut self, partition: PartitionId, contents: &Contents) -> Verdict {
        self.due.remove(&partition);
        self.totals.read_back += contents.batches.len() as u64;
        ensure(contents.start == 0, "gap", || format!("partition {partition} begins at {}", contents.start))?;
        let (mut seen, mut order, mut next, mut time) = (BTreeSet::new(), Order::default(), 0, 0);
        for placed in &contents.batches {
            let rule = if seen.insert(placed.tag) { "moved" } else { "stored twice" };
            self.place(placed, rule)?;
            ensure(placed.base_offset == next, "gap", || format!("{placed} stands where offset {next} must be"))?;
            ensure(placed.append_time >= time, "append time goes back", || format!("{placed} comes after {time}"))?;
            (next, time) = (placed.last_offset + 1, placed.append_time);
            let batch = self.batches.get_mut(&placed.tag).expect("it was placed");
            self.totals.recovered_unacked += u64::from(!batch.is_acked && !batch.was_read);
            batch.was_read = true;
            order.follows(&batch.sent)?;
        }
        let history = self.partitions.entry(partition).or_default();
        for placed in history.places() {
            if !seen.contains(&placed.tag) {
                let rule = if self.batches[&placed.tag].is_acked { "lost" } else { "shown and gone" };
                return ensure(false, rule, || placed.to_string());
            }
        }
        ensure(contents.end == next, "next offset", || {
            format!("partition {partition} ends at {}, its last batch before {next}", contents.end)
        })?;
        for tag in history.read_back(contents.end)? {
            if !seen.contains(&tag) {
                let batch = self.batches.get_mut(&tag).expect("it was sent");
                self.totals.gone_unacked += u64::from(batch.open > 0);
                batch.open = 0;
            }
        }
        Ok(())
    }
}
