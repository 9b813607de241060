// SPDX-License-Identifier: GPL-2.0

//! A lock that is there as long as the module.

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
