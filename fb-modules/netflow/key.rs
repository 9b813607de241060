// SPDX-License-Identifier: GPL-2.0

//! What makes packets those of one flow, and how it is read from a packet's first bytes.

use super::{
    headers::{
        Ethernet, Extension, Ipv4, Ipv6, Tcp, Udp, Vlan, CTAG, DCCP, ICMP, ICMPV6, IPV4, IPV6,
        SCTP, STAG, TCP, UDP, UDPLITE,
    },
    HashKey,
};

/// The parts that a key can have.
pub(crate) const ADDRESSES: u16 = 1;
pub(crate) const PORTS: u16 = 2;
pub(crate) const PROTOCOL: u16 = 4;
pub(crate) const TOS: u16 = 8;
pub(crate) const INTERFACE: u16 = 16;
pub(crate) const VLAN: u16 = 32;
pub(crate) const MAC: u16 = 64;
pub(crate) const LABEL: u16 = 128;
pub(crate) const MPLS: u16 = 256;

/// FIN, SYN and RST among the control bits of TCP.
pub(crate) const FIN: u8 = 1;
pub(crate) const SYN: u8 = 2;
pub(crate) const RST: u8 = 4;
pub(crate) const ACK: u8 = 16;

/// Tags and labels that are looked behind, and extension headers.
const TAGS: u32 = 4;
const LABELS: u32 = 8;
const EXTENSIONS: u32 = 8;
/// EtherTypes of a tag of old switches, and of MPLS.
const QINQ: u16 = 0x9100;
const MPLS_UNICAST: u16 = 0x8847;
const MPLS_MULTICAST: u16 = 0x8848;
/// Kinds of extension headers.
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;

/// Bits of [`Seen::what`], below ports, protocol and type of service.
pub(crate) const IS_V6: u64 = 1 << 8;
pub(crate) const IS_EGRESS: u64 = 1 << 9;

/// Of which parts a key is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spec {
    pub(crate) parts: u16,
    /// How many bits of IPv4 and IPv6 addresses count.
    pub(crate) prefix4: u8,
    pub(crate) prefix6: u8,
    /// Both directions of a conversation are one flow (RFC 5103).
    pub(crate) biflow: bool,
}

/// The same, as it is used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Masks {
    pub(crate) spec: Spec,
    /// What is kept of a packet.
    addresses4: u64,
    addresses6: [u64; 2],
    kept: u64,
    /// What is compared of what is kept.
    pub(crate) what: u64,
    pub(crate) place: u64,
    pub(crate) labels: u64,
    pub(crate) macs: bool,
    /// Whether the hash of most packets has the usual words.
    is_usual: bool,
}

/// The upper bits of a number of `size` bits, the lowest of which is 1.
fn upper(bits: u8, size: u8) -> u128 {
    let all = u128::MAX.wrapping_shr(u32::from(128_u8.wrapping_sub(size)));
    let lower = all.checked_shr(u32::from(bits)).unwrap_or(0);
    all & !lower
}

impl Masks {
    pub(crate) fn new(spec: Spec) -> Self {
        let has = |part| spec.parts & part != 0;
        let bits = |part, mask: u64| if has(part) { mask } else { 0 };
        let both = |part, mask: u64| bits(part, mask) & if spec.biflow { 0 } else { u64::MAX };
        let four = upper(spec.prefix4, 32) as u64;
        let six = upper(spec.prefix6, 128);
        let kept = bits(PORTS, 0xffff_ffff << 32) | bits(PROTOCOL, 0xff << 24);
        let labels = bits(LABEL, 0xffff_ffff << 32) | bits(MPLS, 0xffff_ffff);
        Self {
            spec,
            addresses4: bits(ADDRESSES, four << 32 | four),
            addresses6: [
                bits(ADDRESSES, (six >> 64) as u64),
                bits(ADDRESSES, six as u64),
            ],
            kept: kept | 0xff_ffff,
            what: kept | both(TOS, 0xff << 16) | IS_V6 | both(INTERFACE, IS_EGRESS),
            place: both(INTERFACE, 0xffff_ffff << 32) | bits(VLAN, 0xffff_ffff),
            labels,
            macs: has(MAC),
            is_usual: labels == 0 && !has(MAC),
        }
    }
}

/// Where a packet was seen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    /// The device it came by.
    pub(crate) device: u32,
    /// The VLAN tag beside the bytes.
    pub(crate) tag: Option<u16>,
    /// It goes to a device.
    pub(crate) egress: bool,
    /// It stands for several, each with so many bytes of data.
    pub(crate) segment: Option<u16>,
    /// An IPv4 packet without a length fills its frame: a capture has those that the sender's device took apart.
    pub(crate) fills: bool,
}

