// SPDX-License-Identifier: GPL-2.0

//! `counter`: counts packets and bytes, CPU by CPU, and sends them on.

use lana::prelude::*;

block_module! {
    type: Counter,
    name: "fb_counter",
    authors: ["The LANA developers"],
    description: "LANA block: counts",
    license: "GPL",
    alias: ["lana-fb-counter"],
}

#[derive(Zeroable)]
struct Counts {
    packets: Count,
    bytes: Count,
}

struct Counter {
    counts: PerCpu<Counts>,
}

impl Counter {
    /// Packets and bytes, summed over the CPUs.
    fn totals(&self) -> (u64, u64) {
        self.counts.iter().fold((0, 0), |(packets, bytes), (_, c)| {
            (
                c.packets.get().wrapping_add(packets),
                c.bytes.get().wrapping_add(bytes),
            )
        })
    }
}

impl Block for Counter {
    const TYPE: &'static str = "counter";
    const FILE: File = File::Read;

    fn new(_args: &mut Args) -> impl PinInit<Self, Error> {
        PerCpu::new().map(|counts| Self { counts })
    }

    fn receive(&self, packet: Packet, cx: &mut Context<'_>) -> Verdict {
        let counts = self.counts.this(cx.cpu());
        counts.packets.add(1);
        counts.bytes.add(u64::from(packet.len()));
        cx.pass(packet)
    }

    fn options(&self, to: &mut dyn Options, _process: &Process) {
        let (packets, bytes) = self.totals();
        to.put("packets", format_args!("{packets}"));
        to.put("bytes", format_args!("{bytes}"));
    }

    fn print(&self, to: &mut dyn fmt::Write, _process: &Process) -> fmt::Result {
        let (packets, bytes) = self.totals();
        writeln!(to, "{packets} {bytes}")
    }
}
