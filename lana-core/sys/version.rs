// SPDX-License-Identifier: GPL-2.0

//! Versions of the wiring: a graph has two banks, of which one is live. A packet reads once which one, and goes by that
//! to its end.

use super::rcu::Reader;
use core::{
    arch::asm,
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

/// The version of the wiring that one packet goes by: one of the two banks.
///
/// # Invariants
///
/// The bank is 0 or 1. It was live at some moment of the read-side section that `'r` is, and is not written to
/// before that section ends.
#[derive(Clone, Copy)]
pub(crate) struct Version<'r> {
    bank: usize,
    section: PhantomData<Reader<'r>>,
}

impl<'r> Version<'r> {
    /// The read-side section that it is of.
    #[inline]
    pub(crate) fn reader(self) -> Reader<'r> {
        // SAFETY: by the type's invariants `'r` is such a section.
        unsafe { Reader::new() }
    }

    /// What is read by it of what is there for both banks.
    ///
    /// # Safety
    ///
    /// Nobody writes to the bank that is live, nor to the other one before all sections have ended in which it was.
    #[inline]
    pub(super) unsafe fn read<T>(self, banks: &'r [UnsafeCell<T>; 2]) -> &'r T {
        let [even, odd] = banks;
        let bank = match self.bank {
            0 => even,
            _ => {
                // The processor guesses a branch: so what follows does not wait for the number. Compilers would work
                // the address out of it; this they cannot leave out.
                // SAFETY: no instruction.
                unsafe { asm!("", options(nomem, nostack, preserves_flags)) };
                odd
            }
        };
        // SAFETY: by the type's invariants the bank was live in the section `'r`, in which, as the caller says, nobody
        // writes to it.
        unsafe { &*bank.get() }
    }
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

// SAFETY: readers only read the live bank, and the one writer only writes the standby bank, when no reader has it any more.
unsafe impl<X: Send + Sync> Sync for LiveVersion<X> {}

impl<X> LiveVersion<X> {
    pub(crate) fn new() -> Self {
        Self {
            number: AtomicUsize::new(0),
            beside: [const { UnsafeCell::new(None) }; 2],
        }
    }

    /// What belongs to a version beside its slots.
    pub(crate) fn beside<'r>(&'r self, version: Version<'r>) -> Option<&'r X> {
        // SAFETY: by the invariants of `Wiring`, which alone writes here, no packet reads a bank that it writes to.
        unsafe { version.read(&self.beside) }.as_deref()
    }

    /// The version for a packet to go by.
    #[inline]
    pub(crate) fn read<'r>(&'r self, _reader: Reader<'r>) -> Version<'r> {
        // INVARIANT: the bank is live in the section; `Wiring` waits for the section's end.
        Version {
            bank: self.bank(),
            section: PhantomData,
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
