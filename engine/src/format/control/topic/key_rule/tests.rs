use proptest::prelude::*;

use super::*;

fn by_header() -> KeyRule {
    let body_headers = vec!["currency".into(), "shop".into()];
    KeyRule::new(KeySource::Header("payment-id".into()), 30, body_headers, Partitioner::Crc32).expect("a rule")
}

fn put(rule: &KeyRule) -> Vec<u8> {
    let mut out = Vec::new();
    rule.put(&mut out);
    assert_eq!(out.len(), rule.encoded_bytes());
    out
}

#[test]
fn a_rule_has_these_bytes_and_no_others() {
    assert_eq!(put(&by_header()), b"\x02\x02\x1e\x00\x0a\x02payment-id\x08currency\x04shop");
    let by_key = KeyRule::new(KeySource::RecordKey, 400, Vec::new(), Partitioner::Murmur2).expect("a rule");
    assert_eq!(put(&by_key), b"\x01\x01\x90\x01\x00\x00");
    assert_eq!(by_key.window_ns(), 400 * 86_400 * 1_000_000_000);
}

#[test]
fn what_no_rule_can_be_is_refused_with_what_can() {
    let rule = |source, window_days, headers: &[&str]| {
        let headers = headers.iter().map(|name| (*name).into()).collect();
        KeyRule::new(source, window_days, headers, Partitioner::Murmur2).expect_err("no rule").to_string()
    };
    assert_eq!(rule(KeySource::RecordKey, 0, &[]), "keys remembered for 0 days: choose from 1 to 400");
    assert_eq!(rule(KeySource::RecordKey, 401, &[]), "keys remembered for 401 days: choose from 1 to 400");
    assert_eq!(rule(KeySource::Header("".into()), 1, &[]), "the name of a header has 0 bytes: choose one of 1 to 64");
    assert_eq!(rule(KeySource::RecordKey, 1, &["a"; 9]), "9 headers belong to the body: choose at most 8");
    assert_eq!(rule(KeySource::RecordKey, 1, &["a", "b", "a"]), "body header 2 is named before: name each header once");
    assert_eq!(rule(KeySource::Header("a".into()), 1, &["a"]), "body header 0 is named before: name each header once");
}

#[test]
fn bytes_that_are_no_rule_are_refused() {
    let bytes = put(&by_header());
    for end in 0..bytes.len() {
        assert_eq!(KeyRule::get(&bytes[..end]), Err(KeyRuleError::Bytes), "{end} bytes");
    }
    assert_eq!(KeyRule::get(&[&bytes[..], b"x"].concat()), Err(KeyRuleError::Bytes));
    for wrong in [&b"\x01\x01\x01\x00\x01\x00a"[..], b"\x03\x01\x01\x00\x00\x00", b"\x01\x03\x01\x00\x00\x00"] {
        assert_eq!(KeyRule::get(wrong), Err(KeyRuleError::Bytes));
    }
}

proptest! {
    #[test]
    fn a_rule_is_read_as_it_was_written(
        header in prop::option::of("[a-z]{1,64}"), window_days in 1_u16..=400,
        body in prop::collection::btree_set("[A-Z]{1,64}", 0..8), crc in any::<bool>(),
    ) {
        let source = header.map_or(KeySource::RecordKey, |name| KeySource::Header(name.into()));
        let partitioner = if crc { Partitioner::Crc32 } else { Partitioner::Murmur2 };
        let body = body.into_iter().map(Into::into).collect();
        let rule = KeyRule::new(source, window_days, body, partitioner).unwrap();
        prop_assert_eq!(KeyRule::get(&put(&rule)), Ok(rule));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = KeyRule::get(&bytes);
    }
}
