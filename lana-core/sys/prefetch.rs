// SPDX-License-Identifier: GPL-2.0

//! Hints to the processor.

/// Says that a value will soon be needed: its first cache line is on its way from memory while the caller does something else. Any
/// context.
#[inline(always)]
pub fn prefetch<T>(value: &T) {
    prefetch_line(core::ptr::from_ref(value));
}

/// The same of all its cache lines.
#[inline(always)]
pub(crate) fn prefetch_all<T>(value: *const T) {
    /// Bytes of a line; where one has more, a hint comes twice.
    const LINE: usize = 64;
    for from in (0..size_of::<T>()).step_by(LINE) {
        prefetch_line(value.wrapping_byte_add(from));
    }
}

#[inline(always)]
fn prefetch_line<T>(address: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint. It reads nothing that anyone sees, and does not fault.
    unsafe {
        core::arch::asm!("prefetcht0 [{}]", in(reg) address, options(readonly, nostack, preserves_flags));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: a hint. It reads nothing that anyone sees, and does not fault.
    unsafe {
        core::arch::asm!("prfm pldl1keep, [{}]", in(reg) address, options(readonly, nostack, preserves_flags));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = address;
}
