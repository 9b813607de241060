// SPDX-License-Identifier: GPL-2.0

//! What a compressed packet looks like. Numbers are in network order:
//!
//! ```text
//!  0           12          14     15   16         18       20
//! | addresses | EtherType | kind | 0  | original | length | data ... | padding of Ethernet |
//! |           | 0x88b6    |      |    |          |        |          |                     |
//! ```
//!
//! `data` is `length` bytes, and stands for `original` bytes: the packet from its EtherType on.

/// Local Experimental EtherType 2 of IEEE 802.
pub(crate) const ETHER_TYPE: u16 = 0x88b6;
/// The Ethernet addresses, which stay as they are.
pub(crate) const ADDRESSES: usize = 12;
/// What is put behind them.
pub(crate) const INSERTED: usize = 8;
/// Where the data begins.
pub(crate) const DATA: usize = ADDRESSES + INSERTED;

/// What the data is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The bytes themselves: for packets that already have this format.
    Stored,
    /// A frame of zstd (RFC 8878).
    Zstd,
}

/// What stands between the addresses and the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    /// How many bytes the data stands for.
    pub(crate) original: u16,
    /// How many bytes the data has.
    pub(crate) length: u16,
}

/// Why a packet is not a compressed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Not {
    /// It has another EtherType.
    Plain,
    /// Too short, of an unknown kind, or with lengths that contradict each other.
    Malformed,
}

impl Header {
    pub(crate) fn bytes(self) -> [u8; INSERTED] {
        let [e0, e1] = ETHER_TYPE.to_be_bytes();
        let [o0, o1] = self.original.to_be_bytes();
        let [l0, l1] = self.length.to_be_bytes();
        let kind = match self.kind {
            Kind::Stored => 0,
            Kind::Zstd => 1,
        };
        [e0, e1, kind, 0, o0, o1, l0, l1]
    }

    /// Reads it: of a packet of `len` bytes, of which the first are there, as many as it has up to [`DATA`].
    pub(crate) fn read(bytes: &[u8], len: usize) -> Result<Self, Not> {
        let rest = bytes.get(ADDRESSES..).unwrap_or_default();
        match rest.first_chunk() {
            Some(ether_type) if u16::from_be_bytes(*ether_type) == ETHER_TYPE => {}
            Some(_) => return Err(Not::Plain),
            None => return Err(Not::Malformed),
        }
        let Some([_, _, kind, 0, o0, o1, l0, l1]) = rest.first_chunk() else {
            return Err(Not::Malformed);
        };
        let (original, length) = (
            u16::from_be_bytes([*o0, *o1]),
            u16::from_be_bytes([*l0, *l1]),
        );
        let kind = match kind {
            0 if original == length => Kind::Stored,
            1 => Kind::Zstd,
            _ => return Err(Not::Malformed),
        };
        // A packet has an EtherType at least, and the data is all there.
        if original < 2 || length == 0 || len.saturating_sub(DATA) < length.into() {
            return Err(Not::Malformed);
        }
        Ok(Self {
            kind,
            original,
            length,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(header: &[u8], data: usize) -> Vec<u8> {
        let mut packet = vec![2; ADDRESSES];
        packet.extend(header);
        packet.resize(DATA + data, 7);
        packet
    }

    #[test]
    fn comes_back() {
        for (kind, original) in [(Kind::Zstd, 1000), (Kind::Stored, 50)] {
            let header = Header {
                kind,
                original,
                length: 50,
            };
            let all = packet(&header.bytes(), 50);
            assert_eq!(Header::read(&all, all.len()), Ok(header));
            // Ethernet may put something behind.
            assert_eq!(Header::read(&all, all.len() + 9), Ok(header));
            for len in 0..all.len() {
                assert_eq!(Header::read(&all[..len], len), Err(Not::Malformed), "{len}");
            }
        }
    }

    #[test]
    fn bad() {
        let good = [0x88, 0xb6, 1, 0, 1, 0, 0, 50];
        assert!(Header::read(&packet(&good, 50), 70).is_ok());
        for (place, byte) in [(2, 2), (2, 0), (3, 1), (4, 0), (6, 1), (7, 0), (7, 51)] {
            let mut bad = good;
            bad[place] = byte;
            let what = (place, byte);
            let read = Header::read(&packet(&bad, 50), 70);
            // An original length of 0, where the byte was the only one.
            assert_eq!(read, Err(Not::Malformed), "{what:?}");
        }
        let plain = [8, 0, 1, 0, 1, 0, 0, 50];
        assert_eq!(Header::read(&packet(&plain, 50), 70), Err(Not::Plain));
    }
}
