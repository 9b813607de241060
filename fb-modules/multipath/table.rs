// SPDX-License-Identifier: GPL-2.0

//! The table that remembers which port a session, a destination or a datagram goes by.
//!
//! Its memory is had when it is made. It consists of buckets of eight entries, a cache line each, and
//! a key has a place in either of two buckets, the emptier one ("balanced allocations", Azar et al.
//! 1994): so there is room in both for a long time. An entry is one word, read and exchanged as a
//! whole; nobody waits for anybody.
//!
//! A key that was seen twice is *established*. A new one takes the place of nobody, or of one whose
//! time is over, or of the longest unseen one that is not established. So whoever comes with new keys
//! only, however many, displaces others of his kind, never an established one.
//!
//! The seat of a key can also be *learnt*: from packets that came by that port, the other way. The key is established
//! once it is seen itself. A learnt seat follows the port that packets come by while the key was not seen, and later
//! if its own port cannot be used.

use super::List;
use core::sync::atomic::{
    AtomicU64,
    Ordering::{Relaxed, SeqCst},
};

/// Nanoseconds are counted in units of 131 microseconds, ...
const UNIT: u32 = 17;
/// ... by 33 bits: after 13 days the count is where it was.
const TIME: u32 = 33;
/// By as much a clock may be ahead of another one: a second.
const AHEAD: u64 = 1 << 13;
const TIME_MASK: u64 = (1 << TIME) - 1;
const SEAT: u32 = TIME;
const SEAT_BITS: u32 = 7;
const LIFE: u32 = SEAT + SEAT_BITS;
const LIFE_BITS: u32 = 3;
const TAG: u32 = LIFE + LIFE_BITS;

/// It is not sure yet that no other CPU has brought the same key: see `confirm`.
const TENTATIVE: u64 = 0;
const NEW: u64 = 1;
/// Learnt, and not seen itself.
const LEARNT: u64 = 2;
const ESTABLISHED: u64 = 3;
/// Learnt and established.
const BOUND: u64 = 4;

/// Entries in a bucket.
const WAYS: usize = 8;
/// Those that are in use on average when the table has as many as it was made for: three quarters. A
/// bucket is hardly ever full then.
const LOAD: usize = 6;

/// How often a place that somebody else took first is looked for again. Each time another CPU has got on.
const TRIES: usize = 16;

/// The number of seats: what a port is called in entries, which it keeps when port numbers shift.
pub(crate) const SEATS: usize = 1 << SEAT_BITS;

/// A cache line of entries. 0 is none.
#[repr(align(64))]
#[derive(Default)]
pub(crate) struct Bucket([AtomicU64; WAYS]);

/// An entry: from its lower end when it was last seen, its seat, its life, and what is left of the
/// hash of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry(u64);

impl Entry {
    fn new(hash: u64, seat: u8, life: u64, now: u64) -> Self {
        let time = (now >> UNIT) & TIME_MASK;
        let seat = (u64::from(seat) << SEAT) & (((1 << SEAT_BITS) - 1) << SEAT);
        Self(time | seat | life << LIFE | tag(hash))
    }

    fn seat(self) -> u8 {
        (self.0 >> SEAT) as u8 & ((1 << SEAT_BITS) - 1)
    }

    fn life(self) -> u64 {
        self.0 >> LIFE & ((1 << LIFE_BITS) - 1)
    }

    fn is_of(self, hash: u64) -> bool {
        self.0 != 0 && self.0 >> TAG == tag(hash) >> TAG
    }

    /// Nanoseconds since it was last seen. Clocks that differ may see the future: that is now.
    fn age(self, now: u64) -> u64 {
        let units = (now >> UNIT).wrapping_sub(self.0) & TIME_MASK;
        if units > TIME_MASK - AHEAD {
            0
        } else {
            units << UNIT
        }
    }

    fn is_learnt(self) -> bool {
        matches!(self.life(), LEARNT | BOUND)
    }

    /// Whether it is one, and was seen less than `expiry` nanoseconds ago.
    fn lives(self, now: u64, expiry: u64) -> bool {
        self.0 != 0 && self.age(now) < expiry
    }
}

fn tag(hash: u64) -> u64 {
    hash & !((1 << TAG) - 1)
}

/// What has become of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placed {
    /// It stays where it is.
    Stays(u8),
    /// It is new, or its time was over; another one was displaced.
    Begins(u8, bool),
    /// It was at the other seat, and last seen so many nanoseconds ago.
    Moves(u8, u8, u64),
    /// There is no place for it.
    Full,
    /// No seat can be had.
    None,
}

