// SPDX-License-Identifier: GPL-2.0

//! Sends and receives packets by the sockets of LANA: each is a functional block, which stands in
//! the graph as any other does.
//!
//! A [`Socket`] sends and receives by calls, one packet each or, by [`Batch`], many; a [`Ring`]
//! receives by shared memory. The contract with the kernel is `include/uapi/linux/lana_socket.h`.
//!
//! ```no_run
//! use lana_socket::{Kind, Socket};
//! let socket = Socket::open(Kind::Raw)?;
//! socket.bind("tap0")?;
//! let mut packet = [0; 2048];
//! let got = socket.recv_from(&mut packet)?;
//! println!("{} bytes from {}", got.length, got.meta.source);
//! # Ok::<(), lana_socket::Error>(())
//! ```

pub mod abi;
mod address;
mod error;
mod meta;
mod receive;
mod ring;
mod socket;
pub mod sys;

pub use address::{BadMac, Mac};
pub use error::{Corrupt, Error};
pub use meta::{ethernet, Checksum, Direction, Meta, PacketKind, Vlan};
pub use receive::{receive, set_recv_buffer, set_timestamps, wait, Batch, Packet, Received};
pub use ring::{Record, Ring};
pub use socket::{Kind, Socket, Statistics};
