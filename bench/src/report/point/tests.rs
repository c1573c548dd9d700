use std::time::Duration;

use serde_json::json;

use super::{Field, Point, Round, Series};
use crate::statistics::{Latencies, Ratio, Spread};

fn latencies(microseconds: impl IntoIterator<Item = u64>) -> Latencies {
    let mut latencies = Latencies::new();
    microseconds.into_iter().for_each(|latency| latencies.record(Duration::from_nanos(latency * 1000)));
    latencies
}

/// Latencies below 2 µs are held to the nanosecond.
fn nanoseconds(values: impl IntoIterator<Item = u64>) -> Latencies {
    let mut latencies = Latencies::new();
    values.into_iter().for_each(|latency| latencies.record(Duration::from_nanos(latency)));
    latencies
}

fn round(rate: f64, flushes: Option<f64>, latencies: Latencies) -> Round {
    let numbers = vec![
        ("records_per_second", Some(rate)),
        ("mb_per_second", Some(rate * 256.0 / 1e6)),
        ("server_cpu_us_per_record", None),
        ("client_cpu_us_per_record", Some(2.5)),
        ("journal_writes_per_record", Some(1.0 / 3.0)),
        ("flushes_per_record", flushes),
        ("floor_epoll_records_per_second", Some(rate * 2.0)),
        ("floor_epoll_p50_us", Some(0.5)),
        ("floor_epoll_p99_us", Some(0.75)),
    ];
    Round { numbers, latencies: Some(latencies) }
}

fn point() -> Point {
    Point {
        bench: "capture",
        labels: vec![("connections", json!(8)), ("batch", json!(1)), ("size", json!(256))],
        rounds: vec![
            round(3000.0, Some(0.25), nanoseconds(1..=100)),
            round(1000.0, None, nanoseconds(101..=200)),
            round(2000.0, Some(0.75), nanoseconds(201..=300)),
        ],
        facts: vec![("rss_bytes", Some(1_048_576.0)), ("threads", None)],
        ratios: vec![("floor_epoll_ratio", Ratio { median: 0.93, low: 0.904, high: 0.966_66, rounds: 3 })],
        series: vec![Series { name: "floor_epoll", latencies: nanoseconds(1..=50) }],
    }
}

#[test]
fn an_object_has_every_name_in_its_place_and_null_for_what_is_not_known() {
    let expected = [
        r#"{"bench":"capture","connections":8,"batch":1,"size":256,"rounds":3"#,
        r#""records_per_second":2000.0,"records_per_second_min":1000.0,"records_per_second_max":3000.0"#,
        r#""mb_per_second":0.512,"mb_per_second_min":0.256,"mb_per_second_max":0.768"#,
        r#""p50_us":0.15,"p50_us_min":0.05,"p50_us_max":0.25"#,
        r#""p90_us":0.27,"p90_us_min":0.09,"p90_us_max":0.29"#,
        r#""p99_us":0.297,"p99_us_min":0.099,"p99_us_max":0.299"#,
        r#""p999_us":0.3,"p999_us_min":0.1,"p999_us_max":0.3"#,
        r#""p9999_us":0.3,"p9999_us_min":0.1,"p9999_us_max":0.3"#,
        r#""max_us":0.3,"max_us_min":0.1,"max_us_max":0.3"#,
        r#""server_cpu_us_per_record":null,"server_cpu_us_per_record_min":null,"server_cpu_us_per_record_max":null"#,
        r#""client_cpu_us_per_record":2.5,"client_cpu_us_per_record_min":2.5,"client_cpu_us_per_record_max":2.5"#,
        r#""journal_writes_per_record":0.33333,"journal_writes_per_record_min":0.33333"#,
        r#""journal_writes_per_record_max":0.33333"#,
        r#""flushes_per_record":0.5,"flushes_per_record_min":0.25,"flushes_per_record_max":0.75"#,
        r#""floor_epoll_records_per_second":4000.0,"floor_epoll_records_per_second_min":2000.0"#,
        r#""floor_epoll_records_per_second_max":6000.0"#,
        r#""floor_epoll_p50_us":0.5,"floor_epoll_p50_us_min":0.5,"floor_epoll_p50_us_max":0.5"#,
        r#""floor_epoll_p99_us":0.75,"floor_epoll_p99_us_min":0.75,"floor_epoll_p99_us_max":0.75"#,
        r#""rss_bytes":1048576.0,"threads":null"#,
        r#""floor_epoll_ratio":0.93,"floor_epoll_ratio_low":0.904,"floor_epoll_ratio_high":0.96666}"#,
    ];
    assert_eq!(serde_json::to_string(&point().object()).unwrap(), expected.join(","));
}

