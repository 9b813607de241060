// SPDX-License-Identifier: GPL-2.0

use super::{
    header::{Header, Mac, Station, LONGEST},
    ports::{Ports, Seen, ABOVE, PORTS, SEATS},
    table::{Bucket, Heard, Moment, Rules, Table},
};
use std::{
    collections::{HashMap, HashSet},
    sync::Barrier,
    thread,
};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1000 * MS;

fn table(limit: u32) -> Table {
    let buckets = Table::buckets(limit);
    Table::new((0..buckets).map(|_| Bucket::default()).collect())
}

/// Ports that lead to these IDPs, the negative ones of which are down; and the seats that begin.
fn follow(ports: &Ports, idps: &[i32]) -> (Ports, Vec<u8>) {
    let seen = idps.iter().map(|&idp| Seen {
        idp: idp.unsigned_abs(),
        name: "eth",
        is_up: idp > 0,
    });
    let mut begun = Vec::new();
    let push = |list: &mut Vec<_>, port| {
        list.push(port);
        true
    };
    let mut next = Ports::none();
    let done = ports.follow(&mut next, seen, push, |seat| begun.push(seat));
    done.unwrap();
    (next, begun)
}

fn rules(ports: &Ports, now: u64, ageing: u64, limit: u32) -> Rules<'_> {
    let now = Moment::of(now);
    Rules {
        now,
        oldest: now.less(ageing),
        ports,
        limit,
    }
}

fn station(n: u64) -> Station {
    Station::of((n + 1) << 12)
}

/// As good as SipHash for this.
fn hash(station: Station) -> u64 {
    let mut x = station.word();
    for _ in 0..3 {
        x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x ^= x >> 27;
    }
    x
}

fn hear(table: &Table, n: u64, seat: u8, rules: &Rules<'_>) -> Heard {
    table.hear(station(n), hash(station(n)), seat, rules)
}

fn seat(table: &Table, n: u64, rules: &Rules<'_>) -> Option<u8> {
    table.seat(station(n), hash(station(n)), rules)
}

#[test]
fn headers() {
    let mut frame = [0; 18];
    frame[..6].copy_from_slice(&[0xff; 6]);
    frame[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 0x0a]);
    frame[14..16].copy_from_slice(&[0x20, 0x0a]);
    let header = Header::read(&frame).unwrap();
    assert_eq!(header.tag, None);
    assert_eq!(header.from.to_string(), "02:00:00:00:00:0a");
    for kind in [[0x81, 0], [0x88, 0xa8]] {
        frame[12..14].copy_from_slice(&kind);
        assert_eq!(Header::read(&frame).unwrap().tag, Some(0x200a));
        // The tag is cut off.
        assert_eq!(Header::read(&frame[..14]).unwrap().tag, None);
    }
    assert_eq!(Header::read(&frame[..13]), None);
    // The block reads no more.
    assert_eq!(
        Header::read(&frame[..LONGEST as usize]),
        Header::read(&frame)
    );
    assert!(header.to.is_group() && !header.to.is_source() && !header.to.is_link_local());
    assert!(header.from.is_source() && !Mac([0; 6]).is_source());
    for last in 0..=255 {
        let mac = Mac([0x01, 0x80, 0xc2, 0, 0, last]);
        assert_eq!(mac.is_link_local(), last < 16);
    }
    let station = Station::new(header.from, 0x200a);
    assert_eq!((station.mac(), station.vlan()), (header.from, 10));
    assert_ne!(station, Station::new(header.from, 11));
}

