// SPDX-License-Identifier: GPL-2.0

//! Writes a graph down, always in the same form.

use super::{key, END, SAVED};
use crate::{
    model::{Block, Device, Kind, Name, Names, Pair, Running, Share},
    order::Ordered,
};
use std::fmt::{self, Write};
use toml_writer::{TomlWrite, WriteTomlValue};

/// The file of what runs.
pub fn write(running: &Running, order: &Ordered, names: &Names) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write_to(&mut out, running, order, names);
    out
}

fn write_to(out: &mut String, running: &Running, order: &Ordered, names: &Names) -> fmt::Result {
    out.push_str(SAVED);
    out.push('\n');
    pairs(out, key::BINDINGS, &order.bindings, names)?;
    pairs(out, key::SUBSCRIPTIONS, &order.subscriptions, names)?;
    for name in &order.blocks {
        if let Some(block) = running.blocks.get(*name) {
            item(out, *name, block, names)?;
        }
    }
    writeln!(out, "\n{END}")
}

fn pairs(out: &mut String, key: &str, pairs: &[Pair], names: &Names) -> fmt::Result {
    if pairs.is_empty() {
        return Ok(());
    }
    writeln!(out, "{key} = [")?;
    for (first, second) in pairs {
        out.write_str("  [")?;
        out.value(names.text(*first))?;
        out.write_str(", ")?;
        out.value(names.text(*second))?;
        out.write_str("],\n")?;
    }
    out.write_str("]\n")
}

fn item(out: &mut String, name: Name, block: &Block<'_>, names: &Names) -> fmt::Result {
    let table = match block.kind {
        Kind::Made(_) => key::BLOCKS,
        Kind::Device(_) => key::DEVICES,
    };
    write!(out, "\n[{table}.")?;
    out.key(names.text(name))?;
    out.write_str("]\n")?;
    match block.kind {
        Kind::Made(kind) => value(out, key::TYPE, names.text(kind))?,
        Kind::Device(Device {
            subsystem,
            ifname,
            share,
            xdp,
        }) => {
            value(out, key::SUBSYSTEM, names.text(subsystem))?;
            if ifname != name {
                value(out, key::IFNAME, names.text(ifname))?;
            }
            if let Some(Share { carrier, id }) = share {
                value(out, key::CARRIER, names.text(carrier))?;
                value(out, key::ID, id)?;
            }
            if xdp {
                value(out, key::XDP, xdp)?;
            }
        }
    }
    for setting in &block.settings {
        write!(out, "{}.", key::OPTIONS)?;
        value(out, names.text(setting.key), setting.value.as_ref())?;
    }
    Ok(())
}

fn value(out: &mut String, key: &str, value: impl WriteTomlValue) -> fmt::Result {
    out.key(key)?;
    out.write_str(" = ")?;
    out.value(value)?;
    out.write_str("\n")
}
