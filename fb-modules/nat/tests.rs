// SPDX-License-Identifier: GPL-2.0

use super::{
    address::Address,
    checksum::{add, sum},
    plan::Plan,
    push, room,
    rules::{Rules, Why},
    seen::{Carried, Datagram, Quote, Seen},
    session::{Endpoint, Flags, Flow, Protocol},
    setting::{Map, Npt, Pool, Ports, Target, Unmappable},
    slab::NONE,
    table::{Memory, Table},
    translate::{Fragments, Maps, Slot, State, DATAGRAMS},
    HashKey, List,
};
use std::{collections::HashMap, fmt::Display};

const SECOND: u64 = 1_000_000_000;
const SYN: Flags = Flags(2);
const SYN_ACK: Flags = Flags(18);
const ACK: Flags = Flags(16);
const FIN: Flags = Flags(17);
const RST: Flags = Flags(4);
const NONE_SET: Flags = Flags(0);

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
        Pool::parse,
        &[
            "192.0.2.1",
            "192.0.2.1-192.0.2.9",
            "1.0.0.0-223.255.255.255",
        ],
        &[
            "",
            "192.0.2",
            "192.0.2.9-192.0.2.1",
            "0.0.0.1",
            "224.0.0.1",
            "127.0.0.1",
            "::1",
            "192.0.2.1-",
            "192.0.2.0/24",
            "192.0.2.1-192.0.2.2-192.0.2.3",
        ],
    );
    texts(
        Ports::parse,
        &["1", "65535", "1024-65535"],
        &[
            "", "0", "0-5", "65536", "5-4", "01", "+1", "1-", "-1", "1-2-3",
        ],
    );
    texts(
        Target::parse,
        &["10.0.0.2", "10.0.0.2:80"],
        &[
            "",
            "10.0.0.2:",
            "10.0.0.2:0",
            "10.0.0.2:65536",
            "224.0.0.1",
            "[::1]:80",
            "10.0.0.2:080",
        ],
    );
    texts(
        Map::parse,
        &[
            "10.0.0.0/24=192.0.2.0/24",
            "10.0.0.1/32=192.0.2.1/32",
            "fd00::/48=2001:db8::/48",
            "fd00::1/128=2001:db8::1/128",
        ],
        &[
            "",
            "10.0.0.0/24",
            "10.0.0.0/24=192.0.2.0/25",
            "10.0.0.1/24=192.0.2.0/24",
            "10.0.0.0/24=2001:db8::/24",
            "10.0.0.0/0=192.0.2.0/0",
            "10.0.0.0/33=192.0.2.0/33",
            "10.0.0.0=192.0.2.0",
            "10.0.0.0/24=192.0.2.0/24=1.0.0.0/24",
        ],
    );
    texts(
        Npt::parse,
        &[
            "fd00::/48=2001:db8::/48",
            "fd00::/64=2001:db8::/64",
            "fd00::/16=2001::/16",
        ],
        &[
            "",
            "10.0.0.0/24=192.0.2.0/24",
            "fd00::/65=2001:db8::/65",
            "fd00::/48=2001:db8::/56",
        ],
    );
}

fn v4(text: &str) -> u32 {
    match Address::parse(text) {
        Some(Address::V4(address)) => address,
        _ => panic!("{text}"),
    }
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap_or_else(|| panic!("{text}"))
}

/// An endpoint: `address:port`.
fn at(text: &str) -> Endpoint {
    let (address, port) = text.split_once(':').unwrap();
    Endpoint {
        address: v4(address),
        port: port.parse().unwrap(),
    }
}

fn memory(limit: u32) -> Memory {
    let (chunks, heads) = Memory::sizes(limit);
    Memory {
        chunks: List::with_capacity(chunks),
        heads: [vec![NONE; heads], vec![NONE; heads]],
    }
}

fn rules() -> Rules {
    let transitory = 240 * SECOND;
    Rules {
        source: Pool::parse("192.0.2.1"),
        ports: Ports::parse("1-65535").unwrap(),
        dest: None,
        dest_port: None,
        open: true,
        timeouts: [
            transitory,
            7440 * SECOND,
            transitory,
            300 * SECOND,
            300 * SECOND,
            60 * SECOND,
        ],
        limit: 100,
    }
}

