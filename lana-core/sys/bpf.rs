// SPDX-License-Identifier: GPL-2.0

//! BPF programs, classic ones and socket filters that are pinned, run by the kernel's machine (compiled to native code
//! where it can).
//!
//! C header: [`include/linux/filter.h`](srctree/include/linux/filter.h)

use super::{bindings, context::Process, skb::Skb};
use core::{ptr, ptr::NonNull};
use kernel::{
    error::{from_err_ptr, to_result},
    prelude::*,
};

/// An instruction of classic BPF, as `struct sock_filter` has it.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Insn {
    /// Operation.
    pub code: u16,
    /// Offset of the jump when true.
    pub jt: u8,
    /// Offset of the jump when false.
    pub jf: u8,
    /// Operand.
    pub k: u32,
}

/// A program that the kernel has checked.
///
/// # Invariants
///
/// The pointer is a live program, a classic one of its own, or a socket filter with a reference of its own.
pub struct Program(NonNull<bindings::bpf_prog>);

// SAFETY: a program is immutable; running it takes the packet exclusively.
unsafe impl Send for Program {}
// SAFETY: a program is immutable, so several CPUs may run it at once.
unsafe impl Sync for Program {}

impl Program {
    /// Has the kernel check and compile a program. Sleeps. `EINVAL` for one that it does not
    /// accept.
    pub fn new(insns: &[Insn], _process: &Process) -> Result<Self> {
        let mut fprog = bindings::sock_fprog_kern {
            len: u16::try_from(insns.len()).map_err(|_| EINVAL)?,
            filter: insns.as_ptr().cast_mut().cast(),
        };
        let mut prog = ptr::null_mut();
        // SAFETY: `Insn` has the layout of `struct sock_filter`; the kernel copies the array
        // and does not write to it.
        to_result(unsafe { bindings::bpf_prog_create(&raw mut prog, &raw mut fprog) })?;
        // INVARIANT: the program is ours.
        NonNull::new(prog).map(Self).ok_or(ENOMEM)
    }

    /// The eBPF program that is pinned at this path in a BPF file system, a socket filter. It runs as it is even if
    /// the path goes. `ENOENT` where nothing is there, `EACCES` and `EPERM` where it is no program or may not be read,
    /// `EINVAL` where it is no socket filter, `EOPNOTSUPP` in a kernel without such programs. Sleeps.
    pub fn pinned(path: &CStr, _process: &Process) -> Result<Self> {
        // SAFETY: the path is a text that ends with NUL; looking it up may sleep, and so may this context.
        let prog = from_err_ptr(unsafe { bindings::lana_bpf_pinned(path.as_char_ptr()) })?;
        // INVARIANT: the reference to the program is ours.
        NonNull::new(prog).map(Self).ok_or(ENOENT)
    }

    /// How many instructions the kernel has made of it.
    pub fn instructions(&self) -> u32 {
        // SAFETY: the program is live.
        unsafe { bindings::lana_bpf_len(self.0.as_ptr()) }
    }

    /// The number by which `bpftool prog` knows it; 0 for a classic program.
    pub fn id(&self) -> u32 {
        // SAFETY: the program is live.
        unsafe { bindings::lana_bpf_id(self.0.as_ptr()) }
    }

    /// Runs the program over a packet from its first byte on; the answer is how many bytes to
    /// keep, 0 being none. Softirq context.
    #[inline]
    pub fn run(&self, packet: &mut Skb) -> u32 {
        // SAFETY: the program is live, and only reads the packet, which nobody else changes now. A socket filter may
        // write to the packet's control block, which is restored.
        unsafe { bindings::lana_bpf_run(self.0.as_ptr(), packet.as_ptr()) }
    }

    /// For who runs it on something else.
    #[inline]
    pub(super) fn as_ptr(&self) -> *mut bindings::bpf_prog {
        self.0.as_ptr()
    }

    /// Whether it runs as native code.
    pub fn is_jited(&self) -> bool {
        // SAFETY: the program is live.
        unsafe { bindings::lana_bpf_jited(self.0.as_ptr()) }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: the program, or the reference to it, is ours, and who drops it has waited for its readers.
        unsafe { bindings::bpf_prog_destroy(self.0.as_ptr()) };
    }
}
