//! Reads the decision table of recovery as text: its columns are not public.

use crate::tree::{code, read};

const SOURCE: &str = "engine/src/journal/decision.rs";
const COLUMNS: [&str; 8] = ["header", "body", "age", "order", "link", "reach", "lap", "evidence"];

/// The rows as the page shows them: number, the eight columns, the verdict.
pub fn rows() -> Vec<Vec<String>> {
    let source = code(&read(SOURCE));
    let (_, body) = source.split_once("TABLE: [Row; ").expect("the table");
    let (body, _) = body.split_once("\n];").expect("the table ends");
    let rows = body.split("Row {").skip(1).map(|row| row.split_once("..ANY").expect("a row ends in ..ANY").0);
    rows.enumerate().map(|(index, row)| shown(&source, index + 1, row)).collect()
}

/// The names of all kinds of damage, in their order.
pub fn names_of_harms() -> Vec<String> {
    let source = code(&read(SOURCE));
    let (_, body) = source.split_once("pub enum Harm {").expect("the kinds of damage");
    let (body, _) = body.split_once('}').expect("an enum ends");
    body.lines().map(|line| line.trim().trim_end_matches(',').to_owned()).filter(|line| !line.is_empty()).collect()
}

fn shown(source: &str, number: usize, row: &str) -> Vec<String> {
    let mut cells = vec![number.to_string()];
    for column in COLUMNS {
        cells.push(value(row, column).map_or("any".to_owned(), |value| names(source, value)));
    }
    let verdict = value(row, "verdict").expect("a row has a verdict");
    cells.push(match constant(source, verdict).strip_prefix("Verdict::").expect("a verdict") {
        harm if harm.starts_with("Damage(") => format!("damage: `{}`", last_name(harm.trim_end_matches(')'))),
        verdict => format!("`{verdict}`"),
    });
    cells
}

/// What a row gives for a column, as it is written.
fn value<'a>(row: &'a str, column: &str) -> Option<&'a str> {
    let start = row.match_indices(&format!("{column}: ")).map(|(at, found)| at + found.len()).next()?;
    let rest = &row[start..];
    let end = if rest.starts_with('&') { rest.find(']')? + 1 } else { rest.find(',')? };
    Some(&rest[..end])
}

/// A constant by its value, anything else as it is.
fn constant<'a>(source: &'a str, value: &'a str) -> &'a str {
    let found = source.split_once(&format!("const {value}: ")).and_then(|(_, after)| after.split_once(" = "));
    found.and_then(|(_, after)| after.split_once(';')).map_or(value, |(value, _)| value)
}

fn names(source: &str, value: &str) -> String {
    let list = constant(source, value).trim_start_matches("&[").trim_end_matches(']');
    let names: Vec<_> = list.split(", ").map(|name| format!("`{}`", last_name(name))).collect();
    names.join(" ")
}

fn last_name(path: &str) -> &str {
    path.rsplit("::").next().expect("a path has a last name")
}
