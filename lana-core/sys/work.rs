// SPDX-License-Identifier: GPL-2.0

//! Work that a block has beside its packets.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use super::{bindings, context::Process};
use core::{cell::UnsafeCell, ffi::c_void, marker::PhantomData, mem::ManuallyDrop, ptr::NonNull};
use kernel::prelude::*;

/// What a [`Worker`] does.
pub trait Chore: Send + 'static {
    /// Does some of the work: what there is to do now. After how many nanoseconds there may be more; none where somebody
    /// [says so](Worker::kick). Process context, may sleep.
    fn run(&mut self, process: &Process) -> Option<u64>;

    /// Does what is left, as the worker goes. Process context, may sleep.
    fn end(&mut self, process: &Process) {
        let _ = process;
    }
}

/// Does work in process context, off the way of packets. When it is dropped, the work ends. A chore that drops its own
/// worker has run for the last time, and is leaked: it must not.
///
/// # Invariants
///
/// `raw` is a live `lana_work` of this value's own, which gives `chore` to [`run`]: one call at a time, and none after it
/// was freed. Nobody else uses the chore until then.
pub struct Worker<C: Chore> {
    raw: NonNull<bindings::lana_work>,
    chore: ManuallyDrop<Pin<KBox<UnsafeCell<C>>>>,
    _chore: PhantomData<C>,
}

// SAFETY: of the chore nothing is given out, and the work may be wanted and freed on any CPU.
unsafe impl<C: Chore> Send for Worker<C> {}
// SAFETY: of the chore nothing is given out, and the work may be wanted on several CPUs at once.
unsafe impl<C: Chore> Sync for Worker<C> {}

/// The work runs.
///
/// # Safety
///
/// Called in process context with the chore of a live [`Worker`], once at a time.
unsafe extern "C" fn run<C: Chore>(data: *mut c_void) -> u64 {
    // SAFETY: by the type's invariants nobody else uses the chore meanwhile.
    let chore = unsafe { &mut *data.cast::<C>() };
    chore.run(&Process::new()).unwrap_or(u64::MAX)
}

impl<C: Chore> Worker<C> {
    /// A worker, which begins when somebody [says so](Self::kick). Sleeps.
    pub fn new(chore: C, _process: &Process) -> Result<Self> {
        let chore = KBox::pin(UnsafeCell::new(chore), GFP_KERNEL)?;
        // SAFETY: this context may sleep. The chore is given to `run` alone.
        let raw = unsafe { bindings::lana_work_new(Some(run::<C>), chore.get().cast()) };
        // INVARIANT: it is new.
        Ok(Self {
            raw: NonNull::new(raw).ok_or(ENOMEM)?,
            chore: ManuallyDrop::new(chore),
            _chore: PhantomData,
        })
    }

    /// Has it work now. Any context.
    pub fn kick(&self) {
        // SAFETY: the work is live, as only `drop()` frees it.
        unsafe { bindings::lana_work_kick(self.raw.as_ptr()) };
    }
}

impl<C: Chore> Drop for Worker<C> {
    fn drop(&mut self) {
        // SAFETY: the work is ours. Blocks are dropped where they may sleep.
        if !unsafe { bindings::lana_work_free(self.raw.as_ptr()) } {
            pr_err!("a chore has dropped its worker\n");
            return;
        }
        // SAFETY: `lana_work_free()` has waited for its end, and nobody else can start it: the value is ours alone.
        let chore = unsafe { &mut *self.chore.get() };
        chore.end(&Process::new());
        // SAFETY: this is `drop()`, which uses it no more.
        unsafe { ManuallyDrop::drop(&mut self.chore) };
    }
}
