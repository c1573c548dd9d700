use bytes::Bytes;
use florin_net::client::Record;

use super::parse;

fn text(text: &'static str) -> Option<Bytes> {
    Some(Bytes::from_static(text.as_bytes()))
}

fn problem(line: &str) -> String {
    parse(line.as_bytes()).expect_err(line)
}

#[test]
fn every_field_of_a_record_is_read() {
    let line = r#"{"key":"00001","value":"paid","headers":{"source":"till","none":null,"n":7},"partition":3,"timestamp_ms":-5}"#;
    let expected = Record {
        partition: Some(3),
        key: text("00001"),
        value: text("paid"),
        headers: vec![
            (Bytes::from_static(b"source"), text("till")),
            (Bytes::from_static(b"none"), None),
            (Bytes::from_static(b"n"), text("7")),
        ],
        timestamp_ms: Some(-5),
    };
    assert_eq!(parse(line.as_bytes()), Ok(expected));
    assert_eq!(parse(b"{}"), Ok(Record::default()), "each field may be missing");
    assert_eq!(parse(br#"{"key":null,"value":null,"headers":null}"#), Ok(Record::default()));
}

#[test]
fn json_that_is_no_string_is_kept_as_its_text() {
    let kept = |json: &'static str| {
        let line = format!(r#"{{"value": {json} }}"#);
        assert_eq!(parse(line.as_bytes()).expect("a record").value, text(json));
    };
    kept(r#"{"dollars": 11.70,  "items":[1,2]}"#);
    kept("11.770");
    kept("123456789012345678901234567890");
    kept("true");
    kept("[]");
    assert_eq!(parse(br#"{"value":"a\n\u00e9\"","key":17}"#).expect("a record").value, text("a\né\""));
}

#[test]
fn bytes_are_given_in_base64() {
    let record = parse(br#"{"key_base64":"/w==","value_base64":"AAEC"}"#).expect("a record");
    assert_eq!(record.key.as_deref(), Some(&[0xff][..]));
    assert_eq!(record.value.as_deref(), Some(&[0, 1, 2][..]));
    assert!(problem(r#"{"value_base64":"A"}"#).contains("value_base64 that is no base64"));
    assert!(problem(r#"{"key":"a","key_base64":"AAEC"}"#).contains("both key and key_base64"));
}

#[test]
fn headers_as_a_list_may_repeat_and_need_not_be_text() {
    let line = r#"{"headers":[{"name":"a","value":"1"},{"name":"a","value_base64":"/w=="},{"name_base64":"/w==","value":null}]}"#;
    let ff = || Bytes::from_static(&[0xff]);
    let a = || Bytes::from_static(b"a");
    assert_eq!(parse(line.as_bytes()).expect("a record").headers, [(a(), text("1")), (a(), Some(ff())), (ff(), None)]);
    assert!(problem(r#"{"headers":[{"value":"1"}]}"#).contains("a header has no name"));
    assert!(problem(r#"{"headers":"a"}"#).contains("headers: an object, or a list"));
}

#[test]
fn what_a_consumer_writes_is_read_back() {
    let line = r#"{"partition":1,"offset":9,"append_time":"2026-01-01T00:00:00Z","timestamp_ms":5,"key":null,"value":"v","headers":[]}"#;
    let expected = Record { partition: Some(1), value: text("v"), timestamp_ms: Some(5), ..Record::default() };
    assert_eq!(parse(line.as_bytes()), Ok(expected));
}

#[test]
fn mistakes_are_named_with_their_column() {
    assert!(problem(r#"{"vlaue":1}"#).contains("unknown field `vlaue`"));
    assert!(problem(r#"{"value":1} x"#).contains("trailing characters (column 13)"));
    assert!(problem(r#"{"value":1,"value":2}"#).contains("duplicate field `value`"));
    assert!(problem("paid").contains("is no record"));
    assert!(problem(r#"{"partition":-1}"#).contains("is no record"));
    assert!(problem(r#"{"value":"\ud800"}"#).contains("is no record"));
    assert!(parse(b"{\"value\":\"\xff\"}").expect_err("no text").contains("is not UTF-8 from byte 10"));
}
