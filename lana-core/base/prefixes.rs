// SPDX-License-Identifier: GPL-2.0

//! Tables of prefixes: the value of the longest prefix that has an address.
//!
//! A table is made once, and looked up in often. It holds ranges of addresses that do not overlap, in order, each with
//! the value of the longest prefix there. So a lookup is a binary search, and its cost does not depend on how prefixes
//! are nested. An index by the first bits of an address leads to the few ranges to search, as the first level of
//! DIR-24-8 does (Gupta, Lin, McKeown: Routing Lookups in Hardware at Memory Access Speeds, 1998). It has an entry for
//! about four ranges. So a lookup reads about three lines of memory, however many prefixes there are. It takes longer
//! if the prefixes have their first bits in common, but never more steps than without the index.

use super::{
    address::{Address, Prefix},
    heap, try_push, List, NoMemory,
};

/// How many ranges there are for an entry of the index, on average; at most.
const STRIDE: usize = 4;

/// Values of prefixes.
pub struct Prefixes<V> {
    v4: Ranges<u32, V>,
    v6: Ranges<u128, V>,
}

impl<V: Copy + PartialEq> Prefixes<V> {
    /// Makes a table of prefixes, which are sorted by this. Of prefixes that are equal, one counts. `ENOMEM` without
    /// memory: two ranges for each prefix at most. Process context, may sleep.
    pub fn new(prefixes: &mut [(Prefix, V)]) -> Result<Self, NoMemory> {
        heap::sort(prefixes, |(one, _), (other, _)| one < other);
        Self::of(prefixes.iter().copied())
    }

    /// The same of prefixes that are in order.
    fn of(prefixes: impl Iterator<Item = (Prefix, V)>) -> Result<Self, NoMemory> {
        let mut table = Self {
            v4: Ranges::new(),
            v6: Ranges::new(),
        };
        let (mut v4, mut v6) = (Nesting(List::new()), Nesting(List::new()));
        for (prefix, value) in prefixes {
            match (prefix.first(), prefix.last()) {
                (Address::V4(first), Address::V4(last)) => {
                    v4.enter(&mut table.v4, first, last, value)?;
                }
                (Address::V6(first), Address::V6(last)) => {
                    v6.enter(&mut table.v6, first, last, value)?;
                }
                _ => {}
            }
        }
        v4.leave(&mut table.v4, |_| true)?;
        v6.leave(&mut table.v6, |_| true)?;
        table.v4.make_index()?;
        table.v6.make_index()?;
        Ok(table)
    }

    /// The value of the longest prefix that has an address. Any context.
    #[inline]
    pub fn find_v4(&self, address: u32) -> Option<V> {
        self.v4.find(address)
    }

    /// The same of IPv6.
    #[inline]
    pub fn find_v6(&self, address: u128) -> Option<V> {
        self.v6.find(address)
    }
}

/// Prefixes in order, each once, with a value each. One of IPv4 takes 8 bytes, one of IPv6 takes 32, with values of two
/// bytes at most.
pub struct PrefixSet<V = ()> {
    v4: List<Item<u32, V>>,
    v6: List<Item<u128, V>>,
}

/// First address, length and value of a prefix.
type Item<A, V> = (A, u8, V);

impl<V: Copy + PartialEq> PrefixSet<V> {
    /// One without prefixes.
    pub const fn new() -> Self {
        Self {
            v4: List::new(),
            v6: List::new(),
        }
    }

    /// Adds a prefix, to be [sorted](Self::sort) in. Sleeps.
    pub fn push(&mut self, prefix: Prefix, value: V) -> Result<(), NoMemory> {
        match prefix.first() {
            Address::V4(first) => try_push(&mut self.v4, (first, prefix.length(), value)),
            Address::V6(first) => try_push(&mut self.v6, (first, prefix.length(), value)),
        }
    }

    /// Puts the prefixes in order, and leaves out those that are there already with the same value. Says which one is
    /// there with another value, if one is: then this is no set.
    pub fn sort(&mut self) -> Result<(), Prefix> {
        sort(&mut self.v4);
        sort(&mut self.v6);
        let twice_v4 = twice(&self.v4).map(|&(first, len, _)| (Address::V4(first), len));
        let twice_v6 = twice(&self.v6).map(|&(first, len, _)| (Address::V6(first), len));
        match twice_v4.or(twice_v6) {
            None => Ok(()),
            Some((first, len)) => Err(Prefix::new(first, len)),
        }
    }

