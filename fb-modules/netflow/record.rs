// SPDX-License-Identifier: GPL-2.0

//! What is kept of a flow, in parts: that which each packet touches is one cache line.

use super::key::{Masks, Seen, ACK, FIN, IS_EGRESS, IS_V6, RST, SYN};

/// Why a flow has ended: the numbers of flowEndReason (RFC 5102).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum End {
    Idle = 1,
    Active = 2,
    Closed = 3,
    Forced = 4,
    Full = 5,
}

impl End {
    /// How many numbers there are.
    pub(crate) const NUMBERS: usize = 6;
}

/// Bits of [`Hot::state`]: the lowest ones are the reason for the end.
const REASON: u8 = 7;
const IS_ACTIVE: u8 = 8;
/// A FIN or RST was seen; of a flow of both directions one in each, or RST.
const IS_CLOSING: u8 = 16;
/// The first packet had source and destination in the other order.
const IS_SWAPPED: u8 = 32;
/// Of a flow of both directions: a FIN was seen in the one and in the other.
const FIN_FORWARD: u8 = 64;
const FIN_REVERSE: u8 = 128;

/// How long it is from one time in milliseconds to another, which may be a little before it.
#[inline(always)]
pub(crate) fn since(now: u32, then: u32) -> u32 {
    let passed = now.wrapping_sub(then);
    match passed >> 31 {
        0 => passed,
        _ => 0,
    }
}

/// What each packet touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub(crate) struct Hot {
    pub(crate) addresses: u64,
    pub(crate) what: u64,
    pub(crate) place: u64,
    pub(crate) labels: u64,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    /// The times of the first and the last packet, in milliseconds.
    pub(crate) first: u32,
    pub(crate) last: u32,
    /// Of an active flow a part of the hash, of others the number of the next one.
    pub(crate) link: u32,
    pub(crate) flags: u8,
    pub(crate) state: u8,
}

const _: () = assert!(size_of::<Hot>() == 64);

/// What is read of IPv6 only: source and destination.
pub(crate) type Wide = [u64; 4];

/// What is written once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Rest {
    /// The device it goes to.
    pub(crate) output: u32,
    /// Destination and source address of Ethernet.
    pub(crate) macs: [[u8; 6]; 2],
}

/// What a flow of both directions has of the other one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Reverse {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) first: u32,
    pub(crate) last: u32,
    /// The time of the last packet of the first direction.
    pub(crate) forward: u32,
    /// The device of the other direction, if its number is that small.
    pub(crate) input: u16,
    pub(crate) flags: u8,
    pub(crate) tos: u8,
}

const _: () = assert!(size_of::<Rest>() == 16 && size_of::<Reverse>() == 32);

/// When flows end, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) active: u32,
    pub(crate) idle: u32,
    pub(crate) closing: u32,
}

impl Hot {
    pub(crate) const EMPTY: Self = Self {
        addresses: 0,
        what: 0,
        place: 0,
        labels: 0,
        packets: 0,
        bytes: 0,
        first: 0,
        last: 0,
        link: 0,
        flags: 0,
        state: 0,
    };

    /// A flow that begins with a packet.
    #[inline]
    pub(crate) fn new(seen: &Seen, hash: u32, now: u32) -> Self {
        let mut hot = Self {
            addresses: seen.addresses,
            what: seen.what,
            place: seen.place,
            labels: seen.labels,
            packets: 0,
            bytes: 0,
            first: now,
            last: now,
            link: hash,
            flags: 0,
            state: if seen.swapped {
                IS_ACTIVE | IS_SWAPPED
            } else {
                IS_ACTIVE
            },
        };
        hot.add(seen, now);
        hot
    }

    #[inline(always)]
    pub(crate) fn is_active(&self) -> bool {
        self.state & IS_ACTIVE != 0
    }

    #[inline(always)]
    pub(crate) fn is_closing(&self) -> bool {
        self.state & IS_CLOSING != 0
    }

