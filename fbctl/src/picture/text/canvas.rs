// SPDX-License-Identifier: GPL-2.0

//! Rows of characters, in which lines that meet are joined.

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
    Text(char),
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

    fn write(&mut self, column: usize, row: usize, characters: impl Iterator<Item = char>) {
        for (at, character) in (column..).zip(characters) {
            if let Some(cell) = self.cell(at, row) {
                *cell = Cell::Text(character);
            }
        }
    }

    /// Boxes stay as they are.
    fn line(&mut self, column: usize, row: usize, sides: u8) {
        if let Some(Cell::Line(there)) = self.cell(column, row) {
            *there |= sides;
        }
    }

    /// A box with a text in it.
    pub(super) fn frame(
        &mut self,
        left: usize,
        top: usize,
        width: usize,
        lines: &[String],
        border: Border,
    ) {
        let [a, b, c, d, across, upright] = border.characters();
        let inner = width.saturating_sub(2);
        let edge = |from, to| {
            let middle = std::iter::repeat_n(across, inner);
            std::iter::once(from).chain(middle).chain([to])
        };
        self.write(left, top, edge(a, b));
        self.write(left, top + lines.len() + 1, edge(c, d));
        for (row, line) in (top + 1..).zip(lines) {
            let text = format!("{upright}{line:^inner$}{upright}");
            self.write(left, row, text.chars());
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
        if let Some(Cell::Text(there)) = self.cell(column, row) {
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
        );
    }

    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        for row in &self.0 {
            let characters = row.iter().map(|cell| match cell {
                Cell::Text(character) => *character,
                Cell::Line(sides) => LINES.get(usize::from(*sides)).copied().unwrap_or(' '),
            });
            let line: String = characters.collect();
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}
