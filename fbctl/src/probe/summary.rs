// SPDX-License-Identifier: GPL-2.0

//! A packet in a line, as `tcpdump -n` has it, or `tcpdump -e -n`.

use super::packet::{clock, clock_micros};
use etherparse::{
    ArpOperation, ArpPacketSlice, EtherType, Icmpv4Slice, Icmpv4Type, Icmpv6Slice, Icmpv6Type,
    IpNumber, Ipv6ExtensionSlice, LaxIpPayloadSlice, LaxLinkExtSlice, LaxNetSlice, LaxSlicedPacket,
    LinkSlice, TcpSlice, TransportSlice,
};
use std::{
    fmt::Write,
    net::{IpAddr, Ipv6Addr},
};

/// Below this the type of an Ethernet frame is its length.
const LEAST_TYPE: u16 = 0x600;
const ETHERNET: usize = 14;
const IPV6: usize = 40;

/// How much is said of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// What is above the link layer.
    Brief,
    /// The link layer too, where there are few columns.
    Compact,
    /// All.
    Full,
}

/// A terminal of fewer columns has few.
const WIDE: usize = 120;

impl Detail {
    /// With the link layer or without it, on a terminal of so many columns.
    pub(crate) fn of(link: bool, columns: Option<usize>) -> Self {
        match (link, columns) {
            (false, _) => Detail::Brief,
            (true, Some(..WIDE)) => Detail::Compact,
            (true, _) => Detail::Full,
        }
    }

    /// The time, as exactly as the rest is.
    pub(crate) fn clock(self, time: u64) -> String {
        match self {
            Detail::Brief => clock_micros(time),
            Detail::Compact | Detail::Full => clock(time),
        }
    }

    /// What is said of a packet of `len` bytes that begins with `data`.
    pub(crate) fn text(self, data: &[u8], len: u32) -> String {
        match self {
            Detail::Brief => brief(data, len),
            Detail::Compact => compact(data, len),
            Detail::Full => summary(data, len),
        }
    }
}

/// The addresses, what is in it, how long it is; of a packet of `len` bytes that begins with `data`.
pub(crate) fn summary(data: &[u8], len: u32) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write(&mut out, data, len, true);
    out
}

/// The same in fewer columns: types that have a name without their number, and one length, that of the frame.
fn compact(data: &[u8], len: u32) -> String {
    let text = summary(data, len);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, kind)) = rest.split_once("ethertype ") {
        out.push_str(before);
        let named = kind
            .split_once(" (0x")
            .filter(|(name, _)| *name != "Unknown");
        let named = named.and_then(|(name, number)| Some((name, number.split_once(')')?.1)));
        let Some((name, after)) = named else {
            out.push_str("ethertype ");
            rest = kind;
            continue;
        };
        out.push_str(name);
        rest = after;
    }
    let last = rest.rsplit_once(", length ");
    let inner = last.filter(|(before, number)| {
        before.contains("length ") && number.bytes().all(|digit| digit.is_ascii_digit())
    });
    out.push_str(inner.map_or(rest, |(before, _)| before));
    out
}

/// The same without the link layer, where there is a protocol above it that we know. Tags are shown still.
fn brief(data: &[u8], len: u32) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write(&mut out, data, len, false);
    out
}

/// The protocol above the link layer.
fn above(kind: EtherType) -> Option<&'static str> {
    match kind {
        EtherType::IPV4 => Some("IP "),
        EtherType::IPV6 => Some("IP6 "),
        EtherType::ARP => Some("ARP, "),
        _ => None,
    }
}

