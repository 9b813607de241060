// SPDX-License-Identifier: GPL-2.0

//! `pflana`: stands for a socket. A packet that comes here, from whichever side, goes to the program
//! that has opened it; what the program sends enters the graph here.

use lana::prelude::*;

block_module! {
    type: PfLana,
    family: family,
    name: "fb_pflana",
    authors: ["The LANA developers"],
    description: "LANA block: a socket",
    license: "GPL",
    alias: ["lana-fb-pflana", "net-pf-18"],
    params: {
        family: i32 {
            default: 18,
            description: "Number of the address family AF_LANA",
        },
    },
}

struct PfLana {
    socket: SocketHandle,
}

impl Block for PfLana {
    const TYPE: &'static str = "pflana";
    const MAKER: Maker = Maker::Socket;

    fn new(args: &mut Args) -> Result<Self> {
        let socket = args.socket()?;
        Ok(Self { socket })
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        packet.with_skb(cx, |skb, cx| self.socket.deliver(skb, cx))
    }
}
