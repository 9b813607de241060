// SPDX-License-Identifier: GPL-2.0

//! Qualified names of blocks, such as `org.lana.crypt`.

use std::fmt;

/// The longest name, in bytes.
pub const NAME_MAX: usize = 255;

/// A qualified name: labels of `a-z`, `0-9`, `-` and `_` with dots between them, as Java names packages.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<str>);

/// The text is no qualified name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no qualified name: up to 255 bytes such as org.lana.crypt")]
pub struct BadName(String);

impl Name {
    /// The name that reads so.
    pub fn new(text: &str) -> Result<Self, BadName> {
        let label = |label: &str| {
            let good = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
            !label.is_empty() && label.bytes().all(good)
        };
        if text.len() <= NAME_MAX && text.contains('.') && text.split('.').all(label) {
            Ok(Name(text.into()))
        } else {
            Err(BadName(text.chars().take(NAME_MAX + 1).collect()))
        }
    }

    /// The name that a user means: a word without a dot, such as `crypt`, stands for `org.lana.crypt`.
    pub fn short(text: &str) -> Result<Self, BadName> {
        if text.contains('.') {
            Name::new(text)
        } else {
            Name::new(&format!("org.lana.{text}"))
        }
    }

    /// How it reads.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(
            Name::new("org.lana.crypt").unwrap().as_str(),
            "org.lana.crypt"
        );
        assert_eq!(Name::short("crypt").unwrap().as_str(), "org.lana.crypt");
        assert_eq!(Name::short("com.a.b-c").unwrap().as_str(), "com.a.b-c");
        for bad in ["", "crypt", ".a", "a.", "a..b", "A.b", "a.b c", "a.ä"] {
            assert!(Name::new(bad).is_err(), "{bad}");
        }
        assert!(Name::new(&format!("a.{}", "b".repeat(253))).is_ok());
        assert!(Name::new(&format!("a.{}", "b".repeat(254))).is_err());
    }
}
