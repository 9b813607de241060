// SPDX-License-Identifier: GPL-2.0

//! Changes that are to be made together, and what is to be known of them before.

use crate::told::{told, Told};
use lana_netlink::{wire::EncodeError, Device, Op, Transaction};
use std::collections::HashMap;

/// Who describes the changes that are not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Describe {
    /// This does, if somebody wants to know.
    Each,
    /// The command has its own words.
    Not,
}

/// A device by name or by index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Named {
    Name(String),
    Index(u32),
}

/// A device that is to be hooked.
#[derive(Debug)]
pub(crate) struct Hook {
    /// Which of the changes, from 0.
    pub(crate) change: usize,
    pub(crate) device: Named,
    pub(crate) xdp: bool,
    /// Somebody has said that it may be.
    pub(crate) yes: bool,
    block: Option<String>,
}

/// Changes that are made together or not at all.
#[derive(Debug)]
pub struct Plan {
    pub(crate) transaction: Transaction,
    pub(crate) hooks: Vec<Hook>,
    /// The blocks of devices that leave Linux what no block takes, or not.
    stack: HashMap<String, bool>,
    /// How many changes.
    pub(crate) count: usize,
    /// What the first of them are, and how many somebody wants to be told of.
    pub(crate) told: Vec<Told>,
    tells: usize,
    /// How many of them the transaction has, where it is only for the kernel to look at.
    pub(crate) checked: Option<usize>,
}

impl Plan {
    /// None yet.
    pub(crate) fn new(tells: usize, dry: bool) -> Self {
        Plan {
            transaction: Transaction::default(),
            hooks: Vec::new(),
            stack: HashMap::new(),
            count: 0,
            told: Vec::new(),
            tells,
            checked: dry.then_some(0),
        }
    }

    /// Adds a change, which sees what those before it did. `yes` is that a device may be hooked whatever it has.
    pub fn push(&mut self, op: &Op<'_>, yes: bool) -> Result<(), EncodeError> {
        match op {
            Op::VlinkHook {
                device, block, xdp, ..
            } => self
                .hooks
                .extend(hook(self.count, *device, *block, *xdp, yes)),
            Op::FbSet { name, key, value } if *key == "unclaimed" => {
                self.stack
                    .insert((*name).to_owned(), value.trim() == "stack");
            }
            _ => {}
        }
        match &mut self.checked {
            None => self.transaction.push(op)?,
            // Behind a change that cannot be looked at, nothing can.
            Some(checked) if *checked == self.count && looked_at(op) => {
                match op {
                    Op::VlinkHook {
                        subsystem,
                        device,
                        block,
                        xdp: true,
                    } => self.transaction.push(&Op::VlinkHook {
                        subsystem,
                        device: *device,
                        block: *block,
                        xdp: false,
                    })?,
                    op => self.transaction.push(op)?,
                }
                *checked += 1;
            }
            Some(_) => {}
        }
        if self.told.len() < self.tells {
            self.told.push(told(op));
        }
        self.count += 1;
        Ok(())
    }

    /// Whether there is no change in it.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The devices to be hooked whose host may lose them.
    pub(crate) fn risky(&self) -> impl Iterator<Item = &Hook> {
        let kept = |hook: &Hook| {
            let block = hook.block.as_ref();
            block.is_some_and(|name| self.stack.get(name) == Some(&true))
        };
        self.hooks
            .iter()
            .filter(move |hook| !hook.yes && !kept(hook))
    }
}

/// What the kernel can look at without doing it: a virtual device would appear, if for a moment. So would a
/// program of XDP in a driver; that hook is looked at without.
fn looked_at(op: &Op<'_>) -> bool {
    !matches!(op, Op::VlinkNew { .. })
}

fn hook(
    change: usize,
    device: Device<'_>,
    block: Option<&str>,
    xdp: bool,
    yes: bool,
) -> Option<Hook> {
    let (device, name) = match device {
        Device::Name(name) => (Named::Name(name.to_owned()), Some(name)),
        Device::Index(index) => (Named::Index(index), None),
        Device::Block(_) => return None,
    };
    Some(Hook {
        change,
        device,
        xdp,
        yes,
        block: block.or(name).map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook_of(name: &str, block: Option<&'static str>) -> Op<'static> {
        Op::VlinkHook {
            subsystem: "ethernet",
            device: match name {
                "" => Device::Index(7),
                _ => Device::Name("eth0"),
            },
            block,
            xdp: true,
        }
    }

    fn set(name: &'static str, value: &'static str) -> Op<'static> {
        Op::FbSet {
            name,
            key: "unclaimed",
            value: value.into(),
        }
    }

    fn risky(ops: &[Op<'_>], yes: bool) -> usize {
        let mut plan = Plan::new(0, false);
        for op in ops {
            plan.push(op, yes).unwrap();
        }
        plan.risky().count()
    }

    #[test]
    fn what_is_left_to_linux_is_no_risk() {
        let hook = || hook_of("eth0", None);
        assert_eq!(risky(&[hook()], false), 1);
        assert_eq!(risky(&[hook()], true), 0);
        assert_eq!(risky(&[hook(), set("eth0", "stack")], false), 0);
        assert_eq!(risky(&[hook(), set("other", "stack")], false), 1);
        let undone = [hook(), set("eth0", "stack"), set("eth0", "drop")];
        assert_eq!(risky(&undone, false), 1);
        let named = [hook_of("eth0", Some("b")), set("b", "stack")];
        assert_eq!(risky(&named, false), 0);
        let numbered = [hook_of("", Some("b")), set("b", "stack")];
        assert_eq!(risky(&numbered, false), 0);
        assert_eq!(risky(&[hook_of("", None), set("eth0", "stack")], false), 1);
    }

    #[test]
    fn what_cannot_be_looked_at_ends_it() {
        let mut plan = Plan::new(3, true);
        let add = |name| Op::FbNew { name, kind: "tee" };
        plan.push(&add("a"), false).unwrap();
        plan.push(&hook_of("eth0", None), false).unwrap();
        let new = Op::VlinkNew {
            subsystem: "ethernet",
            ifname: "v0",
            carrier: "eth1",
            id: None,
            block: None,
        };
        plan.push(&new, false).unwrap();
        plan.push(&add("b"), false).unwrap();
        assert_eq!((plan.count, plan.checked), (4, Some(2)));
        assert_eq!(plan.told.len(), 3);
    }
}
