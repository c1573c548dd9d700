//! The client against a small server in the same process.

mod server;

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use florin_engine::model::{Offset, PartitionId, TopicId};

use super::clock::Clock;
use crate::client::{
    Client, ClientError, ClientSettings, ConsumerSettings, ProducerSettings, Record, SendError, Start, TopicChange,
    TopicSettings,
};
use crate::protocol::{Code, ListAt, Request};
use server::{Behaviour, Server};

fn settings(server: &Server) -> ClientSettings {
    ClientSettings {
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(5),
        ..ClientSettings::new(server.address())
    }
}

fn is_produce(request: &Request) -> bool {
    matches!(request, Request::Produce { .. })
}

fn record(partition: u32, value: &str) -> Record {
    Record { partition: Some(partition), ..Record::new(value.to_owned()) }
}

fn values(client: &Client, count: usize) -> Vec<String> {
    let mut consumer = client.consumer(ConsumerSettings::new("captures")).unwrap();
    let mut values = Vec::new();
    for _ in 0..100 {
        for batch in consumer.poll(Duration::from_millis(100)).unwrap() {
            values.extend(batch.records().map(|record| String::from_utf8(record.value.unwrap().to_vec()).unwrap()));
        }
        if values.len() >= count {
            break;
        }
    }
    values
}

#[test]
fn records_are_stored_and_read_back() {
    let server = Server::start(Behaviour::default());
    let client = Client::connect(settings(&server)).unwrap();
    assert_eq!(client.server().shard_count, 1);
    assert_eq!(client.topics().unwrap().len(), 1);
    let producer = client.producer(ProducerSettings::new("captures")).unwrap();
    let deliveries: Vec<_> = (0..100).map(|number| producer.send(record(0, &number.to_string())).unwrap()).collect();
    for (offset, delivery) in deliveries.into_iter().enumerate() {
        let receipt = delivery.wait().unwrap();
        assert_eq!((receipt.partition, receipt.offset, receipt.duplicate), (0, Offset(offset as u64), false));
    }
    assert_eq!(producer.in_flight_batches(), 0);
    producer.flush().unwrap();
    let expected: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    assert_eq!(values(&client, 100), expected);
    let topic = client.topic("captures").unwrap();
    let partition = PartitionId { topic: topic.id, index: 0 };
    assert_eq!(client.list_offset(partition, ListAt::End).unwrap(), Offset(100));
}

#[test]
fn reading_begins_at_the_first_record_whose_own_timestamp_is_late_enough() {
    let server = Server::start(Behaviour::default());
    let client = Client::connect(settings(&server)).unwrap();
    let one_by_one = ProducerSettings { batch_records_max: 1, ..ProducerSettings::new("captures") };
    let producer = client.producer(one_by_one).unwrap();
    for (value, timestamp_ms) in [("a", -5), ("b", 3000), ("c", 1000)] {
        producer.send(Record { timestamp_ms: Some(timestamp_ms), ..record(0, value) }).unwrap().wait().unwrap();
    }
    let partition = PartitionId { topic: client.topic("captures").unwrap().id, index: 0 };
    let offset = |ms| client.list_offset(partition, ListAt::Timestamp(ms)).unwrap();
    assert_eq!([-6, -4, 3000, 3001].map(offset), [Offset(0), Offset(1), Offset(1), Offset(3)]);
    let start = Start::Timestamp(500);
    let only = ConsumerSettings { partitions: Some(vec![0]), start, ..ConsumerSettings::new("captures") };
    let mut consumer = client.consumer(only).unwrap();
    let mut values = Vec::new();
    for _ in 0..100 {
        for batch in consumer.poll(Duration::from_millis(100)).unwrap() {
            values.extend(batch.records().map(|record| record.value.unwrap().to_vec()));
        }
        if values.len() >= 2 {
            break;
        }
    }
    assert_eq!(values, [b"b", b"c"], "what follows is read whatever its timestamp is");
}

