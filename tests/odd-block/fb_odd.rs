// SPDX-License-Identifier: GPL-2.0

//! `odd`: a block that fails, and shows more than can be shown, where it is told to. For the tests.

use lana::prelude::*;

block_module! {
    type: Odd,
    name: "fb_odd",
    authors: ["The LANA developers"],
    description: "LANA block: fails where it is told to",
    license: "GPL",
    alias: ["lana-fb-odd"],
}

#[derive(Clone, Copy)]
struct Odd {
    /// How long the option that is shown is, in bytes.
    config: usize,
    /// The same of what only shows.
    note: usize,
    /// The egress ports that it bears.
    ports: usize,
}

/// A text of so many bytes.
struct Long(usize);

impl fmt::Display for Long {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..self.0).try_for_each(|_| f.write_str("7"))
    }
}

impl Block for Odd {
    const TYPE: &'static str = "odd";
    const OPTIONS: &'static [OptionSpec] = &[
        OptionSpec {
            key: "config",
            values: Values::Range(0, u64::MAX),
            default: Initial::Text("0"),
            doc: "Length of what it shows as its configuration",
        },
        OptionSpec {
            key: "note",
            values: Values::Range(0, u64::MAX),
            default: Initial::Text("0"),
            doc: "Length of what it only shows",
        },
        OptionSpec {
            key: "ports",
            values: Values::Range(0, u64::MAX),
            default: Initial::Text("0"),
            doc: "How many ports may be bound",
        },
    ];
    const EGRESS_PORTS: u32 = 8;
    const WATCHES_PORTS: bool = true;

    fn new(_args: &mut Args) -> Result<Self> {
        Ok(Self {
            config: 0,
            note: 0,
            ports: 8,
        })
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        cx.pass(packet)
    }

    fn set(&self, key: &str, value: &[u8], _process: &Process) -> Result<Self, Failure> {
        let text = core::str::from_utf8(value).unwrap_or_default().trim();
        let number = text.parse().unwrap_or_default();
        let mut next = *self;
        match key {
            "config" => next.config = number,
            "note" => next.note = number,
            "ports" => next.ports = number,
            _ => return Err(Self::unknown(key)),
        }
        Ok(next)
    }

    fn options(&self, to: &mut dyn Options, _process: &Process) {
        let Self {
            config,
            note,
            ports,
        } = self;
        to.put_config("ports", format_args!("{ports}"));
        to.put_config("config", format_args!("{}", Long(*config)));
        to.put("note", format_args!("{}", Long(*note)));
    }

    fn ports(&self, egress: &[Peer<'_>], _process: &Process) -> Result<Option<Self>, Failure> {
        if egress.len() > self.ports {
            let port = egress.len();
            return Err(fail!(EINVAL, "port {port} is one too many"));
        }
        Ok(None)
    }
}