fn write(out: &mut String, data: &[u8], len: u32, link: bool) -> std::fmt::Result {
    let packet = LaxSlicedPacket::from_ethernet(data).ok();
    let ethernet = packet.as_ref().and_then(|packet| match &packet.link {
        Some(LinkSlice::Ethernet2(ethernet)) => Some((packet, ethernet)),
        _ => None,
    });
    let Some((packet, ethernet)) = ethernet else {
        return write!(out, "length {len}: [|ether]");
    };
    let (from, to) = (mac(&ethernet.source()), mac(&ethernet.destination()));
    let tag = |header: &LaxLinkExtSlice<'_>| match header {
        LaxLinkExtSlice::Vlan(vlan) => Some(vlan.ether_type()),
        LaxLinkExtSlice::Macsec(_) => None,
    };
    let mut kind = ethernet.ether_type();
    let last = packet.link_exts.iter().filter_map(tag).last();
    let above = above(last.unwrap_or(kind)).filter(|_| !link);
    let mut separator = ": ";
    if above.is_none() {
        write!(out, "{from} > {to}, {}, length {len}", type_text(kind))?;
    } else {
        separator = "";
    }
    let mut inside = ETHERNET;
    for header in &packet.link_exts {
        inside += header.header_len();
        let LaxLinkExtSlice::Vlan(vlan) = header else {
            continue;
        };
        kind = vlan.ether_type();
        let (id, priority) = (
            vlan.vlan_identifier().value(),
            vlan.priority_code_point().value(),
        );
        let eligible = if vlan.drop_eligible_indicator() {
            ", DEI"
        } else {
            ""
        };
        write!(out, "{separator}vlan {id}, p {priority}{eligible}")?;
        separator = ", ";
        if above.is_none() {
            write!(out, ", {}", type_text(kind))?;
        }
    }
    if let Some(above) = above {
        write!(out, "{separator}{above}")?;
        separator = "";
    }
    let size = usize::try_from(len).unwrap_or(usize::MAX);
    let rest = size.saturating_sub(inside);
    match &packet.net {
        Some(net) => {
            out.push_str(separator);
            network(out, net, packet.transport.as_ref(), rest)
        }
        None if matches!(kind, EtherType::IPV4 | EtherType::IPV6) => {
            write!(out, "{separator}[|ip]")
        }
        None if kind == EtherType::ARP => write!(out, "{separator}[|arp]"),
        None => Ok(()),
    }
}

fn mac(bytes: &[u8]) -> String {
    let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.join(":")
}

fn type_text(kind: EtherType) -> String {
    if kind.0 < LEAST_TYPE {
        return "802.3".to_owned();
    }
    let name = match kind.0 {
        0x0800 => "IPv4",
        0x0806 => "ARP",
        0x8100 => "802.1Q",
        0x86dd => "IPv6",
        0x8847 => "MPLS unicast",
        0x8863 => "PPPoE D",
        0x8864 => "PPPoE S",
        0x888e => "EAPOL",
        0x88a8 => "802.1Q-QinQ",
        0x88cc => "LLDP",
        0x9000 => "Loopback",
        _ => "Unknown",
    };
    format!("ethertype {name} (0x{:04x})", kind.0)
}

