// SPDX-License-Identifier: GPL-2.0

//! Kernel modules as owners of code: pinning them, asking for them.

use super::bindings;
use core::ffi::CStr;
use kernel::{error::to_result, prelude::*, str::CString, ThisModule};

/// A module whose code something in the core points to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner(*mut bindings::module);

// SAFETY: the pointer is only handed to C functions that may be called from anywhere.
unsafe impl Send for Owner {}
// SAFETY: the pointer is only handed to C functions that may be called from anywhere, by several at once.
unsafe impl Sync for Owner {}

impl Owner {
    /// The owner that a module's own `init` is given.
    #[inline(always)] // It is called in the block's module, which finds no private function of ours.
    pub(crate) fn new(module: &'static ThisModule) -> Self {
        Self(module.as_ptr().cast())
    }

    /// A module that C names.
    ///
    /// # Safety
    ///
    /// The module's code is there for as long as the value.
    pub(crate) unsafe fn from_raw(module: *mut bindings::module) -> Self {
        Self(module)
    }

    /// The module.
    pub(crate) fn as_ptr(&self) -> *mut bindings::module {
        self.0
    }

    /// The name of the module.
    pub(crate) fn name(&self) -> &CStr {
        // SAFETY: a `ThisModule` outlives its registrations, which is where owners are kept.
        unsafe { CStr::from_char_ptr(bindings::lana_module_name(self.0)) }
    }

    /// Whether its init runs.
    pub(crate) fn is_coming(&self) -> bool {
        // SAFETY: a `ThisModule` is given to code of the module, which runs now.
        unsafe { bindings::lana_module_coming(self.0) }
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

/// Hears of modules that go; dropping it ends that.
pub(crate) struct Watch(());

impl Watch {
    /// Begins to listen. Sleeps.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: what it calls is the function of `module_gone!`.
        to_result(unsafe { bindings::lana_module_watch() })?;
        Ok(Self(()))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // SAFETY: a value is only made where it has been registered, and there is no copy of it.
        unsafe { bindings::lana_module_unwatch() };
    }
}

/// What is called with a module that has ended, or whose init has failed. Said once in the crate, as it
/// defines the function that C calls.
macro_rules! module_gone {
    ($gone:path) => {
        /// # Safety
        ///
        /// Called in process context with a module whose code is still there.
        #[no_mangle]
        unsafe extern "C" fn lana_module_gone(module: *mut $crate::sys::bindings::module) {
            // SAFETY: the contract is the same.
            $gone(unsafe { $crate::sys::module::Owner::from_raw(module) });
        }
    };
}
pub(crate) use module_gone;
