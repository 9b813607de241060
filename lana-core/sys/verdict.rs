// SPDX-License-Identifier: GPL-2.0

//! A packet with a number: what a verdict is made of.

use super::{bindings, frame::Frame, skb::Skb};
use core::mem::{transmute, transmute_copy, ManuallyDrop};

/// On the way it came, by the first port: what is done most often is what costs least.
pub(crate) const PASS: i32 = 0;
/// All others: a negative number.
const OTHER: i32 = i32::MIN;
/// These with the number of a port.
pub(crate) const INGRESS: i32 = OTHER | 1 << 16;
pub(crate) const EGRESS: i32 = OTHER | 1 << 17;
/// With a reason.
pub(crate) const ENDED: i32 = bindings::LANA_VERDICT_ENDED;
/// With what a driver is to do.
pub(crate) const LEFT: i32 = bindings::LANA_VERDICT_LEFT;
/// A frame that is to leave by a device which takes an skb.
pub(crate) const AS_SKB: i32 = bindings::LANA_VERDICT_AS_SKB;
/// With what was said to an skb that was made of the frame.
const MADE: i32 = OTHER | MADE_BIT;
const MADE_BIT: i32 = 1 << 21;

/// A packet, or none, with a number that says what is to become of it. Small enough for two registers.
///
/// # Invariants
///
/// Where the number is not negative, the packet is there. From `MADE` on, which only a `Coded<Frame>` is, there is no
/// frame: in its place is an skb, or none.
#[must_use]
pub(crate) struct Coded<P> {
    packet: Option<P>,
    code: i32,
}

/// What is in it.
pub(crate) enum Opened<P> {
    /// A number that is not negative.
    Passes(P),
    /// What was said to an skb that was made of the frame.
    Made(Coded<Skb>),
    /// A negative number.
    Other(Option<P>, i32),
}

impl<P> Coded<P> {
    /// A packet with a number, of which the bits from that of `MADE` up to the sign are taken away.
    #[inline]
    pub(crate) fn with(packet: P, code: i32) -> Self {
        // INVARIANT: it is there, and without these bits a negative number is below `MADE`.
        Self {
            packet: Some(packet),
            code: code & (OTHER | (MADE_BIT - 1)),
        }
    }

    /// No packet, and a negative number, with these bits beside it.
    #[inline]
    pub(crate) fn without<const CODE: i32>(more: u16) -> Self {
        const { assert!(CODE > OTHER && CODE < MADE) };
        // INVARIANT: the number is negative and below `MADE`, whatever is in its lower 16 bits. It is not `OTHER`, so it stays
        // negative when it comes back from a `Coded` that was made of it.
        Self {
            packet: None,
            code: CODE | i32::from(more),
        }
    }

    /// What there is. That a number is negative is what compilers take for the rarer case.
    #[inline(always)]
    pub(crate) fn open(self) -> Opened<P> {
        if self.code >= 0 {
            // SAFETY: by the type's invariant.
            return Opened::Passes(unsafe { self.packet.unwrap_unchecked() });
        }
        if self.code < MADE {
            return Opened::Other(self.packet, self.code);
        }
        const { assert!(size_of::<Option<P>>() == size_of::<Option<Skb>>()) };
        let made = ManuallyDrop::new(self.packet);
        // SAFETY: by the type's invariant this is an `Option<Skb>`, in the place of an `Option<Frame>`; it is not used there
        // any more.
        let packet = unsafe { transmute_copy::<Option<P>, Option<Skb>>(&made) };
        let code = match self.code & !MADE_BIT {
            OTHER => PASS,
            code => code,
        };
        // INVARIANT: as it was when it came into its place.
        Opened::Made(Coded { packet, code })
    }
}

impl Coded<Frame> {
    /// What was said to an skb that was made of a frame.
    #[inline]
    pub(crate) fn made(said: Coded<Skb>) -> Self {
        // SAFETY: both are a pointer that is not null, or null. Of a `Frame` nothing is looked at, nor dropped.
        let packet = unsafe { transmute::<Option<Skb>, Option<Frame>>(said.packet) };
        // INVARIANT: the number is `MADE` or more.
        Self {
            packet,
            code: MADE | said.code,
        }
    }

    /// What C says of a frame.
    ///
    /// # Safety
    ///
    /// `said` is one of `enum lana_verdict`, with 16 bits beside it.
    #[inline]
    pub(super) unsafe fn said(frame: Option<Frame>, said: i32) -> Self {
        // INVARIANT: such a number is negative and below `MADE`.
        Self {
            packet: frame,
            code: said,
        }
    }
}
