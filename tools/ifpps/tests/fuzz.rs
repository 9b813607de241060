// SPDX-License-Identifier: GPL-2.0

//! Files of `/proc` that are cut, mixed and spoilt: nothing panics. `LANA_FUZZ_SECONDS` says for how long;
//! `LANA_FUZZ_SEED` repeats a run.

mod any;

use any::any;
use std::{
    fs,
    io::Write,
    time::{Duration, Instant},
};

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
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seed = number("LANA_FUZZ_SEED").unwrap_or_else(|| fastrand::u64(..));
    // Told whatever happens then.
    let _ = writeln!(std::io::stderr(), "LANA_FUZZ_SEED={seed}");
    let end = Instant::now() + Duration::from_secs(number("LANA_FUZZ_SECONDS").unwrap_or(1));
    let mut random = fastrand::Rng::with_seed(seed);
    let files = FILES.map(|file| fs::read(file).unwrap_or_default());
    while Instant::now() < end {
        let mut bytes = files.get(random.usize(..5)).cloned().unwrap_or_default();
        bytes.truncate(random.usize(..=bytes.len().min(4096)));
        for _ in 0..random.usize(..6) {
            let at = random.usize(..=bytes.len());
            let to = (at + random.usize(..8)).min(bytes.len());
            let piece = random.choice(PIECES).unwrap_or_default();
            bytes.splice(at..to, piece.bytes());
        }
        any(&bytes);
    }
}
