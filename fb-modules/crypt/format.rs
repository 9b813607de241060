// SPDX-License-Identifier: GPL-2.0

//! What an encrypted packet looks like. Numbers are in network order:
//!
//! ```text
//!  0           12          14        15    16          32         40              len - 16
//! | addresses | EtherType | version | key | session   | sequence | encrypted ... | tag    |
//! |           | 0x88b5    | 1       |     | time salt |          |               |        |
//! ```
//!
//! What is encrypted is the packet from its EtherType on. The tag authenticates that, and all before it.

/// Local Experimental EtherType 1 of IEEE 802.
const ETHER_TYPE: u16 = 0x88b5;
/// Of the format, and of the way keys are derived.
const VERSION: u8 = 1;

/// The Ethernet addresses, which stay as they are.
pub(crate) const ADDRESSES: usize = 12;
/// What is put behind them.
pub(crate) const INSERTED: usize = 28;
/// Where what is encrypted begins.
pub(crate) const HEADER: usize = ADDRESSES + INSERTED;
/// The tag at the end.
pub(crate) const TAG: usize = 16;
/// By how much a packet gets longer.
pub(crate) const OVERHEAD: usize = INSERTED + TAG;
/// The shortest packet that is encrypted; zeros are put behind a shorter one. It becomes one of 60 bytes, which is the
/// shortest that Ethernet has: so no device puts anything behind the tag.
pub(crate) const SHORTEST: usize = 16;
/// The shortest encrypted packet.
const SHORTEST_SEALED: usize = SHORTEST + OVERHEAD;

/// What a session is called: when it began, in nanoseconds since 1970, and a random number.
pub(crate) const SESSION: usize = 16;

/// So many packets a session has at most. Then AES-GCM has encrypted 2^46.6 blocks of packets of 1500 bytes, and who sees them
/// can tell them from random bytes by a chance of 2^-35.
pub(crate) const LAST: u64 = 1 << 40;

/// The number of a packet before which a session has numbered so many others; none when that is as many as it may.
pub(crate) fn number(before: u64) -> Option<u64> {
    before.checked_add(1).filter(|&number| number <= LAST)
}

/// The version and the numbers in front of what is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Which key it is encrypted by.
    pub(crate) key: u8,
    pub(crate) session: [u8; SESSION],
    pub(crate) sequence: u64,
}

/// Why a packet is not an encrypted one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Not {
    /// It has another EtherType: it was not encrypted.
    Clear,
    /// It is too short, or of another version.
    Malformed,
}

impl Header {
    /// Writes it behind the addresses.
    pub(crate) fn bytes(&self) -> [u8; INSERTED] {
        let [e0, e1] = ETHER_TYPE.to_be_bytes();
        let mut bytes = [0; INSERTED];
        let parts = [e0, e1, VERSION, self.key];
        let all = parts.iter().chain(&self.session);
        let sequence = self.sequence.to_be_bytes();
        for (to, from) in bytes.iter_mut().zip(all.chain(&sequence)) {
            *to = *from;
        }
        bytes
    }

    /// Reads it: of a packet of `len` bytes, of which the first are there, as many as it has up to [`HEADER`].
    pub(crate) fn read(bytes: &[u8], len: usize) -> Result<Self, Not> {
        let rest = bytes.get(ADDRESSES..).unwrap_or_default();
        let Some((ether_type, rest)) = rest.split_first_chunk() else {
            return Err(Not::Malformed);
        };
        if u16::from_be_bytes(*ether_type) != ETHER_TYPE {
            return Err(Not::Clear);
        }
        let Some(([VERSION, key], rest)) = rest.split_first_chunk() else {
            return Err(Not::Malformed);
        };
        let session = rest.split_first_chunk();
        let both = session.and_then(|(session, rest)| Some((session, rest.first_chunk()?)));
        match both {
            Some((session, sequence)) if len >= SHORTEST_SEALED => Ok(Self {
                key: *key,
                session: *session,
                sequence: u64::from_be_bytes(*sequence),
            }),
            _ => Err(Not::Malformed),
        }
    }

    /// What no two packets under one key have in common: a key is of one session, and a number of one packet of it.
    pub(crate) fn nonce(&self) -> [u8; 12] {
        let mut nonce = [0; 12];
        let sequence = self.sequence.to_be_bytes();
        for (to, from) in nonce.iter_mut().rev().zip(sequence.iter().rev()) {
            *to = *from;
        }
        nonce
    }
}

/// When a session began.
pub(crate) fn time(session: &[u8; SESSION]) -> u64 {
    session
        .first_chunk()
        .map_or(0, |time| u64::from_be_bytes(*time))
}

/// Names a session.
pub(crate) fn session(time: u64, salt: [u8; 8]) -> [u8; SESSION] {
    let mut session = [0; SESSION];
    let time = time.to_be_bytes();
    for (to, from) in session.iter_mut().zip(time.iter().chain(&salt)) {
        *to = *from;
    }
    session
}

const PURPOSE: [u8; 12] = *b"LANA crypt 1";
const LABEL: usize = PURPOSE.len() + 1 + SESSION;

/// What the key of a session is derived for.
pub(crate) fn label(key: u8, session: &[u8; SESSION]) -> [u8; LABEL] {
    let mut label = [0; LABEL];
    let all = PURPOSE.iter().chain([&key]).chain(session);
    for (to, from) in label.iter_mut().zip(all) {
        *to = *from;
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Header = Header {
        key: 7,
        session: *b"0123456789abcdef",
        sequence: 0x0102_0304_0506_0708,
    };

    fn packet(len: usize) -> Vec<u8> {
        let mut packet = vec![2; ADDRESSES];
        packet.extend(HEAD.bytes());
        packet.resize(len, 0);
        packet
    }

    #[test]
    fn comes_back() {
        assert_eq!(Header::read(&packet(60), 60), Ok(HEAD));
        assert_eq!(&HEAD.bytes()[..4], &[0x88, 0xb5, 1, 7]);
        assert_eq!(HEAD.nonce(), [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn of_any_length() {
        for len in 0..60 {
            let all = packet(80);
            let read = Header::read(&all[..len], len);
            assert_eq!(read, Err(Not::Malformed), "{len}");
        }
    }

    #[test]
    fn a_session_is_spent() {
        assert_eq!(number(0), Some(1));
        assert_eq!(number(LAST - 1), Some(LAST));
        assert_eq!((number(LAST), number(u64::MAX)), (None, None));
    }

    #[test]
    fn others() {
        let mut other = packet(60);
        other[12] = 8;
        assert_eq!(Header::read(&other, 60), Err(Not::Clear));
        let mut newer = packet(60);
        newer[14] = 2;
        assert_eq!(Header::read(&newer, 60), Err(Not::Malformed));
    }

    #[test]
    fn sessions() {
        let name = session(0x1122_3344_5566_7788, [9; 8]);
        assert_eq!(time(&name), 0x1122_3344_5566_7788);
        assert_eq!(&name[8..], &[9; 8]);
        let label = label(7, &name);
        assert_eq!(&label[..13], b"LANA crypt 1\x07");
        assert_eq!(&label[13..], &name);
    }
}
