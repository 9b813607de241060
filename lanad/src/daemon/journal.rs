// SPDX-License-Identifier: GPL-2.0

//! What lanad says: to whoever started it, and to `lanactl log`.

use crate::control::{Line, Lines};
use lana_cli::{clean, history};
use std::{
    collections::VecDeque,
    io::{self, Write},
};

/// How many lines are kept.
const LINES: usize = 1000;

/// The last lines.
#[derive(Debug, Default)]
pub(super) struct Journal {
    lines: VecDeque<Line>,
    last: u64,
}

impl Journal {
    /// Says something.
    pub(super) fn say(&mut self, text: &str) {
        let text = clean(text);
        // Nobody need be there to read it.
        let _ = writeln!(io::stderr(), "lanad: {text}");
        self.last += 1;
        let (line, time) = (self.last, history::now());
        self.lines.push_back(Line { line, time, text });
        if self.lines.len() > LINES {
            self.lines.pop_front();
        }
    }

    /// What was said after a line.
    pub(super) fn after(&self, number: u64) -> Lines {
        let lines = self.lines.iter().filter(|line| line.line > number);
        Lines {
            lines: lines.cloned().collect(),
        }
    }
}
