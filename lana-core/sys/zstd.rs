// SPDX-License-Identifier: GPL-2.0

//! Compression of packets: zstd by the kernel's library, which allocates nothing when packets come.
//!
//! C header: [`include/linux/zstd.h`](srctree/include/linux/zstd.h)

use super::{bindings, context::Process, percpu::ThisCpu};
use core::{ops::Range, ptr::NonNull};
use kernel::prelude::*;

/// What compresses and decompresses, on each CPU by itself.
///
/// # Invariants
///
/// The pointer is a live `lana_zstd` of this value's own.
pub struct Zstd(NonNull<bindings::lana_zstd>);

// SAFETY: what it has is per CPU, and any context that may sleep may free it.
unsafe impl Send for Zstd {}
// SAFETY: what it has is per CPU: each uses its own, and refuses whoever comes in between.
unsafe impl Sync for Zstd {}

impl Zstd {
    /// The longest that a result can be, in bytes.
    pub const MOST: u32 = bindings::LANA_ZSTD_MOST;

    /// Whether this kernel has the library: `CONFIG_ZSTD_COMPRESS` and `CONFIG_ZSTD_DECOMPRESS`.
    pub fn is_there() -> bool {
        // SAFETY: no preconditions.
        unsafe { bindings::lana_zstd_there() }
    }

    /// Allocates what it takes for a level of compression: hundreds of KiB for each possible CPU. Sleeps.
    pub fn new(level: i32, _process: &Process) -> Result<Self> {
        // SAFETY: this context may sleep.
        let zstd = unsafe { bindings::lana_zstd_new(level) };
        // INVARIANT: it is new.
        NonNull::new(zstd).map(Self).ok_or(ENOMEM)
    }

    fn run(
        &self,
        compress: bool,
        bytes: &mut [u8],
        from: Range<usize>,
        to: Range<usize>,
    ) -> Option<usize> {
        let (room, len) = (bytes.get(to.clone())?.len(), bytes.get(from.clone())?.len());
        let (room, len) = (u32::try_from(room).ok()?, u32::try_from(len).ok()?);
        let start = bytes.as_mut_ptr();
        let (from, to) = (start.wrapping_add(from.start), start.wrapping_add(to.start));
        // SAFETY: both parts are in the slice, which is borrowed exclusively, and may overlap. By the type's invariants
        // there is what compresses; the callers have evidence that this code stays on its CPU.
        let done =
            unsafe { bindings::lana_zstd_run(self.0.as_ptr(), compress, from, len, to, room) };
        (done != 0).then_some(done as usize)
    }

    /// Compresses a part of `bytes` into a part of them, which may overlap: how long the result is. None where it has no
    /// room, or a part is not in `bytes`; then they are as they were.
    pub fn compress(
        &self,
        bytes: &mut [u8],
        from: Range<usize>,
        to: Range<usize>,
        _cpu: ThisCpu,
    ) -> Option<usize> {
        self.run(true, bytes, from, to)
    }

    /// Decompresses a part of `bytes` into a part of them, which may overlap: how long the result is. None where it has no
    /// room, or is empty; where `from` is not a zstd frame and nothing else, or a part is not in `bytes`. Then they are as
    /// they were.
    pub fn decompress(
        &self,
        bytes: &mut [u8],
        from: Range<usize>,
        to: Range<usize>,
        _cpu: ThisCpu,
    ) -> Option<usize> {
        self.run(false, bytes, from, to)
    }
}

impl Drop for Zstd {
    fn drop(&mut self) {
        // SAFETY: by the invariants it is ours, and nobody uses it any more.
        unsafe { bindings::lana_zstd_free(self.0.as_ptr()) };
    }
}
