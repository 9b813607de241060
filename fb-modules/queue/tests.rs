// SPDX-License-Identifier: GPL-2.0

//! What a queue drops is what the pseudo-code of RFC 8289 (5.) drops.

use super::*;

const MS: u64 = 1_000_000;
const LAW: Law = Law {
    target: 5 * MS,
    interval: 100 * MS,
};

/// The queue of RFC 8289 by the letter: `deque()` and `dodeque()`, of packets that each take a time to send.
struct Model {
    first_above: u64,
    drop_next: u64,
    count: u32,
    last_count: u32,
    dropping: bool,
}

impl Model {
    const NEW: Self = Self {
        first_above: 0,
        drop_next: 0,
        count: 0,
        last_count: 0,
        dropping: false,
    };

    /// "The control law"; `intervals_are_by_the_square_root` is about this one.
    fn control_law(t: u64, count: u32) -> u64 {
        LAW.next(t, count)
    }

    /// Takes the first packet, and whether it may be dropped.
    fn dodeque(&mut self, now: u64, queue: &mut Queue<'_>) -> (Option<Packet>, bool) {
        let Some(packet) = queue.pop() else {
            self.first_above = 0;
            return (None, false);
        };
        let sojourn = now - packet.came;
        if sojourn < LAW.target || queue.bytes <= MTU {
            self.first_above = 0;
        } else if self.first_above == 0 {
            self.first_above = now + LAW.interval;
        } else if now > self.first_above {
            return (Some(packet), true);
        }
        (Some(packet), false)
    }

    fn deque(&mut self, now: u64, queue: &mut Queue<'_>, dropped: &mut Vec<u64>) -> Option<Packet> {
        let (mut packet, mut ok_to_drop) = self.dodeque(now, queue);
        if self.dropping {
            if !ok_to_drop {
                self.dropping = false;
            }
            while now >= self.drop_next && self.dropping {
                dropped.push(packet.unwrap().number);
                self.count += 1;
                (packet, ok_to_drop) = self.dodeque(now, queue);
                if ok_to_drop {
                    self.drop_next = Self::control_law(self.drop_next, self.count);
                } else {
                    self.dropping = false;
                }
            }
        } else if ok_to_drop {
            dropped.push(packet.unwrap().number);
            (packet, _) = self.dodeque(now, queue);
            self.dropping = true;
            let delta = self.count.saturating_sub(self.last_count);
            self.count = 1;
            if delta > 1 && now - self.drop_next < 16 * LAW.interval {
                self.count = delta;
            }
            self.drop_next = Self::control_law(now, self.count);
            self.last_count = self.count;
        }
        packet
    }
}

#[derive(Clone, Copy)]
struct Packet {
    number: u64,
    came: u64,
    bytes: u64,
}

/// What comes to a link, in the order of its coming.
struct Queue<'a> {
    coming: &'a [Packet],
    waiting: std::collections::VecDeque<Packet>,
    bytes: u64,
}

impl<'a> Queue<'a> {
    fn new(coming: &'a [Packet]) -> Self {
        Self {
            coming,
            waiting: std::collections::VecDeque::new(),
            bytes: 0,
        }
    }

    fn come(&mut self, now: u64) {
        while let Some((first, rest)) = self.coming.split_first() {
            if first.came > now {
                break;
            }
            self.waiting.push_back(*first);
            self.bytes += first.bytes;
            self.coming = rest;
        }
    }

    fn pop(&mut self) -> Option<Packet> {
        let packet = self.waiting.pop_front()?;
        self.bytes -= packet.bytes;
        Some(packet)
    }
}

