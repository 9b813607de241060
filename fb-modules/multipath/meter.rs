// SPDX-License-Identifier: GPL-2.0

//! What each port is used for: measured every second, averaged over 8 seconds.
//!
//! The average is that of the thesis ("weight-averaged") and of the kernel's own estimators: each
//! second, an eighth of what differs is made up for. What was sent since counts at once, by as much as
//! it will count when the second is over. So a choice by it can be made for each packet, and not all
//! packets of a second go where there was room at its beginning.

use super::List;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A second, in nanoseconds.
pub(crate) const SECOND: u64 = 1_000_000_000;

/// An average is over 2^3 seconds.
const SHIFT: u32 = 3;

/// After so many seconds nothing is left of an average.
const LONG: u64 = 256;

/// What is known of a seat.
#[derive(Default)]
pub(crate) struct Use {
    /// The bytes that had been sent when the second began.
    before: AtomicU64,
    /// Bits a second, on average.
    average: AtomicU64,
    /// Bits since the second began, where choices ask for them.
    fresh: AtomicU64,
}

/// What is known of all seats.
pub(crate) struct Meter {
    /// When the second began.
    since: AtomicU64,
    seats: List<Use>,
}

impl Meter {
    /// From now on, for as many seats as are in the list.
    pub(crate) fn new(now: u64, seats: List<Use>) -> Self {
        let since = AtomicU64::new(now);
        Self { since, seats }
    }

    /// Whether a second is over, for one of all who ask then: who is to `measure`. The others do not
    /// wait for it.
    pub(crate) fn is_due(&self, now: u64) -> Option<u64> {
        let since = self.since.load(Relaxed);
        let seconds = now.checked_sub(since)? / SECOND;
        if seconds == 0 {
            return None;
        }
        let next = since.wrapping_add(seconds.wrapping_mul(SECOND));
        self.since
            .compare_exchange(since, next, Relaxed, Relaxed)
            .is_ok()
            .then_some(seconds)
    }

    /// Takes the average of a seat on by some seconds, of which the bytes sent until now are told.
    pub(crate) fn measure(&self, seat: u8, bytes: u64, seconds: u64) {
        let Some(one) = self.seats.get(usize::from(seat)) else {
            return;
        };
        let before = one.before.swap(bytes, Relaxed);
        one.fresh.store(0, Relaxed);
        let bits = bytes.wrapping_sub(before).saturating_mul(8);
        let rate = bits.checked_div(seconds).unwrap_or(0);
        let mut average = one.average.load(Relaxed);
        for _ in 0..seconds.min(LONG) {
            average = next(average, rate);
        }
        one.average.store(average, Relaxed);
    }

    /// A seat is a new one's.
    pub(crate) fn forget(&self, seat: u8, bytes: u64) {
        if let Some(one) = self.seats.get(usize::from(seat)) {
            one.before.store(bytes, Relaxed);
            one.average.store(0, Relaxed);
            one.fresh.store(0, Relaxed);
        }
    }

    /// So many bytes are sent.
    pub(crate) fn sent(&self, seat: u8, bytes: u32) {
        if let Some(one) = self.seats.get(usize::from(seat)) {
            one.fresh
                .fetch_add(u64::from(bytes).wrapping_mul(8), Relaxed);
        }
    }

    /// Bits a second of a seat, with what was sent since.
    pub(crate) fn used(&self, seat: u8) -> u64 {
        self.seats.get(usize::from(seat)).map_or(0, |one| {
            next(one.average.load(Relaxed), one.fresh.load(Relaxed))
        })
    }

    /// Bits a second of a seat, as measured.
    pub(crate) fn average(&self, seat: u8) -> u64 {
        let one = self.seats.get(usize::from(seat));
        one.map_or(0, |one| one.average.load(Relaxed))
    }
}

/// The average after a second of this rate.
fn next(average: u64, rate: u64) -> u64 {
    average
        .wrapping_sub(average >> SHIFT)
        .wrapping_add(rate >> SHIFT)
}
