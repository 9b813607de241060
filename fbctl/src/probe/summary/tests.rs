// SPDX-License-Identifier: GPL-2.0

//! Lines of packets.

use super::*;
use etherparse::{PacketBuilder, VlanId};

const A: [u8; 6] = [2, 0, 0, 0, 0, 1];
const B: [u8; 6] = [2, 0, 0, 0, 0, 2];
const MACS: &str = "02:00:00:00:00:01 > 02:00:00:00:00:02, ";
const A4: [u8; 4] = [10, 0, 0, 1];
const B4: [u8; 4] = [10, 0, 0, 2];
const A6: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

macro_rules! built {
    ($builder:expr, $payload:expr) => {{
        let mut bytes = Vec::new();
        $builder.write(&mut bytes, $payload).unwrap();
        bytes
    }};
}

fn line(bytes: &[u8]) -> String {
    let text = summary(bytes, u32::try_from(bytes.len()).unwrap());
    text.strip_prefix(MACS).unwrap_or(&text).to_owned()
}

#[test]
fn few_columns_have_names_of_types_and_one_length() {
    let said = |bytes: &[u8]| {
        let text = Detail::Compact.text(bytes, u32::try_from(bytes.len()).unwrap());
        text.strip_prefix(MACS).unwrap_or(&text).to_owned()
    };
    let ip = || PacketBuilder::ethernet2(A, B).ipv4(A4, B4, 64);
    assert_eq!(
        said(&built!(ip().udp(5000, 53), &[0; 4])),
        "IPv4, length 46: 10.0.0.1.5000 > 10.0.0.2.53: UDP"
    );
    let mut unknown = [A, B].concat();
    unknown.extend([0xac, 0x0a]);
    let text = said(&unknown);
    assert!(
        text.ends_with("ethertype Unknown (0xac0a), length 14"),
        "{text}"
    );
    assert_eq!(Detail::of(true, Some(80)), Detail::Compact);
    assert_eq!(Detail::of(true, Some(120)), Detail::Full);
    assert_eq!(Detail::of(true, None), Detail::Full);
}

#[test]
fn the_usual_protocols() {
    let ip = || PacketBuilder::ethernet2(A, B).ipv4(A4, B4, 64);
    assert_eq!(
        line(&built!(ip().udp(5000, 53), &[0; 4])),
        "ethertype IPv4 (0x0800), length 46: 10.0.0.1.5000 > 10.0.0.2.53: UDP, length 4"
    );
    assert_eq!(
        line(&built!(ip().tcp(40000, 80, 7, 512).syn(), &[])),
        "ethertype IPv4 (0x0800), length 54: 10.0.0.1.40000 > 10.0.0.2.80: Flags [S], seq 7, win 512, length 0"
    );
    assert_eq!(
        line(&built!(ip().tcp(40000, 80, 7, 512).psh().ack(9), &[1, 2])),
        "ethertype IPv4 (0x0800), length 56: 10.0.0.1.40000 > 10.0.0.2.80: Flags [P.], seq 7:9, ack 9, win 512, length 2"
    );
    assert_eq!(
        line(&built!(ip().icmpv4_echo_request(7, 1), &[0; 56])),
        "ethertype IPv4 (0x0800), length 98: 10.0.0.1 > 10.0.0.2: ICMP echo request, id 7, seq 1, length 64"
    );
    let six = PacketBuilder::ethernet2(A, B).ipv6(A6, A6, 64);
    assert_eq!(
        line(&built!(six.icmpv6_echo_reply(7, 1), &[0; 8])),
        "ethertype IPv6 (0x86dd), length 70: fe80::1 > fe80::1: ICMP6, echo reply, id 7, seq 1, length 16"
    );
}

#[test]
fn without_the_link_layer_what_is_above_it_is_named() {
    let short = |bytes: &[u8]| brief(bytes, u32::try_from(bytes.len()).unwrap());
    let ip = || PacketBuilder::ethernet2(A, B).ipv4(A4, B4, 64);
    assert_eq!(
        short(&built!(ip().udp(5000, 53), &[0; 4])),
        "IP 10.0.0.1.5000 > 10.0.0.2.53: UDP, length 4"
    );
    let tagged = || PacketBuilder::ethernet2(A, B).single_vlan(VlanId::try_new(5).unwrap());
    let six = tagged().ipv6(A6, A6, 64);
    assert_eq!(
        short(&built!(six.icmpv6_echo_reply(7, 1), &[0; 8])),
        "vlan 5, p 0, IP6 fe80::1 > fe80::1: ICMP6, echo reply, id 7, seq 1, length 16"
    );
    let arp = [
        &[0xff; 6][..],
        &A,
        &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1],
        &A,
        &A4,
        &[0; 6],
        &B4,
    ]
    .concat();
    assert_eq!(
        short(&arp),
        "ARP, Request who-has 10.0.0.2 tell 10.0.0.1, length 28"
    );
    assert_eq!(short(&arp[..20]), "ARP, [|arp]");
    assert_eq!(short(&[&B[..], &A, &[8, 0]].concat()), "IP [|ip]");
    // Nothing else is known of it.
    let other = [&B[..], &A, &[0xac, 0x0a, 1]].concat();
    assert_eq!(short(&other), summary(&other, 15));
    assert_eq!(short(&[1]), "length 1: [|ether]");
}

