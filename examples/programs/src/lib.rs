// SPDX-License-Identifier: GPL-2.0

//! What the example programs over LANA's sockets are made of.

pub mod chat;
pub mod program;
pub mod sniff;
mod transport;
pub mod voice;

pub use transport::{LanaTransport, Transport};
