// SPDX-License-Identifier: GPL-2.0

//! A macro of another floor is above this one, and so is the root.

use super::{port, super::graph::Graph};
use crate::base::error::Failure;
use crate::block_module;

fn walk() -> u8 {
    let quote = '"';
    unsafe { super::super::edge::entry(quote) }
}
