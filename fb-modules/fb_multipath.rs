// SPDX-License-Identifier: GPL-2.0

//! `multipath`: spreads what goes down over its egress ports, by one of several strategies. What
//! comes up from them passes on to what is on top of it; from that it learns by which port to answer.
//!
//! What is here binds the logic in `multipath/` to the kernel.

use core::sync::atomic::Ordering::Relaxed;
use lana::prelude::*;

#[path = "multipath/hops.rs"]
mod hops;
mod multipath;
#[path = "multipath/past.rs"]
mod past;
#[path = "multipath/report.rs"]
mod report;
#[path = "multipath/state.rs"]
mod state;

use hops::Hops;
use multipath::{
    config::{self, Broadcast, Fields, Probe, Rules, Strategy, Term, Terms},
    flow::{self, Flow, Hosts},
    history::Note,
    meter::{Pace, Sent},
    ports::{self, Port as Egress, Seats, Seen},
    segment::{Carried, Ends},
    spread::{Cycle, Spread, Usable},
    table::Table,
    Balance, Source, Way,
};
use past::History;
use state::{filled, table, Counts, State};

block_module! {
    type: Multipath,
    name: "fb_multipath",
    authors: ["The LANA developers"],
    description: "LANA block: spreads packets over several ports",
    license: "GPL",
    alias: ["lana-fb-multipath"],
}

/// What the logic keeps things in.
type List<T> = KVVec<T>;

/// What the logic asks for, for one packet.
struct Here<'a> {
    state: &'a State,
    counts: &'a Counts,
    history: &'a History,
    expiry: u64,
    /// The ticks of the coarse clock are too far apart.
    is_precise: bool,
    /// The device that the packet came by, where it is asked for.
    device: u32,
}

impl Source for Here<'_> {
    fn now(&self) -> u64 {
        if self.is_precise {
            time::now()
        } else {
            time::coarse()
        }
    }

    fn hash(&self, words: &[u64]) -> u64 {
        self.state.key.hash(words)
    }

    fn device(&self) -> u32 {
        self.device
    }

    fn packet_turn(&self) -> u64 {
        let turn = self.counts.turn.get();
        self.counts.turn.set(turn.wrapping_add(1));
        turn
    }

    fn session_turn(&self) -> u64 {
        self.state.turn.fetch_add(1, Relaxed)
    }

    fn past(&self, key: u64) -> Option<Carried> {
        self.history.past(key, self.now(), self.expiry)
    }

    fn note(&self, key: u64, hosts: Option<Hosts>, note: &Note) {
        let forgets = self.history.note(key, hosts, note);
        self.counts.forgotten.add(forgets.into());
    }
}

/// One more term of a port: number, which, and the value of it.
type Asked = (u16, Term, Terms);

struct Multipath {
    rules: Rules,
    /// What they say on measuring.
    pace: Pace,
    /// By their numbers; behind those that are bound those that something was set for.
    ports: List<Egress>,
    /// Their seats by what they lead to.
    seats: Seats,
    /// What was set and is to be once it is clear what the ports lead to, which is in the same change.
    asked: List<Asked>,
    /// Whether a port has a next hop.
    has_hops: bool,
    /// Those that the kernel resolves.
    hops: Arc<Hops>,
    /// The seat that was given last.
    last: u8,
    spread: Arc<Spread>,
    sessions: Arc<Table>,
    /// What was remembered before `sessions` was set.
    before: Option<Arc<Table>>,
    /// What TCP has sent, where that counts.
    ends: Arc<Ends>,
    history: Arc<History>,
    state: Arc<State>,
}

impl Multipath {
    /// The block of these parts, with the state that there is.
    fn remade(&self, rules: Rules, ports: List<Egress>, last: u8) -> Result<Self> {
        let (mut sessions, mut before) = (self.sessions.clone(), self.before.clone());
        if rules.sessions != self.rules.sessions {
            before = Some(sessions);
            sessions = Arc::new(table(rules.room())?, GFP_KERNEL)?;
        }
        let (now, expiry) = (time::coarse(), rules.expiry_ns());
        let (mut ends, mut history) = (self.ends.clone(), self.history.clone());
        if ends.places() != past::places(&rules) {
            ends = Arc::new(past::ends(&rules)?, GFP_KERNEL)?;
        }
        if rules.history != self.rules.history {
            history = Arc::new(History::new(&rules)?, GFP_KERNEL)?;
        }
        Ok(Self {
            rules,
            pace: Pace::new(&rules),
            spread: Arc::new(spread(&ports)?, GFP_KERNEL)?,
            seats: seats(&ports)?,
            has_hops: ports.iter().any(|port| port.has_hop()),
            hops: self.hops.clone(),
            ports,
            asked: List::new(),
            last,
            sessions,
            before: before.filter(|table| table.is_in_use(now, expiry)),
            ends,
            history,
            state: self.state.clone(),
        })
    }