/// Sends what comes over a link of 10 Mbit/s; the packets that `deque` drops, and how long the others wait.
fn run(
    coming: &[Packet],
    mut deque: impl FnMut(u64, &mut Queue<'_>, &mut Vec<u64>) -> Option<Packet>,
) -> (Vec<u64>, Vec<u64>) {
    let (mut queue, mut now) = (Queue::new(coming), 0);
    let (mut dropped, mut waits) = (Vec::new(), Vec::new());
    loop {
        queue.come(now);
        match deque(now, &mut queue, &mut dropped) {
            Some(packet) => {
                waits.push(now - packet.came);
                now += packet.bytes * 800;
            }
            None => match queue.coming.first() {
                Some(first) => now = first.came,
                None => return (dropped, waits),
            },
        }
    }
}

/// The block's way: packets one by one.
fn ours(
    codel: &mut Codel,
    now: u64,
    queue: &mut Queue<'_>,
    dropped: &mut Vec<u64>,
) -> Option<Packet> {
    while let Some(packet) = queue.pop() {
        let waited = (now - packet.came, queue.bytes);
        if !codel.drops(&LAW, now, waited, || false) {
            return Some(packet);
        }
        dropped.push(packet.number);
    }
    None
}

/// Packets of a load that changes all the time: `share` is of the link, in percent.
fn load(seconds: u64, share: impl Fn(u64) -> u64) -> Vec<Packet> {
    let (mut now, mut number, mut random) = (0, 0, 1_u64);
    let mut packets = Vec::new();
    while now < seconds * 1000 * MS {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let bytes = 64 + (random >> 33) % 1450;
        packets.push(Packet {
            number,
            came: now,
            bytes,
        });
        number += 1;
        now += bytes * 800 * 100 / share(now / MS) * ((random >> 50) % 200) / 100 + 1;
    }
    packets
}

#[test]
fn drops_are_those_of_the_rfc() {
    let waves: [fn(u64) -> u64; 4] = [
        |_| 110,
        |_| 300,
        |ms| if ms % 3000 < 1500 { 180 } else { 60 },
        |ms| 60 + ms % 1000 / 10,
    ];
    for (number, share) in waves.into_iter().enumerate() {
        let coming = load(20, share);
        let mut model = Model::NEW;
        let (wanted, _) = run(&coming, |now, queue, dropped| {
            model.deque(now, queue, dropped)
        });
        let mut codel = Codel::NEW;
        let (dropped, _) = run(&coming, |now, queue, dropped| {
            ours(&mut codel, now, queue, dropped)
        });
        assert!(dropped.len() > 20, "load {number}: {} drops", dropped.len());
        let first = std::iter::zip(&dropped, &wanted).position(|(one, other)| one != other);
        assert_eq!(first, None, "load {number}");
        assert_eq!(dropped.len(), wanted.len(), "load {number}");
    }
}

#[test]
fn a_queue_that_stands_comes_to_its_target() {
    // Senders that slow down when a packet is lost are needed to keep to it; here the load is a little too much.
    let coming = load(60, |_| 103);
    let (_, plain) = run(&coming, |_, queue, _| queue.pop());
    let mut codel = Codel::NEW;
    let (_, held) = run(&coming, |now, queue, dropped| {
        ours(&mut codel, now, queue, dropped)
    });
    let median = |mut waits: Vec<u64>| {
        waits.sort_unstable();
        waits[waits.len() / 2]
    };
    let (plain, held) = (median(plain), median(held));
    assert!(plain > 500 * MS, "{plain}");
    assert!(held < 30 * MS, "{held}");
}

#[test]
fn intervals_are_by_the_square_root() {
    for count in [1, 2, 3, 4, 100, 12345, u32::MAX] {
        let wanted = LAW.interval as f64 / f64::from(count).sqrt();
        let next = LAW.next(7, count) - 7;
        assert!(
            (next as f64 / wanted - 1.0).abs() < 0.001,
            "{count}: {next}"
        );
    }
    let shortest = Law {
        target: 1,
        interval: 1,
    };
    assert_eq!(shortest.next(7, u32::MAX), 8);
    let longest = Law {
        target: 1,
        interval: 60_000 * MS,
    };
    assert_eq!(longest.next(0, 1), 60_000 * MS);
}

#[test]
fn a_short_burst_is_not_dropped() {
    let mut codel = Codel::NEW;
    for ms in 0..100 {
        assert!(!codel.drops(&LAW, ms * MS, (50 * MS, 100_000), || false));
    }
    assert!(!codel.drops(&LAW, 100 * MS, (50 * MS, 100_000), || false));
    assert!(codel.drops(&LAW, 101 * MS, (50 * MS, 100_000), || false));
    // One packet that did not wait as long: it begins anew.
    assert!(!codel.drops(&LAW, 102 * MS, (4 * MS, 100_000), || false));
    assert!(!codel.drops(&LAW, 300 * MS, (50 * MS, 100_000), || false));
    // Nor the last packet.
    assert!(!codel.drops(&LAW, 500 * MS, (50 * MS, MTU), || false));
}

#[test]
fn marks_stand_for_drops() {
    let coming = load(20, |_| 110);
    let mut codel = Codel::NEW;
    let mut marks = 0;
    let (dropped, _) = run(&coming, |now, queue, _| {
        let packet = queue.pop()?;
        let waited = (now - packet.came, queue.bytes);
        assert!(!codel.drops(&LAW, now, waited, || {
            marks += 1;
            true
        }));
        Some(packet)
    });
    assert_eq!(dropped, []);
    // As the senders do not react, each time is earlier: the sum of the intervals is 20 s at most.
    assert!((8_000..14_000).contains(&marks), "{marks}");
}

#[test]
fn one_that_is_far_behind_does_not_drop_all() {
    let mut codel = Codel::NEW;
    for ms in (0..10_000).step_by(10) {
        codel.drops(&LAW, ms * MS, (50 * MS, 100_000), || false);
    }
    // Nothing leaves for an hour.
    let now = 3_600_000 * MS;
    let dropped = (0..10_000).map(|_| codel.drops(&LAW, now, (50 * MS, 100_000), || false));
    let dropped = dropped.filter(|&drops| drops).count();
    assert!(dropped <= IN_A_ROW as usize, "{dropped}");
}
