// SPDX-License-Identifier: GPL-2.0

//! Datagrams become fragments: all of `fragment` that does not depend on the kernel.

pub(crate) mod cut;
pub(crate) mod refusal;

#[cfg(test)]
mod tests;

/// What lists are made of and how they grow, and headers: here and where the tests run.
pub(crate) use super::{append, checksum, headers, room, List};

/// Writes two bytes, if there are as many.
fn put(bytes: &mut [u8], at: usize, new: [u8; 2]) {
    if let Some(word) = bytes.get_mut(at..).and_then(|b| b.first_chunk_mut()) {
        *word = new;
    }
}
