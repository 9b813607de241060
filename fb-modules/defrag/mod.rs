// SPDX-License-Identifier: GPL-2.0

//! Fragments become datagrams: all of `defrag` that does not depend on the kernel.

pub(crate) mod datagram;
pub(crate) mod header;
pub(crate) mod table;

#[cfg(test)]
mod tests;

/// What lists are made of and how they grow, hashes, and headers: here and where the tests run.
pub(crate) use super::{append, checksum, headers, push, room, HashKey, List};