/// What there is to know of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Source and destination of IPv4.
    pub(crate) addresses: u64,
    /// Source port, destination port, protocol, type of service, and bits.
    pub(crate) what: u64,
    /// Device, VLAN, and the VLAN inside of that.
    pub(crate) place: u64,
    /// Flow label of IPv6, and the topmost label of MPLS with its bits.
    pub(crate) labels: u64,
    /// Source and destination of IPv6.
    pub(crate) wide: [u64; 4],
    /// Destination and source address of Ethernet, as the frame has them.
    pub(crate) macs: [[u8; 6]; 2],
    pub(crate) packets: u32,
    /// Bytes of IP.
    pub(crate) bytes: u32,
    /// Control bits of TCP.
    pub(crate) flags: u8,
    /// Source and destination have changed places, for the sake of a flow of both directions.
    pub(crate) swapped: bool,
}

/// Why a packet belongs to no flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// So many of its bytes are needed first.
    More(usize),
    /// It is not of IP.
    Other,
    /// A header of IP, or what stands before it, is cut off or contradicts itself.
    Malformed,
}

/// The first bytes of a packet, and how many it has.
#[derive(Clone, Copy)]
struct Bytes<'a> {
    bytes: &'a [u8],
    len: usize,
}

impl<'a> Bytes<'a> {
    /// What begins at `at`, with at least `size` bytes before `end`; none where there are fewer.
    #[inline(always)]
    fn find(&self, at: usize, size: usize, end: usize) -> Result<Option<&'a [u8]>, Why> {
        let behind = at.saturating_add(size);
        if behind > end.min(self.len) {
            return Ok(None);
        }
        match self.bytes.get(at..) {
            Some(found) if behind <= self.bytes.len() => Ok(Some(found)),
            _ => Err(Why::More(behind)),
        }
    }

    #[inline(always)]
    fn need(&self, at: usize, size: usize) -> Result<&'a [u8], Why> {
        self.find(at, size, self.len)?.ok_or(Why::Malformed)
    }
}

/// What is read of the transport layer.
#[derive(Clone, Copy, Default)]
struct Transport {
    /// Source and destination.
    ports: u32,
    flags: u8,
    /// The length of its header.
    header: usize,
}

/// Reads a packet of `len` bytes, of which these are the first. What is not compared may stay as it was.
#[inline(always)]
pub(crate) fn read(
    bytes: &[u8],
    len: usize,
    place: &Place,
    masks: &Masks,
    seen: &mut Seen,
) -> Result<(), Why> {
    if read_usual(bytes, len, place, masks, seen).is_none() {
        read_any(bytes, len, place, masks, seen)?;
    }
    if masks.spec.biflow {
        order(seen);
    }
    Ok(())
}

/// The same of a packet like most: whole, without tags and options, of TCP or UDP over IPv4. None of another one.
#[inline(always)]
fn read_usual(
    bytes: &[u8],
    len: usize,
    place: &Place,
    masks: &Masks,
    seen: &mut Seen,
) -> Option<()> {
    const IP: usize = Ethernet::SIZE;
    const TRANSPORT: usize = IP + Ipv4::SIZE;
    let bytes = bytes.first_chunk::<{ TRANSPORT + Tcp::SIZE }>()?;
    let ethernet = Ethernet::new(bytes)?;
    let header = Ipv4::new(bytes.get(IP..)?)?;
    let transport = bytes.get(TRANSPORT..)?;
    let (least, flags) = match header.protocol() {
        TCP => (Ipv4::SIZE + Tcp::SIZE, Tcp::new(transport)?.control_bits()),
        UDP => (Ipv4::SIZE + Udp::SIZE, 0),
        _ => return None,
    };
    let total = usize::from(header.total_length());
    if ethernet.ether_type() != IPV4
        || header.first() != 0x45
        || header.fragment_offset() != 0
        || total < least
        || total > len.saturating_sub(IP)
        || place.tag.is_some()
        || place.segment.is_some()
    {
        return None;
    }
    if masks.macs {
        seen.macs = [ethernet.destination_address(), ethernet.source_address()];
    }
    let addresses = (header.source_address(), header.destination_address());
    seen.addresses = (u64::from(addresses.0) << 32 | u64::from(addresses.1)) & masks.addresses4;
    let ports = u32::from_be_bytes(*transport.first_chunk()?);
    seen.what = what(
        place,
        masks,
        ports,
        header.protocol(),
        header.type_of_service(),
    );
    seen.place = u64::from(place.device) << 32;
    (seen.labels, seen.packets, seen.bytes) = (0, 1, total as u32);
    (seen.flags, seen.swapped) = (flags, false);
    Some(())
}

