// SPDX-License-Identifier: GPL-2.0

//! Which station is behind which port: all of `switch` that does not depend on the kernel.

pub(crate) mod header;
pub(crate) mod ports;
pub(crate) mod table;

#[cfg(test)]
mod tests;

/// What lists are made of, here and where the tests run.
pub(crate) use super::List;
