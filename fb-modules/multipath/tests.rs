// SPDX-License-Identifier: GPL-2.0

use super::{
    address::Unicast,
    config::{
        name, term, AdminState, Capacity, Fields, Part, Per, RouteKey, Rules, Strategy, Terms,
        Usage, PORTS,
    },
    echo::{self, Echo},
    flow::Hosts,
    flow::{Flow, Fragment, FIRST, MOST},
    health::Health,
    history::{Note, Record, Shard, ENOUGH},
    meter::{Meter, Pace, Rates, Sent, Use, SECOND},
    next_hop::{station, Routed, Via, HEAD},
    option::{Number, OptionSpec, Shown, Time, Value},
    ports::{are_these, follow, HopState, Port, Seats, Seen, Totals},
    segment::{Carried, Ends, Segment},
    spread::{mix, Cycle, Spread, Usable},
    table::{Bucket, Placed, Table, SEATS},
    Balance, Source, Way, Why,
};
use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, HashSet},
    sync::atomic::AtomicU64,
};

const MS: u64 = SECOND / 1000;
const MBIT: u64 = 1_000_000;
const ALL: [Strategy; 8] = [
    Strategy::Route,
    Strategy::Packet,
    Strategy::Session,
    Strategy::Bandwidth,
    Strategy::Utilisation,
    Strategy::Flowlet,
    Strategy::Hash,
    Strategy::Loss,
];

fn sent(bytes: u64, packets: u64) -> Sent {
    Sent {
        bytes,
        packets,
        carried: Carried::default(),
    }
}

fn table(entries: u32) -> Table {
    let buckets = Table::buckets(entries);
    Table::new((0..buckets).map(|_| Bucket::default()).collect())
}

fn ports(weights: &[u16]) -> Vec<Usable> {
    let port = |(number, &weight): (u16, &u16)| Usable {
        number,
        seat: number as u8 * 3 + 1,
        weight,
        capacity: u64::from(weight.max(1)) * 10 * MBIT,
        id: mix(number.into()),
    };
    (0..).zip(weights).map(port).collect()
}

fn spread(ports: &[Usable]) -> Spread {
    let weights: Vec<_> = ports.iter().map(|port| port.weight).collect();
    Spread::new(ports.to_vec(), Cycle::new(&weights).collect())
}

/// A balancer without a kernel.
struct Bench {
    rules: Rules,
    spread: Spread,
    sessions: Table,
    before: Option<Table>,
    fragments: Table,
    meter: Meter,
    pace: Pace,
    ends: Ends,
    shard: RefCell<Shard>,
    bytes: [Cell<u64>; SEATS],
    carried: [Cell<Carried>; SEATS],
    now: Cell<u64>,
    turns: [Cell<u64>; 2],
    device: Cell<u32>,
}

impl Source for Bench {
    fn now(&self) -> u64 {
        self.now.get()
    }
    fn hash(&self, words: &[u64]) -> u64 {
        words.iter().fold(1, |hash, word| mix(hash ^ word))
    }
    fn device(&self) -> u32 {
        self.device.get()
    }
    fn packet_turn(&self) -> u64 {
        self.turns[0].replace(self.turns[0].get() + 1)
    }
    fn session_turn(&self) -> u64 {
        self.turns[1].replace(self.turns[1].get() + 1)
    }
    fn past(&self, key: u64) -> Option<Carried> {
        let (now, expiry) = (self.now.get(), self.rules.expiry_ns());
        self.shard.borrow().past(key, now, expiry)
    }
    fn note(&self, key: u64, hosts: Option<Hosts>, note: &Note) {
        self.shard.borrow_mut().note(key, hosts, note);
    }
}

impl Bench {
    fn new(strategy: Strategy, ports: &[Usable]) -> Self {
        let rules = Rules {
            strategy,
            ..Rules::DEFAULT
        };
        let now = 1000 * SECOND;
        let seats = (0..SEATS).map(|_| Use::default()).collect();
        Bench {
            rules,
            spread: spread(ports),
            sessions: table(262_144),
            before: None,
            fragments: table(4096),
            meter: Meter::new(now, seats),
            pace: Pace::new(&rules),
            ends: Ends::new((0..4096).map(|_| AtomicU64::default()).collect()),
            shard: RefCell::new(Shard::new(vec![Record::default(); 256 * Shard::RECORDS])),
            bytes: [const { Cell::new(0) }; SEATS],
            carried: std::array::from_fn(|_| Cell::default()),
            now: Cell::new(now),
            turns: Default::default(),
            device: Cell::new(7),
        }
    }

    fn balance(&self) -> Balance<'_> {
        Balance {
            rules: &self.rules,
            spread: &self.spread,
            sessions: &self.sessions,
            before: self.before.as_ref(),
            fragments: &self.fragments,
            meter: &self.meter,
            pace: &self.pace,
            ends: &self.ends,
        }
    }

    fn send(&self, packet: &[u8], len: u32) -> Option<Way> {
        if let Some(seconds) = self.meter.is_due(self.now.get(), &self.pace) {
            for (seat, bytes) in (0..).zip(&self.bytes) {
                let sent = Sent {
                    bytes: bytes.get(),
                    packets: 0,
                    carried: self.carried[usize::from(seat)].get(),
                };
                self.meter.measure(seat, &sent, seconds, &self.pace);
            }
        }
        let balance = self.balance();
        let flow = || Flow::read(packet, Fields::L4).unwrap_or_else(|flow| flow);
        let (mut way, watched) = balance.decide(flow, len, self)?;
        if let Some(flow) = watched {
            balance.watch(&flow, &mut way, len, self);
        }
        let bytes = &self.bytes[usize::from(way.seat)];
        bytes.set(bytes.get() + u64::from(len));
        let carried = &self.carried[usize::from(way.seat)];
        carried.set(carried.get().and(way.carried));
        Some(way)
    }

    fn port(&self, packet: &[u8]) -> u16 {
        self.send(packet, packet.len() as u32).unwrap().number
    }

    /// A packet comes in by the port of this number.
    fn comes(&self, packet: &[u8], number: u16) -> Option<bool> {
        let seat = number as u8 * 3 + 1;
        let flow = Flow::read(packet, Fields::L4).unwrap_or_else(|flow| flow);
        let balance = self.balance();
        if !balance.learns() {
            return None;
        }
        balance.learn(&flow, seat, self)
    }

    fn wait(&self, time: u64) {
        self.now.set(self.now.get() + time);
    }
}

fn ethernet(kind: u16, rest: &[u8]) -> Vec<u8> {
    let mut packet = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    packet.extend(kind.to_be_bytes());
    packet.extend(rest);
    packet
}

struct V4 {
    protocol: u8,
    id: u16,
    place: u16,
    options: usize,
    source: u32,
    destination: u32,
}

const V4: V4 = V4 {
    protocol: 17,
    id: 0,
    place: 0,
    options: 0,
    source: 0xc000_0201,
    destination: 0xc000_0202,
};

fn v4(head: &V4, payload: &[u8]) -> Vec<u8> {
    let length = 20 + head.options;
    let mut ip = vec![0x40 | (length / 4) as u8, 0];
    ip.extend(((length + payload.len()) as u16).to_be_bytes());
    ip.extend(head.id.to_be_bytes());
    ip.extend(head.place.to_be_bytes());
    ip.extend([64, head.protocol, 0, 0]);
    ip.extend(head.source.to_be_bytes());
    ip.extend(head.destination.to_be_bytes());
    ip.resize(length, 1);
    ip.extend(payload);
    ethernet(0x800, &ip)
}

fn v6(next: u8, source: u128, destination: u128, payload: &[u8]) -> Vec<u8> {
    let mut ip = vec![0x60, 0, 0, 0];
    ip.extend((payload.len() as u16).to_be_bytes());
    ip.extend([next, 64]);
    ip.extend(source.to_be_bytes());
    ip.extend(destination.to_be_bytes());
    ip.extend(payload);
    ethernet(0x86dd, &ip)
}

fn l4(source: u16, destination: u16) -> Vec<u8> {
    let mut header = source.to_be_bytes().to_vec();
    header.extend(destination.to_be_bytes());
    header.resize(20, 0);
    header
}

/// The first packet of session `n`, to a destination of its own.
fn session(n: u32, is_v6: bool) -> Vec<u8> {
    let payload = l4(n as u16, 80);
    if is_v6 {
        v6(6, 1, u128::from(n) << 64 | 5, &payload)
    } else {
        let destination = 0x0a00_0000 + n;
        v4(
            &V4 {
                protocol: 6,
                destination,
                ..V4
            },
            &payload,
        )
    }
}

fn read(packet: &[u8]) -> Flow {
    Flow::read(packet, Fields::L4).unwrap()
}

fn key(packet: &[u8]) -> Vec<u64> {
    read(packet).session(Fields::L4).words().to_vec()
}

// --- Headers ---------------------------------------------------------------------------------

#[test]
fn a_session_is_told_by_addresses_protocol_and_ports() {
    let base = v4(&V4, &l4(1, 2));
    let others = [
        v4(&V4, &l4(1, 3)),
        v4(&V4, &l4(2, 1)),
        v4(&V4 { protocol: 6, ..V4 }, &l4(1, 2)),
        v4(&V4 { source: 7, ..V4 }, &l4(1, 2)),
        v4(
            &V4 {
                destination: 7,
                ..V4
            },
            &l4(1, 2),
        ),
        v4(
            &V4 {
                source: V4.destination,
                destination: V4.source,
                ..V4
            },
            &l4(1, 2),
        ),
        v6(17, 1, 2, &l4(1, 2)),
        v6(17, 1, 2, &l4(1, 3)),
        v6(17, 1, 3, &l4(1, 2)),
        v6(17, 1 << 64, 2, &l4(1, 2)),
        v6(6, 1, 2, &l4(1, 2)),
        ethernet(0x806, &[0; 28]),
        ethernet(0x88b5, &[0; 28]),
    ];
    let keys: HashSet<_> = others.iter().chain([&base]).map(|p| key(p)).collect();
    assert_eq!(keys.len(), others.len() + 1);
    // What is not said by the addresses and ports does not matter.
    let mut longer = l4(1, 2);
    longer.extend([9; 100]);
    assert_eq!(
        key(&base),
        key(&v4(
            &V4 {
                id: 77,
                options: 40,
                ..V4
            },
            &longer
        ))
    );
}

#[test]
fn icmp_is_told_by_type_code_and_identifier() {
    let icmp = |kind: u8, code: u8, id: u8, sequence: u8| [kind, code, 1, 2, 3, id, 5, sequence];
    let one = V4 { protocol: 1, ..V4 };
    let v4 = |bytes: [u8; 8]| key(&v4(&one, &bytes));
    let v6 = |bytes: [u8; 8]| key(&v6(58, 1, 2, &bytes));
    assert_eq!(v4(icmp(8, 0, 1, 1)), v4(icmp(8, 0, 1, 2)));
    assert_ne!(v4(icmp(8, 0, 1, 1)), v4(icmp(8, 0, 2, 1)));
    assert_ne!(v4(icmp(8, 0, 1, 1)), v4(icmp(0, 0, 1, 1)));
    assert_ne!(v4(icmp(3, 0, 1, 1)), v4(icmp(3, 1, 1, 1)));
    // An error has no identifier where a request has it.
    assert_eq!(v4(icmp(3, 1, 1, 1)), v4(icmp(3, 1, 2, 1)));
    assert_eq!(v6(icmp(128, 0, 1, 1)), v6(icmp(128, 0, 1, 2)));
    assert_ne!(v6(icmp(128, 0, 1, 1)), v6(icmp(128, 0, 2, 1)));
    assert_ne!(v6(icmp(128, 0, 1, 1)), v6(icmp(129, 0, 1, 1)));
    assert_eq!(v6(icmp(1, 4, 1, 1)), v6(icmp(1, 4, 2, 1)));
}

/// What `inner`, an Ethernet frame, is answered with, by another host: an error that quotes `quoted` bytes of it.
fn error(inner: &[u8], kind: u8, quoted: usize) -> Vec<u8> {
    let quote = &inner[14..];
    let message = [
        &[kind, 1, 0, 0, 0, 0, 5, 0],
        &quote[..quoted.min(quote.len())],
    ]
    .concat();
    if inner[12] == 8 {
        let source = u32::from_be_bytes(inner[26..30].try_into().unwrap());
        let head = V4 {
            protocol: 1,
            source: 0x0101_0101,
            destination: source,
            ..V4
        };
        v4(&head, &message)
    } else {
        let source = u128::from_be_bytes(inner[22..38].try_into().unwrap());
        v6(58, 0x77, source, &message)
    }
}