/// A table, its rules, and what time it is.
struct Rig {
    table: Table,
    rules: Rules,
    now: u64,
}

impl Rig {
    fn new(rules: Rules) -> Self {
        Self {
            table: Table::new(memory(rules.limit), HashKey(1)),
            rules,
            now: SECOND,
        }
    }

    fn out(
        &mut self,
        protocol: Protocol,
        own: &str,
        remote: &str,
        flags: Flags,
    ) -> Result<Endpoint, Why> {
        let (own, remote) = (at(own), at(remote));
        let flow = Flow {
            protocol,
            own,
            remote,
        };
        self.table.out(&flow, flags, &self.rules, self.now)
    }

    fn inward(
        &mut self,
        protocol: Protocol,
        own: &str,
        remote: &str,
        flags: Flags,
    ) -> Result<Endpoint, Why> {
        let (own, remote) = (at(own), at(remote));
        let flow = Flow {
            protocol,
            own,
            remote,
        };
        self.table.inward(&flow, flags, &self.rules, self.now)
    }

    fn udp(&mut self, own: &str, remote: &str) -> Result<Endpoint, Why> {
        self.out(Protocol::Udp, own, remote, NONE_SET)
    }

    fn udp_in(&mut self, own: &str, remote: &str) -> Result<Endpoint, Why> {
        self.inward(Protocol::Udp, own, remote, NONE_SET)
    }

    /// After so many seconds, how many sessions there are.
    fn after(&mut self, seconds: u64) -> u32 {
        self.now += seconds * SECOND;
        self.table.reap(&self.rules, self.now, u32::MAX);
        self.table.sessions()
    }
}

#[test]
fn an_endpoint_has_one_mapping_whoever_it_speaks_to() {
    let mut rig = Rig::new(rules());
    let outside = Ok(at("192.0.2.1:5000"));
    for remote in ["198.51.100.1:53", "198.51.100.1:54", "198.51.100.2:53"] {
        assert_eq!(rig.udp("10.0.0.1:5000", remote), outside);
        assert_eq!(
            rig.udp_in("192.0.2.1:5000", remote),
            Ok(at("10.0.0.1:5000"))
        );
    }
    assert_eq!(rig.table.sessions(), 3);
    // TCP's ports are others.
    assert_eq!(
        rig.out(Protocol::Tcp, "10.0.0.2:5000", "198.51.100.1:53", SYN),
        outside
    );
    // The port is taken: another one of the same half and parity.
    for (host, port) in [
        (2, 5000),
        (3, 5000),
        (4, 5001),
        (5, 5001),
        (6, 80),
        (7, 80),
        (8, 81),
        (9, 81),
    ] {
        let own = format!("10.0.0.{host}:{port}");
        let got = rig.udp(&own, "198.51.100.1:53").unwrap();
        assert_eq!(
            (got.port & 1, got.port < 1024),
            (port & 1, port < 1024),
            "{got:?}"
        );
        assert_eq!(rig.udp(&own, "198.51.100.7:53"), Ok(got));
        let back = format!("192.0.2.1:{}", got.port);
        assert_eq!(rig.udp_in(&back, "198.51.100.1:53"), Ok(at(&own)));
    }
    // The mapping ends with the last session.
    rig.now += 299 * SECOND;
    assert_eq!(rig.udp("10.0.0.1:5000", "198.51.100.2:53"), outside);
    assert_eq!(rig.after(1), 1);
    assert_eq!(
        rig.udp_in("192.0.2.1:5000", "198.51.100.2:53"),
        Ok(at("10.0.0.1:5000"))
    );
    assert_eq!(rig.after(300), 0);
    assert_eq!(
        rig.udp_in("192.0.2.1:5000", "198.51.100.2:53"),
        Err(Why::Unsolicited)
    );
    assert_eq!(rig.udp("10.0.0.2:5000", "198.51.100.2:53"), outside);
}

