// SPDX-License-Identifier: GPL-2.0

//! Which packets pass.

use lana::prelude::{
    checksum,
    headers::{Addresses, Parsed},
};

pub(crate) mod list;

use list::Ports;

/// Whether the header of IPv4, if there is one, has the right checksum. `head` ends with it.
pub(crate) fn is_intact(head: &[u8], parsed: &Parsed) -> bool {
    match (parsed.addresses, head.get(parsed.network..)) {
        (Addresses::V4(..), Some(header)) => checksum::sum(header) == u16::MAX,
        _ => true,
    }
}

/// Whether a packet passes: all but those to another port.
pub(crate) fn passes(parsed: &Parsed, ports: &Ports) -> bool {
    parsed.ports.is_none_or(|(_, to)| ports.include(to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lana::prelude::{headers, option::Value, units};

    /// A packet of UDP to a port.
    fn packet(to: u16) -> Vec<u8> {
        let mut bytes = vec![0; 14 + 20 + 8];
        bytes[12..14].copy_from_slice(&[8, 0]);
        bytes[14..24].copy_from_slice(&[0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17]);
        let sum = !checksum::sum(&bytes[14..34]);
        bytes[24..26].copy_from_slice(&sum.to_ne_bytes());
        bytes[36..38].copy_from_slice(&to.to_be_bytes());
        bytes[38..40].copy_from_slice(&[0, 8]);
        bytes
    }

    #[test]
    fn ports_pass() {
        let bytes = packet(53);
        let parsed = headers::parse(&bytes, bytes.len()).unwrap();
        assert!(is_intact(&bytes[..34], &parsed));
        assert!(passes(&parsed, &Ports::parse("7,53").unwrap()));
        assert!(!passes(&parsed, &Ports::parse("54").unwrap()));
        assert!(!passes(&parsed, &Ports::NONE));
    }

    #[test]
    fn a_wrong_checksum_is_found() {
        let mut bytes = packet(53);
        bytes[22] = 63;
        let parsed = headers::parse(&bytes, bytes.len()).unwrap();
        assert!(!is_intact(&bytes[..34], &parsed));
    }

    #[test]
    fn what_authors_have_is_there() {
        assert_eq!(units::time("1.5ms"), Some(1_500_000));
    }
}
