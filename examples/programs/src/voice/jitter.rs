// SPDX-License-Identifier: GPL-2.0

//! The jitter buffer: holds frames back for a while, so that those that take longer or come in
//! another order are played at their time, too.

use super::{due, FRAME};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

/// Knows no clock and no audio: is told what time it is, and says when which frame is due.
#[derive(Debug)]
pub(super) struct Jitter {
    delay: Duration,
    /// A frame and when it is due, from which follows when all are.
    base: Option<(u64, Instant)>,
    /// The frames that came and were not yet due.
    waiting: BTreeMap<u64, Vec<u8>>,
    /// Those that were due and had not come.
    missed: BTreeSet<u64>,
    /// The next one to be played.
    next: u64,
    /// The largest number so far.
    highest: u64,
    /// When the last one came.
    last: Option<Instant>,
    /// The number after the last.
    end: Option<u64>,
    counts: Counts,
}

/// What became of the frames.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Those that were sent: up to the end, or else the last that came.
    pub(super) frames: u64,
    /// Those that came, the late ones included.
    pub(super) received: u64,
    /// Those that came after they were due.
    pub(super) late: u64,
    /// Those that never came.
    pub(super) lost: u64,
    /// What came again.
    pub(super) duplicate: u64,
    /// The longest time in which nothing came.
    pub(super) gap: Duration,
    /// How much later than the first, by its time, one came: for so long frames must be held back for
    /// none to be late.
    pub(super) jitter: Duration,
}

impl Jitter {
    pub(super) fn new(delay: Duration) -> Self {
        Jitter {
            delay,
            base: None,
            waiting: BTreeMap::new(),
            missed: BTreeSet::new(),
            next: 0,
            highest: 0,
            last: None,
            end: None,
            counts: Counts::default(),
        }
    }

    /// The whole number of which `sequence` is the end: the nearest to the largest so far. There
    /// is none before the first frame.
    fn number(&self, sequence: u16) -> Option<u64> {
        let [.., high, low] = self.highest.to_be_bytes();
        let ahead = sequence.wrapping_sub(u16::from_be_bytes([high, low]));
        let ahead = i16::from_ne_bytes(ahead.to_ne_bytes());
        self.highest.checked_add_signed(ahead.into())
    }

    /// A frame came.
    pub(super) fn insert(&mut self, now: Instant, sequence: u16, opus: &[u8]) {
        let Some(number) = self.number(sequence) else {
            return;
        };
        if let Some(last) = self.last.replace(now) {
            self.counts.gap = self.counts.gap.max(now - last);
        }
        if self.base.is_none() {
            // Those just before it may still come in time; the others do not.
            let ahead = (self.delay.as_millis() / FRAME.as_millis()).try_into();
            self.next = number.saturating_sub(ahead.unwrap_or(0));
            self.missed.extend(0..self.next);
            let before = FRAME * u32::try_from(number - self.next).unwrap_or(0);
            self.base = Some((self.next, now + self.delay.saturating_sub(before)));
        }
        if let Some((base, at)) = self.base.filter(|(base, _)| number >= *base) {
            let late = (now + self.delay).saturating_duration_since(due(at, number - base));
            self.counts.jitter = self.counts.jitter.max(late);
        }
        self.highest = self.highest.max(number);
        if number >= self.next {
            match self.waiting.insert(number, opus.to_vec()) {
                None => self.counts.received += 1,
                Some(_) => self.counts.duplicate += 1,
            }
        } else if self.missed.remove(&number) {
            self.counts.received += 1;
            self.counts.late += 1;
        } else {
            self.counts.duplicate += 1;
        }
    }

    /// The stream ends before this frame.
    pub(super) fn end(&mut self, sequence: u16) {
        self.end = self.number(sequence);
    }

    /// When the next frame is to be played, once there was one.
    pub(super) fn due(&self) -> Option<Instant> {
        let (base, at) = self.base?;
        Some(due(at, self.next - base))
    }

    /// Takes the next frame, if it has come.
    pub(super) fn play(&mut self) -> Option<Vec<u8>> {
        let frame = self.waiting.remove(&self.next);
        if frame.is_none() {
            self.missed.insert(self.next);
        }
        self.next += 1;
        frame
    }

    /// Whether all is played, or for so long after the last that came was due nothing came that
    /// nothing will.
    pub(super) fn over(&self, now: Instant, silence: Duration) -> bool {
        let silent = self
            .last
            .is_some_and(|last| now >= last + self.delay + silence);
        silent
            || self
                .end
                .is_some_and(|end| self.base.is_none() || self.next >= end)
    }

