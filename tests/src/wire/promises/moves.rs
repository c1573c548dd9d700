//! A transaction counts as a whole or not at all, in every partition, for everybody and for ever. The anomalies have the
//! names that Jepsen's workload for Kafka gives them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use florin_engine::model::{Offset, TransactionKey, TransactionOutcome, TransactionalId};

use crate::wire::ground::Ground;
use crate::world::checkers::{Checked, violation};

/// Values of a move: its number times this, and counted from there.
const VALUES_MAX: u64 = 16;

/// Where a record is: partition and offset.
pub(in crate::wire) type Spot = (u32, u64);

/// How records are written that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::wire) enum Manner {
    /// As a transaction of this transactional id.
    Transaction(TransactionalId, TransactionKey),
    /// With one request, without a transaction.
    Together,
}

/// Records that belong together.
#[derive(Clone, Debug)]
struct Move {
    manner: Manner,
    /// Each value and its partition, in the order of sending.
    values: Vec<(u32, u64)>,
    /// Whether it was asked to make it count.
    is_asked: bool,
    told: Option<TransactionOutcome>,
    /// Moves of which something was read before it was asked to make it count.
    read: BTreeSet<u64>,
    /// Whether its number is the offset of its group from then on.
    has_offset: bool,
}

/// What a reader of what is committed was shown with one answer: of a stretch of offsets, what counts.
#[derive(Debug)]
struct Answer {
    partition: u32,
    stretch: Range<u64>,
    shown: Vec<(u64, u64)>,
}

/// Everything that is known of moves.
#[derive(Debug, Default)]
pub(in crate::wire) struct Moves {
    moves: BTreeMap<u64, Move>,
    by_key: BTreeMap<TransactionKey, u64>,
    value_at: BTreeMap<Spot, u64>,
    spot_of: BTreeMap<u64, Spot>,
    /// Values that readers of what is committed were shown.
    seen: BTreeSet<u64>,
    answers: Vec<Answer>,
    /// Transactions that were asked to count, in that order.
    asked: Vec<u64>,
    /// What readers that began at the beginning were handed out of each partition.
    handed: Vec<BTreeMap<u32, Vec<(u64, u64)>>>,
}

/// What is there in the end.
#[derive(Debug, Default)]
pub(in crate::wire) struct Stored {
    /// Of each partition, offsets and values that count.
    pub(in crate::wire) visible: BTreeMap<u32, Vec<(u64, u64)>>,
    /// Of each group, its offset.
    pub(in crate::wire) offsets: BTreeMap<TransactionalId, Option<u64>>,
}

impl Moves {
    /// A value of a move.
    pub(in crate::wire) fn value(number: u64, index: usize) -> u64 {
        let index = index as u64;
        assert!(index < VALUES_MAX, "a move has few records");
        number * VALUES_MAX + index
    }

    fn of_value(&self, value: u64) -> Option<&Move> {
        self.moves.get(&(value / VALUES_MAX))
    }

    /// A move begins.
    pub(in crate::wire) fn begin(&mut self, number: u64, manner: Manner, values: Vec<(u32, u64)>, has_offset: bool) {
        if let Manner::Transaction(_, key) = &manner {
            self.by_key.insert(*key, number);
        }
        let read = BTreeSet::new();
        let begun = Move { manner, values, is_asked: false, told: None, read, has_offset };
        self.moves.insert(number, begun);
    }

    /// It is asked to make it count.
    pub(in crate::wire) fn ask(&mut self, number: u64) {
        let of = self.moves.get_mut(&number).expect("it has begun");
        let is_first = !std::mem::replace(&mut of.is_asked, true);
        if is_first && matches!(of.manner, Manner::Transaction(..)) {
            self.asked.push(number);
        }
    }

    /// Transactions that were asked to count so far.
    pub(in crate::wire) fn asked_count(&self) -> usize {
        self.asked.len()
    }

    /// Whether it was said how the one ended that so many were asked to count before.
    pub(in crate::wire) fn is_told(&self, index: usize) -> bool {
        self.moves[&self.asked[index]].told.is_some()
    }

    /// The server said how it ended.
    pub(in crate::wire) fn tell(&mut self, number: u64, outcome: TransactionOutcome) -> Checked {
        let ended = self.moves.get_mut(&number).expect("it has begun");
        match ended.told.replace(outcome) {
            Some(before) if before != outcome => {
                violation("one outcome", format!("move {number} was {before:?}, and then {outcome:?}: {ended:?}"))
            }
            _ if outcome == TransactionOutcome::Committed && !ended.is_asked => {
                violation("one outcome", format!("move {number} was committed, which nobody asked for: {ended:?}"))
            }
            _ => Ok(()),
        }
    }

    /// The server said how the transaction of this key ended.
    pub(in crate::wire) fn tell_of(&mut self, key: TransactionKey, outcome: TransactionOutcome) -> Checked {
        match self.by_key.get(&key).copied() {
            Some(number) => self.tell(number, outcome),
            None => Ok(()),
        }
    }

