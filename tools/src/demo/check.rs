//! Holds what is read back against what was captured and acknowledged.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use super::capture::Stored;
use super::payments::{Cents, Payment};
use crate::size::grouped;

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
    /// Offsets begin where the partition does, at 0 unless it was cut, and have no gap.
    Gap,
    /// Nothing that was cut is there again.
    Returned,
}

/// The checks of a topic of which nothing was cut, in the order in which they are reported.
pub const CHECKS: [Check; 6] = [Check::Missing, Check::Doubled, Check::Changed, Check::Order, Check::Place, Check::Gap];
/// The checks of what is left of a topic behind a cut.
pub const CHECKS_BEHIND_CUT: [Check; 7] =
    [Check::Missing, Check::Returned, Check::Doubled, Check::Changed, Check::Order, Check::Place, Check::Gap];

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

impl PartitionSum {
    /// Of all payments that are given.
    pub fn of(amounts: impl ExactSizeIterator<Item = Cents>) -> Self {
        Self { payment_count: amounts.len() as u64, cents: amounts.sum() }
    }

    /// With one payment more.
    pub fn add(&mut self, cents: Cents) {
        self.payment_count += 1;
        self.cents += cents;
    }
}

impl fmt::Display for PartitionSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let payments = if self.payment_count == 1 { "payment" } else { "payments" };
        write!(f, "{} {payments} of {} dollars", grouped(self.payment_count), self.cents)
    }
}

impl std::iter::Sum for PartitionSum {
    fn sum<I: Iterator<Item = Self>>(sums: I) -> Self {
        sums.fold(Self::default(), |all, one| Self {
            payment_count: all.payment_count + one.payment_count,
            cents: Cents(all.cents.0 + one.cents.0),
        })
    }
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
    /// Where each partition begins: what was acknowledged below is cut.
    starts: Vec<u64>,
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
        Self::behind_cut(payments, stored, vec![0; partition_count])
    }

    /// Nothing is read yet, and nothing that was acknowledged below these offsets may be: of each partition, what is
    /// left begins there.
    pub fn behind_cut(payments: &'a [Payment], stored: &'a [Stored], starts: Vec<u64>) -> Self {
        assert_eq!(payments.len(), stored.len(), "every payment was acknowledged");
        Self {
            payments,
            stored,
            seen: vec![false; payments.len()],
            next_offsets: starts.clone(),
            sums: vec![PartitionSum::default(); starts.len()],
            starts,
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
        self.sums[partition as usize].add(payment.cents);
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
        if self.is_cut(stored) {
            let Stored { partition, offset } = stored;
            self.findings.add(Check::Returned, || {
                format!("{place}: payment {id} was cut from partition {partition}, offset {offset}")
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
        for ((payment, stored), seen) in self.payments.iter().zip(self.stored).zip(&self.seen) {
            if *seen || self.is_cut(*stored) {
                continue;
            }
            let Stored { partition, offset } = stored;
            self.findings.add(Check::Missing, || {
                format!("payment {}, acknowledged at partition {partition}, offset {offset}", payment.id)
            });
        }
        (self.findings, self.sums)
    }

    fn is_cut(&self, stored: Stored) -> bool {
        self.starts.get(stored.partition as usize).is_some_and(|start| stored.offset < *start)
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
            Self::Returned => "nothing that was cut is there",
        }
    }
}
