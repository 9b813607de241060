// SPDX-License-Identifier: GPL-2.0

//! Where results go: text or JSON on the standard output.

use crate::{globals::Globals, table::Table};
use anyhow::Result;
use serde::Serialize;
use std::{
    env,
    io::{self, BufWriter, IsTerminal, Write},
};

/// Results, in the form the user asked for.
pub struct Output {
    to: Box<dyn Write>,
    json: bool,
    pretty: bool,
    colour: bool,
}

/// Whether a stream is to have colours.
pub(crate) fn wants_colour(stream: &impl IsTerminal) -> bool {
    let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    stream.is_terminal() && !set("NO_COLOR") && env::var_os("TERM").is_none_or(|t| t != "dumb")
}

impl Output {
    /// The standard output.
    pub(crate) fn standard(globals: &Globals) -> Self {
        let stdout = io::stdout();
        let colour = wants_colour(&stdout);
        Self::to(Box::new(BufWriter::new(stdout)), globals, colour)
    }

    /// Any other.
    pub fn to(to: Box<dyn Write>, globals: &Globals, colour: bool) -> Self {
        Output {
            to,
            json: globals.json,
            pretty: globals.pretty,
            colour,
        }
    }

    /// Whether the user wants JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// A document of JSON, on a line of its own unless it is to be pretty.
    pub fn json<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        let text = if self.pretty {
            serde_json::to_string_pretty(value)?
        } else {
            serde_json::to_string(value)?
        };
        self.line(&text)
    }

    /// A line of JSON, whatever the user thinks of prettiness: for streams.
    pub fn json_line<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.line(&serde_json::to_string(value)?)
    }

    /// A line of text.
    pub fn line(&mut self, text: &str) -> Result<()> {
        Ok(writeln!(self.to, "{text}")?)
    }

    /// Text that brings its own ends of line.
    pub fn text(&mut self, text: &str) -> Result<()> {
        Ok(self.to.write_all(text.as_bytes())?)
    }

    /// A table; an empty one leaves no trace.
    pub fn table(&mut self, table: &Table) -> Result<()> {
        let text = table.render(self.colour);
        self.text(&text)
    }

    /// Sends what has been said so far on its way.
    pub fn flush(&mut self) -> Result<()> {
        Ok(self.to.flush()?)
    }
}
