//! Where the numbers go: standard output as a table or as JSON, a page, files for plotters.

#![allow(clippy::disallowed_methods, reason = "a bench writes its reports where it is told to")]

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::{ABSENT, Point, Table, hgrm, html, rounded};
use crate::cli::OutputArguments;
use crate::machine::Machine;

/// Where the numbers go.
#[derive(Clone, Debug, Default)]
pub struct Output {
    /// Standard output has an object per point instead of a table.
    pub json: bool,
    /// The file of a page with plots.
    pub html: Option<PathBuf>,
    /// A directory of files for plotters.
    pub hgrm: Option<PathBuf>,
}

/// A column of the table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// What stands above it.
    pub heading: &'static str,
    /// The name of what it shows, as in JSON.
    pub number: &'static str,
    /// Whether the range over the rounds stands beside the number.
    pub with_range: bool,
}

/// What is said of the machine beside the numbers.
#[derive(Clone, Debug)]
struct MachineText {
    line: String,
    stolen_percent: Option<f64>,
}

impl MachineText {
    fn of(machine: &Machine) -> Self {
        Self { line: machine.line(), stolen_percent: machine.stolen_percent() }
    }
}

impl Output {
    /// As the command line asks for.
    pub fn of(arguments: &OutputArguments) -> Self {
        Self { json: arguments.json, html: arguments.html.clone(), hgrm: arguments.hgrm.clone() }
    }

    /// Finds out before anything is measured whether the files can be written, and makes the directory for plotters.
    pub fn prepare(&self) -> Result<()> {
        if let Some(page) = &self.html {
            let folder = page.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            ensure!(
                folder.is_dir() && !page.is_dir(),
                "{} cannot be the page: give --html the name of a file in a directory that exists",
                page.display()
            );
        }
        if let Some(directory) = &self.hgrm {
            std::fs::create_dir_all(directory).with_context(|| {
                format!(
                    "{} cannot be made: give --hgrm a directory that may be written, or the name of a new one",
                    directory.display()
                )
            })?;
        }
        Ok(())
    }

    /// Writes all files that are asked for, those that are there already included.
    fn write(&self, pages: impl FnOnce() -> String, points: &[Point]) -> Result<()> {
        self.prepare()?;
        if let Some(directory) = &self.hgrm {
            for (name, text) in hgrm::files(points) {
                write_file(&directory.join(name), &text, "--hgrm a directory")?;
            }
        }
        if let Some(page) = &self.html {
            write_file(page, &pages(), "--html a file")?;
        }
        Ok(())
    }
}

/// Prints the points and writes the files that are asked for. What is printed does not depend on the files: a full disk
/// costs no numbers.
pub fn publish(
    output: &Output,
    machine: &Machine,
    conditions: &str,
    columns: &[Column],
    points: &[Point],
) -> Result<()> {
    super::print(&answer(output.json, &MachineText::of(machine), conditions, columns, points)?)?;
    output.write(|| html::page(&machine.facts(), conditions, columns, points), points)
}

/// What is printed.
fn answer(json: bool, machine: &MachineText, conditions: &str, columns: &[Column], points: &[Point]) -> Result<String> {
    if json {
        let line = |point: &Point| {
            let mut object = point.object();
            object.put("stolen_cpu_percent", machine.stolen_percent.map(rounded));
            let object = serde_json::to_string(&object).context("the answer cannot be put into JSON")?;
            Ok(object + "\n")
        };
        return points.iter().map(line).collect();
    }
    let headings: Vec<&str> = columns.iter().map(|column| column.heading).collect();
    let mut table = Table::new(&headings);
    points.iter().for_each(|point| table.row(cells(point, columns)));
    Ok(format!("{}\n{}\n\n{}", machine.line.trim_end(), conditions.trim_end(), table.render()))
}

/// A row of the table; a dash stands where a point does not say what the column shows.
pub(super) fn cells(point: &Point, columns: &[Column]) -> Vec<String> {
    let fields = point.fields();
    let cell = |column: &Column| {
        let field = fields.iter().find(|(name, _)| *name == column.number);
        field.map_or_else(|| ABSENT.to_owned(), |(_, field)| field.text(column.with_range))
    };
    columns.iter().map(cell).collect()
}

fn write_file(path: &Path, text: &str, option: &str) -> Result<()> {
    std::fs::write(path, text)
        .with_context(|| format!("{} cannot be written: give {option} that may be written", path.display()))
}

#[cfg(test)]
mod tests;
