// SPDX-License-Identifier: GPL-2.0

//! The core of LANA, `lana.ko`: it manages functional blocks and carries packets between them,
//! and knows no protocol.
//!
//! A packet's way: [`sys::netdev`] (receive handler) → [`engine`] → a [`block`] → [`engine`] → …
//! A command's way: `control` (netlink) → `change`, by [`builder`] and `registry` → the wiring
//! ([`sys::slot`]) → [`notifier`]. The two ways meet in the wiring only.

pub mod block;
pub mod builder;
mod change;
pub mod checksum;
mod control;
pub mod engine;
pub mod error;
mod graph;
mod name;
pub mod notifier;
mod procfs;
mod registry;
pub mod stats;
pub mod sys;

use kernel::prelude::*;

/// What the author of a block needs.
pub mod prelude {
    pub use crate::{
        block::{
            Args, Block, File, Maker, Mode, OptionSpec, Options, Peer, Process, Progress, Unclaimed,
            Values, Verdict,
        },
        block_module, checksum,
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
            netdev::Device,
            percpu::{Count, PerCpu},
            skb::{Packet, Sum, Summed},
            sock::Socket,
            time,
        },
    };
    pub use core::fmt;
    pub use kernel::{prelude::*, sync::Arc};
    pub use pin_init::Zeroable;
}

module! {
    type: Core,
    name: "lana",
    authors: ["The LANA developers"],
    description: "LANA: a graph of functional blocks for packets",
    license: "GPL",
}

struct Core {
    // Ends in this order: no more requests, then the graphs.
    _family: sys::genl::Family,
    _graphs: sys::net::Registration,
}

impl kernel::Module for Core {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        pr_info!("bootstrapping core\n");
        builder::init();
        let graphs = sys::net::Registration::new()?;
        let family = sys::genl::Family::register()?;
        pr_info!("core up and running\n");
        Ok(Self {
            _family: family,
            _graphs: graphs,
        })
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        pr_info!("core going down\n");
        builder::exit();
    }
}
