// SPDX-License-Identifier: GPL-2.0

//! Sends copies by a port that nothing is bound to, as long as it may.

use lana::prelude::*;

block_module! {
    type: Misuse,
    name: "fb_misuse_clone",
    authors: ["The LANA developers"],
    description: "LANA block: sends copies without end",
    license: "GPL",
    alias: ["lana-fb-misuse-clone"],
}

struct Misuse;

impl Block for Misuse {
    const TYPE: &'static str = "misuse-clone";

    fn new(_args: &mut Args) -> Result<Self> {
        Ok(Self)
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        let (direction, index) = (Direction::Egress, 7);
        while cx.emit_clone(&packet, Port { direction, index }) {}
        cx.pass(packet)
    }
}
