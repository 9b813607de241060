// SPDX-License-Identifier: GPL-2.0

//! Which packets of a session have come, so that none comes twice: the window of RFC 6479, a ring of bits.

/// How many packets behind the newest one may come late. A power of two.
pub(crate) const SIZE: u64 = 1024;
const BITS: u64 = u64::BITS as u64;
/// A word more than the window has, so that the oldest one can be cleared as a whole.
const WORDS: usize = (SIZE / BITS) as usize * 2;

/// The window.
#[derive(Clone)]
pub(crate) struct Window {
    /// The highest number that has come. The first is 1.
    highest: u64,
    seen: [u64; WORDS],
}

impl Window {
    pub(crate) const fn new() -> Self {
        Self {
            highest: 0,
            seen: [0; WORDS],
        }
    }

    /// The word that has the bit of a number, and the bit.
    fn place(sequence: u64) -> (usize, u64) {
        let word = (sequence / BITS) as usize % WORDS;
        (word, 1u64.wrapping_shl((sequence % BITS) as u32))
    }

    /// Whether a packet of this number may come.
    pub(crate) fn may_come(&self, sequence: u64) -> bool {
        let (word, bit) = Self::place(sequence);
        let seen = self.seen.get(word).is_none_or(|word| word & bit != 0);
        let too_old = self.highest.saturating_sub(sequence) >= SIZE;
        sequence != 0 && (sequence > self.highest || (!too_old && !seen))
    }

    /// A packet of this number comes, and is authentic. False where one has come before, or it is too old.
    pub(crate) fn come(&mut self, sequence: u64) -> bool {
        if !self.may_come(sequence) {
            return false;
        }
        if sequence > self.highest {
            // Words that begin to stand for other numbers.
            let (old, new) = (self.highest / BITS, sequence / BITS);
            let fresh = new.wrapping_sub(old).min(WORDS as u64);
            for index in 0..fresh {
                let word = new.wrapping_sub(index) as usize % WORDS;
                if let Some(word) = self.seen.get_mut(word) {
                    *word = 0;
                }
            }
            self.highest = sequence;
        }
        let (word, bit) = Self::place(sequence);
        if let Some(word) = self.seen.get_mut(word) {
            *word |= bit;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn in_order_once() {
        let mut window = Window::new();
        assert!(!window.come(0));
        for sequence in 1..5000 {
            assert!(window.come(sequence));
            assert!(!window.may_come(sequence));
            assert!(!window.come(sequence));
        }
    }

    #[test]
    fn edges() {
        let mut window = Window::new();
        assert!(window.come(5000));
        assert!(!window.may_come(5000 - SIZE));
        assert!(window.come(5001 - SIZE));
        assert!(!window.come(5001 - SIZE));
        assert!(window.come(u64::MAX));
        assert!(!window.may_come(5001));
        assert!(!window.may_come(u64::MAX));
        assert!(window.come(u64::MAX - SIZE + 1));
    }

    /// As a set of all that has come would have it, for steps of all sizes.
    #[test]
    fn as_a_set() {
        let mut random = 1u64;
        let mut next = |below: u64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        for spread in [2, 50, SIZE, 2 * SIZE, 10 * SIZE] {
            let (mut window, mut seen, mut highest) = (Window::new(), BTreeSet::new(), 0u64);
            for _ in 0..20_000 {
                let sequence = (highest + spread / 2 + 1).saturating_sub(next(spread));
                let fits = sequence > 0 && (sequence > highest || highest - sequence < SIZE);
                let want = fits && seen.insert(sequence);
                assert_eq!(window.may_come(sequence), want, "{sequence} at {highest}");
                assert_eq!(window.come(sequence), want);
                highest = highest.max(if want { sequence } else { 0 });
            }
        }
    }
}
