// SPDX-License-Identifier: GPL-2.0

//! Netlink attributes in general: what the code generated from the specification stands on.

mod field;
mod read;
mod table;
mod write;

pub use field::{text, Field, Flag, UnknownValue, Value};
pub(crate) use read::positions;
pub use read::{attributes, DecodeError};
pub use table::{Attr, AttrSet};
pub use write::{EncodeError, Unfit, Writer};

/// A set of attributes, as a struct.
///
/// Every attribute may be absent, in either direction; which ones an operation wants or gives is
/// the kernel's to say.
pub trait Attributes: Sized {
    /// Names and numbers of the set.
    const SET: &'static AttrSet;

    /// Reads the attributes from the bytes they lie in. Those of unknown number are skipped, of
    /// those that are there more often than they should the last counts.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError>;

    /// Writes the attributes that are there.
    fn encode(&self, to: &mut Writer) -> Result<(), EncodeError>;
}