#[test]
fn who_may_send_in() {
    for open in [true, false] {
        let mut rig = Rig::new(Rules { open, ..rules() });
        rig.udp("10.0.0.1:5000", "198.51.100.1:53").unwrap();
        rig.out(Protocol::Tcp, "10.0.0.1:5000", "198.51.100.1:80", SYN)
            .unwrap();
        rig.out(Protocol::Query, "10.0.0.1:7", "198.51.100.1:0", NONE_SET)
            .unwrap();
        let want = if open {
            Ok(at("10.0.0.1:5000"))
        } else {
            Err(Why::Unsolicited)
        };
        assert_eq!(rig.udp_in("192.0.2.1:5000", "198.51.100.9:9"), want);
        let mut tcp = |flags| rig.inward(Protocol::Tcp, "192.0.2.1:5000", "198.51.100.9:9", flags);
        for flags in [RST, ACK, SYN_ACK, FIN] {
            assert_eq!(tcp(flags), Err(Why::Unsolicited), "{flags:?}");
        }
        assert_eq!(tcp(SYN), want);
        let reply = rig.inward(Protocol::Query, "192.0.2.1:7", "198.51.100.1:0", NONE_SET);
        assert_eq!(reply, Ok(at("10.0.0.1:7")));
        let reply = rig.inward(Protocol::Query, "192.0.2.1:7", "198.51.100.2:0", NONE_SET);
        assert_eq!(reply, Err(Why::Unsolicited));
        // To others than the pool.
        assert_eq!(
            rig.udp_in("192.0.2.2:5000", "198.51.100.9:9"),
            Err(Why::Untouched)
        );
    }
}

#[test]
fn a_destination_for_what_nobody_asked_for() {
    let dest = Target::parse("10.0.0.2:8080");
    let mut rig = Rig::new(Rules {
        dest,
        source: None,
        ..rules()
    });
    for client in [
        "198.51.100.1:1000",
        "198.51.100.1:1001",
        "198.51.100.2:1000",
    ] {
        let got = rig.inward(Protocol::Tcp, "203.0.113.5:80", client, SYN);
        assert_eq!(got, Ok(at("10.0.0.2:8080")));
        let back = rig.out(Protocol::Tcp, "10.0.0.2:8080", client, SYN_ACK);
        assert_eq!(back, Ok(at("203.0.113.5:80")));
    }
    // The same client to another port: its packets could not be told apart.
    let other = rig.inward(Protocol::Tcp, "203.0.113.5:81", "198.51.100.1:1000", SYN);
    assert_eq!(other, Err(Why::NoPort));
    // What the server says of its own, and queries.
    let own = rig.out(Protocol::Tcp, "10.0.0.2:8080", "198.51.100.9:9", SYN);
    assert_eq!(own, Err(Why::Untouched));
    let query = |rig: &mut Rig| {
        rig.inward(
            Protocol::QueryIn,
            "203.0.113.5:0",
            "198.51.100.1:7",
            NONE_SET,
        )
    };
    assert_eq!(query(&mut rig), Err(Why::Untouched));
    rig.rules.dest = Target::parse("10.0.0.2");
    assert_eq!(query(&mut rig), Ok(at("10.0.0.2:0")));
    let reply = rig.out(Protocol::QueryIn, "10.0.0.2:0", "198.51.100.1:7", NONE_SET);
    assert_eq!(reply, Ok(at("203.0.113.5:0")));
    assert_eq!(
        rig.udp_in("203.0.113.5:53", "198.51.100.1:1000"),
        Ok(at("10.0.0.2:53"))
    );
    // One port only, of the pool only; nobody else gets it.
    rig = Rig::new(Rules {
        dest,
        dest_port: Some(80),
        ..rules()
    });
    assert_eq!(
        rig.udp_in("192.0.2.1:80", "198.51.100.1:1000"),
        Ok(at("10.0.0.2:8080"))
    );
    assert_eq!(
        rig.udp_in("192.0.2.1:81", "198.51.100.1:1000"),
        Err(Why::Unsolicited)
    );
    assert_eq!(
        rig.udp_in("192.0.2.2:80", "198.51.100.1:1000"),
        Err(Why::Untouched)
    );
    assert_ne!(rig.udp("10.0.0.3:80", "198.51.100.7:7").unwrap().port, 80);
}

