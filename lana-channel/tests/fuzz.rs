// SPDX-License-Identifier: GPL-2.0

//! Random messages, and random events of two hosts, also with messages that somebody with the key has changed: nothing
//! panics, and no bound is passed.

mod any;
#[path = "../../tools/fuzz/rounds.rs"]
mod rounds;

use any::any;
use rounds::rounds;

#[test]
fn nothing_panics() {
    any(&[]);
    rounds(|random| {
        let mut script: Vec<u8> = (0..random.usize(..600)).map(|_| random.u8(..)).collect();
        // Half of them mostly deliver messages, and make transactions, so that they come far.
        if random.bool() {
            for byte in &mut script {
                match random.u8(..10) {
                    0..5 => *byte = 28 | *byte & 1,
                    5..8 => *byte = 18 | *byte & 1,
                    8 => *byte = 24 | *byte & 1,
                    _ => {}
                }
            }
        }
        any(&script);
    });
}
