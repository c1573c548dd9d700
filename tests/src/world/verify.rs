//! Reads everything back after a start and holds it against what clients know.

use std::collections::{BTreeMap, BTreeSet};

use florin_engine::model::{Offset, PartitionId, ProducerEpoch, ProducerId, Realtime, ShardId};
use florin_engine::shard::{FetchFrom, Fetched, OffsetAt, Refusal, Request};

use super::model::{Checked, serial_of, violation};
use super::run::{Asked, World};

/// Reads of one partition that may fail because faults were injected.
const READ_FAULTS_MAX: u32 = 16;

impl World {
    /// Lists topics and ends, reads every partition from its first offset, and checks all of it.
    pub(super) fn verify(&mut self) -> Checked {
        let shard = ShardId(0);
        self.submit(shard, Asked::Metadata { shard }, Request::Metadata);
        self.answer_all()?;
        let partitions: Vec<PartitionId> = self
            .model
            .topics
            .values()
            .filter(|topic| topic.is_surely_live())
            .flat_map(|topic| {
                let id = topic.descriptor.id();
                (0..topic.descriptor.partition_count()).map(move |index| PartitionId { topic: id, index })
            })
            .collect();
        for partition in partitions {
            let owner = self.owner(partition).expect("the topic is known");
            let end = Request::ListOffset { partition, at: OffsetAt::End };
            self.submit(owner, Asked::ListEnd { partition }, end);
            self.read_whole(partition, owner)?;
        }
        Ok(())
    }

    /// Reads a partition from its first offset to its end, answer by answer.
    fn read_whole(&mut self, partition: PartitionId, owner: ShardId) -> Checked {
        let mut whole = Fetched { batches: Vec::new(), start_offset: Offset(0), high_watermark: Offset(0) };
        let mut next = Offset(self.model.partitions.get(&partition).map_or(0, |facts| facts.start));
        let mut faults = 0;
        loop {
            let request =
                Request::Fetch { partition, from: FetchFrom::Offset(next), bytes_max: usize::MAX, wait_ns: 0 };
            let asked = Asked::Fetch { partition, from: next.0, bytes_max: usize::MAX, verify: true };
            self.submit(owner, asked, request);
            self.answer_all()?;
            if let Some(lost) = self.read_lost.take() {
                next = lost;
                continue;
            }
            let Some(part) = self.read_back.take() else {
                if !std::mem::take(&mut self.read_again) {
                    return Ok(());
                }
                faults += 1;
                next = next.max(Offset(self.model.partitions.get(&partition).map_or(0, |facts| facts.start)));
                if faults > READ_FAULTS_MAX {
                    return violation("durability", format!("{partition} cannot be read from {next} on"));
                }
                continue;
            };
            let is_end = part.batches.is_empty();
            next = part.batches.last().map_or(next, |last| last.next_offset());
            whole.batches.extend(part.batches);
            (whole.start_offset, whole.high_watermark) = (part.start_offset, part.high_watermark);
            if is_end || next >= whole.high_watermark {
                break;
            }
        }
        self.summary.verified_count += whole.batches.len() as u64;
        self.whole_partition(partition, next.0, &whole)
    }

    /// Takes where a partition begins.
    pub(super) fn starts_at(&mut self, partition: PartitionId, start: Offset) -> Checked {
        self.summary.cut_front_count += u64::from(self.model.starts_at(partition, start, self.latest)?);
        Ok(())
    }