/// IP or ARP, of which there are `rest` bytes.
fn network(
    out: &mut String,
    net: &LaxNetSlice<'_>,
    transport: Option<&TransportSlice<'_>>,
    rest: usize,
) -> std::fmt::Result {
    let (from, to, length, payload): (IpAddr, IpAddr, _, &LaxIpPayloadSlice<'_>) = match net {
        LaxNetSlice::Arp(packet) => return arp(out, packet, rest),
        LaxNetSlice::Ipv4(ip) => {
            let header = ip.header();
            // Packets of more than 64 KiB have none.
            let total = match header.total_len() {
                0 => rest,
                total => usize::from(total),
            };
            let length = total.saturating_sub(header.slice().len());
            (
                header.source_addr().into(),
                header.destination_addr().into(),
                length,
                ip.payload(),
            )
        }
        LaxNetSlice::Ipv6(ip) => {
            let header = ip.header();
            let total = match header.payload_length() {
                0 => rest.saturating_sub(IPV6),
                total => usize::from(total),
            };
            let length = total.saturating_sub(ip.extensions().slice().len());
            (
                header.source_addr().into(),
                header.destination_addr().into(),
                length,
                ip.payload(),
            )
        }
    };
    match transport {
        Some(TransportSlice::Tcp(tcp)) => {
            let (source, target) = (tcp.source_port(), tcp.destination_port());
            write!(out, "{from}.{source} > {to}.{target}: ")?;
            self::tcp(out, tcp, length)
        }
        Some(TransportSlice::Udp(udp)) => {
            let (source, target) = (udp.source_port(), udp.destination_port());
            let length = length.saturating_sub(8);
            write!(out, "{from}.{source} > {to}.{target}: UDP, length {length}")
        }
        Some(TransportSlice::Icmpv4(icmp)) => {
            write!(out, "{from} > {to}: ICMP {}, length {length}", icmp4(icmp))
        }
        Some(TransportSlice::Icmpv6(icmp)) => {
            write!(
                out,
                "{from} > {to}: ICMP6, {}, length {length}",
                icmp6(icmp)
            )
        }
        _ => {
            let protocol = protocol(payload.ip_number);
            if !payload.fragmented {
                return write!(out, "{from} > {to}: {protocol}, length {length}");
            }
            let part = fragment(net);
            let ports =
                ports(payload).filter(|_| part.as_ref().is_some_and(|part| part.offset == 0));
            match ports {
                Some([source, target]) => write!(out, "{from}.{source} > {to}.{target}: ")?,
                None => write!(out, "{from} > {to}: ")?,
            }
            write!(out, "fragment of {protocol}")?;
            if let Some(part) = part {
                let (id, offset, flags) = (part.id, part.offset, part.flags);
                write!(out, ", id {id}, offset {offset}, flags [{flags}]")?;
            }
            write!(out, ", length {length}")
        }
    }
}

/// What part of a packet a fragment is.
struct Fragment {
    id: String,
    /// In bytes.
    offset: u16,
    /// As tcpdump writes them: `+` where more follow.
    flags: &'static str,
}

fn fragment(net: &LaxNetSlice<'_>) -> Option<Fragment> {
    match net {
        LaxNetSlice::Arp(_) => None,
        LaxNetSlice::Ipv4(ip) => {
            let header = ip.header();
            Some(Fragment {
                id: header.identification().to_string(),
                offset: header.fragments_offset().byte_offset(),
                flags: match (header.more_fragments(), header.dont_fragment()) {
                    (true, true) => "+, DF",
                    (true, false) => "+",
                    (false, true) => "DF",
                    (false, false) => "none",
                },
            })
        }
        LaxNetSlice::Ipv6(ip) => {
            let mut headers = ip.extensions().clone().into_iter();
            headers.find_map(|header| match header {
                Ipv6ExtensionSlice::Fragment(header) => Some(Fragment {
                    id: format!("0x{:08x}", header.identification()),
                    offset: header.fragment_offset().byte_offset(),
                    flags: if header.more_fragments() { "+" } else { "none" },
                }),
                _ => None,
            })
        }
    }
}

/// The ports with which a first fragment begins, if it has any.
fn ports(payload: &LaxIpPayloadSlice<'_>) -> Option<[u16; 2]> {
    let has = matches!(payload.ip_number, IpNumber::TCP | IpNumber::UDP);
    let bytes: [u8; 4] = payload.payload.get(..4)?.try_into().ok()?;
    let [a, b, c, d] = bytes;
    has.then(|| [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])])
}

fn protocol(number: IpNumber) -> String {
    match number {
        IpNumber::TCP => "TCP".to_owned(),
        IpNumber::UDP => "UDP".to_owned(),
        IpNumber::ICMP => "ICMP".to_owned(),
        IpNumber::IPV6_ICMP => "ICMP6".to_owned(),
        IpNumber::IGMP => "IGMP".to_owned(),
        IpNumber::GRE => "GRE".to_owned(),
        IpNumber(number) => format!("ip-proto-{number}"),
    }
}

