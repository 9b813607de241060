// SPDX-License-Identifier: GPL-2.0

//! Calculates with what the packet says, in bytes.

use lana::prelude::*;

block_module! {
    type: Overflow,
    name: "fb_overflow",
    authors: ["The LANA developers"],
    description: "LANA block: can panic",
    license: "GPL",
}

struct Overflow;

impl Block for Overflow {
    const TYPE: &'static str = "overflow";

    fn new(_args: &mut Args) -> Result<Self> {
        Ok(Self)
    }

    fn receive<P: Packet>(&self, mut packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        match packet.header(4) {
            Some(&[a, b, c, d]) => {
                //~ an addition can overflow
                let sum = a + b;
                //~ a subtraction can overflow
                let rest = c - d;
                //~ a multiplication can overflow
                if sum * rest == 0 {
                    return cx.pass(packet);
                }
                Verdict::drop(packet, DropReason::Filtered)
            }
            _ => cx.pass(packet),
        }
    }
}
