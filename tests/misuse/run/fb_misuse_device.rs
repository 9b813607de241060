// SPDX-License-Identifier: GPL-2.0

//! Stands for a device, and keeps the first one for ever: all that comes to any of its blocks leaves by that,
//! gone or not.

use kernel::sync::SetOnce;
use lana::prelude::*;

block_module! {
    type: Misuse,
    name: "fb_misuse_device",
    authors: ["The LANA developers"],
    description: "LANA block: keeps a device past its end",
    license: "GPL",
    alias: ["lana-fb-misuse-device"],
}

static KEPT: SetOnce<DeviceHandle> = SetOnce::new();

struct Misuse;

impl Block for Misuse {
    const TYPE: &'static str = "misuse-device";
    const MAKER: Maker = Maker::Device("ethernet");

    fn new(args: &mut Args) -> Result<Self> {
        KEPT.populate(args.device()?);
        // And one that is never given back.
        core::mem::forget(args.device()?);
        Ok(Self)
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        match KEPT.as_ref() {
            Some(device) => packet.transmit(device, cx),
            None => cx.pass(packet),
        }
    }
}