fn arp(out: &mut String, packet: &ArpPacketSlice<'_>, rest: usize) -> std::fmt::Result {
    let Ok(arp) = packet.to_packet().try_eth_ipv4() else {
        return write!(out, "ARP of other addresses, length {rest}");
    };
    let (sender, target) = (arp.sender_ipv4_addr(), arp.target_ipv4_addr());
    match arp.operation {
        ArpOperation::REQUEST => write!(out, "Request who-has {target} tell {sender}")?,
        ArpOperation::REPLY => write!(out, "Reply {sender} is-at {}", mac(&arp.sender_mac))?,
        ArpOperation(number) => write!(out, "ARP operation {number}")?,
    }
    write!(out, ", length {rest}")
}

fn tcp(out: &mut String, tcp: &TcpSlice<'_>, length: usize) -> std::fmt::Result {
    let flags: String = [
        (tcp.fin(), 'F'),
        (tcp.syn(), 'S'),
        (tcp.rst(), 'R'),
        (tcp.psh(), 'P'),
        (tcp.ack(), '.'),
        (tcp.urg(), 'U'),
        (tcp.ece(), 'E'),
        (tcp.cwr(), 'W'),
    ]
    .into_iter()
    .filter_map(|(is, letter)| is.then_some(letter))
    .collect();
    let flags = if flags.is_empty() { "none" } else { &flags };
    let length = length.saturating_sub(tcp.header_slice().len());
    let first = tcp.sequence_number();
    write!(out, "Flags [{flags}], seq {first}")?;
    if length > 0 {
        let last = first.wrapping_add(u32::try_from(length).unwrap_or_default());
        write!(out, ":{last}")?;
    }
    if tcp.ack() {
        write!(out, ", ack {}", tcp.acknowledgment_number())?;
    }
    write!(out, ", win {}, length {length}", tcp.window_size())
}

fn icmp4(icmp: &Icmpv4Slice<'_>) -> String {
    match icmp.icmp_type() {
        Icmpv4Type::EchoRequest(echo) => format!("echo request, id {}, seq {}", echo.id, echo.seq),
        Icmpv4Type::EchoReply(echo) => format!("echo reply, id {}, seq {}", echo.id, echo.seq),
        Icmpv4Type::DestinationUnreachable(_) => {
            format!("destination unreachable, code {}", icmp.code_u8())
        }
        Icmpv4Type::TimeExceeded(_) => "time exceeded".to_owned(),
        Icmpv4Type::Redirect(_) => "redirect".to_owned(),
        _ => format!("type {}, code {}", icmp.type_u8(), icmp.code_u8()),
    }
}

fn icmp6(icmp: &Icmpv6Slice<'_>) -> String {
    let target = || {
        let address: Option<[u8; 16]> = icmp.payload().get(..16).and_then(|a| a.try_into().ok());
        address.map_or_else(String::new, |a| Ipv6Addr::from(a).to_string())
    };
    match icmp.icmp_type() {
        Icmpv6Type::EchoRequest(echo) => format!("echo request, id {}, seq {}", echo.id, echo.seq),
        Icmpv6Type::EchoReply(echo) => format!("echo reply, id {}, seq {}", echo.id, echo.seq),
        Icmpv6Type::NeighborSolicitation => {
            format!("neighbor solicitation, who has {}", target())
        }
        Icmpv6Type::NeighborAdvertisement(_) => {
            format!("neighbor advertisement, tgt is {}", target())
        }
        Icmpv6Type::RouterSolicitation => "router solicitation".to_owned(),
        Icmpv6Type::RouterAdvertisement(_) => "router advertisement".to_owned(),
        Icmpv6Type::DestinationUnreachable(_) => {
            format!("destination unreachable, code {}", icmp.code_u8())
        }
        Icmpv6Type::PacketTooBig { mtu } => format!("packet too big, mtu {mtu}"),
        Icmpv6Type::TimeExceeded(_) => "time exceeded".to_owned(),
        _ => format!("type {}, code {}", icmp.type_u8(), icmp.code_u8()),
    }
}

#[cfg(test)]
mod tests;
