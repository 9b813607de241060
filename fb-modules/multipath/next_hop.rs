// SPDX-License-Identifier: GPL-2.0

//! The next hop of a port: who gets the packets that leave by it, on the wire behind its device.
//!
//! As a router does, the block addresses IP packets to one host only. ARP and groups have addresses of their own.

use super::option::{Value, Values};
use core::{fmt, net::IpAddr};

/// The IP address of one station.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Via(pub(crate) IpAddr);

impl Value for Via {
    const VALUES: Values = Values::Text("an IPv4 or IPv6 address of one station");
    fn parse(text: &str) -> Option<Self> {
        let address: IpAddr = text.parse().ok()?;
        let is_group = match address {
            IpAddr::V4(address) => u32::from(address) >= 0xe000_0000,
            IpAddr::V6(address) => address.is_multicast(),
        };
        let is_special = address.is_unspecified() || address.is_loopback();
        (!is_group && !is_special).then_some(Self(address))
    }
    fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The address of the station that a frame is for, which begins like this.
pub(crate) fn station(head: &[u8]) -> Option<[u8; 6]> {
    let address = head.first_chunk()?;
    (!is_group(address)).then_some(*address)
}

fn is_group(address: &[u8]) -> bool {
    address.first().is_some_and(|first| first & 1 != 0)
}

/// How many bytes of a frame tell whether it is addressed: the Ethernet header, and two tags.
pub(crate) const HEAD: u32 = 14 + 2 * 4;

/// An IP packet in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Routed {
    /// Where its header begins.
    pub(crate) at: u32,
    pub(crate) is_ipv6: bool,
}

impl Routed {
    /// That of a frame that begins like this, if it is one to one station.
    pub(crate) fn find(head: &[u8]) -> Option<Self> {
        let types = head.get(12..)?.chunks(4);
        let tagged = |kind: &[u8]| matches!(kind, [0x81, 0, ..] | [0x88, 0xa8, ..]);
        let (at, kind) = (14..)
            .step_by(4)
            .zip(types)
            .find(|(_, kind)| !tagged(kind))?;
        let is_ipv6 = match kind {
            [0x08, 0, ..] => false,
            [0x86, 0xdd, ..] => true,
            _ => return None,
        };
        (!is_group(head)).then_some(Self { at, is_ipv6 })
    }

    /// How much of a frame tells whether it is neighbour discovery.
    pub(crate) fn head(self) -> u32 {
        self.at.wrapping_add(41)
    }

    /// Whether one that begins like this, as far as that, is neighbour discovery (RFC 4861): it is for the link.
    pub(crate) fn is_discovery(self, head: &[u8]) -> bool {
        let at = self.at as usize;
        let packet = head.get(at..).unwrap_or_default();
        let is_icmp = packet.get(6) == Some(&58) && packet.get(7) == Some(&255);
        self.is_ipv6 && is_icmp && matches!(packet.get(40), Some(133..=137))
    }

    /// Where its TTL or hop limit is.
    pub(crate) fn ttl(self) -> u32 {
        self.at.wrapping_add(if self.is_ipv6 { 7 } else { 8 })
    }

    /// Where the checksum is that covers it.
    pub(crate) fn sum(self) -> Option<u32> {
        (!self.is_ipv6).then_some(self.at.wrapping_add(10))
    }
}