/// The same of any packet, as [`read`] has it before both directions are put into one order.
#[inline(never)]
pub(crate) fn read_any(
    bytes: &[u8],
    len: usize,
    place: &Place,
    masks: &Masks,
    seen: &mut Seen,
) -> Result<(), Why> {
    let packet = Bytes { bytes, len };
    let ethernet = packet.need(0, Ethernet::SIZE)?;
    let ethernet = Ethernet::new(ethernet).ok_or(Why::Malformed)?;
    if masks.macs {
        seen.macs = [ethernet.destination_address(), ethernet.source_address()];
    }
    (seen.addresses, seen.labels, seen.packets) = (0, 0, 1);
    seen.swapped = false;
    let (mut kind, mut at) = (ethernet.ether_type(), Ethernet::SIZE);
    let mut vlans = place.tag.map_or(0, |tci| u32::from(tci & 0xfff) << 16);
    let mut tags = u32::from(place.tag.is_some());
    while matches!(kind, CTAG | STAG | QINQ) {
        if tags > TAGS {
            return Err(Why::Malformed);
        }
        let tag = Vlan::new(packet.need(at, Vlan::SIZE)?).ok_or(Why::Malformed)?;
        match tags {
            0 => vlans = u32::from(tag.vid()) << 16,
            1 => vlans |= u32::from(tag.vid()),
            _ => (),
        }
        (kind, at) = (tag.ether_type(), at.saturating_add(Vlan::SIZE));
        tags = tags.saturating_add(1);
    }
    if matches!(kind, MPLS_UNICAST | MPLS_MULTICAST) {
        (kind, at, seen.labels) = labels(packet, at)?;
    }
    seen.place = u64::from(place.device) << 32 | u64::from(vlans);
    match kind {
        IPV4 => ipv4(packet, at, place, masks, seen),
        IPV6 => ipv6(packet, at, place, masks, seen),
        _ => Err(Why::Other),
    }
}

/// [`Seen::what`], but for `IS_V6`.
#[inline(always)]
fn what(place: &Place, masks: &Masks, ports: u32, protocol: u8, tos: u8) -> u64 {
    let what = u64::from(ports) << 32 | u64::from(protocol) << 24 | u64::from(tos) << 16;
    what & masks.kept | if place.egress { IS_EGRESS } else { 0 }
}

/// Walks over labels of MPLS: what they carry, where that begins, and the topmost of them.
#[cold]
fn labels(packet: Bytes<'_>, mut at: usize) -> Result<(u16, usize, u64), Why> {
    let mut top = None;
    for _ in 0..LABELS {
        let entry = packet.need(at, 4)?.first_chunk();
        let entry = u32::from_be_bytes(*entry.ok_or(Why::Malformed)?);
        let top = *top.get_or_insert(u64::from(entry >> 8));
        at = at.saturating_add(4);
        if entry & 0x100 != 0 {
            let first = packet.need(at, 1)?.first().copied();
            return match first.unwrap_or(0) >> 4 {
                4 => Ok((IPV4, at, top)),
                6 => Ok((IPV6, at, top)),
                _ => Err(Why::Other),
            };
        }
    }
    Err(Why::Malformed)
}

fn ipv4(
    packet: Bytes<'_>,
    at: usize,
    place: &Place,
    masks: &Masks,
    seen: &mut Seen,
) -> Result<(), Why> {
    let header = Ipv4::new(packet.need(at, Ipv4::SIZE)?).ok_or(Why::Malformed)?;
    let (length, left) = (header.header_length(), packet.len.saturating_sub(at));
    // A super-packet can be longer than the field can say: then it is 0.
    let total = match usize::from(header.total_length()) {
        0 if left > usize::from(u16::MAX) || place.fills => left,
        total => total,
    };
    if header.first() >> 4 != 4 || length < Ipv4::SIZE || total < length || total > left {
        return Err(Why::Malformed);
    }
    let addresses = (header.source_address(), header.destination_address());
    seen.addresses = (u64::from(addresses.0) << 32 | u64::from(addresses.1)) & masks.addresses4;
    let is_first = header.fragment_offset() == 0;
    let from = at.saturating_add(length);
    let ip = Ip {
        protocol: header.protocol(),
        tos: header.type_of_service(),
        at,
        transport: is_first.then_some(from),
        end: at.saturating_add(total),
    };
    carried(packet, &ip, place, masks, seen)
}

