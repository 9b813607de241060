// SPDX-License-Identifier: GPL-2.0

//! `nat`: translates the addresses and ports of hosts inside, which are above the block, to those that they have outside.
//!
//! What is here binds the logic in `nat/` to the kernel.

use core::net::Ipv4Addr;
use kernel::sync::atomic::{Atomic, Relaxed};
use lana::prelude::{
    list::{push, room},
    option::{Number, Time},
    *,
};

mod nat;
#[path = "rewrite/plan.rs"]
#[expect(dead_code, reason = "rewrite also reads packets without a parser")]
mod plan;
#[path = "rewrite/value.rs"]
#[expect(dead_code, reason = "rewrite has more options")]
mod value;

use address::Address;
use headers::{Addresses, IPV4, IPV6};
use nat::{
    rules::{Rules, Why},
    seen::{carried, Carried, Datagram, Quote, Seen, QUOTED},
    session::{Endpoint, Protocol, CLASSES},
    setting::{Map, Npt, Pool, Ports, Target},
    slab::NONE,
    table::{Memory, Table},
    translate::{self, Act, Fragments, Maps, Slot, DATAGRAMS},
};
use plan::Found;

block_module! {
    type: Nat,
    name: "fb_nat",
    authors: ["The LANA developers"],
    description: "LANA block: translates network addresses and ports",
    license: "GPL",
    alias: ["lana-fb-nat"],
}

/// What the logic keeps things in.
type List<T> = KVVec<T>;

#[derive(Zeroable)]
struct Counts {
    translated: Count,
    untouched: Count,
    full: Count,
    no_port: Count,
    unsolicited: Count,
    unsupported: Count,
    fragments: Count,
}

/// What replaced blocks have in common.
struct State {
    sessions: Locked<translate::State>,
    counts: PerCpu<Counts>,
    /// How many packets that found no room have been told of.
    told: Atomic<u64>,
}

impl State {
    /// What all CPUs have counted.
    fn sum(&self, part: fn(&Counts) -> &Count) -> u64 {
        let parts = self.counts.iter();
        let parts = parts.map(|(_, counts)| part(counts).get());
        parts.fold(0, u64::wrapping_add)
    }
}

texts! {
    Pool: Self::parse, "an IPv4 address, or a range such as 192.0.2.1-192.0.2.9";
    Ports: Self::parse, "a port, or a range such as 1024-65535";
    Target: Self::parse, "an IPv4 address, or one with a port such as 10.0.0.2:80";
    Map: Self::parse, "two prefixes of a length such as 10.0.0.0/24=192.0.2.0/24";
    Npt: Self::parse, "two IPv6 prefixes of a length up to 64 such as fd00::/48=2001:db8::/48";
}

words! {
    /// Who may send to the endpoint that a host inside has outside.
    enum Filter {
        Open = "open",
        Session = "session",
    }
}

/// A port of TCP or UDP.
type Port16 = Number<1, { u16::MAX as u64 }>;
/// The time of a session.
type Timeout = Time<{ time::SECOND }, { 1_000_000 * time::SECOND }>;

const fn seconds(seconds: u64) -> Timeout {
    Time(seconds.saturating_mul(time::SECOND))
}

options! {
    /// What can be set.
    struct Config {
        /// Addresses outside of the hosts inside. Packets that go down get one as their source
        source: Option<Pool> = None,
        /// Ports outside that the block chooses from
        ports: Ports = Ports { first: 1, last: u16::MAX },
        /// Host inside, and its port, for packets that come up and belong to no session
        dest: Option<Target> = None,
        /// The one port outside of TCP and UDP that is for dest. Empty: all
        dest_port as "dest.port": Option<Port16> = None,
        /// Who may send to a port that a host inside uses: all (open), or whom the host has sent to (session)
        filter: Filter = Filter::Open,
        /// Prefix inside, and the prefix outside that takes its place, one to one
        map: Option<Map> = None,
        /// The same for IPv6, with addresses that leave checksums as they are (NPTv6)
        npt: Option<Npt> = None,
        /// Number of sessions that the block can remember
        sessions: Number<1, 1_048_576> = Number(65_536),
        /// Time without a packet after which an established TCP connection is forgotten
        tcp as "tcp.timeout": Timeout = seconds(7440),
        /// The same for TCP connections that begin or end
        transitory as "tcp.transitory": Timeout = seconds(240),
        /// The same for UDP
        udp as "udp.timeout": Timeout = seconds(300),
        /// The same for queries of ICMP
        icmp as "icmp.timeout": Timeout = seconds(60),
    }
}