    /// The ports as they are, of which is counted anew how often each is chosen.
    fn counted_anew(&self) -> Result<List<Egress>> {
        let mut ports = List::with_capacity(self.ports.len(), GFP_KERNEL)?;
        for port in &self.ports {
            let since = self.state.totals(port.seat).chosen;
            ports.push(Egress { since, ..*port }, GFP_KERNEL)?;
        }
        Ok(ports)
    }

    /// Measures, if an interval is over.
    fn measure(&self) {
        if let Some(intervals) = self.state.meter.is_due(time::coarse(), &self.pace) {
            self.measure_all(intervals);
        }
    }

    #[cold]
    fn measure_all(&self, intervals: u64) {
        for (number, port) in self.bound().enumerate() {
            let sent = self.state.sent(&self.hops, number, port);
            let meter = &self.state.meter;
            meter.measure(port.seat, &sent, intervals, &self.pace);
        }
    }

    fn bound(&self) -> impl Iterator<Item = &Egress> {
        self.ports.iter().filter(|port| port.is_bound())
    }

    fn balance(&self) -> Balance<'_> {
        Balance {
            rules: &self.rules,
            spread: &self.spread,
            sessions: &self.sessions,
            before: self.before.as_deref(),
            fragments: &self.state.fragments,
            meter: &self.state.meter,
            pace: &self.pace,
            ends: &self.ends,
        }
    }

    fn here<P: Packet>(&self, packet: &P, cx: &Context<'_>) -> Here<'_> {
        let device = match self.rules.strategy {
            Strategy::Route => packet.device_index(),
            _ => None,
        };
        Here {
            device: device.unwrap_or(0),
            state: &self.state,
            counts: self.state.counts.this(cx.cpu()),
            history: &self.history,
            expiry: self.rules.expiry_ns(),
            is_precise: self.rules.strategy == Strategy::Flowlet,
        }
    }

    fn decide<P: Packet>(&self, packet: &mut P, cx: &Context<'_>) -> Option<(Way, Option<Flow>)> {
        self.measure();
        let (balance, here, len) = (self.balance(), self.here(packet, cx), packet.len());
        balance.decide(|| read(packet, self.rules.key), len, &here)
    }

    /// A packet goes its way.
    #[inline]
    fn goes<P: Packet>(&self, packet: P, way: &Way, cx: &Context<'_>) -> Verdict<P> {
        let (counts, direction) = (self.state.counts.this(cx.cpu()), cx.direction());
        self.state.count(counts, way, packet.len());
        Verdict::forward(
            packet,
            Port {
                direction,
                index: way.number,
            },
        )
    }

    /// Learns from a packet that came in by a port.
    fn learn<P: Packet>(&self, packet: &mut P, cx: &Context<'_>) {
        let (balance, here) = (self.balance(), self.here(packet, cx));
        if let Some(seat) = self.seats.find(cx.came_from()) {
            if let Some(evicts) = balance.learn(&read(packet, self.rules.key), seat, &here) {
                here.counts.learnt.add(1);
                here.counts.evicted.add(evicts.into());
            }
        }
    }
}

/// What a packet's headers say, for sessions that are told apart by these.
fn read<P: Packet>(packet: &mut P, by: Fields) -> Flow {
    let len = packet.len();
    let mut read = |most| Flow::read(packet.header(len.min(most)).unwrap_or_default(), by);
    let flow = match read(flow::FIRST) {
        Err(_) if len > flow::FIRST => read(flow::MOST),
        first => first,
    };
    let flow = flow.unwrap_or_else(|flow| flow);
    match by.vlan {
        true => flow.in_vlan(packet.vlan()),
        false => flow,
    }
}

/// The seats of these ports by what they lead to.
fn seats(ports: &[Egress]) -> Result<Seats> {
    let bound = ports.iter().filter(|port| port.is_bound());
    let list = filled(Seats::room(ports.len()))?;
    Ok(Seats::new(list, bound.map(|port| (port.idp, port.seat))))
}

