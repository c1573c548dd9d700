use super::{Object, Table, median_text, number_text, numbers, spread_text};
use crate::statistics::Spread;

const SPREAD: Spread = Spread { median: 12_345.6, minimum: 99.0, maximum: 1_234_567.0 };

#[test]
fn numbers_have_the_digits_that_mean_something() {
    let pairs = [
        (0.0, "0.00"),
        (0.00412, "0.0041"),
        (0.25, "0.25"),
        (3.456, "3.46"),
        (34.56, "34.6"),
        (345.6, "346"),
        (9999.4, "9999"),
        (12_345.6, "12 346"),
        (1_234_567.0, "1 234 567"),
    ];
    for (value, text) in pairs {
        assert_eq!(number_text(value), text);
    }
}

#[test]
fn a_spread_shows_its_median_and_range_and_nothing_shows_a_dash() {
    assert_eq!(spread_text(Some(SPREAD)), "12 346 (99.0 to 1 234 567)");
    assert_eq!(median_text(Some(SPREAD)), "12 346");
    assert_eq!(spread_text(Spread::of([3.0])), "3.00");
    assert_eq!(spread_text(None), "-");
    assert_eq!(median_text(None), "-");
}

#[test]
fn an_object_keeps_the_order_of_its_fields() {
    let mut object = Object::new();
    object.put("bench", "capture").put("connections", 8_u64);
    numbers(&mut object, "p50_us", Some(SPREAD));
    numbers(&mut object, "cpu", None);
    let expected = "{\"bench\":\"capture\",\"connections\":8,\"p50_us\":12345.6,\"p50_us_min\":99.0,\
                    \"p50_us_max\":1234567.0,\"cpu\":null,\"cpu_min\":null,\"cpu_max\":null}";
    assert_eq!(serde_json::to_string(&object).unwrap(), expected);
}

#[test]
fn the_columns_of_a_table_stand_below_each_other() {
    let mut table = Table::new(&["a", "µs"]);
    table.row(vec!["longer".to_owned(), "1".to_owned()]);
    assert_eq!(table.render(), "| a      | µs |\n| ------ | -- |\n| longer | 1  |\n");
}

#[test]
fn small_numbers_keep_the_digits_that_mean_something() {
    for (value, text) in
        [(0.000_996, "0.0010"), (0.000_123_4, "0.00012"), (-0.000_031, "-0.000031"), (1e-9, "0.000000001")]
    {
        assert_eq!(number_text(value), text);
    }
    let mut object = Object::new();
    numbers(&mut object, "flushes", Spread::of([0.000_012_345_67]));
    numbers(&mut object, "rate", Spread::of([12_345.678_91]));
    let expected = "{\"flushes\":0.000012346,\"flushes_min\":0.000012346,\"flushes_max\":0.000012346,\
                    \"rate\":12345.6789,\"rate_min\":12345.6789,\"rate_max\":12345.6789}";
    assert_eq!(serde_json::to_string(&object).unwrap(), expected);
}
