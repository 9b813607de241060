// SPDX-License-Identifier: GPL-2.0

//! What each port is used for: measured in intervals of a second, averaged over 8 seconds, unless it is set.
//!
//! The average is that of the thesis ("weight-averaged") and of the kernel's own estimators: each
//! interval makes up its share of what differs, an eighth. What was sent since counts at once, by as much as
//! it will count when the interval is over. So a choice by it can be made for each packet, and not all
//! packets of an interval go where there was room at its beginning.

use super::{
    config::{Rules, Usage},
    segment::Carried,
    List,
};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A second, in nanoseconds.
pub(crate) const SECOND: u64 = 1_000_000_000;

/// The whole, of which shares are counted.
const ONE: u64 = 1 << 32;

/// Averages are counted in units of 2^-16: a few packets a second count, too.
const FINE: u32 = 16;

/// How to measure.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    /// How long an interval is, in nanoseconds.
    interval: u64,
    /// What amounts of an interval are multiplied by to get rates, in units of 2^-32.
    scale: u64,
    /// The share of an average that is left after an interval of nothing.
    keep: u64,
    usage: Usage,
}

impl Pace {
    pub(crate) fn new(rules: &Rules) -> Self {
        let share = rules.interval.0.saturating_mul(ONE >> 10);
        let share = share.checked_div(rules.average.0 >> 10).unwrap_or(ONE);
        let scale = (SECOND << 32).checked_div(rules.interval.0);
        Self {
            interval: rules.interval.0,
            scale: scale.unwrap_or(ONE),
            keep: ONE.saturating_sub(share),
            usage: rules.usage,
        }
    }

    /// The rate of what there is of in an interval.
    fn rate(&self, amount: u64) -> u64 {
        (u128::from(amount).wrapping_mul(self.scale.into()) >> 32) as u64
    }

    /// The share of an average that is left after so many intervals of nothing.
    fn kept(&self, mut intervals: u64) -> u64 {
        let (mut kept, mut power) = (ONE, self.keep);
        while intervals > 0 && kept > 0 {
            if intervals & 1 != 0 {
                kept = part(kept, power);
            }
            power = part(power, power);
            intervals >>= 1;
        }
        kept
    }
}

/// A share of a number.
fn part(number: u64, share: u64) -> u64 {
    (u128::from(number).wrapping_mul(share.into()) >> 32) as u64
}

/// The average when there was a rate, of which so much is kept.
fn mixed(average: u64, rate: u64, kept: u64) -> u64 {
    let (old, new) = (u128::from(average), u128::from(rate) << FINE);
    let sum = old
        .wrapping_mul(kept.into())
        .wrapping_add(new.wrapping_mul(ONE.saturating_sub(kept).into()));
    (sum >> 32) as u64
}

/// What is measured.
#[derive(Default)]
struct Measure {
    /// What there had been when the interval began.
    before: AtomicU64,
    /// In a second, on average, in fine units.
    average: AtomicU64,
    /// In a second of the last interval.
    last: AtomicU64,
}

impl Measure {
    fn forget(&self, total: u64) {
        self.before.store(total, Relaxed);
        self.average.store(0, Relaxed);
        self.last.store(0, Relaxed);
    }

    fn measure(&self, total: u64, units: u64, intervals: u64, kept: u64, pace: &Pace) {
        let before = self.before.swap(total, Relaxed);
        let amount = total.wrapping_sub(before).saturating_mul(units);
        let rate = pace.rate(amount).checked_div(intervals).unwrap_or(0);
        let average = mixed(self.average.load(Relaxed), rate, kept);
        self.average.store(average, Relaxed);
        self.last.store(rate, Relaxed);
    }

    fn rates(&self) -> Rates {
        Rates {
            average: self.average.load(Relaxed).saturating_add(1 << FINE >> 1) >> FINE,
            last: self.last.load(Relaxed),
        }
    }
}

/// What there is in a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rates {
    /// On average.
    pub(crate) average: u64,
    /// In the last interval, or on average of those since somebody measured.
    pub(crate) last: u64,
}

