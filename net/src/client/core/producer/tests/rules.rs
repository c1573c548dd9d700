//! Gathering, stamping, pipelining, and what is sent again after a refusal.

use std::collections::BTreeSet;

use bytes::Bytes;
use florin_engine::model::{ProducerEpoch, ProducerId, TopicId};

use super::rig::{Rig, SECOND_NS, error, info, produced, record, rules, stamp, stamps, stored, topic, values};
use crate::client::core::producer::{AppendError, ProducerRules};
use crate::client::{Record, SendError};
use crate::protocol::{Code, TopicDescription};

#[test]
fn batches_are_pipelined_up_to_the_limit_and_stamped_in_order() {
    let mut rig = Rig::new(ProducerRules { batches_in_flight_max: 3, ..rules() });
    let sent = rig.send_all(&["a", "b", "c", "d"]);
    assert_eq!(stamps(&sent), [(0, 0), (0, 1), (0, 2)]);
    assert_eq!(rig.core.in_flight_count(), 3);
    rig.answer(sent[0].1, produced(10));
    let next = rig.take();
    assert_eq!(values(&next[0].0), ["d"]);
    assert_eq!(stamp(&next[0].0), (0, 3));
    assert_eq!(rig.outcomes(), [(0, stored(10))]);
}

#[test]
fn answers_out_of_order_keep_the_window() {
    let mut rig = Rig::new(ProducerRules { batches_in_flight_max: 2, ..rules() });
    let sent = rig.send_all(&["a", "b", "c"]);
    rig.answer(sent[1].1, produced(1));
    assert!(rig.take().is_empty(), "the receipt of the first must stay within the server's window");
    rig.answer(sent[0].1, produced(0));
    assert_eq!(rig.take().len(), 1);
    assert_eq!(rig.outcomes(), [(1, stored(1)), (0, stored(0))]);
}

#[test]
fn records_gather_while_the_pipeline_is_full() {
    let mut rig = Rig::new(ProducerRules { batch_records_max: 10, batches_in_flight_max: 1, ..rules() });
    let sent = rig.send_all(&["a"]);
    rig.send(0, "b");
    let third = rig.send(0, "c");
    assert_eq!((third.batch, third.index), (1, 1));
    rig.pump();
    assert!(rig.take().is_empty());
    rig.answer(sent[0].1, produced(0));
    assert_eq!(values(&rig.take()[0].0), ["b", "c"]);
}

#[test]
fn records_gather_while_they_linger_but_not_through_a_flush() {
    let mut rig = Rig::new(ProducerRules { batch_records_max: 10, linger_ns: SECOND_NS, ..rules() });
    assert!(rig.send_all(&["a"]).is_empty());
    assert_eq!(rig.core.wake_at_ns(rig.now_ns), rig.now_ns + SECOND_NS);
    rig.wait(SECOND_NS);
    assert_eq!(rig.take().len(), 1);
    rig.send(0, "b");
    rig.core.expedite();
    rig.pump();
    assert_eq!(rig.take().len(), 1);
}

#[test]
fn a_record_larger_than_a_batch_goes_alone_and_one_larger_than_the_servers_is_refused() {
    let mut rig = Rig::new(ProducerRules { batch_records_max: 10, ..rules() });
    rig.send(0, "small");
    let large = rig.send(0, &"x".repeat(2000));
    assert_eq!((large.batch, large.index), (1, 0));
    let refused = rig.try_send(&record(0, &"x".repeat(5000)));
    assert!(matches!(refused, Err(AppendError::Never(SendError::Record(_)))));
    rig.pump();
    assert_eq!(rig.take().len(), 2);
}

#[test]
fn records_without_a_key_stay_with_a_partition_for_one_batch() {
    let mut rig = Rig::without_identity(ProducerRules { batch_records_max: 2, ..rules() }, vec![0, 0, 1]);
    let keyless = Record::new("v");
    let partitions: Vec<u32> = (0..6).map(|_| rig.try_send(&keyless).unwrap().partition).collect();
    assert_eq!(partitions, [0, 0, 1, 1, 2, 2]);
    let keyed = Record { key: Some(Bytes::from_static(b"21")), ..Record::new("v") };
    let chosen = rig.try_send(&keyed).unwrap().partition;
    assert_eq!(rig.try_send(&keyed).unwrap().partition, chosen);
    let absent = rig.try_send(&record(3, "v"));
    assert!(matches!(absent, Err(AppendError::Never(SendError::Partition { partition: 3, partition_count: 3 }))));
}

#[test]
fn a_full_buffer_takes_no_record_until_a_batch_has_its_outcome() {
    let long = ProducerRules { buffer_bytes_max: 100, batch_records_max: 9, linger_ns: 1 << 40, ..rules() };
    let mut rig = Rig::new(long);
    rig.send(0, &"x".repeat(60));
    assert_eq!(rig.try_send(&record(0, "more than eight")), Err(AppendError::Full));
    rig.pump();
    let sent = rig.take();
    assert_eq!(sent.len(), 1, "what lingers gives way to what waits");
    rig.answer(sent[0].1, produced(0));
    assert_eq!(rig.core.buffered_bytes(), 0);
    rig.send(0, "more than eight");
}

