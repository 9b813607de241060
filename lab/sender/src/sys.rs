// SPDX-License-Identifier: GPL-2.0

//! What no safe crate does: the time of the day where we are. All of this crate's unsafe code.

#![expect(unsafe_code, reason = "a call of the C library")]

use std::mem;

/// Year, month, day, hour, minute and second of a time in seconds since 1970, in the time zone of the machine.
pub(crate) fn local_time(seconds: i64) -> [i32; 6] {
    // SAFETY: zeros are a valid tm.
    let mut time: libc::tm = unsafe { mem::zeroed() };
    // SAFETY: localtime_r writes the structure, all of which is there, and keeps neither pointer.
    unsafe { libc::localtime_r(&raw const seconds, &raw mut time) };
    [
        time.tm_year + 1900,
        time.tm_mon + 1,
        time.tm_mday,
        time.tm_hour,
        time.tm_min,
        time.tm_sec,
    ]
}
