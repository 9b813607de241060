// SPDX-License-Identifier: GPL-2.0

//! Is a second type for the devices of a vlink subsystem.

use lana::prelude::*;

block_module! {
    type: Misuse,
    name: "fb_misuse_vlink",
    authors: ["The LANA developers"],
    description: "LANA block: is one too many",
    license: "GPL",
    alias: ["lana-fb-misuse-vlink"],
}

struct Misuse;

impl Block for Misuse {
    const TYPE: &'static str = "misuse-vlink";
    const MAKER: Maker = Maker::Device("ethernet");

    fn new(_args: &mut Args) -> Result<Self> {
        Ok(Self)
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        cx.pass(packet)
    }
}
