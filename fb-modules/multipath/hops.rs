// SPDX-License-Identifier: GPL-2.0

//! What ports lead to: devices, and next hops on their links, which the kernel resolves; and what becomes of packets to
//! one.

use super::{
    multipath::{
        config::{Measure, Probe, Rules, TtlRule},
        echo::{self, Echo},
        health::Health,
        next_hop::{self, Routed},
        ports::{HopState, Port as Egress},
        spread::Usable,
        Way,
    },
    List, Multipath,
};
use lana::prelude::*;

/// How often a next hop is looked after that is not probed, in nanoseconds.
const KEEP: u64 = time::SECOND;

/// What a port leads to.
struct Link {
    idp: u32,
    /// The device, if there is one.
    device: Option<DeviceHandle>,
    /// The next hop on its link, if one is set.
    hop: Option<Arc<NextHop>>,
}

impl Link {
    fn has_device(&self, to: Option<&DeviceHandle>) -> bool {
        match (&self.device, to) {
            (Some(device), Some(to)) => device.is(to),
            (device, to) => device.is_none() && to.is_none(),
        }
    }
}

/// What the ports lead to, by their numbers.
pub(crate) struct Hops {
    links: List<Link>,
    /// Where is measured what they carry.
    measure: Measure,
}

impl Hops {
    pub(crate) const NONE: Self = Self {
        links: List::new(),
        measure: Measure::Block,
    };

    /// The next hop of a port.
    #[inline]
    pub(crate) fn get(&self, number: usize) -> Option<&NextHop> {
        self.links.get(number)?.hop.as_deref()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.links.iter().all(|link| link.hop.is_none())
    }

    /// What the device of a port has sent, where that is what counts: bytes and packets.
    pub(crate) fn sent(&self, number: usize) -> Option<[u64; 2]> {
        let link = self.links.get(number)?;
        let device = link.device.as_ref();
        device
            .filter(|_| self.measure == Measure::Device)
            .and_then(DeviceHandle::sent)
    }

    /// Whether what a port has carried is measured where it was before.
    pub(crate) fn measures_as(&self, before: &Self, number: usize) -> bool {
        let is_same = |link: &Link, other: &Link| {
            link.idp == other.idp && link.has_device(other.device.as_ref())
        };
        let link = self.links.get(number);
        self.measure == before.measure
            && (self.measure == Measure::Block
                || link.is_some_and(|link| before.links.iter().any(|other| is_same(link, other))))
    }

    /// That of a port which leads to this, if it is there already.
    fn find(&self, port: &Egress, to: &Peer<'_>) -> Option<&Arc<NextHop>> {
        let (via, device) = (port.terms.via?, to.device?);
        let mut all = self.links.iter().filter_map(|link| link.hop.as_ref());
        all.find(|hop| hop.address() == via.0 && hop.device().is(device))
    }

    /// Those of these ports, which lead to these; as many as there are still.
    pub(crate) fn of(
        &self,
        ports: &[Egress],
        egress: &[Peer<'_>],
        rules: &Rules,
        process: &Process,
    ) -> Result<Self, Failure> {
        let mut links = List::new();
        for (port, to) in ports.iter().zip(egress) {
            let hop = match (self.find(port, to), port.terms.via, to.device) {
                (Some(hop), _, _) => Some(hop.clone()),
                (None, Some(via), Some(device)) => {
                    let hop = NextHop::new(device, via.0, process)?;
                    Some(Arc::new(hop, GFP_KERNEL)?)
                }
                _ => None,
            };
            let link = Link {
                idp: to.idp,
                device: to.device.cloned(),
                hop,
            };
            links.push(link, GFP_KERNEL)?;
        }
        let measure = rules.measure;
        Ok(Self { links, measure })
    }

    /// Whether they are those of these ports, which lead to these.
    pub(crate) fn are_of(&self, ports: &[Egress], egress: &[Peer<'_>], rules: &Rules) -> bool {
        let mut links = self.links.iter();
        let mut pairs = ports.iter().zip(egress);
        let is_of = |link: &Link, port: &Egress, to: &Peer<'_>| {
            let address = link.hop.as_ref().map(|hop| hop.address());
            let wanted = port.terms.via.filter(|_| to.device.is_some());
            link.has_device(to.device) && address == wanted.map(|via| via.0)
        };
        self.measure == rules.measure
            && pairs.all(|(port, to)| links.next().is_some_and(|link| is_of(link, port, to)))
    }

    /// What the kernel knows of that of a port.
    pub(crate) fn neighbour(&self, number: usize) -> Option<Shown> {
        self.get(number)?.neighbour().map(Shown)
    }

    /// The state of that of a port.
    pub(crate) fn state(
        &self,
        number: usize,
        port: &Egress,
        rules: &Rules,
        health: Option<&Health>,
    ) -> HopState {
        if port.terms.via.is_none() {
            return HopState::Ready;
        }
        let neighbour = self.get(number).and_then(NextHop::neighbour);
        if !neighbour.is_some_and(|neighbour| neighbour.reachability.is_resolved()) {
            HopState::Unresolved
        } else if rules.probe != Probe::Off && health.is_some_and(|health| !health.is_up()) {
            HopState::Silent
        } else {
            HopState::Ready
        }
    }
}

/// What is known of a next hop, as `ip neighbour` prints it: its Ethernet address, and a word.
pub(crate) struct Shown(Neighbour);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(address) = self.0.address {
            write!(f, "{} ", address::Mac::from(address))?;
        }
        fmt::Display::fmt(&option::Shown(self.0.reachability), f)
    }
}

