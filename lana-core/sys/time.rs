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

/// Milliseconds since the machine has booted, as far as its ticks tell. They run over. Cheaper than [`coarse`]. Any context.
#[inline]
pub fn milliseconds() -> u32 {
    const HZ: u64 = bindings::HZ as u64;
    /// `INITIAL_JIFFIES`
    const FIRST: u32 = (300 * bindings::HZ).wrapping_neg();
    // SAFETY: the kernel counts in it, in one piece.
    let ticks = unsafe { core::ptr::read_volatile(&raw const bindings::jiffies) };
    let since = (ticks as u64).wrapping_sub(u64::from(FIRST));
    (since.wrapping_mul(1000) / HZ) as u32
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
