// SPDX-License-Identifier: GPL-2.0

//! What no safe crate does: the clock, and the time of the processor that the process has had. All of this crate's unsafe
//! code.

#![expect(unsafe_code, reason = "system calls")]

use std::{io, mem, time::Duration};

/// The time of the processor that this process has had: by its own, and by the kernel for it.
pub(crate) fn processor_time() -> io::Result<(Duration, Duration)> {
    // SAFETY: zeros are a valid rusage.
    let mut usage: libc::rusage = unsafe { mem::zeroed() };
    // SAFETY: the kernel writes the structure, all of which is there.
    if unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) } < 0 {
        return Err(io::Error::last_os_error());
    }
    let time = |time: libc::timeval| {
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        let micros = u64::try_from(time.tv_usec).unwrap_or_default();
        Duration::from_secs(seconds) + Duration::from_micros(micros)
    };
    Ok((time(usage.ru_utime), time(usage.ru_stime)))
}

/// Nanoseconds of a clock. rustix has such a function, too, but it does not do without a vDSO, which User Mode Linux has
/// not.
fn clock(id: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the kernel writes the structure, all of which is there. Of a clock that is there it always does.
    unsafe { libc::clock_gettime(id, &raw mut time) };
    let number = |number: i64| u64::try_from(number).unwrap_or_default();
    number(time.tv_sec) * 1_000_000_000 + number(time.tv_nsec)
}

/// Nanoseconds of `CLOCK_MONOTONIC`.
#[inline]
pub(crate) fn now() -> u64 {
    clock(libc::CLOCK_MONOTONIC)
}

/// Nanoseconds of the processor that this process has had, with all of its threads: exactly, while the parts of
/// [`processor_time`] are found by samples.
pub(crate) fn ran() -> u64 {
    clock(libc::CLOCK_PROCESS_CPUTIME_ID)
}
