// SPDX-License-Identifier: GPL-2.0

//! What has come: it is delivered in order, once. What comes too early waits for what is missing.

use super::{
    header::{Header, Map},
    is_before, slot, Bounds, List, MOST, NEVER,
};

/// After so many packets they are acknowledged at once.
const OFTEN: u32 = 16;

/// A packet that waits, and how long it is.
pub(crate) type Waiting<T> = Option<(T, u32)>;

/// What is counted here.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) delivered: u64,
    pub(crate) duplicate: u64,
    pub(crate) early: u64,
    pub(crate) skipped: u64,
    pub(crate) stale: u64,
}

fn count(count: &mut u64) {
    *count = count.wrapping_add(1);
}

/// What becomes of a packet that has come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Come {
    /// It goes on at once; others may follow it.
    Deliver,
    /// It was kept.
    Kept,
    /// It has come before.
    Duplicate,
    /// It is of a session that is not known.
    Stale,
    /// There is no room for it.
    Full,
    NoMemory,
    /// It was for this end itself.
    Control,
}

pub(crate) struct Receiver<T> {
    slots: List<Waiting<T>>,
    /// The session that is received; 0 is none.
    pub(crate) session: u32,
    /// What the first packet of the next session has to know.
    pub(crate) token: u32,
    /// Packets from here to `end` go on now, as far as they are there.
    ready: u32,
    end: u32,
    /// The next one that is expected.
    pub(crate) next: u32,
    /// Behind the last one that waits.
    top: u32,
    /// How many packets wait, and how many bytes they have.
    pub(crate) waiting: u32,
    pub(crate) bytes: u64,
    /// The latest stamp that has come.
    pub(crate) echo: u32,
    /// So many packets have come that are not acknowledged.
    fresh: u32,
    /// When to acknowledge them.
    pub(crate) ack_at: u64,
    /// Since when packets wait for the one that is expected and nothing has come of the session.
    missing_since: u64,
    pub(crate) counts: Counts,
}

impl<T> Receiver<T> {
    /// One that has [`MOST`] empty slots.
    pub(crate) fn new(slots: List<Waiting<T>>, token: u32) -> Self {
        Self {
            slots,
            session: 0,
            token,
            ready: 0,
            end: 0,
            next: 0,
            top: 0,
            waiting: 0,
            bytes: 0,
            echo: 0,
            fresh: 0,
            ack_at: NEVER,
            missing_since: 0,
            counts: Counts::default(),
        }
    }

    fn has(&self, sequence: u32) -> bool {
        self.slots.get(slot(sequence)).is_some_and(Option::is_some)
    }

    /// Whether packets wait for the one that is expected.
    pub(crate) fn is_missing(&self) -> bool {
        is_before(self.next, self.top)
    }

    fn is_drained(&self) -> bool {
        self.ready == self.end
    }

    /// All that goes on has gone on: so it will from the next one that is expected.
    fn settle(&mut self) {
        if self.is_drained() {
            (self.ready, self.end) = (self.next, self.next);
        }
    }

    /// Those go on that follow the last one that does.
    fn follow(&mut self, now: u64) {
        while is_before(self.next, self.top) && self.has(self.next) {
            self.next = self.next.wrapping_add(1);
            self.end = self.next;
        }
        if is_before(self.top, self.next) {
            self.top = self.next;
        }
        self.missing_since = now;
    }

    /// The sender does not send again what is before this one.
    pub(crate) fn skip(&mut self, first: u32, now: u64) {
        if !is_before(self.next, first) {
            return;
        }
        let all = first.wrapping_sub(self.next);
        let mut missing = all;
        for at in 0..all.min(MOST) {
            let sequence = self.next.wrapping_add(at);
            if !is_before(sequence, self.top) {
                break;
            }
            missing = missing.saturating_sub(self.has(sequence).into());
        }
        self.counts.skipped = self.counts.skipped.wrapping_add(missing.into());
        // Those that wait before it go on. They are near each other, and `first` may be far away.
        self.settle();
        if !is_before(self.top, first) {
            self.end = first;
        } else if self.is_missing() {
            self.end = self.top;
        }
        self.next = first;
        self.follow(now);
        self.settle();
    }

    /// What is missing has not come in time.
    pub(crate) fn look(&mut self, now: u64, bounds: &Bounds) {
        if now < self.missing_until(bounds) {
            return;
        }
        let mut first = self.next;
        while is_before(first, self.top) && !self.has(first) {
            first = first.wrapping_add(1);
        }
        self.skip(first, now);
    }

    pub(crate) fn missing_until(&self, bounds: &Bounds) -> u64 {
        if self.is_missing() {
            self.missing_since.saturating_add(bounds.timeout)
        } else {
            NEVER
        }
    }

