// SPDX-License-Identifier: GPL-2.0

//! Aligned columns.

use anstyle::Style;
use std::fmt::Write;

/// Space between columns.
const GAP: &str = "  ";
/// A narrower terminal gets tables as they are.
const LEAST: usize = 20;
/// How narrow a column of text gets for a terminal, and how narrow if that is not enough.
const NARROW: usize = 12;
const NARROWEST: usize = 4;
/// What the last column needs at least, where columns are left out.
const LAST: usize = 16;
/// Columns before a note, and before what goes on below it.
const NOTE: usize = 4;
const NOTE_REST: usize = 8;

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

/// Columns that a narrow terminal does without.
#[derive(Debug, Clone, Copy)]
pub enum Spare {
    /// Their titles: what they have stands in a line below its row. A cell that says nothing, a dash or 0, does not.
    Below(&'static [&'static str]),
    /// Nothing of it is shown.
    Hidden(&'static str),
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

    /// Leaves out columns, in the order of `least`, until a row fits into so many columns. Of the last column what does not
    /// fit goes on below. Returns the titles of the columns that are left out, in the order of the table.
    pub fn leave_out(&mut self, least: &[&'static str], columns: usize) -> Vec<&'static str> {
        let spares: Vec<_> = least.iter().map(|title| Spare::Hidden(title)).collect();
        self.narrow(&spares, columns)
    }

    /// Takes columns out of the rows, in the order of `spares`, until a row fits into so many columns. Returns the titles of
    /// the columns that are hidden, in the order of the table.
    pub fn narrow(&mut self, spares: &[Spare], columns: usize) -> Vec<&'static str> {
        let titles: Vec<_> = self.columns.iter().map(|column| column.title()).collect();
        let place = |title: &&str| titles.iter().position(|known| known == title);
        let (mut hidden, mut below) = (Vec::new(), Vec::new());
        for spare in spares {
            if self.fits(columns, spares) {
                break;
            }
            match spare {
                Spare::Hidden(title) => hidden.extend(self.take(title).map(|_| *title)),
                Spare::Below(group) => {
                    let taken = group
                        .iter()
                        .filter_map(|title| Some((*title, self.take(title)?)));
                    below.extend(taken);
                }
            }
        }
        hidden.sort_by_key(place);
        below.sort_by_key(|(title, _)| place(title));
        for (number, row) in self.rows.iter_mut().enumerate() {
            let cells = below.iter().filter_map(|(title, cells)| {
                let cell = cells.get(number)?.as_str();
                let says = !matches!(cell, "-" | "0");
                says.then(|| format!("{} {cell}", title.to_lowercase()))
            });
            let line = cells.collect::<Vec<_>>().join(GAP);
            if !line.is_empty() {
                row.notes.insert(0, line);
            }
        }
        hidden
    }

    /// Whether a row fits into so many columns, with little of its last cell: where that can go below, with each thing in it
    /// whole.
    fn fits(&self, columns: usize, spares: &[Spare]) -> bool {
        let widths = (0..self.columns.len()).map(|at| self.width(at) + GAP.len());
        let mut widths: Vec<_> = widths.collect();
        let title = self.columns.last().map(|column| column.title());
        let below = |spare: &Spare| matches!(spare, Spare::Below(group) if group.iter().any(|of| Some(*of) == title));
        let least = if spares.iter().any(below) {
            self.longest_thing().max(LAST)
        } else {
            LAST
        };
        if let Some(last) = widths.last_mut() {
            *last = (*last).min(least + GAP.len());
        }
        widths.iter().sum::<usize>() <= columns.saturating_add(GAP.len())
    }

    /// How long the longest thing of the last column is.
    fn longest_thing(&self) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.cells.last());
        let things = cells.flat_map(|cell| cell.split(GAP).flat_map(|part| part.split(", ")));
        things.map(|thing| thing.chars().count()).max().unwrap_or(0)
    }

    /// Takes a column out: its cells, if there is one of this title.
    fn take(&mut self, title: &str) -> Option<Vec<String>> {
        let at = self.columns.iter().position(|c| c.title() == title)?;
        self.columns.remove(at);
        Some(
            self.rows
                .iter_mut()
                .map(|row| row.cells.remove(at))
                .collect(),
        )
    }

    /// How wide a column is.
    fn width(&self, at: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.cells.get(at));
        let widths = cells.map(|cell| cell.chars().count());
        let title = self.columns.get(at).map(|c| c.title().chars().count());
        widths.chain(title).max().unwrap_or_default()
    }

    /// The table as text.
    pub fn render(&self, colour: bool) -> String {
        self.fitted(None, colour)
    }

    /// The table for a terminal of so many columns: what does not fit goes on below, in its column.
    pub fn fitted(&self, columns: Option<usize>, colour: bool) -> String {
        let columns = columns.filter(|columns| *columns >= LEAST);
        if self.rows.is_empty() {
            return String::new();
        }
        let titles: Vec<_> = self.columns.iter().map(|c| c.title().to_owned()).collect();
        let mut widths: Vec<_> = (0..titles.len()).map(|at| self.width(at)).collect();
        if let Some(columns) = columns {
            self.shrink(&mut widths, columns);
        }
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
        let mut out = String::new();
        // Writing to a string does not fail.
        for titles in broken(&titles, &widths) {
            let _ = writeln!(out, "{style}{}{style:#}", line(&titles));
        }
        for row in &self.rows {
            for cells in broken(&row.cells, &widths) {
                out.push_str(&line(&cells));
                out.push('\n');
            }
            for note in &row.notes {
                let width = columns.map_or(usize::MAX, |columns| columns.saturating_sub(NOTE));
                let rest = width.saturating_sub(NOTE_REST - NOTE);
                for (at, text) in folded(note, width, rest).into_iter().enumerate() {
                    let indent = if at == 0 { NOTE } else { NOTE_REST };
                    let _ = writeln!(out, "{:indent$}{text}", "");
                }
            }
        }
        out
    }

    /// Whether a row fits into so many columns with all words whole.
    pub fn has_room(&self, columns: usize) -> bool {
        let mut widths: Vec<_> = (0..self.columns.len()).map(|at| self.width(at)).collect();
        let words = self.words();
        take_together(&self.columns, &mut widths, columns, 1, |at| {
            words.get(at).copied().unwrap_or_default()
        })
    }

    /// How wide the longest word of each column is.
    fn words(&self) -> Vec<usize> {
        let longest = |text: &str| text.split(' ').map(|word| word.chars().count()).max();
        let words = |at: usize| {
            let cells = self.rows.iter().filter_map(|row| row.cells.get(at));
            let cells = cells.filter_map(|cell| longest(cell));
            let title = self.columns.get(at).and_then(|c| longest(c.title()));
            cells.chain(title).max().unwrap_or_default()
        };
        (0..self.columns.len()).map(words).collect()
    }

    /// Takes columns of text together, the widest first, until a row fits: as long as possible, no word is broken, and
    /// longer even the first one, a name, stays whole.
    fn shrink(&self, widths: &mut [usize], columns: usize) {
        let words = self.words();
        let word = |at: usize| words.get(at).copied().unwrap_or_default();
        let tries: [(usize, &dyn Fn(usize) -> usize); 3] = [
            (1, &|at| word(at).max(NARROW)),
            (1, &|_| NARROW),
            (0, &|_| NARROWEST),
        ];
        for (skip, least) in tries {
            if take_together(&self.columns, widths, columns, skip, least) {
                return;
            }
        }
    }
}

