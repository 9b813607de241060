// SPDX-License-Identifier: GPL-2.0

//! What was sent and is kept until the other end has acknowledged it, or it was sent too often.

use super::{header::Map, is_before, rtt::Rtt, slot, Bounds, List, MOST, NEVER};

/// The number of the first packet that an end sends: soon the numbers begin anew, so that this happens to everybody.
const FIRST: u32 = 0xffff_ff80;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It is kept, and to be acknowledged.
    Live,
    /// The other end has it.
    Acknowledged,
    /// It was sent too often.
    Gone,
}

/// A packet that was given a number.
pub(crate) struct Entry<T> {
    data: Option<T>,
    len: u32,
    state: State,
    /// How often it was sent.
    sent: u8,
    /// How often nobody answered in time.
    timeouts: u8,
    /// A later one has arrived.
    is_lost: bool,
    sent_at: u64,
}

impl<T> Entry<T> {
    pub(crate) const EMPTY: Self = Self {
        data: None,
        len: 0,
        state: State::Gone,
        sent: 0,
        timeouts: 0,
        is_lost: false,
        sent_at: 0,
    };

    /// When it is to be sent.
    fn due(&self, rtt: &Rtt, bounds: &Bounds) -> u64 {
        if self.sent == 0 || self.is_lost {
            return 0;
        }
        let timeout = rtt.timeout(bounds.rto, self.timeouts);
        self.sent_at.saturating_add(timeout)
    }
}

/// What is counted here.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) sent: u64,
    pub(crate) resent: u64,
    pub(crate) acknowledged: u64,
    pub(crate) given_up: u64,
}

fn count(count: &mut u64) {
    *count = count.wrapping_add(1);
}

/// What becomes of a packet that was given a number.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// It is to be sent at once.
    Now(u32),
    /// It is kept, and sent later.
    Later,
}

/// What an acknowledgement says.
pub(crate) struct Heard<'a> {
    pub(crate) ack: u32,
    /// Of what came behind that, unless it does not say.
    pub(crate) map: Option<&'a Map>,
    /// How long ago the latest packet was sent that has come there.
    pub(crate) ago: u64,
}

pub(crate) struct Sender<T> {
    entries: List<Entry<T>>,
    /// The session; never 0.
    pub(crate) session: u32,
    /// What the other end has answered to it; 0 is nothing yet.
    pub(crate) token: u32,
    /// The oldest packet of which the other end has not said that it goes on behind it.
    una: u32,
    /// The oldest that is to be acknowledged.
    first: u32,
    /// The next one.
    pub(crate) next: u32,
    live: u32,
    acknowledged: u32,
    unsent: u32,
    pub(crate) bytes: u64,
    pub(crate) rtt: Rtt,
    /// When the latest packet was sent that is known to have come.
    reached: u64,
    /// No packet is due before.
    look_at: u64,
    /// Where the search for those that are due is, and the earliest time that it has found.
    search: Option<(u32, u64)>,
    /// When the other end is asked for a token, or told of packets that do not come.
    tell_at: u64,
    told: u8,
    pub(crate) counts: Counts,
}

impl<T> Sender<T> {
    /// One that has [`MOST`] empty entries.
    pub(crate) fn new(entries: List<Entry<T>>, session: u32) -> Self {
        Self {
            entries,
            session,
            token: 0,
            una: FIRST,
            first: FIRST,
            next: FIRST,
            live: 0,
            acknowledged: 0,
            unsent: 0,
            bytes: 0,
            rtt: Rtt::default(),
            reached: 0,
            look_at: NEVER,
            search: None,
            tell_at: NEVER,
            told: 0,
            counts: Counts::default(),
        }
    }

    /// How many packets the other end has not been heard of.
    pub(crate) fn pending(&self) -> u32 {
        self.next.wrapping_sub(self.una)
    }

    /// No packet before this one is sent again.
    pub(crate) fn first(&self) -> u32 {
        self.first
    }

    fn entry(&mut self, sequence: u32) -> Option<&mut Entry<T>> {
        self.entries.get_mut(slot(sequence))
    }

    fn look(&self, sequence: u32) -> Option<&Entry<T>> {
        self.entries.get(slot(sequence))
    }

    /// Whether the window is full now, or half of it: the sender needs to hear of it soon.
    pub(crate) fn is_urgent(&self, bounds: &Bounds) -> bool {
        let pending = self.pending();
        pending >= bounds.window || pending.saturating_mul(2) == bounds.window
    }

