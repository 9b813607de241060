// SPDX-License-Identifier: GPL-2.0

//! `defrag`: puts datagrams together again whose fragments pass.
//!
//! What is here binds the logic in `defrag/` to the kernel.

use lana::prelude::{
    list::{append, push, room},
    option::{Directions, Number, Size, Time},
    *,
};

mod defrag;

use defrag::{
    datagram::{Datagram, Why},
    header::Fragment,
    table::{Bounds, Table},
};

block_module! {
    type: Defrag,
    name: "fb_defrag",
    authors: ["The LANA developers"],
    description: "LANA block: reassembles fragments of IP",
    license: "GPL",
    alias: ["lana-fb-defrag"],
}

/// What the logic keeps things in.
type List<T> = KVVec<T>;

#[derive(Zeroable)]
struct Counts {
    fragments: Count,
    reassembled: Count,
    duplicates: Count,
    overlaps: Count,
    invalid: Count,
    full: Count,
}

/// What replaced blocks have in common.
struct State {
    table: Locked<Table>,
    counts: PerCpu<Counts>,
    /// Nothing waits in it: it wakes the block.
    clock: HoldQueue,
}

options! {
    /// What can be set.
    struct Config {
        /// Number of datagrams of which fragments can wait
        datagrams: Number<1, 65_536> = Number(1024),
        /// Bytes of all fragments that can wait
        memory: Size<65_536, { 1 << 30 }> = Size(4 << 20),
        /// Time after which the block forgets the fragments of a datagram
        timeout: Time<{ time::SECOND / 10 }, { 60 * time::SECOND }> = Time(30 * time::SECOND),
        /// Direction of the packets that it reassembles. The others pass
        direction: Directions = Directions::Both,
    }
}

struct Defrag {
    config: Config,
    bounds: Bounds,
    state: Arc<State>,
}

/// So many empty places.
fn places(datagrams: u32) -> Result<List<List<Datagram>>> {
    let count = Table::places(datagrams);
    let mut places = List::with_capacity(count, GFP_KERNEL)?;
    for _ in 0..count {
        places.push(List::new(), GFP_KERNEL)?;
    }
    Ok(places)
}

/// What becomes of a packet.
enum Outcome {
    Passes,
    Waits,
    Whole(Skb),
    Drop(DropReason),
}

impl Defrag {
    fn with(config: Config, state: Arc<State>) -> Result<Self> {
        let places = places(config.datagrams.0 as u32)?;
        // What is not needed any more is freed with no lock held.
        drop(state.table.with(|table| table.grow(places)));
        Ok(Self {
            config,
            bounds: Bounds {
                datagrams: config.datagrams.0 as u32,
                memory: config.memory.0,
                timeout: config.timeout.0,
            },
            state,
        })
    }

    fn take<P: Packet>(&self, packet: &mut P, cx: &Context<'_>) -> Outcome {
        let parsed = packet.parse();
        let is_upward = cx.direction() == Direction::Ingress;
        let tag = packet.tag();
        let vlan = tag.map(|tag| tag as u16).or(parsed.vlan).unwrap_or(0) & 0xfff;
        let len = parsed.end.min(packet.len() as usize) as u32;
        let most = headers::USUAL.saturating_add(256).min(len as usize);
        let Some(bytes) = packet.header(most as u32) else {
            return Outcome::Drop(DropReason::NoMemory);
        };
        let Some(fragment) = Fragment::of(&parsed, bytes, vlan, is_upward) else {
            return Outcome::Passes;
        };
        let counts = self.state.counts.this(cx.cpu());
        counts.fragments.add(1);
        if !fragment.key.is_v6 {
            let header = fragment.head_end.saturating_sub(fragment.network);
            if packet.checksum(fragment.network as u32, header as u32) != Some(0xffff) {
                counts.invalid.add(1);
                return Outcome::Drop(DropReason::Malformed);
            }
        }
        let Some(bytes) = packet.header(len) else {
            return Outcome::Drop(DropReason::NoMemory);
        };
        let now = time::coarse();
        let (added, waits) = self.state.table.with(|table| {
            let added = table.add(&fragment, bytes, &self.bounds, now);
            (added, table.datagrams > 0)
        });
        if waits {
            self.wake_later(now, cx);
        }
        let whole = added.and_then(|datagram| {
            let Some(datagram) = datagram else {
                return Ok(None);
            };
            let mut link = [0; 16];
            let addresses = bytes.iter().take(12);
            link.iter_mut()
                .zip(addresses)
                .for_each(|(to, from)| *to = *from);
            let size = match tag {
                Some(tag) => {
                    let place = link.iter_mut().skip(12);
                    place
                        .zip(tag.to_be_bytes())
                        .for_each(|(to, from)| *to = from);
                    16
                }
                None => 12,
            };
            let whole = datagram.whole(link.get(..size).unwrap_or_default())?;
            Skb::from_bytes(&whole).map(Some).ok_or(Why::NoMemory)
        });
        let (count, reason) = match whole {
            Ok(None) => return Outcome::Waits,
            Ok(Some(skb)) => {
                counts.reassembled.add(1);
                return Outcome::Whole(skb);
            }
            Err(Why::NoMemory) => return Outcome::Drop(DropReason::NoMemory),
            Err(Why::Duplicate) => (&counts.duplicates, DropReason::Filtered),
            Err(Why::Overlap) => (&counts.overlaps, DropReason::Filtered),
            Err(Why::Invalid) => (&counts.invalid, DropReason::Malformed),
            Err(Why::Full) => (&counts.full, DropReason::QueueFull),
        };
        count.add(1);
        Outcome::Drop(reason)
    }

