// SPDX-License-Identifier: GPL-2.0

//! Versions of the wiring: a graph has two banks, of which one is live. A packet reads once which one, and goes by that
//! to its end.

use super::rcu::Reader;
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    // Not the kernel crate's atomics: those are calls, and this is read for each packet. For an
    // acquire and a release, both memory models and both compilers agree.
    sync::atomic::{
        AtomicUsize,
        Ordering::{Acquire, Release},
    },
};
use kernel::sync::Arc;

/// The version of the wiring that one packet goes by. Which of the two banks that is stands in the type:
/// there are two versions of the code, too, and none of them has to work out where a hop is.
///
/// # Invariants
///
/// The bank was live at some moment of the read-side section that `'r` is, and is not written to
/// before that section ends.
#[derive(Clone, Copy)]
pub(crate) struct Version<'r, const BANK: usize>(PhantomData<Reader<'r>>);

impl<'r, const BANK: usize> Version<'r, BANK> {
    /// The read-side section that it is of.
    #[inline]
    pub(crate) fn reader(self) -> Reader<'r> {
        // SAFETY: by the type's invariants `'r` is such a section.
        unsafe { Reader::new() }
    }
}

/// The version that is live: of an even or an odd number.
pub(crate) enum Parity<'r> {
    Even(Version<'r, 0>),
    Odd(Version<'r, 1>),
}

/// A graph's version, as packets read it, and what belongs to it beside the slots.
///
/// # Invariants
///
/// The number is 0 or 1.
pub(crate) struct LiveVersion<X> {
    number: AtomicUsize,
    pub(super) beside: [UnsafeCell<Option<Arc<X>>>; 2],
}

// SAFETY: as with slots, readers only read the live bank, and the one writer only writes the standby bank.
unsafe impl<X: Send + Sync> Sync for LiveVersion<X> {}

impl<X> LiveVersion<X> {
    pub(crate) fn new() -> Self {
        Self {
            number: AtomicUsize::new(0),
            beside: [const { UnsafeCell::new(None) }; 2],
        }
    }

    /// What belongs to a version beside its slots.
    #[expect(clippy::indexing_slicing, reason = "the compiler checks the constant")]
    pub(crate) fn beside<'r, const BANK: usize>(
        &'r self,
        _version: Version<'r, BANK>,
    ) -> Option<&'r X> {
        // SAFETY: the version's bank is not written to while the version exists, by its invariants.
        unsafe { (*self.beside[BANK].get()).as_deref() }
    }

    /// The version for a packet to go by.
    #[inline]
    pub(crate) fn read<'r>(&'r self, _reader: Reader<'r>) -> Parity<'r> {
        // INVARIANT: the bank is live in the section; `Wiring` waits for the section's end.
        match self.bank() {
            0 => Parity::Even(Version(PhantomData)),
            _ => Parity::Odd(Version(PhantomData)),
        }
    }

    /// The bank that is live.
    pub(super) fn bank(&self) -> usize {
        // What is read of the bank is read after this: the writer releases what is acquired here.
        self.number.load(Acquire)
    }

    /// Makes the other bank the live one. For the writer, of whom there is one.
    pub(super) fn flip(&self) {
        // The banks are complete before the version that leads to them is seen.
        self.number.store(self.bank() ^ 1, Release);
    }
}
