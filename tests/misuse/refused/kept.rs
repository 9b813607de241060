// SPDX-License-Identifier: GPL-2.0
// error: cannot be

//! Keeps a packet in the block, where another CPU would find it.

use kernel::sync::SetOnce;
use lana::prelude::*;

block_module! {
    type: Misuse,
    name: "fb_misuse",
    authors: ["The LANA developers"],
    description: "LANA block: must not compile",
    license: "GPL",
}

struct Misuse {
    kept: SetOnce<Skb>,
}

impl Block for Misuse {
    const TYPE: &'static str = "misuse";

    fn new(_args: &mut Args) -> Result<Self> {
        let kept = SetOnce::new();
        Ok(Self { kept })
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        let copy = packet.try_clone();
        if let Some(copy) = copy {
            self.kept.populate(copy);
        }
        cx.pass(packet)
    }
}
