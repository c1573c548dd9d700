//! The commands on a real server.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::live_server::LiveServer;

const README: &str = include_str!("../../README.md");

/// The lines of an output as JSON.
fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// Asserts that every field of a document is in the page.
pub fn assert_documented(value: &Value) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                assert!(README.contains(&format!("`{name}`")), "{name} is not documented in tools/README.md");
                assert_documented(value);
            }
        }
        Value::Array(values) => values.iter().for_each(assert_documented),
        _ => {}
    }
}

#[test]
fn topics_are_created_listed_described_and_deleted() {
    let Some(server) = LiveServer::start() else { return };
    server.run(&["topic", "list"]).assert(0, &["no topics"]);
    server
        .run(&["topic", "create", "payments", "--partitions", "4"])
        .assert(0, &["created topic payments", "4 partitions"]);
    server.run(&["topic", "create", "payments"]).assert(1, &["florin: ", "code 15"]);
    server.run(&["topic", "create", "not a name"]).assert(1, &["code 14"]);
    let created = server.run(&["topic", "create", "refunds", "--json"]).json();
    assert_eq!((&created["name"], &created["partition_count"]), (&json!("refunds"), &json!(1)));
    server.run(&["topic", "list"]).assert(0, &["payments", "refunds"]);
    let listed = server.run(&["topic", "list", "--json"]).json();
    assert_eq!(listed["topics"].as_array().map(Vec::len), Some(2));

    server
        .run_with_input(&["produce", "payments", "--key-column", "1"], b"a 1\nb 2\nc 3\n")
        .assert(0, &["stored       3"]);
    server.run(&["topic", "describe", "payments"]).assert(0, &["topic payments", "in all 3 records"]);
    let described = server.run(&["topic", "describe", "payments", "--json"]).json();
    let partitions = described["partitions"].as_array().expect("a list");
    let records: u64 = partitions.iter().map(|partition| partition["record_count"].as_u64().expect("known")).sum();
    assert_eq!((partitions.len(), records), (4, 3));

    server.run(&["topic", "delete", "payments"]).assert(1, &["nothing was deleted"]);
    server.run(&["topic", "delete", "payments", "--yes"]).assert(0, &["deleted topic payments"]);
    server.run(&["topic", "describe", "payments"]).assert(1, &["code 12"]);
    server.run(&["consume", "payments"]).assert(1, &["code 12"]);
    server.run_with_input(&["produce", "payments"], b"late\n").assert(1, &["code 12"]);
    [&created, &listed, &described].into_iter().for_each(assert_documented);
    server.stop();
}

#[test]
fn topics_are_altered_while_they_are_used() {
    let Some(server) = LiveServer::start() else { return };
    let chosen = ["--retention", "7d", "--segment-bytes", "1MiB", "--json"];
    let created = server.run(&[&["topic", "create", "payments"], &chosen[..]].concat()).json();
    let settings = &created["settings"];
    assert_eq!((&created["revision"], &settings["segment_bytes"]), (&json!(1), &json!(1 << 20)));
    assert_eq!(
        (&settings["retention_ns"], &settings["retention_bytes"]),
        (&json!(604_800_000_000_000_u64), &json!(null))
    );
    server.run_with_input(&["produce", "payments"], b"a\n").assert(0, &["stored       1 record"]);

    let altered = server.run(&["topic", "alter", "payments", "--partitions", "3", "--retention", "forever"]);
    altered.assert(0, &["altered topic payments (id 1) with 3 partitions", "keeps everything; segments of 1MiB"]);
    server.run(&["topic", "alter", "payments", "--partitions", "3"]).assert(0, &["nothing to alter: topic payments"]);
    server.run(&["topic", "alter", "payments", "--partitions", "2"]).assert(1, &["choose from 3 to 4096", "code 16"]);
    server.run(&["topic", "alter", "absent", "--partitions", "2"]).assert(1, &["code 12"]);
    server.run(&["topic", "describe", "payments"]).assert(0, &["with 3 partitions, revision 2", "keeps everything"]);
    let described = server.run(&["topic", "describe", "payments", "--json"]).json();
    assert_eq!((&described["revision"], &described["settings"]["retention_ns"]), (&json!(2), &json!(null)));
    server.run_with_input(&["produce", "payments", "--partition", "2"], b"b\n").assert(0, &["stored       1 record"]);
    assert_eq!(server.run(&["consume", "payments"]).out.lines().count(), 2);

    let altered = server.run(&["topic", "alter", "payments", "--record-bytes-max", "64", "--json"]).json();
    assert_eq!((&altered["revision"], &altered["settings"]["record_bytes_max"]), (&json!(3), &json!(64)));
    let long = [b"x".repeat(80), b"\n".to_vec()].concat();
    server.run_with_input(&["produce", "payments"], &long).assert(1, &["record_too_large", "64 at most"]);
    [&created, &described, &altered].into_iter().for_each(assert_documented);
    server.stop();
}

