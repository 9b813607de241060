// SPDX-License-Identifier: GPL-2.0

use super::{
    append,
    checksum::{add, sum},
    cut::Datagram,
    headers, put,
    refusal::message,
    room, List,
};

/// A packet of IPv4 with these options, place and data.
fn v4(options: &[u8], place: u16, data: &[u8]) -> Vec<u8> {
    let mut packet = vec![2; 12];
    packet.extend([8, 0, 0x45 + options.len() as u8 / 4, 0]);
    packet.extend((20 + options.len() as u16 + data.len() as u16).to_be_bytes());
    packet.extend([0, 9]);
    packet.extend(place.to_be_bytes());
    packet.extend([64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
    packet.extend(options);
    let check = !sum(&packet[14..]);
    put(&mut packet, 24, check.to_ne_bytes());
    packet.extend(data);
    packet
}

fn v6(first: u8, extensions: &[u8], data: &[u8]) -> Vec<u8> {
    let mut packet = vec![2; 12];
    packet.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
    packet.extend((extensions.len() as u16 + data.len() as u16).to_be_bytes());
    packet.extend([first, 64]);
    packet.extend([0x20; 16]);
    packet.extend([0x30; 16]);
    packet.extend(extensions);
    packet.extend(data);
    packet
}

fn data() -> Vec<u8> {
    (0..3001_u32).map(|number| (number * 7 / 3) as u8).collect()
}

fn cut(packet: &[u8], mtu: usize) -> Option<Vec<List<u8>>> {
    let parsed = headers::parse(packet, packet.len()).unwrap();
    let datagram = Datagram::of(&parsed, packet)?;
    let size = datagram.size(mtu)?;
    let link = [7; 16];
    (0..datagram.count(size))
        .map(|number| datagram.fragment(packet, &link, size, number, 0x0102_0304))
        .collect()
}

#[test]
fn ipv4_is_cut() {
    let options = [7, 4, 9, 9, 0x94, 4, 0, 0];
    for mtu in [76, 500, 1500, 1501, 1507] {
        let fragments = cut(&v4(&options, 0, &data()), mtu).unwrap();
        let mut all: Vec<u8> = Vec::new();
        for (number, fragment) in fragments.iter().enumerate() {
            assert_eq!(fragment[..16], [7; 16]);
            let ip = &fragment[18..];
            assert!(ip.len() <= mtu && sum(&ip[..28]) == 0xffff);
            assert_eq!(ip[2..4], (ip.len() as u16).to_be_bytes());
            let more = number + 1 < fragments.len();
            assert_eq!(
                ip[6..8],
                (all.len() as u16 / 8 | u16::from(more) << 13).to_be_bytes()
            );
            // The record of the route stands in the first one only, the router alert in all.
            let first = if number == 0 { [7, 4, 9, 9] } else { [1; 4] };
            assert_eq!(
                (&ip[20..24], &ip[24..28]),
                (&first[..], &[0x94, 4, 0, 0][..])
            );
            assert!(!more || (ip.len() - 28) % 8 == 0 && ip.len() + 8 > mtu);
            all.extend(&ip[28..]);
        }
        assert_eq!(all, data());
    }
    // Odd options, and no room for data.
    for options in [
        [7, 9, 0, 0],
        [0, 7, 4, 0],
        [7, 1, 0, 0],
        [7, 0, 0, 0],
        [1, 1, 1, 7],
    ] {
        assert_eq!(cut(&v4(&options, 0, &data()), 100).unwrap().len(), 42);
    }
    assert!(cut(&v4(&options, 0, &data()), 35).is_none());
}

#[test]
fn a_fragment_is_cut_again() {
    // From 800 on, and more follow.
    let fragments = cut(&v4(&[], 0x2000 | 100, &data()[..2000]), 1020).unwrap();
    let places: Vec<_> = fragments
        .iter()
        .map(|f| u16::from_be_bytes([f[24], f[25]]))
        .collect();
    assert_eq!(places, [0x2000 | 100, 0x2000 | 225]);
    let last = cut(&v4(&[], 100, &data()[..2000]), 1020).unwrap();
    assert_eq!(u16::from_be_bytes([last[1][24], last[1][25]]), 225);
}

#[test]
fn ipv6_is_cut() {
    let hop = [60, 0, 1, 4, 0, 0, 0, 0];
    let routing = [60, 0, 4, 0, 0, 0, 0, 0];
    let destination = [43, 0, 1, 4, 0, 0, 0, 0];
    let last = [17, 0, 1, 4, 0, 0, 0, 0];
    let cases: [(u8, Vec<u8>, usize, u8); 4] = [
        (17, vec![], 0, 17),
        // Options for the destination belong to the data, but in front of a routing header.
        (0, [hop, last].concat(), 8, 60),
        (0, [hop, destination, routing, last].concat(), 24, 60),
        (60, last.to_vec(), 0, 60),
    ];
    for (first, extensions, kept, next) in cases {
        let packet = v6(first, &extensions, &data());
        let fragments = cut(&packet, 1280).unwrap();
        let mut all: Vec<u8> = Vec::new();
        for (number, fragment) in fragments.iter().enumerate() {
            let ip = &fragment[18..];
            assert!(ip.len() <= 1280);
            assert_eq!(ip[4..6], (ip.len() as u16 - 40).to_be_bytes());
            let at = 40 + kept;
            let link = if kept == 0 { ip[6] } else { ip[at - 8] };
            assert_eq!((link, ip[at]), (44, next));
            let more = number + 1 < fragments.len();
            assert_eq!(
                ip[at + 2..at + 4],
                (all.len() as u16 | u16::from(more)).to_be_bytes()
            );
            assert_eq!(ip[at + 4..at + 8], [1, 2, 3, 4]);
            all.extend(&ip[at + 8..]);
        }
        assert_eq!(all, [&extensions[kept..], &data()].concat());
    }
    assert!(cut(&v6(44, &[17, 0, 0, 1, 0, 0, 0, 0], &data()), 1280).is_none());
}

#[test]
fn messages_are_right() {
    let packet = v4(&[], 0x4000, &data());
    let parsed = headers::parse(&packet, packet.len()).unwrap();
    let icmp = message(&parsed, &packet, &[0x81, 0, 0, 5], 1400).unwrap();
    assert_eq!(icmp.len(), 14 + 4 + 576);
    assert_eq!(icmp[12..18], [0x81, 0, 0, 5, 8, 0]);
    assert_eq!(icmp[30..38], [192, 0, 2, 2, 192, 0, 2, 1]);
    assert_eq!((sum(&icmp[18..38]), sum(&icmp[38..])), (0xffff, 0xffff));
    assert_eq!(
        (&icmp[38..40], &icmp[44..46]),
        (&[3, 4][..], &1400_u16.to_be_bytes()[..])
    );
    assert_eq!(icmp[46..], packet[14..14 + 548]);
    let packet = v6(17, &[], &data());
    let parsed = headers::parse(&packet, packet.len()).unwrap();
    let icmp = message(&parsed, &packet, &[], 1400).unwrap();
    assert_eq!(icmp.len(), 14 + 1280);
    let pseudo = add(sum(&icmp[22..54]), sum(&[0, 0, 4, 0xd8, 0, 0, 0, 58]));
    assert_eq!(add(pseudo, sum(&icmp[54..])), 0xffff);
    // None about errors, groups, and later fragments.
    let mut error = v4(&[], 0x4000, &[3, 4, 0, 0, 0, 0, 0, 0]);
    error[23] = 1;
    let mut group = v4(&[], 0x4000, &data());
    group[0] |= 1;
    let mut many = v4(&[], 0x4000, &data());
    many[30] = 224;
    for packet in [error, group, many, v4(&[], 0x4000 | 7, &data())] {
        let parsed = headers::parse(&packet, packet.len()).unwrap();
        assert!(message(&parsed, &packet, &[], 1400).is_none());
    }
}

#[test]
fn lists_are_what_the_kernel_has() {
    let mut list = room(2).unwrap();
    assert!(append(&mut list, &[1]) && list == [1]);
}