#[test]
fn an_error_belongs_to_the_session_that_it_is_about() {
    let back = V4 {
        source: V4.destination,
        destination: V4.source,
        ..V4
    };
    let longer = V4 { options: 8, ..V4 };
    let icmp = |kind, id| [kind, 0, 0, 0, 0, id, 0, 1];
    let of = |protocol, head: &V4| V4 { protocol, ..*head };
    // What came from there, and what goes there.
    let pairs = [
        (v4(&V4, &l4(1, 2)), v4(&back, &l4(2, 1))),
        (v4(&longer, &l4(1, 2)), v4(&back, &l4(2, 1))),
        (v4(&of(6, &V4), &l4(1, 2)), v4(&of(6, &back), &l4(2, 1))),
        (v4(&of(1, &V4), &icmp(0, 7)), v4(&of(1, &back), &icmp(8, 7))),
        (
            v4(&of(1, &V4), &icmp(13, 7)),
            v4(&of(1, &back), &icmp(14, 7)),
        ),
        (v6(17, 1, 2, &l4(1, 2)), v6(17, 2, 1, &l4(2, 1))),
        (v6(58, 1, 2, &icmp(129, 7)), v6(58, 2, 1, &icmp(128, 7))),
        (
            v6(60, 1, 2, &extension(60, 0, 6, &l4(1, 2))),
            v6(6, 2, 1, &l4(2, 1)),
        ),
    ];
    for (came, goes) in &pairs {
        let kinds: &[u8] = if came[12] == 8 {
            &[3, 4, 5, 11, 12]
        } else {
            &[1, 2, 3, 4]
        };
        for &kind in kinds {
            // RFC 792 wants 8 bytes behind the header; later RFCs more.
            for quoted in [36, 56, 500] {
                if quoted < 56 && came[12] != 8 {
                    continue;
                }
                let error = error(came, kind, quoted);
                assert_eq!(key(&error), key(goes), "{kind} {quoted}");
                assert_eq!(
                    read(&error).destination().words(),
                    read(goes).destination().words()
                );
            }
        }
    }
    // What quotes too little, a later fragment or another error is told by itself.
    let alone = |error: &[u8]| {
        let own = if error[12] == 8 { 14 + 20 } else { 14 + 40 };
        let mut cut = error[..own + 8].to_vec();
        if error[12] == 8 {
            cut[16..18].copy_from_slice(&28u16.to_be_bytes());
        } else {
            cut[18..20].copy_from_slice(&8u16.to_be_bytes());
        }
        assert_eq!(key(error), key(&cut));
    };
    alone(&error(&pairs[0].0, 3, 19));
    alone(&error(&pairs[5].0, 1, 39));
    alone(&error(&v4(&V4 { place: 9, ..V4 }, &l4(1, 2)), 3, 100));
    // An error about an error: by the addresses in the first one, not by what that quotes.
    let twice = error(&error(&pairs[0].0, 3, 100), 3, 100);
    assert_ne!(key(&twice), key(&pairs[0].0));
    assert_ne!(key(&twice), key(&pairs[0].1));
}

#[test]
fn an_error_takes_the_way_of_its_session() {
    for strategy in [
        Strategy::Session,
        Strategy::Flowlet,
        Strategy::Hash,
        Strategy::Route,
    ] {
        let bench = Bench::new(strategy, &ports(&[1, 2, 3]));
        for n in 0..300 {
            let port = bench.port(&session(n, false));
            let came = V4 {
                protocol: 6,
                source: 0x0a00_0000 + n,
                destination: V4.source,
                ..V4
            };
            // Of the host itself, which the session is with.
            let error = error(&v4(&came, &l4(80, n as u16)), 3, 28);
            assert_eq!(bench.port(&error), port, "{strategy:?} {n}");
        }
    }
}

#[test]
fn vlan_tags_in_the_data_are_looked_behind() {
    let plain = v4(&V4, &l4(1, 2));
    let tagged = |tags: &[u8]| [&plain[..12], tags, &plain[12..]].concat();
    assert_eq!(key(&plain), key(&tagged(&[0x81, 0, 0, 1])));
    assert_eq!(
        key(&plain),
        key(&tagged(&[0x88, 0xa8, 0, 1, 0x81, 0, 0, 2]))
    );
    // Not behind any number of them.
    assert_ne!(key(&plain), key(&tagged(&[0x81, 0, 0, 1].repeat(3))));
}

fn extension(kind: u8, words: u8, next: u8, payload: &[u8]) -> Vec<u8> {
    let mut all = vec![next, words];
    let length = if kind == 51 {
        (usize::from(words) + 2) * 4
    } else {
        (usize::from(words) + 1) * 8
    };
    all.resize(length, 0);
    all.extend(payload);
    all
}

#[test]
fn extension_headers_are_looked_behind() {
    let plain = key(&v6(17, 1, 2, &l4(1, 2)));
    for kind in [0, 43, 60] {
        for words in [0, 1, 5] {
            assert_eq!(
                plain,
                key(&v6(kind, 1, 2, &extension(kind, words, 17, &l4(1, 2))))
            );
        }
    }
    assert_eq!(plain, key(&v6(51, 1, 2, &extension(51, 4, 17, &l4(1, 2)))));
    let mut many = l4(1, 2);
    let mut next = 17;
    for n in 1..=9 {
        many = extension(60, 0, next, &many);
        next = 60;
        let found = key(&v6(60, 1, 2, &many));
        assert_eq!(plain == found, n <= 8, "{n} of them");
    }
}

fn part_v6(id: u32, offset: u16, more: bool, next: u8, payload: &[u8]) -> Vec<u8> {
    let mut all = vec![next, 0];
    all.extend((offset << 3 | u16::from(more)).to_be_bytes());
    all.extend(id.to_be_bytes());
    all.extend(payload);
    v6(44, 1, 2, &all)
}

#[test]
fn fragments_are_known() {
    let part = |place| read(&v4(&V4 { id: 9, place, ..V4 }, &l4(1, 2)));
    assert_eq!(part(0).fragment, Fragment::No);
    assert_eq!(part(0x4000).fragment, Fragment::No);
    assert_eq!(part(0x2000).fragment, Fragment::First(9));
    assert_eq!(part(0x2001).fragment, Fragment::Later(9));
    assert_eq!(part(0x00b9).fragment, Fragment::Later(9));
    assert_eq!(
        part(0x2000).session(Fields::L4).words(),
        part(0).session(Fields::L4).words()
    );
    assert_eq!(
        part(0x2000).datagram(9).words(),
        part(1).datagram(9).words()
    );
    assert_ne!(
        part(0x2000).datagram(9).words(),
        part(1).datagram(8).words()
    );

    let whole = read(&v6(17, 1, 2, &l4(1, 2)));
    let first = read(&part_v6(9, 0, true, 17, &l4(1, 2)));
    let later = read(&part_v6(9, 3, true, 17, &[1; 20]));
    let last = read(&part_v6(9, 6, false, 17, &[1; 20]));
    assert_eq!(first.fragment, Fragment::First(9));
    assert_eq!(later.fragment, Fragment::Later(9));
    assert_eq!(last.fragment, Fragment::Later(9));
    assert_eq!(
        read(&part_v6(9, 0, false, 17, &l4(1, 2))).fragment,
        Fragment::No
    );
    assert_eq!(
        first.session(Fields::L4).words(),
        whole.session(Fields::L4).words()
    );
    assert_eq!(first.datagram(9).words(), later.datagram(9).words());
    assert_eq!(first.datagram(9).words(), last.datagram(9).words());
    // Only the first part has the header between it and what is carried.
    let first = read(&part_v6(9, 0, true, 60, &extension(60, 0, 17, &l4(1, 2))));
    let later = read(&part_v6(9, 3, true, 60, &[1; 20]));
    assert_eq!(
        first.session(Fields::L4).words(),
        whole.session(Fields::L4).words()
    );
    assert_eq!(first.datagram(9).words(), later.datagram(9).words());
}

#[test]
fn headers_that_lie_or_end_early_are_read_as_far_as_they_go() {
    // Ports behind the end of the datagram are none.
    let whole = v4(&V4, &l4(1, 2));
    let mut short = whole.clone();
    short[16..18].copy_from_slice(&22u16.to_be_bytes());
    assert_eq!(key(&short), key(&v4(&V4, &[])));
    let mut short = v6(17, 1, 2, &l4(1, 2));
    short[18..20].copy_from_slice(&3u16.to_be_bytes());
    assert_eq!(key(&short), key(&v6(17, 1, 2, &[])));
    // A header of less than its least length, a wrong version: no IP.
    for first in [0x40, 0x44, 0x55, 0x65] {
        let mut bad = whole.clone();
        bad[14] = first;
        assert_eq!(read(&bad).destination().words()[1], 0x0200_0000_0001);
    }
    // Any beginning of a packet can be read, and what is read again with more of it is the same.
    let long = v6(60, 1, 2, &extension(60, 30, 6, &l4(1, 2)));
    for packet in [whole, long] {
        let all = read(&packet);
        for length in 0..packet.len() {
            if let Ok(flow) = Flow::read(&packet[..length], Fields::L4) {
                assert_eq!(flow, all, "{length} bytes");
            }
        }
    }
}

#[test]
fn no_bytes_make_it_panic() {
    let seeds = [
        v4(&V4 { options: 8, ..V4 }, &l4(1, 2)),
        v6(
            60,
            1,
            2,
            &extension(60, 1, 44, &extension(44, 0, 58, &[128; 30])),
        ),
    ];
    let mut random = 1;
    for n in 0..200_000 {
        let mut packet = seeds[n % 2].clone();
        for _ in 0..n % 9 {
            random = mix(random + 1);
            let at = random as usize % packet.len();
            packet[at] = (random >> 32) as u8;
        }
        random = mix(random + 1);
        packet.truncate(random as usize % (packet.len() + 1));
        let flow = Flow::read(&packet, Fields::L4).unwrap_or_else(|flow| flow);
        assert!(
            flow.session(Fields::L4).words().len() >= 2 && flow.destination().words().len() >= 2
        );
    }
}

#[test]
fn as_much_is_looked_at_as_is_needed() {
    let enough = |packet: &[u8], length: u32| {
        Flow::read(&packet[..packet.len().min(length as usize)], Fields::L4).is_ok()
    };
    let deep = [
        &[0x88, 0xa8, 0, 1, 0x81, 0, 0, 2],
        &v6(6, 1, 2, &l4(1, 2))[12..],
    ]
    .concat();
    let deep = [&[0; 12], &deep[..]].concat();
    let options = v4(&V4 { options: 12, ..V4 }, &l4(1, 2));
    assert!(enough(&deep, FIRST) && enough(&options, FIRST));
    let mut many = l4(1, 2);
    let mut next = 17;
    for _ in 0..8 {
        many = extension(60, 5, next, &many);
        next = 60;
    }
    let many = v6(60, 1, 2, &many);
    assert!(!enough(&many, FIRST) && enough(&many, MOST));
}

// --- The table -------------------------------------------------------------------------------

fn place(table: &Table, hash: u64, now: u64, seat: u8) -> Placed {
    table.place(hash, now, 10 * SECOND, |_, _| true, |_| Some(seat))
}

#[test]
fn what_was_seen_is_remembered_until_it_expires() {
    let table = table(64);
    let start = 5 * SECOND;
    let hash = mix(1);
    assert_eq!(place(&table, hash, start, 3), Placed::Begins(3, false));
    assert_eq!(place(&table, hash, start + 9 * SECOND, 4), Placed::Stays(3));
    assert_eq!(
        place(&table, hash, start + 18 * SECOND, 4),
        Placed::Stays(3)
    );
    assert_eq!(
        place(&table, hash, start + 29 * SECOND, 4),
        Placed::Begins(4, false)
    );
    let keep = |seat: u8, _| seat != 4;
    let moved = table.place(hash, start + 30 * SECOND, 10 * SECOND, keep, |_| Some(5));
    let Placed::Moves(4, 5, age) = moved else {
        panic!("{moved:?}");
    };
    assert!(age.abs_diff(SECOND) < MS, "{age}");
    let nowhere = table.place(mix(2), start, 10 * SECOND, |_, _| true, |_| None);
    assert_eq!(nowhere, Placed::None);
    assert_eq!(table.seat(mix(2), start, 10 * SECOND), None);
}

#[test]
fn time_may_come_around_and_clocks_may_differ() {
    let table = table(64);
    let turn = 1 << (17 + 33);
    assert_eq!(
        place(&table, 1 << 63, turn - SECOND, 3),
        Placed::Begins(3, false)
    );
    assert_eq!(place(&table, 1 << 63, turn + SECOND, 4), Placed::Stays(3));
    assert_eq!(
        place(&table, 1 << 63, turn + SECOND - 10 * MS, 4),
        Placed::Stays(3)
    );
    // Who was not seen for half of that time does not live again.
    for days in 1..26 {
        let later = turn + days * 24 * 3600 * SECOND;
        assert_eq!(table.seat(1 << 63, later, 3600 * SECOND), None);
    }
}

#[test]
fn as_many_as_it_was_made_for_find_room() {
    for entries in [64, 1000, 4096, 65_536, 100_000] {
        let table = table(entries);
        let placed = |n| place(&table, mix(n), SECOND, 1);
        // Twice, so that they are established.
        let full = |n: &u64| placed(*n) == Placed::Full || placed(*n) != Placed::Stays(1);
        assert_eq!((0..entries.into()).find(full), None, "of {entries}");
    }
}

#[test]
fn a_flood_displaces_no_established_session() {
    let table = table(4096);
    let sessions = 0..2000;
    for n in sessions.clone().chain(sessions.clone()) {
        place(&table, mix(n), SECOND, (n % 64) as u8);
    }
    let (mut evicted, mut full) = (0, 0);
    for n in 0..1_000_000 {
        match place(&table, mix(1 << 32 | n), SECOND + n * 1000, 99) {
            Placed::Begins(_, true) => evicted += 1,
            Placed::Begins(_, false) => (),
            Placed::Full => full += 1,
            // Of a million keys some are taken for others: the tag has 21 bits.
            placed => assert!(matches!(placed, Placed::Stays(_)), "{placed:?}"),
        }
    }
    assert!(evicted + full > 990_000, "{evicted} {full}");
    let stays = |n: &u64| place(&table, mix(*n), 3 * SECOND, 99) == Placed::Stays((n % 64) as u8);
    assert_eq!(sessions.filter(|n| !stays(n)).count(), 0);
    // A flood of sessions that are established takes what is left, and then nobody is displaced.
    for n in 0..100_000u64 {
        place(&table, mix(2 << 32 | n), 3 * SECOND, 98);
        place(&table, mix(2 << 32 | n), 3 * SECOND, 98);
    }
    let stays = |n: &u64| place(&table, mix(*n), 4 * SECOND, 99) == Placed::Stays((n % 64) as u8);
    assert_eq!((0..2000).filter(|n| !stays(n)).count(), 0);
    // When they have expired there is room again.
    let begins = |n: u64| place(&table, mix(3 << 32 | n), 20 * SECOND, 97);
    assert!((0..3000).all(|n| begins(n) == Placed::Begins(97, false)));
}