fn ipv6(
    packet: Bytes<'_>,
    at: usize,
    place: &Place,
    masks: &Masks,
    seen: &mut Seen,
) -> Result<(), Why> {
    let header = Ipv6::new(packet.need(at, Ipv6::SIZE)?).ok_or(Why::Malformed)?;
    let from = at.saturating_add(Ipv6::SIZE);
    let left = packet.len.saturating_sub(from);
    let length = match usize::from(header.payload_length()) {
        0 if left > usize::from(u16::MAX) => left,
        length => length,
    };
    if header.first() >> 28 != 6 || length > left {
        return Err(Why::Malformed);
    }
    let (source, destination) = (header.source_address(), header.destination_address());
    let [upper, lower] = masks.addresses6;
    seen.wide = [
        (source >> 64) as u64 & upper,
        source as u64 & lower,
        (destination >> 64) as u64 & upper,
        destination as u64 & lower,
    ];
    seen.labels |= u64::from(header.flow_label()) << 32;
    let mut ip = Ip {
        protocol: header.next_header(),
        tos: header.traffic_class(),
        at,
        transport: Some(from),
        end: from.saturating_add(length),
    };
    if is_extension(ip.protocol) {
        extensions(packet, from, &mut ip)?;
    }
    carried(packet, &ip, place, masks, seen)?;
    seen.what |= IS_V6;
    Ok(())
}

fn is_extension(kind: u8) -> bool {
    matches!(
        kind,
        HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION
    )
}

/// Walks over extension headers. Where they are cut off, the protocol is that of the first that is.
#[cold]
fn extensions(packet: Bytes<'_>, mut at: usize, ip: &mut Ip) -> Result<(), Why> {
    for _ in 0..EXTENSIONS {
        if !is_extension(ip.protocol) {
            ip.transport = Some(at);
            return Ok(());
        }
        let found = packet.find(at, Extension::SIZE, ip.end)?;
        let Some(header) = found.and_then(Extension::new) else {
            break;
        };
        let units = usize::from(header.hdr_ext_len());
        let (kind, next) = (ip.protocol, header.next_header());
        at = at.saturating_add(match kind {
            FRAGMENT => 8,
            AUTHENTICATION => units.saturating_add(2).saturating_mul(4),
            _ => units.saturating_add(1).saturating_mul(8),
        });
        ip.protocol = next;
        if kind == FRAGMENT && header.fragmentation() & !7 != 0 {
            break;
        }
    }
    ip.transport = None;
    Ok(())
}

/// What a header of IP says.
struct Ip {
    protocol: u8,
    tos: u8,
    at: usize,
    /// Where the header of the transport layer begins; none in a later fragment.
    transport: Option<usize>,
    end: usize,
}

/// Reads what IP carries, and puts the rest together.
fn carried(
    packet: Bytes<'_>,
    ip: &Ip,
    place: &Place,
    masks: &Masks,
    seen: &mut Seen,
) -> Result<(), Why> {
    let mut transport = Transport::default();
    if let Some(at) = ip.transport {
        transport = self::transport(packet, at, ip)?;
    }
    seen.what = what(place, masks, transport.ports, ip.protocol, ip.tos);
    seen.flags = transport.flags;
    let bytes = ip.end.saturating_sub(ip.at);
    seen.bytes = bytes as u32;
    if let (Some(segment), Some(at)) = (place.segment, ip.transport) {
        let segment = usize::from(segment.max(1));
        // Each part has the headers of the whole.
        let data = at.saturating_add(transport.header);
        let headers = data.saturating_sub(ip.at);
        let parts = ip
            .end
            .saturating_sub(data)
            .saturating_add(segment.saturating_sub(1));
        let parts = parts.checked_div(segment).unwrap_or(1).max(1);
        seen.packets = parts as u32;
        seen.bytes = bytes.saturating_add(parts.saturating_sub(1).saturating_mul(headers)) as u32;
    }
    Ok(())
}

fn transport(packet: Bytes<'_>, at: usize, ip: &Ip) -> Result<Transport, Why> {
    let mut transport = Transport {
        header: Udp::SIZE,
        ..Transport::default()
    };
    let first_four = packet
        .find(at, 4, ip.end)?
        .and_then(|bytes| bytes.first_chunk());
    let Some(first_four) = first_four else {
        return Ok(transport);
    };
    let first_four = u32::from_be_bytes(*first_four);
    transport.ports = match ip.protocol {
        TCP | UDP | UDPLITE | SCTP | DCCP => first_four,
        // As NetFlow has it since its version 5.
        ICMP | ICMPV6 => first_four >> 16,
        _ => 0,
    };
    if ip.protocol == TCP {
        if let Some(tcp) = packet.find(at, Tcp::SIZE, ip.end)?.and_then(Tcp::new) {
            transport.flags = tcp.control_bits();
            transport.header = tcp.header_length().max(Tcp::SIZE);
        }
    }
    Ok(transport)
}

