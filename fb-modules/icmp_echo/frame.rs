// SPDX-License-Identifier: GPL-2.0

//! Finding requests in frames, and making replies of them in place: ICMP echo (RFC 792, RFC 4443), ARP
//! (RFC 826) and neighbour solicitations (RFC 4861).

use super::{
    address::{is_host_v4, is_host_v6, Address, Mac},
    checksum::{add, sum, update},
    ours::Ours,
};

/// How much of a frame is looked at: Ethernet, two VLAN tags, IPv6, a neighbour solicitation and 40
/// bytes of its options. More of it only where there are [more options](What::Longer).
pub(crate) const HEAD: u32 = 14 + 2 * 4 + 40 + 24 + 40;

const ETHERNET: usize = 14;
const TAG: usize = 4;
const VLAN: [u16; 2] = [0x8100, 0x88a8];
const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_ARP: u16 = 0x0806;
const ETHERTYPE_IPV6: u16 = 0x86dd;

const IPV4: usize = 20;
const IPV6: usize = 40;
const ARP: usize = 28;
/// What ARP for IPv4 on Ethernet begins with, and the two operations.
const ARP_IPV4: [u8; 6] = [0, 1, 8, 0, 6, 4];
const ARP_REQUEST: [u8; 2] = [0, 1];
const ARP_REPLY: [u8; 2] = [0, 2];

const DONT_FRAGMENT: u8 = 0x40;

const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
/// Other extension headers of IPv6 than that of a fragment: hop-by-hop, routing, authentication,
/// destination, mobility, HIP, shim6.
const EXTENSIONS: [u8; 7] = [0, 43, 51, 60, 135, 139, 140];
const FRAGMENT: u8 = 44;

/// Of ICMP messages: type, code, checksum and the four bytes behind them.
const MESSAGE: usize = 8;
const ECHO: u8 = 8;
const ECHO_REPLY: u8 = 0;
const ECHO_V6: u8 = 128;
const ECHO_REPLY_V6: u8 = 129;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
/// Both, without options; and an option with an Ethernet address.
const NEIGHBOUR: usize = 24;
const LINK_ADDRESS: usize = 8;
const SOURCE_LINK_ADDRESS: u8 = 1;
const TARGET_LINK_ADDRESS: u8 = 2;

/// The TTL or hop limit of a new packet.
const HOPS: u8 = 64;
const ALL_NODES: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
/// The first 104 bits of the multicast address that the owner of an address listens to.
const SOLICITED: u128 = 0xff02_0000_0000_0000_0000_0001_ff00_0000;

/// Why a request to an address of ours is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A length says more than there is, or less than it must.
    Length,
    /// The checksum of the IPv4 header is wrong.
    HeaderChecksum,
    /// The checksum of the ICMP message is wrong.
    Checksum,
    /// The frame goes to a multicast or broadcast MAC address, or comes from one.
    Multicast,
    /// No host can have the source address, or it is one of ours.
    Source,
    /// A neighbour solicitation that is none by RFC 4861, 7.1.1.
    Neighbour,
    /// Its source asks too often.
    RateSource,
    /// All together ask too often.
    Rate,
}

impl Refusal {
    /// Their names, in order.
    pub(crate) const NAMES: [&'static str; 8] = [
        "refused.length",
        "refused.header-checksum",
        "refused.checksum",
        "refused.multicast",
        "refused.source",
        "refused.neighbour",
        "refused.rate-source",
        "refused.rate",
    ];

    /// Whether the packet is broken; else it is only not wanted.
    pub(crate) fn is_malformed(self) -> bool {
        matches!(
            self,
            Self::Length | Self::HeaderChecksum | Self::Checksum | Self::Neighbour
        )
    }
}

/// Why ICMP to an address of ours is not looked at, but passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passed {
    /// It is a fragment.
    Fragment,
    /// It has IPv4 options.
    Options,
    /// It has an IPv6 extension header.
    Extension,
}

