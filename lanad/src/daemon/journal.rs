// SPDX-License-Identifier: GPL-2.0

//! What lanad says: to whoever started it, and to `lanactl log`.

use lana_cli::{clean, history};
use serde_json::{json, Value};
use std::{
    collections::VecDeque,
    io::{self, Write},
};

/// How many lines are kept.
const LINES: usize = 1000;

/// The last lines.
#[derive(Debug, Default)]
pub(super) struct Journal {
    lines: VecDeque<(u64, u64, String)>,
    last: u64,
}

impl Journal {
    /// Says something.
    pub(super) fn say(&mut self, text: &str) {
        let text = clean(text).to_string();
        // Nobody need be there to read it.
        let _ = writeln!(io::stderr(), "lanad: {text}");
        self.last += 1;
        self.lines.push_back((self.last, history::now(), text));
        if self.lines.len() > LINES {
            self.lines.pop_front();
        }
    }

    /// What was said after a line.
    pub(super) fn after(&self, number: u64) -> Value {
        let lines = self.lines.iter().filter(|(line, ..)| *line > number);
        let lines: Vec<_> = lines
            .map(|(line, time, text)| json!({ "line": line, "time": time, "text": text }))
            .collect();
        json!({ "lines": lines })
    }
}
