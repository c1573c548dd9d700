//! Accounts for every payment of a topic that retention cut: what went and what is left must be what there was, of each
//! partition and in all, in payments and in cents.

use anyhow::Result;
use florin_engine::model::PartitionId;
use florin_net::client::Client;
use florin_net::protocol::{ListAt, TopicDescription};

use super::capture::Stored;
use super::check::PartitionSum;
use super::payments::Payment;
use crate::size::grouped;

#[cfg(test)]
mod tests;

/// Where a partition begins and ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// The first offset that can be read.
    pub start: u64,
    /// One behind the last.
    pub end: u64,
}

/// The bounds of every partition, in order.
///
/// # Errors
/// If a shard does not answer.
pub fn bounds(client: &Client, topic: &TopicDescription) -> Result<Vec<Bounds>> {
    let indexes = (0u32..).take(topic.placement.len());
    let ask = |index| -> Result<Bounds> {
        let at = |at| client.list_offset(PartitionId { topic: topic.id, index }, at);
        Ok(Bounds { start: at(ListAt::Start)?.0, end: at(ListAt::End)?.0 })
    };
    indexes.map(ask).collect()
}

/// Each partition before and behind the cut.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// What was read before it.
    pub held: Vec<PartitionSum>,
    /// Where each begins and ends behind it.
    pub bounds: Vec<Bounds>,
    /// What was acknowledged below its start: cut.
    pub cut: Vec<PartitionSum>,
    /// What was read behind it.
    pub left: Vec<PartitionSum>,
}

impl Ledger {
    /// Puts it together. What was cut is known from the acknowledgements.
    pub fn new(
        payments: &[Payment],
        stored: &[Stored],
        held: &[PartitionSum],
        bounds: Vec<Bounds>,
        left: Vec<PartitionSum>,
    ) -> Self {
        assert_eq!((held.len(), left.len()), (bounds.len(), bounds.len()), "all of it is by partition");
        let mut cut = vec![PartitionSum::default(); bounds.len()];
        for (payment, stored) in payments.iter().zip(stored) {
            let partition = stored.partition as usize;
            if bounds.get(partition).is_some_and(|bounds| stored.offset < bounds.start) {
                cut[partition].add(payment.cents);
            }
        }
        Self { held: held.to_vec(), bounds, cut, left }
    }

    /// All that was cut.
    pub fn cut_sum(&self) -> PartitionSum {
        self.cut.iter().copied().sum()
    }

    /// All that is left.
    pub fn left_sum(&self) -> PartitionSum {
        self.left.iter().copied().sum()
    }

    /// Partitions that do not begin behind as many payments as were cut of them, or do not end behind what is left.
    pub fn displaced(&self) -> Vec<String> {
        let partitions = self.bounds.iter().zip(&self.cut).zip(&self.left).zip(0..);
        let displaced = partitions.filter_map(|(((bounds, cut), left), index)| {
            let Bounds { start, end } = *bounds;
            let is_right = start == cut.payment_count && end == start + left.payment_count;
            let (cut, left) = (grouped(cut.payment_count), grouped(left.payment_count));
            (!is_right).then(|| format!("partition {index} is from {start} to {end}: {cut} cut, {left} left"))
        });
        displaced.collect()
    }

    /// Where what went and what is left is not what there was, of a partition or in all.
    pub fn unbalanced(&self, expected: PartitionSum) -> Vec<String> {
        let partitions =
            self.held.iter().zip(&self.cut).zip(&self.left).zip(0..).map(|(((held, cut), left), index)| {
                (format!("partition {index}"), *held, [*cut, *left].into_iter().sum::<PartitionSum>())
            });
        let all = ("all partitions".to_owned(), expected, [self.cut_sum(), self.left_sum()].into_iter().sum());
        let unbalanced = partitions.chain([all]).filter(|(_, had, have)| had != have);
        unbalanced.map(|(what, had, have)| format!("{what}: had {had}, cut and left are {have}")).collect()
    }
}

/// Partitions that do not begin and end where they did.
pub fn moved(before: &[Bounds], after: &[Bounds]) -> Vec<String> {
    let mut moved = Vec::new();
    if before.len() != after.len() {
        moved.push(format!("{} partitions, now {}", before.len(), after.len()));
    }
    for ((before, after), index) in before.iter().zip(after).zip(0..) {
        if before != after {
            let (Bounds { start, end }, now) = (before, after);
            moved.push(format!("partition {index} was from {start} to {end}, now from {} to {}", now.start, now.end));
        }
    }
    moved
}
