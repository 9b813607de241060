// SPDX-License-Identifier: GPL-2.0

use super::{
    address::Address,
    exporter::{Exporter, Format, Tally, Version},
    file::{self, Cursor},
    index::Index,
    key::{self, read, read_any, Keys, Masks, Place, Seen, Spec, Why},
    memory::{Chunk, Sizes, CHUNK},
    pipeline::{Done, Due, Pipeline},
    record::{End, Ends, Flow, Hot, Rest, Reverse, Times},
    sampling::{Mode, Sampler, Sampling},
    setting::{Parts, Target},
    table::{Counted, Rules, Table},
    template::Clock,
    HashKey,
};
use std::{collections::HashMap, fmt::Display};

const USUAL: Spec = Spec {
    parts: Parts::USUAL.0,
    prefix4: 32,
    prefix6: 128,
    biflow: false,
};
const TIMES: Times = Times {
    active: 60_000,
    idle: 15_000,
    closing: 1000,
};

fn texts<T: Display + PartialEq>(parse: fn(&str) -> Option<T>, good: &[&str], bad: &[&str]) {
    for text in good {
        let value = parse(text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(value.to_string(), *text);
    }
    for text in bad {
        assert!(parse(text).is_none(), "{text}");
    }
}

#[test]
fn settings_are_texts() {
    texts(
        Parts::parse,
        &[
            "addresses",
            "addresses,ports,protocol,tos,interface",
            "addresses,ports,protocol,tos,interface,vlan,mac,label,mpls",
            "vlan",
        ],
        &["", "port", "ports,", "ports,ports", "ports, tos", "PORTS"],
    );
    texts(
        Sampling::parse,
        &["deterministic:2", "random:100", "hash:16383"],
        &[
            "",
            "random",
            "random:",
            "random:1",
            "random:0",
            "hash:16384",
            "hash:+5",
            "hash:05",
            "count:5",
            "random:5:6",
        ],
    );
    texts(
        Target::parse,
        &[
            "192.0.2.1:2055",
            "[2001:db8::1]:4739",
            "tcp:127.0.0.1:1",
            "sctp:[::1]:4739",
        ],
        &[
            "",
            "192.0.2.1",
            "192.0.2.1:0",
            "192.0.2.1:65536",
            "192.0.2.1:+1",
            "2001:db8::1:4739",
            "[192.0.2.1]:5",
            "[2001:db8::1]",
            "0.0.0.0:5",
            "[::]:5",
            "host:5",
            "tcp:",
            "tcp:192.0.2.1",
            "tls:192.0.2.1:4740",
            "TCP:192.0.2.1:4739",
            "tcp:udp:192.0.2.1:4739",
        ],
    );
    let target = Target::parse("udp:192.0.2.1:2055");
    assert_eq!(target, Target::parse("192.0.2.1:2055"));
    assert!(target.is_some_and(|target| !target.is_connected()));
}

/// A flow and its packets' bytes.
#[derive(Clone, Copy)]
struct Made {
    protocol: u8,
    source: u32,
    destination: u32,
    ports: (u16, u16),
    tos: u8,
    flags: u8,
    len: usize,
}

const MADE: Made = Made {
    protocol: 17,
    source: 0xc000_0201,
    destination: 0xc633_6402,
    ports: (1024, 53),
    tos: 0,
    flags: 0,
    len: 100,
};

fn transport(made: &Made) -> Vec<u8> {
    let mut data = vec![];
    if matches!(made.protocol, 1 | 58) {
        data.extend(made.ports.1.to_be_bytes());
    } else {
        data.extend(made.ports.0.to_be_bytes());
        data.extend(made.ports.1.to_be_bytes());
    }
    data.resize(made.len, 0);
    if made.protocol == 6 {
        (data[12], data[13]) = (0x50, made.flags);
    }
    data
}

const MACS: [u8; 12] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];

fn ethernet(tags: &[u16], kind: u16, data: &[u8]) -> Vec<u8> {
    let mut frame = MACS.to_vec();
    for tag in tags {
        frame.extend(0x8100_u16.to_be_bytes());
        frame.extend(tag.to_be_bytes());
    }
    frame.extend(kind.to_be_bytes());
    frame.extend(data);
    frame
}

fn ipv4(made: &Made, place: u16) -> Vec<u8> {
    let data = transport(made);
    let mut packet = vec![0x45, made.tos];
    packet.extend((20 + data.len() as u16).to_be_bytes());
    packet.extend([0, 7]);
    packet.extend(place.to_be_bytes());
    packet.extend([64, made.protocol, 0, 0]);
    packet.extend(made.source.to_be_bytes());
    packet.extend(made.destination.to_be_bytes());
    packet.extend(data);
    packet
}

fn ipv6(made: &Made, label: u32, extensions: &[u8]) -> Vec<u8> {
    let data = [extensions, &transport(made)].concat();
    let mut packet = (6 << 28 | u32::from(made.tos) << 20 | label)
        .to_be_bytes()
        .to_vec();
    packet.extend((data.len() as u16).to_be_bytes());
    packet.extend([
        if extensions.is_empty() {
            made.protocol
        } else {
            44
        },
        64,
    ]);
    packet.extend((0x2001_0db8_u128 << 96 | u128::from(made.source)).to_be_bytes());
    packet.extend((0x2001_0db8_u128 << 96 | u128::from(made.destination)).to_be_bytes());
    packet.extend(data);
    packet
}

fn seen_by(frame: &[u8], place: &Place, spec: Spec) -> Result<Seen, Why> {
    let masks = Masks::new(spec);
    let read = |bytes: &[u8], mut seen: Seen| {
        read(bytes, frame.len(), place, &masks, &mut seen).map(|()| seen)
    };
    let whole = read(frame, Seen::NONE);
    // A packet like most is read by itself, with the same result.
    let one_way = Masks::new(Spec {
        biflow: false,
        ..spec
    });
    let (mut seen, mut any) = (Seen::NONE, Seen::NONE);
    assert_eq!(
        super::key::read(frame, frame.len(), place, &one_way, &mut seen).map(|()| seen),
        read_any(frame, frame.len(), place, &one_way, &mut any).map(|()| any)
    );
    // What was there before makes no difference.
    let other = Seen {
        addresses: 1,
        what: 2,
        place: 3,
        labels: 4,
        wide: [5; 4],
        macs: [[6; 6]; 2],
        packets: 7,
        bytes: 8,
        flags: 9,
        swapped: true,
    };
    if let (Ok(seen), Ok(other)) = (whole, read(frame, other)) {
        let key = Keys::new(&HashKey(5));
        assert_eq!(seen.hash(&key, &masks), other.hash(&key, &masks));
        assert_eq!(Hot::new(&seen, 1, 2), Hot::new(&other, 1, 2));
        assert!(seen.what & key::IS_V6 == 0 || seen.wide == other.wide);
    }
    // Fewer bytes than there are give the same answer in the end.
    let mut given = 0;
    let slowly = loop {
        match read(&frame[..given], Seen::NONE) {
            Err(Why::More(more)) => {
                assert!(more > given && more <= frame.len());
                given = more;
            }
            end => break end,
        }
    };
    assert_eq!(slowly, whole);
    whole
}

fn seen(frame: &[u8]) -> Seen {
    seen_by(frame, &Place::default(), USUAL).unwrap()
}