    /// Whether a prefix is one of them, which are [sorted](Self::sort). One that is in another prefix is not for that.
    pub fn has(&self, prefix: Prefix) -> bool {
        let len = prefix.length();
        match prefix.first() {
            Address::V4(first) => self.v4.binary_search_by_key(&(first, len), key).is_ok(),
            Address::V6(first) => self.v6.binary_search_by_key(&(first, len), key).is_ok(),
        }
    }

    /// These and those of another set, both of which are [sorted](Self::sort). Of one that is in both, the value in the
    /// other one counts. Sleeps.
    pub fn with(&self, other: &Self) -> Result<Self, NoMemory> {
        Ok(Self {
            v4: union(&self.v4, &other.v4)?,
            v6: union(&self.v6, &other.v6)?,
        })
    }

    /// These without those of another set, both of which are [sorted](Self::sort). Sleeps.
    pub fn without<W: Copy>(&self, other: &PrefixSet<W>) -> Result<Self, NoMemory> {
        Ok(Self {
            v4: difference(&self.v4, &other.v4)?,
            v6: difference(&self.v6, &other.v6)?,
        })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.v4.len().saturating_add(self.v6.len())
    }

    /// One by its number, and its value.
    pub fn get(&self, number: usize) -> Option<(Prefix, V)> {
        match number.checked_sub(self.v4.len()) {
            None => {
                let &(first, len, value) = self.v4.get(number)?;
                Some((Prefix::new(Address::V4(first), len), value))
            }
            Some(number) => {
                let &(first, len, value) = self.v6.get(number)?;
                Some((Prefix::new(Address::V6(first), len), value))
            }
        }
    }

    /// All, in order, each with its value.
    pub fn iter(&self) -> impl Iterator<Item = (Prefix, V)> + '_ {
        (0..self.count()).filter_map(|number| self.get(number))
    }

    /// A table of them, which are [sorted](Self::sort). `ENOMEM` as of [`Prefixes::new`]. Sleeps.
    pub fn table(&self) -> Result<Prefixes<V>, NoMemory> {
        Prefixes::of(self.iter())
    }
}

impl<V: Copy + PartialEq> Default for PrefixSet<V> {
    fn default() -> Self {
        Self::new()
    }
}

/// What items are in order by.
fn key<A: Copy, V>(&(first, len, _): &Item<A, V>) -> (A, u8) {
    (first, len)
}

/// What is in one of two lists in order; what is in both is that of the other one.
fn union<A: Number, V: Copy>(
    one: &[Item<A, V>],
    other: &[Item<A, V>],
) -> Result<List<Item<A, V>>, NoMemory> {
    let (mut one, mut other) = (one.iter().peekable(), other.iter().peekable());
    let mut all = List::new();
    loop {
        let next = match (one.peek().copied().map(key), other.peek().copied().map(key)) {
            (Some(first), Some(second)) if first == second => {
                one.next();
                other.next()
            }
            (Some(first), Some(second)) if first > second => other.next(),
            (Some(_), _) => one.next(),
            (None, _) => other.next(),
        };
        match next {
            Some(item) => try_push(&mut all, *item)?,
            None => return Ok(all),
        }
    }
}

/// What is in the first of two lists in order, and not in the second.
fn difference<A: Number, V: Copy, W>(
    one: &[Item<A, V>],
    other: &[Item<A, W>],
) -> Result<List<Item<A, V>>, NoMemory> {
    let mut other = other.iter().peekable();
    let mut rest = List::new();
    for item in one {
        while other.next_if(|second| key(second) < key(item)).is_some() {}
        if other.peek().copied().map(key) != Some(key(item)) {
            try_push(&mut rest, *item)?;
        }
    }
    Ok(rest)
}

fn sort<A: Number, V: Copy + PartialEq>(list: &mut List<Item<A, V>>) {
    // What was saved is in order, and large lists take long to sort.
    if !list.is_sorted_by_key(key) {
        heap::sort(list, |one, other| key(one) < key(other));
    }
    let mut last = None;
    list.retain(|item| last.replace(*item) != Some(*item));
}

/// The first of a list in order that is there once more.
fn twice<A: Number, V>(list: &[Item<A, V>]) -> Option<&Item<A, V>> {
    let pairs = list.iter().zip(list.iter().skip(1));
    let mut same = pairs.filter(|(one, next)| key(one) == key(next));
    same.next().map(|(one, _)| one)
}

/// Addresses as numbers.
trait Number: Copy + Ord {
    const ZERO: Self;

