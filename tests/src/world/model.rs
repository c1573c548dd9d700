//! What clients were told, and whether everything the server says agrees with it.
//!
//! The model never computes what the server should do. It remembers facts: an offset that was acknowledged or shown
//! names these bytes at this time, for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bytes::Bytes;
use florin_engine::catalogue::TopicDescriptor;
use florin_engine::format::batch::{self, ProducerStamp};
use florin_engine::model::{Offset, PartitionId, ProducerId, Realtime, TopicId};
use florin_engine::partition::HeldBatch;

/// Bytes at the start of a batch that the server fills in: base offset, and the leader epoch behind the length.
const LENGTH_FIELD: std::ops::Range<usize> = 8..12;
const UNCHANGED_FROM: usize = 16;

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which checker noticed.
    pub checker: &'static str,
    /// What happened.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.checker, self.what)
    }
}

/// Shorthand for what every check returns.
pub type Checked = Result<(), Violation>;

/// A violation.
pub fn violation<T>(checker: &'static str, what: String) -> Result<T, Violation> {
    Err(Violation { checker, what })
}

/// A batch that a client sent at least once.
#[derive(Clone, Debug)]
pub struct SentBatch {
    /// Where to.
    pub partition: PartitionId,
    /// As it was sent.
    pub bytes: Bytes,
    /// Records in it.
    pub record_count: u64,
    /// Its producer's stamp.
    pub stamp: Option<ProducerStamp>,
    /// How often it was sent.
    pub attempt_count: u32,
    /// The earliest that the wall clock showed when it was sent.
    pub sent_at: Realtime,
    /// Attempts that were not answered yet.
    pub open_count: u32,
    /// An attempt may have been stored although nobody was told.
    pub may_be_stored: bool,
    /// The answer that was given, or the place where it was seen.
    pub receipt: Option<(Offset, Realtime)>,
    /// It must never be stored: its sequence forbids it.
    pub forbidden: bool,
}

/// What is known of one partition.
#[derive(Clone, Debug, Default)]
pub struct PartitionFacts {
    /// Batches that were acknowledged or shown, by base offset.
    pub batches: BTreeMap<u64, u64>,
    /// Offsets below exist: somebody was told so.
    pub end: u64,
    /// Offsets below are gone by retention: somebody was told so.
    pub start: u64,
    /// Offsets that an operator gave up, from and to below.
    pub lost: BTreeMap<u64, u64>,
}

/// The largest record that a topic was sure to take when a batch was sent, and how often somebody had asked for an
/// alteration.
pub type SureLimit = (u32, u64);

/// What is known of a topic.
#[derive(Clone, Debug)]
pub struct TopicFacts {
    /// Its newest description that was shown.
    pub descriptor: TopicDescriptor,
    /// All that were shown, by their revisions.
    pub shown: BTreeMap<u32, TopicDescriptor>,
    /// Limits of records that it may have had.
    pub limits: BTreeSet<u32>,
    /// The shortest time, in nanoseconds, for which it may ever have had to keep records.
    pub retention_ns_min: Option<u64>,
    /// It may ever have had to keep only so many bytes.
    pub has_retention_bytes: bool,
    /// Requests to alter it.
    pub alteration_count: u64,
    /// Those of them that may still have an effect that nobody was told of.
    pub alterations_open: u64,
    /// Somebody asked to delete it.
    pub may_be_deleted: bool,
    /// Requests to delete it that were not refused before they began.
    pub deletions_open: u32,
    /// Somebody was told that it is deleted.
    pub deleted: bool,
}

impl TopicFacts {
    fn new(descriptor: TopicDescriptor) -> Self {
        Self {
            shown: BTreeMap::from([(descriptor.revision(), descriptor.clone())]),
            limits: BTreeSet::from([descriptor.settings().record_bytes_max]),
            retention_ns_min: descriptor.settings().retention_ns,
            has_retention_bytes: descriptor.settings().retention_bytes.is_some(),
            descriptor,
            alteration_count: 0,
            alterations_open: 0,
            may_be_deleted: false,
            deletions_open: 0,
            deleted: false,
        }
    }

    /// Whether it is still there as far as anybody knows for sure.
    pub fn is_surely_live(&self) -> bool {
        !self.deleted && !self.may_be_deleted
    }

    /// The largest record that it takes, if that is sure.
    pub fn sure_limit(&self) -> Option<SureLimit> {
        let limit = (self.descriptor.settings().record_bytes_max, self.alteration_count);
        (self.alterations_open == 0).then_some(limit)
    }

    /// It may be that it need not keep records longer than this, or more than some bytes of them.
    pub fn may_keep(&mut self, retention_ns: Option<u64>, by_bytes: bool) {
        self.retention_ns_min = self.retention_ns_min.into_iter().chain(retention_ns).min();
        self.has_retention_bytes |= by_bytes;
    }