    /// The next one that goes on.
    pub(crate) fn deliver(&mut self) -> Option<T> {
        while self.ready != self.end {
            let place = self.slots.get_mut(slot(self.ready));
            self.ready = self.ready.wrapping_add(1);
            if let Some((data, len)) = place.and_then(Option::take) {
                self.waiting = self.waiting.saturating_sub(1);
                self.bytes = self.bytes.saturating_sub(len.into());
                count(&mut self.counts.delivered);
                return Some(data);
            }
        }
        self.settle();
        None
    }

    /// Whether one goes on.
    pub(crate) fn has_ready(&self) -> bool {
        !self.is_drained()
    }

    /// A packet of another session comes, whose sender knows the token: whether it is the session from now on. It is not
    /// while there are packets of the one before, which go on first.
    fn begin(&mut self, header: &Header, token: u32, now: u64) -> bool {
        if self.waiting > 0 {
            let top = self.top;
            self.skip(top, now);
            return false;
        }
        let first = header.first;
        self.session = header.session;
        self.token = token;
        (self.ready, self.end, self.next, self.top) = (first, first, first, first);
        self.echo = header.stamp;
        self.fresh = 0;
        self.missing_since = now;
        true
    }

    /// A stamp has come of the session.
    pub(crate) fn stamp(&mut self, stamp: u32) {
        if is_before(self.echo, stamp) {
            self.echo = stamp;
        }
    }

    /// A packet has come, of so many bytes. `token` is that of the next session, if it begins one, and `make` makes what is
    /// kept of it.
    pub(crate) fn come(
        &mut self,
        header: &Header,
        len: u32,
        (now, bounds): (u64, &Bounds),
        token: u32,
        make: impl FnOnce() -> Option<T>,
    ) -> Come {
        if header.session != self.session {
            if header.token != self.token {
                count(&mut self.counts.stale);
                return Come::Stale;
            }
            if !self.begin(header, token, now) {
                return Come::Full;
            }
        }
        self.stamp(header.stamp);
        // The sender is there: it sends what is missing again, or says that it does not.
        self.missing_since = now;
        self.skip(header.first, now);
        let sequence = header.sequence;
        if is_before(sequence, self.next) {
            count(&mut self.counts.duplicate);
            self.ack_at = 0;
            return Come::Duplicate;
        }
        let is_next = sequence == self.next;
        let base = if self.is_drained() {
            self.next
        } else {
            self.ready
        };
        if sequence.wrapping_sub(base) >= MOST {
            return Come::Full;
        }
        if is_next && self.is_drained() {
            self.next = sequence.wrapping_add(1);
            (self.ready, self.end) = (self.next, self.next);
            self.follow(now);
            count(&mut self.counts.delivered);
            self.came(header.urgent, now, bounds);
            return Come::Deliver;
        }
        if self.has(sequence) {
            count(&mut self.counts.duplicate);
            self.ack_at = 0;
            return Come::Duplicate;
        }
        // The one that others wait for is not refused.
        if !is_next && self.bytes.saturating_add(len.into()) > bounds.bytes {
            self.ack_at = 0;
            return Come::Full;
        }
        let Some(data) = make() else {
            return Come::NoMemory;
        };
        if let Some(place) = self.slots.get_mut(slot(sequence)) {
            *place = Some((data, len));
        }
        self.waiting = self.waiting.wrapping_add(1);
        self.bytes = self.bytes.saturating_add(len.into());
        if !is_before(sequence, self.top) {
            self.top = sequence.wrapping_add(1);
        }
        if is_next {
            self.follow(now);
        } else {
            count(&mut self.counts.early);
        }
        self.came(header.urgent, now, bounds);
        Come::Kept
    }

    /// A packet has come that is to be acknowledged.
    fn came(&mut self, urgent: bool, now: u64, bounds: &Bounds) {
        self.fresh = self.fresh.wrapping_add(1);
        let at = if urgent || self.is_missing() || self.fresh >= OFTEN {
            0
        } else {
            now.saturating_add(bounds.ack_delay)
        };
        self.ack_at = self.ack_at.min(at);
    }

    /// All is acknowledged that has come, by a packet that says what is expected. One that has no map says too little
    /// where packets are missing.
    pub(crate) fn acknowledged(&mut self, has_map: bool) {
        if has_map || !self.is_missing() {
            self.ack_at = NEVER;
            self.fresh = 0;
        }
    }

    /// What has come behind the one that is expected.
    pub(crate) fn map(&self) -> Map {
        let mut map = Map::EMPTY;
        if !self.is_missing() {
            return map;
        }
        let behind = self.top.wrapping_sub(self.next).wrapping_sub(1);
        for at in 0..behind.min(MOST) {
            if self.has(self.next.wrapping_add(at).wrapping_add(1)) {
                map.set(at);
            }
        }
        map
    }
}
