// SPDX-License-Identifier: GPL-2.0

//! The operations, one function each.

use crate::{
    connection::{Connection, Done},
    error::Error,
    spec::{
        BindingAttrs, Command, FbAttrs, OptionAttrs, PpeAttrs, SubscriptionAttrs, TypeAttrs,
        VlinkAttrs,
    },
};

/// A functional block.
pub type Fb = FbAttrs;
/// A type of block.
pub type Type = TypeAttrs;
/// The packet processing engine on one CPU.
pub type PpeCpu = PpeAttrs;
/// A device that is connected to the graph.
pub type Vlink = VlinkAttrs;

/// All things of a kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dump<T> {
    /// The things.
    pub items: Vec<T>,
    /// The graph changed under every try to read it: the items may not fit together.
    pub interrupted: bool,
}

impl Connection {
    /// Makes a block. Needs `CAP_NET_ADMIN`, like all that changes something.
    pub fn fb_new(&mut self, name: &str, kind: &str) -> Result<Done, Error> {
        let attrs = FbAttrs {
            r#type: Some(kind.to_owned()),
            ..named(name)
        };
        self.act(Command::FbNew, &attrs)
    }

    /// Removes a block.
    pub fn fb_del(&mut self, name: &str) -> Result<Done, Error> {
        self.act(Command::FbDel, &named(name))
    }

    /// Sets an option of a block.
    pub fn fb_set(&mut self, name: &str, key: &str, value: &str) -> Result<Done, Error> {
        let option = OptionAttrs {
            key: Some(key.to_owned()),
            value: Some(value.to_owned()),
            ..Default::default()
        };
        let attrs = FbAttrs {
            option: vec![option],
            ..named(name)
        };
        self.act(Command::FbSet, &attrs)
    }

    /// A block by name.
    pub fn fb(&mut self, name: &str) -> Result<Fb, Error> {
        self.get(Command::FbGet, &named(name))
    }

    /// All blocks, by IDP.
    pub fn fbs(&mut self) -> Result<Dump<Fb>, Error> {
        self.dump(Command::FbGet)
    }

    /// Puts `upper` on top of `lower`.
    pub fn bind(&mut self, upper: &str, lower: &str) -> Result<Done, Error> {
        self.act(Command::Bind, &binding(upper, lower))
    }

    /// Takes `upper` off `lower`.
    pub fn unbind(&mut self, upper: &str, lower: &str) -> Result<Done, Error> {
        self.act(Command::Unbind, &binding(upper, lower))
    }

    /// Lets `subscriber` get the events of `publisher`.
    pub fn subscribe(&mut self, subscriber: &str, publisher: &str) -> Result<Done, Error> {
        self.act(Command::Subscribe, &subscription(subscriber, publisher))
    }

    /// Takes a subscription back.
    pub fn unsubscribe(&mut self, subscriber: &str, publisher: &str) -> Result<Done, Error> {
        self.act(Command::Unsubscribe, &subscription(subscriber, publisher))
    }

    /// The types of block that can be made.
    pub fn types(&mut self) -> Result<Dump<Type>, Error> {
        self.dump(Command::TypeGet)
    }

    /// The packet processing engine, CPU by CPU.
    pub fn ppe(&mut self) -> Result<Dump<PpeCpu>, Error> {
        self.dump(Command::PpeGet)
    }

    /// The devices that are connected to the graph.
    pub fn vlinks(&mut self) -> Result<Dump<Vlink>, Error> {
        self.dump(Command::VlinkGet)
    }

    /// Connects a device to the graph.
    pub fn vlink_hook(&mut self, subsystem: &str, ifname: &str) -> Result<Done, Error> {
        self.act(Command::VlinkHook, &vlink(subsystem, ifname))
    }

    /// Gives a device back to Linux.
    pub fn vlink_unhook(&mut self, subsystem: &str, ifname: &str) -> Result<Done, Error> {
        self.act(Command::VlinkUnhook, &vlink(subsystem, ifname))
    }
}

fn named(name: &str) -> FbAttrs {
    FbAttrs {
        name: Some(name.to_owned()),
        ..Default::default()
    }
}

fn binding(upper: &str, lower: &str) -> BindingAttrs {
    BindingAttrs {
        upper: Some(upper.to_owned()),
        lower: Some(lower.to_owned()),
        ..Default::default()
    }
}

fn subscription(subscriber: &str, publisher: &str) -> SubscriptionAttrs {
    SubscriptionAttrs {
        subscriber: Some(subscriber.to_owned()),
        publisher: Some(publisher.to_owned()),
        ..Default::default()
    }
}

fn vlink(subsystem: &str, ifname: &str) -> VlinkAttrs {
    VlinkAttrs {
        subsystem: Some(subsystem.to_owned()),
        ifname: Some(ifname.to_owned()),
        ..Default::default()
    }
}
