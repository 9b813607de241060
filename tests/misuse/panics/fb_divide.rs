// SPDX-License-Identifier: GPL-2.0

//! Divides by what the packet says.

use lana::prelude::*;

block_module! {
    type: Divide,
    name: "fb_divide",
    authors: ["The LANA developers"],
    description: "LANA block: can panic",
    license: "GPL",
}

struct Divide;

impl Block for Divide {
    const TYPE: &'static str = "divide";

    fn new(_args: &mut Args) -> Result<Self> {
        Ok(Self)
    }

    fn receive<P: Packet>(&self, mut packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        match packet.header(2) {
            //~ a division by zero
            Some(&[a, b]) if a / b == 3 => cx.pass(packet),
            _ => Verdict::drop(packet, DropReason::Filtered),
        }
    }
}
