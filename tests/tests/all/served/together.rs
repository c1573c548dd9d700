//! Records of several topics with one request, by the client library.

use std::time::Duration;

use florin_engine::catalogue::TopicSettings;
use florin_engine::format::control::{KeyRule, KeySource, Partitioner};
use florin_net::client::{
    Client, ClientSettings, ConsumerSettings, Isolation, Record, TransactionError, TransactionSettings,
};

use super::{place, roomy, start};

const TOPICS: [&str; 2] = ["captures", "postings"];

/// What counts of a topic, in the order of partitions.
fn values(client: &Client, topic: &str, count: usize) -> Vec<String> {
    let settings = ConsumerSettings { isolation: Isolation::Committed, ..ConsumerSettings::new(topic) };
    let mut consumer = client.consumer(settings).expect("it reads");
    let mut values = Vec::new();
    for _ in 0..50 {
        for batch in consumer.poll(Duration::from_millis(20)).expect("it can be read") {
            let records = batch.records().map(|record| (batch.partition, record.value.expect("a value").to_vec()));
            values.extend(records.map(|(at, value)| format!("{at}: {}", String::from_utf8(value).expect("text"))));
        }
        if values.len() > count {
            break;
        }
    }
    values.sort();
    values
}

fn record(partition: u32, value: &str) -> Record {
    Record { partition: Some(partition), ..Record::new(value.to_owned()) }
}

#[test]
fn served_records_of_several_topics_and_shards_are_stored_with_one_request_all_or_none() {
    let Some(place) = place("records that are stored together") else { return };
    let server = start(&roomy(&place));
    let client = Client::connect(ClientSettings::new(server.address_of(0).to_string())).expect("it is connected");
    for name in TOPICS {
        client.create_topic(name, 2, TopicSettings::default()).expect("it is made");
    }
    let rule = KeyRule::new(KeySource::RecordKey, 30, Vec::new(), Partitioner::Murmur2).expect("a rule");
    client.create_keyed_topic("payments", 2, TopicSettings::default(), rule).expect("it is made");
    let mut producer = client.transactional_producer(TransactionSettings::new("settlement")).expect("it is opened");

    let records = [("captures", record(0, "a")), ("postings", record(1, "b")), ("captures", record(0, "c"))];
    let receipts = producer.append_together(records).expect("it is committed").expect("it has receipts");
    let places: Vec<_> = receipts.iter().map(|receipt| (receipt.partition, receipt.offset.0)).collect();
    assert_eq!(places, [(0, 0), (1, 0), (0, 1)]);

    for refused in [("payments", record(0, "no")), ("nowhere", record(0, "no")), ("captures", record(7, "no"))] {
        let appended = producer.append_together([("captures", record(1, "no")), refused]);
        assert!(matches!(appended, Err(TransactionError::Abortable { .. })), "{appended:?}");
    }
    let records = [("captures", record(1, "d")), ("postings", record(0, "e"))];
    producer.append_together(records).expect("it goes on");
    let mut transaction = producer.begin().expect("transactions go on as well");
    transaction.send("captures", record(0, "f")).expect("it is taken");
    transaction.commit().expect("it is committed");

    assert_eq!(values(&client, "captures", 4), ["0: a", "0: c", "0: f", "1: d"]);
    assert_eq!(values(&client, "postings", 2), ["0: e", "1: b"]);
    drop((producer, client));
    assert!(server.stop().status.success());
}
