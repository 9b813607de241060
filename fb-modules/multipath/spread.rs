// SPDX-License-Identifier: GPL-2.0

//! The ports that packets are spread over, and the ways to choose one.

use super::{config::Strategy, table::SEATS, List};

/// A port that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Usable {
    /// Its number.
    pub(crate) number: u16,
    /// What it is called where it is remembered.
    pub(crate) seat: u8,
    /// Its part of what is new; none for 0, then it only keeps what it has.
    pub(crate) weight: u16,
    /// What it can carry, bits a second; not 0.
    pub(crate) capacity: u64,
    /// What it is called in hashing, which depends on nothing else.
    pub(crate) id: u64,
}

/// All of them, and what follows from them.
pub(crate) struct Spread {
    ports: List<Usable>,
    /// Which of `ports` has a seat.
    homes: [u8; SEATS],
    /// Which of `ports` is the turn, in a cycle.
    cycle: List<u8>,
}

const NOWHERE: u8 = u8::MAX;

impl Spread {
    /// From the ports, 64 at most, and the cycle of their weights ([`Cycle`]).
    pub(crate) fn new(ports: List<Usable>, cycle: List<u8>) -> Self {
        let mut homes = [NOWHERE; SEATS];
        for (index, port) in (0..NOWHERE).zip(ports.iter()) {
            if let Some(home) = homes.get_mut(usize::from(port.seat)) {
                *home = index;
            }
        }
        Self {
            ports,
            homes,
            cycle,
        }
    }

    /// The port that has a seat, if it can be used.
    pub(crate) fn at(&self, seat: u8) -> Option<&Usable> {
        let home = *self.homes.get(usize::from(seat))?;
        self.ports.get(usize::from(home))
    }

    /// All ports.
    pub(crate) fn all(&self) -> &[Usable] {
        &self.ports
    }

    /// The ports that take what is new.
    pub(crate) fn open(&self) -> impl Iterator<Item = &Usable> {
        self.ports.iter().filter(|port| port.weight > 0)
    }

    /// Whose turn it is.
    pub(crate) fn turn(&self, turn: u64) -> Option<&Usable> {
        let at = turn.checked_rem(self.cycle.len() as u64)?;
        let port = *self.cycle.get(at as usize)?;
        self.ports.get(usize::from(port))
    }

    /// The port of a hash: the same as long as it is there, whatever becomes of the others.
    ///
    /// Rendezvous hashing (Thaler and Ravishankar 1998): of all pairs of the hash and a port the best
    /// wins. With weights by the logarithmic method (Schindelhauer and Schomaker 2005): -log(u) / weight
    /// of a u that is uniform in (0, 1] is the first in so many cases of its weight. So a port that goes
    /// loses what it had to the others by their weights, and one that comes takes from each its part.
    pub(crate) fn rendezvous(&self, hash: u64) -> Option<&Usable> {
        self.rendezvous_of(hash, |_| true)
    }

    /// The same of some ports.
    fn rendezvous_of(&self, hash: u64, some: impl Fn(&Usable) -> bool) -> Option<&Usable> {
        let mut best: Option<(&Usable, u64)> = None;
        for port in self.open().filter(|port| some(port)) {
            let distance = minus_log2(mix(hash ^ port.id));
            // Below 2^38, and weights below 2^16.
            let is_better = best.is_none_or(|(than, least)| {
                distance.wrapping_mul(than.weight.into()) < least.wrapping_mul(port.weight.into())
            });
            if is_better {
                best = Some((port, distance));
            }
        }
        best.map(|(port, _)| port)
    }

    /// The port that has the least of something; of several ones one by the hash, by their weights.
    pub(crate) fn least(&self, hash: u64, of: impl Fn(u8) -> u64) -> Option<&Usable> {
        let least = self.open().map(|port| of(port.seat)).min()?;
        self.rendezvous_of(hash, |port| of(port.seat) == least)
    }

    /// The port with the most bandwidth left, by what is used of each seat, bits a second.
    pub(crate) fn most_unused(&self, used: impl Fn(u8) -> u64) -> Option<&Usable> {
        let mut best: Option<(&Usable, i64)> = None;
        for port in self.open() {
            let unused = signed(port.capacity).saturating_sub_unsigned(used(port.seat));
            if best.is_none_or(|(_, most)| unused > most) {
                best = Some((port, unused));
            }
        }
        best.map(|(port, _)| port)
    }

    /// The port of which the smallest part is used.
    pub(crate) fn least_utilised(&self, used: impl Fn(u8) -> u64) -> Option<&Usable> {
        let mut best: Option<(&Usable, u64)> = None;
        for port in self.open() {
            let used = used(port.seat);
            let is_better = best.is_none_or(|(than, least)| {
                u128::from(used).wrapping_mul(than.capacity.into())
                    < u128::from(least).wrapping_mul(port.capacity.into())
            });
            if is_better {
                best = Some((port, used));
            }
        }
        best.map(|(port, _)| port)
    }

