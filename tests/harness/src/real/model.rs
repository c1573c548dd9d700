//! Judges what all runs said together: what was acknowledged or shown stays, where it was, once.

use std::collections::{BTreeMap, BTreeSet};

use florin_engine::model::PartitionId;

use super::line::{Line, Placed, Sent, Tag};

/// How a run was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By SIGKILL.
    Killed,
    /// In order.
    Stopped,
}

/// What happened in all runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Batches acknowledged as new.
    pub acked_batch_count: u64,
    /// Records in them.
    pub acked_record_count: u64,
    /// Acknowledgements that repeated an earlier one.
    pub duplicate_count: u64,
    /// Batches that were recovered although nobody had been told of them.
    pub recovered_unacked_count: u64,
    /// Batches that were sent, never answered and not recovered.
    pub lost_unacked_count: u64,
    /// Batches shown to readers that followed.
    pub seen_count: u64,
    /// Units that recovery cut.
    pub cut_count: u64,
    /// Shard openings with a cut.
    pub opened_with_cut_count: u64,
    /// Notes of recovery.
    pub note_count: u64,
    /// Shards whose producers had used their run's share of the ring before its end.
    pub resting_count: u64,
    /// Checkpoints taken while producers wrote.
    pub checkpoint_count: u64,
    /// Batches sent again by a later run and found stored.
    pub resumed_duplicate_count: u64,
    /// Batches sent again by a later run and stored only then.
    pub resumed_new_count: u64,
    /// Least unused ring files that any shard reported when it was read back.
    pub unused_file_count_min: Option<u64>,
}

/// One partition as far as anybody was told.
#[derive(Clone, Debug, Default)]
struct History {
    /// As read back last: it never changes, it only gets longer.
    known: Vec<Placed>,
    /// Acknowledged or shown since, by base offset.
    promised: BTreeMap<u64, Placed>,
    /// The highest end that anybody was told.
    end_told: u64,
    /// Being read back.
    reading: Vec<Placed>,
}

/// Everything said by all runs so far.
#[derive(Clone, Debug, Default)]
pub struct Model {
    partitions: BTreeMap<PartitionId, History>,
    sent: BTreeMap<Tag, Sent>,
    placed: BTreeMap<Tag, Placed>,
    acked: BTreeSet<Tag>,
    minted: BTreeSet<u64>,
    epochs: BTreeMap<u16, (u64, u64)>,
    /// Shards that were closed in order and not opened since.
    clean: BTreeSet<u16>,
    /// Shards that began to open, and whether they had been closed in order.
    opening: BTreeMap<u16, bool>,
    /// Partitions that hold exactly what was promised: nothing was under way when they closed.
    exact: BTreeSet<PartitionId>,
    run: u32,
    totals: Totals,
}

type Verdict = Result<(), String>;

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(what()) }
}

impl Model {
    /// Takes what a run said, and how it was ended.
    pub fn judge(&mut self, run: u32, lines: &[Line], ending: Ending) -> Verdict {
        self.run = run;
        self.partitions.values_mut().for_each(|history| history.reading.clear());
        let mut stopped = BTreeSet::new();
        for line in lines {
            if let Line::Stopped { shard, clean: true } = line {
                stopped.insert(*shard);
            }
            self.judge_line(line).map_err(|what| format!("run {run}: {what}\n  line: {line}"))?;
        }
        if ending == Ending::Stopped {
            let closed = |line: &Line| matches!(line, Line::Stopped { clean: true, .. });
            let opened = lines.iter().filter(|line| matches!(line, Line::Opened { .. })).count();
            let closed = lines.iter().filter(|line| closed(line)).count();
            ensure(opened > 0 && opened == closed, || format!("run {run}: {opened} shards opened, {closed} closed"))?;
            self.exact = self.partitions.keys().copied().collect();
            self.clean = stopped;
        } else {
            self.exact.clear();
        }
        Ok(())
    }

    /// What happened so far.
    pub fn totals(&self) -> Totals {
        let lost = self.sent.keys().filter(|tag| !self.placed.contains_key(tag)).count();
        Totals { lost_unacked_count: lost as u64, ..self.totals }
    }