/// Seats of keys, which are given as hashes: two keys of one hash are one.
pub(crate) struct Table {
    buckets: List<Bucket>,
}

impl Table {
    /// How many buckets a table for so many keys has.
    pub(crate) fn buckets(keys: u32) -> usize {
        (keys as usize)
            .div_ceil(LOAD)
            .checked_next_power_of_two()
            .unwrap_or(1)
    }

    /// A table of these buckets, whose number is a power of two.
    pub(crate) fn new(buckets: List<Bucket>) -> Self {
        Self { buckets }
    }

    /// The two buckets where a key can be.
    fn places(&self, hash: u64) -> [&[AtomicU64]; 2] {
        let mask = self.buckets.len().wrapping_sub(1);
        // The tag is the upper bits: none of the lower ones is in it.
        let one = hash as usize & mask;
        let other = (hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) as usize & mask;
        [one, other].map(|at| self.buckets.get(at).map_or(&[][..], |bucket| &bucket.0[..]))
    }

    /// All entries of a key, in order. There is one at most but for a moment.
    fn all(&self, hash: u64) -> impl Iterator<Item = (&AtomicU64, Entry)> {
        let [one, other] = self.places(hash);
        let entries = one.iter().chain(other);
        let entries = entries.map(|word| (word, Entry(word.load(SeqCst))));
        entries.filter(move |(_, entry)| entry.is_of(hash))
    }

    fn find(&self, hash: u64) -> Option<(&AtomicU64, Entry)> {
        self.all(hash).next()
    }

    /// The seat of a key that was seen less than `expiry` nanoseconds ago.
    pub(crate) fn seat(&self, hash: u64, now: u64, expiry: u64) -> Option<u8> {
        let (_, entry) = self.find(hash)?;
        entry.lives(now, expiry).then(|| entry.seat())
    }

    /// Where a new key can have its place: in the bucket with more room, or where the least is lost.
    fn room(&self, hash: u64, now: u64, expiry: u64) -> Option<(&AtomicU64, Entry)> {
        let mut best = None;
        let mut least = u64::MAX;
        for bucket in self.places(hash) {
            let entries = bucket.iter().map(|word| (word, Entry(word.load(Relaxed))));
            let taken = entries.clone().fold(0u64, |taken, (_, entry)| {
                taken.wrapping_add(entry.lives(now, expiry).into())
            });
            for (word, entry) in entries {
                let cost = if !entry.lives(now, expiry) {
                    taken
                } else if entry.life() < ESTABLISHED {
                    // All of them more than a free one, and the longer unseen the less.
                    u64::MAX
                        .wrapping_sub(1)
                        .wrapping_sub(entry.age(now) >> UNIT)
                } else {
                    continue;
                };
                if cost < least {
                    least = cost;
                    best = Some((word, entry));
                }
            }
        }
        best
    }

    /// Gives a key a seat, whatever it had. Of its kind the longest unseen goes, if one must; nobody
    /// is established.
    pub(crate) fn put(&self, hash: u64, seat: u8, now: u64, expiry: u64) {
        let next = Entry::new(hash, seat, NEW, now);
        if let Some((word, was)) = self.find(hash).or_else(|| self.room(hash, now, expiry)) {
            // If somebody else was faster, this one has had its time.
            swap(word, was, next);
        }
    }

    /// Finds the seat of a key that comes now, and sees to it that it has one. One seen less than
    /// `expiry` nanoseconds ago keeps its seat if `keep` says so of the seat and its age (0 if it was learnt); else
    /// `choose` says where it goes, which is asked only when there is a place for the key, and told
    /// whether it is new.
    pub(crate) fn place(
        &self,
        hash: u64,
        now: u64,
        expiry: u64,
        keep: impl Fn(u8, u64) -> bool,
        choose: impl FnOnce(bool) -> Option<u8>,
    ) -> Placed {
        let mut choose = Some(choose);
        let mut chosen = None;
        for _ in 0..TRIES {
            let Some((word, was)) = self.find(hash) else {
                let Some((word, was)) = self.room(hash, now, expiry) else {
                    return Placed::Full;
                };
                chosen = choose.take().map_or(chosen, |choose| choose(true));
                let Some(seat) = chosen else {
                    return Placed::None;
                };
                let next = Entry::new(hash, seat, TENTATIVE, now);
                if swap(word, was, next) && self.confirm(hash, word, next, NEW) {
                    return Placed::Begins(seat, was.lives(now, expiry));
                }
                continue;
            };
            if was.life() == TENTATIVE {
                // Another CPU is about to bring it: this one does it first.
                if self.confirm(hash, word, was, NEW) {
                    return Placed::Begins(was.seat(), false);
                }
                continue;
            }
            let (seat, age, living) = (was.seat(), was.age(now), was.lives(now, expiry));
            // What was learnt does not move after a pause.
            let (pause, life) = if was.is_learnt() {
                (0, BOUND)
            } else {
                (age, ESTABLISHED)
            };
            if living && keep(seat, pause) {
                let next = Entry::new(hash, seat, life, now);
                // If somebody else was faster, the session was seen as well; or it was taken back.
                if next == was || swap(word, was, next) || Entry(word.load(SeqCst)).is_of(hash) {
                    return Placed::Stays(seat);
                }
                continue;
            }
            chosen = choose.take().map_or(chosen, |choose| choose(!living));
            let Some(to) = chosen else {
                return Placed::None;
            };
            let life = if living { ESTABLISHED } else { NEW };
            if swap(word, was, Entry::new(hash, to, life, now)) {
                return if living {
                    Placed::Moves(seat, to, age)
                } else {
                    Placed::Begins(to, false)
                };
            }
        }
        Placed::Full
    }

