// SPDX-License-Identifier: GPL-2.0

//! Data that every possible CPU has its own of, and changes without a lock.

use super::{
    bindings,
    context::Process,
    lock::Exclusive,
    percpu::{possible_cpus, ThisCpu},
};
use core::{
    cell::{Cell, UnsafeCell},
    ffi::c_void,
    ptr::NonNull,
    sync::atomic::{compiler_fence, Ordering::SeqCst},
};
use kernel::prelude::*;

/// The part of a CPU.
struct Part<T> {
    /// Somebody has the value.
    busy: Cell<bool>,
    value: UnsafeCell<Option<T>>,
}

impl<T> Part<T> {
    /// Does something with the value, unless somebody else is at it.
    ///
    /// # Safety
    ///
    /// Who else uses the part meanwhile does so in an interrupt of the caller, which ends before the caller goes on.
    #[inline(always)]
    unsafe fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        if self.busy.replace(true) {
            return None;
        }
        compiler_fence(SeqCst);
        // SAFETY: whoever comes in between finds the part busy, as that ends before this goes on.
        let value = unsafe { &mut *self.value.get() };
        let result = value.as_mut().map(f);
        compiler_fence(SeqCst);
        self.busy.set(false);
        result
    }
}

/// A `T` for every possible CPU. Packets change that of the CPU they are on, without a lock; commands change each of them,
/// on its CPU.
///
/// # Invariants
///
/// `base` is a per-CPU allocation of parts, owned by this value, all of which are initialised. A part is used on its CPU
/// by who stays there; or, of a CPU that is offline and stays so, by who has `visits`.
pub struct CpuCell<T: Send> {
    base: NonNull<Part<T>>,
    visits: Exclusive<()>,
}

// SAFETY: a part goes from CPU to CPU only as `T` may.
unsafe impl<T: Send> Send for CpuCell<T> {}
// SAFETY: nobody shares a part with another CPU, by the type's invariants.
unsafe impl<T: Send> Sync for CpuCell<T> {}

impl<T: Send> CpuCell<T> {
    /// Makes a value for each CPU. Sleeps.
    pub fn new(_process: &Process, mut make: impl FnMut(u32) -> Result<T>) -> Result<Self> {
        let visits = Exclusive::new(())?;
        // SAFETY: size and alignment are those of a type.
        let base =
            unsafe { bindings::lana_percpu_alloc(size_of::<Part<T>>(), align_of::<Part<T>>()) };
        let base: NonNull<Part<T>> = NonNull::new(base.cast()).ok_or(ENOMEM)?;
        for cpu in possible_cpus() {
            let part = Part {
                busy: Cell::new(false),
                value: UnsafeCell::new(None),
            };
            // SAFETY: it is the memory of that CPU's part, and nobody has seen it yet.
            unsafe { Self::part(base, cpu).write(part) };
        }
        // INVARIANT: so all are initialised.
        let cell = Self { base, visits };
        for cpu in possible_cpus() {
            let value = make(cpu)?;
            // SAFETY: nobody else has seen it yet.
            unsafe { *(*Self::part(base, cpu).as_ptr()).value.get() = Some(value) };
        }
        Ok(cell)
    }

    /// The part of a possible CPU.
    fn part(base: NonNull<Part<T>>, cpu: u32) -> NonNull<Part<T>> {
        // SAFETY: `base` is a per-CPU allocation and the CPU is possible.
        let part = unsafe { bindings::lana_percpu_ptr(base.as_ptr().cast(), cpu) };
        NonNull::new(part.cast()).unwrap_or(base)
    }

    /// Does something with the value of the CPU that the caller runs on. None where somebody on this CPU is at it: who
    /// calls this in the function.
    #[inline(always)]
    pub fn with<R>(&self, cpu: ThisCpu, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        // SAFETY: by the type's invariants, and those of `ThisCpu`, it is the live part of this CPU.
        let part = unsafe { &*self.base.as_ptr().wrapping_byte_add(cpu.offset()) };
        // SAFETY: the caller stays on this CPU, so others can only come in between by an interrupt.
        unsafe { part.with(f) }
    }

    /// Does something with the value of a CPU, on that CPU; packets wait there meanwhile. None where there is no such CPU.
    /// Sleeps, but the function must not.
    pub fn visit<R: Send>(
        &self,
        cpu: u32,
        process: &Process,
        f: impl FnOnce(&mut T) -> R + Send,
    ) -> Option<R> {
        if !possible_cpus().any(|possible| possible == cpu) {
            return None;
        }
        let part = Self::part(self.base, cpu);
        let visit = Visit {
            // SAFETY: by the type's invariants it is a live part.
            part: unsafe { part.as_ref() },
            f: Some(f),
            result: None,
        };
        self.visits.with(process, |()| visit.run(cpu))
    }

    /// The numbers of the CPUs.
    pub fn cpus() -> impl Iterator<Item = u32> {
        possible_cpus()
    }
}

impl<T: Send> Drop for CpuCell<T> {
    fn drop(&mut self) {
        for cpu in possible_cpus() {
            // SAFETY: all parts are initialised, and nobody else uses them any more.
            unsafe { Self::part(self.base, cpu).drop_in_place() };
        }
        // SAFETY: this value owns the allocation.
        unsafe { bindings::free_percpu(self.base.as_ptr().cast()) };
    }
}

/// What is done on another CPU.
struct Visit<'a, T, F, R> {
    part: &'a Part<T>,
    f: Option<F>,
    result: Option<R>,
}

impl<T: Send, F: FnOnce(&mut T) -> R + Send, R: Send> Visit<'_, T, F, R> {
    /// For who has the right to visit.
    fn run(mut self, cpu: u32) -> Option<R> {
        /// # Safety
        ///
        /// Called by `lana_on_cpu()` in [`Visit::run`], with what is given there.
        unsafe extern "C" fn there<T, F: FnOnce(&mut T) -> R, R>(data: *mut c_void) {
            // SAFETY: the caller of `run` waits for this function.
            let visit = unsafe { &mut *data.cast::<Visit<'_, T, F, R>>() };
            if let Some(f) = visit.f.take() {
                // SAFETY: bottom halves are off, so nobody leaves this CPU; if it is another one, its own is offline.
                visit.result = unsafe { visit.part.with(f) };
            }
        }
        // SAFETY: this context may sleep, and there is one caller at a time. The function and its result may go to
        // another CPU.
        unsafe {
            bindings::lana_on_cpu(cpu, Some(there::<T, F, R>), (&raw mut self).cast());
        }
        self.result
    }
}
