// SPDX-License-Identifier: GPL-2.0

//! What is wrong, and where in a text.

use std::{fmt::Write as _, ops::Range};

/// Something that is wrong at a place of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The bytes that are to blame.
    pub at: Range<usize>,
    /// What is wrong with them.
    pub what: String,
}

impl Problem {
    /// What is wrong with these bytes.
    pub fn new(at: Range<usize>, what: impl Into<String>) -> Self {
        let what = what.into();
        Problem { at, what }
    }

    /// One line: the file, the line, the column, and what is wrong.
    pub fn line(&self, file: &str, text: &str) -> String {
        let place = Place::of(text, self.at.start);
        let (line, column) = (place.line, place.before.chars().count() + 1);
        format!("{file}:{line}:{column}: {}", self.what)
    }

    /// The line of the text that is meant, and below it carets under the bytes to blame.
    pub fn excerpt(&self, text: &str) -> String {
        let Place { before, rest, line } = Place::of(text, self.at.start);
        let number = line.to_string();
        let mut below = " ".repeat(before.chars().count());
        let len = self.at.end.saturating_sub(self.at.start).min(rest.len());
        let marked = rest.get(..len).map_or(1, |part| part.chars().count());
        below.push_str(&"^".repeat(marked.max(1)));
        let mut all = String::new();
        let shown: String = before.chars().chain(rest.chars()).map(printable).collect();
        let _ = writeln!(all, " {number} | {shown}");
        let _ = write!(all, " {:w$} | {below}", "", w = number.len());
        all
    }
}

/// Tabs and what could steer a terminal take one column.
fn printable(c: char) -> char {
    if c.is_control() {
        ' '
    } else {
        c
    }
}

/// A line of a text, cut where something is.
struct Place<'a> {
    line: usize,
    before: &'a str,
    rest: &'a str,
}

impl<'a> Place<'a> {
    fn of(text: &'a str, at: usize) -> Self {
        let (mut before, mut rest) = text.split_at_checked(at).unwrap_or((text, ""));
        let line = before.matches('\n').count() + 1;
        if let Some(start) = before.rfind('\n') {
            before = before.get(start + 1..).unwrap_or_default();
        }
        if let Some(end) = rest.find(['\n', '\r']) {
            rest = rest.get(..end).unwrap_or_default();
        }
        Place { line, before, rest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_shown() {
        let text = "ldh [12]\n\tjeq #1,L9,L2\r\n";
        let problem = Problem::new(17..19, "there is no label L9");
        assert_eq!(
            problem.line("a.bpf", text),
            "a.bpf:2:9: there is no label L9"
        );
        assert_eq!(problem.excerpt(text), " 2 |  jeq #1,L9,L2\n   |         ^^");
        let end = Problem::new(text.len()..text.len() + 9, "cut off");
        assert_eq!(end.line("-", text), "-:3:1: cut off");
        assert_eq!(end.excerpt(text), " 3 | \n   | ^");
        assert_eq!(Problem::new(99..100, "x").line("-", "ä"), "-:1:2: x");
    }
}