    /// Learns that a key belongs to a seat, unless it has one. `usable` says whether a seat is of a port that can be
    /// used. Says where the key is new whether another one was displaced.
    pub(crate) fn learn(
        &self,
        hash: u64,
        seat: u8,
        now: u64,
        expiry: u64,
        usable: impl Fn(u8) -> bool,
    ) -> Option<bool> {
        for _ in 0..TRIES {
            let Some((word, was)) = self.find(hash) else {
                let (word, was) = self.room(hash, now, expiry)?;
                let next = Entry::new(hash, seat, TENTATIVE, now);
                if swap(word, was, next) && self.confirm(hash, word, next, LEARNT) {
                    return Some(was.lives(now, expiry));
                }
                continue;
            };
            if !was.lives(now, expiry) {
                if swap(word, was, Entry::new(hash, seat, LEARNT, now)) {
                    return Some(false);
                }
                continue;
            }
            let follows = match was.life() {
                LEARNT => true,
                BOUND => was.seat() == seat || !usable(was.seat()),
                _ => false,
            };
            let next = Entry::new(hash, seat, was.life(), now);
            if follows && next != was {
                // If somebody else was faster, the session was seen as well.
                swap(word, was, next);
            }
            return None;
        }
        None
    }

    /// Makes a tentative entry sure, whoever has put it there, and gives it its life. When CPUs bring a key at once, each
    /// may have given it a place: whether it is `mine` that stays. One that is sure stays; of those that are not, the
    /// first in order. The other ones are taken back, by whoever comes to them first.
    /// No entry becomes sure but here, after all others were looked at: so there are never two.
    fn confirm(&self, hash: u64, mine: &AtomicU64, entry: Entry, life: u64) -> bool {
        let mut is_first = false;
        for (word, other) in self.all(hash) {
            if core::ptr::eq(word, mine) {
                is_first = true;
            } else if !is_first || other.life() != TENTATIVE || !swap(word, other, Entry(0)) {
                swap(mine, entry, Entry(0));
                return false;
            }
        }
        swap(mine, entry, Entry(entry.0 | life << LIFE))
    }

    /// Forgets who has a seat that is about to be another port's. As long as the table is large.
    pub(crate) fn clear(&self, seat: u8) {
        for word in self.words() {
            let entry = Entry(word.load(Relaxed));
            if entry.0 != 0 && entry.seat() == seat {
                swap(word, entry, Entry(0));
            }
        }
    }

    /// Counts those seen less than `expiry` nanoseconds ago, by seat. As long as the table is large.
    pub(crate) fn count(&self, now: u64, expiry: u64, counts: &mut [u32; SEATS]) {
        for word in self.words() {
            let entry = Entry(word.load(Relaxed));
            if entry.lives(now, expiry) {
                if let Some(count) = counts.get_mut(usize::from(entry.seat())) {
                    *count = count.wrapping_add(1);
                }
            }
        }
    }

    /// Whether there is anything that was seen less than `expiry` nanoseconds ago.
    pub(crate) fn is_in_use(&self, now: u64, expiry: u64) -> bool {
        self.words()
            .any(|word| Entry(word.load(Relaxed)).lives(now, expiry))
    }

    fn words(&self) -> impl Iterator<Item = &AtomicU64> {
        self.buckets.iter().flat_map(|bucket| &bucket.0)
    }
}

fn swap(word: &AtomicU64, was: Entry, next: Entry) -> bool {
    word.compare_exchange(was.0, next.0, SeqCst, Relaxed)
        .is_ok()
}
