// SPDX-License-Identifier: GPL-2.0

//! `gate`: passes TCP and UDP to some ports only. A third party's block that reads headers, whose logic is tested on the
//! host: `make test` of a block's folder.

use lana::prelude::*;

mod ports;

use ports::list::Ports;

block_module! {
    type: Gate,
    name: "fb_gate",
    authors: ["The LANA developers"],
    description: "LANA block of the tests: passes packets to some ports",
    license: "GPL",
    alias: ["lana-fb-gate"],
}

options! {
    struct Config {
        /// Destination ports of TCP and UDP that pass
        ports: Ports = Ports::NONE,
    }
}

struct Gate {
    config: Config,
}

impl Block for Gate {
    const TYPE: &'static str = "gate";
    const OPTIONS: &'static [OptionSpec] = Config::OPTIONS;

    fn new(_args: &mut Args) -> Result<Self> {
        let config = Config::DEFAULT;
        Ok(Self { config })
    }

    fn receive<P: Packet>(&self, mut packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        let parsed = packet.parse();
        let head = packet.header(parsed.transport.unwrap_or(0) as u32);
        if !head.is_some_and(|head| ports::is_intact(head, &parsed)) {
            return Verdict::drop(packet, DropReason::Malformed);
        }
        if ports::passes(&parsed, &self.config.ports) {
            cx.pass(packet)
        } else {
            Verdict::drop(packet, DropReason::Filtered)
        }
    }

    fn set(&self, key: &str, value: &[u8], _process: &Process) -> Result<Self, Failure> {
        let config = self.config.with(key, value);
        let config = config.ok_or_else(|| Self::unknown(key))??;
        Ok(Self { config })
    }

    fn options(&self, to: &mut dyn Options, _process: &Process) {
        self.config.put(to);
    }
}
