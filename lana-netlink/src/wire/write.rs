// SPDX-License-Identifier: GPL-2.0

//! Puts attributes together.

use super::{read::place, Field};
use netlink_packet_core::{NLA_F_NESTED, NLA_HEADER_SIZE};
use thiserror::Error;

/// A value cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}{why}", place(.path))]
pub struct EncodeError {
    /// The attributes around the value, outermost first.
    path: Vec<&'static str>,
    /// What is wrong with it.
    pub why: Unfit,
}

/// What a value can have that cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unfit {
    /// Netlink's lengths have 16 bits.
    #[error("{0} bytes are more than a netlink attribute can carry")]
    TooLong(usize),
    /// A string ends at its first NUL, so it can have none inside.
    #[error("a NUL byte is in the text")]
    Nul,
}

impl From<Unfit> for EncodeError {
    fn from(why: Unfit) -> Self {
        let path = Vec::new();
        EncodeError { path, why }
    }
}

impl EncodeError {
    /// The same, seen from outside of the attribute `name`.
    #[must_use]
    pub fn within(mut self, name: &'static str) -> Self {
        self.path.insert(0, name);
        self
    }
}

/// Attributes under construction.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// No attributes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// No attributes yet, behind `room` bytes for something else.
    pub fn behind(room: usize) -> Self {
        let bytes = vec![0; room];
        Writer { bytes }
    }

    /// Appends an attribute.
    pub fn put<F: Field>(&mut self, number: u16, value: &F) -> Result<(), EncodeError> {
        if F::NEST {
            self.nest(number, |to| value.encode(to))
        } else {
            self.attribute(number, |to| value.encode(to))
        }
    }

    /// Appends an attribute with others inside.
    pub fn nest(
        &mut self,
        number: u16,
        fill: impl FnOnce(&mut Self) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        self.attribute(number | NLA_F_NESTED, fill)
    }

    /// Appends a string.
    pub fn text(&mut self, number: u16, text: &str) -> Result<(), EncodeError> {
        self.attribute(number, |to| to.string(text))
    }

    fn attribute(
        &mut self,
        kind: u16,
        fill: impl FnOnce(&mut Self) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let start = self.bytes.len();
        self.bytes.extend([0, 0]);
        self.bytes.extend(kind.to_ne_bytes());
        fill(self)?;
        let length = self.bytes.len() - start;
        let Ok(wire_length) = u16::try_from(length) else {
            return Err(Unfit::TooLong(length - NLA_HEADER_SIZE).into());
        };
        for (to, from) in self
            .bytes
            .iter_mut()
            .skip(start)
            .zip(wire_length.to_ne_bytes())
        {
            *to = from;
        }
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        Ok(())
    }

    /// Appends bytes to the attribute that is being written.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends a string to the attribute that is being written.
    pub(super) fn string(&mut self, text: &str) -> Result<(), EncodeError> {
        if text.contains('\0') {
            return Err(Unfit::Nul.into());
        }
        self.raw(text.as_bytes());
        self.raw(&[0]);
        Ok(())
    }

    /// The attributes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pads_and_counts() {
        let mut writer = Writer::new();
        writer.put(1, &"fb2".to_owned()).unwrap();
        writer.put(2, &7u32).unwrap();
        writer.put(3, &String::new()).unwrap();
        let expected = [
            8, 0, 1, 0, b'f', b'b', b'2', 0, //
            8, 0, 2, 0, 7, 0, 0, 0, //
            5, 0, 3, 0, 0, 0, 0, 0,
        ];
        #[cfg(target_endian = "little")]
        assert_eq!(writer.into_bytes(), expected);
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let mut writer = Writer::new();
        let error = writer.put(1, &"x".repeat(65531)).unwrap_err();
        assert_eq!(error.why, Unfit::TooLong(65532)); // with its NUL
        assert_eq!(
            Writer::new().put(1, &"a\0b".to_owned()),
            Err(Unfit::Nul.into())
        );
        assert_eq!(Writer::new().put(1, &"x".repeat(65530)), Ok(()));
    }
}