    /// A value was said or seen to be there: it is there for ever, and nowhere else.
    pub(in crate::wire) fn place(&mut self, spot: Spot, value: u64) -> Checked {
        if let Some(other) = self.value_at.insert(spot, value).filter(|other| *other != value) {
            return violation("inconsistent offsets", format!("{spot:?} has value {other}, and then {value}"));
        }
        match self.spot_of.insert(value, spot).filter(|other| *other != spot) {
            Some(other) => violation("duplicate", format!("value {value} is at {other:?} and at {spot:?}")),
            None => Ok(()),
        }
    }

    /// A reader of what is committed was shown a value.
    pub(in crate::wire) fn see(&mut self, spot: Spot, value: u64) -> Checked {
        self.place(spot, value)?;
        let Some(of) = self.of_value(value) else {
            return violation("bytes", format!("value {value} at {spot:?} was never sent"));
        };
        if !of.is_asked {
            return violation("precommitted read", format!("value {value} at {spot:?} counts too early: {of:?}"));
        }
        if of.told == Some(TransactionOutcome::Aborted) {
            return violation("aborted read (G1a)", format!("value {value} at {spot:?} counts: {of:?}"));
        }
        self.seen.insert(value);
        Ok(())
    }

    /// The same with one answer, of all that counts in this stretch of offsets.
    pub(in crate::wire) fn see_all(&mut self, partition: u32, stretch: Range<u64>, values: &[(u64, u64)]) -> Checked {
        for (offset, value) in values {
            self.see((partition, *offset), *value)?;
        }
        self.answers.push(Answer { partition, stretch, shown: values.to_vec() });
        Ok(())
    }

    /// A transaction that goes on has read a value. What it reads once it may count is not a part of it.
    pub(in crate::wire) fn read_in(&mut self, number: u64, value: u64) {
        let within = self.moves.get_mut(&number).expect("it has begun");
        if !within.is_asked {
            within.read.insert(value / VALUES_MAX);
        }
    }

    /// A reader that begins at the beginning.
    pub(in crate::wire) fn reader(&mut self) -> usize {
        self.handed.push(BTreeMap::new());
        self.handed.len() - 1
    }

    /// It was handed this value.
    pub(in crate::wire) fn hand(&mut self, reader: usize, (partition, offset): Spot, value: u64) -> Checked {
        self.see((partition, offset), value)?;
        let handed = self.handed[reader].entry(partition).or_default();
        if handed.last().is_some_and(|(last, _)| *last >= offset) {
            return violation("nonmonotonic poll", format!("partition {partition}: {offset} behind {handed:?}"));
        }
        handed.push((offset, value));
        Ok(())
    }

    /// What is stored in the end fits everything that was said and shown.
    fn hold(&mut self, stored: &Stored) -> Checked {
        let mut visible: BTreeSet<u64> = BTreeSet::new();
        for (partition, records) in &stored.visible {
            for (offset, value) in records {
                self.see((*partition, *offset), *value)?;
                visible.insert(*value);
            }
        }
        for (number, of) in &self.moves {
            let seen = of.values.iter().filter(|(_, value)| visible.contains(value)).count();
            match of.told {
                Some(TransactionOutcome::Committed) if seen == 0 => {
                    return violation("lost", format!("move {number} was committed and is not there: {of:?}"));
                }
                _ if seen != 0 && seen != of.values.len() => {
                    return violation("torn transaction", format!("{seen} values of move {number} count: {of:?}"));
                }
                _ => {}
            }
        }
        self.what_was_read_counts(&visible)?;
        self.nothing_was_read_in_part(stored)?;
        self.readers_skipped_nothing(stored)?;
        self.sent_in_order(stored)?;
        self.has_no_cycle(&self.wrote_before(stored), "write cycle (G0)")?;
        self.has_no_cycle(&self.read_from(&visible), "cycle without ww edges (G1c)")?;
        self.offsets_hold(stored, &visible)
    }

    /// What was shown to readers of what is committed counts for ever.
    fn what_was_read_counts(&self, visible: &BTreeSet<u64>) -> Checked {
        match self.seen.iter().find(|value| !visible.contains(value)) {
            Some(value) => {
                let of = self.of_value(*value);
                violation("aborted read (G1a)", format!("value {value} was read and does not count: {of:?}"))
            }
            None => Ok(()),
        }
    }

    /// Of every stretch that one answer showed, it showed all that counts: of no transaction a part.
    fn nothing_was_read_in_part(&self, stored: &Stored) -> Checked {
        for Answer { partition, stretch, shown } in &self.answers {
            let there = stored.visible.get(partition).into_iter().flatten();
            let counts: Vec<_> = there.filter(|(offset, _)| stretch.contains(offset)).copied().collect();
            if counts != *shown {
                let what = format!("partition {partition}, offsets {stretch:?}: {shown:?} was read of {counts:?}");
                return violation("intermediate read (G1b)", what);
            }
        }
        Ok(())
    }

