use florin_engine::format::batch::validate;
use florin_engine::limits::BATCH_BYTES_MAX;
use florin_engine::model::{PartitionId, TopicId};

use super::control::{Control, Placement};
use super::fake_server::FakeServer;
use super::payload::{PayloadKind, Payloads};
use super::routes::{spread, to_bare, to_each_partition};

fn random(value_bytes: usize, record_count: u32) -> anyhow::Result<Payloads> {
    Payloads::build(&PayloadKind::Random, value_bytes, record_count)
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let address = FakeServer::start(1).address(0);
    let error = format!("{:#}", Control::connect(&address).unwrap_err());
    assert!(error.contains(&address), "{error}");
}

#[test]
fn a_topic_is_created_where_the_catalogue_is_and_describes_its_partitions() {
    let server = FakeServer::start(3);
    let mut control = Control::connect_to_coordinator(&server.address(2)).unwrap();
    let topic = control.create_topic("described", 4).unwrap();
    server.with_state(|state| state.held_bytes = 17);
    let found = control.partitions(topic).unwrap();
    assert_eq!(
        found.iter().map(|found| (found.index, found.held_bytes)).collect::<Vec<_>>(),
        [(0, 17), (1, 17), (2, 17), (3, 17)]
    );
    assert_eq!(control.shards().unwrap().len(), 1);
}

#[test]
fn batches_are_valid_differ_and_have_as_many_records_as_asked_for() {
    let payloads = random(256, 3).unwrap();
    assert_eq!((payloads.count(), payloads.record_count()), (4096, 3));
    for number in [0, 1, 4095] {
        let info = validate(payloads.batch(number), BATCH_BYTES_MAX).unwrap();
        assert_eq!((info.record_count, info.producer, info.crc), (3, None, payloads.crc(number)));
    }
    assert_ne!(payloads.batch(0), payloads.batch(1));
    assert_eq!(payloads.batch(0), payloads.batch(4096));
    assert_eq!(payloads.crc(1), payloads.crc(4097));
    assert_eq!(payloads.batch(7), random(256, 3).unwrap().batch(7));
    let bytes = payloads.batch(0).len() as u64;
    assert_eq!((payloads.batch_bytes(), payloads.value_bytes()), (bytes, 256.0));
}

#[test]
fn large_batches_are_fewer_and_those_that_do_not_fit_are_refused() {
    assert!(random(500_000, 1).unwrap().count() < 4096);
    assert!(random(0, 1).is_ok());
    assert!(random(BATCH_BYTES_MAX, 1).unwrap_err().to_string().contains("more than a batch takes"));
    assert!(random(BATCH_BYTES_MAX - 1, 1).is_err());
    assert!(random(1024, 4096).is_err());
}

#[test]
fn values_are_one_byte_throughout_or_the_lines_of_a_file() {
    let fixed = Payloads::build(&PayloadKind::Fixed, 10, 1).unwrap();
    assert!(fixed.batch(3).windows(10).any(|window| window == [b'F'; 10]));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file.as_file(), b"first payment\n\nsecond\n").unwrap();
    let lines = Payloads::build(&PayloadKind::File(file.path().to_owned()), 256, 2).unwrap();
    for line in [&b"first payment"[..], b"second"] {
        assert!(lines.batch(0).windows(line.len()).any(|window| window == line), "empty lines are left out");
    }
    let mean = (b"first payment".len() + b"second".len()) as f64 / 2.0;
    assert!((lines.value_bytes() - mean).abs() < 1e-9);
    let absent = PayloadKind::File("absent.txt".into());
    let error = format!("{:#}", Payloads::build(&absent, 1, 1).unwrap_err());
    assert!(error.contains("absent.txt") && error.contains("--payload takes"), "{error}");
}

fn placement() -> Placement {
    Placement { topic: TopicId(9), shards: vec![0, 2, 1, 0, 3], host: "h".to_owned(), ports: vec![10, 0, 12, 13, 14] }
}

#[test]
fn connections_go_round_the_shards_and_then_round_their_partitions() {
    let placement = placement();
    let routes = spread(&placement, 5).unwrap();
    let found: Vec<(&str, u32)> = routes.iter().map(|route| (route.address.as_str(), route.partition.index)).collect();
    // Shard 1 does not listen and shard 4 has no partition.
    assert_eq!(found, [("h:10", 0), ("h:12", 1), ("h:13", 4), ("h:10", 3), ("h:12", 1)]);
    assert_eq!(routes[3].partition, PartitionId { topic: TopicId(9), index: 3 });
    assert!(routes.iter().all(|route| !route.is_bare) && to_bare("h:1", 2).iter().all(|route| route.is_bare));
    let other = Placement { host: "::1".to_owned(), ..placement.clone() };
    assert_eq!(spread(&other, 1).unwrap()[0].address, "[::1]:10");
    assert!(spread(&Placement { ports: vec![0; 4], ..placement }, 1).is_err());
}

#[test]
fn a_connection_for_each_partition_goes_to_the_shard_that_has_it() {
    let error = to_each_partition(&placement()).unwrap_err().to_string();
    assert!(error.contains("shard 1") && error.contains("does not listen"), "{error}");
    let routes = to_each_partition(&Placement { ports: vec![10, 11, 12, 13], ..placement() }).unwrap();
    let found: Vec<(&str, u32)> = routes.iter().map(|route| (route.address.as_str(), route.partition.index)).collect();
    assert_eq!(found, [("h:10", 0), ("h:12", 1), ("h:11", 2), ("h:10", 3), ("h:13", 4)]);
}