#[test]
fn times_of_tcp() {
    let (own, outside, remote) = ("10.0.0.1:5000", "192.0.2.1:5000", "198.51.100.1:80");
    let opened = || {
        let mut rig = Rig::new(rules());
        rig.out(Protocol::Tcp, own, remote, SYN).unwrap();
        rig
    };
    assert_eq!(opened().after(239), 1);
    assert_eq!(opened().after(240), 0);
    let answered = || {
        let mut rig = opened();
        rig.inward(Protocol::Tcp, outside, remote, SYN_ACK).unwrap();
        rig
    };
    assert_eq!(answered().after(240), 0);
    let established = || {
        let mut rig = answered();
        rig.out(Protocol::Tcp, own, remote, ACK).unwrap();
        rig
    };
    assert_eq!(established().after(7439), 1);
    assert_eq!(established().after(7440), 0);
    // One side may have much to say when the other one has ended.
    let mut rig = established();
    rig.out(Protocol::Tcp, own, remote, FIN).unwrap();
    assert_eq!(rig.after(7439), 1);
    let mut rig = established();
    rig.out(Protocol::Tcp, own, remote, FIN).unwrap();
    rig.inward(Protocol::Tcp, outside, remote, FIN).unwrap();
    rig.out(Protocol::Tcp, own, remote, ACK).unwrap();
    assert_eq!(rig.after(239), 1);
    // The same ports again.
    rig.out(Protocol::Tcp, own, remote, SYN).unwrap();
    rig.inward(Protocol::Tcp, outside, remote, SYN_ACK).unwrap();
    rig.out(Protocol::Tcp, own, remote, ACK).unwrap();
    assert_eq!((rig.after(7439), rig.table.created), (1, 1));
    // A reset ends it; but who goes on has not sent it.
    let mut rig = established();
    rig.inward(Protocol::Tcp, outside, remote, RST).unwrap();
    rig.out(Protocol::Tcp, own, remote, ACK).unwrap();
    assert_eq!(rig.after(240), 0);
    let mut rig = established();
    rig.inward(Protocol::Tcp, outside, remote, RST).unwrap();
    rig.inward(Protocol::Tcp, outside, remote, ACK).unwrap();
    assert_eq!(rig.after(7439), 1);
    // A reset begins nothing.
    let mut rig = Rig::new(rules());
    assert_eq!(
        rig.out(Protocol::Tcp, own, remote, RST),
        Err(Why::Unsolicited)
    );
    assert_eq!(rig.table.sessions(), 0);
    // A connection that was there before the block.
    rig.out(Protocol::Tcp, own, remote, ACK).unwrap();
    rig.inward(Protocol::Tcp, outside, remote, ACK).unwrap();
    rig.out(Protocol::Tcp, own, remote, ACK).unwrap();
    assert_eq!(rig.after(7439), 1);
}

#[test]
fn when_there_is_no_room() {
    let mut rig = Rig::new(Rules {
        limit: 3,
        ..rules()
    });
    // Two that were answered, one that was not.
    for host in 1..=2 {
        rig.udp(&format!("10.0.0.{host}:5000"), "198.51.100.1:53")
            .unwrap();
        rig.now += SECOND;
    }
    rig.udp_in("192.0.2.1:5000", "198.51.100.1:53").unwrap();
    let second = rig.udp("10.0.0.2:5000", "198.51.100.1:53").unwrap();
    rig.udp_in(&format!("192.0.2.1:{}", second.port), "198.51.100.1:53")
        .unwrap();
    rig.out(Protocol::Tcp, "10.0.0.3:6000", "198.51.100.1:80", SYN)
        .unwrap();
    assert_eq!(rig.table.sessions(), 3);
    // The one that was not answered goes.
    rig.out(Protocol::Tcp, "10.0.0.4:6000", "198.51.100.1:80", SYN)
        .unwrap();
    assert_eq!((rig.table.sessions(), rig.table.evicted), (3, 1));
    // It has got the port of the one that went.
    let gone = rig.inward(Protocol::Tcp, "192.0.2.1:6000", "198.51.100.1:80", SYN_ACK);
    assert_eq!(gone, Ok(at("10.0.0.4:6000")));
    rig.out(Protocol::Tcp, "10.0.0.4:6000", "198.51.100.1:80", ACK)
        .unwrap();
    // None goes that was.
    assert_eq!(rig.udp("10.0.0.5:5000", "198.51.100.1:53"), Err(Why::Full));
    assert_eq!((rig.table.sessions(), rig.table.evicted), (3, 1));
    // Those whose time is over go first.
    rig.now += 300 * SECOND;
    rig.udp("10.0.0.5:5000", "198.51.100.1:53").unwrap();
    assert_eq!((rig.table.sessions(), rig.table.evicted), (2, 1));
    // More than the limit, which has become less: they stay, no new ones come.
    rig.rules.limit = 1;
    assert_eq!(rig.udp("10.0.0.6:5000", "198.51.100.1:53"), Err(Why::Full));
    assert_eq!(rig.table.sessions(), 2);
}

