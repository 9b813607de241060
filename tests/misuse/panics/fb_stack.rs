// SPDX-License-Identifier: GPL-2.0

//! Has a packet's beginning on the stack, and more than fits there.

use lana::prelude::*;

block_module! {
    type: Stack,
    name: "fb_stack",
    authors: ["The LANA developers"],
    description: "LANA block: takes too much of the stack",
    license: "GPL",
}

struct Stack;

impl Block for Stack {
    const TYPE: &'static str = "stack";

    fn new(_args: &mut Args) -> Result<Self> {
        Ok(Self)
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        let mut bytes = [0; 2000];
        if packet.read(0, &mut bytes) && bytes.iter().all(|&byte| byte == 0) {
            return Verdict::drop(packet, DropReason::Filtered);
        }
        cx.pass(packet)
    }
}
