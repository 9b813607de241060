// SPDX-License-Identifier: GPL-2.0

//! Bytes that move within a slice.

use core::ptr;

/// Makes room for `n` bytes at `at`: what is there moves towards the end, over the last `n` bytes. What is in the gap
/// afterwards is what was there before. False, and nothing done, where the slice is shorter.
#[must_use]
pub(crate) fn open_gap(bytes: &mut [u8], at: usize, n: usize) -> bool {
    let moved = bytes.len().checked_sub(at).and_then(|m| m.checked_sub(n));
    let Some(moved) = moved else {
        return false;
    };
    let start = bytes.as_mut_ptr().wrapping_add(at);
    // SAFETY: `at + n + moved` is the length of the slice, so both parts are in it, and it is borrowed exclusively; they
    // may overlap.
    unsafe { ptr::copy(start, start.wrapping_add(n), moved) };
    true
}

/// Moves what is behind `n` bytes at `at` over these. False, and nothing done, where the slice is shorter.
#[must_use]
pub(crate) fn close_gap(bytes: &mut [u8], at: usize, n: usize) -> bool {
    let moved = bytes.len().checked_sub(at).and_then(|m| m.checked_sub(n));
    let Some(moved) = moved else {
        return false;
    };
    let start = bytes.as_mut_ptr().wrapping_add(at);
    // SAFETY: `at + n + moved` is the length of the slice, so both parts are in it, and it is borrowed exclusively; they
    // may overlap.
    unsafe { ptr::copy(start.wrapping_add(n), start, moved) };
    true
}
