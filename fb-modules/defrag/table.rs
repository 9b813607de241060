// SPDX-License-Identifier: GPL-2.0

//! The datagrams of which some fragments are there: bounded in number, in memory and in time.

use super::{
    datagram::{Datagram, Why},
    header::Fragment,
    push, HashKey, List,
};

/// Datagrams that have the same place.
const WAYS: usize = 8;

/// What there may be.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Bounds {
    pub(crate) datagrams: u32,
    /// In bytes.
    pub(crate) memory: u64,
    /// In nanoseconds.
    pub(crate) timeout: u64,
}

pub(crate) struct Table {
    places: List<List<Datagram>>,
    key: HashKey,
    pub(crate) datagrams: u32,
    pub(crate) memory: u64,
    pub(crate) timeouts: u64,
}

impl Table {
    /// How many places a table for so many datagrams has.
    pub(crate) fn places(datagrams: u32) -> usize {
        (datagrams as usize / 4).max(16).next_power_of_two()
    }

    /// A table of empty places, whose number is a power of two.
    pub(crate) fn new(places: List<List<Datagram>>, key: HashKey) -> Self {
        Self {
            places,
            key,
            datagrams: 0,
            memory: 0,
            timeouts: 0,
        }
    }

    /// Takes more places, and gives back those before. What is in there moves.
    pub(crate) fn grow(&mut self, places: List<List<Datagram>>) -> List<List<Datagram>> {
        if places.len() <= self.places.len() {
            return places;
        }
        let mut old = core::mem::replace(&mut self.places, places);
        for place in &mut old {
            while let Some(datagram) = place.pop() {
                let (cost, key) = (datagram.cost, *datagram.first_seen());
                let moved = match self.place(&key) {
                    Some(place) => push(place, datagram),
                    None => false,
                };
                if !moved {
                    self.forget(cost);
                }
            }
        }
        old
    }

    fn forget(&mut self, cost: u32) {
        self.datagrams = self.datagrams.saturating_sub(1);
        self.memory = self.memory.saturating_sub(cost.into());
    }

    fn place(&mut self, fragment: &Fragment) -> Option<&mut List<Datagram>> {
        let key = &fragment.key;
        let halves = |wide: u128| [wide as u64, (wide >> 64) as u64];
        let [a, b] = halves(key.source);
        let [c, d] = halves(key.destination);
        let flags = u64::from(key.is_v6) << 1 | u64::from(key.is_upward);
        let rest = u64::from(key.identification) << 32
            | u64::from(key.vlan) << 16
            | u64::from(key.protocol) << 8
            | flags;
        let hash = self.key.hash(&[a, b, c, d, rest]);
        let mask = self.places.len().wrapping_sub(1);
        self.places.get_mut(hash as usize & mask)
    }

    /// Takes a fragment, of a packet of these bytes. Gives the datagram, if it is whole now.
    pub(crate) fn add(
        &mut self,
        fragment: &Fragment,
        bytes: &[u8],
        bounds: &Bounds,
        now: u64,
    ) -> Result<Option<Datagram>, Why> {
        let (begin, end) = fragment.data;
        let cost = Datagram::cost_of(end.saturating_sub(begin));
        let has_memory = self.memory.saturating_add(cost.into()) <= bounds.memory;
        let place = self.place(fragment).ok_or(Why::Full)?;
        let found = place.iter().position(|datagram| datagram.is_of(fragment));
        // One whose time is over is none.
        let found = match found {
            Some(at) if place.get(at).is_some_and(|d| is_over(d, bounds, now)) => {
                if let Some(datagram) = take(place, at) {
                    self.forget(datagram.cost);
                    self.timeouts = self.timeouts.wrapping_add(1);
                }
                None
            }
            found => found,
        };
        if !has_memory {
            return Err(Why::Full);
        }
        let at = if let Some(at) = found {
            at
        } else {
            let is_room = self.datagrams < bounds.datagrams;
            let place = self.place(fragment).ok_or(Why::Full)?;
            if !is_room || place.len() >= WAYS {
                return Err(Why::Full);
            }
            let datagram = Datagram::new(fragment, now);
            let cost = datagram.cost;
            if !push(place, datagram) {
                return Err(Why::NoMemory);
            }
            let at = place.len().wrapping_sub(1);
            self.datagrams = self.datagrams.wrapping_add(1);
            self.memory = self.memory.wrapping_add(cost.into());
            at
        };
        let place = self.place(fragment).ok_or(Why::Full)?;
        let datagram = place.get_mut(at).ok_or(Why::Full)?;
        let before = datagram.cost;
        let added = datagram.add(fragment, bytes);
        let after = datagram.cost;
        let ends = match added {
            Ok(is_whole) => is_whole,
            Err(why) => why != Why::Duplicate,
        };
        let ended = if ends { take(place, at) } else { None };
        self.memory = self
            .memory
            .wrapping_sub(before.into())
            .wrapping_add(after.into());
        if ended.is_some() {
            self.forget(after);
        }
        added.map(|is_whole| ended.filter(|_| is_whole))
    }

    /// Ends those whose time is over.
    pub(crate) fn reap(&mut self, bounds: &Bounds, now: u64) {
        let (mut ended, mut memory) = (0u32, 0u64);
        for place in &mut self.places {
            let mut at = 0usize;
            while let Some(datagram) = place.get(at) {
                if is_over(datagram, bounds, now) {
                    memory = memory.wrapping_add(datagram.cost.into());
                    ended = ended.wrapping_add(1);
                    take(place, at);
                } else {
                    at = at.wrapping_add(1);
                }
            }
        }
        self.datagrams = self.datagrams.saturating_sub(ended);
        self.memory = self.memory.saturating_sub(memory);
        self.timeouts = self.timeouts.wrapping_add(ended.into());
    }
}

fn is_over(datagram: &Datagram, bounds: &Bounds, now: u64) -> bool {
    now.saturating_sub(datagram.since) >= bounds.timeout
}

/// Takes one out; the last one takes its place.
fn take(place: &mut List<Datagram>, at: usize) -> Option<Datagram> {
    let last = place.pop()?;
    match place.get_mut(at) {
        Some(datagram) => Some(core::mem::replace(datagram, last)),
        None => Some(last),
    }
}
