// SPDX-License-Identifier: GPL-2.0

//! Packets that go through a network in UDP.

use super::{
    engine::Context,
    entrance::Ppe,
    hold::HoldQueue,
    parts::prepare,
    verdict::{Decision, Verdict},
};
use crate::base::address::Address;
use crate::sys::{
    context::Process,
    reason::DropReason,
    send::{Sender, Transport},
    skb::Skb,
    udp::{Udp, UdpPath},
};
use kernel::prelude::*;

/// A UDP socket in the block's namespace, made by [`HoldQueue::udp`]. It is closed when it is dropped.
pub struct UdpSocket(Udp<Ppe>);

impl HoldQueue {
    /// Opens a UDP socket in the namespace of the block, which takes what comes to all addresses of the host. A packet waits
    /// in this queue for a moment: [`Block::release`](crate::graph::block::Block::release) gets it, as it was in the datagram,
    /// asks [`Skb::outer`] where it comes from, and makes a frame of it by [`Skb::open_frame`]. For
    /// [`Block::set`](crate::graph::block::Block::set), together with [`HoldQueue::stand`]. `EADDRINUSE` where somebody
    /// else has the port, `EOPNOTSUPP` in a kernel without UDP tunnels. Sleeps.
    pub fn udp(&self, port: u16, ipv6: bool, process: &Process) -> Result<UdpSocket> {
        Udp::new(self.inner(), port, ipv6, process).map(UdpSocket)
    }

    /// Opens a socket in the namespace of the block, by which it sends messages of its own to a host: from an address of
    /// this one, or from that of the route. It is to be dropped with the block. For
    /// [`Block::set`](crate::graph::block::Block::set). `EADDRNOTAVAIL` where this host does not have the address,
    /// `EAFNOSUPPORT` without IPv6, `EPROTONOSUPPORT` in a kernel without SCTP. Sleeps.
    pub fn sender(
        &self,
        by: Transport,
        from: Option<Address>,
        to: (Address, u16),
        process: &Process,
    ) -> Result<Sender> {
        Sender::new(self.inner(), by, from, to, process)
    }
}

impl UdpSocket {
    /// Sends a packet, or each of those that a super-packet stands for; says of each that was sent by `sent`. Dropped
    /// where there is no route.
    pub fn transmit<'r>(
        &self,
        skb: Skb,
        path: &UdpPath,
        cx: &mut Context<'r>,
        sent: impl Fn(),
    ) -> Verdict<Skb> {
        let one = |skb: Skb, cx: &Context<'r>| match prepare(skb) {
            Ok(skb) => {
                let done = self.0.send(skb, path, cx.reader(), cx.cpu());
                if done.is_ok() {
                    sent();
                }
                Verdict::sent(done, DropReason::Device)
            }
            Err((skb, reason)) => Verdict::drop(skb, reason),
        };
        if !skb.is_super() {
            return one(skb, cx);
        }
        let (first, others) = match skb.segment() {
            Ok(parts) => parts,
            Err(skb) => return Verdict::drop(skb, DropReason::Malformed),
        };
        let first = one(first, cx);
        for part in others {
            if let Decision::Drop(part, reason) = one(part, cx).decide() {
                cx.drop_here(part, reason);
            }
        }
        first
    }
}
