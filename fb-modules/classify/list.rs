// SPDX-License-Identifier: GPL-2.0

//! Lists of prefixes and of ports, which rules name: `src=@3`, `dport=@3`.

use core::iter::from_fn;

use super::{
    address::{BadPrefix, Prefix},
    rule::{number, range, Range},
};

/// What a packet has to have: this, or what is in the list of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted<T> {
    This(T),
    Listed(u16),
}

impl<T> Wanted<T> {
    pub(crate) fn parse(text: &str, this: impl FnOnce(&str) -> Option<T>) -> Option<Self> {
        match text.strip_prefix('@') {
            Some(list) => Some(Self::Listed(number(list, u16::MAX.into())? as u16)),
            None => this(text).map(Self::This),
        }
    }

    pub(crate) fn this(self) -> Option<T> {
        match self {
            Self::This(this) => Some(this),
            Self::Listed(_) => None,
        }
    }

    pub(crate) fn list(self) -> Option<u16> {
        match self {
            Self::This(_) => None,
            Self::Listed(list) => Some(list),
        }
    }

    /// Whether a packet can have it, of which `has` tells whether it has this. Lists are not looked at.
    #[inline]
    pub(crate) fn can_be(self, has: impl FnOnce(T) -> bool) -> bool {
        self.this().is_none_or(has)
    }
}

/// The parts of a list, with commas or space between them.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let parts = text.split(|c: char| c == ',' || c.is_whitespace());
    parts.filter(|part| !part.is_empty())
}

/// The prefixes of a list. A failure comes with the part that it is about.
pub(crate) fn parse(text: &str) -> impl Iterator<Item = Result<Prefix, (&str, BadPrefix)>> {
    parts(text).map(|part| Prefix::parse(part).map_err(|bad| (part, bad)))
}

/// The ports and ranges of ports of a list. A failure is the part that is none.
pub(crate) fn parse_ports(text: &str) -> impl Iterator<Item = Result<Range, &str>> {
    parts(text).map(|part| range(part, u16::MAX.into()).ok_or(part))
}

// --- A set of ports has a bit for each ---

/// Its words.
pub(crate) const WORDS: usize = 1 << 10;

/// Puts a range in. As long as there are words.
pub(crate) fn insert(words: &mut [u64], range: Range) {
    for (word, mask) in masks(range) {
        if let Some(word) = words.get_mut(word) {
            *word |= mask;
        }
    }
}

/// The words that a range has bits in, by their index.
fn masks((first, last): Range) -> impl Iterator<Item = (usize, u64)> {
    let bits_from = |port: u16| u64::MAX.wrapping_shl(u32::from(port & 63));
    let bits_to = |port: u16| u64::MAX.wrapping_shr(u32::from(!port & 63));
    (first >> 6..=last >> 6).map(move |word| {
        let from = if word == first >> 6 {
            bits_from(first)
        } else {
            u64::MAX
        };
        let to = if word == last >> 6 {
            bits_to(last)
        } else {
            u64::MAX
        };
        (usize::from(word), from & to)
    })
}

#[inline]
pub(crate) fn has(words: &[u64], port: u16) -> bool {
    let word = words.get(usize::from(port >> 6));
    word.is_some_and(|word| word.wrapping_shr(u32::from(port & 63)) & 1 != 0)
}

/// The longest ranges that are in a set, in order.
pub(crate) fn ranges(words: &[u64]) -> impl Iterator<Item = Range> + '_ {
    let mut next = Some(0u16);
    from_fn(move || {
        let first = (next?..=u16::MAX).find(|&port| has(words, port))?;
        next = (first..=u16::MAX).find(|&port| !has(words, port));
        Some((first, next.map_or(u16::MAX, |next| next.wrapping_sub(1))))
    })
}
