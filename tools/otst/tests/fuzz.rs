// SPDX-License-Identifier: GPL-2.0

//! Requests and lines of the log that are cut, mixed and spoilt: nothing panics.

mod any;
#[path = "../../fuzz/rounds.rs"]
mod rounds;

use any::any;
use rounds::rounds;

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
    any("a".repeat(100_000).as_bytes());
    any("$1 ".repeat(100_000).as_bytes());
    rounds(|random| {
        let mut bytes = Vec::new();
        for _ in 0..random.usize(..30) {
            bytes.extend(random.choice(PIECES).unwrap_or_default().bytes());
            if random.u8(..8) == 0 {
                bytes.push(random.u8(..));
            }
        }
        any(&bytes);
    });
}
