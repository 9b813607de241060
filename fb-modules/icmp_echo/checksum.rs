// SPDX-License-Identifier: GPL-2.0

//! The Internet checksum: sums (RFC 1071), and what a checksum becomes when a word changes (RFC 1624).

/// One's complement sum of bytes, folded and not inverted; an odd one at the end is followed by 0.
#[inline]
pub(crate) fn sum(bytes: &[u8]) -> u16 {
    let mut total = 0u64;
    let mut words = bytes.chunks_exact(4);
    for word in words.by_ref() {
        if let Some(&word) = word.first_chunk() {
            total = total.wrapping_add(u64::from(u32::from_ne_bytes(word)));
        }
    }
    let rest = match *words.remainder() {
        [a] => [a, 0, 0, 0],
        [a, b] => [a, b, 0, 0],
        [a, b, c] => [a, b, c, 0],
        _ => [0; 4],
    };
    total = total.wrapping_add(u64::from(u32::from_ne_bytes(rest)));
    // 2^32 and 2^16 are as good as 1 here: what is above is added to what is below.
    total = (total >> 32).wrapping_add(total & 0xffff_ffff);
    for _ in 0..3 {
        total = (total >> 16).wrapping_add(total & 0xffff);
    }
    // The sum is the same in either order of bytes but for their order in it (RFC 1071, 2 (B)).
    u16::from_be_bytes((total as u16).to_ne_bytes())
}

/// The sum of two sums.
#[inline]
pub(crate) fn add(one: u16, other: u16) -> u16 {
    let (sum, carry) = one.overflowing_add(other);
    sum.wrapping_add(u16::from(carry))
}

/// The checksum of what had `check` when a word changes (RFC 1624, equation 3). It is the very one that
/// summing up anew would give, but where all that is summed up is zero now: then 0, which is
/// wrong, in the place of 0xffff.
#[inline]
pub(crate) fn update(check: u16, old: u16, new: u16) -> u16 {
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
        total as u16
    }

    #[test]
    fn the_example_of_rfc_1071() {
        assert_eq!(
            sum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]),
            0xddf2
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
