// SPDX-License-Identifier: GPL-2.0

//! A token bucket of bytes, by the virtual scheduling algorithm of ITU-T I.371: the bucket is a number, the time at
//! which it is full again.

/// The slowest and the fastest rate, in bits a second.
pub(crate) const SLOWEST: u64 = 1_000;
pub(crate) const FASTEST: u64 = 100_000_000_000;
/// The largest bucket, in bytes.
pub(crate) const LARGEST: u64 = 64 << 20;

/// A bucket counts time in 2^-FINE nanoseconds: at 100 Gbit/s a byte takes 0.08.
const FINE: u32 = 4;
/// The time of a byte is in units that are 2^-SHIFT of those.
const SHIFT: u32 = 20;
const SECOND: u64 = 1_000_000_000;

/// A rate and a burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bucket {
    /// How long a byte takes, in 2^-(FINE + SHIFT) nanoseconds.
    per_byte: u64,
    /// How long it takes to fill the bucket, in 2^-FINE nanoseconds.
    depth: u64,
}

impl Bucket {
    /// None for a rate of 0.
    pub(crate) fn new(rate: u64, burst: u64) -> Option<Self> {
        let per_byte = (8 * SECOND << (FINE + SHIFT)).checked_div(rate)?;
        let bucket = Self { per_byte, depth: 0 };
        let depth = bucket.cost(burst);
        Some(Self { depth, ..bucket })
    }

    /// How long it takes to fill in so many bytes.
    fn cost(&self, bytes: u64) -> u64 {
        let cost = u128::from(self.per_byte).wrapping_mul(u128::from(bytes));
        u64::try_from(cost.wrapping_add(1 << (SHIFT - 1)) >> SHIFT).unwrap_or(u64::MAX)
    }

    /// Takes bytes out of a bucket, which was never used where it is 0: the time in nanoseconds from which the packet may go
    /// on, and what the bucket is then. A packet that is larger than the bucket waits until it is full.
    pub(crate) fn take(&self, bucket: u64, bytes: u32, now: u64) -> (u64, u64) {
        let cost = self.cost(bytes.into());
        let next = bucket.max(now << FINE).saturating_add(cost);
        // It goes when as much is in the bucket as it takes.
        let goes = next.saturating_sub(self.depth.max(cost)) >> FINE;
        (goes.max(now), next)
    }

    /// From when on a packet of any length may go on whose bytes are taken when it does: as soon as a bucket owes nothing.
    /// So a link takes the next packet when it has sent the last bit of the one before.
    pub(crate) fn ready(&self, bucket: u64) -> u64 {
        bucket.saturating_sub(self.depth) >> FINE
    }

    /// A bucket that is full at this time.
    pub(crate) fn full_at(now: u64) -> u64 {
        now << FINE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When packets of such lengths go that all come at once.
    fn going(rate: u64, burst: u64, lengths: &[u32]) -> Vec<u64> {
        let bucket = Bucket::new(rate, burst).unwrap();
        let mut full_at = 0;
        let mut take = |&bytes| {
            let (goes, next) = bucket.take(full_at, bytes, 1_000);
            full_at = next;
            goes - 1_000
        };
        lengths.iter().map(&mut take).collect()
    }

    #[test]
    fn a_burst_goes_at_once_and_the_rest_by_the_rate() {
        // A byte takes a microsecond.
        assert_eq!(
            going(8_000_000, 3000, &[1000; 6]),
            [0, 0, 0, 1_000_000, 2_000_000, 3_000_000]
        );
    }

    #[test]
    fn what_is_larger_than_the_bucket_waits_for_all_of_it() {
        assert_eq!(going(8_000_000, 100, &[1000; 3]), [0, 1_000_000, 2_000_000]);
        assert_eq!(going(8_000_000, 0, &[1000; 3]), [0, 1_000_000, 2_000_000]);
    }

    #[test]
    fn one_that_owes_nothing_is_ready() {
        let bucket = Bucket::new(8_000_000, 0).unwrap();
        let full_at = Bucket::full_at(5_000);
        assert_eq!(bucket.ready(full_at), 5_000);
        let (_, full_at) = bucket.take(full_at, 1000, 5_000);
        assert_eq!(bucket.ready(full_at), 1_005_000);
        let bucket = Bucket::new(8_000_000, 1500).unwrap();
        assert_eq!(bucket.ready(full_at), 0);
        let (_, full_at) = bucket.take(full_at, 1000, 5_000);
        assert_eq!(bucket.ready(full_at), 505_000);
    }

    #[test]
    fn a_pause_fills_it_and_no_more() {
        let bucket = Bucket::new(8_000_000, 2000).unwrap();
        let (_, full_at) = bucket.take(0, 2000, 0);
        assert_eq!(bucket.take(full_at, 1000, 0).0, 1_000_000);
        assert_eq!(bucket.take(full_at, 1000, 1_000_000).0, 1_000_000);
        let (goes, full_at) = bucket.take(full_at, 2000, 1_000_000_000);
        assert_eq!(goes, 1_000_000_000);
        assert_eq!(bucket.take(full_at, 1, 1_000_000_000).0, 1_000_001_000);
    }

    #[test]
    fn rates_are_right_over_their_whole_range() {
        for rate in [
            SLOWEST,
            56_000,
            1_000_000,
            2_500_000_000,
            400_000_000_000,
            FASTEST,
        ] {
            let bucket = Bucket::new(rate, 0).unwrap();
            let mut full_at = 0;
            for _ in 0..1000 {
                full_at = bucket.take(full_at, 1500, 0).1;
            }
            let wanted = 1500.0 * 8.0 * 1000.0 * 1e9 / rate as f64;
            assert!(
                (full_at as f64 / 16.0 / wanted - 1.0).abs() < 0.001,
                "{rate}: {full_at}, {wanted}"
            );
        }
        assert_eq!(Bucket::new(0, 1), None);
    }
}
