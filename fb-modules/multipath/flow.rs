// SPDX-License-Identifier: GPL-2.0

//! What the headers of a packet say about whom it belongs to.
//!
//! Nothing is refused: of a packet whose headers end early, or lie, what could be read counts.

use super::{
    address::Mac,
    config::{Fields, RouteKey},
    segment::{Segment, TCP},
};
use core::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

/// VLAN tags in the data that are looked behind.
const TAGS: usize = 2;
/// What routers change on the way in TOS and traffic class.
const ECN: u8 = 3;
/// Extension headers of IPv6 that are looked behind.
const EXTENSIONS: usize = 8;

/// Labels of MPLS that are looked behind.
const LABELS: usize = 8;

/// How much of a packet is looked at first: Ethernet, two tags, IPv6, and as much of what that carries.
pub(crate) const FIRST: u32 = 14 + 2 * 4 + 40 + TCP as u32;
/// How much is looked at where that was not enough.
pub(crate) const MOST: u32 = 512;

/// What makes the keys of one kind different from those of another; the upper byte of their last word.
#[derive(Clone, Copy)]
enum Domain {
    Session = 1,
    Route = 2,
    Fragment = 3,
    RouteCache = 4,
    Pair = 5,
}

/// The kind of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Source and destination MAC address.
    Ethernet,
    /// Both IPv4 addresses in one word, the source first.
    V4,
    /// The source, then the destination, two words each.
    V6,
}

/// Whether a packet is a part of a datagram, and of which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fragment {
    /// It is whole.
    No,
    /// The first part, with the header of what IP carries.
    First(u32),
    /// Another part.
    Later(u32),
}

/// From whom a packet is, and for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hosts {
    kind: Kind,
    addresses: [u64; 4],
}

/// Both addresses, with a space between.
impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second, third, fourth] = self.addresses;
        let v6 = |high: u64, low: u64| Ipv6Addr::from(u128::from(high) << 64 | u128::from(low));
        let mac = |word: u64| {
            let [_, _, address @ ..] = word.to_be_bytes();
            Mac::from(address)
        };
        match self.kind {
            Kind::Ethernet => write!(f, "{} {}", mac(first), mac(second)),
            Kind::V4 => {
                let [source, destination] =
                    [first >> 32, first].map(|word| Ipv4Addr::from(word as u32));
                write!(f, "{source} {destination}")
            }
            Kind::V6 => write!(f, "{} {}", v6(first, second), v6(third, fourth)),
        }
    }
}

/// Whom a packet belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flow {
    kind: Kind,
    addresses: [u64; 4],
    /// What IP carries, or the type in the Ethernet header.
    protocol: u16,
    /// Source and destination port; ICMP's type, code and identifier. 0 where there are none.
    ports: u32,
    /// The TOS of IPv4 or the traffic class of IPv6, without the bits of ECN.
    tos: u8,
    /// The IDs of the VLANs that it is in, of 12 bits each; 0 is none.
    vlan: u32,
    /// The flow label of IPv6.
    label: u32,
    /// Its part in a datagram.
    pub(crate) fragment: Fragment,
    /// What it sends, if it is of TCP and whole.
    pub(crate) segment: Option<Segment>,
    /// It is known from an error that quotes a packet of the other side.
    is_quoted: bool,
}

/// The words that a key is made of.
pub(crate) struct Key {
    words: [u64; 6],
    len: usize,
}

impl Key {
    /// One more word.
    fn push(&mut self, more: u64) {
        if let Some(word) = self.words.get_mut(self.len) {
            *word = more;
            self.len = self.len.wrapping_add(1);
        }
    }

    pub(crate) fn words(&self) -> &[u64] {
        self.words.get(..self.len).unwrap_or(&self.words)
    }
}

/// Where a header stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Packet,
    /// In one that may be a tunnel's, of which the inner headers count.
    Tunnel,
    /// In an error, which quotes the packet that it is about.
    Quote,
}

impl Flow {
    const EMPTY: Self = Self {
        kind: Kind::Ethernet,
        addresses: [0; 4],
        protocol: 0,
        ports: 0,
        tos: 0,
        vlan: 0,
        label: 0,
        fragment: Fragment::No,
        segment: None,
        is_quoted: false,
    };