    /// Looks for those whose time is over a little after that.
    fn wake_later(&self, now: u64, cx: &Context<'_>) {
        let pause = self.bounds.timeout / 4;
        self.state.clock.wake_at(now.saturating_add(pause), cx);
    }
}

impl Block for Defrag {
    const TYPE: &'static str = "defrag";
    const HOLDS: bool = true;
    const OPTIONS: &'static [OptionSpec] = Config::OPTIONS;

    fn new(args: &mut Args) -> Result<Self> {
        let config = Config::DEFAULT;
        let places = places(config.datagrams.0 as u32)?;
        let state = State {
            table: Locked::new(Table::new(places, HashKey::random()))?,
            counts: PerCpu::new(args.process())?,
            clock: args.hold_queue()?,
        };
        Self::with(config, Arc::new(state, GFP_KERNEL)?)
    }

    fn receive<P: Packet>(&self, mut packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        if !self.config.direction.include(cx.direction()) {
            return cx.pass(packet);
        }
        match self.take(&mut packet, cx) {
            Outcome::Passes => cx.pass(packet),
            Outcome::Waits => packet.with_skb(cx, |skb, _| skb.consume()),
            Outcome::Drop(reason) => Verdict::drop(packet, reason),
            Outcome::Whole(whole) => packet.with_skb(cx, |skb, cx| {
                let _ = skb.consume();
                cx.pass(whole)
            }),
        }
    }

    fn wake(&self, cx: &mut Context<'_>) {
        let now = time::coarse();
        let waits = self.state.table.with(|table| {
            table.reap(&self.bounds, now);
            table.datagrams > 0
        });
        if waits {
            self.wake_later(now, cx);
        }
    }

    fn set(&self, key: &str, value: &[u8], process: &Process) -> Result<Self, Failure> {
        let config = self.config.with(key, value);
        let config = config.ok_or_else(|| Self::unknown(key))??;
        // The time of what waits may be over now.
        self.state.clock.wake_then(process);
        Ok(Self::with(config, self.state.clone())?)
    }

    fn options(&self, to: &mut dyn Options, _process: &Process) {
        let (datagrams, memory, timeouts) = self
            .state
            .table
            .with(|table| (table.datagrams, table.memory, table.timeouts));
        to.put("waiting", format_args!("{datagrams}"));
        to.put("bytes", format_args!("{memory}"));
        let mut sum = |name, part: fn(&Counts) -> &Count| {
            let parts = self.state.counts.iter();
            let parts = parts.map(|(_, counts)| part(counts).get());
            to.put(name, format_args!("{}", parts.fold(0, u64::wrapping_add)));
        };
        sum("fragments", |counts| &counts.fragments);
        sum("reassembled", |counts| &counts.reassembled);
        sum("duplicates", |counts| &counts.duplicates);
        sum("overlaps", |counts| &counts.overlaps);
        sum("invalid", |counts| &counts.invalid);
        sum("full", |counts| &counts.full);
        to.put("timeouts", format_args!("{timeouts}"));
        self.config.put(to);
    }

    fn adopt(&self, old: &Self, process: &Process) -> Result<Option<Self>, Failure> {
        old.state.clock.wake_then(process);
        Ok(Some(Self::with(self.config, old.state.clone())?))
    }
}