#[test]
fn no_port_is_given_twice() {
    let ports = Ports::parse("2000-2003").unwrap();
    let mut rig = Rig::new(Rules { ports, ..rules() });
    let mut seen = Vec::new();
    for host in 1..=6 {
        let got = rig.udp(&format!("10.0.0.{host}:5000"), "198.51.100.1:53");
        match got {
            Ok(got) => {
                assert!(ports.contain(got.port) && got.port % 2 == 0 && !seen.contains(&got.port));
                seen.push(got.port);
            }
            Err(why) => assert_eq!(why, Why::NoPort),
        }
    }
    assert_eq!((seen.len(), rig.table.sessions()), (2, 2));
}

#[test]
fn a_table_has_room_for_as_many_as_it_says() {
    for (made_for, limit) in [(65, 128), (1, 64), (1000, 1024)] {
        let mut rig = Rig::new(Rules {
            limit: made_for,
            ..rules()
        });
        assert!(rig.table.is_for(limit) && !rig.table.is_for(limit + 1));
        rig.rules.limit = limit;
        for number in 0..limit {
            let own = format!("10.0.{}.{}:{}", number / 256, number % 256, 2000 + number);
            rig.udp(&own, "198.51.100.1:53").unwrap();
        }
        assert_eq!(rig.table.sessions(), limit);
    }
}

#[test]
fn any_order_of_packets_keeps_mappings_one_to_one() {
    let mut state = 7u64;
    let mut random = move |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut rig = Rig::new(Rules {
        limit: 50,
        source: Pool::parse("192.0.2.1-192.0.2.2"),
        ..rules()
    });
    let mut grown = false;
    for step in 0..60_000 {
        rig.now += random(2 * SECOND);
        let own = format!("10.0.0.{}:{}", random(8), 4000 + random(4));
        let remote = format!("198.51.100.{}:{}", random(4), 50 + random(3));
        let flags = Flags(random(32) as u8);
        let protocol = [Protocol::Tcp, Protocol::Udp, Protocol::Query][random(3) as usize];
        if let Ok(outside) = rig.out(protocol, &own, &remote, flags) {
            let outside = format!(
                "{}:{}",
                std::net::Ipv4Addr::from_bits(outside.address),
                outside.port
            );
            assert_eq!(rig.inward(protocol, &outside, &remote, ACK), Ok(at(&own)));
            assert_eq!(rig.out(protocol, &own, &remote, ACK), Ok(at(&outside)));
        }
        if step % 1000 == 0 {
            let (mut by_inside, mut by_outside) = (HashMap::new(), HashMap::new());
            let mut sessions = 0;
            for session in
                (0..rig.table.end_of_numbers()).filter_map(|number| rig.table.session(number))
            {
                let ends = [session.inside, session.outside]
                    .map(|e| (e.address, e.port, session.protocol as u8));
                assert_eq!(*by_inside.entry(ends[0]).or_insert(ends[1]), ends[1]);
                assert_eq!(*by_outside.entry(ends[1]).or_insert(ends[0]), ends[0]);
                sessions += 1;
            }
            assert_eq!(sessions, rig.table.sessions());
            assert!(sessions <= rig.rules.limit);
        }
        if step == 30_000 {
            let before = rig.table.sessions();
            assert!(before > 10 && !rig.table.is_for(500));
            rig.table.grow(memory(500));
            rig.rules.limit = 500;
            grown = rig.table.sessions() == before;
        }
    }
    assert!(grown && rig.after(10_000) == 0);
}

#[test]
fn the_example_of_rfc_6296() {
    let npt = Npt::parse("fd01:203:405::/48=2001:db8:1::/48").unwrap();
    let (inside, outside) = (
        address("fd01:203:405:1::1234"),
        address("2001:db8:1:d550::1234"),
    );
    assert_eq!(npt.translate(inside, true), Some(Ok(outside)));
    assert_eq!(npt.translate(outside, false), Some(Ok(inside)));
    assert_eq!(npt.translate(outside, true), None);
    let last = address("fd01:203:405:ffff::1");
    assert_eq!(npt.translate(last, true), Some(Err(Unmappable)));
}