#[test]
fn an_identity_is_asked_for_once_and_from_another_shard_after_a_refusal() {
    let mut rig = Rig::without_identity(rules(), vec![4, 5]);
    rig.send(0, "a");
    rig.send(1, "b");
    rig.pump();
    rig.pump();
    assert_eq!(rig.sent.identities, [4]);
    assert!(rig.take().is_empty());
    rig.core.on_identity_refused(4, rig.now_ns);
    rig.pump();
    assert_eq!(rig.sent.identities, [4], "not without a pause");
    rig.wait(SECOND_NS);
    assert_eq!(rig.sent.identities, [4, 5]);
    rig.core.on_identity(ProducerId(9), ProducerEpoch(3));
    rig.pump();
    assert_eq!(stamps(&rig.take()), [(3, 0), (3, 0)]);
}

#[test]
fn after_a_retry_code_the_pipeline_is_sent_again_in_order_with_the_same_bytes() {
    let mut rig = Rig::new(rules());
    let sent = rig.send_all(&["a", "b", "c"]);
    rig.send(0, "d");
    // The producer is new to the partition: what follows the refused first batch comes from nobody it knows.
    rig.core.on_answer(sent[1].1, error(Code::UNKNOWN_PRODUCER), rig.now_ns);
    rig.core.on_answer(sent[0].1, error(Code::BUSY), rig.now_ns);
    rig.wait(SECOND_NS);
    assert!(rig.take().is_empty(), "one answer is still missing");
    rig.answer(sent[2].1, error(Code::OUT_OF_ORDER));
    let again = rig.take();
    assert_eq!(again.len(), 4);
    for ((first, _), (second, _)) in sent.iter().zip(&again) {
        assert_eq!(first, second);
    }
    assert_eq!(values(&again[3].0), ["d"]);
    assert!(rig.outcomes().is_empty());
}

#[test]
fn repetitions_wait_longer_each_time_up_to_a_cap() {
    let mut rig = Rig::new(rules());
    let mut sent = rig.send_all(&["a"]);
    let mut waits_ms = Vec::new();
    for _ in 0..8 {
        rig.answer(sent[0].1, error(Code::BUSY));
        let wait_ns = rig.core.wake_at_ns(rig.now_ns) - rig.now_ns;
        waits_ms.push(wait_ns / 1_000_000);
        rig.wait(wait_ns - 1);
        assert!(rig.sent.batches.is_empty());
        rig.wait(1);
        sent = rig.take();
    }
    assert_eq!(waits_ms, [20, 40, 80, 160, 320, 640, 1000, 1000]);
}

#[test]
fn a_retry_after_a_lost_answer_sends_the_same_bytes_and_takes_the_original_receipt() {
    let mut rig = Rig::new(rules());
    let sent = rig.send_all(&["a", "b"]);
    rig.lose(&sent);
    rig.wait(SECOND_NS);
    let again = rig.take();
    assert_eq!(again.iter().map(|(bytes, _)| bytes).collect::<Vec<_>>(), [&sent[0].0, &sent[1].0]);
    // Whatever would still come of the lost attempts changes nothing.
    rig.answer(sent[0].1, error(Code::FENCED));
    rig.answer(again[0].1, produced(5));
    assert_eq!(rig.outcomes(), [(0, stored(5))]);
}

#[test]
fn a_partition_that_moved_is_looked_for_and_sent_to_its_new_shard() {
    let mut rig = Rig::new(rules());
    let sent = rig.send_all(&["a"]);
    rig.answer(sent[0].1, error(Code(11)));
    assert!(rig.core.wants_metadata());
    rig.core.on_topic(Some(&topic(vec![6])));
    assert!(!rig.core.wants_metadata());
    rig.wait(SECOND_NS);
    let (shard, _, bytes, _) = rig.sent.batches.pop_front().unwrap();
    assert_eq!((shard, &bytes), (6, &sent[0].0));
}

#[test]
fn a_batch_without_idempotence_carries_no_stamp() {
    let mut rig = Rig::without_identity(ProducerRules { idempotent: false, ..rules() }, vec![0]);
    let sent = rig.send_all(&["a"]);
    assert!(rig.sent.identities.is_empty());
    assert_eq!(info(&sent[0].0).producer, None);
}

#[test]
fn partitions_that_were_added_take_records_and_older_news_change_nothing() {
    let mut rig = Rig::new(rules());
    let sent = rig.send_all(&["a"]);
    let keyed = |key: &str| Record { key: Some(key.to_owned().into()), ..Record::new("v") };
    let partitions = |rig: &mut Rig| -> BTreeSet<u32> {
        (0..20).map(|number| rig.try_send(&keyed(&number.to_string())).unwrap().partition).collect()
    };
    assert_eq!(partitions(&mut rig), BTreeSet::from([0]));
    let altered = TopicDescription { revision: 2, ..topic(vec![0, 3, 3]) };
    rig.core.on_topic(Some(&altered));
    assert_eq!(rig.core.partition_count(), 3);
    assert_eq!(partitions(&mut rig), BTreeSet::from([0, 1, 2]), "by key as well");
    rig.answer(sent[0].1, produced(0));
    assert_eq!(rig.outcomes(), [(0, stored(0))], "what is under way goes on");
    rig.core.on_topic(Some(&topic(vec![0])));
    assert_eq!((rig.core.partition_count(), rig.core.topic()), (3, &altered), "a shard had not heard of it yet");
    let elsewhere = TopicDescription { id: TopicId(8), ..altered };
    rig.core.learn(&elsewhere);
    assert_eq!(rig.core.topic().id, TopicId(7));
}
