// SPDX-License-Identifier: GPL-2.0

//! Addresses of Ethernet, IPv4 and IPv6, and prefixes, as numbers and as texts.

use core::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// The address of an Ethernet device, as a number of 48 bits, of which the first byte is the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mac(u64);

impl Mac {
    /// All nodes of IPv6.
    pub const ALL_NODES: Self = Self(0x0100_0000_3333);

    /// The address in the first six of eight bytes.
    #[inline]
    pub fn read(bytes: [u8; 8]) -> Self {
        Self(u64::from_le_bytes(bytes) & 0xffff_ffff_ffff)
    }

    /// Whether more than one has it.
    #[inline]
    pub fn is_multicast(self) -> bool {
        self.0 & 1 != 0
    }

    /// As it is on the wire.
    #[inline]
    pub fn bytes(self) -> [u8; 6] {
        let [bytes @ .., _, _] = self.0.to_le_bytes();
        bytes
    }

    /// What an Ethernet header to this address begins with.
    #[inline]
    pub fn with_source(self, source: Self) -> [u8; 12] {
        let both = u128::from(source.0) << 48 | u128::from(self.0);
        let [bytes @ .., _, _, _, _] = both.to_le_bytes();
        bytes
    }

    /// Reads an address, `02:00:00:00:00:01`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut mac = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut mac {
            let part = parts.next().filter(|part| part.len() == 2)?;
            // What reads numbers takes a sign, which no number here has.
            *byte = u8::from_str_radix(part, 16)
                .ok()
                .filter(|_| !part.starts_with('+'))?;
        }
        parts.next().is_none().then_some(Self::from(mac))
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

/// A MAC address that a single device can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unicast(Mac);

impl Unicast {
    /// Reads one: neither a group's nor all zeros.
    pub fn parse(text: &str) -> Option<Self> {
        let mac = Mac::parse(text)?;
        (!mac.is_multicast() && mac.0 != 0).then_some(Self(mac))
    }

    /// The address.
    #[inline]
    pub fn mac(self) -> Mac {
        self.0
    }
}

impl fmt::Display for Unicast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An IP address; its most significant bit is the first on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Address {
    /// Of IPv4.
    V4(u32),
    /// Of IPv6.
    V6(u128),
}

impl Address {
    /// How many bits it has.
    #[inline]
    pub fn bits(self) -> u8 {
        match self {
            Self::V4(_) => 32,
            Self::V6(_) => 128,
        }
    }

    /// Whether a host can have it.
    #[inline]
    pub fn is_host(self) -> bool {
        match self {
            Self::V4(address) => is_host_v4(address),
            Self::V6(address) => is_host_v6(address),
        }
    }

    /// Reads one.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.parse().ok()? {
            IpAddr::V4(address) => Self::V4(address.into()),
            IpAddr::V6(address) => Self::V6(address.into()),
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::V4(address) => Ipv4Addr::from(address).fmt(f),
            Self::V6(address) => Ipv6Addr::from(address).fmt(f),
        }
    }
}

/// Whether a host can have this address: not one of "this network", of the loopback, multicast, reserved or broadcast.
#[inline]
pub fn is_host_v4(address: u32) -> bool {
    let first = address >> 24;
    first != 0 && first != 127 && first < 224
}

/// The same of IPv6: not none, the loopback, multicast; nor an IPv4 address in other clothes.
#[inline]
pub fn is_host_v6(address: u128) -> bool {
    address > 1 && address >> 120 != 0xff && address >> 32 != 0xffff
}

/// The addresses that begin with the same bits. In order, a prefix comes before those that are in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix {
    first: Address,
    len: u8,
}

/// What is wrong with the text of a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadPrefix {
    /// It is neither an address nor a prefix.
    Text,
    /// The prefix is longer than an address.
    Length,
    /// There are bits behind the prefix.
    Bits,
}

impl fmt::Display for BadPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "is no address or prefix",
            Self::Length => "is longer than an address",
            Self::Bits => "has bits behind its prefix",
        })
    }
}