#[test]
fn a_seat_can_be_cleared_and_counted() {
    let table = table(1024);
    for n in 0..300 {
        place(&table, mix(n), SECOND, (n % 3) as u8);
    }
    let count = || {
        let mut counts = [0; SEATS];
        table.count(2 * SECOND, 10 * SECOND, &mut counts);
        counts
    };
    assert_eq!(count()[..4], [100, 100, 100, 0]);
    table.clear(1);
    assert_eq!(count()[..4], [100, 0, 100, 0]);
    let mut counts = [0; SEATS];
    table.count(20 * SECOND, 10 * SECOND, &mut counts);
    assert_eq!(counts, [0; SEATS]);
    assert!(table.is_in_use(10 * SECOND, 10 * SECOND));
    assert!(!table.is_in_use(20 * SECOND, 10 * SECOND));
}

#[test]
fn cpus_that_bring_a_session_at_once_agree() {
    use std::sync::{
        atomic::{AtomicU64, Ordering::SeqCst},
        Barrier,
    };
    let table = table(65_536);
    let barrier = Barrier::new(4);
    let (chosen, begun) = (AtomicU64::new(0), AtomicU64::new(0));
    let run = |seat: u8| {
        let mut seats = vec![];
        for n in 0..20_000 {
            if n % 100 == 0 {
                barrier.wait();
            }
            let choose = |_| {
                chosen.fetch_add(1, SeqCst);
                Some(seat)
            };
            let placed = table.place(mix(n), SECOND, 10 * SECOND, |_, _| true, choose);
            seats.push(match placed {
                Placed::Begins(seat, _) => {
                    begun.fetch_add(1, SeqCst);
                    seat
                }
                Placed::Stays(seat) => seat,
                _ => panic!("{placed:?}"),
            });
        }
        seats
    };
    std::thread::scope(|scope| {
        let run = &run;
        let threads: Vec<_> = (0..4).map(|seat| scope.spawn(move || run(seat))).collect();
        let mut seats = threads.into_iter().map(|thread| thread.join().unwrap());
        let first = seats.next().unwrap();
        assert!(seats.all(|seats| seats == first));
    });
    assert!(chosen.load(SeqCst) >= 20_000);
    assert_eq!(begun.load(SeqCst), 20_000);
    let mut counts = [0; SEATS];
    table.count(SECOND, 10 * SECOND, &mut counts);
    assert_eq!(counts.iter().sum::<u32>(), 20_000);
}

// --- Choices ---------------------------------------------------------------------------------

const WEIGHTS: [&[u16]; 6] = [
    &[1, 1],
    &[1, 10, 10],
    &[3, 2, 1],
    &[5, 1, 1],
    &[1000, 999, 7],
    &[1; 64],
];

#[test]
fn turns_are_by_weight_and_smooth() {
    let cycle = |weights: &[u16]| Cycle::new(weights).collect::<Vec<u8>>();
    assert_eq!(cycle(&[5, 1, 1]), [0, 0, 1, 0, 2, 0, 0]);
    assert_eq!(cycle(&[10, 10]), [0, 1]);
    assert_eq!(cycle(&[2, 0, 4]), [2, 0, 2]);
    assert_eq!(cycle(&[0, 0]), []);
    assert_eq!(cycle(&[]), []);
    for weights in WEIGHTS {
        let cycle = cycle(weights);
        let total: u16 = weights.iter().sum();
        assert_eq!(usize::from(total) % cycle.len(), 0);
        for (index, &weight) in (0..).zip(weights) {
            let turns = cycle
                .iter()
                .filter(|turn| **turn == index)
                .collect::<Vec<_>>()
                .len();
            assert_eq!(
                turns * usize::from(total),
                usize::from(weight) * cycle.len()
            );
        }
    }
}

#[test]
fn a_port_that_goes_or_comes_moves_its_share_and_nothing_else() {
    for weights in WEIGHTS {
        let all = ports(weights);
        let total: u16 = weights.iter().sum();
        let full = spread(&all);
        let at = |spread: &Spread, n| spread.rendezvous(mix(n)).unwrap().number;
        for gone in all.iter().take(3) {
            let rest: Vec<_> = all.iter().filter(|port| *port != gone).copied().collect();
            let less = spread(&rest);
            let mut moved = 0;
            for n in 0..20_000 {
                let (before, after) = (at(&full, n), at(&less, n));
                if before == gone.number {
                    moved += 1;
                } else {
                    assert_eq!(
                        before, after,
                        "{weights:?}: {n} was not at port {}",
                        gone.number
                    );
                }
            }
            let share = f64::from(gone.weight) / f64::from(total);
            let part = f64::from(moved) / 20_000.0;
            assert!(
                (part - share).abs() < 0.012,
                "{weights:?}: {part} of {share}"
            );
        }
    }
}

#[test]
fn another_weight_moves_no_more_than_what_it_changes() {
    let (old, new) = (spread(&ports(&[1, 1, 1])), spread(&ports(&[2, 1, 1])));
    let mut moved = 0;
    for n in 0..100_000 {
        let at = |spread: &Spread| spread.rendezvous(mix(n)).unwrap().number;
        if at(&old) != at(&new) {
            assert_eq!(at(&new), 0);
            moved += 1;
        }
    }
    // From a third to a half.
    assert!((16_000..17_400).contains(&moved), "{moved}");
}

/// The part of `count` packets or sessions that each port got.
fn shares(ports: &[Usable], count: u32, mut next: impl FnMut(u32) -> u16) -> Vec<f64> {
    let mut counts = vec![0u32; ports.len()];
    for n in 0..count {
        counts[usize::from(next(n))] += 1;
    }
    let share = |got: &u32| f64::from(*got) / f64::from(count);
    counts.iter().map(share).collect()
}

fn assert_split(what: &str, weights: &[u16], shares: &[f64]) {
    let total: f64 = weights.iter().map(|&weight| f64::from(weight)).sum();
    for (weight, share) in weights.iter().zip(shares) {
        let wanted = f64::from(*weight) / total;
        assert!(
            (wanted - share).abs() < 0.01,
            "{what} {weights:?}: {shares:?}"
        );
    }
}

#[test]
fn the_split_of_each_strategy_is_that_of_the_weights() {
    // Bandwidth goes by other rules.
    let mut strategies: Vec<_> = ALL.map(|strategy| (strategy, Per::Packet)).into();
    strategies.retain(|(strategy, _)| *strategy != Strategy::Bandwidth);
    strategies.push((Strategy::Utilisation, Per::Session));
    for weights in &WEIGHTS[..5] {
        let ports = ports(weights);
        for is_v6 in [false, true] {
            for (strategy, per) in &strategies {
                let mut bench = Bench::new(*strategy, &ports);
                bench.rules.per = *per;
                let shares = shares(&ports, 100_000, |n| bench.port(&session(n, is_v6)));
                assert_split(&format!("{strategy:?}"), weights, &shares);
            }
        }
    }
}

#[test]
fn bandwidth_leaves_the_same_unused_where_it_is_used() {
    let capacities = [1, 10, 10, 20];
    for load in [5, 12, 30, 41, 60] {
        for per in [Per::Packet, Per::Session] {
            let mut all = ports(&[1; 4]);
            for (port, capacity) in all.iter_mut().zip(capacities) {
                port.capacity = capacity * MBIT;
            }
            let mut bench = Bench::new(Strategy::Bandwidth, &all);
            bench.rules.per = per;
            // 1250 bytes are 10 kbit.
            let send = |n| {
                bench.wait(10 * MS / load);
                bench.send(&session(n, false), 1250).unwrap().number
            };
            // At first all goes where there is most room.
            for n in 0..load as u32 * 60 * 100 {
                send(n + 100_000);
            }
            let shares = shares(&all, 100_000, send);
            let spread = spread(&all);
            let parts = all
                .iter()
                .map(|port| spread.wanted(port, Strategy::Bandwidth, load * MBIT, |_| 0));
            let wanted: Vec<_> = parts.map(|(part, of)| part as f64 / of as f64).collect();
            for (share, wanted) in shares.iter().zip(&wanted) {
                assert!(
                    (share - wanted).abs() < 0.01,
                    "{load}: {shares:?}, not {wanted:?}"
                );
            }
            let sums: Vec<_> = wanted.iter().map(|w| (w * load as f64).round()).collect();
            match load {
                5 => assert_eq!(sums, [0.0, 0.0, 0.0, 5.0]),
                12 => assert_eq!(sums, [0.0, 1.0, 1.0, 11.0]),
                30 => assert_eq!(sums, [0.0, 7.0, 7.0, 17.0]),
                41 => assert_eq!(sums, [1.0, 10.0, 10.0, 20.0]),
                _ => (),
            }
        }
    }
}

#[test]
fn utilisation_makes_the_used_parts_equal() {
    let capacities = [1, 10, 10, 20];
    let mut all = ports(&[1; 4]);
    for (port, capacity) in all.iter_mut().zip(capacities) {
        port.capacity = capacity * MBIT;
    }
    for load in [1, 20, 100] {
        let bench = Bench::new(Strategy::Utilisation, &all);
        let shares = shares(&all, 100_000, |n| {
            bench.wait(10 * MS / load);
            bench.send(&session(n, false), 1250).unwrap().number
        });
        assert_split("utilisation", &[1, 10, 10, 20], &shares);
    }
}

#[test]
fn a_port_without_weight_keeps_its_sessions_and_gets_no_more() {
    let mut all = ports(&[1, 1]);
    for strategy in [Strategy::Session, Strategy::Route, Strategy::Flowlet] {
        let mut bench = Bench::new(strategy, &all);
        let before: Vec<_> = (0..1000).map(|n| bench.port(&session(n, false))).collect();
        all[0].weight = 0;
        bench.spread = spread(&all);
        let after: Vec<_> = (0..1000).map(|n| bench.port(&session(n, false))).collect();
        assert_eq!(before, after);
        assert!((1000..2000).all(|n| bench.port(&session(n, false)) == 1));
        all[0].weight = 1;
    }
    all[0].weight = 0;
    for strategy in ALL {
        let bench = Bench::new(strategy, &all);
        assert!(
            (0..1000).all(|n| bench.port(&session(n, true)) == 1),
            "{strategy:?}"
        );
    }
    all[1].weight = 0;
    for strategy in ALL {
        assert_eq!(Bench::new(strategy, &all).send(&session(1, true), 60), None);
        assert_eq!(Bench::new(strategy, &[]).send(&session(1, true), 60), None);
    }
}

// --- Sessions --------------------------------------------------------------------------------

/// What all sessions go by.
fn ways(bench: &Bench, count: u32) -> Vec<u16> {
    (0..count)
        .map(|n| bench.port(&session(n, n % 2 == 0)))
        .collect()
}

#[test]
fn a_living_session_does_not_move() {
    let all = ports(&[3, 2, 1, 1]);
    let mut bench = Bench::new(Strategy::Session, &all);
    let first = ways(&bench, 10_000);
    let mut changed = all.clone();
    for round in 0..100 {
        bench.wait(299 * SECOND);
        // Weights, capacities, and other ports are nothing to it.
        for port in &mut changed {
            port.weight = (mix(round << 8 | u64::from(port.seat)) % 20) as u16 + 1;
        }
        let more = Usable {
            number: 4,
            seat: 90,
            weight: 50,
            capacity: 1,
            id: 1,
        };
        let with: Vec<_> = changed.iter().chain([&more]).copied().collect();
        bench.spread = spread(if round % 2 == 0 { &with } else { &changed });
        // Nor are strategies with the same sessions.
        bench.rules.strategy = [
            Strategy::Session,
            Strategy::Bandwidth,
            Strategy::Utilisation,
        ][round as usize % 3];
        bench.rules.per = Per::Session;
        assert_eq!(first, ways(&bench, 10_000), "round {round}");
    }
    // Strategies that remember none leave them alone.
    for strategy in [Strategy::Packet, Strategy::Hash, Strategy::Route] {
        bench.rules.strategy = strategy;
        ways(&bench, 1000);
        bench.rules.strategy = Strategy::Session;
        assert_eq!(first, ways(&bench, 10_000), "{strategy:?}");
    }
    bench.rules.strategy = Strategy::Flowlet;
    assert_eq!(first, ways(&bench, 10_000));
}

#[test]
fn a_route_stays_until_it_expires() {
    let bench = Bench::new(Strategy::Route, &ports(&[1, 1, 1]));
    let first = ways(&bench, 999);
    // By the destination, whatever the ports.
    let to = |n: u32, port| {
        v4(
            &V4 {
                destination: 0x0a00_0000 + n,
                ..V4
            },
            &l4(port, port),
        )
    };
    assert!((1..999)
        .step_by(2)
        .all(|n| (0..3).all(|p| bench.port(&to(n, p)) == first[n as usize])));
    bench.wait(200 * SECOND);
    assert_eq!(ways(&bench, 999), first);
    bench.wait(400 * SECOND);
    let why = bench.send(&session(1, false), 60).unwrap().why;
    assert_eq!(why, Why::Begins { evicts: false });
}