#[test]
fn ports_keep_their_seats() {
    let (a, begun) = follow(&Ports::none(), &[7, 8, -9]);
    let seats: Vec<_> = [7, 8, 9].map(|idp| a.of(idp).unwrap().1.seat).into();
    assert_eq!(begun, seats[..2]);
    assert!(!seats.contains(&ABOVE));
    assert_eq!(a.number(seats[1]), Some(1));
    assert_eq!((a.number(seats[2]), a.number(ABOVE)), (None, None));
    assert_eq!(a.others(Some(0)).collect::<Vec<_>>(), [1]);
    assert_eq!(a.others(Some(2)).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(a.others(None).count(), 2);
    // One goes, the others move up; one comes up.
    let (b, begun) = follow(&a, &[8, 9]);
    assert_eq!(begun, [seats[2]]);
    assert_eq!((b.number(seats[0]), b.number(seats[1])), (None, Some(0)));
    assert!(b.of(7).is_none());
    // A seat is not given again soon.
    let (c, begun) = follow(&b, &[7, 8, 9]);
    assert!(!seats.contains(&begun[0]) && begun.len() == 1);
    assert_eq!(c.of(7).unwrap().0, 0);
    let seen = [(7, true), (8, true), (9, true)];
    let seen = seen.map(|(idp, is_up)| Seen {
        idp,
        name: "eth",
        is_up,
    });
    assert!(c.are(seen.into_iter()));
    assert!(!c.are(seen.into_iter().take(2)) && !b.are(seen.into_iter()));
}

#[test]
fn all_ports_at_once() {
    let mut ports = Ports::none();
    for round in 0..20 {
        let idps: Vec<i32> = (1..=i32::try_from(PORTS).unwrap())
            .map(|n| n * 256 + round * 70_000)
            .collect();
        let (next, begun) = follow(&ports, &idps);
        let seats: HashSet<_> = begun.iter().collect();
        assert_eq!((begun.len(), seats.len()), (PORTS, PORTS));
        assert!(begun
            .iter()
            .all(|&seat| seat != ABOVE && usize::from(seat) != SEATS - 1));
        for (number, &idp) in (0..).zip(&idps) {
            let (found, port) = next.of(idp.unsigned_abs()).unwrap();
            assert_eq!((found, next.number(port.seat)), (number, Some(number)));
            assert_eq!(next.name(port.seat), Some("eth"));
        }
        assert_eq!(
            next.others(Some(63)).collect::<Vec<_>>(),
            (0..63).collect::<Vec<_>>()
        );
        ports = next;
    }
}

#[test]
fn stations_are_learnt_and_move() {
    let (ports, seats) = follow(&Ports::none(), &[1, 2]);
    let table = table(10);
    let at = |now| rules(&ports, now, 300 * SECOND, 10);
    assert_eq!(seat(&table, 1, &at(0)), None);
    assert_eq!(hear(&table, 1, seats[0], &at(0)), Heard::New);
    assert_eq!(hear(&table, 1, seats[0], &at(0)), Heard::Known);
    assert_eq!(seat(&table, 1, &at(0)), Some(seats[0]));
    assert_eq!(hear(&table, 1, seats[1], &at(1)), Heard::Moved);
    assert_eq!(hear(&table, 1, ABOVE, &at(2)), Heard::Moved);
    assert_eq!(seat(&table, 1, &at(SECOND)), Some(ABOVE));
    let age = at(3 * SECOND).now.since(at(SECOND).now);
    assert!(age.abs_diff(2 * SECOND) < 2 * MS);
    assert_eq!(seat(&table, 2, &at(SECOND)), None);
    assert_eq!(table.entries(at(SECOND)).count(), 1);
}

#[test]
fn stations_are_forgotten() {
    let (ports, seats) = follow(&Ports::none(), &[1, 2]);
    let table = table(10);
    let at = |now| rules(&ports, now, 100 * MS, 10);
    hear(&table, 1, seats[0], &at(SECOND));
    assert!(seat(&table, 1, &at(SECOND + 98 * MS)).is_some());
    // Being heard keeps it.
    assert_eq!(
        hear(&table, 1, seats[0], &at(SECOND + 98 * MS)),
        Heard::Known
    );
    assert!(seat(&table, 1, &at(SECOND + 190 * MS)).is_some());
    assert_eq!(seat(&table, 1, &at(SECOND + 200 * MS)), None);
    assert_eq!(table.entries(at(SECOND + 200 * MS)).count(), 0);
    assert_eq!(
        hear(&table, 1, seats[1], &at(SECOND + 200 * MS)),
        Heard::New
    );
    // The least ageing, and none.
    let none = rules(&ports, SECOND + 200 * MS, 0, 10);
    assert_eq!(seat(&table, 1, &none), None);
    // Its port goes down.
    let (down, _) = follow(&ports, &[1, -2]);
    assert_eq!(
        seat(&table, 1, &rules(&down, SECOND + 201 * MS, SECOND, 10)),
        None
    );
    // All are flushed.
    let mut flushed = at(SECOND + 202 * MS);
    hear(&table, 1, seats[1], &at(SECOND + 201 * MS));
    flushed.oldest = Moment::of(SECOND + 201 * MS).next();
    assert_eq!(seat(&table, 1, &flushed), None);
    hear(&table, 1, seats[1], &at(SECOND + 203 * MS));
    assert!(seat(&table, 1, &flushed).is_some());
    table.clear(seats[1]);
    assert_eq!(seat(&table, 1, &flushed), None);
}

#[test]
fn the_limit_is_exact() {
    let (ports, seats) = follow(&Ports::none(), &[1]);
    for limit in [1, 2, 16, 100, 4096, 65_536] {
        let table = table(limit);
        assert!(table.is_for(limit) && table.is_for(1) && !table.is_for(limit.max(256) * 2));
        let at = |now| rules(&ports, now, SECOND, limit);
        for n in 0..u64::from(limit) {
            assert_eq!(
                hear(&table, n, seats[0], &at(SECOND)),
                Heard::New,
                "{n} of {limit}"
            );
        }
        for n in 0..20 {
            let new = u64::from(limit) + n;
            assert_eq!(
                hear(&table, new, seats[0], &at(SECOND + n * 2 * MS)),
                Heard::Full
            );
        }
        assert_eq!(table.entries(at(SECOND)).count(), limit as usize);
        assert_eq!(hear(&table, 0, seats[0], &at(SECOND)), Heard::Known);
        // Who is over gives room to others, at once for a small table.
        let (mut now, mut tries) = (3 * SECOND, 0);
        while hear(&table, 1 << 20, seats[0], &at(now)) == Heard::Full {
            now += 2 * MS;
            tries += 1;
        }
        assert!(
            tries == 0 || limit > 2048 && tries <= 32,
            "{tries} of {limit}"
        );
    }
}

#[test]
fn full_of_others_who_are_over() {
    let (ports, seats) = follow(&Ports::none(), &[1]);
    let table = table(64);
    for round in 0..100 {
        let now = rules(&ports, (round + 1) * SECOND, 500 * MS, 64);
        for n in 0..64 {
            assert_eq!(hear(&table, round * 64 + n, seats[0], &now), Heard::New);
        }
        assert_eq!(table.entries(now).count(), 64);
    }
}

/// Threads hear the same stations at the same time: each is there once, and the count is right.
#[test]
fn many_at_once() {
    const THREADS: u64 = 4;
    const STATIONS: u64 = 300;
    let (ports, seats) = follow(&Ports::none(), &[1, 2, 3, 4]);
    for round in 0..50 {
        let table = table(STATIONS as u32);
        let barrier = Barrier::new(THREADS as usize);
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (table, barrier, ports, seats) = (&table, &barrier, &ports, &seats);
                scope.spawn(move || {
                    barrier.wait();
                    for n in 0..STATIONS {
                        let now = rules(ports, round * SECOND + n * MS, SECOND, STATIONS as u32);
                        hear(table, n, seats[thread as usize], &now);
                        if n % 64 == 63 {
                            table.clear(seats[(thread as usize + 1) % 4]);
                        }
                    }
                });
            }
        });
        let now = rules(&ports, round * SECOND + SECOND / 2, SECOND, STATIONS as u32);
        let mut seen = HashMap::new();
        for (station, note) in table.entries(now) {
            assert_eq!(seen.insert(station.word(), note.seat()), None, "twice");
        }
        for seat in &seats {
            table.clear(*seat);
        }
        // All room is there again.
        for n in 1000..1000 + STATIONS {
            assert_eq!(hear(&table, n, seats[0], &now), Heard::New);
        }
        assert_eq!(hear(&table, 5000, seats[0], &now), Heard::Full);
    }
}