/// When to look after a next hop again.
pub(crate) fn pause(rules: &Rules) -> u64 {
    match rules.probe {
        Probe::Off => KEEP,
        Probe::Arp | Probe::Icmp => rules.probe_interval.0,
    }
}

/// Looks after the next hop of a port: has the kernel keep its address fresh, or probes it. Says whether its health has
/// changed.
pub(crate) fn look_after(
    hop: &NextHop,
    port: &Egress,
    health: &Health,
    rules: &Rules,
    now: u64,
    ask: impl FnOnce(&NextHop, Echo),
    cx: &Context<'_>,
) -> bool {
    if rules.probe == Probe::Off {
        health.reset();
        // As a packet would do it.
        if hop.resolve(cx).is_none() {
            hop.solicit();
        }
        return false;
    }
    let interval = rules.probe_interval.0;
    let mut changes = false;
    if let Some(since) = health.since(now) {
        // A change of the graph wakes the block, too. Ticks are no clock.
        let slack = interval / 4;
        if since < interval.saturating_sub(slack) {
            return false;
        }
        let answered = match rules.probe {
            Probe::Icmp => health.is_answered(),
            _ => has_answered(hop, since.saturating_add(slack)),
        };
        changes = health.note(answered, rules.rise.0 as u32, rules.fall.0 as u32);
        if !answered && !health.is_up() {
            // It may have another Ethernet address now.
            hop.suspect();
        }
    }
    let sequence = health.asks(now);
    match (rules.probe, port.echo(sequence)) {
        (Probe::Icmp, Some(echo)) if hop.resolve(cx).is_some() => ask(hop, echo),
        _ => hop.solicit(),
    }
    changes
}

/// Whether the kernel has heard of a next hop in so many nanoseconds.
fn has_answered(hop: &NextHop, since: u64) -> bool {
    hop.neighbour()
        .is_some_and(|neighbour| match neighbour.reachability {
            Reachability::Permanent => true,
            reachability => reachability.is_resolved() && neighbour.age <= since,
        })
}

impl Multipath {
    /// Looks after all next hops. Says whether the health of one has changed; nothing where there is none.
    pub(crate) fn look_after(&self, now: u64, cx: &mut Context<'_>) -> Option<bool> {
        let mut changes = None;
        for (number, port) in (0..).zip(self.bound()) {
            let hop = self.hops.get(usize::from(number));
            if let (Some(hop), Some(health)) = (hop, self.state.health(port.seat)) {
                let mut question = None;
                let ask =
                    |hop: &NextHop, echo: Echo| question = hop.resolve(cx).map(|to| (to, echo));
                let has_changed = look_after(hop, port, health, &self.rules, now, ask, cx);
                changes = Some(changes.unwrap_or(false) | has_changed);
                let mut frame = [0; echo::MOST];
                let length = question.map_or(0, |(to, echo)| echo.frame(&to, &mut frame));
                let question = frame.get(..length).filter(|frame| !frame.is_empty());
                if let Some(question) = question.and_then(Skb::from_bytes) {
                    let direction = Direction::Egress;
                    cx.emit(
                        question,
                        Port {
                            direction,
                            index: number,
                        },
                    );
                }
            }
        }
        changes
    }

    /// Whether a packet that came up is the answer of a next hop to its last probe, or to one before; notes it.
    pub(crate) fn is_answer<P: Packet>(&self, packet: &mut P, cx: &Context<'_>) -> bool {
        let most = packet.len();
        let head = packet.header(most.min(next_hop::HEAD));
        let Some(routed) = head.and_then(Routed::find) else {
            return false;
        };
        let head = packet.header(most.min(routed.at.wrapping_add(echo::ANSWER)));
        let head = head.and_then(|head| head.get(routed.at as usize..));
        let Some(answered) = head.and_then(Echo::answered_by) else {
            return false;
        };
        let mut ports = self.bound();
        let Some(port) = ports.find(|port| port.idp == cx.came_from()) else {
            return false;
        };
        if port.echo(answered.sequence) != Some(answered) {
            return false;
        }
        if let Some(health) = self.state.health(port.seat) {
            health.answers(answered.sequence);
        }
        true
    }