#[test]
fn sessions_of_a_port_that_goes_move_at_once_and_by_weight() {
    let all = ports(&[2, 1, 1]);
    let mut bench = Bench::new(Strategy::Session, &all);
    let first = ways(&bench, 20_000);
    bench.wait(SECOND);
    // Port 1 goes: what was port 2 is port 1 now.
    let shifted = Usable {
        number: 1,
        ..all[2]
    };
    bench.spread = spread(&[all[0], shifted]);
    let after = ways(&bench, 20_000);
    let mut got = [0; 2];
    for (before, after) in first.iter().zip(&after) {
        match before {
            0 => assert_eq!(*after, 0),
            2 => assert_eq!(*after, 1),
            _ => got[usize::from(*after)] += 1,
        }
    }
    assert!(
        (3300..3370).contains(&got[0]) && (1640..1700).contains(&got[1]),
        "{got:?}"
    );
    // It comes back: for new ones, by weight.
    bench.spread = spread(&all);
    let seats = |ways: &[u16], map: [u16; 2]| {
        ways.iter()
            .map(|w| map[usize::from(*w)])
            .collect::<Vec<_>>()
    };
    assert_eq!(ways(&bench, 20_000), seats(&after, [0, 2]));
    let new = shares(&all, 20_000, |n| bench.port(&session(100_000 + n, true)));
    assert_split("session", &[2, 1, 1], &new);
}

#[test]
fn a_move_within_the_gap_may_reorder() {
    let all = ports(&[1, 1]);
    for (wait, reorders) in [(10 * MS, true), (60 * MS, false)] {
        let mut bench = Bench::new(Strategy::Session, &all);
        let way = bench.send(&session(1, false), 60).unwrap();
        bench.wait(wait);
        let rest = all[usize::from(1 - way.number)];
        bench.spread = spread(&[rest]);
        let way = bench.send(&session(1, false), 60).unwrap();
        assert_eq!(
            (way.number, way.why),
            (rest.number, Why::Moves { reorders })
        );
    }
}

#[test]
fn a_flowlet_stays_together_and_the_next_may_move() {
    let bench = Bench::new(Strategy::Flowlet, &ports(&[1, 1, 1]));
    let packet = session(1, false);
    let mut flowlets = vec![];
    for _ in 0..3000 {
        bench.wait(51 * MS);
        let port = bench.port(&packet);
        for _ in 0..5 {
            bench.wait(49 * MS);
            assert_eq!(bench.port(&packet), port);
        }
        flowlets.push(port);
    }
    let shares = shares(&ports(&[1, 1, 1]), 3000, |n| flowlets[n as usize]);
    assert_split("flowlet", &[1, 1, 1], &shares);
}

#[test]
fn fragments_follow_their_first() {
    for strategy in [
        Strategy::Session,
        Strategy::Flowlet,
        Strategy::Hash,
        Strategy::Bandwidth,
    ] {
        let mut bench = Bench::new(strategy, &ports(&[1, 1, 1]));
        bench.rules.per = Per::Session;
        let mut used = HashSet::new();
        for n in 0..1000u16 {
            let head = V4 {
                id: n,
                place: 0x2000,
                ..V4
            };
            let first = bench.port(&v4(&head, &l4(n, 5)));
            let six = bench.port(&part_v6(n.into(), 0, true, 17, &l4(n, 5)));
            bench.wait(100 * MS);
            for place in [0x2003, 0x2006, 0x0009] {
                let head = V4 { id: n, place, ..V4 };
                let way = bench.send(&v4(&head, &[7; 24]), 60).unwrap();
                assert_eq!((way.number, way.why), (first, Why::Stays));
                let part = part_v6(n.into(), place & 0xf, place & 0x2000 != 0, 17, &[7; 24]);
                let way = bench.send(&part, 60).unwrap();
                assert_eq!((way.number, way.why), (six, Why::Stays));
            }
            used.extend([first, six]);
        }
        assert_eq!(used.len(), 3);
        // One whose first part was not seen goes somewhere, and all of it there.
        let orphan = |place| {
            bench
                .send(
                    &v4(
                        &V4 {
                            id: 5000,
                            place,
                            ..V4
                        },
                        &[7; 24],
                    ),
                    60,
                )
                .unwrap()
        };
        assert_eq!(orphan(0x2003).why, Why::Orphan);
        assert_eq!(orphan(0x2003), orphan(0x0006));
    }
}

#[test]
fn many_fragments_do_not_lose_the_latest() {
    let bench = Bench::new(Strategy::Session, &ports(&[1, 1, 1]));
    for n in 0..200_000u32 {
        let source = n >> 8;
        let first = V4 {
            id: n as u16,
            place: 0x2000,
            source,
            ..V4
        };
        let port = bench.port(&v4(&first, &l4(5, 5)));
        let later = V4 {
            place: 0x0003,
            ..first
        };
        let way = bench.send(&v4(&later, &[7; 24]), 60).unwrap();
        assert_eq!((way.number, way.why), (port, Why::Stays));
    }
}

#[test]
fn a_flood_of_sessions_is_spread_and_moves_none() {
    let all = ports(&[1, 1]);
    let mut bench = Bench::new(Strategy::Session, &all);
    bench.sessions = table(1024);
    let first = ways(&bench, 500);
    assert_eq!(ways(&bench, 500), first);
    let mut whys = HashMap::new();
    let shares = shares(&all, 100_000, |n| {
        let way = bench.send(&session(1000 + n, false), 60).unwrap();
        *whys.entry(format!("{:?}", way.why)).or_insert(0) += 1;
        // Those in between come on, too, so that they are established.
        bench.send(&session(1000 + n, false), 60).unwrap();
        way.number
    });
    assert_split("flood", &[1, 1], &shares);
    assert!(whys["Untracked"] > 98_000, "{whys:?}");
    assert_eq!(ways(&bench, 500), first);
}

#[test]
fn a_table_of_another_size_takes_over() {
    let mut bench = Bench::new(Strategy::Session, &ports(&[1, 1, 1]));
    let first = ways(&bench, 5000);
    bench.before = Some(core::mem::replace(&mut bench.sessions, table(16_384)));
    assert_eq!(ways(&bench, 5000), first);
    bench.before = None;
    assert_eq!(ways(&bench, 5000), first);
}

#[test]
fn what_was_remembered_before_holds_nobody_back() {
    let mut bench = Bench::new(Strategy::Flowlet, &ports(&[1, 1, 1]));
    ways(&bench, 100);
    bench.before = Some(core::mem::replace(&mut bench.sessions, table(16_384)));
    let first = ways(&bench, 100);
    bench.wait(51 * MS);
    // As many turns as there are sessions, and one more each time.
    assert!(first.iter().zip(ways(&bench, 100)).all(|(a, b)| *a != b));
}

// --- Measuring -------------------------------------------------------------------------------

#[test]
fn rates_are_averaged_over_eight_seconds() {
    let meter = Meter::new(0, (0..4).map(|_| Use::default()).collect());
    let pace = Pace::new(&Rules::DEFAULT);
    let average = |seat| meter.rates(seat)[0].average;
    assert_eq!(meter.is_due(SECOND - 1, &pace), None);
    assert_eq!(meter.is_due(SECOND + 1, &pace), Some(1));
    assert_eq!(meter.is_due(SECOND + 1, &pace), None);
    let mut bytes = 0;
    for packets in 1..=100 {
        bytes += 125_000;
        meter.measure(2, &sent(bytes, packets * 100), 1, &pace);
    }
    assert!(average(2).abs_diff(MBIT) < 100, "{}", average(2));
    let [bits, packets] = meter.rates(2);
    assert_eq!((bits.last, packets.last), (MBIT, 100));
    assert!((99..=100).contains(&packets.average));
    // After eight seconds of nothing a third is left, (7/8)^8.
    meter.measure(2, &sent(bytes, 10_000), 8, &pace);
    assert!(average(2).abs_diff(343_609) < 100, "{}", average(2));
    assert_eq!(meter.rates(2)[0].last, 0);
    meter.measure(2, &sent(bytes, 10_000), u64::MAX, &pace);
    assert!(average(2) < 8);
    // What is sent counts at once by as much as it will.
    meter.sent(1, 1000);
    assert_eq!((meter.used(1, &pace), average(1)), (1000, 0));
    meter.measure(1, &sent(1000, 1), 1, &pace);
    assert_eq!((meter.used(1, &pace), average(1)), (875, 1000));
    meter.forget(1, &sent(0, 0));
    assert_eq!((meter.used(1, &pace), average(1)), (0, 0));
    assert_eq!(meter.rates(99), [Rates::default(); 2]);
}

#[test]
fn intervals_and_averages_have_any_length() {
    for (interval, average, share) in [
        (100 * MS, 100 * MS, 1.0),
        (100 * MS, 600 * SECOND, 1.0 / 6000.0),
        (500 * MS, 2 * SECOND, 0.25),
        (600 * SECOND, 600 * SECOND, 1.0),
        // No shorter than an interval.
        (10 * SECOND, SECOND, 1.0),
    ] {
        let rules = Rules {
            interval: Time(interval),
            average: Time(average),
            ..Rules::DEFAULT
        };
        let (meter, pace) = (
            Meter::new(0, (0..4).map(|_| Use::default()).collect()),
            Pace::new(&rules),
        );
        assert_eq!(meter.is_due(interval - 1, &pace), None);
        assert_eq!(meter.is_due(3 * interval + 1, &pace), Some(3));
        assert_eq!(meter.is_due(4 * interval - 1, &pace), None);
        // A Gbit/s, and a million packets a second.
        let bytes = 125 * interval / 1000;
        meter.measure(1, &sent(bytes, interval / 1000), 1, &pace);
        let [bits, packets] = meter.rates(1);
        let near = |got: u64, wanted: f64| (got as f64 / wanted - 1.0).abs() < 0.001;
        assert!(near(bits.last, 1e9) && near(packets.last, 1e6), "{bits:?}");
        assert!(near(bits.average, 1e9 * share), "{bits:?}");
        assert!(
            (packets.average as f64 - 1e6 * share).abs() <= 1.0,
            "{packets:?}"
        );
        // 10 Tbit/s do not overflow.
        meter.measure(2, &sent(1_250_000 * interval / 1000, 0), 1, &pace);
        assert!(near(meter.rates(2)[0].last, 1e13));
        // So many intervals at once are as good as one after the other.
        let (kept, before) = ((1.0 - share).powi(5), bits.average as f64);
        meter.measure(1, &sent(bytes, interval / 1000), 5, &pace);
        let [bits, _] = meter.rates(1);
        assert!((bits.average as f64 - before * kept).abs() <= before * 0.001);
    }
}

#[test]
fn a_choice_goes_by_the_average_or_by_the_last_interval() {
    let mut rules = Rules::DEFAULT;
    let meter = Meter::new(0, (0..4).map(|_| Use::default()).collect());
    let pace = Pace::new(&rules);
    // The first one was used for long, the second one of late.
    for second in 1..=20 {
        let second_one = if second > 18 {
            (second - 18) * 10_000
        } else {
            0
        };
        meter.measure(0, &sent(second.min(18) * 10_000, 0), 1, &pace);
        meter.measure(1, &sent(second_one, 0), 1, &pace);
    }
    assert!(meter.used(0, &pace) > meter.used(1, &pace));
    rules.usage = Usage::Last;
    let pace = Pace::new(&rules);
    assert_eq!((meter.used(0, &pace), meter.used(1, &pace)), (0, 80_000));
    meter.sent(0, 100);
    assert_eq!(meter.used(0, &pace), 800);
    // The split is the same.
    for usage in [Usage::Average, Usage::Last] {
        for interval in [100 * MS, SECOND, 5 * SECOND] {
            let mut bench = Bench::new(Strategy::Utilisation, &ports(&[1, 2, 5]));
            (bench.rules.usage, bench.rules.interval) = (usage, Time(interval));
            bench.pace = Pace::new(&bench.rules);
            let mut got = [0; 3];
            for n in 0..80_000 {
                bench.wait(MS);
                got[usize::from(bench.port(&session(n, false)))] += 1;
            }
            let shares = [10_000, 20_000, 50_000];
            let good = got
                .iter()
                .zip(shares)
                .all(|(got, want): (&i32, i32)| (got - want).abs() < 800);
            assert!(good, "{usage:?} {interval}: {got:?}");
        }
    }
    assert_eq!(rules_with("usage", "last").unwrap().usage, Usage::Last);
    assert!(rules_with("usage", "latest").is_err());
    let interval = rules_with("interval", "0.5s").unwrap().interval;
    assert_eq!(interval.0, 500 * MS);
    let average = rules_with("average", "10s").unwrap().average;
    assert_eq!(average.0, 10 * SECOND);
    for text in ["1", "99ms", "601s", "0s", "-1s", "1m"] {
        assert!(rules_with("interval", text).is_err(), "{text}");
        assert!(rules_with("average", text).is_err(), "{text}");
    }
}

// --- Ports and options -----------------------------------------------------------------------

fn bind(old: &[Port], idps: &[u32], last: &mut u8) -> (Vec<Port>, usize) {
    let (mut ports, mut new) = (vec![], 0);
    let seen = idps.iter().map(|&idp| Seen {
        idp,
        name: "eth0",
        is_up: true,
        speed: 0,
        address: None,
    });
    let push = |port, is_new| {
        ports.push(port);
        new += usize::from(is_new);
        true
    };
    follow(old, seen, last, push).unwrap();
    (ports, new)
}