    /// Whether a packet belongs to it, as far as this says.
    #[inline(always)]
    pub(crate) fn is_of(&self, seen: &Seen, masks: &Masks) -> bool {
        let what = (self.what ^ seen.what) & masks.what;
        let place = (self.place ^ seen.place) & masks.place;
        let labels = (self.labels ^ seen.labels) & masks.labels;
        (self.addresses ^ seen.addresses) | what | place | labels == 0
    }

    /// Counts a packet of its direction, or of the only one.
    #[inline(always)]
    pub(crate) fn add(&mut self, seen: &Seen, now: u32) {
        self.packets = self.packets.wrapping_add(u64::from(seen.packets));
        self.bytes = self.bytes.wrapping_add(u64::from(seen.bytes));
        self.last = now;
        self.flags |= seen.flags;
        if seen.flags & (FIN | RST) != 0 {
            self.state |= IS_CLOSING;
        }
    }

    /// Counts a packet of a flow of both directions.
    pub(crate) fn add_either(&mut self, reverse: &mut Reverse, seen: &Seen, now: u32) {
        let is_forward = (self.state & IS_SWAPPED != 0) == seen.swapped;
        if is_forward {
            let closing = self.state & IS_CLOSING;
            self.add(seen, now);
            self.state = self.state & !IS_CLOSING | closing;
            reverse.forward = now;
        } else {
            if reverse.packets == 0 {
                reverse.first = now;
                reverse.input = u16::try_from(seen.place >> 32).unwrap_or(0);
                reverse.tos = (seen.what >> 16) as u8;
            }
            reverse.packets = reverse.packets.wrapping_add(u64::from(seen.packets));
            reverse.bytes = reverse.bytes.wrapping_add(u64::from(seen.bytes));
            (reverse.last, self.last) = (now, now);
            reverse.flags |= seen.flags;
        }
        if seen.flags & FIN != 0 {
            self.state |= if is_forward { FIN_FORWARD } else { FIN_REVERSE };
        }
        let both = FIN_FORWARD | FIN_REVERSE;
        if seen.flags & RST != 0 || self.state & both == both {
            self.state |= IS_CLOSING;
        }
    }

    /// Whether it is over, and why.
    #[inline(always)]
    pub(crate) fn over(&self, now: u32, times: &Times) -> Option<End> {
        let idle = since(now, self.last);
        if self.is_closing() && idle >= times.closing {
            Some(End::Closed)
        } else if idle >= times.idle {
            Some(End::Idle)
        } else if since(now, self.first) >= times.active {
            Some(End::Active)
        } else {
            None
        }
    }

    /// Whether it is over when this packet comes, which then belongs to another one.
    #[inline(always)]
    pub(crate) fn over_before(&self, seen: &Seen, now: u32, times: &Times) -> Option<End> {
        if self.is_closing() && seen.flags & (SYN | ACK) == SYN {
            return Some(End::Closed);
        }
        self.over(now, times)
    }

    /// It is not active any more.
    pub(crate) fn end(&mut self, reason: End) {
        self.state = self.state & !(IS_ACTIVE | REASON) | reason as u8;
    }
}

impl Reverse {
    pub(crate) const EMPTY: Self = Self {
        packets: 0,
        bytes: 0,
        first: 0,
        last: 0,
        forward: 0,
        input: 0,
        flags: 0,
        tos: 0,
    };
}

impl Rest {
    pub(crate) const EMPTY: Self = Self {
        output: 0,
        macs: [[0; 6]; 2],
    };
}

/// Source and destination of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    V4(u32, u32),
    V6(u128, u128),
}

/// A flow, as it is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) hot: Hot,
    pub(crate) wide: Wide,
    pub(crate) rest: Rest,
    pub(crate) reverse: Reverse,
}

impl Flow {
    pub(crate) fn is_v6(&self) -> bool {
        self.hot.what & IS_V6 != 0
    }

    fn is_swapped(&self) -> bool {
        self.hot.state & IS_SWAPPED != 0
    }

