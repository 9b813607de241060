// SPDX-License-Identifier: GPL-2.0

//! RCU: the evidence of being a reader, and grace periods.
//!
//! C header: [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h)

use super::bindings;
use core::marker::PhantomData;
use kernel::{sync::rcu, types::NotThreadSafe};

/// Evidence that the caller is in an RCU read-side section that lasts for `'r`.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'r>(PhantomData<(&'r (), NotThreadSafe)>);

impl<'r> Reader<'r> {
    /// Says that the caller is a reader.
    ///
    /// # Safety
    ///
    /// The caller is in a read-side section that does not end before `'r` does.
    #[inline]
    pub(crate) unsafe fn new() -> Self {
        Self(PhantomData)
    }
}

/// Does something in a read-side section. Any context.
pub(crate) fn read<R>(f: impl FnOnce(Reader<'_>) -> R) -> R {
    let _guard = rcu::read_lock();
    // SAFETY: the section lasts as long as the guard does, and `f` cannot keep the evidence.
    f(unsafe { Reader::new() })
}

/// A snapshot of RCU's state: who read when it was taken can be waited for.
#[derive(Clone, Copy)]
pub(crate) struct Snapshot(usize);

impl Snapshot {
    /// That of now.
    pub(crate) fn now() -> Self {
        // SAFETY: no preconditions.
        Self(unsafe { bindings::lana_rcu_state() })
    }

    /// Waits until all sections have ended that had begun when it was taken; at once when they have.
    /// Sleeps.
    pub(crate) fn wait(self) {
        // SAFETY: process context; the value comes from `lana_rcu_state()`.
        unsafe { bindings::lana_rcu_wait(self.0) };
    }
}