/// What a flow says that consists of one packet.
fn flow_of(seen: &Seen) -> Flow {
    Flow {
        hot: Hot::new(seen, 0, 0),
        wide: seen.wide,
        rest: Rest {
            output: 0,
            macs: seen.macs,
        },
        reverse: Reverse::EMPTY,
    }
}

#[test]
fn packets_say_of_which_flow_they_are() {
    let made = Made {
        protocol: 6,
        tos: 0xb8,
        flags: 0x12,
        ..MADE
    };
    let mut frame = ethernet(&[], 0x800, &ipv4(&made, 0x4000));
    frame.extend([0; 10]);
    let with_macs = Spec {
        parts: USUAL.parts | key::MAC,
        ..USUAL
    };
    let seen = seen_by(&frame, &Place::default(), with_macs).unwrap();
    let flow = flow_of(&seen);
    assert_eq!(flow.ends(), Ends::V4(0xc000_0201, 0xc633_6402));
    assert_eq!((flow.ports(), flow.protocol()), ((1024, 53), 6));
    assert_eq!((flow.tos(), flow.hot.flags), (0xb8, 0x12));
    assert_eq!((flow.hot.packets, flow.hot.bytes), (1, 120));
    assert_eq!(flow.macs(), ([2, 0, 0, 0, 0, 2], [2, 0, 0, 0, 0, 1]));
    let frame = ethernet(&[], 0x86dd, &ipv6(&made, 0x12345, &[]));
    let flow = flow_of(&self::seen(&frame));
    let address = |host: u32| 0x2001_0db8_u128 << 96 | u128::from(host);
    assert_eq!(
        flow.ends(),
        Ends::V6(address(0xc000_0201), address(0xc633_6402))
    );
    assert_eq!((flow.ports(), flow.tos()), ((1024, 53), 0xb8));
    assert_eq!((flow.flow_label(), flow.hot.bytes), (0x12345, 140));
}

#[test]
fn tags_and_labels_are_looked_behind() {
    let data = ipv4(&MADE, 0);
    for (beside, tags, vlans) in [
        (None, &[][..], (0, 0)),
        (None, &[0xa005][..], (5, 0)),
        (None, &[5, 6, 7][..], (5, 6)),
        (Some(0xe009), &[5][..], (9, 5)),
        (Some(9), &[][..], (9, 0)),
    ] {
        let place = Place {
            tag: beside,
            device: 3,
            ..Place::default()
        };
        let frame = ethernet(tags, 0x800, &data);
        let flow = flow_of(&seen_by(&frame, &place, USUAL).unwrap());
        assert_eq!((flow.vlan(), flow.inner_vlan()), vlans);
        assert_eq!((flow.input(), flow.ports()), (3, (1024, 53)));
    }
    let frame = ethernet(&[1; 6], 0x800, &data);
    let place = Place::default();
    assert_eq!(seen_by(&frame, &place, USUAL), Err(Why::Malformed));
    let labels = [&[0, 1, 0, 64, 0, 2, 0x17, 64][..], &data].concat();
    let flow = flow_of(&seen(&ethernet(&[], 0x8847, &labels)));
    assert_eq!((flow.mpls(), flow.ports()), (0x100, (1024, 53)));
    // A pseudowire, and labels without an end.
    let other = ethernet(&[], 0x8847, &[0, 1, 1, 64, 0, 0, 0, 0]);
    assert_eq!(seen_by(&other, &place, USUAL), Err(Why::Other));
    let endless = ethernet(&[], 0x8847, &[0; 64]);
    assert_eq!(seen_by(&endless, &place, USUAL), Err(Why::Malformed));
    assert_eq!(
        seen_by(&ethernet(&[], 0x806, &[0; 28]), &place, USUAL),
        Err(Why::Other)
    );
    assert_eq!(seen_by(&MACS, &place, USUAL), Err(Why::Malformed));
}

#[test]
fn ports_are_of_first_fragments() {
    let ports = |frame: &[u8]| flow_of(&seen(frame)).ports();
    for (place, expected) in [
        (0x4000, (1024, 53)),
        (0x2000, (1024, 53)),
        (0x2001, (0, 0)),
        (0x0001, (0, 0)),
    ] {
        assert_eq!(ports(&ethernet(&[], 0x800, &ipv4(&MADE, place))), expected);
    }
    for (place, expected) in [(0, (1024, 53)), (1, (1024, 53)), (9, (0, 0))] {
        let header = [17, 0, 0, place, 0, 0, 0, 1];
        let frame = ethernet(&[], 0x86dd, &ipv6(&MADE, 0, &header));
        assert_eq!(ports(&frame), expected);
        assert_eq!(flow_of(&seen(&frame)).protocol(), 17);
    }
    let echo = Made {
        protocol: 1,
        ports: (0, 0x0800),
        len: 8,
        ..MADE
    };
    assert_eq!(ports(&ethernet(&[], 0x800, &ipv4(&echo, 0))), (0, 0x800));
    // A header that is cut off has no ports.
    let short = Made { len: 3, ..MADE };
    let mut bytes = ipv4(&Made { len: 8, ..short }, 0);
    bytes.truncate(23);
    bytes[3] = 23;
    assert_eq!(ports(&ethernet(&[], 0x800, &bytes)), (0, 0));
}

#[test]
fn lengths_that_contradict_are_malformed() {
    let place = Place::default();
    for (at, value) in [(0, 0x35), (0, 0x44), (3, 19), (3, 121), (2, 1)] {
        let mut packet = ipv4(&MADE, 0);
        packet[at] = value;
        let frame = ethernet(&[], 0x800, &packet);
        assert_eq!(seen_by(&frame, &place, USUAL), Err(Why::Malformed));
    }
    for (at, value) in [(0, 0x50), (5, 101), (4, 1)] {
        let mut packet = ipv6(&MADE, 0, &[]);
        packet[at] = value;
        let frame = ethernet(&[], 0x86dd, &packet);
        assert_eq!(seen_by(&frame, &place, USUAL), Err(Why::Malformed));
    }
    let mut random = Random(1);
    let frames = [
        ethernet(
            &[5, 6],
            0x800,
            &ipv4(
                &Made {
                    protocol: 6,
                    ..MADE
                },
                0x2000,
            ),
        ),
        ethernet(&[], 0x86dd, &ipv6(&MADE, 5, &[17, 0, 0, 1, 0, 0, 0, 1])),
        ethernet(&[], 0x8847, &[&[0, 1, 1, 64][..], &ipv4(&MADE, 0)].concat()),
    ];
    for _ in 0..200_000 {
        let mut frame = frames[random.below(3) as usize].clone();
        for _ in 0..random.below(6) {
            let at = random.below(frame.len() as u64) as usize;
            frame[at] = random.below(256) as u8;
        }
        frame.truncate(random.below(frame.len() as u64 + 1) as usize);
        let spec = Spec {
            biflow: random.below(2) == 0,
            ..USUAL
        };
        if let Ok(seen) = seen_by(&frame, &place, spec) {
            assert!(seen.bytes as usize <= frame.len());
        }
    }
}

