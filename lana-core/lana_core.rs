// SPDX-License-Identifier: GPL-2.0

//! The core of LANA, `lana.ko`: it manages functional blocks and carries packets between them,
//! and knows no protocol.
//!
//! A packet's way: [`sys::netdev`] (receive handler) → [`engine`] → a [`block`] → [`engine`] → …
//! A command's way: `control` (netlink) → `change`, by [`builder`] and `registry` → the wiring
//! ([`sys::slot`]) → [`notifier`]. The two ways meet in the wiring only.

//!
//! What blocks can reach is [`prelude`], and what [`block_module!`] expands to. All else is the crate's own.

#![deny(unreachable_pub)]

mod block;
mod builder;
mod change;
mod checksum;
mod control;
mod engine;
mod error;
mod graph;
mod name;
mod notifier;
mod procfs;
mod registry;
mod stats;
mod storm;
mod sys;

use kernel::prelude::*;

/// What the author of a block needs.
pub mod prelude {
    pub use crate::{
        block::{
            Args, Block, File, Maker, Mode, OptionSpec, Options, Peer, Process, Progress,
            Unclaimed, Values, Verdict,
        },
        block_module,
        engine::{Context, Direction, Port},
        error::Failure,
        fail,
        notifier::{About, Event, Kind},
        stats::DropReason,
        sys::{
            batch::Batch,
            bpf,
            compat::{EAFNOSUPPORT, ELOOP, ENOTCONN, ENOTSOCK, EOPNOTSUPP},
            hash::HashKey,
            netdev::DeviceHandle,
            percpu::{Count, PerCpu},
            skb::{Packet, Sum, Summed},
            sock::SocketHandle,
            time,
        },
    };
    /// The Internet checksum.
    pub mod checksum {
        pub use crate::checksum::*;
    }
    pub use core::fmt;
    pub use kernel::{prelude::*, sync::Arc};
    pub use pin_init::Zeroable;
}

/// What [`block_module!`] expands to. Whoever else calls it gets an error.
#[doc(hidden)]
pub mod glue {
    pub use crate::builder::register;
}

module! {
    type: Core,
    name: "lana",
    authors: ["The LANA developers"],
    description: "LANA: a graph of functional blocks for packets",
    license: "GPL",
}

struct Core {
    // Ends in this order: no more requests, then the graphs, then the types.
    _family: sys::genl::Family,
    _graphs: sys::net::Registration,
    _types: builder::Types,
}

impl kernel::Module for Core {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        pr_info!("bootstrapping core\n");
        let types = builder::Types::new()?;
        let graphs = sys::net::Registration::new()?;
        let family = sys::genl::Family::register()?;
        pr_info!("core up and running\n");
        Ok(Self {
            _family: family,
            _graphs: graphs,
            _types: types,
        })
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        pr_info!("core going down\n");
    }
}
