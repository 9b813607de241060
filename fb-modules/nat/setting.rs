// SPDX-License-Identifier: GPL-2.0

//! What the options of the block are set to, as texts.

use super::{
    address::{is_host_v4, Address},
    checksum::add,
};
use core::{fmt, net::Ipv4Addr};

/// An IPv4 address that a single host can have, and that is not local to each host.
fn unicast(text: &str) -> Option<u32> {
    match Address::parse(text)? {
        Address::V4(address) => is_host_v4(address).then_some(address),
        Address::V6(_) => None,
    }
}

/// A whole number in decimal, without a sign or zeros in front.
fn number<T: core::str::FromStr>(text: &str) -> Option<T> {
    let plain = text == "0" || text.starts_with(|c: char| matches!(c, '1'..='9'));
    text.parse().ok().filter(|_| plain)
}

/// The addresses that hosts inside are seen by outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pool {
    first: u32,
    last: u32,
}

impl Pool {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (unicast(first)?, unicast(last)?);
        (first <= last).then_some(Self { first, last })
    }

    #[inline]
    pub(crate) fn contains(self, address: u32) -> bool {
        (self.first..=self.last).contains(&address)
    }

    /// The address for a hash: the same for the same.
    pub(crate) fn pick(self, hash: u64) -> u32 {
        let size = u64::from(self.last.wrapping_sub(self.first)).wrapping_add(1);
        let place = hash.checked_rem(size).unwrap_or(0);
        self.first.wrapping_add(place as u32)
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (
            Ipv4Addr::from_bits(self.first),
            Ipv4Addr::from_bits(self.last),
        );
        if first == last {
            write!(f, "{first}")
        } else {
            write!(f, "{first}-{last}")
        }
    }
}

/// The ports that are chosen from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ports {
    pub(crate) first: u16,
    pub(crate) last: u16,
}

impl Ports {
    /// All that there are: identifiers of ICMP are chosen from these.
    pub(crate) const ALL: Self = Self {
        first: 0,
        last: u16::MAX,
    };

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (number(first)?, number(last)?);
        (0 < first && first <= last).then_some(Self { first, last })
    }

    #[inline]
    pub(crate) fn contain(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

/// The host inside that gets what nobody else has asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) address: u32,
    pub(crate) port: Option<u16>,
}

impl Target {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, port) = match text.split_once(':') {
            Some((address, port)) => (address, Some(number(port).filter(|&port| port > 0)?)),
            None => (text, None),
        };
        let address = unicast(address)?;
        Some(Self { address, port })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Ipv4Addr::from_bits(self.address))?;
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

/// The addresses that begin with the same bits. IPv4 addresses are in the lower 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Prefix {
    is_v6: bool,
    bits: u128,
    len: u8,
}

impl Prefix {
    fn width(is_v6: bool) -> u32 {
        if is_v6 {
            128
        } else {
            32
        }
    }

    /// The bits that are not of the prefix.
    #[inline]
    fn host_mask(&self) -> u128 {
        let host_bits = Self::width(self.is_v6).saturating_sub(self.len.into());
        match host_bits {
            128.. => u128::MAX,
            bits => 1u128.wrapping_shl(bits).wrapping_sub(1),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (address, len) = text.split_once('/')?;
        let (is_v6, bits) = bits(Address::parse(address)?);
        let len: u8 = number(len).filter(|&len| len > 0 && u32::from(len) <= Self::width(is_v6))?;
        let prefix = Self { is_v6, bits, len };
        (bits & prefix.host_mask() == 0).then_some(prefix)
    }

    #[inline]
    fn contains(&self, is_v6: bool, bits: u128) -> bool {
        is_v6 == self.is_v6 && bits & !self.host_mask() == self.bits
    }
}

/// The IP version of an address, and its bits.
#[inline]
fn bits(address: Address) -> (bool, u128) {
    match address {
        Address::V4(address) => (false, address.into()),
        Address::V6(address) => (true, address),
    }
}

#[inline]
fn address(is_v6: bool, bits: u128) -> Address {
    if is_v6 {
        Address::V6(bits)
    } else {
        Address::V4(bits as u32)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", address(self.is_v6, self.bits), self.len)
    }
}

/// Addresses inside, and those that they are seen by outside: as many of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Map {
    inside: Prefix,
    outside: Prefix,
}

/// The address has none on the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unmappable;

impl Map {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (inside, outside) = text.split_once('=')?;
        let (inside, outside) = (Prefix::parse(inside)?, Prefix::parse(outside)?);
        let fit = (inside.is_v6, inside.len) == (outside.is_v6, outside.len);
        fit.then_some(Self { inside, outside })
    }

    /// Whether it is about addresses of IPv6.
    #[inline]
    pub(crate) fn is_v6(&self) -> bool {
        self.inside.is_v6
    }

    /// The address on the other side; none where the map is not about it.
    #[inline]
    pub(crate) fn translate(&self, from: Address, outward: bool) -> Option<Address> {
        let (is_v6, bits) = bits(from);
        let (from, to) = self.ways(outward);
        let host = bits & from.host_mask();
        from.contains(is_v6, bits)
            .then(|| address(is_v6, to.bits | host))
    }

    #[inline]
    fn ways(&self, outward: bool) -> (&Prefix, &Prefix) {
        if outward {
            (&self.inside, &self.outside)
        } else {
            (&self.outside, &self.inside)
        }
    }
}

impl fmt::Display for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.inside, self.outside)
    }
}

/// NPTv6 (RFC 6296): a map of IPv6 prefixes that leaves the sum over an address as it is. So checksums stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Npt(Map);

/// Where in an address the word is, of eight, and the word.
#[inline]
fn word(bits: u128, index: u32) -> (u32, u16) {
    let place = 7u32.wrapping_sub(index).wrapping_mul(16) & 127;
    (place, bits.wrapping_shr(place) as u16)
}

/// The sum over an address.
#[inline]
fn sum(bits: u128) -> u16 {
    (0..8).fold(0, |sum, index| add(sum, word(bits, index).1))
}

impl Npt {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let map = Map::parse(text).filter(|map| map.is_v6() && map.inside.len <= 64)?;
        Some(Self(map))
    }

    /// As [`Map::translate`]. RFC 6296, 3.1 to 3.5.
    #[inline]
    pub(crate) fn translate(
        &self,
        from: Address,
        outward: bool,
    ) -> Option<Result<Address, Unmappable>> {
        let Address::V6(address) = self.0.translate(from, outward)? else {
            return None;
        };
        let mapped = address;
        // A prefix of 48 bits or less leaves the word of the subnet to put the difference into.
        let (first, last) = match self.0.inside.len {
            ..=48 => (3, 3),
            _ => (4, 7),
        };
        let mut words = (first..=last).map(|index| word(mapped, index));
        let Some((place, old)) = words.find(|&(_, word)| word != 0xffff) else {
            return Some(Err(Unmappable));
        };
        let (from, to) = self.0.ways(outward);
        let new = match add(old, add(sum(from.bits), !sum(to.bits))) {
            0xffff => 0,
            new => new,
        };
        let rest = mapped & !0xffff_u128.wrapping_shl(place);
        Some(Ok(Address::V6(rest | u128::from(new).wrapping_shl(place))))
    }
}

impl fmt::Display for Npt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
