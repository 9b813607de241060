// SPDX-License-Identifier: GPL-2.0

//! Does by hand what `block_module!` does, twice, and once more when a block is made, with the graph's lock
//! held; and forgets all of it.

use kernel::sync::SetOnce;
use lana::prelude::*;

module! {
    type: Module,
    name: "fb_misuse_late",
    authors: ["The LANA developers"],
    description: "LANA block: registers types when it is too late",
    license: "GPL",
}

static MODULE: SetOnce<&'static ThisModule> = SetOnce::new();

struct Module;

impl kernel::Module for Module {
    fn init(module: &'static ThisModule) -> Result<Self> {
        MODULE.populate(module);
        lana::glue::register::<Misuse>(module, None)?;
        match lana::glue::register::<Misuse>(module, None) {
            Err(e) if e == EEXIST => (),
            _ => return Err(EINVAL),
        }
        // No socket makes these blocks.
        match lana::glue::register::<Other>(module, None) {
            Err(e) if e == EINVAL => Ok(Self),
            _ => Err(EINVAL),
        }
    }
}

struct Misuse;

impl Block for Misuse {
    const TYPE: &'static str = "misuse-late";

    fn new(_args: &mut Args) -> Result<Self> {
        let module = MODULE.as_ref().ok_or(EINVAL)?;
        lana::glue::register::<Third>(module, None)?;
        Ok(Self)
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        cx.pass(packet)
    }
}

struct Other;

impl Block for Other {
    const TYPE: &'static str = "misuse-other";
    const MAKER: Maker = Maker::Socket;

    fn new(_args: &mut Args) -> Result<Self> {
        Ok(Self)
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        cx.pass(packet)
    }
}

struct Third;

impl Block for Third {
    const TYPE: &'static str = "misuse-third";

    fn new(_args: &mut Args) -> Result<Self> {
        Ok(Self)
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        cx.pass(packet)
    }
}