    /// Whoever read from the beginning was handed everything that counts, in order.
    fn readers_skipped_nothing(&self, stored: &Stored) -> Checked {
        for handed in &self.handed {
            for (partition, records) in handed {
                let there = stored.visible.get(partition).map_or(&[][..], Vec::as_slice);
                if there.get(..records.len()) != Some(&records[..]) {
                    let what = format!("partition {partition}: {records:?} was handed out of {there:?}");
                    return violation("poll skip", what);
                }
            }
        }
        Ok(())
    }

    /// The values of a move, and the transactions of a transactional id, follow one another in every partition.
    fn sent_in_order(&self, stored: &Stored) -> Checked {
        for (partition, records) in &stored.visible {
            let mut last_value: BTreeMap<u64, u64> = BTreeMap::new();
            let mut last_move: BTreeMap<&TransactionalId, u64> = BTreeMap::new();
            for (_, value) in records {
                let number = value / VALUES_MAX;
                let is_back = last_value.insert(number, *value).is_some_and(|last| last >= *value);
                let is_older = match &self.moves[&number].manner {
                    Manner::Transaction(name, _) => last_move.insert(name, number).is_some_and(|last| last > number),
                    Manner::Together => false,
                };
                if is_back || is_older {
                    let what = format!("partition {partition}: value {value} comes too late: {records:?}");
                    return violation("nonmonotonic send", what);
                }
            }
        }
        Ok(())
    }

    /// Which moves without a transaction come before which, partition by partition.
    fn wrote_before(&self, stored: &Stored) -> BTreeMap<u64, BTreeSet<u64>> {
        let mut edges: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
        for records in stored.visible.values() {
            let numbers = records.iter().map(|(_, value)| value / VALUES_MAX);
            let numbers: Vec<u64> = numbers.filter(|number| self.moves[number].manner == Manner::Together).collect();
            for pair in numbers.windows(2).filter(|pair| pair[0] != pair[1]) {
                edges.entry(pair[0]).or_default().insert(pair[1]);
            }
        }
        edges
    }

    /// Which moves read from which, among those that count.
    fn read_from(&self, visible: &BTreeSet<u64>) -> BTreeMap<u64, BTreeSet<u64>> {
        let counts = |of: &Move| of.values.iter().any(|(_, value)| visible.contains(value));
        let mut edges: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
        for (reader, of) in self.moves.iter().filter(|(_, of)| counts(of)) {
            for writer in of.read.iter().filter(|writer| *writer != reader) {
                edges.entry(*writer).or_default().insert(*reader);
            }
        }
        edges
    }

    fn has_no_cycle(&self, edges: &BTreeMap<u64, BTreeSet<u64>>, name: &'static str) -> Checked {
        let mut incoming: BTreeMap<u64, usize> = BTreeMap::new();
        for (from, to) in edges.iter().flat_map(|(from, all)| all.iter().map(move |to| (*from, *to))) {
            incoming.entry(from).or_default();
            *incoming.entry(to).or_default() += 1;
        }
        let mut free: Vec<u64> = incoming.iter().filter(|(_, count)| **count == 0).map(|(number, _)| *number).collect();
        let mut left = incoming.len();
        while let Some(number) = free.pop() {
            left -= 1;
            for next in edges.get(&number).into_iter().flatten() {
                let count = incoming.get_mut(next).expect("it has edges");
                *count -= 1;
                if *count == 0 {
                    free.push(*next);
                }
            }
        }
        if left > 0 {
            incoming.retain(|_, count| *count > 0);
            return violation(name, format!("among moves {:?}: {edges:?}", incoming.keys()));
        }
        Ok(())
    }

    /// A group is where its last transaction that counts has put it.
    fn offsets_hold(&self, stored: &Stored, visible: &BTreeSet<u64>) -> Checked {
        for (group, found) in &stored.offsets {
            let is_of_group = |of: &&Move| matches!(&of.manner, Manner::Transaction(name, _) if name == group);
            let counts = |of: &Move| of.values.iter().any(|(_, value)| visible.contains(value));
            let with = self.moves.iter().filter(|(_, of)| is_of_group(of) && of.has_offset && counts(of));
            let last = with.map(|(number, _)| *number).max();
            if *found != last {
                let what = format!("group {group} is at {found:?}, its last transaction that counts is {last:?}");
                return violation("torn transaction", what);
            }
        }
        Ok(())
    }
}

impl Ground {
    /// A batch was said to be at an offset: its values, in order.
    pub(in crate::wire) fn moved(&self, partition: u32, base: Offset, values: &[u64]) -> Checked {
        let mut moves = self.moves.borrow_mut();
        (base.0..).zip(values).try_for_each(|(offset, value)| moves.place((partition, offset), *value))
    }

    /// What is there in the end is what was said and shown.
    pub(in crate::wire) fn moves_hold(&self, stored: &Stored) -> Checked {
        let seen: usize = stored.visible.values().map(Vec::len).sum();
        self.count(|summary| summary.read_move_count += seen as u64);
        self.moves.borrow_mut().hold(stored)
    }
}

#[cfg(test)]
mod tests;