    /// Reads the headers at the beginning of a packet, for sessions that are told apart by these. `Err` when the bytes
    /// ended before the headers: with what was read until there.
    pub(crate) fn read(bytes: &[u8], by: Fields) -> Result<Self, Self> {
        let mut flow = Self::EMPTY;
        let at = if by.inner { At::Tunnel } else { At::Packet };
        match flow.ethernet(bytes, at) {
            Some(()) => Ok(flow),
            None => Err(flow),
        }
    }

    /// The same of a packet that is in another VLAN, by the tag that stands beside it.
    pub(crate) fn in_vlan(mut self, tci: Option<u16>) -> Self {
        if let Some(tci) = tci {
            // It is outside of the others.
            let id = u32::from(tci & 0xfff);
            self.vlan = match self.vlan {
                0 => id,
                inner => id << 12 | inner & 0xfff,
            };
        }
        self
    }

    fn ethernet(&mut self, bytes: &[u8], at: At) -> Option<()> {
        let (macs, mut rest) = bytes.split_first_chunk::<12>()?;
        let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5] = *macs;
        let source = u64::from_be_bytes([0, 0, s0, s1, s2, s3, s4, s5]);
        let destination = u64::from_be_bytes([0, 0, d0, d1, d2, d3, d4, d5]);
        self.addresses = [source, destination, 0, 0];
        for _ in 0..=TAGS {
            let (kind, behind) = rest.split_first_chunk()?;
            self.protocol = u16::from_be_bytes(*kind);
            match self.protocol {
                0x0800 => return self.ipv4(behind, at),
                0x86dd => return self.ipv6(behind, at),
                0x0806 => return self.arp(behind),
                0x8100 | 0x88a8 => {
                    let (tag, inner) = behind.split_first_chunk::<2>()?;
                    self.vlan =
                        self.vlan << 12 & 0xff_ffff | u32::from(u16::from_be_bytes(*tag) & 0xfff);
                    rest = inner;
                }
                0x8847 | 0x8848 if at == At::Tunnel => return self.mpls(behind),
                0x8864 if at == At::Tunnel => return self.pppoe(behind),
                _ => break,
            }
        }
        Some(())
    }

    /// What is behind the labels of MPLS, of which nothing says what it is: it begins like IP, or does not.
    fn mpls(&mut self, mut bytes: &[u8]) -> Option<()> {
        for _ in 0..LABELS {
            let (&[_, _, bottom, _], behind) = bytes.split_first_chunk()?;
            bytes = behind;
            if bottom & 1 != 0 {
                return match bytes.first()? >> 4 {
                    4 => self.ipv4(bytes, At::Packet),
                    6 => self.ipv6(bytes, At::Packet),
                    _ => Some(()),
                };
            }
        }
        Some(())
    }

    /// What a session of PPPoE carries.
    fn pppoe(&mut self, bytes: &[u8]) -> Option<()> {
        let (&[.., p0, p1], behind) = bytes.split_first_chunk::<8>()?;
        match [p0, p1] {
            [0, 0x21] => self.ipv4(behind, At::Packet),
            [0, 0x57] => self.ipv6(behind, At::Packet),
            _ => Some(()),
        }
    }

    /// What is in a tunnel whose header this is: the flow counts as its. `None` when the bytes ended.
    fn tunnel(&mut self, bytes: &[u8]) -> Option<()> {
        let mut inner = Self {
            vlan: self.vlan,
            ..Self::EMPTY
        };
        match self.protocol {
            4 => inner.ipv4(bytes, At::Packet)?,
            41 => inner.ipv6(bytes, At::Packet)?,
            // Of GRE the version that is not PPTP's, without routes.
            47 => {
                let &[flags, version, p0, p1] = bytes.first_chunk()?;
                if version & 7 != 0 || flags & 0x40 != 0 {
                    return Some(());
                }
                let fields = (flags & 0xb0).count_ones() as usize;
                let behind = bytes.get(fields.wrapping_mul(4).wrapping_add(4)..)?;
                match [p0, p1] {
                    [0x08, 0] => inner.ipv4(behind, At::Packet)?,
                    [0x86, 0xdd] => inner.ipv6(behind, At::Packet)?,
                    [0x65, 0x58] => inner.ethernet(behind, At::Packet)?,
                    _ => return Some(()),
                }
            }
            // VXLAN
            17 if bytes.get(2..4) == Some(&[0x12, 0xb5]) => {
                let (head, behind) = bytes.split_first_chunk::<16>()?;
                if head.get(8)? & 8 == 0 {
                    return Some(());
                }
                inner.ethernet(behind, At::Packet)?;
            }
            // ESP: the session has a number.
            50 => {
                self.ports = u32::from_be_bytes(*bytes.first_chunk()?);
                return Some(());
            }
            _ => return Some(()),
        }
        *self = inner;
        Some(())
    }

    /// Of ARP for IPv4 over Ethernet the addresses of sender and target: so a request and its answer are the two
    /// directions of one session, though a request is sent to all.
    fn arp(&mut self, bytes: &[u8]) -> Option<()> {
        let (head, _) = bytes.split_first_chunk::<28>()?;
        if !head.starts_with(&[0, 1, 8, 0, 6, 4]) {
            return Some(());
        }
        let [.., s0, s1, s2, s3, _, _, _, _, _, _, t0, t1, t2, t3] = *head;
        self.kind = Kind::V4;
        self.addresses = [
            u64::from_be_bytes([s0, s1, s2, s3, t0, t1, t2, t3]),
            0,
            0,
            0,
        ];
        Some(())
    }

    fn ipv4(&mut self, bytes: &[u8], at: At) -> Option<()> {
        let (head, _) = bytes.split_first_chunk::<20>()?;
        let [first, tos, l0, l1, i0, i1, f0, f1, _, protocol, _, _, addresses @ ..] = *head;
        let length = usize::from(first & 0xf).wrapping_mul(4);
        if first >> 4 != 4 || length < 20 {
            return Some(());
        }
        self.kind = Kind::V4;
        self.addresses = [u64::from_be_bytes(addresses), 0, 0, 0];
        self.tos = tos & !ECN;
        self.protocol = protocol.into();
        let id = u16::from_be_bytes([i0, i1]).into();
        let (more, offset) = (f0 & 0x20 != 0, u16::from_be_bytes([f0 & 0x1f, f1]));
        if offset != 0 {
            self.fragment = Fragment::Later(id);
            return Some(());
        }
        if more {
            self.fragment = Fragment::First(id);
        }
        // What is behind the datagram's end is padding.
        let total = u16::from_be_bytes([l0, l1]).into();
        self.carried(bytes, length, total, at)
    }

    fn ipv6(&mut self, bytes: &[u8], at: At) -> Option<()> {
        let (head, mut rest) = bytes.split_first_chunk::<40>()?;
        let [first, second, label0, label1, l0, l1, mut next, _, addresses @ ..] = *head;
        if first >> 4 != 6 {
            return Some(());
        }
        self.kind = Kind::V6;
        self.tos = (first << 4 | second >> 4) & !ECN;
        self.label = u32::from_be_bytes([0, second & 0xf, label0, label1]);
        for (word, bytes) in self.addresses.iter_mut().zip(addresses.chunks_exact(8)) {
            *word = u64::from_be_bytes(*bytes.first_chunk()?);
        }
        self.protocol = next.into();
        let mut left = usize::from(u16::from_be_bytes([l0, l1]));
        for _ in 0..EXTENSIONS {
            let (&[following, len, o0, o1, i0, i1, i2, i3], _) = match next {
                0 | 43 | 44 | 51 | 60 if left >= 8 => rest.split_first_chunk::<8>()?,
                _ => break,
            };
            let len = usize::from(len);
            let mut skip = len.wrapping_add(1).wrapping_mul(8);
            match next {
                44 => {
                    let (id, place) = (
                        u32::from_be_bytes([i0, i1, i2, i3]),
                        u16::from_be_bytes([o0, o1]),
                    );
                    skip = 8;
                    if place & !7 != 0 {
                        self.fragment = Fragment::Later(id);
                        self.protocol = following.into();
                        return Some(());
                    }
                    if place & 1 != 0 {
                        self.fragment = Fragment::First(id);
                    }
                }
                // Authentication counts in words, and without two of them.
                51 => skip = len.wrapping_add(2).wrapping_mul(4),
                _ => (),
            }
            next = following;
            self.protocol = next.into();
            left = left.saturating_sub(skip);
            rest = rest.get(skip..)?;
        }
        self.carried(rest, 0, left, at)
    }

    /// Reads what tells sessions between two addresses apart, at `offset` of what is no longer than
    /// `total`.
    fn carried(&mut self, bytes: &[u8], offset: usize, total: usize, at: At) -> Option<()> {
        let inside = |size| offset.checked_add(size).is_some_and(|end| end <= total);
        let bytes = bytes.get(offset..)?;
        if at == At::Tunnel && self.fragment == Fragment::No {
            let in_packet = total.saturating_sub(offset);
            let bytes = bytes.get(..in_packet).unwrap_or(bytes);
            let (is_whole, before) = (bytes.len() == in_packet, *self);
            let found = self.tunnel(bytes).or(is_whole.then_some(()));
            if found.is_none() || self.protocol == 50 || *self != before {
                return found;
            }
        }
        match self.protocol {
            // TCP, UDP, DCCP, SCTP, UDP-Lite
            6 | 17 | 33 | 132 | 136 if inside(4) => {
                self.ports = u32::from_be_bytes(*bytes.first_chunk()?);
                let is_whole = self.fragment == Fragment::No && inside(TCP);
                if self.protocol == 6 && is_whole && at != At::Quote {
                    let total = total.saturating_sub(offset);
                    self.segment = Segment::read(bytes.first_chunk()?, total);
                }
            }
            // Neighbour solicitations and advertisements, like ARP: with the target in place of a group, and of the
            // address that answers.
            58 if inside(24) && matches!(bytes.first(), Some(135 | 136)) => {
                let [kind, code, _, _, _, _, _, _, target @ ..] = *bytes.first_chunk::<24>()?;
                let [high, low] = words(&target);
                let [a, b, c, d] = self.addresses;
                self.addresses = match kind {
                    135 => [a, b, high, low],
                    _ => [high, low, c, d],
                };
                self.ports = u32::from_be_bytes([kind, code, 0, 0]);
            }
            1 | 58 if inside(8) => {
                let [kind, code, _, _, id @ ..] = *bytes.first_chunk::<6>()?;
                let has_id = match self.protocol {
                    1 => matches!(kind, 0 | 8 | 13..=18),
                    _ => matches!(kind, 128 | 129),
                };
                let id = if has_id { id } else { [0; 2] };
                self.ports = u32::from_be_bytes([kind, code, id[0], id[1]]);
                let is_error = match self.protocol {
                    1 => matches!(kind, 3..=5 | 11 | 12),
                    _ => matches!(kind, 1..=4),
                };
                if is_error && at != At::Quote && self.fragment == Fragment::No {
                    let left = total.saturating_sub(offset).saturating_sub(8);
                    let quote = bytes.get(8..)?;
                    return match quote.get(..left) {
                        // There is no more of it.
                        Some(quote) => self.quoted(quote).or(Some(())),
                        None => self.quoted(quote),
                    };
                }
            }
            _ => (),
        }
        Some(())
    }

    /// An error belongs to the session that it is about: that of the packet it quotes, which went the
    /// other way. (Linux goes by the quote, too: `ip_multipath_l3_keys()`.)
    fn quoted(&mut self, bytes: &[u8]) -> Option<()> {
        let mut quote = Self::EMPTY;
        let read = match self.kind {
            Kind::V4 => quote.ipv4(bytes, At::Quote),
            _ => quote.ipv6(bytes, At::Quote),
        };
        // Which session a later fragment is of nobody knows here.
        if quote.kind == self.kind && !matches!(quote.fragment, Fragment::Later(_)) {
            *self = quote.reversed();
            self.is_quoted = true;
        }
        read
    }

    /// What the other side of the session sends.
    pub(crate) fn reversed(self) -> Self {
        let [a, b, c, d] = self.addresses;
        let [kind, code, i0, i1] = self.ports.to_be_bytes();
        // Questions and their answers.
        let icmp = |kind| u32::from_be_bytes([kind, code, i0, i1]);
        Self {
            addresses: match self.kind {
                Kind::V4 => [a.rotate_left(32), b, c, d],
                Kind::Ethernet => [b, a, c, d],
                Kind::V6 => [c, d, a, b],
            },
            ports: match (self.protocol, kind) {
                (1, 0 | 8) => icmp(kind ^ 8),
                (1, 13 | 15 | 17) => icmp(kind.wrapping_add(1)),
                (1, 14 | 16 | 18) => icmp(kind.wrapping_sub(1)),
                (58, 128 | 129) => icmp(kind ^ 1),
                (58, 135 | 136) => icmp(kind ^ 15),
                (1 | 58, _) => self.ports,
                _ => self.ports.rotate_left(16),
            },
            fragment: Fragment::No,
            ..self
        }
    }

    /// Whether the other side may send packets of this session, in answer to this one. They are not for a group or an
    /// error, and later fragments do not tell their session.
    pub(crate) fn has_answer(&self) -> bool {
        let [word, destination, high, _] = self.addresses;
        let is_group = match self.kind {
            Kind::Ethernet => destination >> 40 & 1 != 0,
            Kind::V4 => word as u32 >= 0xe000_0000,
            Kind::V6 => high >> 56 == 0xff,
        };
        // What answers ESP has another number.
        let is_numbered = self.protocol == 50 && self.ports != 0;
        !(is_group || is_numbered || self.is_quoted || matches!(self.fragment, Fragment::Later(_)))
    }

    /// The key of all that has these addresses, and this as the last of its words.
    fn key(&self, domain: Domain, protocol: u16, last: u32) -> Key {
        let mut words = [0; 6];
        let len = match self.kind {
            Kind::V4 => 1,
            Kind::Ethernet => 2,
            Kind::V6 => 4,
        };
        let from = self.addresses.iter().take(len);
        for (word, address) in words.iter_mut().zip(from) {
            *word = *address;
        }
        if let Some(word) = words.get_mut(len) {
            *word = (domain as u64) << 56 | u64::from(protocol) << 32 | u64::from(last);
        }
        Key {
            words,
            len: len.wrapping_add(1),
        }
    }

    /// The key of the session: addresses, protocol, and ports or their like; or others that it is told by.
    pub(crate) fn session(&self, by: Fields) -> Key {
        if by == Fields::L4 {
            return self.key(Domain::Session, self.protocol, self.ports);
        }
        let mut flow = *self;
        if by.l3 {
            (flow.protocol, flow.ports) = (0, 0);
        }
        if by.symmetric {
            let other = Self {
                ports: if by.l3 { 0 } else { self.reversed().ports },
                protocol: flow.protocol,
                ..self.reversed()
            };
            if (other.addresses, other.ports) < (flow.addresses, flow.ports) {
                flow = other;
            }
        }
        let mut key = flow.key(Domain::Session, flow.protocol, flow.ports);
        let vlan = if by.vlan { flow.vlan } else { 0 };
        let label = if by.label { flow.label } else { 0 };
        if vlan != 0 || label != 0 {
            key.push(u64::from(vlan) << 32 | u64::from(label));
        }
        key
    }

    /// The key of the datagram that a fragment is of. In IPv6 what the parts say that they carry may
    /// differ, and only the first one knows what is behind further headers (RFC 8200, 4.5).
    pub(crate) fn datagram(&self, id: u32) -> Key {
        let protocol = match self.kind {
            Kind::V6 => 0,
            _ => self.protocol,
        };
        self.key(Domain::Fragment, protocol, id)
    }

    /// The key of the route, of a packet that came by a device.
    pub(crate) fn route(&self, of: RouteKey, device: u32) -> Key {
        match of {
            RouteKey::Cache => self.key(Domain::RouteCache, self.tos.into(), device),
            RouteKey::Destination => self.destination(),
        }
    }

    /// From whom it is, and for whom.
    pub(crate) fn hosts(&self) -> Hosts {
        Hosts {
            kind: self.kind,
            addresses: self.addresses,
        }
    }

    /// The key of all that goes from one host to another.
    pub(crate) fn pair(&self) -> Key {
        self.key(Domain::Pair, 0, 0)
    }

    pub(crate) fn destination(&self) -> Key {
        let [a, b, c, d] = self.addresses;
        let addresses = match self.kind {
            Kind::V4 => [a & 0xffff_ffff, 0, 0, 0],
            Kind::Ethernet => [0, b, 0, 0],
            Kind::V6 => [c, d, 0, 0],
        };
        let destination = Self { addresses, ..*self };
        destination.key(Domain::Route, 0, 0)
    }
}

/// An IPv6 address in two words.
fn words(address: &[u8; 16]) -> [u64; 2] {
    let all = u128::from_be_bytes(*address);
    [(all >> 64) as u64, all as u64]
}
