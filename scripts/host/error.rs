// SPDX-License-Identifier: GPL-2.0

//! Failures, in place of those of the core, which need the kernel.

use core::fmt;

/// The number of the failure that options have.
pub const EINVAL: i32 = 22;

/// Why something failed.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// The errno.
    pub error: i32,
    /// The sentence.
    pub text: String,
}

impl Failure {
    /// A failure that says why in words.
    #[must_use]
    pub fn new(error: i32, text: fmt::Arguments<'_>) -> Self {
        let text = text.to_string();
        Self { error, text }
    }
}

/// Makes a [`Failure`].
#[macro_export]
macro_rules! fail {
    ($error:expr, $($text:tt)+) => {
        $crate::prelude::Failure::new($error, ::core::format_args!($($text)+))
    };
}