#[test]
fn percentiles_are_those_of_one_histogram_and_not_medians_of_rounds() {
    // 99 fast operations in each of two rounds, 99 slow ones in the third.
    let rounds = [10, 10, 1000]
        .map(|latency| Round { numbers: Vec::new(), latencies: Some(latencies((0..99).map(|_| latency))) });
    let point = Point { rounds: rounds.into(), ..point() };
    let fields = point.fields();
    let percentile = |wanted: &str| match fields.iter().find(|(name, _)| *name == wanted) {
        Some((_, Field::Number(Some(spread)))) => *spread,
        other => panic!("{wanted} is {other:?}"),
    };
    let Spread { median, minimum, maximum } = percentile("p90_us");
    assert!(median > 999.0 && minimum < 11.0 && maximum > 999.0, "the rounds' median is 10: {median}");
    assert!(percentile("p50_us").median < 11.0);
}

#[test]
fn without_latencies_and_rounds_the_names_stay_and_are_unknown() {
    let untimed = Round { numbers: vec![("seconds", Some(2.0))], latencies: None };
    let empty = Round { latencies: Some(Latencies::new()), ..untimed.clone() };
    let bare = Point {
        bench: "recover",
        labels: Vec::new(),
        rounds: vec![untimed, empty],
        facts: Vec::new(),
        ratios: Vec::new(),
        series: Vec::new(),
    };
    let text = serde_json::to_string(&bare.object()).unwrap();
    assert!(text.starts_with(r#"{"bench":"recover","rounds":2,"p50_us":null,"#), "{text}");
    assert!(text.ends_with(r#""max_us_max":null,"seconds":2.0,"seconds_min":2.0,"seconds_max":2.0}"#), "{text}");
    assert!(bare.latencies().is_none());
    let nothing = Point { rounds: Vec::new(), ..bare };
    assert!(serde_json::to_string(&nothing.object()).unwrap().starts_with(r#"{"bench":"recover","rounds":0,"#));
}

#[test]
fn a_name_appears_once_in_an_object() {
    let fields = point().fields();
    for (index, (name, _)) in fields.iter().enumerate() {
        assert!(fields[..index].iter().all(|(other, _)| other != name), "{name} appears twice");
    }
}

#[test]
fn fields_are_read_with_and_without_their_range() {
    let spread = Spread { median: 2.0, minimum: 1.0, maximum: 30.0 };
    let number = Field::Number(Some(spread));
    assert_eq!((number.text(true).as_str(), number.text(false).as_str()), ("2.00 (1.00 to 30.0)", "2.00"));
    let ratio = Field::Ratio(Ratio { median: 0.93, low: 0.9, high: 0.97, rounds: 5 });
    assert_eq!(ratio.text(false), "0.93 (0.90 to 0.97)");
    assert_eq!(Field::Fact(Some(123_456.0)).text(true), "123 456");
    assert_eq!(Field::Label(json!("text")).text(true), "text");
    assert_eq!(Field::Label(json!(100_000)).text(true), "100000");
    for unknown in [Field::Number(None), Field::Fact(None), Field::Label(json!(null))] {
        assert_eq!(unknown.text(true), "-");
    }
}

#[test]
fn a_point_has_a_title_and_a_name_for_files() {
    let point = point();
    assert_eq!(point.title(), "capture: connections 8, batch 1, size 256");
    assert_eq!(point.file_stem(), "capture-connections-8-batch-1-size-256");
    let odd = Point { labels: vec![("what", json!("../a b/\u{e4}"))], ..point.clone() };
    assert_eq!(odd.file_stem(), "capture-what-.._a_b__");
    let bare = Point { labels: Vec::new(), ..point };
    assert_eq!((bare.title().as_str(), bare.file_stem().as_str()), ("capture", "capture"));
}