#[test]
fn npt_leaves_sums_alone() {
    for (inside, outside, len, all) in [
        ("fd01:203:405::", "2001:db8:1::", 48, "3"),
        ("fd01::", "2001:db8::", 32, "3"),
        ("fd01:203:405:fff0::", "2001:db8:1:aa50::", 60, "4567"),
        ("fd01:203:405:77::", "2001:db8:1:9::", 64, "4567"),
    ] {
        let npt = Npt::parse(&format!("{inside}/{len}={outside}/{len}")).unwrap();
        let Address::V6(prefix) = address(inside) else {
            panic!()
        };
        for number in 0..100_000_u128 {
            let mut host = number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
            if number % 3 == 0 {
                host |= 0xffff << (16 * (7 - 4));
            }
            let host = host & (u128::MAX >> len);
            let from = Address::V6(prefix | host);
            let words = |address| match address {
                Address::V6(address) => std::net::Ipv6Addr::from_bits(address).segments(),
                Address::V4(_) => panic!(),
            };
            let is_full = |digit: char| words(from)[digit as usize - '0' as usize] == 0xffff;
            let Ok(to) = npt.translate(from, true).unwrap() else {
                assert!(all.chars().all(is_full));
                continue;
            };
            let sum_of = |a| words(a).iter().fold(0, |sum, &word| add(sum, word)) % 0xffff;
            assert_eq!(sum_of(from), sum_of(to), "{from}");
            // All but the zero that 0xffff would be come back.
            let Ok(back) = npt.translate(to, false).unwrap() else {
                panic!("{from} {to}")
            };
            assert!(
                back == from
                    || words(back)
                        .iter()
                        .zip(words(from))
                        .all(|(&a, b)| a == b || (a, b) == (0, 0xffff))
            );
        }
    }
}

#[test]
fn maps_are_one_to_one() {
    let maps = |map, npt| Maps {
        map: Map::parse(map),
        npt: Npt::parse(npt),
    };
    let four = maps("10.0.0.0/24=192.0.2.0/24", "");
    assert!(four.are_for(false) && !four.are_for(true));
    let pass = |maps: &Maps, outward, from, to| {
        let done = maps.pass(outward, (address(from), address(to)), None);
        done.map(|(act, keeps)| (act.plan.source, act.plan.destination, act.turns, keeps))
    };
    let some = |text| Some(address(text));
    assert_eq!(
        pass(&four, true, "10.0.0.7", "8.8.8.8"),
        Ok((some("192.0.2.7"), None, false, false))
    );
    assert_eq!(
        pass(&four, false, "8.8.8.8", "192.0.2.7"),
        Ok((None, some("10.0.0.7"), false, false))
    );
    assert_eq!(
        pass(&four, true, "10.0.1.7", "8.8.8.8"),
        Err(Why::Untouched)
    );
    assert_eq!(
        pass(&four, false, "10.0.0.7", "10.0.0.7"),
        Err(Why::Untouched)
    );
    let turned = Ok((some("192.0.2.7"), some("10.0.0.9"), true, false));
    assert_eq!(pass(&four, true, "10.0.0.7", "192.0.2.9"), turned);
    let six = maps("", "fd01:203:405::/48=2001:db8:1::/48");
    let got = pass(&six, true, "fd01:203:405:1::1234", "2001:db8::9");
    assert_eq!(got, Ok((some("2001:db8:1:d550::1234"), None, false, true)));
    assert_eq!(
        pass(&six, true, "fd01:203:405:ffff::1", "2001:db8::9"),
        Err(Why::Unmappable)
    );
}

/// The one's complement sum, with that of a pseudo-header.
fn pseudo(source: &[u8], destination: &[u8], protocol: u8, data: &[u8]) -> u16 {
    let rest = add(sum(&[0, protocol]), sum(&(data.len() as u32).to_be_bytes()));
    add(add(sum(source), sum(destination)), add(rest, sum(data)))
}

