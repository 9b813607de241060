// SPDX-License-Identifier: GPL-2.0

//! The Internet checksum: sums (RFC 1071), and what a checksum becomes when a word changes (RFC 1624).
//! Any context.
//!
//! Words here are as they lie in the packet, [`u16::from_ne_bytes`]: a sum is the same in either order of
//! bytes, but for the order of its own (RFC 1071, 2 (B)), so that nothing has to be swapped.

/// One's complement sum of bytes, folded and not inverted; an odd one at the end is followed by 0.
#[inline(always)]
pub fn sum(bytes: &[u8]) -> u16 {
    let (mut total, mut rest) = (0, bytes);
    while let Some((words, behind)) = rest.split_first_chunk::<32>() {
        total = sum_words(total, words);
        rest = behind;
    }
    // Most messages are short. A loop would be unrolled, and ask how often to go round, first.
    if let Some((words, behind)) = rest.split_first_chunk::<16>() {
        total = sum_words(total, words);
        rest = behind;
    }
    if let Some((words, behind)) = rest.split_first_chunk::<8>() {
        total = sum_words(total, words);
        rest = behind;
    }
    if let Some((word, behind)) = rest.split_first_chunk() {
        total = around(total, u32::from_ne_bytes(*word).into());
        rest = behind;
    }
    if let Some((word, behind)) = rest.split_first_chunk() {
        total = around(total, u16::from_ne_bytes(*word).into());
        rest = behind;
    }
    if let [last] = *rest {
        total = around(total, u16::from_ne_bytes([last, 0]).into());
    }
    let (low, carry) = (total as u32).overflowing_add((total >> 32) as u32);
    let total = low.wrapping_add(carry.into());
    add(total as u16, (total >> 16) as u16)
}

/// A sum and those of words of 64 bits: the compiler knows how many there are.
#[inline(always)]
fn sum_words<const N: usize>(mut total: u64, words: &[u8; N]) -> u64 {
    let mut rest = words.as_slice();
    while let Some((word, behind)) = rest.split_first_chunk() {
        total = around(total, u64::from_ne_bytes(*word));
        rest = behind;
    }
    total
}

/// The sum of two, where a carry out of the top comes in at the bottom: 2^64 is as good as 1, as 2^16 is.
#[inline(always)]
fn around(one: u64, other: u64) -> u64 {
    let (sum, carry) = one.overflowing_add(other);
    sum.wrapping_add(carry.into())
}

/// The sum of two sums.
#[inline]
pub fn add(one: u16, other: u16) -> u16 {
    let (sum, carry) = one.overflowing_add(other);
    sum.wrapping_add(carry.into())
}

/// The checksum of what had `check` when a word changes (RFC 1624, equation 3). It is the very one that
/// summing up anew would give, but where all that is summed up is zero now: then 0, which is
/// wrong, in the place of 0xffff.
#[inline]
pub fn update(check: u16, old: u16, new: u16) -> u16 {
    !add(add(!check, !old), new)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 1071, by the letter.
    fn plain(bytes: &[u8]) -> u16 {
        let mut total = 0u32;
        for pair in bytes.chunks(2) {
            total += u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |&b| u32::from(b));
            if total > 0xffff {
                total -= 0xffff;
            }
        }
        (total as u16).to_be()
    }

    #[test]
    fn the_example_of_rfc_1071() {
        assert_eq!(
            sum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]),
            0xddf2_u16.to_be()
        );
    }

    #[test]
    fn the_example_of_rfc_1624() {
        assert_eq!(update(0xdd2f, 0x5555, 0x3285), 0x0000);
    }

    #[test]
    fn sums_of_all_lengths() {
        let bytes: Vec<u8> = (0..100u32).map(|i| (i * i * 7 + 13) as u8).collect();
        for n in 0..bytes.len() {
            assert_eq!(sum(&bytes[..n]), plain(&bytes[..n]), "{n} bytes");
        }
        assert_eq!(sum(&[0xff; 40]), 0xffff);
        assert_eq!(sum(&[0; 40]), 0);
        assert_eq!(sum(&[0xff; 3]), plain(&[0xff; 3]));
    }

    #[test]
    fn updates_are_what_summing_up_anew_gives() {
        // Two words, of which one changes: every checksum, before and after.
        for rest in (0..=0xffffu16).step_by(5).chain([0xfffe, 0xffff]) {
            for (old, new) in [
                (0x0800, 0),
                (0x08ff, 0x00ff),
                (0x8000, 0x8100),
                (0x4011, 0x4001),
                (1, 0xffff),
            ] {
                let check = !add(old, rest);
                let anew = !add(new, rest);
                let updated = update(check, old, new);
                if (new, rest) == (0, 0) {
                    assert_eq!((updated, anew), (0, 0xffff));
                } else {
                    assert_eq!(updated, anew, "{rest:x}: {old:x} -> {new:x}");
                }
            }
        }
    }
}
