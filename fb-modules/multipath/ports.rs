// SPDX-License-Identifier: GPL-2.0

//! The ports as they are bound, with what was set for them.
//!
//! A port is known by what it leads to (its IDP), since the numbers of those behind it shift when one
//! is unbound. What is set for it goes with it, and so does its *seat*: what it is called where sessions
//! and counters are kept. A number that is not bound yet can have its terms already.

use super::{
    config::{AdminState, Terms},
    echo::Echo,
    segment::Carried,
    spread::{mix, Usable},
    table::SEATS,
    List,
};

/// Whether packets can go to the next hop of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HopState {
    /// They can, or there is none.
    Ready,
    /// Its Ethernet address is not known.
    Unresolved,
    /// It has not answered.
    Silent,
}

/// A port.
#[derive(Clone, Copy)]
pub(crate) struct Port {
    /// What it leads to; 0 for a number that is not bound yet.
    pub(crate) idp: u32,
    /// The name of that, filled up by zeroes.
    pub(crate) name: [u8; 32],
    pub(crate) terms: Terms,
    /// What it leads to can be reached.
    pub(crate) is_up: bool,
    /// The speed of its device in Mbit/s, 0 if it is not known.
    pub(crate) speed: u32,
    /// The address of its device.
    pub(crate) address: Option<[u8; 6]>,
    pub(crate) hop: HopState,
    pub(crate) seat: u8,
    /// What was counted at its seat before it was its own.
    pub(crate) base: Totals,
    /// How often it had been chosen when something was set or bound last.
    pub(crate) since: u64,
}

/// What is counted at a seat.
#[derive(Clone, Copy, Default)]
pub(crate) struct Totals {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    /// Times that it was chosen.
    pub(crate) chosen: u64,
    /// Sessions that came to it so soon after a packet by another port that it may be overtaken.
    pub(crate) reordered: u64,
    /// What TCP has sent.
    pub(crate) carried: Carried,
}

impl Totals {
    /// What was counted since then.
    pub(crate) fn less(&self, then: &Self) -> Self {
        Self {
            packets: self.packets.wrapping_sub(then.packets),
            bytes: self.bytes.wrapping_sub(then.bytes),
            chosen: self.chosen.wrapping_sub(then.chosen),
            reordered: self.reordered.wrapping_sub(then.reordered),
            carried: self.carried.less(then.carried),
        }
    }
}

/// What is seen of the block that a port leads to.
pub(crate) struct Seen<'a> {
    pub(crate) idp: u32,
    pub(crate) name: &'a str,
    pub(crate) is_up: bool,
    pub(crate) speed: u32,
    pub(crate) address: Option<[u8; 6]>,
}

impl Port {
    /// A number that is not bound, with what was set for it.
    pub(crate) fn unbound(terms: Terms) -> Self {
        Self {
            idp: 0,
            name: [0; 32],
            terms,
            is_up: false,
            speed: 0,
            address: None,
            hop: HopState::Ready,
            seat: 0,
            base: Totals::default(),
            since: 0,
        }
    }

    /// Whether it is no port, and nothing was set for it.
    pub(crate) fn is_nothing(&self) -> bool {
        !self.is_bound() && self.terms == Terms::DEFAULT
    }

    pub(crate) fn is_bound(&self) -> bool {
        self.idp != 0
    }

    /// The name of what it leads to.
    pub(crate) fn name(&self) -> &str {
        let text = core::str::from_utf8(&self.name).unwrap_or("");
        text.trim_end_matches('\0')
    }

    fn see(&mut self, seen: &Seen<'_>) {
        self.idp = seen.idp;
        self.is_up = seen.is_up;
        self.speed = seen.speed;
        self.address = seen.address;
        self.name = [0; 32];
        for (to, from) in self.name.iter_mut().zip(seen.name.bytes()) {
            *to = from;
        }
    }

    /// The addresses that IP packets get which leave by it, if any: without a device there is nobody to send to.
    pub(crate) fn addresses(&self) -> Option<[u8; 12]> {
        Some(self.terms.mac?.mac().with_source(self.address?.into()))
    }

    /// What its next hop is asked with.
    pub(crate) fn echo(&self, sequence: u16) -> Option<Echo> {
        let (source, target) = (self.terms.source?.0, self.terms.via?.0);
        Some(Echo {
            source,
            target,
            id: self.idp as u16,
            sequence,
        })
    }

    /// Whether IP packets that leave by it get other addresses.
    pub(crate) fn has_hop(&self) -> bool {
        self.terms.via.is_some() || self.addresses().is_some()
    }

    /// Whether packets can go by it.
    pub(crate) fn is_usable(&self) -> bool {
        let is_set = self.is_bound() && self.terms.state == AdminState::Up;
        is_set && self.is_up && self.hop == HopState::Ready
    }

