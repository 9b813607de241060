// SPDX-License-Identifier: GPL-2.0

//! A captured packet as a program sees it: its bytes, and what Linux would know of it beside them.

use crate::insn::{signed, Size};

/// The offset from which on loads begin at the network header; the kernel's `SKF_NET_OFF`.
const NET_OFF: i32 = -0x0010_0000;
/// The same of the link header; the kernel's `SKF_LL_OFF`.
const LL_OFF: i32 = -0x0020_0000;

/// What the packets of a capture begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Ethernet.
    Ethernet,
    /// Nothing: IP comes first.
    Ip,
    /// What Linux writes for the device `any`: 16 bytes.
    Cooked,
    /// Something else, of which only the bytes are known.
    Other,
}

/// A packet.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// The bytes that were captured.
    pub bytes: &'a [u8],
    /// How many there were on the wire.
    pub len: u32,
    /// What it begins with.
    pub link: Link,
}

impl Packet<'_> {
    /// A part, if all of it was captured.
    fn part(&self, at: usize, len: usize) -> Option<&[u8]> {
        self.bytes.get(at..at.checked_add(len)?)
    }

    /// A number in the order of the network, and nothing if it is not there.
    fn number(&self, at: usize, len: usize) -> Option<u32> {
        let part = self.part(at, len)?;
        Some(part.iter().fold(0, |sum, b| sum << 8 | u32::from(*b)))
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// What a load at this offset gives. Negative ones count from a header.
    pub fn load(&self, offset: u32, size: Size) -> Option<u32> {
        let offset = signed(offset);
        let at = if offset >= 0 {
            usize::try_from(offset).ok()?
        } else if offset >= NET_OFF {
            usize::try_from(offset - NET_OFF).ok()? + self.network()
        } else if offset >= LL_OFF {
            usize::try_from(offset - LL_OFF).ok()?
        } else {
            return None;
        };
        self.number(at, size.bytes())
    }

    /// Where the network header is.
    fn network(&self) -> usize {
        match self.link {
            Link::Ethernet => 14,
            Link::Cooked => 16,
            Link::Ip | Link::Other => 0,
        }
    }

    /// The protocol, as Linux takes it from the link header.
    pub fn protocol(&self) -> u32 {
        match self.link {
            // Less is a length (`eth_type_trans()`): LLC, or Novell's own.
            Link::Ethernet => match self.number(12, 2) {
                Some(length) if length < 0x600 => match self.number(14, 2) {
                    Some(0xffff) => 1,
                    _ => 4,
                },
                protocol => protocol.unwrap_or(0),
            },
            Link::Cooked => self.number(14, 2).unwrap_or(0),
            Link::Ip => match self.byte(0).map(|b| b >> 4) {
                Some(4) => 0x0800,
                Some(6) => 0x86dd,
                _ => 0,
            },
            Link::Other => 0,
        }
    }

    /// The kind of device, as ARP numbers it.
    pub fn hardware(&self) -> u32 {
        match self.link {
            Link::Ethernet => 1,
            // ARPHRD_NONE.
            Link::Ip => 0xfffe,
            Link::Cooked => self.number(2, 2).unwrap_or(0),
            Link::Other => 0,
        }
    }

    /// Where the payload of the transport protocol begins; 0 if that is not known.
    pub fn payload(&self) -> u32 {
        let at = self.transport().unwrap_or(0);
        u32::try_from(at).unwrap_or(0)
    }

    fn transport(&self) -> Option<usize> {
        let (mut at, mut protocol) = (self.network(), self.protocol());
        while matches!(protocol, 0x8100 | 0x88a8) {
            protocol = self.number(at + 2, 2)?;
            at += 4;
        }
        let (at, protocol, later) = match protocol {
            0x0800 => {
                let head = usize::from(self.byte(at)? & 0xf) * 4;
                if head < 20 {
                    return None;
                }
                let later = self.number(at + 6, 2)? & 0x1fff != 0;
                (at + head, self.byte(at + 9)?, later)
            }
            0x86dd => self.extensions(at + 40, self.byte(at + 6)?)?,
            0x0806 => return Some(at),
            _ => return None,
        };
        if later {
            return Some(at);
        }
        let head = match protocol {
            6 => match self.byte(at + 12) {
                Some(offset) => (usize::from(offset >> 4) * 4).max(20),
                None => 0,
            },
            1 | 2 | 17 | 58 | 136 => 8,
            33 | 132 => 12,
            _ => 0,
        };
        Some(at + head)
    }

    /// Goes over the extension headers of IPv6: where the next one is, which it is, and whether the packet
    /// is a fragment after the first.
    fn extensions(&self, mut at: usize, mut protocol: u8) -> Option<(usize, u8, bool)> {
        loop {
            match protocol {
                0 | 43 | 60 => {
                    protocol = self.byte(at)?;
                    at += (usize::from(self.byte(at + 1)?) + 1) * 8;
                }
                44 => {
                    let later = self.number(at + 2, 2)? & 0xfff8 != 0;
                    protocol = self.byte(at)?;
                    at += 8;
                    if later {
                        return Some((at, protocol, true));
                    }
                }
                _ => return Some((at, protocol, false)),
            }
        }
    }

    /// The offset of the first netlink attribute of a type among those from `at` to `end`; 0 if there is none.
    fn attribute(&self, mut at: usize, end: usize, kind: u32) -> u32 {
        while let Some(header) = self.part(at, 4).filter(|_| at + 4 <= end) {
            // In the order of the machine.
            let [a, b, c, d] = *header else { break };
            let len = usize::from(u16::from_ne_bytes([a, b]));
            if len < 4 || at + len > end {
                break;
            }
            if u32::from(u16::from_ne_bytes([c, d]) & 0x3fff) == kind {
                return u32::try_from(at).unwrap_or(0);
            }
            at += (len + 3) & !3;
        }
        0
    }

    /// `#nla`: looks for the attribute of type X from A on.
    pub fn find_attribute(&self, a: u32, x: u32) -> u32 {
        match usize::try_from(a) {
            Ok(at) => self.attribute(at, self.bytes.len(), x),
            Err(_) => 0,
        }
    }

    /// `#nlan`: looks for the attribute of type X in the one at A.
    pub fn find_nested(&self, a: u32, x: u32) -> u32 {
        let find = || {
            let at = usize::try_from(a).ok()?;
            let length: [u8; 2] = self.part(at, 4)?.first_chunk().copied()?;
            let end = at.checked_add(u16::from_ne_bytes(length).into())?;
            (end <= self.bytes.len()).then(|| self.attribute(at + 4, end, x))
        };
        find().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ethernet(bytes: &[u8]) -> Packet<'_> {
        let len = u32::try_from(bytes.len()).unwrap_or(0);
        Packet {
            bytes,
            len,
            link: Link::Ethernet,
        }
    }

    #[test]
    fn loads_stay_within_the_packet() {
        let bytes: Vec<u8> = (0..20).collect();
        let packet = ethernet(&bytes);
        assert_eq!(packet.load(0, Size::Word), Some(0x0001_0203));
        assert_eq!(packet.load(18, Size::Half), Some(0x1213));
        assert_eq!(packet.load(19, Size::Half), None);
        assert_eq!(packet.load(i32::MAX.unsigned_abs(), Size::Byte), None);
        assert_eq!(packet.load(0xfff0_0000, Size::Byte), Some(14));
        assert_eq!(packet.load(0xfff0_0005, Size::Byte), Some(19));
        assert_eq!(packet.load(0xfff0_0006, Size::Byte), None);
        assert_eq!(packet.load(0xffe0_0003, Size::Byte), Some(3));
        assert_eq!(packet.load(0xffdf_ffff, Size::Byte), None);
        assert_eq!(packet.load(0xffff_ffff, Size::Word), None);
    }

    #[test]
    fn headers_are_known() {
        let mut bytes = vec![0; 74];
        let at = |bytes: &mut Vec<u8>, offset: usize, what: &[u8]| {
            bytes.splice(offset..offset + what.len(), what.iter().copied());
        };
        at(&mut bytes, 12, &[0x08, 0x00, 0x46]);
        at(&mut bytes, 23, &[6]);
        at(&mut bytes, 38 + 12, &[0x60]);
        assert_eq!(ethernet(&bytes).protocol(), 0x0800);
        assert_eq!(ethernet(&bytes).payload(), 14 + 24 + 24);
        at(&mut bytes, 20, &[0x00, 0x01]);
        assert_eq!(ethernet(&bytes).payload(), 14 + 24, "a later fragment");
        at(&mut bytes, 12, &[0x81, 0x00, 0x00, 0x05, 0x08, 0x06]);
        assert_eq!(ethernet(&bytes).payload(), 18);
        at(&mut bytes, 12, &[0x86, 0xdd]);
        at(&mut bytes, 20, &[0]);
        at(&mut bytes, 54, &[17, 0]);
        assert_eq!(ethernet(&bytes).payload(), 14 + 40 + 8 + 8);
        at(&mut bytes, 12, &[0x00, 0x20, 0xff, 0xff]);
        assert_eq!(ethernet(&bytes).protocol(), 1);
        at(&mut bytes, 14, &[0xaa]);
        assert_eq!(ethernet(&bytes).protocol(), 4);
        let ip = Packet {
            link: Link::Ip,
            ..ethernet(&[0x60, 0])
        };
        assert_eq!((ip.protocol(), ip.payload()), (0x86dd, 0));
    }

    #[test]
    fn netlink_attributes_are_found() {
        let mut bytes = Vec::new();
        for half in [8u16, 1, 0, 0, 12, 2, 8, 7, 0, 0] {
            bytes.extend(half.to_ne_bytes());
        }
        let packet = ethernet(&bytes);
        assert_eq!(packet.find_attribute(0, 2), 8);
        assert_eq!(packet.find_attribute(0, 7), 0);
        assert_eq!(packet.find_nested(8, 7), 12);
        assert_eq!(packet.find_nested(8, 1), 0);
        assert_eq!(packet.find_nested(u32::MAX, 1), 0);
        assert_eq!(packet.find_attribute(17, 1), 0);
    }
}
