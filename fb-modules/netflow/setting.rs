// SPDX-License-Identifier: GPL-2.0

//! What options are set to, and how they read.

use super::{
    address::Address,
    key::{self, ADDRESSES, INTERFACE, PORTS, PROTOCOL, TOS},
    sampling::{self, Mode, Sampling},
};
use core::fmt;

/// The parts that a key can have, by their words.
const PARTS: [(&str, u16); 9] = [
    ("addresses", key::ADDRESSES),
    ("ports", key::PORTS),
    ("protocol", key::PROTOCOL),
    ("tos", key::TOS),
    ("interface", key::INTERFACE),
    ("vlan", key::VLAN),
    ("mac", key::MAC),
    ("label", key::LABEL),
    ("mpls", key::MPLS),
];

/// The parts of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parts(pub(crate) u16);

impl Parts {
    /// The seven parts that NetFlow has always had.
    pub(crate) const USUAL: Self = Self(ADDRESSES | PORTS | PROTOCOL | TOS | INTERFACE);

    /// Reads words with commas between them. Each stands there once.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = 0;
        for word in text.split(',') {
            let (_, part) = PARTS.into_iter().find(|(known, _)| *known == word)?;
            if parts & part != 0 {
                return None;
            }
            parts |= part;
        }
        Some(Self(parts))
    }
}

impl fmt::Display for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for (word, part) in PARTS {
            if self.0 & part != 0 {
                write!(f, "{comma}{word}")?;
                comma = ",";
            }
        }
        Ok(())
    }
}

impl Sampling {
    /// Reads `MODE:N`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (mode, interval) = text.split_once(':')?;
        let mode = match mode {
            "deterministic" => Mode::Deterministic,
            "random" => Mode::Random,
            "hash" => Mode::Hash,
            _ => return None,
        };
        let interval = number(interval)?;
        (2..=sampling::MOST)
            .contains(&interval)
            .then_some(Self { mode, interval })
    }
}

impl fmt::Display for Sampling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match self.mode {
            Mode::Deterministic => "deterministic",
            Mode::Random => "random",
            Mode::Hash => "hash",
        };
        write!(f, "{mode}:{}", self.interval)
    }
}

/// A number as it is written: without a sign, and without zeros in front.
fn number(text: &str) -> Option<u32> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| is_plain)
}

/// By what messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Udp,
    Tcp,
    Sctp,
}

impl Transport {
    const ALL: [Self; 3] = [Self::Udp, Self::Tcp, Self::Sctp];

    /// What is in front of an address.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Udp => "udp:",
            Self::Tcp => "tcp:",
            Self::Sctp => "sctp:",
        }
    }
}

/// Where messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) transport: Transport,
    pub(crate) address: Address,
    pub(crate) port: u16,
}

impl Target {
    /// Reads `ADDRESS:PORT`, with brackets around an IPv6 address. In front may be `udp:`, `tcp:` or `sctp:`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut all = Transport::ALL.into_iter();
        let found = all.find_map(|by| Some((by, text.strip_prefix(by.prefix())?)));
        let (transport, text) = found.unwrap_or((Transport::Udp, text));
        let (address, port) = text.rsplit_once(':')?;
        let inside = address.strip_prefix('[');
        let inside = inside.and_then(|address| address.strip_suffix(']'));
        let address = Address::parse(inside.unwrap_or(address))?;
        let is_v6 = matches!(address, Address::V6(_));
        let port = number(port).and_then(|port| u16::try_from(port).ok())?;
        let is_none = matches!(address, Address::V4(0) | Address::V6(0));
        (is_v6 == inside.is_some() && !is_none && port > 0).then_some(Self {
            transport,
            address,
            port,
        })
    }

    /// Whether messages go by a connection.
    pub(crate) fn is_connected(&self) -> bool {
        self.transport != Transport::Udp
    }

    pub(crate) fn is_v6(&self) -> bool {
        matches!(self.address, Address::V6(_))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_connected() {
            f.write_str(self.transport.prefix())?;
        }
        if self.is_v6() {
            write!(f, "[{}]:{}", self.address, self.port)
        } else {
            write!(f, "{}:{}", self.address, self.port)
        }
    }
}