#[test]
fn super_packets_count_as_what_they_stand_for() {
    let made = Made {
        protocol: 6,
        len: 20 + 3000,
        ..MADE
    };
    let place = Place {
        segment: Some(1400),
        ..Place::default()
    };
    for (frame, headers) in [
        (ethernet(&[5], 0x800, &ipv4(&made, 0)), 40),
        (ethernet(&[], 0x86dd, &ipv6(&made, 0, &[])), 60),
    ] {
        let seen = seen_by(&frame, &place, USUAL).unwrap();
        assert_eq!((seen.packets, seen.bytes), (3, 3000 + 3 * headers));
    }
    let mut long = ipv4(&made, 0);
    long.resize(70_000, 0);
    (long[2], long[3]) = (0, 0);
    let seen = seen_by(&ethernet(&[], 0x800, &long), &place, USUAL).unwrap();
    assert_eq!((seen.packets, seen.bytes), (50, 70_000 + 49 * 40));
    // In a capture of a sender such a packet need not be that long.
    let captured = Place {
        fills: true,
        ..Place::default()
    };
    let mut packet = ipv4(&made, 0);
    (packet[2], packet[3]) = (0, 0);
    let frame = ethernet(&[], 0x800, &packet);
    let seen = seen_by(&frame, &captured, USUAL).unwrap();
    assert_eq!((seen.packets, seen.bytes), (1, 3040));
    assert_eq!(
        seen_by(&frame, &Place::default(), USUAL),
        Err(Why::Malformed)
    );
}

