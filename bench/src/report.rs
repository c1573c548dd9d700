//! What is said: progress on standard error, a table or JSON on standard output, pages and plots in files.
//!
//! Every bench gives its [`Point`]s to [`publish`], so that all report in one shape. [`point`] says what a point says
//! under which name, [`output`] where it goes, [`html`] and [`hgrm`] how it looks in files.

mod hgrm;
mod html;
pub mod output;
pub mod point;

use std::fmt::Write as _;
use std::io::{self, ErrorKind, IsTerminal, Write};

use anyhow::{Context, Result};
use serde::ser::{Serialize, Serializer};
use serde_json::Value;

use crate::statistics::Spread;

pub use output::{Column, Output, publish};
pub use point::{Field, Point, Round, Series};

/// What stands where there is no number.
const ABSENT: &str = "-";

/// Names and values of a JSON object, in the order in which they were put.
#[derive(Clone, Debug, Default)]
pub struct Object {
    fields: Vec<(String, Value)>,
}

/// Rows under a heading, as a Markdown table whose columns stand below each other.
#[derive(Clone, Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

/// Writes an answer. A reader that has seen enough (`| head`) is no failure.
pub fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("the answer cannot be written to standard output"),
    }
}

/// Says on standard error what went wrong.
pub fn complain(what: &str) {
    progress_end();
    // There is nobody left to tell if this fails.
    let _ = writeln!(io::stderr().lock(), "florin-bench: {what}");
}

/// Says what is being done; on a terminal in place of what was said before.
pub fn progress(what: &str) {
    let mut stderr = io::stderr().lock();
    let _ = if stderr.is_terminal() { write!(stderr, "\r\x1b[K{what}") } else { writeln!(stderr, "{what}") };
    let _ = stderr.flush();
}

/// Makes room for what follows the progress.
pub fn progress_end() {
    let mut stderr = io::stderr().lock();
    if stderr.is_terminal() {
        let _ = write!(stderr, "\r\x1b[K");
        let _ = stderr.flush();
    }
}

/// A number with as many digits as mean something, in groups of three from 10 000 on.
pub fn number_text(value: f64) -> String {
    match value.abs() {
        size if size >= 99.95 => grouped(&format!("{value:.0}")),
        size if size >= 9.995 => format!("{value:.1}"),
        size if size >= 0.0995 || size == 0.0 => format!("{value:.2}"),
        size if size >= 0.000_995 => format!("{value:.4}"),
        _ => with_digits(value, 2).to_string(),
    }
}

fn grouped(digits: &str) -> String {
    if digits.len() <= 4 {
        return digits.to_owned();
    }
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A median with its range, if it has one.
pub fn spread_text(spread: Option<Spread>) -> String {
    let Some(Spread { median, minimum, maximum }) = spread else { return ABSENT.to_owned() };
    if minimum.total_cmp(&maximum).is_eq() {
        return number_text(median);
    }
    format!("{} ({} to {})", number_text(median), number_text(minimum), number_text(maximum))
}

/// How many there are of a thing whose plural ends in s.
pub fn count_text(count: usize, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}

/// A median alone.
pub fn median_text(spread: Option<Spread>) -> String {
    spread.map_or_else(|| ABSENT.to_owned(), |spread| number_text(spread.median))
}

/// Where a thread runs.
pub fn core_text(core: Option<usize>) -> String {
    core.map_or_else(|| "any core".to_owned(), |core| format!("core {core}"))
}

/// Puts a median under its name, and the range beside it; three times nothing if there is no number.
pub fn numbers(object: &mut Object, name: &str, spread: Option<Spread>) {
    object.put(name, spread.map(|spread| rounded(spread.median)));
    object.put(&format!("{name}_min"), spread.map(|spread| rounded(spread.minimum)));
    object.put(&format!("{name}_max"), spread.map(|spread| rounded(spread.maximum)));
}

/// Digits behind these are noise and only make the JSON hard to read.
fn rounded(value: f64) -> f64 {
    if value.abs() < 1.0 { with_digits(value, 5) } else { (value * 10_000.0).round() / 10_000.0 }
}

/// A number with so many digits from the first on that is not 0.
fn with_digits(value: f64, digits: usize) -> f64 {
    format!("{value:.*e}", digits - 1).parse().unwrap_or(value)
}

impl Object {
    /// Without fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field.
    pub fn put(&mut self, name: &str, value: impl Into<Value>) -> &mut Self {
        self.fields.push((name.to_owned(), value.into()));
        self
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.fields.iter().map(|(name, value)| (name, value)))
    }
}

impl Table {
    /// Without rows.
    pub fn new(heading: &[&str]) -> Self {
        Self { rows: vec![heading.iter().map(|name| (*name).to_owned()).collect()] }
    }

    /// Adds a row with a cell for each column.
    pub fn row(&mut self, cells: Vec<String>) {
        assert_eq!(cells.len(), self.rows[0].len(), "one cell per column");
        self.rows.push(cells);
    }

    /// The whole table.
    pub fn render(&self) -> String {
        let width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.rows[0].len()).map(width).collect();
        let mut text = String::new();
        for (index, row) in self.rows.iter().enumerate() {
            for (cell, width) in row.iter().zip(&widths) {
                let _ = write!(text, "| {cell:<width$} ");
            }
            text.push_str("|\n");
            if index == 0 {
                widths.iter().for_each(|width| text.push_str(&format!("| {} ", "-".repeat(*width))));
                text.push_str("|\n");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests;