#[test]
fn what_is_cut_off_is_counted() {
    let bytes = built!(
        PacketBuilder::ethernet2(A, B)
            .ipv4(A4, B4, 64)
            .udp(5000, 53),
        &[0; 1000]
    );
    assert!(summary(&bytes[..60], 1042)
        .ends_with("length 1042: 10.0.0.1.5000 > 10.0.0.2.53: UDP, length 1000"));
    assert!(summary(&bytes[..38], 1042).ends_with("10.0.0.1 > 10.0.0.2: UDP, length 1008"));
    assert!(summary(&bytes[..20], 1042).ends_with("length 1042: [|ip]"));
    assert_eq!(summary(&bytes[..10], 1042), "length 1042: [|ether]");
    assert_eq!(summary(&[], 0), "length 0: [|ether]");
}

#[test]
fn tags_and_other_types() {
    let tagged = built!(
        PacketBuilder::ethernet2(A, B)
            .single_vlan(VlanId::try_new(5).unwrap())
            .ipv4(A4, B4, 64)
            .udp(1, 2),
        &[]
    );
    assert_eq!(
        line(&tagged),
        "ethertype 802.1Q (0x8100), length 46: vlan 5, p 0, ethertype IPv4 (0x0800), \
         10.0.0.1.1 > 10.0.0.2.2: UDP, length 0"
    );
    let mut other = [B, A].concat();
    other.extend([0xac, 0x0a, 1, 2, 3]);
    assert_eq!(line(&other), "ethertype Unknown (0xac0a), length 17");
    let mut old = [B, A].concat();
    old.extend([0, 3, 0xaa, 0xaa, 3]);
    assert_eq!(line(&old), "802.3, length 17");
    let mut arp = [B, A].concat();
    arp.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    arp.extend([A.as_slice(), &A4, &[0; 6], &B4].concat());
    assert_eq!(
        line(&arp),
        "ethertype ARP (0x0806), length 42: Request who-has 10.0.0.2 tell 10.0.0.1, length 28"
    );
    arp[21] = 2;
    assert!(line(&arp).ends_with("Reply 10.0.0.1 is-at 02:00:00:00:00:01, length 28"));
}

#[test]
fn fragments_say_which_part_they_are() {
    let udp = built!(
        PacketBuilder::ethernet2(A, B)
            .ipv4(A4, B4, 64)
            .udp(5000, 53),
        &[0; 1472]
    );
    let part = |flags: [u8; 2], bytes: &[u8]| {
        let mut packet = udp.clone();
        packet.truncate(14 + 20 + bytes.len());
        let total = u16::try_from(20 + bytes.len()).unwrap();
        packet[16..18].copy_from_slice(&total.to_be_bytes());
        packet[18..20].copy_from_slice(&4660u16.to_be_bytes());
        packet[20..22].copy_from_slice(&flags);
        packet[34..].copy_from_slice(bytes);
        brief(&packet, u32::try_from(packet.len()).unwrap())
    };
    assert_eq!(
        part([0x20, 0], &udp[34..]),
        "IP 10.0.0.1.5000 > 10.0.0.2.53: fragment of UDP, id 4660, offset 0, flags [+], length 1480"
    );
    assert_eq!(
        part([0, 185], &[0xff; 528]),
        "IP 10.0.0.1 > 10.0.0.2: fragment of UDP, id 4660, offset 1480, flags [none], length 528"
    );
    // A first one that is too short for its ports.
    assert_eq!(
        part([0x60, 0], &[0; 3]),
        "IP 10.0.0.1 > 10.0.0.2: fragment of UDP, id 4660, offset 0, flags [+, DF], length 3"
    );
    let mut six = built!(
        PacketBuilder::ethernet2(A, B).ipv6(A6, A6, 64).udp(1, 2),
        &[]
    );
    six[20] = 44;
    six[18..20].copy_from_slice(&16u16.to_be_bytes());
    six.truncate(54);
    six.extend([17, 0, 0x05, 0xa9, 0x12, 0x34, 0x56, 0x78]);
    six.extend([0; 8]);
    assert_eq!(
        brief(&six, 70),
        "IP6 fe80::1 > fe80::1: fragment of UDP, id 0x12345678, offset 1448, flags [+], length 8"
    );
}

#[test]
fn no_bytes_make_it_panic() {
    let mut seed = 1u32;
    let mut random = move || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed >> 16
    };
    let good = built!(
        PacketBuilder::ethernet2(A, B)
            .ipv4(A4, B4, 64)
            .tcp(1, 2, 3, 4),
        &[0; 20]
    );
    for _ in 0..20_000 {
        let mut bytes = good.clone();
        for _ in 0..random() % 6 {
            let at = random() as usize % bytes.len();
            bytes[at] = u8::try_from(random() & 0xff).unwrap();
        }
        bytes.truncate(random() as usize % 80);
        assert!(!summary(&bytes, random()).is_empty());
    }
}
