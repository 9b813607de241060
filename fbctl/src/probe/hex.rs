// SPDX-License-Identifier: GPL-2.0

//! Bytes as hexadecimal digits.

use std::fmt::Write;

/// Two digits a byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}
