// SPDX-License-Identifier: GPL-2.0

//! Any bytes, as what is written to `/proc/driver/otst` and as lines of the kernel's log: what `tests/fuzz.rs`
//! and `cargo fuzz` call.

#[path = "../../../../otst/request.rs"]
mod request;
#[path = "../../src/trace.rs"]
mod trace;

use request::{Ask, Request, Wrong, SYMBOL_MAX};
use trace::{News, Reader};

/// Parses a text both ways.
pub(crate) fn any(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut reader = Reader::default();
    for line in text.lines() {
        match Request::parse(line) {
            Ok(None) => assert!(line.trim_ascii().is_empty()),
            Ok(Some(Request::Arm(symbol, asked))) => {
                assert!(symbol.len() <= SYMBOL_MAX && !symbol.is_empty());
                assert!(asked.iter().all(|ask| *ask == Ask::Nothing) || line.contains('$'));
            }
            Ok(Some(Request::Disarm(symbol))) => assert!(line.contains('-') && !symbol.is_empty()),
            Err(Wrong(word, why)) => assert!(line.contains(word) && !why.is_empty()),
        }
        match reader.line(line) {
            Some(News::Trace(trace)) => assert!(text.contains(&trace.symbol)),
            Some(News::Gone(symbol)) => assert!(line.contains(&symbol)),
            None => {}
        }
    }
}
