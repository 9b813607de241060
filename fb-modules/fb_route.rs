// SPDX-License-Identifier: GPL-2.0

//! `route`: sends packets of IP to the next hop of the longest prefix that has their destination, as a router does.

use kernel::{
    str::CString,
    sync::atomic::{Atomic, Relaxed},
};
use lana::prelude::{
    option::{Number, Value},
    *,
};

#[path = "route/error.rs"]
mod error;
#[path = "icmp_echo/limit.rs"]
#[expect(dead_code, reason = "icmp-echo also reads limits")]
mod limit;
#[path = "route/ports.rs"]
mod ports;
#[path = "route/rule.rs"]
mod rule;

use address::{Address, Mac, Prefixes};
use error::Error;
use headers::{Addresses, Fragmented, Ipv4, Ipv6, Parsed};
use limit::Limit;
use ports::{Entry, Ports};
use rule::{Rule, To};

block_module! {
    type: Route,
    name: "fb_route",
    authors: ["The LANA developers"],
    description: "LANA block: routes packets of IP",
    license: "GPL",
    alias: ["lana-fb-route"],
}

/// What the block keeps things in.
type List<T> = KVVec<T>;

/// The most routes.
const ROUTES: usize = 1024;

const UP: Port = Port {
    direction: Direction::Ingress,
    index: 0,
};

fn down(index: u16) -> Port {
    let direction = Direction::Egress;
    Port { direction, index }
}

/// What a CPU counts.
#[derive(Zeroable)]
struct Counts {
    forwarded: Count,
    up: Count,
    errors: Count,
    limited: Count,
}

/// What packets change, whatever is set and bound.
struct State {
    counts: PerCpu<Counts>,
    /// Of the errors that are sent.
    bucket: Atomic<u64>,
}

/// An address that errors come from.
macro_rules! source {
    ($name:ident, $of:ident, $number:ty, $form:literal) => {
        #[derive(Clone, Copy, PartialEq)]
        struct $name($number);

        impl Value for $name {
            const VALUES: Values = Values::Text($form);
            fn parse(text: &str) -> Option<Self> {
                match Address::parse(text)? {
                    Address::$of(address) => Some(Self(address)),
                    _ => None,
                }
            }
            fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", Address::$of(self.0))
            }
        }
    };
}

source!(SourceV4, V4, u32, "an IPv4 address");
source!(SourceV6, V6, u128, "an IPv6 address");

/// What stands for a router without an address of its own (RFC 7600).
const DUMMY: SourceV4 = SourceV4(0xc000_0008);

const ROUTE: &str = "route.N";

options! {
    /// What can be set, besides the routes.
    struct Config {
        ..OptionSpec::text(
            ROUTE,
            "PREFIX [via ADDRESS] -> PORT, or -> up, drop or unreachable",
            "Sends packets to the prefix by a port below. The longest prefix wins",
        ),
        /// Source address of the ICMP errors that it sends
        icmp: SourceV4 = DUMMY,
        /// Source address of the ICMPv6 errors that it sends. Without one it sends none
        icmpv6: Option<SourceV6> = None,
        /// ICMP errors that it sends in a second, at most
        errors: Number<0, 10_000> = Number(1000),
    }
}

impl Config {
    fn limit(&self) -> Option<Limit> {
        Limit::new(self.errors.0, self.errors.0 / 20)
    }
}

struct Route {
    config: Config,
    limit: Option<Limit>,
    /// By number.
    entries: List<Entry>,
    /// Places in `entries`.
    table: Arc<Prefixes<u16>>,
    ports: Arc<Ports>,
    state: Arc<State>,
}

/// What becomes of a packet.
enum Way {
    To(Port),
    Drop(DropReason),
    /// It is dropped, and its sender told.
    Tell(Error, DropReason),
}

impl Route {
    fn remade(
        &self,
        config: Config,
        mut entries: List<Entry>,
        ports: Arc<Ports>,
        state: Arc<State>,
        process: &Process,
    ) -> Result<Self, Failure> {
        let mut prefixes = List::with_capacity(entries.len(), GFP_KERNEL)?;
        for (place, entry) in (0..).zip(entries.iter_mut()) {
            entry.find_router(&ports, process)?;
            prefixes.push((entry.rule.prefix, place), GFP_KERNEL)?;
        }
        Ok(Self {
            config,
            limit: config.limit(),
            entries,
            table: Arc::new(Prefixes::new(&mut prefixes)?, GFP_KERNEL)?,
            ports,
            state,
        })
    }

    fn copy(&self) -> Result<List<Entry>> {
        let mut entries = List::with_capacity(self.entries.len().saturating_add(1), GFP_KERNEL)?;
        for entry in &self.entries {
            entries.push(entry.clone(), GFP_KERNEL)?;
        }
        Ok(entries)
    }

