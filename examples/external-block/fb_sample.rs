// SPDX-License-Identifier: GPL-2.0

//! `sample`: passes one packet in `rate`, and drops the others. A complete block outside of
//! LANA's tree, with an option, per-CPU data and a file in procfs.

use kernel::sync::atomic::{Atomic, Relaxed};
use lana::prelude::{option::Number, *};

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

options! {
    struct Config {
        /// Passes one of this many packets
        rate: Number<1, { u64::MAX }> = Number(1),
    }
}

struct Sample {
    state: Arc<State>,
    config: Config,
}

impl Block for Sample {
    const TYPE: &'static str = "sample";
    const FILE: File = File::Option("rate");
    const OPTIONS: &'static [OptionSpec] = Config::OPTIONS;

    fn new(args: &mut Args) -> Result<Self> {
        let state = State {
            seen: PerCpu::new(args.process())?,
            events: Atomic::new(0),
        };
        Ok(Self {
            state: Arc::new(state, GFP_KERNEL)?,
            config: Config::DEFAULT,
        })
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        let seen = self.state.seen.this(cx.cpu());
        seen.packets.add(1);
        // The remainder by 0 has no value; `set` lets no 0 in.
        match seen.packets.get().checked_rem(self.config.rate.0) {
            Some(0) => cx.pass(packet),
            _ => Verdict::drop(packet, DropReason::Filtered),
        }
    }

    fn set(&self, key: &str, value: &[u8], _process: &Process) -> Result<Self, Failure> {
        let config = self.config.with(key, value);
        Ok(Self {
            state: self.state.clone(),
            config: config.ok_or_else(|| Self::unknown(key))??,
        })
    }

    fn adopt(&self, old: &Self, _process: &Process) -> Result<Option<Self>, Failure> {
        Ok(Some(Self {
            state: old.state.clone(),
            config: self.config,
        }))
    }

    fn options(&self, to: &mut dyn Options, _process: &Process) {
        self.config.put(to);
        let events = self.state.events.load(Relaxed);
        to.put("events", format_args!("{events}"));
    }

    fn print(&self, to: &mut dyn fmt::Write, _process: &Process) -> fmt::Result {
        writeln!(to, "{}", self.config.rate.0)
    }

    fn event(&self, _event: &Event, _process: &Process) {
        self.state.events.fetch_add(1, Relaxed);
    }
}
