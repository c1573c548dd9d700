//! Aligned columns of plain text, with whole lines between the rows where a row needs more to be said.

use std::fmt::Write;

#[cfg(test)]
mod tests;

const GAP: &str = "  ";

/// How a column is aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

#[derive(Debug)]
enum Row {
    Cells(Vec<String>),
    Line(String),
}

/// Rows under a heading.
#[derive(Debug)]
pub struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Row>,
}

impl Table {
    /// A table without rows.
    pub fn new(columns: &[(&'static str, Align)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row with a cell for each column.
    pub fn row(&mut self, cells: Vec<String>) {
        assert_eq!(cells.len(), self.columns.len(), "one cell per column");
        self.rows.push(Row::Cells(cells));
    }

    /// Adds a line across all columns.
    pub fn line(&mut self, text: String) {
        self.rows.push(Row::Line(text));
    }

    /// Writes the table behind what `out` holds, `indent` spaces from the left. Without rows it is nothing.
    pub fn render(&self, out: &mut String, indent: usize) {
        if self.rows.is_empty() {
            return;
        }
        let widths = self.widths();
        if self.rows.iter().any(|row| matches!(row, Row::Cells(_))) {
            let heading: Vec<String> = self.columns.iter().map(|(name, _)| (*name).to_owned()).collect();
            self.render_cells(out, indent, &widths, &heading);
        }
        for row in &self.rows {
            match row {
                Row::Cells(cells) => self.render_cells(out, indent, &widths, cells),
                Row::Line(text) => {
                    let _ = writeln!(out, "{:indent$}{text}", "");
                }
            }
        }
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.columns.iter().map(|(name, _)| name.chars().count()).collect();
        for row in &self.rows {
            if let Row::Cells(cells) = row {
                for (width, cell) in widths.iter_mut().zip(cells) {
                    *width = (*width).max(cell.chars().count());
                }
            }
        }
        widths
    }

    fn render_cells(&self, out: &mut String, indent: usize, widths: &[usize], cells: &[String]) {
        let mut line = " ".repeat(indent);
        for ((cell, width), (_, align)) in cells.iter().zip(widths).zip(&self.columns) {
            let _ = match align {
                Align::Left => write!(line, "{cell:<width$}{GAP}"),
                Align::Right => write!(line, "{cell:>width$}{GAP}"),
            };
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}
