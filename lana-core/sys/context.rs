// SPDX-License-Identifier: GPL-2.0

//! Process context: where code may sleep.

use super::bindings;
use kernel::types::NotThreadSafe;

/// Evidence of process context: what sleeps asks for it, so that no packet handler can do it.
pub struct Process(NotThreadSafe);

impl Process {
    /// Made by the control side, which runs in process context.
    pub(crate) fn new() -> Self {
        Self(NotThreadSafe)
    }
}

impl Process {
    /// Whether the process may configure the network of the host: root of a user namespace may not.
    pub(crate) fn is_admin(&self) -> bool {
        // SAFETY: process context, as the value says.
        unsafe { bindings::lana_is_admin() }
    }
}

/// The machine's memory.
pub mod memory {
    use super::{bindings, Process};

    /// How many bytes of memory can be allocated, as far as the kernel can tell, before programs suffer. For who would
    /// allocate much.
    pub fn available(_process: &Process) -> u64 {
        // SAFETY: no preconditions.
        unsafe { bindings::lana_mem_available() }
    }
}

/// Lets others run that wait for this CPU: for loops that are as long as a request makes them.
pub(crate) fn cond_resched(_: &Process) {
    // SAFETY: process context, which the argument is the evidence of.
    unsafe { bindings::lana_cond_resched() };
}

/// Does something that a softirq of this CPU is not to come in between of. Process context.
pub(crate) fn without_softirqs<R>(f: impl FnOnce() -> R) -> R {
    // SAFETY: enabled again below; `f` is ours, and does not sleep.
    unsafe { bindings::lana_bh_disable() };
    let result = f();
    // SAFETY: disabled above.
    unsafe { bindings::lana_bh_enable() };
    result
}
