// SPDX-License-Identifier: GPL-2.0

//! Controlled delay (`CoDel`, RFC 8289): which packets a queue drops when they leave it, so that they do not wait longer
//! than a target for longer than an interval.
//!
//! Linux has the same in [`include/net/codel_impl.h`](srctree/include/net/codel_impl.h). Times are in nanoseconds.

/// A queue with fewer bytes drops nothing: a frame of 1,500 bytes of data is a packet that is being sent.
pub(crate) const MTU: u64 = 1514;
/// After so many drops in a row the next one is an interval away, whatever the schedule says. As in Linux.
const IN_A_ROW: u32 = 256;
/// A queue that drops again so many intervals after it has last done so goes on at the rate that it had.
const MEMORY: u64 = 16;

/// What it keeps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Law {
    /// How long packets may wait.
    pub(crate) target: u64,
    /// How long they may do so for longer than that before one is dropped.
    pub(crate) interval: u64,
}

impl Law {
    /// The time of the next drop after `count` of them, the last at `time`: the interval becomes shorter with the square root
    /// of their number (RFC 8289, 5.3).
    fn next(&self, time: u64, count: u32) -> u64 {
        // Both with 16 bits behind the point.
        let root = (u64::from(count) << 32).isqrt();
        let after = (self.interval << 16).checked_div(root);
        time.saturating_add(after.unwrap_or(self.interval).max(1))
    }
}

/// The state of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Codel {
    /// When packets will have waited too long for an interval; none if the last one has not.
    above_until: Option<u64>,
    is_dropping: bool,
    /// The next packet to be dropped, if it is dropping. Else the time that this was last.
    next: u64,
    /// How many were dropped since it began to, and how many those were when it last began.
    count: u32,
    count_before: u32,
    /// How many packets were dropped without one in between that was not.
    in_a_row: u32,
}

impl Codel {
    pub(crate) const NEW: Self = Self {
        above_until: None,
        is_dropping: false,
        next: 0,
        count: 0,
        count_before: 0,
        in_a_row: 0,
    };

    /// Whether packets have waited too long for an interval.
    fn stands(&mut self, law: &Law, now: u64, waited: u64, backlog: u64) -> bool {
        if waited < law.target || backlog <= MTU {
            self.above_until = None;
            return false;
        }
        let first = now.saturating_add(law.interval);
        now > *self.above_until.get_or_insert(first)
    }

    /// A packet leaves that has `waited`, and `backlog` bytes still wait: whether it is dropped. If `mark` can tell its
    /// receiver the same, it is not; called at most once.
    pub(crate) fn drops(
        &mut self,
        law: &Law,
        now: u64,
        (waited, backlog): (u64, u64),
        mark: impl FnOnce() -> bool,
    ) -> bool {
        let stands = self.stands(law, now, waited, backlog);
        let in_a_row = core::mem::take(&mut self.in_a_row);
        if !stands {
            self.is_dropping = false;
            return false;
        }
        if !self.is_dropping {
            self.is_dropping = true;
            let recent = now.saturating_sub(self.next) < law.interval.saturating_mul(MEMORY);
            let grown = self.count.saturating_sub(self.count_before);
            self.count = if recent && grown > 1 { grown } else { 1 };
            self.count_before = self.count;
            self.next = law.next(now, self.count);
            return !mark();
        }
        if in_a_row > 0 {
            // The packet before was dropped by the schedule, and this one waited too long, too.
            self.next = law.next(self.next, self.count);
        }
        if now < self.next {
            return false;
        }
        if in_a_row >= IN_A_ROW {
            self.next = law.next(now, self.count);
            return false;
        }
        self.count = self.count.saturating_add(1);
        if mark() {
            self.next = law.next(self.next, self.count);
            return false;
        }
        self.in_a_row = in_a_row.saturating_add(1);
        true
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
