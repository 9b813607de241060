// SPDX-License-Identifier: GPL-2.0

//! The headers of a packet: where they are, and what they say. Any context.
//!
//! [`parse`] walks from the Ethernet header to the transport header, over VLAN tags and the extension headers of IPv6. The
//! views ([`Ethernet`], [`Ipv4`] and so on) have all fields of one header. Nothing reads outside of the bytes that it is
//! given, and no packet makes anything panic.

#[path = "headers/views.rs"]
mod views;

#[cfg(test)]
#[path = "headers/tests.rs"]
mod tests;

use super::checksum::{add, sum};
pub use views::{Arp, Ethernet, Extension, Icmp, Icmpv6, Ipv4, Ipv6, Tcp, Udp, Vlan};

/// EtherTypes.
pub const IPV4: u16 = 0x0800;
/// See [`IPV4`].
pub const ARP: u16 = 0x0806;
/// See [`IPV4`].
pub const IPV6: u16 = 0x86dd;
/// A VLAN tag (802.1Q).
pub const CTAG: u16 = 0x8100;
/// A service VLAN tag (802.1ad).
pub const STAG: u16 = 0x88a8;

/// Protocols that IP carries.
pub const ICMP: u8 = 1;
/// See [`ICMP`].
pub const TCP: u8 = 6;
/// See [`ICMP`].
pub const UDP: u8 = 17;
/// See [`ICMP`].
pub const DCCP: u8 = 33;
/// See [`ICMP`].
pub const ICMPV6: u8 = 58;
/// See [`ICMP`].
pub const SCTP: u8 = 132;
/// See [`ICMP`].
pub const UDPLITE: u8 = 136;

/// Names of protocols. The first name of a number is the one that is shown.
pub const PROTOCOLS: [(&str, u8); 13] = [
    ("icmp", ICMP),
    ("igmp", 2),
    ("tcp", TCP),
    ("udp", UDP),
    ("dccp", DCCP),
    ("gre", 47),
    ("esp", 50),
    ("icmpv6", ICMPV6),
    ("ipv6-icmp", ICMPV6),
    ("ospf", 89),
    ("vrrp", 112),
    ("sctp", SCTP),
    ("udplite", UDPLITE),
];

/// Writes parts of a header one behind the other, as far as there is room. Says how many bytes they are.
pub fn fill(to: &mut [u8], parts: &[&[u8]]) -> usize {
    let mut length = 0usize;
    let bytes = parts.iter().flat_map(|part| part.iter());
    for (to, from) in to.iter_mut().zip(bytes) {
        *to = *from;
        length = length.wrapping_add(1);
    }
    length
}

/// The kinds of extension headers that are looked behind.
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;

/// VLAN tags that are looked behind.
pub const TAGS: u8 = 4;
/// Extension headers that are looked behind.
pub const EXTENSIONS: u8 = 8;
/// How many bytes are enough for most packets: Ethernet, two tags, IPv6 and TCP.
pub const USUAL: usize = 14 + 2 * 4 + 40 + 20;

/// What is wrong with a packet: a header that is cut off, or a length that contradicts another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It is too short for an Ethernet header.
    Ethernet,
    /// A VLAN tag is cut off, or there are more than [`TAGS`].
    Vlan,
    /// ARP is cut off.
    Arp,
    /// The IPv4 header is cut off, or its version or header length cannot be right.
    Ipv4Header,
    /// The total length is less than that of the header, or more than there is.
    Ipv4Length,
    /// The IPv6 header is cut off, or its version cannot be right.
    Ipv6Header,
    /// The payload length is more than there is.
    Ipv6Length,
    /// An extension header reaches beyond the payload, or there are more than [`EXTENSIONS`].
    Extension,
    /// The UDP header is cut off, or its length is less than that of the header, or more than there is.
    Udp,
    /// The TCP header is cut off, or its data offset cannot be right.
    Tcp,
    /// The ICMP or ICMPv6 header is cut off.
    Icmp,
    /// The ports of another protocol are cut off.
    Ports,
}

/// Source and destination of a packet of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// It is not of IP, or its header cannot be read.
    None,
    /// Of IPv4.
    V4(u32, u32),
    /// Of IPv6.
    V6(u128, u128),
}

