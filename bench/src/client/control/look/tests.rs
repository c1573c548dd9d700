use florin_engine::model::{Offset, PartitionId};

use super::Captured;
use crate::client::control::Control;
use crate::client::fake_server::FakeServer;
use crate::client::payload::{PayloadKind, Payloads};

fn one_topic(server: &FakeServer) -> (Control, PartitionId, Payloads) {
    let mut control = Control::connect(&server.address(0)).unwrap();
    let topic = control.create_topic("look", 2).unwrap();
    (control, PartitionId { topic, index: 0 }, Payloads::build(&PayloadKind::Random, 16, 2).unwrap())
}

#[test]
fn what_was_stored_is_compared_with_what_was_sent() {
    let server = FakeServer::start(1);
    let (mut control, partition, payloads) = one_topic(&server);
    for number in 0..2 {
        let stored = control.capture(partition, payloads.batch(number)).unwrap();
        assert_eq!(stored, Captured::Stored(Offset(2 * number as u64)));
    }
    control.check_stored(partition, Offset(2), payloads.batch(1)).unwrap();
    let mut error = |offset, batch| {
        format!("{:#}", control.check_stored(partition, Offset(offset), payloads.batch(batch)).unwrap_err())
    };
    assert!(error(2, 0).contains("not the one that was sent"));
    assert!(error(3, 1).contains("no batch that begins at 3"));
    assert!(error(4, 1).contains("nothing is stored at offset 4"));
}

#[test]
fn a_full_journal_is_to_be_tried_again() {
    let server = FakeServer::start(1);
    let (mut control, partition, payloads) = one_topic(&server);
    server.with_state(|state| state.full_count = 1);
    assert_eq!(control.capture(partition, payloads.batch(0)).unwrap(), Captured::Retry);
    assert_eq!(control.capture(partition, payloads.batch(0)).unwrap(), Captured::Stored(Offset(0)));
}

#[test]
fn partitions_are_described_in_their_order() {
    let server = FakeServer::start(1);
    let (mut control, partition, payloads) = one_topic(&server);
    control.capture(PartitionId { index: 1, ..partition }, payloads.batch(0)).unwrap();
    let described = control.partitions(partition.topic).unwrap();
    let ends: Vec<(u32, u64)> = described.iter().map(|found| (found.index, found.high_watermark)).collect();
    assert_eq!(ends, [(0, 0), (1, 2)]);
}
