// SPDX-License-Identifier: GPL-2.0

//! A macro that blocks use expands to what they see; a path of its own may not lead up.

// crate::packet::engine in a comment, and "crate::packet::engine" in a text.
use super::super::sys::Device;

#[macro_export]
macro_rules! fail {
    ($text:expr) => {
        $crate::prelude::Failure::new($text, "crate::packet::engine")
    };
}

pub(crate) fn of(_: &Device) -> &'static str {
    $crate::edge::control()
}