impl Passed {
    /// Their names, in order.
    pub(crate) const NAMES: [&'static str; 3] =
        ["passed.fragment", "passed.options", "passed.extension"];
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// To send the same back, by IPv4.
    Echo,
    /// The same, by IPv6.
    EchoV6,
    /// Who has an IPv4 address.
    Arp,
    /// Who has an IPv6 address; by one who wants to have it and has none yet, or by others.
    Neighbour {
        /// Answered to all nodes.
        nobody: bool,
        /// It went to whom it may concern, so that the answer tells our MAC address.
        multicast: bool,
        /// It is one of a prefix of ours, which others may have too: the answer overrides no other.
        shared: bool,
    },
}

impl Kind {
    #[inline]
    pub(crate) fn is_echo(self) -> bool {
        matches!(self, Self::Echo | Self::EchoV6)
    }
}

/// A request to an address of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) kind: Kind,
    /// Where IP, or ARP, begins.
    at: u32,
    /// Length of the frame, without what is behind the packet.
    len: u32,
    /// Sum of the pseudo-header that the checksum covers, too.
    pseudo: u16,
}

/// What a frame is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Request(Request),
    Refused(Refusal),
    Passed(Passed),
    /// A solicitation with options beyond the bytes given: it is to be looked at with so many.
    Longer(u32),
}

/// What a frame carries that may be a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    V4,
    V6,
    Arp,
}

/// The head of a frame's link layer, and of its VLAN tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// The MAC addresses it goes to and comes from.
    pub(crate) to: Mac,
    from: Mac,
    pub(crate) protocol: Protocol,
    /// Where that begins.
    at: usize,
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<&[u8; N]> {
    bytes.get(at..)?.first_chunk()
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(|b| u16::from_be_bytes(*b))
}

/// Reads the link layer; `None` where no request can be in the frame.
#[inline(always)]
pub(crate) fn link(head: &[u8]) -> Option<Link> {
    let ethernet: &[u8; ETHERNET] = array(head, 0)?;
    let to = Mac::read(*array(ethernet, 0)?);
    let from = Mac::read(*array(ethernet, 6)?);
    let mut at = ETHERNET;
    let mut kind = word(ethernet, 12)?;
    for _ in 0..2 {
        if !VLAN.contains(&kind) {
            break;
        }
        at = at.wrapping_add(TAG);
        kind = word(head, at.wrapping_sub(2))?;
    }
    let protocol = match kind {
        ETHERTYPE_IPV4 => Protocol::V4,
        ETHERTYPE_IPV6 => Protocol::V6,
        ETHERTYPE_ARP => Protocol::Arp,
        _ => return None,
    };
    Some(Link {
        to,
        from,
        protocol,
        at,
    })
}

impl Link {
    /// Looks at a frame with IPv4 by its first [`HEAD`] bytes (or all that there are) and its length;
    /// `None` where it does not concern us.
    #[inline(always)]
    pub(crate) fn ipv4(self, head: &[u8], len: u32, ours: &impl Ours) -> Option<What> {
        let at = self.at;
        let ip: &[u8; IPV4] = array(head, at)?;
        let destination = u32::from_be_bytes([ip[16], ip[17], ip[18], ip[19]]);
        if ip[9] != ICMP || ip[0] >> 4 != 4 || !ours.have_v4(destination) {
            return None;
        }
        match ip[0] {
            0x45 => {}
            0x46.. => return Some(What::Passed(Passed::Options)),
            _ => return Some(What::Refused(Refusal::Length)),
        }
        if u16::from_be_bytes([ip[6], ip[7]]) & 0x3fff != 0 {
            return Some(What::Passed(Passed::Fragment));
        }
        let length = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
        let end = end(at, length, len).filter(|_| length >= IPV4 + MESSAGE);
        let kind = head.get(at.wrapping_add(IPV4));
        if kind.is_some_and(|&kind| kind != ECHO) {
            return None;
        }
        let Some(end) = end else {
            return Some(What::Refused(Refusal::Length));
        };
        if sum(ip) != 0xffff {
            return Some(What::Refused(Refusal::HeaderChecksum));
        }
        let source = u32::from_be_bytes([ip[12], ip[13], ip[14], ip[15]]);
        if !is_fit_v4(source, ours) {
            return Some(What::Refused(Refusal::Source));
        }
        Some(What::Request(Request {
            kind: Kind::Echo,
            at: at as u32,
            len: end,
            pseudo: 0,
        }))
    }