/// A packet of UDP over IPv4, without Ethernet, with right checksums.
fn packet(source: Endpoint, destination: Endpoint) -> Vec<u8> {
    let mut udp = Vec::new();
    for word in [source.port, destination.port, 18, 0] {
        udp.extend(word.to_be_bytes());
    }
    udp.extend(b"0123456789");
    let ends = [source, destination].map(|end| end.address.to_be_bytes());
    let check = !pseudo(&ends[0], &ends[1], 17, &udp);
    udp[6..8].copy_from_slice(&check.to_ne_bytes());
    let mut ip = vec![0x45, 0, 0, 38, 0, 1, 0, 0, 64, 17, 0, 0];
    ip.extend(ends[0]);
    ip.extend(ends[1]);
    let check = !sum(&ip);
    ip[10..12].copy_from_slice(&check.to_ne_bytes());
    ip.extend(udp);
    ip
}

#[test]
fn quotations_are_what_was_sent() {
    let ends = [
        "10.0.0.1:5000",
        "192.0.2.1:6000",
        "198.51.100.1:53",
        "198.51.100.9:54",
    ]
    .map(at);
    let sent = packet(ends[0], ends[2]);
    for cut in [20, 24, 26, 28, sent.len()] {
        let mut quoted = packet(ends[1], ends[3])[..cut].to_vec();
        let quote = Quote::read(&quoted).unwrap();
        assert_eq!(quote.seen().unwrap().flow(true).is_some(), cut >= 24);
        let plan = Plan {
            source: Some(address("10.0.0.1")),
            destination: Some(address("198.51.100.1")),
            source_port: Some(5000),
            destination_port: Some(53),
            ..Plan::NOTHING
        };
        quote.apply(&plan, &mut quoted, false);
        assert_eq!(quoted, sent[..cut], "{cut} bytes");
    }
    for bytes in [&[][..], &[0x45; 19], &[0x44; 40], &[0x60; 39], &[0x70; 60]] {
        assert!(Quote::read(bytes).is_none());
    }
    // Whatever it is, nothing panics.
    for length in 0..80 {
        for first in [0x45, 0x4f, 0x60] {
            for protocol in [1, 6, 17, 58] {
                let mut bytes = vec![protocol; length];
                bytes.iter_mut().take(1).for_each(|byte| *byte = first);
                let read = Quote::read(&bytes);
                let plan = Plan {
                    source: Some(address("10.0.0.1")),
                    identifier: Some(1),
                    ..Plan::NOTHING
                };
                if let Some(quote) = read {
                    quote.apply(&plan, &mut bytes, false);
                }
            }
        }
    }
}

fn state(rules: &Rules) -> State {
    State {
        table: Table::new(memory(rules.limit), HashKey(1)),
        fragments: Fragments::new(vec![Slot::default(); DATAGRAMS], HashKey(2)),
    }
}

fn seen(source: &str, destination: &str, carried: Carried) -> Seen {
    let (source, destination) = (v4(source), v4(destination));
    Seen {
        source,
        destination,
        carried,
    }
}

#[test]
fn errors_find_their_session() {
    let rules = Rules {
        dest: Target::parse("10.0.0.2"),
        ..rules()
    };
    let mut state = state(&rules);
    let mut pass = |outward, seen: Seen, quote: Option<&Quote>| {
        state.pass(outward, &seen, quote, None, &rules, SECOND)
    };
    pass(
        true,
        seen("10.0.0.1", "198.51.100.1", Carried::Udp(5000, 53)),
        None,
    )
    .unwrap_or_else(|_| panic!());
    pass(
        false,
        seen("198.51.100.1", "192.0.2.1", Carried::Udp(99, 7)),
        None,
    )
    .unwrap_or_else(|_| panic!());
    // A router outside is about what went out.
    let quoted = packet(at("192.0.2.1:5000"), at("198.51.100.1:53"));
    let quote = Quote::read(&quoted).unwrap();
    let error = pass(
        false,
        seen("203.0.113.1", "192.0.2.1", Carried::Error(42)),
        Some(&quote),
    );
    let act = error.unwrap_or_else(|_| panic!());
    assert!(act.plan.destination == Some(address("10.0.0.1")) && act.plan.source.is_none());
    // It has the same port on both sides.
    assert!(act.quote.source == Some(address("10.0.0.1")) && act.quote.source_port.is_none());
    // A router inside is about what came in; it has the address of the session outside.
    let quoted = packet(at("198.51.100.1:99"), at("10.0.0.2:7"));
    let quote = Quote::read(&quoted).unwrap();
    let error = pass(
        true,
        seen("10.9.9.9", "198.51.100.1", Carried::Error(42)),
        Some(&quote),
    );
    let act = error.unwrap_or_else(|_| panic!());
    assert!(act.plan.source == Some(address("192.0.2.1")) && act.plan.destination.is_none());
    assert!(
        act.quote.destination == Some(address("192.0.2.1")) && act.quote.destination_port.is_none()
    );
    // About nothing that was there.
    let quoted = packet(at("192.0.2.1:5001"), at("198.51.100.1:53"));
    let quote = Quote::read(&quoted).unwrap();
    let error = pass(
        false,
        seen("203.0.113.1", "192.0.2.1", Carried::Error(42)),
        Some(&quote),
    );
    assert!(error.is_err_and(|why| why == Why::Unsolicited));
    let error = pass(
        false,
        seen("203.0.113.1", "192.0.2.9", Carried::Error(42)),
        Some(&quote),
    );
    assert!(error.is_err_and(|why| why == Why::Untouched));
    let other = pass(true, seen("10.0.0.1", "203.0.113.1", Carried::Other), None);
    assert!(other.is_err_and(|why| why == Why::Unsupported));
}

