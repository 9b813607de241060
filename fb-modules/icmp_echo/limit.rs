// SPDX-License-Identifier: GPL-2.0

//! Token buckets, and how many packets there were in the last full second.

use core::{fmt, str::FromStr};

/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;

/// The most packets a second that a limit can be: beyond, the nanoseconds between two get too few.
const MAX: u64 = 10_000_000;

/// So many packets a second, and so many at once after a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    rate: u64,
    burst: u64,
    /// Nanoseconds that a packet takes from the bucket.
    interval: u64,
    /// How far the bucket may be drained before a packet.
    slack: u64,
}

impl Limit {
    /// None for a rate of 0: no limit.
    pub(crate) fn new(rate: u64, burst: u64) -> Option<Self> {
        let interval = SECOND.checked_div(rate)?;
        // Time goes on in ticks of 10 ms at most: a bucket holds what comes in the meantime.
        let depth = burst.max((rate / 100).saturating_add(1));
        Some(Self {
            rate,
            burst,
            interval,
            slack: depth.saturating_sub(1).saturating_mul(interval),
        })
    }

    /// Takes a packet out of a bucket, which is a number: the time at which it is full again. Returns
    /// what the bucket is then, or nothing where the packet is one too many. A bucket that was never
    /// used is 0. (The virtual scheduling algorithm of ITU-T I.371, the same as a token bucket.)
    #[inline]
    pub(crate) fn take(&self, bucket: u64, now: u64) -> Option<u64> {
        let full = bucket.max(now);
        let drained = full.wrapping_sub(now);
        (drained <= self.slack).then(|| full.wrapping_add(self.interval))
    }
}

/// The text is no limit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoLimit;

impl fmt::Display for NoLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PACKETS or PACKETS/BURST, at most {MAX} a second")
    }
}

/// A limit, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Setting(pub(crate) Option<Limit>);

impl FromStr for Setting {
    type Err = NoLimit;

    /// `RATE` or `RATE/BURST`; without a burst, that of a second. 0 and nothing are no limit.
    fn from_str(text: &str) -> Result<Self, NoLimit> {
        let number = |text: &str| {
            let digits = text.bytes().all(|b| b.is_ascii_digit());
            let number = text.parse().ok().filter(|&n| digits && n <= MAX);
            number.ok_or(NoLimit)
        };
        let (rate, burst) = match text.trim().split_once('/') {
            _ if text.trim().is_empty() => (0, 0),
            None => (number(text.trim())?, number(text.trim())?),
            Some((rate, burst)) => (number(rate)?, number(burst)?),
        };
        Ok(Self(Limit::new(rate, burst)))
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.rate)?;
        if self.burst != self.rate {
            write!(f, "/{}", self.burst)?;
        }
        Ok(())
    }
}

/// What was counted in the second before `now`, where counting was last done in the second `at`, in
/// which there were `during` until now, and `before` in the one before that.
#[inline]
pub(crate) fn last_full(now: u64, at: u64, during: u64, before: u64) -> u64 {
    match now.wrapping_sub(at) {
        0 => before,
        1 => during,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(text: &str) -> Limit {
        text.parse::<Setting>().unwrap().0.unwrap()
    }

    /// How many of a packet every `gap` nanoseconds pass within `time`, when time is known to `tick`.
    fn passed(limit: Limit, gap: u64, tick: u64, time: u64) -> u64 {
        let (mut bucket, mut passed) = (0, 0);
        let start = 1_000 * SECOND;
        for now in (start..start + time).step_by(usize::try_from(gap).unwrap()) {
            if let Some(next) = limit.take(bucket, now / tick * tick) {
                bucket = next;
                passed += 1;
            }
        }
        passed
    }

    #[test]
    fn texts() {
        for text in ["1", "100", "100/20", "10000000", "5/1"] {
            assert_eq!(limit(text).to_string(), text);
        }
        assert_eq!(limit("100/100").to_string(), "100");
        for text in ["", " ", "0", "0/5"] {
            assert_eq!(text.parse(), Ok(Setting(None)), "{text}");
        }
        for text in [
            "x",
            "-1",
            "+1",
            "1/",
            "/1",
            "1/2/3",
            "10000001",
            "1/10000001",
            "1 2",
        ] {
            assert_eq!(text.parse::<Setting>(), Err(NoLimit), "{text}");
        }
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let limit = limit("100/20");
        let now = 5 * SECOND;
        let mut bucket = 0;
        for _ in 0..20 {
            bucket = limit.take(bucket, now).unwrap();
        }
        assert_eq!(limit.take(bucket, now), None);
        assert_eq!(limit.take(bucket, now + SECOND / 100 - 1), None);
        bucket = limit.take(bucket, now + SECOND / 100).unwrap();
        assert_eq!(limit.take(bucket, now + SECOND / 100), None);
        // After a pause the burst again, not more.
        let later = now + 100 * SECOND;
        for _ in 0..20 {
            bucket = limit.take(bucket, later).unwrap();
        }
        assert_eq!(limit.take(bucket, later), None);
    }

    #[test]
    fn the_rate_holds_whatever_the_tick() {
        for tick in [1, 1_000_000, 4_000_000, 10_000_000] {
            for (text, burst) in [
                ("100/1", 2),
                ("1000/10", 11),
                ("100000/1", 1001),
                ("50/50", 50),
            ] {
                let limit = limit(text);
                let passed = passed(limit, 5_000, tick, 2 * SECOND);
                let wanted = 2 * limit.rate;
                assert!(
                    passed >= wanted - wanted / 50,
                    "{text}, tick {tick}: {passed}"
                );
                assert!(
                    passed <= wanted + wanted / 50 + burst,
                    "{text}, tick {tick}: {passed}"
                );
            }
        }
    }

    #[test]
    fn who_sends_less_is_not_limited() {
        assert_eq!(
            passed(limit("100/1"), SECOND / 50, 10_000_000, 10 * SECOND),
            500
        );
    }

    #[test]
    fn seconds() {
        assert_eq!(last_full(7, 7, 5, 9), 9);
        assert_eq!(last_full(8, 7, 5, 9), 5);
        assert_eq!(last_full(9, 7, 5, 9), 0);
    }
}
