// SPDX-License-Identifier: GPL-2.0

//! Amounts with units, as they are written on the command line.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "amounts are not that exact, and checked"
)]

use std::time::Duration;

/// How fast frames leave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// Frames a second.
    Frames(f64),
    /// Bytes of frames a second.
    Bytes(f64),
}

impl Rate {
    /// How long a frame of that length takes.
    pub fn gap(self, length: usize) -> Duration {
        let seconds = match self {
            Rate::Frames(rate) => 1.0 / rate,
            Rate::Bytes(rate) => length as f64 / rate,
        };
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    /// The part of it that each of several CPUs has.
    #[must_use]
    pub fn shared(self, cpus: usize) -> Self {
        let cpus = cpus.max(1) as f64;
        match self {
            Rate::Frames(rate) => Rate::Frames(rate / cpus),
            Rate::Bytes(rate) => Rate::Bytes(rate / cpus),
        }
    }
}

/// A number and its unit.
fn split(text: &str) -> Option<(f64, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, unit))
}

/// `100kpps`, `10Mbit`, `1MiB`, `5000`.
pub fn rate(text: &str) -> Result<Rate, String> {
    let wrong = || "not a rate, as 100kpps, 10Mbit or 5MB are".to_owned();
    let (number, unit) = split(text)
        .filter(|(number, _)| *number > 0.0)
        .ok_or_else(wrong)?;
    let frames = |factor: f64| Ok(Rate::Frames(number * factor));
    let bytes = |factor: f64| Ok(Rate::Bytes(number * factor));
    match unit {
        "" | "pps" => frames(1.0),
        "kpps" => frames(1e3),
        "Mpps" => frames(1e6),
        "B" => bytes(1.0),
        "kB" => bytes(1e3),
        "MB" => bytes(1e6),
        "GB" => bytes(1e9),
        "KiB" => bytes(1024.0),
        "MiB" => bytes(1024.0 * 1024.0),
        "GiB" => bytes(1024.0 * 1024.0 * 1024.0),
        "bit" => bytes(0.125),
        "kbit" => bytes(125.0),
        "Mbit" => bytes(125e3),
        "Gbit" => bytes(125e6),
        _ => Err(wrong()),
    }
}

/// `10`, `10us`, `5ms`, `1s`, `300ns`: microseconds where there is no unit.
pub fn time(text: &str) -> Result<Duration, String> {
    let wrong = || "not a time, as 10us, 5ms or 1s are".to_owned();
    let (number, unit) = split(text).ok_or_else(wrong)?;
    let seconds = match unit {
        "" | "us" => number / 1e6,
        "ns" => number / 1e9,
        "ms" => number / 1e3,
        "s" => number,
        _ => return Err(wrong()),
    };
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

/// `10MB`, `16MiB`, `1GiB`, `4096`: bytes.
pub fn size(text: &str) -> Result<usize, String> {
    let wrong = || "not a size, as 10MB or 1GiB are".to_owned();
    let (number, unit) = split(text)
        .filter(|(number, _)| *number > 0.0)
        .ok_or_else(wrong)?;
    let factor = match unit {
        "" | "B" => 1.0,
        "kB" | "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        _ => return Err(wrong()),
    };
    let bytes = number * factor;
    (bytes < 64e9)
        .then_some(bytes as usize)
        .ok_or_else(|| "a ring has at most 64 GB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_known() {
        assert_eq!(rate("100kpps"), Ok(Rate::Frames(1e5)));
        assert_eq!(rate("10Mbit"), Ok(Rate::Bytes(1.25e6)));
        assert_eq!(rate("1.5MiB"), Ok(Rate::Bytes(1.5 * 1_048_576.0)));
        assert_eq!(
            rate("2Mpps").unwrap().shared(2).gap(60),
            Duration::from_micros(1)
        );
        assert_eq!(rate("8kbit").unwrap().gap(1000), Duration::from_secs(1));
        assert_eq!(time("10"), Ok(Duration::from_micros(10)));
        assert_eq!(time("0.5s"), Ok(Duration::from_millis(500)));
        assert_eq!(size("10MB"), Ok(10_000_000));
        assert_eq!(size("1GiB"), Ok(1 << 30));
        for text in ["", "0", "-1", "1x", "kpps", "1..2", "1e9e"] {
            assert!(rate(text).is_err() && size(text).is_err(), "{text}");
        }
        assert!(time("1h").is_err() && time("99999999999999999999999s").is_err());
    }
}
