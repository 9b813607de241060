// SPDX-License-Identifier: GPL-2.0

//! What a packet of IP says of its session, and what a message of ICMP quotes.

use super::{
    address::Address,
    checksum,
    headers::{self, Addresses, Fragmented, Ipv4, Ipv6, Parsed, Tcp},
    plan::Plan,
    session::{Endpoint, Flags, Flow, Protocol},
};

/// What IP carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carried {
    Tcp(u16, u16, Flags),
    Udp(u16, u16),
    /// A query of ICMP, with its identifier.
    Query(u16),
    Reply(u16),
    /// A message of ICMP or ICMPv6 about a packet, which begins there.
    Error(usize),
    /// Something else, or a later fragment.
    Other,
}

/// Of an IPv4 packet what its session is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) source: u32,
    pub(crate) destination: u32,
    pub(crate) carried: Carried,
}

/// Whether nobody in particular has this address: packets with it are no business of a NAT.
fn is_special(address: u32) -> bool {
    let [first, ..] = address.to_be_bytes();
    matches!(first, 0 | 127 | 224..)
}

/// What a message of ICMP is, of which these are the first bytes, and which begins at `at`.
fn icmp(bytes: &[u8], at: usize) -> Carried {
    let Some(icmp) = bytes.get(at..).and_then(headers::Icmp::new) else {
        return Carried::Other;
    };
    match icmp.kind() {
        8 | 13 => Carried::Query((icmp.rest() >> 16) as u16),
        0 | 14 => Carried::Reply((icmp.rest() >> 16) as u16),
        3 | 4 | 5 | 11 | 12 => Carried::Error(at.saturating_add(headers::Icmp::SIZE)),
        _ => Carried::Other,
    }
}

/// What a packet carries, of whose first bytes these are some; ICMP at least 8 behind where that begins, TCP 14.
pub(crate) fn carried(parsed: &Parsed, bytes: &[u8]) -> Carried {
    match (parsed.transport, parsed.protocol, parsed.ports) {
        (Some(at), Some(headers::TCP), Some((source, destination))) => {
            let tcp = bytes.get(at..).and_then(Tcp::new);
            let flags = tcp.map_or(0, |tcp| tcp.control_bits());
            Carried::Tcp(source, destination, Flags(flags))
        }
        (_, Some(headers::UDP), Some((source, destination))) => Carried::Udp(source, destination),
        (Some(at), Some(headers::ICMP), _) => icmp(bytes, at),
        (Some(at), Some(headers::ICMPV6), _) if parsed.icmp.is_some_and(|(kind, _)| kind < 128) => {
            Carried::Error(at.saturating_add(8))
        }
        _ => Carried::Other,
    }
}

impl Seen {
    /// Of an IPv4 packet; none if a NAT has nothing to do with it.
    pub(crate) fn of(parsed: &Parsed, bytes: &[u8]) -> Option<Self> {
        let Addresses::V4(source, destination) = parsed.addresses else {
            return None;
        };
        let special = is_special(source) || is_special(destination);
        (!special).then(|| Self {
            source,
            destination,
            carried: carried(parsed, bytes),
        })
    }

    /// What it belongs to, and what it says of that.
    pub(crate) fn flow(&self, outward: bool) -> Option<(Flow, Flags)> {
        let (protocol, from, to, flags) = match self.carried {
            Carried::Tcp(from, to, flags) => (Protocol::Tcp, from, to, flags),
            Carried::Udp(from, to) => (Protocol::Udp, from, to, Flags::default()),
            Carried::Query(id) if outward => (Protocol::Query, id, 0, Flags::default()),
            Carried::Query(id) => (Protocol::QueryIn, id, 0, Flags::default()),
            Carried::Reply(id) if outward => (Protocol::QueryIn, 0, id, Flags::default()),
            Carried::Reply(id) => (Protocol::Query, 0, id, Flags::default()),
            Carried::Error(_) | Carried::Other => return None,
        };
        let from = Endpoint {
            address: self.source,
            port: from,
        };
        let to = Endpoint {
            address: self.destination,
            port: to,
        };
        let (own, remote) = if outward { (from, to) } else { (to, from) };
        let flow = Flow {
            protocol,
            own,
            remote,
        };
        Some((flow, flags))
    }
}

/// Adds to a plan that the source, or the destination, is this one in place of one with port `old`. A port that stays
/// costs nothing.
pub(crate) fn put(plan: &mut Plan, protocol: Protocol, is_source: bool, old: u16, new: Endpoint) {
    let address = Some(Address::V4(new.address));
    if is_source {
        plan.source = address;
    } else {
        plan.destination = address;
    }
    if new.port == old {
        return;
    }
    match (protocol, is_source) {
        (Protocol::Tcp | Protocol::Udp, true) => plan.source_port = Some(new.port),
        (Protocol::Tcp | Protocol::Udp, false) => plan.destination_port = Some(new.port),
        // Only the identifier of a query from inside is changed.
        (Protocol::Query, _) => plan.identifier = Some(new.port),
        (Protocol::QueryIn, _) => {}
    }
}

/// The packet that a message of ICMP quotes, or its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quote {
    pub(crate) source: Address,
    pub(crate) destination: Address,
    protocol: u8,
    /// Where in the quotation its transport header begins, if it has one that can be found.
    transport: Option<usize>,
    ports: Option<(u16, u16)>,
    icmp: Carried,
}

/// How much of a quotation is looked at: the longest header of IPv4, and TCP's.
pub(crate) const QUOTED: usize = 80;

