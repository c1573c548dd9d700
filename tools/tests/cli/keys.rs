//! Idempotency keys at rest: what is shown of them, what damage is named, and what a repair makes of it.

use bytes::{Bytes, BytesMut};
use florin_engine::catalogue::TopicSettings;
use florin_engine::format::batch::{BatchBuilder, HEADERS_NONE};
use florin_engine::format::control::{KeyRule, KeySource, Partitioner};
use florin_engine::io::blocking::{BlockingDisk, BlockingRuntime, block_on};
use florin_engine::key::KeyHasher;
use florin_engine::model::{Monotonic, Now, PartitionId, Realtime, ShardId};
use florin_engine::shard::open::read_identity;
use florin_engine::shard::repair::import::{KeyImport, import_keys};
use florin_engine::shard::{Refusal, Reply, Request};

use crate::scratch::Scratch;
use crate::server::{PARTITION, Server};

/// The keys of the first payments, and the batches.
const FIRST_KEYS: &str = "shard-0/segment-000000000001";
/// Its only page stands behind a head of one unit.
const PAGE: u64 = 4096;

fn create_keyed(server: &Server) {
    let keys = KeyRule::new(KeySource::RecordKey, 7, Vec::new(), Partitioner::Murmur2).expect("a rule");
    let (name, settings) = ("payments".to_owned(), TopicSettings::default());
    let reply = server.ask(Request::CreateTopic { name, partition_count: 1, settings, keys: Some(keys) });
    assert!(matches!(reply, Reply::TopicCreated(_)), "{reply:?}");
}

fn payments(numbers: std::ops::Range<u32>) -> BytesMut {
    let mut builder = BatchBuilder::new();
    for number in numbers {
        let (key, value) = (format!("pay-{number}"), b"12.50 EUR");
        builder.push(1_767_323_045_000, Some(key.as_bytes()), Some(value), HEADERS_NONE).expect("room");
    }
    builder.finish()
}

fn capture(server: &Server, numbers: std::ops::Range<u32>) -> Reply {
    server.ask(Request::Capture { partition: PARTITION, batch: payments(numbers) })
}

fn offset_of(server: &Server, number: u32) -> Reply {
    server.ask(Request::LookUpKey { partition: PARTITION, key: Bytes::from(format!("pay-{number}")) })
}

/// Closed in order, with three payments at rest.
fn at_rest() -> Scratch {
    let scratch = Scratch::formatted();
    let server = Server::start_resting(&scratch);
    create_keyed(&server);
    assert!(matches!(capture(&server, 0..3), Reply::Captured { duplicate: false, .. }));
    server.checkpoint();
    server.stop();
    scratch
}

/// Every payment is known where it was.
fn assert_known(scratch: &Scratch) {
    let server = Server::start_resting(scratch);
    assert!(
        matches!(capture(&server, 0..3), Reply::Captured { duplicate: true, base_offset, .. } if base_offset.0 == 0)
    );
    for number in 0..3 {
        let reply = offset_of(&server, number);
        assert!(
            matches!(reply, Reply::Key { receipt: Some(receipt), .. } if receipt.offset.0 == u64::from(number)),
            "{reply:?}"
        );
    }
    assert!(matches!(offset_of(&server, 3), Reply::Key { receipt: None, .. }));
    server.stop();
}

#[test]
fn keys_at_rest_are_shown_and_checked() {
    let scratch = at_rest();
    scratch.run("verify", &[]).assert(0, &["verdict: clean", "and 3 idempotency keys"]);
    scratch
        .run("inspect manifest", &[])
        .assert(0, &["idempotency keys of partition 1/0 at rest:", "record-key, 7 days"]);
    scratch.run("inspect segment", &["--shard", "0"]).assert(0, &["idempotency keys, 1 run"]);
    scratch.run("inspect segment", &["--shard", "0", "--segment", "1"]).assert(0, &["idempotency keys, 1 run"]);
    assert_known(&scratch);
}

#[test]
fn damaged_keys_are_named_and_made_anew_of_the_records_that_are_there() {
    let scratch = at_rest();
    scratch.flip(FIRST_KEYS, PAGE + 40);
    scratch.run("verify", &[]).assert(1, &["idempotency keys of partition 1/0", "checksum of the page"]);
    let server = Server::start_resting(&scratch);
    let reply = capture(&server, 0..1);
    assert!(matches!(reply, Reply::Refused(Refusal::KeysUnanswerable { .. })), "nothing is guessed: {reply:?}");
    server.stop();
    scratch.run("repair", &[]).assert(1, &["idempotency keys of partition 1/0", "lost: nothing"]);
    scratch.run("repair", &["--accept-loss"]).assert(0, &["repaired"]);
    scratch.run("verify", &[]).assert(0, &["verdict: clean"]);
    assert_known(&scratch);
}

