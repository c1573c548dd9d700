//! A load whose every batch is read while it is written, on a topic of its own, and what its delivery took.

use anyhow::{Result, ensure};

use crate::client::control::{Control, Placement};
use crate::client::load::{Load, LoadSample, LoadSettings};
use crate::client::matching::{Matched, Matching};
use crate::client::payload::Payloads;
use crate::client::reader::{AtEnd, LanePlan, ReaderPlan, Stretch};
use crate::client::routes::{self, Route};
use crate::machine::on_core;
use crate::target::{Costs, Target, with_topic};
use florin_engine::model::Offset;

/// Who reads.
#[derive(Clone, Copy, Debug)]
pub enum Consumers {
    /// Each partition has one, over a connection of its own.
    OneForEachPartition,
    /// So many, and each reads all partitions: over one connection to each shard, with a fetch in flight for each
    /// partition.
    OfEverything(usize),
}

/// What all rounds share.
#[derive(Debug)]
pub struct DeliveryLoad<'a> {
    /// What is sent.
    pub payloads: &'a Payloads,
    /// How.
    pub settings: LoadSettings,
    /// Bytes that a fetch asks for at most.
    pub fetch_bytes: u32,
    /// Where the thread that sends and reads everything runs.
    pub client_core: Option<usize>,
}

/// One load in one round.
#[derive(Debug)]
pub struct DeliverySample {
    /// Sent and acknowledged.
    pub load: LoadSample,
    /// Read.
    pub matched: Matched,
    /// Of both.
    pub costs: Costs,
}

impl DeliveryLoad<'_> {
    /// Sends to each partition of a topic over a connection of its own, and reads everything while it is sent.
    pub fn measure(&self, target: &Target, name: &str, partitions: u32, who: Consumers) -> Result<DeliverySample> {
        with_topic(target, name, partitions, |control| {
            let placement = control.placement(name)?;
            let routes = routes::to_each_partition(&placement)?;
            on_core(self.client_core, || self.run(target, control, &placement, &routes, who))
        })
    }

    fn run(
        &self,
        target: &Target,
        control: &mut Control,
        placement: &Placement,
        routes: &[Route],
        who: Consumers,
    ) -> Result<DeliverySample> {
        let plans = reader_plans(routes, who, self.fetch_bytes);
        let mut load = Load::connect(routes)?.with_readers(&plans)?;
        let mut matching = Matching::new(self.payloads, routes.len(), who.of_each_partition());
        let before = target.counters(Some(control))?;
        let sample = load.run(self.payloads, self.settings, &mut matching)?;
        let costs = target.counters(Some(control))?.since(&before);
        let (stored, matched) = (sample.answered_batches, matching.finish());
        ensure!(
            costs.captured_batches == stored,
            "the server counted {} batches, {stored} were acknowledged to us: others use it, or it is wrong",
            costs.captured_batches,
        );
        let expected = stored * who.of_each_partition() as u64;
        ensure!(
            matched.delivered_batches == expected,
            "{stored} batches were acknowledged and {} read, not {expected}",
            matched.delivered_batches
        );
        let ends: u64 = control.partitions(placement.topic)?.iter().map(|found| found.high_watermark).sum();
        let records = stored * u64::from(self.payloads.record_count());
        ensure!(ends == records, "the partitions have {ends} records, {records} were acknowledged");
        Ok(DeliverySample { load: sample, matched, costs })
    }
}

impl DeliverySample {
    /// Records that were acknowledged, those that do not count included: costs are those of all.
    pub fn stored_records(&self, payloads: &Payloads) -> f64 {
        (self.load.answered_batches * u64::from(payloads.record_count())) as f64
    }

    /// Records that were delivered, to each consumer, those that do not count included.
    pub fn delivered_records(&self, payloads: &Payloads) -> f64 {
        (self.matched.delivered_batches * u64::from(payloads.record_count())) as f64
    }

    /// Deliveries of records per second that counts.
    pub fn delivered_records_per_second(&self, payloads: &Payloads) -> f64 {
        let records = self.matched.latencies.count() * u64::from(payloads.record_count());
        records as f64 / self.load.counted_seconds
    }
}

impl Consumers {
    /// How often each record is read.
    fn of_each_partition(self) -> usize {
        match self {
            Self::OneForEachPartition => 1,
            Self::OfEverything(count) => count,
        }
    }
}

/// What is read over which connections.
fn reader_plans(routes: &[Route], who: Consumers, fetch_bytes: u32) -> Vec<ReaderPlan> {
    let lane = |route: &Route| {
        let stretch = Stretch { partition: route.partition, from: Offset(0), to: None };
        LanePlan { stretches: vec![stretch], at_end: AtEnd::Stop }
    };
    let plan = |address: &str, lanes| ReaderPlan { address: address.to_owned(), lanes, fetch_bytes };
    match who {
        Consumers::OneForEachPartition => routes.iter().map(|route| plan(&route.address, vec![lane(route)])).collect(),
        Consumers::OfEverything(count) => {
            let mut addresses: Vec<&str> = routes.iter().map(|route| route.address.as_str()).collect();
            addresses.sort_unstable();
            addresses.dedup();
            let of_address = |address: &str| {
                let there = routes.iter().filter(|route| route.address == address);
                plan(address, there.map(lane).collect())
            };
            let of_one = addresses.into_iter().map(of_address).collect::<Vec<_>>();
            std::iter::repeat_n(of_one, count).flatten().collect()
        }
    }
}

#[cfg(test)]
mod tests;
