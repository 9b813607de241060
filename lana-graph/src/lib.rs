// SPDX-License-Identifier: GPL-2.0

//! Graphs of functional blocks as a whole.
//!
//! A file says what the graph is to be ([`document`], [`files`]), the kernel tells what it is
//! ([`running`]). Both are a [`model`], so [`diff`] finds the changes that make the one the other.

pub mod diff;
pub mod document;
pub mod expression;
pub mod files;
pub mod model;
pub mod order;
pub mod program;
pub mod running;

use lana_netlink::{Connection, Error};

/// What runs, as a file for [`files`].
pub fn text(lana: &mut Connection) -> Result<String, Error> {
    let mut names = model::Names::default();
    let running = running::read(lana, &mut names)?;
    let order = order::order(&running, &names).ok_or(Error::Unsettled)?;
    Ok(document::write(&running, &order, &names))
}
