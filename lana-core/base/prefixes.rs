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

/// Prefixes in order, each once. One of IPv4 takes 8 bytes, one of IPv6 takes 32.
pub struct PrefixSet {
    /// First address and length.
    v4: List<(u32, u8)>,
    v6: List<(u128, u8)>,
}

impl PrefixSet {
    /// One without prefixes.
    pub const fn new() -> Self {
        Self {
            v4: List::new(),
            v6: List::new(),
        }
    }

    /// Adds a prefix, to be [sorted](Self::sort) in. Sleeps.
    pub fn push(&mut self, prefix: Prefix) -> Result<(), NoMemory> {
        match prefix.first() {
            Address::V4(first) => try_push(&mut self.v4, (first, prefix.length())),
            Address::V6(first) => try_push(&mut self.v6, (first, prefix.length())),
        }
    }

    /// Puts the prefixes in order, and leaves out those that are there already.
    pub fn sort(&mut self) {
        sort(&mut self.v4);
        sort(&mut self.v6);
    }

    /// Whether a prefix is one of them, which are [sorted](Self::sort). One that is in another prefix is not for that.
    pub fn has(&self, prefix: Prefix) -> bool {
        let len = prefix.length();
        match prefix.first() {
            Address::V4(first) => self.v4.binary_search(&(first, len)).is_ok(),
            Address::V6(first) => self.v6.binary_search(&(first, len)).is_ok(),
        }
    }

    /// These and those of another set, both of which are [sorted](Self::sort). Sleeps.
    pub fn with(&self, other: &Self) -> Result<Self, NoMemory> {
        Ok(Self {
            v4: union(&self.v4, &other.v4)?,
            v6: union(&self.v6, &other.v6)?,
        })
    }

    /// These without those of another set, both of which are [sorted](Self::sort). Sleeps.
    pub fn without(&self, other: &Self) -> Result<Self, NoMemory> {
        Ok(Self {
            v4: difference(&self.v4, &other.v4)?,
            v6: difference(&self.v6, &other.v6)?,
        })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.v4.len().saturating_add(self.v6.len())
    }

    /// One by its number.
    pub fn get(&self, number: usize) -> Option<Prefix> {
        match number.checked_sub(self.v4.len()) {
            None => {
                let &(first, len) = self.v4.get(number)?;
                Some(Prefix::new(Address::V4(first), len))
            }
            Some(number) => {
                let &(first, len) = self.v6.get(number)?;
                Some(Prefix::new(Address::V6(first), len))
            }
        }
    }

    /// All, in order.
    pub fn iter(&self) -> impl Iterator<Item = Prefix> + '_ {
        (0..self.count()).filter_map(|number| self.get(number))
    }

    /// A table of them, which are [sorted](Self::sort). `ENOMEM` as of [`Prefixes::new`]. Sleeps.
    pub fn table(&self) -> Result<Prefixes<()>, NoMemory> {
        Prefixes::of(self.iter().map(|prefix| (prefix, ())))
    }
}

impl Default for PrefixSet {
    fn default() -> Self {
        Self::new()
    }
}

/// What is in one of two lists in order.
fn union<T: Copy + Ord>(one: &[T], other: &[T]) -> Result<List<T>, NoMemory> {
    let (mut one, mut other) = (one.iter().peekable(), other.iter().peekable());
    let mut all = List::new();
    loop {
        let next = match (one.peek(), other.peek()) {
            (Some(first), Some(second)) if first == second => {
                other.next();
                one.next()
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
fn difference<T: Copy + Ord>(one: &[T], other: &[T]) -> Result<List<T>, NoMemory> {
    let mut other = other.iter().peekable();
    let mut rest = List::new();
    for item in one {
        while other.next_if(|second| *second < item).is_some() {}
        if other.peek() != Some(&item) {
            try_push(&mut rest, *item)?;
        }
    }
    Ok(rest)
}

fn sort<T: Copy + Ord>(list: &mut List<T>) {
    // What was saved is in order, and large lists take long to sort.
    if !list.is_sorted() {
        heap::sort(list, |one, other| one < other);
    }
    let mut last = None;
    list.retain(|item| last.replace(*item) != Some(*item));
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
    fn sets_are_in_order_and_have_each_once() {
        let texts = [
            "2001:db8::/32",
            "10.0.0.0/8",
            "192.0.2.1",
            "10.0.0.0/9",
            "10.0.0.0/8",
            "::/0",
            "2001:db8::/32",
        ];
        let mut set = PrefixSet::new();
        for text in texts {
            set.push(Prefix::parse(text).unwrap()).unwrap();
        }
        set.sort();
        let shown: Vec<_> = set.iter().map(|prefix| prefix.to_string()).collect();
        assert_eq!(
            shown,
            [
                "10.0.0.0/8",
                "10.0.0.0/9",
                "192.0.2.1",
                "::/0",
                "2001:db8::/32"
            ]
        );
        assert_eq!(set.count(), 5);
        assert_eq!(set.get(5), None);
        assert!(set.has(Prefix::parse("10.0.0.0/9").unwrap()));
        assert!(!set.has(Prefix::parse("10.0.0.0/10").unwrap()));
        let table = set.table().unwrap();
        assert_eq!(table.find_v4(0x0a80_0000), Some(()));
        assert_eq!(table.find_v4(0xc000_0200), None);
        assert_eq!(table.find_v6(7), Some(()));
    }

    #[test]
    fn sets_are_joined_and_taken_apart() {
        let set = |texts: &[&str]| {
            let mut set = PrefixSet::new();
            for text in texts {
                set.push(Prefix::parse(text).unwrap()).unwrap();
            }
            set.sort();
            set
        };
        let texts = |set: PrefixSet| {
            set.iter()
                .map(|prefix| prefix.to_string())
                .collect::<Vec<_>>()
        };
        let one = set(&["10.0.0.0/8", "192.0.2.0/24", "192.0.2.7", "::1"]);
        let other = set(&[
            "9.0.0.0/8",
            "192.0.2.0/24",
            "203.0.113.0/24",
            "::/0",
            "ff00::/8",
        ]);
        assert_eq!(
            texts(one.with(&other).unwrap()),
            [
                "9.0.0.0/8",
                "10.0.0.0/8",
                "192.0.2.0/24",
                "192.0.2.7",
                "203.0.113.0/24",
                "::/0",
                "::1",
                "ff00::/8"
            ]
        );
        assert_eq!(
            texts(one.without(&other).unwrap()),
            ["10.0.0.0/8", "192.0.2.7", "::1"]
        );
        assert_eq!(
            texts(other.without(&one).unwrap()),
            ["9.0.0.0/8", "203.0.113.0/24", "::/0", "ff00::/8"]
        );
        assert_eq!(texts(one.without(&one).unwrap()), [""; 0]);
        assert_eq!(texts(one.with(&PrefixSet::new()).unwrap()), texts(one));
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
