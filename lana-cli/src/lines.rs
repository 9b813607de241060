// SPDX-License-Identifier: GPL-2.0

//! Lines for a terminal: broken where they are too long for it, with words that stand out.

use crate::table::clean;
use anstyle::{AnsiColor, Style};
use std::fmt::Write;

/// A narrower terminal gets lines as they are.
const LEAST: usize = 20;

/// How much a text stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tone {
    Plain,
    /// Worth a look.
    Notice,
    /// Not to be overlooked.
    Alarm,
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Tone::Plain => Style::new(),
            Tone::Notice => Style::new().fg_color(Some(AnsiColor::Yellow.into())),
            Tone::Alarm => Style::new().bold().fg_color(Some(AnsiColor::Red.into())),
        }
    }
}

/// A line of text. What could steer a terminal is escaped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    /// Each character, and how much it stands out.
    chars: Vec<(char, Tone)>,
}

impl Line {
    /// Text.
    pub fn of(text: &str) -> Self {
        Line::default().with(text)
    }

    /// And more of it.
    #[must_use]
    pub fn with(self, text: &str) -> Self {
        self.push(text, Tone::Plain)
    }

    /// And what must not be overlooked.
    #[must_use]
    pub fn with_alarm(self, text: &str) -> Self {
        self.push(text, Tone::Alarm)
    }

    /// And what is worth a look.
    #[must_use]
    pub fn with_notice(self, text: &str) -> Self {
        self.push(text, Tone::Notice)
    }

    fn push(mut self, text: &str, tone: Tone) -> Self {
        self.chars.extend(clean(text).chars().map(|c| (c, tone)));
        self
    }

    /// How many columns it takes.
    pub fn width(&self) -> usize {
        self.chars.len()
    }

    /// The text that is printed on a terminal of so many columns: what does not fit goes on below, after so many blanks.
    /// A word that does not fit stays whole.
    pub fn render(&self, columns: Option<usize>, indent: usize, colour: bool) -> String {
        let columns = columns.filter(|columns| *columns >= LEAST);
        let mut out = String::new();
        let mut rest = &self.chars[..];
        let mut room = columns.unwrap_or(usize::MAX);
        while rest.len() > room {
            let begin = rest.iter().take_while(|(c, _)| *c == ' ').count();
            let blank = |at: &usize| rest.get(*at).is_some_and(|(c, _)| *c == ' ');
            // A number stays with the word before it, if that leaves no short line.
            let word = |at: &usize| {
                blank(at) && !rest.get(at + 1).is_some_and(|(c, _)| c.is_ascii_digit())
            };
            let before = (begin.max(room / 2)..=room).rev().find(word);
            let before = before.or_else(|| (begin..=room).rev().find(blank));
            let Some(end) = before.or_else(|| (room..rest.len()).find(blank)) else {
                break;
            };
            let (line, more) = rest.split_at(end);
            write(&mut out, line, colour);
            let blanks = more.iter().take_while(|(c, _)| *c == ' ').count();
            rest = more.get(blanks..).unwrap_or_default();
            if rest.is_empty() {
                return out;
            }
            let indent = indent.min(room / 2);
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
            room = columns.unwrap_or(usize::MAX).saturating_sub(indent);
        }
        write(&mut out, rest, colour);
        out
    }
}

fn write(out: &mut String, chars: &[(char, Tone)], colour: bool) {
    for part in chars.chunk_by(|a, b| a.1 == b.1) {
        let tone = part.first().map_or(Tone::Plain, |(_, tone)| *tone);
        let style = tone.style();
        let text: String = part.iter().map(|(c, _)| c).collect();
        // Writing to a string does not fail.
        let _ = if colour && tone != Tone::Plain {
            write!(out, "{style}{text}{style:#}")
        } else {
            write!(out, "{text}")
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_goes_on_below() {
        let line = Line::of("  1. a line that is longer than the terminal is");
        let text = "  1. a line that is\n    longer than the\n    terminal is";
        assert_eq!(line.render(Some(20), 4, false), text);
        assert!(text.lines().all(|line| line.len() <= 20));
        assert_eq!(line.render(None, 4, false), text.replace("\n   ", ""));
        let number = Line::of("a ping, id 7, seq 22, length 9");
        let text = "a ping, id 7,\n    seq 22, length 9";
        assert_eq!(number.render(Some(20), 4, false), text);
        let exact = Line::of("12345678901234567890");
        assert_eq!(exact.render(Some(20), 4, false), "12345678901234567890");
        let long = Line::of("a wordthatislongerthantheterminal b");
        assert_eq!(
            long.render(Some(20), 4, false),
            "a\n    wordthatislongerthantheterminal\n    b"
        );
        assert_eq!(line.render(Some(3), 4, false), line.render(None, 4, false));
    }

    #[test]
    fn what_stands_out_does_so_on_each_line() {
        let line = Line::of("1234567890 ")
            .with_alarm("bad bad bad\u{1b}")
            .with(" good");
        let notice = Line::of("a ").with_notice("b").with(" c");
        assert_eq!(notice.render(None, 0, true), "a \u{1b}[33mb\u{1b}[0m c");
        assert_eq!(
            line.render(None, 0, true),
            "1234567890 \u{1b}[1m\u{1b}[31mbad bad bad\\u{1b}\u{1b}[0m good"
        );
        assert_eq!(
            line.render(Some(20), 2, true),
            "1234567890 \u{1b}[1m\u{1b}[31mbad bad\u{1b}[0m\n  \u{1b}[1m\u{1b}[31mbad\\u{1b}\u{1b}[0m good"
        );
        assert_eq!(
            line.render(None, 0, false),
            "1234567890 bad bad bad\\u{1b} good"
        );
        assert_eq!(line.width(), 33);
    }
}
