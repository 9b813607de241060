// SPDX-License-Identifier: GPL-2.0

//! Where results go: text or JSON on the standard output.

use crate::{
    failure::usage,
    globals::Globals,
    lines::Line,
    table::{clean, Spare, Table},
};
use anyhow::{Context, Result};
use lana_netlink::errno_text;
use serde::Serialize;
use std::{
    env,
    fmt::Write as _,
    fs::File,
    io::{self, IsTerminal, Write},
    os::fd::AsFd,
};

/// A terminal of fewer columns has none that can be left out.
const NARROWEST: usize = 20;
/// What is kept back until it is worth a write.
const BUFFER: usize = 1 << 16;

/// Results, in the form the user asked for.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Output {
    to: Box<dyn Write>,
    /// What has not been written yet.
    buffer: Vec<u8>,
    json: bool,
    pretty: bool,
    colour: bool,
    /// It goes to the terminal that is the standard output.
    terminal: bool,
}

/// Whether a stream is to have colours.
pub(crate) fn wants_colour(stream: &impl IsTerminal) -> bool {
    let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    stream.is_terminal() && !set("NO_COLOR") && env::var_os("TERM").is_none_or(|t| t != "dumb")
}

impl Output {
    /// The standard output.
    pub fn standard(globals: &Globals) -> Self {
        let stdout = io::stdout();
        let colour = wants_colour(&stdout);
        // Without the buffer of `Stdout`, which keeps what could not be written and tries it again.
        let to: Box<dyn Write> = match stdout.as_fd().try_clone_to_owned() {
            Ok(owned) => Box::new(File::from(owned)),
            Err(_) => Box::new(stdout),
        };
        Output {
            terminal: io::stdout().is_terminal(),
            ..Self::to(to, globals, colour)
        }
    }

    /// Results go nowhere from now on.
    pub fn silence(&mut self) {
        self.to = Box::new(io::sink());
    }

    /// Any other.
    pub fn to(to: Box<dyn Write>, globals: &Globals, colour: bool) -> Self {
        Output {
            to,
            buffer: Vec::new(),
            json: globals.json,
            pretty: globals.pretty,
            colour,
            terminal: false,
        }
    }

    /// Whether it is coloured.
    pub fn has_colour(&self) -> bool {
        self.colour
    }

    /// How wide the terminal is now, if it goes to one.
    pub fn columns(&self) -> Option<usize> {
        let size = self.terminal.then(crossterm::terminal::size)?;
        let (columns, _) = size.ok()?;
        Some(usize::from(columns))
    }

    /// Whether the user wants JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// A document of JSON, on a line of its own unless it is to be pretty.
    pub fn json<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        if !self.pretty {
            return self.json_line(value);
        }
        self.plain(|to| serde_json::to_writer_pretty(to, value))
    }

    /// A line of JSON, whatever the user thinks of prettiness: for streams.
    pub fn json_line<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.plain(|to| serde_json::to_writer(to, value))
    }

    /// JSON, which is written while it is made, and the end of its line.
    fn plain(&mut self, make: impl FnOnce(&mut Plain<'_>) -> serde_json::Result<()>) -> Result<()> {
        let mut plain = Plain {
            out: self,
            failed: None,
        };
        let made = make(&mut plain);
        if let Some(error) = plain.failed {
            return Err(error);
        }
        made?;
        self.text("\n")
    }

    /// A line of text. What could steer a terminal is escaped.
    pub fn line(&mut self, text: &str) -> Result<()> {
        self.text(&clean(text))?;
        self.text("\n")
    }

    /// A line that is broken where the terminal ends; what is below its first line has so many blanks before it.
    pub fn folded(&mut self, line: &Line, indent: usize) -> Result<()> {
        let text = line.render(self.columns(), indent, self.colour);
        self.text(&text)?;
        self.text("\n")
    }

    /// Text that brings its own ends of line, and is safe for a terminal.
    pub fn text(&mut self, text: &str) -> Result<()> {
        self.bytes(text.as_bytes())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() < BUFFER {
            return Ok(());
        }
        self.flush()
    }

    /// A table that fits into the terminal, if it goes to one; an empty one leaves no trace.
    pub fn table(&mut self, table: &Table) -> Result<()> {
        let text = table.fitted(self.columns(), self.colour);
        self.text(&text)
    }

    /// The same, without as many columns as it takes for the others to fit, in the order of `least`. Below it stands which
    /// ones are hidden.
    pub fn table_without(&mut self, table: Table, least: &[&'static str]) -> Result<()> {
        let spares: Vec<_> = least.iter().map(|title| Spare::Hidden(title)).collect();
        self.table_narrow(table, &spares)
    }

    /// The same, where columns can also go below their rows.
    pub fn table_narrow(&mut self, mut table: Table, spares: &[Spare]) -> Result<()> {
        let columns = self.columns().filter(|columns| *columns >= NARROWEST);
        let hidden = table.narrow(spares, columns.unwrap_or(usize::MAX));
        self.table(&table)?;
        if hidden.is_empty() {
            return Ok(());
        }
        self.line(&format!("hidden: {}", hidden.join(" ")))
    }

    /// Sends what has been said so far on its way.
    pub fn flush(&mut self) -> Result<()> {
        // What cannot be written is not tried again: the error is that of this command.
        let written = self.to.write_all(&self.buffer);
        let written = written.and_then(|()| self.to.flush());
        self.buffer.clear();
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(usage(errno_text(&error))).context("standard output")
            }
            written => Ok(written?),
        }
    }
}

