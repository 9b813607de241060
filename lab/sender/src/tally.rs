// SPDX-License-Identifier: GPL-2.0

//! Which requests were answered.

/// A bit for each request.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    words: Vec<u64>,
    /// Requests that were answered.
    pub(crate) answered: u64,
    /// Further answers to these.
    pub(crate) twice: u64,
}

impl Tally {
    /// A request was answered. Grows by as many bits as its number says.
    pub(crate) fn add(&mut self, number: u64) {
        let Ok(place) = usize::try_from(number / 64) else {
            return;
        };
        if place >= self.words.len() {
            self.words.resize(place + 1, 0);
        }
        let bit = 1 << (number % 64);
        if let Some(word) = self.words.get_mut(place) {
            let new = *word & bit == 0;
            *word |= bit;
            self.answered += u64::from(new);
            self.twice += u64::from(!new);
        }
    }

    fn has(&self, number: u64) -> bool {
        let word = usize::try_from(number / 64)
            .ok()
            .and_then(|place| self.words.get(place));
        word.is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    /// The last request that was answered.
    pub(crate) fn last(&self) -> Option<u64> {
        let place = self.words.iter().rposition(|word| *word != 0)?;
        let bit = self.words.get(place)?.checked_ilog2()?;
        Some(u64::try_from(place).ok()? * 64 + u64::from(bit))
    }

    /// Of the first `sent` requests, the most one after the other that were not answered.
    pub(crate) fn gap(&self, sent: u64) -> u64 {
        let (mut most, mut now) = (0, 0);
        for number in 0..sent {
            now = if self.has(number) { 0 } else { now + 1 };
            most = most.max(now);
        }
        most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_once() {
        let mut tally = Tally::default();
        for number in [0, 1, 1, 63, 64, 200, 64] {
            tally.add(number);
        }
        assert_eq!((tally.answered, tally.twice), (5, 2));
    }

    #[test]
    fn the_last_is_that_of_the_highest_number() {
        let mut tally = Tally::default();
        assert_eq!(tally.last(), None);
        for (number, last) in [(0, 0), (70, 70), (64, 70), (191, 191), (192, 192), (5, 192)] {
            tally.add(number);
            assert_eq!(tally.last(), Some(last));
        }
    }

    #[test]
    fn a_gap_is_the_longest() {
        let mut tally = Tally::default();
        assert_eq!((tally.gap(0), tally.gap(5)), (0, 5));
        for number in [0, 3, 4, 70] {
            tally.add(number);
        }
        assert_eq!(tally.gap(4), 2);
        assert_eq!(tally.gap(71), 65);
        assert_eq!(tally.gap(1000), 929);
    }
}
