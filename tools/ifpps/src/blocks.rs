// SPDX-License-Identifier: GPL-2.0

//! The counters of LANA's blocks, where LANA is loaded.

use lana_cli::Block;
use lana_netlink::Connection;

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
        let fbs = self.0.as_mut().and_then(|lana| lana.fbs_in_brief().ok());
        let Some(fbs) = fbs else {
            // It was unloaded: another one may come.
            self.0 = None;
            return Vec::new();
        };
        fbs.items.into_iter().map(Block::from).collect()
    }
}
