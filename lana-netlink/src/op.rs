// SPDX-License-Identifier: GPL-2.0

//! What can be done to a graph: each as a request of its own, or with others in a transaction.

use crate::{
    message::BODY,
    spec::{self, binding, fb, op, option, replacement, subscription, transaction, vlink, Command},
    wire::{AttrSet, EncodeError, Flag, Writer},
};
use std::borrow::Cow;

/// One change of a graph. All need `CAP_NET_ADMIN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op<'a> {
    /// Makes a block of the type `kind`.
    FbNew {
        /// What it is called.
        name: &'a str,
        /// Its type.
        kind: &'a str,
    },
    /// Removes a block.
    FbDel {
        /// Which.
        name: &'a str,
    },
    /// Sets an option of a block.
    FbSet {
        /// Of which.
        name: &'a str,
        /// Which option.
        key: &'a str,
        /// What to; an empty value sets it back to what a new block has.
        value: Cow<'a, str>,
    },
    /// Puts `upper` on top of `lower`.
    Bind {
        /// The block on top.
        upper: &'a str,
        /// The block below.
        lower: &'a str,
    },
    /// Takes `upper` off `lower`.
    Unbind {
        /// The block on top.
        upper: &'a str,
        /// The block below.
        lower: &'a str,
    },
    /// Lets `subscriber` get the events of `publisher`.
    Subscribe {
        /// Who gets them.
        subscriber: &'a str,
        /// Whose they are.
        publisher: &'a str,
    },
    /// Takes a subscription back.
    Unsubscribe {
        /// Who gets the events.
        subscriber: &'a str,
        /// Whose they are.
        publisher: &'a str,
    },
    /// Lets `new` take the place of `old`.
    Replace {
        /// Whose place.
        old: &'a str,
        /// Who takes it.
        new: &'a str,
        /// Leaves the state behind.
        drop_state: bool,
    },
    /// Connects a device to the graph.
    VlinkHook {
        /// By which subsystem.
        subsystem: &'a str,
        /// Which device; it has no block yet.
        device: Device<'a>,
        /// What to call its block, if not as the device.
        block: Option<&'a str>,
        /// Packets enter as frames of its driver: native XDP.
        xdp: bool,
    },
    /// Gives a device back to Linux.
    VlinkUnhook {
        /// By which subsystem.
        subsystem: &'a str,
        /// Which device.
        device: Device<'a>,
    },
    /// Makes a virtual device and its block.
    VlinkNew {
        /// By which subsystem.
        subsystem: &'a str,
        /// What to call the device.
        ifname: &'a str,
        /// The device that it shares with others.
        carrier: &'a str,
        /// Its number there; the lowest free one if there is none.
        id: Option<u8>,
        /// What to call its block, if not as the device.
        block: Option<&'a str>,
    },
    /// Removes a virtual device and its block.
    VlinkDel {
        /// By which subsystem.
        subsystem: &'a str,
        /// Which device.
        device: Device<'a>,
    },
}

