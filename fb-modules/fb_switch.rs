// SPDX-License-Identifier: GPL-2.0

//! `switch`: a learning bridge over its egress ports, as of IEEE 802.1D without a spanning tree.
//!
//! What is here binds the logic in `switch/` to the kernel.

use kernel::sync::UniqueArc;
use lana::prelude::{
    option::{Number, Time},
    *,
};

mod switch;

use switch::{
    header::{Header, Station, LONGEST},
    ports::{self, Ports, Seen, ABOVE, PORTS},
    table::{Heard, Moment, Rules, Table},
};

block_module! {
    type: Switch,
    name: "fb_switch",
    authors: ["The LANA developers"],
    description: "LANA block: a learning bridge",
    license: "GPL",
    alias: ["lana-fb-switch"],
}

/// What the logic keeps things in.
type List<T> = KVVec<T>;

/// What a CPU counts.
#[derive(Zeroable)]
struct Counts {
    learnt: Count,
    moved: Count,
    flooded: Count,
    full: Count,
    bad_source: Count,
    link_local: Count,
}

/// What packets change, whatever is set and bound.
struct State {
    key: HashKey,
    counts: PerCpu<Counts>,
}

impl State {
    fn sum(&self, what: impl Fn(&Counts) -> &Count) -> u64 {
        let counts = self.counts.iter();
        counts.fold(0, |sum, (_, counts)| sum.wrapping_add(what(counts).get()))
    }

    fn hash(&self, station: Station) -> u64 {
        self.key.hash(&[station.word()])
    }
}

/// The longest ageing time of 802.1D: a million seconds.
const LONGEST_AGEING: u64 = 1_000_000 * time::SECOND;

const FLUSH: &str = "flush";

options! {
    /// What can be set.
    struct Config {
        ..OptionSpec {
            key: FLUSH,
            values: Values::Words(&["yes"]),
            default: Initial::Text(""),
            doc: "Forgets all addresses, once",
        },
        /// Time without a packet after which the block forgets an address. 0s: it learns none
        ageing: Time<0, LONGEST_AGEING> = Time(300 * time::SECOND),
        /// Number of addresses that the block can remember
        limit: Number<1, 65_536> = Number(4096),
        /// Learn addresses for each VLAN separately, by the outer tag
        vlan: bool = false,
        /// Forward frames to the addresses 01:80:c2:00:00:00 to 0f, which bridges drop
        link_local as "link-local": bool = false,
    }
}

struct Switch {
    config: Config,
    /// When all was forgotten last.
    flushed: Moment,
    ports: Arc<Ports>,
    table: Arc<Table>,
    state: Arc<State>,
}

/// Where a packet goes.
enum Way {
    To(Port),
    /// To all ports but for one below, of which this is the number.
    Flood(Option<u8>),
    Drop(DropReason),
}

fn table(limit: u64) -> Result<Arc<Table>> {
    let count = Table::buckets(limit as u32);
    let mut buckets = List::with_capacity(count, GFP_KERNEL)?;
    for _ in 0..count {
        buckets.push(Default::default(), GFP_KERNEL)?;
    }
    Ok(Arc::new(Table::new(buckets), GFP_KERNEL)?)
}

const UP: Port = Port {
    direction: Direction::Ingress,
    index: 0,
};

fn down(index: u16) -> Port {
    let direction = Direction::Egress;
    Port { direction, index }
}

impl Switch {
    fn rules(&self) -> Rules<'_> {
        let now = Moment::of(time::coarse());
        Rules {
            now,
            oldest: now.less(self.config.ageing.0).max(self.flushed.next()),
            ports: &self.ports,
            limit: self.config.limit.0 as u32,
        }
    }

    #[inline]
    fn decide<P: Packet>(&self, packet: &mut P, cx: &Context<'_>) -> Way {
        let counts = self.state.counts.this(cx.cpu());
        let tag = packet.vlan();
        let len = packet.len();
        let Some(header) = packet.header(len.min(LONGEST)).and_then(Header::read) else {
            return Way::Drop(DropReason::Malformed);
        };
        if !header.from.is_source() {
            counts.bad_source.add(1);
            return Way::Drop(DropReason::Filtered);
        }
        let vlan = match self.config.vlan {
            true => tag.or(header.tag).unwrap_or(0),
            false => 0,
        };
        // The port it came by: its number below, and its seat if anybody can be behind it.
        let (number, seat) = match cx.direction() {
            Direction::Egress => (None, Some(ABOVE)),
            Direction::Ingress => match self.ports.of(cx.came_from()) {
                Some((number, port)) => (Some(number), port.is_up.then_some(port.seat)),
                None => return Way::Drop(DropReason::Unbound),
            },
        };
        let rules = self.rules();
        if let Some(seat) = seat.filter(|_| self.config.ageing.0 != 0) {
            let station = Station::new(header.from, vlan);
            match self
                .table
                .hear(station, self.state.hash(station), seat, &rules)
            {
                Heard::Known => (),
                Heard::New => counts.learnt.add(1),
                Heard::Moved => counts.moved.add(1),
                Heard::Full => counts.full.add(1),
            }
        }
        if !header.to.is_group() {
            let station = Station::new(header.to, vlan);
            let to = self.table.seat(station, self.state.hash(station), &rules);
            if to.is_some() && to == seat {
                // It is on the same wire.
                return Way::Drop(DropReason::Filtered);
            }
            match to {
                Some(ABOVE) if cx.ports(Direction::Ingress) > 0 => return Way::To(UP),
                Some(to) => {
                    if let Some(number) = self.ports.number(to) {
                        return Way::To(down(number.into()));
                    }
                }
                None => (),
            }
        } else if header.to.is_link_local() && !self.config.link_local {
            counts.link_local.add(1);
            return Way::Drop(DropReason::Filtered);
        }
        counts.flooded.add(1);
        Way::Flood(number)
    }

    /// By all ports but one: the packet by the first of them, clones by the others.
    fn flood<P: Packet>(&self, packet: P, number: Option<u8>, cx: &mut Context<'_>) -> Verdict<P> {
        let goes_up = cx.direction() == Direction::Ingress && cx.ports(Direction::Ingress) > 0;
        let below = self.ports.others(number).map(down);
        let mut all = Iterator::chain(below, goes_up.then_some(UP));
        let Some(first) = all.next() else {
            return Verdict::drop(packet, DropReason::Unbound);
        };
        for port in all {
            if !cx.emit_clone(&packet, port) {
                break;
            }
        }
        Verdict::forward(packet, first)
    }

    /// The table with room for so many entries. A larger one is filled with what there is.
    fn grown(&self, limit: u64) -> Result<Arc<Table>> {
        if self.table.is_for(limit as u32) {
            return Ok(self.table.clone());
        }
        let grown = table(limit)?;
        let rules = self.rules();
        for (station, note) in self.table.entries(rules) {
            let then = Rules {
                now: note.heard(),
                limit: limit as u32,
                ..rules
            };
            grown.hear(station, self.state.hash(station), note.seat(), &then);
        }
        Ok(grown)
    }
}

