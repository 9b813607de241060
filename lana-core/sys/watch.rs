// SPDX-License-Identifier: GPL-2.0

//! Drops, for who waits for one: see `watch.c`.

use super::{bindings, net::Net, reason::DropReason, slot::Idp};

/// Whether somebody waits. No static branch: headers of distributions lack the file that Rust has them from.
#[inline(always)]
pub(crate) fn is_on() -> bool {
    // SAFETY: the variable lives as long as the module's code; C writes it whole, 0 or 1.
    unsafe { core::ptr::addr_of!(bindings::lana_watch_drops).read_volatile() }
}

/// Tells of a drop at a block, where the packet came as the `hops`-th on its way. Any context.
pub(crate) fn dropped(reason: DropReason, at: Idp, hops: u32, net: &Net) {
    // SAFETY: the function looks at nothing.
    unsafe { bindings::lana_dropped(reason as u32, at, hops, net.as_ptr()) };
}
