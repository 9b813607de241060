// SPDX-License-Identifier: GPL-2.0

//! Verdicts: what a block's handler has done with its packet.

use super::skb::Packet;
use crate::{
    engine::{Direction, Port},
    stats::DropReason,
};

/// What a handler has done with its packet. Small enough for two registers.
///
/// # Invariants
///
/// Where the code is [`Verdict::PASS`], the packet is there.
#[must_use]
pub struct Verdict {
    packet: Option<Packet>,
    code: u32,
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
        Self {
            packet: Some(packet),
            code: direction | u32::from(port.index),
        }
    }

    /// The packet leaves by the first port on the way it came.
    #[inline]
    pub(crate) fn pass(packet: Packet) -> Self {
        Self {
            packet: Some(packet),
            code: Self::PASS,
        }
    }

    /// The packet is dropped, and counted under the reason.
    #[inline]
    pub fn drop(packet: Packet, reason: DropReason) -> Self {
        Self {
            packet: Some(packet),
            code: Self::ENDED | reason as u32,
        }
    }

    /// The packet was given to somebody who dropped it.
    #[inline]
    pub(crate) fn lost(reason: DropReason) -> Self {
        Self {
            packet: None,
            code: Self::ENDED | reason as u32,
        }
    }

    /// The packet has arrived somewhere.
    #[inline]
    pub(crate) fn consumed() -> Self {
        Self {
            packet: None,
            code: Self::CONSUMED,
        }
    }

    #[inline]
    pub(crate) fn decide(self) -> Decision {
        if self.code == Self::PASS {
            // SAFETY: by the type's invariant.
            return Decision::Pass(unsafe { self.packet.unwrap_unchecked() });
        }
        match self.packet {
            Some(packet) if self.code < Self::ENDED => {
                let direction = if self.code < Self::EGRESS {
                    Direction::Ingress
                } else {
                    Direction::Egress
                };
                let index = self.code as u16;
                Decision::Forward(packet, Port { direction, index })
            }
            None if self.code == Self::CONSUMED => Decision::Consumed,
            packet => Decision::Drop(packet, DropReason::from_wire(self.code & !Self::ENDED)),
        }
    }
}
