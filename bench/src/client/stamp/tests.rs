use std::collections::BTreeSet;

use bytes::BytesMut;
use florin_engine::format::batch::{ProducerStamp, RecordWalk, validate};
use florin_engine::model::{ProducerEpoch, ProducerId, TopicId};

use super::*;
use crate::client::payload::{PayloadKind, Payloads};

#[test]
fn every_batch_has_a_key_of_its_own_that_belongs_to_its_partition_and_a_right_checksum() {
    let payloads = Payloads::build_with_keys(&PayloadKind::Random, 100).expect("they are built");
    let stamp = KeyStamp::of(payloads.batch(0), 8, 7).expect("there is a place");
    let mut keys = BTreeSet::new();
    for connection in 0..3 {
        let mut stamp = stamp.of_connection(connection);
        for number in 0..100 {
            let mut batch = BytesMut::from(&payloads.batch(number)[..]);
            let partition = PartitionId { topic: TopicId(1), index: u32::try_from(number % 8).expect("it is small") };
            stamp.put(&mut batch, partition);
            validate(&batch, batch.len()).expect("a right batch");
            let record = RecordWalk::new(&batch).expect("records").next().expect("one").expect("a right one");
            let key = record.key.expect("a key");
            assert_eq!(Partitioner::Murmur2.partition_of(key, 8), partition.index);
            assert!(keys.insert(key.to_vec()), "no key comes twice");
        }
    }
    let plain = Payloads::build(&PayloadKind::Fixed, 100, 1).expect("they are built");
    assert!(KeyStamp::of(plain.batch(0), 8, 7).is_err());
}

#[test]
fn a_batch_says_who_sends_it_and_has_a_right_checksum() {
    let payloads = Payloads::build(&PayloadKind::Random, 100, 3).expect("they are built");
    let key = TransactionKey { producer: ProducerId(0x0102_0304_0506), epoch: ProducerEpoch(7) };
    for is_transactional in [false, true] {
        let mut batch = BytesMut::from(&payloads.batch(0)[..]);
        put_producer(&mut batch, key, 90, is_transactional);
        let info = validate(&batch, batch.len()).expect("a right batch");
        assert_eq!(info.producer, Some(ProducerStamp::new(key.producer, key.epoch, 90, 3)));
        assert_eq!(info.transaction(), is_transactional.then_some(key));
    }
}
