// SPDX-License-Identifier: GPL-2.0

//! Lists that blocks fill while packets pass: any context, no sleep. Where memory is lacking they say so, and the
//! kernel's log keeps quiet, since packets bring that about.

use kernel::{
    alloc::{
        flags::{GFP_ATOMIC, __GFP_NOWARN},
        Flags,
    },
    prelude::*,
};

#[inline]
fn flags() -> Flags {
    GFP_ATOMIC | __GFP_NOWARN
}

/// Adds to the end of a list. False without memory: the list is as before then.
#[inline]
pub fn push<T>(list: &mut KVVec<T>, value: T) -> bool {
    list.push(value, flags()).is_ok()
}

/// Adds bytes to the end of a list. False without memory: the list is as before then.
#[inline]
pub fn append(list: &mut KVVec<u8>, bytes: &[u8]) -> bool {
    list.extend_from_slice(bytes, flags()).is_ok()
}

/// A list with room for so many; `None` without memory.
#[inline]
pub fn room<T>(count: usize) -> Option<KVVec<T>> {
    KVVec::with_capacity(count, flags()).ok()
}
