// SPDX-License-Identifier: GPL-2.0

//! The way ahead of a packet that waits.

use super::Hop;
use crate::base::port::Direction;
use core::ptr;

/// Where a packet goes that waits for the end of a walk.
#[derive(Clone, Copy)]
pub(crate) struct Destination<'r> {
    /// The block it goes to.
    pub(super) to: &'r Hop,
    /// The block it leaves.
    pub(super) from: &'r Hop,
    /// The way it goes.
    pub(super) direction: Direction,
    /// The blocks it may still pass.
    pub(super) left: u32,
}

impl PartialEq for Destination<'_> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        let way = self.direction == other.direction && self.left == other.left;
        ptr::eq(self.to, other.to) && ptr::eq(self.from, other.from) && way
    }
}
