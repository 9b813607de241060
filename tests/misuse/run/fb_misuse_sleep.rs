// SPDX-License-Identifier: GPL-2.0

//! Allocates as if it could sleep, for each packet. The compiler cannot know; a kernel for debugging does.

use lana::prelude::*;

block_module! {
    type: Misuse,
    name: "fb_misuse_sleep",
    authors: ["The LANA developers"],
    description: "LANA block: sleeps where it must not",
    license: "GPL",
    alias: ["lana-fb-misuse-sleep"],
}

struct Misuse;

impl Block for Misuse {
    const TYPE: &'static str = "misuse-sleep";

    fn new(_args: &mut Args) -> Result<Self> {
        Ok(Self)
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        match KBox::new([0u8; 64], GFP_KERNEL) {
            Ok(_) => cx.pass(packet),
            Err(_) => Verdict::drop(packet, DropReason::NoMemory),
        }
    }
}
