// SPDX-License-Identifier: GPL-2.0

//! What became of numbered packets: how many came, which are missing, and how old they were.
//!
//! Behind the header of UDP in IPv4 a packet has its number and the time it left, both 64 bits in the
//! host's byte order; the last byte of its source address says which sender it is of (`lab/load.py`).

/// The last byte of the source address.
const SENDER: usize = 29;
/// The number, from 0 on.
const NUMBER: usize = 42;
/// Nanoseconds of `CLOCK_MONOTONIC`.
const TIME: usize = 50;
/// Senders that are told apart.
const SENDERS: usize = 4;
/// One packet in so many is asked for its age: to ask for the time costs time. It divides no power of two, as bursts
/// are of powers of two.
const SAMPLE: u64 = 5;

/// What came of one sender.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sender {
    received: u64,
    /// One more than the highest number.
    next: u64,
    /// Packets that came after one with a higher number.
    late: u64,
}

/// What came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    senders: [Sender; SENDERS],
    /// Packets that are of no sender.
    pub(crate) foreign: u64,
    /// Bytes of all.
    pub(crate) bytes: u64,
    /// Nanoseconds from when a packet left to when it was looked at.
    ages: Vec<u64>,
    /// When some packet was looked at, and how many had come.
    times: Vec<(u64, u64)>,
    /// When the last packet left.
    last: u64,
    seen: u64,
}

fn long(packet: &[u8], at: usize) -> Option<u64> {
    let bytes = packet.get(at..)?.first_chunk()?;
    Some(u64::from_ne_bytes(*bytes))
}

impl Tally {
    /// A packet; `now` tells the time.
    #[inline]
    pub(crate) fn add(&mut self, packet: &[u8], now: impl FnOnce() -> u64) {
        let found = long(packet, NUMBER).zip(long(packet, TIME));
        let sender = packet.get(SENDER).map(|&sender| usize::from(sender));
        // EtherType, version, length of header, TOS.
        let is_ip = packet.get(12..16) == Some(&[8, 0, 0x45, 0]);
        let sender = sender
            .filter(|_| is_ip)
            .and_then(|sender| self.senders.get_mut(sender));
        let (Some((number, time)), Some(sender)) = (found, sender) else {
            self.foreign += 1;
            return;
        };
        sender.received += 1;
        if number < sender.next {
            sender.late += 1;
        } else {
            sender.next = number + 1;
        }
        self.bytes += packet.len() as u64;
        self.last = self.last.max(time);
        self.seen += 1;
        if self.seen % SAMPLE == 0 {
            let now = now();
            self.ages.push(now.saturating_sub(time));
            self.times.push((now, self.seen));
        }
    }

    /// Room, so that none is made meanwhile.
    #[must_use]
    pub(crate) fn with_room(packets: usize) -> Self {
        Tally {
            ages: Vec::with_capacity(packets),
            times: Vec::with_capacity(packets),
            ..Tally::default()
        }
    }

    /// Takes in what came elsewhere.
    pub(crate) fn merge(&mut self, other: Tally) {
        for (sender, more) in self.senders.iter_mut().zip(other.senders) {
            sender.received += more.received;
            sender.next = sender.next.max(more.next);
            sender.late += more.late;
        }
        self.foreign += other.foreign;
        self.bytes += other.bytes;
        self.last = self.last.max(other.last);
        self.seen += other.seen;
        self.ages.extend(other.ages);
        self.times.extend(other.times);
    }

    /// Packets that came.
    pub(crate) fn received(&self) -> u64 {
        self.senders.iter().map(|sender| sender.received).sum()
    }

    /// Packets that did not come though one with a higher number did.
    pub(crate) fn missing(&self) -> u64 {
        let missing = |sender: &Sender| sender.next.saturating_sub(sender.received);
        self.senders.iter().map(missing).sum()
    }

    /// Packets that came after one with a higher number.
    pub(crate) fn reordered(&self) -> u64 {
        self.senders.iter().map(|sender| sender.late).sum()
    }

    /// When the last packet left.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// About how many packets were looked at after that time. To be asked before tallies are merged.
    pub(crate) fn after(&self, time: u64) -> u64 {
        let before = self.times.iter().rev().find(|(when, _)| *when <= time);
        self.seen - before.map_or(0, |(_, seen)| *seen)
    }

    /// The age that so many of a thousand packets do not exceed, of each in `parts`.
    pub(crate) fn ages(&mut self, parts: &[usize]) -> Vec<Option<u64>> {
        self.ages.sort_unstable();
        let last = self.ages.len().saturating_sub(1);
        let at = |part: &usize| self.ages.get(last * part / 1000).copied();
        parts.iter().map(at).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(sender: u8, number: u64, time: u64) -> Vec<u8> {
        let mut packet = vec![0; 60];
        packet[12..16].copy_from_slice(&[8, 0, 0x45, 0]);
        packet[SENDER] = sender;
        packet[NUMBER..TIME].copy_from_slice(&number.to_ne_bytes());
        packet[TIME..58].copy_from_slice(&time.to_ne_bytes());
        packet
    }

    #[test]
    fn numbers_tell_what_is_missing() {
        let mut tally = Tally::default();
        for number in [0, 1, 4, 3, 7] {
            tally.add(&packet(1, number, 10), || 0);
        }
        tally.add(&packet(2, 1, 10), || 0);
        assert_eq!(
            (tally.received(), tally.missing(), tally.reordered()),
            (6, 4, 1)
        );
        assert_eq!((tally.bytes, tally.foreign), (360, 0));
    }

    #[test]
    fn what_is_not_numbered_is_foreign() {
        let mut tally = Tally::default();
        tally.add(&packet(1, 0, 0)[..57], || 0);
        tally.add(&packet(9, 0, 0), || 0);
        let mut arp = packet(1, 0, 0);
        arp[13] = 6;
        tally.add(&arp, || 0);
        assert_eq!((tally.foreign, tally.received(), tally.bytes), (3, 0, 0));
    }

    #[test]
    fn two_threads_see_parts_of_the_same() {
        let (mut one, mut other) = (Tally::default(), Tally::default());
        for number in 0..10 {
            let part = if number % 2 == 0 {
                &mut one
            } else {
                &mut other
            };
            part.add(&packet(0, number, number), || 0);
        }
        one.merge(other);
        assert_eq!((one.received(), one.missing(), one.last()), (10, 0, 9));
    }

    #[test]
    fn ages_are_of_some_packets() {
        let mut tally = Tally::with_room(10);
        for number in 0..1000 {
            // The longer it takes the older they are.
            tally.add(&packet(0, number, 1000 * number), || 1001 * number);
        }
        assert_eq!(tally.ages(&[0, 500, 1000]), [Some(4), Some(499), Some(999)]);
        assert_eq!(Tally::default().ages(&[500]), [None]);
        assert_eq!(tally.after(999_999), 0);
        assert_eq!(tally.after(1001 * 499), 500);
        assert_eq!(tally.after(0), 1000);
    }
}