/// The spread over those ports that can be used.
fn spread(ports: &[Egress]) -> Result<Spread> {
    let mut all: List<Usable> = List::new();
    let mut weights = List::new();
    for (number, port) in (0..).zip(ports) {
        if port.is_usable() {
            all.push(port.usable(number), GFP_KERNEL)?;
            weights.push(port.terms.weight(), GFP_KERNEL)?;
        }
    }
    let mut cycle = List::new();
    for turn in Cycle::new(&weights) {
        cycle.push(turn, GFP_KERNEL)?;
    }
    Ok(Spread::new(all, cycle))
}

/// The options of the block, and those of its ports.
const OPTIONS: [OptionSpec; Rules::OPTIONS.len() + Terms::OPTIONS.len()] =
    OptionSpec::all(Rules::OPTIONS, Terms::OPTIONS);

impl Block for Multipath {
    const TYPE: &'static str = "multipath";
    const OPTIONS: &'static [OptionSpec] = &OPTIONS;
    const EGRESS_PORTS: u32 = config::PORTS as u32;
    const FILE: File = File::Read;
    const WATCHES_PORTS: bool = true;
    const HOLDS: bool = true;

    fn new(args: &mut Args) -> Result<Self> {
        let rules = Rules::DEFAULT;
        Ok(Self {
            rules,
            pace: Pace::new(&rules),
            ports: List::new(),
            seats: seats(&[])?,
            asked: List::new(),
            has_hops: false,
            hops: Arc::new(Hops::NONE, GFP_KERNEL)?,
            last: 0,
            spread: Arc::new(spread(&[])?, GFP_KERNEL)?,
            sessions: Arc::new(table(rules.room())?, GFP_KERNEL)?,
            before: None,
            ends: Arc::new(past::ends(&rules)?, GFP_KERNEL)?,
            history: Arc::new(History::new(&rules)?, GFP_KERNEL)?,
            state: Arc::new(State::new(args)?, GFP_KERNEL)?,
        })
    }

    fn receive<P: Packet>(&self, mut packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        if cx.direction() == Direction::Ingress {
            if self.rules.probe == Probe::Icmp && self.is_answer(&mut packet, cx) {
                return packet.with_skb(cx, |skb, _| skb.consume());
            }
            if self.balance().learns() {
                self.learn(&mut packet, cx);
            }
            return cx.pass(packet);
        }
        if self.rules.broadcast == Broadcast::All && hops::is_group(&mut packet) {
            return self.copy(packet, cx);
        }
        if self.has_hops {
            if let Some((index, port)) = self.on_link(&mut packet, cx) {
                return self.goes(packet, &Way::stays(&port.usable(index)), cx);
            }
        }
        let Some((mut way, watched)) = self.decide(&mut packet, cx) else {
            return self.nowhere(packet, cx);
        };
        if self.has_hops {
            if let Err(why) = self.address(&mut packet, way.number, cx) {
                return Verdict::drop(packet, why);
            }
        }
        if let Some(flow) = watched {
            let (here, len) = (self.here(&packet, cx), packet.len());
            self.balance().watch(&flow, &mut way, len, &here);
        }
        self.goes(packet, &way, cx)
    }

    fn wake(&self, cx: &mut Context<'_>) {
        let now = time::now();
        let Some(changes) = self.look_after(now, cx) else {
            return;
        };
        if changes {
            cx.review_ports();
        }
        let next = now.saturating_add(hops::pause(&self.rules));
        self.state.queue.wake_at(next, cx);
    }

    fn set(&self, key: &str, value: &[u8], process: &Process) -> Result<Self, Failure> {
        if !self.hops.is_empty() {
            // They may be looked after in other intervals.
            self.state.queue.wake_then(process);
        }
        let mut asked = List::new();
        asked.extend_from_slice(&self.asked, GFP_KERNEL)?;
        let rules = match (self.rules.with(key, value), config::term(key)) {
            (Some(rules), _) => rules?,
            (None, Some((number, term))) => {
                if number >= config::PORTS {
                    return Err(fail!(EINVAL, "{key}: there are {} ports", config::PORTS));
                }
                let unknown = || Self::unknown(key);
                let terms = Terms::DEFAULT.with(term.key(), value).ok_or_else(unknown)?;
                // The failure is to name the port.
                let values = term.values().ok_or_else(unknown)?;
                let terms = terms.map_err(|_| fail!(EINVAL, "{key}: {values}"))?;
                asked.push((number, term, terms), GFP_KERNEL)?;
                self.rules
            }
            (None, None) => return Err(Self::unknown(key)),
        };
        let next = self.remade(rules, self.counted_anew()?, self.last)?;
        Ok(Self { asked, ..next })
    }

