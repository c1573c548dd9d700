use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::{MachineText, answer};
use crate::machine::Machine;
use crate::report::{Column, Output, Point, Round, html, publish};
use crate::statistics::{Latencies, Ratio};

const COLUMNS: [Column; 6] = [
    Column { heading: "connections", number: "connections", with_range: false },
    Column { heading: "records/s", number: "records_per_second", with_range: true },
    Column { heading: "p50 µs", number: "p50_us", with_range: false },
    Column { heading: "flushes/record", number: "flushes_per_record", with_range: true },
    Column { heading: "of the floor", number: "floor_ratio", with_range: false },
    Column { heading: "RSS", number: "rss_bytes", with_range: false },
];

fn point(connections: u64) -> Point {
    let round = |rate: f64| {
        let mut latencies = Latencies::new();
        latencies.record(Duration::from_nanos(1500));
        let numbers = vec![("records_per_second", Some(rate)), ("flushes_per_record", None)];
        Round { numbers, latencies: Some(latencies) }
    };
    Point {
        bench: "capture",
        labels: vec![("connections", json!(connections))],
        rounds: vec![round(20_000.0), round(10_000.0), round(30_000.0)],
        facts: vec![("rss_bytes", Some(4096.0))],
        ratios: vec![("floor_ratio", Ratio { median: 0.93, low: 0.9, high: 0.97, rounds: 3 })],
        series: Vec::new(),
    }
}

fn output(home: &Path) -> Output {
    Output { json: true, html: Some(home.join("page.html")), hgrm: Some(home.join("new").join("plots")) }
}

fn machine(line: &str) -> MachineText {
    MachineText { line: line.to_owned(), stolen_percent: Some(0.25) }
}

#[test]
fn the_table_shows_what_its_columns_name_and_a_dash_for_the_rest() {
    let bare = Point { ratios: Vec::new(), facts: Vec::new(), ..point(16) };
    let text = answer(false, &machine("a machine\n"), "Closed loop.\n", &COLUMNS, &[point(8), bare]).unwrap();
    let expected = "\
a machine
Closed loop.

| connections | records/s                 | p50 µs | flushes/record | of the floor        | RSS  |
| ----------- | ------------------------- | ------ | -------------- | ------------------- | ---- |
| 8           | 20 000 (10 000 to 30 000) | 1.50   | -              | 0.93 (0.90 to 0.97) | 4096 |
| 16          | 20 000 (10 000 to 30 000) | 1.50   | -              | -                   | -    |
";
    assert_eq!(text, expected);
}

#[test]
fn json_has_an_object_on_a_line_for_every_point() {
    let text = answer(true, &machine("a machine"), "Closed loop.", &COLUMNS, &[point(8), point(16)]).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[1]["connections"], &lines[1]["p50_us"]), (&json!(16), &json!(1.5)));
    assert_eq!(lines[1]["stolen_cpu_percent"], json!(0.25));
    assert_eq!(answer(true, &machine("a machine"), "Closed loop.", &COLUMNS, &[]).unwrap(), "");
}

#[test]
fn files_are_written_and_those_that_exist_are_replaced() {
    let home = tempfile::tempdir().unwrap();
    let output = output(home.path());
    let plot = home.path().join("new/plots/capture-connections-8.hgrm");
    let points = [point(8)];
    let page = || html::page(&[("kernel", "Linux".to_owned())], "Closed loop.", &COLUMNS, &points);
    output.write(page, &points).unwrap();
    let first = std::fs::read_to_string(&plot).unwrap();
    assert!(first.contains("1.500 0.000000000000          3"), "{first}");
    std::fs::write(&plot, "longer than before ".repeat(1000)).unwrap();
    std::fs::write(home.path().join("page.html"), "old").unwrap();
    output.write(page, &points).unwrap();
    assert_eq!(std::fs::read_to_string(&plot).unwrap(), first);
    let page = std::fs::read_to_string(home.path().join("page.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
}

#[test]
fn publishing_gives_the_page_of_this_machine() {
    let home = tempfile::tempdir().unwrap();
    let machine = Machine::of(home.path());
    // Without points, standard output has no line.
    publish(&output(home.path()), &machine, "Closed loop.", &COLUMNS, &[]).unwrap();
    let page = std::fs::read_to_string(home.path().join("page.html")).unwrap();
    assert!(page.contains("load average at the start") && page.contains("Linux"), "{page}");
}

#[test]
fn a_place_that_cannot_be_written_is_named_with_what_to_do_before_anything_is_measured() {
    let home = tempfile::tempdir().unwrap();
    let absent = Output { html: Some(home.path().join("absent/page.html")), ..Output::default() };
    let folder = Output { html: Some(home.path().to_owned()), ..Output::default() };
    for output in [absent, folder] {
        let error = format!("{:#}", output.prepare().unwrap_err());
        assert!(error.contains("give --html the name of a file in a directory that exists"), "{error}");
        assert!(error.contains(&home.path().display().to_string()), "{error}");
    }
    let file = home.path().join("file");
    std::fs::write(&file, "").unwrap();
    let below_a_file = Output { hgrm: Some(file.join("plots")), ..Output::default() };
    let error = format!("{:#}", below_a_file.prepare().unwrap_err());
    assert!(error.contains("file/plots cannot be made: give --hgrm a directory"), "{error}");
    // A directory stands where a file should.
    let output = output(home.path());
    output.prepare().unwrap();
    std::fs::create_dir(home.path().join("new/plots/capture-connections-8.hgrm")).unwrap();
    let error = format!("{:#}", output.write(String::new, &[point(8)]).unwrap_err());
    assert!(error.contains("capture-connections-8.hgrm cannot be written: give --hgrm a directory"), "{error}");
    assert!(Output { html: Some("page.html".into()), ..Output::default() }.prepare().is_ok(), "the current directory");
}