    /// Bits a second: what is set, or else what its device says, or else a Gbit/s for each weight.
    pub(crate) fn capacity(&self) -> u64 {
        match (self.terms.capacity, self.speed) {
            (None, 0) => self.terms.weight.0.max(1).wrapping_mul(1_000_000_000),
            (None, speed) => u64::from(speed).wrapping_mul(1_000_000),
            (Some(capacity), _) => capacity.0,
        }
    }

    /// How a choice sees it.
    pub(crate) fn usable(&self, number: u16) -> Usable {
        Usable {
            number,
            seat: self.seat,
            weight: self.terms.weight(),
            capacity: self.capacity(),
            id: mix(self.idp.into()),
        }
    }
}

/// Whether ports lead to just these blocks, in this order.
pub(crate) fn are_these<'a>(ports: &[Port], mut seen: impl Iterator<Item = Seen<'a>>) -> bool {
    let mut bound = ports.iter().filter(|port| port.is_bound());
    let same = |port: &Port, seen: &Seen<'_>| {
        let state = (port.idp, port.is_up, port.speed, port.address);
        state == (seen.idp, seen.is_up, seen.speed, seen.address) && port.name() == seen.name
    };
    loop {
        match (bound.next(), seen.next()) {
            (None, None) => return true,
            (Some(port), Some(seen)) if same(port, &seen) => (),
            _ => return false,
        }
    }
}

/// The seat after `last` that none of these has; so one is not used again soon.
fn free(last: u8, taken: impl Fn(u8) -> bool) -> Option<u8> {
    let after = (1..=SEATS).map(|step| usize::from(last).wrapping_add(step) % SEATS);
    let mut seats = after.map(|seat| seat as u8);
    seats.find(|&seat| !taken(seat))
}

/// Makes the ports that lead to these blocks, in this order, from those that there were: gives each to
/// `push`, with whether it is new, which says whether it was taken. `last` is the seat that was given
/// last, then and now. `None` when not all were taken.
pub(crate) fn follow<'a>(
    old: &[Port],
    seen: impl Iterator<Item = Seen<'a>>,
    last: &mut u8,
    mut push: impl FnMut(Port, bool) -> bool,
) -> Option<()> {
    let mut fresh = 0u128;
    let mut number = 0;
    for seen in seen {
        let same = old.iter().find(|port| port.idp == seen.idp);
        let mut port = if let Some(port) = same {
            *port
        } else {
            let ahead = old.get(number).filter(|port| !port.is_bound());
            let mut port = Port::unbound(ahead.map_or(Terms::DEFAULT, |port| port.terms));
            port.seat = free(*last, |seat| {
                fresh >> seat & 1 != 0 || old.iter().any(|p| p.is_bound() && p.seat == seat)
            })?;
            *last = port.seat;
            fresh |= 1 << port.seat;
            port
        };
        port.see(&seen);
        if !push(port, same.is_none()) {
            return None;
        }
        number = number.wrapping_add(1);
    }
    for port in old.get(number..).unwrap_or_default() {
        let terms = if port.is_bound() {
            Terms::DEFAULT
        } else {
            port.terms
        };
        if !push(Port::unbound(terms), false) {
            return None;
        }
    }
    Some(())
}

/// The seats of ports by what these lead to, for who has a packet that came up: a hash table with linear probing. It is
/// half full at most, so hardly anything is looked at twice.
pub(crate) struct Seats(List<(u32, u8)>);

impl Seats {
    /// How much room so many ports want: a power of two.
    pub(crate) fn room(ports: usize) -> usize {
        let room = ports.saturating_mul(2).checked_next_power_of_two();
        room.unwrap_or(1)
    }

    /// Those of ports, in a list of zeroes that has [room](Self::room).
    pub(crate) fn new(list: List<(u32, u8)>, ports: impl Iterator<Item = (u32, u8)>) -> Self {
        let mut seats = Self(list);
        for (idp, seat) in ports {
            let free = seats
                .places(idp)
                .find(|&at| seats.0.get(at).is_some_and(|entry| entry.0 == 0));
            if let Some(entry) = free.and_then(|at| seats.0.get_mut(at)) {
                *entry = (idp, seat);
            }
        }
        seats
    }

    /// Where the one that leads to a block may be, in the order to look.
    fn places(&self, idp: u32) -> impl Iterator<Item = usize> {
        let mask = self.0.len().wrapping_sub(1);
        let first = (mix(idp.into()) >> 32) as usize;
        (0..self.0.len()).map(move |step| first.wrapping_add(step) & mask)
    }

    /// The seat of the port that leads to a block.
    pub(crate) fn find(&self, idp: u32) -> Option<u8> {
        for at in self.places(idp) {
            match *self.0.get(at)? {
                (0, _) => return None,
                (other, seat) if other == idp => return Some(seat),
                _ => (),
            }
        }
        None
    }
}
