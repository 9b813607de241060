// SPDX-License-Identifier: GPL-2.0

//! For who watches a graph from outside, by tracepoints and kprobes: see `watch.c`.

use super::{bindings, net::Net, reason::DropReason, slot::Idp};

/// Whether somebody watches drops. No static branch: headers of distributions lack the file that Rust has them from.
#[inline(always)]
pub(crate) fn is_on() -> bool {
    // SAFETY: the variable lives as long as the module's code; C writes it whole.
    unsafe { core::ptr::addr_of!(bindings::lana_watch_drops).read_volatile() != 0 }
}

/// Whether somebody watches hops.
pub(crate) fn hops() -> bool {
    // SAFETY: the variable lives as long as the module's code; C writes it whole.
    unsafe { core::ptr::addr_of!(bindings::lana_watch_hops).read_volatile() != 0 }
}

/// A packet, for who watches: where its skb is.
#[derive(Clone, Copy)]
pub(crate) struct Watched(pub(super) *const bindings::sk_buff);

impl Watched {
    /// One without an skb.
    pub(crate) const NONE: Self = Self(core::ptr::null());
}

/// Tells of a drop at a block, where the packet came as the `hops`-th on its way. Any context.
pub(crate) fn dropped(reason: DropReason, at: Idp, hops: u32, net: &Net, packet: Watched) {
    // SAFETY: the namespace is live. Tracers may look at the skb, which is null or live.
    unsafe { bindings::lana_dropped(reason as u32, at, hops, net.as_ptr(), packet.0) };
}

/// Tells of a packet that has been at a block. Any context.
pub(crate) fn hopped(net: &Net, packet: Watched, at: Idp, end: u32, detail: u32) {
    // SAFETY: the namespace is live. Tracers may look at the skb, which is null or live.
    unsafe { bindings::lana_hopped(net.as_ptr(), packet.0, at, end, detail) };
}

/// Tells of an event. Any context.
pub(crate) fn changed(net: &Net, kind: u32, block: &str, idp: Idp, peer: Idp) {
    let (name, len) = (block.as_ptr().cast(), block.len());
    // SAFETY: the namespace is live, and the name as long as said.
    unsafe { bindings::lana_changed(net.as_ptr(), kind, name, len, idp, peer) };
}