#[test]
fn a_broken_connection_loses_and_doubles_nothing() {
    let server = Server::start(Behaviour { close_after_requests: Some(7), ..Behaviour::default() });
    let client = Client::connect(settings(&server)).unwrap();
    let one_by_one = ProducerSettings { batch_records_max: 1, ..ProducerSettings::new("captures") };
    let producer = client.producer(one_by_one).unwrap();
    let deliveries: Vec<_> = (0..40).map(|number| producer.send(record(1, &number.to_string())).unwrap()).collect();
    for (offset, delivery) in deliveries.into_iter().enumerate() {
        assert_eq!(delivery.wait().unwrap().offset, Offset(offset as u64));
    }
    server.stop_closing();
    let expected: Vec<String> = (0..40).map(|number| number.to_string()).collect();
    assert_eq!(values(&client, 40), expected);
}

#[test]
fn a_dead_address_does_not_keep_the_client_from_another_one() {
    let server = Server::start(Behaviour::default());
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let servers = vec![dead().to_string(), mute.local_addr().unwrap().to_string(), server.address()];
    let connect_timeout = Duration::from_secs(3);
    let client = Client::connect(ClientSettings { servers, connect_timeout, ..settings(&server) }).unwrap();
    assert_eq!(client.topics().unwrap().len(), 1);
}

/// An address at which nobody listens.
fn dead() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn without_any_server_connecting_ends_in_time() {
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let servers = vec![dead().to_string(), mute.local_addr().unwrap().to_string()];
    let connect_timeout = Duration::from_millis(300);
    let result = Client::connect(ClientSettings { servers, connect_timeout, ..ClientSettings::new("") });
    assert!(matches!(result.err(), Some(ClientError::Connect { .. })));
}