/// Whether a packet is a part of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragmented {
    /// It is whole.
    No,
    /// The first part: with the header of what IP carries.
    First,
    /// Another part: without.
    Later,
}

/// What the headers of a packet say. What could not be read, as it is not there or [malformed](Parsed::malformed), is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The outermost VLAN tag among the bytes: its tag control information.
    pub vlan: Option<u16>,
    /// The EtherType behind all tags. Less than 0x600 is a length (IEEE 802.3).
    pub ether_type: Option<u16>,
    /// Where the header of the network layer begins: behind the tags.
    pub network: usize,
    /// Source and destination address.
    pub addresses: Addresses,
    /// DSCP and ECN; nothing without addresses.
    pub traffic_class: u8,
    /// What IP carries, behind all extension headers.
    pub protocol: Option<u8>,
    /// Whether it is a part of a datagram.
    pub fragmented: Fragmented,
    /// The last destination address is another one, which stands in a routing header.
    pub routed: bool,
    /// Where the header of the transport layer begins. None in a later fragment.
    pub transport: Option<usize>,
    /// Where the datagram ends; padding may follow.
    pub end: usize,
    /// Source and destination port of TCP, UDP, UDP-Lite, SCTP, DCCP.
    pub ports: Option<(u16, u16)>,
    /// Type and code of ICMP or ICMPv6.
    pub icmp: Option<(u8, u8)>,
    /// What is wrong with it. What stands before that is still told.
    pub malformed: Option<Malformed>,
}

/// So many bytes from the packet's beginning are needed to go on. There are so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct More(pub usize);

/// Why the walk ends early.
enum Stop {
    More(usize),
    Malformed(Malformed),
}

/// Walks over the headers of a packet of `len` bytes, of which these are the first. `Err` if it needs more of them.
#[inline(never)]
pub fn parse(bytes: &[u8], len: usize) -> Result<Parsed, More> {
    let mut parsed = Parsed::nothing(len);
    match parsed.walk(Bytes { bytes, len }) {
        Ok(()) => {}
        Err(Stop::More(needed)) => return Err(More(needed)),
        Err(Stop::Malformed(why)) => parsed.malformed = Some(why),
    }
    Ok(parsed)
}

/// What there is to say of a packet of which nothing can be read.
#[cold]
pub fn unread(why: Malformed) -> Parsed {
    Parsed {
        malformed: Some(why),
        ..Parsed::nothing(0)
    }
}

/// The first bytes of a packet, and how many it has.
#[derive(Clone, Copy)]
struct Bytes<'a> {
    bytes: &'a [u8],
    len: usize,
}