/// What was sent until now.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sent {
    pub(crate) bytes: u64,
    pub(crate) packets: u64,
    pub(crate) carried: Carried,
}

/// What is known of a seat.
#[derive(Default)]
pub(crate) struct Use {
    bits: Measure,
    packets: Measure,
    /// Bytes of TCP, and those of them that were sent again.
    data: Measure,
    retransmitted: Measure,
    /// Bits since the interval began, where choices ask for them.
    fresh: AtomicU64,
}

/// What is known of all seats.
pub(crate) struct Meter {
    /// When the interval began.
    since: AtomicU64,
    seats: List<Use>,
}

impl Meter {
    /// From now on, for as many seats as are in the list.
    pub(crate) fn new(now: u64, seats: List<Use>) -> Self {
        let since = AtomicU64::new(now);
        Self { since, seats }
    }

    /// Whether an interval is over, or several, for one of all who ask then: who is to `measure`. The others do not
    /// wait for it.
    pub(crate) fn is_due(&self, now: u64, pace: &Pace) -> Option<u64> {
        let since = self.since.load(Relaxed);
        let elapsed = now.checked_sub(since)?;
        if elapsed < pace.interval {
            return None;
        }
        let intervals = elapsed.checked_div(pace.interval)?;
        let next = since.wrapping_add(intervals.wrapping_mul(pace.interval));
        self.since
            .compare_exchange(since, next, Relaxed, Relaxed)
            .is_ok()
            .then_some(intervals)
    }

    fn seat(&self, seat: u8) -> Option<&Use> {
        self.seats.get(usize::from(seat))
    }

    /// Takes the averages of a seat on by some intervals, of which what was sent until now is told.
    pub(crate) fn measure(&self, seat: u8, sent: &Sent, intervals: u64, pace: &Pace) {
        if let Some(one) = self.seat(seat) {
            let kept = pace.kept(intervals);
            one.fresh.store(0, Relaxed);
            for (measure, total, units) in [
                (&one.bits, sent.bytes, 8),
                (&one.packets, sent.packets, 1),
                (&one.data, sent.carried.data, 1),
                (&one.retransmitted, sent.carried.retransmitted, 1),
            ] {
                measure.measure(total, units, intervals, kept, pace);
            }
        }
    }

    /// A seat is a new one's.
    pub(crate) fn forget(&self, seat: u8, sent: &Sent) {
        if let Some(one) = self.seat(seat) {
            one.bits.forget(sent.bytes);
            one.packets.forget(sent.packets);
            one.data.forget(sent.carried.data);
            one.retransmitted.forget(sent.carried.retransmitted);
            one.fresh.store(0, Relaxed);
        }
    }

    /// Bytes of TCP in a second, on average, in some unit.
    pub(crate) fn carried(&self, seat: u8) -> Carried {
        let average = |measure: &Measure| measure.average.load(Relaxed);
        self.seat(seat)
            .map_or_else(Default::default, |one| Carried {
                data: average(&one.data),
                retransmitted: average(&one.retransmitted),
            })
    }

    /// So many bytes are sent.
    pub(crate) fn sent(&self, seat: u8, bytes: u32) {
        if let Some(one) = self.seat(seat) {
            one.fresh
                .fetch_add(u64::from(bytes).wrapping_mul(8), Relaxed);
        }
    }

    /// Bits a second of a seat, as choices count them: with what was sent since.
    pub(crate) fn used(&self, seat: u8, pace: &Pace) -> u64 {
        self.seat(seat).map_or(0, |one| {
            let fresh = pace.rate(one.fresh.load(Relaxed));
            match pace.usage {
                Usage::Average => mixed(one.bits.average.load(Relaxed), fresh, pace.keep) >> FINE,
                Usage::Last => one.bits.last.load(Relaxed).saturating_add(fresh),
            }
        })
    }

    /// Bits and packets a second of a seat, as measured.
    pub(crate) fn rates(&self, seat: u8) -> [Rates; 2] {
        let one = self.seat(seat);
        one.map_or_else(Default::default, |one| {
            [one.bits.rates(), one.packets.rates()]
        })
    }
}
