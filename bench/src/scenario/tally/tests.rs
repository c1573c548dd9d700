use std::time::Instant;

use florin_engine::model::{Offset, PartitionId, TopicId};

use super::{Kept, Tally};
use crate::client::control::Control;
use crate::client::fake_server::FakeServer;
use crate::client::load::Stored;
use crate::client::payload::{PayloadKind, Payloads};

#[allow(clippy::disallowed_methods, reason = "times do not count here")]
fn stored(partition: PartitionId, base_offset: u64) -> Stored {
    let now = Instant::now();
    Stored { partition, base_offset: Offset(base_offset), batch: 0, since: now, at: now }
}

/// A server with three batches of two records in the first partition of a topic of two.
fn served() -> (FakeServer, Control, TopicId) {
    let server = FakeServer::start(1);
    let mut control = Control::connect(&server.address(0)).unwrap();
    let topic = control.create_topic("tally", 2).unwrap();
    let payloads = Payloads::build(&PayloadKind::Fixed, 8, 2).unwrap();
    for number in 0..3 {
        control.capture(PartitionId { topic, index: 0 }, payloads.batch(number)).unwrap();
    }
    (server, control, topic)
}

fn tally(topic: TopicId, base_offsets: &[u64]) -> Tally {
    let mut tally = Tally::new(&[(TopicId(99), 3), (topic, 2)], 2);
    tally.topics.remove(0);
    base_offsets.iter().for_each(|offset| tally.take(&stored(PartitionId { topic, index: 0 }, *offset)));
    tally
}

#[test]
fn everything_that_was_acknowledged_is_there() {
    let (_server, mut control, topic) = served();
    let full = tally(topic, &[4, 0, 2]);
    assert_eq!(full.check(&mut control, true).unwrap(), Kept::default());
    assert_eq!((full.total(), full.records(PartitionId { topic, index: 0 }), full.silent_count()), (6, 6, 4));
}

#[test]
fn what_nobody_acknowledged_is_counted_or_refused() {
    let (_server, mut control, topic) = served();
    let less = tally(topic, &[0, 2]);
    assert_eq!(less.check(&mut control, false).unwrap().unacknowledged_records, 2);
    let error = less.check(&mut control, true).unwrap_err().to_string();
    assert!(error.contains("others write to it"), "{error}");
}

#[test]
fn what_was_acknowledged_and_is_gone_is_an_error() {
    let (_server, mut control, topic) = served();
    let error = tally(topic, &[0, 2, 4, 6]).check(&mut control, false).unwrap_err().to_string();
    assert!(error.contains("is gone"), "{error}");
    let error = tally(topic, &[0, 6]).check(&mut control, false).unwrap_err().to_string();
    assert!(error.contains("is gone"), "{error}");
    // As many records as there are, but one offset twice: the end tells.
    let error = tally(topic, &[0, 2, 2]).check(&mut control, true).unwrap_err().to_string();
    assert!(error.contains("up to offset 4"), "{error}");
}

#[test]
fn cuts_are_summed_up() {
    let (server, mut control, topic) = served();
    server.with_state(|state| {
        let log = state.logs.get_mut(&PartitionId { topic, index: 0 }).unwrap();
        (log.start_offset, log.cut_bytes) = (2, 500);
    });
    let kept = tally(topic, &[0, 2, 4]).check(&mut control, true).unwrap();
    assert_eq!(kept, Kept { cut_records: 2, cut_bytes: 500, unacknowledged_records: 0 });
}

#[test]
fn answers_in_order_must_follow_each_other() {
    let partition = PartitionId { topic: TopicId(1), index: 0 };
    let mut tally = Tally::new(&[(TopicId(1), 1)], 10);
    tally.take_next(&stored(partition, 0)).unwrap();
    tally.take_next(&stored(partition, 10)).unwrap();
    for wrong in [10, 30] {
        let error = tally.clone().take_next(&stored(partition, wrong)).unwrap_err().to_string();
        assert!(error.contains(&format!("at offset {wrong} and not at 20")), "{error}");
    }
}
