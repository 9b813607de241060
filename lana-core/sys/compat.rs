// SPDX-License-Identifier: GPL-2.0

//! What older kernels lack of the kernel crate, and what newer ones have under another signature.
//!
//! `lana-core/Kbuild` sets `lana_kernel_before_X_Y` from the version of the kernel that is built for.
//! Each item says which kernels it is for: when the oldest supported kernel (7.2) is newer, it goes.

#[cfg(lana_kernel_before_7_3)]
use kernel::error::Error;
use kernel::module_param::ModuleParamAccess;

// Since 7.3 the kernel crate has all error codes.
#[cfg(not(lana_kernel_before_7_3))]
pub use kernel::error::code::{
    EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, ELOOP, ENOTCONN, ENOTSOCK, EOPNOTSUPP,
};

/// Before 7.3: error codes that the kernel crate does not declare.
#[cfg(lana_kernel_before_7_3)]
macro_rules! declare_errors {
    ($($vis:vis $name:ident, $text:literal;)+) => {
        $(
            #[doc = $text]
            $vis const $name: Error = error(kernel::bindings::$name);
        )+
    };
}

#[cfg(lana_kernel_before_7_3)]
declare_errors! {
    pub EADDRINUSE, "Address already in use.";
    pub EADDRNOTAVAIL, "Cannot assign requested address.";
    pub EAFNOSUPPORT, "Address family not supported by protocol.";
    pub ELOOP, "Too many symbolic links encountered.";
    pub ENOTCONN, "Transport endpoint is not connected.";
    pub ENOTSOCK, "Socket operation on non-socket.";
    pub EOPNOTSUPP, "Operation not supported on transport endpoint.";
}

/// Before 7.3: `Error::from_errno`, which is no `const fn`.
#[cfg(lana_kernel_before_7_3)]
const fn error(errno: u32) -> Error {
    assert!(errno >= 1 && errno <= kernel::bindings::MAX_ERRNO);
    // SAFETY: `Error` is a `NonZeroI32` and nothing else in 7.2, which gets no other layout any more;
    // and the value is one of its valid ones, as has just been checked. Evaluated at compile time only.
    unsafe { core::mem::transmute::<i32, Error>(-(errno as i32)) }
}

/// The value of a module parameter. Before 7.3 `ModuleParamAccess::value` gives a reference.
pub(crate) fn parameter<T: Copy>(parameter: &ModuleParamAccess<T>) -> T {
    #[cfg(lana_kernel_before_7_3)]
    return *parameter.value();
    #[cfg(not(lana_kernel_before_7_3))]
    parameter.value()
}
