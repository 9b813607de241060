// SPDX-License-Identifier: GPL-2.0
// error: borrowed data escapes outside of method

//! Keeps the context of a packet longer than its walk.

use lana::prelude::*;

block_module! {
    type: Misuse,
    name: "fb_misuse",
    authors: ["The LANA developers"],
    description: "LANA block: must not compile",
    license: "GPL",
}

fn keep(_: &'static mut Context<'static>) {}

struct Misuse;

impl Block for Misuse {
    const TYPE: &'static str = "misuse";

    fn new(_args: &mut Args) -> Result<Self> {
        Ok(Self)
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        keep(cx);
        Verdict::drop(packet, DropReason::Filtered)
    }
}
