// SPDX-License-Identifier: GPL-2.0

//! Two ends with a bad link between them, and a clock that goes when nothing else is to be done.

use super::{
    end::{Action, End},
    header::{Header, Kind, Map, Not, DATA, INSERTED, SHORTEST},
    receiver::Come,
    sender::Entry,
    Bounds, HashKey, MOST, NEVER,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

const MS: u64 = 1_000_000;

const BOUNDS: Bounds = Bounds {
    window: 128,
    bytes: 1 << 20,
    rto: (10 * MS, 1000 * MS),
    retries: 40,
    ack_delay: 2 * MS,
    timeout: 300_000 * MS,
};

type Bytes = Vec<u8>;

fn end(key: u64) -> End<Bytes> {
    let entries = (0..MOST).map(|_| Entry::EMPTY).collect();
    let slots = (0..MOST).map(|_| None).collect();
    End::new(entries, slots, HashKey(key))
}

/// Numbers that look like chance.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        let random = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = random.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[derive(Clone)]
struct Flying {
    header: Header,
    map: Option<Map>,
    data: Bytes,
}

/// A link of two directions.
#[derive(Clone, Copy)]
struct Link {
    /// In percent.
    loss: u64,
    duplicate: u64,
    latency: u64,
    jitter: u64,
}

struct World {
    now: u64,
    ends: [End<Bytes>; 2],
    link: Link,
    dice: Dice,
    /// What is on its way, by the time when it arrives: to which end.
    flying: BTreeMap<(u64, u64), (usize, Flying)>,
    made: u64,
    /// What has come out of each.
    came: [Vec<u64>; 2],
    /// What was handed in at each, and did not fit.
    waiting: [VecDeque<u64>; 2],
    bounds: Bounds,
    flights: u64,
    /// The number of a packet of the first end that is lost each time.
    lost: Option<u32>,
}

impl World {
    fn new(link: Link, seed: u64) -> Self {
        Self {
            now: 1000 * MS,
            ends: [end(seed), end(seed + 1)],
            link,
            dice: Dice(seed),
            flying: BTreeMap::new(),
            lost: None,
            made: 0,
            came: [Vec::new(), Vec::new()],
            waiting: [VecDeque::new(), VecDeque::new()],
            bounds: BOUNDS,
            flights: 0,
        }
    }

    fn fly(&mut self, from: usize, flying: &Flying) {
        self.flights += 1;
        // As it is on the wire.
        let bytes = flying.header.bytes();
        let mut packet = vec![0; 12];
        packet.extend(bytes);
        packet.resize(DATA + 12, 0);
        let header = Header::read(&packet, packet.len()).unwrap();
        assert_eq!(header, flying.header);
        if from == 0 && self.lost == Some(flying.header.sequence) {
            return;
        }
        let copies = 1 + u64::from(self.dice.below(100) < self.link.duplicate);
        for _ in 0..copies {
            if self.dice.below(100) < self.link.loss {
                continue;
            }
            let wait = self.link.latency + self.dice.below(self.link.jitter + 1);
            self.made += 1;
            let at = (self.now + wait, self.made);
            self.flying.insert(at, (1 - from, flying.clone()));
        }
    }

    fn act(&mut self, at: usize) {
        loop {
            let bounds = self.bounds;
            let (flying, came) = match self.ends[at].act(self.now, &bounds) {
                None => break,
                Some(Action::Deliver(data)) => (None, Some(data)),
                Some(Action::Send(header, data)) => {
                    let data = data.clone();
                    let map = None;
                    (Some(Flying { header, map, data }), None)
                }
                Some(Action::Control(header, map)) => {
                    let (bytes, len) = header.control(&[0; 12], &map);
                    let map = Map::read(&bytes[DATA..len]).unwrap();
                    let map = (header.kind == Kind::Ack).then_some(map);
                    let data = Vec::new();
                    (Some(Flying { header, map, data }), None)
                }
            };
            if let Some(flying) = flying {
                self.fly(at, &flying);
            }
            if let Some(came) = came {
                self.deliver(at, &came);
            }
        }
    }

    fn deliver(&mut self, at: usize, data: &[u8]) {
        let number = u64::from_be_bytes(data[..8].try_into().unwrap());
        self.came[at].push(number);
    }

    /// Hands in a packet; false where there is no room.
    fn send(&mut self, at: usize, number: u64) -> bool {
        let mut data = number.to_be_bytes().to_vec();
        data.resize(8 + self.dice.below(1000) as usize, 0);
        let len = data.len() as u32;
        if !self.ends[at].sender.has_room(len, &self.bounds) {
            return false;
        }
        let bounds = self.bounds;
        let header = self.ends[at].send(data.clone(), len, self.now, &bounds);
        if let Some(header) = header {
            let map = None;
            self.fly(at, &Flying { header, map, data });
        }
        true
    }

    fn feed(&mut self) {
        for at in [0, 1, 0, 1] {
            while let Some(number) = self.waiting[at].pop_front() {
                if !self.send(at, number) {
                    self.waiting[at].push_front(number);
                    break;
                }
            }
            self.act(at);
        }
    }

    /// What is next happens. False where nothing is.
    fn step(&mut self) -> bool {
        self.feed();
        let arrives = self.flying.keys().next().map_or(NEVER, |at| at.0);
        let deadline = |end: &End<Bytes>| end.deadline(&self.bounds);
        let next = arrives.min(deadline(&self.ends[0]).min(deadline(&self.ends[1])));
        if next == NEVER {
            return self.waiting.iter().any(|waiting| !waiting.is_empty());
        }
        assert!(next <= arrives);
        self.now = self.now.max(next);
        while self.flying.keys().next().is_some_and(|at| at.0 <= self.now) {
            let (_, (at, flying)) = self.flying.pop_first().unwrap();
            self.arrive(at, &flying);
        }
        true
    }

    fn arrive(&mut self, at: usize, flying: &Flying) {
        let Flying { header, map, data } = flying;
        let bounds = self.bounds;
        let come = self.ends[at].come(
            header,
            map.as_ref(),
            data.len() as u32,
            (self.now, &bounds),
            || Some(data.clone()),
        );
        if come == Come::Deliver {
            self.deliver(at, data);
        }
        self.act(at);
    }

    /// Until nothing is to be done any more, for so many steps at most.
    fn run(&mut self, steps: u64) {
        for _ in 0..steps {
            if !self.step() {
                return;
            }
        }
        panic!(
            "it does not end: {} {}",
            self.came[0].len(),
            self.came[1].len()
        );
    }

    fn is_quiet(&self) -> bool {
        self.ends.iter().all(|end| {
            end.sender.pending() == 0 && end.sender.bytes == 0 && end.receiver.waiting == 0
        })
    }
}

fn all(count: u64) -> Vec<u64> {
    (0..count).collect()
}

#[test]
fn a_good_link() {
    let link = Link {
        loss: 0,
        duplicate: 0,
        latency: 5 * MS,
        jitter: 0,
    };
    let mut world = World::new(link, 1);
    world.waiting[0].extend(0..5000);
    world.run(100_000);
    assert_eq!(world.came[1], all(5000));
    let counts = world.ends[0].sender.counts;
    assert_eq!(
        (
            counts.sent,
            counts.resent,
            counts.acknowledged,
            counts.given_up
        ),
        (5000, 0, 5000, 0)
    );
    let counts = world.ends[1].receiver.counts;
    assert_eq!(
        (counts.delivered, counts.duplicate, counts.early),
        (5000, 0, 0)
    );
    // An acknowledgement for several packets.
    assert!(world.ends[1].controls < 1000, "{}", world.ends[1].controls);
    assert!(world.is_quiet());
}

/// Each packet comes once and in order, whatever the link does.
#[test]
fn bad_links() {
    for seed in 0..40 {
        for loss in [0, 1, 10, 30] {
            let mut dice = Dice(seed * 1000 + loss);
            let link = Link {
                loss,
                duplicate: dice.below(20),
                latency: dice.below(20 * MS),
                jitter: dice.below(2) * dice.below(30 * MS),
            };
            let mut world = World::new(link, seed * 7 + loss);
            world.bounds.window = 1 + dice.below(300) as u32;
            world.waiting[0].extend(0..1500);
            if dice.below(2) == 0 {
                world.waiting[1].extend(0..1000);
            }
            let there = world.waiting[1].len() as u64;
            world.run(1_000_000);
            assert_eq!(world.came[1], all(1500), "seed {seed}, loss {loss}");
            assert_eq!(world.came[0], all(there), "seed {seed}, loss {loss}");
            assert!(world.is_quiet());
            let given_up = world.ends.iter().map(|end| end.sender.counts.given_up);
            assert_eq!(given_up.sum::<u64>(), 0);
            let skipped = world.ends.iter().map(|end| end.receiver.counts.skipped);
            assert_eq!(skipped.sum::<u64>(), 0);
        }
    }
}

/// With a tenth of the packets lost, not many more are sent than have to be.
#[test]
fn little_is_sent_twice() {
    let link = Link {
        loss: 10,
        duplicate: 0,
        latency: 5 * MS,
        jitter: 0,
    };
    let mut world = World::new(link, 5);
    world.waiting[0].extend(0..20_000);
    world.run(1_000_000);
    assert_eq!(world.came[1], all(20_000));
    let resent = world.ends[0].sender.counts.resent;
    assert!((2000..2700).contains(&resent), "{resent}");
    // And the window is used: 128 packets in 10 ms, beside what losses cost.
    let took = (world.now - 1000 * MS) / MS;
    assert!(took < 20_000 / 128 * 10 * 5, "{took} ms");
}

/// An end that is made anew: nothing comes twice, or in the wrong order, and what is sent afterwards all comes.
#[test]
fn an_end_begins_anew() {
    for seed in 0..200 {
        let mut dice = Dice(seed);
        let link = Link {
            loss: dice.below(31),
            duplicate: dice.below(20),
            latency: dice.below(10 * MS),
            jitter: dice.below(10 * MS),
        };
        let mut world = World::new(link, seed);
        world.waiting[0].extend(0..1000);
        world.waiting[1].extend(0..1000);
        let mut fresh = 1000;
        for turn in 0..4 {
            for _ in 0..dice.below(600) {
                world.step();
            }
            let at = dice.below(2) as usize;
            world.ends[at] = end(seed * 100 + turn + 50);
            fresh += 100;
        }
        world.run(1_000_000);
        for at in 0..2 {
            // Those that are handed in now all come.
            world.waiting[at].extend(fresh..fresh + 500);
        }
        world.run(1_000_000);
        for came in &world.came {
            assert!(came.is_sorted_by(|a, b| a < b), "seed {seed}");
            let last: BTreeSet<_> = came.iter().copied().filter(|n| *n >= fresh).collect();
            assert_eq!(last.len(), 500, "seed {seed}");
        }
        assert!(world.is_quiet());
    }
}

/// The other end is not there for a while: nothing hangs, and what is given up is counted.
#[test]
fn nobody_there() {
    let link = Link {
        loss: 100,
        duplicate: 0,
        latency: MS,
        jitter: 0,
    };
    let mut world = World::new(link, 3);
    world.bounds.retries = 5;
    world.waiting[0].extend(0..300);
    world.run(100_000);
    assert!(world.is_quiet());
    assert_eq!(world.ends[0].sender.counts.given_up, 300);
    // Nobody has been asked for longer than there were packets.
    world.link.loss = 0;
    world.waiting[0].extend(300..600);
    world.run(100_000);
    assert_eq!(world.came[1], (300..600).collect::<Vec<_>>());
    // And now in the middle of a session.
    world.link.loss = 100;
    world.waiting[0].extend(600..900);
    world.run(1_000_000);
    assert_eq!(world.ends[0].sender.counts.given_up, 600);
    world.link.loss = 0;
    world.waiting[0].extend(900..1200);
    world.run(1_000_000);
    assert_eq!(world.came[1].len(), 600);
    assert_eq!(world.ends[1].receiver.counts.skipped, 300);
    assert!(world.is_quiet());
}

/// Where packets are given up, those behind them go on.
#[test]
fn given_up() {
    for seed in 0..50 {
        let link = Link {
            loss: 0,
            duplicate: 5,
            latency: 2 * MS,
            jitter: 2 * MS,
        };
        let mut world = World::new(link, seed);
        world.bounds.retries = 1;
        world.waiting[0].push_back(0);
        world.run(1000);
        world.link.loss = 40;
        world.waiting[0].extend(1..2000);
        world.run(1_000_000);
        let came = &world.came[1];
        assert!(came.is_sorted_by(|a, b| a < b));
        let sender = world.ends[0].sender.counts;
        assert_eq!(sender.sent, 2000);
        assert_eq!(sender.acknowledged + sender.given_up, 2000);
        // Some of those that were given up have come after all.
        let lost = 2000 - came.len() as u64;
        assert!(lost > 100 && lost <= sender.given_up, "{lost}");
        assert_eq!(world.ends[1].sender.pending(), 0);
        assert_eq!(world.ends[0].sender.pending(), 0);
        world.link.loss = 0;
        world.waiting[0].extend(2000..2001);
        world.run(1_000_000);
        assert_eq!(world.came[1].last(), Some(&2000));
        assert!(world.is_quiet());
        assert_eq!(world.ends[1].receiver.counts.skipped, lost);
    }
}

/// A link that loses nothing by itself, and ends that wait for half a second.
fn patient() -> World {
    let link = Link {
        loss: 0,
        duplicate: 0,
        latency: MS,
        jitter: 0,
    };
    let mut world = World::new(link, 9);
    world.bounds.timeout = 500 * MS;
    world
}

/// The sender goes while packets wait for one that is missing.
#[test]
fn what_is_missing_is_not_waited_for_longer() {
    let mut world = patient();
    world.waiting[0].push_back(0);
    world.run(1000);
    assert!(world.send(0, 1));
    world.flying.clear();
    assert!(world.send(0, 2) && world.send(0, 3));
    let flying = world.flying.clone();
    world.ends[0] = end(77);
    for (_, flying) in flying.into_values() {
        world.arrive(1, &flying);
    }
    assert_eq!(world.came[1], [0]);
    assert_eq!(world.ends[1].receiver.waiting, 2);
    world.flying.clear();
    let begin = world.now;
    world.run(1000);
    assert_eq!(world.now - begin, 500 * MS);
    assert_eq!(world.came[1], [0, 2, 3]);
    assert_eq!(world.ends[1].receiver.counts.skipped, 1);
    assert!(world.is_quiet());
}

/// The sender is there, and needs long to send again what is missing: that is waited for.
#[test]
fn who_is_heard_is_waited_for() {
    let mut world = patient();
    world.bounds.rto = (10 * MS, 50 * MS);
    world.bounds.retries = 255;
    world.waiting[0].push_back(0);
    world.run(1000);
    assert!(world.send(0, 1));
    let first = world.flying.pop_first();
    world.lost = first.map(|(_, (_, flying))| flying.header.sequence);
    for number in 2..22 {
        world.send(0, number);
        let until = world.now + 100 * MS;
        while world.now < until && world.step() {}
    }
    assert_eq!(world.came[1], [0]);
    world.lost = None;
    world.run(1000);
    assert_eq!(world.ends[1].receiver.counts.skipped, 0);
    assert_eq!(world.came[1], all(22));
}

/// What a peer says that is no end: it brings nothing to grow beyond its bounds, to hang, or to be delivered twice.
#[test]
fn nonsense() {
    for seed in 0..200 {
        let link = Link {
            loss: 5,
            duplicate: 5,
            latency: MS,
            jitter: MS,
        };
        let mut world = World::new(link, seed);
        world.bounds.bytes = 100_000;
        world.bounds.timeout = 1000 * MS;
        let mut dice = Dice(seed + 1000);
        world.waiting[0].extend(0..100);
        world.waiting[1].extend(0..100);
        let mut last = None;
        for _ in 0..400 {
            world.step();
            // One that was on its way, with some of its fields changed.
            let seen = world.flying.values().next().cloned();
            let Some((to, mut flying)) = seen.or(last.clone()) else {
                continue;
            };
            last = Some((to, flying.clone()));
            let header = &mut flying.header;
            for field in [
                &mut header.session,
                &mut header.token,
                &mut header.sequence,
                &mut header.first,
                &mut header.stamp,
                &mut header.acked,
                &mut header.ack,
                &mut header.echo,
            ] {
                match dice.below(12) {
                    0 => *field = field.wrapping_add(dice.below(5) as u32).wrapping_sub(2),
                    1 => *field = dice.below(1 << 31) as u32,
                    2 => *field = field.wrapping_add(1 << 31),
                    _ => {}
                }
            }
            header.urgent = dice.below(2) == 0;
            header.kind = match dice.below(5) {
                0 => Kind::Ack,
                1 => Kind::Ask,
                2 => Kind::Answer,
                _ => Kind::Data,
            };
            let mut packet = vec![0; 12];
            packet.extend(header.bytes());
            packet.resize(DATA + 12, 0);
            let Ok(header) = Header::read(&packet, packet.len()) else {
                continue;
            };
            let mut map = Map::EMPTY;
            for _ in 0..dice.below(20) {
                map.set(dice.below(MOST.into()) as u32);
            }
            flying.header = header;
            flying.map = (header.kind == Kind::Ack).then_some(map);
            flying.data = (1 << 40 | dice.below(1 << 30)).to_be_bytes().to_vec();
            world.arrive(to, &flying);
            for end in &world.ends {
                assert!(end.sender.pending() <= MOST && end.receiver.waiting <= MOST);
                assert!(end.receiver.bytes <= world.bounds.bytes + 1500);
            }
        }
        world.run(1_000_000);
        assert!(world.is_quiet(), "seed {seed}");
        // What is handed in now comes.
        let before = [world.came[0].len(), world.came[1].len()];
        world.waiting[0].extend(1000..1100);
        world.waiting[1].extend(1000..1100);
        world.run(1_000_000);
        assert!(world.is_quiet(), "seed {seed}");
        for at in 0..2 {
            let (before, came) = world.came[at].split_at(before[at]);
            // The first ones of a session that nobody knows any more may be given up.
            assert!(came.is_sorted_by(|a, b| a < b), "seed {seed}");
            assert!(before.iter().filter(|n| **n < 1000).count() <= 100);
        }
    }
}

#[test]
fn headers() {
    let header = Header {
        kind: Kind::Data,
        urgent: true,
        session: 0x0102_0304,
        token: 5,
        sequence: 3,
        first: 0xffff_fff0,
        stamp: 6,
        acked: 7,
        ack: 8,
        echo: 9,
    };
    let packet = |header: &Header, len: usize| {
        let mut packet = vec![2; 12];
        packet.extend(header.bytes());
        packet.resize(len, 0);
        packet
    };
    let good = packet(&header, 60);
    assert_eq!(&good[12..20], &[0x88, 0xb5, 0x10, 0x80, 1, 2, 3, 4]);
    assert_eq!(Header::read(&good, 60), Ok(header));
    assert_eq!(SHORTEST + INSERTED, 60);
    for len in 0..15 {
        assert_eq!(Header::read(&good[..len], len), Err(Not::Plain), "{len}");
    }
    for len in 15..50 {
        let read = Header::read(&good[..len.min(48)], len);
        assert_eq!(read, Err(Not::Malformed), "{len}");
    }
    for (place, byte, why) in [
        (12, 8, Not::Plain),
        (14, 1, Not::Plain),
        (15, 4, Not::Malformed),
        (24, 1, Not::Malformed),
    ] {
        let mut bad = good.clone();
        bad[place] = byte;
        assert_eq!(Header::read(&bad, 60), Err(why), "{place}");
    }
    for (kind, session, token, fits) in [
        (Kind::Data, 0, 5, false),
        (Kind::Ack, 0, 0, true),
        (Kind::Ask, 0, 5, false),
        (Kind::Ask, 1, 0, true),
        (Kind::Answer, 0, 1, true),
        (Kind::Answer, 1, 0, false),
    ] {
        let header = Header {
            kind,
            session,
            token,
            ..header
        };
        let read = Header::read(&packet(&header, 60), 60);
        assert_eq!(read.is_ok(), fits, "{kind:?}");
    }
}

#[test]
fn maps() {
    let mut map = Map::EMPTY;
    assert_eq!(map.span(), 0);
    for at in [0, 63, 64, 700, 1023, 1024, u32::MAX] {
        map.set(at);
    }
    assert!(map.has(0) && map.has(63) && map.has(64) && map.has(700) && map.has(1023));
    assert!(!map.has(1) && !map.has(1024) && !map.has(u32::MAX));
    let header = Header {
        kind: Kind::Ack,
        urgent: false,
        session: 1,
        token: 1,
        sequence: 1,
        first: 1,
        stamp: 0,
        acked: 1,
        ack: 1,
        echo: 0,
    };
    let (bytes, len) = header.control(&[1; 12], &map);
    assert_eq!((bytes.len(), len), (178, 178));
    assert_eq!(Map::read(&bytes[DATA..]), Ok(map));
    let (bytes, len) = header.control(&[1; 12], &Map::EMPTY);
    assert_eq!(len, 60);
    assert_eq!(Map::read(&bytes[DATA..len]), Ok(Map::EMPTY));
    for bad in [&[][..], &[0], &[0, 1, 0], &[0, 8, 0, 0, 0, 0, 0, 0, 0]] {
        assert_eq!(Map::read(bad), Err(Not::Malformed), "{bad:?}");
    }
    let mut long = vec![0; 400];
    long[1] = 136;
    assert_eq!(Map::read(&long), Err(Not::Malformed));
}
