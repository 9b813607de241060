// SPDX-License-Identifier: GPL-2.0

//! The ways out of a graph: a device, a socket, and the end of a packet.

use super::{engine::Context, verdict::Verdict};
use crate::sys::{
    netdev::DeviceHandle,
    reason::DropReason,
    skb::{Packet, Unsent},
    sock::SocketHandle,
};

impl Packet {
    /// Ends a packet that has arrived.
    pub fn consume(self) -> Verdict {
        self.arrived();
        Verdict::consumed()
    }

    /// Sends the packet by a device; dropped when that has gone. The context is the proof of where this is
    /// called.
    #[inline]
    pub fn transmit(self, device: &DeviceHandle, cx: &Context<'_>) -> Verdict {
        match self.send(device, cx.reader(), cx.cpu()) {
            Ok(()) => Verdict::consumed(),
            Err(Unsent::Gone(packet)) => Verdict::drop(packet, DropReason::Device),
            Err(Unsent::NoMemory(packet)) => Verdict::drop(packet, DropReason::NoMemory),
            Err(Unsent::Dropped(reason)) => Verdict::lost(reason),
        }
    }
}

impl SocketHandle {
    /// Puts a packet into the socket's queue, or its ring. Dropped when the socket is closed.
    #[inline]
    pub fn deliver(&self, packet: Packet, cx: &Context<'_>) -> Verdict {
        match self.put(packet, cx.direction(), cx.reader(), cx.cpu()) {
            Ok(()) => Verdict::consumed(),
            Err(Unsent::Gone(packet)) => Verdict::drop(packet, DropReason::Unbound),
            Err(Unsent::NoMemory(packet)) => Verdict::drop(packet, DropReason::NoMemory),
            Err(Unsent::Dropped(reason)) => Verdict::lost(reason),
        }
    }
}
