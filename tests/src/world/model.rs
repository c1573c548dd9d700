//! What clients were told. The checkers hold against it what the server says.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use florin_engine::catalogue::TopicDescriptor;
use florin_engine::format::batch::ProducerStamp;
use florin_engine::model::{Offset, PartitionId, ProducerEpoch, ProducerId, Realtime, TopicId};
use florin_engine::partition::{Gap, HeldBatch};

use super::checkers::{Checked, Violation, append_time, exactly_once, original_answer};

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
    /// Its payments are those of this batch, which is stored: nothing of it is stored, and it gets that one's answer.
    pub known_as: Option<u64>,
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
    /// The fewest bytes that it may ever have had to keep.
    pub retention_bytes_min: Option<u64>,
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
    /// As it was first shown.
    pub fn new(descriptor: TopicDescriptor) -> Self {
        Self {
            shown: BTreeMap::from([(descriptor.revision(), descriptor.clone())]),
            limits: BTreeSet::from([descriptor.settings().record_bytes_max]),
            retention_ns_min: descriptor.settings().retention_ns,
            retention_bytes_min: descriptor.settings().retention_bytes,
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
    pub fn may_keep(&mut self, retention_ns: Option<u64>, retention_bytes: Option<u64>) {
        self.retention_ns_min = self.retention_ns_min.into_iter().chain(retention_ns).min();
        self.retention_bytes_min = self.retention_bytes_min.into_iter().chain(retention_bytes).min();
    }

    /// Takes over a description; says what is wrong with it if it cannot be one of this topic.
    pub fn show(&mut self, descriptor: &TopicDescriptor) -> Result<(), String> {
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
        self.may_keep(descriptor.settings().retention_ns, descriptor.settings().retention_bytes);
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
    /// Producers some of whose sequences were used for payments that were stored before.
    pub noted: BTreeSet<(ProducerId, ProducerEpoch)>,
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
        if let Some(of) = sent.known_as {
            sent.may_be_stored = true;
            return exactly_once::is_that_of(serial, &self.sent[&of], (base, time), duplicate);
        }
        exactly_once::may_be_duplicate(serial, sent, duplicate)?;
        let end = base.0 + sent.record_count;
        let partition = sent.partition;
        self.place(serial, base, time)?;
        let facts = self.partitions.entry(partition).or_default();
        facts.end = facts.end.max(end);
        Ok(())
    }

    /// A batch was read.
    pub fn shown(&mut self, partition: PartitionId, held: &HeldBatch) -> Result<u64, Violation> {
        let serial = self.is_as_sent(partition, held)?;
        self.may_be_stored(serial)?;
        self.place(serial, held.base_offset, held.append_time)?;
        Ok(serial)
    }

    /// Batch and place belong together from now on.
    fn place(&mut self, serial: u64, base: Offset, time: Realtime) -> Checked {
        let sent = &self.sent[&serial];
        original_answer::is_where_it_was(serial, sent, base, time)?;
        if sent.receipt.is_some() {
            return Ok(());
        }
        append_time::is_behind_sending(serial, sent, time)?;
        self.overlaps_nothing(serial, base)?;
        let sent = self.sent.get_mut(&serial).expect("only sent batches have a place");
        sent.receipt = Some((base, time));
        self.partitions.entry(sent.partition).or_default().batches.insert(base.0, serial);
        Ok(())
    }

    /// A request to alter a topic has no effect any more that nobody knows of.
    pub fn alteration_over(&mut self, topic: TopicId) {
        self.topics.get_mut(&topic).expect("only known topics are altered").alterations_open -= 1;
    }

    /// These offsets are lost: an operator accepted it.
    pub fn lose(&mut self, partition: PartitionId, gap: &Gap) {
        let facts = self.partitions.entry(partition).or_default();
        let mut joined = (gap.base_offset.0, gap.next_offset.0);
        let touching = facts.lost.extract_if(.., |base, next| *base <= gap.next_offset.0 && *next >= gap.base_offset.0);
        touching.for_each(|(base, next)| joined = (joined.0.min(base), joined.1.max(next)));
        facts.lost.insert(joined.0, joined.1);
        facts.batches.retain(|base, _| !(gap.base_offset.0..gap.next_offset.0).contains(base));
        facts.end = facts.end.max(gap.next_offset.0);
    }

    /// The end of the gap that holds this offset.
    pub fn lost_at(&self, partition: PartitionId, offset: u64) -> Option<Offset> {
        let facts = self.partitions.get(&partition)?;
        let (_, next) = facts.lost.range(..=offset).next_back()?;
        (offset < *next).then_some(Offset(*next))
    }
}
