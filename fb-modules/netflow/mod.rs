// SPDX-License-Identifier: GPL-2.0

//! Flows, and messages that tell of them: all of `netflow` that does not depend on the kernel.

pub(crate) mod config;
pub(crate) mod exporter;
pub(crate) mod file;
pub(crate) mod index;
pub(crate) mod key;
pub(crate) mod memory;
pub(crate) mod message;
pub(crate) mod pipeline;
pub(crate) mod record;
pub(crate) mod sampling;
pub(crate) mod setting;
pub(crate) mod table;
pub(crate) mod template;

#[cfg(test)]
mod tests;

/// What lists are made of and how they grow, hashes, and addresses: here and where the tests run.
pub(crate) use super::{
    address, append, filled, headers, option, options, prefetch, push, room, texts, words, HashKey,
    List,
};
