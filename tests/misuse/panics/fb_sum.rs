// SPDX-License-Identifier: GPL-2.0

//! Adds up what the packet says, in bytes.

use lana::prelude::*;

block_module! {
    type: Sum,
    name: "fb_sum",
    authors: ["The LANA developers"],
    description: "LANA block: can panic",
    license: "GPL",
}

struct Sum;

impl Block for Sum {
    const TYPE: &'static str = "sum";

    fn new(_args: &mut Args) -> Result<Self> {
        Ok(Self)
    }

    fn receive<P: Packet>(&self, mut packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        //~ core: an addition can overflow
        let sum: u8 = packet.header(14).unwrap_or_default().iter().sum();
        match sum {
            0 => cx.pass(packet),
            _ => Verdict::drop(packet, DropReason::Filtered),
        }
    }
}