#[test]
fn a_topic_with_idempotency_keys_stores_each_payment_once_and_says_where() {
    let Some(server) = LiveServer::start() else { return };
    let rule = ["--partitions", "3", "--idempotency-key", "record-key", "--idempotency-days", "90"];
    let body = ["--idempotency-body-header", "currency"];
    let created = server.run(&[&["topic", "create", "payments"], &rule[..], &body, &["--json"]].concat()).json();
    let expected = json!({
        "key": "record-key", "days": 90, "body_headers": ["currency"], "partitioner": "murmur2"
    });
    assert_eq!(created["idempotency"], expected);
    let describe = server.run(&["topic", "describe", "payments"]);
    describe.assert(0, &["stores each payment once: known by the record's key for 90 days", "currency"]);
    server.run(&["topic", "alter", "payments", "--partitions", "4"]).assert(1, &["keeps its 3", "code 56"]);

    let produce = |lines: &[u8]| server.run_with_input(&["produce", "payments", "--key-column", "1"], lines);
    produce(b"a 1\nb 2\nc 3\n").assert(0, &["stored       3", "duplicates   0"]);
    produce(b"b 2\nd 4\na 1\n").assert(0, &["stored       3", "duplicates   2"]);
    produce(b"e 5\na 9\n")
        .assert(1, &["stored       1", "key_conflict (53)", "another payment has its idempotency key"]);
    server
        .run_with_input(&["produce", "payments"], b"no key\n")
        .assert(1, &["line 1 has no idempotency key", "with --key-column"]);
    let skipping = ["produce", "payments", "--on-bad-line", "skip", "--format", "json"];
    let lines = b"{\"value\":\"x\"}\n{\"key\":\"\"}\n{\"key\":\"a\",\"value\":\"a 1\"}\n";
    server.run_with_input(&skipping, lines).assert(1, &["stored       1", "duplicates   1", "2 lines are no records"]);
    assert_eq!(server.run(&["consume", "payments"]).out.lines().count(), 5);

    let found = server.run(&["key", "get", "payments", "a", "--json"]).json();
    assert_eq!((&found["stored"], &found["topic"]), (&json!(true), &json!("payments")));
    let (partition, offset) = (found["partition"].to_string(), found["offset"].to_string());
    let there = server.run(&["consume", "payments", "--partition", &partition, "--from", &offset]);
    assert!(there.out.lines().next().is_some_and(|line| line.ends_with("a\ta 1")), "{}", there.out);
    server.run(&["key", "get", "payments", "YQ==", "--base64"]).assert(0, &["stored: partition", "offset"]);
    server.run(&["key", "get", "payments", "z"]).assert(1, &["nothing is stored under this key within 90 days"]);
    server.run(&["key", "get", "payments", "z", "--base64"]).assert(2, &["no base64"]);
    server.run(&["topic", "create", "plain"]).assert(0, &["created topic plain"]);
    server.run(&["key", "get", "plain", "a"]).assert(2, &["has no idempotency keys", "code 55"]);
    server.run(&["key", "get", "absent", "a"]).assert(2, &["code 12"]);
    [&created, &found].into_iter().for_each(assert_documented);
    server.stop();
}