    /// Takes over a description; says what is wrong with it if it cannot be one of this topic.
    fn show(&mut self, descriptor: &TopicDescriptor) -> Result<(), String> {
        let revision = descriptor.revision();
        if let Some(known) = self.shown.get(&revision) {
            return if known == descriptor { Ok(()) } else { Err(format!("{known:?} is now {descriptor:?}")) };
        }
        let grows = |before: &TopicDescriptor, after: &TopicDescriptor| {
            before.name() == after.name() && after.placement().starts_with(before.placement())
        };
        let older = self.shown.range(..revision).next_back();
        let newer = self.shown.range(revision..).next();
        let fits = older.is_none_or(|(_, older)| grows(older, descriptor))
            && newer.is_none_or(|(_, newer)| grows(descriptor, newer));
        if !fits {
            return Err(format!("{descriptor:?} does not lie between {older:?} and {newer:?}"));
        }
        self.shown.insert(revision, descriptor.clone());
        self.limits.insert(descriptor.settings().record_bytes_max);
        self.may_keep(descriptor.settings().retention_ns, descriptor.settings().retention_bytes.is_some());
        if revision > self.descriptor.revision() {
            self.descriptor = descriptor.clone();
        }
        Ok(())
    }
}

/// Everything that clients know.
#[derive(Debug, Default)]
pub struct Model {
    /// Batches by serial.
    pub sent: BTreeMap<u64, SentBatch>,
    /// Partitions.
    pub partitions: BTreeMap<PartitionId, PartitionFacts>,
    /// Topics by id.
    pub topics: BTreeMap<TopicId, TopicFacts>,
    /// Names that were asked for.
    pub names: BTreeSet<String>,
    /// Producer ids that were given out.
    pub producer_ids: BTreeSet<ProducerId>,
}

impl Model {
    /// A batch is sent (again).
    pub fn send(&mut self, serial: u64, now: Realtime) {
        let sent = self.sent.get_mut(&serial).expect("a batch is noted before it is sent");
        sent.sent_at = if sent.attempt_count == 0 { now } else { sent.sent_at.min(now) };
        sent.attempt_count += 1;
        sent.open_count += 1;
    }

    /// An attempt ended without anybody knowing how.
    pub fn unknown(&mut self, serial: u64) {
        let sent = self.sent.get_mut(&serial).expect("only sent batches are answered");
        sent.open_count -= 1;
        sent.may_be_stored = true;
    }

    /// An attempt was refused: it was not stored by this attempt.
    pub fn refused(&mut self, serial: u64) {
        self.sent.get_mut(&serial).expect("only sent batches are answered").open_count -= 1;
    }

    /// An attempt was acknowledged.
    pub fn acked(&mut self, serial: u64, base: Offset, time: Realtime, duplicate: bool) -> Checked {
        let sent = self.sent.get_mut(&serial).expect("only sent batches are answered");
        sent.open_count -= 1;
        if duplicate && sent.attempt_count < 2 {
            return violation("exactly once", format!("batch {serial} was sent once and called a duplicate"));
        }
        let end = base.0 + sent.record_count;
        let partition = sent.partition;
        self.place(serial, base, time)?;
        let facts = self.partitions.entry(partition).or_default();
        facts.end = facts.end.max(end);
        Ok(())
    }

    /// A batch was read.
    pub fn shown(&mut self, partition: PartitionId, held: &HeldBatch) -> Result<u64, Violation> {
        let serial = serial_of(&held.bytes).ok_or_else(|| Violation {
            checker: "bytes",
            what: format!("{partition} offset {}: not a batch of these clients", held.base_offset),
        })?;
        let Some(sent) = self.sent.get(&serial).filter(|sent| sent.partition == partition) else {
            return violation(
                "bytes",
                format!("{partition} offset {}: batch {serial} was never sent there", held.base_offset),
            );
        };
        let equal = sent.bytes.len() == held.bytes.len()
            && sent.bytes[UNCHANGED_FROM..] == held.bytes[UNCHANGED_FROM..]
            && sent.bytes[LENGTH_FIELD] == held.bytes[LENGTH_FIELD];
        if !equal || batch::base_offset(&held.bytes) != Ok(held.base_offset) {
            return violation("bytes", format!("{partition} offset {}: other bytes than were sent", held.base_offset));
        }
        if held.last_offset.0 + 1 - held.base_offset.0 != sent.record_count {
            return violation("bytes", format!("{partition} offset {}: wrong number of records", held.base_offset));
        }
        if sent.forbidden {
            return violation("exactly once", format!("batch {serial} is stored although its sequence forbids it"));
        }
        if sent.open_count == 0 && !sent.may_be_stored && sent.receipt.is_none() {
            return violation("durability", format!("batch {serial} was refused every time and is stored"));
        }
        self.place(serial, held.base_offset, held.append_time)?;
        Ok(serial)
    }