/// Where JSON goes on its way. The control characters that it need not escape (DEL and C1) are escaped too.
struct Plain<'a> {
    out: &'a mut Output,
    /// Why it could not be written.
    failed: Option<anyhow::Error>,
}

impl Write for Plain<'_> {
    /// Comes in whole characters.
    fn write(&mut self, json: &[u8]) -> io::Result<usize> {
        // The first bytes of all such characters.
        let may_have = |byte: &u8| matches!(byte, 0x7f | 0xc2);
        let written = if json.iter().any(may_have) {
            let text = std::str::from_utf8(json).map_err(io::Error::other)?;
            self.out.text(&escaped(text))
        } else {
            self.out.bytes(json)
        };
        written.map_err(|error| {
            self.failed = Some(error);
            io::Error::other("it could not be written")
        })?;
        Ok(json.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_control() && c != '\n' {
            let _ = write!(text, "\\u{:04x}", u32::from(c));
        } else {
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{cell::RefCell, rc::Rc};

    /// Takes so many bytes, then nothing.
    #[derive(Clone)]
    struct Disk(Rc<RefCell<Vec<u8>>>, usize);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0.borrow().len() + bytes.len() > self.1 {
                return Err(io::Error::from_raw_os_error(28));
            }
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_cannot_be_written_is_an_error_once() {
        let disk = Disk(Rc::default(), 4);
        let mut out = Output::to(Box::new(disk.clone()), &Globals::default(), false);
        out.line("too long").unwrap();
        let error = out.flush().unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "standard output: No space left on device"
        );
        out.line("abc").unwrap();
        out.flush().unwrap();
        assert_eq!(*disk.0.borrow(), b"abc\n");
    }

    #[test]
    fn json_that_cannot_be_written_says_why() {
        let disk = Disk(Rc::default(), BUFFER);
        let mut out = Output::to(Box::new(disk.clone()), &Globals::default(), false);
        let long = vec!["é\u{9b}"; BUFFER / 8];
        let error = out.json(&long).unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "standard output: No space left on device"
        );
        out.json(&long[..2]).unwrap();
        out.flush().unwrap();
        let expected = "[\"é\\u009b\",\"é\\u009b\"]\n";
        assert_eq!(*disk.0.borrow(), expected.as_bytes());
    }

    #[test]
    fn nothing_steers_a_terminal() {
        let disk = Disk(Rc::default(), 1000);
        let mut out = Output::to(Box::new(disk.clone()), &Globals::default(), false);
        out.line("a\u{1b}[2J\u{9b}b\nc").unwrap();
        out.json("\u{1b}\u{9b}\u{7f}é").unwrap();
        out.flush().unwrap();
        let text = String::from_utf8(disk.0.borrow().clone()).unwrap();
        assert_eq!(
            text,
            "a\\u{1b}[2J\\u{9b}b\\nc\n\"\\u001b\\u009b\\u007fé\"\n"
        );
    }
}
