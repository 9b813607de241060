// SPDX-License-Identifier: GPL-2.0

//! Kernel modules as owners of code: pinning them, asking for them.

use super::bindings;
use core::ffi::CStr;
use kernel::{prelude::*, str::CString, ThisModule};

/// A module whose code something in the core points to.
#[derive(Clone, Copy)]
pub struct Owner(*mut bindings::module);

// SAFETY: the pointer is only handed to C functions that may be called from anywhere.
unsafe impl Send for Owner {}
// SAFETY: as above.
unsafe impl Sync for Owner {}

impl Owner {
    /// The owner that a module's own `init` is given.
    pub fn new(module: &'static ThisModule) -> Self {
        Self(module.as_ptr().cast())
    }

    /// The module.
    pub(crate) fn as_ptr(&self) -> *mut bindings::module {
        self.0
    }

    /// The name of the module.
    pub fn name(&self) -> &CStr {
        // SAFETY: a `ThisModule` outlives its registrations, which is where owners are kept.
        unsafe { CStr::from_char_ptr(bindings::lana_module_name(self.0)) }
    }

    /// Keeps the module loaded; `None` when it is on its way out.
    pub(crate) fn pin(&self) -> Option<Pinned> {
        // SAFETY: a `ThisModule` outlives its registrations, which is where owners are kept.
        let got = unsafe { bindings::lana_module_get(self.0) };
        // INVARIANT: the reference was got. A `Pinned` must not exist where it was not, since to drop it
        // gives one back: so no `then_some`, which makes its value before it looks.
        got.then(|| Pinned(*self))
    }
}

/// Keeps a module loaded.
///
/// # Invariants
///
/// The value owns a reference to the module.
pub(crate) struct Pinned(Owner);

impl Drop for Pinned {
    fn drop(&mut self) {
        // SAFETY: by the type's invariant the reference is ours to give back.
        unsafe { bindings::lana_module_put(self.0 .0) };
    }
}

/// Asks user space for a module by its alias, `prefix` and `name` in a row. Sleeps for as long as
/// the loading takes, so no lock may be held. Whether it came is for the caller to see.
pub(crate) fn request(prefix: &CStr, name: &CString) {
    // SAFETY: both are NUL-terminated.
    unsafe { bindings::lana_request_module(prefix.as_char_ptr(), name.as_char_ptr()) };
}