    /// The same with IPv6; at neighbour solicitations, if told.
    #[inline(always)]
    pub(crate) fn ipv6(self, head: &[u8], len: u32, ours: &impl Ours, arp: bool) -> Option<What> {
        let at = self.at;
        let ip: &[u8; IPV6] = array(head, at)?;
        let (_, addresses) = ip.split_first_chunk::<8>()?;
        let destination = u128::from_be_bytes(*addresses.last_chunk()?);
        let source = u128::from_be_bytes(*addresses.first_chunk()?);
        let next = ip[6];
        if ip[0] >> 4 != 6 {
            return None;
        }
        if next != ICMPV6 {
            let passed = match next {
                FRAGMENT => Passed::Fragment,
                next if EXTENSIONS.contains(&next) => Passed::Extension,
                _ => return None,
            };
            return ours.have_v6(destination).then_some(What::Passed(passed));
        }
        let message = at.wrapping_add(IPV6);
        let kind = head.get(message);
        let solicits = arp && kind == Some(&SOLICITATION);
        if kind.is_some_and(|&kind| kind != ECHO_V6) && !solicits {
            return None;
        }
        let target = if solicits {
            // One that is cut off before its target is nobody's.
            u128::from_be_bytes(*array(head, message.wrapping_add(MESSAGE))?)
        } else {
            destination
        };
        if !ours.have_v6(target) {
            return None;
        }
        let length = usize::from(u16::from_be_bytes([ip[4], ip[5]]));
        let least = if solicits { NEIGHBOUR } else { MESSAGE };
        let Some(end) = end(message, length, len).filter(|_| length >= least) else {
            return Some(What::Refused(Refusal::Length));
        };
        let request = Request {
            kind: Kind::EchoV6,
            at: at as u32,
            len: end,
            pseudo: pseudo(addresses, ip[4], ip[5]),
        };
        if solicits {
            let shared = !ours.name(Address::V6(target));
            // Who wants to have one of a prefix of ours may: none of them is taken.
            if source == 0 && shared {
                return None;
            }
            if end as usize > head.len() {
                return Some(What::Longer(end));
            }
            let Some(kind) = solicitation(head, at, end, source, target, shared) else {
                return Some(What::Refused(Refusal::Neighbour));
            };
            if source != 0 && !is_fit_v6(source, ours) {
                return Some(What::Refused(Refusal::Source));
            }
            return Some(What::Request(Request { kind, ..request }));
        }
        if !is_fit_v6(source, ours) {
            return Some(What::Refused(Refusal::Source));
        }
        Some(What::Request(request))
    }

    /// The same with ARP.
    pub(crate) fn arp(self, head: &[u8], ours: &impl Ours) -> Option<What> {
        let arp: &[u8; ARP] = array(head, self.at)?;
        let source = u32::from_be_bytes([arp[14], arp[15], arp[16], arp[17]]);
        let target = u32::from_be_bytes([arp[24], arp[25], arp[26], arp[27]]);
        let ask = arp.starts_with(&ARP_IPV4) && arp.get(6..8) == Some(&ARP_REQUEST);
        // Who tells of an address of its own asks nobody.
        if !ask || source == target || !ours.have_v4(target) {
            return None;
        }
        // Who wants to have an address asks by none (RFC 5227). One of a prefix may be had.
        if source == 0 && !ours.name(Address::V4(target)) {
            return None;
        }
        if source != 0 && !is_fit_v4(source, ours) {
            return Some(What::Refused(Refusal::Source));
        }
        Some(What::Request(Request {
            kind: Kind::Arp,
            at: self.at as u32,
            len: end(self.at, ARP, u32::MAX)?,
            pseudo: 0,
        }))
    }