impl Block for Switch {
    const TYPE: &'static str = "switch";
    const EGRESS_PORTS: u32 = PORTS as u32;
    const OPTIONS: &'static [OptionSpec] = Config::OPTIONS;
    const FILE: File = File::Read;
    const WATCHES_PORTS: bool = true;

    fn new(args: &mut Args) -> Result<Self> {
        let state = State {
            key: HashKey::random(),
            counts: PerCpu::new(args.process())?,
        };
        Ok(Self {
            config: Config::DEFAULT,
            flushed: Moment::default(),
            ports: Arc::new(Ports::none(), GFP_KERNEL)?,
            table: table(Config::DEFAULT.limit.0)?,
            state: Arc::new(state, GFP_KERNEL)?,
        })
    }

    fn receive<P: Packet>(&self, mut packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        match self.decide(&mut packet, cx) {
            Way::To(port) => Verdict::forward(packet, port),
            Way::Flood(number) => self.flood(packet, number, cx),
            Way::Drop(reason) => Verdict::drop(packet, reason),
        }
    }

    fn set(&self, key: &str, value: &[u8], _process: &Process) -> Result<Self, Failure> {
        let (mut config, mut flushed) = (self.config, self.flushed);
        match config.with(key, value) {
            Some(changed) => config = changed?,
            None if key == FLUSH => match value.trim_ascii() {
                b"yes" => flushed = Moment::of(time::coarse()),
                b"" => (),
                _ => return Err(fail!(EINVAL, "{key}: yes")),
            },
            None => return Err(Self::unknown(key)),
        }
        Ok(Self {
            config,
            flushed,
            ports: self.ports.clone(),
            table: self.grown(config.limit.0)?,
            state: self.state.clone(),
        })
    }

    fn ports(&self, egress: &[Peer<'_>], _process: &Process) -> Result<Option<Self>, Failure> {
        let seen = || {
            egress.iter().map(|peer| Seen {
                idp: peer.idp,
                name: peer.name,
                is_up: peer.up,
            })
        };
        if self.ports.are(seen()) {
            return Ok(None);
        }
        let push = |list: &mut List<ports::Port>, port| list.push(port, GFP_KERNEL).is_ok();
        let begins = |seat| self.table.clear(seat);
        // It is too big for the stack.
        let mut ports = UniqueArc::new(Ports::none(), GFP_KERNEL)?;
        let done = self.ports.follow(&mut ports, seen(), push, begins);
        done.ok_or(ENOMEM)?;
        Ok(Some(Self {
            config: self.config,
            flushed: self.flushed,
            ports: ports.into(),
            table: self.table.clone(),
            state: self.state.clone(),
        }))
    }

    fn adopt(&self, old: &Self, _process: &Process) -> Result<Option<Self>, Failure> {
        // The ports belong to the place.
        Ok(Some(Self {
            config: self.config,
            flushed: old.flushed,
            ports: old.ports.clone(),
            table: old.grown(self.config.limit.0)?,
            state: old.state.clone(),
        }))
    }

    fn options(&self, to: &mut dyn Options, _process: &Process) {
        let entries = self.table.entries(self.rules());
        let entries = entries.fold(0u32, |sum, _| sum.wrapping_add(1));
        to.put("entries", format_args!("{entries}"));
        let mut sum = |name, what: fn(&Counts) -> &Count| {
            to.put(name, format_args!("{}", self.state.sum(what)));
        };
        sum("learnt", |counts| &counts.learnt);
        sum("moved", |counts| &counts.moved);
        sum("flooded", |counts| &counts.flooded);
        sum("full", |counts| &counts.full);
        sum("bad-source", |counts| &counts.bad_source);
        sum("reserved", |counts| &counts.link_local);
        self.config.put(to);
    }

    fn print(&self, to: &mut dyn fmt::Write, _process: &Process) -> fmt::Result {
        let rules = self.rules();
        for (station, note) in self.table.entries(rules) {
            let port = match note.seat() {
                ABOVE => "above",
                seat => self.ports.name(seat).unwrap_or("-"),
            };
            let age = rules.now.since(note.heard()) / 1_000_000;
            let (mac, vlan) = (station.mac(), station.vlan());
            writeln!(to, "{mac} {vlan} {port} {}.{:03}", age / 1000, age % 1000)?;
        }
        Ok(())
    }
}