    /// The next one.
    fn next(self) -> Option<Self>;
    /// How many bits the distance from another one has, which is not larger.
    fn bits_from(self, base: Self) -> u32;
    /// The first bits of that distance, without the last `shift`. None if the other one is larger.
    fn bucket(self, base: Self, shift: u32) -> Option<usize>;
}

macro_rules! number {
    ($($type:ty),*) => { $(
        impl Number for $type {
            const ZERO: Self = 0;

            fn next(self) -> Option<Self> {
                self.checked_add(1)
            }

            fn bits_from(self, base: Self) -> u32 {
                Self::BITS.saturating_sub(self.saturating_sub(base).leading_zeros())
            }

            #[inline]
            fn bucket(self, base: Self, shift: u32) -> Option<usize> {
                let first = self.checked_sub(base)?.checked_shr(shift).unwrap_or(0);
                Some(usize::try_from(first).unwrap_or(usize::MAX))
            }
        }
    )* };
}

number!(u32, u128);

/// Ranges of addresses, each of which ends where the next one begins.
struct Ranges<A, V> {
    firsts: List<A>,
    values: List<Option<V>>,
    /// The first address of the first range.
    base: A,
    /// An entry of the index is for addresses with the same distance from the base, without that many bits.
    shift: u32,
    /// For each entry the number of the first range that begins in it or behind it; and how many ranges there are.
    index: List<u32>,
}

impl<A: Number, V: Copy + PartialEq> Ranges<A, V> {
    fn new() -> Self {
        Self {
            firsts: List::new(),
            values: List::new(),
            base: A::ZERO,
            shift: 0,
            index: List::new(),
        }
    }

    /// From here on, addresses have this value.
    fn begin(&mut self, first: A, value: Option<V>) -> Result<(), NoMemory> {
        let is_same = self.firsts.last() == Some(&first);
        match self.values.last_mut() {
            Some(last) if is_same => *last = value,
            Some(last) if *last == value => {}
            _ => {
                try_push(&mut self.firsts, first)?;
                try_push(&mut self.values, value)?;
            }
        }
        Ok(())
    }

    /// Makes the index, when all ranges are there.
    fn make_index(&mut self) -> Result<(), NoMemory> {
        let (Some(&base), Some(last)) = (self.firsts.first(), self.firsts.last()) else {
            return Ok(());
        };
        let bits = (self.firsts.len() / STRIDE).checked_ilog2();
        self.base = base;
        self.shift = last.bits_from(base).saturating_sub(bits.unwrap_or(0));
        for (number, first) in (0..).zip(self.firsts.iter()) {
            let bucket = first.bucket(base, self.shift).unwrap_or(0);
            while self.index.len() <= bucket {
                try_push(&mut self.index, number)?;
            }
        }
        try_push(&mut self.index, self.firsts.len() as u32)
    }

    #[inline]
    fn find(&self, address: A) -> Option<V> {
        let last = self.index.len().checked_sub(2)?;
        let bucket = address.bucket(self.base, self.shift)?.min(last);
        let &[start, end] = self.index.get(bucket..)?.first_chunk()?;
        let near = self.firsts.get(start as usize..end as usize)?;
        let before = near.partition_point(|first| *first <= address);
        let at = (start as usize).checked_add(before)?.checked_sub(1)?;
        *self.values.get(at)?
    }
}

/// The prefixes that the one which was added last is in, and that one: at most one of each length.
struct Nesting<A, V>(List<(A, V)>);

impl<A: Number, V: Copy + PartialEq> Nesting<A, V> {
    /// Adds a prefix, behind all that come before it.
    fn enter(
        &mut self,
        to: &mut Ranges<A, V>,
        first: A,
        last: A,
        value: V,
    ) -> Result<(), NoMemory> {
        self.leave(to, |end| end < first)?;
        to.begin(first, Some(value))?;
        // One that ends where the last one does hides it from here on.
        match self.0.last_mut().filter(|(end, _)| *end == last) {
            Some(top) => *top = (last, value),
            None => try_push(&mut self.0, (last, value))?,
        }
        Ok(())
    }

    /// Ends the prefixes of which the last addresses are `done`.
    fn leave(&mut self, to: &mut Ranges<A, V>, done: impl Fn(A) -> bool) -> Result<(), NoMemory> {
        while let Some(&(last, _)) = self.0.last().filter(|&&(last, _)| done(last)) {
            self.0.pop();
            if let Some(next) = last.next() {
                to.begin(next, self.0.last().map(|&(_, value)| value))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "prefixes/tests.rs"]
mod tests;
