// SPDX-License-Identifier: GPL-2.0

//! What a numbered packet looks like, and those that the ends send by themselves. Numbers are in network order:
//!
//! ```text
//!  0           12          14        15     16        20      24         28      32      36      40    44     48
//! | addresses | EtherType | version | kind | session | token | sequence | first | stamp | acked | ack | echo | packet ... |
//! |           | 0x88b5    | 0x10    |      |         |       |          |       |       |       |     |      |            |
//! ```
//!
//! `packet` is the packet from its EtherType on. In an acknowledgement there are the length of a map and the map instead.

use super::MOST;

/// Local Experimental EtherType 1 of IEEE 802. The block `crypt` has it, too, and another version.
const ETHER_TYPE: u16 = 0x88b5;
const VERSION: u8 = 0x10;
const URGENT: u8 = 0x80;

/// The Ethernet addresses, which stay as they are.
pub(crate) const ADDRESSES: usize = 12;
/// What is put behind them.
pub(crate) const INSERTED: usize = 36;
/// Where the packet goes on.
pub(crate) const DATA: usize = ADDRESSES + INSERTED;
/// The shortest packet that is numbered; zeros are put behind a shorter one. It becomes one of 60 bytes, which is the
/// shortest that Ethernet has.
pub(crate) const SHORTEST: usize = 24;
/// As many words a map has at most.
const WORDS: usize = (MOST / u64::BITS) as usize;
/// The longest packet that an end sends by itself.
pub(crate) const LONGEST_CONTROL: usize = DATA + 2 + WORDS * 8;
/// The shortest.
const SHORTEST_CONTROL: usize = 60;

/// What a packet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It has a packet in it.
    Data,
    /// It acknowledges others, and has a map of them.
    Ack,
    /// A session begins: its sender asks for a token.
    Ask,
    /// It brings the token, for the session that is named as acknowledged.
    Answer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    /// An acknowledgement is to come at once.
    pub(crate) urgent: bool,
    /// The session of who sends this; 0 is none.
    pub(crate) session: u32,
    /// What the other end has answered to this session; in an answer the answer.
    pub(crate) token: u32,
    /// The number of the packet in its session; of others that of the next packet.
    pub(crate) sequence: u32,
    /// The lowest number that its sender may send again: no older one comes.
    pub(crate) first: u32,
    /// When it was sent, in microseconds of the sender's clock.
    pub(crate) stamp: u32,
    /// Which session of the other end is acknowledged; 0 is none.
    pub(crate) acked: u32,
    /// The number that the other end expects: all before have come, or will not come.
    pub(crate) ack: u32,
    /// The latest stamp that has come.
    pub(crate) echo: u32,
}

/// Why a packet has no such header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Not {
    /// It has another EtherType, or a version that is not this block's.
    Plain,
    /// It is too short, or contradicts itself.
    Malformed,
}

/// Writes one behind the other.
struct Writer<'a>(&'a mut [u8]);

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) {
        let all = core::mem::take(&mut self.0);
        let at = bytes.len().min(all.len());
        if let Some((to, rest)) = all.split_at_mut_checked(at) {
            for (to, from) in to.iter_mut().zip(bytes) {
                *to = *from;
            }
            self.0 = rest;
        }
    }
}

impl Header {
    /// What stands behind the addresses.
    pub(crate) fn bytes(&self) -> [u8; INSERTED] {
        let mut bytes = [0; INSERTED];
        let kind = match self.kind {
            Kind::Data => 0,
            Kind::Ack => 1,
            Kind::Ask => 2,
            Kind::Answer => 3,
        };
        let urgent = if self.urgent { URGENT } else { 0 };
        let mut to = Writer(&mut bytes);
        to.put(&ETHER_TYPE.to_be_bytes());
        to.put(&[VERSION, kind | urgent]);
        for number in [
            self.session,
            self.token,
            self.sequence,
            self.first,
            self.stamp,
            self.acked,
            self.ack,
            self.echo,
        ] {
            to.put(&number.to_be_bytes());
        }
        bytes
    }

