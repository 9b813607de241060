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

options! {
    struct Config {
        /// Drop packets that no block takes, or give them to Linux (stack)
        unclaimed: Unclaimed = Unclaimed::Drop,
        /// Send packets through the graph in batches
        batch: bool = false,
    }
}

struct Eth {
    device: DeviceHandle,
    config: Config,
}

impl Block for Eth {
    const TYPE: &'static str = "eth";
    const MAKER: Maker = Maker::Device("ethernet");
    const OPTIONS: &'static [OptionSpec] = Config::OPTIONS;

    fn new(args: &mut Args) -> Result<Self> {
        Ok(Self {
            device: args.device()?,
            config: Config::DEFAULT,
        })
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        packet.transmit(&self.device, cx)
    }

    fn unclaimed(&self) -> Unclaimed {
        self.config.unclaimed
    }

    fn batch(&self) -> bool {
        self.config.batch
    }

    fn set(&self, key: &str, value: &[u8], _process: &Process) -> Result<Self, Failure> {
        let config = self.config.with(key, value);
        let config = config.ok_or_else(|| Self::unknown(key))??;
        if config.batch && config.unclaimed == Unclaimed::Stack {
            let text =
                "batch=on and unclaimed=stack exclude each other: set one of them back first";
            return Err(fail!(EINVAL, "{text}"));
        }
        Ok(Self {
            device: self.device.clone(),
            config,
        })
    }

    fn options(&self, to: &mut dyn Options, _process: &Process) {
        self.config.put(to);
    }
}
