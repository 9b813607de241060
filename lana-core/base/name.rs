// SPDX-License-Identifier: GPL-2.0

//! Names of blocks and types.

use core::{ffi::CStr, fmt, str};

/// The longest name, in bytes; `name-max` of the netlink specification.
pub(crate) const NAME_MAX: usize = 31;

/// A name: 1 to 31 printable ASCII characters, no space and no `/`, neither `.` nor `..`. So it
/// is fit to be a file name, and any device name in ASCII is one.
///
/// # Invariants
///
/// The bytes from the first NUL on are all NUL, and the last byte is.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name([u8; NAME_MAX + 1]);

/// Whether a name can have this character.
fn is_fit(b: u8) -> bool {
    b.is_ascii_graphic() && b != b'/'
}

/// What is wrong with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadName {
    /// It has no characters.
    Empty,
    /// It has more than 31.
    TooLong,
    /// It is `.` or `..`, or has a character that is none of a name's.
    Odd,
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadName::Empty => "is empty",
            BadName::TooLong => "is longer than 31 bytes",
            BadName::Odd => "has characters that a name cannot have",
        })
    }
}

impl Name {
    /// Checks a name and makes it one.
    pub(crate) fn new(bytes: &[u8]) -> Result<Self, BadName> {
        if bytes.is_empty() {
            return Err(BadName::Empty);
        }
        let mut name = [0; NAME_MAX + 1];
        name[..NAME_MAX]
            .get_mut(..bytes.len())
            .ok_or(BadName::TooLong)?
            .copy_from_slice(bytes);
        if bytes == b"." || bytes == b".." {
            return Err(BadName::Odd);
        }
        if !bytes.iter().copied().all(is_fit) {
            return Err(BadName::Odd);
        }
        // INVARIANT: no byte of the name is NUL, all after it are, and the last is one of those.
        Ok(Self(name))
    }

    /// A name like these bytes, `?` standing for what a name cannot have.
    pub(crate) fn like(bytes: &[u8]) -> Self {
        let mut name = [0; NAME_MAX + 1];
        for (to, &b) in name[..NAME_MAX].iter_mut().zip(bytes) {
            *to = if is_fit(b) { b } else { b'?' };
        }
        // INVARIANT: as in `new`.
        Self(name)
    }

    /// The name as C has it.
    pub(crate) fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or_default()
    }

    /// The name as Rust has it.
    pub(crate) fn as_str(&self) -> &str {
        self.as_c_str().to_str().unwrap_or_default()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Bytes from outside, shown in a message: what is not printable as `?`, and not too many.
pub(crate) struct Shown<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MAX: usize = 32;
        for &b in self.0.iter().take(MAX) {
            let printable = b.is_ascii_graphic() || b == b' ';
            fmt::Write::write_char(f, if printable { b as char } else { '?' })?;
        }
        if self.0.len() > MAX {
            f.write_str("...")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_names() {
        for name in ["a", "fb2", "eth0.10", "veth-a", "x:y@z", &"n".repeat(31)] {
            assert_eq!(Name::new(name.as_bytes()).unwrap().as_str(), name);
        }
    }

    #[test]
    fn bad_names() {
        assert_eq!(Name::new(b""), Err(BadName::Empty));
        assert_eq!(Name::new(&[b'n'; 32]), Err(BadName::TooLong));
        for name in [&b"."[..], b"..", b"a b", b"a/b", b"a\n", b"\xff", b"a\0b"] {
            assert_eq!(Name::new(name), Err(BadName::Odd), "{name:?}");
        }
    }

    #[test]
    fn likeness_is_a_name() {
        for bytes in [&b"eth0"[..], b"\xc3\xa9", b"a b/c", &[b'x'; 40]] {
            let name = Name::like(bytes);
            assert_eq!(Name::new(name.as_str().as_bytes()), Ok(name));
        }
        assert_eq!(Name::like(b"a b").as_str(), "a?b");
    }

    #[test]
    fn order_is_that_of_the_bytes() {
        let name = |s: &str| Name::new(s.as_bytes()).unwrap();
        assert!(name("a") < name("aa"));
        assert!(name("aa") < name("b"));
    }

    #[test]
    fn shown_is_printable_and_short() {
        assert_eq!(Shown(b"a\n\xffb").to_string(), "a??b");
        assert_eq!(
            Shown(&[b'x'; 100]).to_string(),
            format!("{}...", "x".repeat(32))
        );
    }
}
