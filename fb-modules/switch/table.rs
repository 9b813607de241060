// SPDX-License-Identifier: GPL-2.0

//! The table of stations: which port each is behind, and when it was last heard.
//!
//! Its memory is had when it is made. It consists of buckets of eight entries, two cache lines each, and a station has a
//! place in either of two buckets, the emptier one. The table has twice as many places as it may have entries. So there is a place for
//! as good as every station up to the limit.
//!
//! An entry is two words: the station, and a *note* of where and when it was heard. Whoever makes an entry first
//! exchanges its note for [`BUSY`], then writes the station, then the note. A note also has a part of the hash of its
//! station. So who reads both words, or exchanges the note for another, knows that they belong together. Nobody waits for
//! anybody, and hearing a station that is known exchanges its note only, once in a [`UNIT`] at most.
//!
//! An entry ends by what [`Rules`] say: it is then nobody's, though it may stay until its place is needed.

use super::{header::Station, ports::Ports, ports::ABOVE, List};
use core::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
};

/// Time is counted in units of 2^20 nanoseconds, about a millisecond, ...
const UNIT: u32 = 20;
/// ... by 40 bits: 36 years.
const TIME: u32 = 40;
const SEAT_BITS: u32 = 8;
const TAG: u32 = TIME + SEAT_BITS;

/// Entries in a bucket.
const WAYS: usize = 8;
/// Those that are in use on average when the table is full.
const LOAD: usize = 4;
/// So small tables have room, too.
const LEAST: usize = 32;

/// How often is begun anew where somebody else was faster.
const TRIES: usize = 4;

/// How many buckets a sweep of a full table looks at.
const SWEPT: usize = 1024;

/// Someone writes the entry. It is no note, since nobody has the last seat.
const BUSY: u64 = u64::MAX;

/// The time of a note: a count of units, from 1 on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    /// That of a time in nanoseconds.
    #[inline]
    pub(crate) fn of(ns: u64) -> Self {
        Self((ns >> UNIT).saturating_add(1))
    }

    /// The first one that is less than so many nanoseconds before it.
    #[inline]
    pub(crate) fn less(self, ns: u64) -> Self {
        let units = ns.div_ceil(1 << UNIT);
        self.0.checked_sub(units).map_or(Self(0), Self).next()
    }

    /// The next one.
    #[inline]
    pub(crate) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The nanoseconds since then.
    pub(crate) fn since(self, then: Self) -> u64 {
        self.0.saturating_sub(then.0) << UNIT
    }
}

/// What is in a note: from its lower end when the station was heard, the seat of the port, and what is left of the hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Note(u64);

impl Note {
    #[inline]
    fn new(hash: u64, seat: u8, now: Moment) -> Self {
        let time = now.0 & ((1 << TIME) - 1);
        Self(time | u64::from(seat) << TIME | hash >> TAG << TAG)
    }

    #[inline]
    pub(crate) fn seat(self) -> u8 {
        (self.0 >> TIME) as u8
    }

    #[inline]
    pub(crate) fn heard(self) -> Moment {
        Moment(self.0 & ((1 << TIME) - 1))
    }

    /// Whether it is one.
    #[inline]
    fn is(self) -> bool {
        self.0 != 0 && self.0 != BUSY
    }

    #[inline]
    fn is_of(self, hash: u64) -> bool {
        self.is() && self.0 >> TAG == hash >> TAG
    }
}

/// An entry: the station, and the note. No note is 0.
#[derive(Default)]
struct Entry {
    station: AtomicU64,
    note: AtomicU64,
}

impl Entry {
    /// The note, where the entry is that of a station.
    #[inline]
    fn note(&self, station: Station, hash: u64) -> Option<Note> {
        if self.station.load(Acquire) != station.word() {
            return None;
        }
        let note = Note(self.note.load(SeqCst));
        (note.is_of(hash) && self.station.load(Relaxed) == station.word()).then_some(note)
    }

    fn swap(&self, was: Note, next: u64) -> bool {
        let swapped = self.note.compare_exchange(was.0, next, SeqCst, Relaxed);
        swapped.is_ok()
    }
}

