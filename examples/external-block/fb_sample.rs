// SPDX-License-Identifier: GPL-2.0

//! `sample`: passes one packet in `rate`, and drops the others. A complete block outside of
//! LANA's tree, with an option, per-CPU data and a file in procfs.

use kernel::sync::atomic::{Atomic, Relaxed};
use lana::prelude::*;

block_module! {
    type: Sample,
    name: "fb_sample",
    authors: ["The LANA developers"],
    description: "LANA block: passes one packet in so many",
    license: "GPL",
    alias: ["lana-fb-sample"],
}

/// What each CPU has of its own.
#[derive(Zeroable)]
struct Seen {
    packets: Count,
}

/// What stays when the block's place is taken by another one of its type.
struct State {
    seen: PerCpu<Seen>,
    /// Events of the blocks it is bound or subscribed to.
    events: Atomic<u64>,
}

struct Sample {
    state: Arc<State>,
    rate: u64,
}

impl Block for Sample {
    const TYPE: &'static str = "sample";
    const FILE: File = File::Option("rate");
    const OPTIONS: &'static [OptionSpec] = &[OptionSpec {
        key: "rate",
        values: Values::Range(1, u64::MAX),
        default: "1",
        doc: "Passes one of this many packets",
    }];

    fn new(args: &mut Args) -> Result<Self> {
        let state = State {
            seen: PerCpu::new(args.process())?,
            events: Atomic::new(0),
        };
        Ok(Self {
            state: Arc::new(state, GFP_KERNEL)?,
            rate: 1,
        })
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        let seen = self.state.seen.this(cx.cpu());
        seen.packets.add(1);
        // The remainder by 0 has no value; `set` lets no 0 in.
        match seen.packets.get().checked_rem(self.rate) {
            Some(0) => cx.pass(packet),
            _ => Verdict::drop(packet, DropReason::Filtered),
        }
    }

    fn set(&self, key: &str, value: &[u8], _process: &Process) -> Result<Self, Failure> {
        if key != "rate" {
            return Err(Self::unknown(key));
        }
        let rate = match value {
            b"" => 1,
            _ => core::str::from_utf8(value)
                .ok()
                .and_then(|text| text.trim().parse().ok())
                .filter(|&rate| rate > 0)
                .ok_or_else(|| fail!(EINVAL, "rate: a number from 1 on"))?,
        };
        Ok(Self {
            state: self.state.clone(),
            rate,
        })
    }

    fn adopt(&self, old: &Self, _process: &Process) -> Result<Option<Self>, Failure> {
        Ok(Some(Self {
            state: old.state.clone(),
            rate: self.rate,
        }))
    }

    fn options(&self, to: &mut dyn Options, _process: &Process) {
        to.put_config("rate", format_args!("{}", self.rate));
        let events = self.state.events.load(Relaxed);
        to.put("events", format_args!("{events}"));
    }

    fn print(&self, to: &mut dyn fmt::Write, _process: &Process) -> fmt::Result {
        writeln!(to, "{}", self.rate)
    }

    fn event(&self, _event: &Event, _process: &Process) {
        self.state.events.fetch_add(1, Relaxed);
    }
}
