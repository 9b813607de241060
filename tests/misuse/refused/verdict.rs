// SPDX-License-Identifier: GPL-2.0
// error: cannot initialize a tuple struct which contains private fields

//! Makes a verdict without a packet.

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

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        let _ = (packet, cx);
        Verdict(None)
    }
}
