// SPDX-License-Identifier: GPL-2.0

//! Aligned columns.

use anstyle::Style;
use std::fmt::Write;

/// Space between columns.
const GAP: &str = "  ";

/// A column's title, and the side its cells lean to.
#[derive(Debug, Clone, Copy)]
pub enum Column {
    /// For text.
    Left(&'static str),
    /// For numbers.
    Right(&'static str),
}

impl Column {
    fn title(self) -> &'static str {
        let (Column::Left(title) | Column::Right(title)) = self;
        title
    }

    fn pad(self, text: &str, width: usize) -> String {
        match self {
            Column::Left(_) => format!("{text:width$}"),
            Column::Right(_) => format!("{text:>width$}"),
        }
    }
}

/// A table. Every row has a cell for each column.
#[derive(Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    cells: Vec<String>,
    /// Lines below it.
    notes: Vec<String>,
}

/// The text without anything that could steer a terminal.
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

impl Table {
    /// A table without rows.
    pub fn new(columns: impl Into<Vec<Column>>) -> Self {
        Table {
            columns: columns.into(),
            rows: Vec::new(),
        }
    }

    /// Appends a row; an empty cell shows as a dash.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let dash = |cell: String| match cell.as_str() {
            "" => "-".to_owned(),
            text => clean(text),
        };
        let cells = cells.into_iter().map(dash).collect();
        let notes = Vec::new();
        self.rows.push(Row { cells, notes });
    }

    /// Appends an indented line below the last row.
    pub fn note(&mut self, text: &str) {
        if let Some(row) = self.rows.last_mut() {
            row.notes.push(clean(text));
        }
    }

    /// The table as text.
    pub fn render(&self, colour: bool) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let titles: Vec<_> = self.columns.iter().map(|c| c.title().to_owned()).collect();
        let width = |(at, title): (usize, &String)| {
            let cells = self.rows.iter().filter_map(|row| row.cells.get(at));
            let widths = cells.chain([title]).map(|cell| cell.chars().count());
            widths.max().unwrap_or_default()
        };
        let widths: Vec<_> = titles.iter().enumerate().map(width).collect();
        let line = |cells: &[String]| {
            let padded = self.columns.iter().zip(cells).zip(&widths);
            let padded: Vec<_> = padded.map(|((c, cell), w)| c.pad(cell, *w)).collect();
            padded.join(GAP).trim_end().to_owned()
        };
        let style = if colour {
            Style::new().bold()
        } else {
            Style::new()
        };
        let mut out = format!("{style}{}{style:#}\n", line(&titles));
        for row in &self.rows {
            out.push_str(&line(&row.cells));
            out.push('\n');
            for note in &row.notes {
                // Writing to a string does not fail.
                let _ = writeln!(out, "    {note}");
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::new([
            Column::Left("NAME"),
            Column::Right("IDP"),
            Column::Left("X"),
        ]);
        table.row(["eth0", "1", ""].map(str::to_owned));
        table.note("packets 3");
        table.row(["a-long-name", "12345", "\u{1b}[2J"].map(str::to_owned));
        table
    }

    #[test]
    fn columns_line_up() {
        let expected = "\
NAME           IDP  X
eth0             1  -
    packets 3
a-long-name  12345  \\u{1b}[2J
";
        assert_eq!(sample().render(false), expected);
    }

    #[test]
    fn only_the_head_is_bold() {
        let text = sample().render(true);
        assert!(text.starts_with("\u{1b}[1mNAME "));
        assert_eq!(text.matches('\u{1b}').count(), 2);
    }

    #[test]
    fn nothing_is_nothing() {
        assert_eq!(Table::new([Column::Left("NAME")]).render(true), "");
    }
}
