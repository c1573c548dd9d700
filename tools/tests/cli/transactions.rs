//! Transactions and consumer groups of a real server: what is shown of them, and what is done about them.

use florin_engine::model::{Offset, PartitionId};
use florin_net::client::{
    Client, ClientSettings, GroupId, GroupOffset, Record, TransactionError, TransactionKey, TransactionSettings,
    TransactionalProducer,
};
use serde_json::json;

use crate::live::assert_documented;
use crate::live_server::LiveServer;
use crate::scratch::florin;

fn connect(server: &LiveServer) -> Client {
    Client::connect(ClientSettings::new(server.address())).expect("it listens")
}

/// So slow that nothing times out before a test is done with it.
fn producer(client: &Client, id: &str) -> TransactionalProducer {
    let mut settings = TransactionSettings::new(id);
    settings.timeout = std::time::Duration::from_secs(60);
    client.transactional_producer(settings).expect("it is opened")
}

fn record(partition: u32, value: &str) -> Record {
    Record { partition: Some(partition), ..Record::new(value.to_owned()) }
}

fn group(name: &str) -> GroupId {
    GroupId::new(name).expect("a name")
}

fn offset(client: &Client, topic: &str, index: u32, offset: u64) -> GroupOffset {
    let partition = PartitionId { topic: client.topic(topic).expect("it is there").id, index };
    GroupOffset { partition, offset: Offset(offset), metadata: "by worker 1".into() }
}

fn named(transaction: TransactionKey) -> String {
    transaction.to_string()
}

#[test]
fn a_transaction_that_holds_a_partition_back_is_found_described_and_aborted() {
    let Some(server) = LiveServer::start() else { return };
    server.run(&["txn", "list"]).assert(0, &["no transactional ids"]);
    server.run(&["topic", "create", "payments", "--partitions", "4"]).assert(0, &[]);
    let client = connect(&server);
    let mut writer = producer(&client, "writer");
    let mut idle = producer(&client, "idle");
    let committed = idle.begin().expect("it begins");
    let first_key = named(committed.key());
    committed.commit().expect("it commits, with nothing in it");

    let mut open = writer.begin().expect("it begins");
    let key = named(open.key());
    open.send("payments", record(3, "one")).expect("taken").wait().expect("stored");
    let noted = vec![offset(&client, "payments", 0, 7)];
    open.send_offsets(&group("ledger"), noted).expect("noted");

    let listed = server.run(&["txn", "list"]);
    listed.assert(0, &["writer", &key, "ongoing", "1m", "idle", "ready", &format!("{first_key} committed")]);
    assert!(listed.out.find("writer") < listed.out.find("idle"), "what is open comes first: {}", listed.out);
    let list = server.run(&["txn", "list", "--json"]).json();
    let ids = list["transactional_ids"].as_array().expect("a list");
    assert_eq!((ids.len(), &ids[0]["transactional_id"], &ids[0]["state"]), (2, &json!("writer"), &json!("ongoing")));
    assert_eq!((&ids[0]["participant_count"], &ids[0]["timeout_ms"]), (&json!(2), &json!(60_000)));
    assert_eq!((&list["held_back"], &ids[1]["last"]["outcome"]), (&json!(null), &json!("committed")));

    let holds = server.run(&["txn", "list", "--partition", "payments:3"]);
    holds.assert(0, &["partition 3 of topic payments", "up to offset 0", "1 transaction is open", &key, "writer"]);
    assert!(!holds.out.contains("idle"), "{}", holds.out);
    let held = server.run(&["txn", "list", "--partition", "payments:3", "--json"]).json();
    let held_back = &held["held_back"];
    assert_eq!((&held_back["stable_offset"], &held_back["high_watermark"]), (&json!(0), &json!(1)));
    assert_eq!(held_back["oldest_transaction"]["first_offset"], 0);
    let free = server.run(&["txn", "list", "--partition", "payments:2"]);
    free.assert(0, &["no transactional id is known to hold it back"]);
    server.run(&["txn", "list", "--group", "ledger"]).assert(0, &["writer"]);
    server.run(&["txn", "list", "--partition", "payments:4"]).assert(1, &["no partition 4: it has 4"]);
    server.run(&["txn", "list", "--partition", "absent:0"]).assert(1, &["code 12"]);
    server.run(&["topic", "describe", "payments"]).assert(0, &["stable", "partition 3: 1 transaction is open", &key]);

    server.run(&["txn", "describe", "writer"]).assert(0, &["partition payments:3", "group ledger", &key, "1m"]);
    let described = server.run(&["txn", "describe", "writer", "--json"]).json();
    let participants = described["participants"].as_array().expect("a list");
    assert_eq!((&participants[0]["topic_name"], &participants[0]["partition"]), (&json!("payments"), &json!(3)));
    assert_eq!((&participants[1]["group"], &participants[1]["topic"]), (&json!("ledger"), &json!(null)));
    server.run(&["txn", "describe", "absent"]).assert(1, &["no transactional id absent", "florin txn list"]);

    server.run(&["txn", "abort", "writer", "--transaction", "1:2"]).assert(1, &["nothing was aborted", &key]);
    server.run(&["txn", "abort", "absent"]).assert(1, &["no transactional id absent"]);
    server.run(&["txn", "abort", "idle"]).assert(0, &["nothing to abort", &first_key, "committed"]);
    server
        .run(&["txn", "abort", "writer", "--transaction", &key])
        .assert(0, &[&format!("aborted transaction {key} of transactional id writer"), "payments:3", "group ledger"]);
    let failed = open.commit().expect_err("it was aborted");
    assert!(matches!(failed, TransactionError::Abortable { .. }), "{failed:?}");
    server.run(&["txn", "abort", "writer"]).assert(0, &["nothing to abort", &key, "aborted"]);
    server.run(&["txn", "abort", "writer", "--transaction", &key]).assert(0, &["was aborted before"]);
    let next = writer.begin().expect("the next one begins");
    next.commit().expect("it commits");
    server.run(&["txn", "abort", "writer", "--transaction", &key]).assert(1, &["not known any more"]);
    [&list, &held, &described].into_iter().for_each(assert_documented);
    server.stop();
}

