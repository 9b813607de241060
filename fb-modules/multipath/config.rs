// SPDX-License-Identifier: GPL-2.0

//! What can be set, and the texts that it is set by.

use super::{
    address::Unicast,
    next_hop::Via,
    option::{Number, Time, Value, Values},
    options, units, words,
};
use core::fmt;

/// The most ports.
pub(crate) const PORTS: u16 = 64;

/// Nanoseconds in a millisecond.
const MILLISECOND: u64 = 1_000_000;
/// How long an interval and an average can be, in nanoseconds.
const SHORTEST: u64 = 100 * MILLISECOND;
const LONGEST: u64 = 600_000 * MILLISECOND;

words! {
    /// How packets are spread.
    pub(crate) enum Strategy {
        /// All of a route by the same port.
        Route = "route",
        /// One after the other.
        Packet = "packet",
        /// All of a session by the same port.
        Session = "session",
        /// Where the most bandwidth is left.
        Bandwidth = "bandwidth",
        /// Where the smallest part is used.
        Utilisation = "utilisation",
        /// All of a session by the same port up to the next pause.
        Flowlet = "flowlet",
        /// All of a session by the same port, without remembering any.
        Hash = "hash",
        /// Where TCP has to send the least again.
        Loss = "loss",
    }
}

words! {
    /// What bandwidth and utilisation choose a port for.
    pub(crate) enum Per {
        /// Each packet.
        Packet = "packet",
        /// Each session.
        Session = "session",
    }
}

words! {
    /// What bandwidth and utilisation take for the used bandwidth.
    pub(crate) enum Usage {
        /// The average.
        Average = "average",
        /// That of the last interval.
        Last = "last",
    }
}

words! {
    /// What a route is chosen for.
    pub(crate) enum RouteKey {
        /// Source, destination, the device that the packet came by, and TOS: as in Linux's route cache.
        Cache = "cache",
        /// The destination.
        Destination = "destination",
    }
}

words! {
    /// By which ports a packet to a group leaves.
    pub(crate) enum Broadcast {
        /// By that which the strategy chooses.
        One = "one",
        /// By each that can be used.
        All = "all",
    }
}

words! {
    /// Where what a port carries is measured.
    pub(crate) enum Measure {
        /// At the block: what it has sent.
        Block = "block",
        /// At the device: what anybody has sent by it.
        Device = "device",
    }
}

words! {
    /// What becomes of the TTL of packets that get a next hop.
    pub(crate) enum TtlRule {
        /// It stays.
        Keep = "keep",
        /// It becomes one less, as at a router.
        Decrement = "decrement",
    }
}

words! {
    /// How next hops are probed.
    pub(crate) enum Probe {
        /// They are not.
        Off = "off",
        /// By ARP or neighbour discovery.
        Arp = "arp",
        /// By ICMP echo requests.
        Icmp = "icmp",
    }
}

words! {
    /// Whether a port is to be used.
    pub(crate) enum AdminState {
        /// It is.
        Up = "up",
        /// It is not.
        Down = "down",
    }
}

/// What tells one session from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fields {
    /// Addresses alone, without protocol and ports.
    pub(crate) l3: bool,
    /// Both directions are one session.
    pub(crate) symmetric: bool,
    /// The VLANs.
    pub(crate) vlan: bool,
    /// The flow label of IPv6.
    pub(crate) label: bool,
    /// What a tunnel carries counts, not its own headers.
    pub(crate) inner: bool,
}

impl Fields {
    /// Addresses, protocol and ports.
    pub(crate) const L4: Self = Self {
        l3: false,
        symmetric: false,
        vlan: false,
        label: false,
        inner: false,
    };

