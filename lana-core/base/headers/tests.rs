// SPDX-License-Identifier: GPL-2.0

use super::*;

const MACS: [u8; 12] = [2, 0, 0, 0, 0, 0xb, 2, 0, 0, 0, 0, 0xa];

fn ethernet(tags: &[(u16, u16)], ether_type: u16, data: &[u8]) -> Vec<u8> {
    let mut frame = MACS.to_vec();
    for (tpid, tci) in tags {
        frame.extend(tpid.to_be_bytes());
        frame.extend(tci.to_be_bytes());
    }
    frame.extend(ether_type.to_be_bytes());
    frame.extend(data);
    frame
}

fn ipv4(protocol: u8, place: u16, options: &[u8], data: &[u8]) -> Vec<u8> {
    let total = (20 + options.len() + data.len()) as u16;
    let mut packet = vec![0x40 | (5 + options.len() / 4) as u8, 0xb8];
    packet.extend(total.to_be_bytes());
    packet.extend([0, 7]);
    packet.extend(place.to_be_bytes());
    packet.extend([64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
    packet.extend(options);
    packet.extend(data);
    packet
}

fn ipv6(next: u8, data: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x6b, 0x80, 0, 5];
    packet.extend((data.len() as u16).to_be_bytes());
    packet.extend([next, 255]);
    packet.extend(1u128.to_be_bytes());
    packet.extend(2u128.to_be_bytes());
    packet.extend(data);
    packet
}

fn udp(payload: usize) -> Vec<u8> {
    let mut data = vec![0x12, 0x34, 0, 53];
    data.extend((8 + payload as u16).to_be_bytes());
    data.extend([0, 0]);
    data.resize(8 + payload, 9);
    data
}

fn tcp() -> Vec<u8> {
    let mut data = vec![0; 24];
    data[..4].copy_from_slice(&[0x12, 0x34, 0, 80]);
    (data[12], data[13]) = (0x60, 0x12);
    data
}

fn whole(frame: &[u8]) -> Parsed {
    parse(frame, frame.len()).unwrap()
}

#[test]
fn what_a_packet_says() {
    let parsed = whole(&ethernet(&[], IPV4, &ipv4(UDP, 0x4000, &[], &udp(3))));
    assert_eq!(
        parsed,
        Parsed {
            ether_type: Some(IPV4),
            network: 14,
            addresses: Addresses::V4(0xc000_0201, 0xc000_0202),
            traffic_class: 0xb8,
            protocol: Some(UDP),
            transport: Some(34),
            ports: Some((0x1234, 53)),
            ..Parsed::nothing(45)
        }
    );
    assert_eq!(parsed.dscp(), 46);
    // Padding behind the datagram, and options in front of its data.
    let mut frame = ethernet(&[], IPV4, &ipv4(TCP, 0, &[1; 12], &tcp()));
    let len = frame.len();
    frame.extend([0; 9]);
    let parsed = whole(&frame);
    assert_eq!((parsed.transport, parsed.end), (Some(46), len));
    assert_eq!(parsed.ports, Some((0x1234, 80)));
    let parsed = whole(&ethernet(&[], IPV6, &ipv6(ICMPV6, &[128, 3, 0, 0])));
    assert_eq!(parsed.addresses, Addresses::V6(1, 2));
    assert_eq!((parsed.icmp, parsed.ports), (Some((128, 3)), None));
    assert_eq!(parsed.traffic_class, 0xb8);
    let parsed = whole(&ethernet(&[], 0x88cc, &[]));
    assert_eq!(parsed.ether_type, Some(0x88cc));
    assert_eq!(
        (parsed.addresses, parsed.malformed),
        (Addresses::None, None)
    );
}

#[test]
fn tags_are_looked_behind() {
    let data = ipv4(UDP, 0, &[], &udp(0));
    for (tags, vlan) in [
        (&[][..], None),
        (&[(CTAG, 0x600a)], Some(0x600a)),
        (&[(STAG, 0x0014), (CTAG, 0x000a)], Some(0x14)),
        (&[(CTAG, 1); 4], Some(1)),
    ] {
        let parsed = whole(&ethernet(tags, IPV4, &data));
        assert_eq!((parsed.vlan, parsed.ether_type), (vlan, Some(IPV4)));
        assert_eq!(parsed.network, 14 + 4 * tags.len());
        assert!(parsed.ports.is_some());
    }
    let parsed = whole(&ethernet(&[(CTAG, 1); 5], IPV4, &data));
    assert_eq!(parsed.malformed, Some(Malformed::Vlan));
    assert_eq!((parsed.vlan, parsed.ether_type), (Some(1), None));
    let parsed = whole(&[&MACS[..], &[0x81, 0, 0]].concat());
    assert_eq!(parsed.malformed, Some(Malformed::Vlan));
    let tag = Vlan::new(&[0x70, 0x0a, 8, 0]).unwrap();
    assert_eq!((tag.vid(), tag.pcp(), tag.dei()), (10, 3, true));
}

#[test]
fn extension_headers_are_looked_behind() {
    let options = [UDP, 0, 1, 4, 0, 0, 0, 0];
    let chain = |kinds: &[u8], data: &[u8]| {
        let mut bytes = vec![];
        for (at, kind) in kinds.iter().enumerate() {
            let next = kinds.get(at + 1).copied().unwrap_or(UDP);
            // An authentication header counts otherwise: 0 is of 8 bytes there, too.
            let _ = kind;
            bytes.extend([next, 0, 0, 0, 0, 0, 0, 0]);
        }
        bytes.extend(data);
        ethernet(&[], IPV6, &ipv6(kinds[0], &bytes))
    };
    assert_eq!(options.len(), Extension::SIZE);
    for kinds in [
        &[0][..],
        &[43],
        &[60],
        &[51],
        &[44],
        &[0, 60, 43, 44, 51, 60],
        &[60; 8],
    ] {
        let parsed = whole(&chain(kinds, &udp(5)));
        assert_eq!(parsed.ports, Some((0x1234, 53)), "{kinds:?}");
        assert_eq!(parsed.transport, Some(54 + 8 * kinds.len()));
        assert_eq!(parsed.fragmented, Fragmented::No);
    }
    let parsed = whole(&chain(&[60; 9], &udp(5)));
    assert_eq!(parsed.malformed, Some(Malformed::Extension));
    assert_eq!((parsed.protocol, parsed.ports), (None, None));
    // One that reaches beyond the end.
    let parsed = whole(&ethernet(
        &[],
        IPV6,
        &ipv6(0, &[UDP, 2, 0, 0, 0, 0, 0, 0, 1]),
    ));
    assert_eq!(parsed.malformed, Some(Malformed::Extension));
}

#[test]
fn parts_of_datagrams() {
    for (place, fragmented) in [
        (0x4000, Fragmented::No),
        (0x2000, Fragmented::First),
        (0x2001, Fragmented::Later),
        (0x0001, Fragmented::Later),
    ] {
        // The length is that of the whole datagram.
        let mut part = udp(2);
        part[4] = 9;
        if fragmented == Fragmented::No {
            part = udp(2);
        }
        let parsed = whole(&ethernet(&[], IPV4, &ipv4(UDP, place, &[], &part)));
        assert_eq!((parsed.fragmented, parsed.malformed), (fragmented, None));
        let first = fragmented != Fragmented::Later;
        assert_eq!(
            (parsed.ports.is_some(), parsed.transport.is_some()),
            (first, first)
        );
        assert_eq!(parsed.protocol, Some(UDP));
    }
    for (place, fragmented) in [
        (0, Fragmented::No),
        (1, Fragmented::First),
        (9, Fragmented::Later),
    ] {
        let data = [&[UDP, 0, 0, place, 0, 0, 0, 1][..], &udp(2)].concat();
        let parsed = whole(&ethernet(&[], IPV6, &ipv6(44, &data)));
        assert_eq!((parsed.fragmented, parsed.malformed), (fragmented, None));
        assert_eq!(parsed.protocol, Some(UDP));
        assert_eq!(parsed.ports.is_some(), fragmented != Fragmented::Later);
    }
}

#[test]
fn lengths_that_contradict() {
    let v4 = ipv4(UDP, 0, &[], &udp(4));
    let v6 = ipv6(TCP, &tcp());
    let bent = |packet: &[u8], at: usize, value: u8| {
        let mut packet = packet.to_vec();
        packet[at] = value;
        let kind = if packet[0] >> 4 == 6 || at == 0 && value == 0x50 {
            IPV6
        } else {
            IPV4
        };
        let parsed = whole(&ethernet(&[], kind, &packet));
        parsed.malformed
    };
    for (at, value, why) in [
        (0, 0x44, Malformed::Ipv4Header),
        (0, 0x4f, Malformed::Ipv4Header),
        (0, 0x35, Malformed::Ipv4Header),
        (3, 19, Malformed::Ipv4Length),
        (3, 33, Malformed::Ipv4Length),
        (3, 27, Malformed::Udp),
        (25, 7, Malformed::Udp),
        (25, 13, Malformed::Udp),
    ] {
        assert_eq!(bent(&v4, at, value), Some(why), "{at} {value}");
    }
    for (at, value, why) in [
        (0, 0x50, Malformed::Ipv6Header),
        (5, 25, Malformed::Ipv6Length),
        (5, 19, Malformed::Tcp),
        (52, 0x40, Malformed::Tcp),
        (52, 0x70, Malformed::Tcp),
    ] {
        assert_eq!(bent(&v6, at, value), Some(why), "{at} {value}");
    }
    // What comes before is told.
    let mut odd = v4.clone();
    odd[25] = 7;
    let parsed = whole(&ethernet(&[], IPV4, &odd));
    assert_eq!((parsed.protocol, parsed.ports), (Some(UDP), None));
    assert_eq!(whole(&MACS).malformed, Some(Malformed::Ethernet));
    assert_eq!(whole(&[]).malformed, Some(Malformed::Ethernet));
    let arp = [0, 1, 8, 0, 6, 4, 0, 1];
    assert_eq!(
        whole(&ethernet(&[], ARP, &arp)).malformed,
        Some(Malformed::Arp)
    );
    assert_eq!(
        whole(&ethernet(&[], ARP, &arp[..7])).malformed,
        Some(Malformed::Arp)
    );
    let arp = [&arp[..], &[0; 20]].concat();
    assert_eq!(whole(&ethernet(&[], ARP, &arp)).malformed, None);
    assert!(Arp::new(&arp).unwrap().is_ipv4());
}

/// A super-packet may be longer than the fields can say.
#[test]
fn super_packets() {
    let mut v4 = ipv4(TCP, 0, &[], &tcp());
    (v4[2], v4[3]) = (0, 0);
    v4.resize(70_000, 0);
    let parsed = whole(&ethernet(&[], IPV4, &v4));
    assert_eq!((parsed.malformed, parsed.end), (None, 70_014));
    let mut v6 = ipv6(TCP, &tcp());
    (v6[4], v6[5]) = (0, 0);
    assert_eq!(
        whole(&ethernet(&[], IPV6, &v6)).malformed,
        Some(Malformed::Tcp)
    );
    v6.resize(70_000, 0);
    let parsed = whole(&ethernet(&[], IPV6, &v6));
    assert_eq!((parsed.malformed, parsed.ports), (None, Some((0x1234, 80))));
}

#[test]
fn views_have_all_fields() {
    let v4 = ipv4(UDP, 0x6003, &[], &udp(4));
    let view = Ipv4::new(&v4).unwrap();
    assert!(view.dont_fragment() && view.more_fragments());
    assert_eq!((view.fragment_offset(), view.identification()), (3, 7));
    assert_eq!((view.time_to_live(), view.header_checksum()), (64, 0));
    let v6 = ipv6(UDP, &udp(4));
    let view = Ipv6::new(&v6).unwrap();
    assert_eq!((view.flow_label(), view.hop_limit()), (5, 255));
    let view = Udp::new(&v4[20..]).unwrap();
    assert_eq!((view.length(), view.checksum()), (12, 0));
    let tcp = tcp();
    let view = Tcp::new(&tcp).unwrap();
    assert_eq!((view.header_length(), view.control_bits()), (24, 0x12));
    assert_eq!(
        (view.sequence_number(), view.window(), view.urgent_pointer()),
        (0, 0, 0)
    );
    let frame = ethernet(&[], ARP, &[]);
    let view = Ethernet::new(&frame).unwrap();
    assert_eq!(view.destination_address(), MACS[..6]);
    assert_eq!(view.source_address(), MACS[6..]);
    let arp: Vec<u8> = (0..28).collect();
    let view = Arp::new(&arp).unwrap();
    assert_eq!(view.sender_protocol_address(), 0x0e0f_1011);
    assert_eq!(view.target_hardware_address(), [18, 19, 20, 21, 22, 23]);
    assert_eq!(view.target_protocol_address(), 0x1819_1a1b);
    assert_eq!(view.sender_hardware_address(), [8, 9, 10, 11, 12, 13]);
    assert_eq!(view.opcode(), 0x0607);
    for short in [&arp[..27], &[]] {
        assert!(Arp::new(short).is_none());
    }
    let view = Icmp::new(&arp).unwrap();
    assert_eq!(
        (view.kind(), view.code(), view.checksum(), view.rest()),
        (0, 1, 0x203, 0x0405_0607)
    );
    assert_eq!(Icmpv6::new(&arp).unwrap().checksum(), 0x203);
}

/// Fewer bytes than there are give the same answer in the end, and never one that is wrong; and whatever is turned over
/// nothing is read outside.
#[test]
fn bytes_that_come_bit_by_bit_and_bent_ones() {
    let chain: Vec<u8> = [0, 60, 43, 51]
        .iter()
        .flat_map(|_| [60, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        .collect();
    let mut long = chain.clone();
    long[48] = UDP;
    long.extend(udp(300));
    let frames = [
        ethernet(
            &[(STAG, 5), (CTAG, 6)],
            IPV4,
            &ipv4(TCP, 0, &[1; 40], &tcp()),
        ),
        ethernet(&[], IPV6, &ipv6(0, &long)),
        ethernet(&[(CTAG, 5)], ARP, &[0, 1, 8, 0, 6, 4, 0, 1]),
        ethernet(
            &[],
            IPV4,
            &ipv4(ICMP, 0x2000, &[], &[8, 0, 0, 0, 0, 0, 0, 0]),
        ),
    ];
    let slowly = |frame: &[u8]| {
        let mut given = 0;
        loop {
            match parse(&frame[..given], frame.len()) {
                Ok(parsed) => return parsed,
                Err(More(more)) => {
                    assert!(more > given && more <= frame.len());
                    given = more;
                }
            }
        }
    };
    for frame in &frames {
        for len in 0..=frame.len() {
            assert_eq!(slowly(&frame[..len]), whole(&frame[..len]));
        }
        for bit in 0..8 * frame.len() {
            let mut odd = frame.clone();
            odd[bit / 8] ^= 1 << (bit % 8);
            let parsed = whole(&odd);
            assert_eq!(slowly(&odd), parsed);
            assert!(parsed.end <= odd.len());
            assert!(parsed.transport.is_none_or(|at| at <= parsed.end));
        }
    }
    let mut seed = 1u32;
    let mut random = move || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed >> 16
    };
    for _ in 0..200_000 {
        let mut frame = frames[random() as usize % frames.len()].clone();
        for _ in 0..random() % 6 {
            let at = random() as usize % frame.len();
            frame[at] = random() as u8;
        }
        frame.truncate(random() as usize % (frame.len() + 1));
        let parsed = whole(&frame);
        assert_eq!(slowly(&frame), parsed);
        assert!(parsed.end <= frame.len());
        assert!(parsed.ports.is_none() || parsed.transport.is_some_and(|at| at + 4 <= parsed.end));
    }
}
