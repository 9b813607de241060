// SPDX-License-Identifier: GPL-2.0

//! The file that describes a graph: TOML, with the keys of [`key`]. `Documentation/graph.schema.json`
//! has its schema.
//!
//! A file may have a million blocks, so no tree is made of it: the parser below the crate `toml`
//! tells what comes, and [`read`] makes blocks of it on the way.

mod place;
mod read;
mod write;

#[cfg(test)]
mod tests;

pub use read::{part, read};
pub use write::write;

use crate::model::Place;
use lana_cli::usage;

/// The first line of a saved file. A file that begins so, and lacks the last line, is cut off.
pub(crate) const SAVED: &str =
    "# The whole graph, as `fbctl save` wrote it, up to \"# end\"; `fbctl apply` makes it so.";

/// The last line of a saved file.
pub(crate) const END: &str = "# end";

/// Whether a part of a saved file is missing at its end.
pub(crate) fn is_cut_off(file: &str) -> bool {
    let mut lines = file.lines();
    lines.next() == Some(SAVED) && !lines.any(|line| line == END)
}

/// The keys of the tables.
pub(crate) mod key {
    pub(crate) const BINDINGS: &str = "bindings";
    pub(crate) const SUBSCRIPTIONS: &str = "subscriptions";
    pub(crate) const BLOCKS: &str = "blocks";
    pub(crate) const DEVICES: &str = "devices";
    pub(crate) const TYPE: &str = "type";
    pub(crate) const SUBSYSTEM: &str = "subsystem";
    pub(crate) const IFNAME: &str = "ifname";
    pub(crate) const CARRIER: &str = "carrier";
    pub(crate) const ID: &str = "id";
    pub(crate) const XDP: &str = "xdp";
    pub(crate) const OPTIONS: &str = "options";
}

/// What is wrong with a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub text: String,
}

impl Mistake {
    /// Something is wrong at a place of `file`.
    pub fn new(file: &str, place: Place, text: impl Into<String>) -> Self {
        Mistake {
            line: line(file, place),
            text: text.into(),
        }
    }

    /// The error of a file, which may have no name.
    pub fn of(&self, name: &str) -> anyhow::Error {
        match name {
            "" => usage(self.text.clone()),
            name => usage(format!("{name}:{}: {}", self.line, self.text)),
        }
    }
}

/// The line of a place.
pub fn line(file: &str, place: Place) -> usize {
    let before = file.bytes().take(place as usize);
    1 + before.filter(|&byte| byte == b'\n').count()
}
