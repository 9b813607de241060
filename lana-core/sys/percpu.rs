// SPDX-License-Identifier: GPL-2.0

//! Data that every possible CPU has a copy of, and the counters that live in it.
//!
//! C header: [`include/linux/percpu.h`](srctree/include/linux/percpu.h)

use super::{bindings, context::Process};
use core::{cell::UnsafeCell, marker::PhantomData, ptr::NonNull};
use kernel::{cpu::nr_cpu_ids, prelude::*, types::NotThreadSafe};
use pin_init::Zeroable;

/// Evidence that the caller stays on its CPU, and where that CPU's copies are.
///
/// # Invariants
///
/// The holder does not migrate while the value exists; [`Self::offset`] added to the base of a per-CPU
/// allocation is the copy of the CPU it runs on.
#[derive(Clone, Copy)]
pub struct ThisCpu {
    /// A kernel for one CPU has one copy, at the base.
    #[cfg(CONFIG_SMP)]
    offset: usize,
    _not_send: PhantomData<NotThreadSafe>,
}

impl ThisCpu {
    /// Says that the caller stays where it is.
    ///
    /// # Safety
    ///
    /// Preemption or bottom halves are off for as long as the value is used.
    #[inline]
    pub(crate) unsafe fn new() -> Self {
        // SAFETY: preemption or bottom halves are off, as the caller says; else the offset may not even be
        // read.
        unsafe { Self::at(bindings::lana_this_cpu_offset()) }
    }

    /// What, added to the base of a per-CPU allocation, gives this CPU's copy.
    #[inline(always)]
    pub(super) fn offset(self) -> usize {
        #[cfg(CONFIG_SMP)]
        return self.offset;
        #[cfg(not(CONFIG_SMP))]
        0
    }

    /// The same where the offset has been read already.
    ///
    /// # Safety
    ///
    /// As for `new`, and `offset` is what `lana_this_cpu_offset()` gives.
    #[inline]
    #[cfg_attr(not(CONFIG_SMP), expect(unused_variables, reason = "it is 0"))]
    pub(crate) unsafe fn at(offset: usize) -> Self {
        // INVARIANT: the caller does not migrate, so the offset stays this CPU's.
        Self {
            #[cfg(CONFIG_SMP)]
            offset,
            _not_send: PhantomData,
        }
    }
}

/// A `T` for every possible CPU, zeroed at first.
///
/// # Invariants
///
/// `base` is a per-CPU allocation of `T`s, initialised by zeroes, owned by this value.
pub struct PerCpu<T: Zeroable + Sync> {
    base: NonNull<T>,
}

// SAFETY: a `PerCpu` gives out shared references only, and `T` is `Sync`.
unsafe impl<T: Zeroable + Sync> Send for PerCpu<T> {}
// SAFETY: a `PerCpu` gives out shared references only, and `T` is `Sync`.
unsafe impl<T: Zeroable + Sync> Sync for PerCpu<T> {}

impl<T: Zeroable + Sync> PerCpu<T> {
    const NO_DROP: () = assert!(!core::mem::needs_drop::<T>());

    /// Allocates the copies. Sleeps.
    pub fn new(_process: &Process) -> Result<Self> {
        let () = Self::NO_DROP;
        // SAFETY: size and alignment are those of a type.
        let base = unsafe { bindings::lana_percpu_alloc(size_of::<T>(), align_of::<T>()) };
        // INVARIANT: the per-CPU allocator gives zeroed memory, which `T: Zeroable` accepts.
        let base = NonNull::new(base.cast()).ok_or(ENOMEM)?;
        Ok(Self { base })
    }

    /// The copy of the CPU the caller runs on.
    #[inline]
    pub fn this(&self, cpu: ThisCpu) -> &T {
        // SAFETY: the allocation is this value's.
        unsafe { Self::this_of(self.base, cpu) }
    }

    /// Where the allocation is, for who would save the load of it.
    pub(crate) fn base(&self) -> NonNull<T> {
        self.base
    }

    /// The copy, in the allocation at `base`, of the CPU the caller runs on.
    ///
    /// # Safety
    ///
    /// `base` is that of a `PerCpu` that lives for `'a`.
    #[inline]
    pub(crate) unsafe fn this_of<'a>(base: NonNull<T>, cpu: ThisCpu) -> &'a T {
        // SAFETY: the caller's `base` lives for `'a`; with the offset, by `ThisCpu`'s invariants, it is the
        // address of a live `T`.
        unsafe { &*base.as_ptr().wrapping_byte_add(cpu.offset()) }
    }

    /// The copies of all possible CPUs, with the numbers of the CPUs.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        possible_cpus().filter_map(|cpu| Some((cpu, self.of(cpu)?)))
    }

    /// That of a CPU, where there can be one of this number.
    pub(crate) fn of(&self, cpu: u32) -> Option<&T> {
        // SAFETY: no preconditions below `nr_cpu_ids`, which is looked at first.
        if cpu >= nr_cpu_ids() || !unsafe { bindings::lana_cpu_possible(cpu) } {
            return None;
        }
        // SAFETY: `base` is a per-CPU allocation and the CPU is possible.
        let copy = unsafe { bindings::lana_percpu_ptr(self.base.as_ptr().cast(), cpu) };
        // SAFETY: `copy` is that CPU's live `T`, shared like all of them.
        Some(unsafe { &*copy.cast::<T>() })
    }
}

impl<T: Zeroable + Sync> Drop for PerCpu<T> {
    fn drop(&mut self) {
        // SAFETY: this value owns the allocation, and `T` needs no drop.
        unsafe { bindings::free_percpu(self.base.as_ptr().cast()) };
    }
}

/// The numbers of the CPUs that this kernel can ever run on.
pub(super) fn possible_cpus() -> impl Iterator<Item = u32> {
    // SAFETY: no preconditions below `nr_cpu_ids`.
    (0..nr_cpu_ids()).filter(|&cpu| unsafe { bindings::lana_cpu_possible(cpu) })
}

/// A number in per-CPU data: one writer at a time changes it, most often its CPU, and all read it.
///
/// An access is one plain load or store that the compiler may not split or elide (what
/// `READ_ONCE()` and `WRITE_ONCE()` are); the atomics of the kernel crate would cost a call each
/// on the packet path. Another CPU's write can get lost, it cannot tear (64-bit kernels).
#[repr(transparent)]
pub struct Count(UnsafeCell<u64>);

// SAFETY: all accesses are volatile and of the machine's word size.
unsafe impl Sync for Count {}
// SAFETY: zero is a number.
unsafe impl Zeroable for Count {}

impl Count {
    /// Adds to the number; only its writer does.
    #[inline]
    pub fn add(&self, n: u64) {
        self.set(self.get().wrapping_add(n));
    }

    /// Sets the number; only its writer does.
    #[inline]
    pub fn set(&self, n: u64) {
        // SAFETY: the pointer is valid for writes; see `Sync`.
        unsafe { self.0.get().write_volatile(n) };
    }

    /// Reads the number, of any CPU.
    #[inline]
    pub fn get(&self) -> u64 {
        // SAFETY: the pointer is valid for reads; see `Sync`.
        unsafe { self.0.get().read_volatile() }
    }
}
