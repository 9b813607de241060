// SPDX-License-Identifier: GPL-2.0

use super::{
    address::{Address, Mac, Unicast},
    checksum,
    headers::{DCCP, ICMP, ICMPV6, SCTP, TCP, UDP, UDPLITE},
    plan::{Found, Outcome, Plan},
    value::{Ttl, Vlan},
};
use std::fmt::Display;

/// What stands for the kernel's type: where a checksum is, and how it covers what is written.
#[derive(Clone, Copy)]
pub struct Sum {
    at: usize,
    is_pseudo: bool,
    is_optional: bool,
}

impl Sum {
    /// See the kernel code.
    pub const fn covering(at: u32) -> Self {
        Self {
            at: at as usize,
            is_pseudo: false,
            is_optional: false,
        }
    }

    /// See the kernel code.
    pub const fn of_pseudo_header(at: u32) -> Self {
        Self {
            is_pseudo: true,
            ..Self::covering(at)
        }
    }

    /// See the kernel code.
    #[must_use]
    pub const fn optional(self) -> Self {
        Self {
            is_optional: true,
            ..self
        }
    }
}

fn texts<T: Display + PartialEq>(parse: fn(&str) -> Option<T>, good: &[&str], bad: &[&str]) {
    for text in good {
        let (text, shown) = text.split_once(' ').unwrap_or((text, text));
        let value = parse(text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(value.to_string(), shown);
        assert!(parse(shown) == Some(value));
    }
    for text in bad {
        assert!(parse(text).is_none(), "{text}");
    }
}

#[test]
fn values_are_texts() {
    let bad = [
        "",
        "x",
        "02:00:00:00:00",
        "02:00:00:00:00:01:02",
        "02:00:00:00:00:1",
        "02:00:00:00:00:+1",
        "02-00-00-00-00-01",
        "02:00:00:00:00:01 ",
    ];
    let good = ["02:00:00:00:00:01", "02:00:00:00:00:AB 02:00:00:00:00:ab"];
    texts(Mac::parse, &good, &bad);
    texts(Mac::parse, &["ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"], &[]);
    texts(Unicast::parse, &good, &bad);
    let groups = [
        "ff:ff:ff:ff:ff:ff",
        "01:00:5e:00:00:01",
        "00:00:00:00:00:00",
    ];
    texts(Unicast::parse, &[], &groups);
    texts(
        Address::parse,
        &[
            "192.0.2.1",
            "::",
            "2001:DB8:0::1 2001:db8::1",
            "::ffff:192.0.2.1",
        ],
        &[
            "",
            "192.0.2",
            "192.0.2.256",
            "192.0.2.1/32",
            "fe80::1%eth0",
            "name",
        ],
    );
    texts(
        Ttl::parse,
        &["1", "64", "255", "-1"],
        &["", "0", "256", "-2", "+1", "01", "1.5", "x"],
    );
    texts(
        Vlan::parse,
        &["0", "1", "4094", "push:7", "push:0", "pop"],
        &[
            "",
            "4095",
            "-1",
            "push",
            "push:",
            "push:4095",
            "push: 7",
            "pop:7",
            "07",
            "+7",
        ],
    );
}

/// The new source and destination address.
const NEW_V4: [&str; 2] = ["10.99.255.1", "10.99.255.254"];
const NEW_V6: [&str; 2] = ["fd00::9a9a:ffff", "fd00:ffff::1"];

/// A packet, what its checksums are summed up over, and where these are.
struct Packet {
    bytes: Vec<u8>,
    network: usize,
    is_v6: bool,
    protocol: u8,
    /// Where the transport header begins.
    transport: usize,
    /// It has such a header, with a checksum.
    check: Option<usize>,
    /// The destination in the pseudo-header, if it is not that of the IPv6 header.
    last: Option<[u8; 16]>,
}

impl Packet {
    fn pseudo(&self) -> u16 {
        let at = |from: usize, len: usize| &self.bytes[self.network + from..][..len];
        let mut data = vec![];
        if self.is_v6 {
            data.extend(at(8, 16));
            data.extend(self.last.as_ref().map_or(at(24, 16), |last| &last[..]));
        } else {
            data.extend(at(12, 8));
        }
        let len = self.bytes.len() - self.transport;
        data.extend((len as u16).to_be_bytes());
        data.extend([0, self.protocol]);
        checksum::sum(&data)
    }

    fn put(&mut self, at: usize, value: u16) {
        self.bytes[at..at + 2].copy_from_slice(&value.to_ne_bytes());
    }

    /// All its checksums are made anew.
    fn sealed(mut self) -> Self {
        if !self.is_v6 {
            self.put(self.network + 10, 0);
            let header = &self.bytes[self.network..self.network + 20];
            let sum = !checksum::sum(header);
            self.put(self.network + 10, sum);
        }
        let Some(check) = self.check else {
            return self;
        };
        self.put(check, 0);
        let pseudo = match self.protocol {
            ICMP => 0,
            _ => self.pseudo(),
        };
        let sum = !checksum::add(pseudo, checksum::sum(&self.bytes[self.transport..]));
        self.put(check, if sum == 0 { !0 } else { sum });
        self
    }
}

/// One of a protocol behind so many VLAN tags, in a fragment with this offset, behind these extension headers.
fn packet(
    is_v6: bool,
    protocol: u8,
    tags: usize,
    fragment: Option<u16>,
    extensions: &[u8],
) -> Packet {
    let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    for _ in 0..tags {
        bytes.extend([0x81, 0, 0x20, 9]);
    }
    bytes.extend(if is_v6 { [0x86, 0xdd] } else { [8, 0] });
    let network = bytes.len();
    let mut data = match protocol {
        TCP => vec![0, 9, 0, 10, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 3, 232],
        UDP => vec![0, 9, 0, 10, 0, 39, 0, 0],
        _ => vec![8, 0, 0, 0, 1, 8, 0, 0],
    };
    data.resize(39, 0xa5);
    let mut last = None;
    if is_v6 {
        let mut chain = vec![];
        let kinds: Vec<u8> = extensions.iter().copied().chain([protocol]).collect();
        for pair in kinds.windows(2) {
            let at = chain.len();
            chain.extend([pair[1], 0, 0, 0, 0, 0, 0, 0]);
            match (pair[0], fragment) {
                (44, Some(offset)) => {
                    chain[at + 2..at + 4].copy_from_slice(&(offset << 3 | 1).to_be_bytes());
                }
                // Segments left: the last one is the pseudo-header's.
                (43, _) => {
                    chain[at + 1..at + 4].copy_from_slice(&[2, 0, 1]);
                    chain.extend([0xee; 16]);
                    last = Some([0xee; 16]);
                }
                _ => {}
            }
        }
        bytes.extend([0x60, 0, 0, 0]);
        bytes.extend(((chain.len() + data.len()) as u16).to_be_bytes());
        bytes.extend([kinds[0], 64]);
        bytes.extend([0x20; 32]);
        bytes.extend(chain);
    } else {
        let place = fragment.map_or(0x4000, |offset| 0x2000 | offset);
        bytes.extend([0x45, 0, 0, 20 + data.len() as u8, 0, 1]);
        bytes.extend(place.to_be_bytes());
        bytes.extend([64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
    }
    let transport = bytes.len();
    bytes.extend(&data);
    let offset = match protocol {
        TCP => Some(16),
        UDP | UDPLITE | DCCP => Some(6),
        ICMPV6 if is_v6 => Some(2),
        ICMP => Some(2),
        _ => None,
    };
    let is_later = fragment.is_some_and(|offset| offset > 0);
    let check = offset.filter(|_| !is_later);
    Packet {
        bytes,
        network,
        is_v6,
        protocol,
        transport,
        check: check.map(|offset| transport + offset),
        last,
    }
    .sealed()
}

/// Writes as the kernel's function does where the checksum is in the packet, or is to be filled in by a device.
fn write(bytes: &mut [u8], is_partial: bool, at: u32, new: &[u8], sums: &[Sum]) {
    let at = at as usize;
    let old = bytes[at..at + new.len()].to_vec();
    bytes[at..at + new.len()].copy_from_slice(new);
    for sum in sums {
        let mut check = u16::from_ne_bytes([bytes[sum.at], bytes[sum.at + 1]]);
        let of_transport = sum.is_pseudo || sum.is_optional || new.len() == 2;
        if is_partial && of_transport {
            if sum.is_pseudo {
                for (old, new) in old.chunks(2).zip(new.chunks(2)) {
                    let more = checksum::add(!checksum::sum(old), checksum::sum(new));
                    check = checksum::add(check, more);
                }
            }
        } else if !(sum.is_optional && check == 0) {
            // A word, or its first or second byte.
            let shift = |part: &[u8]| match (at ^ sum.at) & 1 {
                0 => checksum::sum(part),
                _ => checksum::sum(part).swap_bytes(),
            };
            let more = checksum::add(!shift(&old), shift(new));
            check = !checksum::add(!check, more);
            if sum.is_optional && check == 0 {
                check = !0;
            }
        }
        bytes[sum.at..sum.at + 2].copy_from_slice(&check.to_ne_bytes());
    }
}

fn apply(plan: &Plan, bytes: &mut [u8], is_partial: bool) -> Outcome {
    let found = Found::look(bytes, bytes.len()).unwrap();
    let Some(found) = found else {
        return Outcome::Untouched;
    };
    let outcome = plan.apply(&found, |at, new, sums| {
        write(bytes, is_partial, at, new, sums);
        Ok::<_, ()>(())
    });
    outcome.unwrap()
}

/// Each combination of the options, for one version of IP.
fn plans(is_v6: bool) -> impl Iterator<Item = Plan> {
    let address = move |n: usize| Address::parse(if is_v6 { NEW_V6[n] } else { NEW_V4[n] });
    (1..128_u8).filter_map(move |bits| {
        let is = |bit: u8| bits & (1 << bit) != 0;
        let ttl = match (is(4), is(5)) {
            (true, true) => return None,
            (true, false) => Some(Ttl::Set(9)),
            (false, true) => Some(Ttl::Decrement),
            (false, false) => None,
        };
        Some(Plan {
            source: address(0).filter(|_| is(0)),
            destination: address(1).filter(|_| is(1)),
            source_port: is(2).then_some(65_535),
            destination_port: is(3).then_some(8080),
            identifier: None,
            dscp: is(6).then_some(46),
            ttl,
        })
    })
}

/// What a packet is afterwards, found in the plain way, and whether anything is written to it.
fn wanted(plan: &Plan, before: Packet) -> (Packet, bool) {
    let mut after = before;
    let mut is_written = false;
    let mut put = |bytes: &mut Vec<u8>, at: usize, new: &[u8]| {
        bytes[at..at + new.len()].copy_from_slice(new);
        is_written = true;
    };
    let places = if after.is_v6 { [8, 24] } else { [12, 16] };
    for (new, place) in [plan.source, plan.destination].into_iter().zip(places) {
        match new {
            Some(Address::V4(new)) => {
                put(&mut after.bytes, after.network + place, &new.to_be_bytes());
            }
            Some(Address::V6(new)) => {
                put(&mut after.bytes, after.network + place, &new.to_be_bytes());
            }
            None => {}
        }
    }
    let has_ports = matches!(after.protocol, TCP | UDP) && after.check.is_some();
    for (new, place) in [(plan.source_port, 0), (plan.destination_port, 2)] {
        if let (Some(new), true) = (new, has_ports) {
            put(
                &mut after.bytes,
                after.transport + place,
                &new.to_be_bytes(),
            );
        }
    }
    if let Some(dscp) = plan.dscp {
        let at = after.network;
        let word = u16::from_be_bytes([after.bytes[at], after.bytes[at + 1]]);
        let (shift, mask) = if after.is_v6 { (6, 0xfc0) } else { (2, 0xfc) };
        let word = word & !mask | u16::from(dscp) << shift;
        put(&mut after.bytes, at, &word.to_be_bytes());
    }
    let place = after.network + if after.is_v6 { 7 } else { 8 };
    match plan.ttl {
        Some(Ttl::Set(ttl)) => put(&mut after.bytes, place, &[ttl]),
        Some(Ttl::Decrement) => put(&mut after.bytes, place, &[63]),
        None => {}
    }
    (after.sealed(), is_written)
}

#[test]
fn checksums_are_right_afterwards() {
    let chains: [&[u8]; 4] = [&[], &[0, 60], &[43], &[0, 43, 60]];
    let mut seen = 0;
    for is_v6 in [false, true] {
        for protocol in [TCP, UDP, ICMP, ICMPV6, UDPLITE, DCCP, SCTP, 47] {
            // A whole packet, a first fragment, a later one.
            for fragment in [None, Some(0), Some(5)] {
                for (number, chain) in chains.iter().enumerate() {
                    if !is_v6 && number > 0 {
                        continue;
                    }
                    let mut chain = chain.to_vec();
                    chain.extend(fragment.map(|_| 44));
                    let new = || packet(is_v6, protocol, number % 3, fragment, &chain);
                    for plan in plans(is_v6) {
                        let (want, is_written) = wanted(&plan, new());
                        let mut bytes = new().bytes;
                        let outcome = apply(&plan, &mut bytes, false);
                        assert_eq!(
                            bytes, want.bytes,
                            "{is_v6} {protocol} {fragment:?} {chain:?}"
                        );
                        assert_eq!(outcome == Outcome::Rewritten, is_written);
                        seen += 1;
                    }
                }
            }
        }
    }
    assert_eq!(seen, 8 * 3 * 5 * 95);
}

#[test]
fn a_checksum_that_a_device_fills_in_has_the_pseudo_header() {
    for (is_v6, protocol, chain) in [
        (false, TCP, &[][..]),
        (false, UDP, &[]),
        (true, TCP, &[]),
        (true, UDP, &[60]),
        (true, ICMPV6, &[]),
        (true, TCP, &[43]),
    ] {
        let partial = |mut packet: Packet| {
            let sum = packet.pseudo();
            packet.put(packet.check.unwrap(), sum);
            packet.bytes
        };
        for plan in plans(is_v6) {
            let new = || packet(is_v6, protocol, 0, None, chain);
            let mut bytes = partial(new());
            apply(&plan, &mut bytes, true);
            assert_eq!(bytes, partial(wanted(&plan, new()).0), "{is_v6} {protocol}");
        }
    }
}

#[test]
fn udp_without_a_checksum_gets_none() {
    for is_v6 in [false, true] {
        for plan in plans(is_v6) {
            let mut bytes = packet(is_v6, UDP, 0, None, &[]).bytes;
            let at = if is_v6 { 60 } else { 40 };
            bytes[at..at + 2].fill(0);
            apply(&plan, &mut bytes, false);
            assert_eq!(bytes[at..at + 2], [0, 0]);
        }
    }
}

#[test]
fn the_other_version_of_ip_is_left_alone() {
    for is_v6 in [false, true] {
        let before = packet(!is_v6, ICMP, 0, None, &[]).bytes;
        for plan in plans(is_v6).filter(|plan| plan.ttl.is_none() && plan.dscp.is_none()) {
            let mut bytes = before.clone();
            assert_eq!(apply(&plan, &mut bytes, false), Outcome::Untouched);
            assert_eq!(bytes, before);
        }
    }
}

#[test]
fn a_ttl_does_not_become_0() {
    let plan = Plan {
        ttl: Some(Ttl::Decrement),
        source: Address::parse("192.0.2.9"),
        ..Plan::NOTHING
    };
    for is_v6 in [false, true] {
        for (ttl, outcome) in [
            (0, Outcome::Expired),
            (1, Outcome::Expired),
            (2, Outcome::Rewritten),
        ] {
            let mut bytes = packet(is_v6, UDP, 0, None, &[]).bytes;
            bytes[if is_v6 { 21 } else { 22 }] = ttl;
            let before = bytes.clone();
            assert_eq!(apply(&plan, &mut bytes, false), outcome);
            assert_eq!(bytes == before, outcome == Outcome::Expired);
        }
    }
}

#[test]
fn what_is_cut_off_or_contradicts_itself_stays() {
    for is_v6 in [false, true] {
        for protocol in [TCP, UDP, ICMP] {
            let whole = packet(is_v6, protocol, 1, None, if is_v6 { &[0, 60] } else { &[] }).bytes;
            let plan = plans(is_v6).last().unwrap();
            // Its lengths say more than there is.
            for len in 0..whole.len() {
                let mut bytes = whole[..len].to_vec();
                assert_eq!(apply(&plan, &mut bytes, false), Outcome::Untouched, "{len}");
                assert_eq!(bytes, whole[..len]);
            }
            // Whatever stands there, only bytes of the packet are written.
            for at in 12..whole.len() {
                for value in [0, 1, 0x7f, 0xff] {
                    let mut bytes = whole.clone();
                    bytes[at] = value;
                    apply(&plan, &mut bytes, false);
                    assert_eq!(bytes.len(), whole.len());
                }
            }
        }
    }
}

#[test]
fn more_bytes_are_asked_for() {
    let whole = packet(true, TCP, 2, None, &[0, 60, 60, 60]).bytes;
    let mut have = 14;
    while let Err(more) = Found::look(&whole[..have], whole.len()) {
        assert!(more.0 > have && more.0 <= whole.len());
        have = more.0;
    }
    assert!(have < whole.len());
}
