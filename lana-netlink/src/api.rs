// SPDX-License-Identifier: GPL-2.0

//! The questions, one function each. What changes something is an [`Op`](crate::Op).

use crate::{
    connection::Connection,
    error::Error,
    spec::{Command, FbAttrs, OptionAttrs, PpeAttrs, TypeAttrs, VlinkAttrs},
    wire::{Attributes, DecodeError},
};
use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP};

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

const ENOENT: i32 = 2;

impl Connection {
    /// A block by name.
    pub fn fb(&mut self, name: &str) -> Result<Fb, Error> {
        self.get(Command::FbGet, &named(name))
    }

    /// All blocks, by IDP. Large ones are asked for by name; one that is [`partial`](Fb::partial) then
    /// has more than can be shown.
    pub fn fbs(&mut self) -> Result<Dump<Fb>, Error> {
        let dump: Dump<Fb> = self.dump(Command::FbGet)?;
        let mut items = Vec::with_capacity(dump.items.len());
        for fb in dump.items {
            if fb.partial.is_none() {
                items.push(fb);
                continue;
            }
            match self.fb(fb.name.as_deref().unwrap_or_default()) {
                Err(Error::Refused(refusal)) if refusal.errno == ENOENT => {} // it is gone
                more => items.push(more?),
            }
        }
        let interrupted = dump.interrupted;
        Ok(Dump { items, interrupted })
    }

    /// All blocks, by IDP. Large ones are [`partial`](Fb::partial): their counters are there, their ports and
    /// options are not.
    pub fn fbs_in_brief(&mut self) -> Result<Dump<Fb>, Error> {
        self.dump(Command::FbGet)
    }

    /// Shows the attributes of each block, by IDP, or of one by name. Those of a large one are
    /// [`partial`](Fb::partial) if it was not asked for by name. Whether the graph changed meanwhile
    /// is the result.
    pub fn visit_fbs(
        &mut self,
        name: Option<&str>,
        each: impl FnMut(&[u8]) -> Result<(), DecodeError>,
    ) -> Result<bool, Error> {
        match name {
            None => self.visit(Command::FbGet, NLM_F_DUMP, &FbAttrs::default(), each),
            Some(name) => self.visit(Command::FbGet, NLM_F_ACK, &named(name), each),
        }
    }

    /// The value of an option with a size. None if it changed meanwhile.
    pub fn value(&mut self, name: &str, key: &str) -> Result<Option<String>, Error> {
        let attrs = FbAttrs {
            option: vec![OptionAttrs {
                key: Some(key.to_owned()),
                ..Default::default()
            }],
            ..named(name)
        };
        let mut text = String::new();
        let read = self.visit(Command::OptionGet, NLM_F_DUMP, &attrs, |attrs| {
            for option in FbAttrs::decode(attrs)?.option {
                text.push_str(option.value.as_deref().unwrap_or_default());
            }
            Ok(())
        });
        match read {
            Err(Error::Refused(refusal)) if refusal.errno == ENOENT => Ok(None),
            interrupted => Ok((!interrupted?).then_some(text)),
        }
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
}

fn named(name: &str) -> FbAttrs {
    FbAttrs {
        name: Some(name.to_owned()),
        ..Default::default()
    }
}