#[test]
fn what_is_set_follows_what_a_port_leads_to() {
    let weigh = |ports: &mut Vec<Port>, number: usize, weight| {
        while ports.len() <= number {
            ports.push(Port::unbound(Terms::DEFAULT));
        }
        ports[number].terms.weight = Number(weight);
    };
    let weights = |ports: &[Port]| ports.iter().map(|p| p.terms.weight.0).collect::<Vec<_>>();
    let mut last = 0;
    // Set ahead, for 1 and 3.
    let mut ports = vec![];
    weigh(&mut ports, 1, 11);
    weigh(&mut ports, 3, 13);
    let (ports, _) = bind(&ports, &[50], &mut last);
    assert_eq!(weights(&ports), [1, 11, 1, 13]);
    let (ports, new) = bind(&ports, &[50, 51, 52, 53], &mut last);
    assert_eq!((weights(&ports), new), (vec![1, 11, 1, 13], 3));
    assert_eq!(
        ports.iter().map(|p| p.seat).collect::<Vec<_>>(),
        [1, 2, 3, 4]
    );
    assert_eq!(ports[0].name(), "eth0");
    // 51 goes: what is behind it shifts, with its weight, its seat, and since when it is counted.
    let mut ports = ports;
    (ports[2].since, ports[2].base.packets) = (9, 5);
    let (mut ports, new) = bind(&ports, &[50, 52, 53], &mut last);
    assert_eq!((weights(&ports), new), (vec![1, 1, 13, 1], 0));
    assert_eq!(
        ports.iter().map(|p| p.seat).collect::<Vec<_>>(),
        [1, 3, 4, 0]
    );
    assert_eq!((ports[1].since, ports[1].base.packets), (9, 5));
    // It comes back as another one, at a seat that was not used before.
    weigh(&mut ports, 3, 7);
    let (ports, new) = bind(&ports, &[50, 52, 53, 51], &mut last);
    assert_eq!((weights(&ports), new), (vec![1, 1, 13, 7], 1));
    assert_eq!(ports[3].seat, 5);
    // All 64, again and again.
    let mut ports = ports;
    for round in 0..100u32 {
        let idps: Vec<_> = (0..PORTS.into()).map(|n| 1000 + 31 * round + n).collect();
        ports = bind(&ports, &idps, &mut last).0;
        let seats: HashSet<_> = ports.iter().map(|p| p.seat).collect();
        assert_eq!(seats.len(), usize::from(PORTS));
    }
}

#[test]
fn a_port_is_used_while_it_leads_somewhere() {
    let mut last = 0;
    let (mut ports, _) = bind(&[], &[7, 8], &mut last);
    let seen = |idps: &'static [u32], is_up| {
        let seen = move |idp: &u32| Seen {
            idp: *idp,
            name: "eth0",
            is_up,
            speed: 0,
            address: None,
        };
        idps.iter().map(seen)
    };
    assert!(are_these(&ports, seen(&[7, 8], true)));
    ports.push(Port::unbound(Terms::DEFAULT));
    assert!(are_these(&ports, seen(&[7, 8], true)));
    for (idps, is_up) in [
        (&[7, 8][..], false),
        (&[7], true),
        (&[8, 7], true),
        (&[7, 8, 9], true),
    ] {
        assert!(!are_these(&ports, seen(idps, is_up)));
    }
    assert!(ports[0].is_usable() && !ports[2].is_usable());
    assert!(ports[2].is_nothing() && !ports[0].is_nothing());
    let take = |port: &mut Port, key, text| {
        let (_, term) = term(key).unwrap();
        port.terms.take(term, &terms_with(key, text).unwrap());
    };
    take(&mut ports[0], "port.0.state", "down");
    ports[1].is_up = false;
    assert!(!ports[0].is_usable() && !ports[1].is_usable());
    for (key, text) in [("port.2.weight", "9"), ("port.2.capacity", "7bit")] {
        take(&mut ports[2], key, text);
    }
    take(&mut ports[2], "port.2.mac", "02:00:00:00:00:01");
    assert_eq!(ports[2].terms.mac, Unicast::parse("02:00:00:00:00:01"));
    assert_eq!(ports[2].terms.weight.0, 9);
    assert!(!ports[2].is_nothing());
    let usable = ports[2].usable(2);
    assert_eq!((usable.number, usable.weight, usable.capacity), (2, 9, 7));
    // By what it leads to, not by its number.
    assert_eq!(ports[1].usable(5).id, ports[1].usable(6).id);
    assert_ne!(ports[1].usable(5).id, ports[0].usable(5).id);
    let total = |n| Totals {
        packets: n,
        bytes: 2 * n,
        chosen: 3 * n,
        reordered: 4 * n,
        carried: Carried::default(),
    };
    let less = total(7).less(&total(3));
    assert_eq!(
        (less.packets, less.bytes, less.chosen, less.reordered),
        (4, 8, 12, 16)
    );
}

#[test]
fn a_capacity_is_set_or_the_devices_or_a_gigabit_for_each_weight() {
    let mut port = Port::unbound(Terms::DEFAULT);
    assert_eq!(port.capacity(), 1000 * MBIT);
    port.terms.weight = Number(3);
    assert_eq!(port.capacity(), 3000 * MBIT);
    port.speed = 100;
    assert_eq!(port.capacity(), 100 * MBIT);
    port.terms.capacity = Some(Capacity(7));
    assert_eq!(port.capacity(), 7);
}

/// Those of a new block, with another value for an option.
fn rules_with(key: &str, text: &str) -> Result<Rules, String> {
    let rules = Rules::DEFAULT.with(key, text.as_bytes());
    let rules = rules.ok_or_else(|| format!("no {key}"))?;
    rules.map_err(|failure| failure.text)
}

/// Those of a new port.
fn terms_with(key: &str, text: &str) -> Result<Terms, String> {
    let (_, term) = term(key).ok_or_else(|| format!("no {key}"))?;
    let terms = Terms::DEFAULT.with(term.key(), text.as_bytes());
    terms.unwrap().map_err(|failure| failure.text)
}

#[test]
fn options_are_texts() {
    for strategy in ALL {
        let text = Shown(strategy).to_string();
        let set = rules_with("strategy", &text).unwrap();
        assert_eq!(set.strategy, strategy);
        assert_eq!(set.with("strategy", b"").unwrap().unwrap(), Rules::DEFAULT);
    }
    assert_eq!(rules_with("gap", "7").unwrap().gap.0, 7);
    assert_eq!(rules_with("expiry", "86400").unwrap().expiry.0, 86_400);
    assert_eq!(rules_with("sessions", "64").unwrap().room(), 64);
    assert_eq!(rules_with("per", "session").unwrap().per, Per::Session);
    assert!(!rules_with("learn", "off").unwrap().learn);
    for (key, value, says) in [
        ("strategy", "Route", "strategy: route, packet, session, "),
        ("strategy", "routes", "strategy: route, packet, session, "),
        ("per", "flow", "per: packet or session"),
        ("expiry", "0", "expiry: a number from 1 to 86400"),
        ("expiry", "86401", "expiry: a number from 1 to 86400"),
        ("expiry", "+5", "expiry: "),
        ("expiry", "05", "expiry: "),
        ("expiry", "5s", "expiry: "),
        ("gap", "-1", "gap: a number from 1 to 60000"),
        ("sessions", "63", "sessions: a number from 64 to 4194304"),
        ("sessions", "99999999999999999999999", "sessions: "),
        ("learn", "yes", "learn: on or off"),
        ("weight", "1", "no weight"),
        ("port.N.weight", "1", "no port.N.weight"),
    ] {
        let said = rules_with(key, value).unwrap_err();
        assert!(said.starts_with(says), "{key}={value}: {said}");
    }

    let of = |key| term(key).map(|(number, term)| (number, name(term.key())));
    assert_eq!(of("port.0.weight"), Some((0, "weight")));
    assert_eq!(of("port.63.state"), Some((63, "state")));
    assert_eq!(of("port.100.capacity"), Some((100, "capacity")));
    assert_eq!(of("port.3.mac"), Some((3, "mac")));
    assert_eq!(of("port.3.via"), Some((3, "via")));
    for key in [
        "port.weight",
        "port..weight",
        "port.01.weight",
        "port.+1.weight",
        "port.1.sessions",
        "port.1.weight.",
        "port.99999.weight",
        "port.N.weight",
        "ports.1.weight",
        "",
    ] {
        assert_eq!(term(key), None, "{key}");
    }
    let capacity = |text| terms_with("port.5.capacity", text).map(|terms| terms.capacity);
    for (text, rate, shown) in [
        ("10mbit", 10 * MBIT, "10mbit"),
        ("10", 10 * MBIT, "10mbit"),
        ("1500kbit", 1_500_000, "1500kbit"),
        ("1000kbit", MBIT, "1mbit"),
        ("1bit", 1, "1bit"),
        ("1.5mbit", 1_500_000, "1500kbit"),
        ("10000gbit", 10_000_000 * MBIT, "10tbit"),
    ] {
        assert_eq!(capacity(text), Ok(Some(Capacity(rate))));
        assert_eq!(Shown(Capacity(rate)).to_string(), shown);
        assert_eq!(capacity(shown), Ok(Some(Capacity(rate))));
    }
    assert_eq!(capacity(""), Ok(None));
    for text in [
        "0",
        "0mbit",
        "mbit",
        "1.5",
        "1mbps",
        "10001gbit",
        "-1",
        "18446744073709551615gbit",
    ] {
        assert!(capacity(text).is_err(), "{text}");
    }
    assert!(terms_with("port.1.weight", "1001").is_err());
    assert!(terms_with("port.1.state", "off").is_err());
    let down = terms_with("port.1.state", "down").unwrap();
    assert_eq!(down.state, AdminState::Down);
    assert_eq!(terms_with("port.1.weight", "0").unwrap().weight(), 0);
    let (_, weight) = term("port.1.weight").unwrap();
    let values = weight.values().unwrap().to_string();
    assert_eq!(values, "a number from 0 to 1000");
    assert_eq!(Part(1, 3).to_string(), "33.33%");
    assert_eq!(Part(2, 3).to_string(), "66.67%");
    assert_eq!(Part(0, 0).to_string(), "-");
}

#[test]
fn all_options_are_listed() {
    const ALL: [OptionSpec; Rules::OPTIONS.len() + Terms::OPTIONS.len()] =
        OptionSpec::all(Rules::OPTIONS, Terms::OPTIONS);
    let keys: Vec<_> = ALL.iter().map(|option| option.key).collect();
    assert_eq!(keys.first(), Some(&"strategy"));
    assert_eq!(keys.last(), Some(&"port.N.source"));
    assert_eq!(keys.iter().collect::<HashSet<_>>().len(), keys.len());
    assert_eq!(
        ALL.iter().filter(|option| option.is("port.5.mac")).count(),
        1
    );
    for option in ALL {
        assert!(!option.doc.is_empty(), "{}", option.key);
        // The default that is shown is one.
        let (key, default) = (option.key.replace('N', "1"), option.default.to_string());
        let rules = rules_with(&key, &default).map(|rules| rules == Rules::DEFAULT);
        let terms = terms_with(&key, &default).map(|terms| terms == Terms::DEFAULT);
        assert_eq!(rules.or(terms), Ok(true), "{key}={default}");
    }
}

#[test]
fn what_a_new_block_does_not_have_is_told() {
    struct Told(Vec<String>);
    impl crate::prelude::Options for Told {
        fn put_config(&mut self, key: &str, value: std::fmt::Arguments<'_>) {
            self.0.push(format!("{key}={value}"));
        }
    }
    let mut told = Told(Vec::new());
    Rules::DEFAULT.put(&mut told);
    Terms::DEFAULT.put(&mut told);
    assert!(told.0.is_empty());
    rules_with("average", "2000ms").unwrap().put(&mut told);
    rules_with("learn", "off").unwrap().put(&mut told);
    terms_with("port.7.capacity", "12").unwrap().put(&mut told);
    terms_with("port.7.state", "down").unwrap().put(&mut told);
    let wanted = [
        "average=2s",
        "learn=off",
        "port.N.capacity=12mbit",
        "port.N.state=down",
    ];
    assert_eq!(told.0, wanted);
}

// --- Sessions that come in --------------------------------------------------------------------

/// A packet of the other side, which has come from there, and what is sent in answer.
fn exchange(n: u32, is_v6: bool, protocol: u8, ports: [&[u8]; 2]) -> [Vec<u8>; 2] {
    let [question, answer] = ports.map(|ports| {
        let mut payload = ports.to_vec();
        payload.resize(40, 0);
        payload
    });
    if is_v6 {
        let (far, near) = (u128::from(n) << 64 | 5, 0x2001 << 112 | 1);
        return [
            v6(protocol, far, near, &question),
            v6(protocol, near, far, &answer),
        ];
    }
    let (far, near) = (0x0a00_0000 + n, V4.source);
    let head = |source, destination| V4 {
        protocol,
        source,
        destination,
        ..V4
    };
    [
        v4(&head(far, near), &question),
        v4(&head(near, far), &answer),
    ]
}

fn exchanges(n: u32) -> Vec<[Vec<u8>; 2]> {
    let (tcp, back) = (l4(n as u16, 80), l4(80, n as u16));
    let id = (n as u16).to_be_bytes();
    let icmp = |kind| vec![kind, 0, 0, 0, id[0], id[1], 0, 1];
    let mut all = Vec::new();
    for is_v6 in [false, true] {
        for protocol in [6, 17, 132] {
            all.push(exchange(n, is_v6, protocol, [&tcp, &back]));
        }
        let (protocol, question, answer) = if is_v6 { (58, 128, 129) } else { (1, 8, 0) };
        let ports = [icmp(question), icmp(answer)];
        all.push(exchange(n, is_v6, protocol, [&ports[0], &ports[1]]));
        // Without ports.
        all.push(exchange(n, is_v6, 47, [&[], &[]]));
    }
    all
}

