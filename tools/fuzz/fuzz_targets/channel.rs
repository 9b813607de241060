// SPDX-License-Identifier: GPL-2.0
#![no_main]

#[path = "../../../lana-channel/tests/any/mod.rs"]
mod any;

libfuzzer_sys::fuzz_target!(|data: &[u8]| any::any(data));
