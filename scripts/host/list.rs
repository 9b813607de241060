// SPDX-License-Identifier: GPL-2.0

//! Lists, in place of those of the core. Here there is always memory.

/// Adds to the end of a list.
pub fn push<T>(list: &mut Vec<T>, value: T) -> bool {
    list.push(value);
    true
}

/// Adds bytes to the end of a list.
pub fn append(list: &mut Vec<u8>, bytes: &[u8]) -> bool {
    list.extend_from_slice(bytes);
    true
}

/// A list with room for so many.
#[must_use]
pub fn room<T>(count: usize) -> Option<Vec<T>> {
    Some(Vec::with_capacity(count))
}
