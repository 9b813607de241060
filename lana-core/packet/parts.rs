// SPDX-License-Identifier: GPL-2.0

//! What is done to each packet of a super-packet: for blocks that make other bytes of a packet, of which a device cannot
//! make the parts any more.

use super::{engine::Context, skb_or_frame::Packet, verdict::Verdict};
use crate::sys::{reason::DropReason, skb::Skb};

impl Skb {
    /// Has `each` change the packet, or each of those that a [super-packet](Skb::is_super) stands for. What `each` gets is no
    /// super-packet, has no VLAN tag beside it, and no checksum that a device is to fill in. It goes on the way it came,
    /// by the first port, or is dropped for the reason that `each` gives. What cannot be taken apart is dropped as malformed.
    pub fn change_parts<'r>(
        self,
        cx: &mut Context<'r>,
        mut each: impl FnMut(&mut Self, &Context<'r>) -> Result<(), DropReason>,
    ) -> Verdict<Self> {
        let mut change = |skb: Self, cx: &Context<'r>| {
            let mut skb = prepare(skb)?;
            match each(&mut skb, cx) {
                Ok(()) => Ok(skb),
                Err(reason) => Err((skb, reason)),
            }
        };
        let (first, others) = if self.is_super() {
            match self.segment() {
                Ok((first, others)) => (first, Some(others)),
                Err(skb) => return Verdict::drop(skb, DropReason::Malformed),
            }
        } else {
            (self, None)
        };
        let first = change(first, cx);
        // They wait for the end of the walk of the first.
        for part in others.into_iter().flatten() {
            match change(part, cx) {
                Ok(part) => cx.emit(part, cx.first()),
                Err((part, reason)) => cx.drop_here(Some(part), reason),
            }
        }
        match first {
            Ok(first) => Verdict::pass(first),
            Err((first, reason)) => Verdict::drop(first, reason),
        }
    }
}

/// Puts what stands beside the bytes of a packet among them: its checksum and its VLAN tag. Gives the packet back where that
/// cannot be done.
pub(super) fn prepare(mut skb: Skb) -> Result<Skb, (Skb, DropReason)> {
    if skb.is_super() || !skb.complete_checksum() {
        return Err((skb, DropReason::Malformed));
    }
    match skb.tag_inside() {
        true => Ok(skb),
        false => Err((skb, DropReason::NoMemory)),
    }
}

/// Whether a frame has room for so many bytes more, and no VLAN tag that its driver has taken out: else it is to become
/// an skb before anything is done to it.
pub fn has_room<P: Packet>(packet: &mut P, more: u32) -> bool {
    let len = packet.len();
    let longer = len.checked_add(more);
    P::IS_FRAME
        && packet.vlan().is_none()
        && longer.is_some_and(|longer| packet.resize(longer))
        && packet.resize(len)
}
