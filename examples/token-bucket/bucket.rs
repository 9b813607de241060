// SPDX-License-Identifier: GPL-2.0

//! A token bucket: a packet takes a token. What it does is told here without the kernel, so that it can be tested
//! without one: `make test`.
//!
//! The bucket is one number, the time at which it is full again (virtual scheduling, ITU-T I.371). So all CPUs can
//! share it without a lock. Times are in nanoseconds.

const SECOND: u64 = 1_000_000_000;
/// The most tokens a second.
pub(crate) const FASTEST: u64 = 10_000_000;
/// The most tokens that a bucket holds.
pub(crate) const LARGEST: u64 = 1_000_000;

/// What does not change about a bucket.
pub(crate) struct Bucket {
    /// How long it takes for a token to come.
    interval: u64,
    /// How long it takes to fill the bucket.
    depth: u64,
}

impl Bucket {
    /// A bucket for so many tokens, of which so many come a second; none where none come.
    pub(crate) fn new(rate: u64, burst: u64) -> Option<Self> {
        let interval = SECOND.checked_div(rate)?;
        let depth = interval.saturating_mul(burst);
        Some(Self { interval, depth })
    }

    /// Takes a token out of a bucket that is full at `full_at`: when it is full then; none where there is no token.
    pub(crate) fn take(&self, full_at: u64, now: u64) -> Option<u64> {
        let full_at = full_at.max(now).saturating_add(self.interval);
        (full_at.saturating_sub(now) <= self.depth).then_some(full_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of so many packets that come at a time get a token.
    fn taken(bucket: &Bucket, full_at: &mut u64, now: u64, packets: u32) -> u32 {
        let mut take = |_: &u32| match bucket.take(*full_at, now) {
            Some(next) => {
                *full_at = next;
                true
            }
            None => false,
        };
        (0..packets).filter(|packet| take(packet)).count() as u32
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let bucket = Bucket::new(100, 5).unwrap();
        let mut full_at = 0;
        assert_eq!(taken(&bucket, &mut full_at, SECOND, 20), 5);
        for tenth in 11..20 {
            assert_eq!(taken(&bucket, &mut full_at, tenth * SECOND / 10, 20), 5);
        }
        assert_eq!(
            taken(&bucket, &mut full_at, 2 * SECOND - SECOND / 50, 20),
            5
        );
        assert_eq!(
            taken(&bucket, &mut full_at, 2 * SECOND - SECOND / 100, 20),
            1
        );
    }

    #[test]
    fn a_long_pause_does_not_overfill_it() {
        let bucket = Bucket::new(FASTEST, LARGEST).unwrap();
        let mut full_at = 0;
        assert_eq!(taken(&bucket, &mut full_at, SECOND, 2_000_000), 1_000_000);
        assert_eq!(
            taken(&bucket, &mut full_at, 1000 * SECOND, 2_000_000),
            1_000_000
        );
    }

    #[test]
    fn no_rate_is_no_bucket() {
        assert!(Bucket::new(0, 5).is_none());
    }
}