#[test]
fn shards_are_listed_and_clocks_confirmed() {
    let Some(server) = LiveServer::start() else { return };
    server.run(&["shard", "list"]).assert(0, &["serving", "directory "]);
    let shards = server.run(&["shard", "list", "--json"]).json();
    let listed = shards["shards"].as_array().expect("a list");
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|shard| shard["state"] == "serving"), "{listed:?}");
    assert_documented(&shards);
    server.run(&["clock", "confirm"]).assert(0, &["no shard waits"]);
    server.run(&["clock", "confirm", "--shard", "1"]).assert(0, &["shard 1: the clock is confirmed"]);
    server.stop();
}

#[test]
fn a_thousand_lines_come_back_as_they_were_each_key_in_order() {
    let Some(server) = LiveServer::start() else { return };
    server.run(&["topic", "create", "lines", "--partitions", "8"]).assert(0, &[]);
    let mut input = String::new();
    for number in 0..1000 {
        let _ = writeln!(input, "{:02},payment {number}", number % 37);
    }
    let arguments = ["produce", "lines", "-", "--key-column", "1", "--delimiter", ",", "--acked-offsets"];
    let produced = server.run_with_input(&arguments, input.as_bytes());
    produced.assert(0, &["stored       1,000 records", "ack latency"]);
    let acked: Vec<Vec<u64>> = produced
        .out
        .lines()
        .map(|line| line.split('\t').map(|number| number.parse().expect("a number")).collect())
        .collect();
    let acked_lines: Vec<u64> = acked.iter().map(|columns| columns[0]).collect();
    assert_eq!(acked_lines, (1..=1000).collect::<Vec<u64>>(), "in the order of the lines");

    let consumed = server.run(&["consume", "lines"]);
    consumed.assert(0, &[]);
    let lines: Vec<&str> = input.lines().collect();
    let mut found = Vec::new();
    for line in consumed.out.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let [partition, offset, _, key, value] = columns[..] else { panic!("five columns: {line}") };
        let number = lines.iter().position(|line| *line == value).expect("a line that was sent");
        assert_eq!(key, &value[..2]);
        assert_eq!(
            acked[number][1..],
            [partition, offset].map(|text| text.parse::<u64>().expect("a number")),
            "{line}"
        );
        found.push((key, number));
    }
    assert_eq!(found.iter().map(|(_, number)| *number).collect::<BTreeSet<_>>().len(), 1000);
    assert_eq!(found.len(), 1000);
    for key in found.iter().map(|(key, _)| *key).collect::<BTreeSet<_>>() {
        let numbers: Vec<usize> = found.iter().filter(|(of, _)| *of == key).map(|(_, number)| *number).collect();
        assert!(numbers.is_sorted(), "{key}: {numbers:?}");
    }
    server.stop();
}