    /// The part of what is new that a strategy would have a port get: so much of so much. Where it goes
    /// by bandwidth, of a load in bits a second; where by what is lost, of so much at each seat.
    pub(crate) fn wanted(
        &self,
        port: &Usable,
        strategy: Strategy,
        load: u64,
        lost: impl Fn(u8) -> u64,
    ) -> (u64, u64) {
        if port.weight == 0 {
            return (0, 1);
        }
        match strategy {
            Strategy::Utilisation => {
                let capacities = self.open().map(|port| port.capacity);
                (port.capacity, capacities.fold(0, u64::saturating_add))
            }
            Strategy::Bandwidth => {
                // As water finds its level: the same is left unused at all that are used, and that is
                // more than the others have.
                let capacities = || self.open().map(|port| signed(port.capacity));
                let mut unused = i64::MIN;
                loop {
                    let in_use = || capacities().filter(|&capacity| capacity >= unused);
                    let (left, count) = in_use().fold((0i64, 0i64), |(left, count), capacity| {
                        (left.saturating_add(capacity), count.saturating_add(1))
                    });
                    let left = left.saturating_sub_unsigned(load);
                    match left.checked_div(count) {
                        Some(level) if level > unused => unused = level,
                        _ => break,
                    }
                }
                let used = |capacity: i64| capacity.saturating_sub(unused).max(0).unsigned_abs();
                let whole = capacities().map(used).fold(0, u64::saturating_add);
                (used(signed(port.capacity)), whole)
            }
            _ => {
                let all = self.open().map(|port| lost(port.seat));
                let least = all.min().filter(|_| strategy == Strategy::Loss);
                let is_one = |port: &Usable| least.is_none_or(|least| lost(port.seat) == least);
                let some = self.open().filter(|port| is_one(port));
                let weights = some.map(|port| u64::from(port.weight));
                let own = if is_one(port) { port.weight } else { 0 };
                (own.into(), weights.fold(0, u64::saturating_add))
            }
        }
    }
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// The order in which ports have their turns, once around: smooth weighted round robin (nginx, 2012),
/// in which a port with a large weight does not have its turns in a row. Gives indices of the weights.
pub(crate) struct Cycle<'a> {
    weights: &'a [u16],
    /// What each is owed, in as many parts as the weights are together.
    owed: [i32; 64],
    total: i32,
    left: i32,
}

impl<'a> Cycle<'a> {
    /// Of 64 weights at most.
    pub(crate) fn new(weights: &'a [u16]) -> Self {
        let total = weights
            .iter()
            .fold(0, |sum: i32, &weight| sum.saturating_add(weight.into()));
        let common = weights.iter().fold(0, |a, &b| gcd(a, b.into()));
        Self {
            weights,
            owed: [0; 64],
            total,
            left: total.checked_div(common).unwrap_or(0),
        }
    }
}

impl Iterator for Cycle<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        self.left = self.left.checked_sub(1).filter(|&left| left >= 0)?;
        let mut best: Option<(u8, &mut i32)> = None;
        for ((index, owed), weight) in (0..).zip(&mut self.owed).zip(self.weights) {
            *owed = owed.saturating_add((*weight).into());
            if best.as_ref().is_none_or(|(_, most)| *owed > **most) {
                best = Some((index, owed));
            }
        }
        let (index, owed) = best?;
        *owed = owed.saturating_sub(self.total);
        Some(index)
    }
}

fn gcd(a: i32, b: i32) -> i32 {
    let (mut a, mut b) = (a, b);
    while let Some(rest) = a.checked_rem(b) {
        (a, b) = (b, rest);
    }
    a
}

/// Each bit of the result depends on each of the number (the finaliser of `SplittableRandom`, Steele,
/// Lea and Flood 2014).
pub(crate) fn mix(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// log2(1 + i/256), in units of 2^-32.
#[cfg_attr(
    not(test),
    expect(
        clippy::indexing_slicing,
        reason = "the compiler computes it, and would find out"
    )
)]
const LOG2: [u64; 257] = {
    let mut table = [0; 257];
    let mut i = 0;
    while i < 256 {
        // Digit by digit: squaring a number doubles its logarithm.
        let mut x: u128 = (256 + i as u128) << 54;
        let mut log = 0;
        let mut digit = 0;
        while digit < 32 {
            x = (x * x) >> 62;
            log <<= 1;
            if x >> 63 != 0 {
                log |= 1;
                x >>= 1;
            }
            digit += 1;
        }
        table[i] = log;
        i += 1;
    }
    table[256] = 1 << 32;
    table
};

/// -log2(n / 2^64), in units of 2^-32; too large by 3 millionths at most. 64 for 0.
fn minus_log2(n: u64) -> u64 {
    let zeros = n.leading_zeros();
    // 1.xxx: what is behind the point.
    let rest = n.checked_shl(zeros.wrapping_add(1)).unwrap_or(0);
    let (step, part) = ((rest >> 56) as usize, (rest >> 24) & 0xffff_ffff);
    let (low, high) = match (LOG2.get(step), LOG2.get(step.wrapping_add(1))) {
        (Some(low), Some(high)) => (*low, *high),
        _ => (0, 0),
    };
    let log = low.wrapping_add(high.wrapping_sub(low).wrapping_mul(part) >> 32);
    ((u64::from(zeros).wrapping_add(1)) << 32).wrapping_sub(log)
}