/// Of a query of ICMP and its answer the type is that of the query.
fn query(protocol: u8, kind_and_code: u16) -> u16 {
    let kind = match (protocol, kind_and_code >> 8) {
        (ICMP, 0) => 8,
        (ICMP, 14) => 13,
        (ICMP, 16) => 15,
        (ICMP, 18) => 17,
        (ICMPV6, 129) => 128,
        (_, kind) => kind,
    };
    kind << 8 | kind_and_code & 0xff
}

/// Puts source and destination into the order that packets of both directions have in common.
#[cold]
fn order(seen: &mut Seen) {
    let is_v6 = seen.what & IS_V6 != 0;
    let protocol = (seen.what >> 24) as u8;
    let (source_port, destination_port) = ((seen.what >> 48) as u16, (seen.what >> 32) as u16);
    let is_icmp = matches!(protocol, ICMP | ICMPV6);
    let [a, b, c, d] = seen.wide;
    let (source, destination) = if is_v6 {
        ([a, b], [c, d])
    } else {
        ([0, seen.addresses >> 32], [0, seen.addresses & 0xffff_ffff])
    };
    let ports = if is_icmp {
        (0, 0)
    } else {
        (source_port, destination_port)
    };
    seen.swapped = (source, ports.0) > (destination, ports.1);
    let mut ports = (source_port, destination_port);
    if is_icmp {
        ports.1 = query(protocol, destination_port);
    } else if seen.swapped {
        ports = (destination_port, source_port);
    }
    if seen.swapped {
        seen.addresses = seen.addresses.rotate_left(32);
        seen.wide = [c, d, a, b];
        let [to, from] = seen.macs;
        seen.macs = [from, to];
    }
    let rest = seen.what & 0xffff_ffff;
    seen.what = u64::from(ports.0) << 48 | u64::from(ports.1) << 32 | rest;
}

impl Seen {
    pub(crate) const NONE: Self = Self {
        addresses: 0,
        what: 0,
        place: 0,
        labels: 0,
        wide: [0; 4],
        macs: [[0; 6]; 2],
        packets: 0,
        bytes: 0,
        flags: 0,
        swapped: false,
    };

    /// The hash of what is compared of it.
    #[inline(always)]
    pub(crate) fn hash(&self, keys: &Keys, masks: &Masks) -> u64 {
        let (what, place) = (self.what & masks.what, self.place & masks.place);
        let is_v6 = self.what & IS_V6 != 0;
        let [a, b, c, d] = if is_v6 { self.wide } else { [0; 4] };
        if !masks.is_usual {
            let word = |mac: [u8; 6]| {
                let bytes = mac.into_iter().map(u64::from);
                bytes.fold(0, |word, byte| word << 8 | byte)
            };
            let macs = self.macs.map(word);
            let [to, from] = if masks.macs { macs } else { [0; 2] };
            let labels = self.labels & masks.labels;
            return keys.hash([what, self.addresses, place, labels, to, from, a, b, c, d]);
        }
        if is_v6 {
            keys.hash([what, a, b, c, d, place])
        } else {
            keys.hash([what, self.addresses, place, 0])
        }
    }
}

/// Keys of a hash of up to 10 words: NH of UMAC (RFC 4418, section 5.2), of words of 64 bits. Whoever does not know the keys cannot
/// make two keys of flows that collide more often than by chance. It takes half as long as SipHash.
pub(crate) struct Keys([u64; 10]);

impl Keys {
    pub(crate) fn new(key: &HashKey) -> Self {
        let mut keys = [0; 10];
        for (number, word) in (0..).zip(&mut keys) {
            *word = key.hash(&[number]);
        }
        Self(keys)
    }

    #[inline(always)]
    fn hash<const N: usize>(&self, words: [u64; N]) -> u64 {
        let mut sum = 0_u128;
        let (pairs, keys) = (words.chunks_exact(2), self.0.chunks_exact(2));
        for (pair, key) in pairs.zip(keys) {
            if let (&[a, b], &[k, l]) = (pair, key) {
                let (a, b) = (a.wrapping_add(k), b.wrapping_add(l));
                sum = sum.wrapping_add(u128::from(a).wrapping_mul(u128::from(b)));
            }
        }
        // All bits of the sum are in all of the hash: those of the table are the lowest.
        let sum = (sum >> 64) as u64 ^ sum as u64;
        let mixed = (sum ^ sum >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ mixed >> 32
    }
}