    pub(super) fn counts(&self) -> Counts {
        let seen = self.base.map_or(0, |_| self.highest + 1);
        let frames = self.end.unwrap_or(seen).max(seen);
        Counts {
            frames,
            lost: frames.saturating_sub(self.counts.received),
            ..self.counts
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: Duration = Duration::from_millis(60);
    const SILENCE: Duration = Duration::from_secs(1);

    /// A buffer into which each frame of `came` comes at its time in ms, and what is played.
    fn play(came: &[(u64, u16)], end: u16) -> (Vec<Option<u8>>, Counts) {
        let start = Instant::now();
        let mut jitter = Jitter::new(DELAY);
        let mut came = came.iter().peekable();
        let mut played = Vec::new();
        for ms in 0..100_000 {
            let now = start + Duration::from_millis(ms);
            while let Some((_, sequence)) = came.next_if(|(at, _)| *at <= ms) {
                jitter.insert(now, *sequence, &sequence.to_be_bytes()[1..]);
            }
            if came.peek().is_none() {
                jitter.end(end);
            }
            while jitter.due().is_some_and(|due| due <= now) && !jitter.over(now, SILENCE) {
                played.push(jitter.play().map(|frame| frame[0]));
            }
            if came.peek().is_none() && jitter.over(now, SILENCE) {
                return (played, jitter.counts());
            }
        }
        panic!("no end");
    }

    fn counts(frames: u64, received: u64, late: u64, lost: u64, duplicate: u64) -> Counts {
        Counts {
            frames,
            received,
            late,
            lost,
            duplicate,
            gap: Duration::ZERO,
            jitter: Duration::ZERO,
        }
    }

    fn without_gap(counts: Counts) -> Counts {
        Counts {
            gap: Duration::ZERO,
            jitter: Duration::ZERO,
            ..counts
        }
    }

    #[test]
    fn what_would_have_been_enough_is_told() {
        let jitter = |came: &[(u64, u16)]| play(came, 4).1.jitter.as_millis();
        assert_eq!(jitter(&[(0, 0), (20, 1), (40, 2), (60, 3)]), 0);
        assert_eq!(jitter(&[(5, 0), (20, 1), (45, 2), (60, 3)]), 0);
        assert_eq!(jitter(&[(0, 0), (33, 1), (47, 2), (61, 3)]), 13);
        // Longer than there was time for, and in another order.
        assert_eq!(jitter(&[(0, 0), (220, 1), (220, 2), (220, 3)]), 200);
        assert_eq!(jitter(&[(0, 1), (20, 0), (50, 2), (60, 3)]), 40);
    }

    #[test]
    fn frames_are_due_at_equal_distances() {
        let now = Instant::now();
        let mut jitter = Jitter::new(DELAY);
        assert_eq!(jitter.due(), None);
        jitter.insert(now, 0, b"0");
        for frame in 0..1000 {
            let due = now + DELAY + FRAME * frame;
            assert_eq!(jitter.due(), Some(due));
            jitter.play();
        }
    }

    #[test]
    fn order_and_jitter_do_not_matter() {
        let (played, told) = play(&[(0, 1), (5, 0), (50, 3), (60, 2), (119, 4)], 5);
        assert_eq!(played, [0, 1, 2, 3, 4].map(Some));
        assert_eq!(without_gap(told), counts(5, 5, 0, 0, 0));
        assert_eq!(told.gap, Duration::from_millis(59));
    }

    #[test]
    fn what_is_lost_has_a_place() {
        let (played, told) = play(&[(0, 0), (40, 2), (80, 4)], 6);
        assert_eq!(played, [Some(0), None, Some(2), None, Some(4), None]);
        assert_eq!(without_gap(told), counts(6, 3, 0, 3, 0));
    }

    #[test]
    fn late_is_not_lost() {
        let (played, told) = play(&[(0, 0), (40, 2), (81, 1), (82, 1), (90, 3)], 4);
        assert_eq!(played, [Some(0), None, Some(2), Some(3)]);
        assert_eq!(without_gap(told), counts(4, 4, 1, 0, 1));
    }

    #[test]
    fn duplicates_are_played_once() {
        let (played, told) = play(&[(0, 0), (1, 0), (20, 1), (21, 1), (65, 0)], 2);
        assert_eq!(played, [Some(0), Some(1)]);
        assert_eq!(without_gap(told), counts(2, 2, 0, 0, 3));
    }

    #[test]
    fn the_beginning_can_be_lost() {
        // Three frames before the first that came would still be in time.
        let (played, told) = play(&[(0, 10), (20, 11)], 12);
        assert_eq!(played, [None, None, None, Some(10), Some(11)]);
        assert_eq!(without_gap(told), counts(12, 2, 0, 10, 0));
        assert_eq!(play(&[], 7), (vec![], counts(7, 0, 0, 7, 0)));
        assert_eq!(play(&[], 0), (vec![], counts(0, 0, 0, 0, 0)));
    }

    #[test]
    fn numbers_wrap() {
        let start = Instant::now();
        let mut jitter = Jitter::new(DELAY);
        for frame in 0..150_000_u32 {
            // Each pair comes the wrong way round.
            let [_, _, high, low] = (frame ^ 1).to_be_bytes();
            let now = start + FRAME * frame;
            jitter.insert(now, u16::from_be_bytes([high, low]), &[low]);
            if jitter.due().unwrap() <= now {
                assert!(jitter.play().is_some(), "{frame}");
            }
        }
        jitter.end(
            150_000_u32.to_be_bytes()[2..]
                .try_into()
                .map(u16::from_be_bytes)
                .unwrap(),
        );
        let told = jitter.counts();
        assert_eq!(without_gap(told), counts(150_000, 150_000, 0, 0, 0));
    }

    #[test]
    fn silence_is_an_end() {
        let now = Instant::now();
        let mut jitter = Jitter::new(DELAY);
        assert!(!jitter.over(now + SILENCE, SILENCE));
        jitter.insert(now, 0, b"0");
        for _ in 0..20 {
            jitter.play();
        }
        // What is held back is played first.
        assert!(!jitter.over(now + SILENCE, SILENCE));
        assert!(jitter.over(now + DELAY + SILENCE, SILENCE));
        // What was played after the last is no loss.
        assert_eq!(jitter.counts(), counts(1, 1, 0, 0, 0));
        // There is no frame before the first.
        jitter.insert(now, 65_535, b"x");
        assert_eq!(jitter.counts(), counts(1, 1, 0, 0, 0));
    }
}