impl Config {
    fn rules(&self) -> Rules {
        let [tcp, transitory, udp, icmp] =
            [self.tcp, self.transitory, self.udp, self.icmp].map(|time| time.0);
        let timeouts: [u64; CLASSES] = [transitory, tcp, transitory, udp, udp, icmp];
        Rules {
            source: self.source,
            ports: self.ports,
            dest: self.dest,
            dest_port: self.dest_port.map(|port| port.0 as u16),
            open: self.filter == Filter::Open,
            timeouts,
            limit: self.sessions.0 as u32,
        }
    }
}

struct Nat {
    config: Config,
    rules: Rules,
    maps: Maps,
    state: Arc<State>,
}

/// The memory for so many sessions.
fn memory(limit: u32) -> Result<Memory> {
    let (chunks, heads) = Memory::sizes(limit);
    let heads = || List::from_elem(NONE, heads, GFP_KERNEL);
    Ok(Memory {
        chunks: List::with_capacity(chunks, GFP_KERNEL)?,
        heads: [heads()?, heads()?],
    })
}

/// Answers whether something was done. Whoever asks for it has made sure that only memory can be missing.
fn done(is_done: bool) -> Result<(), Why> {
    is_done.then_some(()).ok_or(Why::NoMemory)
}

impl Nat {
    fn with(config: Config, state: Arc<State>) -> Result<Self> {
        let limit = config.sessions.0 as u32;
        if !state.sessions.with(|state| state.table.is_for(limit)) {
            let memory = memory(limit)?;
            // What is not needed any more is freed with no lock held.
            drop(state.sessions.with(|state| state.table.grow(memory)));
        }
        Ok(Self {
            config,
            rules: config.rules(),
            maps: Maps {
                map: config.map,
                npt: config.npt,
            },
            state,
        })
    }

