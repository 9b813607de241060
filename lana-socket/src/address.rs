// SPDX-License-Identifier: GPL-2.0

//! Who sends and who receives: hardware addresses, and names of blocks.

use crate::{
    abi::{Address, LinkAddress, ARPHRD_ETHER, ETH_ALEN, NAME_SIZE},
    error::Error,
};
use std::{fmt, str::FromStr};
use thiserror::Error as ThisError;

/// An Ethernet address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, rest @ ..] = self.0;
        write!(f, "{first:02x}")?;
        rest.iter().try_for_each(|byte| write!(f, ":{byte:02x}"))
    }
}

/// A text that is no Ethernet address.
#[derive(Debug, PartialEq, Eq, ThisError)]
#[error("not an Ethernet address, as 02:00:00:00:00:01 is one")]
pub struct BadMac;

impl FromStr for Mac {
    type Err = BadMac;

    fn from_str(text: &str) -> Result<Self, BadMac> {
        let mut parts = text.split(':');
        let mut mac = [0; 6];
        for byte in &mut mac {
            let part = parts.next().ok_or(BadMac)?;
            let hex = part.len() <= 2 && part.bytes().all(|c| c.is_ascii_hexdigit());
            *byte = u8::from_str_radix(part, 16)
                .ok()
                .filter(|_| hex)
                .ok_or(BadMac)?;
        }
        parts.next().map_or(Ok(Mac(mac)), |_| Err(BadMac))
    }
}

/// The address that [`bind`](crate::Socket::bind) gives the kernel.
pub(crate) fn of_block(family: u16, name: &str) -> Result<Address, Error> {
    let mut address = Address::default();
    address.link.family = family;
    match address.name.get_mut(..name.len()) {
        // At least one NUL has to follow.
        Some(place) if name.len() < NAME_SIZE && !name.is_empty() && !name.contains('\0') => {
            place.copy_from_slice(name.as_bytes());
            Ok(address)
        }
        _ => Err(Error::Name(name.to_owned())),
    }
}

/// The address that a packet is to go to.
pub(crate) fn of_peer(family: u16, mac: Mac, ethertype: u16) -> Address {
    Address {
        link: LinkAddress {
            family,
            protocol: ethertype.to_be_bytes(),
            hatype: ARPHRD_ETHER,
            halen: ETH_ALEN,
            addr: mac.0,
            ..LinkAddress::default()
        },
        ..Address::default()
    }
}

/// The name of the block in an address.
pub(crate) fn name_of(address: &Address) -> String {
    let name = address.name.split(|&byte| byte == 0).next();
    String::from_utf8_lossy(name.unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macs_are_read_and_written() {
        let mac: Mac = "02:0:aB:00:00:ff".parse().unwrap();
        assert_eq!(mac, Mac([2, 0, 0xab, 0, 0, 0xff]));
        assert_eq!(mac.to_string(), "02:00:ab:00:00:ff");
        for text in [
            "",
            "02",
            "02:00:00:00:00",
            "02:00:00:00:00:00:00",
            "02:00:00:00:00:100",
            "02:00:00:00:00:+1",
            "02:00:00:00:00:0g",
            "02-00-00-00-00-01",
            "02:00:00:00:00:",
        ] {
            assert_eq!(text.parse::<Mac>(), Err(BadMac), "{text}");
        }
    }

    #[test]
    fn names_lie_behind_the_members_of_sockaddr_ll() {
        let bytes = of_block(18, "tap0").unwrap().encode();
        assert_eq!(bytes.len(), 52);
        assert_eq!(bytes[..2], 18_u16.to_ne_bytes());
        assert!(bytes[2..20].iter().all(|&byte| byte == 0));
        assert_eq!(&bytes[20..25], b"tap0\0");
        assert_eq!(name_of(&Address::decode(&bytes).unwrap()), "tap0");
    }

    #[test]
    fn names_must_fit() {
        let longest = "n".repeat(31);
        assert_eq!(name_of(&of_block(18, &longest).unwrap()), longest);
        for name in ["", "a\0b", &"n".repeat(32), &"n".repeat(99)] {
            assert!(matches!(of_block(18, name), Err(Error::Name(_))), "{name}");
        }
        // A name without an end is as long as its place.
        let address = Address {
            name: [b'x'; NAME_SIZE],
            ..Address::default()
        };
        assert_eq!(name_of(&address), "x".repeat(32));
    }

    #[test]
    fn peers_have_an_ethertype_in_network_order() {
        let bytes = of_peer(18, Mac([2, 0, 0, 0, 0, 7]), 0x88b5).encode();
        assert_eq!(bytes[2..4], [0x88, 0xb5]);
        assert_eq!(bytes[8..10], 1_u16.to_ne_bytes());
        assert_eq!(bytes[11], 6);
        assert_eq!(bytes[12..20], [2, 0, 0, 0, 0, 7, 0, 0]);
    }
}
