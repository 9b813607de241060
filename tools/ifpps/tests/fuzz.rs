// SPDX-License-Identifier: GPL-2.0

//! Files of `/proc` that are cut, mixed and spoilt: nothing panics.

mod any;
#[path = "../../fuzz/rounds.rs"]
mod rounds;

use any::any;
use rounds::rounds;
use std::fs;

const FILES: [&str; 5] = [
    "/proc/net/dev",
    "/proc/softirqs",
    "/proc/interrupts",
    "/proc/stat",
    "/proc/meminfo",
];

/// What is put in somewhere.
const PIECES: [&str; 9] = [
    "cpu",
    ":",
    "\n",
    " ",
    "-1",
    "18446744073709551615",
    "18446744073709551616",
    "CPU4294967296",
    "ä",
];

#[test]
fn nothing_panics() {
    let files = FILES.map(|file| fs::read(file).unwrap_or_default());
    rounds(|random| {
        let mut bytes = files.get(random.usize(..5)).cloned().unwrap_or_default();
        bytes.truncate(random.usize(..=bytes.len().min(4096)));
        for _ in 0..random.usize(..6) {
            let at = random.usize(..=bytes.len());
            let to = (at + random.usize(..8)).min(bytes.len());
            let piece = random.choice(PIECES).unwrap_or_default();
            bytes.splice(at..to, piece.bytes());
        }
        any(&bytes);
    });
}