/// Two cache lines of entries.
#[repr(align(128))]
#[derive(Default)]
pub(crate) struct Bucket([Entry; WAYS]);

/// When a packet looks at the table, and which entries hold.
#[derive(Clone, Copy)]
pub(crate) struct Rules<'a> {
    pub(crate) now: Moment,
    /// Who was heard before that is forgotten.
    pub(crate) oldest: Moment,
    /// Who is behind a port that is not there, or down, is forgotten.
    pub(crate) ports: &'a Ports,
    /// The most entries.
    pub(crate) limit: u32,
}

impl Rules<'_> {
    #[inline]
    fn hold(&self, note: Note) -> bool {
        let seat = note.seat();
        note.heard() >= self.oldest && (seat == ABOVE || self.ports.number(seat).is_some())
    }
}

/// What has become of a station that was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It is where it was.
    Known,
    /// It is new.
    New,
    /// It was behind another port.
    Moved,
    /// There is no place for it.
    Full,
}

/// Where stations are.
pub(crate) struct Table {
    buckets: List<Bucket>,
    /// The entries that are in use, whether they hold or not.
    used: AtomicU32,
    /// When a sweep was begun last, ...
    swept: AtomicU64,
    /// ... and where the next one begins.
    cursor: AtomicU32,
}

impl Table {
    /// How many buckets a table for so many entries has.
    pub(crate) fn buckets(limit: u32) -> usize {
        let buckets = (limit as usize).div_ceil(LOAD);
        buckets
            .max(LEAST)
            .checked_next_power_of_two()
            .unwrap_or(LEAST)
    }

    /// A table of these buckets, whose number is a power of two.
    pub(crate) fn new(buckets: List<Bucket>) -> Self {
        Self {
            buckets,
            used: AtomicU32::new(0),
            swept: AtomicU64::new(0),
            cursor: AtomicU32::new(0),
        }
    }

    /// Whether it is large enough for so many entries.
    pub(crate) fn is_for(&self, limit: u32) -> bool {
        self.buckets.len() >= Self::buckets(limit)
    }

    /// The two buckets where a station can be.
    #[inline]
    fn places(&self, hash: u64) -> [&[Entry]; 2] {
        let mask = self.buckets.len().wrapping_sub(1);
        // The upper 16 bits are in the note: none of them is in these.
        [hash, hash >> 24].map(|hash| {
            let bucket = self.buckets.get(hash as usize & mask);
            bucket.map_or(&[][..], |bucket| &bucket.0[..])
        })
    }

    /// All entries of a station, in order. There is one at most but for a moment.
    #[inline]
    fn all(&self, station: Station, hash: u64) -> impl Iterator<Item = (&Entry, Note)> {
        let [one, other] = self.places(hash);
        let other = if core::ptr::eq(one, other) {
            &[][..]
        } else {
            other
        };
        let entries = one.iter().chain(other);
        entries.filter_map(move |entry| Some((entry, entry.note(station, hash)?)))
    }

    /// The seat of the port that a station is behind.
    #[inline]
    pub(crate) fn seat(&self, station: Station, hash: u64, rules: &Rules<'_>) -> Option<u8> {
        let (_, note) = self.all(station, hash).next()?;
        rules.hold(note).then(|| note.seat())
    }

    /// A station is heard behind the port of a seat.
    #[inline]
    pub(crate) fn hear(&self, station: Station, hash: u64, seat: u8, rules: &Rules<'_>) -> Heard {
        let next = Note::new(hash, seat, rules.now);
        for _ in 0..TRIES {
            let Some((entry, was)) = self.all(station, hash).next() else {
                match self.enter(station, hash, next, rules) {
                    Some(heard) => return heard,
                    None => continue,
                }
            };
            if was == next || entry.swap(was, next.0) {
                return match (rules.hold(was), was.seat() == seat) {
                    (false, _) => Heard::New,
                    (true, true) => Heard::Known,
                    (true, false) => Heard::Moved,
                };
            }
        }
        // Those who were faster have heard it, too.
        Heard::Known
    }

