// SPDX-License-Identifier: GPL-2.0

//! Stands for a socket, and keeps the first one for ever: all that comes to any of its blocks is delivered to
//! that, closed or not.

use kernel::sync::SetOnce;
use lana::prelude::*;

block_module! {
    type: Misuse,
    family: family,
    name: "fb_misuse_socket",
    authors: ["The LANA developers"],
    description: "LANA block: keeps a socket past its end",
    license: "GPL",
    alias: ["lana-fb-misuse-socket"],
    params: {
        family: i32 {
            default: 18,
            description: "Number of the address family AF_LANA",
        },
    },
}

static KEPT: SetOnce<SocketHandle> = SetOnce::new();

struct Misuse;

impl Block for Misuse {
    const TYPE: &'static str = "misuse-socket";
    const MAKER: Maker = Maker::Socket;

    fn new(args: &mut Args) -> Result<Self> {
        KEPT.populate(args.socket()?);
        Ok(Self)
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        match KEPT.as_ref() {
            Some(socket) => packet.with_skb(cx, |skb, cx| socket.deliver(skb, cx)),
            None => cx.pass(packet),
        }
    }
}
