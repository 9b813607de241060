// SPDX-License-Identifier: GPL-2.0

//! The next hop of a port: who gets the packets that leave by it, on the wire behind its device.
//!
//! As a router does, the block addresses IP packets to one host only. ARP and groups have addresses of their own.

use core::fmt;

/// An Ethernet address of one station.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mac(pub(crate) [u8; 6]);

impl Mac {
    /// Six bytes of two digits, with colons.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let mut bytes = [0; 6];
        for byte in &mut bytes {
            let part = parts.next()?;
            let is_byte = part.len() == 2 && part.bytes().all(|digit| digit.is_ascii_hexdigit());
            *byte = u8::from_str_radix(part, 16).ok().filter(|_| is_byte)?;
        }
        let is_whole = parts.next().is_none();
        (is_whole && bytes != [0; 6] && !is_group(&bytes)).then_some(Self(bytes))
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut colon = "";
        for byte in self.0 {
            write!(f, "{colon}{byte:02x}")?;
            colon = ":";
        }
        Ok(())
    }
}

fn is_group(address: &[u8]) -> bool {
    address.first().is_some_and(|first| first & 1 != 0)
}

/// How many bytes of a frame tell whether it is addressed: the Ethernet header, and two tags.
pub(crate) const HEAD: u32 = 14 + 2 * 4;

/// Whether a frame that begins like this is an IP packet to one station.
pub(crate) fn is_routed(head: &[u8]) -> bool {
    let mut types = head.get(12..).unwrap_or_default().chunks(4);
    let kind = types.find(|kind| !matches!(kind, [0x81, 0, ..] | [0x88, 0xa8, ..]));
    matches!(kind, Some([0x08, 0, ..] | [0x86, 0xdd, ..])) && !is_group(head)
}

/// What the Ethernet header begins with: the address of the next hop, and that of the device.
pub(crate) fn addresses(next: Mac, source: [u8; 6]) -> [u8; 12] {
    let mut both = [0; 12];
    for (to, from) in both.iter_mut().zip(next.0.into_iter().chain(source)) {
        *to = from;
    }
    both
}
