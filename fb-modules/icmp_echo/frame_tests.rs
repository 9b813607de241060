// SPDX-License-Identifier: GPL-2.0

//! Tests of `frame.rs`: they run on the host.

use super::super::{checksum, ours::List};
use super::*;

const HIS: [u8; 6] = [2, 0, 0, 0, 0, 0x0a];
const OUR: [u8; 6] = [2, 0, 0, 0, 0, 1];
const ALL: [u8; 6] = [0xff; 6];
const ALL_NODES_MAC: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];

/// What the block does, without its limits.
struct Block(List);

impl Block {
    /// What a whole frame is, as the block looks at it.
    fn what(&self, frame: &[u8]) -> Option<What> {
        self.find(frame, true)
    }

    fn find(&self, frame: &[u8], arp: bool) -> Option<What> {
        let head = &frame[..frame.len().min(HEAD as usize)];
        let (link, len) = (link(head)?, frame.len() as u32);
        let what = match link.protocol {
            Protocol::V4 => link.ipv4(head, len, &self.0),
            Protocol::V6 => match link.ipv6(head, len, &self.0, arp) {
                Some(What::Longer(more)) => link.ipv6(&frame[..more as usize], len, &self.0, arp),
                what => what,
            },
            Protocol::Arp if arp => link.arp(head, &self.0),
            Protocol::Arp => None,
        };
        match what {
            Some(What::Request(request)) if !link.is_fit(request.kind) => {
                Some(What::Refused(Refusal::Multicast))
            }
            what => what,
        }
    }

