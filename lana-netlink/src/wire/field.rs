// SPDX-License-Identifier: GPL-2.0

//! The types an attribute's value can have.

use super::{Attributes, DecodeError, EncodeError, Writer};
use serde::{Serialize, Serializer};
use std::{borrow::Cow, fmt};
use thiserror::Error;

/// A value of an attribute.
pub trait Field: Sized {
    /// Whether the attribute has the nest flag.
    const NEST: bool = false;
    /// Reads the value.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError>;
    /// Writes the value.
    fn encode(&self, to: &mut Writer) -> Result<(), EncodeError>;
}

fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], DecodeError> {
    bytes
        .try_into()
        .map_err(|_| DecodeError::new(format!("{} bytes where {N} belong", bytes.len())))
}

macro_rules! number {
    ($($t:ty),*) => { $(
        impl Field for $t {
            fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
                Ok(<$t>::from_ne_bytes(array(bytes)?))
            }
            fn encode(&self, to: &mut Writer) -> Result<(), EncodeError> {
                to.raw(&self.to_ne_bytes());
                Ok(())
            }
        }
    )* };
}
number!(u8, u16, u32);

/// Also the type `uint`, which is as long as its value needs: 4 or 8 bytes.
impl Field for u64 {
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        match bytes.len() {
            4 => u32::decode(bytes).map(u64::from),
            8 => Ok(u64::from_ne_bytes(array(bytes)?)),
            length => Err(DecodeError::new(format!(
                "{length} bytes where 4 or 8 belong"
            ))),
        }
    }
    fn encode(&self, to: &mut Writer) -> Result<(), EncodeError> {
        to.raw(&self.to_ne_bytes());
        Ok(())
    }
}

/// A string as it lies in an attribute: up to the first NUL; what is not UTF-8 in it is replaced.
pub fn text(bytes: &[u8]) -> Cow<'_, str> {
    let text = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text)
}

impl Field for String {
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        Ok(text(bytes).into_owned())
    }
    fn encode(&self, to: &mut Writer) -> Result<(), EncodeError> {
        to.string(self)
    }
}

/// An attribute that says something by being there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flag;

/// As `ynl` shows it.
impl Serialize for Flag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(true)
    }
}

impl Field for Flag {
    fn decode(_bytes: &[u8]) -> Result<Self, DecodeError> {
        Ok(Flag)
    }
    fn encode(&self, _to: &mut Writer) -> Result<(), EncodeError> {
        Ok(())
    }
}

impl Field for Vec<u8> {
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        Ok(bytes.to_vec())
    }
    fn encode(&self, to: &mut Writer) -> Result<(), EncodeError> {
        to.raw(self);
        Ok(())
    }
}

impl<A: Attributes> Field for A {
    const NEST: bool = true;
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        Attributes::decode(bytes)
    }
    fn encode(&self, to: &mut Writer) -> Result<(), EncodeError> {
        Attributes::encode(self, to)
    }
}

/// A number that no entry of an enum has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{0} is none of the values we know")]
pub struct UnknownValue(pub u32);

/// A value of an enum, or a number that only a newer kernel knows the name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value<E> {
    /// It has a name.
    Known(E),
    /// It has none here.
    Unknown(u32),
}

impl<E: TryFrom<u32>> From<u32> for Value<E> {
    fn from(number: u32) -> Self {
        E::try_from(number).map_or(Value::Unknown(number), Value::Known)
    }
}

impl<E: fmt::Display> fmt::Display for Value<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Known(value) => value.fmt(f),
            Value::Unknown(number) => number.fmt(f),
        }
    }
}

/// The name, or the number.
impl<E: fmt::Display> Serialize for Value<E> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Known(value) => serializer.collect_str(value),
            Value::Unknown(number) => serializer.serialize_u32(*number),
        }
    }
}

impl<E: TryFrom<u32> + Into<u32> + Copy> Field for Value<E> {
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        u32::decode(bytes).map(Value::from)
    }
    fn encode(&self, to: &mut Writer) -> Result<(), EncodeError> {
        match *self {
            Value::Known(value) => value.into().encode(to),
            Value::Unknown(number) => number.encode(to),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Direction;

    #[test]
    fn uint_has_either_length() {
        assert_eq!(u64::decode(&7u32.to_ne_bytes()), Ok(7));
        let big = 1u64 << 40;
        assert_eq!(u64::decode(&big.to_ne_bytes()), Ok(big));
        assert!(u64::decode(&[0; 5]).is_err());
        assert!(u32::decode(&[0; 8]).is_err());
    }

    #[test]
    fn strings_end_at_nul() {
        assert_eq!(String::decode(b"eth0\0").as_deref(), Ok("eth0"));
        assert_eq!(String::decode(b"eth0").as_deref(), Ok("eth0"));
        assert_eq!(String::decode(b"").as_deref(), Ok(""));
        assert_eq!(String::decode(b"\xff\0").as_deref(), Ok("\u{fffd}"));
    }

    #[test]
    fn enums_tolerate_the_future() {
        let known = Value::<Direction>::from(1);
        assert_eq!(known, Value::Known(Direction::Egress));
        assert_eq!(known.to_string(), "egress");
        let unknown = Value::<Direction>::from(99);
        assert_eq!(unknown, Value::Unknown(99));
        assert_eq!(unknown.to_string(), "99");
        assert_eq!(Direction::try_from(99), Err(UnknownValue(99)));
    }
}
