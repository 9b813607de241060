// SPDX-License-Identifier: GPL-2.0

//! Which address and port a packet gets: all of `nat` that does not depend on the kernel.

pub(crate) mod rules;
pub(crate) mod seen;
pub(crate) mod session;
pub(crate) mod setting;
pub(crate) mod slab;
pub(crate) mod table;
pub(crate) mod translate;

#[cfg(test)]
mod tests;

/// What lists are made of and how they grow, hashes, and what `rewrite` has: here and where the tests run.
pub(crate) use super::{address, checksum, headers, plan, push, room, HashKey, List};
