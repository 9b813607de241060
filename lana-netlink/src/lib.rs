// SPDX-License-Identifier: GPL-2.0

//! Speaks LANA's generic netlink family.
//!
//! A [`Connection`] makes requests, an [`EventStream`] listens to the events, a [`Probe`] follows
//! packets. Everything about the
//! wire (numbers, names, types) is generated from `Documentation/netlink/specs/lana.yaml`: see
//! [`spec`].
//!
//! ```no_run
//! use lana_netlink::{Connection, Op};
//! let mut lana = Connection::open()?;
//! let (name, kind) = ("fb2", "tee");
//! lana.change(&Op::FbNew { name, kind })?;
//! let (upper, lower) = ("fb2", "eth0");
//! lana.change(&Op::Bind { upper, lower })?;
//! for fb in lana.fbs()?.items {
//!     println!("{} has IDP {}", fb.name.unwrap_or_default(), fb.idp.unwrap_or_default());
//! }
//! # Ok::<(), lana_netlink::Error>(())
//! ```

mod api;
mod connection;
mod error;
mod events;
mod extack;
mod family;
mod links;
mod message;
mod op;
mod probe;
mod refusal;
mod socket;
pub mod spec;
#[cfg(test)]
mod testing;
pub mod wire;

pub use api::{Dump, Fb, PpeCpu, Type, Vlink};
pub use connection::{Connection, Done};
pub use error::{errno_text, Error};
pub use events::{EventStream, Notice};
pub use links::{devices, links, Link, LinkState, LinkStream};
pub use op::{Device, Op, Transaction};
pub use probe::Probe;
pub use refusal::Refusal;
pub use socket::Transport;