    /// Takes what a fetch returned.
    pub(super) fn fetched(&mut self, partition: PartitionId, from: u64, fetched: &Fetched) -> Checked {
        if self.model.topics.get(&partition.topic).is_some_and(|topic| topic.deleted) {
            return violation("topics", format!("{partition} is read after its topic was deleted"));
        }
        let mut expected: Option<u64> = None;
        let mut last_time = None;
        for held in &fetched.batches {
            let first = expected.is_none();
            if held.base_offset < fetched.start_offset {
                return violation("retention", format!("{partition}: offset {} is shown and cut", held.base_offset));
            }
            let begins_right = if first { held.base_offset.0 <= from && from <= held.last_offset.0 } else { true };
            if !begins_right || expected.is_some_and(|expected| expected != held.base_offset.0) {
                return violation(
                    "order",
                    format!("{partition}: batch at {} where {expected:?} must come", held.base_offset),
                );
            }
            if last_time.is_some_and(|last| held.append_time < last) {
                return violation("order", format!("{partition}: append time goes back at {}", held.base_offset));
            }
            if held.last_offset >= fetched.high_watermark {
                return violation(
                    "durability",
                    format!("{partition}: offset {} shown beyond the end", held.last_offset),
                );
            }
            self.model.shown(partition, held)?;
            expected = Some(held.last_offset.0 + 1);
            last_time = Some(held.append_time);
        }
        self.model.ends_at(partition, fetched.high_watermark)
    }

    /// A fetch brings at least one batch if there is one, and not more bytes than were asked for unless it is one.
    pub(super) fn fits(partition: PartitionId, from: u64, bytes_max: usize, fetched: &Fetched) -> Checked {
        let bytes: usize = fetched.batches.iter().map(|held| held.bytes.len()).sum();
        let is_empty = fetched.batches.is_empty();
        if is_empty && from < fetched.high_watermark.0 {
            return violation("answers fit", format!("{partition}: nothing from {from} on, before the end"));
        }
        if bytes > bytes_max && fetched.batches.len() > 1 {
            return violation("answers fit", format!("{partition}: {bytes} bytes, {bytes_max} were asked for"));
        }
        Ok(())
    }

    /// Durable data is read whenever the shard is up, also after it has failed. `at`: the offset that was asked for,
    /// and whether everything must be read.
    pub(super) fn read_refused(
        &mut self,
        shard: ShardId,
        partition: PartitionId,
        at: Option<(u64, bool)>,
        refusal: &Refusal,
    ) -> Checked {
        let known_end = self.model.partitions.get(&partition).map_or(0, |facts| facts.end);
        if let Refusal::OffsetOutOfRange { start, .. } = refusal {
            self.starts_at(partition, *start)?;
        }
        let start = self.model.partitions.get(&partition).map_or(0, |facts| facts.start);
        let topic = self.model.topics.get(&partition.topic);
        let excused = match refusal {
            Refusal::Starting(_) | Refusal::Stopping(_) => true,
            Refusal::ShardUnavailable(_) => !self.has_begun(shard),
            // A fault that was injected strikes once: whoever asks again is answered.
            Refusal::ReadFailed { .. } | Refusal::Damaged { .. } => self.faulty,
            Refusal::Lost { gap, .. } => {
                let known = self.model.lost_at(partition, gap.base_offset.0);
                self.read_lost = known.filter(|_| at.is_some_and(|(_, verify)| verify));
                return match known {
                    Some(end) if end >= gap.next_offset => Ok(()),
                    _ => violation("durability", format!("{partition}: nobody gave up {gap:?}")),
                };
            }
            Refusal::UnknownPartition(_) => topic.is_none_or(|topic| topic.may_be_deleted),
            Refusal::OffsetOutOfRange { .. } => at.is_some_and(|(from, _)| from > known_end || from < start),
            _ => false,
        };
        let must_be_read = at.is_some_and(|(_, verify)| verify) && self.has_begun(shard);
        let comes_again = Self::comes_again(refusal);
        if excused && (!must_be_read || comes_again) {
            return Ok(());
        }
        violation("durability", format!("{partition} cannot be read: {refusal}"))
    }

    /// Whether who asks for everything asks once more: an injected fault has struck, or retention has cut meanwhile.
    pub(super) fn comes_again(refusal: &Refusal) -> bool {
        matches!(refusal, Refusal::ReadFailed { .. } | Refusal::Damaged { .. } | Refusal::OffsetOutOfRange { .. })
    }

