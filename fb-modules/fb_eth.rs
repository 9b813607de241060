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
    device: DeviceHandle,
    unclaimed: Unclaimed,
    batch: bool,
}

const UNCLAIMED: &str = "unclaimed";
const BATCH: &str = "batch";

impl Block for Eth {
    const TYPE: &'static str = "eth";
    const MAKER: Maker = Maker::Device("ethernet");
    const OPTIONS: &'static [OptionSpec] = &[
        OptionSpec {
            key: UNCLAIMED,
            values: Values::Words(&["drop", "stack"]),
            default: "drop",
            doc: "Drop packets that no block takes, or give them to Linux (stack)",
        },
        OptionSpec {
            key: BATCH,
            values: Values::Words(&["on", "off"]),
            default: "off",
            doc: "Send packets through the graph in batches",
        },
    ];

    fn new(args: &mut Args) -> Result<Self> {
        Ok(Self {
            device: args.device()?,
            unclaimed: Unclaimed::Drop,
            batch: false,
        })
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        packet.transmit(&self.device, cx)
    }

    fn unclaimed(&self) -> Unclaimed {
        self.unclaimed
    }

    fn batch(&self) -> bool {
        self.batch
    }

    fn set(&self, key: &str, value: &[u8], _process: &Process) -> Result<Self, Failure> {
        let (mut unclaimed, mut batch) = (self.unclaimed, self.batch);
        match (key, value) {
            (UNCLAIMED, b"" | b"drop") => unclaimed = Unclaimed::Drop,
            (UNCLAIMED, b"stack") => unclaimed = Unclaimed::Stack,
            (UNCLAIMED, _) => return Err(fail!(EINVAL, "{key}: drop or stack")),
            (BATCH, b"" | b"off") => batch = false,
            (BATCH, b"on") => batch = true,
            (BATCH, _) => return Err(fail!(EINVAL, "{key}: on or off")),
            _ => return Err(Self::unknown(key)),
        }
        if batch && unclaimed == Unclaimed::Stack {
            let text =
                "batch=on and unclaimed=stack exclude each other: set one of them back first";
            return Err(fail!(EINVAL, "{text}"));
        }
        Ok(Self {
            device: self.device.clone(),
            unclaimed,
            batch,
        })
    }

    fn options(&self, to: &mut dyn Options, _process: &Process) {
        if self.unclaimed == Unclaimed::Stack {
            to.put_config(UNCLAIMED, format_args!("stack"));
        }
        if self.batch {
            to.put_config(BATCH, format_args!("on"));
        }
    }
}
