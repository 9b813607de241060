// SPDX-License-Identifier: GPL-2.0

//! The changes of a packet in words: which fields of its headers a block has changed.

use super::tree::Row;
use crate::probe::hex::hex;
use lana_netlink::spec::{ChangeAttrs, HopAttrs};
use std::{
    collections::HashMap,
    net::{Ipv4Addr, Ipv6Addr},
};

/// So many bytes are shown of those that are no field.
const BYTES: usize = 8;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const ARP: u16 = 0x0806;
/// The head of an ARP packet for IPv4 on Ethernet.
const ARP_IPV4: [u8; 6] = [0, 1, 8, 0, 6, 4];
/// "Don't fragment", "more fragments", and the offset, in units of 8 bytes.
const DF: u16 = 0x4000;
const MF: u16 = 0x2000;
const OFFSET: u16 = 0x1fff;
const TAGS: [u16; 2] = [0x8100, 0x88a8];
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP6: u8 = 58;

/// A field: where, how long, what it is called, how it is written.
type Field = (usize, usize, &'static str, Form);

#[derive(Clone, Copy)]
enum Form {
    Mac,
    Number,
    Hex,
    Address,
    /// The flags and the offset of a fragment.
    Fragment,
    /// The operation of ARP.
    Operation,
}

/// The packets of a record, as they are known to be at the hop that is shown.
pub(super) struct Fields {
    packets: HashMap<u32, Vec<u8>>,
}

impl Fields {
    /// From the first bytes of the packet of the first row.
    pub(super) fn of(rows: &[Row<'_>], data: &[u8]) -> Self {
        let first = rows.first().and_then(|row| row.hop.packet);
        let packets = first.map(|packet| (packet, data.to_vec()));
        Fields {
            packets: packets.into_iter().collect(),
        }
    }

    /// What the hop has changed, a text each. To be called for each row in turn.
    pub(super) fn changed(&mut self, hop: &HopAttrs) -> Vec<String> {
        let packet = hop.packet.unwrap_or_default();
        let before = self.packets.get(&packet).cloned().unwrap_or_default();
        let mut after = before.clone();
        // A packet that was made of nothing of this one's shows here.
        let known = hop.change.iter().all(|change| apply(&mut after, change));
        if let (Some(from), Some(made)) = (hop.made_first, hop.made) {
            // They are copies of what came to the block, or of what left it. Where they are not, their first change says
            // so.
            for packet in (from..from.saturating_add(made)).take(usize::from(u8::MAX)) {
                self.packets.insert(packet, after.clone());
            }
        }
        if !known || hop.len.is_some() {
            // Nothing of it is where it was.
            self.packets.remove(&packet);
        }
        if !known {
            return hop.change.iter().map(bytes).collect();
        }
        if hop.len.is_none() {
            self.packets.insert(packet, after.clone());
        }
        compare(&before, &after)
    }
}

/// Makes the change, if the packet is what it is said to have been.
fn apply(packet: &mut [u8], change: &ChangeAttrs) -> bool {
    let (Some(offset), Some(old), Some(new)) = (change.offset, &change.old, &change.new) else {
        return false;
    };
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let range = start..start.saturating_add(old.len());
    match packet.get_mut(range) {
        Some(place) if place == old && old.len() == new.len() => {
            place.copy_from_slice(new);
            true
        }
        _ => false,
    }
}

/// A change as bytes.
fn bytes(change: &ChangeAttrs) -> String {
    let at = change.offset.unwrap_or_default();
    let (old, new) = (change.old.as_deref(), change.new.as_deref());
    format!("byte {at} {} -> {}", short(old), short(new))
}

fn short(bytes: Option<&[u8]>) -> String {
    match bytes.unwrap_or_default() {
        [] => "none".to_owned(),
        bytes => match bytes.get(..BYTES) {
            Some(first) if first.len() < bytes.len() => format!("{}..", hex(first)),
            _ => hex(bytes),
        },
    }
}

/// The fields, and the bytes that belong to none, in which two packets of the same length differ.
fn compare(before: &[u8], after: &[u8]) -> Vec<String> {
    let mut texts = Vec::new();
    let mut seen = 0;
    let all = fields(before);
    let ends = [(before.len(), 0, "", Form::Hex)];
    for (start, length, name, form) in all.iter().chain(&ends).copied() {
        // What is between the fields.
        let (old, new) = (before.get(seen..start), after.get(seen..start));
        if let (Some(old), Some(new)) = (old, new) {
            runs(&mut texts, seen, old, new);
        }
        let (old, new) = (
            before.get(start..start + length).unwrap_or_default(),
            after.get(start..start + length).unwrap_or_default(),
        );
        if old != new {
            texts.push(format!("{name} {} -> {}", form.text(old), form.text(new)));
        }
        seen = start + length;
    }
    texts
}

/// The bytes that differ, those that stand together in a text.
fn runs(texts: &mut Vec<String>, start: usize, old: &[u8], new: &[u8]) {
    let mut differ = old.iter().zip(new).map(|(old, new)| old != new);
    let mut at = 0;
    while let Some(skipped) = differ.position(|differs| differs) {
        let from = at + skipped;
        let more = differ.by_ref().take_while(|differs| *differs).count();
        let range = from..from + 1 + more;
        let change = ChangeAttrs {
            offset: u32::try_from(start + from).ok(),
            old: old.get(range.clone()).map(<[u8]>::to_vec),
            new: new.get(range).map(<[u8]>::to_vec),
        };
        texts.push(bytes(&change));
        at = from + 2 + more;
    }
}

impl Form {
    fn text(self, bytes: &[u8]) -> String {
        let number = || {
            bytes
                .iter()
                .fold(0u64, |sum, byte| sum << 8 | u64::from(*byte))
        };
        match self {
            Form::Mac => {
                let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                digits.join(":")
            }
            Form::Number => number().to_string(),
            Form::Hex => hex(bytes),
            Form::Address => {
                let four = <[u8; 4]>::try_from(bytes).map(|a| Ipv4Addr::from(a).to_string());
                let six = <[u8; 16]>::try_from(bytes).map(|a| Ipv6Addr::from(a).to_string());
                four.or(six).unwrap_or_else(|_| hex(bytes))
            }
            Form::Fragment => <[u8; 2]>::try_from(bytes)
                .map_or_else(|_| hex(bytes), |word| fragment(u16::from_be_bytes(word))),
            Form::Operation => match bytes {
                [0, 1] => "request".to_owned(),
                [0, 2] => "reply".to_owned(),
                _ => number().to_string(),
            },
        }
    }
}

/// The flags of a fragment, and where it stands.
fn fragment(word: u16) -> String {
    let flags = [("DF", DF), ("MF", MF), ("reserved", 0x8000)];
    let set = flags.iter().filter(|(_, flag)| word & flag != 0);
    let mut words: Vec<_> = set.map(|(name, _)| (*name).to_owned()).collect();
    if word & OFFSET != 0 {
        words.push(format!("offset {}", u32::from(word & OFFSET) * 8));
    }
    if words.is_empty() {
        "none".to_owned()
    } else {
        words.join(" ")
    }
}

/// The fields that lie whole in the first bytes of a packet, in their order.
fn fields(packet: &[u8]) -> Vec<Field> {
    let mut fields = vec![(0, 6, "to MAC", Form::Mac), (6, 6, "from MAC", Form::Mac)];
    let byte = |at: usize| packet.get(at).copied();
    let word = |at: usize| Some(u16::from_be_bytes([byte(at)?, byte(at + 1)?]));
    let mut at = 12;
    let mut kind = word(at);
    while kind.is_some_and(|kind| TAGS.contains(&kind)) {
        fields.push((at + 2, 2, "VLAN tag", Form::Hex));
        at += 4;
        kind = word(at);
    }
    fields.push((at, 2, "EtherType", Form::Hex));
    let ip = at + 2;
    let payload = match kind {
        Some(IPV4) => {
            fields.extend([
                (ip + 1, 1, "TOS", Form::Hex),
                (ip + 2, 2, "IP length", Form::Number),
                (ip + 4, 2, "IP id", Form::Number),
                (ip + 6, 2, "IP flags", Form::Fragment),
                (ip + 8, 1, "TTL", Form::Number),
                (ip + 9, 1, "protocol", Form::Number),
                (ip + 10, 2, "IP checksum", Form::Hex),
                (ip + 12, 4, "source", Form::Address),
                (ip + 16, 4, "destination", Form::Address),
            ]);
            byte(ip).map(|first| (byte(ip + 9), ip + usize::from(first & 0xf) * 4))
        }
        Some(IPV6) => {
            fields.extend([
                (ip + 4, 2, "IP length", Form::Number),
                (ip + 6, 1, "next header", Form::Number),
                (ip + 7, 1, "hop limit", Form::Number),
                (ip + 8, 16, "source", Form::Address),
                (ip + 24, 16, "destination", Form::Address),
            ]);
            Some((byte(ip + 6), ip + 40))
        }
        Some(ARP) if packet.get(ip..ip + ARP_IPV4.len()) == Some(&ARP_IPV4) => {
            fields.extend([
                (ip + 6, 2, "ARP op", Form::Operation),
                (ip + 8, 6, "ARP sender MAC", Form::Mac),
                (ip + 14, 4, "ARP sender", Form::Address),
                (ip + 18, 6, "ARP target MAC", Form::Mac),
                (ip + 24, 4, "ARP target", Form::Address),
            ]);
            None
        }
        _ => None,
    };
    if let Some((Some(protocol), at)) = payload {
        fields.extend(transport(protocol, at));
    }
    fields.retain(|(start, length, ..)| start + length <= packet.len());
    fields.dedup_by(|next, field| next.0 < field.0 + field.1);
    fields
}

fn transport(protocol: u8, at: usize) -> Vec<Field> {
    let ports = [
        (at, 2, "source port", Form::Number),
        (at + 2, 2, "destination port", Form::Number),
    ];
    match protocol {
        ICMP | ICMP6 => vec![
            (at, 1, "ICMP type", Form::Number),
            (at + 1, 1, "ICMP code", Form::Number),
            (at + 2, 2, "ICMP checksum", Form::Hex),
        ],
        UDP => {
            let more = [
                (at + 4, 2, "UDP length", Form::Number),
                (at + 6, 2, "UDP checksum", Form::Hex),
            ];
            [ports, more].concat()
        }
        TCP => {
            let mut all = ports.to_vec();
            all.extend([
                (at + 4, 4, "TCP seq", Form::Number),
                (at + 8, 4, "TCP ack", Form::Number),
                (at + 13, 1, "TCP flags", Form::Hex),
                (at + 14, 2, "TCP window", Form::Number),
                (at + 16, 2, "TCP checksum", Form::Hex),
            ]);
            all
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::tree::rows;

    fn hop(packet: u32, changes: &[(u32, &[u8], &[u8])]) -> HopAttrs {
        let change = |(offset, old, new): &(u32, &[u8], &[u8])| ChangeAttrs {
            offset: Some(*offset),
            old: Some(old.to_vec()),
            new: Some(new.to_vec()),
        };
        HopAttrs {
            packet: Some(packet),
            change: changes.iter().map(change).collect(),
            ..Default::default()
        }
    }

    /// From 10.0.0.1 to 10.0.0.2, UDP.
    fn packet() -> Vec<u8> {
        let mut bytes = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
        bytes.extend([0x45, 0, 0, 32, 0, 7, 0, 0, 64, 17, 0xab, 0xcd]);
        bytes.extend([
            10, 0, 0, 1, 10, 0, 0, 2, 0, 53, 1, 0, 0, 12, 0, 0, 1, 2, 3, 4,
        ]);
        bytes
    }

    fn shown(data: &[u8], hops: &[HopAttrs]) -> Vec<Vec<String>> {
        let rows = rows(hops);
        let mut fields = Fields::of(&rows, data);
        rows.iter().map(|row| fields.changed(row.hop)).collect()
    }

    #[test]
    fn fields_have_names() {
        let changed = hop(
            0,
            &[
                (5, &[2, 2, 0, 0, 0, 0, 1], &[1, 2, 0, 0, 0, 0, 2]),
                (22, &[64, 17, 0xab, 0xcd], &[63, 17, 0xac, 0xcd]),
                (29, &[1], &[9]),
                (42, &[1, 2, 3], &[5, 2, 6]),
            ],
        );
        let again = hop(0, &[(22, &[63], &[62])]);
        let expected = [
            "to MAC 02:00:00:00:00:02 -> 02:00:00:00:00:01",
            "from MAC 02:00:00:00:00:01 -> 02:00:00:00:00:02",
            "TTL 64 -> 63",
            "IP checksum abcd -> accd",
            "source 10.0.0.1 -> 10.0.0.9",
            "byte 42 01 -> 05",
            "byte 44 03 -> 06",
        ];
        assert_eq!(
            shown(&packet(), &[changed, again, hop(0, &[])]),
            [&expected[..], &["TTL 63 -> 62"], &[]]
        );
    }

    #[test]
    fn flags_have_names() {
        for (word, text) in [
            (0, "none"),
            (0x4000, "DF"),
            (0x2000, "MF"),
            (0x20b9, "MF offset 1480"),
            (0xe001, "DF MF reserved offset 8"),
        ] {
            assert_eq!(fragment(word), text);
        }
        let changed = hop(0, &[(20, &[0, 0], &[0x40, 0])]);
        assert_eq!(shown(&packet(), &[changed]), [["IP flags none -> DF"]]);
    }

    #[test]
    fn an_answer_to_arp_has_names() {
        let mut request = vec![255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 8, 6];
        request.extend([0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1]);
        request.extend([0, 0, 0, 0, 0, 0, 10, 0, 0, 2]);
        let new = [
            0, 2, 2, 0, 0, 0, 0, 9, 10, 0, 0, 2, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1,
        ];
        let old = request[20..].to_vec();
        let changed = hop(0, &[(20, &old, &new)]);
        let expected = [
            "ARP op request -> reply",
            "ARP sender MAC 02:00:00:00:00:01 -> 02:00:00:00:00:09",
            "ARP sender 10.0.0.1 -> 10.0.0.2",
            "ARP target MAC 00:00:00:00:00:00 -> 02:00:00:00:00:01",
            "ARP target 10.0.0.2 -> 10.0.0.1",
        ];
        assert_eq!(shown(&request, &[changed]), [expected]);
        // Of other addresses it is told as bytes.
        request[18] = 8;
        let changed = hop(0, &[(21, &[1], &[2])]);
        assert_eq!(shown(&request, &[changed]), [["byte 21 01 -> 02"]]);
    }

    #[test]
    fn copies_are_known_and_others_are_not_guessed_at() {
        let tee = HopAttrs {
            made: Some(2),
            made_first: Some(1),
            ..hop(0, &[(22, &[64], &[63])])
        };
        let copy = hop(1, &[(22, &[63], &[62])]);
        let other = hop(2, &[(22, &[99], &[98])]);
        let lines = shown(&packet(), &[tee, copy, other.clone(), other]);
        assert_eq!(lines[0], ["TTL 64 -> 63"]);
        assert_eq!(lines[1], ["TTL 63 -> 62"]);
        assert_eq!(lines[2], ["byte 22 63 -> 62"]);
        assert_eq!(lines[3], ["byte 22 63 -> 62"]);
    }

    #[test]
    fn what_has_another_length_is_told_as_bytes() {
        let resized = HopAttrs {
            len: Some(60),
            ..hop(0, &[(12, &[8, 0], &[0x81, 0])])
        };
        let later = hop(0, &[(22, &[1; 9], &[])]);
        let lines = shown(&packet(), &[resized, later]);
        assert_eq!(lines[0], ["EtherType 0800 -> 8100"]);
        assert_eq!(lines[1], ["byte 22 0101010101010101.. -> none"]);
    }

    #[test]
    fn no_packet_makes_it_panic() {
        let mut seed = 1u32;
        let mut random = move || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed >> 16
        };
        for _ in 0..20_000 {
            let mut bytes = packet();
            for _ in 0..random() % 4 {
                let at = random() as usize % bytes.len();
                bytes[at] = u8::try_from(random() & 0xff).unwrap();
            }
            bytes.truncate(random() as usize % 50);
            let mut other = bytes.clone();
            for byte in other.iter_mut().filter(|_| random() % 3 == 0) {
                *byte = !*byte;
            }
            let texts = compare(&bytes, &other);
            assert_eq!(texts.is_empty(), bytes == other);
        }
    }
}