#[test]
fn connecting_ends_at_once_when_every_address_refused() {
    let [one, other, named] = [dead(), dead(), dead()];
    // The name may stand for two addresses.
    let lists =
        [vec![one.to_string()], vec![one.to_string(), other.to_string(), format!("localhost:{}", named.port())]];
    let connect_timeout = Duration::from_secs(600);
    for servers in lists {
        let clock = Clock::start();
        let result =
            Client::connect(ClientSettings { servers: servers.clone(), connect_timeout, ..ClientSettings::new("") });
        let Some(ClientError::Connect { reason, .. }) = result.err() else { panic!("it did not connect") };
        assert!(reason.contains("refused the connection"), "{reason}");
        assert!(
            servers.len() == 1 || [one, other, named].iter().all(|dead| reason.contains(&dead.to_string())),
            "{reason}"
        );
        assert!(clock.now_ns() < 10_000_000_000, "{reason}");
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a server that is away for a while")]
fn a_server_that_comes_back_is_waited_for_although_it_refuses_meanwhile() {
    let server = Server::start(Behaviour::default());
    let (port, settings) = (server.port(), settings(&server));
    let client = Client::connect(settings).unwrap();
    drop(server);
    let asking = client.clone();
    let asked = std::thread::Builder::new().spawn(move || asking.topics()).unwrap();
    // Long enough to be refused more than once.
    std::thread::sleep(Duration::from_millis(200));
    let _again = Server::start_at(port, Behaviour::default());
    assert_eq!(asked.join().unwrap().unwrap().len(), 1);
}

#[test]
fn a_producer_without_a_server_ends_its_records_in_time() {
    let server = Server::start(Behaviour { ignores: Some(is_produce), ..Behaviour::default() });
    let client = Client::connect(settings(&server)).unwrap();
    let delivery_timeout = Duration::from_millis(300);
    let impatient = ProducerSettings {
        delivery_timeout,
        batch_records_max: 1,
        batches_in_flight: 1,
        ..ProducerSettings::new("captures")
    };
    let producer = client.producer(impatient).unwrap();
    let sent = producer.send(record(0, "sent")).unwrap();
    let kept = producer.send(record(0, "kept")).unwrap();
    assert!(matches!(sent.wait(), Err(SendError::OutcomeUnknown { .. })));
    assert_eq!(kept.wait(), Err(SendError::TimedOut));
}

#[test]
fn a_change_whose_answers_are_lost_may_have_happened_and_a_question_has_changed_nothing() {
    let server = Server::start(Behaviour {
        ignores: Some(|request| matches!(request, Request::DeleteTopic { .. } | Request::DescribeTopic { .. })),
        ..Behaviour::default()
    });
    let request_timeout = Duration::from_millis(300);
    let client = Client::connect(ClientSettings { request_timeout, ..settings(&server) }).unwrap();
    let topic = TopicId(1);
    let changed = client.delete_topic(topic);
    assert!(matches!(changed, Err(ClientError::OutcomeUnknown { .. })), "{changed:?}");
    let asked = client.describe_topic(topic);
    assert!(matches!(asked, Err(ClientError::TimedOut { .. } | ClientError::Disconnected { .. })), "{asked:?}");
}

#[test]
fn dropping_everything_ends_what_is_under_way() {
    let server = Server::start(Behaviour { ignores: Some(is_produce), ..Behaviour::default() });
    let client = Client::connect(settings(&server)).unwrap();
    let lingering = ProducerSettings { linger: Duration::from_secs(60), ..ProducerSettings::new("captures") };
    let producer = client.producer(lingering).unwrap();
    let mut delivery = producer.send(record(0, "lingers")).unwrap();
    assert!(delivery.try_wait().is_none());
    drop(client);
    drop(producer);
    assert_eq!(delivery.wait(), Err(SendError::Closed));
}

#[test]
fn what_does_not_exist_is_refused_in_words() {
    let server = Server::start(Behaviour::default());
    let client = Client::connect(settings(&server)).unwrap();
    let absent = client.topic("absent");
    assert!(matches!(absent, Err(ClientError::Refused(error)) if error.code == Code::UNKNOWN_TOPIC));
    let start = Start::Offset(Offset(9));
    let mut consumer = client.consumer(ConsumerSettings { start, ..ConsumerSettings::new("captures") }).unwrap();
    let refused = consumer.poll(Duration::from_secs(5));
    assert!(matches!(refused, Err(ClientError::Refused(error)) if error.code == Code::OFFSET_OUT_OF_RANGE));
    assert_eq!(consumer.partitions(), [0, 1]);
}

#[test]
fn added_partitions_are_used_once_the_client_has_heard_of_them() {
    let server = Server::start(Behaviour::default());
    let client = Client::connect(settings(&server)).unwrap();
    let metadata_age_max = Duration::from_millis(50);
    let other = Client::connect(ClientSettings { metadata_age_max, ..settings(&server) }).unwrap();
    let producer = client.producer(ProducerSettings::new("captures")).unwrap();
    let others = other.producer(ProducerSettings::new("captures")).unwrap();
    let start = Start::End;
    let mut consumer = other.consumer(ConsumerSettings { start, ..ConsumerSettings::new("captures") }).unwrap();
    assert!(matches!(producer.send(record(2, "a")), Err(SendError::Partition { partition: 2, partition_count: 2 })));

    let topic = client.topic("captures").unwrap().id;
    let change = TopicChange { partition_count: Some(3), ..TopicChange::default() };
    let altered = client.alter_topic(topic, change).unwrap();
    assert_eq!((altered.topic.revision, altered.topic.placement.len()), (2, 3));
    // The answer was the client's own: it knows at once.
    assert_eq!(producer.partition_count(), 3);
    assert_eq!(producer.send(record(2, "b")).unwrap().wait().unwrap().offset, Offset(0));
    let mut read = Vec::new();
    for _ in 0..100 {
        read.extend(consumer.poll(Duration::from_millis(100)).unwrap().iter().map(|batch| batch.partition));
        if others.partition_count() == 3 && !read.is_empty() {
            break;
        }
    }
    assert_eq!((others.partition_count(), read), (3, vec![2]), "an added partition is read from its beginning");
    assert_eq!(consumer.partitions(), [0, 1, 2]);
}

#[test]
fn settings_that_no_topic_can_have_are_refused_before_they_are_sent() {
    let server = Server::start(Behaviour::default());
    let client = Client::connect(settings(&server)).unwrap();
    let nothing = TopicSettings { retention_bytes: Some(0), ..TopicSettings::default() };
    let change = TopicChange { retention_bytes: Some(Some(0)), ..TopicChange::default() };
    let refusals = [client.create_topic("other", 1, nothing).err(), client.alter_topic(TopicId(7), change).err()];
    for refusal in refusals {
        assert!(matches!(refusal, Some(ClientError::Refused(error)) if error.code == Code(19)));
    }
}