/// Which device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device<'a> {
    /// That of a name.
    Name(&'a str),
    /// That of an index.
    Index(u32),
    /// That which a block stands for.
    Block(&'a str),
}

impl Op<'_> {
    /// The command that asks for it alone, and the number it has in a transaction.
    fn codes(&self) -> (Command, u16) {
        match self {
            Op::FbNew { .. } => (Command::FbNew, op::FB_NEW),
            Op::FbDel { .. } => (Command::FbDel, op::FB_DEL),
            Op::FbSet { .. } => (Command::FbSet, op::FB_SET),
            Op::Bind { .. } => (Command::Bind, op::BIND),
            Op::Unbind { .. } => (Command::Unbind, op::UNBIND),
            Op::Subscribe { .. } => (Command::Subscribe, op::SUBSCRIBE),
            Op::Unsubscribe { .. } => (Command::Unsubscribe, op::UNSUBSCRIBE),
            Op::Replace { .. } => (Command::Replace, op::REPLACE),
            Op::VlinkHook { .. } => (Command::VlinkHook, op::VLINK_HOOK),
            Op::VlinkUnhook { .. } => (Command::VlinkUnhook, op::VLINK_UNHOOK),
            Op::VlinkNew { .. } => (Command::VlinkNew, op::VLINK_NEW),
            Op::VlinkDel { .. } => (Command::VlinkDel, op::VLINK_DEL),
        }
    }

    /// The command that asks for it alone.
    pub(crate) fn command(&self) -> Command {
        self.codes().0
    }

    /// Whether it fits in no message of its own: its value goes in parts.
    pub(crate) fn is_long(&self) -> bool {
        matches!(self, Op::FbSet { value, .. } if value.len() > spec::OPTION_MAX)
    }

    /// Writes the attributes that say what to do it to.
    pub(crate) fn encode(&self, to: &mut Writer) -> Result<(), EncodeError> {
        match self {
            Op::FbNew { name, kind } => {
                put(to, &spec::FB, fb::NAME, name)?;
                put(to, &spec::FB, fb::TYPE, kind)
            }
            Op::FbDel { name } => put(to, &spec::FB, fb::NAME, name),
            Op::FbSet { name, key, value } => put_option(to, name, key, value, false),
            Op::Bind { upper, lower } | Op::Unbind { upper, lower } => {
                put(to, &spec::BINDING, binding::UPPER, upper)?;
                put(to, &spec::BINDING, binding::LOWER, lower)
            }
            Op::Subscribe {
                subscriber,
                publisher,
            }
            | Op::Unsubscribe {
                subscriber,
                publisher,
            } => {
                let set = &spec::SUBSCRIPTION;
                put(to, set, subscription::SUBSCRIBER, subscriber)?;
                put(to, set, subscription::PUBLISHER, publisher)
            }
            Op::Replace {
                old,
                new,
                drop_state,
            } => {
                put(to, &spec::REPLACEMENT, replacement::OLD, old)?;
                put(to, &spec::REPLACEMENT, replacement::NEW, new)?;
                if *drop_state {
                    to.put(replacement::DROP_STATE, &Flag)?;
                }
                Ok(())
            }
            Op::VlinkHook {
                subsystem,
                device,
                block,
                xdp,
            } => {
                put_device(to, subsystem, *device)?;
                put_block(to, *block)?;
                if *xdp {
                    to.put(vlink::XDP, &Flag)?;
                }
                Ok(())
            }
            Op::VlinkUnhook { subsystem, device } | Op::VlinkDel { subsystem, device } => {
                put_device(to, subsystem, *device)
            }
            Op::VlinkNew {
                subsystem,
                ifname,
                carrier,
                id,
                block,
            } => {
                put_device(to, subsystem, Device::Name(ifname))?;
                put(to, &spec::VLINK, vlink::CARRIER, carrier)?;
                if let Some(id) = id {
                    to.put(vlink::ID, &u32::from(*id))?;
                }
                put_block(to, *block)
            }
        }
    }
}

fn put(to: &mut Writer, set: &'static AttrSet, number: u16, text: &str) -> Result<(), EncodeError> {
    let name = set.get(number).map_or("", |attr| attr.name);
    to.text(number, text).map_err(|e| e.within(name))
}

/// Sets an option, or to a part of a value.
fn put_option(
    to: &mut Writer,
    name: &str,
    key: &str,
    value: &str,
    more: bool,
) -> Result<(), EncodeError> {
    put(to, &spec::FB, fb::NAME, name)?;
    let fill = |to: &mut Writer| {
        put(to, &spec::OPTION, option::KEY, key)?;
        put(to, &spec::OPTION, option::VALUE, value)?;
        if more {
            to.put(option::MORE, &Flag)?;
        }
        Ok(())
    };
    to.nest(fb::OPTION, fill).map_err(|e| e.within("option"))
}

fn put_device(to: &mut Writer, subsystem: &str, device: Device<'_>) -> Result<(), EncodeError> {
    put(to, &spec::VLINK, vlink::SUBSYSTEM, subsystem)?;
    match device {
        Device::Name(name) => put(to, &spec::VLINK, vlink::IFNAME, name),
        Device::Index(index) => to.put(vlink::IFINDEX, &index),
        Device::Block(name) => put(to, &spec::VLINK, vlink::FB, name),
    }
}

