// SPDX-License-Identifier: GPL-2.0

//! The core of LANA, `lana.ko`: it manages functional blocks and carries packets between them,
//! and knows no protocol.
//!
//! Its floors, each of which imports only what is on it or below:
//!
//! 1. [`base`]: what is pure;
//! 2. [`sys`]: the kernel, and all `unsafe` code;
//! 3. [`packet`]: the packet's way. [`sys::hook`] (receive handler) → [`packet::entrance`] →
//!    [`packet::engine`] → a [`graph::block`] → the engine → … → [`packet::exit`];
//! 4. [`graph`]: the graph, and how it changes. The two ways meet in the wiring only: [`sys::slot`];
//! 5. [`edge`]: netlink, procfs, and what makes blocks for sockets and virtual devices.
//!
//! What blocks can reach is [`prelude`], and what [`block_module!`] expands to. All else is the crate's own.

#![deny(unreachable_pub)]

mod base;
mod edge;
mod graph;
mod packet;
mod sys;

use kernel::prelude::*;

/// What the author of a block needs: `use lana::prelude::*`. `Documentation/writing-blocks.md` is the guide to it.
///
/// Start with [`Block`], which a block implements, [`Packet`] and [`Verdict`], and [`options!`].
///
/// [`Block`]: prelude::Block
/// [`Packet`]: prelude::Packet
/// [`Verdict`]: prelude::Verdict
/// [`options!`]: prelude::options
pub mod prelude {
    pub use crate::{
        base::{
            error::Failure,
            option::{Initial, OptionSpec, Values},
            port::{Direction, Port},
        },
        block_module, fail,
        graph::{
            block::{Args, Block, Elements, File, Maker, Mode, Options, Peer, Progress},
            notifier::{About, Event, Kind},
        },
        packet::{
            batch::Batch,
            engine::Context,
            hold::{HoldQueue, Place},
            parts::has_room,
            skb_or_frame::Packet,
            udp::UdpSocket,
            verdict::{Unclaimed, Verdict},
        },
        sys::{
            bpf,
            compat::{
                EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, ELOOP, ENOTCONN, ENOTSOCK, EOPNOTSUPP,
            },
            context::{memory, Process},
            cpu_cell::CpuCell,
            crypto,
            frame::Frame,
            hash::HashKey,
            list,
            lock::Locked,
            neigh::{Link, Neighbour, NextHop, Reachability},
            netdev::DeviceHandle,
            percpu::{Count, PerCpu},
            prefetch::prefetch,
            reason::DropReason,
            send,
            skb::{Skb, Sum, Summed},
            sock::SocketHandle,
            time,
            udp::{Outer, UdpPath},
            work::{Chore, Worker},
            zstd::Zstd,
        },
    };
    /// Addresses, prefixes, and tables of them.
    pub mod address {
        pub use crate::base::{address::*, prefixes::*};
    }
    /// The Internet checksum.
    pub mod checksum {
        pub use crate::base::checksum::*;
    }
    /// The headers of packets.
    pub mod headers {
        pub use crate::base::headers::*;
    }
    /// The types of options.
    pub mod option {
        pub use crate::base::option::*;
    }
    pub use crate::{options, texts, words};
    /// Quantities as people write them.
    pub mod units {
        pub use crate::base::units::*;
    }
    #[doc(no_inline)]
    pub use core::fmt;
    #[doc(no_inline)]
    pub use kernel::{prelude::*, sync::Arc};
    #[doc(no_inline)]
    pub use pin_init::Zeroable;
}

/// What [`block_module!`] expands to. Whoever else calls it gets an error.
#[doc(hidden)]
pub mod glue {
    pub use crate::graph::types::register;
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
    _types: graph::types::Types,
}

impl kernel::Module for Core {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        pr_info!("bootstrapping core\n");
        let types = graph::types::Types::new()?;
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