    fn more(&mut self) -> [(&'static str, &mut bool); 4] {
        [
            ("symmetric", &mut self.symmetric),
            ("vlan", &mut self.vlan),
            ("label", &mut self.label),
            ("inner", &mut self.inner),
        ]
    }
}

/// Words with commas between, each once.
impl Value for Fields {
    const VALUES: Values =
        Values::Text("l4 or l3, and any of symmetric, vlan, label and inner, such as l3,symmetric");
    fn parse(text: &str) -> Option<Self> {
        let mut fields = Self::L4;
        let mut has_layer = false;
        for word in text.split(',').map(str::trim) {
            let is_new = match word {
                "l3" | "l4" => {
                    fields.l3 = word == "l3";
                    !core::mem::replace(&mut has_layer, true)
                }
                _ => {
                    let mut more = fields.more().into_iter();
                    let (_, field) = more.find(|(name, _)| *name == word)?;
                    !core::mem::replace(field, true)
                }
            };
            if !is_new {
                return None;
            }
        }
        Some(fields)
    }
    fn write(mut self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.l3 { "l3" } else { "l4" })?;
        for (name, is_set) in self.more() {
            if *is_set {
                write!(f, ",{name}")?;
            }
        }
        Ok(())
    }
}

/// Bits a second that a port can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capacity(pub(crate) u64);

impl Capacity {
    const MOST: u64 = 10_000_000_000_000;
}

/// A rate with its unit, or a number of Mbit/s.
impl Value for Capacity {
    const VALUES: Values = Values::Rate(1, Self::MOST);
    fn parse(text: &str) -> Option<Self> {
        let mbit = || units::whole(text)?.checked_mul(1_000_000);
        let rate = units::rate(text).or_else(mbit)?;
        (1..=Self::MOST).contains(&rate).then_some(Self(rate))
    }
    fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&units::Rate(self.0), f)
    }
}

options! {
    /// What holds for all ports.
    #[derive(Debug, Eq)]
    pub(crate) struct Rules {
        /// How the block chooses a port
        strategy: Strategy = Strategy::Session,
        /// Whether bandwidth and utilisation choose a port per packet or per session
        per: Per = Per::Packet,
        /// What tells one session from another
        key: Fields = Fields::L4,
        /// How often the block measures the bandwidth of its ports
        interval: Time<SHORTEST, LONGEST> = Time(1000 * MILLISECOND),
        /// Time over which the block averages the measured bandwidth
        average: Time<SHORTEST, LONGEST> = Time(8000 * MILLISECOND),
        /// Whether bandwidth and utilisation choose by the average or the last interval
        usage: Usage = Usage::Average,
        /// Seconds without a packet after which the block forgets a session
        expiry: Number<1, 86_400> = Number(300),
        /// Milliseconds without a packet after which a flowlet may change its port
        gap: Number<1, 60_000> = Number(50),
        /// Number of sessions that the block can remember
        sessions: Number<64, 4_194_304> = Number(65_536),
        /// What route chooses a port for: source, destination, device and TOS, or the destination
        route_key as "route-key": RouteKey = RouteKey::Cache,
        /// Number of pairs of hosts and ports that the block counts packets for
        history: Number<0, 262_144> = Number(0),
        /// Whether replies leave by the port that their session came in by
        learn: bool = true,
        /// Whether the block measures what it sends or what the device of a port sends
        measure: Measure = Measure::Block,
        /// Whether broadcasts and multicasts leave by one port or by all
        broadcast: Broadcast = Broadcast::One,
        /// Whether packets that get a next hop keep their TTL or hop limit
        ttl: TtlRule = TtlRule::Keep,
        /// How the block probes the next hops of port.N.via
        probe: Probe = Probe::Off,
        /// Time between two probes of a next hop
        probe_interval as "probe-interval": Time<SHORTEST, LONGEST> = Time(1000 * MILLISECOND),
        /// Number of answers in a row after which a next hop counts as back
        rise: Number<1, 1000> = Number(2),
        /// Number of probes without an answer in a row after which a next hop counts as gone
        fall: Number<1, 1000> = Number(3),
    }
}

impl Rules {
    /// Whether sessions are remembered.
    pub(crate) fn remembers(&self) -> bool {
        match self.strategy {
            Strategy::Session | Strategy::Flowlet | Strategy::Loss => true,
            Strategy::Bandwidth | Strategy::Utilisation => self.per == Per::Session,
            Strategy::Route | Strategy::Packet | Strategy::Hash => false,
        }
    }

    /// How many sessions there is to be room for.
    pub(crate) fn room(&self) -> u32 {
        u32::try_from(self.sessions.0).unwrap_or(u32::MAX)
    }