    fn ports(&self, egress: &[Peer<'_>], process: &Process) -> Result<Option<Self>, Failure> {
        let seen = || {
            egress.iter().map(|peer| Seen {
                idp: peer.idp,
                name: peer.name,
                is_up: peer.up,
                speed: peer.speed,
                address: peer.address,
            })
        };
        let hop_state = |hops: &Hops, number, port: &Egress| {
            hops.state(number, port, &self.rules, self.state.health(port.seat))
        };
        let is_mute = |port: &Egress| self.rules.probe == Probe::Icmp && port.terms.lacks_source();
        if self.asked.is_empty()
            && !self.ports.iter().any(is_mute)
            && ports::are_these(&self.ports, seen())
            && self.hops.are_of(&self.ports, egress, &self.rules)
            && self
                .bound()
                .enumerate()
                .all(|(number, port)| port.hop == hop_state(&self.hops, number, port))
        {
            return Ok(None);
        }
        let (mut ports, mut last) = (List::new(), self.last);
        let push = |mut port: Egress, is_new: bool| {
            let totals = self.state.totals(port.seat);
            if is_new {
                // It was another one's before.
                for table in [Some(&self.sessions), self.before.as_ref()] {
                    table.inspect(|table| table.clear(port.seat));
                }
                self.state.fragments.clear(port.seat);
                self.history.clear(port.seat);
                let sent = Sent {
                    bytes: totals.bytes,
                    packets: totals.packets,
                    carried: totals.carried,
                };
                self.state.meter.forget(port.seat, &sent);
                self.state
                    .health(port.seat)
                    .inspect(|health| health.reset());
                port.base = totals;
            }
            port.since = totals.chosen;
            ports.push(port, GFP_KERNEL).is_ok()
        };
        ports::follow(&self.ports, seen(), &mut last, push).ok_or(ENOMEM)?;
        for &(number, term, terms) in &self.asked {
            while ports.len() <= usize::from(number) {
                ports.push(Egress::unbound(Terms::DEFAULT), GFP_KERNEL)?;
            }
            if let Some(port) = ports.get_mut(usize::from(number)) {
                port.terms.take(term, &terms);
            }
        }
        while ports.last().is_some_and(Egress::is_nothing) {
            ports.pop();
        }
        if let Some(number) = ports.iter().position(|port| port.terms.has_both()) {
            let text = "via and mac exclude each other: set one of them back first";
            return Err(fail!(EINVAL, "port.{number}: {text}"));
        }
        if let Some(number) = ports.iter().position(is_mute) {
            let text = "probe=icmp wants a source of the family of via";
            return Err(fail!(EINVAL, "port.{number}: {text}"));
        }
        let hops = self.hops.of(&ports, egress, &self.rules, process)?;
        for (number, (port, _)) in ports.iter_mut().zip(egress).enumerate() {
            port.hop = hop_state(&hops, number, port);
            if !hops.measures_as(&self.hops, number) {
                let sent = self.state.sent(&hops, number, port);
                self.state.meter.forget(port.seat, &sent);
            }
        }
        if !hops.is_empty() {
            self.state.queue.wake_then(process);
        }
        let next = self.remade(self.rules, ports, last)?;
        Ok(Some(Self {
            hops: Arc::new(hops, GFP_KERNEL)?,
            ..next
        }))
    }

    fn uses(&self, port: u16) -> Option<bool> {
        self.ports.get(usize::from(port)).map(Egress::is_usable)
    }

    fn adopt(&self, old: &Self, _process: &Process) -> Result<Option<Self>, Failure> {
        // The ports belong to the place, what is set for them to the block.
        let mut ports = List::new();
        for (number, port) in old.counted_anew()?.iter().enumerate() {
            let terms = self
                .ports
                .get(number)
                .map_or(Terms::DEFAULT, |own| own.terms);
            ports.push(Egress { terms, ..*port }, GFP_KERNEL)?;
        }
        for port in self.ports.get(ports.len()..).unwrap_or_default() {
            ports.push(Egress::unbound(port.terms), GFP_KERNEL)?;
        }
        let mut next = old.remade(self.rules, ports, old.last)?;
        next.asked.extend_from_slice(&self.asked, GFP_KERNEL)?;
        Ok(Some(next))
    }

    fn options(&self, to: &mut dyn Options, _process: &Process) {
        self.tell(to);
    }

    fn print(&self, to: &mut dyn fmt::Write, _process: &Process) -> fmt::Result {
        self.table(to)?;
        self.pairs(to)
    }
}