    /// A packet to a group leaves by all ports that can be used.
    pub(crate) fn copy<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        let direction = cx.direction();
        let (counts, len) = (self.state.counts.this(cx.cpu()), packet.len());
        let Some((first, others)) = self.spread.all().split_first() else {
            return self.nowhere(packet, cx);
        };
        let port = |to: &Usable| Port {
            direction,
            index: to.number,
        };
        for to in others {
            if !cx.emit_clone(&packet, port(to)) {
                break;
            }
            self.state.count(counts, &Way::stays(to), len);
        }
        self.state.count(counts, &Way::stays(first), len);
        Verdict::forward(packet, port(first))
    }

    /// No port can be used.
    pub(crate) fn nowhere<P: Packet>(&self, packet: P, cx: &Context<'_>) -> Verdict<P> {
        let why = match cx.ports(cx.direction()) {
            0 => DropReason::Unbound,
            _ => DropReason::Device,
        };
        Verdict::drop(packet, why)
    }

    /// The port of the next hop that a packet is for which concerns its link: it is not IP, or neighbour discovery. So
    /// the gateway that has asked gets the answer, whichever port a strategy would choose.
    pub(crate) fn on_link<P: Packet>(
        &self,
        packet: &mut P,
        cx: &Context<'_>,
    ) -> Option<(u16, &Egress)> {
        let head = packet.header(packet.len().min(next_hop::HEAD))?;
        let station = next_hop::station(head)?;
        if let Some(routed) = Routed::find(head) {
            if !routed.is_ipv6 || !routed.is_discovery(packet.header(routed.head())?) {
                return None;
            }
        }
        let addresses = |number: u16, port: &Egress| match self.hops.get(number.into()) {
            Some(hop) => hop.resolve(cx),
            None => port.addresses(),
        };
        let mut ports = (0..).zip(&self.ports);
        ports.find(|&(number, port)| {
            port.is_usable()
                && addresses(number, port).is_some_and(|both| both.starts_with(&station))
        })
    }

    /// Addresses a packet to the next hop of a port. The reason for its drop, where that cannot be.
    pub(crate) fn address<P: Packet>(
        &self,
        packet: &mut P,
        number: u16,
        cx: &Context<'_>,
    ) -> Result<(), DropReason> {
        let Some(port) = self.ports.get(usize::from(number)) else {
            return Ok(());
        };
        let addresses = || match self.hops.get(number.into()) {
            Some(hop) => hop.resolve(cx).ok_or(DropReason::Unresolved).map(Some),
            None => Ok(port.addresses()),
        };
        let head = packet.len().min(next_hop::HEAD);
        let Some(routed) = packet.header(head).and_then(Routed::find) else {
            return Ok(());
        };
        let Some(addresses) = addresses()? else {
            return Ok(());
        };
        if self.rules.ttl == TtlRule::Decrement {
            let head = packet.header(routed.head().min(packet.len()));
            if !head.is_some_and(|head| routed.is_discovery(head)) {
                decrement(packet, routed)?;
            }
        }
        match packet.replace(0, &addresses, &[]) {
            true => Ok(()),
            false => Err(DropReason::NoMemory),
        }
    }
}

/// Makes the TTL or hop limit of a packet one less.
fn decrement<P: Packet>(packet: &mut P, routed: Routed) -> Result<(), DropReason> {
    let at = routed.ttl();
    let header = packet.header(at.wrapping_add(1));
    let ttl = header.and_then(<[u8]>::last).ok_or(DropReason::Malformed)?;
    let less = ttl.saturating_sub(1);
    if less == 0 {
        return Err(DropReason::TtlExpired);
    }
    let sum = routed.sum().map(Sum::covering);
    match packet.replace_u8(at, less, sum.as_slice()) {
        true => Ok(()),
        // It is as long as that, but its checksum may not be there.
        false if packet.len() < at.wrapping_add(4) => Err(DropReason::Malformed),
        false => Err(DropReason::NoMemory),
    }
}

/// Whether a packet is for several stations.
pub(crate) fn is_group<P: Packet>(packet: &mut P) -> bool {
    let head = packet.header(6);
    head.is_some_and(|head| next_hop::station(head).is_none())
}