    /// Batch and place belong together from now on.
    fn place(&mut self, serial: u64, base: Offset, time: Realtime) -> Checked {
        let sent = self.sent.get_mut(&serial).expect("only sent batches have a place");
        if let Some((first_base, first_time)) = sent.receipt {
            if (first_base, first_time) == (base, time) {
                return Ok(());
            }
            let what = format!("batch {serial} at {first_base} ({first_time}) is now at {base} ({time})");
            return violation("original answer", what);
        }
        if time < sent.sent_at {
            return violation("append time", format!("batch {serial} was appended before it was sent"));
        }
        sent.receipt = Some((base, time));
        let (partition, end) = (sent.partition, base.0 + sent.record_count);
        let facts = self.partitions.entry(partition).or_default();
        let before = facts.batches.range(..end).next_back().map(|(at, other)| (*at, *other));
        if let Some((at, other)) = before {
            let other_end = at + self.sent[&other].record_count;
            if other_end > base.0 {
                let what = format!("{partition}: batch {serial} at {base} overlaps batch {other} at {at}");
                return violation("offsets never minted twice", what);
            }
        }
        facts.batches.insert(base.0, serial);
        Ok(())
    }

    /// Somebody was told where a partition begins: never further back than before, and only behind what its topic need
    /// not keep. `latest` is the latest that the wall clock ever showed. Returns whether it is news.
    pub fn starts_at(&mut self, partition: PartitionId, start: Offset, latest: Realtime) -> Result<bool, Violation> {
        let facts = self.partitions.entry(partition).or_default();
        if start.0 < facts.start {
            let what = format!("{partition} begins at {start}, it began at {} before", facts.start);
            return violation("retention", what);
        }
        let gone: Vec<u64> = facts.batches.range(facts.start..start.0).map(|(_, serial)| *serial).collect();
        let is_news = start.0 > facts.start;
        facts.start = start.0;
        let Some(topic) = self.topics.get(&partition.topic) else { return Ok(is_news) };
        for serial in gone {
            let (base, time) = self.sent[&serial].receipt.expect("facts have a place");
            let is_aged = topic.retention_ns_min.is_some_and(|ns| latest.since_ns(time) >= ns);
            if !is_aged && !topic.has_retention_bytes {
                let what = format!("{partition}: batch {serial} at {base}, appended at {time}, is gone at {latest}");
                return violation("retention", what);
            }
            if base.0 + self.sent[&serial].record_count > start.0 {
                return violation("retention", format!("{partition} begins at {start}, inside batch {serial}"));
            }
        }
        Ok(is_news)
    }

    /// Somebody was told where a partition ends.
    pub fn ends_at(&mut self, partition: PartitionId, end: Offset) -> Checked {
        let facts = self.partitions.entry(partition).or_default();
        if end.0 < facts.end {
            return violation("durability", format!("{partition} ends at {end}, it ended at {} before", facts.end));
        }
        facts.end = end.0;
        Ok(())
    }

    /// Shard 0 says how a topic is: never older than anybody was told.
    pub fn topic_in_force(&mut self, descriptor: &TopicDescriptor) -> Checked {
        self.topic_shown(descriptor)?;
        let newest = &self.topics[&descriptor.id()].descriptor;
        if descriptor.revision() < newest.revision() {
            return violation("topics", format!("shard 0 shows {descriptor:?} after {newest:?}"));
        }
        Ok(())
    }

    /// The server names a topic.
    pub fn topic_shown(&mut self, descriptor: &TopicDescriptor) -> Checked {
        if !self.names.contains(descriptor.name()) {
            return violation("topics", format!("topic {} was never asked for", descriptor.name()));
        }
        match self.topics.get_mut(&descriptor.id()) {
            Some(known) => known.show(descriptor).or_else(|what| violation("topics", what)),
            None => {
                self.topics.insert(descriptor.id(), TopicFacts::new(descriptor.clone()));
                Ok(())
            }
        }
    }

    /// Shard 0 lists all live topics.
    pub fn all_topics(&mut self, listed: &[TopicDescriptor]) -> Checked {
        for descriptor in listed {
            self.topic_in_force(descriptor)?;
            if self.topics[&descriptor.id()].deleted {
                return violation("topics", format!("deleted topic {} is listed", descriptor.id()));
            }
        }
        let missing = self
            .topics
            .iter()
            .find(|(id, facts)| !facts.may_be_deleted && !listed.iter().any(|descriptor| descriptor.id() == **id));
        match missing {
            Some((id, _)) => violation("topics", format!("live topic {id} is not listed")),
            None => Ok(()),
        }
    }

    /// A new producer id was given out.
    pub fn producer_minted(&mut self, id: ProducerId) -> Checked {
        if self.producer_ids.insert(id) { Ok(()) } else { violation("producers", format!("id {id} was given twice")) }
    }
}

/// The number that these clients write into the key of every record.
pub fn serial_of(batch: &[u8]) -> Option<u64> {
    let record = batch::RecordWalk::new(batch).ok()?.next()?.ok()?;
    record.key?.try_into().ok().map(u64::from_le_bytes)
}
