// SPDX-License-Identifier: GPL-2.0

//! Addresses of IPv4 and IPv6, lists of them and of prefixes, and looking one up.

use core::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// The address of an Ethernet device, as a number of 48 bits, of which the first byte is the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mac(u64);

impl Mac {
    /// All nodes of IPv6.
    pub(crate) const ALL_NODES: Self = Self(0x0100_0000_3333);

    /// The address in the first six of eight bytes.
    #[inline]
    pub(crate) fn read(bytes: [u8; 8]) -> Self {
        Self(u64::from_le_bytes(bytes) & 0xffff_ffff_ffff)
    }

    /// Whether more than one has it.
    #[inline]
    pub(crate) fn is_multicast(self) -> bool {
        self.0 & 1 != 0
    }

    pub(crate) fn bytes(self) -> [u8; 6] {
        let [bytes @ .., _, _] = self.0.to_le_bytes();
        bytes
    }

    /// What an Ethernet header to this address begins with.
    #[inline]
    pub(crate) fn with_source(self, source: Self) -> [u8; 12] {
        let both = u128::from(source.0) << 48 | u128::from(self.0);
        let [bytes @ .., _, _, _, _] = both.to_le_bytes();
        bytes
    }

    /// Reads a unicast address, `02:00:00:00:00:01`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut mac = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut mac {
            let part = parts.next().filter(|part| part.len() == 2)?;
            // What reads numbers takes a sign, which no number here has.
            *byte = u8::from_str_radix(part, 16)
                .ok()
                .filter(|_| !part.starts_with('+'))?;
        }
        let mac = Self::from(mac);
        (!mac.is_multicast() && mac.0 != 0 && parts.next().is_none()).then_some(mac)
    }
}

impl From<[u8; 6]> for Mac {
    #[inline]
    fn from([m0, m1, m2, m3, m4, m5]: [u8; 6]) -> Self {
        Self(u64::from_le_bytes([m0, m1, m2, m3, m4, m5, 0, 0]))
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut colon = "";
        for byte in self.bytes() {
            write!(f, "{colon}{byte:02x}")?;
            colon = ":";
        }
        Ok(())
    }
}

/// An address; its most significant bit is the first on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Address {
    /// Of IPv4.
    V4(u32),
    /// Of IPv6.
    V6(u128),
}

impl Address {
    fn bits(self) -> u8 {
        match self {
            Address::V4(_) => 32,
            Address::V6(_) => 128,
        }
    }

    /// Whether a host can have this address.
    #[inline]
    pub(crate) fn is_host(self) -> bool {
        match self {
            Address::V4(a) => is_host_v4(a),
            Address::V6(a) => is_host_v6(a),
        }
    }

    /// What tells the sources of packets apart: of IPv6, where a host has a whole network to choose
    /// from, that network (/64).
    pub(crate) fn origin(self) -> [u64; 2] {
        match self {
            Address::V4(a) => [4, u64::from(a)],
            Address::V6(a) => [6, (a >> 64) as u64],
        }
    }
}

/// Whether a host can have this address: not one of "this network", of the loopback, multicast,
/// reserved or broadcast.
#[inline]
pub(crate) fn is_host_v4(address: u32) -> bool {
    let first = address >> 24;
    first != 0 && first != 127 && first < 224
}

/// The same of IPv6: not none, the loopback, multicast; nor an IPv4 address in other clothes.
#[inline]
pub(crate) fn is_host_v6(address: u128) -> bool {
    address > 1 && address >> 120 != 0xff && address >> 32 != 0xffff
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Address::V4(a) => Ipv4Addr::from(a).fmt(f),
            Address::V6(a) => Ipv6Addr::from(a).fmt(f),
        }
    }
}

/// The addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Prefix {
    first: Address,
    len: u8,
}

/// What is wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    /// It is neither an address nor a prefix.
    Text,
    /// The prefix is longer than an address.
    Length,
    /// There are bits behind the prefix.
    Bits,
    /// No host can have this address.
    Host,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Bad::Text => "is no address or prefix",
            Bad::Length => "is longer than an address",
            Bad::Bits => "has bits behind its prefix",
            Bad::Host => "is no address of a host",
        })
    }
}

impl Prefix {
    /// All addresses of IPv4, all of IPv6.
    const ALL: [Self; 2] = [
        Self {
            first: Address::V4(0),
            len: 0,
        },
        Self {
            first: Address::V6(0),
            len: 0,
        },
    ];

    /// The prefix of which this address is all.
    pub(crate) fn single(address: Address) -> Self {
        Self {
            first: address,
            len: address.bits(),
        }
    }

    fn parse(text: &str) -> Result<Self, Bad> {
        let (address, len) = match text.split_once('/') {
            Some((address, len)) => (address, Some(len)),
            None => (text, None),
        };
        let first = match address.parse().map_err(|_| Bad::Text)? {
            IpAddr::V4(a) => Address::V4(a.into()),
            IpAddr::V6(a) => Address::V6(a.into()),
        };
        let len = match len {
            None => first.bits(),
            Some(len) if len.bytes().all(|b| b.is_ascii_digit()) => {
                len.parse().map_err(|_| Bad::Text)?
            }
            Some(_) => return Err(Bad::Text),
        };
        let prefix = Self { first, len };
        if len > first.bits() {
            return Err(Bad::Length);
        }
        if prefix.with(false) != first {
            return Err(Bad::Bits);
        }
        if len == first.bits() && !first.is_host() {
            return Err(Bad::Host);
        }
        Ok(prefix)
    }