#[test]
fn keys_have_the_parts_that_are_asked_for() {
    let base = ethernet(&[5], 0x800, &ipv4(&MADE, 0));
    let other_port = ethernet(
        &[5],
        0x800,
        &ipv4(
            &Made {
                ports: (1024, 54),
                ..MADE
            },
            0,
        ),
    );
    let other_host = ethernet(
        &[5],
        0x800,
        &ipv4(
            &Made {
                source: 0xc000_0209,
                ..MADE
            },
            0,
        ),
    );
    let other_net = ethernet(
        &[5],
        0x800,
        &ipv4(
            &Made {
                source: 0xc000_0301,
                ..MADE
            },
            0,
        ),
    );
    let other_tos = ethernet(&[5], 0x800, &ipv4(&Made { tos: 4, ..MADE }, 0));
    let other_vlan = ethernet(&[6], 0x800, &ipv4(&MADE, 0));
    let mut other_mac = base.clone();
    other_mac[5] = 9;
    let six = ethernet(&[], 0x86dd, &ipv6(&MADE, 1, &[]));
    let other_label = ethernet(&[], 0x86dd, &ipv6(&MADE, 2, &[]));
    let same = |parts: u16, prefix4: u8, one: &[u8], other: &[u8]| {
        let spec = Spec {
            parts,
            prefix4,
            ..USUAL
        };
        let masks = Masks::new(spec);
        let [one, other] =
            [one, other].map(|frame| seen_by(frame, &Place::default(), spec).unwrap());
        let key = Keys::new(&HashKey(7));
        let hashes_alike = one.hash(&key, &masks) == other.hash(&key, &masks);
        let mut table = Table::new(&Sizes::of(10, 1)).unwrap();
        let rules = Rules {
            masks: &masks,
            times: &TIMES,
            now: 0,
            output: 0,
        };
        for seen in [one, other] {
            table.count(&seen, seen.hash(&key, &masks), &rules, || Chunk::new(false));
        }
        assert_eq!(table.active() == 1, hashes_alike);
        table.active() == 1
    };
    let usual = USUAL.parts;
    assert!(same(usual, 32, &base, &base));
    assert!(!same(usual, 32, &base, &other_port));
    assert!(same(usual & !key::PORTS, 32, &base, &other_port));
    assert!(!same(usual, 32, &base, &other_host));
    assert!(same(usual, 24, &base, &other_host));
    assert!(!same(usual, 24, &base, &other_net));
    assert!(same(usual, 0, &base, &other_net));
    assert!(same(key::PROTOCOL, 32, &base, &other_net));
    assert!(!same(usual, 32, &base, &other_tos));
    assert!(same(usual & !key::TOS, 32, &base, &other_tos));
    assert!(same(usual, 32, &base, &other_vlan));
    assert!(!same(usual | key::VLAN, 32, &base, &other_vlan));
    assert!(same(usual, 32, &base, &other_mac));
    assert!(!same(usual | key::MAC, 32, &base, &other_mac));
    assert!(same(usual, 32, &six, &other_label));
    assert!(!same(usual | key::LABEL, 32, &six, &other_label));
    assert!(!same(key::PROTOCOL, 32, &base, &six));
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

#[test]
fn an_index_has_room_for_all_flows() {
    let hash = |random: &mut Random| random.below(1 << 32) as u32;
    for seed in 1..50 {
        let (mut random, mut index) = (Random(seed), Index::new(800).unwrap());
        let mut hashes: Vec<u32> = (0..8000).map(|_| hash(&mut random)).collect();
        let found = |index: &Index, number: u32, hash: u32| {
            index.find(hash, |other| other == number) == Some(number)
        };
        for (number, hash) in (0..).zip(&hashes) {
            assert!(index.insert(*hash, number), "{number} in a table of 8000");
        }
        // Flows go, and others come.
        let mut refused = 0;
        for _ in 0..16_000 {
            let number = random.below(8000) as u32;
            let place = &mut hashes[number as usize];
            index.remove(*place, number);
            assert!(!found(&index, number, *place));
            *place = hash(&mut random);
            while !index.insert(*place, number) {
                (refused, *place) = (refused + 1, hash(&mut random));
            }
        }
        assert!(refused < 2, "{refused} of 16000");
        for (number, hash) in (0..).zip(&hashes) {
            assert!(found(&index, number, *hash));
            index.remove(*hash, number);
        }
        // Nothing is left of them.
        assert!(hashes.iter().all(|hash| index.all(*hash).count() == 0));
        assert!(hashes
            .iter()
            .all(|hash| index.find(*hash, |_| true).is_none()));
    }
}

/// Chunks that tables share.
struct Pool(Vec<Chunk>);

impl Pool {
    fn new(sizes: &Sizes, biflow: bool) -> Self {
        Self(
            (0..sizes.chunks)
                .map(|_| Chunk::new(biflow).unwrap())
                .collect(),
        )
    }
}

/// A table with its pool.
struct Bench {
    table: Table,
    pool: Pool,
    masks: Masks,
    times: Times,
    key: Keys,
    lost: Tally,
    counted: Tally,
    taken: Tally,
    flows: Vec<Flow>,
}

impl Bench {
    fn new(flows: u32, spec: Spec) -> Self {
        let sizes = Sizes::of(flows, 1);
        Self {
            table: Table::new(&sizes).unwrap(),
            pool: Pool::new(&sizes, spec.biflow),
            masks: Masks::new(spec),
            times: TIMES,
            key: Keys::new(&HashKey(7)),
            lost: Tally::default(),
            counted: Tally::default(),
            taken: Tally::default(),
            flows: vec![],
        }
    }

    fn count(&mut self, seen: &Seen, now: u32) -> Counted {
        let rules = Rules {
            masks: &self.masks,
            times: &self.times,
            now,
            output: 5,
        };
        let tally = Tally {
            flows: 0,
            packets: seen.packets.into(),
            bytes: seen.bytes.into(),
        };
        let hash = seen.hash(&self.key, &self.masks);
        let pool = &mut self.pool.0;
        let counted = self.table.count(seen, hash, &rules, || pool.pop());
        self.counted.add(&tally);
        if counted == Counted::Lost {
            self.lost.add(&tally);
        }
        counted
    }

    /// A packet has come out of a pipeline.
    fn done(&mut self, done: Option<Done>) {
        let Some(done) = done else { return };
        let tally = Tally {
            flows: 0,
            packets: done.packets.into(),
            bytes: done.bytes.into(),
        };
        self.counted.add(&tally);
        if done.counted == Counted::Lost {
            self.lost.add(&tally);
        }
    }

    fn frame(&mut self, made: &Made, now: u32) -> Counted {
        let frame = ethernet(&[], 0x800, &ipv4(made, 0));
        let seen = seen_by(&frame, &Place::default(), self.masks.spec).unwrap();
        self.count(&seen, now)
    }

    fn sweep(&mut self, now: u32, all: bool) {
        let mut from = Some(0);
        while let Some(at) = from {
            from = self.table.sweep(at, 100, (now, &self.times), all);
        }
    }

    fn take(&mut self) -> Vec<Flow> {
        let mut taken = vec![];
        loop {
            let mut some = Vec::with_capacity(33);
            self.table.take(&mut some);
            if some.is_empty() {
                break;
            }
            taken.extend(some);
        }
        for flow in &taken {
            self.taken.add(&Tally::of(flow));
        }
        self.flows.extend(&taken);
        while let Some(chunk) = self.table.give_back() {
            self.pool.0.push(chunk);
        }
        taken
    }

    /// All that was counted has been taken, or was lost.
    fn settle(&mut self, now: u32) {
        self.sweep(now, true);
        self.take();
        let mut all = self.taken;
        all.add(&self.lost);
        assert_eq!(
            (all.packets, all.bytes),
            (self.counted.packets, self.counted.bytes)
        );
        assert_eq!((self.table.active(), self.table.waiting()), (0, 0));
        assert_eq!(self.taken.flows, self.table.begun);
        assert_eq!(self.table.ended.iter().sum::<u64>(), self.table.begun);
    }
}

#[test]
fn flows_are_those_of_a_simple_map() {
    let mut random = Random(42);
    // The clock runs over in the middle of it.
    let start = u32::MAX - 100_000;
    let mut bench = Bench::new(50_000, USUAL);
    let mut model: HashMap<(u32, u16), (u64, u64)> = HashMap::new();
    bench.times = Times {
        active: 1 << 30,
        idle: 1 << 30,
        ..TIMES
    };
    for number in 0..400_000_u32 {
        let host = random.below(1000) as u32;
        let port = random.below(30) as u16;
        let made = Made {
            source: 0x0a00_0000 | host,
            ports: (port, 80),
            len: 8 + random.below(50) as usize,
            ..MADE
        };
        bench.frame(&made, start.wrapping_add(number));
        let entry = model.entry((made.source, port)).or_default();
        *entry = (entry.0 + 1, entry.1 + 20 + made.len as u64);
    }
    assert_eq!(bench.lost, Tally::default());
    assert_eq!(bench.table.active() as usize, model.len());
    let mut seen = Vec::with_capacity(100_000);
    let mut from = Some(0);
    while let Some(at) = from {
        from = bench.table.look(at, 1000, &mut seen);
    }
    assert_eq!(seen.len(), model.len());
    bench.settle(start.wrapping_add(400_000));
    for flow in &bench.flows {
        let Ends::V4(source, _) = flow.ends() else {
            panic!("{flow:?}");
        };
        let entry = model.remove(&(source, flow.ports().0)).unwrap();
        assert_eq!((flow.hot.packets, flow.hot.bytes), entry);
        assert!(flow.hot.last.wrapping_sub(flow.hot.first) < 400_000);
    }
    assert!(model.is_empty());
    assert_eq!(bench.pool.0.len(), Sizes::of(50_000, 1).chunks as usize);
}

#[test]
fn flows_end_by_their_times() {
    let mut bench = Bench::new(1000, USUAL);
    let reasons = |bench: &mut Bench| -> Vec<u8> {
        let flows = bench.take();
        flows.iter().map(Flow::reason).collect()
    };
    bench.frame(&MADE, 0);
    bench.sweep(14_999, false);
    assert!(reasons(&mut bench).is_empty());
    bench.sweep(15_000, false);
    assert_eq!(reasons(&mut bench), [End::Idle as u8]);
    // One that never rests.
    for now in (0..150_000).step_by(10_000) {
        bench.frame(&MADE, 20_000 + now);
        bench.sweep(20_000 + now, false);
    }
    assert_eq!(reasons(&mut bench), [End::Active as u8; 2]);
    // A packet that comes before anybody looks is of another flow.
    bench.frame(&MADE, 400_000);
    assert_eq!(reasons(&mut bench), [End::Idle as u8]);
    // FIN and RST; what comes soon after is still of the flow, but for another connection.
    let tcp = |flags| Made {
        protocol: 6,
        flags,
        ..MADE
    };
    bench.frame(&tcp(0x02), 400_000);
    bench.frame(&tcp(0x11), 400_100);
    bench.frame(&tcp(0x10), 400_200);
    bench.sweep(401_199, false);
    assert!(reasons(&mut bench).is_empty());
    bench.sweep(401_200, false);
    assert_eq!(reasons(&mut bench), [End::Closed as u8]);
    assert_eq!(bench.flows.last().unwrap().hot.packets, 3);
    assert_eq!(bench.flows.last().unwrap().hot.flags, 0x13);
    bench.frame(&tcp(0x04), 402_000);
    bench.frame(&tcp(0x02), 402_001);
    assert_eq!(reasons(&mut bench), [End::Closed as u8]);
    bench.times.closing = 0;
    bench.frame(&tcp(0x11), 402_002);
    assert_eq!(reasons(&mut bench), [End::Closed as u8]);
    // A clock that stands a little before the last packet ends nothing.
    bench.frame(&MADE, 500_000);
    bench.take();
    bench.sweep(499_000, false);
    assert!(reasons(&mut bench).is_empty());
    bench.settle(500_000);
}

#[test]
fn the_oldest_flows_end_when_it_is_full() {
    let (flows, mut random) = (2000, Random(3));
    let mut bench = Bench::new(flows, USUAL);
    let made = |number: u32| Made {
        source: number,
        ..MADE
    };
    // Somebody takes what has ended: nothing is lost, and one flow is never away for long.
    let mut kept = 0_u64;
    for number in 0..100_000_u32 {
        bench.frame(&made(number.wrapping_mul(2_654_435_761)), number);
        bench.frame(&made(0), number);
        kept += 1;
        if number % 16 == 0 {
            bench.take();
        }
    }
    assert_eq!(bench.lost, Tally::default());
    let most = Sizes::of(flows, 1).chunks * CHUNK;
    assert!(bench.table.active() >= flows && bench.table.active() < most);
    assert!(bench.table.ended[End::Full as usize] > 90_000);
    let of_one = |flow: &&Flow| flow.ends() == Ends::V4(0, MADE.destination);
    let parts = bench.flows.iter().filter(of_one).count();
    assert!(parts < 5, "{parts}");
    bench.settle(100_000);
    let packets = bench
        .flows
        .iter()
        .filter(of_one)
        .map(|flow| flow.hot.packets);
    assert_eq!(packets.sum::<u64>(), kept + 1);
    // Nobody takes anything: what there is no room for is lost, and told.
    let mut bench = Bench::new(flows, USUAL);
    for number in 0..20_000 {
        let number = random.below(5000) as u32 + number;
        bench.frame(&made(number.wrapping_mul(2_654_435_761)), number);
    }
    assert!(bench.lost.packets > 10_000);
    bench.settle(30_000);
}

/// A table that packets come to by a pipeline, beside one that they come to at once.
#[test]
fn a_pipeline_changes_nothing() {
    for (biflow, flows) in [(false, 256), (true, 256), (false, 5000)] {
        let spec = Spec { biflow, ..USUAL };
        let (mut random, mut pipeline) = (Random(9), Pipeline::new().unwrap());
        let [mut direct, mut piped] = [(); 2].map(|()| Bench::new(flows, spec));
        let times = Times {
            closing: 0,
            ..TIMES
        };
        (direct.times, piped.times) = (times, times);
        let masks = Masks::new(spec);
        for number in 0..100_000_u32 {
            let now = number / 4;
            let made = Made {
                source: random.below(4000) as u32,
                destination: random.below(2) as u32,
                protocol: [6, 17][random.below(2) as usize],
                flags: [0, 0, key::SYN, key::FIN][random.below(4) as usize],
                ..MADE
            };
            let frame = match random.below(2) {
                0 => ethernet(&[], 0x800, &ipv4(&made, 0)),
                _ => ethernet(&[], 0x86dd, &ipv6(&made, 1, &[])),
            };
            let seen = seen_by(&frame, &Place::default(), spec).unwrap();
            direct.count(&seen, now);
            let pool = &mut piped.pool.0;
            let more = || pool.pop();
            let done = pipeline.make_room(&mut piped.table, (&masks, &times), more);
            piped.done(done);
            let hash = seen.hash(&piped.key, &masks) as u32;
            *pipeline.free().unwrap() = Due {
                seen,
                hash,
                now,
                output: 5,
                guess: random.below(300) as u32,
            };
            pipeline.push(&piped.table);
            if random.below(300) == 0 {
                while let Some(done) = {
                    let pool = &mut piped.pool.0;
                    pipeline.flush(&mut piped.table, (&masks, &times), || pool.pop())
                } {
                    piped.done(Some(done));
                }
                assert_eq!((pipeline.waiting(), piped.counted), (0, direct.counted));
                for bench in [&mut direct, &mut piped] {
                    bench.sweep(now, random.0.trailing_zeros() >= 12);
                    bench.take();
                }
            }
        }
        while let Some(done) = {
            let pool = &mut piped.pool.0;
            pipeline.flush(&mut piped.table, (&masks, &times), || pool.pop())
        } {
            piped.done(Some(done));
        }
        direct.settle(100_000);
        piped.settle(100_000);
        assert_eq!(direct.flows, piped.flows);
        assert_eq!(direct.lost, piped.lost);
        assert_eq!(direct.counted, piped.counted);
    }
}

#[test]
fn tables_share_a_pool() {
    let sizes = Sizes::of(4096, 2);
    let mut pool = Pool::new(&sizes, false);
    let masks = Masks::new(USUAL);
    let key = Keys::new(&HashKey(1));
    let mut tables = [(); 2].map(|()| Table::new(&sizes).unwrap());
    let rules = Rules {
        masks: &masks,
        times: &TIMES,
        now: 0,
        output: 0,
    };
    let count = |table: &mut Table, pool: &mut Pool, from: u32, to: u32| {
        for number in from..to {
            let seen = seen(&ethernet(
                &[],
                0x800,
                &ipv4(
                    &Made {
                        source: number,
                        ..MADE
                    },
                    0,
                ),
            ));
            table.count(&seen, seen.hash(&key, &masks), &rules, || pool.0.pop());
        }
    };
    // One has all, and then the other one.
    for turn in 0..4_u32 {
        let table = &mut tables[turn as usize % 2];
        count(table, &mut pool, 0, 4096);
        assert!(table.active() > 4000, "{}", table.active());
        let mut from = Some(0);
        while let Some(at) = from {
            from = table.sweep(at, 64, (0, &TIMES), true);
        }
        let mut taken = Vec::with_capacity(5000);
        table.take(&mut taken);
        while let Some(chunk) = table.give_back() {
            pool.0.push(chunk);
        }
    }
}

#[test]
fn memory_is_bounded() {
    for cpus in [1, 2, 4, 8, 64] {
        let bytes = Sizes::of(1_000_000, cpus).bytes(cpus, false);
        assert!(bytes <= 128 << 20, "{cpus} {bytes}");
    }
    assert_eq!(size_of::<Hot>(), 64);
}

#[test]
fn both_directions_are_one_flow() {
    let spec = Spec {
        biflow: true,
        ..USUAL
    };
    let mut bench = Bench::new(1000, spec);
    let there = Made {
        protocol: 6,
        flags: 2,
        source: 9,
        destination: 5,
        ports: (4000, 80),
        len: 20,
        ..MADE
    };
    let back = Made {
        source: 5,
        destination: 9,
        ports: (80, 4000),
        flags: 0x12,
        len: 30,
        ..there
    };
    bench.frame(&there, 10);
    bench.frame(&back, 20);
    bench.frame(
        &Made {
            flags: 0x11,
            ..there
        },
        30,
    );
    bench.sweep(10_000, false);
    assert!(bench.take().is_empty(), "half closed");
    bench.frame(
        &Made {
            flags: 0x11,
            ..back
        },
        40,
    );
    bench.sweep(10_000, false);
    let flow = bench.take()[0];
    assert_eq!((flow.ends(), flow.ports()), (Ends::V4(9, 5), (4000, 80)));
    assert_eq!((flow.hot.packets, flow.hot.bytes), (2, 80));
    assert_eq!((flow.hot.first, flow.last()), (10, 30));
    assert_eq!((flow.reverse.packets, flow.reverse.bytes), (2, 100));
    assert_eq!(flow.reverse_times(), (20, 40));
    assert_eq!((flow.hot.flags, flow.reverse.flags), (0x13, 0x13));
    let turned = flow.turned().unwrap();
    assert_eq!(
        (turned.ends(), turned.ports()),
        (Ends::V4(5, 9), (80, 4000))
    );
    assert_eq!((turned.hot.packets, turned.hot.bytes), (2, 100));
    assert_eq!((turned.hot.first, turned.last()), (20, 40));
    assert_eq!(turned.reason(), End::Closed as u8);
    // A query and its answer, and an address that talks to itself.
    let query = Made {
        protocol: 1,
        ports: (0, 0x0800),
        source: 9,
        destination: 5,
        len: 8,
        ..MADE
    };
    let answer = Made {
        ports: (0, 0),
        source: 5,
        destination: 9,
        ..query
    };
    bench.frame(&query, 50);
    bench.frame(&answer, 60);
    bench.frame(
        &Made {
            source: 7,
            destination: 7,
            ports: (1, 2),
            ..MADE
        },
        70,
    );
    bench.frame(
        &Made {
            source: 7,
            destination: 7,
            ports: (2, 1),
            ..MADE
        },
        80,
    );
    bench.sweep(80, true);
    let flows = bench.take();
    assert_eq!(flows.len(), 2);
    assert_eq!(flows[0].ports(), (0, 0x800));
    assert!(flows.iter().all(|flow| flow.reverse.packets == 1));
    bench.settle(100);
}

#[test]
fn packets_are_chosen() {
    let count = |mode, interval, hashes: &mut dyn FnMut() -> u64| {
        let mut sampler = Sampler::new(1);
        let sampling = Sampling { mode, interval };
        (0..100_000)
            .filter(|_| sampler.takes(sampling, hashes()))
            .count()
    };
    assert_eq!(count(Mode::Deterministic, 100, &mut || 0), 1000);
    // One of each hundred.
    assert_eq!(count(Mode::Random, 100, &mut || 0), 1000);
    assert_eq!(count(Mode::Hash, 100, &mut || 0), 100_000);
    assert_eq!(count(Mode::Hash, 100, &mut || u64::MAX), 0);
    let mut random = Random(5);
    let some = count(Mode::Hash, 100, &mut || random.below(1 << 53) << 11);
    assert!((800..1200).contains(&some), "{some}");
    let mut sampler = Sampler::new(9);
    let sampling = Sampling {
        mode: Mode::Random,
        interval: 10,
    };
    let places: Vec<_> = (0..1000)
        .filter(|_| sampler.takes(sampling, 0))
        .map(|at| at % 10)
        .collect();
    assert!((0..10).all(|place| places.contains(&place)));
    assert!((0..1000).step_by(10).count() == places.len());
}

const CLOCK: Clock = Clock {
    uptime: 100_000,
    real: 1_700_000_000_123_456_789,
};

fn format(version: Version) -> Format {
    Format {
        version,
        domain: 0x0102_0304,
        most: 1472,
        sampling: None,
        template_time: 60_000,
        template_messages: 20,
    }
}

fn a_flow() -> Flow {
    let made = Made {
        protocol: 6,
        tos: 0xb8,
        flags: 0x1b,
        ..MADE
    };
    let place = Place {
        device: 7,
        egress: true,
        ..Place::default()
    };
    let seen = seen_by(&ethernet(&[], 0x800, &ipv4(&made, 0)), &place, USUAL).unwrap();
    let mut flow = flow_of(&seen);
    flow.hot.packets = 3;
    flow.hot.bytes = 360;
    flow.hot.first = 90_000;
    flow.hot.last = 95_500;
    flow.rest.output = 8;
    flow.hot.end(End::Idle);
    flow
}

fn a_flow_of_v6() -> Flow {
    let frame = ethernet(&[], 0x86dd, &ipv6(&MADE, 0x12345, &[]));
    flow_of(&seen(&frame))
}

/// All messages that tell of some flows, which have to be taken.
fn messages(format: &Format, spec: Spec, flows: &[Flow]) -> Vec<(Vec<u8>, Tally)> {
    let mut exporter = Exporter::new(65_000).unwrap();
    let mut sent = vec![];
    let mut send = |bytes: &[u8], tally: &Tally| sent.push((bytes.to_vec(), *tally));
    exporter.set_format(format, &CLOCK, &mut send);
    for flow in flows {
        assert!(exporter.add(flow, spec, &CLOCK, &mut send));
    }
    exporter.finish(&CLOCK, &mut send);
    exporter.finish(&CLOCK, &mut send);
    sent
}

/// Numbers of any sizes, as bytes.
fn bytes(numbers: &[(u64, usize)]) -> Vec<u8> {
    let all = numbers.iter();
    all.flat_map(|(number, len)| number.to_be_bytes()[8 - len..].to_vec())
        .collect()
}

#[test]
fn version_5_by_the_letter() {
    let sampling = Sampling {
        mode: Mode::Random,
        interval: 100,
    };
    let format = Format {
        sampling: Some(sampling),
        ..format(Version::Five)
    };
    let sent = messages(&format, USUAL, &[a_flow()]);
    let expected = bytes(&[
        (5, 2),
        (1, 2),
        (100_000, 4),
        (1_700_000_000, 4),
        (123_456_789, 4),
        (0, 4),
        (0, 1),
        (4, 1),
        (2 << 14 | 100, 2),
        (0xc000_0201, 4),
        (0xc633_6402, 4),
        (0, 4),
        (7, 2),
        (8, 2),
        (3, 4),
        (360, 4),
        (90_000, 4),
        (95_500, 4),
        (1024, 2),
        (53, 2),
        (0, 1),
        (0x1b, 1),
        (6, 1),
        (0xb8, 1),
        (0, 4),
        (32, 1),
        (32, 1),
        (0, 2),
    ]);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].0, expected);
    // Its sequence counts flows, of which a message has 30 at most.
    let sent = messages(&format, USUAL, &vec![a_flow(); 100]);
    let counts: Vec<_> = sent
        .iter()
        .map(|(bytes, _)| (bytes[3], bytes[19]))
        .collect();
    assert_eq!(counts, [(30, 0), (30, 30), (30, 60), (10, 90)]);
    assert!(sent.iter().all(|(bytes, _)| bytes.len() <= 1464));
    // Numbers that are too long are told in parts, none in IPv6 is told.
    let mut flow = a_flow();
    (flow.hot.packets, flow.hot.bytes) = (9_000_000_001, 10_000_000_000_003);
    let sent = messages(&format, USUAL, &[flow]);
    let (mut packets, mut octets) = (0, 0);
    for (bytes, _) in &sent {
        for record in bytes[24..].chunks_exact(48) {
            packets += u64::from(u32::from_be_bytes(record[16..20].try_into().unwrap()));
            octets += u64::from(u32::from_be_bytes(record[20..24].try_into().unwrap()));
        }
    }
    assert_eq!((packets, octets), (9_000_000_001, 10_000_000_000_003));
    let mut all = Tally::default();
    for (_, tally) in &sent {
        all.add(tally);
    }
    assert_eq!((all.flows, all.packets, all.bytes), (1, packets, octets));
    let mut exporter = Exporter::new(2000).unwrap();
    let mut none = |_: &[u8], _: &Tally| panic!();
    exporter.set_format(&format, &CLOCK, &mut none);
    assert!(!exporter.add(&a_flow_of_v6(), USUAL, &CLOCK, &mut none));
}

