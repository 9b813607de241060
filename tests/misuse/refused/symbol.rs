// SPDX-License-Identifier: GPL-2.0
// error: declaration of a `no_mangle` function

//! Defines a symbol for C, which may be anybody's.

use lana::prelude::*;

block_module! {
    type: Misuse,
    name: "fb_misuse",
    authors: ["The LANA developers"],
    description: "LANA block: must not compile",
    license: "GPL",
}

#[no_mangle]
extern "C" fn lana_receive() {}

struct Misuse;

impl Block for Misuse {
    const TYPE: &'static str = "misuse";

    fn new(_args: &mut Args) -> Result<Self> {
        Ok(Self)
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        cx.pass(packet)
    }
}
