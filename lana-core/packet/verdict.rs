// SPDX-License-Identifier: GPL-2.0

//! Verdicts: what a block's handler has done with its packet.

use crate::{
    base::port::{Direction, Port},
    sys::{reason::DropReason, skb::Packet, verdict::Coded},
};

/// What a handler has done with its packet. Small enough for two registers.
#[must_use]
pub struct Verdict(Coded);

/// What becomes of a packet that a device received and that no block takes: on its way up it comes to
/// a port without a peer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Unclaimed {
    /// It is dropped, as everywhere else.
    Drop,
    /// The network stack of this host gets it, as if the device were not hooked.
    Stack,
}

/// What the engine makes of a [`Verdict`].
pub(crate) enum Decision {
    Pass(Packet),
    Forward(Packet, Port),
    Drop(Option<Packet>, DropReason),
    Consumed,
}

impl Verdict {
    /// On the way it came, by the first port: what is done most often is what costs least.
    const PASS: u32 = 0;
    /// These with the number of a port.
    const INGRESS: u32 = 1 << 16;
    const EGRESS: u32 = 1 << 17;
    /// With a reason.
    const ENDED: u32 = 1 << 18;
    const CONSUMED: u32 = 1 << 19;

    /// The packet leaves by a port.
    #[inline]
    pub fn forward(packet: Packet, port: Port) -> Self {
        let direction = match port.direction {
            Direction::Ingress => Self::INGRESS,
            Direction::Egress => Self::EGRESS,
        };
        Self(Coded::with(packet, direction | u32::from(port.index)))
    }

    /// The packet leaves by the first port on the way it came.
    #[inline]
    pub(crate) fn pass(packet: Packet) -> Self {
        Self(Coded::with(packet, Self::PASS))
    }

    /// The packet is dropped, and counted under the reason.
    #[inline]
    pub fn drop(packet: Packet, reason: DropReason) -> Self {
        Self(Coded::with(packet, Self::ENDED | reason as u32))
    }

    /// The packet was given to somebody who dropped it.
    #[inline]
    pub(crate) fn lost(reason: DropReason) -> Self {
        Self(Coded::without::<{ Self::ENDED }>(reason as u32))
    }

    /// The packet has arrived somewhere.
    #[inline]
    pub(crate) fn consumed() -> Self {
        Self(Coded::without::<{ Self::CONSUMED }>(0))
    }

    #[inline]
    pub(crate) fn decide(self) -> Decision {
        let (packet, code) = match self.0.open() {
            Ok(packet) => return Decision::Pass(packet),
            Err(other) => other,
        };
        match packet {
            Some(packet) if code < Self::ENDED => {
                let direction = if code < Self::EGRESS {
                    Direction::Ingress
                } else {
                    Direction::Egress
                };
                let index = code as u16;
                Decision::Forward(packet, Port { direction, index })
            }
            None if code == Self::CONSUMED => Decision::Consumed,
            packet => Decision::Drop(packet, DropReason::from_wire(code & !Self::ENDED)),
        }
    }
}
