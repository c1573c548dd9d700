use florin_engine::model::Realtime;
use serde_json::{Value, json};

use super::Shown;

fn shown<'a>(key: Option<&'a [u8]>, value: Option<&'a [u8]>) -> Shown<'a> {
    Shown {
        partition: 3,
        offset: 42,
        append_time: Realtime(1_767_323_045_000_000_001),
        timestamp_ms: -1,
        key,
        value,
        headers: Vec::new(),
    }
}

fn plain(key: Option<&[u8]>, value: Option<&[u8]>) -> String {
    let mut out = Vec::new();
    shown(key, value).put_plain(&mut out);
    String::from_utf8(out).expect("what is shown is text")
}

fn json(shown: &Shown<'_>) -> String {
    let mut out = Vec::new();
    shown.put_json(&mut out);
    String::from_utf8(out).expect("what is shown is text")
}

#[test]
fn a_plain_line_has_five_columns() {
    let line = plain(Some(b"00001"), Some("paid 11.77 é".as_bytes()));
    assert_eq!(line, "3\t42\t2026-01-02T03:04:05.000000001Z\t00001\tpaid 11.77 é\n");
    assert!(plain(None, Some(b"")).ends_with("Z\t\\N\t\n"), "nothing is told apart from an empty value");
}

#[test]
fn what_would_break_a_line_or_a_terminal_is_escaped() {
    let line = plain(Some(b"a\tb\\N"), Some(b"\r\n\x1b[2J\xff\xc3\x7f\xc2\x9b"));
    assert!(line.ends_with("\ta\\tb\\\\N\t\\r\\n\\x1b[2J\\xff\\xc3\\x7f\\xc2\\x9b\n"), "{line:?}");
}

#[test]
fn json_has_text_as_strings_and_other_bytes_in_base64() {
    let mut record = shown(Some(b"00001"), Some(&[0xff, 0]));
    record.headers = vec![(b"source", Some(b"till")), (b"source", None), (&[0xff], Some(&[0xfe]))];
    let line = json(&record);
    assert_eq!(line.matches('\n').count(), 1, "one line");
    let expected = json!({
        "partition": 3, "offset": 42, "append_time": "2026-01-02T03:04:05.000000001Z", "timestamp_ms": -1,
        "key": "00001", "value_base64": "/wA=",
        "headers": [{"name": "source", "value": "till"}, {"name": "source", "value": null},
            {"name_base64": "/w==", "value_base64": "/g=="}],
    });
    assert_eq!(serde_json::from_str::<Value>(&line).expect("JSON"), expected);
    assert!(line.starts_with(r#"{"partition":3,"offset":42,"append_time":"#), "{line}");
}

#[test]
fn json_says_null_for_what_is_not_there() {
    let line = json(&shown(None, None));
    assert!(line.ends_with("\"key\":null,\"value\":null,\"headers\":[]}\n"), "{line}");
}
