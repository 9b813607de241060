// SPDX-License-Identifier: GPL-2.0

//! Stands for a device, and sends by the first one that there was, too: after what it was given has left.

use kernel::sync::SetOnce;
use lana::prelude::*;

block_module! {
    type: Misuse,
    name: "fb_misuse_after",
    authors: ["The LANA developers"],
    description: "LANA block: sends after it has sent",
    license: "GPL",
    alias: ["lana-fb-misuse-after"],
}

static FIRST: SetOnce<DeviceHandle> = SetOnce::new();

struct Misuse(DeviceHandle);

impl Block for Misuse {
    const TYPE: &'static str = "misuse-after";
    const MAKER: Maker = Maker::Device("ethernet");

    fn new(args: &mut Args) -> Result<Self> {
        FIRST.populate(args.device()?);
        Ok(Self(args.device()?))
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        let verdict = packet.transmit(&self.0, cx);
        if let (Some(first), Some(another)) = (FIRST.as_ref(), Skb::from_bytes(&[0xff; 60])) {
            let _ = another.transmit(first, cx);
        }
        verdict
    }
}
