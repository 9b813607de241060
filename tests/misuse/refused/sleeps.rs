// SPDX-License-Identifier: GPL-2.0
// error: associated function `new` is private

//! Allocates what sleeps, which wants evidence of process context, for each packet.

use lana::prelude::*;

block_module! {
    type: Misuse,
    name: "fb_misuse",
    authors: ["The LANA developers"],
    description: "LANA block: must not compile",
    license: "GPL",
}

#[derive(Zeroable)]
struct Counts {
    packets: Count,
}

struct Misuse;

impl Block for Misuse {
    const TYPE: &'static str = "misuse";

    fn new(_args: &mut Args) -> Result<Self> {
        Ok(Self)
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        let _ = PerCpu::<Counts>::new(&Process::new());
        cx.pass(packet)
    }
}
