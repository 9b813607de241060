// SPDX-License-Identifier: GPL-2.0

//! Lists of addresses and prefixes that the block answers for, and looking one up.

use core::fmt;

use super::address::{is_host_v4, is_host_v6, Address, BadPrefix, Prefix};

/// What tells the sources of packets apart: of IPv6, where a host has a whole network to choose from, that
/// network (/64).
pub(crate) fn origin(address: Address) -> [u64; 2] {
    match address {
        Address::V4(a) => [4, u64::from(a)],
        Address::V6(a) => [6, (a >> 64) as u64],
    }
}

/// What is wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    Prefix(BadPrefix),
    /// No host can have this address.
    Host,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bad::Prefix(bad) => bad.fmt(f),
            Bad::Host => f.write_str("is no address of a host"),
        }
    }
}

fn prefix(text: &str) -> Result<Prefix, Bad> {
    let prefix = Prefix::parse(text).map_err(Bad::Prefix)?;
    if prefix.is_single() && !prefix.first().is_host() {
        return Err(Bad::Host);
    }
    Ok(prefix)
}

/// Reads a list: addresses and prefixes with commas between them; `all` is all of both. A failure
/// comes with the part of the text that it is about. An empty text is an empty list.
pub(crate) fn parse(text: &str) -> impl Iterator<Item = Result<Prefix, (&str, Bad)>> {
    let some = !text.trim().is_empty();
    let parts = text.split(',').map(str::trim).filter(move |_| some);
    parts.flat_map(|part| {
        let found = match part {
            "all" => Prefix::ALL.map(|all| Some(Ok(all))),
            part => [Some(prefix(part).map_err(|bad| (part, bad))), None],
        };
        found.into_iter().flatten()
    })
}

/// The first and the last of addresses that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Range {
    V4(u32, u32),
    V6(u128, u128),
}

/// What prefixes cover, which are in order: gives each range to `push`, in order and apart from each
/// other.
pub(crate) fn ranges<E>(
    prefixes: &[Prefix],
    mut push: impl FnMut(Range) -> Result<(), E>,
) -> Result<(), E> {
    let mut end = None;
    for prefix in prefixes {
        // Of two prefixes that have an address in common one is in the other, and comes after it.
        let last = prefix.last();
        if end >= Some(last) {
            continue;
        }
        end = Some(last);
        match (prefix.first(), last) {
            (Address::V4(first), Address::V4(last)) => push(Range::V4(first, last))?,
            (Address::V6(first), Address::V6(last)) => push(Range::V6(first, last))?,
            _ => {}
        }
    }
    Ok(())
}

/// The addresses that are answered for.
pub(crate) trait Ours {
    /// Their prefixes, in order.
    fn prefixes(&self) -> &[Prefix];
    /// What these cover, as [`ranges`] tells.
    fn v4(&self) -> &[(u32, u32)];
    fn v6(&self) -> &[(u128, u128)];

    /// Whether this one is.
    #[inline(always)]
    fn have_v4(&self, address: u32) -> bool {
        is_within(self.v4(), address) && is_host_v4(address)
    }

    /// Whether this one is.
    #[inline(always)]
    fn have_v6(&self, address: u128) -> bool {
        is_within(self.v6(), address) && is_host_v6(address)
    }

    /// Whether this one was named by itself.
    fn name(&self, address: Address) -> bool {
        let single = Prefix::single(address);
        self.prefixes().binary_search(&single).is_ok()
    }
}

#[inline(always)]
fn is_within<T: Copy + Ord>(ranges: &[(T, T)], address: T) -> bool {
    match *ranges {
        // What most have.
        [(first, last)] => first <= address && address <= last,
        _ => is_in_one(ranges, address),
    }
}

fn is_in_one<T: Copy + Ord>(ranges: &[(T, T)], address: T) -> bool {
    let behind = ranges.partition_point(|&(first, _)| first <= address);
    let range = behind.checked_sub(1).and_then(|at| ranges.get(at));
    range.is_some_and(|&(_, last)| address <= last)
}

/// Sorts by insertion: a list that grows at its end is nearly sorted, and the library's sort has a
/// branch that panics.
pub(crate) fn sort(list: &mut [Prefix]) {
    for end in 0..list.len() {
        let mut rest = list.get_mut(..=end).unwrap_or_default();
        while let [lower @ .., high] = rest {
            match lower.last_mut() {
                Some(low) if *low > *high => core::mem::swap(low, high),
                _ => break,
            }
            rest = lower;
        }
    }
}