    /// Whether a request may come from and to these MAC addresses.
    #[inline]
    pub(crate) fn is_fit(self, kind: Kind) -> bool {
        !(self.from.is_multicast() || self.to.is_multicast() && kind.is_echo())
    }
}

/// Where a part of the frame that is as long as its header says ends.
#[inline]
fn end(at: usize, length: usize, len: u32) -> Option<u32> {
    let end = at.checked_add(length)? as u64;
    (end <= u64::from(len)).then_some(end as u32)
}

/// Whether replies can go to this source.
#[inline]
fn is_fit_v4(source: u32, ours: &impl Ours) -> bool {
    is_host_v4(source) && !(ours.have_v4(source) && ours.name(Address::V4(source)))
}

/// The same of IPv6.
#[inline]
fn is_fit_v6(source: u128, ours: &impl Ours) -> bool {
    is_host_v6(source) && !(ours.have_v6(source) && ours.name(Address::V6(source)))
}

/// Sum of the pseudo-header that ICMP has on IPv6: both addresses, the length, the protocol.
#[inline]
fn pseudo(addresses: &[u8], length0: u8, length1: u8) -> u16 {
    let rest = add(
        u16::from_ne_bytes([length0, length1]),
        u16::from_ne_bytes([0, ICMPV6]),
    );
    add(sum(addresses), rest)
}

/// A neighbour solicitation for an address of ours, by the rules of RFC 4861, 7.1.1.
fn solicitation(
    head: &[u8],
    at: usize,
    end: u32,
    source: u128,
    target: u128,
    shared: bool,
) -> Option<Kind> {
    let ip: &[u8; IPV6] = array(head, at)?;
    let message = at.checked_add(IPV6)?;
    let begin = message.checked_add(NEIGHBOUR)?;
    let code = head.get(message.checked_add(1)?)?;
    let destination = u128::from_be_bytes(*ip.last_chunk()?);
    let (sound, told) = scan(head.get(begin..end as usize)?);
    let nobody = source == 0;
    let solicited = destination == SOLICITED | target & 0xff_ffff;
    if ip[7] != 255 || *code != 0 || !sound || nobody && (!solicited || told) {
        return None;
    }
    let multicast = destination >> 120 == 0xff;
    Some(Kind::Neighbour {
        nobody,
        multicast,
        shared,
    })
}

/// Whether options have sound lengths; whether one of them tells the sender's MAC address.
fn scan(mut options: &[u8]) -> (bool, bool) {
    let mut told = false;
    while let [kind, units, ..] = *options {
        told |= kind == SOURCE_LINK_ADDRESS;
        match options.get(usize::from(units).wrapping_mul(8)..) {
            Some(rest) if units != 0 => options = rest,
            _ => return (false, told),
        }
    }
    (options.is_empty(), told)
}

impl Request {
    /// The part of the frame under the checksum of ICMP: where it begins, and its length.
    #[inline]
    pub(crate) fn message(self) -> Option<(u32, u32)> {
        let header = match self.kind {
            Kind::Echo => IPV4,
            Kind::EchoV6 | Kind::Neighbour { .. } => IPV6,
            Kind::Arp => return None,
        };
        let begin = self.at.wrapping_add(header as u32);
        Some((begin, self.len.wrapping_sub(begin)))
    }

    /// Who asks, by echo.
    pub(crate) fn source(self, head: &[u8]) -> Option<Address> {
        let ip = head.get(self.at as usize..)?;
        Some(match self.kind {
            Kind::EchoV6 => Address::V6(u128::from_be_bytes(*array(ip, 8)?)),
            _ => Address::V4(u32::from_be_bytes(*array(ip, 12)?)),
        })
    }