    /// Translates a packet. Says whether it turns round.
    #[inline]
    fn translate<P: Packet>(&self, packet: &mut P, outward: bool) -> Result<bool, Why> {
        let parsed = packet.parse();
        let is_v6 = match parsed.ether_type {
            Some(IPV4) => false,
            Some(IPV6) => true,
            _ => return Err(Why::Untouched),
        };
        let has_sessions = !is_v6 && (self.rules.source.is_some() || self.rules.dest.is_some());
        if !has_sessions && !self.maps.are_for(is_v6) {
            return Err(Why::Untouched);
        }
        let addresses = match (parsed.addresses, parsed.malformed) {
            (Addresses::V4(from, to), None) => (Address::V4(from), Address::V4(to)),
            (Addresses::V6(from, to), None) => (Address::V6(from), Address::V6(to)),
            _ => return Err(Why::Malformed),
        };
        let wanted = match (parsed.transport, parsed.icmp) {
            (Some(at), Some(_)) => at.saturating_add(8).saturating_add(QUOTED),
            (Some(at), None) => at.saturating_add(20),
            (None, _) => parsed.network.saturating_add(40),
        };
        let bytes = packet.header(wanted.min(parsed.end) as u32);
        let bytes = bytes.ok_or(Why::NoMemory)?;
        let found = Found::of(&parsed, bytes).ok_or(Why::Malformed)?;
        let seen = Seen::of(&parsed, bytes);
        let datagram = Datagram::of(&parsed, bytes, outward);
        // What an error quotes, and a copy of it.
        let mut copy = [0; QUOTED];
        let mut quote = None;
        if let Carried::Error(at) = carried(&parsed, bytes) {
            let quoted = bytes.get(at..).unwrap_or_default();
            copy.iter_mut()
                .zip(quoted)
                .for_each(|(to, from)| *to = *from);
            let quoted = copy.get_mut(..quoted.len()).unwrap_or_default();
            let read = Quote::read(quoted).ok_or(Why::Malformed)?;
            quote = Some((read, at, quoted));
        }
        if let (Some(_), Some(at), false) = (&quote, parsed.transport, is_v6) {
            let len = parsed.end.saturating_sub(at) as u32;
            let is_whole = parsed.fragmented == headers::Fragmented::No;
            let is_unseen = matches!(packet.summed(), Summed::None | Summed::Complete(_));
            if is_whole && is_unseen && packet.checksum(at as u32, len) != Some(0xffff) {
                return Err(Why::Malformed);
            }
        }
        let quoted = quote.as_ref().map(|(quote, ..)| quote);
        let by_map = self.maps.pass(outward, addresses, quoted);
        let (act, keeps_sums) = match (by_map, seen) {
            (Err(Why::Untouched), Some(seen)) if has_sessions => {
                let (rules, now) = (&self.rules, time::coarse());
                let pass = |state: &mut translate::State| {
                    state.pass(outward, &seen, quoted, datagram, rules, now)
                };
                (self.state.sessions.with(pass)?, false)
            }
            (by_map, _) => by_map?,
        };
        let Act {
            plan,
            quote: of_quote,
            turns,
        } = act;
        plan.apply(&found, |at, bytes, sums| {
            done(packet.replace(at, bytes, if keeps_sums { &[] } else { sums }))
        })?;
        if let (Some((quote, at, quoted)), Some(icmp)) = (quote, parsed.transport) {
            quote.apply(&of_quote, quoted, keeps_sums);
            let sum = Sum::covering(icmp.saturating_add(2) as u32);
            done(packet.replace(at as u32, quoted, &[sum]))?;
        }
        if turns {
            let header = packet.header(12).and_then(|header| header.first_chunk());
            if let Some(&[a, b, c, d, e, f, g, h, i, j, k, l]) = header {
                done(packet.replace(0, &[g, h, i, j, k, l, a, b, c, d, e, f], &[]))?;
            }
        }
        Ok(turns)
    }

    /// Ends sessions whose time is over, for a command.
    fn reap(&self) {
        let now = time::coarse();
        let some = 1000;
        while self
            .state
            .sessions
            .with(|state| state.table.reap(&self.rules, now, some))
            == some
        {}
    }
}

const UP: Port = Port {
    direction: Direction::Ingress,
    index: 0,
};

impl Block for Nat {
    const TYPE: &'static str = "nat";
    const OPTIONS: &'static [OptionSpec] = Config::OPTIONS;
    const FILE: File = File::Read;
    const NOTIFIES: bool = true;

    fn new(args: &mut Args) -> Result<Self> {
        let config = Config::DEFAULT;
        let table = Table::new(memory(config.sessions.0 as u32)?, HashKey::random());
        let slots = List::from_elem(Slot::default(), DATAGRAMS, GFP_KERNEL)?;
        let fragments = Fragments::new(slots, HashKey::random());
        let state = State {
            sessions: Locked::new(translate::State { table, fragments })?,
            counts: PerCpu::new(args.process())?,
            told: Atomic::new(0),
        };
        Self::with(config, Arc::new(state, GFP_KERNEL)?)
    }