impl<'a> Bytes<'a> {
    /// What begins at `at`, with at least `size` bytes before `end`.
    #[inline(always)]
    fn at(&self, at: usize, size: usize, end: usize, why: Malformed) -> Result<&'a [u8], Stop> {
        let behind = at.saturating_add(size);
        if behind > end.min(self.len) {
            return Err(Stop::Malformed(why));
        }
        let found = self.bytes.get(at..).filter(|_| behind <= self.bytes.len());
        found.ok_or(Stop::More(behind))
    }

    /// The header that begins at `at`.
    #[inline(always)]
    fn header<T>(
        &self,
        (new, size): (impl FnOnce(&'a [u8]) -> Option<T>, usize),
        at: usize,
        end: usize,
        why: Malformed,
    ) -> Result<T, Stop> {
        new(self.at(at, size, end, why)?).ok_or(Stop::Malformed(why))
    }
}

/// How a view is made, and of how many bytes.
macro_rules! view {
    ($name:ident) => {
        ($name::new, $name::SIZE)
    };
}

impl Parsed {
    /// What is known of a packet of which nothing is read yet.
    #[inline(always)]
    fn nothing(len: usize) -> Self {
        Self {
            vlan: None,
            ether_type: None,
            network: 0,
            addresses: Addresses::None,
            traffic_class: 0,
            protocol: None,
            fragmented: Fragmented::No,
            routed: false,
            transport: None,
            end: len,
            ports: None,
            icmp: None,
            malformed: None,
        }
    }

    /// The six bits of the differentiated services field (RFC 2474); nothing without addresses.
    #[inline]
    pub fn dscp(&self) -> u8 {
        self.traffic_class >> 2
    }

    /// The [sum](super::checksum::sum) of the pseudo-header, by which the checksum of TCP, UDP and ICMPv6 covers the
    /// addresses (RFC 9293, 768, 8200); the protocol's message has `len` bytes. None without addresses, and where
    /// the last one is not known.
    pub fn pseudo_header(&self, len: u32) -> Option<u16> {
        let protocol = self.protocol.filter(|_| !self.routed)?;
        let rest = add(sum(&len.to_be_bytes()), sum(&[0, protocol]));
        Some(match self.addresses {
            Addresses::None => return None,
            Addresses::V4(source, destination) => {
                let addresses = [source.to_be_bytes(), destination.to_be_bytes()];
                add(rest, sum(addresses.as_flattened()))
            }
            Addresses::V6(source, destination) => {
                let addresses = [source.to_be_bytes(), destination.to_be_bytes()];
                add(rest, sum(addresses.as_flattened()))
            }
        })
    }

    #[inline(always)]
    fn walk(&mut self, packet: Bytes<'_>) -> Result<(), Stop> {
        let ethernet = packet.header(view!(Ethernet), 0, packet.len, Malformed::Ethernet)?;
        let (mut ether_type, mut at) = (ethernet.ether_type(), Ethernet::SIZE);
        let mut tags = 0_u8;
        while matches!(ether_type, CTAG | STAG) {
            if tags == TAGS {
                return Err(Stop::Malformed(Malformed::Vlan));
            }
            let tag = packet.header(view!(Vlan), at, packet.len, Malformed::Vlan)?;
            self.vlan = self.vlan.or(Some(tag.tci()));
            (ether_type, at) = (tag.ether_type(), at.saturating_add(Vlan::SIZE));
            tags = tags.saturating_add(1);
        }
        (self.ether_type, self.network) = (Some(ether_type), at);
        match ether_type {
            IPV4 => self.ipv4(packet, at),
            IPV6 => self.ipv6(packet, at),
            ARP => packet
                .at(at, 8, packet.len, Malformed::Arp)
                .and_then(|bytes| match Arp::new(bytes) {
                    // Only what is of IPv4 has to be as long.
                    None if bytes.starts_with(&[0, 1, 8, 0, 6, 4]) => packet
                        .header(view!(Arp), at, packet.len, Malformed::Arp)
                        .map(|_| ()),
                    _ => Ok(()),
                }),
            _ => Ok(()),
        }
    }

    #[inline(always)]
    fn ipv4(&mut self, packet: Bytes<'_>, at: usize) -> Result<(), Stop> {
        let header = packet.header(view!(Ipv4), at, packet.len, Malformed::Ipv4Header)?;
        header.check().map_err(Stop::Malformed)?;
        let left = packet.len.saturating_sub(at);
        let length = header.header_length();
        // A super-packet can be longer than the field can say: then it is 0.
        let total = match usize::from(header.total_length()) {
            0 if left > usize::from(u16::MAX) => left,
            total => total,
        };
        if length > left {
            return Err(Stop::Malformed(Malformed::Ipv4Header));
        }
        if total < length || total > left {
            return Err(Stop::Malformed(Malformed::Ipv4Length));
        }
        self.addresses = Addresses::V4(header.source_address(), header.destination_address());
        self.traffic_class = header.type_of_service();
        self.end = at.saturating_add(total);
        self.fragmented = match (header.fragment_offset(), header.more_fragments()) {
            (0, false) => Fragmented::No,
            (0, true) => Fragmented::First,
            _ => Fragmented::Later,
        };
        self.transport(packet, at.saturating_add(length), header.protocol())
    }

    #[inline(always)]
    fn ipv6(&mut self, packet: Bytes<'_>, at: usize) -> Result<(), Stop> {
        let header = packet.header(view!(Ipv6), at, packet.len, Malformed::Ipv6Header)?;
        header.check().map_err(Stop::Malformed)?;
        let at = at.saturating_add(Ipv6::SIZE);
        let left = packet.len.saturating_sub(at);
        let length = match usize::from(header.payload_length()) {
            0 if left > usize::from(u16::MAX) => left,
            length => length,
        };
        if length > left {
            return Err(Stop::Malformed(Malformed::Ipv6Length));
        }
        self.addresses = Addresses::V6(header.source_address(), header.destination_address());
        self.traffic_class = header.traffic_class();
        self.end = at.saturating_add(length);
        match header.next_header() {
            next @ (HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION) => {
                self.extensions(packet, at, next)
            }
            next => self.transport(packet, at, next),
        }
    }

    /// Walks over extension headers, the first of which is of the kind `next`.
    fn extensions(&mut self, packet: Bytes<'_>, mut at: usize, mut next: u8) -> Result<(), Stop> {
        for _ in 0..EXTENSIONS {
            if !matches!(
                next,
                HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION
            ) {
                return self.transport(packet, at, next);
            }
            let header = packet.header(view!(Extension), at, self.end, Malformed::Extension)?;
            let units = usize::from(header.hdr_ext_len());
            let length = match next {
                FRAGMENT => {
                    let place = header.fragmentation();
                    self.fragmented = match (place & !7, place & 1) {
                        // A datagram in one part (RFC 6946).
                        (0, 0) => self.fragmented,
                        (0, _) => Fragmented::First,
                        _ => Fragmented::Later,
                    };
                    8
                }
                // It counts in words, without two of them.
                AUTHENTICATION => units.wrapping_add(2).wrapping_mul(4),
                _ => units.wrapping_add(1).wrapping_mul(8),
            };
            self.routed |= next == ROUTING && header.segments_left() != 0;
            at = at.saturating_add(length);
            if at > self.end {
                return Err(Stop::Malformed(Malformed::Extension));
            }
            let is_fragment = next == FRAGMENT;
            next = header.next_header();
            if is_fragment && self.fragmented == Fragmented::Later {
                // What follows is data, whatever it is of.
                self.protocol = Some(next);
                return Ok(());
            }
        }
        match next {
            HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION => {
                Err(Stop::Malformed(Malformed::Extension))
            }
            next => self.transport(packet, at, next),
        }
    }

    #[inline(always)]
    fn transport(&mut self, packet: Bytes<'_>, at: usize, protocol: u8) -> Result<(), Stop> {
        self.protocol = Some(protocol);
        if self.fragmented == Fragmented::Later {
            return Ok(());
        }
        self.transport = Some(at);
        let (end, is_whole) = (self.end, self.fragmented == Fragmented::No);
        let left = end.saturating_sub(at);
        self.ports = match protocol {
            UDP => {
                let udp = packet.header(view!(Udp), at, end, Malformed::Udp)?;
                let length = match usize::from(udp.length()) {
                    0 if left > usize::from(u16::MAX) => left,
                    length => length,
                };
                if length < Udp::SIZE || (is_whole && length > left) {
                    return Err(Stop::Malformed(Malformed::Udp));
                }
                Some((udp.source_port(), udp.destination_port()))
            }
            TCP => {
                let tcp = packet.header(view!(Tcp), at, end, Malformed::Tcp)?;
                let length = tcp.header_length();
                if length < Tcp::SIZE || (is_whole && length > left) {
                    return Err(Stop::Malformed(Malformed::Tcp));
                }
                Some((tcp.source_port(), tcp.destination_port()))
            }
            // They begin as UDP does.
            UDPLITE | SCTP | DCCP => {
                let ports = packet.header(view!(Udp), at, end, Malformed::Ports)?;
                Some((ports.source_port(), ports.destination_port()))
            }
            ICMP => {
                let icmp = packet.header(view!(Icmp), at, end, Malformed::Icmp)?;
                self.icmp = Some((icmp.kind(), icmp.code()));
                None
            }
            ICMPV6 => {
                let icmp = packet.header(view!(Icmpv6), at, end, Malformed::Icmp)?;
                self.icmp = Some((icmp.kind(), icmp.code()));
                None
            }
            _ => None,
        };
        Ok(())
    }
}
