#![allow(clippy::disallowed_methods, reason = "a bench measures with the host's clock")]

use std::time::{Duration, Instant};

use florin_engine::model::{Offset, PartitionId, Realtime, TopicId};

use super::Matching;
use crate::client::load::{Observer, Stored, Window};
use crate::client::payload::{PayloadKind, Payloads};
use crate::client::reader::{Delivered, Deliveries};

const RECORDS: u32 = 2;

struct Rig {
    payloads: Payloads,
    begun: Instant,
}

impl Rig {
    fn new() -> Self {
        Self { payloads: Payloads::build(&PayloadKind::Random, 8, RECORDS).unwrap(), begun: Instant::now() }
    }

    fn matching(&self, consumers: usize, is_open_loop: bool) -> Matching<'_> {
        let mut matching = Matching::new(&self.payloads, 2, consumers);
        matching.begins(Window { from: self.at(10), to: self.at(20), is_open_loop });
        matching
    }

    fn at(&self, ms: u64) -> Instant {
        self.begun + Duration::from_millis(ms)
    }

    /// The batch of a number, stored on a partition.
    fn stored(&self, index: u32, batch: usize, offset: u64, since_ms: u64) -> Stored {
        let partition = PartitionId { topic: TopicId(1), index };
        Stored { partition, base_offset: Offset(offset), batch, since: self.at(since_ms), at: self.at(since_ms) }
    }

    fn delivered(&self, index: u32, number: usize, offset: u64, at_ms: u64) -> Delivered {
        Delivered {
            partition: PartitionId { topic: TopicId(1), index },
            base_offset: Offset(offset),
            record_count: RECORDS,
            append_time: Realtime(1),
            value_bytes: 16,
            batch_bytes: self.payloads.batch(number).len(),
            crc: self.payloads.crc(number),
            at: self.at(at_ms),
        }
    }
}

#[test]
fn a_delivery_is_awaited_from_every_consumer_whatever_is_noticed_first() {
    let rig = Rig::new();
    let mut matching = rig.matching(2, true);
    matching.delivered(&rig.delivered(0, 5, 0, 13)).unwrap();
    assert_eq!(matching.awaited_count(), 1, "it is not known to be stored");
    matching.stored(&rig.stored(0, 5, 0, 12)).unwrap();
    assert_eq!(matching.awaited_count(), 1, "one consumer has not read it");
    matching.delivered(&rig.delivered(0, 5, 0, 18)).unwrap();
    assert_eq!(matching.awaited_count(), 0);
    matching.stored(&rig.stored(0, 6, 2, 12)).unwrap();
    matching.stored(&rig.stored(1, 7, 0, 12)).unwrap();
    assert_eq!(matching.awaited_count(), 2, "partitions have offsets of their own");
    matching.delivered(&rig.delivered(1, 7, 0, 13)).unwrap();
    matching.delivered(&rig.delivered(1, 7, 0, 13)).unwrap();
    matching.delivered(&rig.delivered(0, 6, 2, 13)).unwrap();
    matching.delivered(&rig.delivered(0, 6, 2, 13)).unwrap();
    assert_eq!(matching.awaited_count(), 0);
    let matched = matching.finish();
    assert_eq!((matched.delivered_batches, matched.latencies.count()), (6, 6));
    let percentiles = matched.latencies.percentiles();
    let near = |value: f64, ms: f64| (value - ms * 1000.0).abs() <= ms;
    assert!(near(percentiles.p50_us, 1.0) && near(percentiles.max_us, 6.0), "from {percentiles:?}");
}

#[test]
fn a_delivery_counts_by_when_it_was_due_in_an_open_loop_and_by_when_it_was_read_in_a_closed_one() {
    let rig = Rig::new();
    for (is_open_loop, expected) in [(true, 2), (false, 1)] {
        let mut matching = rig.matching(1, is_open_loop);
        // Due before the time and read in it; due in it and read behind it, twice.
        for (number, (since_ms, at_ms)) in [(9, 11), (15, 25), (19, 20)].into_iter().enumerate() {
            let offset = number as u64 * u64::from(RECORDS);
            matching.stored(&rig.stored(0, number, offset, since_ms)).unwrap();
            matching.delivered(&rig.delivered(0, number, offset, at_ms)).unwrap();
        }
        let matched = matching.finish();
        assert_eq!((matched.latencies.count(), matched.delivered_batches), (expected, 3));
    }
}

#[test]
fn a_batch_that_is_not_stored_where_the_one_before_it_ended_is_an_error() {
    let rig = Rig::new();
    let mut matching = rig.matching(1, false);
    matching.stored(&rig.stored(1, 0, 0, 12)).unwrap();
    let error = matching.stored(&rig.stored(1, 1, 3, 12)).unwrap_err().to_string();
    assert!(error.contains("partition 1/1") && error.contains("at offset 3 and not at 2"), "{error}");
}

#[test]
fn other_bytes_than_were_sent_are_an_error_whatever_is_noticed_first() {
    let rig = Rig::new();
    let mut matching = rig.matching(1, false);
    matching.stored(&rig.stored(0, 0, 0, 12)).unwrap();
    let error = matching.delivered(&rig.delivered(0, 1, 0, 13)).unwrap_err().to_string();
    assert!(error.contains("other bytes than were stored"), "{error}");
    let mut matching = rig.matching(1, false);
    matching.delivered(&rig.delivered(0, 1, 0, 13)).unwrap();
    let error = matching.stored(&rig.stored(0, 0, 0, 12)).unwrap_err().to_string();
    assert!(error.contains("other bytes were read"), "{error}");
}

#[test]
fn a_batch_that_is_read_too_often_or_was_never_sent_is_an_error() {
    let rig = Rig::new();
    let mut matching = rig.matching(1, false);
    matching.delivered(&rig.delivered(0, 0, 0, 13)).unwrap();
    let error = matching.delivered(&rig.delivered(0, 0, 0, 13)).unwrap_err().to_string();
    assert!(error.contains("a second time"), "{error}");
    let error = matching.delivered(&rig.delivered(2, 0, 0, 13)).unwrap_err().to_string();
    assert!(error.contains("partition 1/2 is none"), "{error}");
    assert!(matching.stored(&rig.stored(2, 0, 0, 13)).is_err());
    let short = Delivered { record_count: 1, ..rig.delivered(0, 0, 2, 13) };
    let error = matching.delivered(&short).unwrap_err().to_string();
    assert!(error.contains("a batch of 1 records was read, all that are sent have 2"), "{error}");
}
