// SPDX-License-Identifier: GPL-2.0

//! Whether a packet is a fragment, and of which datagram.

use super::headers::{Addresses, Extension, Ipv4, Ipv6, Parsed};

/// What all fragments of a datagram have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) source: u128,
    pub(crate) destination: u128,
    pub(crate) identification: u32,
    /// Of IPv4; what IPv6 carries is not a part of it (RFC 8200, 4.5).
    pub(crate) protocol: u8,
    pub(crate) is_v6: bool,
    pub(crate) is_upward: bool,
    /// The identifier of the outermost tag.
    pub(crate) vlan: u16,
}

/// A fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fragment {
    pub(crate) key: Key,
    /// Where in the packet the network header begins.
    pub(crate) network: usize,
    /// Where it ends, and the extension headers in front of the fragment header.
    pub(crate) head_end: usize,
    /// Where its data is.
    pub(crate) data: (usize, usize),
    /// Of IPv6: where the kind of the fragment header stands, and the kind of what it is in front of.
    pub(crate) next: Option<(usize, u8)>,
    pub(crate) offset: u32,
    pub(crate) more: bool,
    /// Don't fragment, of IPv4.
    pub(crate) df: bool,
    /// Explicit congestion notification: two bits.
    pub(crate) ecn: u8,
}

const FRAGMENT: u8 = 44;
/// Headers in front of a fragment header, of which each node on the way may look at (RFC 8200, 4.5).
const IN_FRONT: [u8; 3] = [0, 43, 60];
/// How many of them are looked behind.
const EXTENSIONS: usize = 8;

impl Fragment {
    /// Reads a packet whose headers are known, of which these are the first bytes; none if it is no fragment. A datagram
    /// in one part is none (RFC 6946).
    pub(crate) fn of(parsed: &Parsed, bytes: &[u8], vlan: u16, is_upward: bool) -> Option<Self> {
        let network = parsed.network;
        let header = bytes.get(network..)?;
        match parsed.addresses {
            Addresses::None => None,
            Addresses::V4(source, destination) => {
                let header = Ipv4::new(header)?;
                let (offset, more) = (header.fragment_offset(), header.more_fragments());
                if offset == 0 && !more {
                    return None;
                }
                let head_end = network.checked_add(header.header_length())?;
                Some(Self {
                    key: Key {
                        source: source.into(),
                        destination: destination.into(),
                        identification: header.identification().into(),
                        protocol: header.protocol(),
                        is_v6: false,
                        is_upward,
                        vlan,
                    },
                    network,
                    head_end,
                    data: (head_end, parsed.end),
                    next: None,
                    offset: u32::from(offset).wrapping_mul(8),
                    more,
                    df: header.dont_fragment(),
                    ecn: header.type_of_service() & 3,
                })
            }
            Addresses::V6(source, destination) => {
                let fixed = Ipv6::new(header)?;
                let (mut next, mut next_at) = (fixed.next_header(), network.checked_add(6)?);
                let mut at = network.checked_add(Ipv6::SIZE)?;
                for _ in 0..EXTENSIONS {
                    if !IN_FRONT.contains(&next) {
                        break;
                    }
                    let header = Extension::new(bytes.get(at..)?)?;
                    let units = usize::from(header.hdr_ext_len()).wrapping_add(1);
                    (next, next_at) = (header.next_header(), at);
                    at = at.checked_add(units.wrapping_mul(8))?;
                }
                let header = Extension::new(bytes.get(at..)?)?;
                let place = header.fragmentation();
                if next != FRAGMENT || place & !6 == 0 {
                    return None;
                }
                Some(Self {
                    key: Key {
                        source,
                        destination,
                        identification: header.identification(),
                        protocol: 0,
                        is_v6: true,
                        is_upward,
                        vlan,
                    },
                    network,
                    head_end: at,
                    data: (at.checked_add(Extension::SIZE)?, parsed.end),
                    next: Some((next_at, header.next_header())),
                    offset: u32::from(place & !7),
                    more: place & 1 != 0,
                    df: false,
                    ecn: fixed.traffic_class() & 3,
                })
            }
        }
    }
}
