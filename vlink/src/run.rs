// SPDX-License-Identifier: GPL-2.0

//! From commands to what does them.

use crate::{
    cli::{Change, Cli, Command, Device, ETHERNET},
    show,
};
use anyhow::Result;
use clap::CommandFactory;
use lana_cli::{word, write_completions, write_pages, Action, Globals, Session, Tool};
use lana_netlink::Op;

impl Tool for Cli {
    type Action = Command;
    const NAME: &'static str = "vlink";

    fn into_parts(self) -> (Globals, Option<Command>) {
        (self.globals, self.command)
    }
}

impl Action for Command {
    fn label(&self) -> String {
        match self {
            Command::Ethernet { command } => match command {
                Device::Change(change) => change.label(ETHERNET),
                Device::Show => format!("{ETHERNET} show"),
            },
            Command::Show => "show".to_owned(),
            Command::Completions { .. } => "completions".to_owned(),
            Command::Man { .. } => "man".to_owned(),
        }
    }

    fn change(&self, _session: &Session) -> Result<Option<Op<'_>>> {
        Ok(match self {
            Command::Ethernet {
                command: Device::Change(change),
            } => Some(change.op(ETHERNET)),
            _ => None,
        })
    }

    fn run(&self, session: &mut Session) -> Result<()> {
        match self {
            Command::Ethernet { command } => match command {
                Device::Change(change) => session.change(&change.op(ETHERNET)),
                Device::Show => show::run(session, Some(ETHERNET)),
            },
            Command::Show => show::run(session, None),
            Command::Completions { shell } => {
                write_completions(Cli::command(), *shell, &mut session.out)
            }
            Command::Man { directory } => write_pages(Cli::command(), directory),
        }
    }
}

impl Change {
    fn label(&self, subsystem: &str) -> String {
        let (verb, ifname) = match self {
            Change::Hook { ifname } => ("hook", ifname),
            Change::Unhook { ifname } => ("unhook", ifname),
            Change::Add { ifname, .. } => ("add", ifname),
            Change::Rm { ifname } => ("rm", ifname),
        };
        format!("{subsystem} {verb} {}", word(ifname))
    }

    fn op<'a>(&'a self, subsystem: &'a str) -> Op<'a> {
        match self {
            Change::Hook { ifname } => Op::VlinkHook { subsystem, ifname },
            Change::Unhook { ifname } => Op::VlinkUnhook { subsystem, ifname },
            Change::Add {
                ifname,
                carrier,
                id,
            } => Op::VlinkNew {
                subsystem,
                ifname,
                carrier,
                id: *id,
            },
            Change::Rm { ifname } => Op::VlinkDel { subsystem, ifname },
        }
    }
}
