// SPDX-License-Identifier: GPL-2.0

//! Is sure of what a packet is.

use lana::prelude::*;

block_module! {
    type: Assert,
    name: "fb_assert",
    authors: ["The LANA developers"],
    description: "LANA block: can panic",
    license: "GPL",
}

struct Assert;

impl Block for Assert {
    const TYPE: &'static str = "assert";

    fn new(_args: &mut Args) -> Result<Self> {
        Ok(Self)
    }

    fn receive<P: Packet>(&self, mut packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        //~ panic!, assert!, unreachable! or the like
        assert!(packet.len() < 2000);
        match packet.header(1) {
            Some([0..=127]) => cx.pass(packet),
            Some([_]) => Verdict::drop(packet, DropReason::Filtered),
            //~ panic!, assert!, unreachable! or the like
            _ => unreachable!(),
        }
    }
}
