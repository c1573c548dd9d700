use std::time::Duration;

use super::{BOTTOM, Line, Stroke, TOP, figure, straightened, tick_text, track, x_of};
use crate::statistics::Latencies;

fn latencies(nanoseconds: impl IntoIterator<Item = u64>) -> Latencies {
    let mut latencies = Latencies::new();
    nanoseconds.into_iter().for_each(|latency| latencies.record(Duration::from_nanos(latency)));
    latencies
}

fn line(latencies: &Latencies) -> Line<'_> {
    Line { name: Some("capture".to_owned()), latencies, hue: 0, stroke: Stroke::Strong }
}

/// The places of the polylines of a drawing whose class begins with a word.
fn places(svg: &str, class: &str) -> Vec<Vec<(f64, f64)>> {
    let start = format!("<polyline class=\"{class}");
    let lines =
        svg.split(&start).skip(1).map(|rest| rest.split("points=\"").nth(1).unwrap().split('"').next().unwrap());
    let place = |text: &str| text.split_once(',').map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap())).unwrap();
    lines.map(|points| points.split(' ').map(place).collect()).collect()
}

#[test]
fn every_nine_is_a_fifth_of_the_width_further_to_the_right() {
    // 0, 90, 99, 99.9, 99.99 and 99.999 %.
    let found = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0].map(x_of);
    let expected = [60.0, 123.6, 187.2, 250.8, 314.4, 378.0];
    assert!(found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-9), "{found:?}");
    let svg = figure("t", &[line(&latencies([1]))]).unwrap();
    for (x, share) in expected.iter().zip(["0", "90", "99", "99.9", "99.99", "99.999"]) {
        assert!(svg.contains(&format!("<text class=\"x\" x=\"{x:.1}\" y=\"245.0\">{share}</text>")), "{share}: {svg}");
    }
}

#[test]
fn a_line_goes_through_its_percentiles_and_ends_with_the_slowest() {
    let found = track(&latencies(1..=1000));
    let at = |nines: f64| found.iter().find(|place| (place.0 - nines).abs() < 1e-9).unwrap().1;
    assert_eq!((at(0.0), at(1.0), at(2.0)), (0.001, 0.9, 0.99));
    // Half of all is between two steps: 0.30 nines are 49.9 %.
    assert!((at(0.3) - 0.499).abs() < 0.001, "{}", at(0.3));
    let (nines, slowest) = *found.last().unwrap();
    assert!((nines - 3.0).abs() < 1e-9 && (slowest - 1.0).abs() < 1e-9, "99.9 % of 1000 operations, then the last one");
    assert!(found.is_sorted_by(|one, next| one.0 <= next.0 && one.1 <= next.1), "{found:?}");
    // Latencies beyond 99.999 % have no room.
    let many = latencies(std::iter::repeat_n(100, 999_999).chain([1_900]));
    assert_eq!(track(&many).last(), Some(&(5.0, 0.1)));
}

#[test]
fn one_operation_is_a_dot() {
    assert_eq!(track(&latencies([700])), [(0.0, 0.7), (0.0, 0.7)]);
}

#[test]
fn level_stretches_keep_their_ends_only() {
    let level = [(0.0, 1.0), (0.1, 1.0), (0.2, 1.0), (0.3, 2.0), (0.4, 2.0), (0.5, 2.0)];
    assert_eq!(straightened(&level), [(0.0, 1.0), (0.2, 1.0), (0.3, 2.0), (0.5, 2.0)]);
    assert_eq!(straightened(&[]), []);
}

#[test]
fn places_of_a_drawing_are_where_share_and_latency_say() {
    let ours = latencies((1..=1000).map(|number| number * 2));
    let floor = latencies(1..=100);
    let round = Line { name: None, stroke: Stroke::Thin, ..line(&ours) };
    let other = Line { name: Some("floor <epoll>".to_owned()), hue: 1, stroke: Stroke::Dashed, ..line(&floor) };
    let svg = figure("a \"title\"", &[round, other, line(&ours)]).unwrap();
    assert!(svg.contains("aria-label=\"a &quot;title&quot;\""));
    // The scale is logarithmic, from 0.001 to 2 µs: 90 % took 1.8 µs at most.
    let strong = &places(&svg, "strong h0 d0")[0];
    let y = BOTTOM - (1800_f64).log10() / (2000_f64).log10() * (BOTTOM - TOP);
    let at_90 = strong.iter().find(|(x, _)| (x - 123.6).abs() < 0.01).unwrap();
    assert!((at_90.1 - y).abs() < 0.06, "{at_90:?} and {y}");
    let (x, y) = *strong.last().unwrap();
    assert!((x - 250.8).abs() < 1e-9 && (y - TOP).abs() < 1e-9, "the slowest is at the top");
    assert_eq!(places(&svg, "thin h0")[0], *strong);
    assert_eq!(places(&svg, "floor h1").len(), 2, "the line and its swatch");
    assert_eq!(svg.matches("<li>").count(), 2, "a line without a name has no entry");
    assert!(svg.contains("floor &lt;epoll&gt;"));
}

#[test]
fn many_lines_are_kept_apart_by_colour_and_pattern() {
    let some = latencies([1]);
    let lines: Vec<Line<'_>> = (0..32).map(|hue| Line { hue, ..line(&some) }).collect();
    let svg = figure("t", &lines).unwrap();
    let mut classes: Vec<&str> =
        svg.split("class=\"strong ").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    classes.sort_unstable();
    classes.dedup();
    assert_eq!(classes.len(), 32);
}

#[test]
fn without_latencies_there_is_no_plot() {
    assert_eq!(figure("t", &[]), None);
    assert_eq!(figure("t", &[line(&Latencies::new())]), None);
}

#[test]
fn ticks_have_the_digits_that_they_need() {
    let pairs = [(0.001, "0.001"), (0.05, "0.05"), (0.5, "0.5"), (0.0, "0"), (20.0, "20"), (50_000.0, "50 000")];
    for (value, text) in pairs {
        assert_eq!(tick_text(value), text);
    }
}
