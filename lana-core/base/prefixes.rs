// SPDX-License-Identifier: GPL-2.0

//! Tables of prefixes: the value of the longest prefix that has an address.
//!
//! A table is made once, and looked up in often. It holds ranges of addresses that do not overlap, in order, each with
//! the value of the longest prefix there. So a lookup is a binary search, and its cost does not depend on how prefixes
//! are nested. Every 64th range is in an array of its own, which is small enough for a cache: with a million ranges,
//! the search leaves it once, for 64 neighbours.

use super::{
    address::{Address, Prefix},
    heap, try_push, List, NoMemory,
};

/// How many ranges there are between two samples.
const STRIDE: usize = 64;

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
        let mut table = Self {
            v4: Ranges::new(),
            v6: Ranges::new(),
        };
        let (mut v4, mut v6) = (Nesting(List::new()), Nesting(List::new()));
        for &mut (prefix, value) in prefixes {
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
        table.v4.sample()?;
        table.v6.sample()?;
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

/// Addresses as numbers.
trait Number: Copy + Ord {
    /// The next one.
    fn next(self) -> Option<Self>;
}

impl Number for u32 {
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl Number for u128 {
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

/// Ranges of addresses, each of which ends where the next one begins.
struct Ranges<A, V> {
    firsts: List<A>,
    values: List<Option<V>>,
    /// The first address of each [`STRIDE`]th range.
    samples: List<A>,
}

impl<A: Number, V: Copy + PartialEq> Ranges<A, V> {
    fn new() -> Self {
        Self {
            firsts: List::new(),
            values: List::new(),
            samples: List::new(),
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

    fn sample(&mut self) -> Result<(), NoMemory> {
        for &first in self.firsts.iter().step_by(STRIDE) {
            try_push(&mut self.samples, first)?;
        }
        Ok(())
    }

    #[inline]
    fn find(&self, address: A) -> Option<V> {
        let is_before = |first: &A| *first <= address;
        let sample = self.samples.partition_point(is_before).checked_sub(1)?;
        let start = sample.checked_mul(STRIDE)?;
        let rest = self.firsts.get(start..)?;
        let near = rest.get(..STRIDE).unwrap_or(rest);
        let at = near.partition_point(is_before).checked_sub(1)?;
        *self.values.get(start.checked_add(at)?)?
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
mod tests {
    use super::*;

    fn table(prefixes: &[(&str, u16)]) -> Prefixes<u16> {
        let parse = |&(text, value): &(&str, u16)| (Prefix::parse(text).unwrap(), value);
        let mut prefixes: Vec<_> = prefixes.iter().map(parse).collect();
        Prefixes::new(&mut prefixes).unwrap()
    }

    fn find(table: &Prefixes<u16>, address: &str) -> Option<u16> {
        match Address::parse(address).unwrap() {
            Address::V4(address) => table.find_v4(address),
            Address::V6(address) => table.find_v6(address),
        }
    }

    #[test]
    fn the_longest_prefix_counts() {
        let table = table(&[
            ("10.1.0.0/16", 2),
            ("0.0.0.0/0", 0),
            ("10.0.0.0/8", 1),
            ("10.1.255.255", 3),
            ("10.255.0.0/16", 4),
            ("::/0", 5),
            ("2001:db8::/32", 6),
        ]);
        for (address, value) in [
            ("0.0.0.0", 0),
            ("9.255.255.255", 0),
            ("10.0.0.0", 1),
            ("10.1.0.0", 2),
            ("10.1.255.254", 2),
            ("10.1.255.255", 3),
            ("10.2.0.0", 1),
            ("10.255.255.255", 4),
            ("11.0.0.0", 0),
            ("255.255.255.255", 0),
            ("::", 5),
            ("2001:db8::1", 6),
            ("2001:db9::", 5),
        ] {
            assert_eq!(find(&table, address), Some(value), "{address}");
        }
    }

    #[test]
    fn what_no_prefix_has_is_not_found() {
        let empty = table(&[]);
        let one = table(&[("192.0.2.0/24", 1)]);
        for address in [
            "0.0.0.0",
            "192.0.1.255",
            "192.0.3.0",
            "255.255.255.255",
            "::",
        ] {
            assert_eq!(find(&empty, address), None);
            assert_eq!(find(&one, address), None);
        }
        let last = table(&[("255.255.255.255", 7), ("ffff::/16", 8)]);
        assert_eq!(find(&last, "255.255.255.255"), Some(7));
        assert_eq!(find(&last, "255.255.255.254"), None);
        assert_eq!(find(&last, "ffff:ffff::"), Some(8));
    }

    #[test]
    fn all_lengths_can_be_nested() {
        let mut prefixes = Vec::new();
        for length in 0..=128_u16 {
            prefixes.push((Prefix::parse(&format!("::/{length}")).unwrap(), length));
        }
        let table = Prefixes::new(&mut prefixes).unwrap();
        assert_eq!(table.find_v6(0), Some(128));
        for bit in 0..128_u16 {
            assert_eq!(table.find_v6(1 << bit), Some(127 - bit));
        }
    }

    #[test]
    fn lookup_agrees_with_a_search_of_all() {
        let mut seed = 1_u32;
        let mut next = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed >> 8
        };
        for count in 0..400 {
            let some = (0..count).map(|_| {
                let length = 20 + next() % 13;
                let first = 0x0a00_0000 | next() & 0xfff & (!0_u64 << (32 - length)) as u32;
                let text = format!("{}/{length}", Address::V4(first));
                (Prefix::parse(&text).unwrap(), (next() % 5) as u16)
            });
            let mut prefixes: Vec<_> = some.collect();
            prefixes.sort_by_key(|&(prefix, _)| prefix);
            prefixes.dedup_by_key(|&mut (prefix, _)| prefix);
            let table = Prefixes::new(&mut prefixes).unwrap();
            for address in (0x09ff_fff0..0x0a00_1010).step_by(1 + count / 10) {
                let all = prefixes.iter().filter(|(prefix, _)| prefix.has_v4(address));
                let longest = all.max_by_key(|(prefix, _)| prefix.length());
                assert_eq!(table.find_v4(address), longest.map(|&(_, value)| value));
            }
        }
    }

    #[test]
    fn a_prefix_can_be_there_twice() {
        for value in [1, 2] {
            let table = table(&[("10.0.0.0/8", 1), ("10.0.0.0/8", value), ("10.0.0.0/9", 3)]);
            assert_eq!(find(&table, "10.0.0.1"), Some(3));
            assert!(find(&table, "10.200.0.1").is_some());
            assert_eq!(find(&table, "11.0.0.0"), None);
        }
    }
}
