// SPDX-License-Identifier: GPL-2.0

//! `tee`: sends each packet on by the first port of its direction, and a clone of it by every
//! further one.

use lana::prelude::*;

block_module! {
    type: Tee,
    name: "fb_tee",
    authors: ["The LANA developers"],
    description: "LANA block: copies packets to all ports",
    license: "GPL",
    alias: ["lana-fb-tee"],
}

struct Tee;

impl Block for Tee {
    const TYPE: &'static str = "tee";
    const INGRESS_PORTS: u32 = 256;
    const EGRESS_PORTS: u32 = 256;

    fn new(_args: &mut Args) -> Result<Self> {
        Ok(Self)
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        let direction = cx.direction();
        for index in 1..cx.ports(direction) {
            if !cx.emit_clone(&packet, Port { direction, index }) {
                break;
            }
        }
        cx.pass(packet)
    }

    /// Port by port, so that what leaves by one stays together.
    fn receive_batch(&self, batch: &mut Batch, cx: &mut Context<'_>) {
        let direction = cx.direction();
        for index in 1..cx.ports(direction) {
            let port = Port { direction, index };
            if !batch.iter().all(|packet| cx.emit_clone(packet, port)) {
                break;
            }
        }
    }
}
