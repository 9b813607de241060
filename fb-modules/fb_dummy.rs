// SPDX-License-Identifier: GPL-2.0

//! `dummy`: sends each packet on the way it came. The template for new blocks, and the probe for
//! what a hop costs.

use lana::prelude::*;

block_module! {
    type: Dummy,
    name: "fb_dummy",
    authors: ["The LANA developers"],
    description: "LANA block: forwards packets unchanged",
    license: "GPL",
    alias: ["lana-fb-dummy"],
}

struct Dummy;

impl Block for Dummy {
    const TYPE: &'static str = "dummy";

    fn new(_args: &mut Args) -> Result<Self> {
        Ok(Self)
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        cx.pass(packet)
    }
}
