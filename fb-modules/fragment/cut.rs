// SPDX-License-Identifier: GPL-2.0

//! Where a datagram is cut, and what its fragments are (RFC 791, 3.2; RFC 8200, 4.5).

use super::{
    append, checksum,
    headers::{Addresses, Extension, Ipv4, Ipv6, Parsed},
    put, room, List,
};

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DESTINATION: u8 = 60;
/// Extension headers that are looked behind.
const EXTENSIONS: usize = 8;
/// The size of a fragment header.
const HEADER: usize = 8;

/// Options of IPv4: the end of them, and nothing.
const END: u8 = 0;
const NOTHING: u8 = 1;
/// The option stands in all fragments.
const COPIED: u8 = 0x80;

/// A datagram that can be cut: places in the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Datagram {
    network: usize,
    /// Where what each fragment has ends, and the data begins.
    head_end: usize,
    end: usize,
    /// Where its data begins in the datagram that it is a fragment of itself, and whether more follow.
    offset: usize,
    more: bool,
    /// Of IPv6: where the kind of the header stands that the fragment header comes in front of.
    next_at: Option<usize>,
}

/// Where what each fragment of an IPv6 datagram has ends, and where the kind of what follows stands. None if the packet is
/// a fragment itself, which nobody on the way may cut.
fn unfragmentable(bytes: &[u8], network: usize) -> Option<(usize, usize)> {
    let fixed = Ipv6::new(bytes.get(network..)?)?;
    let mut at = network.checked_add(Ipv6::SIZE)?;
    let mut next = fixed.next_header();
    let mut next_at = network.checked_add(6)?;
    let mut found = (at, next_at);
    for _ in 0..EXTENSIONS {
        let is_per_hop = matches!(next, HOP_BY_HOP | ROUTING);
        if next == FRAGMENT {
            return None;
        }
        if !is_per_hop && next != DESTINATION {
            break;
        }
        let header = Extension::new(bytes.get(at..)?)?;
        next_at = at;
        let units = usize::from(header.hdr_ext_len()).wrapping_add(1);
        at = at.checked_add(units.wrapping_mul(8))?;
        next = header.next_header();
        // Options for the destination only are in front of a routing header, or belong to the data.
        if is_per_hop {
            found = (at, next_at);
        }
    }
    Some(found)
}

impl Datagram {
    /// Reads a packet whose headers are known, and all its bytes.
    pub(crate) fn of(parsed: &Parsed, bytes: &[u8]) -> Option<Self> {
        let network = parsed.network;
        match parsed.addresses {
            Addresses::None => None,
            Addresses::V4(..) => {
                let header = Ipv4::new(bytes.get(network..)?)?;
                Some(Self {
                    network,
                    head_end: network.checked_add(header.header_length())?,
                    end: parsed.end,
                    offset: usize::from(header.fragment_offset()).wrapping_mul(8),
                    more: header.more_fragments(),
                    next_at: None,
                })
            }
            Addresses::V6(..) => {
                let (head_end, next_at) = unfragmentable(bytes, network)?;
                Some(Self {
                    network,
                    head_end,
                    end: parsed.end,
                    offset: 0,
                    more: false,
                    next_at: Some(next_at),
                })
            }
        }
    }

    /// How many bytes of data each fragment has but for the last one; none if there is no room for any.
    pub(crate) fn size(&self, mtu: usize) -> Option<usize> {
        let head = self.head_end.checked_sub(self.network)?;
        let more = if self.next_at.is_some() { HEADER } else { 0 };
        let room = mtu.checked_sub(head)?.checked_sub(more)? & !7;
        (room > 0).then_some(room)
    }

    /// How many fragments of that size it becomes.
    pub(crate) fn count(&self, size: usize) -> usize {
        let data = self.end.saturating_sub(self.head_end);
        let rounded = data.saturating_add(size).saturating_sub(1);
        rounded.checked_div(size).unwrap_or(0)
    }

    /// The fragment of a number, from 0 on, behind these bytes: the MAC addresses and, if there is one, the tag that
    /// stands beside the packet. None without memory.
    pub(crate) fn fragment(
        &self,
        bytes: &[u8],
        link: &[u8],
        size: usize,
        number: usize,
        identification: u32,
    ) -> Option<List<u8>> {
        let begin = number.checked_mul(size)?;
        let from = self.head_end.checked_add(begin)?;
        let to = from.checked_add(size)?.min(self.end);
        let head = bytes.get(12..self.head_end)?;
        let data = bytes.get(from..to)?;
        let whole = link.len().checked_add(head.len())?;
        let mut fragment = room(whole.checked_add(HEADER)?.checked_add(data.len())?)?;
        if !append(&mut fragment, link) || !append(&mut fragment, head) {
            return None;
        }
        let network = self.network.checked_sub(12)?.checked_add(link.len())?;
        let offset = self.offset.checked_add(begin)? as u16;
        let more = self.more || to < self.end;
        if let Some(next_at) = self.next_at {
            let next_at = next_at.checked_sub(12)?.checked_add(link.len())?;
            let kind = core::mem::replace(fragment.get_mut(next_at)?, FRAGMENT);
            let [high, low] = (offset | u16::from(more)).to_be_bytes();
            let [a, b, c, d] = identification.to_be_bytes();
            if !append(&mut fragment, &[kind, 0, high, low, a, b, c, d]) {
                return None;
            }
        }
        if !append(&mut fragment, data) {
            return None;
        }
        let header = fragment.get_mut(network..)?;
        if self.next_at.is_some() {
            let length = header.len().checked_sub(Ipv6::SIZE)? as u16;
            put(header, 4, length.to_be_bytes());
            return Some(fragment);
        }
        let length = header.len() as u16;
        let place = offset / 8 | u16::from(more) << 13;
        put(header, 2, length.to_be_bytes());
        put(header, 6, place.to_be_bytes());
        let header = header.get_mut(..self.head_end.checked_sub(self.network)?)?;
        if number > 0 && self.offset == 0 {
            forget_options(header.get_mut(Ipv4::SIZE..)?);
        }
        put(header, 10, [0, 0]);
        let check = !checksum::sum(header);
        put(header, 10, check.to_ne_bytes());
        Some(fragment)
    }
}

/// Puts nothing in the place of options that stand in the first fragment only, as Linux does.
fn forget_options(mut options: &mut [u8]) {
    while let Some(&kind) = options.first() {
        let length = match (kind, options.get(1)) {
            (END, _) | (_, None) => return,
            (NOTHING, _) => 1,
            (_, Some(&length)) => usize::from(length),
        };
        let Some((option, rest)) = options.split_at_mut_checked(length) else {
            return;
        };
        if kind != NOTHING && length < 2 {
            return;
        }
        if kind & COPIED == 0 {
            option.fill(NOTHING);
        }
        options = rest;
    }
}
