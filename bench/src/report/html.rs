//! One page that needs nothing else: machine, conditions, the table, and a percentile plot of every point.
//!
//! Nothing is loaded and nothing runs: the page can be sent, kept with an audit, and printed. It is well-formed XML inside,
//! so every tag is closed.

mod plot;

use std::fmt::Write as _;

use super::output::cells;
use super::point::value_text;
use super::{Column, Field, Point};
use crate::statistics::Latencies;

use plot::{Line, Stroke, figure};

const STYLE: &str = include_str!("html/page.css");
/// Nothing may be loaded from anywhere, whatever a text of the page contains.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";
const NO_BREAK_SPACE: char = '\u{a0}';
/// The label whose values are lines of one chart.
const COMPARED_LABEL: &str = "connections";

const HOW_TO_READ: &str = "A line shows which latency the given share of operations did not exceed; to the right, each \
    step leaves a tenth as many operations above it. Strong: all rounds together. Thin: single rounds. Dashed: floors of \
    the same machine, measured in the same rounds. Below 100 000 operations a line ends with its slowest one.";

/// The whole page.
pub fn page(facts: &[(&'static str, String)], conditions: &str, columns: &[Column], points: &[Point]) -> String {
    let title = escaped(&title_of(points));
    let mut body = format!("<h1>{title}</h1>\n");
    body.push_str(&machine_table(facts, conditions));
    body.push_str(&result_table(columns, points));
    let charts = comparisons(points);
    let sections: String = points.iter().map(section).collect();
    if [&charts, &sections].iter().any(|text| text.contains("<svg")) {
        let _ = writeln!(body, "<h2>Latencies</h2>\n<p class=\"note\">{}</p>", escaped(HOW_TO_READ));
    }
    if !charts.is_empty() {
        let _ = writeln!(body, "<div class=\"figures\">\n{charts}</div>");
    }
    let _ = writeln!(body, "<div class=\"points\">\n{sections}</div>");
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta name=\"color-scheme\" content=\"light dark\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{}\"/>\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n\
         <footer>florin-bench {}</footer>\n</body>\n</html>\n",
        escaped(POLICY),
        env!("CARGO_PKG_VERSION"),
    )
}

/// A text as content or as the value of an attribute.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // Not allowed in a page, not even by number.
            letter if letter.is_control() && !letter.is_whitespace() => safe.push(char::REPLACEMENT_CHARACTER),
            letter => safe.push(letter),
        }
    }
    safe
}

/// The same for numbers: no line ends between their groups of three digits.
fn unbroken(text: &str) -> String {
    let safe = escaped(text);
    let digit = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_digit());
    let parts: Vec<&str> = safe.split(' ').collect();
    let mut whole = parts[0].to_owned();
    for pair in parts.windows(2) {
        let within = digit(pair[0].chars().last()) && digit(pair[1].chars().next());
        whole.push(if within { NO_BREAK_SPACE } else { ' ' });
        whole.push_str(pair[1]);
    }
    whole
}

fn title_of(points: &[Point]) -> String {
    let mut benches: Vec<&str> = points.iter().map(|point| point.bench).collect();
    benches.dedup();
    if benches.is_empty() {
        "Florin: nothing was measured".to_owned()
    } else {
        format!("Florin: {}", benches.join(", "))
    }
}

