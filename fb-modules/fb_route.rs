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
#[path = "route/table.rs"]
mod table;

use address::{Address, Mac};
use error::Error;
use headers::{Addresses, Fragmented, Ipv4, Ipv6, Parsed};
use limit::Limit;
use ports::{Hop, Ports};
use rule::To;
use table::{Edit, Routes};

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
const LIST: &str = "routes";
const ADD: &str = "routes+";
const REMOVE: &str = "routes-";

options! {
    /// What can be set, besides the routes.
    struct Config {
        ..OptionSpec::text(
            ROUTE,
            "PREFIX [via ADDRESS] -> PORT, or -> up, drop or unreachable",
            "Sends packets to the prefix by a port below. The longest prefix wins",
        ),
        ..OptionSpec::text(
            LIST,
            "routes, with commas or line ends between them",
            "Lists any number of routes. One with a number and the same prefix wins",
        ),
        ..OptionSpec::text(ADD, "routes", "Adds routes to the list, or changes them"),
        ..OptionSpec::text(REMOVE, "addresses and prefixes", "Removes routes from the list"),
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
    routes: Arc<Routes>,
    /// Where these lead.
    hops: List<Hop>,
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
        config: Config,
        routes: Arc<Routes>,
        mut hops: List<Hop>,
        ports: Arc<Ports>,
        state: Arc<State>,
        process: &Process,
    ) -> Result<Self, Failure> {
        for hop in &mut hops {
            hop.find_router(&ports, process)?;
        }
        Ok(Self {
            config,
            limit: config.limit(),
            routes,
            hops,
            ports,
            state,
        })
    }

    fn copy_hops(&self) -> Result<List<Hop>> {
        let mut hops = List::with_capacity(self.hops.len(), GFP_KERNEL)?;
        for hop in &self.hops {
            hops.push(hop.clone(), GFP_KERNEL)?;
        }
        Ok(hops)
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
        let table = &self.routes.table;
        let place = match to {
            Address::V4(to) => table.find_v4(to),
            Address::V6(to) => table.find_v6(to),
        };
        let hop = place.and_then(|place| self.hops.get(usize::from(place)));
        match hop.and_then(|hop| Some((hop, hop.to?))) {
            Some((hop, To::Port(port, _))) => {
                self.forward(packet, (&parsed, &head, to), hop, port, cx)
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
        hop: &Hop,
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
        let addresses = match (&hop.router, &below.link) {
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
            routes: Arc::new(Routes::new()?, GFP_KERNEL)?,
            hops: List::new(),
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
        let (mut config, mut routes) = (self.config, self.routes.clone());
        let mut hops = self.copy_hops()?;
        let edit = match key {
            LIST => Some(Edit::Set),
            ADD => Some(Edit::Add),
            REMOVE => Some(Edit::Remove),
            _ => None,
        };
        if edit.is_some() || key.starts_with("route.") {
            let text = core::str::from_utf8(value);
            let text = text.map_err(|_| fail!(EINVAL, "{key}: not a text"))?.trim();
            let next = match edit {
                Some(edit) => routes.with_list(key, edit, text, &mut hops)?,
                None => routes.with_route(key, text, &mut hops)?,
            };
            routes = Arc::new(next, GFP_KERNEL)?;
        } else {
            config = config
                .with(key, value)
                .ok_or_else(|| Self::unknown(key))??;
        }
        let (ports, state) = (self.ports.clone(), self.state.clone());
        Self::remade(config, routes, hops, ports, state, process)
    }

    fn ports(&self, egress: &[Peer<'_>], process: &Process) -> Result<Option<Self>, Failure> {
        if self.ports.are(egress) {
            return Ok(None);
        }
        let ports = Arc::new(self.ports.follow(egress, process)?, GFP_KERNEL)?;
        let (routes, hops, state) = (self.routes.clone(), self.copy_hops()?, self.state.clone());
        Self::remade(self.config, routes, hops, ports, state, process).map(Some)
    }

    fn adopt(&self, old: &Self, process: &Process) -> Result<Option<Self>, Failure> {
        // The ports belong to the place.
        let (ports, state) = (old.ports.clone(), old.state.clone());
        let (routes, hops) = (self.routes.clone(), self.copy_hops()?);
        Self::remade(self.config, routes, hops, ports, state, process).map(Some)
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
        self.routes.put_list(LIST, &self.hops, to);
        for route in &self.routes.numbered {
            let key = CString::try_from_fmt(fmt!("route.{}", route.number));
            if let Ok(Ok(key)) = key.as_ref().map(|key| key.to_str()) {
                to.put_config(key, format_args!("{}", route.rule));
            }
        }
    }
}
