// SPDX-License-Identifier: GPL-2.0

//! The packet's way: in by an [`entrance`], through the [`engine`] from block to block, and out by an
//! [`exit`]. It knows no names and no types of blocks, and waits for nothing.

pub(crate) mod batch;
pub(crate) mod engine;
pub(crate) mod entrance;
pub(crate) mod exit;
pub(crate) mod hold;
pub(crate) mod parts;
pub(crate) mod probe;
pub(crate) mod skb_or_frame;
pub(crate) mod stats;
mod storm;
mod tracer;
pub(crate) mod udp;
pub(crate) mod verdict;