#[test]
fn answers_leave_by_the_port_that_their_session_came_in_by() {
    for strategy in ALL {
        let mut bench = Bench::new(strategy, &ports(&[1, 1, 0]));
        bench.rules.per = Per::Session;
        let remembers = bench.rules.remembers();
        let mut wrong = 0;
        for n in 0..300 {
            let by = n as u16 % 3;
            for [question, answer] in exchanges(n) {
                assert_eq!(bench.comes(&question, by), remembers.then_some(false));
                assert_eq!(bench.comes(&question, by), None);
                for _ in 0..3 {
                    wrong += u32::from(bench.port(&answer) != by);
                }
            }
        }
        assert_eq!(wrong == 0, remembers, "{strategy:?}: {wrong}");
        bench.rules.learn = false;
        let [question, answer] = exchange(5000, true, 6, [&l4(1, 2), &l4(2, 1)]);
        assert_eq!(bench.comes(&question, 2), None);
        assert_ne!(bench.port(&answer), 2, "{strategy:?}");
    }
}

#[test]
fn a_session_that_went_out_stays_where_it_is() {
    let bench = Bench::new(Strategy::Session, &ports(&[1, 1]));
    for n in 0..200 {
        let [question, answer] = exchange(n, n % 2 == 0, 6, [&l4(1, 2), &l4(2, 1)]);
        let port = bench.port(&answer);
        assert_eq!(bench.comes(&question, 1 - port), None);
        assert_eq!(bench.port(&answer), port);
    }
    // A table of another size, which does not know them yet.
    let mut bench = bench;
    let ways: Vec<_> = (0..200).map(|n| bench.port(&session(n, true))).collect();
    bench.before = Some(core::mem::replace(&mut bench.sessions, table(1024)));
    for (n, way) in (0..).zip(ways) {
        let packet = session(n, true);
        let [question, _] = {
            let answer = read(&packet);
            let reversed = v6(6, u128::from(n) << 64 | 5, 1, &l4(80, n as u16));
            assert_eq!(read(&reversed).reversed(), answer);
            [reversed, packet.clone()]
        };
        assert_eq!(bench.comes(&question, 1 - way), None);
        assert_eq!(bench.port(&packet), way);
    }
}

#[test]
fn what_was_learnt_follows_until_it_is_answered_and_after_its_port_fails() {
    let all = ports(&[1, 1, 1]);
    let mut bench = Bench::new(Strategy::Flowlet, &all);
    let [question, answer] = exchange(7, false, 6, [&l4(1, 2), &l4(2, 1)]);
    assert_eq!(bench.comes(&question, 0), Some(false));
    // It comes by another port before anybody has answered.
    assert_eq!(bench.comes(&question, 1), None);
    assert_eq!(bench.port(&answer), 1);
    assert_eq!(bench.comes(&question, 2), None);
    // No pause makes it move.
    for _ in 0..10 {
        bench.wait(SECOND);
        assert_eq!(bench.port(&answer), 1);
    }
    // What comes in keeps it, even if there is no answer for long.
    for _ in 0..5 {
        bench.wait(200 * SECOND);
        assert_eq!(bench.comes(&question, 1), None);
    }
    assert_eq!(bench.port(&answer), 1);
    // Its port fails: it goes on by the one that packets come by now.
    bench.spread = spread(&[all[0], all[2]]);
    assert_eq!(bench.comes(&question, 2), None);
    bench.spread = spread(&all);
    assert_eq!(bench.port(&answer), 2);
    // By a port that cannot be used nothing is learnt.
    let [question, _] = exchange(8, false, 6, [&l4(1, 2), &l4(2, 1)]);
    bench.spread = spread(&all[1..]);
    assert_eq!(bench.comes(&question, 0), None);
    // It expires like any other one.
    assert_eq!(bench.comes(&question, 1), Some(false));
    bench.wait(301 * SECOND);
    assert_eq!(bench.comes(&question, 2), Some(false));
}

#[test]
fn groups_errors_and_later_fragments_teach_nothing() {
    let bench = Bench::new(Strategy::Session, &ports(&[1, 1]));
    let group = |destination| {
        let head = V4 { destination, ..V4 };
        v4(&head, &l4(1, 2))
    };
    let error = v4(
        &V4 { protocol: 1, ..V4 },
        &[&[3, 3, 0, 0, 0, 0, 0, 0], &group(5)[14..]].concat(),
    );
    let mut stp = ethernet(0x88cc, &[0; 46]);
    stp[0] = 1;
    for packet in [
        group(0xe000_0001),
        group(0xffff_ffff),
        v6(17, 1, 0xff02 << 112 | 1, &l4(1, 2)),
        v4(&V4 { place: 8, ..V4 }, &l4(1, 2)),
        error,
        stp,
    ] {
        assert_eq!(bench.comes(&packet, 1), None);
    }
    assert_eq!(bench.comes(&group(5), 1), Some(false));
    // The first fragment tells the session, and the answer's fragments follow their first one.
    let part = |place, head: V4, payload: &[u8]| {
        v4(
            &V4 {
                id: 9,
                place,
                ..head
            },
            payload,
        )
    };
    let far = V4 {
        source: 99,
        destination: V4.source,
        ..V4
    };
    let near = V4 {
        destination: 99,
        ..V4
    };
    assert_eq!(bench.comes(&part(0x2000, far, &l4(1, 2)), 1), Some(false));
    for (place, payload) in [(0x2000, &l4(2, 1)[..]), (0x2008, &[0; 8]), (16, &[0; 8])] {
        assert_eq!(bench.port(&part(place, V4 { ..near }, payload)), 1);
    }
}

#[test]
fn an_answer_to_arp_or_a_solicitation_goes_where_that_came_from() {
    let arp = |op: u8, sender: u8, target: u8| {
        let mut arp = vec![0, 1, 8, 0, 6, 4, 0, op];
        for host in [sender, target] {
            arp.extend([2, 0, 0, 0, 0, host, 192, 0, 2, host]);
        }
        arp.resize(46, 0);
        let mut packet = ethernet(0x0806, &arp);
        if op == 1 {
            packet[..6].fill(0xff);
        }
        packet
    };
    let host = |n: u8| 0x2001_0db8 << 96 | u128::from(n);
    let neighbour = |kind: u8, source: u128, destination: u128, target: u128| {
        let mut icmp = vec![kind, 0, 0, 0, 0, 0, 0, 0];
        icmp.extend(target.to_be_bytes());
        icmp.extend([kind - 134, 1, 2, 0, 0, 0, 0, 1]);
        v6(58, source, destination, &icmp)
    };
    let bench = Bench::new(Strategy::Session, &ports(&[1, 1]));
    for far in 10..60 {
        let by = u16::from(far % 3 == 0);
        assert_eq!(bench.comes(&arp(1, far, 1), by), Some(false));
        assert_eq!(bench.port(&arp(2, 1, far)), by);
        let group = 0xff02 << 112 | 0x1_ff00_0001;
        let question = neighbour(135, host(far), group, host(1));
        assert_eq!(bench.comes(&question, by), Some(false));
        assert_eq!(bench.port(&neighbour(136, host(1), host(far), host(1))), by);
    }
    // The shortest one is all in the headers that are looked at.
    let question = neighbour(135, host(9), host(1), host(1));
    assert!(Flow::read(&question[..FIRST as usize], Fields::L4).is_err());
    assert!(Flow::read(&question[..14 + 40 + 24], Fields::L4).is_ok());
    // It is none of IPv4 over Ethernet, or cut off.
    let mut other = arp(1, 10, 1);
    other[14 + 2] = 9;
    assert_eq!(bench.comes(&other, 1), None);
    assert!(Flow::read(&arp(1, 10, 1)[..41], Fields::L4).is_err());
}

#[test]
fn a_flood_from_outside_displaces_nobody_who_is_established() {
    let mut bench = Bench::new(Strategy::Session, &ports(&[1, 1]));
    bench.sessions = table(1024);
    let mine: Vec<_> = (0..400).map(|n| bench.port(&session(n, false))).collect();
    (0..400).for_each(|n| assert_eq!(bench.port(&session(n, false)), mine[n as usize]));
    let mut evicted = 0;
    for n in 0..50_000 {
        let [question, _] = exchange(n, true, 6, [&l4(1, 2), &l4(2, 1)]);
        evicted += u32::from(bench.comes(&question, 1) == Some(true));
    }
    assert!(evicted > 40_000, "{evicted}");
    (0..400).for_each(|n| assert_eq!(bench.port(&session(n, false)), mine[n as usize]));
}

// --- Next hops -------------------------------------------------------------------------------

#[test]
fn the_address_of_a_next_hop_is_that_of_one_station() {
    let mac = Unicast::parse("02:00:5e:0A:0b:ff").unwrap();
    assert_eq!(mac.mac().bytes(), [2, 0, 0x5e, 10, 11, 255]);
    assert_eq!(mac.to_string(), "02:00:5e:0a:0b:ff");
    assert_eq!(
        terms_with("port.3.mac", "02:00:5e:0a:0b:ff").unwrap().mac,
        Some(mac)
    );
    assert_eq!(terms_with("port.3.mac", "").unwrap().mac, None);
    for text in [
        "02",
        "02:00:00:00:00",
        "02:00:00:00:00:01:02",
        "02:00:00:00:00:0",
        "2:0:0:0:0:1",
        "02:00:00:00:00:+1",
        "02-00-00-00-00-01",
        "02:00:00:00:00:zz",
        "01:00:00:00:00:00",
        "ff:ff:ff:ff:ff:ff",
        "00:00:00:00:00:00",
    ] {
        assert!(terms_with("port.3.mac", text).is_err());
        assert_eq!(<Unicast as Value>::parse(text), None, "{text}");
    }
}

