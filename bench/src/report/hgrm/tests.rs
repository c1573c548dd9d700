use std::time::Duration;

use serde_json::json;

use super::{distribution, files};
use crate::report::{Point, Round, Series};
use crate::statistics::Latencies;

fn latencies(nanoseconds: &[u64]) -> Latencies {
    let mut latencies = Latencies::new();
    nanoseconds.iter().for_each(|latency| latencies.record(Duration::from_nanos(*latency)));
    latencies
}

fn point(latencies: Latencies, series: Vec<Series>) -> Point {
    Point {
        bench: "capture",
        labels: vec![("connections", json!(8))],
        rounds: vec![Round { numbers: Vec::new(), latencies: Some(latencies) }],
        facts: Vec::new(),
        ratios: Vec::new(),
        series,
    }
}

/// Shares, counts and the last column are those that the Java HdrHistogram prints for any four values; mean and deviation
/// are those of 100, 200, 250 and 602.
const GOLDEN: &str = "       Value     Percentile TotalCount 1/(1-Percentile)

       0.100 0.000000000000          1           1.00
       0.100 0.100000000000          1           1.11
       0.100 0.200000000000          1           1.25
       0.200 0.300000000000          2           1.43
       0.200 0.400000000000          2           1.67
       0.200 0.500000000000          2           2.00
       0.250 0.550000000000          3           2.22
       0.250 0.600000000000          3           2.50
       0.250 0.650000000000          3           2.86
       0.250 0.700000000000          3           3.33
       0.250 0.750000000000          3           4.00
       0.602 0.775000000000          4           4.44
       0.602 1.000000000000          4
#[Mean    =        0.288, StdDeviation   =        0.189]
#[Max     =        0.602, Total count    =            4]
#[Buckets =           27, SubBuckets     =         2048]
";

#[test]
fn four_latencies_give_the_golden_text() {
    assert_eq!(distribution(&latencies(&[100, 250, 602, 200])), GOLDEN);
}

#[test]
fn a_text_is_read_as_plotters_do_and_gives_the_latencies_back() {
    let all: Vec<u64> = (1..=20_000).map(|number| number * 1_000).collect();
    let latencies = latencies(&all);
    let text = distribution(&latencies);
    // They skip comments and whatever has no four numbers.
    let rows: Vec<Vec<f64>> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_whitespace().filter_map(|word| word.parse().ok()).collect())
        .filter(|row: &Vec<f64>| row.len() == 4)
        .collect();
    assert!(rows.len() > 50, "{text}");
    for row in &rows {
        let [value, share, count, inverse] = row[..] else { panic!("{row:?}") };
        assert!((inverse * (1.0 - share) - 1.0).abs() < 0.01, "{row:?}");
        assert!(count >= (share * 20_000.0).floor() && value >= share * 20_000.0 * 0.998, "{row:?}");
        assert!(value <= share * 20_000.0 * 1.002 + 1.002, "microseconds: {row:?}");
    }
    assert!(rows.is_sorted_by(|one, next| one[0] <= next[0] && one[1] < next[1] && one[2] <= next[2]));
    let halves = |from: f64, to: f64| rows.iter().filter(|row| row[1] > from && row[1] <= to).count();
    assert_eq!([halves(0.0, 0.5), halves(0.5, 0.75), halves(0.75, 0.875)], [5; 3], "ticks per half distance");
    assert!(
        text.lines().any(|line| line.starts_with("#[Max     =    2000") && line.ends_with("       20000]")),
        "{text}"
    );
}

#[test]
fn every_point_and_series_with_latencies_has_a_file_of_its_own() {
    let floor = |latencies| Series { name: "floor_epoll", latencies };
    let full = point(latencies(&[100, 250, 602, 200]), vec![floor(latencies(&[5])), floor(Latencies::new())]);
    let empty = point(Latencies::new(), Vec::new());
    let files = files(&[full.clone(), empty, full]);
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "capture-connections-8.hgrm",
        "capture-connections-8-floor_epoll.hgrm",
        "capture-connections-8-2.hgrm",
        "capture-connections-8-floor_epoll-2.hgrm",
    ];
    assert_eq!(names, expected);
    assert_eq!(files[0].1, GOLDEN);
    assert!(files[1].1.contains("Total count    =            1]"));
}

#[test]
fn the_rounds_of_a_point_are_merged() {
    let mut point = point(latencies(&[100, 250]), Vec::new());
    point.rounds.push(Round { numbers: Vec::new(), latencies: Some(latencies(&[602, 200])) });
    point.rounds.push(Round { numbers: Vec::new(), latencies: None });
    assert_eq!(files(&[point])[0].1, GOLDEN);
}
