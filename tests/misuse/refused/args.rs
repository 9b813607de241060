// SPDX-License-Identifier: GPL-2.0
// error: field `device` of struct `lana::prelude::Args` is private

//! Takes the device of a block without asking.

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

    fn new(args: &mut Args) -> Result<Self> {
        let _ = args.device.take();
        Ok(Self)
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        cx.pass(packet)
    }
}