#[test]
fn version_9_by_the_letter() {
    let sent = messages(&format(Version::Nine), USUAL, &[a_flow()]);
    let fields = [
        (8, 4, 0xc000_0201),
        (12, 4, 0xc633_6402),
        (10, 4, 7),
        (14, 4, 8),
        (2, 8, 3),
        (1, 8, 360),
        (22, 4, 90_000),
        (21, 4, 95_500),
        (7, 2, 1024),
        (11, 2, 53),
        (4, 1, 6),
        (6, 1, 0x1b),
        (5, 1, 0xb8),
        (60, 1, 4),
        (32, 2, 0),
        (61, 1, 1),
    ];
    let own = [40, 41, 42, 164, 166, 167, 168];
    let mut expected = vec![
        (9, 2),
        (4, 2),
        (100_000, 4),
        (1_700_000_000, 4),
        (0, 4),
        (0x0102_0304, 4),
        // The template of what it tells of itself, and that.
        (1, 2),
        (4 + 6 + 4 + 28 + 2, 2),
        (513, 2),
        (4, 2),
        (28, 2),
        (1, 2),
        (4, 2),
    ];
    for number in own {
        expected.extend([(number, 2), (8, 2)]);
    }
    expected.extend([(0, 2), (513, 2), (4 + 4 + 56, 2), (0x0102_0304, 4)]);
    expected.extend(own.map(|_| (0, 8)));
    expected.extend([(0, 2), (4 + 4 + 64, 2), (256, 2), (16, 2)]);
    for (number, len, _) in fields {
        expected.extend([(number, 2), (len as u64, 2)]);
    }
    // What is left of the set is filled up to a multiple of four.
    expected.extend([(256, 2), (4 + 51 + 1, 2)]);
    expected.extend(fields.map(|(_, len, value)| (value, len)));
    expected.push((0, 1));
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].0, bytes(&expected));
}