    /// Reads it: of a packet of `len` bytes, of which the first are there, as many as it has up to [`DATA`].
    pub(crate) fn read(bytes: &[u8], len: usize) -> Result<Self, Not> {
        let rest = bytes.get(ADDRESSES..).unwrap_or_default();
        let Some(([e0, e1, version], rest)) = rest.split_first_chunk() else {
            return Err(Not::Plain);
        };
        if u16::from_be_bytes([*e0, *e1]) != ETHER_TYPE || *version != VERSION {
            return Err(Not::Plain);
        }
        let Some((kind, rest)) = rest.split_first() else {
            return Err(Not::Malformed);
        };
        let urgent = kind & URGENT != 0;
        let kind = match kind & !URGENT {
            0 => Kind::Data,
            1 => Kind::Ack,
            2 => Kind::Ask,
            3 => Kind::Answer,
            _ => return Err(Not::Malformed),
        };
        let mut rest = rest.get(..32).ok_or(Not::Malformed)?;
        let mut next = || match rest.split_first_chunk() {
            Some((word, behind)) => {
                rest = behind;
                u32::from_be_bytes(*word)
            }
            None => 0,
        };
        let header = Self {
            kind,
            urgent,
            session: next(),
            token: next(),
            sequence: next(),
            first: next(),
            stamp: next(),
            acked: next(),
            ack: next(),
            echo: next(),
        };
        // A packet has an EtherType at least.
        let has_data = kind != Kind::Data || len >= DATA.wrapping_add(2);
        // Nobody sends again what is so old.
        let span = header.sequence.wrapping_sub(header.first);
        let fits = match kind {
            Kind::Data => span < MOST && header.session != 0,
            Kind::Ack => span <= MOST,
            Kind::Ask => header.session != 0,
            Kind::Answer => header.token != 0,
        };
        if has_data && fits {
            Ok(header)
        } else {
            Err(Not::Malformed)
        }
    }

    /// A packet that an end sends by itself, between these addresses: the bytes, and how many they are.
    pub(crate) fn control(
        &self,
        addresses: &[u8; ADDRESSES],
        map: &Map,
    ) -> ([u8; LONGEST_CONTROL], usize) {
        let mut bytes = [0; LONGEST_CONTROL];
        let mut to = Writer(&mut bytes);
        to.put(addresses);
        to.put(&self.bytes());
        let words = map.words();
        let length = words.len().wrapping_mul(8);
        to.put(&(length as u16).to_be_bytes());
        for word in words {
            to.put(&word.to_be_bytes());
        }
        let all = DATA.wrapping_add(2).wrapping_add(length);
        (bytes, all.max(SHORTEST_CONTROL))
    }
}

/// Which packets have come behind one that has not: bit 0 of word 0 is the packet after that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Map([u64; WORDS]);

impl Map {
    pub(crate) const EMPTY: Self = Self([0; WORDS]);

    fn place(at: u32) -> (usize, u64) {
        let word = (at / u64::BITS) as usize;
        (word, 1u64.wrapping_shl(at % u64::BITS))
    }

    pub(crate) fn set(&mut self, at: u32) {
        let (word, bit) = Self::place(at);
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    pub(crate) fn has(&self, at: u32) -> bool {
        let (word, bit) = Self::place(at);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Up to the last one that is not 0.
    fn words(&self) -> &[u64] {
        let last = self.0.iter().rposition(|word| *word != 0);
        let count = last.map_or(0, |last| last.wrapping_add(1));
        self.0.get(..count).unwrap_or_default()
    }

    /// How many bits there are up to the last that is set, rounded up.
    pub(crate) fn span(&self) -> u32 {
        (self.words().len() as u32).wrapping_mul(u64::BITS)
    }

    /// Reads that of an acknowledgement, which has these bytes behind its header.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Not> {
        let (length, rest) = bytes.split_first_chunk().ok_or(Not::Malformed)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let mut map = rest.get(..length).ok_or(Not::Malformed)?;
        let mut read = Self::EMPTY;
        for to in &mut read.0 {
            let Some((word, behind)) = map.split_first_chunk() else {
                break;
            };
            (*to, map) = (u64::from_be_bytes(*word), behind);
        }
        if !map.is_empty() {
            return Err(Not::Malformed);
        }
        Ok(read)
    }
}
