// SPDX-License-Identifier: GPL-2.0

//! What the options of the block are set to, as texts.

use core::fmt;

/// What becomes of the TTL, or of the hop limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ttl {
    Set(u8),
    Decrement,
}

/// What becomes of the VLAN tags. The numbers are VLAN identifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vlan {
    /// The outermost tag gets this one. A packet without tags gets a tag.
    Set(u16),
    /// A tag is put outside of all others.
    Push(u16),
    /// The outermost tag is removed.
    Pop,
}

/// The highest VLAN identifier. 4095 is reserved (IEEE 802.1Q).
const LAST_VID: u16 = 4094;

/// A whole number in decimal, without a sign or zeros in front.
fn number(text: &str) -> Option<u16> {
    let plain = text == "0" || text.starts_with(|c: char| matches!(c, '1'..='9'));
    text.parse().ok().filter(|_| plain)
}

impl Ttl {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "-1" => Some(Self::Decrement),
            text => match u8::try_from(number(text)?).ok()? {
                0 => None,
                ttl => Some(Self::Set(ttl)),
            },
        }
    }
}

impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(ttl) => write!(f, "{ttl}"),
            Self::Decrement => f.write_str("-1"),
        }
    }
}

impl Vlan {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let id = |text| number(text).filter(|&id| id <= LAST_VID);
        match text.strip_prefix("push:") {
            Some(text) => Some(Self::Push(id(text)?)),
            None if text == "pop" => Some(Self::Pop),
            None => Some(Self::Set(id(text)?)),
        }
    }
}

impl fmt::Display for Vlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(id) => write!(f, "{id}"),
            Self::Push(id) => write!(f, "push:{id}"),
            Self::Pop => f.write_str("pop"),
        }
    }
}
