// SPDX-License-Identifier: GPL-2.0

//! The message of ICMP that a packet is too big (RFC 792, RFC 1191; RFC 4443, 3.2).

use super::{
    append, checksum,
    headers::{self, Addresses, Fragmented, Parsed},
    put, room, List,
};

/// No message is longer: RFC 1812, 4.3.2.3; RFC 4443, 2.4 (c).
const LONGEST: (usize, usize) = (576, 1280);

/// Whether anybody may get a message about this packet: none about messages that are errors, to groups, or about later
/// fragments (RFC 1122, 3.2.2; RFC 4443, 2.4 (e)).
fn is_allowed(parsed: &Parsed, bytes: &[u8]) -> bool {
    let is_later = parsed.fragmented == Fragmented::Later;
    let is_group = bytes.first().is_none_or(|first| first & 1 != 0);
    let is_error = match (parsed.protocol, parsed.icmp) {
        (Some(headers::ICMP), Some((kind, _))) => !matches!(kind, 0 | 8 | 13 | 14),
        (Some(headers::ICMPV6), Some((kind, _))) => kind < 128,
        _ => false,
    };
    let has_source = match parsed.addresses {
        Addresses::None => false,
        Addresses::V4(source, destination) => {
            let first = |address: u32| address.wrapping_shr(24);
            matches!(first(source), 1..=126 | 128..=223) && first(destination) < 224
        }
        // RFC 4443 allows a message about a packet to a group.
        Addresses::V6(source, _) => source != 0 && source.wrapping_shr(120) != 0xff,
    };
    !is_later && !is_group && !is_error && has_source
}

/// The message for a packet, of these bytes, for which a link has too small an MTU. It comes from where the packet goes
/// to. `tag` is what stands beside the packet. None if there is to be no message, or without memory.
pub(crate) fn message(parsed: &Parsed, bytes: &[u8], tag: &[u8], mtu: u16) -> Option<List<u8>> {
    if !is_allowed(parsed, bytes) {
        return None;
    }
    let packet = bytes.get(parsed.network..parsed.end)?;
    let is_v6 = matches!(parsed.addresses, Addresses::V6(..));
    let head = if is_v6 { 48 } else { 28 };
    let longest = if is_v6 { LONGEST.1 } else { LONGEST.0 };
    let quoted = packet.get(..longest.checked_sub(head)?).unwrap_or(packet);
    let mut message = room(bytes.len().min(longest.checked_add(64)?).checked_add(64)?)?;
    let [to, from] = [bytes.get(..6)?, bytes.get(6..12)?];
    let link = [from, to, tag, bytes.get(12..parsed.network)?];
    if !link.iter().all(|part| append(&mut message, part)) {
        return None;
    }
    let network = message.len();
    let length = head.checked_add(quoted.len())? as u16;
    let [high, low] = mtu.to_be_bytes();
    let done = match parsed.addresses {
        Addresses::None => return None,
        Addresses::V4(source, destination) => {
            let [a, b] = length.to_be_bytes();
            append(
                &mut message,
                &[0x45, 0xc0, a, b, 0, 0, 0, 0, 64, headers::ICMP, 0, 0],
            ) && append(&mut message, &destination.to_be_bytes())
                && append(&mut message, &source.to_be_bytes())
                && append(&mut message, &[3, 4, 0, 0, 0, 0, high, low])
        }
        Addresses::V6(source, destination) => {
            let [a, b] = length.saturating_sub(40).to_be_bytes();
            append(&mut message, &[0x60, 0, 0, 0, a, b, headers::ICMPV6, 64])
                && append(&mut message, &destination.to_be_bytes())
                && append(&mut message, &source.to_be_bytes())
                && append(&mut message, &[2, 0, 0, 0, 0, 0, high, low])
        }
    };
    if !done || !append(&mut message, quoted) {
        return None;
    }
    let (header, icmp) = message
        .get_mut(network..)?
        .split_at_mut_checked(head.checked_sub(8)?)?;
    let mut sum = checksum::sum(icmp);
    if is_v6 {
        let length = (icmp.len() as u32).to_be_bytes();
        sum = checksum::add(sum, checksum::sum(header.get(8..)?));
        sum = checksum::add(sum, checksum::sum(&length));
        sum = checksum::add(sum, checksum::sum(&[0, headers::ICMPV6]));
    } else {
        let check = !checksum::sum(header);
        put(header, 10, check.to_ne_bytes());
    }
    put(icmp, 2, (!sum).to_ne_bytes());
    Some(message)
}
