// SPDX-License-Identifier: GPL-2.0

//! Takes it for granted that a packet is long, and a copy possible.

use lana::prelude::*;

block_module! {
    type: Unwrap,
    name: "fb_unwrap",
    authors: ["The LANA developers"],
    description: "LANA block: can panic",
    license: "GPL",
}

struct Unwrap;

impl Block for Unwrap {
    const TYPE: &'static str = "unwrap";

    fn new(_args: &mut Args) -> Result<Self> {
        Ok(Self)
    }

    fn receive<P: Packet>(&self, mut packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        //~ unwrap() or expect() of what can be None
        let copy = packet.try_clone().expect("memory");
        drop(copy);
        //~ unwrap() or expect() of what can be None
        if packet.header(1000).unwrap().contains(&1) {
            return cx.pass(packet);
        }
        //~ unwrap() or expect() of what can be an Err
        match core::str::from_utf8(packet.header(14).unwrap_or_default()).unwrap() {
            "" => cx.pass(packet),
            _ => Verdict::drop(packet, DropReason::Filtered),
        }
    }
}
