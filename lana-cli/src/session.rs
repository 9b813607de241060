// SPDX-License-Identifier: GPL-2.0

//! What a command has at hand while it runs.

use crate::{globals::Globals, output::Output, table::clean};
use anyhow::Result;
use lana_netlink::{Connection, Done, Dump};

/// One run of a tool.
pub struct Session {
    tool: &'static str,
    /// The options before the command.
    pub globals: Globals,
    /// Where results go.
    pub out: Output,
    connection: Option<Connection>,
}

impl Session {
    pub(crate) fn new(tool: &'static str, globals: Globals) -> Self {
        Session {
            tool,
            out: Output::standard(&globals),
            globals,
            connection: None,
        }
    }

    /// The connection to the kernel, opened when it is first wanted.
    pub fn lana(&mut self) -> Result<&mut Connection, lana_netlink::Error> {
        match &mut self.connection {
            Some(connection) => Ok(connection),
            none => Ok(none.insert(Connection::open()?)),
        }
    }

    /// Asks for a change and passes on what the kernel says about it.
    pub fn change(
        &mut self,
        change: impl FnOnce(&mut Connection) -> Result<Done, lana_netlink::Error>,
    ) -> Result<()> {
        let done = change(self.lana()?)?;
        if let Some(warning) = done.warning {
            self.warn(&warning);
        }
        Ok(())
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

    /// Says something on the side.
    #[expect(clippy::print_stderr, reason = "that is the side")]
    pub fn warn(&self, text: &str) {
        eprintln!("{}: warning: {}", self.tool, clean(text));
    }
}
