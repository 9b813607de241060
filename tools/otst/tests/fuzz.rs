// SPDX-License-Identifier: GPL-2.0

//! Requests and lines of the log that are cut, mixed and spoilt: nothing panics. `LANA_FUZZ_SECONDS` says for
//! how long; `LANA_FUZZ_SEED` repeats a run.

mod any;

use any::any;
use std::{
    io::Write,
    time::{Duration, Instant},
};

const PIECES: [&str; 21] = [
    "otst: ",
    "triggered stacktrace for symbol ",
    "netif_rx",
    " at 0x00000000f5eea562:",
    "symbol ",
    " unregistered!",
    "Pid: 15, comm: a:1 b, cpu: 1, context: softirq",
    "Argument: $3=7",
    "Argument: $",
    "Call Trace:",
    " netif_rx+0x9/0xa0",
    "End of trace",
    "\n",
    "\n",
    "-",
    "$",
    "$5=net",
    "=",
    "0x",
    "4294967296",
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
    any("a".repeat(100_000).as_bytes());
    any("$1 ".repeat(100_000).as_bytes());
    while Instant::now() < end {
        let mut bytes = Vec::new();
        for _ in 0..random.usize(..30) {
            bytes.extend(random.choice(PIECES).unwrap_or_default().bytes());
            if random.u8(..8) == 0 {
                bytes.push(random.u8(..));
            }
        }
        any(&bytes);
    }
}
