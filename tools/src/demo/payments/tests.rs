use std::collections::BTreeSet;

use super::{Cents, all, midnight_ms};

#[test]
fn all_payments_are_read_and_their_dollars_add_up() {
    let payments = all().expect("the file is sound");
    assert_eq!(payments.len(), 69_659);
    let customers: BTreeSet<_> = payments.iter().map(|payment| payment.customer).collect();
    assert_eq!(customers.len(), 23_570);
    let total: Cents = payments.iter().map(|payment| payment.cents).sum();
    assert_eq!(total, Cents(250_031_563));
    let lines: BTreeSet<_> = payments.iter().map(|payment| payment.id).collect();
    assert_eq!((lines.len(), payments[0].id), (69_659, 2), "each payment has the number of its line");
}

#[test]
fn the_first_payment_becomes_the_record_that_is_promised() {
    let record = all().expect("the file is sound")[0].record();
    assert_eq!(record.key.as_deref(), Some(&b"00001"[..]));
    let value = br#"{"payment_id":2,"customer":"00001","date":"19970101","items":1,"dollars":"11.77"}"#;
    assert_eq!(record.value.as_deref(), Some(&value[..]));
    assert_eq!(record.timestamp_ms, Some(852_076_800_000));
    assert_eq!(record.partition, None, "the key decides");
}

#[test]
fn dates_are_days_in_utc() {
    assert_eq!(midnight_ms("19700101").expect("a date"), 0);
    assert_eq!(midnight_ms("19980630").expect("a date"), 899_164_800_000);
    for text in ["1997010", "19970230", "1997-1-1", "abcdefgh"] {
        assert!(midnight_ms(text).is_err(), "{text}");
    }
}

#[test]
fn money_is_counted_in_cents() {
    let read = |text: &str| text.parse::<Cents>();
    assert_eq!(read("11.77").expect("money"), Cents(1177));
    assert_eq!(read("0.05").expect("money"), Cents(5));
    assert_eq!(Cents(123_456_705).to_string(), "1,234,567.05");
    for text in ["11", "11.7", "11.777", ".77", "-1.00", "+1.00", "1.+1", "99999999999999999999.00"] {
        assert!(read(text).is_err(), "{text}");
    }
}
