// SPDX-License-Identifier: GPL-2.0

//! How long a packet takes to the other end and its acknowledgement back, and after how long it is sent again (RFC 6298).

const MILLISECOND: u64 = 1_000_000;
/// Before anything is known.
const FIRST: u64 = 100 * MILLISECOND;
/// What cannot be the time that a packet took.
const LONGEST: u64 = 60_000 * MILLISECOND;

/// Packets that are sent at once come in any order.
const SHORTEST: u64 = MILLISECOND / 20;

#[derive(Default)]
pub(crate) struct Rtt {
    /// The smoothed time, and how much single ones differ from it; 0 before the first.
    pub(crate) smoothed: u64,
    deviation: u64,
}

impl Rtt {
    pub(crate) fn sample(&mut self, took: u64) {
        if took > LONGEST {
            return;
        }
        let took = took.max(1);
        if self.smoothed == 0 {
            (self.smoothed, self.deviation) = (took, took / 2);
            return;
        }
        let differs = self.smoothed.abs_diff(took);
        let sum = self.deviation.saturating_mul(3).saturating_add(differs);
        self.deviation = sum / 4;
        self.smoothed = self.smoothed.saturating_mul(7).saturating_add(took) / 8;
    }

    /// After how long a packet is sent again that was sent again so many times before without an answer: at least `least`
    /// later than usual, as an acknowledgement may wait, and not later than `most`.
    pub(crate) fn timeout(&self, (least, most): (u64, u64), backoff: u8) -> u64 {
        let once = match self.smoothed {
            0 => FIRST.max(least),
            smoothed => {
                let margin = self.deviation.saturating_mul(4).max(least);
                smoothed.saturating_add(margin)
            }
        };
        let factor = 1u64.wrapping_shl(backoff.min(16).into());
        once.saturating_mul(factor).min(most.max(least))
    }

    /// By how much a packet may be late that others have overtaken.
    pub(crate) fn reordering(&self) -> u64 {
        let jitter = self.deviation.saturating_mul(2);
        jitter.max(self.smoothed / 8).max(SHORTEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: (u64, u64) = (10 * MILLISECOND, 1000 * MILLISECOND);

    #[test]
    fn before_anything_is_known() {
        assert_eq!(Rtt::default().timeout(BOUNDS, 0), FIRST);
        assert_eq!(Rtt::default().timeout(BOUNDS, 1), 2 * FIRST);
    }

    #[test]
    fn comes_near_and_stays_within_bounds() {
        let mut rtt = Rtt::default();
        rtt.sample(20 * MILLISECOND);
        assert_eq!(rtt.timeout(BOUNDS, 0), 60 * MILLISECOND);
        for _ in 0..200 {
            rtt.sample(20 * MILLISECOND);
        }
        let timeout = rtt.timeout(BOUNDS, 0);
        assert!((30 * MILLISECOND..31 * MILLISECOND).contains(&timeout));
        assert_eq!(rtt.timeout(BOUNDS, 3), 8 * timeout);
        assert_eq!(rtt.timeout(BOUNDS, u8::MAX), BOUNDS.1);
        for _ in 0..200 {
            rtt.sample(0);
        }
        assert_eq!(rtt.timeout(BOUNDS, 0) / 1000, BOUNDS.0 / 1000);
        // Bounds in the wrong order: the lower one counts.
        assert_eq!(rtt.timeout((BOUNDS.1, BOUNDS.0), 9), BOUNDS.1);
    }

    #[test]
    fn what_cannot_be_is_ignored() {
        let mut rtt = Rtt::default();
        rtt.sample(u64::MAX);
        assert_eq!(rtt.smoothed, 0);
        rtt.sample(MILLISECOND);
        rtt.sample(u64::MAX);
        assert_eq!(rtt.smoothed, MILLISECOND);
    }
}
