// SPDX-License-Identifier: GPL-2.0

//! The counters of LANA's blocks, where LANA is loaded.

use lana_netlink::Connection;
use std::collections::BTreeMap;

/// The counters of a block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) idp: u32,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    /// By reason.
    pub(crate) drops: BTreeMap<String, u64>,
}

/// Where they come from.
pub(crate) struct Blocks(Option<Connection>);

impl Blocks {
    /// None yet: LANA may come later.
    pub(crate) fn new() -> Self {
        Blocks(None)
    }

    /// Reads them; none when LANA is not there.
    pub(crate) fn read(&mut self) -> Vec<Block> {
        if self.0.is_none() {
            self.0 = Connection::open().ok();
        }
        let fbs = self.0.as_mut().and_then(|lana| lana.fbs().ok());
        let Some(fbs) = fbs else {
            // It was unloaded: another one may come.
            self.0 = None;
            return Vec::new();
        };
        let block = |fb: lana_netlink::Fb| {
            let stats = fb.stats.unwrap_or_default();
            let drops = stats.drop.iter();
            let drops = drops.filter_map(|drop| Some((drop.reason?.to_string(), drop.packets?)));
            Block {
                idp: fb.idp.unwrap_or_default(),
                name: fb.name.unwrap_or_default(),
                kind: fb.r#type.unwrap_or_default(),
                packets: stats.packets.unwrap_or_default(),
                bytes: stats.bytes.unwrap_or_default(),
                drops: drops.filter(|(_, packets)| *packets > 0).collect(),
            }
        };
        fbs.items.into_iter().map(block).collect()
    }
}
