// SPDX-License-Identifier: GPL-2.0

//! What a switch reads of a frame: its addresses, and its outer VLAN tag.

use core::fmt;

/// As many bytes of a frame have all that is read.
pub(crate) const LONGEST: u32 = 16;

/// The bits of a tag that are the number of a VLAN.
const VLAN: u16 = 0xfff;

/// EtherTypes of VLAN tags: of customers (802.1Q) and of providers (802.1ad).
const TAGS: [[u8; 2]; 2] = [[0x81, 0x00], [0x88, 0xa8]];

/// An Ethernet address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mac(pub(crate) [u8; 6]);

impl Mac {
    /// Whether it is of several stations: a multicast address, or that of all.
    pub(crate) fn is_group(self) -> bool {
        let [first, ..] = self.0;
        first & 1 != 0
    }

    /// Whether a frame can come from it.
    pub(crate) fn is_source(self) -> bool {
        !self.is_group() && self.0 != [0; 6]
    }

    /// Whether it is one of the 16 reserved addresses, 01-80-C2-00-00-0X, which no bridge forwards (802.1D, 7.12.6).
    pub(crate) fn is_link_local(self) -> bool {
        let [start @ .., last] = self.0;
        start == [0x01, 0x80, 0xc2, 0x00, 0x00] && last < 16
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, rest @ ..] = self.0;
        write!(f, "{first:02x}")?;
        rest.iter().try_for_each(|byte| write!(f, ":{byte:02x}"))
    }
}

/// The beginning of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) to: Mac,
    pub(crate) from: Mac,
    /// The outer tag among the bytes.
    pub(crate) tag: Option<u16>,
}

impl Header {
    /// Reads it; `None` of a frame that is too short.
    #[inline]
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (&to, rest) = bytes.split_first_chunk()?;
        let (&from, rest) = rest.split_first_chunk()?;
        let (kind, rest) = rest.split_first_chunk()?;
        let tag = rest.first_chunk().filter(|_| TAGS.contains(kind));
        Some(Self {
            to: Mac(to),
            from: Mac(from),
            tag: tag.map(|tag| u16::from_be_bytes(*tag)),
        })
    }
}

/// What a station is known by: its address, in its VLAN. 0 is of frames without a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Station(u64);

impl Station {
    /// That of an address, with the tag of the VLAN.
    #[inline]
    pub(crate) fn new(mac: Mac, tag: u16) -> Self {
        let bytes = mac.0.iter();
        let mac = bytes.fold(0, |word, byte| word << 8 | u64::from(*byte));
        Self(mac << 12 | u64::from(tag & VLAN))
    }

    /// It as a word, which is not 0: no station has the address 0.
    #[inline]
    pub(crate) fn word(self) -> u64 {
        self.0
    }

    /// That of a word.
    pub(crate) fn of(word: u64) -> Self {
        Self(word)
    }

    pub(crate) fn mac(self) -> Mac {
        let [_, _, mac @ ..] = (self.0 >> 12).to_be_bytes();
        Mac(mac)
    }

    pub(crate) fn vlan(self) -> u16 {
        self.0 as u16 & VLAN
    }
}
