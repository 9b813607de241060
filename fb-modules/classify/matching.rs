// SPDX-License-Identifier: GPL-2.0

//! Whether a packet is one that a rule is about.

use super::{
    headers::{Addresses, Parsed},
    list::Wanted,
    rule::{is_in, Range, Rule},
};

impl Rule {
    /// Whether the headers are as this rule wants them, but for its lists; `vlan` is the identifier of the outermost tag.
    /// What a packet does not have is not what a rule wants.
    #[inline]
    pub(crate) fn matches(&self, packet: &Parsed, vlan: Option<u16>) -> bool {
        let is = |wanted: Option<u16>, found: Option<u16>| wanted.is_none() || wanted == found;
        if !is(self.ether_type, packet.ether_type)
            || (self.proto.is_some() && self.proto != packet.protocol)
            || !self
                .vlan
                .is_none_or(|range| vlan.is_some_and(|id| is_in(range, id)))
        {
            return false;
        }
        let of_ports = |wanted: Option<Wanted<Range>>, found: Option<u16>| {
            wanted.is_none_or(|ports| {
                found.is_some_and(|port| ports.can_be(|range| is_in(range, port)))
            })
        };
        of_ports(self.dport, packet.ports.map(|(_, port)| port))
            && of_ports(self.sport, packet.ports.map(|(port, _)| port))
            && self.of_network(packet)
            && self.icmp.is_none_or(|(kind, code)| {
                packet.icmp.is_some_and(|(own, detail)| {
                    own == kind && code.is_none_or(|code| code == detail)
                })
            })
    }

    #[inline]
    fn of_network(&self, packet: &Parsed) -> bool {
        let of_addresses = match packet.addresses {
            Addresses::None => {
                return self.src.is_none() && self.dst.is_none() && self.dscp.is_none()
            }
            Addresses::V4(source, destination) => {
                self.src
                    .is_none_or(|place| place.can_be(|prefix| prefix.has_v4(source)))
                    && self
                        .dst
                        .is_none_or(|place| place.can_be(|prefix| prefix.has_v4(destination)))
            }
            Addresses::V6(source, destination) => {
                self.src
                    .is_none_or(|place| place.can_be(|prefix| prefix.has_v6(source)))
                    && self
                        .dst
                        .is_none_or(|place| place.can_be(|prefix| prefix.has_v6(destination)))
            }
        };
        of_addresses && self.dscp.is_none_or(|dscp| dscp == packet.dscp())
    }
}
