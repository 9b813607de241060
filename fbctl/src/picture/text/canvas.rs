// SPDX-License-Identifier: GPL-2.0

//! Rows of characters, in which lines that meet are joined.

use super::style::{Tone, Words};

const UP: u8 = 1;
const DOWN: u8 = 2;
const LEFT: u8 = 4;
const RIGHT: u8 = 8;
/// The characters by the sides to which lines go.
const LINES: [char; 16] = [
    ' ', '╵', '╷', '│', '╴', '┘', '┐', '┤', '╶', '└', '┌', '├', '─', '┴', '┬', '┼',
];

/// What a box is drawn by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Border {
    Plain,
    Double,
    Round,
}

impl Border {
    /// Corners from the upper left one on, then across and upright.
    fn characters(self) -> [char; 6] {
        match self {
            Border::Plain => ['┌', '┐', '└', '┘', '─', '│'],
            Border::Double => ['╔', '╗', '╚', '╝', '═', '║'],
            Border::Round => ['╭', '╮', '╰', '╯', '─', '│'],
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    /// The sides to which lines go.
    Line(u8),
    Text(char, Tone),
}

#[derive(Debug, Default)]
pub(super) struct Canvas(Vec<Vec<Cell>>);

impl Canvas {
    fn cell(&mut self, column: usize, row: usize) -> Option<&mut Cell> {
        if self.0.len() <= row {
            self.0.resize(row + 1, Vec::new());
        }
        let row = self.0.get_mut(row)?;
        if row.len() <= column {
            row.resize(column + 1, Cell::Line(0));
        }
        row.get_mut(column)
    }

    fn write(
        &mut self,
        column: usize,
        row: usize,
        characters: impl Iterator<Item = char>,
        tone: Tone,
    ) {
        for (at, character) in (column..).zip(characters) {
            if let Some(cell) = self.cell(at, row) {
                *cell = Cell::Text(character, tone);
            }
        }
    }

    /// Boxes stay as they are.
    fn line(&mut self, column: usize, row: usize, sides: u8) {
        if let Some(Cell::Line(there)) = self.cell(column, row) {
            *there |= sides;
        }
    }

    /// A box with a text in it, whose upper left corner is in a column and a row.
    pub(super) fn frame(
        &mut self,
        (left, top): (usize, usize),
        width: usize,
        lines: &[Words],
        border: Border,
        tone: Tone,
    ) {
        let [a, b, c, d, across, upright] = border.characters();
        let inner = width.saturating_sub(2);
        let edge = |from, to| {
            let middle = std::iter::repeat_n(across, inner);
            std::iter::once(from).chain(middle).chain([to])
        };
        self.write(left, top, edge(a, b), tone);
        self.write(left, top + lines.len() + 1, edge(c, d), tone);
        for (row, line) in (top + 1..).zip(lines) {
            let text = format!("{:^inner$}", line.text);
            self.write(left, row, [upright].into_iter(), tone);
            self.write(left + 1, row, text.chars(), line.tone);
            self.write(left + 1 + inner, row, [upright].into_iter(), tone);
        }
    }

    /// A line from row to before row.
    pub(super) fn upright(&mut self, column: usize, from: usize, to: usize) {
        for row in from..to {
            self.line(column, row, UP | DOWN);
        }
    }

    /// A line that comes from below in a column and goes up in another.
    pub(super) fn across(&mut self, row: usize, below: usize, above: usize) {
        let (first, last) = (below.min(above), below.max(above));
        for column in first + 1..last {
            self.line(column, row, LEFT | RIGHT);
        }
        let (from, to) = if below < above {
            (RIGHT, LEFT)
        } else {
            (LEFT, RIGHT)
        };
        self.line(below, row, DOWN | from);
        self.line(above, row, UP | to);
    }

    /// Where a line begins at the upper or the lower border of a box.
    pub(super) fn joint(&mut self, column: usize, row: usize, upper: bool) {
        if let Some(Cell::Text(there, _)) = self.cell(column, row) {
            *there = match (*there, upper) {
                ('─', true) => '┴',
                ('─', false) => '┬',
                ('═', true) => '╧',
                ('═', false) => '╤',
                (other, _) => other,
            };
        }
    }

    /// A text that ends before a column.
    pub(super) fn before(&mut self, column: usize, row: usize, text: &str) {
        self.write(
            column.saturating_sub(text.chars().count()),
            row,
            text.chars(),
            Tone::Plain,
        );
    }

    /// The last column in which something is, from 1.
    pub(super) fn width(&self) -> usize {
        self.0.iter().map(|row| row_width(row)).max().unwrap_or(0)
    }

    pub(super) fn text(&self, colour: bool) -> String {
        let mut out = String::new();
        for row in &self.0 {
            let cells = row.get(..row_width(row)).unwrap_or(row);
            for run in cells.chunk_by(|a, b| a.tone() == b.tone()) {
                let text: String = run.iter().map(|cell| cell.character()).collect();
                let tone = run.first().map_or(Tone::Plain, |cell| cell.tone());
                out.push_str(&tone.paint(&text, colour));
            }
            out.push('\n');
        }
        out
    }
}

/// Without the blanks at its end.
fn row_width(row: &[Cell]) -> usize {
    let last = row.iter().rposition(|cell| cell.character() != ' ');
    last.map_or(0, |last| last + 1)
}

impl Cell {
    fn character(self) -> char {
        match self {
            Cell::Text(character, _) => character,
            Cell::Line(sides) => LINES.get(usize::from(sides)).copied().unwrap_or(' '),
        }
    }

    fn tone(self) -> Tone {
        match self {
            Cell::Text(_, tone) => tone,
            Cell::Line(_) => Tone::Plain,
        }
    }
}