    /// The routes with another one of a number, or without it.
    fn with_route(&self, key: &str, text: &str) -> Result<List<Entry>, Failure> {
        let number = rule::number_of(key);
        let number = number.ok_or_else(|| fail!(EINVAL, "{key}: numbers are from 0 to 65535"))?;
        let mut entries = self.copy()?;
        entries.retain(|entry| entry.number != number);
        if text.is_empty() {
            return Ok(entries);
        }
        let rule = Rule::parse(text).map_err(|bad| fail!(EINVAL, "{key}: {bad}"))?;
        if let Some(other) = entries
            .iter()
            .find(|other| other.rule.prefix == rule.prefix)
        {
            let (prefix, other) = (rule.prefix, other.number);
            return Err(fail!(EEXIST, "{key}: route.{other} is for {prefix}, too"));
        }
        if let To::Port(_, Some(via)) = rule.to {
            if !NextHop::is_station(&ports::ip(via)) {
                return Err(fail!(EINVAL, "{key}: {via} is not the address of a router"));
            }
        }
        if entries.len() >= ROUTES {
            return Err(fail!(ENOSPC, "{key}: more than {ROUTES} routes"));
        }
        let at = entries.partition_point(|entry| entry.number < number);
        let entry = Entry {
            number,
            rule,
            router: None,
        };
        entries
            .insert_within_capacity(at, entry)
            .map_err(|_| ENOMEM)?;
        Ok(entries)
    }

    /// Where a packet goes. What goes on by a port is ready for that.
    fn decide<P: Packet>(&self, packet: &mut P, cx: &Context<'_>) -> Way {
        let comes_up = cx.direction() == Direction::Ingress;
        let Some(&mac) = packet.header(6).and_then(|bytes| bytes.first_chunk()) else {
            return Way::Drop(DropReason::Malformed);
        };
        // What this host is not to route: frames of others, groups, tags.
        let for_us = !Mac::from(mac).is_multicast()
            && (!comes_up || packet.device_address().is_none_or(|own| own == mac))
            && packet.vlan().is_none();
        if !for_us {
            return self.up(comes_up);
        }
        let parsed = packet.parse();
        if parsed.vlan.is_some() {
            return self.up(comes_up);
        }
        let (from, to) = match parsed.addresses {
            Addresses::V4(from, to) => (Address::V4(from), Address::V4(to)),
            Addresses::V6(from, to) => (Address::V6(from), Address::V6(to)),
            Addresses::None if parsed.malformed.is_some() => {
                return Way::Drop(DropReason::Malformed);
            }
            Addresses::None => return self.up(comes_up),
        };
        let Some(head) = Head::of(packet, &parsed) else {
            return Way::Drop(DropReason::Malformed);
        };
        if !is_routed(to) || matches!(from, Address::V6(from) if is_link_local(from)) {
            return self.up(comes_up);
        }
        if !is_routed(from) {
            return Way::Drop(DropReason::Filtered);
        }
        let place = match to {
            Address::V4(to) => self.table.find_v4(to),
            Address::V6(to) => self.table.find_v6(to),
        };
        let entry = place.and_then(|place| self.entries.get(usize::from(place)));
        match entry.map(|entry| (entry, entry.rule.to)) {
            Some((entry, To::Port(port, _))) => {
                self.forward(packet, (&parsed, &head, to), entry, port, cx)
            }
            None | Some((_, To::Up)) => self.up(comes_up),
            Some((_, To::Drop)) => Way::Drop(DropReason::Filtered),
            Some((_, To::Unreachable)) => Way::Tell(Error::Unreachable, DropReason::Filtered),
        }
    }

    /// To the block above, unless it comes from there.
    fn up(&self, comes_up: bool) -> Way {
        match comes_up {
            true => Way::To(UP),
            false => Way::Drop(DropReason::Filtered),
        }
    }