impl Quote {
    /// Reads it from its first bytes.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (source, destination, protocol, transport) = match bytes.first()? >> 4 {
            4 => {
                let header = Ipv4::new(bytes)?;
                let length = header.header_length();
                let (source, destination) = (header.source_address(), header.destination_address());
                let transport = (header.fragment_offset() == 0).then_some(length);
                (length >= Ipv4::SIZE).then_some((
                    Address::V4(source),
                    Address::V4(destination),
                    header.protocol(),
                    transport,
                ))?
            }
            6 => {
                let header = Ipv6::new(bytes)?;
                let (source, destination) = (header.source_address(), header.destination_address());
                (
                    Address::V6(source),
                    Address::V6(destination),
                    header.next_header(),
                    Some(Ipv6::SIZE),
                )
            }
            _ => return None,
        };
        let rest = transport.and_then(|at| bytes.get(at..));
        let ports = match (rest, protocol) {
            (Some([a, b, c, d, ..]), headers::TCP | headers::UDP) => {
                Some((u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d])))
            }
            _ => None,
        };
        let icmp = match (rest, protocol) {
            (Some(rest), headers::ICMP) => icmp(rest, 0),
            _ => Carried::Other,
        };
        Some(Self {
            source,
            destination,
            protocol,
            transport,
            ports,
            icmp,
        })
    }

    /// The same as [`Seen`]; none for IPv6.
    pub(crate) fn seen(&self) -> Option<Seen> {
        let (Address::V4(source), Address::V4(destination)) = (self.source, self.destination)
        else {
            return None;
        };
        let carried = match (self.ports, self.protocol) {
            (Some((from, to)), headers::TCP) => Carried::Tcp(from, to, Flags::default()),
            (Some((from, to)), headers::UDP) => Carried::Udp(from, to),
            _ => self.icmp,
        };
        Some(Seen {
            source,
            destination,
            carried,
        })
    }

    /// Carries out a plan in the bytes that were read, and keeps the checksums that are among them.
    pub(crate) fn apply(&self, plan: &Plan, bytes: &mut [u8], keep_sums: bool) {
        let (places, header) = match self.source {
            Address::V4(_) => ((12, 16), Some(10)),
            Address::V6(_) => ((8, 24), None),
        };
        let check = self.transport.and_then(|at| {
            let offset = match self.protocol {
                headers::TCP => 16,
                headers::UDP => 6,
                headers::ICMP | headers::ICMPV6 => 2,
                _ => return None,
            };
            let check = at.saturating_add(offset);
            // UDP's 0 says that there is none.
            let is_there = bytes.get(check..)?.first_chunk()? != &[0, 0];
            (is_there || self.protocol != headers::UDP).then_some(check)
        });
        let pseudo = check.filter(|_| self.protocol != headers::ICMP && !keep_sums);
        for (new, place) in [(plan.source, places.0), (plan.destination, places.1)] {
            match new {
                Some(Address::V4(new)) => write(bytes, place, &new.to_be_bytes(), [header, pseudo]),
                Some(Address::V6(new)) => write(bytes, place, &new.to_be_bytes(), [None, pseudo]),
                None => {}
            }
        }
        let Some(transport) = self.transport else {
            return;
        };
        let ports = [
            (plan.source_port.filter(|_| self.ports.is_some()), 0),
            (plan.destination_port.filter(|_| self.ports.is_some()), 2),
            (plan.identifier.filter(|_| self.icmp != Carried::Other), 4),
        ];
        for (new, offset) in ports {
            if let Some(new) = new {
                let place = transport.saturating_add(offset);
                write(bytes, place, &new.to_be_bytes(), [check, None]);
            }
        }
    }
}

/// Writes words, and updates checksums that cover them.
fn write(bytes: &mut [u8], at: usize, new: &[u8], checks: [Option<usize>; 2]) {
    let (mut place, mut rest) = (at, new);
    while let Some((&new, behind)) = rest.split_first_chunk() {
        let Some(old) = exchange(bytes, place, new) else {
            return;
        };
        for at in checks.into_iter().flatten() {
            let check = bytes.get(at..).and_then(|bytes| bytes.first_chunk());
            if let Some(&check) = check {
                let [old, new, check] = [old, new, check].map(u16::from_ne_bytes);
                exchange(bytes, at, checksum::update(check, old, new).to_ne_bytes());
            }
        }
        (place, rest) = (place.saturating_add(2), behind);
    }
}

/// Writes a word. Gives back what was there; none if it is not among the bytes.
fn exchange(bytes: &mut [u8], at: usize, new: [u8; 2]) -> Option<[u8; 2]> {
    let word = bytes.get_mut(at..)?.first_chunk_mut()?;
    Some(core::mem::replace(word, new))
}

/// What the fragments of a datagram have in common, and which of them one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Datagram {
    pub(crate) source: u32,
    pub(crate) destination: u32,
    pub(crate) protocol: u8,
    pub(crate) identification: u16,
    pub(crate) outward: bool,
}

impl Datagram {
    /// Of an IPv4 packet: none if it is whole.
    pub(crate) fn of(parsed: &Parsed, bytes: &[u8], outward: bool) -> Option<(Self, bool)> {
        let Addresses::V4(source, destination) = parsed.addresses else {
            return None;
        };
        let is_later = match parsed.fragmented {
            Fragmented::No => return None,
            Fragmented::First => false,
            Fragmented::Later => true,
        };
        let header = Ipv4::new(bytes.get(parsed.network..)?)?;
        let datagram = Self {
            source,
            destination,
            protocol: header.protocol(),
            identification: header.identification(),
            outward,
        };
        Some((datagram, is_later))
    }
}
