// SPDX-License-Identifier: GPL-2.0

//! RCU: the evidence of being a reader, grace periods, and a cell that readers see whole.
//!
//! C header: [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h)

use super::bindings;
use crate::block::Process;
use core::{cell::UnsafeCell, marker::PhantomData, ptr};
use kernel::{
    prelude::*,
    sync::{
        barrier::{smp_mb, Write},
        new_mutex, Mutex,
    },
    types::NotThreadSafe,
};

/// Evidence that the caller is in an RCU read-side section that lasts for `'r`.
#[derive(Clone, Copy)]
pub struct Reader<'r>(PhantomData<(&'r (), NotThreadSafe)>);

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

/// A moment, whose readers can be waited for.
#[derive(Clone, Copy)]
pub(crate) struct Moment(usize);

impl Moment {
    /// This moment.
    pub(crate) fn now() -> Self {
        // SAFETY: no preconditions.
        Self(unsafe { bindings::lana_rcu_state() })
    }

    /// Waits until all sections that had begun at the moment have ended; at once when they have.
    /// Sleeps.
    pub(crate) fn wait(self) {
        // SAFETY: process context; the value comes from `lana_rcu_state()`.
        unsafe { bindings::lana_rcu_wait(self.0) };
    }
}

/// A value, or none, that readers see either before or after a change.
#[pin_data(PinnedDrop)]
pub struct RcuCell<T: Send + Sync> {
    /// Null, or a leaked `KBox`.
    value: UnsafeCell<*mut T>,
    #[pin]
    writers: Mutex<()>,
}

// SAFETY: the value is shared among readers and dropped by whichever writer replaces it.
unsafe impl<T: Send + Sync> Sync for RcuCell<T> {}
// SAFETY: the value is owned, and `Send`.
unsafe impl<T: Send + Sync> Send for RcuCell<T> {}

impl<T: Send + Sync> RcuCell<T> {
    /// A cell with no value.
    pub fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            value: UnsafeCell::new(ptr::null_mut()),
            writers <- new_mutex!((), "lana::RcuCell"),
        })
    }

    /// The value, for as long as the read-side section lasts.
    #[inline]
    pub fn get<'r>(&'r self, _reader: Reader<'r>) -> Option<&'r T> {
        // SAFETY: volatile, as readers and the writer may meet; the address dependency orders
        // the reads of the value after this one, as in `rcu_dereference()`.
        let value = unsafe { self.value.get().read_volatile() };
        // SAFETY: what a reader finds here is freed a grace period after it was taken out.
        unsafe { value.as_ref() }
    }

    /// Looks at the value outside of a read-side section. Sleeps.
    pub fn with<R>(&self, _process: &Process, look: impl FnOnce(Option<&T>) -> R) -> R {
        let _writer = self.writers.lock();
        // SAFETY: only a writer changes the pointer, and the lock keeps others out.
        look(unsafe { (*self.value.get()).as_ref() })
    }

    /// Puts another value in place, waits for the readers of the old one and drops it. Sleeps.
    pub fn replace(&self, new: Option<KBox<T>>, _process: &Process) {
        let new = new.map_or(ptr::null_mut(), KBox::into_raw);
        let old = {
            let _writer = self.writers.lock();
            // The value is complete before the pointer to it is seen.
            smp_mb(Write);
            // SAFETY: the lock makes this the only writer.
            let old = unsafe { self.value.get().read() };
            // SAFETY: as above; volatile, since readers look at the same time.
            unsafe { self.value.get().write_volatile(new) };
            old
        };
        if !old.is_null() {
            Moment::now().wait();
            // SAFETY: it came out of `KBox::into_raw()` and no reader is left.
            drop(unsafe { KBox::from_raw(old) });
        }
    }
}

#[pinned_drop]
impl<T: Send + Sync> PinnedDrop for RcuCell<T> {
    fn drop(self: Pin<&mut Self>) {
        let value = *self.project().value.get_mut();
        if !value.is_null() {
            // SAFETY: it came out of `KBox::into_raw()`; a cell that is dropped has no readers.
            drop(unsafe { KBox::from_raw(value) });
        }
    }
}
