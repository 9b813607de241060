// SPDX-License-Identifier: GPL-2.0

//! `pflana`: stands for a socket. A packet that comes here, from whichever side, goes to the program
//! that has opened it; what the program sends enters the graph here.

use lana::{
    builder::Registration,
    prelude::*,
    sys::{compat, module::Owner, sock::Family},
};

module! {
    type: Module,
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

struct Module {
    // Ends in this order: no more sockets, then their type.
    _family: Family,
    _type: Registration,
}

impl kernel::Module for Module {
    fn init(module: &'static ThisModule) -> Result<Self> {
        let owner = Owner::new(module);
        let number = compat::parameter(&module_parameters::family);
        let registration = Registration::new::<PfLana>(owner)?;
        let family = Family::register(owner, number)
            .inspect_err(|_| pr_err!("address family {number} cannot be had (family=)\n"))?;
        Ok(Self {
            _family: family,
            _type: registration,
        })
    }
}

struct PfLana {
    socket: Socket,
}

impl Block for PfLana {
    const TYPE: &'static str = "pflana";
    const MAKER: Maker = Maker::Socket;

    fn new(args: &mut Args) -> Result<Self> {
        let socket = args.socket()?;
        Ok(Self { socket })
    }

    fn receive(&self, packet: Packet, cx: &mut Context<'_>) -> Verdict {
        self.socket.deliver(packet, cx)
    }
}
