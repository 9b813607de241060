// SPDX-License-Identifier: GPL-2.0

//! Verdicts: what a block's handler has done with its packet.

use crate::{
    base::port::{Direction, Port},
    sys::{reason::DropReason, skb::Unsent, verdict::Coded, xdp::Action},
    words,
};

/// What a handler has done with its packet. Small enough for two registers.
#[must_use]
pub struct Verdict<P>(Coded<P>);

words! {
    /// What becomes of a packet that a device received and that no block takes: on its way up it comes to
    /// a port without a peer.
    pub enum Unclaimed {
        /// It is dropped, as everywhere else.
        Drop = "drop",
        /// The network stack of this host gets it, as if the device were not hooked.
        Stack = "stack",
    }
}

/// What the engine makes of a [`Verdict`].
pub(crate) enum Decision<P> {
    Pass(P),
    Forward(P, Port),
    Drop(Option<P>, DropReason),
    /// It has left; what the driver is to do with its frame.
    Left(Action),
    /// The walk goes on with an skb that was made of the frame.
    Made,
}

/// On the way it came, by the first port: what is done most often is what costs least.
const PASS: i32 = 0;
/// All others: a negative number.
const OTHER: i32 = i32::MIN;
/// These with the number of a port.
const INGRESS: i32 = OTHER | 1 << 16;
const EGRESS: i32 = OTHER | 1 << 17;
/// With a reason.
const ENDED: i32 = OTHER | 1 << 18;
/// With what a driver is to do.
const LEFT: i32 = OTHER | 1 << 19;
/// Without.
const MADE: i32 = OTHER | 1 << 20;

impl<P> Verdict<P> {
    /// The packet leaves by a port.
    #[inline]
    pub fn forward(packet: P, port: Port) -> Self {
        let direction = match port.direction {
            Direction::Ingress => INGRESS,
            Direction::Egress => EGRESS,
        };
        Self(Coded::with(packet, direction | i32::from(port.index)))
    }

    /// The packet leaves by the first port on the way it came.
    #[inline]
    pub(crate) fn pass(packet: P) -> Self {
        Self(Coded::with(packet, PASS))
    }

    /// The packet is dropped, and counted under the reason.
    #[inline]
    pub fn drop(packet: P, reason: DropReason) -> Self {
        Self(Coded::with(packet, ENDED | reason as i32))
    }

    /// The packet was given to somebody who dropped it.
    #[inline]
    pub(crate) fn lost(reason: DropReason) -> Self {
        Self(Coded::without::<ENDED>(reason as u32))
    }

    /// The packet has arrived somewhere.
    #[inline]
    pub(crate) fn consumed() -> Self {
        Self::left(Action::DROP)
    }

    /// The packet has left, by what the driver that has received it is to do now.
    #[inline]
    pub(crate) fn left(action: Action) -> Self {
        Self(Coded::without::<LEFT>(action.to_wire()))
    }

    /// An skb was made of the frame.
    #[inline]
    pub(super) fn made() -> Self {
        Self(Coded::without::<MADE>(0))
    }

    /// The packet was sent, or was not; a reason for where that has gone which it was to be given to.
    #[inline]
    pub(crate) fn sent(sent: Result<(), Unsent<P>>, gone: DropReason) -> Self {
        match sent {
            Ok(()) => Self::consumed(),
            Err(unsent) => Self::unsent(unsent, gone),
        }
    }

    /// The same where it was not.
    #[inline]
    pub(crate) fn unsent(unsent: Unsent<P>, gone: DropReason) -> Self {
        match unsent {
            Unsent::Gone(packet) => Self::drop(packet, gone),
            Unsent::NoMemory(packet) => Self::drop(packet, DropReason::NoMemory),
            Unsent::Dropped(reason) => Self::lost(reason),
        }
    }

    #[inline]
    pub(crate) fn decide(self) -> Decision<P> {
        let (packet, code) = match self.0.open() {
            Ok(packet) => return Decision::Pass(packet),
            Err(other) => other,
        };
        match packet {
            Some(packet) if code < ENDED => {
                let direction = if code < EGRESS {
                    Direction::Ingress
                } else {
                    Direction::Egress
                };
                let index = code as u16;
                Decision::Forward(packet, Port { direction, index })
            }
            None if code >= MADE => Decision::Made,
            None if code >= LEFT => Decision::Left(Action::from_wire((code & !LEFT) as u32)),
            packet => Decision::Drop(packet, DropReason::from_wire((code & !ENDED) as u32)),
        }
    }
}