#[test]
fn ip_to_one_station_is_addressed_to_the_next_hop() {
    let find = |packet: &[u8]| Routed::find(&packet[..packet.len().min(HEAD as usize)]);
    let routed = |packet: &[u8]| find(packet).is_some();
    let tagged = |tags: &[u8], packet: &[u8]| [&packet[..12], tags, &packet[12..]].concat();
    for packet in [v4(&V4, &[]), v6(17, 1, 2, &[])] {
        assert!(routed(&packet));
        assert!(routed(&packet[..14]));
        assert!(routed(&tagged(&[0x81, 0, 0, 1], &packet)));
        assert!(routed(&tagged(&[0x88, 0xa8, 0, 1, 0x81, 0, 0, 1], &packet)));
        let three = [0x88, 0xa8, 0, 1, 0x81, 0, 0, 1, 0x81, 0, 0, 1];
        assert!(!routed(&tagged(&three, &packet)));
        for first in [1, 0x33, 0xff] {
            let mut group = packet.clone();
            group[0] = first;
            assert!(!routed(&group));
        }
        for length in 0..14 {
            assert!(!routed(&packet[..length]));
        }
    }
    for kind in [0x0806, 0x0801, 0x88cc, 0x8847] {
        assert!(!routed(&ethernet(kind, &[8, 0, 8, 0])));
    }
    // Where the TTL is, and what covers it.
    let (four, six) = (v4(&V4, &[]), v6(17, 1, 2, &[]));
    let places = |packet: &[u8]| find(packet).map(|routed| (routed.at, routed.ttl(), routed.sum()));
    assert_eq!(places(&four), Some((14, 22, Some(24))));
    assert_eq!(places(&six), Some((14, 21, None)));
    let tag = [0x81, 0, 0, 1];
    assert_eq!(places(&tagged(&tag, &four)), Some((18, 26, Some(28))));
    let two = [&[0x88, 0xa8, 0, 1][..], &tag].concat();
    assert_eq!(places(&tagged(&two, &six)), Some((22, 29, None)));
    // Neighbour discovery is for the link.
    for (protocol, limit, kind, is_discovery) in [
        (58, 255, 135, true),
        (58, 255, 133, true),
        (58, 255, 137, true),
        (58, 255, 128, false),
        (58, 254, 135, false),
        (17, 255, 135, false),
    ] {
        let mut packet = v6(protocol, 1, 2, &[0; 8]);
        (packet[14 + 7], packet[14 + 40]) = (limit, kind);
        let packet = tagged(&tag, &packet);
        let routed = find(&packet).unwrap();
        let head = &packet[..routed.head() as usize];
        assert_eq!(routed.is_discovery(head), is_discovery);
        assert!(!routed.is_discovery(&head[..head.len() - 1]));
    }
    assert_eq!(station(&[2, 1, 2, 3, 4, 5, 6]), Some([2, 1, 2, 3, 4, 5]));
    assert_eq!(station(&[1, 1, 2, 3, 4, 5, 6]), None);
    assert_eq!(station(&[2, 1, 2, 3, 4]), None);
    let port = Port {
        address: Some([7, 8, 9, 10, 11, 12]),
        ..Port::unbound(terms_with("port.0.mac", "02:02:03:04:05:06").unwrap())
    };
    assert_eq!(
        port.addresses(),
        Some([2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    );
}

#[test]
fn a_packet_to_a_group_stays_as_it_goes_by_all() {
    let spread = spread(&ports(&[1, 0, 2]));
    let ways: Vec<_> = spread.all().iter().map(Way::stays).collect();
    assert_eq!(
        ways.iter().map(|way| way.number).collect::<Vec<_>>(),
        [0, 1, 2]
    );
    assert!(ways.iter().all(|way| way.why == Why::Stays));
}

#[test]
fn a_seat_is_found_by_what_a_port_leads_to() {
    for count in [0, 1, 2, 3, 63, 64] {
        let room = Seats::room(count);
        assert!(room.is_power_of_two() && room >= 2 * count);
        for spacing in [1, 2, 1 << 16, 0x0100_0001] {
            let idp = |number: usize| 1 + number as u32 * spacing;
            let all = (0..count).map(|number| (idp(number), number as u8));
            let seats = Seats::new(vec![(0, 0); room], all.clone());
            for (idp, seat) in all {
                assert_eq!(seats.find(idp), Some(seat));
            }
            for other in [0, idp(count), idp(count) + 1, u32::MAX] {
                assert_eq!(seats.find(other), None);
            }
        }
    }
}

#[test]
fn a_next_hop_is_the_address_of_a_station() {
    for text in ["10.0.0.1", "223.255.255.255", "fe80::1", "2001:db8::1"] {
        let via = <Via as Value>::parse(text).unwrap();
        assert_eq!(Shown(via).to_string(), text);
        assert_eq!(<Via as Value>::parse(&Shown(via).to_string()), Some(via));
    }
    for text in [
        "",
        "10.0.0",
        "10.0.0.1/8",
        "10.0.0.1 ",
        "0.0.0.0",
        "127.0.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "ff02::1",
        "fe80::1%eth0",
        "gateway",
    ] {
        assert_eq!(<Via as Value>::parse(text), None, "{text}");
    }
    let mut port = bind(&[], &[7], &mut 0).0[0];
    assert!(!port.has_hop() && port.is_usable());
    port.terms.via = Via::parse("10.0.0.1");
    assert!(port.has_hop() && !port.terms.has_both());
    for (hop, is_usable) in [
        (HopState::Unresolved, false),
        (HopState::Silent, false),
        (HopState::Ready, true),
    ] {
        port.hop = hop;
        assert_eq!(port.is_usable(), is_usable);
    }
    port.terms.mac = Unicast::parse("06:06:06:06:06:06");
    assert!(port.terms.has_both());
}

#[test]
fn a_next_hop_falls_and_rises() {
    let health = Health::default();
    let (rise, fall) = (2, 3);
    let note = |answers: &[bool]| {
        let last = answers
            .iter()
            .map(|&answered| health.note(answered, rise, fall));
        (last.last().unwrap(), health.is_up())
    };
    // It counts as there at first, and what is missed has to be so in a row.
    assert!(health.is_up());
    assert_eq!(note(&[true]), (false, true));
    assert_eq!(note(&[false, false]), (false, true));
    assert_eq!(note(&[true, false, false]), (false, true));
    assert_eq!(note(&[false]), (true, false));
    assert_eq!(note(&[false]), (false, false));
    assert_eq!(note(&[true, false, true]), (false, false));
    assert_eq!(note(&[true]), (true, true));
    // One is enough.
    assert!(health.note(false, 1, 1) && !health.is_up());
    assert!(health.note(true, 1, 1) && health.is_up());
    // The time of the last probe.
    assert_eq!(health.since(5), None);
    health.asks(5);
    assert_eq!((health.since(9), health.since(3)), (Some(4), Some(0)));
    health.asks(0);
    assert_eq!(health.since(4), Some(3));
    assert!(health.note(false, 1, 1));
    health.reset();
    assert_eq!((health.is_up(), health.since(4)), (true, None));
}

#[test]
fn a_change_of_a_devices_address_is_seen() {
    let seen = |address| Seen {
        idp: 5,
        name: "eth0",
        is_up: true,
        speed: 0,
        address,
    };
    let (mine, other) = (Some([2; 6]), Some([4; 6]));
    let mut ports = Vec::new();
    let push = |port, _| {
        ports.push(port);
        true
    };
    follow(&[], [seen(mine)].into_iter(), &mut 0, push).unwrap();
    assert!(are_these(&ports, [seen(mine)].into_iter()));
    assert!(!are_these(&ports, [seen(other)].into_iter()));
    assert!(!are_these(&ports, [seen(None)].into_iter()));
    // A port has both addresses, or none.
    assert_eq!(ports[0].addresses(), None);
    ports[0].terms.mac = Unicast::parse("06:06:06:06:06:06");
    assert_eq!(
        ports[0].addresses(),
        Some([6, 6, 6, 6, 6, 6, 2, 2, 2, 2, 2, 2])
    );
    ports[0].address = None;
    assert_eq!(ports[0].addresses(), None);
}

// --- What tells sessions apart ---------------------------------------------------------------

/// The key of a packet's session, told by these.
fn key_by(text: &str, packet: &[u8]) -> Vec<u64> {
    let by = <Fields as Value>::parse(text).unwrap();
    let flow = Flow::read(packet, by).unwrap();
    flow.session(by).words().to_vec()
}

#[test]
fn sessions_are_told_apart_by_fields() {
    for text in ["l4", "l3", "l4,vlan", "l3,symmetric,vlan,label,inner"] {
        let by = <Fields as Value>::parse(text).unwrap();
        assert_eq!(Shown(by).to_string(), text);
    }
    assert_eq!(rules_with("key", "").unwrap().key, Fields::L4);
    let by = rules_with("key", "inner, symmetric").unwrap().key;
    assert_eq!(Shown(by).to_string(), "l4,symmetric,inner");
    for text in ["l2", "l3,l4", "vlan,vlan", "l3,", ",", "l4 vlan", "L3"] {
        let said = rules_with("key", text).unwrap_err();
        assert!(said.starts_with("key: l4 or l3, and any of "), "{said}");
    }

    let tagged = |tags: &[u8], packet: &[u8]| [&packet[..12], tags, &packet[12..]].concat();
    let udp = |source, destination| l4(source, destination);
    for make in [
        |payload: &[u8], swapped: bool| {
            let (source, destination) = if swapped { (2, 1) } else { (1, 2) };
            v6(17, source, destination, payload)
        },
        |payload: &[u8], swapped: bool| {
            let mut packet = v4(&V4, payload);
            packet[14 + 9] = 17;
            if swapped {
                let addresses = packet[26..34].to_vec();
                packet[26..30].copy_from_slice(&addresses[4..]);
                packet[30..34].copy_from_slice(&addresses[..4]);
            }
            packet
        },
    ] {
        let (there, back) = (make(&udp(5, 7), false), make(&udp(7, 5), true));
        let other = make(&udp(5, 8), false);
        assert_ne!(key_by("l4", &there), key_by("l4", &other));
        assert_eq!(key_by("l3", &there), key_by("l3", &other));
        assert_ne!(key_by("l3", &there), key_by("l3", &back));
        for by in ["symmetric", "l3,symmetric"] {
            assert_eq!(key_by(by, &there), key_by(by, &back));
        }
        assert_ne!(key_by("symmetric", &there), key_by("symmetric", &other));
        // The VLANs, beside the packet or in it.
        let [one, two] = [1, 2].map(|id| tagged(&[0x81, 0, 0x20, id], &there));
        assert_eq!(key_by("l4", &one), key_by("l4", &two));
        assert_ne!(key_by("vlan", &one), key_by("vlan", &two));
        assert_ne!(key_by("vlan", &one), key_by("vlan", &there));
        let by = Fields {
            vlan: true,
            ..Fields::L4
        };
        let beside = |packet: &[u8], tci| {
            let flow = read(packet).in_vlan(Some(tci));
            flow.session(by).words().to_vec()
        };
        assert_eq!(beside(&there, 0x2001), key_by("vlan", &one));
        let both = tagged(&[0x88, 0xa8, 0, 9, 0x81, 0, 0, 1], &there);
        assert_eq!(beside(&one, 9), key_by("vlan", &both));
    }
    let label = |label: u8| {
        let mut packet = v6(17, 1, 2, &l4(5, 7));
        packet[17] = label;
        packet
    };
    assert_eq!(key_by("l4", &label(1)), key_by("l4", &label(2)));
    assert_ne!(key_by("label", &label(1)), key_by("label", &label(2)));
    assert_eq!(key_by("label", &label(0)), key_by("l4", &label(0)));
}

#[test]
fn what_is_in_a_tunnel_counts() {
    let inner = [v4(&V4, &l4(5, 7)), v6(17, 3, 4, &l4(5, 7))];
    for frame in &inner {
        let packet = &frame[14..];
        let (kind, protocol) = (&frame[12..14], if packet[0] >> 4 == 4 { 4 } else { 41 });
        let gre = |flags: u8, skip: usize, kind: &[u8], inner: &[u8]| {
            [&[flags, 0], kind, &vec![7; skip], inner].concat()
        };
        let vxlan = {
            let udp = l4(999, 4789);
            [&udp[..8], &[8, 0, 0, 0, 0, 0, 1, 0], frame].concat()
        };
        let tunnels = [
            (protocol, packet.to_vec()),
            (47, gre(0, 0, kind, packet)),
            (47, gre(0x80, 4, kind, packet)),
            (47, gre(0xb0, 12, kind, packet)),
            (47, gre(0x20, 4, &[0x65, 0x58], frame)),
            (17, vxlan),
        ];
        for (protocol, payload) in tunnels {
            let outer = v6(protocol, 100, 200, &payload);
            assert_eq!(key_by("inner", &outer), key_by("l4", frame), "{protocol}");
            assert_ne!(key_by("l4", &outer), key_by("l4", frame));
            // Where the first bytes are not enough, more are asked for.
            let by = <Fields as Value>::parse("inner").unwrap();
            let cut = &outer[..(14 + 40 + 22).min(outer.len() - 1)];
            assert!(Flow::read(cut, by).is_err(), "{protocol}");
            // And where there are no more, the outer headers count.
            let mut short = v6(protocol, 100, 200, &payload[..20]);
            short.truncate(14 + 40 + 20);
            assert_eq!(key_by("inner", &short), key_by("l4", &short));
        }
        let labels = [&[0, 1, 0x00, 64, 0, 2, 0x01, 64], packet].concat();
        assert_eq!(
            key_by("inner", &ethernet(0x8847, &labels)),
            key_by("l4", frame)
        );
        let ppp = if protocol == 4 { 0x21 } else { 0x57 };
        let session = [&[0x11, 0, 0, 9, 0, 40, 0, ppp], packet].concat();
        assert_eq!(
            key_by("inner", &ethernet(0x8864, &session)),
            key_by("l4", frame)
        );
    }
    // ESP has a number for each direction.
    let [one, two] = [1, 2].map(|spi| v6(50, 1, 2, &[0, 0, 0, spi, 0, 0, 0, 9]));
    assert_eq!(key_by("l4", &one), key_by("l4", &two));
    assert_ne!(key_by("inner", &one), key_by("inner", &two));
    // What is no tunnel counts as it is.
    for packet in [
        v6(17, 1, 2, &l4(5, 7)),
        v6(47, 1, 2, &[0x40, 0, 8, 0]),
        v6(58, 1, 2, &[128; 8]),
    ] {
        assert_eq!(key_by("inner", &packet), key_by("l4", &packet));
    }
}

// --- Routes ----------------------------------------------------------------------------------

#[test]
fn the_key_of_a_route() {
    let both = |packet: &[u8], device| {
        let flow = read(packet);
        [RouteKey::Cache, RouteKey::Destination].map(|of| flow.route(of, device).words().to_vec())
    };
    let with_tos = |mut packet: Vec<u8>, tos: u8| {
        if packet[12] == 8 {
            packet[15] = tos;
        } else {
            (packet[14], packet[15]) = (0x60 | tos >> 4, tos << 4);
        }
        packet
    };
    let mut seen = HashSet::new();
    for is_v6 in [false, true] {
        let make = |source: u32, destination: u32, port| {
            let head = V4 {
                source,
                destination,
                ..V4
            };
            let payload = l4(port, 80);
            if is_v6 {
                v6(17, source.into(), destination.into(), &payload)
            } else {
                v4(&head, &payload)
            }
        };
        let base = make(1, 2, 1000);
        let keys = both(&base, 7);
        // Ports, protocol and ECN do not matter.
        assert_eq!(both(&make(1, 2, 2000), 7), keys);
        assert_eq!(both(&with_tos(base.clone(), 3), 7), keys);
        // Source, device and TOS make other routes of the cache, the destination of both.
        for other in [
            both(&make(9, 2, 1000), 7),
            both(&base, 8),
            both(&with_tos(base.clone(), 0x10), 7),
            both(&with_tos(base.clone(), 0x04), 7),
        ] {
            assert_ne!(other[0], keys[0]);
            assert_eq!(other[1], keys[1]);
            assert!(seen.insert(other[0].clone()));
        }
        let other = both(&make(1, 3, 1000), 7);
        assert!(other[0] != keys[0] && other[1] != keys[1]);
        assert!(seen.insert(keys[0].clone()) && seen.insert(keys[1].clone()));
    }
    let key = |value| rules_with("route-key", value).map(|rules| rules.route_key);
    assert_eq!(key("destination"), Ok(RouteKey::Destination));
    assert_eq!(key(""), Ok(RouteKey::Cache));
    assert_eq!(key("dst").unwrap_err(), "route-key: cache or destination");
}

#[test]
fn routes_of_a_device_are_its_own() {
    for (of, moves) in [(RouteKey::Cache, true), (RouteKey::Destination, false)] {
        let mut bench = Bench::new(Strategy::Route, &ports(&[1, 1]));
        bench.rules.route_key = of;
        let packet = v4(&V4, &l4(1, 2));
        let first = bench.port(&packet);
        assert_eq!(bench.port(&v4(&V4, &l4(3, 4))), first);
        bench.device.set(8);
        assert_eq!(bench.port(&packet) != first, moves);
        bench.device.set(7);
        assert_eq!(bench.port(&packet), first);
    }
}

// --- TCP that is sent again -------------------------------------------------------------------

/// A packet of TCP from `source`, port `port`, to host `to`: with so many bytes from a sequence number on.
fn tcp(source: u32, port: u16, to: u32, sequence: u32, data: usize, flags: u8) -> Vec<u8> {
    let mut header = l4(port, 80);
    header[4..8].copy_from_slice(&sequence.to_be_bytes());
    (header[12], header[13]) = (5 << 4, flags);
    header.resize(20 + data, 0);
    let head = V4 {
        protocol: 6,
        source,
        destination: to,
        ..V4
    };
    v4(&head, &header)
}

#[test]
fn a_segment_is_what_a_packet_sends() {
    let segment = |packet: &[u8]| read(packet).segment;
    let of = |end, length, begins| {
        Some(Segment {
            end,
            length,
            begins,
        })
    };
    assert_eq!(segment(&tcp(1, 2, 3, 100, 50, 0x10)), of(150, 50, false));
    assert_eq!(segment(&tcp(1, 2, 3, 100, 0, 2)), of(101, 1, true));
    assert_eq!(segment(&tcp(1, 2, 3, 100, 9, 0x11)), of(110, 10, false));
    assert_eq!(segment(&tcp(1, 2, 3, u32::MAX, 2, 0x10)), of(1, 2, false));
    // Neither what only acknowledges nor what ends a connection.
    assert_eq!(segment(&tcp(1, 2, 3, 100, 0, 0x10)), None);
    assert_eq!(segment(&tcp(1, 2, 3, 100, 50, 0x14)), None);
    // Options are no data, nor is what is behind the packet; a header that is longer than the packet is none.
    let mut packet = tcp(1, 2, 3, 100, 50, 0x10);
    packet[14 + 20 + 12] = 15 << 4;
    assert_eq!(segment(&packet), of(110, 10, false));
    packet.extend([0; 40]);
    assert_eq!(segment(&packet), of(110, 10, false));
    let mut short = tcp(1, 2, 3, 100, 10, 0x10);
    short[14 + 20 + 12] = 15 << 4;
    assert_eq!(segment(&short), None);
    // Other protocols, and fragments.
    let other = V4 { protocol: 17, ..V4 };
    assert_eq!(segment(&v4(&other, &[0x50; 40])), None);
    let first = V4 {
        protocol: 6,
        place: 0x2000,
        ..V4
    };
    assert_eq!(segment(&v4(&first, &[0x50; 40])), None);
    // With IPv6 and tags, and as long as any packet is looked at first.
    let packet = v6(6, 1, 2, &tcp(1, 2, 3, 100, 50, 0x10)[34..]);
    assert_eq!(segment(&packet), of(150, 50, false));
    let tagged = [
        &packet[..12],
        &[0x81, 0, 0, 1, 0x81, 0, 0, 1],
        &packet[12..],
    ]
    .concat();
    let flow = Flow::read(&tagged[..FIRST as usize], Fields::L4).unwrap();
    assert_eq!(flow.segment, of(150, 50, false));
}

#[test]
fn what_was_sent_before_is_sent_again() {
    let ends = Ends::new((0..4).map(|_| AtomicU64::default()).collect());
    let hash = 0x1234_5678_0000_0001;
    let send = |hash: u64, from: u32, length: u32, begins: bool| {
        let end = from.wrapping_add(length);
        let carried = ends.carry(
            hash,
            &Segment {
                end,
                length,
                begins,
            },
        );
        assert_eq!(carried.data, u64::from(length));
        carried.retransmitted
    };
    assert_eq!(send(hash, u32::MAX - 5, 1, true), 0);
    assert_eq!(send(hash, u32::MAX - 5, 1, true), 1, "the SYN");
    assert_eq!(send(hash, u32::MAX - 4, 100, false), 0, "over the end");
    assert_eq!(send(hash, u32::MAX - 4, 100, false), 100);
    assert_eq!(send(hash, 45, 100, false), 50, "in part");
    assert_eq!(send(hash, 45, 10, false), 10);
    assert_eq!(send(hash, 500, 10, false), 0, "after a hole");
    assert_eq!(send(hash, 145, 355, false), 355, "and what was in the hole");
    assert_eq!(send(hash, 7, 1, true), 0, "another connection");
    assert_eq!(send(hash, 8, 10, false), 0);
    // Another session at the same place.
    let other = 0x8765_4321_0000_0001;
    assert_eq!(send(other, 8, 10, false), 0);
    assert_eq!(send(hash, 8, 10, false), 0, "it was forgotten");
    let nowhere = Ends::new(Vec::new());
    let segment = Segment {
        end: 1,
        length: 1,
        begins: true,
    };
    assert_eq!(nowhere.carry(hash, &segment), Carried::default());
    assert_eq!((nowhere.places(), ends.places()), (0, 4));
}

#[test]
fn new_sessions_go_where_the_least_is_sent_again() {
    for history in [0, 1024] {
        let mut bench = Bench::new(Strategy::Loss, &ports(&[1, 1, 1]));
        bench.rules.history = Number(history);
        // All are alike at first.
        let first: Vec<_> = (0..300u16)
            .map(|n| bench.port(&tcp(1, n, 9, 1000, 100, 0x10)))
            .collect();
        for number in 0..3 {
            let count = first.iter().filter(|&&to| to == number).count();
            assert!((60..140).contains(&count), "{count}");
        }
        // By port 1 a tenth is sent twice; to host 7 it is port 0 by which all is.
        for round in 1..200u32 {
            for (n, &number) in (0..300u16).zip(&first) {
                let sequence = 1000 + round * 100;
                bench.port(&tcp(1, n, 9, sequence, 100, 0x10));
                if number == 1 && round % 10 == 0 {
                    bench.port(&tcp(1, n, 9, sequence, 100, 0x10));
                }
            }
            bench.wait(SECOND / 10);
        }
        let choices = |host: u32| -> HashSet<u16> {
            (1000..1200u16)
                .map(|n| bench.port(&tcp(2, n, host, 5, 10, 0x10)))
                .collect()
        };
        assert_eq!(choices(9), HashSet::from([0, 2]));
        assert_eq!(choices(8), HashSet::from([0, 2]));
        if history > 0 {
            // What is known of the destination counts more than what is known of the port.
            for n in 2000..2300u16 {
                let number = bench.port(&tcp(3, n, 7, 5, 1000, 0x10));
                for turn in 0..9 {
                    let again = if number == 1 { 1005 + turn * 1000 } else { 5 };
                    bench.port(&tcp(3, n, 7, again, 1000, 0x10));
                }
            }
            assert_eq!(choices(7), HashSet::from([1]));
            assert_eq!(choices(8), HashSet::from([0, 2]));
            // Long after that, and after the averages.
            for n in 0..3 {
                bench.wait(bench.rules.expiry_ns());
                bench.port(&tcp(4, n, 6, 5, 1, 0x10));
            }
            assert_ne!(
                choices(7),
                HashSet::from([1]),
                "it is not held against it for ever"
            );
        }
        // Sessions stay.
        for (n, &number) in (0..300u16).zip(&first) {
            if history == 0 {
                assert_eq!(bench.port(&tcp(1, n, 9, 99_000, 100, 0x10)), number);
            }
        }
    }
}

#[test]
fn the_history_counts_pairs_of_hosts_by_port() {
    let mut bench = Bench::new(Strategy::Packet, &ports(&[1, 1]));
    bench.rules.history = Number(64);
    for n in 0..10 {
        bench.port(&tcp(1, 5, 9, 100 * n, 100, 0x10));
    }
    bench.port(&tcp(1, 5, 9, 0, 100, 0x10));
    bench.port(&ethernet(0x806, &[0; 28]));
    bench.port(&v6(17, 1, 2, &l4(1, 2)));
    let shard = bench.shard.borrow();
    let mut lines: Vec<_> = shard
        .pairs()
        .map(|r| {
            let carried = r.carried;
            let hosts = r.hosts.unwrap();
            let (data, again) = (carried.data, carried.retransmitted);
            format!(
                "{hosts} {} {} {} {data} {again}",
                r.seat, r.packets, r.bytes
            )
        })
        .collect();
    lines.sort();
    assert_eq!(
        lines,
        [
            "0.0.0.1 0.0.0.9 1 6 924 600 100",
            "0.0.0.1 0.0.0.9 4 5 770 500 0",
            "02:00:00:00:00:02 02:00:00:00:00:01 4 1 42 0 0",
            "::1 ::2 1 1 74 0 0",
        ]
    );
}

#[test]
fn a_record_makes_room_for_a_newer_one() {
    let mut shard = Shard::new(vec![Record::default(); 2]);
    let note = |now, data| Note {
        seat: 3,
        bytes: 10,
        carried: Carried {
            data,
            retransmitted: data / 2,
        },
        now,
    };
    let hosts = Some(read(&v4(&V4, &[])).hosts());
    assert!(!shard.note(1, hosts, &note(10, 0)));
    assert!(!shard.note(2, hosts, &note(20, 0)));
    assert!(!shard.note(1, hosts, &note(30, 0)));
    assert!(shard.note(3, hosts, &note(40, 0)));
    let packets = |shard: &Shard| -> Vec<_> { shard.pairs().map(|r| r.packets).collect() };
    assert_eq!(packets(&shard), [2, 1]);
    // Too little is known of a destination, then enough, until its time is over.
    assert!(shard.note(4, None, &note(50, ENOUGH - 1)));
    assert_eq!(shard.past(4, 50, 10), None);
    shard.note(4, None, &note(60, 1));
    assert_eq!(shard.past(4, 60, 10).map(Carried::lost), Some(499));
    assert_eq!(shard.past(4, 70, 10), None);
    // The newer half counts more.
    for _ in 0..1000 {
        let fine = Carried {
            retransmitted: 0,
            ..note(0, ENOUGH).carried
        };
        shard.note(
            4,
            None,
            &Note {
                carried: fine,
                ..note(80, 0)
            },
        );
    }
    assert_eq!(shard.past(4, 80, 10).map(Carried::lost), Some(0));
    shard.clear(3);
    assert_eq!(packets(&shard), [0; 0]);
    // All shards are used, and none beyond.
    for key in [0, 1, u64::MAX / 2, u64::MAX] {
        assert!(Shard::of(key, 3) < 3);
    }
    assert_eq!((Shard::of(0, 3), Shard::of(u64::MAX, 3)), (0, 2));
}

// --- Probes ----------------------------------------------------------------------------------

#[test]
fn an_echo_request_is_told_from_others_by_its_answer() {
    for (source, target) in [("10.0.0.2", "10.0.0.1"), ("2001:db8::2", "fe80::1")] {
        let echo = Echo {
            source: source.parse().unwrap(),
            target: target.parse().unwrap(),
            id: 0x1234,
            sequence: 0xfffe,
        };
        let mut frame = [0; echo::MOST];
        let addresses = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        let length = echo.frame(&addresses, &mut frame);
        let frame = &frame[..length];
        // What Linux says of it is in tests/kernel/gateways.sh; here the sums.
        let is_v4 = echo.source.is_ipv4();
        let at = if is_v4 { 34 } else { 54 };
        assert_eq!((length, &frame[..12]), (at + 8, &addresses[..]));
        assert_eq!(Echo::answered_by(&frame[14..]), None, "it is no answer");
        let mut answer = frame.to_vec();
        answer[at] = if is_v4 { 0 } else { 129 };
        let ends = if is_v4 {
            [26..30, 30..34]
        } else {
            [22..38, 38..54]
        };
        for (to, from) in ends.clone().into_iter().zip(ends.into_iter().rev()) {
            answer[to].copy_from_slice(&frame[from]);
        }
        assert_eq!(Echo::answered_by(&answer[14..]), Some(echo));
        assert!(answer.len() - 14 <= echo::ANSWER as usize);
        for length in 0..answer.len() - 14 {
            assert_eq!(Echo::answered_by(&answer[14..14 + length]), None);
        }
        let mut other = answer.clone();
        other[at + 1] = 1;
        assert_eq!(Echo::answered_by(&other[14..]), None);
    }
    let mixed = Echo {
        source: "10.0.0.2".parse().unwrap(),
        target: "::1".parse().unwrap(),
        id: 1,
        sequence: 1,
    };
    assert_eq!(mixed.frame(&[0; 12], &mut [0; echo::MOST]), 0);
}

#[test]
fn who_is_asked_by_icmp_needs_a_source_of_the_same_family() {
    let terms = |via: &str, source: &str| Terms {
        via: <Via as Value>::parse(via),
        source: <Via as Value>::parse(source),
        ..Terms::DEFAULT
    };
    for (via, source, lacks) in [
        ("", "", false),
        ("", "10.0.0.2", false),
        ("10.0.0.1", "", true),
        ("10.0.0.1", "2001:db8::2", true),
        ("10.0.0.1", "10.0.0.2", false),
        ("fe80::1", "10.0.0.2", true),
        ("fe80::1", "fe80::2", false),
    ] {
        let terms = terms(via, source);
        assert_eq!(terms.lacks_source(), lacks, "{via} {source}");
        let echo = Port::unbound(terms).echo(7);
        assert!(lacks || echo.is_some() == (!via.is_empty() && !source.is_empty()));
    }
}

#[test]
fn a_numbered_probe_counts_when_it_is_the_last_one() {
    let health = Health::default();
    let first = health.asks(1);
    assert!(!health.is_answered());
    health.answers(first);
    assert!(health.is_answered());
    let second = health.asks(2);
    assert!(!health.is_answered());
    health.answers(first);
    assert!(!health.is_answered());
    health.answers(second);
    assert!(health.is_answered());
    (0..70_000).for_each(|_| _ = health.asks(3));
    assert!(!health.is_answered());
}