    fn forward<P: Packet>(
        &self,
        packet: &mut P,
        (parsed, head, to): (&Parsed, &Head, Address),
        entry: &Entry,
        port: u16,
        cx: &Context<'_>,
    ) -> Way {
        let Some(below) = self.ports.0.get(usize::from(port)) else {
            return Way::Drop(DropReason::Unbound);
        };
        // What comes from above is this host's own.
        let lives = cx.direction() == Direction::Egress;
        if !lives && head.ttl <= 1 {
            return Way::Tell(Error::Expired, DropReason::TtlExpired);
        }
        let fits = packet.longest(parsed) <= below.mtu as usize;
        if !fits && head.dont_fragment {
            return Way::Tell(Error::TooBig(below.mtu), DropReason::TooBig);
        }
        // Without a device, whatever is there finds its own way.
        let addresses = match (&entry.router, &below.link) {
            (Some(router), _) => Some(router.resolve(cx)),
            (None, Some(link)) => Some(link.resolve(ports::ip(to), cx)),
            (None, None) => None,
        };
        if let Some(addresses) = addresses {
            let Some(addresses) = addresses else {
                return Way::Drop(DropReason::Unresolved);
            };
            if !packet.replace(0, &addresses, &[]) {
                return Way::Drop(DropReason::NoMemory);
            }
        }
        // Padding belongs to the wire that it came by.
        if packet.len() as usize > parsed.end && !packet.resize(parsed.end as u32) {
            return Way::Drop(DropReason::NoMemory);
        }
        if !lives {
            let network = parsed.network as u32;
            let sum = [Sum::covering(network.saturating_add(10))];
            let (at, sums): (u32, &[Sum]) = match to {
                Address::V4(_) => (8, &sum),
                Address::V6(_) => (7, &[]),
            };
            let ttl = head.ttl.saturating_sub(1);
            if !packet.replace_u8(network.saturating_add(at), ttl, sums) {
                return Way::Drop(DropReason::NoMemory);
            }
        }
        self.state.counts.this(cx.cpu()).forwarded.add(1);
        Way::To(down(port))
    }

    /// Tells the sender of a packet why it does not go on, unless the error is one that must not be sent.
    fn tell<P: Packet>(&self, packet: &mut P, error: Error, cx: &mut Context<'_>) {
        let Some(message) = self.message(packet, error) else {
            return;
        };
        let counts = self.state.counts.this(cx.cpu());
        let back = match cx.direction() {
            Direction::Egress => Some(UP),
            Direction::Ingress => {
                let from = cx.came_from();
                let port = self.ports.0.iter().position(|port| port.idp == from);
                port.map(|port| down(port as u16))
            }
        };
        let Some(back) = back else { return };
        let now = time::coarse();
        let mut was = self.state.bucket.load(Relaxed);
        loop {
            let next = self.limit.as_ref().and_then(|limit| limit.take(was, now));
            let Some(next) = next else {
                return counts.limited.add(1);
            };
            match self.state.bucket.cmpxchg(was, next, Relaxed) {
                Ok(_) => break,
                Err(other) => was = other,
            }
        }
        if let Some(message) = Skb::from_bytes(&message) {
            counts.errors.add(1);
            cx.emit(message, back);
        }
    }

    /// An error about a packet. None where there must be none (RFC 1812, 4.3.2.7; RFC 4443, 2.4 (e)).
    fn message<P: Packet>(&self, packet: &mut P, error: Error) -> Option<KVec<u8>> {
        let parsed = packet.parse();
        if parsed.fragmented == Fragmented::Later {
            return None;
        }
        let icmp = parsed.icmp.map(|(kind, _)| kind);
        let is_v4 = matches!(parsed.addresses, Addresses::V4(..));
        let can_be = match is_v4 {
            true => icmp.is_none_or(error::can_be_about_v4),
            false => icmp.is_none_or(error::can_be_about_v6),
        };
        if !can_be {
            return None;
        }
        let most = if is_v4 {
            error::QUOTED_V4
        } else {
            error::QUOTED_V6
        };
        let length = parsed.end.checked_sub(parsed.network)?.min(most);
        let mut quoted = KVec::new();
        quoted.resize(length, 0, GFP_ATOMIC).ok()?;
        if !packet.read(parsed.network as u32, &mut quoted) {
            return None;
        }
        let mut macs = [0; 12];
        if !packet.read(0, &mut macs) {
            return None;
        }
        let [to @ .., f0, f1, f2, f3, f4, f5] = macs;
        let from = [f0, f1, f2, f3, f4, f5];
        let all = length.saturating_add(14).saturating_add(48);
        let mut message = KVec::with_capacity(all, GFP_ATOMIC).ok()?;
        let mut put = |bytes: &[u8]| message.extend_from_slice(bytes, GFP_ATOMIC).ok();
        put(&from)?;
        put(&to)?;
        match parsed.addresses {
            Addresses::V4(sender, _) => {
                put(&[8, 0])?;
                put(&error::head_v4(error, self.config.icmp.0, sender, &quoted))?;
            }
            Addresses::V6(sender, _) => {
                put(&[0x86, 0xdd])?;
                put(&error::head_v6(
                    error,
                    self.config.icmpv6?.0,
                    sender,
                    &quoted,
                ))?;
            }
            Addresses::None => return None,
        }
        put(&quoted)?;
        Some(message)
    }
}

/// What a router has to know of an IP header.
struct Head {
    ttl: u8,
    dont_fragment: bool,
}

