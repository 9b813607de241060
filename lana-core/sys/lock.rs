// SPDX-License-Identifier: GPL-2.0

//! Locks: one that is there as long as the module, one for what packets and commands change, and one for processes.

use super::context::{without_softirqs, Process};
use kernel::{
    c_str,
    prelude::*,
    static_lock_class,
    str::CStr,
    sync::{LockClassKey, Mutex, SpinLock},
};

/// What lockdep knows locks by. Name and key are this module's: generic code belongs to the module that uses it, with a name
/// of its own, and lockdep wants one name for a key.
type Class = (&'static CStr, Pin<&'static LockClassKey>);

#[inline(never)]
fn locked() -> Class {
    (c_str!("lana::Locked"), static_lock_class!())
}

#[inline(never)]
fn exclusive() -> Class {
    (c_str!("lana::Exclusive"), static_lock_class!())
}

/// Data that one CPU at a time reads or changes, whether for a packet or for a command: behind a spin lock, with
/// softirqs off.
///
/// A spin lock of the kernel crate alone is not enough for that: a softirq could come in between on a CPU that has it in
/// process context, and would wait for it for ever.
pub struct Locked<T>(Pin<KBox<SpinLock<T>>>);

impl<T: Unpin> Locked<T> {
    /// Puts a value behind a lock of its own. Sleeps.
    pub fn new(value: T) -> Result<Self> {
        let (name, key) = locked();
        Ok(Self(KBox::pin_init(
            SpinLock::new(value, name, key),
            GFP_KERNEL,
        )?))
    }

    /// Does something with the value, which must not sleep, nor come back to the same lock. Any context.
    #[inline]
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        without_softirqs(|| f(&mut self.0.lock()))
    }
}

/// Data that one process at a time uses, and may sleep meanwhile.
pub(crate) struct Exclusive<T>(Pin<KBox<Mutex<T>>>);

impl<T: Unpin> Exclusive<T> {
    /// Puts a value behind a lock of its own. Sleeps.
    pub(crate) fn new(value: T) -> Result<Self> {
        let (name, key) = exclusive();
        Ok(Self(KBox::pin_init(
            Mutex::new(value, name, key),
            GFP_KERNEL,
        )?))
    }

    /// Does something with the value, which must not come back to the same lock. Sleeps.
    pub(crate) fn with<R>(&self, _process: &Process, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut self.0.lock())
    }
}

/// A static `Mutex`, with a function that readies it, which the crate calls once, before anything uses it.
macro_rules! static_mutex {
    ($(#[$meta:meta])* static $name:ident: $type:ty = $value:expr; fn $init:ident) => {
        kernel::sync::global_lock! {
            $(#[$meta])*
            // SAFETY: initialised before anything else uses it, by who calls the function.
            unsafe(uninit) static $name: Mutex<$type> = $value;
        }

        fn $init() {
            // SAFETY: called exactly once, before any use.
            unsafe { $name.init() };
        }
    };
}
pub(crate) use static_mutex;