    /// Whether the first block of the shard's epoch is durable: from then on it serves.
    fn has_begun(&self, shard: ShardId) -> bool {
        let last =
            self.cluster.reports().iter().find(|report| report.shard == shard).map(|report| report.last_sequence);
        let status = self.cluster.statuses().into_iter().find(|status| status.shard == shard);
        status.zip(last).is_some_and(|(status, last)| status.durable_sequence > last)
    }

    /// Small worlds never fill a queue, so no capture is told to wait for one.
    pub(super) fn pushback_is_due(refusal: &Refusal) -> Checked {
        match refusal {
            Refusal::Busy(shard) => violation("limits", format!("shard {shard} is busy with next to nothing")),
            _ => Ok(()),
        }
    }

    /// The batches of each producer epoch follow each other without a gap, from sequence 0.
    fn sequences_follow(&self, partition: PartitionId, fetched: &Fetched) -> Checked {
        let mut next: BTreeMap<(ProducerId, ProducerEpoch), u32> = BTreeMap::new();
        for held in &fetched.batches {
            let stamp = serial_of(&held.bytes).and_then(|serial| self.model.sent[&serial].stamp);
            let Some(stamp) = stamp else { continue };
            let before = next.insert((stamp.id, stamp.epoch), stamp.next_sequence());
            // What retention has cut cannot be followed.
            let is_lost = self.model.partitions.get(&partition).is_some_and(|facts| !facts.lost.is_empty());
            let is_cut = is_lost || (before.is_none() && fetched.start_offset > Offset(0));
            let expected = before.unwrap_or(0);
            if stamp.base_sequence != expected && !is_cut {
                let what = format!(
                    "{partition}: producer {} goes on with {} instead of {expected}",
                    stamp.id, stamp.base_sequence
                );
                return violation("exactly once", what);
            }
        }
        Ok(())
    }

    /// A fetch by time begins at the first batch that was appended at the time or later.
    pub(super) fn fetched_by_time(&mut self, partition: PartitionId, time: Realtime, fetched: &Fetched) -> Checked {
        let facts = self.model.partitions.entry(partition).or_default();
        let first = fetched.batches.first();
        let end = first.map_or(u64::MAX, |first| first.base_offset.0);
        let is_late = |serial: &u64| self.model.sent[serial].receipt.is_some_and(|(_, at)| at >= time);
        let mut earlier = facts.batches.range(facts.start..end.max(facts.start));
        if let Some((at, _)) = earlier.find(|(_, serial)| is_late(serial)) {
            return violation(
                "by time",
                format!("{partition}: the batch at {at} is as late as {time}, and not the first"),
            );
        }
        let Some(first) = first else { return Ok(()) };
        if first.append_time < time {
            return violation("by time", format!("{partition}: a batch of {} was read from {time}", first.append_time));
        }
        self.fetched(partition, first.base_offset.0, fetched)
    }

    /// Everything that anybody knows of the partition must have been read.
    fn whole_partition(&self, partition: PartitionId, end: u64, fetched: &Fetched) -> Checked {
        let mut serials = BTreeSet::new();
        for serial in fetched.batches.iter().filter_map(|held| serial_of(&held.bytes)) {
            if !serials.insert(serial) {
                return violation("exactly once", format!("{partition}: batch {serial} is stored twice"));
            }
        }
        let start = self.model.partitions.get(&partition).map_or(0, |facts| facts.start);
        if fetched.start_offset.0 != start || end != fetched.high_watermark.0 {
            let what = format!(
                "{partition} holds offsets {} to {end}, its end is {}",
                fetched.start_offset, fetched.high_watermark
            );
            return violation("no gap", what);
        }
        let facts = self.model.partitions.get(&partition);
        let lost = facts.and_then(|facts| facts.batches.range(start..).find(|(_, serial)| !serials.contains(serial)));
        match lost {
            Some((at, serial)) => violation("durability", format!("{partition}: batch {serial} at {at} is gone")),
            None => self.sequences_follow(partition, fetched),
        }
    }
}