    /// Makes an entry; `None` where somebody else was faster.
    #[cold]
    #[inline(never)]
    fn enter(&self, station: Station, hash: u64, next: Note, rules: &Rules<'_>) -> Option<Heard> {
        let Some((entry, was)) = self.place(hash, rules) else {
            return Some(Heard::Full);
        };
        let is_more = was.0 == 0;
        if is_more && !self.is_room(rules) {
            return Some(Heard::Full);
        }
        if !entry.swap(was, BUSY) {
            self.less(is_more);
            return None;
        }
        entry.station.store(station.word(), Release);
        entry.note.store(next.0, SeqCst);
        self.keep_one(station, hash);
        Some(Heard::New)
    }

    /// Where an entry can be made: where one holds no more, or where none is, in the emptier bucket.
    fn place(&self, hash: u64, rules: &Rules<'_>) -> Option<(&Entry, Note)> {
        let mut best = None;
        let mut least = usize::MAX;
        for bucket in self.places(hash) {
            let notes = bucket
                .iter()
                .map(|entry| (entry, Note(entry.note.load(Relaxed))));
            let mut free = None;
            let mut taken = 0usize;
            for (entry, note) in notes {
                if note.is() && !rules.hold(note) {
                    return Some((entry, note));
                }
                match note.0 {
                    0 => free = Some((entry, note)),
                    _ => taken = taken.wrapping_add(1),
                }
            }
            if free.is_some() && taken < least {
                (best, least) = (free, taken);
            }
        }
        best
    }

    /// Takes room for one more entry; sweeps where there is none, once in a unit of time.
    fn is_room(&self, rules: &Rules<'_>) -> bool {
        let take = || {
            let more = |used: u32| used.checked_add(1).filter(|_| used < rules.limit);
            self.used.fetch_update(Relaxed, Relaxed, more).is_ok()
        };
        if take() {
            return true;
        }
        if self.swept.swap(rules.now.0, Relaxed) == rules.now.0 {
            return false;
        }
        let start = self.cursor.fetch_add(SWEPT as u32, Relaxed) as usize;
        let mask = self.buckets.len().wrapping_sub(1);
        for step in 0..SWEPT.min(self.buckets.len()) {
            let bucket = self.buckets.get(start.wrapping_add(step) & mask);
            self.sweep(bucket.into_iter(), |note| !rules.hold(note));
        }
        take()
    }

    /// An entry less is in use, if so.
    fn less(&self, is: bool) {
        if is {
            self.used.fetch_sub(1, Relaxed);
        }
    }

    /// Ends an entry, unless somebody else was faster.
    fn end(&self, entry: &Entry, note: Note) -> bool {
        let ends = entry.swap(note, 0);
        self.less(ends);
        ends
    }

    /// Two CPUs that hear a station at once may have made an entry each: the first one in order stays.
    fn keep_one(&self, station: Station, hash: u64) {
        for (entry, mut note) in self.all(station, hash).skip(1) {
            while !self.end(entry, note) {
                match entry.note(station, hash) {
                    Some(now) => note = now,
                    None => break,
                }
            }
        }
    }

    fn sweep<'a>(&self, buckets: impl Iterator<Item = &'a Bucket>, is_over: impl Fn(Note) -> bool) {
        for entry in buckets.flat_map(|bucket| &bucket.0) {
            let note = Note(entry.note.load(Relaxed));
            if note.is() && is_over(note) {
                self.end(entry, note);
            }
        }
    }

    /// Forgets who is behind the port of a seat. As long as the table is large.
    pub(crate) fn clear(&self, seat: u8) {
        self.sweep(self.buckets.iter(), |note| note.seat() == seat);
    }

    /// All entries that hold. As long as the table is large.
    pub(crate) fn entries<'a>(
        &'a self,
        rules: Rules<'a>,
    ) -> impl Iterator<Item = (Station, Note)> + 'a {
        let entries = self.buckets.iter().flat_map(|bucket| &bucket.0);
        entries.filter_map(move |entry| {
            let station = entry.station.load(Acquire);
            let note = Note(entry.note.load(SeqCst));
            let is_one = entry.station.load(Relaxed) == station && note.is();
            (is_one && rules.hold(note)).then_some((Station::of(station), note))
        })
    }
}
