use florin_engine::model::{Offset, Realtime, TopicId};
use florin_net::client::{FoundKey, KeyReceipt, KeyRule, KeySource, Partitioner};
use florin_net::protocol::TopicDescription;

use super::{document, in_words};

fn topic() -> TopicDescription {
    let rule = KeyRule::new(KeySource::RecordKey, 30, Vec::new(), Partitioner::Murmur2).expect("a rule");
    let keys = Some(rule);
    TopicDescription { id: TopicId(7), name: "payments".to_owned(), revision: 1, placement: vec![0, 1], keys }
}

#[test]
fn a_key_that_is_stored_has_its_receipt_and_another_one_its_partition() {
    let receipt = KeyReceipt { offset: Offset(41), append_time: Realtime(1_767_323_045_000_000_000) };
    let stored = FoundKey { partition: 1, receipt: Some(receipt) };
    let words = "stored: partition 1, offset 41, appended 2026-01-02T03:04:05.000000000Z\n";
    assert_eq!(in_words(&topic(), &stored), words);
    let json = serde_json::to_value(document(&topic(), &stored)).expect("it is JSON");
    assert_eq!((&json["stored"], &json["offset"], &json["partition"]), (&true.into(), &41.into(), &1.into()));
    assert_eq!((&json["topic"], &json["append_time"]), (&"payments".into(), &"2026-01-02T03:04:05.000000000Z".into()));

    let absent = FoundKey { partition: 0, receipt: None };
    let words = "nothing is stored under this key within 30 days; it belongs to partition 0\n";
    assert_eq!(in_words(&topic(), &absent), words);
    let json = serde_json::to_value(document(&topic(), &absent)).expect("it is JSON");
    assert_eq!(json["stored"], false);
    assert!(json["offset"].is_null() && json["append_time"].is_null());
}
