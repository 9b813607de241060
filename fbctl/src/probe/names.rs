// SPDX-License-Identifier: GPL-2.0

//! From IDPs to the names of blocks.

use anyhow::Result;
use lana_netlink::{
    spec::{Direction, PortAttrs},
    wire::{Attributes, Value},
    Connection, Fb,
};
use std::collections::{HashMap, HashSet};

/// A block as the graph last had it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) name: String,
    pub(crate) kind: String,
    /// The device that it stands for.
    pub(crate) ifname: Option<String>,
    /// The names of the blocks at its ports, by the way that these lead and their numbers.
    peers: HashMap<(Direction, u32), String>,
}

/// The blocks by their IDPs. Those that are gone stay until another one gets the IDP: packets that
/// passed them may still be told about.
#[derive(Debug, Default)]
pub(crate) struct Names {
    blocks: HashMap<u32, Block>,
    /// Those that are not gone.
    present: HashSet<u32>,
}

impl Names {
    /// Reads the graph, at first or again.
    pub(crate) fn refresh(&mut self, lana: &mut Connection) -> Result<()> {
        self.present.clear();
        lana.visit_fbs(None, |attrs| {
            self.take(Fb::decode(attrs)?);
            Ok(())
        })?;
        Ok(())
    }

    fn take(&mut self, fb: Fb) {
        let (Some(idp), Some(name)) = (fb.idp, fb.name) else {
            return;
        };
        let block = Block {
            name,
            kind: fb.r#type.unwrap_or_default(),
            ifname: fb.ifname,
            peers: fb.port.into_iter().filter_map(peer).collect(),
        };
        self.blocks.insert(idp, block);
        self.present.insert(idp);
    }

    /// The block of an IDP.
    pub(crate) fn get(&self, idp: u32) -> Option<&Block> {
        self.blocks.get(&idp)
    }

    /// The name of a block, or its IDP where the graph has no name for it.
    pub(crate) fn name(&self, idp: u32) -> String {
        let block = self.get(idp);
        block.map_or_else(|| format!("idp {idp}"), |block| block.name.clone())
    }

    /// What a device does with a packet, if the block stands for one: it receives those that enter the graph there.
    pub(crate) fn device(&self, idp: u32, entered: bool) -> Option<&'static str> {
        self.get(idp)?.ifname.as_ref()?;
        Some(if entered { "rx" } else { "tx" })
    }

    /// The block that a port of a block leads to.
    pub(crate) fn peer(&self, idp: u32, direction: Direction, port: u32) -> Option<&str> {
        let peers = &self.get(idp)?.peers;
        peers.get(&(direction, port)).map(String::as_str)
    }

    /// How long the longest name is of those that some blocks lead to.
    pub(crate) fn longest_peer(&self, blocks: &[(u32, String)]) -> usize {
        let blocks = blocks.iter().filter_map(|(idp, _)| self.get(*idp));
        let names = blocks.flat_map(|block| block.peers.values());
        names
            .map(|name| name.chars().count())
            .max()
            .unwrap_or_default()
    }

    /// The block that is called so, or that stands for the device that is: IDP and name.
    pub(crate) fn find(&self, text: &str) -> Option<(u32, &str)> {
        let find = |is: &dyn Fn(&Block) -> bool| {
            let mut all = self.blocks.iter();
            all.find(|(idp, block)| self.present.contains(idp) && is(block))
        };
        let (idp, block) = find(&|block| block.name == text)
            .or_else(|| find(&|block| block.ifname.as_deref() == Some(text)))?;
        Some((*idp, block.name.as_str()))
    }

    #[cfg(test)]
    pub(crate) fn bind(&mut self, idp: u32, direction: Direction, port: u32, peer: &str) {
        let block = self.blocks.entry(idp).or_default();
        block.peers.insert((direction, port), peer.to_owned());
    }

    #[cfg(test)]
    pub(crate) fn of(blocks: &[(u32, &str, &str)]) -> Self {
        let mut names = Names::default();
        for (idp, name, kind) in blocks {
            names.take(Fb {
                idp: Some(*idp),
                name: Some((*name).to_owned()),
                r#type: Some((*kind).to_owned()),
                ifname: (*kind == "eth").then(|| format!("dev-{name}")),
                ..Default::default()
            });
        }
        names
    }
}

/// The way and the number of a port, and the block at it.
fn peer(port: PortAttrs) -> Option<((Direction, u32), String)> {
    let Some(Value::Known(direction)) = port.direction else {
        return None;
    };
    Some(((direction, port.index?), port.peer_name?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_by_name_first_and_by_device() {
        let names = Names::of(&[(1, "eth0", "eth"), (2, "dev-eth0", "tee"), (3, "up", "eth")]);
        assert_eq!(names.find("eth0"), Some((1, "eth0")));
        assert_eq!(names.find("dev-eth0"), Some((2, "dev-eth0")));
        assert_eq!(names.find("dev-up"), Some((3, "up")));
        assert_eq!(names.find("nosuch"), None);
    }

    #[test]
    fn what_is_gone_keeps_its_name_until_the_idp_is_used_again() {
        let mut names = Names::of(&[(1, "old", "tee")]);
        names.present.clear();
        assert_eq!(names.find("old"), None);
        assert_eq!(names.name(1), "old");
        assert_eq!(names.name(7), "idp 7");
        names.take(Fb {
            idp: Some(1),
            name: Some("new".into()),
            ..Default::default()
        });
        assert_eq!(names.name(1), "new");
    }
}
