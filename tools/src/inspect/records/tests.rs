use florin_engine::format::batch::{BatchBuilder, HEADERS_NONE, Header};
use serde_json::{Value, json};

use super::*;

fn records(batch: Bytes) -> Records {
    Records { partition: 2, append_time: Realtime(1_000_000_000), base_offset: Offset(40), batch }
}

fn lines(records: &Records) -> Vec<String> {
    let mut lines = Vec::new();
    records.lines(|line| lines.push(line));
    lines
}

#[test]
fn records_are_shown_as_consume_shows_them_and_cut_where_they_are_long() {
    let mut builder = BatchBuilder::new();
    let long = "ü".repeat(40);
    let headers = [Header { key: b"source", value: Some(b"till") }; 9];
    builder.push(5, Some(b"key"), Some(long.as_bytes()), &headers).unwrap();
    builder.push(7, None, Some(&[0xff; 70]), HEADERS_NONE).unwrap();
    let records = records(builder.finish().freeze());
    let shown = serde_json::to_value(&records).unwrap();
    assert_eq!(shown[0]["offset"], 40);
    assert_eq!(shown[0]["value"], "ü".repeat(32));
    assert_eq!((&shown[0]["value_bytes"], &shown[0]["header_count"]), (&json!(80), &json!(9)));
    assert_eq!(shown[0]["headers"].as_array().map(Vec::len), Some(8));
    assert_eq!((&shown[1]["key"], &shown[1]["key_bytes"]), (&Value::Null, &Value::Null));
    assert_eq!(shown[1]["value_base64"], crate::base64::encode(&[0xff; 64]));
    let lines = lines(&records);
    assert!(lines[0].starts_with("offset 40  appended 1970-01-01T00:00:01.000000000Z  timestamp 5  key key  value üü"));
    assert!(lines[0].contains("ü... (80 bytes)  header source=till") && lines[0].ends_with("  (1 more headers)"));
    assert!(lines[1].contains("offset 41") && lines[1].contains("timestamp 7  key \\N  value \\xff"), "{}", lines[1]);
}

#[test]
fn compressed_records_are_said_to_be_compressed() {
    let mut builder = BatchBuilder::new();
    builder.push(5, None, Some(b"value"), HEADERS_NONE).unwrap();
    let mut batch = builder.finish();
    batch[22] = 4;
    let records = records(batch.freeze());
    assert_eq!(lines(&records), ["the records are compressed, and not decoded here"]);
    assert_eq!(serde_json::to_value(&records).unwrap(), Value::Null);
}
