// SPDX-License-Identifier: GPL-2.0

//! Resizes each packet to lengths that no packet has: each is to be refused, and to leave the packet as it was.

use kernel::sync::atomic::{Atomic, Relaxed};
use lana::prelude::*;

block_module! {
    type: Misuse,
    name: "fb_misuse_resize",
    authors: ["The LANA developers"],
    description: "LANA block: resizes packets beyond measure",
    license: "GPL",
    alias: ["lana-fb-misuse-resize"],
}

struct State {
    refused: Atomic<u64>,
    wrong: Atomic<u64>,
}

struct Misuse(Arc<State>);

/// From the first length that is too long by any measure to that which is -1.
const LENGTHS: [u32; 6] = [
    1 << 20,
    i32::MAX as u32,
    1 << 31,
    u32::MAX - 4096,
    u32::MAX - 39,
    u32::MAX,
];

impl Block for Misuse {
    const TYPE: &'static str = "misuse-resize";

    fn new(_args: &mut Args) -> Result<Self> {
        let state = State {
            refused: Atomic::new(0),
            wrong: Atomic::new(0),
        };
        Ok(Self(Arc::new(state, GFP_KERNEL)?))
    }

    fn receive<P: Packet>(&self, mut packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        let (len, sum) = (packet.len(), packet.checksum(0, packet.len()));
        for wanted in LENGTHS {
            let done = packet.resize(wanted);
            if done || packet.len() != len || packet.checksum(0, len) != sum {
                self.0.wrong.fetch_add(1, Relaxed);
            } else {
                self.0.refused.fetch_add(1, Relaxed);
            }
        }
        cx.pass(packet)
    }

    fn options(&self, to: &mut dyn Options, _process: &Process) {
        to.put("refused", format_args!("{}", self.0.refused.load(Relaxed)));
        to.put("wrong", format_args!("{}", self.0.wrong.load(Relaxed)));
    }
}
