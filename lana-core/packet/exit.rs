// SPDX-License-Identifier: GPL-2.0

//! The ways out of a graph beside a device: a socket, and the end of a packet.

use super::{engine::Context, verdict::Verdict};
use crate::sys::{reason::DropReason, skb::Skb, sock::SocketHandle};

impl Skb {
    /// Ends a packet that has arrived.
    pub fn consume(self) -> Verdict<Self> {
        self.arrived();
        Verdict::consumed()
    }
}

impl SocketHandle {
    /// Puts a packet into the socket's queue, or its ring. Dropped when the socket is closed.
    #[inline]
    pub fn deliver(&self, packet: Skb, cx: &Context<'_>) -> Verdict<Skb> {
        let sent = self.put(packet, cx.direction(), cx.reader(), cx.cpu());
        Verdict::sent(sent, DropReason::Unbound)
    }
}
