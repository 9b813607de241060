// SPDX-License-Identifier: GPL-2.0
// error: module `sys` is private

//! Registers the address family of sockets a second time.

use lana::prelude::*;
use lana::sys::sock::Family;

block_module! {
    type: Misuse,
    name: "fb_misuse",
    authors: ["The LANA developers"],
    description: "LANA block: must not compile",
    license: "GPL",
}

struct Misuse;

impl Block for Misuse {
    const TYPE: &'static str = "misuse";

    fn new(_args: &mut Args) -> Result<Self> {
        Ok(Self)
    }

    fn receive(&self, packet: Packet, cx: &mut Context<'_>) -> Verdict {
        let _ = Family::register;
        cx.pass(packet)
    }
}
