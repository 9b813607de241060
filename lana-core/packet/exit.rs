// SPDX-License-Identifier: GPL-2.0

//! The ways out of a graph: a device, a socket, and the end of a packet.

use super::{engine::Context, skb_or_frame::Packet, verdict::Verdict};
use crate::sys::{
    frame::Frame, netdev::DeviceHandle, reason::DropReason, skb::Skb, sock::SocketHandle,
};

impl Frame {
    /// Sends it by a device: as a frame where the drivers can do that, else by an skb.
    #[inline]
    pub(super) fn leave(self, device: &DeviceHandle, cx: &mut Context<'_>) -> Verdict<Self> {
        match self.send(device, cx.reader(), cx.cpu()) {
            Ok(Ok(action)) => Verdict::left(action),
            Ok(Err(frame)) => frame.with_skb(cx, |skb, cx| skb.leave(device, cx)),
            Err(unsent) => Verdict::unsent(unsent, DropReason::Device),
        }
    }
}

impl Skb {
    /// Sends it by a device.
    #[inline]
    pub(super) fn leave(self, device: &DeviceHandle, cx: &mut Context<'_>) -> Verdict<Self> {
        let sent = self.send(device, cx.reader(), cx.cpu());
        Verdict::sent(sent, DropReason::Device)
    }

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
