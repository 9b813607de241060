// SPDX-License-Identifier: GPL-2.0

//! Quantities as people write them: rates, times, sizes, shares. Each has one shortest text, which is what is shown.

use core::fmt;

/// Bits a second.
const RATES: [(&str, u64); 5] = [
    ("tbit", 1_000_000_000_000),
    ("gbit", 1_000_000_000),
    ("mbit", 1_000_000),
    ("kbit", 1_000),
    ("bit", 1),
];
/// Nanoseconds.
const TIMES: [(&str, u64); 4] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
];
/// Bytes; k is 1024, as tc has it.
const SIZES: [(&str, u64); 3] = [("mb", 1 << 20), ("kb", 1 << 10), ("b", 1)];
/// A percent is as many billionths.
const PERCENT: u64 = 10_000_000;

/// A whole number without a sign, and without zeros that say nothing.
pub fn whole(text: &str) -> Option<u64> {
    let is_plain = text == "0" || !text.starts_with(['0', '+']);
    text.parse().ok().filter(|_| is_plain)
}

/// A number, of which a fraction may follow a point, times a unit; none where that is no whole number.
fn scaled(text: &str, unit: u64) -> Option<u64> {
    let (before, after) = text.split_once('.').unwrap_or((text, ""));
    if text.ends_with('.') || after.len() > 18 || !after.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut parts = unit;
    let mut fraction = 0_u64;
    for digit in after.bytes() {
        let digit = u64::from(digit.wrapping_sub(b'0'));
        if parts % 10 != 0 {
            return (after.trim_end_matches('0').is_empty() && digit == 0).then_some(fraction);
        }
        parts /= 10;
        fraction = fraction.checked_add(parts.checked_mul(digit)?)?;
    }
    whole(before)?.checked_mul(unit)?.checked_add(fraction)
}

/// A number with one of these units.
fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let mut fitting = units
        .iter()
        .filter_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)));
    fitting.find_map(|(number, unit)| scaled(number, unit))
}

/// Writes a number in the largest unit in which it is a whole one.
fn write_with(f: &mut fmt::Formatter<'_>, number: u64, units: &[(&str, u64)]) -> fmt::Result {
    let mut best: Option<(&str, u64)> = None;
    for &(name, unit) in units {
        let fits = number.checked_rem(unit) == Some(0) && (number != 0 || unit == 1);
        if fits && best.is_none_or(|(_, other)| unit > other) {
            best = Some((name, unit));
        }
    }
    let (name, unit) = best.unwrap_or(("", 1));
    write!(f, "{}{name}", number.checked_div(unit).unwrap_or(number))
}

/// A rate in bits a second, from a text such as `10mbit`.
pub fn rate(text: &str) -> Option<u64> {
    with_unit(text, &RATES)
}

/// A time in nanoseconds, from a text such as `1.5ms`.
pub fn time(text: &str) -> Option<u64> {
    with_unit(text, &TIMES)
}

/// A size in bytes, from a number of bytes or a text such as `32kb`.
pub fn size(text: &str) -> Option<u64> {
    whole(text.trim()).or_else(|| with_unit(text, &SIZES))
}

/// A share in billionths, from a text such as `0.5%`; at most the whole.
pub fn share(text: &str) -> Option<u64> {
    let share = scaled(text.trim().strip_suffix('%')?, PERCENT)?;
    (share <= 100 * PERCENT).then_some(share)
}

/// A rate in bits a second, to be written.
pub struct Rate(pub u64);

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_with(f, self.0, &RATES)
    }
}

/// A time in nanoseconds, to be written.
pub struct Time(pub u64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_with(f, self.0, &TIMES)
    }
}

/// A size in bytes, to be written.
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_with(f, self.0, &SIZES)
    }
}

/// A share in billionths, to be written.
pub struct Share(pub u64);

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (percent, mut rest) = (self.0 / PERCENT, self.0 % PERCENT);
        write!(f, "{percent}")?;
        let mut unit = PERCENT / 10;
        if rest != 0 {
            f.write_str(".")?;
        }
        while let (true, Some(digit)) = (rest != 0, rest.checked_div(unit)) {
            write!(f, "{digit}")?;
            rest = rest.checked_rem(unit).unwrap_or(0);
            unit /= 10;
        }
        f.write_str("%")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_numbers_go_both_ways() {
        for (text, number) in [
            ("10mbit", 10_000_000),
            ("1tbit", 1_000_000_000_000),
            ("7bit", 7),
            ("1500kbit", 1_500_000),
        ] {
            assert_eq!(rate(text), Some(number));
            assert_eq!(Rate(number).to_string(), text);
        }
        for (text, number) in [
            ("10ms", 10_000_000),
            ("1500us", 1_500_000),
            ("3s", 3_000_000_000),
            ("1ns", 1),
            ("0ns", 0),
        ] {
            assert_eq!(time(text), Some(number), "{text}");
            assert_eq!(Time(number).to_string(), text);
        }
        for (text, number) in [("32kb", 32768), ("1b", 1), ("0b", 0), ("2mb", 2 << 20)] {
            assert_eq!(size(text), Some(number));
            assert_eq!(Size(number).to_string(), text);
        }
        for (text, number) in [
            ("1%", 10_000_000),
            ("0.5%", 5_000_000),
            ("100%", 1_000_000_000),
            ("0%", 0),
            ("0.0000001%", 1),
            ("12.34%", 123_400_000),
        ] {
            assert_eq!(share(text), Some(number), "{text}");
            assert_eq!(Share(number).to_string(), text);
        }
    }

    #[test]
    fn fractions_are_taken_where_they_are_whole() {
        assert_eq!(time("1.5ms"), Some(1_500_000));
        assert_eq!(time("0.000001s"), Some(1_000));
        assert_eq!(rate("1.25mbit"), Some(1_250_000));
        assert_eq!(time("1.5ns"), None);
        assert_eq!(size("0.5kb"), None);
        assert_eq!(size("1500"), Some(1500));
    }

    #[test]
    fn what_is_none_is_none() {
        for text in [
            "",
            "ms",
            "-1ms",
            "+1ms",
            "01ms",
            "1 ms",
            "1.ms",
            ".5ms",
            "1e3ms",
            "1.5.5ms",
            "ms1",
            "1m",
            "99999999999999999999s",
            "18446744073709551615s",
        ] {
            assert_eq!(time(text), None, "{text}");
        }
        for text in ["", "10", "10mb", "0x1mbit", "-1bit", "20000000tbit"] {
            assert_eq!(rate(text), None, "{text}");
        }
        for text in ["", "1", "101%", "100.0000001%", "%", "-1%", "0.00000001%"] {
            assert_eq!(share(text), None, "{text}");
        }
    }
}
