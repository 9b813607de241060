// SPDX-License-Identifier: GPL-2.0

//! The ways out of a graph: a device, a next hop, a socket, and the end of a packet.

use core::net::IpAddr;

use super::{engine::Context, skb_or_frame::Packet, verdict::Verdict};
use crate::sys::{
    frame::Frame,
    neigh::{Link, NextHop},
    netdev::DeviceHandle,
    reason::DropReason,
    skb::Skb,
    sock::SocketHandle,
};

impl Frame {
    /// Sends it by a device: as a frame where the drivers can do that, else by an skb.
    #[inline]
    pub(super) fn leave(self, device: &DeviceHandle, cx: &mut Context<'_>) -> Verdict<Self> {
        match self.send(device, cx.reader(), cx.cpu()) {
            Ok(said) => Verdict::of(said),
            Err(frame) => Verdict::drop(frame, DropReason::Device),
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

impl NextHop {
    /// What an Ethernet header to it begins with: its address, and that of the device. `None` as long as the address is
    /// not known; then the kernel asks for it.
    #[inline]
    pub fn resolve(&self, cx: &Context<'_>) -> Option<[u8; 12]> {
        self.addresses(cx.reader(), cx.cpu())
    }

    /// Sends a packet to it, by its device. While its address is not known, an IPv4 or IPv6 packet without VLAN tags in
    /// its data waits in the kernel's table: up to `unres_qlen_bytes` for a neighbour (`ip ntable`), of which the oldest go
    /// first. What waits is sent when the address is known, and freed when nobody answers; that counts in the kernel, not
    /// here. Other packets are dropped, as unresolved.
    pub fn send<P: Packet>(&self, mut packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        match self.resolve(cx) {
            Some(addresses) if packet.replace(0, &addresses, &[]) => {
                packet.transmit(self.device(), cx)
            }
            Some(_) => Verdict::drop(packet, DropReason::NoMemory),
            None => packet.with_skb(cx, |skb, cx| {
                let sent = self.queue(skb, cx.reader(), cx.cpu());
                Verdict::sent(sent, DropReason::Device)
            }),
        }
    }
}

impl Link {
    /// What an Ethernet header to an address on the link begins with: that of the station, and that of the device. `None`
    /// as long as the former is not known; then the kernel asks for it.
    #[inline]
    pub fn resolve(&self, to: IpAddr, cx: &Context<'_>) -> Option<[u8; 12]> {
        self.addresses(to, cx.reader(), cx.cpu())
    }
}
