// SPDX-License-Identifier: GPL-2.0

//! What is written to a packet of IP, where, and which checksums cover it.

use super::{
    address::Address,
    headers::{self, Addresses, Ipv4, Ipv6, More, Parsed},
    value::Ttl,
    Sum,
};

/// What a packet of IP gets.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Plan {
    pub(crate) source: Option<Address>,
    pub(crate) destination: Option<Address>,
    pub(crate) source_port: Option<u16>,
    pub(crate) destination_port: Option<u16>,
    /// The identifier of an ICMP query.
    pub(crate) identifier: Option<u16>,
    /// The upper six bits of TOS or traffic class; the lower two are ECN's.
    pub(crate) dscp: Option<u8>,
    pub(crate) ttl: Option<Ttl>,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing of the plan is about this packet.
    Untouched,
    Rewritten,
    /// Its TTL would become 0.
    Expired,
}

/// Which IP it is.
#[derive(Clone, Copy, PartialEq)]
enum Family {
    V4,
    V6,
}

/// A checksum of the transport layer.
#[derive(Clone, Copy)]
struct Check {
    at: usize,
    /// 0 stands for none.
    is_optional: bool,
}

/// What has to be known of a packet of IP.
#[derive(Clone, Copy)]
pub(crate) struct Found {
    family: Family,
    /// How the header begins.
    start: [u8; 2],
    ttl: u8,
    /// Where the network layer begins.
    network: usize,
    /// Where TCP or UDP begins.
    ports: Option<usize>,
    /// A checksum with a pseudo-header.
    check: Option<Check>,
    /// Where the ICMP header of a query begins, or of its answer.
    query: Option<usize>,
    /// The destination in the pseudo-header is another one than in the IPv6 header.
    routed: bool,
}

impl Found {
    /// Looks at a packet of `len` bytes, of which these are the first. None if it is not of IP, or malformed.
    pub(crate) fn look(bytes: &[u8], len: usize) -> Result<Option<Self>, More> {
        let parsed = headers::parse(bytes, len)?;
        Ok(Self::of(&parsed, bytes))
    }

    /// The same of one whose headers are known.
    pub(crate) fn of(parsed: &Parsed, bytes: &[u8]) -> Option<Self> {
        let header = bytes.get(parsed.network..).unwrap_or_default();
        let found = match (parsed.addresses, parsed.malformed) {
            (Addresses::V4(..), None) => {
                Ipv4::new(header).map(|header| (Family::V4, header.time_to_live()))
            }
            (Addresses::V6(..), None) => {
                Ipv6::new(header).map(|header| (Family::V6, header.hop_limit()))
            }
            _ => None,
        };
        let ((family, ttl), start) = (found?, *header.first_chunk()?);
        let check = |transport: usize| {
            let (offset, is_optional) = match parsed.protocol? {
                headers::TCP => (16, false),
                headers::UDP => (6, true),
                headers::UDPLITE | headers::DCCP => (6, false),
                headers::ICMPV6 if family == Family::V6 => (2, false),
                _ => return None,
            };
            Some(Check {
                at: transport.saturating_add(offset),
                is_optional,
            })
        };
        let has_ports = matches!(parsed.protocol, Some(headers::TCP | headers::UDP));
        let is_query = |icmp| matches!(icmp, (0 | 8 | 13 | 14, _));
        let is_query = parsed.protocol == Some(headers::ICMP) && parsed.icmp.is_some_and(is_query);
        Some(Self {
            family,
            start,
            ttl,
            network: parsed.network,
            ports: parsed.transport.filter(|_| has_ports),
            check: parsed.transport.and_then(check),
            query: parsed.transport.filter(|_| is_query),
            routed: parsed.routed,
        })
    }

    /// The checksum of the IPv4 header.
    fn header_sum(&self) -> Option<Sum> {
        let sum = || Sum::covering(self.network.saturating_add(10) as u32);
        (self.family == Family::V4).then(sum)
    }

    /// A checksum of the transport layer that covers an address.
    fn pseudo_sum(&self) -> Option<Sum> {
        let check = self.check?;
        let sum = Sum::of_pseudo_header(check.at as u32);
        Some(if check.is_optional {
            sum.optional()
        } else {
            sum
        })
    }

