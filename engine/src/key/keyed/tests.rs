use super::*;
use crate::format::batch::{BatchBuilder, Header};
use crate::format::control::Partitioner;
use crate::model::Id128;

fn hasher() -> KeyHasher {
    KeyHasher::new(Id128([3; 16]))
}

fn rule(source: KeySource, body_headers: &[&str]) -> KeyRule {
    let body_headers = body_headers.iter().map(|name| (*name).into()).collect();
    KeyRule::new(source, 7, body_headers, Partitioner::Murmur2).expect("a rule")
}

fn by_header() -> KeySource {
    KeySource::Header("payment-id".into())
}

/// A batch of one record.
fn batch(key: Option<&[u8]>, value: Option<&[u8]>, headers: &[(&str, Option<&[u8]>)]) -> Vec<u8> {
    let headers: Vec<_> = headers.iter().map(|(key, value)| Header { key: key.as_bytes(), value: *value }).collect();
    let mut builder = BatchBuilder::new();
    builder.push(1_000, key, value, &headers).expect("room");
    builder.finish().to_vec()
}

fn keyed(batch: &[u8], rule: &KeyRule) -> Result<Vec<RecordKey>, KeyFault> {
    keys_of(RecordWalk::new(batch).expect("a batch"), rule, &hasher(), (0, 1))
}

fn one(batch: &[u8], rule: &KeyRule) -> RecordKey {
    keyed(batch, rule).expect("a key")[0]
}

#[test]
fn the_key_is_where_the_topic_says_and_nowhere_else() {
    let batch = batch(Some(b"card-7"), Some(b"12 EUR"), &[("payment-id", Some(b"pay-1"))]);
    assert_eq!(one(&batch, &rule(KeySource::RecordKey, &[])).key, hasher().key(b"card-7"));
    assert_eq!(one(&batch, &rule(by_header(), &[])).key, hasher().key(b"pay-1"));
}

#[test]
fn headers_belong_to_the_body_only_if_the_topic_lists_them() {
    let sent = |trace: &[u8], shop: &[u8]| {
        batch(Some(b"pay-1"), Some(b"12 EUR"), &[("trace", Some(trace)), ("shop", Some(shop)), ("trace", None)])
    };
    let rule = rule(KeySource::RecordKey, &["shop"]);
    assert_eq!(one(&sent(b"a", b"7"), &rule), one(&sent(b"b", b"7"), &rule), "a trace is none of the payment");
    assert_ne!(one(&sent(b"a", b"7"), &rule).body, one(&sent(b"a", b"8"), &rule).body);
    let without = batch(Some(b"pay-1"), Some(b"12 EUR"), &[]);
    assert_ne!(one(&sent(b"a", b"7"), &rule).body, one(&without, &rule).body);
}

#[test]
fn a_record_without_a_key_is_refused_by_its_index() {
    let mut builder = BatchBuilder::new();
    builder.push(1, Some(b"k"), Some(b"v"), &[]).unwrap();
    builder.push(1, None, Some(b"v"), &[]).unwrap();
    let error = keyed(&builder.finish(), &rule(KeySource::RecordKey, &[])).expect_err("no key");
    assert_eq!(error.to_string(), "record 1 has no idempotency key: the topic takes it from the record's key");
    let error = keyed(&batch(None, None, &[]), &rule(by_header(), &[])).expect_err("no header");
    assert_eq!(error.to_string(), "record 0 has no idempotency key: the topic takes it from header \"payment-id\"");
    let null = batch(None, None, &[("payment-id", None)]);
    assert!(matches!(keyed(&null, &rule(by_header(), &[])), Err(KeyFault::Missing { .. })));
}

#[test]
fn an_empty_key_is_none() {
    let batch = batch(Some(b""), Some(b"12 EUR"), &[("payment-id", Some(b""))]);
    for source in [KeySource::RecordKey, by_header()] {
        let refused = keyed(&batch, &rule(source.clone(), &[]));
        assert_eq!(refused, Err(KeyFault::Missing { index: 0, place: source }));
    }
}

#[test]
fn a_key_that_a_record_has_twice_is_none() {
    let twice = batch(None, None, &[("payment-id", Some(b"1")), ("payment-id", Some(b"1"))]);
    let error = keyed(&twice, &rule(by_header(), &[])).expect_err("which of them?");
    assert_eq!(error.to_string(), "record 0 has its idempotency key twice: send one header \"payment-id\"");
}

#[test]
fn a_key_of_another_partition_is_refused_with_the_right_one() {
    let batch = batch(Some(b"21"), None, &[]);
    let rule = rule(KeySource::RecordKey, &[]);
    let belongs = Partitioner::Murmur2.partition_of(b"21", 16);
    let keys = |index| keys_of(RecordWalk::new(&batch).expect("a batch"), &rule, &hasher(), (index, 16));
    assert!(keys(belongs).is_ok());
    let error = keys(belongs + 1).expect_err("elsewhere");
    assert_eq!(
        error.to_string(),
        format!("record 0 belongs to partition {belongs} by its idempotency key: send it there")
    );
}

#[test]
fn records_are_the_same_payment_exactly_if_key_and_body_are_the_same() {
    let rule = rule(by_header(), &["shop"]);
    let payment = |key: &[u8], value: Option<&[u8]>, headers: &[(&str, Option<&[u8]>)]| {
        batch(Some(key), value, &[&[("payment-id", Some(&b"1"[..]))], headers].concat())
    };
    let shop = |name: &'static [u8]| ("shop", Some(name));
    let batches = [
        payment(b"card", Some(b"12 EUR"), &[]),
        payment(b"card", Some(b""), &[]),
        payment(b"card", None, &[]),
        payment(b"card", Some(b"12 EUR"), &[shop(b"7")]),
        payment(b"card", Some(b"12 EUR"), &[shop(b"7"), shop(b"")]),
        payment(b"card", Some(b"12 EUR"), &[shop(b"7"), ("shop", None)]),
        batch(Some(b"card"), Some(b"12 EUR"), &[("payment-id", Some(b"2"))]),
    ];
    let record = |batch| RecordWalk::new(batch).expect("a batch").next().expect("a record").expect("whole");
    for (index, left) in batches.iter().enumerate() {
        for (other, right) in batches.iter().enumerate() {
            let same = is_same_payment(&record(left), &record(right), &rule).expect("keys");
            assert_eq!(same, index == other, "{index} and {other}");
            assert_eq!(same, one(left, &rule) == one(right, &rule), "the hashes say the same");
        }
    }
    let traced = payment(b"other card", Some(b"12 EUR"), &[("trace", Some(b"x"))]);
    assert!(is_same_payment(&record(&batches[0]), &record(&traced), &rule).expect("keys"));
}