#[test]
fn what_is_committed_is_shown_and_what_is_stored_when_it_is_asked_for() {
    let Some(server) = LiveServer::start() else { return };
    server.run(&["topic", "create", "payments"]).assert(0, &[]);
    let client = connect(&server);
    let mut writer = producer(&client, "writer");
    let mut send = |value: &str, commits: bool| {
        let mut transaction = writer.begin().expect("it begins");
        transaction.send("payments", record(0, value)).expect("taken").wait().expect("stored");
        if commits { transaction.commit() } else { transaction.abort() }.expect("it ends");
    };
    send("counts", true);
    send("does not", false);
    // Markers come a moment after the end was decided.
    let values = |arguments: &[&str]| {
        let answer = server.run(&[&["consume", "payments"], arguments].concat());
        assert_eq!(answer.code, 0, "{answer:?}");
        let value = |line: &str| line.rsplit('\t').next().expect("a value").to_owned();
        (answer.out.lines().map(value).collect::<Vec<_>>(), answer.err)
    };
    let settled = || server.run(&["topic", "describe", "payments", "--json"]).json()["partitions"][0].clone();
    let mut partition = settled();
    for _ in 0..100 {
        if partition["stable_offset"] == 4 {
            break;
        }
        partition = settled();
    }
    assert_eq!((&partition["stable_offset"], &partition["open_transaction_count"]), (&json!(4), &json!(0)));
    assert_eq!(values(&[]), (vec!["counts".to_owned()], String::new()));
    let stored = vec!["counts".to_owned(), "does not".to_owned()];
    assert_eq!(values(&["--isolation", "uncommitted"]), (stored, String::new()));

    let mut open = writer.begin().expect("it begins");
    open.send("payments", record(0, "open")).expect("taken").wait().expect("stored");
    server.run_with_input(&["produce", "payments"], b"behind it\n").assert(0, &["stored       1 record"]);
    let (shown, told) = values(&["--isolation", "committed"]);
    assert_eq!(shown, ["counts"]);
    assert!(told.contains("up to offset 4, 2 offsets before its end: a transaction is open there"), "{told}");
    assert!(told.contains("florin txn list --partition payments:0"), "{told}");
    let (shown, told) = values(&["--isolation", "uncommitted"]);
    assert_eq!((shown, told.as_str()), (["counts", "does not", "open", "behind it"].map(str::to_owned).to_vec(), ""));
    let described = server.run(&["topic", "describe", "payments", "--json"]).json();
    let partition = &described["partitions"][0];
    assert_eq!((&partition["stable_offset"], &partition["open_transaction_count"]), (&json!(4), &json!(1)));
    assert_eq!(partition["oldest_transaction"]["first_offset"], 4);
    assert_documented(&described);
    open.commit().expect("it commits");
    server.stop();
}