    /// Whether there is room for a packet of so many bytes.
    pub(crate) fn has_room(&self, len: u32, bounds: &Bounds) -> bool {
        let bytes = self.bytes.saturating_add(len.into());
        // One packet there is always room for.
        let fits = bytes <= bounds.bytes || self.pending() == 0;
        self.pending() < bounds.window.min(MOST) && fits
    }

    /// Takes a packet for which there is room.
    pub(crate) fn add(&mut self, data: T, len: u32, now: u64, bounds: &Bounds) -> Added {
        let sequence = self.next;
        let was_idle = self.pending() == 0;
        let is_now = self.token != 0 && self.unsent == 0;
        if let Some(entry) = self.entry(sequence) {
            *entry = Entry {
                data: Some(data),
                len,
                state: State::Live,
                sent: is_now.into(),
                timeouts: 0,
                is_lost: false,
                sent_at: now,
            };
        }
        self.next = sequence.wrapping_add(1);
        self.live = self.live.wrapping_add(1);
        self.bytes = self.bytes.saturating_add(len.into());
        count(&mut self.counts.sent);
        if is_now {
            let due = now.saturating_add(self.rtt.timeout(bounds.rto, 0));
            self.look_at = self.look_at.min(due);
            // It tells what else there is to tell.
            self.tell_at = NEVER;
            return Added::Now(sequence);
        }
        self.unsent = self.unsent.wrapping_add(1);
        if self.token != 0 {
            self.look_at = 0;
        } else if was_idle || self.tell_at == NEVER {
            (self.tell_at, self.told) = (now, 0);
        }
        Added::Later
    }

    /// A packet is not kept any more.
    fn settle(&mut self, sequence: u32, state: State) {
        let Some(entry) = self.entry(sequence) else {
            return;
        };
        if entry.state != State::Live {
            return;
        }
        entry.state = state;
        entry.data = None;
        let (len, unsent) = (entry.len, entry.sent == 0);
        self.live = self.live.saturating_sub(1);
        self.unsent = self.unsent.saturating_sub(unsent.into());
        self.bytes = self.bytes.saturating_sub(len.into());
        match state {
            State::Acknowledged => {
                self.acknowledged = self.acknowledged.wrapping_add(1);
                count(&mut self.counts.acknowledged);
            }
            _ => count(&mut self.counts.given_up),
        }
    }

    /// Forgets the oldest packet, which is not live any more.
    fn pop(&mut self) {
        let was = self.look(self.una).map(|entry| entry.state);
        if was == Some(State::Acknowledged) {
            self.acknowledged = self.acknowledged.saturating_sub(1);
        }
        self.una = self.una.wrapping_add(1);
    }

    /// Packets were settled: what is forgotten, and whether the other end is to be told.
    fn tidy(&mut self, now: u64) {
        let state = |this: &Self, sequence| this.look(sequence).map(|entry| entry.state);
        if is_before(self.first, self.una) {
            self.first = self.una;
        }
        while self.first != self.next && state(self, self.first) != Some(State::Live) {
            self.first = self.first.wrapping_add(1);
        }
        // The other end has nothing that waits for these.
        while self.acknowledged == 0 && self.una != self.first {
            self.pop();
        }
        if self.token == 0 {
            if self.live == 0 {
                self.tell_at = NEVER;
            }
        } else if self.live > 0 || self.pending() == 0 {
            // Live ones tell.
            self.tell_at = NEVER;
        } else if self.tell_at == NEVER {
            (self.tell_at, self.told) = (now, 0);
        }
    }

    /// The other end has acknowledged packets of this session. Those are ignored that cannot be.
    pub(crate) fn acknowledge(&mut self, heard: &Heard<'_>, now: u64) {
        let gone = heard.ack.wrapping_sub(self.una);
        if gone > self.pending() || self.token == 0 {
            return;
        }
        for _ in 0..gone {
            self.settle(self.una, State::Acknowledged);
            self.pop();
        }
        let left = self.pending();
        if let Some(map) = heard.map {
            let behind = left.saturating_sub(1).min(map.span());
            for at in 0..behind {
                if map.has(at) {
                    let sequence = heard.ack.wrapping_add(at).wrapping_add(1);
                    self.settle(sequence, State::Acknowledged);
                }
            }
        }
        let reached = now.saturating_sub(heard.ago);
        if reached > self.reached {
            self.reached = reached;
            self.rtt.sample(heard.ago);
        }
        // What was sent long enough before one that has come, and has not come, is lost.
        let late = self.reached.saturating_sub(self.rtt.reordering());
        let known = match heard.map {
            Some(_) => left,
            None => left.min(1),
        };
        for at in 0..known {
            let sequence = heard.ack.wrapping_add(at);
            let Some(entry) = self.entry(sequence) else {
                continue;
            };
            if entry.state == State::Live && entry.sent > 0 && entry.sent_at < late {
                entry.is_lost = true;
                (self.look_at, self.search) = (0, None);
            }
        }
        self.tidy(now);
    }

