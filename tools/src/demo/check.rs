//! Holds what is read back against what was captured and acknowledged.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::capture::Stored;
use super::payments::{Cents, Payment};

#[cfg(test)]
mod tests;

/// Differences that are told of each kind; all are counted.
const TOLD_MAX: usize = 5;

/// What is checked, each with what holds if nothing is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// Every payment is there.
    Missing,
    /// None is there twice.
    Doubled,
    /// Keys, values and times are those that were sent, and there is nothing else.
    Changed,
    /// Each customer's payments are in one partition, in the order in which they were sent.
    Order,
    /// Each is at the offset that its acknowledgement named.
    Place,
    /// Offsets begin at 0 and have no gap.
    Gap,
}

/// All checks, in the order in which they are reported.
pub const CHECKS: [Check; 6] = [Check::Missing, Check::Doubled, Check::Changed, Check::Order, Check::Place, Check::Gap];

/// A record that was read.
#[derive(Clone, Copy, Debug)]
pub struct Read<'a> {
    /// Its partition.
    pub partition: u32,
    /// Its offset there.
    pub offset: u64,
    /// Its time.
    pub timestamp_ms: i64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub value: Option<&'a [u8]>,
}

/// Payments of one partition, as they were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionSum {
    /// How many.
    pub payment_count: u64,
    /// How much.
    pub cents: Cents,
}

/// What differs.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    counts: BTreeMap<Check, u64>,
    told: BTreeMap<Check, Vec<String>>,
}

/// Reads along.
#[derive(Debug)]
pub struct Checker<'a> {
    payments: &'a [Payment],
    stored: &'a [Stored],
    seen: Vec<bool>,
    next_offsets: Vec<u64>,
    sums: Vec<PartitionSum>,
    /// The last payment of each customer, and its partition.
    last_of_customer: BTreeMap<&'static str, (u64, u32)>,
    findings: Findings,
}

/// What a value says first.
#[derive(Deserialize)]
struct Named {
    payment_id: u64,
}

impl<'a> Checker<'a> {
    /// Nothing is read yet. `stored` says of each payment where it was acknowledged.
    pub fn new(payments: &'a [Payment], stored: &'a [Stored], partition_count: usize) -> Self {
        assert_eq!(payments.len(), stored.len(), "every payment was acknowledged");
        Self {
            payments,
            stored,
            seen: vec![false; payments.len()],
            next_offsets: vec![0; partition_count],
            sums: vec![PartitionSum::default(); partition_count],
            last_of_customer: BTreeMap::new(),
            findings: Findings::default(),
        }
    }

    /// Takes the next record of its partition.
    pub fn read(&mut self, read: Read<'_>) {
        let Read { partition, offset, .. } = read;
        let place = format!("partition {partition}, offset {offset}");
        let Some(next) = self.next_offsets.get_mut(partition as usize) else {
            return self.findings.add(Check::Changed, || format!("{place}: the topic has no such partition"));
        };
        if offset != *next {
            let expected = *next;
            self.findings.add(Check::Gap, || format!("{place}: offset {expected} comes next"));
        }
        *next = offset + 1;
        let Some(index) = self.index_of(&read) else {
            return self.findings.add(Check::Changed, || format!("{place}: is no payment that was sent"));
        };
        let (payment, stored) = (&self.payments[index], self.stored[index]);
        let id = payment.id;
        self.sums[partition as usize].payment_count += 1;
        self.sums[partition as usize].cents += payment.cents;
        if std::mem::replace(&mut self.seen[index], true) {
            self.findings.add(Check::Doubled, || format!("{place}: payment {id} once more"));
        }
        let is_same = read.key == Some(payment.customer.as_bytes())
            && read.value == Some(&payment.value())
            && read.timestamp_ms == payment.timestamp_ms;
        if !is_same {
            self.findings.add(Check::Changed, || format!("{place}: payment {id} is not what was sent"));
        }
        if stored != (Stored { partition, offset }) {
            let Stored { partition, offset } = stored;
            self.findings.add(Check::Place, || {
                format!("{place}: payment {id} was acknowledged at partition {partition}, offset {offset}")
            });
        }
        if let Some((last, other)) = self.last_of_customer.insert(payment.customer, (id, partition))
            && (last >= id || other != partition)
        {
            self.findings.add(Check::Order, || format!("{place}: payment {id} follows {last} of partition {other}"));
        }
    }

    /// What was found, with what never came, and the sum of each partition.
    pub fn finish(mut self) -> (Findings, Vec<PartitionSum>) {
        for (payment, stored) in
            self.payments.iter().zip(self.stored).zip(&self.seen).filter_map(|(pair, seen)| (!seen).then_some(pair))
        {
            let Stored { partition, offset } = stored;
            self.findings.add(Check::Missing, || {
                format!("payment {}, acknowledged at partition {partition}, offset {offset}", payment.id)
            });
        }
        (self.findings, self.sums)
    }

    /// Which payment the record says it is.
    fn index_of(&self, read: &Read<'_>) -> Option<usize> {
        let named: Named = serde_json::from_slice(read.value?).ok()?;
        self.payments.binary_search_by_key(&named.payment_id, |payment| payment.id).ok()
    }
}

impl Findings {
    /// Adds a difference; its words are made only while they are told.
    pub fn add(&mut self, check: Check, words: impl FnOnce() -> String) {
        *self.counts.entry(check).or_default() += 1;
        let told = self.told.entry(check).or_default();
        if told.len() < TOLD_MAX {
            told.push(words());
        }
    }

    /// How many there are.
    pub fn count(&self, check: Check) -> u64 {
        self.counts.get(&check).copied().unwrap_or(0)
    }

    /// The first of them, in words.
    pub fn told(&self, check: Check) -> &[String] {
        self.told.get(&check).map_or(&[], Vec::as_slice)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }
}

impl Check {
    /// What holds if nothing is found.
    pub fn holds(self) -> &'static str {
        match self {
            Self::Missing => "no payment is missing",
            Self::Doubled => "no payment is there twice",
            Self::Changed => "no payment is changed, and nothing else is there",
            Self::Order => "each customer's payments are in the order in which they were sent",
            Self::Place => "every payment is at the offset that its acknowledgement named",
            Self::Gap => "offsets have no gap",
        }
    }
}
