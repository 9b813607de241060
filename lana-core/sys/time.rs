// SPDX-License-Identifier: GPL-2.0

//! Time, in nanoseconds: mostly that which goes on while the machine runs.
//!
//! C header: [`include/linux/timekeeping.h`](srctree/include/linux/timekeeping.h)

use super::bindings;
use kernel::time::{ClockSource, Monotonic, RealTime, NSEC_PER_SEC};

/// Nanoseconds in a second.
pub const SECOND: u64 = NSEC_PER_SEC as u64;

/// The time of the last tick, which may be some milliseconds ago. As cheap as it gets. Any context.
#[inline]
pub fn coarse() -> u64 {
    // SAFETY: no preconditions.
    unsafe { bindings::lana_time_coarse() }
}

/// The number of the second that [`coarse`] is in. Cheaper still. Any context.
#[inline]
pub fn second() -> u64 {
    // SAFETY: no preconditions.
    unsafe { bindings::ktime_get_seconds() as u64 }
}

/// The time. Reads a clock. Any context.
#[inline]
pub fn now() -> u64 {
    Monotonic::ktime_get() as u64
}

/// The time since 1970, as far as this machine knows. Reads a clock. Any context.
pub fn real() -> u64 {
    RealTime::ktime_get() as u64
}
