// SPDX-License-Identifier: GPL-2.0

//! The lowest floor: what is pure, and knows neither the kernel's C side nor anything else of ours.

pub(crate) mod address;
pub(crate) mod checksum;
pub(crate) mod error;
pub(crate) mod headers;
pub(crate) mod heap;
pub(crate) mod name;
pub(crate) mod option;
pub(crate) mod port;
pub(crate) mod prefixes;
pub(crate) mod schedule;
pub(crate) mod siphash;
pub(crate) mod units;

/// What lists are made of, here and where the tests run.
pub(crate) type List<T> = kernel::alloc::KVVec<T>;

/// What it comes to where there is no memory.
pub(crate) use kernel::alloc::AllocError as NoMemory;

/// Adds an item to a list. Sleeps.
pub(crate) fn try_push<T>(list: &mut List<T>, item: T) -> Result<(), NoMemory> {
    list.push(item, kernel::alloc::flags::GFP_KERNEL)
}

/// A list with room for so many items. Sleeps.
pub(crate) fn try_room<T>(count: usize) -> Result<List<T>, NoMemory> {
    List::with_capacity(count, kernel::alloc::flags::GFP_KERNEL)
}
