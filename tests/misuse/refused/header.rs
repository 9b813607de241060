// SPDX-License-Identifier: GPL-2.0
// error: cannot borrow `packet` as mutable more than once at a time

//! Holds bytes of a packet over a call that may move them.

use lana::prelude::*;

block_module! {
    type: Misuse,
    name: "fb_misuse",
    authors: ["The LANA developers"],
    description: "LANA block: must not compile",
    license: "GPL",
}

struct Misuse;

impl Block for Misuse {
    const TYPE: &'static str = "misuse";

    fn new(_args: &mut Args) -> Result<Self> {
        Ok(Self)
    }

    fn receive<P: Packet>(&self, mut packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        let header = packet.header(14);
        packet.header_mut(14);
        let _ = header;
        cx.pass(packet)
    }
}