impl Head {
    /// None where the checksum is wrong, or nobody can read the bytes.
    #[inline]
    fn of<P: Packet>(packet: &mut P, parsed: &Parsed) -> Option<Self> {
        let at = parsed.network;
        if let Addresses::V6(..) = parsed.addresses {
            let ip = Ipv6::new(bytes(packet, at, Ipv6::SIZE)?)?;
            return Some(Self {
                ttl: ip.hop_limit(),
                dont_fragment: true,
            });
        }
        let length = Ipv4::new(bytes(packet, at, Ipv4::SIZE)?)?.header_length();
        let header = bytes(packet, at, length)?;
        let ip = Ipv4::new(header)?;
        (checksum::sum(header) == 0xffff).then_some(Self {
            ttl: ip.time_to_live(),
            dont_fragment: ip.dont_fragment(),
        })
    }
}

/// So many bytes of a packet from a place on.
#[inline]
fn bytes<P: Packet>(packet: &mut P, at: usize, length: usize) -> Option<&[u8]> {
    let end = at.saturating_add(length) as u32;
    packet.header(end)?.get(at..)
}

/// Whether a router sends packets of this source, or to this destination, on.
fn is_routed(address: Address) -> bool {
    let local = matches!(address, Address::V6(address) if is_link_local(address));
    address.is_host() && !local
}

fn is_link_local(address: u128) -> bool {
    address >> 118 == 0xfe80 >> 6
}

impl Block for Route {
    const TYPE: &'static str = "route";
    const EGRESS_PORTS: u32 = rule::LAST_PORT as u32 + 1;
    const OPTIONS: &'static [OptionSpec] = Config::OPTIONS;
    const WATCHES_PORTS: bool = true;

    fn new(args: &mut Args) -> Result<Self> {
        let state = State {
            counts: PerCpu::new(args.process())?,
            bucket: Atomic::new(0),
        };
        Ok(Self {
            config: Config::DEFAULT,
            limit: Config::DEFAULT.limit(),
            entries: List::new(),
            table: Arc::new(Prefixes::new(&mut [])?, GFP_KERNEL)?,
            ports: Arc::new(Ports(List::new()), GFP_KERNEL)?,
            state: Arc::new(state, GFP_KERNEL)?,
        })
    }

    fn receive<P: Packet>(&self, mut packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        match self.decide(&mut packet, cx) {
            Way::To(port) => {
                if port == UP {
                    self.state.counts.this(cx.cpu()).up.add(1);
                }
                Verdict::forward(packet, port)
            }
            Way::Drop(reason) => Verdict::drop(packet, reason),
            Way::Tell(error, reason) => {
                self.tell(&mut packet, error, cx);
                Verdict::drop(packet, reason)
            }
        }
    }

    fn set(&self, key: &str, value: &[u8], process: &Process) -> Result<Self, Failure> {
        let (mut config, mut entries) = (self.config, self.copy()?);
        if key.starts_with("route.") {
            let text = core::str::from_utf8(value);
            let text = text.map_err(|_| fail!(EINVAL, "{key}: not a text"))?;
            entries = self.with_route(key, text.trim())?;
        } else {
            config = config
                .with(key, value)
                .ok_or_else(|| Self::unknown(key))??;
        }
        let (ports, state) = (self.ports.clone(), self.state.clone());
        self.remade(config, entries, ports, state, process)
    }

    fn ports(&self, egress: &[Peer<'_>], process: &Process) -> Result<Option<Self>, Failure> {
        if self.ports.are(egress) {
            return Ok(None);
        }
        let ports = Arc::new(self.ports.follow(egress, process)?, GFP_KERNEL)?;
        let (entries, state) = (self.copy()?, self.state.clone());
        let next = self.remade(self.config, entries, ports, state, process)?;
        Ok(Some(next))
    }

    fn adopt(&self, old: &Self, process: &Process) -> Result<Option<Self>, Failure> {
        // The ports belong to the place.
        let (ports, state) = (old.ports.clone(), old.state.clone());
        let next = self.remade(self.config, self.copy()?, ports, state, process)?;
        Ok(Some(next))
    }

    fn options(&self, to: &mut dyn Options, _process: &Process) {
        let mut sum = |name, part: fn(&Counts) -> &Count| {
            let parts = self
                .state
                .counts
                .iter()
                .map(|(_, counts)| part(counts).get());
            let sum = parts.fold(0, u64::wrapping_add);
            to.put(name, format_args!("{sum}"));
        };
        sum("forwarded", |counts| &counts.forwarded);
        sum("up", |counts| &counts.up);
        sum("errors-sent", |counts| &counts.errors);
        sum("errors-limited", |counts| &counts.limited);
        self.config.put(to);
        for entry in &self.entries {
            let key = CString::try_from_fmt(fmt!("route.{}", entry.number));
            if let Ok(Ok(key)) = key.as_ref().map(|key| key.to_str()) {
                to.put_config(key, format_args!("{}", entry.rule));
            }
        }
    }
}
