// SPDX-License-Identifier: GPL-2.0

//! Takes attributes apart. The bytes come from outside: nothing here trusts a length.

use netlink_packet_core::{NlasIterator, NLA_HEADER_SIZE};
use thiserror::Error;

/// The bytes of a message are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("malformed message: {}{what}", place(.path))]
pub struct DecodeError {
    /// The attributes around the place, outermost first.
    path: Vec<&'static str>,
    what: String,
}

/// The beginning of a message about an attribute.
pub(super) fn place(path: &[&str]) -> String {
    if path.is_empty() {
        String::new()
    } else {
        format!("attribute {}: ", path.join("."))
    }
}

impl DecodeError {
    /// What is wrong, without a place.
    pub fn new(what: impl Into<String>) -> Self {
        DecodeError {
            path: Vec::new(),
            what: what.into(),
        }
    }

    /// The same, seen from outside of the attribute `name`.
    #[must_use]
    pub fn within(mut self, name: &'static str) -> Self {
        self.path.insert(0, name);
        self
    }
}

/// The attributes that lie in `bytes`: number (without the flag bits) and value.
pub fn attributes(bytes: &[u8]) -> impl Iterator<Item = Result<(u16, &[u8]), DecodeError>> {
    NlasIterator::new(bytes).map(|attribute| match attribute {
        Ok(attribute) => {
            let (kind, length) = (attribute.kind(), usize::from(attribute.length()));
            let value = attribute.into_inner().get(NLA_HEADER_SIZE..length);
            Ok((kind, value.unwrap_or_default()))
        }
        Err(error) => Err(DecodeError::new(error.to_string())),
    })
}

/// The well-formed attributes that lie in `bytes`: offset, number, value.
pub(crate) fn positions(bytes: &[u8]) -> impl Iterator<Item = (usize, u16, &[u8])> {
    let mut at = 0;
    attributes(bytes).map_while(move |attribute| {
        let (number, value) = attribute.ok()?;
        let here = at;
        at += (NLA_HEADER_SIZE + value.len()).next_multiple_of(4);
        Some((here, number, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walks_padding_and_flags() {
        let bytes = [
            6, 0, 1, 0, b'a', 0, 0, 0, // "a", padded
            8, 0, 2, 0x80, 4, 0, 3, 0, // a nest with an empty attribute
            5, 0, 9, 0, 7, // the last one need not be padded
        ];
        let all: Vec<_> = attributes(&bytes).map(Result::unwrap).collect();
        assert_eq!(
            all,
            [(1, &b"a\0"[..]), (2, &[4, 0, 3, 0][..]), (9, &[7][..])]
        );
        let at: Vec<_> = positions(&bytes).map(|p| p.0).collect();
        assert_eq!(at, [0, 8, 16]);
    }

    #[test]
    fn refuses_lengths_that_lie() {
        for bytes in [
            &[3u8, 0, 1, 0][..],           // shorter than its head
            &[9, 0, 1, 0, 1, 2, 3, 4][..], // longer than the rest
            &[4, 0, 1][..],                // half a head
        ] {
            let last = attributes(bytes).last().unwrap();
            assert!(last.is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn error_names_the_place() {
        let error = DecodeError::new("too short").within("drop").within("stats");
        assert_eq!(
            error.to_string(),
            "malformed message: attribute stats.drop: too short"
        );
    }
}
