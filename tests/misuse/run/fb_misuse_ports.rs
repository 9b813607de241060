// SPDX-License-Identifier: GPL-2.0

//! Answers with an error to every change of its egress ports once these have led to something, as `error` says.

use kernel::sync::atomic::{Atomic, Relaxed};
use lana::prelude::*;

block_module! {
    type: Misuse,
    name: "fb_misuse_ports",
    authors: ["The LANA developers"],
    description: "LANA block: has no answer when its ports change",
    license: "GPL",
    alias: ["lana-fb-misuse-ports"],
}

struct Misuse {
    error: Error,
    /// Whether there was something to send by.
    begun: Arc<Atomic<u32>>,
}

impl Block for Misuse {
    const TYPE: &'static str = "misuse-ports";
    const OPTIONS: &'static [OptionSpec] = &[OptionSpec {
        key: "error",
        values: Values::Text("ENOMEM or EINVAL"),
        default: Initial::Text(""),
        doc: "What ports() fails with",
    }];
    const EGRESS_PORTS: u32 = 16;
    const WATCHES_PORTS: bool = true;

    fn new(_args: &mut Args) -> Result<Self> {
        Ok(Self {
            error: EINVAL,
            begun: Arc::new(Atomic::new(0), GFP_KERNEL)?,
        })
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        cx.pass(packet)
    }

    fn set(&self, key: &str, value: &[u8], _process: &Process) -> Result<Self, Failure> {
        let error = match (key, value) {
            ("error", b"ENOMEM") => ENOMEM,
            ("error", _) => EINVAL,
            _ => return Err(Self::unknown(key)),
        };
        Ok(Self {
            error,
            begun: self.begun.clone(),
        })
    }

    fn ports(&self, egress: &[Peer<'_>], _process: &Process) -> Result<Option<Self>, Failure> {
        if egress.iter().any(|peer| !peer.up) {
            return Err(fail!(
                self.error,
                "a port is down, and this block has no answer"
            ));
        }
        if self.begun.load(Relaxed) != 0 {
            return Err(fail!(self.error, "this block has no answer"));
        }
        if !egress.is_empty() {
            self.begun.store(1, Relaxed);
        }
        Ok(None)
    }
}
