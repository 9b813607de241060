// SPDX-License-Identifier: GPL-2.0

//! `counter`: counts packets and bytes, CPU by CPU, and sends them on.

use lana::prelude::{option::Number, *};

block_module! {
    type: Counter,
    name: "fb_counter",
    authors: ["The LANA developers"],
    description: "LANA block: counts packets and bytes",
    license: "GPL",
    alias: ["lana-fb-counter"],
}

#[derive(Zeroable)]
struct Counts {
    packets: Count,
    bytes: Count,
}

const PACKETS: &str = "packets";
const BYTES: &str = "bytes";

struct Counter {
    counts: Arc<PerCpu<Counts>>,
    /// What is added to that, packets and bytes: what another block had counted whose place it took, or what it
    /// takes to be what it was set to.
    before: [u64; 2],
}

impl Counter {
    /// Packets and bytes, summed over the CPUs.
    fn totals(&self) -> [u64; 2] {
        self.counts
            .iter()
            .fold(self.before, |[packets, bytes], (_, c)| {
                [
                    c.packets.get().wrapping_add(packets),
                    c.bytes.get().wrapping_add(bytes),
                ]
            })
    }
}

impl Block for Counter {
    const TYPE: &'static str = "counter";
    const FILE: File = File::Read;
    const OPTIONS: &'static [OptionSpec] = &[
        OptionSpec {
            key: PACKETS,
            values: Values::Range(0, u64::MAX),
            default: Initial::Text("0"),
            doc: "Packets counted. The block continues from the value that you set",
        },
        OptionSpec {
            key: BYTES,
            values: Values::Range(0, u64::MAX),
            default: Initial::Text("0"),
            doc: "Bytes counted. The block continues from the value that you set",
        },
    ];

    fn new(args: &mut Args) -> Result<Self> {
        Ok(Self {
            counts: Arc::new(PerCpu::new(args.process())?, GFP_KERNEL)?,
            before: [0; 2],
        })
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        let counts = self.counts.this(cx.cpu());
        counts.packets.add(1);
        counts.bytes.add(u64::from(packet.len()));
        cx.pass(packet)
    }

    fn receive_batch(&self, batch: &mut Batch, cx: &mut Context<'_>) {
        let counts = self.counts.this(cx.cpu());
        counts.packets.add(u64::from(batch.len()));
        counts.bytes.add(batch.bytes());
    }

    fn set(&self, key: &str, value: &[u8], _process: &Process) -> Result<Self, Failure> {
        let Number::<0, { u64::MAX }>(value) = option::read(key, value, Number(0))?;
        let [packets, bytes] = self.totals();
        let [more_packets, more_bytes] = self.before;
        let moved = |before: u64, total: u64| before.wrapping_sub(total).wrapping_add(value);
        let before = match key {
            PACKETS => [moved(more_packets, packets), more_bytes],
            BYTES => [more_packets, moved(more_bytes, bytes)],
            _ => return Err(Self::unknown(key)),
        };
        Ok(Self {
            counts: self.counts.clone(),
            before,
        })
    }

    fn options(&self, to: &mut dyn Options, process: &Process) {
        self.export(to, process);
    }

    fn adopt(&self, old: &Self, _process: &Process) -> Result<Option<Self>, Failure> {
        Ok(Some(Self {
            counts: old.counts.clone(),
            before: old.before,
        }))
    }

    fn export(&self, to: &mut dyn Options, _process: &Process) {
        let [packets, bytes] = self.totals();
        to.put(PACKETS, format_args!("{packets}"));
        to.put(BYTES, format_args!("{bytes}"));
    }

    fn import(&self, key: &str, value: &str, _process: &Process) -> Result<Self, Failure> {
        let [packets, bytes] = self.before;
        let value = value.parse();
        let value = value.map_err(|_| fail!(EINVAL, "{key}: not a number"))?;
        let before = match key {
            PACKETS => [value, bytes],
            BYTES => [packets, value],
            _ => return Err(Self::no_import(key)),
        };
        Ok(Self {
            counts: self.counts.clone(),
            before,
        })
    }

    fn print(&self, to: &mut dyn fmt::Write, _process: &Process) -> fmt::Result {
        let [packets, bytes] = self.totals();
        writeln!(to, "{packets} {bytes}")
    }
}
