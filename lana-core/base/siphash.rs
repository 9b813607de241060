// SPDX-License-Identifier: GPL-2.0

//! SipHash-1-3 of words: a hash for tables, of which nobody can foresee collisions without the key.
//!
//! It has a round for each word, and three at the end. That is what hash tables of the kernel take
//! (`hsiphash()` of 64-bit processors, [`include/linux/siphash.h`](srctree/include/linux/siphash.h)), and those of Rust.

/// The four words of its state.
struct State([u64; 4]);

impl State {
    #[inline(always)]
    fn round(&mut self) {
        let [mut a, mut b, mut c, mut d] = self.0;
        a = a.wrapping_add(b);
        b = b.rotate_left(13) ^ a;
        a = a.rotate_left(32);
        c = c.wrapping_add(d);
        d = d.rotate_left(16) ^ c;
        a = a.wrapping_add(d);
        d = d.rotate_left(21) ^ a;
        c = c.wrapping_add(b);
        b = b.rotate_left(17) ^ c;
        c = c.rotate_left(32);
        self.0 = [a, b, c, d];
    }

    #[inline(always)]
    fn take(&mut self, word: u64) {
        let Self([.., last]) = self;
        *last ^= word;
        self.round();
        let Self([first, ..]) = self;
        *first ^= word;
    }
}

/// The hash of some words by a key.
#[inline]
pub(crate) fn hash([one, other]: [u64; 2], words: &[u64]) -> u64 {
    let mut state = State([
        one ^ 0x736f_6d65_7073_6575,
        other ^ 0x646f_7261_6e64_6f6d,
        one ^ 0x6c79_6765_6e65_7261,
        other ^ 0x7465_6462_7974_6573,
    ]);
    for word in words {
        state.take(*word);
    }
    // The number of bytes, in the uppermost one.
    state.take((words.len() as u64) << 59);
    let State([_, _, third, _]) = &mut state;
    *third ^= 0xff;
    for _ in 0..3 {
        state.round();
    }
    let State([a, b, c, d]) = state;
    a ^ b ^ c ^ d
}

#[cfg(test)]
mod tests {
    use super::hash;
    use std::hash::{DefaultHasher, Hasher};

    /// Rust's own hasher is SipHash-1-3 by a key of zeros.
    #[test]
    fn it_is_what_others_say() {
        for count in 0..20 {
            let words: Vec<u64> = (0..count)
                .map(|n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15))
                .collect();
            let mut other = DefaultHasher::new();
            words.iter().for_each(|word| other.write_u64(*word));
            assert_eq!(hash([0, 0], &words), other.finish(), "{count}");
        }
    }

    /// The first vector of the reference's, of no bytes by the key 00 01 .. 0f.
    #[test]
    fn the_key_counts() {
        let key = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        assert_eq!(hash(key, &[]), 0xabac_0158_050f_c4dc);
    }
}
