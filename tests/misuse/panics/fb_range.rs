// SPDX-License-Identifier: GPL-2.0

//! Reads as much as the packet says.

use lana::prelude::*;

block_module! {
    type: Range,
    name: "fb_range",
    authors: ["The LANA developers"],
    description: "LANA block: can panic",
    license: "GPL",
}

struct Range;

impl Block for Range {
    const TYPE: &'static str = "range";

    fn new(_args: &mut Args) -> Result<Self> {
        Ok(Self)
    }

    fn receive<P: Packet>(&self, mut packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        let len = packet.len();
        let mut copy = [0; 16];
        if let Some([n, rest @ ..]) = packet.header(len) {
            let n = usize::from(*n);
            //~ a range can be out of bounds
            let part = &rest[..n];
            //~ copy_from_slice() can get another length
            copy.copy_from_slice(part);
        }
        if copy.contains(&1) {
            cx.pass(packet)
        } else {
            Verdict::drop(packet, DropReason::Filtered)
        }
    }
}