#[test]
fn json_records_come_back_with_all_their_parts() {
    let Some(server) = LiveServer::start() else { return };
    server.run(&["topic", "create", "records", "--partitions", "2"]).assert(0, &[]);
    let input = concat!(
        r#"{"key":"00001","value":{"dollars": 11.70},"headers":{"source":"till"},"partition":1,"timestamp_ms":852076800000}"#,
        "\n\n",
        r#"{"key_base64":"/w==","value_base64":"AAH/","partition":1,"timestamp_ms":-1}"#,
        "\n",
        r#"{"value":null,"partition":0}"#,
        "\n"
    );
    let produced = server.run_with_input(&["produce", "records", "--format", "json", "--json"], input.as_bytes());
    let summary = produced.json();
    assert_eq!((produced.code, &summary["stored_count"], &summary["failures"]), (0, &json!(3), &json!([])));
    assert_documented(&summary);

    let consumed = server.run(&["consume", "records", "--partition", "1", "--from", "0", "--json"]);
    consumed.assert(0, &[]);
    let mut records = json_lines(&consumed.out);
    records.iter().for_each(assert_documented);
    for record in &mut records {
        let append_time = record.as_object_mut().expect("an object").remove("append_time").expect("a time");
        assert!(append_time.as_str().expect("text").ends_with('Z'));
    }
    let expected = [
        json!({"partition": 1, "offset": 0, "timestamp_ms": 852_076_800_000_u64, "key": "00001",
            "value": "{\"dollars\": 11.70}", "headers": [{"name": "source", "value": "till"}]}),
        json!({"partition": 1, "offset": 1, "timestamp_ms": -1, "key_base64": "/w==", "value_base64": "AAH/", "headers": []}),
    ];
    assert_eq!(records, expected);
    let plain = server.run(&["consume", "records", "--partition", "1", "--partition", "0"]);
    plain.assert(0, &["\t\\xff\t\\x00\\x01\\xff\n", "\t\\N\t\\N\n", "\t00001\t{\"dollars\": 11.70}\n"]);

    server.run(&["topic", "create", "copies", "--partitions", "2"]).assert(0, &[]);
    let all = server.run(&["consume", "records", "--format", "json"]).out;
    server.run_with_input(&["produce", "copies", "--format", "json"], all.as_bytes()).assert(0, &["stored       3"]);
    let without_time = |text: &str| {
        let times = json_lines(text).into_iter().map(|mut record| {
            record["append_time"] = Value::Null;
            record.to_string()
        });
        times.collect::<BTreeSet<_>>()
    };
    let copied = server.run(&["consume", "copies", "--json"]).out;
    assert_eq!(without_time(&all), without_time(&copied), "what is consumed can be produced again");
    server.stop();
}

#[test]
fn reading_begins_where_it_is_told_and_ends_where_it_shall() {
    let Some(server) = LiveServer::start() else { return };
    server.run(&["topic", "create", "ten"]).assert(0, &[]);
    let numbers: String = (0..10).map(|number| format!("{number}\n")).collect();
    server.run_with_input(&["produce", "ten", "--batch-records", "3"], numbers.as_bytes()).assert(0, &[]);
    let values = |arguments: &[&str]| {
        let answer = server.run(&[&["consume", "ten"], arguments].concat());
        assert_eq!((answer.code, answer.err.as_str()), (0, ""), "{arguments:?}");
        answer.out.lines().map(|line| line.rsplit('\t').next().expect("a value").to_owned()).collect::<String>()
    };
    assert_eq!(values(&[]), "0123456789");
    assert_eq!(values(&["--from", "4", "--partition", "0"]), "456789", "also from within a batch");
    assert_eq!(values(&["--from", "4", "--partition", "0", "--count", "3"]), "456");
    assert_eq!(values(&["--from", "10", "--partition", "0"]), "", "the end is an offset");
    assert_eq!(values(&["--from", "end"]), "");
    assert_eq!(values(&["--from", "-10m"]), "0123456789");
    assert_eq!(values(&["--from", "@0"]), "0123456789");
    assert_eq!(values(&["--from", "2200-01-01T00:00:00Z"]), "");
    assert_eq!(values(&["--count", "0"]), "");
    server.run(&["consume", "ten", "--from", "11", "--partition", "0"]).assert(1, &["no offset 11"]);
    server.run(&["consume", "ten", "--partition", "1"]).assert(1, &["no partition 1: it has 1"]);
    server.stop();
}