    pub(crate) fn ends(&self) -> Ends {
        let [a, b, c, d] = self.wide;
        let wide = |upper, lower| u128::from(upper) << 64 | u128::from(lower);
        let (one, other) = ((self.hot.addresses >> 32) as u32, self.hot.addresses as u32);
        match (self.is_v6(), self.is_swapped()) {
            (false, false) => Ends::V4(one, other),
            (false, true) => Ends::V4(other, one),
            (true, false) => Ends::V6(wide(a, b), wide(c, d)),
            (true, true) => Ends::V6(wide(c, d), wide(a, b)),
        }
    }

    pub(crate) fn protocol(&self) -> u8 {
        (self.hot.what >> 24) as u8
    }

    pub(crate) fn is_icmp(&self) -> bool {
        matches!(
            self.protocol(),
            super::headers::ICMP | super::headers::ICMPV6
        )
    }

    /// Source and destination port. The latter is type and code of ICMP.
    pub(crate) fn ports(&self) -> (u16, u16) {
        let (one, other) = ((self.hot.what >> 48) as u16, (self.hot.what >> 32) as u16);
        if self.is_swapped() && !self.is_icmp() {
            (other, one)
        } else {
            (one, other)
        }
    }

    pub(crate) fn tos(&self) -> u8 {
        (self.hot.what >> 16) as u8
    }

    pub(crate) fn is_egress(&self) -> bool {
        self.hot.what & IS_EGRESS != 0
    }

    pub(crate) fn input(&self) -> u32 {
        (self.hot.place >> 32) as u32
    }

    pub(crate) fn vlan(&self) -> u16 {
        (self.hot.place >> 16) as u16
    }

    pub(crate) fn inner_vlan(&self) -> u16 {
        self.hot.place as u16
    }

    pub(crate) fn flow_label(&self) -> u32 {
        (self.hot.labels >> 32) as u32
    }

    /// The topmost label of MPLS, with its bits.
    pub(crate) fn mpls(&self) -> u32 {
        self.hot.labels as u32
    }

    /// Source and destination address of Ethernet.
    pub(crate) fn macs(&self) -> ([u8; 6], [u8; 6]) {
        let [to, from] = self.rest.macs;
        if self.is_swapped() {
            (to, from)
        } else {
            (from, to)
        }
    }

    pub(crate) fn reason(&self) -> u8 {
        self.hot.state & REASON
    }

    /// Packets and bytes of both directions.
    pub(crate) fn sums(&self) -> (u64, u64) {
        (
            self.hot.packets.wrapping_add(self.reverse.packets),
            self.hot.bytes.wrapping_add(self.reverse.bytes),
        )
    }

    /// The time of the last packet of its direction.
    pub(crate) fn last(&self) -> u32 {
        match self.reverse.packets {
            0 => self.hot.last,
            _ => self.reverse.forward,
        }
    }

    /// The times of the first and the last packet of the other direction; without one, those of this one.
    pub(crate) fn reverse_times(&self) -> (u32, u32) {
        match self.reverse.packets {
            0 => (self.hot.first, self.hot.last),
            _ => (self.reverse.first, self.reverse.last),
        }
    }

    /// The other direction, as a flow of its own; none where there was no packet.
    pub(crate) fn turned(&self) -> Option<Self> {
        let reverse = &self.reverse;
        if reverse.packets == 0 {
            return None;
        }
        let mut turned = *self;
        turned.reverse = Reverse::EMPTY;
        turned.hot.state ^= IS_SWAPPED;
        turned.hot.packets = reverse.packets;
        turned.hot.bytes = reverse.bytes;
        turned.hot.first = reverse.first;
        turned.hot.last = reverse.last;
        turned.hot.flags = reverse.flags;
        let what = self.hot.what & !(0xff << 16) | u64::from(reverse.tos) << 16;
        turned.hot.what = what ^ IS_EGRESS;
        turned.hot.place = u64::from(reverse.input) << 32 | self.hot.place & 0xffff_ffff;
        turned.rest.output = 0;
        Some(turned)
    }
}
