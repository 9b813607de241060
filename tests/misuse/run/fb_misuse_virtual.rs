// SPDX-License-Identifier: GPL-2.0

//! Is a second type of virtual devices, of which there can be one.

use lana::prelude::*;

block_module! {
    type: Misuse,
    name: "fb_misuse_virtual",
    authors: ["The LANA developers"],
    description: "LANA block: is one too many",
    license: "GPL",
    alias: ["lana-fb-misuse-virtual"],
}

struct Misuse;

impl Block for Misuse {
    const TYPE: &'static str = "misuse-virtual";
    const MAKER: Maker = Maker::VirtualDevice("second");

    fn new(_args: &mut Args) -> Result<Self> {
        Ok(Self)
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        cx.pass(packet)
    }
}
