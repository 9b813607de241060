// SPDX-License-Identifier: GPL-2.0

//! Any bytes, as each of the files that ifpps reads: what `tests/fuzz.rs` and `cargo fuzz` call.

#[path = "../../src/parse.rs"]
mod parse;

/// Reads a text as each of the files.
pub(crate) fn any(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    parse::devices(&text);
    parse::softirqs(&text, "NET_RX");
    parse::interrupts(&text);
    parse::stat(&text);
    let (used, all) = parse::memory(&text);
    assert!(used <= all, "{used} of {all}");
}
