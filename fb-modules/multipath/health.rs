// SPDX-License-Identifier: GPL-2.0

//! Whether a next hop answers: it counts as gone after `fall` probes without an answer in a row, and as back after
//! `rise` answers in a row.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// It counts as gone.
const DOWN: u32 = 1 << 31;

/// The health of the next hop at a seat. One at a time changes it.
#[derive(Default)]
pub(crate) struct Health {
    /// How many probes in a row had the other outcome.
    word: AtomicU32,
    /// When the last probe was sent, in nanoseconds; 0 before the first one.
    asked: AtomicU64,
    /// The number of the last probe, and of the last one that was answered, where they are numbered.
    probe: AtomicU32,
    answer: AtomicU32,
}

impl Health {
    /// Whether it counts as there.
    pub(crate) fn is_up(&self) -> bool {
        self.word.load(Relaxed) & DOWN == 0
    }

    /// Another one is at the seat, which counts as there.
    pub(crate) fn reset(&self) {
        self.word.store(0, Relaxed);
        self.asked.store(0, Relaxed);
    }

    /// How many nanoseconds ago the last probe was sent.
    pub(crate) fn since(&self, now: u64) -> Option<u64> {
        match self.asked.load(Relaxed) {
            0 => None,
            asked => Some(now.saturating_sub(asked)),
        }
    }

    /// A probe is sent now. Its number.
    pub(crate) fn asks(&self, now: u64) -> u16 {
        self.asked.store(now.max(1), Relaxed);
        let next = (self.probe.load(Relaxed) as u16).wrapping_add(1);
        self.probe.store(next.into(), Relaxed);
        next
    }

    /// A probe of this number was answered.
    pub(crate) fn answers(&self, number: u16) {
        self.answer.store(number.into(), Relaxed);
    }

    /// Whether the last probe was answered.
    pub(crate) fn is_answered(&self) -> bool {
        self.answer.load(Relaxed) == self.probe.load(Relaxed)
    }

    /// Notes whether the last probe was answered. Says whether what it counts as has changed by that.
    pub(crate) fn note(&self, answered: bool, rise: u32, fall: u32) -> bool {
        let word = self.word.load(Relaxed);
        let is_up = word & DOWN == 0;
        if answered == is_up {
            self.word.store(word & DOWN, Relaxed);
            return false;
        }
        let count = (word & !DOWN).saturating_add(1);
        let changes = count >= if is_up { fall } else { rise };
        let next = match (changes, is_up) {
            (true, true) => DOWN,
            (true, false) => 0,
            (false, _) => (word & DOWN) | count,
        };
        self.word.store(next, Relaxed);
        changes
    }
}
