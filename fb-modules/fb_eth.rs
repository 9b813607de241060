// SPDX-License-Identifier: GPL-2.0

//! `eth`: stands for an Ethernet device. What the device receives enters the graph here; a packet
//! that comes here leaves by the device, from whichever side it comes.

use lana::prelude::*;

block_module! {
    type: Eth,
    name: "fb_eth",
    authors: ["The LANA developers"],
    description: "LANA block: an Ethernet device",
    license: "GPL",
    alias: ["lana-fb-eth", "lana-vlink-ethernet"],
}

struct Eth {
    device: Device,
}

impl Block for Eth {
    const TYPE: &'static str = "eth";
    const MAKER: Maker = Maker::Device("ethernet");

    fn new(args: &mut Args) -> Result<Self> {
        let device = args.device()?;
        Ok(Self { device })
    }

    fn receive(&self, packet: Packet, cx: &mut Context<'_>) -> Verdict {
        packet.transmit(&self.device, cx)
    }
}