/// A data record: the elements' enterprise and number, and what they are.
type Record = HashMap<(u32, u16), Vec<u8>>;

/// Reads messages of version 9 and IPFIX as a collector does: from their texts, not from our code.
#[derive(Default)]
struct Collector {
    templates: HashMap<u16, Vec<(u32, u16, u16)>>,
    /// How often each was told of.
    told: HashMap<u16, u32>,
    records: Vec<(u16, Record)>,
    sequence: Option<u32>,
}

impl Collector {
    fn number(bytes: &[u8]) -> u64 {
        bytes
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    fn take(&mut self, message: &[u8]) {
        let two = |at: usize| Self::number(&message[at..at + 2]) as usize;
        let is_ipfix = two(0) == 10;
        let (header, at) = if is_ipfix { (16, 8) } else { (20, 12) };
        let sequence = Self::number(&message[at..at + 4]) as u32;
        assert_eq!(self.sequence.unwrap_or(sequence), sequence, "sequence");
        if is_ipfix {
            assert_eq!(two(2), message.len());
        }
        let (mut at, mut count, mut data) = (header, 0, 0);
        while at < message.len() {
            let (set, len) = (two(at), two(at + 2));
            assert!(
                len > 4 && at + len <= message.len() && len % 4 == 0,
                "{set} {len}"
            );
            let (records, of_data) = self.set(set as u16, &message[at + 4..at + len], is_ipfix);
            count += records;
            data += of_data;
            at += len;
        }
        if is_ipfix {
            self.sequence = Some(sequence.wrapping_add(data as u32));
        } else {
            assert_eq!(two(2), count);
            self.sequence = Some(sequence.wrapping_add(1));
        }
    }

    fn set(&mut self, set: u16, body: &[u8], is_ipfix: bool) -> (usize, usize) {
        // nfdump leaves out what is behind an empty one.
        assert!(!body.is_empty(), "set {set} has no record");
        let two = |at: usize| Self::number(&body[at..at + 2]) as u16;
        let (mut at, mut count) = (0, 0);
        let is_options = if is_ipfix { 3 } else { 1 } == set;
        if set < 256 {
            assert!(is_options || set == if is_ipfix { 2 } else { 0 }, "{set}");
            while at + 4 <= body.len() {
                let number = two(at);
                let fields = match (is_options, is_ipfix) {
                    (false, _) | (true, true) => two(at + 2),
                    (true, false) => (two(at + 2) + two(at + 4)) / 4,
                };
                at += if is_options { 6 } else { 4 };
                let mut template = vec![];
                for _ in 0..fields {
                    let (mut element, len) = (two(at), two(at + 2));
                    at += 4;
                    let mut enterprise = 0;
                    if is_ipfix && element & 0x8000 != 0 {
                        enterprise = Self::number(&body[at..at + 4]) as u32;
                        element &= 0x7fff;
                        at += 4;
                    }
                    template.push((enterprise, element, len));
                }
                if let Some(before) = self.templates.insert(number, template.clone()) {
                    assert_eq!(before, template, "a number means one thing");
                }
                *self.told.entry(number).or_default() += 1;
                count += 1;
            }
            return (count, 0);
        }
        let template = self.templates.get(&set).expect("a template comes first");
        let size: usize = template.iter().map(|(_, _, len)| usize::from(*len)).sum();
        while at + size <= body.len() {
            let mut record = Record::new();
            for (enterprise, element, len) in template {
                let value = body[at..at + usize::from(*len)].to_vec();
                record.insert((*enterprise, *element), value);
                at += usize::from(*len);
            }
            self.records.push((set, record));
            count += 1;
        }
        assert!(body.len() - at < 4 && body[at..].iter().all(|byte| *byte == 0));
        (count, count)
    }
}

fn value(record: &Record, element: u16) -> u64 {
    Collector::number(&record[&(0, element)])
}

#[test]
fn ipfix_has_times_since_1970_and_reasons() {
    let sent = messages(&format(Version::Ipfix), USUAL, &[a_flow(), a_flow_of_v6()]);
    let mut collector = Collector::default();
    for (message, _) in &sent {
        collector.take(message);
    }
    let message = &sent[0].0;
    assert_eq!(message[..2], [0, 10]);
    assert_eq!(message[4..8], 1_700_000_000_u32.to_be_bytes());
    assert_eq!(message[12..16], [1, 2, 3, 4]);
    let [(513, _), (256, v4), (257, v6)] = &collector.records[..] else {
        panic!("{:?}", collector.records);
    };
    assert_eq!(value(v4, 152), 1_700_000_000_123 - 10_000);
    assert_eq!(value(v4, 153), 1_700_000_000_123 - 4500);
    assert_eq!((value(v4, 136), value(v4, 61), value(v4, 60)), (1, 1, 4));
    assert_eq!((value(v4, 2), value(v4, 1)), (3, 360));
    assert_eq!(v6[&(0, 27)].len(), 16);
    assert_eq!((value(v6, 60), value(v6, 11), value(v6, 4)), (6, 53, 17));
}

#[test]
fn a_collector_understands_all_templates() {
    let all = Parts::parse("addresses,ports,protocol,tos,interface,vlan,mac,label,mpls").unwrap();
    for version in [Version::Nine, Version::Ipfix] {
        for (parts, biflow, prefix4, most) in [
            (USUAL.parts, false, 32, 1472),
            (all.0, false, 24, 1472),
            (all.0, true, 32, 1452),
            (all.0, true, 32, 548),
            (USUAL.parts, true, 32, 65_000),
        ] {
            let spec = Spec {
                parts,
                prefix4,
                biflow,
                ..USUAL
            };
            let mut format = Format {
                most,
                template_messages: 7,
                ..format(version)
            };
            format.sampling = Sampling::parse("random:10");
            let mut bench = Bench::new(2000, spec);
            let mut random = Random(8);
            for _ in 0..3000_u32 {
                let made = Made {
                    source: random.below(40) as u32,
                    destination: random.below(40) as u32,
                    ports: (53, 53),
                    protocol: [6, 17, 1][random.below(3) as usize],
                    len: 40,
                    ..MADE
                };
                let frame = match random.below(2) {
                    0 => ethernet(&[5, 6], 0x800, &ipv4(&made, 0)),
                    _ => ethernet(&[], 0x86dd, &ipv6(&made, 3, &[])),
                };
                let seen = seen_by(&frame, &Place::default(), spec).unwrap();
                bench.count(&seen, 99_000);
            }
            bench.settle(99_500);
            let sent = messages(&format, spec, &bench.flows);
            let mut collector = Collector::default();
            let mut told = Tally::default();
            for (message, tally) in &sent {
                assert!(message.len() <= most, "{} {most}", message.len());
                collector.take(message);
                told.add(tally);
            }
            let data = collector.records.iter().filter(|(set, _)| *set < 512);
            let (mut packets, mut octets, mut count) = (0, 0, 0);
            for (_, record) in data {
                packets += value(record, 2);
                octets += value(record, 1);
                if biflow && version == Version::Ipfix {
                    packets += Collector::number(&record[&(29_305, 2)]);
                    octets += Collector::number(&record[&(29_305, 1)]);
                    assert_eq!(value(record, 239), 1);
                }
                count += 1;
            }
            assert_eq!((packets, octets), (bench.taken.packets, bench.taken.bytes));
            assert_eq!(
                (told.packets, told.bytes, told.flows),
                (packets, octets, count)
            );
            if version == Version::Ipfix || !biflow {
                assert_eq!(count, bench.taken.flows);
            }
            let refreshed = sent.len().div_ceil(7) as u32;
            assert_eq!(collector.told[&512], refreshed, "{} messages", sent.len());
            let sampled = collector
                .records
                .iter()
                .find(|(set, _)| *set == 512)
                .unwrap();
            assert_eq!((value(&sampled.1, 34), value(&sampled.1, 35)), (10, 2));
            // Messages are as full as they can be.
            if sent.len() > 3 && most > 1000 {
                assert!(sent[1].0.len() > most - 200, "{} {most}", sent[1].0.len());
            }
        }
    }
}

#[test]
fn templates_are_told_of_again() {
    let format = Format {
        template_messages: 1000,
        ..format(Version::Nine)
    };
    let mut exporter = Exporter::new(2000).unwrap();
    let mut collector = Collector::default();
    let mut now = CLOCK;
    for _ in 0..7 {
        let mut send = |bytes: &[u8], _: &Tally| collector.take(bytes);
        exporter.set_format(&format, &now, &mut send);
        assert!(exporter.add(&a_flow(), USUAL, &now, &mut send));
        exporter.finish(&now, &mut send);
        now.uptime += 20_000;
    }
    // In the messages 1, 5, for the time is looked at when a message is sent.
    assert_eq!(collector.told[&256], 2);
    let mut send = |bytes: &[u8], _: &Tally| collector.take(bytes);
    exporter.refresh(&now);
    assert!(exporter.add(&a_flow(), USUAL, &now, &mut send));
    exporter.finish(&now, &mut send);
    assert_eq!(collector.told[&256], 3);
    // Another version is another stream.
    let mut other = Collector::default();
    let mut send = |bytes: &[u8], _: &Tally| other.take(bytes);
    let format = self::format(Version::Ipfix);
    exporter.set_format(&format, &now, &mut send);
    assert!(exporter.add(&a_flow(), USUAL, &now, &mut send));
    exporter.finish(&now, &mut send);
    assert_eq!(other.sequence, Some(2));
}

#[test]
fn sampling_is_told_in_the_words_of_each_version() {
    for (text, version, expected) in [
        (
            "deterministic:8",
            Version::Nine,
            &[(34, 8), (35, 1), (48, 1), (49, 1), (50, 8)][..],
        ),
        (
            "random:8",
            Version::Nine,
            &[(34, 8), (35, 2), (49, 2), (50, 8)],
        ),
        (
            "deterministic:8",
            Version::Ipfix,
            &[(34, 8), (35, 1), (304, 1), (305, 1), (306, 7)],
        ),
        (
            "random:8",
            Version::Ipfix,
            &[(34, 8), (35, 2), (304, 3), (309, 1), (310, 8)],
        ),
        (
            "hash:8",
            Version::Ipfix,
            &[(34, 8), (35, 2), (390, 4), (396, 1), (397, 7)],
        ),
    ] {
        let format = Format {
            sampling: Sampling::parse(text),
            ..format(version)
        };
        let mut collector = Collector::default();
        for (message, _) in messages(&format, USUAL, &[a_flow()]) {
            collector.take(&message);
        }
        let (_, record) = collector
            .records
            .iter()
            .find(|(set, _)| *set == 512)
            .unwrap();
        for (element, number) in expected {
            assert_eq!(value(record, *element), *number, "{text} {element}");
        }
        let (_, data) = collector.records.last().unwrap();
        assert_eq!(data.contains_key(&(0, 48)), version == Version::Nine);
    }
}

#[test]
fn addresses_of_collectors() {
    let target = Target::parse("[2001:db8::1]:4739").unwrap();
    assert_eq!(target.address, Address::V6(0x2001_0db8 << 96 | 1));
    assert!(target.is_v6() && target.port == 4739);
}

#[test]
fn a_reader_goes_on_where_it_was() {
    let last = Cursor {
        tables: Cursor::TABLES,
        cpu: 8191,
        record: 0xff_ffff,
    };
    let some = Cursor {
        tables: 7,
        cpu: 3,
        record: 300,
    };
    for cursor in [Cursor::FIRST, some, last] {
        let number = u64::from(cursor);
        assert!(number > 0 && i64::try_from(number).is_ok(), "{cursor:?}");
        assert_eq!(Cursor::from(number), cursor);
    }
    // The order of numbers is that of reading: nothing is read twice, and there is an end.
    let next = [
        some.behind(Some(301)),
        some.behind(None),
        some.next_tables().unwrap(),
    ];
    let mut before = some;
    for cursor in next {
        assert!(u64::from(cursor) > u64::from(before), "{cursor:?}");
        before = cursor;
    }
    assert!(u64::from(last.behind(None)) > u64::from(last));
    assert_eq!(last.next_tables(), None);
    // Tables or a CPU that are no more there are passed over.
    assert_eq!((some.on(7), some.at(3)), (some, some));
    assert_eq!((some.on(9).cpu, some.on(9).record), (0, 0));
    assert_eq!((some.at(4).tables, some.at(4).record), (7, 0));
}

#[test]
fn a_flow_is_a_line() {
    let lines = |spec: Spec, frames: &[Vec<u8>]| {
        let mut bench = Bench::new(1000, spec);
        for frame in frames {
            let place = Place {
                device: 2,
                ..Place::default()
            };
            bench.count(&seen_by(frame, &place, spec).unwrap(), 100);
        }
        let mut flows = Vec::with_capacity(9);
        bench.table.look(0, 1000, &mut flows);
        let mut text = String::new();
        for flow in &flows {
            file::line(&mut text, flow, spec, 350).unwrap();
        }
        text
    };
    let spec = |parts, biflow| Spec {
        parts: USUAL.parts | parts,
        biflow,
        ..USUAL
    };
    let usual = ethernet(&[], 0x800, &ipv4(&MADE, 0));
    let head = "ingress in=2 out=0 proto=17 src=192.0.2.1 dst=198.51.100.2 sport=1024 dport=53 tos=0 flags=0";
    let tail = "packets=2 bytes=240 age=250ms idle=250ms\n";
    let two = [usual.clone(), usual];
    assert_eq!(lines(USUAL, &two), format!("{head} {tail}"));
    let macs = "smac=02:00:00:00:00:02 dmac=02:00:00:00:00:01";
    let text = lines(spec(key::MAC, false), &two);
    assert_eq!(text, format!("{head} {macs} {tail}"));
    let tagged = ethernet(&[5, 6], 0x800, &ipv4(&MADE, 0));
    let text = lines(USUAL, &[tagged]);
    assert!(text.contains(" vlan=5 inner=6 packets=1 "), "{text}");
    let six = [ethernet(&[], 0x86dd, &ipv6(&MADE, 9, &[]))];
    let text = lines(spec(key::LABEL, false), &six);
    assert!(text.contains(" label=9 packets=1 "), "{text}");
    assert!(!lines(USUAL, &six).contains("label"));
    let answer = Made {
        source: MADE.destination,
        destination: MADE.source,
        ports: (53, 1024),
        ..MADE
    };
    let answer = ethernet(&[], 0x800, &ipv4(&answer, 0));
    let text = lines(spec(0, true), &[two[0].clone(), answer]);
    let both = "packets=1 bytes=120 reverse.packets=1 reverse.bytes=120 reverse.flags=0";
    let tail = "age=250ms idle=250ms\n";
    assert_eq!(text, format!("{head} {both} {tail}"));
}
