// SPDX-License-Identifier: GPL-2.0

//! `ethvlink`: stands for a virtual Ethernet device, which shares its carrier with others: frames of
//! an EtherType of its own are what the device receives, and enter the graph here; a packet that
//! comes here leaves by the carrier under that EtherType.

use lana::prelude::*;

block_module! {
    type: EthVlink,
    name: "fb_ethvlink",
    authors: ["The LANA developers"],
    description: "LANA block: a virtual Ethernet device",
    license: "GPL",
    alias: ["lana-fb-ethvlink", "lana-vdev-ethernet", "rtnl-link-lana"],
}

struct EthVlink {
    device: DeviceHandle,
}

impl Block for EthVlink {
    const TYPE: &'static str = "ethvlink";
    const MAKER: Maker = Maker::VirtualDevice("ethernet");

    fn new(args: &mut Args) -> Result<Self> {
        let device = args.device()?;
        Ok(Self { device })
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        packet.transmit(&self.device, cx)
    }
}