    /// Whether a sum over that part is the right one.
    #[inline]
    pub(crate) fn is_sound(self, sum: u16) -> bool {
        add(sum, self.pseudo) == 0xffff
    }

    /// Length of the reply's frame, and how much of it [`Request::reply`] writes to.
    #[inline(always)]
    pub(crate) fn lengths(self) -> (u32, u32) {
        let head = match self.kind {
            Kind::Echo => IPV4 + MESSAGE,
            Kind::EchoV6 => IPV6 + MESSAGE,
            Kind::Arp => ARP,
            Kind::Neighbour {
                multicast: true, ..
            } => IPV6 + NEIGHBOUR + LINK_ADDRESS,
            Kind::Neighbour { .. } => IPV6 + NEIGHBOUR,
        };
        let head = self.at.wrapping_add(head as u32);
        match self.kind {
            Kind::Echo | Kind::EchoV6 => (self.len, head),
            Kind::Arp | Kind::Neighbour { .. } => (head, head),
        }
    }

    /// Makes the reply, in the bytes that [`Request::lengths`] tells. `mac` is our address. Says whether
    /// the message's checksum became 0, which is wrong if the message is nothing but zeros.
    #[inline(always)]
    pub(crate) fn reply(self, head: &mut [u8], mac: Mac) -> Option<bool> {
        let (link, packet) = head.split_at_mut_checked(self.at as usize)?;
        let to = match self.kind {
            Kind::Neighbour { nobody: true, .. } => Mac::ALL_NODES,
            _ => Mac::read(*array(link, 6)?),
        };
        *link.first_chunk_mut()? = to.with_source(mac);
        match self.kind {
            Kind::Echo => return echo(packet),
            Kind::EchoV6 => echo_v6(packet)?,
            Kind::Arp => arp_reply(packet, mac)?,
            Kind::Neighbour {
                nobody,
                multicast,
                shared,
            } => advertisement(packet, nobody, multicast, shared, mac)?,
        }
        Some(false)
    }

    /// Puts the right checksum into an echo reply that is nothing but zeros.
    pub(crate) fn mend(self, head: &mut [u8]) {
        let at = (self.at as usize).wrapping_add(IPV4 + 2);
        let check = head.get_mut(at..).and_then(<[u8]>::first_chunk_mut);
        if let Some(check) = check {
            *check = [0xff; 2];
        }
    }
}

/// The type of an ICMP message changes, and its checksum with it, which is returned.
#[inline(always)]
fn retype(message: &mut [u8; MESSAGE], kind: u8) -> u16 {
    let [old, code, c0, c1, ..] = *message;
    let (old, new) = ([old, code], [kind, code]);
    let check = u16::from_ne_bytes([c0, c1]);
    let check = update(check, u16::from_ne_bytes(old), u16::from_ne_bytes(new));
    message[0] = kind;
    [message[2], message[3]] = check.to_ne_bytes();
    check
}

#[inline(always)]
fn echo(packet: &mut [u8]) -> Option<bool> {
    let (ip, message) = packet.split_first_chunk_mut::<IPV4>()?;
    let message: &mut [u8; MESSAGE] = message.first_chunk_mut()?;
    let (flags, hops, protocol) = (ip[6], ip[8], ip[9]);
    let check = u16::from_ne_bytes([ip[10], ip[11]]);
    let (old, new) = ([hops, protocol], [HOPS, protocol]);
    let mut check = update(check, u16::from_ne_bytes(old), u16::from_ne_bytes(new));
    ip[8] = HOPS;
    // No flag is sent, and there is no offset: the way back may have a smaller MTU.
    if flags != 0 {
        ip[6] = 0;
        let (old, new) = ([flags, 0], [0, 0]);
        check = update(check, u16::from_ne_bytes(old), u16::from_ne_bytes(new));
    }
    // By the identification fragments find together. That of a packet which must not be fragmented says
    // nothing (RFC 6864), so the reply has one of its own, by what tells requests apart.
    if flags & DONT_FRAGMENT != 0 {
        let old = u16::from_ne_bytes([ip[4], ip[5]]);
        let [.., i0, i1, s0, s1] = *message;
        let (identifier, number) = (u16::from_be_bytes([i0, i1]), u16::from_be_bytes([s0, s1]));
        [ip[4], ip[5]] = identifier.wrapping_add(number).to_be_bytes();
        check = update(check, old, u16::from_ne_bytes([ip[4], ip[5]]));
    }
    [ip[10], ip[11]] = check.to_ne_bytes();
    let addresses: &mut [u8; 8] = ip.last_chunk_mut()?;
    let swapped = u64::from_ne_bytes(*addresses).rotate_left(32);
    *addresses = swapped.to_ne_bytes();
    Some(retype(message, ECHO_REPLY) == 0)
}