/// Takes columns of text together, the widest first, until a row fits: all but the first `skip`, and each to no fewer
/// than `least` says. Whether a row fits is the result.
fn take_together(
    titles: &[Column],
    widths: &mut [usize],
    columns: usize,
    skip: usize,
    least: impl Fn(usize) -> usize,
) -> bool {
    loop {
        let gaps = GAP.len() * widths.len().saturating_sub(1);
        if widths.iter().sum::<usize>() + gaps <= columns {
            return true;
        }
        let texts = titles.iter().zip(widths.iter_mut()).enumerate().skip(skip);
        let texts = texts.filter(|(_, (column, _))| matches!(column, Column::Left(_)));
        let texts = texts.map(|(at, (_, width))| (at, width));
        let wide = texts.filter(|(at, width)| **width > least(*at));
        let Some((_, width)) = wide.max_by_key(|(_, width)| **width) else {
            return false;
        };
        *width -= 1;
    }
}

/// The lines of a row whose cells go on below in their columns.
fn broken(cells: &[String], widths: &[usize]) -> Vec<Vec<String>> {
    let cells = cells.iter().zip(widths);
    let cells: Vec<_> = cells
        .map(|(cell, width)| folded(cell, *width, *width))
        .collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or_default();
    let line = |at| {
        let cells = cells.iter().map(|cell| cell.get(at));
        cells
            .map(|cell| cell.cloned().unwrap_or_default())
            .collect()
    };
    (0..height).map(line).collect()
}