/// Such a list, for tests.
#[cfg(test)]
pub(crate) struct List {
    prefixes: Vec<Prefix>,
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

#[cfg(test)]
impl List {
    pub(crate) fn new(mut prefixes: Vec<Prefix>) -> Self {
        sort(&mut prefixes);
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        ranges(&prefixes, |range| {
            match range {
                Range::V4(first, last) => v4.push((first, last)),
                Range::V6(first, last) => v6.push((first, last)),
            }
            Ok::<_, ()>(())
        })
        .unwrap();
        Self { prefixes, v4, v6 }
    }

    pub(crate) fn of(text: &str) -> Self {
        Self::new(parse(text).map(Result::unwrap).collect())
    }
}

#[cfg(test)]
impl Ours for List {
    fn prefixes(&self) -> &[Prefix] {
        &self.prefixes
    }
    fn v4(&self) -> &[(u32, u32)] {
        &self.v4
    }
    fn v6(&self) -> &[(u128, u128)] {
        &self.v6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<Prefix> {
        let mut list: Vec<_> = parse(text).map(Result::unwrap).collect();
        let mut sorted = list.clone();
        sort(&mut sorted);
        list.sort_unstable();
        assert_eq!(sorted, list);
        list
    }

    fn has(list: &List, address: Address) -> bool {
        match address {
            Address::V4(a) => list.have_v4(a),
            Address::V6(a) => list.have_v6(a),
        }
    }

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    fn shown(list: &[Prefix]) -> String {
        let texts: Vec<_> = list.iter().map(ToString::to_string).collect();
        texts.join(",")
    }

    #[test]
    fn texts_are_read_and_shown() {
        let text = "10.0.0.0/8,192.0.2.1,2001:db8::/32,2001:db8::1";
        assert_eq!(shown(&list(text)), text);
        assert_eq!(
            shown(&list(" 192.0.2.1 , 10.0.0.0/8 ")),
            "10.0.0.0/8,192.0.2.1"
        );
        assert_eq!(
            shown(&list("192.0.2.1/32,2001:db8::1/128")),
            "192.0.2.1,2001:db8::1"
        );
        assert_eq!(shown(&list("all")), "0.0.0.0/0,::/0");
        assert_eq!(shown(&list("all,192.0.2.1")), "0.0.0.0/0,192.0.2.1,::/0");
        assert_eq!(list(""), []);
        assert_eq!(list("  "), []);
    }

    #[test]
    fn bad_texts_are_told() {
        let bad = |text| parse(text).find_map(Result::err);
        for text in [
            "x",
            "192.0.2",
            "192.0.2.1/",
            "192.0.2.1/+8",
            "192.0.2.1/x",
            "1.2.3.4/999",
            "::g",
            "::/0x8",
        ] {
            assert_eq!(
                bad(text),
                Some((text, Bad::Prefix(BadPrefix::Text))),
                "{text}"
            );
        }
        assert_eq!(
            bad("10.0.0.1,,10.0.0.2"),
            Some(("", Bad::Prefix(BadPrefix::Text)))
        );
        assert_eq!(bad("10.0.0.1,"), Some(("", Bad::Prefix(BadPrefix::Text))));
        assert_eq!(
            bad("10.0.0.1,10.0.0.0/33"),
            Some(("10.0.0.0/33", Bad::Prefix(BadPrefix::Length)))
        );
        assert_eq!(
            bad("::/129"),
            Some(("::/129", Bad::Prefix(BadPrefix::Length)))
        );
        assert_eq!(
            bad("10.0.0.1/8"),
            Some(("10.0.0.1/8", Bad::Prefix(BadPrefix::Bits)))
        );
        assert_eq!(
            bad("2001:db8::1/64"),
            Some(("2001:db8::1/64", Bad::Prefix(BadPrefix::Bits)))
        );
        for text in [
            "0.0.0.0",
            "127.0.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
        ] {
            assert_eq!(bad(text), Some((text, Bad::Host)), "{text}");
        }
        for text in ["::", "::1", "ff02::1", "::ffff:192.0.2.1"] {
            assert_eq!(bad(text), Some((text, Bad::Host)), "{text}");
        }
    }

    #[test]
    fn who_can_be_a_host() {
        for text in ["1.0.0.0", "126.255.255.255", "128.0.0.0", "223.255.255.255"] {
            assert!(address(text).is_host(), "{text}");
        }
        for text in [
            "0.255.255.255",
            "127.255.255.255",
            "224.0.0.0",
            "255.255.255.255",
        ] {
            assert!(!address(text).is_host(), "{text}");
        }
        for text in [
            "::2",
            "fe80::1",
            "2001:db8::",
            "feff::",
            "::fffe:0:0",
            "::1:ffff:0:0",
        ] {
            assert!(address(text).is_host(), "{text}");
        }
        for text in ["::", "::1", "ff00::", "ffff::", "::ffff:1.2.3.4"] {
            assert!(!address(text).is_host(), "{text}");
        }
    }

    #[test]
    fn origins() {
        let origin = |text| super::origin(address(text));
        assert_ne!(origin("192.0.2.1"), origin("192.0.2.2"));
        assert_eq!(origin("2001:db8::1"), origin("2001:db8::ffff:0:0:1"));
        assert_ne!(origin("2001:db8::1"), origin("2001:db8:0:1::1"));
        assert_ne!(origin("::192.0.2.1"), origin("192.0.2.1"));
    }

    #[test]
    fn ranges_are_apart() {
        assert_eq!(List::of("").v4, []);
        assert_eq!(List::of("10.0.0.1").v4, [(0x0a00_0001, 0x0a00_0001)]);
        let nested =
            List::of("10.0.0.0/8,10.0.0.0/16,10.1.2.3,10.255.255.255,11.0.0.0/32,::/0,2001:db8::1");
        assert_eq!(
            nested.v4,
            [(0x0a00_0000, 0x0aff_ffff), (0x0b00_0000, 0x0b00_0000)]
        );
        assert_eq!(nested.v6, [(0, u128::MAX)]);
    }

    #[test]
    fn what_is_looked_up_is_found() {
        let ours = List::of("192.0.2.1,192.0.2.7,198.51.100.0/24,2001:db8::1,2001:db8:1::/48");
        for text in [
            "192.0.2.1",
            "192.0.2.7",
            "198.51.100.0",
            "198.51.100.255",
            "2001:db8::1",
            "2001:db8:1:ffff::9",
        ] {
            assert!(has(&ours, address(text)), "{text}");
        }
        for text in [
            "192.0.2.0",
            "192.0.2.2",
            "198.51.99.255",
            "198.51.101.0",
            "2001:db8::",
            "2001:db8:2::",
            "::192.0.2.1",
        ] {
            assert!(!has(&ours, address(text)), "{text}");
        }
        assert!(ours.name(address("192.0.2.7")) && ours.name(address("2001:db8::1")));
        assert!(!ours.name(address("198.51.100.0")) && !ours.name(address("192.0.2.2")));
    }

    #[test]
    fn all_are_all_that_can_be_hosts() {
        let ours = List::of("all,192.0.2.1");
        for text in [
            "1.2.3.4",
            "192.0.2.1",
            "223.1.1.1",
            "2001:db8::1",
            "fe80::1",
        ] {
            assert!(has(&ours, address(text)), "{text}");
        }
        for text in [
            "0.0.0.0",
            "127.0.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "ff02::1",
        ] {
            assert!(!has(&ours, address(text)), "{text}");
        }
        assert!(ours.name(address("192.0.2.1")) && !ours.name(address("192.0.2.2")));
    }

    #[test]
    fn lookup_agrees_with_a_search_of_all() {
        // Small addresses of all lengths, so that prefixes are often in each other.
        let mut seed = 1u32;
        let mut next = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed >> 8
        };
        for _ in 0..200 {
            let some = (0..next() % 12).map(|_| {
                let len = 24 + (next() % 9) as u8;
                let first = Address::V4(0x0a00_0000 | next() & 0xff & !0 << (32 - len));
                Prefix::parse(&format!("{first}/{len}")).unwrap()
            });
            let ours = List::new(some.collect());
            for low in 0..=0x1ff {
                let address = Address::V4(0x0a00_0000 | low);
                let within = |p: &Prefix| p.first() <= address && address <= p.last();
                assert_eq!(has(&ours, address), ours.prefixes.iter().any(within));
            }
        }
    }
}