fn machine_table(facts: &[(&'static str, String)], conditions: &str) -> String {
    let mut table = "<table class=\"facts\">\n<caption>Measured on</caption>\n<tbody>\n".to_owned();
    let rows = facts.iter().map(|(name, value)| (*name, value.as_str())).chain([("conditions", conditions.trim())]);
    for (name, value) in rows {
        let _ = writeln!(table, "<tr><th scope=\"row\">{}</th><td>{}</td></tr>", escaped(name), escaped(value));
    }
    table.push_str("</tbody>\n</table>\n");
    table
}

/// The table that is printed, with the range of every number.
fn result_table(columns: &[Column], points: &[Point]) -> String {
    let columns: Vec<Column> = columns.iter().map(|column| Column { with_range: true, ..*column }).collect();
    let headings = columns.iter().map(|column| format!("<th scope=\"col\">{}</th>", escaped(column.heading)));
    let mut table = format!(
        "<h2>Results</h2>\n<div class=\"wide\" tabindex=\"0\" role=\"group\" aria-label=\"Results\">\n<table \
         class=\"results\">\n<thead>\n<tr>{}</tr>\n</thead>\n<tbody>\n",
        headings.collect::<String>()
    );
    for point in points {
        let row = cells(point, &columns).into_iter().map(|cell| {
            // What the number is comes first, and may stand in a line of its own above its range.
            match cell.split_once(" (") {
                Some((number, range)) => {
                    format!("<td>{} <span class=\"range\">({}</span></td>", unbroken(number), unbroken(range))
                }
                None => format!("<td>{}</td>", unbroken(&cell)),
            }
        });
        let _ = writeln!(table, "<tr>{}</tr>", row.collect::<String>());
    }
    table.push_str("</tbody>\n</table>\n</div>\n");
    table
}

/// A point with its plot and all its numbers.
fn section(point: &Point) -> String {
    let title = point.title();
    let merged = point.latencies();
    let rounds: Vec<&Latencies> = point.timed_rounds().collect();
    let mut lines = Vec::new();
    if rounds.len() > 1 {
        let name = format!("{} rounds, one by one", rounds.len());
        let names = std::iter::once(Some(name)).chain(std::iter::repeat(None));
        let thin = |(name, latencies)| Line { name, latencies, hue: 0, stroke: Stroke::Thin };
        lines.extend(names.zip(rounds).map(thin));
    }
    let floors = point.series.iter().enumerate().map(|(index, series)| Line {
        name: Some(series.name.replace('_', " ")),
        latencies: &series.latencies,
        hue: index + 1,
        stroke: Stroke::Dashed,
    });
    lines.extend(floors);
    if let Some(latencies) = &merged {
        let name = if point.timed_rounds().count() > 1 {
            format!("{}, all rounds", point.bench)
        } else {
            point.bench.to_owned()
        };
        lines.push(Line { name: Some(name), latencies, hue: 0, stroke: Stroke::Strong });
    }
    let figure = figure(&format!("Latency by percentile, {title}"), &lines).unwrap_or_default();
    format!("<section>\n<h3>{}</h3>\n{figure}{}</section>\n", escaped(&title), all_numbers(point))
}

/// Everything that the JSON says about a point.
fn all_numbers(point: &Point) -> String {
    let mut table = "<details>\n<summary>All numbers</summary>\n<table class=\"numbers\">\n<tbody>\n".to_owned();
    for (name, field) in point.fields() {
        let told = !matches!(field, Field::Label(_)) || name == "rounds";
        if told {
            let text = unbroken(&field.text(true));
            let _ = writeln!(table, "<tr><th scope=\"row\">{}</th><td>{text}</td></tr>", escaped(name));
        }
    }
    table.push_str("</tbody>\n</table>\n</details>\n");
    table
}

/// A chart for all points that differ in the compared label alone.
fn comparisons(points: &[Point]) -> String {
    let mut groups: Vec<Vec<&Point>> = Vec::new();
    for point in points.iter().filter(|point| compared_value(point).is_some()) {
        let group = groups.iter_mut().find(|group| other_labels(group[0]) == other_labels(point));
        match group {
            Some(group) => group.push(point),
            None => groups.push(vec![point]),
        }
    }
    groups.iter().filter_map(|group| comparison(group)).collect()
}

/// One such chart; `None` if there is nothing to compare.
fn comparison(group: &[&Point]) -> Option<String> {
    let merged: Vec<(String, Latencies)> = group
        .iter()
        .filter_map(|point| Some((format!("{COMPARED_LABEL} {}", compared_value(point)?), point.latencies()?)))
        .collect();
    if merged.len() < 2 {
        return None;
    }
    let lines: Vec<Line<'_>> = merged
        .iter()
        .enumerate()
        .map(|(hue, (name, latencies))| Line { name: Some(name.clone()), latencies, hue, stroke: Stroke::Strong })
        .collect();
    let others = Point { labels: other_labels(group[0]).1, ..group[0].clone() };
    let title = format!("{} by {COMPARED_LABEL}", others.title());
    Some(format!("<section>\n<h3>{}</h3>\n{}</section>\n", escaped(&title), figure(&title, &lines)?))
}

fn compared_value(point: &Point) -> Option<String> {
    point.labels.iter().find(|(name, _)| *name == COMPARED_LABEL).map(|(_, value)| value_text(value))
}

type Labels = Vec<(&'static str, serde_json::Value)>;

fn other_labels(point: &Point) -> (&'static str, Labels) {
    (point.bench, point.labels.iter().filter(|(name, _)| *name != COMPARED_LABEL).cloned().collect())
}

#[cfg(test)]
mod tests;