impl Prefix {
    /// All addresses of IPv4, all of IPv6.
    pub const ALL: [Self; 2] = [
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
    pub fn single(address: Address) -> Self {
        Self {
            first: address,
            len: address.bits(),
        }
    }

    /// The prefix of this first address and length. What comes out of a table has no bits behind it.
    pub(crate) fn new(first: Address, len: u8) -> Self {
        Self { first, len }
    }

    /// Reads an address, or a prefix, `192.0.2.0/24`.
    pub fn parse(text: &str) -> Result<Self, BadPrefix> {
        let (address, len) = match text.split_once('/') {
            Some((address, len)) => (address, Some(len)),
            None => (text, None),
        };
        let first = Address::parse(address).ok_or(BadPrefix::Text)?;
        let len = match len {
            None => first.bits(),
            Some(len) if len.bytes().all(|b| b.is_ascii_digit()) => {
                len.parse().map_err(|_| BadPrefix::Text)?
            }
            Some(_) => return Err(BadPrefix::Text),
        };
        if len > first.bits() {
            return Err(BadPrefix::Length);
        }
        let prefix = Self { first, len };
        if prefix.with(false) != first {
            return Err(BadPrefix::Bits);
        }
        Ok(prefix)
    }

    /// How many bits its addresses have in common.
    #[inline]
    pub fn length(self) -> u8 {
        self.len
    }

    /// Whether it is a single address.
    pub fn is_single(self) -> bool {
        self.len == self.first.bits()
    }

    /// Its first address.
    #[inline]
    pub fn first(self) -> Address {
        self.first
    }

    /// Its last address.
    pub fn last(self) -> Address {
        self.with(true)
    }

    /// Whether an address of IPv4 is one of its own.
    #[inline]
    pub fn has_v4(self, address: u32) -> bool {
        let Address::V4(first) = self.first else {
            return false;
        };
        (address ^ first) & !u32::MAX.checked_shr(self.len.into()).unwrap_or(0) == 0
    }

    /// Whether an address of IPv6 is one of its own.
    #[inline]
    pub fn has_v6(self, address: u128) -> bool {
        let Address::V6(first) = self.first else {
            return false;
        };
        (address ^ first) & !u128::MAX.checked_shr(self.len.into()).unwrap_or(0) == 0
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
        if !self.is_single() {
            write!(f, "/{}", self.len)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mac_addresses() {
        let mac = Mac::parse("02:00:5e:0A:0b:ff").unwrap();
        assert_eq!(mac, Mac::from([2, 0, 0x5e, 10, 11, 255]));
        assert_eq!(mac.to_string(), "02:00:5e:0a:0b:ff");
        assert_eq!(mac, Mac::read([2, 0, 0x5e, 10, 11, 255, 1, 2]));
        let all_nodes = Mac::ALL_NODES;
        assert_eq!(all_nodes.bytes(), [0x33, 0x33, 0, 0, 0, 1]);
        assert!(all_nodes.is_multicast() && !mac.is_multicast());
        assert_eq!(
            mac.with_source(all_nodes),
            [2, 0, 0x5e, 10, 11, 255, 0x33, 0x33, 0, 0, 0, 1]
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
        ] {
            assert_eq!(Mac::parse(text), None, "{text}");
        }
        for text in ["01:00:00:00:00:00", "00:00:00:00:00:00"] {
            assert!(Mac::parse(text).is_some());
            assert_eq!(Unicast::parse(text), None, "{text}");
        }
        assert_eq!(
            Unicast::parse("02:00:5e:0a:0b:ff").map(Unicast::mac),
            Some(mac)
        );
    }

    #[test]
    fn prefixes_are_texts() {
        for text in [
            "10.0.0.0/8",
            "192.0.2.1",
            "0.0.0.0/0",
            "2001:db8::/32",
            "::1",
            "::/0",
        ] {
            assert_eq!(Prefix::parse(text).unwrap().to_string(), text);
        }
        for (text, same) in [
            ("192.0.2.1/32", "192.0.2.1"),
            ("2001:DB8::1/128", "2001:db8::1"),
        ] {
            assert_eq!(Prefix::parse(text).unwrap().to_string(), same);
        }
        for text in [
            "",
            "x",
            "192.0.2",
            "192.0.2.1/",
            "192.0.2.1/+8",
            "192.0.2.1/x",
            "1.2.3.4/999",
            "::g",
            "::/0x8",
        ] {
            assert_eq!(Prefix::parse(text), Err(BadPrefix::Text), "{text}");
        }
        for text in ["10.0.0.0/33", "::/129"] {
            assert_eq!(Prefix::parse(text), Err(BadPrefix::Length), "{text}");
        }
        for text in ["10.0.0.1/8", "2001:db8::1/64", "128.0.0.0/0"] {
            assert_eq!(Prefix::parse(text), Err(BadPrefix::Bits), "{text}");
        }
    }

    #[test]
    fn prefixes_have_their_addresses() {
        let prefix = |text| Prefix::parse(text).unwrap();
        let v4 = |text| match Address::parse(text) {
            Some(Address::V4(address)) => address,
            _ => panic!("{text}"),
        };
        let v6 = |text| match Address::parse(text) {
            Some(Address::V6(address)) => address,
            _ => panic!("{text}"),
        };
        assert!(prefix("10.0.0.0/8").has_v4(v4("10.255.0.1")));
        assert!(!prefix("10.0.0.0/8").has_v4(v4("11.0.0.0")));
        assert!(prefix("0.0.0.0/0").has_v4(v4("255.255.255.255")));
        assert!(prefix("192.0.2.1").has_v4(v4("192.0.2.1")));
        assert!(!prefix("192.0.2.1").has_v4(v4("192.0.2.0")));
        assert!(prefix("2001:db8::/32").has_v6(v6("2001:db8:ffff::1")));
        assert!(!prefix("2001:db8::/32").has_v6(v6("2001:db9::")));
        assert!(prefix("::/0").has_v6(u128::MAX) && !prefix("::/0").has_v4(0));
        assert!(!prefix("0.0.0.0/0").has_v6(0));
        assert_eq!(
            Some(prefix("10.0.0.0/8").last()),
            Address::parse("10.255.255.255")
        );
        assert!(prefix("10.0.0.0/8") < prefix("10.0.0.0/9"));
    }
}