    /// The other end has given a token to this session. Another one than before: it has forgotten the session, and what
    /// it has had of it. So a new one begins, without what may have come there.
    pub(crate) fn answered(&mut self, token: u32, session: u32, now: u64) {
        let before = core::mem::replace(&mut self.token, token);
        if before == token {
            return;
        }
        if before != 0 {
            self.session = session;
            for at in 0..self.pending() {
                let sequence = self.una.wrapping_add(at);
                if self.look(sequence).is_some_and(|entry| entry.sent > 0) {
                    self.settle(sequence, State::Gone);
                }
            }
            self.reached = now;
            while self.una != self.next
                && self.look(self.una).map(|entry| entry.state) != Some(State::Live)
            {
                self.pop();
            }
        }
        self.tell_at = NEVER;
        self.look_at = 0;
        self.search = None;
        self.tidy(now);
    }

    /// What is kept of a packet.
    pub(crate) fn data(&mut self, sequence: u32) -> Option<&mut T> {
        self.entry(sequence)?.data.as_mut()
    }

    /// The next packet that is due: it is sent now.
    pub(crate) fn due(&mut self, now: u64, bounds: &Bounds) -> Option<u32> {
        if now < self.look_at || self.token == 0 {
            return None;
        }
        let (mut at, mut soonest) = match self.search {
            Some((at, soonest)) if !is_before(at, self.una) => (at, soonest),
            _ => (self.una, NEVER),
        };
        let mut given_up = false;
        let mut found = None;
        while at != self.next {
            let sequence = at;
            at = at.wrapping_add(1);
            let Self { entries, rtt, .. } = self;
            let Some(entry) = entries.get_mut(slot(sequence)) else {
                continue;
            };
            if entry.state != State::Live {
                continue;
            }
            let due = entry.due(rtt, bounds);
            if due > now {
                soonest = soonest.min(due);
                continue;
            }
            if entry.sent > bounds.retries {
                self.settle(sequence, State::Gone);
                given_up = true;
                continue;
            }
            let is_first = entry.sent == 0;
            if !is_first && !entry.is_lost {
                entry.timeouts = entry.timeouts.saturating_add(1);
            }
            entry.sent = entry.sent.saturating_add(1);
            entry.is_lost = false;
            entry.sent_at = now;
            soonest = soonest.min(entry.due(rtt, bounds));
            if is_first {
                self.unsent = self.unsent.saturating_sub(1);
            } else {
                count(&mut self.counts.resent);
            }
            found = Some(sequence);
            break;
        }
        if at == self.next {
            self.search = None;
            self.look_at = match found {
                // Once more, to find out when the next one is due.
                Some(_) => now,
                None => soonest,
            };
        } else {
            self.search = Some((at, soonest));
        }
        if given_up {
            self.tidy(now);
        }
        found
    }

    /// Whether the other end is to be asked for a token, or told that packets do not come, now. It is not for ever.
    pub(crate) fn tells(&mut self, now: u64, bounds: &Bounds) -> bool {
        if now < self.tell_at {
            return false;
        }
        if self.told > bounds.retries {
            for at in 0..self.pending() {
                self.settle(self.una.wrapping_add(at), State::Gone);
            }
            while self.una != self.next {
                self.pop();
            }
            self.tell_at = NEVER;
            self.tidy(now);
            return false;
        }
        let timeout = self.rtt.timeout(bounds.rto, self.told);
        self.told = self.told.saturating_add(1);
        self.tell_at = now.saturating_add(timeout);
        true
    }

    /// When there is something to do.
    pub(crate) fn deadline(&self) -> u64 {
        match self.token {
            0 => self.tell_at,
            _ => self.tell_at.min(self.look_at),
        }
    }
}
