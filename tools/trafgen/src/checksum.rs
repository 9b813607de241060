// SPDX-License-Identifier: GPL-2.0

//! Internet checksums, which are written into a frame after all else.

/// A checksum in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sum {
    /// Where its two bytes are.
    pub at: usize,
    /// The first byte that it covers.
    pub from: usize,
    /// Up to where; `usize::MAX` is the end of the frame.
    pub to: usize,
    /// What else it covers.
    pub pseudo: Option<Pseudo>,
}

/// What TCP, UDP and ICMPv6 take from the header of IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pseudo {
    /// Where the addresses are, from and up to.
    pub addresses: (usize, usize),
    /// The protocol above IP.
    pub protocol: u8,
}

impl Pseudo {
    /// Of a header of IPv4 that begins there.
    pub fn ip4(header: usize, protocol: u8) -> Self {
        Pseudo {
            addresses: (header.saturating_add(12), header.saturating_add(20)),
            protocol,
        }
    }

    /// Of a header of IPv6 that begins there.
    pub fn ip6(header: usize, protocol: u8) -> Self {
        Pseudo {
            addresses: (header.saturating_add(8), header.saturating_add(40)),
            protocol,
        }
    }
}

/// Protocols above IP.
pub const UDP: u8 = 17;
/// TCP.
pub const TCP: u8 = 6;
/// ICMPv6.
pub const ICMP6: u8 = 58;

impl Sum {
    /// Whether it covers bytes between two offsets.
    pub fn covers(&self, (from, to): (usize, usize)) -> bool {
        let overlaps = |begin, end| from < end && begin < to;
        let pseudo = self
            .pseudo
            .is_some_and(|pseudo| overlaps(pseudo.addresses.0, pseudo.addresses.1));
        overlaps(self.from, self.to) || pseudo
    }

    /// Works it out and writes it.
    #[inline]
    pub fn write(&self, frame: &mut [u8]) {
        let Some(field) = frame.get_mut(self.at..self.at + 2) else {
            return;
        };
        field.fill(0);
        let end = self.to.min(frame.len());
        let covered = frame.get(self.from..end).unwrap_or_default();
        let mut total = add(covered);
        if let Some(pseudo) = self.pseudo {
            let (from, to) = pseudo.addresses;
            total += add(frame.get(from..to).unwrap_or_default());
            total += u64::from(pseudo.protocol) + covered.len() as u64;
        }
        let mut sum = !fold(total);
        // UDP has no checksum of zero: that would be none.
        if sum == 0 && self.pseudo.is_some_and(|pseudo| pseudo.protocol == UDP) {
            sum = 0xffff;
        }
        if let Some(field) = frame.get_mut(self.at..self.at + 2) {
            field.copy_from_slice(&sum.to_be_bytes());
        }
    }
}

/// The sum of words of 16 bits; a byte that is left over is the first of its word.
#[inline]
fn add(bytes: &[u8]) -> u64 {
    let mut fours = bytes.chunks_exact(4);
    let mut total = 0;
    for four in &mut fours {
        if let [a, b, c, d] = four {
            total += u64::from(u32::from_be_bytes([*a, *b, *c, *d]));
        }
    }
    total = (total >> 32) + (total & 0xffff_ffff);
    total += match fours.remainder() {
        [a] => u64::from(u16::from_be_bytes([*a, 0])),
        [a, b] => u64::from(u16::from_be_bytes([*a, *b])),
        [a, b, c] => {
            u64::from(u16::from_be_bytes([*a, *b])) + u64::from(u16::from_be_bytes([*c, 0]))
        }
        _ => 0,
    };
    total
}

/// The same in 16 bits.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "it has 16 bits then")]
fn fold(mut total: u64) -> u16 {
    while total > 0xffff {
        total = (total >> 16) + (total & 0xffff);
    }
    total as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_1071() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(fold(add(&bytes)), 0xddf2);
        assert_eq!(fold(add(&bytes[..5])), 0xe605);
        assert_eq!(fold(add(&bytes[..7])), 0xddf2 - 0xf7);
        assert_eq!(fold(add(&[])), 0);
    }

    #[test]
    fn a_sum_of_udp_is_never_zero() {
        // Words that add up to 0xffff with the protocol and the length.
        let mut frame = [0; 30];
        frame[20..22].copy_from_slice(&(0xffff_u16 - 17 - 10).to_be_bytes());
        let sum = |protocol| Sum {
            at: 26,
            from: 20,
            to: usize::MAX,
            pseudo: Some(Pseudo::ip4(0, protocol)),
        };
        sum(UDP).write(&mut frame);
        assert_eq!(frame[26..28], [0xff, 0xff]);
        frame[20..22].copy_from_slice(&(0xffff_u16 - 6 - 10).to_be_bytes());
        sum(TCP).write(&mut frame);
        assert_eq!(frame[26..28], [0, 0]);
    }
}
