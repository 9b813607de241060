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

#[pin_data]
struct Sample {
    seen: PerCpu<Seen>,
    /// Replaced as a whole, so that each packet sees one rate. Nothing means all pass.
    #[pin]
    rate: RcuCell<u64>,
    /// Events of the blocks it is bound or subscribed to.
    events: Atomic<u64>,
}

impl Block for Sample {
    const TYPE: &'static str = "sample";
    const FILE: File = File::Option("rate");

    fn new(_args: &mut Args) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            seen: PerCpu::new()?,
            rate <- RcuCell::new(),
            events: Atomic::new(0),
        })
    }

    fn receive(&self, packet: Packet, cx: &mut Context<'_>) -> Verdict {
        let rate = self.rate.get(cx.reader()).copied().unwrap_or(1);
        let seen = self.seen.this(cx.cpu());
        seen.packets.add(1);
        // The remainder by 0 has no value; `set` lets no 0 in.
        match seen.packets.get().checked_rem(rate) {
            Some(0) => cx.pass(packet),
            _ => Verdict::drop(packet, DropReason::Filtered),
        }
    }

    fn set(&self, key: &str, value: &[u8], process: &Process) -> Result<(), Failure> {
        if key != "rate" {
            return Err(Self::unknown(key));
        }
        let rate = core::str::from_utf8(value)
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .filter(|&rate| rate > 0)
            .ok_or_else(|| fail!(EINVAL, "rate: a number from 1 on"))?;
        let rate = KBox::new(rate, GFP_KERNEL)?;
        self.rate.replace(Some(rate), process);
        Ok(())
    }

    fn options(&self, to: &mut dyn Options, process: &Process) {
        let rate = self.rate.with(process, |rate| rate.copied().unwrap_or(1));
        to.put("rate", format_args!("{rate}"));
        let events = self.events.load(Relaxed);
        to.put("events", format_args!("{events}"));
    }

    fn print(&self, to: &mut dyn fmt::Write, process: &Process) -> fmt::Result {
        let rate = self.rate.with(process, |rate| rate.copied().unwrap_or(1));
        writeln!(to, "{rate}")
    }

    fn event(&self, _event: &Event<'_>, _process: &Process) {
        self.events.fetch_add(1, Relaxed);
    }
}
