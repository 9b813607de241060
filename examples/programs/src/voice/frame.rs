// SPDX-License-Identifier: GPL-2.0

//! What a datagram of voice is: a header of 12 bytes, numbers in network order, and an Opus packet.
//!
//! | bytes | |
//! |---|---|
//! | 0–1 | `LV` |
//! | 2 | 1, the version |
//! | 3 | flags: 1 end of the stream, 2 stereo |
//! | 4–5 | number of the frame, from 0; after 65535 comes 0 |
//! | 6–7 | bytes of the Opus packet: Ethernet pads short frames |
//! | 8–11 | when the frame begins, in samples of 48 kHz from the first |
//!
//! The end has no Opus packet, and the number that the next frame would have. It is sent three
//! times, as one could get lost.

const MAGIC: [u8; 3] = [b'L', b'V', 1];
const END: u8 = 1;
const STEREO: u8 = 2;

/// A frame of a stream, or its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    /// Whether the stream ends before it.
    pub(super) end: bool,
    /// Whether it has two channels.
    pub(super) stereo: bool,
    /// Number, modulo 65536.
    pub(super) sequence: u16,
    /// When it begins, in samples of 48 kHz from the first.
    pub(super) timestamp: u32,
    /// An Opus packet.
    pub(super) opus: &'a [u8],
}

impl<'a> Frame<'a> {
    pub(super) fn encode(&self) -> Vec<u8> {
        let flags = [(self.end, END), (self.stereo, STEREO)];
        let flags = flags.iter().filter(|(is, _)| *is).map(|(_, flag)| flag);
        let length = u16::try_from(self.opus.len()).unwrap_or(u16::MAX);
        let mut bytes = MAGIC.to_vec();
        bytes.push(flags.sum());
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(length.to_be_bytes());
        bytes.extend(self.timestamp.to_be_bytes());
        bytes.extend(self.opus);
        bytes
    }

    pub(super) fn decode(datagram: &'a [u8]) -> Option<Self> {
        let rest = datagram.strip_prefix(&MAGIC)?;
        let ([flags], rest) = rest.split_first_chunk()?;
        let (sequence, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (timestamp, rest) = rest.split_first_chunk()?;
        Some(Frame {
            end: flags & END != 0,
            stereo: flags & STEREO != 0,
            sequence: u16::from_be_bytes(*sequence),
            timestamp: u32::from_be_bytes(*timestamp),
            opus: rest.get(..u16::from_be_bytes(*length).into())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_and_written() {
        for (end, stereo, opus) in [(false, true, &b"opus"[..]), (true, false, b"")] {
            let frame = Frame {
                end,
                stereo,
                sequence: 0xfffe,
                timestamp: 0x0102_0304,
                opus,
            };
            let mut bytes = frame.encode();
            let flags = u8::from(end) + 2 * u8::from(stereo);
            assert_eq!(bytes[..6], [b'L', b'V', 1, flags, 0xff, 0xfe]);
            assert_eq!(bytes[8..12], [1, 2, 3, 4]);
            assert_eq!(Frame::decode(&bytes), Some(frame));
            // As Ethernet pads.
            bytes.resize(46, 0);
            assert_eq!(Frame::decode(&bytes), Some(frame));
        }
    }

    #[test]
    fn what_is_none_is_not_read() {
        let frame = Frame {
            end: false,
            stereo: false,
            sequence: 1,
            timestamp: 960,
            opus: b"opus",
        };
        let bytes = frame.encode();
        for length in 0..bytes.len() {
            assert_eq!(Frame::decode(&bytes[..length]), None);
        }
        for wrong in 0..3 {
            let mut bytes = bytes.clone();
            bytes[wrong] ^= 1;
            assert_eq!(Frame::decode(&bytes), None);
        }
    }
}
