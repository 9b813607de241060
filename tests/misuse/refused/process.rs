// SPDX-License-Identifier: GPL-2.0
// error: cannot be

//! Keeps the evidence of process context for a packet.

use lana::prelude::*;

block_module! {
    type: Misuse,
    name: "fb_misuse",
    authors: ["The LANA developers"],
    description: "LANA block: must not compile",
    license: "GPL",
}

struct Misuse(&'static Process);

impl Block for Misuse {
    const TYPE: &'static str = "misuse";

    fn new(_args: &mut Args) -> Result<Self> {
        Err(EINVAL)
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        let _ = self.0;
        cx.pass(packet)
    }
}
