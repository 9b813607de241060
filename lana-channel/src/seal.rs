// SPDX-License-Identifier: GPL-2.0

//! Who wrote a message, and whether it came before: keys, nonces, tags, and the window of sequence numbers.

use crate::wire::Reader;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroizing;

/// The version of the format.
pub const VERSION: u8 = 1;
/// The longest message, in bytes.
pub const MESSAGE_MAX: usize = 1400;
/// The bytes before the TLVs.
pub const HEADER: usize = 48;
/// The bytes behind the TLVs: HMAC-SHA256.
pub const TAG: usize = 32;

/// HMAC-SHA256 of the parts, one after the other.
pub(crate) fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(mac(key, parts).finalize().into_bytes().into())
}

fn mac(key: &[u8; 32], parts: &[&[u8]]) -> Hmac<Sha256> {
    // HMAC fills a shorter key up with zeros to a block of SHA-256.
    let mut block = Zeroizing::new([0; 64]);
    block.iter_mut().zip(key).for_each(|(to, &byte)| *to = byte);
    let mut mac = <Hmac<Sha256> as hmac::digest::KeyInit>::new((&*block).into());
    for part in parts {
        mac.update(part);
    }
    mac
}

/// The key of a channel, which both hosts have. It is overwritten when it goes.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; 32]>);

/// The key has the wrong length, or other characters than hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key has 64 hexadecimal digits, as `openssl rand -hex 32` prints them")]
pub struct BadKey;

impl Key {
    /// A key of 32 random bytes.
    pub fn new(key: [u8; 32]) -> Self {
        Key(Zeroizing::new(key))
    }

    /// A key from 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Result<Self, BadKey> {
        let mut key = Zeroizing::new([0; 32]);
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(BadKey);
        }
        for (to, pair) in key.iter_mut().zip(digits.chunks(2)) {
            let mut byte = 0;
            for &digit in pair {
                let digit = char::from(digit).to_digit(16).ok_or(BadKey)?;
                byte = byte << 4 | u8::try_from(digit).map_err(|_| BadKey)?;
            }
            *to = byte;
        }
        Ok(Key(key))
    }

    /// The key of messages to a host whose nonce is not known.
    fn hello(&self) -> Key {
        Key(hmac(&self.0, &[b"LANA channel 1 hello"]))
    }

    /// The key of a session.
    pub(crate) fn session(&self, one: &Nonce, other: &Nonce) -> Key {
        let (low, high) = if one < other {
            (one, other)
        } else {
            (other, one)
        };
        Key(hmac(&self.0, &[b"LANA channel 1 session", &low.0, &high.0]))
    }

    /// Bytes that only the two hosts can make, for `purpose`.
    pub(crate) fn derive(&self, purpose: &[u8], parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
        let mut all: Vec<&[u8]> = vec![purpose];
        all.extend(parts);
        hmac(&self.0, &all)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(secret)")
    }
}

/// A random number that stands for one side of a session. No two sessions share one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Nonce(pub [u8; 16]);

impl Nonce {
    /// Stands for a host whose nonce is not known.
    pub const NONE: Nonce = Nonce([0; 16]);
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .take(4)
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What stands before the TLVs of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What kind of message it is.
    pub kind: u8,
    /// The number of the channel, for hosts that have several between them.
    pub channel: u32,
    /// The nonce of the sender.
    pub from: Nonce,
    /// The nonce of the receiver, or [`Nonce::NONE`].
    pub to: Nonce,
    /// The number of the message in the session, from 1.
    pub sequence: u64,
}

/// Why bytes are no message of the channel. No answer tells the sender of any of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadMessage {
    /// The lengths contradict each other.
    #[error("it is cut off, or longer than {MESSAGE_MAX} bytes")]
    Length,
    /// Another version of the format.
    #[error("it has version {0} of the format, not {VERSION}")]
    Version(u8),
    /// It is for another channel.
    #[error("it is for channel {0}")]
    Channel(u32),
    /// It is of a session that is over, or of another host.
    #[error("it belongs to no session that is open")]
    Session,
    /// It comes from this host.
    #[error("it came back to its sender")]
    Reflected,
    /// It has come before.
    #[error("it has come before")]
    Replayed,
    /// The tag is wrong.
    #[error("the other host has another key, or somebody has changed the message")]
    Tag,
    /// A part of the content is missing, of the wrong length, or there twice.
    #[error("its content is malformed")]
    Content,
    /// Content that this version does not know, and that the sender says must be known.
    #[error("it has content of the unknown type {0:#06x}")]
    Unknown(u16),
}

/// The header of a message, and the message without what follows it, which is padding of Ethernet.
pub fn header(bytes: &[u8]) -> Result<(Header, &[u8]), BadMessage> {
    let fields = |mut reader: Reader<'_>| {
        let version = reader.u8()?;
        let kind = reader.u8()?;
        let length = reader.u16()?;
        let header = Header {
            kind,
            channel: reader.u32()?,
            from: Nonce(reader.array()?),
            to: Nonce(reader.array()?),
            sequence: reader.u64()?,
        };
        Some((version, usize::from(length), header))
    };
    let (version, length, header) = fields(Reader(bytes)).ok_or(BadMessage::Length)?;
    if version != VERSION {
        return Err(BadMessage::Version(version));
    }
    if !(HEADER + TAG..=MESSAGE_MAX).contains(&length) {
        return Err(BadMessage::Length);
    }
    let message = bytes.get(..length).ok_or(BadMessage::Length)?;
    Ok((header, message))
}