fn put_block(to: &mut Writer, block: Option<&str>) -> Result<(), EncodeError> {
    block.map_or(Ok(()), |name| put(to, &spec::VLINK, vlink::FB, name))
}

/// Changes that are made together or not at all.
#[derive(Debug)]
pub struct Transaction {
    /// Behind room for the headers.
    pub(crate) attrs: Writer,
    /// How many operations the kernel sees.
    count: usize,
    /// Those of them that are further parts of a value.
    further: Vec<usize>,
}

impl Default for Transaction {
    fn default() -> Self {
        Transaction {
            attrs: Writer::behind(BODY),
            count: 0,
            further: Vec::new(),
        }
    }
}

impl Transaction {
    /// Adds a change, which sees what those before it did.
    pub fn push(&mut self, change: &Op<'_>) -> Result<(), EncodeError> {
        let (_, number) = change.codes();
        let Op::FbSet { name, key, value } = change else {
            return self.operation(number, |to| change.encode(to));
        };
        let mut rest = value.as_ref();
        loop {
            let fits = |end: &usize| rest.is_char_boundary(*end);
            let end = (0..=spec::OPTION_MAX.min(rest.len())).rev().find(fits);
            let (part, after) = rest.split_at(end.unwrap_or_default());
            let more = !after.is_empty();
            self.operation(number, |to| put_option(to, name, key, part, more))?;
            if !more {
                return Ok(());
            }
            self.further.push(self.count);
            rest = after;
        }
    }

    fn operation(
        &mut self,
        number: u16,
        fill: impl FnOnce(&mut Writer) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        self.count += 1;
        let inner = |to: &mut Writer| to.nest(number, fill);
        self.attrs.nest(transaction::OP, inner)
    }

    /// Which of the changes an operation is a part of, both from 0.
    pub(crate) fn change_of(further: &[usize], operation: usize) -> usize {
        operation - further.partition_point(|&part| part <= operation)
    }

    /// The attributes, and which of the operations are further parts of a value.
    pub(crate) fn into_parts(self) -> (Writer, Vec<usize>) {
        (self.attrs, self.further)
    }