#[test]
fn groups_are_listed_with_their_lag_and_forgotten() {
    let Some(server) = LiveServer::start() else { return };
    server.run(&["group", "list"]).assert(0, &["no groups"]);
    server.run(&["topic", "create", "payments", "--partitions", "2"]).assert(0, &[]);
    server.run(&["topic", "create", "refunds"]).assert(0, &[]);
    let lines = b"a\nb\nc\nd\ne\n";
    server.run_with_input(&["produce", "payments", "--partition", "1"], lines).assert(0, &["stored       5"]);
    let client = connect(&server);
    let offsets = vec![offset(&client, "payments", 1, 2), offset(&client, "refunds", 0, 9)];
    client.commit_offsets(&group("ledger"), offsets).expect("noted");
    server.run(&["topic", "delete", "refunds", "--yes"]).assert(0, &[]);

    server.run(&["group", "list"]).assert(0, &["ledger"]);
    let list = server.run(&["group", "list", "--json"]).json();
    assert_eq!(list["groups"][0]["group"], "ledger");
    let shown = server.run(&["group", "offsets", "ledger"]);
    shown.assert(0, &["group ledger in 2 partitions, in all 3 behind", "payments", "by worker 1", "which is gone"]);
    let offsets = server.run(&["group", "offsets", "ledger", "--json"]).json();
    let first = &offsets["offsets"][0];
    assert_eq!(
        (&first["topic_name"], &first["partition"], &first["offset"]),
        (&json!("payments"), &json!(1), &json!(2))
    );
    assert_eq!(
        (&first["stable_offset"], &first["lag"], &first["metadata"]),
        (&json!(5), &json!(3), &json!("by worker 1"))
    );
    let gone = &offsets["offsets"][1];
    assert_eq!((&gone["topic_name"], &gone["lag"], &gone["code"]), (&json!(null), &json!(null), &json!(0)));
    server.run(&["group", "offsets", "absent"]).assert(1, &["no group absent (code 69)", "florin group list"]);

    server.run(&["group", "forget", "ledger"]).assert(0, &["forgot group ledger"]);
    server.run(&["group", "forget", "ledger"]).assert(1, &["no group ledger"]);
    server.run(&["group", "list"]).assert(0, &["no groups"]);
    [&list, &offsets].into_iter().for_each(assert_documented);
    server.stop();
}

#[test]
fn names_that_cannot_be_meant_are_refused_before_a_server_is_asked() {
    let wrong: [(&[&str], &str); 8] = [
        (&["txn", "list", "--partition", "payments"], "write TOPIC:INDEX, such as payments:3"),
        (&["txn", "list", "--partition", ":3"], "write TOPIC:INDEX"),
        (&["txn", "list", "--partition", "payments:3", "--group", "ledger"], "cannot be used with"),
        (&["txn", "describe", ""], "the name is empty"),
        (&["txn", "abort", "writer", "--transaction", "5"], "write PRODUCER:EPOCH"),
        (&["group", "offsets", "a\tb"], "a control character at byte 1"),
        (&["group", "forget"], "required"),
        (&["consume", "payments", "--isolation", "stored"], "uncommitted"),
    ];
    for (arguments, words) in wrong {
        florin(arguments).assert(2, &[words]);
    }
    florin(&["txn", "--help"]).assert(0, &["list", "describe", "abort"]);
    florin(&["txn", "abort", "--help"]).assert(0, &["--transaction", "Exit code 0", "Examples"]);
    florin(&["txn", "list", "--help"]).assert(0, &["--partition payments:3", "Exit code 0"]);
    florin(&["group", "offsets", "--help"]).assert(0, &["lag", "Exit code 0", "Example"]);
    florin(&["consume", "--help"]).assert(0, &["--isolation", "uncommitted", "[default: committed]"]);
}