    fn request(&self, frame: &[u8]) -> Request {
        match self.what(frame) {
            Some(What::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    /// The reply, as the block makes it.
    fn reply(&self, frame: &[u8]) -> Vec<u8> {
        let request = self.request(frame);
        if let Some((offset, len)) = request.message() {
            let message = &frame[offset as usize..][..len as usize];
            assert!(request.is_sound(checksum::sum(message)), "checksum");
        }
        let (len, head) = request.lengths();
        let mut frame = frame.to_vec();
        frame.resize(len as usize, 0);
        if request
            .reply(&mut frame[..head as usize], OUR.into())
            .unwrap()
        {
            let (offset, len) = request.message().unwrap();
            if checksum::sum(&frame[offset as usize..][..len as usize]) == 0 {
                request.mend(&mut frame[..head as usize]);
            }
        }
        frame
    }
}

fn ours() -> Block {
    Block(List::of("192.0.2.1,198.51.100.0/24,2001:db8::1,fe80::1"))
}

fn ethernet(to: [u8; 6], tags: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
    [&to, &HIS, tags, &kind.to_be_bytes(), data].concat()
}

fn check_at(mut bytes: Vec<u8>, at: usize, more: u16) -> Vec<u8> {
    bytes[at..at + 2].fill(0);
    let check = !checksum::add(checksum::sum(&bytes), more);
    bytes[at..at + 2].copy_from_slice(&check.to_ne_bytes());
    bytes
}

fn ip4(
    source: [u8; 4],
    destination: [u8; 4],
    tos: u8,
    ttl: u8,
    id: u16,
    message: &[u8],
) -> Vec<u8> {
    ip4_with(0x40, source, destination, tos, ttl, id, message)
}

fn ip4_with(
    flags: u8,
    source: [u8; 4],
    destination: [u8; 4],
    tos: u8,
    ttl: u8,
    id: u16,
    message: &[u8],
) -> Vec<u8> {
    let [l0, l1] = (20 + message.len() as u16).to_be_bytes();
    let [i0, i1] = id.to_be_bytes();
    let head = [0x45, tos, l0, l1, i0, i1, flags, 0, ttl, 1, 0, 0].to_vec();
    let head = check_at([&head[..], &source, &destination].concat(), 10, 0);
    [&head[..], message].concat()
}

fn message4(kind: u8, payload: &[u8]) -> Vec<u8> {
    check_at([&[kind, 0, 0, 0][..], payload].concat(), 2, 0)
}

fn ip6(source: u128, destination: u128, class: u8, hops: u8, message: &[u8]) -> Vec<u8> {
    let length = message.len() as u16;
    let addresses = [source.to_be_bytes(), destination.to_be_bytes()].concat();
    let more = checksum::add(checksum::sum(&addresses), checksum::add(length, 58).to_be());
    let message = check_at(message.to_vec(), 2, more);
    let first = (0x6000_0000 | u32::from(class) << 20 | 0x1_2345).to_be_bytes();
    [
        &first[..],
        &length.to_be_bytes(),
        &[58, hops],
        &addresses,
        &message,
    ]
    .concat()
}

const HIM4: [u8; 4] = [192, 0, 2, 9];
const US4: [u8; 4] = [192, 0, 2, 1];
const HIM6: u128 = 0x2001_0db8_0000_0000_0000_0000_0000_0009;
const US6: u128 = 0x2001_0db8_0000_0000_0000_0000_0000_0001;

fn ping4(payload: &[u8]) -> Vec<u8> {
    ethernet(
        OUR,
        &[],
        0x0800,
        &ip4(HIM4, US4, 0, 17, 7, &message4(8, payload)),
    )
}

fn ping6(payload: &[u8]) -> Vec<u8> {
    let message = [&[128, 0, 0, 0][..], payload].concat();
    ethernet(OUR, &[], 0x86dd, &ip6(HIM6, US6, 0, 17, &message))
}

#[test]
fn echo_of_ipv4() {
    for size in [4u32, 5, 22, 60, 1472] {
        let payload: Vec<u8> = (0..size).map(|i| (i * 7) as u8).collect();
        for tos in [0, 0xb8, 0xff] {
            let request = ip4(HIM4, US4, tos, 17, 7, &message4(8, &payload));
            let own = u16::from_be_bytes([payload[0], payload[1]])
                .wrapping_add(u16::from_be_bytes([payload[2], payload[3]]));
            let reply = ip4_with(0, US4, HIM4, tos, 64, own, &message4(0, &payload));
            let mut reply = ethernet(HIS, &[], 0x0800, &reply);
            reply[6..12].copy_from_slice(&OUR);
            let mut request = ethernet(OUR, &[], 0x0800, &request);
            assert_eq!(ours().reply(&request), reply);
            // What is behind the packet goes.
            request.extend([0; 18]);
            assert_eq!(ours().reply(&request), reply);
        }
    }
}

#[test]
fn sources() {
    let (four, six) = (ping4(&[0; 20]), ping6(&[0; 20]));
    let source = |frame: &[u8]| ours().request(frame).source(frame);
    assert_eq!(source(&four), Some(Address::V4(u32::from_be_bytes(HIM4))));
    assert_eq!(source(&six), Some(Address::V6(HIM6)));
}

#[test]
fn no_flag_is_sent() {
    let message = |kind| message4(kind, &[0x12, 0x34, 0xff, 0x01, 5]);
    // What may be fragmented keeps its identification; what may not has none that counts.
    for (flags, id) in [(0x80, 7), (0xc0, 0x1135), (0, 7), (0x40, 0x1135)] {
        let request = ip4_with(flags, HIM4, US4, 0, 17, 7, &message(8));
        let reply = ip4_with(0, US4, HIM4, 0, 64, id, &message(0));
        let reply = [&HIS[..], &OUR, &[8, 0], &reply].concat();
        assert_eq!(ours().reply(&ethernet(OUR, &[], 0x0800, &request)), reply);
    }
}

#[test]
fn echo_of_ipv6() {
    for size in [4u32, 5, 22, 60, 1472] {
        let payload: Vec<u8> = (0..size).map(|i| (i * 7) as u8).collect();
        for class in [0, 0xb8, 0xff] {
            let message = |kind| [&[kind, 0, 0, 0][..], &payload].concat();
            let mut request = ethernet(OUR, &[], 0x86dd, &ip6(HIM6, US6, class, 3, &message(128)));
            let mut reply = ethernet(HIS, &[], 0x86dd, &ip6(US6, HIM6, class, 64, &message(129)));
            reply[6..12].copy_from_slice(&OUR);
            assert_eq!(ours().reply(&request), reply);
            request.extend([0; 18]);
            assert_eq!(ours().reply(&request), reply);
        }
    }
}

#[test]
fn every_checksum() {
    // A word of the payload takes all values, so that the checksum does, with both zeros.
    for word in 0..=0xffffu16 {
        let payload = [&[0, 0, 0, 0][..], &word.to_be_bytes()].concat();
        let reply = ours().reply(&ping4(&payload));
        assert_eq!(reply[34..], message4(0, &payload), "{word:x}");
        let reply = ours().reply(&ping6(&payload));
        let message = [&[129, 0, 0, 0][..], &payload].concat();
        assert_eq!(
            reply[54..],
            ip6(US6, HIM6, 0, 64, &message)[40..],
            "{word:x}"
        );
    }
}

#[test]
fn nothing_but_zeros() {
    for size in [4, 100] {
        let reply = ours().reply(&ping4(&vec![0; size]));
        assert_eq!(reply[34..38], [0, 0, 0xff, 0xff]);
    }
}

#[test]
fn tags_stay() {
    let plain = ping4(&[1; 30]);
    for tags in [&[0x81, 0, 0xa0, 5][..], &[0x88, 0xa8, 0, 9, 0x81, 0, 0, 5]] {
        let tagged = [&plain[..12], tags, &plain[12..]].concat();
        let (want, have) = (ours().reply(&plain), ours().reply(&tagged));
        assert_eq!(have, [&want[..12], tags, &want[12..]].concat());
    }
    let three = [&plain[..12], &[0x81, 0, 0, 5].repeat(3), &plain[12..]].concat();
    assert_eq!(ours().what(&three), None);
}

#[test]
fn who_is_answered() {
    let ping = |source, destination| {
        let ip = ip4(source, destination, 0, 64, 0, &message4(8, &[0; 20]));
        ours().what(&ethernet(OUR, &[], 0x0800, &ip))
    };
    assert!(matches!(
        ping(HIM4, [198, 51, 100, 77]),
        Some(What::Request(_))
    ));
    for other in [
        [192, 0, 2, 2],
        [255; 4],
        [224, 0, 0, 1],
        [127, 0, 0, 1],
        [0; 4],
    ] {
        assert_eq!(ping(HIM4, other), None, "{other:?}");
    }
    let refused = Some(What::Refused(Refusal::Source));
    for bad in [
        [0; 4],
        [0, 1, 2, 3],
        [127, 0, 0, 1],
        [224, 0, 0, 1],
        [240, 0, 0, 1],
        [255; 4],
        US4,
    ] {
        assert_eq!(ping(bad, US4), refused, "{bad:?}");
    }
    let ping = |source, destination| {
        let message = [128, 0, 0, 0, 0, 0, 0, 0];
        let ip = ip6(source, destination, 0, 64, &message);
        ours().what(&ethernet(OUR, &[], 0x86dd, &ip))
    };
    assert!(matches!(ping(HIM6, US6), Some(What::Request(_))));
    let all_nodes = u128::from_be_bytes(ALL_NODES);
    for other in [HIM6, 0, 1, all_nodes] {
        assert_eq!(ping(HIM6, other), None, "{other:x}");
    }
    for bad in [0, 1, all_nodes, US6, 0xffff_c000_0201] {
        assert_eq!(ping(bad, US6), refused, "{bad:x}");
    }
}

#[test]
fn macs() {
    for mut frame in [ping4(&[0; 20]), ping6(&[0; 20])] {
        let refused = Some(What::Refused(Refusal::Multicast));
        assert_eq!(link(&frame).unwrap().to, OUR.into());
        frame[..6].copy_from_slice(&ALL);
        assert_eq!(ours().what(&frame), refused);
        frame[..6].copy_from_slice(&[0x33, 0x33, 0, 0, 0, 1]);
        assert_eq!(ours().what(&frame), refused);
        frame[..6].copy_from_slice(&OUR);
        frame[6..12].copy_from_slice(&ALL);
        assert_eq!(ours().what(&frame), refused);
    }
}

#[test]
fn what_lies_is_refused() {
    let length = Some(What::Refused(Refusal::Length));
    let good = ping4(&[9; 20]);
    // The header's checksum is made right again, so that only the length is wrong.
    let lying = |total: u16| {
        let mut frame = good.clone();
        frame[16..18].copy_from_slice(&total.to_be_bytes());
        let header = check_at(frame[14..34].to_vec(), 10, 0);
        frame[14..34].copy_from_slice(&header);
        ours().what(&frame)
    };
    for total in [0, 19, 20, 27, 45, 1500, 0xffff] {
        assert_eq!(lying(total), length, "{total}");
    }
    assert!(matches!(lying(28), Some(What::Request(_))));
    let mut short = good.clone();
    short[14] = 0x44;
    assert_eq!(ours().what(&short), length);
    let mut options = good.clone();
    options[14] = 0x46;
    assert_eq!(ours().what(&options), Some(What::Passed(Passed::Options)));
    for bits in [[0x20, 0], [0, 1], [0x3f, 0xff]] {
        let mut fragment = good.clone();
        fragment[20..22].copy_from_slice(&bits);
        assert_eq!(ours().what(&fragment), Some(What::Passed(Passed::Fragment)));
    }
    let mut broken = good.clone();
    broken[24] ^= 1;
    assert_eq!(
        ours().what(&broken),
        Some(What::Refused(Refusal::HeaderChecksum))
    );

    let good = ping6(&[9; 20]);
    for length6 in [0u16, 7, 25, 0xffff] {
        let mut frame = good.clone();
        frame[18..20].copy_from_slice(&length6.to_be_bytes());
        assert_eq!(ours().what(&frame), length, "{length6}");
    }
    for (next, passed) in [
        (44, Passed::Fragment),
        (0, Passed::Extension),
        (60, Passed::Extension),
    ] {
        let mut frame = good.clone();
        frame[20] = next;
        assert_eq!(ours().what(&frame), Some(What::Passed(passed)));
    }
}

#[test]
fn checksums_are_compared() {
    for frame in [ping4(&[3; 21]), ping6(&[3; 21])] {
        let request = ours().request(&frame);
        let (offset, len) = request.message().unwrap();
        let message = &frame[offset as usize..][..len as usize];
        assert!(request.is_sound(checksum::sum(message)));
        for bit in 0..message.len() * 8 {
            let mut bad = message.to_vec();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(!request.is_sound(checksum::sum(&bad)), "bit {bit}");
        }
    }
}

#[test]
fn other_icmp_passes() {
    for kind in [0, 3, 5, 11, 13, 17, 42] {
        let ip = ip4(HIM4, US4, 0, 64, 0, &message4(kind, &[0; 20]));
        assert_eq!(ours().what(&ethernet(OUR, &[], 0x0800, &ip)), None);
    }
    for kind in [1, 129, 133, 136, 160] {
        let ip = ip6(
            HIM6,
            US6,
            0,
            255,
            &[&[kind, 0, 0, 0][..], &[0; 20]].concat(),
        );
        assert_eq!(ours().what(&ethernet(OUR, &[], 0x86dd, &ip)), None);
    }
}

#[test]
fn no_frame_is_too_short_or_too_odd() {
    let tagged =
        |frame: &[u8]| [&frame[..12], &[0x81, 0, 0, 5, 0x81, 0, 0, 6], &frame[12..]].concat();
    let whole = [
        ping4(&[1; 8]),
        ping6(&[1; 8]),
        arp_request(HIM4, US4),
        solicit(HIM6, &[1, 1, 2, 0, 0, 0, 0, 10]),
    ];
    for frame in whole.iter().cloned().chain(whole.iter().map(|f| tagged(f))) {
        for cut in 0..frame.len() {
            if let Some(What::Request(request)) = ours().what(&frame[..cut]) {
                panic!("{cut}: {request:?}");
            }
        }
        // Whatever is turned over, what is found is in the frame, and a reply of it can be made.
        for bit in 0..frame.len() * 8 {
            let mut odd = frame.clone();
            odd[bit / 8] ^= 1 << (bit % 8);
            if let Some(What::Request(request)) = ours().what(&odd) {
                if let Some((offset, len)) = request.message() {
                    assert!((offset + len) as usize <= odd.len());
                }
                let (len, head) = request.lengths();
                odd.resize(len as usize, 0);
                assert!(request
                    .reply(&mut odd[..head as usize], OUR.into())
                    .is_some());
            }
        }
    }
}

fn arp_request(source: [u8; 4], target: [u8; 4]) -> Vec<u8> {
    let arp = [
        &[0, 1, 8, 0, 6, 4, 0, 1][..],
        &HIS,
        &source,
        &[0; 6],
        &target,
    ]
    .concat();
    ethernet(ALL, &[], 0x0806, &arp)
}

#[test]
fn arp_is_answered() {
    for source in [HIM4, [0; 4]] {
        let arp = [&[0, 1, 8, 0, 6, 4, 0, 2][..], &OUR, &US4, &HIS, &source].concat();
        let want = [&HIS[..], &OUR, &[8, 6], &arp].concat();
        let mut request = arp_request(source, US4);
        assert_eq!(ours().reply(&request), want);
        request.extend([0; 18]);
        assert_eq!(ours().reply(&request), want);
    }
    assert_eq!(ours().what(&arp_request(HIM4, [192, 0, 2, 2])), None);
    assert_eq!(ours().what(&arp_request(US4, US4)), None);
    assert_eq!(
        ours().what(&arp_request([127, 0, 0, 1], US4)),
        Some(What::Refused(Refusal::Source))
    );
    for at in 14..22 {
        let mut odd = arp_request(HIM4, US4);
        odd[at] ^= 2;
        assert_eq!(ours().what(&odd), None, "{at}");
    }
    let off = arp_request(HIM4, US4);
    assert_eq!(ours().find(&off, false), None);
}

fn solicit(source: u128, options: &[u8]) -> Vec<u8> {
    solicit_to(source, SOLICITED | US6 & 0xff_ffff, options)
}

fn solicit_to(source: u128, destination: u128, options: &[u8]) -> Vec<u8> {
    solicit_for(US6, source, destination, options)
}

fn solicit_for(target: u128, source: u128, destination: u128, options: &[u8]) -> Vec<u8> {
    let target = target.to_be_bytes();
    let message = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &target, options].concat();
    let ip = ip6(source, destination, 0, 255, &message);
    ethernet([0x33, 0x33, 0xff, 0, 0, 1], &[], 0x86dd, &ip)
}

fn advertise(to: [u8; 6], destination: u128, flags: u8, option: &[u8]) -> Vec<u8> {
    advertise_for(US6, to, destination, flags, option)
}

fn advertise_for(
    target: u128,
    to: [u8; 6],
    destination: u128,
    flags: u8,
    option: &[u8],
) -> Vec<u8> {
    let message = [
        &[136, 0, 0, 0, flags, 0, 0, 0][..],
        &target.to_be_bytes(),
        option,
    ]
    .concat();
    let mut ip = ip6(target, destination, 0, 255, &message);
    ip[..4].copy_from_slice(&[0x60, 0, 0, 0]);
    [&to[..], &OUR, &[0x86, 0xdd], &ip].concat()
}

const HIS_ADDRESS: [u8; 8] = [1, 1, 2, 0, 0, 0, 0, 0x0a];
const OUR_ADDRESS: [u8; 8] = [2, 1, 2, 0, 0, 0, 0, 1];

#[test]
fn solicitations_are_answered() {
    let list = ours();
    let to_him = advertise(HIS, HIM6, 0x60, &OUR_ADDRESS);
    assert_eq!(list.reply(&solicit(HIM6, &HIS_ADDRESS)), to_him);
    assert_eq!(list.reply(&solicit(HIM6, &[])), to_him);
    let nonce = [14, 1, 1, 2, 3, 4, 5, 6];
    assert_eq!(
        list.reply(&solicit(HIM6, &[HIS_ADDRESS, nonce].concat())),
        to_him
    );
    assert_eq!(
        list.reply(&[solicit(HIM6, &[]), vec![0; 30]].concat()),
        to_him
    );
    // To us alone, by one who only wants to know whether we are still there.
    let mut alone = solicit_to(HIM6, US6, &HIS_ADDRESS);
    alone[..6].copy_from_slice(&OUR);
    assert_eq!(list.reply(&alone), advertise(HIS, HIM6, 0x40, &[]));
    // By one who wants to have our address.
    let all = u128::from_be_bytes(ALL_NODES);
    let to_all = advertise(ALL_NODES_MAC, all, 0x20, &OUR_ADDRESS);
    assert_eq!(list.reply(&solicit(0, &[])), to_all);
    assert_eq!(list.reply(&solicit(0, &nonce)), to_all);
}

/// Of a prefix any host may have an address (RFC 4861, 7.2.4; RFC 4862, 5.4).
#[test]
fn what_is_shared_is_not_defended() {
    const SHARED: u128 = 0x2001_0db8_00aa_0000_0000_0000_0000_0077;
    let list = Block(List::of(
        "192.0.2.1,198.51.100.0/24,2001:db8::1,2001:db8:aa::/64",
    ));
    let group = SOLICITED | SHARED & 0xff_ffff;
    assert_eq!(list.what(&solicit_for(SHARED, 0, group, &[])), None);
    assert_eq!(
        list.reply(&solicit_for(SHARED, HIM6, group, &HIS_ADDRESS)),
        advertise_for(SHARED, HIS, HIM6, 0x40, &OUR_ADDRESS)
    );
    assert_eq!(list.what(&arp_request([0; 4], [198, 51, 100, 7])), None);
    list.request(&arp_request(HIM4, [198, 51, 100, 7]));
    // It is ours alone where it was named, too.
    let list = Block(List::of("2001:db8:aa::/64,2001:db8:aa::77"));
    let all = u128::from_be_bytes(ALL_NODES);
    assert_eq!(
        list.reply(&solicit_for(SHARED, 0, group, &[])),
        advertise_for(SHARED, ALL_NODES_MAC, all, 0x20, &OUR_ADDRESS)
    );
}

#[test]
fn all_options_are_read() {
    let list = ours();
    let nonce = [14, 1, 1, 2, 3, 4, 5, 6];
    for count in [4, 5, 6, 100] {
        let many = nonce.repeat(count);
        assert_eq!(
            list.reply(&solicit(HIM6, &many)),
            advertise(HIS, HIM6, 0x60, &OUR_ADDRESS)
        );
        let refused = Some(What::Refused(Refusal::Neighbour));
        let with = |source, last: &[u8]| list.what(&solicit(source, &[&many, last].concat()));
        assert_eq!(with(0, &HIS_ADDRESS), refused, "{count}");
        assert_eq!(with(HIM6, &[14, 0, 0, 0, 0, 0, 0, 0]), refused, "{count}");
        assert_eq!(with(HIM6, &[14, 2, 0, 0, 0, 0, 0, 0]), refused, "{count}");
    }
}

#[test]
fn solicitations_have_rules() {
    let list = ours();
    let refused = Some(What::Refused(Refusal::Neighbour));
    assert_eq!(list.what(&solicit(0, &HIS_ADDRESS)), refused);
    assert_eq!(list.what(&solicit_to(0, US6, &[])), refused);
    assert_eq!(
        list.what(&solicit_to(0, u128::from_be_bytes(ALL_NODES), &[])),
        refused
    );
    assert_eq!(
        list.what(&solicit(HIM6, &[1, 0, 0, 0, 0, 0, 0, 0])),
        refused
    );
    assert_eq!(
        list.what(&solicit(HIM6, &[1, 2, 0, 0, 0, 0, 0, 0])),
        refused
    );
    assert_eq!(list.what(&solicit(HIM6, &[1])), refused);
    assert_eq!(
        list.what(&solicit(1, &[])),
        Some(What::Refused(Refusal::Source))
    );
    let mut near = solicit(HIM6, &[]);
    near[21] = 254;
    assert_eq!(list.what(&near), refused);
    let mut code = solicit(HIM6, &[]);
    code[55] = 1;
    assert_eq!(list.what(&code), refused);
    let mut short = solicit(HIM6, &[]);
    short[19] = 23;
    assert_eq!(list.what(&short), Some(What::Refused(Refusal::Length)));
    let mut other = solicit(HIM6, &[]);
    other[77] ^= 4;
    assert_eq!(list.what(&other), None);
}

/// `HeaderChecksum` as `header-checksum`.
fn name(variant: impl core::fmt::Debug) -> String {
    let mut name = String::new();
    for c in format!("{variant:?}").chars() {
        if c.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

#[test]
fn names_are_in_order() {
    use Passed::{Extension, Fragment, Options};
    use Refusal::{
        Checksum, HeaderChecksum, Length, Multicast, Neighbour, Rate, RateSource, Source,
    };
    let refusals = [
        Length,
        HeaderChecksum,
        Checksum,
        Multicast,
        Source,
        Neighbour,
        RateSource,
        Rate,
    ];
    let names = refusals.map(|why| (why as usize, format!("refused.{}", name(why))));
    assert!(names.iter().eq(&Refusal::NAMES
        .map(String::from)
        .into_iter()
        .enumerate()
        .collect::<Vec<_>>()));
    let names =
        [Fragment, Options, Extension].map(|why| (why as usize, format!("passed.{}", name(why))));
    assert!(names.iter().eq(&Passed::NAMES
        .map(String::from)
        .into_iter()
        .enumerate()
        .collect::<Vec<_>>()));
    let malformed = refusals.into_iter().filter(|why| why.is_malformed());
    assert!(malformed.eq([Length, HeaderChecksum, Checksum, Neighbour]));
}
