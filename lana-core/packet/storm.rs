// SPDX-License-Identifier: GPL-2.0

//! Bounds what packets that are copied again and again cost a CPU, one after the other.
//!
//! [`CALL_LIMIT`] bounds one packet. A driver hands over up to 64 in one poll, which nothing
//! interrupts. So each CPU keeps a token bucket: packets that call more than [`FREE_CALLS`]
//! handlers pay for them, and where the bucket is empty no packet may call more than that.

use crate::sys::{percpu::Count, time};
use pin_init::Zeroable;

/// How many handlers may be called for one packet that entered and all that are made from it. With the
/// limits of the engine it bounds the time that a loop of tees can take.
pub(crate) const CALL_LIMIT: u32 = 16384;

/// A packet pays nothing for so many calls.
pub(crate) const FREE_CALLS: u32 = 2048;

/// How many calls a full bucket holds: two packets at their limit.
const BUCKET: u64 = 2 * CALL_LIMIT as u64;

/// Nanoseconds in which the bucket gains one call: a million a second.
const GAIN: u64 = 1000;

/// The bucket of a CPU.
#[derive(Zeroable)]
#[repr(C)]
pub(crate) struct Storm {
    /// How many calls are missing in the bucket.
    spent: Count,
    /// The time up to which the bucket has gained.
    since: Count,
}

impl Storm {
    /// How many handlers may be called for the next packet. In softirq.
    #[inline]
    pub(crate) fn allowance(&self) -> u32 {
        if self.spent.get() == 0 {
            return CALL_LIMIT;
        }
        self.remaining()
    }

    #[cold]
    fn remaining(&self) -> u32 {
        let now = time::coarse();
        let gained = now.saturating_sub(self.since.get()) / GAIN;
        let spent = self.spent.get().saturating_sub(gained);
        self.spent.set(spent);
        self.since.set(now);
        let left = BUCKET.saturating_sub(spent);
        left.clamp(FREE_CALLS.into(), CALL_LIMIT.into()) as u32
    }

    /// Takes from the bucket what a packet has called. In softirq.
    #[inline]
    pub(crate) fn pay(&self, calls: u32) {
        if calls > FREE_CALLS {
            self.take(calls);
        }
    }

    #[cold]
    fn take(&self, calls: u32) {
        if self.spent.get() == 0 {
            self.since.set(time::coarse());
        }
        let spent = self.spent.get().saturating_add(calls.into());
        self.spent.set(spent.min(BUCKET));
    }
}