#[test]
fn keys_whose_file_is_gone_are_made_anew_of_the_records_that_are_there() {
    let scratch = at_rest();
    std::fs::remove_file(scratch.path(FIRST_KEYS)).expect("it is there");
    scratch.run("repair", &["--accept-loss"]).assert(0, &["repaired", "lost: nothing"]);
    scratch.run("verify", &[]).assert(0, &["verdict: clean"]);
    assert_known(&scratch);
}

#[test]
fn a_damaged_run_gives_way_to_those_that_it_was_made_of() {
    let scratch = Scratch::formatted();
    let server = Server::start_resting(&scratch);
    create_keyed(&server);
    for number in 0..4 {
        assert!(matches!(capture(&server, number..number + 1), Reply::Captured { duplicate: false, .. }));
        server.checkpoint();
    }
    server.checkpoint();
    server.stop();
    let document = scratch.run("inspect manifest", &["--json"]).json().to_string();
    let spares: serde_json::Value = serde_json::from_str(&document).expect("JSON");
    let made = find_made(&spares).expect("four runs were put together");
    let file = format!("shard-0/segment-{made:012}");
    scratch.flip(&file, 40);
    let server = Server::start_resting(&scratch);
    assert!(
        matches!(offset_of(&server, 2), Reply::Key { receipt: Some(receipt), .. } if receipt.offset.0 == 2),
        "its spares say so"
    );
    server.stop();
    scratch.run("repair", &["--accept-loss"]).assert(0, &["repaired", "lost: nothing"]);
    scratch.run("verify", &[]).assert(0, &["verdict: clean", "and 4 idempotency keys"]);
    let server = Server::start_resting(&scratch);
    for number in 0..4 {
        let reply = offset_of(&server, number);
        assert!(
            matches!(reply, Reply::Key { receipt: Some(receipt), .. } if receipt.offset.0 == u64::from(number)),
            "{reply:?}"
        );
    }
    server.stop();
}

/// The file of a key run that has spares.
fn find_made(value: &serde_json::Value) -> Option<u64> {
    if let Some(spares) = value.get("spares").and_then(serde_json::Value::as_array)
        && !spares.is_empty()
    {
        return value["segment"].as_u64();
    }
    match value {
        serde_json::Value::Array(all) => all.iter().find_map(find_made),
        serde_json::Value::Object(fields) => fields.values().find_map(find_made),
        _ => None,
    }
}

#[test]
fn imported_keys_answer_for_payments_that_stand_elsewhere_and_what_is_new_is_stored_behind_them() {
    let scratch = Scratch::formatted();
    let server = Server::start_resting(&scratch);
    create_keyed(&server);
    server.stop();
    let append_time = Realtime(1_767_323_045_000_000_000);
    let import = |partition| {
        let keys = |hasher: &KeyHasher| {
            let of =
                |number| (hasher.key(format!("pay-{number}").as_bytes()), hasher.body(Some(b"12.50 EUR")).finish());
            (0..1000).map(of).collect::<std::collections::BTreeMap<_, _>>().into_iter()
        };
        let imports = vec![KeyImport { partition, append_time, keys }];
        let now = Now { monotonic: Monotonic(1), realtime: append_time };
        block_on(async {
            let directory = scratch.directory();
            let identity = read_identity(&BlockingDisk, &directory).await.expect("an identity");
            import_keys(&BlockingRuntime, &directory, (&identity, ShardId(0)), imports, now).await
        })
    };
    let elsewhere = import(PartitionId { index: 1, ..PARTITION });
    assert!(elsewhere.expect_err("there is none").to_string().contains("nothing was changed"));
    assert_eq!(import(PARTITION).expect("they are imported"), 1000);
    scratch.run("verify", &[]).assert(0, &["and 1000 idempotency keys"]);

    let server = Server::start_resting(&scratch);
    let known = capture(&server, 7..8);
    assert!(matches!(known, Reply::Captured { duplicate: true, base_offset, .. } if base_offset.0 < 1000), "{known:?}");
    let new = capture(&server, 1000..1001);
    assert!(matches!(new, Reply::Captured { duplicate: false, base_offset, .. } if base_offset.0 == 1000), "{new:?}");
    server.checkpoint();
    server.stop();
    scratch.run("verify", &[]).assert(0, &["verdict: clean", "and 1001 idempotency keys"]);
    assert!(import(PARTITION).is_err(), "it holds something");
}