/// A text in lines of at most so many characters, broken between words where there are any.
fn folded(text: &str, width: usize, rest: usize) -> Vec<String> {
    let (mut lines, mut width) = (Vec::new(), width.max(1));
    let mut text: Vec<char> = text.chars().collect();
    while text.len() > width {
        let blank = |at: &usize| text.get(*at).is_some_and(|c| *c == ' ');
        // Two blanks stand between things, one between the words of a thing.
        let wide = |at: &usize| blank(at) && blank(&(at + 1));
        let between = (width / 2 + 1..=width).rev().find(wide);
        // A number stays with the word before it.
        let word = |at: &usize| blank(at) && !text.get(at + 1).is_some_and(char::is_ascii_digit);
        let between = between.or_else(|| (width / 2 + 1..=width).rev().find(word));
        let end = between.or_else(|| (1..=width).rev().find(blank));
        let end = end.unwrap_or(width);
        let more = text.split_off(end);
        lines.push(text.iter().collect::<String>().trim_end().to_owned());
        text = more.into_iter().skip_while(|c| *c == ' ').collect();
        width = rest.max(1);
    }
    lines.push(text.into_iter().collect());
    lines
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
    fn what_is_too_wide_goes_on_in_its_column() {
        let mut table = sample();
        table
            .row(["b", "7", "one=1 two=2 three=3 four=a-word-that-is-too-long"].map(str::to_owned));
        table.note("packets 3  bytes 180  drops 0  skbs 3");
        let expected = "\
NAME           IDP  X
eth0             1  -
    packets 3
a-long-name  12345  \\u{1b}[2J
b                7  one=1 two=2
                    three=3
                    four=a-word-
                    that-is-too-
                    long
    packets 3  bytes 180
        drops 0  skbs 3
";
        let text = table.fitted(Some(32), false);
        assert_eq!(text, expected);
        for width in 20..90 {
            let text = table.fitted(Some(width), false);
            assert!(
                text.lines().all(|line| line.chars().count() <= width),
                "{text}"
            );
        }
        assert_eq!(table.fitted(Some(100), false), table.render(false));
        assert_eq!(table.fitted(Some(3), false), table.render(false));
    }

    #[test]
    fn words_stay_whole_where_there_is_room() {
        let mut table = Table::new([Column::Left("NAME"), Column::Left("A"), Column::Left("B")]);
        table
            .row(["name", "one two three four", "a-word-that-is-long and more"].map(str::to_owned));
        let text = "\
NAME  A             B
name  one two       a-word-that-is-long
      three four    and more
";
        assert_eq!(table.fitted(Some(39), false), text);
        assert!(table.has_room(34) && !table.has_room(31));
    }

    #[test]
    fn columns_that_matter_less_are_left_out() {
        let left_out = |columns| {
            let mut table = sample();
            let hidden = table.leave_out(&["IDP", "X", "Z"], columns);
            (
                hidden,
                table.render(false).lines().next().unwrap().to_owned(),
            )
        };
        assert_eq!(left_out(30), (vec![], "NAME           IDP  X".to_owned()));
        assert_eq!(left_out(28), (vec!["IDP"], "NAME         X".to_owned()));
        assert_eq!(left_out(3), (vec!["IDP", "X"], "NAME".to_owned()));
    }

    #[test]
    fn they_are_named_in_the_order_of_the_table() {
        let mut table = sample();
        assert_eq!(table.leave_out(&["X", "IDP"], 3), ["IDP", "X"]);
    }

    #[test]
    fn a_thing_of_a_column_that_can_go_below_stays_whole() {
        let mut table = Table::new([Column::Left("NAME"), Column::Left("REASONS")]);
        table.row(["uplink-1", "unbound 4, queue-full 1234567"].map(str::to_owned));
        let spares = [Spare::Below(&["REASONS"])];
        table.narrow(&spares, 28);
        let expected = "\
NAME      REASONS
uplink-1  unbound 4,
          queue-full 1234567
";
        assert_eq!(table.fitted(Some(28), false), expected);
        table.narrow(&spares, 27);
        let expected = "\
NAME
uplink-1
    reasons unbound 4,
        queue-full 1234567
";
        assert_eq!(table.fitted(Some(27), false), expected);
    }

    #[test]
    fn columns_go_below_where_they_say_something() {
        let mut table = Table::new([
            Column::Left("NAME"),
            Column::Right("ID"),
            Column::Right("RX"),
            Column::Right("TX"),
            Column::Right("BYTES"),
        ]);
        table.row(["eth0", "1", "5", "0", "100"].map(str::to_owned));
        table.note("a note");
        table.row(["b", "2", "", "", "200000000000000"].map(str::to_owned));
        let spares = [
            Spare::Below(&["TX", "RX"]),
            Spare::Hidden("ID"),
            Spare::Below(&["BYTES"]),
        ];
        let mut text = |columns| {
            let hidden = table.narrow(&spares, columns);
            (hidden, table.render(false))
        };
        let (_, whole) = text(33);
        assert!(whole.starts_with("NAME  ID  RX  TX "), "{whole}");
        let expected = "\
NAME  ID            BYTES
eth0   1              100
    rx 5
    a note
b      2  200000000000000
";
        assert_eq!(text(32), (vec![], expected.to_owned()));
        let expected = "\
NAME
eth0
    bytes 100
    rx 5
    a note
b
    bytes 200000000000000
";
        assert_eq!(text(10), (vec!["ID"], expected.to_owned()));
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