    /// Whether there is no change in it.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        spec::{FbAttrs, OpAttrs, TransactionAttrs},
        wire::{Attributes, Unfit},
    };

    fn all() -> Vec<Op<'static>> {
        let (upper, lower) = ("a", "b");
        let (subscriber, publisher) = ("a", "b");
        let (subsystem, ifname) = ("ethernet", "eth0");
        vec![
            Op::FbNew {
                name: "f",
                kind: "bpf",
            },
            Op::FbDel { name: "f" },
            Op::FbSet {
                name: "f",
                key: "k",
                value: "v".into(),
            },
            Op::Bind { upper, lower },
            Op::Unbind { upper, lower },
            Op::Subscribe {
                subscriber,
                publisher,
            },
            Op::Unsubscribe {
                subscriber,
                publisher,
            },
            Op::Replace {
                old: "a",
                new: "b",
                drop_state: true,
            },
            Op::VlinkHook {
                subsystem,
                device: Device::Name(ifname),
                block: None,
                xdp: false,
            },
            Op::VlinkHook {
                subsystem,
                device: Device::Index(7),
                block: Some("b"),
                xdp: true,
            },
            Op::VlinkUnhook {
                subsystem,
                device: Device::Name(ifname),
            },
            Op::VlinkNew {
                subsystem,
                ifname: "v0",
                carrier: ifname,
                id: Some(255),
                block: None,
            },
            Op::VlinkNew {
                subsystem,
                ifname: "v1",
                carrier: ifname,
                id: None,
                block: Some("b"),
            },
            Op::VlinkDel {
                subsystem,
                device: Device::Block("b"),
            },
        ]
    }

    #[test]
    fn every_change_lies_where_it_should() {
        let mut transaction = Transaction::default();
        assert!(transaction.is_empty());
        for change in all() {
            transaction.push(&change).unwrap();
        }
        assert!(!transaction.is_empty());
        let bytes = transaction.attrs.into_bytes();
        let ops = TransactionAttrs::decode(&bytes[BODY..]).unwrap().op;
        let json = serde_json::to_value(&ops).unwrap();
        let expected = serde_json::json!([
            { "fb-new": { "name": "f", "type": "bpf" } },
            { "fb-del": { "name": "f" } },
            { "fb-set": { "name": "f", "option": [{ "key": "k", "value": "v" }] } },
            { "bind": { "upper": "a", "lower": "b" } },
            { "unbind": { "upper": "a", "lower": "b" } },
            { "subscribe": { "subscriber": "a", "publisher": "b" } },
            { "unsubscribe": { "subscriber": "a", "publisher": "b" } },
            { "replace": { "old": "a", "new": "b", "drop-state": true } },
            { "vlink-hook": { "subsystem": "ethernet", "ifname": "eth0" } },
            { "vlink-hook": { "subsystem": "ethernet", "ifindex": 7, "fb": "b", "xdp": true } },
            { "vlink-unhook": { "subsystem": "ethernet", "ifname": "eth0" } },
            { "vlink-new": { "subsystem": "ethernet", "ifname": "v0", "carrier": "eth0", "id": 255 } },
            { "vlink-new": { "subsystem": "ethernet", "ifname": "v1", "carrier": "eth0", "fb": "b" } },
            { "vlink-del": { "subsystem": "ethernet", "fb": "b" } },
        ]);
        assert_eq!(json, expected);
    }

    #[test]
    fn a_change_is_the_same_alone() {
        let mut alone = Writer::new();
        all()[0].encode(&mut alone).unwrap();
        let fb = FbAttrs::decode(&alone.into_bytes()).unwrap();
        let op = OpAttrs {
            fb_new: Some(fb),
            ..Default::default()
        };
        let mut transaction = Transaction::default();
        transaction.push(&all()[0]).unwrap();
        let bytes = transaction.attrs.into_bytes();
        assert_eq!(TransactionAttrs::decode(&bytes[BODY..]).unwrap().op, [op]);
    }

    #[test]
    fn long_values_go_in_parts() {
        let value = "ä,".repeat(50_000);
        let (name, key) = ("c", "prefixes.0");
        let set = Op::FbSet {
            name,
            key,
            value: value.as_str().into(),
        };
        assert!(set.is_long());
        let mut transaction = Transaction::default();
        transaction.push(&Op::FbDel { name: "f" }).unwrap();
        transaction.push(&set).unwrap();
        transaction.push(&Op::FbDel { name: "g" }).unwrap();
        let (attrs, further) = transaction.into_parts();
        let bytes = attrs.into_bytes();
        let ops = TransactionAttrs::decode(&bytes[BODY..]).unwrap().op;
        assert_eq!(ops.len(), 5);
        let parts = ops[1..4].iter().map(|op| {
            let option = &op.fb_set.as_ref().unwrap().option[0];
            assert_eq!(option.key.as_deref(), Some(key));
            (option.value.clone().unwrap(), option.more.is_some())
        });
        let (parts, more): (Vec<_>, Vec<_>) = parts.unzip();
        assert_eq!(parts.concat(), value);
        assert!(parts.iter().all(|part| part.len() <= spec::OPTION_MAX));
        assert_eq!(more, [true, true, false]);
        let changes: Vec<_> = (0..5)
            .map(|operation| Transaction::change_of(&further, operation))
            .collect();
        assert_eq!(changes, [0, 1, 1, 1, 2]);
    }

    #[test]
    fn what_cannot_be_sent_is_named() {
        let change = Op::FbNew {
            name: "a\0b",
            kind: "bpf",
        };
        let error = Transaction::default().push(&change).unwrap_err();
        assert_eq!(error, EncodeError::from(Unfit::Nul).within("name"));
    }
}