    fn receive<P: Packet>(&self, mut packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        let counts = self.state.counts.this(cx.cpu());
        let (count, reason) = match self.translate(&mut packet, cx.direction() == Direction::Egress)
        {
            Ok(turns) => {
                counts.translated.add(1);
                return match turns {
                    true => Verdict::forward(packet, UP),
                    false => cx.pass(packet),
                };
            }
            Err(Why::Untouched) => {
                counts.untouched.add(1);
                return cx.pass(packet);
            }
            Err(Why::Malformed) => return Verdict::drop(packet, DropReason::Malformed),
            Err(Why::NoMemory) => return Verdict::drop(packet, DropReason::NoMemory),
            Err(Why::Unmappable) => return Verdict::drop(packet, DropReason::Filtered),
            Err(Why::Full) => {
                cx.notify();
                (&counts.full, DropReason::QueueFull)
            }
            Err(Why::NoPort) => (&counts.no_port, DropReason::Filtered),
            Err(Why::Unsolicited) => (&counts.unsolicited, DropReason::Filtered),
            Err(Why::Unsupported) => (&counts.unsupported, DropReason::Filtered),
            Err(Why::Fragment) => (&counts.fragments, DropReason::Filtered),
        };
        count.add(1);
        Verdict::drop(packet, reason)
    }

    fn set(&self, key: &str, value: &[u8], _process: &Process) -> Result<Self, Failure> {
        let config = self.config.with(key, value);
        let config = config.ok_or_else(|| Self::unknown(key))??;
        if config.npt.is_some() && config.map.is_some_and(|map| map.is_v6()) {
            return Err(fail!(EINVAL, "{key}: not both map and npt for IPv6"));
        }
        Ok(Self::with(config, self.state.clone())?)
    }

    fn options(&self, to: &mut dyn Options, _process: &Process) {
        self.reap();
        let (sessions, created, evicted) = self.state.sessions.with(|state| {
            let table = &state.table;
            (table.sessions(), table.created, table.evicted)
        });
        to.put("active", format_args!("{sessions}"));
        to.put("created", format_args!("{created}"));
        to.put("evicted", format_args!("{evicted}"));
        let mut sum = |name, part: fn(&Counts) -> &Count| {
            to.put(name, format_args!("{}", self.state.sum(part)));
        };
        sum("translated", |counts| &counts.translated);
        sum("untouched", |counts| &counts.untouched);
        sum("full", |counts| &counts.full);
        sum("no-port", |counts| &counts.no_port);
        sum("unsolicited", |counts| &counts.unsolicited);
        sum("unsupported", |counts| &counts.unsupported);
        sum("fragments", |counts| &counts.fragments);
        self.config.put(to);
    }

    fn print(&self, to: &mut dyn fmt::Write, _process: &Process) -> fmt::Result {
        self.reap();
        let now = time::coarse();
        let sessions = &self.state.sessions;
        for number in 0..sessions.with(|state| state.table.end_of_numbers()) {
            let Some(session) = sessions.with(|state| state.table.session(number)) else {
                continue;
            };
            let protocol = match session.protocol {
                Protocol::Tcp => "tcp",
                Protocol::Udp => "udp",
                Protocol::Query | Protocol::QueryIn => "icmp",
            };
            let timeout = self.rules.timeouts.get(session.class as usize).copied();
            let over = session.used.saturating_add(timeout.unwrap_or(0));
            let left = over.saturating_sub(now) / time::SECOND;
            let ends = [session.inside, session.outside, session.remote];
            let [inside, outside, remote] = ends.map(Shown);
            let state = session.state;
            writeln!(to, "{protocol} {inside} {outside} {remote} {state} {left}s")?;
        }
        Ok(())
    }

    fn notices(&self, tell: &mut dyn FnMut(fmt::Arguments<'_>), _process: &Process) {
        let full = self.state.sum(|counts| &counts.full);
        let dropped = full.wrapping_sub(self.state.told.xchg(full, Relaxed));
        if dropped > 0 {
            tell(format_args!(
                "no room for another session: {dropped} packets dropped"
            ));
        }
    }

    fn adopt(&self, old: &Self, _process: &Process) -> Result<Option<Self>, Failure> {
        Ok(Some(Self::with(self.config, old.state.clone())?))
    }
}

/// An endpoint, to be shown.
struct Shown(Endpoint);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", Ipv4Addr::from_bits(self.0.address), self.0.port)
    }
}
