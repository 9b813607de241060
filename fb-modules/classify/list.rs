// SPDX-License-Identifier: GPL-2.0

//! Lists of prefixes, which rules name: `src=@3`.

use core::fmt;

use super::{
    address::{BadPrefix, Prefix},
    rule::number,
};

/// Where an address has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    In(Prefix),
    /// In the list of this number.
    Listed(u16),
}

impl Place {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix('@') {
            Some(list) => Some(Self::Listed(number(list, u16::MAX.into())? as u16)),
            None => Prefix::parse(text).ok().map(Self::In),
        }
    }

    pub(crate) fn prefix(self) -> Option<Prefix> {
        match self {
            Self::In(prefix) => Some(prefix),
            Self::Listed(_) => None,
        }
    }

    /// Whether an address of IPv4 can be there.
    #[inline]
    pub(crate) fn can_have_v4(self, address: u32) -> bool {
        self.prefix().is_none_or(|prefix| prefix.has_v4(address))
    }

    /// The same of IPv6.
    #[inline]
    pub(crate) fn can_have_v6(self, address: u128) -> bool {
        self.prefix().is_none_or(|prefix| prefix.has_v6(address))
    }

    pub(crate) fn list(self) -> Option<u16> {
        match self {
            Self::In(_) => None,
            Self::Listed(list) => Some(list),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::In(prefix) => prefix.fmt(f),
            Self::Listed(list) => write!(f, "@{list}"),
        }
    }
}

/// The prefixes of a list, with commas or space between them. A failure comes with the part that it is about.
pub(crate) fn parse(text: &str) -> impl Iterator<Item = Result<Prefix, (&str, BadPrefix)>> {
    let parts = text.split(|c: char| c == ',' || c.is_whitespace());
    let parts = parts.filter(|part| !part.is_empty());
    parts.map(|part| Prefix::parse(part).map_err(|bad| (part, bad)))
}