    /// One that covers a port.
    fn port_sum(&self) -> Option<Sum> {
        let check = self.check?;
        let sum = Sum::covering(check.at as u32);
        Some(if check.is_optional {
            sum.optional()
        } else {
            sum
        })
    }
}

/// Passes on the sums that there are.
fn with<R>(one: Option<Sum>, other: Option<Sum>, then: impl FnOnce(&[Sum]) -> R) -> R {
    match (one, other) {
        (None, None) => then(&[]),
        (Some(one), None) | (None, Some(one)) => then(&[one]),
        (Some(one), Some(other)) => then(&[one, other]),
    }
}

impl Plan {
    /// A plan that changes nothing.
    pub(crate) const NOTHING: Self = Self {
        source: None,
        destination: None,
        source_port: None,
        destination_port: None,
        identifier: None,
        dscp: None,
        ttl: None,
    };

    /// Carries it out: `write` gets an offset, the bytes to be written there, and the checksums that cover them. It is
    /// not called for a packet that expires.
    pub(crate) fn apply<E>(
        &self,
        found: &Found,
        mut write: impl FnMut(u32, &[u8], &[Sum]) -> Result<(), E>,
    ) -> Result<Outcome, E> {
        let ttl = match self.ttl {
            None => None,
            Some(Ttl::Set(ttl)) => Some(ttl),
            Some(Ttl::Decrement) => match found.ttl.saturating_sub(1) {
                0 => return Ok(Outcome::Expired),
                ttl => Some(ttl),
            },
        };
        let mut outcome = Outcome::Untouched;
        let mut put = |at: usize, bytes: &[u8], sums: &[Sum]| {
            outcome = Outcome::Rewritten;
            write(at as u32, bytes, sums)
        };
        let at = |offset: usize| found.network.saturating_add(offset);
        let (header, pseudo) = (found.header_sum(), found.pseudo_sum());
        match (found.family, self.source) {
            (Family::V4, Some(Address::V4(new))) => {
                with(header, pseudo, |sums| put(at(12), &new.to_be_bytes(), sums))?;
            }
            (Family::V6, Some(Address::V6(new))) => {
                with(header, pseudo, |sums| put(at(8), &new.to_be_bytes(), sums))?;
            }
            _ => {}
        }
        let pseudo = pseudo.filter(|_| !found.routed);
        match (found.family, self.destination) {
            (Family::V4, Some(Address::V4(new))) => {
                with(header, pseudo, |sums| put(at(16), &new.to_be_bytes(), sums))?;
            }
            (Family::V6, Some(Address::V6(new))) => {
                with(header, pseudo, |sums| put(at(24), &new.to_be_bytes(), sums))?;
            }
            _ => {}
        }
        if let Some(transport) = found.ports {
            let sum = found.port_sum();
            if let Some(new) = self.source_port {
                with(sum, None, |sums| put(transport, &new.to_be_bytes(), sums))?;
            }
            if let Some(new) = self.destination_port {
                let place = transport.saturating_add(2);
                with(sum, None, |sums| put(place, &new.to_be_bytes(), sums))?;
            }
        }
        if let (Some(new), Some(icmp)) = (self.identifier, found.query) {
            let sum = Sum::covering(icmp.saturating_add(2) as u32);
            put(icmp.saturating_add(4), &new.to_be_bytes(), &[sum])?;
        }
        if let Some(dscp) = self.dscp {
            let [first, second] = found.start;
            match found.family {
                Family::V4 => {
                    with(header, None, |sums| {
                        put(at(1), &[dscp << 2 | second & 3], sums)
                    })?;
                }
                Family::V6 => {
                    let start = [first & 0xf0 | dscp >> 2, dscp << 6 | second & 0x3f];
                    put(at(0), &start, &[])?;
                }
            }
        }
        if let Some(new) = ttl {
            let place = match found.family {
                Family::V4 => at(8),
                Family::V6 => at(7),
            };
            with(header, None, |sums| put(place, &[new], sums))?;
        }
        Ok(outcome)
    }
}