    /// Everything that was read back last, by partition and offset.
    pub fn known(&self) -> impl Iterator<Item = &Placed> {
        self.partitions.values().flat_map(|history| &history.known)
    }

    /// The last batch that each idempotent producer sent in a run, for the next one to send again.
    pub fn last_stamped(&self, run: u32) -> Vec<Sent> {
        let mut last = BTreeMap::new();
        for (tag, sent) in &self.sent {
            if tag.run == run
                && let Some(stamp) = sent.stamp
            {
                let kept = last.entry(stamp.id).or_insert(*sent);
                if kept.stamp.is_none_or(|kept| (kept.epoch, kept.sequence) < (stamp.epoch, stamp.sequence)) {
                    *kept = *sent;
                }
            }
        }
        last.into_values().collect()
    }

    fn judge_line(&mut self, line: &Line) -> Verdict {
        match line {
            Line::Opening { shard } => {
                // From here on it may be marked as open, whether it lives to say so or not.
                let was_clean = self.clean.remove(shard);
                self.opening.insert(*shard, was_clean);
                Ok(())
            }
            Line::Stopped { clean, shard } => ensure(*clean, || format!("shard {shard} did not close in order")),
            Line::Opened { shard, was_clean, epoch, last_sequence, cut_count, note_count } => {
                self.totals.cut_count += cut_count;
                self.totals.opened_with_cut_count += u64::from(*cut_count > 0);
                self.totals.note_count += note_count;
                self.opened(*shard, (*was_clean, *cut_count), (*epoch, *last_sequence))
            }
            Line::Held(placed) => {
                self.partitions.entry(placed.partition).or_default().reading.push(*placed);
                Ok(())
            }
            Line::ReadBack { partition, start, end } => self.read_back(*partition, *start, *end),
            Line::Serving { unused_file_count, .. } => {
                let least = self.totals.unused_file_count_min.unwrap_or(u64::MAX).min(*unused_file_count);
                self.totals.unused_file_count_min = Some(least);
                Ok(())
            }
            Line::Minted(stamp) => {
                let fresh = self.minted.insert(stamp.id);
                ensure(fresh, || "the producer id was given out before".to_owned())
            }
            Line::Sent(sent) => self.sent(sent),
            Line::Acked { placed, duplicate } => self.acked(placed, *duplicate),
            Line::Seen(placed) => {
                self.totals.seen_count += 1;
                self.promise(placed)
            }
            Line::End { partition, end } => {
                let history = self.partitions.entry(*partition).or_default();
                ensure(*end >= history.end_told, || format!("it ended at {} before", history.end_told))?;
                history.end_told = *end;
                Ok(())
            }
            Line::Resting { .. } => {
                self.totals.resting_count += 1;
                Ok(())
            }
            Line::Checkpointed { .. } => {
                self.totals.checkpoint_count += 1;
                Ok(())
            }
            Line::Refused { .. } | Line::Wrong(_) => Err("the appender reports it".to_owned()),
        }
    }

    fn opened(&mut self, shard: u16, (was_clean, cut_count): (bool, u64), (epoch, last): (u64, u64)) -> Verdict {
        if self.opening.remove(&shard) == Some(true) {
            ensure(was_clean, || "it had been closed in order".to_owned())?;
        }
        ensure(!was_clean || cut_count == 0, || "something was cut off a journal that was closed in order".to_owned())?;
        if let Some((epoch_before, last_before)) = self.epochs.insert(shard, (epoch, last)) {
            ensure(epoch > epoch_before, || format!("its epoch was {epoch_before} before"))?;
            ensure(last >= last_before, || format!("its last block was {last_before} before"))?;
        }
        Ok(())
    }

    fn sent(&mut self, sent: &Sent) -> Verdict {
        match self.sent.insert(sent.tag, *sent) {
            None => Ok(()),
            Some(before) => {
                ensure(before == *sent && sent.stamp.is_some(), || "it was sent otherwise before".to_owned())
            }
        }
    }