    /// Whether is seen what TCP sends again.
    pub(crate) fn watches_tcp(&self) -> bool {
        self.strategy == Strategy::Loss || self.history.0 > 0
    }

    pub(crate) fn expiry_ns(&self) -> u64 {
        self.expiry.0.wrapping_mul(1000 * MILLISECOND)
    }

    pub(crate) fn gap_ns(&self) -> u64 {
        self.gap.0.wrapping_mul(MILLISECOND)
    }
}

options! {
    /// What holds for a port.
    #[derive(Debug, Eq)]
    pub(crate) struct Terms {
        /// Weight of port N
        weight as "port.N.weight": Number<0, 1000> = Number(1),
        /// Whether the block uses port N
        state as "port.N.state": AdminState = AdminState::Up,
        /// Bandwidth of port N. Empty: that of its device
        capacity as "port.N.capacity": Option<Capacity> = None,
        /// Ethernet address of the next hop of port N. Empty: packets keep theirs
        mac as "port.N.mac": Option<Unicast> = None,
        /// IP address of the next hop of port N, for the kernel to resolve. Empty: none
        via as "port.N.via": Option<Via> = None,
        /// Source address of ICMP probes by port N, one that Linux has on its device. Empty: none
        source as "port.N.source": Option<Via> = None,
    }
}

/// What the keys of ports begin with; `N` stands for a number.
const PORT: &str = "port.N.";

/// One of them, by its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Term(&'static str);

impl Term {
    /// What the key of a port is for, without its number; a value that it has.
    pub(crate) fn key(self) -> &'static str {
        self.0
    }

    /// What it can be set to.
    pub(crate) fn values(self) -> Option<Values> {
        let mut all = Terms::OPTIONS.iter();
        all.find(|option| option.key == self.0)
            .map(|option| option.values)
    }
}

impl Terms {
    /// Takes over one of them.
    pub(crate) fn take(&mut self, term: Term, from: &Self) {
        match term.0 {
            "port.N.weight" => self.weight = from.weight,
            "port.N.state" => self.state = from.state,
            "port.N.capacity" => self.capacity = from.capacity,
            "port.N.mac" => self.mac = from.mac,
            "port.N.via" => self.via = from.via,
            "port.N.source" => self.source = from.source,
            _ => (),
        }
    }

    /// Whether it has the next hop by both of its addresses.
    pub(crate) fn has_both(&self) -> bool {
        self.mac.is_some() && self.via.is_some()
    }

    /// Whether it has a next hop that cannot be asked by ICMP: for want of a source address of the same family.
    pub(crate) fn lacks_source(&self) -> bool {
        let is_v4 = |via: Via| via.0.is_ipv4();
        self.via.is_some() && self.via.map(is_v4) != self.source.map(is_v4)
    }

    pub(crate) fn weight(&self) -> u16 {
        u16::try_from(self.weight.0).unwrap_or(u16::MAX)
    }
}

/// What an option of a port is called behind its number.
pub(crate) fn name(key: &str) -> &str {
    key.strip_prefix(PORT).unwrap_or(key)
}

/// `port.N.TERM`: the number of the port, and which of its terms.
pub(crate) fn term(key: &str) -> Option<(u16, Term)> {
    let (port, term) = key.strip_prefix("port.")?.split_once('.')?;
    let port = u16::try_from(units::whole(port)?).ok()?;
    let mut all = Terms::OPTIONS.iter();
    let option = all.find(|option| name(option.key) == term)?;
    Some((port, Term(option.key)))
}

/// A part of a whole, in percent; a dash of nothing.
pub(crate) struct Part(pub(crate) u64, pub(crate) u64);

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Large numbers without the bits that would not show.
        let shift = 14u32.saturating_sub(self.1.leading_zeros());
        let (part, whole) = (self.0 >> shift, self.1 >> shift);
        let scaled = part.saturating_mul(10_000).saturating_add(whole / 2);
        match scaled.checked_div(whole) {
            Some(hundredths) => write!(f, "{}.{:02}%", hundredths / 100, hundredths % 100),
            None => f.write_str("-"),
        }
    }
}
