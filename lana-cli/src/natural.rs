// SPDX-License-Identifier: GPL-2.0

//! The order of names as people read them: `fb2` before `fb10`.

use std::cmp::Ordering;

/// Compares two names. Digits in them count as numbers, however many there are.
pub fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let ((x, rest_x), (y, rest_y)) = (piece(left), piece(right));
        let order = match (is_number(x), is_number(y)) {
            (true, true) => {
                let (x, y) = (x.trim_start_matches('0'), y.trim_start_matches('0'));
                x.len().cmp(&y.len()).then_with(|| x.cmp(y))
            }
            _ => x.cmp(y),
        };
        if order != Ordering::Equal {
            return order;
        }
        if x.is_empty() {
            // `fb1` and `fb01` are two names.
            return a.cmp(b);
        }
        (left, right) = (rest_x, rest_y);
    }
}

/// Splits off the digits at the beginning, or else one character.
fn piece(text: &str) -> (&str, &str) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let first = text.chars().next().map_or(0, char::len_utf8);
    text.split_at_checked(digits.max(first))
        .unwrap_or((text, ""))
}

fn is_number(piece: &str) -> bool {
    piece.starts_with(|first: char| first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count() {
        let sorted = [
            "",
            "0",
            "00",
            "2",
            "10",
            "a",
            "a2",
            "a2b",
            "a02c",
            "a10",
            "a10b2",
            "a10b11",
            "b",
            "fb2",
            "fb10",
            "fb18446744073709551616",
            "fb99999999999999999999",
            "é1",
        ];
        for (at, a) in sorted.iter().enumerate() {
            for (other, b) in sorted.iter().enumerate() {
                assert_eq!(natural(a, b), at.cmp(&other), "{a} {b}");
            }
        }
    }
}
