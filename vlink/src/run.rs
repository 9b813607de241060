// SPDX-License-Identifier: GPL-2.0

//! From commands to what does them.

use crate::{
    cli::{Assignment, Change, Cli, Command, Device, Free, Hooked},
    show,
};
use anyhow::Result;
use lana_cli::{
    command, usage, word, write_dynamic_completions, write_pages, Action, Globals, Session, Tool,
};
use lana_netlink::{self as netlink, Op};

impl Tool for Cli {
    type Action = Command;
    const NAME: &'static str = "vlink";

    fn idle(command: &str) -> &'static [&'static str] {
        match command {
            "hook" | "add" => &["stats"],
            "unhook" | "rm" => &["stats", "yes"],
            "show" => &["dry_run", "yes", "confirm"],
            "completions" => &[
                "json", "pretty", "stats", "netns", "dry_run", "yes", "confirm",
            ],
            _ => &[],
        }
    }

    fn into_parts(self) -> (Globals, Option<Command>) {
        (self.globals, self.command)
    }
}

impl Action for Command {
    fn label(&self) -> String {
        match self {
            Command::Devices { subsystem, command } => match command {
                Device::Change(change) => change.label(subsystem),
                Device::Show => format!("{} show", word(subsystem)),
            },
            Command::Show => "show".to_owned(),
            Command::Completions { .. } => "completions".to_owned(),
            Command::Man { .. } => "man".to_owned(),
        }
    }

    fn changes(&self, _session: &Session) -> Result<Vec<Op<'_>>> {
        match self {
            Command::Devices {
                subsystem,
                command: Device::Change(change),
            } => change.ops(subsystem),
            _ => Ok(Vec::new()),
        }
    }

    fn run(&self, session: &mut Session) -> Result<()> {
        match self {
            Command::Devices { subsystem, command } => match command {
                Device::Change(change) => session.change(&change.ops(subsystem)?),
                Device::Show => show::run(session, Some(subsystem)),
            },
            Command::Show => show::run(session, None),
            Command::Completions { shell } => {
                write_dynamic_completions(Cli::NAME, *shell, &mut session.out)
            }
            Command::Man { directory } => write_pages(command::<Cli>(), directory),
        }
    }
}

/// A device by the way that was chosen; one was.
fn device<'a>(
    ifname: Option<&'a String>,
    index: Option<u32>,
    block: Option<&'a String>,
) -> netlink::Device<'a> {
    match (ifname, index, block) {
        (_, Some(index), _) => netlink::Device::Index(index),
        (_, _, Some(block)) => netlink::Device::Block(block),
        (name, _, _) => netlink::Device::Name(name.map_or("", String::as_str)),
    }
}

impl Free {
    fn device(&self) -> netlink::Device<'_> {
        device(self.ifname.as_ref(), self.index, None)
    }
}

impl Hooked {
    fn device(&self) -> netlink::Device<'_> {
        device(self.ifname.as_ref(), self.index, self.block.as_ref())
    }
}

impl Change {
    fn label(&self, subsystem: &str) -> String {
        let (verb, device) = match self {
            Change::Hook { device, .. } => ("hook", device.device()),
            Change::Unhook { device } => ("unhook", device.device()),
            Change::Add { ifname, .. } => ("add", netlink::Device::Name(ifname)),
            Change::Rm { device } => ("rm", device.device()),
        };
        let device = match device {
            netlink::Device::Name(name) => word(name),
            netlink::Device::Index(index) => format!("--index {index}"),
            netlink::Device::Block(name) => format!("--block {}", word(name)),
        };
        format!("{} {verb} {device}", word(subsystem))
    }

    /// To hook a device, and to set options of its block.
    fn ops<'a>(&'a self, subsystem: &'a str) -> Result<Vec<Op<'a>>> {
        let mut ops = vec![self.op(subsystem)];
        if let Change::Hook {
            device,
            block,
            options,
            ..
        } = self
        {
            let name = block.as_ref().or(device.ifname.as_ref());
            for Assignment { key, value } in options {
                let name =
                    name.ok_or_else(|| usage("options want a device by name, or --block"))?;
                ops.push(Op::FbSet {
                    name,
                    key,
                    value: value.into(),
                });
            }
        }
        Ok(ops)
    }

    fn op<'a>(&'a self, subsystem: &'a str) -> Op<'a> {
        match self {
            Change::Hook {
                device, block, xdp, ..
            } => Op::VlinkHook {
                subsystem,
                device: device.device(),
                block: block.as_deref(),
                xdp: *xdp,
            },
            Change::Unhook { device } => Op::VlinkUnhook {
                subsystem,
                device: device.device(),
            },
            Change::Add {
                ifname,
                carrier,
                id,
                block,
            } => Op::VlinkNew {
                subsystem,
                ifname,
                carrier,
                id: *id,
                block: block.as_deref(),
            },
            Change::Rm { device } => Op::VlinkDel {
                subsystem,
                device: device.device(),
            },
        }
    }
}