    /// The first address, the bits behind the prefix all set or all cleared.
    fn with(self, set: bool) -> Address {
        let len = u32::from(self.len);
        match self.first {
            Address::V4(a) => {
                let mask = u32::MAX.checked_shr(len).unwrap_or(0);
                Address::V4(if set { a | mask } else { a & !mask })
            }
            Address::V6(a) => {
                let mask = u128::MAX.checked_shr(len).unwrap_or(0);
                Address::V6(if set { a | mask } else { a & !mask })
            }
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        if self.len < self.first.bits() {
            write!(f, "/{}", self.len)?;
        }
        Ok(())
    }
}

/// Reads a list: addresses and prefixes with commas between them; `all` is all of both. A failure
/// comes with the part of the text that it is about. An empty text is an empty list.
pub(crate) fn parse(text: &str) -> impl Iterator<Item = Result<Prefix, (&str, Bad)>> {
    let some = !text.trim().is_empty();
    let parts = text.split(',').map(str::trim).filter(move |_| some);
    parts.flat_map(|part| {
        let found = match part {
            "all" => Prefix::ALL.map(|all| Some(Ok(all))),
            part => [Some(Prefix::parse(part).map_err(|bad| (part, bad))), None],
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
        let last = prefix.with(true);
        if end >= Some(last) {
            continue;
        }
        end = Some(last);
        match (prefix.first, last) {
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
        Prefix::parse(text).map_or_else(
            |_| match text.parse().unwrap() {
                IpAddr::V4(a) => Address::V4(a.into()),
                IpAddr::V6(a) => Address::V6(a.into()),
            },
            |prefix| prefix.first,
        )
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
            assert_eq!(bad(text), Some((text, Bad::Text)), "{text}");
        }
        assert_eq!(bad("10.0.0.1,,10.0.0.2"), Some(("", Bad::Text)));
        assert_eq!(bad("10.0.0.1,"), Some(("", Bad::Text)));
        assert_eq!(
            bad("10.0.0.1,10.0.0.0/33"),
            Some(("10.0.0.0/33", Bad::Length))
        );
        assert_eq!(bad("::/129"), Some(("::/129", Bad::Length)));
        assert_eq!(bad("10.0.0.1/8"), Some(("10.0.0.1/8", Bad::Bits)));
        assert_eq!(bad("2001:db8::1/64"), Some(("2001:db8::1/64", Bad::Bits)));
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
    fn mac_addresses() {
        assert_eq!(
            Mac::parse("02:00:5e:0A:0b:ff"),
            Some(Mac::from([2, 0, 0x5e, 10, 11, 255]))
        );
        for text in [
            "",
            "02",
            "02:00:00:00:00",
            "02:00:00:00:00:01:02",
            "02:00:00:00:00:0",
            "2:0:0:0:0:1",
            "02:00:00:00:00:+1",
            "02:00:00:00:00:zz",
            "01:00:00:00:00:00",
            "00:00:00:00:00:00",
        ] {
            assert_eq!(Mac::parse(text), None, "{text}");
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
        let origin = |text| address(text).origin();
        assert_ne!(origin("192.0.2.1"), origin("192.0.2.2"));
        assert_eq!(origin("2001:db8::1"), origin("2001:db8::ffff:0:0:1"));
        assert_ne!(origin("2001:db8::1"), origin("2001:db8:0:1::1"));
        assert_ne!(origin("::192.0.2.1"), origin("192.0.2.1"));
    }

    #[test]
    fn mac_addresses_are_numbers() {
        let mac = Mac::parse("02:00:5e:0a:0b:ff").unwrap();
        assert_eq!(mac.to_string(), "02:00:5e:0a:0b:ff");
        assert_eq!(mac, Mac::read([2, 0, 0x5e, 10, 11, 255, 1, 2]));
        assert!(Mac::ALL_NODES.is_multicast() && !mac.is_multicast());
        assert_eq!(Mac::ALL_NODES.bytes(), [0x33, 0x33, 0, 0, 0, 1]);
        assert_eq!(
            mac.with_source(Mac::ALL_NODES),
            [2, 0, 0x5e, 10, 11, 255, 0x33, 0x33, 0, 0, 0, 1]
        );
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
                let first = Address::V4(0x0a00_0000 | next() & 0xff);
                let first = Prefix { first, len }.with(false);
                Prefix { first, len }
            });
            let ours = List::new(some.collect());
            for low in 0..=0x1ff {
                let address = Address::V4(0x0a00_0000 | low);
                let within = |p: &Prefix| p.first <= address && address <= p.with(true);
                assert_eq!(has(&ours, address), ours.prefixes.iter().any(within));
            }
        }
    }
}
