// SPDX-License-Identifier: GPL-2.0

//! The ports of a switch.
//!
//! A port is known by what it leads to (its IDP), since the numbers of those behind it shift when one is unbound. In
//! the table of stations a port is called by its *seat*, which it keeps as long as it is bound.

use super::List;

/// The most ports.
pub(crate) const PORTS: usize = 64;

/// Seats of ports. The last one is nobody's.
pub(crate) const SEATS: usize = 256;

/// The seat of the port above, which leads to whatever is bound on top of the switch.
pub(crate) const ABOVE: u8 = 0;

/// The number of no port.
const NONE: u8 = u8::MAX;

/// A port below.
#[derive(Clone, Copy)]
pub(crate) struct Port {
    /// What it leads to.
    pub(crate) idp: u32,
    /// The name of that, filled up by zeroes.
    name: [u8; 32],
    /// That can be reached.
    pub(crate) is_up: bool,
    pub(crate) seat: u8,
}

impl Port {
    pub(crate) fn name(&self) -> &str {
        let text = core::str::from_utf8(&self.name).unwrap_or("");
        text.trim_end_matches('\0')
    }
}

/// What is seen of the block that a port leads to.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) idp: u32,
    pub(crate) name: &'a str,
    pub(crate) is_up: bool,
}

/// All ports below, by number.
pub(crate) struct Ports {
    all: List<Port>,
    /// Of those that are up, by seat: the number.
    numbers: [u8; SEATS],
    /// A guess by the lower bits of an IDP: the number.
    guesses: [u8; 256],
    /// The numbers of those that are up.
    up: u64,
    /// The seat that was given last.
    last: u8,
}

impl Ports {
    /// Those of a new switch.
    pub(crate) fn none() -> Self {
        Self {
            all: List::new(),
            numbers: [NONE; SEATS],
            guesses: [NONE; 256],
            up: 0,
            last: ABOVE,
        }
    }

    /// Whether these lead to just these blocks, in this order.
    pub(crate) fn are<'a>(&self, mut seen: impl Iterator<Item = Seen<'a>>) -> bool {
        let mut ports = self.all.iter();
        loop {
            match (ports.next(), seen.next()) {
                (None, None) => return true,
                (Some(port), Some(seen))
                    if (port.idp, port.is_up, port.name()) == (seen.idp, seen.is_up, seen.name) => {
                }
                _ => return false,
            }
        }
    }

    /// Makes `next`, which has none, those that lead to these blocks, in this order. `push` adds one to a list, and says whether it could. `begins`
    /// is told the seat of each that nobody may be known behind yet: it is new, or has come up.
    pub(crate) fn follow<'a>(
        &self,
        next: &mut Self,
        seen: impl Iterator<Item = Seen<'a>>,
        mut push: impl FnMut(&mut List<Port>, Port) -> bool,
        mut begins: impl FnMut(u8),
    ) -> Option<()> {
        let mut ports = List::new();
        next.last = self.last;
        for (number, one) in (0..PORTS as u8).zip(seen) {
            let old = self.all.iter().find(|port| port.idp == one.idp);
            let seat = if let Some(old) = old {
                old.seat
            } else {
                let has = |ports: &[Port], seat| ports.iter().any(|port| port.seat == seat);
                let mut after = (1..SEATS).map(|step| next.last.wrapping_add(step as u8));
                let free = after.find(|&seat| {
                    let is_ports = seat != ABOVE && usize::from(seat) < SEATS.wrapping_sub(1);
                    is_ports && !has(&self.all, seat) && !has(&ports, seat)
                })?;
                next.last = free;
                free
            };
            if one.is_up && !old.is_some_and(|old| old.is_up) {
                begins(seat);
            }
            let mut name = [0; 32];
            for (to, from) in name.iter_mut().zip(one.name.bytes()) {
                *to = from;
            }
            let port = Port {
                idp: one.idp,
                name,
                is_up: one.is_up,
                seat,
            };
            if let Some(guess) = next.guesses.get_mut(usize::from(one.idp as u8)) {
                *guess = number;
            }
            if port.is_up {
                next.up |= bit(number);
                if let Some(of) = next.numbers.get_mut(usize::from(seat)) {
                    *of = number;
                }
            }
            if !push(&mut ports, port) {
                return None;
            }
        }
        next.all = ports;
        Some(())
    }

    /// The port that leads to a block, with its number.
    #[inline]
    pub(crate) fn of(&self, idp: u32) -> Option<(u8, &Port)> {
        let guess = self.guesses.get(usize::from(idp as u8)).copied()?;
        match self.all.get(usize::from(guess)) {
            Some(port) if port.idp == idp => Some((guess, port)),
            _ => (0..).zip(&self.all).find(|(_, port)| port.idp == idp),
        }
    }

    /// The number of the port that has a seat, and is up.
    #[inline]
    pub(crate) fn number(&self, seat: u8) -> Option<u8> {
        let number = self.numbers.get(usize::from(seat)).copied();
        number.filter(|&number| number != NONE)
    }

    /// The name of what the port of a seat leads to, if that is up.
    pub(crate) fn name(&self, seat: u8) -> Option<&str> {
        let port = self.all.get(usize::from(self.number(seat)?));
        port.map(Port::name)
    }

    /// The numbers of those that are up but for one.
    #[inline]
    pub(crate) fn others(&self, number: Option<u8>) -> Numbers {
        let one = number.map_or(0, bit);
        Numbers(self.up & !one)
    }
}

/// What stands for a number.
#[inline]
fn bit(number: u8) -> u64 {
    1u64.checked_shl(number.into()).unwrap_or(0)
}

/// Numbers of ports, in order.
pub(crate) struct Numbers(u64);

impl Iterator for Numbers {
    type Item = u16;

    #[inline]
    fn next(&mut self) -> Option<u16> {
        let first = self.0.trailing_zeros();
        self.0 &= self.0.wrapping_sub(1);
        (first < u64::BITS).then_some(first as u16)
    }
}