#[inline(always)]
fn echo_v6(packet: &mut [u8]) -> Option<()> {
    let (ip, message) = packet.split_first_chunk_mut::<IPV6>()?;
    ip[7] = HOPS;
    let (source, destination) = addresses(ip)?;
    core::mem::swap(source, destination);
    retype(message.first_chunk_mut()?, ECHO_REPLY_V6);
    Some(())
}

/// Source and destination of an IPv6 header.
#[inline]
fn addresses(ip: &mut [u8]) -> Option<(&mut [u8; 16], &mut [u8; 16])> {
    let (source, rest) = ip.get_mut(8..)?.split_first_chunk_mut()?;
    Some((source, rest.first_chunk_mut()?))
}

fn arp_reply(packet: &mut [u8], mac: Mac) -> Option<()> {
    let arp: &mut [u8; ARP] = packet.first_chunk_mut()?;
    let [.., t0, t1, t2, t3] = *arp;
    let ([o0, o1], [m0, m1, m2, m3, m4, m5]) = (ARP_REPLY, mac.bytes());
    let (_, rest) = arp.split_first_chunk_mut::<6>()?;
    let (operation_and_sender, target) = rest.split_first_chunk_mut::<12>()?;
    let [.., s0, s1, s2, s3, s4, s5, s6, s7, s8, s9] = *operation_and_sender;
    *operation_and_sender = [o0, o1, m0, m1, m2, m3, m4, m5, t0, t1, t2, t3];
    *target.first_chunk_mut()? = [s0, s1, s2, s3, s4, s5, s6, s7, s8, s9];
    Some(())
}

/// Solicited, where it answers to who has asked; to override what is known, where our MAC address goes
/// with it and the address is ours alone (RFC 4861, 7.2.4). As Linux does.
fn advertisement(
    packet: &mut [u8],
    nobody: bool,
    multicast: bool,
    shared: bool,
    mac: Mac,
) -> Option<()> {
    let target: [u8; 16] = *packet.get(IPV6 + MESSAGE..)?.first_chunk()?;
    let [length0, length1] = u16::try_from(packet.len().checked_sub(IPV6)?)
        .ok()?
        .to_be_bytes();
    *packet.first_chunk_mut()? = [0x60, 0, 0, 0, length0, length1, ICMPV6, 255];
    let (source, destination) = addresses(packet)?;
    *destination = if nobody { ALL_NODES } else { *source };
    *source = target;
    let flags = u8::from(!nobody) << 6 | u8::from(multicast && !shared) << 5;
    let message = packet.get_mut(IPV6..)?;
    *message.first_chunk_mut()? = [ADVERTISEMENT, 0, 0, 0, flags, 0, 0, 0];
    if multicast {
        let [m0, m1, m2, m3, m4, m5] = mac.bytes();
        *message.last_chunk_mut()? = [TARGET_LINK_ADDRESS, 1, m0, m1, m2, m3, m4, m5];
    }
    let check = !pseudo(packet.get(8..)?, length0, length1);
    *packet.get_mut(IPV6 + 2..)?.first_chunk_mut()? = check.to_ne_bytes();
    Some(())
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
