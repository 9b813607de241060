// SPDX-License-Identifier: GPL-2.0

//! Verdicts: what a block's handler has done with its packet.

use crate::{
    base::port::{Direction, Port},
    sys::{
        frame::Frame,
        reason::DropReason,
        skb::{Skb, Unsent},
        verdict::{Coded, Opened, AS_SKB, EGRESS, ENDED, INGRESS, LEFT, PASS},
        xdp::Action,
    },
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
    /// It leaves as an skb, by [`Frame::send_skb`].
    AsSkb(P),
    /// The walk goes on with an skb that was made of the frame, to which this was said.
    Made(Verdict<Skb>),
}

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
        Self(Coded::without::<ENDED>(reason as u16))
    }

    /// The packet has arrived somewhere: a driver has nothing to do with it but take its buffer back.
    #[inline]
    pub(crate) fn consumed() -> Self {
        Self(Coded::without::<LEFT>(Action::DROP.to_wire() as u16))
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
            Opened::Passes(packet) => return Decision::Pass(packet),
            Opened::Made(said) => return Decision::Made(Verdict(said)),
            Opened::Other(packet, code) => (packet, code),
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
            Some(packet) if code >= AS_SKB => Decision::AsSkb(packet),
            None if code >= LEFT => Decision::Left(Action::from_wire((code & !LEFT) as u32)),
            packet => Decision::Drop(packet, DropReason::from_wire((code & !ENDED) as u32)),
        }
    }
}

impl Verdict<Frame> {
    /// What becomes of a frame that is to leave.
    #[inline]
    pub(super) fn of(said: Coded<Frame>) -> Self {
        Self(said)
    }

    /// An skb was made of the frame, and this was said to it. Who answers so has no frame any more, nor another verdict.
    #[inline]
    pub(super) fn made(said: Verdict<Skb>) -> Self {
        Self(Coded::made(said.0))
    }
}
