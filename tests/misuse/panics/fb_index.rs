// SPDX-License-Identifier: GPL-2.0

//! Reads where the packet says.

use lana::prelude::*;

block_module! {
    type: Index,
    name: "fb_index",
    authors: ["The LANA developers"],
    description: "LANA block: can panic",
    license: "GPL",
}

struct Index;

impl Block for Index {
    const TYPE: &'static str = "index";

    fn new(_args: &mut Args) -> Result<Self> {
        Ok(Self)
    }

    fn receive<P: Packet>(&self, mut packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        let len = packet.len();
        let wanted = packet
            .header(len)
            //~ an index can be out of bounds
            .is_some_and(|h| h[usize::from(h[0]) + 20] != 0);
        if wanted {
            cx.pass(packet)
        } else {
            Verdict::drop(packet, DropReason::Filtered)
        }
    }
}
