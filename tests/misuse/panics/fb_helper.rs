// SPDX-License-Identifier: GPL-2.0

//! Has a function that panics, which is called through a pointer only.

use lana::prelude::*;

block_module! {
    type: Helper,
    name: "fb_helper",
    authors: ["The LANA developers"],
    description: "LANA block: can panic",
    license: "GPL",
}

struct Helper;

impl Block for Helper {
    const TYPE: &'static str = "helper";

    fn new(_args: &mut Args) -> Result<Self> {
        Ok(Self)
    }

    fn receive<P: Packet>(&self, mut packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        let how: fn(&[u8]) -> u8 = match cx.direction() {
            Direction::Ingress => first,
            Direction::Egress => last,
        };
        match packet.header(14).map(how) {
            Some(0) => cx.pass(packet),
            _ => Verdict::drop(packet, DropReason::Filtered),
        }
    }
}

fn first(bytes: &[u8]) -> u8 {
    //~ an index can be out of bounds
    bytes[0]
}

fn last(bytes: &[u8]) -> u8 {
    //~ a subtraction can overflow
    bytes[bytes.len() - 1]
}