#[test]
fn who_speaks_to_somebody_inside() {
    let rules = rules();
    let mut state = state(&rules);
    let mut pass = |seen: Seen| {
        state
            .pass(true, &seen, None, None, &rules, SECOND)
            .map(|act| {
                assert!(act.quote == Plan::NOTHING);
                (
                    act.plan.source,
                    act.plan.source_port,
                    act.plan.destination,
                    act.plan.destination_port,
                    act.turns,
                )
            })
    };
    let some = |text| Some(address(text));
    pass(seen("10.0.0.2", "198.51.100.1", Carried::Udp(7000, 53))).unwrap();
    let there = pass(seen("10.0.0.1", "192.0.2.1", Carried::Udp(5000, 7000)));
    assert_eq!(
        there,
        Ok((some("192.0.2.1"), None, some("10.0.0.2"), None, true))
    );
    let back = pass(seen("10.0.0.2", "192.0.2.1", Carried::Udp(7000, 5000)));
    assert_eq!(
        back,
        Ok((some("192.0.2.1"), None, some("10.0.0.1"), None, true))
    );
    let nobody = pass(seen("10.0.0.2", "192.0.2.1", Carried::Udp(7000, 5001)));
    assert_eq!(nobody, Err(Why::Unsolicited));
}

#[test]
fn later_fragments_follow_the_first() {
    let rules = rules();
    let mut state = state(&rules);
    let datagram = |identification, outward| Datagram {
        source: v4("10.0.0.1"),
        destination: v4("198.51.100.1"),
        protocol: 17,
        identification,
        outward,
    };
    let first = seen("10.0.0.1", "198.51.100.1", Carried::Udp(5000, 53));
    let later = Seen {
        carried: Carried::Other,
        ..first
    };
    let mut pass = |seen: &Seen, datagram, now| {
        state
            .pass(true, seen, None, Some(datagram), &rules, now)
            .map(|act| (act.plan.source, act.plan.source_port))
    };
    let source = Some(address("192.0.2.1"));
    assert_eq!(
        pass(&later, (datagram(1, true), true), SECOND),
        Err(Why::Fragment)
    );
    assert_eq!(
        pass(&first, (datagram(1, true), false), SECOND),
        Ok((source, None))
    );
    assert_eq!(
        pass(&later, (datagram(1, true), true), 2 * SECOND),
        Ok((source, None))
    );
    assert_eq!(
        pass(&later, (datagram(2, true), true), 2 * SECOND),
        Err(Why::Fragment)
    );
    assert_eq!(
        pass(&later, (datagram(1, false), true), 2 * SECOND),
        Err(Why::Fragment)
    );
    assert_eq!(
        pass(&later, (datagram(1, true), true), 31 * SECOND),
        Err(Why::Fragment)
    );
}

#[test]
fn lists_are_what_the_kernel_has() {
    let mut list = room(2).unwrap();
    assert!(push(&mut list, 1) && list == [1]);
}
