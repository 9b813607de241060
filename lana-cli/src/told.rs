// SPDX-License-Identifier: GPL-2.0

//! Changes in words: for those who want to know what would change, and for the log. A line is as
//! `fbctl apply` prints it.

use crate::{
    failure::word,
    secret::{is_secret, SECRET},
};
use lana_netlink::{Device, Op};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The value of an option that is longer is not told.
const LONG: usize = 60;

/// What happens to something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// It is made.
    Add,
    /// It goes.
    Remove,
    /// It becomes another.
    Change,
}

/// A change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// What happens.
    pub change: How,
    /// To a thing of which kind.
    pub item: String,
    /// Which: one name, or the two of a binding, a subscription or a replacement.
    pub names: Vec<String>,
    /// What else there is to say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub more: String,
    /// What the option has been, in a line, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// The value of an option, in a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.change {
            How::Add => "+ ",
            How::Remove => "- ",
            How::Change => "~ ",
        })?;
        f.write_str(&self.item)?;
        for name in &self.names {
            write!(f, " {}", word(name))?;
        }
        if !self.more.is_empty() {
            write!(f, " {}", self.more)?;
        }
        match (&self.old, &self.value) {
            (Some(old), Some(value)) => write!(f, ": {old} -> {value}"),
            (None, Some(value)) => write!(f, "={value}"),
            (_, None) => Ok(()),
        }
    }
}

/// What a device is called, where a word has to do.
fn name(device: Device<'_>) -> String {
    match device {
        Device::Name(name) | Device::Block(name) => name.to_owned(),
        Device::Index(index) => format!("#{index}"),
    }
}

/// The value of an option, if it is short; otherwise how long it is. A secret is not told.
pub(crate) fn brief(key: &str, value: &str) -> String {
    let value = value.trim();
    if is_secret(key) {
        return SECRET.to_owned();
    }
    match value.lines().count() {
        0 => String::new(),
        1 if value.chars().count() <= LONG => word(value),
        1 => format!("({} characters)", value.chars().count()),
        lines => format!("({lines} lines)"),
    }
}

/// A change, described.
pub fn told(op: &Op<'_>) -> Told {
    use How::{Add, Change, Remove};
    let one = |change, item: &str, name: &str, more: String| Told {
        change,
        item: item.to_owned(),
        names: vec![name.to_owned()],
        more,
        old: None,
        value: None,
    };
    let two = |change, item: &str, first: &str, second: &str| Told {
        change,
        item: item.to_owned(),
        names: vec![first.to_owned(), second.to_owned()],
        more: String::new(),
        old: None,
        value: None,
    };
    match op {
        Op::FbNew { name, kind } => one(Add, "block", name, word(kind)),
        Op::FbDel { name } => one(Remove, "block", name, String::new()),
        Op::FbSet { name, key, value } => Told {
            value: Some(brief(key, value)),
            ..one(Change, "option", name, word(key))
        },
        Op::Bind { upper, lower } => two(Add, "binding", upper, lower),
        Op::Unbind { upper, lower } => two(Remove, "binding", upper, lower),
        Op::Subscribe {
            subscriber,
            publisher,
        } => two(Add, "subscription", subscriber, publisher),
        Op::Unsubscribe {
            subscriber,
            publisher,
        } => two(Remove, "subscription", subscriber, publisher),
        Op::Replace { old, new, .. } => two(Change, "place", old, new),
        Op::VlinkHook {
            subsystem,
            device,
            block,
            xdp,
        } => {
            let mut more = word(subsystem);
            if let Some(block) = block {
                more += &format!(" --block {}", word(block));
            }
            if *xdp {
                more += " --xdp";
            }
            one(Add, "device", &name(*device), more)
        }
        Op::VlinkUnhook { subsystem, device } | Op::VlinkDel { subsystem, device } => {
            one(Remove, "device", &name(*device), word(subsystem))
        }
        Op::VlinkNew {
            subsystem,
            ifname,
            carrier,
            id,
            ..
        } => {
            let id = id.map(|id| format!(" {id}")).unwrap_or_default();
            let more = format!("{} {}{id}", word(subsystem), word(carrier));
            one(Add, "device", ifname, more)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_a_change() {
        let hook = Op::VlinkHook {
            subsystem: "ethernet",
            device: Device::Name("eth0"),
            block: Some("a b"),
            xdp: true,
        };
        let bind = Op::Bind {
            upper: "a",
            lower: "b",
        };
        let set = |key, value: &'static str| Op::FbSet {
            name: "f",
            key,
            value: value.into(),
        };
        let long = "a-value-that-is-longer-than-what-anybody-would-like-to-read-in-a-line";
        for (op, text) in [
            (hook, "+ device eth0 ethernet --block 'a b' --xdp"),
            (bind, "+ binding a b"),
            (set("rate", "10mbit"), "~ option f rate=10mbit"),
            (set("rate", ""), "~ option f rate="),
            (set("addr", "a b\n"), "~ option f addr='a b'"),
            (
                set("program", "1\n6 0 0 1\n"),
                "~ option f program=(2 lines)",
            ),
            (set("program", long), "~ option f program=(69 characters)"),
            (set("tx.key", "1:00ff"), "~ option f tx.key=secret"),
            (Op::FbDel { name: "f" }, "- block f"),
        ] {
            assert_eq!(told(&op).to_string(), text);
        }
        let json = serde_json::to_string(&told(&Op::FbDel { name: "f" })).unwrap();
        assert_eq!(json, r#"{"change":"remove","item":"block","names":["f"]}"#);
    }
}
