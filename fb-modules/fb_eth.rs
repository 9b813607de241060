// SPDX-License-Identifier: GPL-2.0

//! `eth`: stands for an Ethernet device. What the device receives enters the graph here; a packet
//! that comes here leaves by the device, from whichever side it comes. What no block takes is dropped
//! or, with `unclaimed=stack`, goes to the network stack.

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
    device: Arc<Device>,
    unclaimed: Unclaimed,
}

const UNCLAIMED: &str = "unclaimed";

impl Block for Eth {
    const TYPE: &'static str = "eth";
    const MAKER: Maker = Maker::Device("ethernet");

    fn new(args: &mut Args) -> Result<Self> {
        Ok(Self {
            device: Arc::new(args.device()?, GFP_KERNEL)?,
            unclaimed: Unclaimed::Drop,
        })
    }

    fn receive(&self, packet: Packet, cx: &mut Context<'_>) -> Verdict {
        packet.transmit(&self.device, cx)
    }

    fn unclaimed(&self) -> Unclaimed {
        self.unclaimed
    }

    fn set(&self, key: &str, value: &[u8], _process: &Process) -> Result<Self, Failure> {
        if key != UNCLAIMED {
            return Err(Self::unknown(key));
        }
        let unclaimed = match value {
            b"" | b"drop" => Unclaimed::Drop,
            b"stack" => Unclaimed::Stack,
            _ => return Err(fail!(EINVAL, "{key} is drop or stack")),
        };
        Ok(Self {
            device: self.device.clone(),
            unclaimed,
        })
    }

    fn options(&self, to: &mut dyn Options, _process: &Process) {
        if self.unclaimed == Unclaimed::Stack {
            to.put_config(UNCLAIMED, format_args!("stack"));
        }
    }
}
