// SPDX-License-Identifier: GPL-2.0

//! What a command has at hand while it runs.

use crate::{globals::Globals, netns, output::Output, table::clean};
use anyhow::Result;
use lana_netlink::{Connection, Done, Dump, Op, Transaction};
use std::{
    fs::File,
    io::{self, Write},
    path::Path,
    thread,
};

/// One run of a tool.
pub struct Session {
    tool: &'static str,
    /// The options before the command.
    pub globals: Globals,
    /// Where results go.
    pub out: Output,
    connection: Option<Connection>,
    /// The network namespace that the tool was started in, if it is another one.
    home: Option<File>,
}

impl Session {
    pub(crate) fn new(tool: &'static str, globals: Globals, home: Option<File>) -> Self {
        Session {
            tool,
            out: Output::standard(&globals),
            globals,
            connection: None,
            home,
        }
    }

    /// Does something in the network namespace that the tool was started in, whatever --netns says.
    pub fn at_home<T: Send>(&self, job: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        let Some(home) = &self.home else {
            return job();
        };
        // A thread of its own, as each has a namespace of its own.
        let there = || netns::enter_open(home).and_then(|()| job());
        let done = thread::scope(|scope| scope.spawn(there).join());
        done.unwrap_or_else(|_| Err(io::Error::other("it panicked")))
    }

    /// The connection to the kernel, opened when it is first wanted.
    pub fn lana(&mut self) -> Result<&mut Connection, lana_netlink::Error> {
        match &mut self.connection {
            Some(connection) => Ok(connection),
            none => Ok(none.insert(Connection::open()?)),
        }
    }

    /// Asks for a change.
    pub fn change(&mut self, change: &Op<'_>) -> Result<()> {
        let done = self.lana()?.change(change)?;
        self.note(done);
        Ok(())
    }

    /// Asks for changes that are made together or not at all.
    pub fn transact(&mut self, transaction: Transaction) -> Result<()> {
        let done = self.lana()?.transact(transaction)?;
        self.note(done);
        Ok(())
    }

    /// Passes on what the kernel says about a change that it made.
    fn note(&self, done: Done) {
        if let Some(warning) = done.warning {
            self.warn(&warning);
        }
    }

    /// Asks for all things of a kind.
    pub fn all<T>(
        &mut self,
        dump: impl FnOnce(&mut Connection) -> Result<Dump<T>, lana_netlink::Error>,
    ) -> Result<Vec<T>> {
        let dump = dump(self.lana()?)?;
        if dump.interrupted {
            self.warn("the graph kept changing while it was read");
        }
        Ok(dump.items)
    }

    /// Whether the standard input is where the commands come from.
    pub fn stdin_is_taken(&self) -> bool {
        self.globals.batch.as_deref() == Some(Path::new("-"))
    }

    /// Says something on the side.
    pub fn warn(&self, text: &str) {
        // Nobody need be there to read it.
        let _ = writeln!(io::stderr(), "{}: warning: {}", self.tool, clean(text));
    }
}