#[test]
fn reading_begins_by_append_time_or_by_the_timestamps_of_records() {
    let Some(server) = LiveServer::start() else { return };
    server.run(&["topic", "create", "late"]).assert(0, &[]);
    let record = |(value, ms): (&str, i64)| format!("{}\n", json!({"value": value, "timestamp_ms": ms}));
    // All appended now, and not in the order of their timestamps.
    let input: String = [("a", -5), ("b", 1000), ("c", 3000), ("d", 2000)].into_iter().map(record).collect();
    server.run_with_input(&["produce", "late", "--format", "json"], input.as_bytes()).assert(0, &["stored       4"]);
    let values = |from: &str| {
        let answer = server.run(&["consume", "late", "--from", from]);
        assert_eq!((answer.code, answer.err.as_str()), (0, ""), "{from}");
        answer.out.lines().map(|line| line.rsplit('\t').next().expect("a value").to_owned()).collect::<String>()
    };
    assert_eq!(values("timestamp:1970-01-01T00:00:00Z"), "bcd");
    assert_eq!(values("timestamp:@1"), "bcd");
    assert_eq!(values("timestamp:1001"), "cd", "what follows is shown whatever its timestamp is");
    assert_eq!(values("timestamp:1969-12-31T00:00:00Z"), "abcd");
    assert_eq!(values("timestamp:3001"), "", "nothing is as late");
    assert_eq!(values("timestamp:-10m"), "");
    assert_eq!(values("-10m"), "abcd");
    server.run(&["consume", "late", "--from", "timestamp:soon"]).assert(2, &["is no timestamp"]);
    server.stop();
}

#[test]
fn following_shows_what_comes_and_ends_when_nobody_reads() {
    let Some(server) = LiveServer::start() else { return };
    server.run(&["topic", "create", "news"]).assert(0, &[]);
    server.run_with_input(&["produce", "news"], b"old\n").assert(0, &[]);
    let mut command = server.command(&["consume", "news", "--follow"]);
    let mut follower = command.stdout(Stdio::piped()).spawn().expect("it runs");
    let mut shown = BufReader::new(follower.stdout.take().expect("its output"));
    let mut next = || {
        let mut line = String::new();
        shown.read_line(&mut line).expect("a line");
        line
    };
    assert!(next().ends_with("\told\n"));
    server.run_with_input(&["produce", "news"], b"new\n").assert(0, &[]);
    assert!(next().ends_with("\tnew\n"));
    drop(shown);
    assert_eq!(follower.wait().expect("it ends").code(), Some(0));
    server.stop();
}

#[test]
fn bad_lines_stop_or_are_skipped_and_what_stands_before_them_is_stored() {
    let Some(server) = LiveServer::start() else { return };
    server.run(&["topic", "create", "bad"]).assert(0, &[]);
    let input = b"a 1\nb\nc 3\n";
    let stopped = server.run_with_input(&["produce", "bad", "--key-column", "2"], input);
    stopped.assert(1, &["florin: line 2 has 1 column", "stored       1 record", "STOPPED      behind line 2"]);
    let skipped = server.run_with_input(&["produce", "bad", "--key-column", "2", "--on-bad-line", "skip"], input);
    skipped.assert(1, &["line 2 has 1 column", "stored       2 records", "BAD INPUT    1 line"]);
    assert_eq!(server.run(&["consume", "bad"]).out.lines().count(), 3);
    let astray = ["produce", "bad", "--format", "json", "--json"];
    let astray = server.run_with_input(&astray, b"{\"partition\":5,\"value\":\"x\"}\n");
    let summary = astray.json();
    assert_eq!((astray.code, &summary["stopped_by"], &summary["bad_count"]), (1, &json!("bad_line"), &json!(1)));
    assert_documented(&summary);
    server.stop();
}

#[test]
fn records_are_acknowledged_while_more_input_is_awaited() {
    let Some(server) = LiveServer::start() else { return };
    server.run(&["topic", "create", "slow"]).assert(0, &[]);
    let mut command = server.command(&["produce", "slow", "--acked-offsets"]);
    let mut producer =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it runs");
    let mut input = producer.stdin.take().expect("its input");
    let mut acked = BufReader::new(producer.stdout.take().expect("its output"));
    for number in 0..3 {
        writeln!(input, "line").expect("it reads");
        let mut line = String::new();
        acked.read_line(&mut line).expect("a line");
        assert_eq!(line, format!("{}\t0\t{number}\n", number + 1));
    }
    drop(input);
    assert!(producer.wait().expect("it ends").success());
    server.stop();
}
