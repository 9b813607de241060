// SPDX-License-Identifier: GPL-2.0

//! Routes as texts: `192.0.2.0/24 via 198.51.100.1 -> 0`.

use core::fmt;

use super::address::{Address, BadPrefix, Prefix};

/// The highest number of a port.
pub(crate) const LAST_PORT: u16 = 63;

/// Where packets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum To {
    /// By a port below, to a router or else to the destination itself.
    Port(u16, Option<Address>),
    /// To the block above.
    Up,
    Drop,
    /// The same, and the sender is told.
    Unreachable,
}

/// A route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rule {
    pub(crate) prefix: Prefix,
    pub(crate) to: To,
}

/// What is wrong with the text of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad<'a> {
    /// It is not of this form.
    Form,
    Prefix(&'a str, BadPrefix),
    Via(&'a str),
    /// An address of the other IP version.
    Version(&'a str),
    To(&'a str),
}

impl fmt::Display for Bad<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Form => f.write_str("not PREFIX [via ADDRESS] -> PORT|up|drop|unreachable"),
            Self::Prefix(text, bad) => write!(f, "'{}' {bad}", text.escape_default()),
            Self::Via(text) => write!(f, "via '{}' is no address", text.escape_default()),
            Self::Version(text) => write!(f, "{text} is not of the prefix's IP version"),
            Self::To(text) => write!(
                f,
                "'{}' is not 0 to {LAST_PORT}, up, drop or unreachable",
                text.escape_default()
            ),
        }
    }
}

/// A whole number in decimal, without a sign or zeros in front.
fn number(text: &str) -> Option<u16> {
    let plain = text == "0" || text.starts_with(|c: char| matches!(c, '1'..='9'));
    text.parse().ok().filter(|_| plain)
}

/// The number of a key `route.N`.
pub(crate) fn number_of(key: &str) -> Option<u16> {
    number(key.strip_prefix("route.")?)
}

impl Rule {
    /// Reads a route.
    pub(crate) fn parse(text: &str) -> Result<Self, Bad<'_>> {
        let mut words = text.split_whitespace();
        let first = words.next().ok_or(Bad::Form)?;
        let prefix = Prefix::parse(first).map_err(|bad| Bad::Prefix(first, bad))?;
        let (mut via, mut next) = (None, words.next());
        if next == Some("via") {
            let text = words.next().ok_or(Bad::Form)?;
            let address = Address::parse(text).ok_or(Bad::Via(text))?;
            if address.bits() != prefix.first().bits() {
                return Err(Bad::Version(text));
            }
            (via, next) = (Some(address), words.next());
        }
        let (Some("->"), Some(to), None) = (next, words.next(), words.next()) else {
            return Err(Bad::Form);
        };
        let to = match (to, via) {
            ("up", None) => To::Up,
            ("drop", None) => To::Drop,
            ("unreachable", None) => To::Unreachable,
            (to, via) => {
                let port = number(to).filter(|&port| port <= LAST_PORT);
                To::Port(port.ok_or(Bad::To(to))?, via)
            }
        };
        Ok(Self { prefix, to })
    }
}

/// The parts of a list, with commas or line ends between them.
pub(crate) fn parts(text: &str) -> impl Iterator<Item = &str> {
    let parts = text.split([',', '\n']).map(str::trim);
    parts.filter(|part| !part.is_empty())
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.prefix, self.to)
    }
}

impl fmt::Display for To {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Port(port, None) => write!(f, "-> {port}"),
            Self::Port(port, Some(via)) => write!(f, "via {via} -> {port}"),
            Self::Up => f.write_str("-> up"),
            Self::Drop => f.write_str("-> drop"),
            Self::Unreachable => f.write_str("-> unreachable"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_texts() {
        for text in [
            "192.0.2.0/24 -> 0",
            "0.0.0.0/0 via 198.51.100.1 -> 63",
            "2001:db8::/32 via fe80::1 -> 1",
            "::/0 -> up",
            "192.0.2.1 -> drop",
            "10.0.0.0/8 -> unreachable",
        ] {
            assert_eq!(Rule::parse(text).unwrap().to_string(), text);
        }
        let spaces = Rule::parse("  192.0.2.0/24\tvia 198.51.100.1  -> 1 ");
        assert_eq!(
            spaces.unwrap().to_string(),
            "192.0.2.0/24 via 198.51.100.1 -> 1"
        );
    }

    #[test]
    fn lists_have_parts() {
        let all: Vec<_> = parts(" 10.0.0.0/8 -> 0,\n::/0 via ::2 -> 1\r\n\n,").collect();
        assert_eq!(all, ["10.0.0.0/8 -> 0", "::/0 via ::2 -> 1"]);
        assert_eq!(parts(" \n,").count(), 0);
    }

    #[test]
    fn keys_have_numbers() {
        assert_eq!(number_of("route.0"), Some(0));
        assert_eq!(number_of("route.65535"), Some(65535));
        for key in ["route.", "route.01", "route.+1", "route.65536", "rule.1"] {
            assert_eq!(number_of(key), None, "{key}");
        }
    }

    #[test]
    fn mistakes_name_the_culprit() {
        let form = "not PREFIX [via ADDRESS] -> PORT|up|drop|unreachable";
        for (text, bad) in [
            ("", form),
            ("10.0.0.0/8", form),
            ("10.0.0.0/8 ->", form),
            ("10.0.0.0/8 -> 1 2", form),
            ("10.0.0.0/8 via -> 1", "via '->' is no address"),
            ("10.0.0.0/8 via x -> 1", "via 'x' is no address"),
            (
                "10.0.0.0/8 via ::1 -> 1",
                "::1 is not of the prefix's IP version",
            ),
            ("10.0.0.1/8 -> 1", "'10.0.0.1/8' has bits behind its prefix"),
            ("x -> 1", "'x' is no address or prefix"),
            (
                "10.0.0.0/8 -> 64",
                "'64' is not 0 to 63, up, drop or unreachable",
            ),
            (
                "10.0.0.0/8 -> 01",
                "'01' is not 0 to 63, up, drop or unreachable",
            ),
            (
                "10.0.0.0/8 via 10.0.0.1 -> up",
                "'up' is not 0 to 63, up, drop or unreachable",
            ),
        ] {
            assert_eq!(Rule::parse(text).unwrap_err().to_string(), bad, "{text}");
        }
    }
}