/// The key of the tag of a message with this header.
fn tag_key(key: &Key, header: &Header) -> Key {
    if header.to == Nonce::NONE {
        key.hello()
    } else {
        key.session(&header.from, &header.to)
    }
}

/// The TLVs of a message, if its tag is right.
pub fn open<'a>(key: &Key, header: &Header, message: &'a [u8]) -> Result<&'a [u8], BadMessage> {
    let (sealed, tag) = message
        .split_last_chunk::<TAG>()
        .ok_or(BadMessage::Length)?;
    mac(&tag_key(key, header).0, &[sealed])
        .verify_slice(tag)
        .map_err(|_| BadMessage::Tag)?;
    sealed.get(HEADER..).ok_or(BadMessage::Length)
}

/// The message of a header and TLVs, or how long it would be.
pub fn seal(key: &Key, header: &Header, content: &[u8]) -> Result<Vec<u8>, usize> {
    let length = HEADER + content.len() + TAG;
    let (true, Ok(field)) = (length <= MESSAGE_MAX, u16::try_from(length)) else {
        return Err(length);
    };
    let mut message = Vec::with_capacity(length);
    message.extend([VERSION, header.kind]);
    message.extend(field.to_be_bytes());
    message.extend(header.channel.to_be_bytes());
    message.extend(header.from.0);
    message.extend(header.to.0);
    message.extend(header.sequence.to_be_bytes());
    message.extend(content);
    let tag = mac(&tag_key(key, header).0, &[&message]).finalize();
    message.extend(tag.into_bytes());
    Ok(message)
}

/// The sequence numbers that have come: the highest, and which of the 64 up to it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Window {
    pub(crate) highest: u64,
    seen: u64,
    pub(crate) received: u64,
}

impl Window {
    /// Whether the number is new. If so, it is not from now on.
    pub(crate) fn accept(&mut self, number: u64) -> bool {
        if number == 0 {
            return false;
        }
        if number > self.highest {
            let ahead = u32::try_from(number - self.highest).unwrap_or(u32::MAX);
            self.seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
            self.highest = number;
        } else {
            let behind = u32::try_from(self.highest - number).unwrap_or(u32::MAX);
            let Some(bit) = 1_u64.checked_shl(behind) else {
                return false;
            };
            if self.seen & bit != 0 {
                return false;
            }
            self.seen |= bit;
        }
        self.received += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Key {
        Key::new([byte; 32])
    }

    #[test]
    fn tags() {
        let header0 = Header {
            kind: 1,
            channel: 7,
            from: Nonce([1; 16]),
            to: Nonce([2; 16]),
            sequence: 9,
        };
        let mut message = seal(&key(1), &header0, b"content").unwrap();
        message.extend([0; 20]); // padding
        let (got, bytes) = header(&message).unwrap();
        assert_eq!(got, header0);
        assert_eq!(open(&key(1), &got, bytes), Ok(&b"content"[..]));
        assert_eq!(open(&key(2), &got, bytes), Err(BadMessage::Tag));
        for at in 0..bytes.len() {
            let mut bad = bytes.to_vec();
            bad[at] ^= 1;
            let result = header(&bad).and_then(|(header, bytes)| {
                open(&key(1), &header, bytes)?;
                Ok(())
            });
            assert!(result.is_err(), "byte {at}");
        }
        for length in 0..bytes.len() {
            assert_eq!(header(&bytes[..length]), Err(BadMessage::Length));
        }
    }

    /// RFC 4231, test case 2, with the key that HMAC fills up.
    #[test]
    fn hmac_of_the_rfc() {
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        let mac = hmac(&key, &[b"what do ya want ", b"for nothing?"]);
        assert_eq!(mac[..4], [0x5b, 0xdc, 0xc1, 0x46]);
        assert_eq!(mac[28..], [0x64, 0xec, 0x38, 0x43]);
    }

    #[test]
    fn window() {
        let mut window = Window::default();
        assert!(!window.accept(0));
        assert!(window.accept(5));
        assert!(!window.accept(5));
        assert!(window.accept(3));
        assert!(!window.accept(3));
        assert!(window.accept(100));
        assert!(!window.accept(5));
        assert!(window.accept(37));
        assert!(!window.accept(36)); // 64 behind
        assert!(window.accept(u64::MAX));
        assert!(!window.accept(100));
        assert_eq!((window.highest, window.received), (u64::MAX, 5));
    }

    #[test]
    fn keys() {
        let text = "00".repeat(31) + "fF";
        assert_eq!(Key::from_hex(&text).unwrap().0[31], 255);
        assert!(Key::from_hex("00").is_err());
        assert!(Key::from_hex(&"0g".repeat(32)).is_err());
        assert_eq!(format!("{:?}", key(1)), "Key(secret)");
    }
}