    fn acked(&mut self, placed: &Placed, duplicate: bool) -> Verdict {
        let known = self.placed.get(&placed.tag).copied();
        let first_answer = self.acked.insert(placed.tag);
        let is_resumed = placed.tag.run != self.run && first_answer;
        if duplicate {
            ensure(known.is_some(), || "a duplicate of a batch that nobody ever saw".to_owned())?;
            self.totals.duplicate_count += 1;
            self.totals.resumed_duplicate_count += u64::from(placed.tag.run != self.run);
        } else {
            let stored = known.is_some_and(|known| self.is_known(&known));
            ensure(first_answer && !stored, || format!("stored again as new, it was {known:?}"))?;
            self.totals.acked_batch_count += 1;
            self.totals.acked_record_count += placed.last_offset - placed.base_offset + 1;
            self.totals.resumed_new_count += u64::from(is_resumed);
        }
        self.promise(placed)
    }

    /// Whether the batch was read back at the start of this run.
    fn is_known(&self, placed: &Placed) -> bool {
        let Some(history) = self.partitions.get(&placed.partition) else { return false };
        history.known.last().is_some_and(|last| placed.base_offset <= last.base_offset)
    }

    /// Somebody was told that this batch is there.
    fn promise(&mut self, placed: &Placed) -> Verdict {
        self.check_sent(placed)?;
        let before = *self.placed.entry(placed.tag).or_insert(*placed);
        ensure(before == *placed, || format!("it was {before} before"))?;
        let history = self.partitions.entry(placed.partition).or_default();
        let known_end = history.known.last().map_or(0, |last| last.last_offset + 1);
        if placed.base_offset < known_end {
            let index = history.known.partition_point(|known| known.base_offset < placed.base_offset);
            return ensure(history.known.get(index) == Some(placed), || {
                format!("offset {} is that of another batch", placed.base_offset)
            });
        }
        let other = *history.promised.entry(placed.base_offset).or_insert(*placed);
        ensure(other == *placed, || format!("{other} has its offset"))
    }

    /// Whether exactly these bytes were sent there.
    fn check_sent(&self, placed: &Placed) -> Verdict {
        let Some(sent) = self.sent.get(&placed.tag) else { return Err("nobody ever sent it".to_owned()) };
        let count = placed.last_offset - placed.base_offset + 1;
        let same = sent.partition == placed.partition && sent.crc == placed.crc;
        ensure(same && u64::from(sent.record_count) == count, || format!("what was sent is {sent}"))
    }

    fn read_back(&mut self, partition: PartitionId, start: u64, end: u64) -> Verdict {
        let mut history = self.partitions.remove(&partition).unwrap_or_default();
        let read = std::mem::take(&mut history.reading);
        ensure(start == 0, || format!("the partition begins at {start}"))?;
        let known_count = history.known.len();
        for (index, known) in history.known.iter().enumerate() {
            ensure(read.get(index) == Some(known), || format!("{known} was read before, now {:?}", read.get(index)))?;
        }
        let mut next = history.known.last().map_or(0, |last| last.last_offset + 1);
        let mut time = history.known.last().map_or(0, |last| last.append_time);
        for placed in &read[known_count..] {
            ensure(placed.base_offset == next, || format!("{placed} stands where offset {next} must be"))?;
            ensure(placed.append_time >= time, || format!("{placed} is older than the batch before it, of {time}"))?;
            (next, time) = (placed.last_offset + 1, placed.append_time);
            self.check_sent(placed)?;
            let before = *self.placed.entry(placed.tag).or_insert(*placed);
            ensure(before == *placed, || format!("{placed} is stored twice or moved, it was {before}"))?;
            if history.promised.remove(&placed.base_offset).is_none() {
                ensure(!self.exact.contains(&partition), || format!("{placed} appeared after an orderly end"))?;
                self.totals.recovered_unacked_count += 1;
            }
        }
        let lost = history.promised.first_key_value();
        ensure(lost.is_none(), || format!("lost: {lost:?}, and {} in all", history.promised.len()))?;
        ensure(end == next, || format!("list-offset says {end}, the last batch ends before {next}"))?;
        ensure(end >= history.end_told, || format!("it ended at {} before", history.end_told))?;
        history.end_told = end;
        history.known = read;
        self.partitions.insert(partition, history);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
