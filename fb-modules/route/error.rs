// SPDX-License-Identifier: GPL-2.0

//! What a router tells senders: errors of ICMP (RFC 792, RFC 1812) and of ICMPv6 (RFC 4443).

use super::{
    checksum::{add, sum},
    headers::fill,
};

/// Why a packet does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Error {
    /// Its time to live, or its hop limit, has come to an end.
    Expired,
    /// No route leads there.
    Unreachable,
    /// It is longer than the MTU, which this is, and may not be fragmented.
    TooBig(u32),
}

impl Error {
    /// Type and code of ICMP, and what is in the second word.
    fn v4(self) -> (u8, u8, u32) {
        match self {
            Self::Expired => (11, 0, 0),
            // As Linux says it of a route that is `unreachable`.
            Self::Unreachable => (3, 1, 0),
            Self::TooBig(mtu) => (3, 4, mtu.min(0xffff)),
        }
    }

    /// The same of ICMPv6.
    fn v6(self) -> (u8, u8, u32) {
        match self {
            Self::Expired => (3, 0, 0),
            Self::Unreachable => (1, 0, 0),
            Self::TooBig(mtu) => (2, 0, mtu),
        }
    }
}

/// How much of a packet is quoted at most: an error has 576 bytes of IPv4 (RFC 1812, 4.3.2.3), 1280 of IPv6.
pub(crate) const QUOTED_V4: usize = 576 - 20 - 8;
pub(crate) const QUOTED_V6: usize = 1280 - 40 - 8;

/// Whether an error can be about a message of ICMP of this type: not about another error.
pub(crate) fn can_be_about_v4(icmp_type: u8) -> bool {
    matches!(icmp_type, 0 | 8 | 13..=18)
}

/// The same of ICMPv6: informational messages have the high bit set.
pub(crate) fn can_be_about_v6(icmp_type: u8) -> bool {
    icmp_type & 0x80 != 0
}

/// The class of errors: what Linux sends them with, internetwork control.
const TOS: u8 = 0xc0;
const TTL: u8 = 64;

/// What an error of ICMP has before the packet that it quotes: the headers of IPv4 and of ICMP.
pub(crate) fn head_v4(error: Error, from: u32, to: u32, quoted: &[u8]) -> [u8; 28] {
    let mut head = [0; 28];
    let (kind, code, detail) = error.v4();
    let detail = detail.to_be_bytes();
    let length = quoted.len().saturating_add(28) as u16;
    let message = [kind, code, 0, 0];
    let check = !add(add(sum(&message), sum(&detail)), sum(quoted));
    let parts: [&[u8]; 9] = [
        &[0x45, TOS],
        &length.to_be_bytes(),
        // It is no fragment and becomes none, so it needs no identification (RFC 6864).
        &[0, 0, 0x40, 0, TTL, 1, 0, 0],
        &from.to_be_bytes(),
        &to.to_be_bytes(),
        &[kind, code],
        &check.to_ne_bytes(),
        &detail,
        &[],
    ];
    fill(&mut head, &parts);
    let check = head.first_chunk::<20>().map_or(0, |ip| !sum(ip));
    let [.., high, low, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = &mut head;
    [*high, *low] = check.to_ne_bytes();
    head
}

/// The same of ICMPv6.
pub(crate) fn head_v6(error: Error, from: u128, to: u128, quoted: &[u8]) -> [u8; 48] {
    let mut head = [0; 48];
    let (kind, code, detail) = error.v6();
    let detail = detail.to_be_bytes();
    let length = quoted.len().saturating_add(8) as u32;
    let addresses = [from.to_be_bytes(), to.to_be_bytes()];
    let pseudo = add(sum(addresses.as_flattened()), sum(&length.to_be_bytes()));
    let pseudo = add(pseudo, sum(&[0, 58]));
    let message = add(sum(&[kind, code, 0, 0]), sum(&detail));
    let check = !add(add(pseudo, message), sum(quoted));
    let class = (6_u32 << 28) | (u32::from(TOS) << 20);
    let parts: [&[u8]; 9] = [
        &class.to_be_bytes(),
        &(length as u16).to_be_bytes(),
        &[58, TTL],
        &from.to_be_bytes(),
        &to.to_be_bytes(),
        &[kind, code],
        &check.to_ne_bytes(),
        &detail,
        &[],
    ];
    fill(&mut head, &parts);
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_right(bytes: &[u8]) -> bool {
        matches!(sum(bytes), 0xffff)
    }

    #[test]
    fn errors_of_icmp() {
        for length in [28, 29, QUOTED_V4] {
            let quoted: Vec<u8> = (0..length).map(|n| (n * 7) as u8).collect();
            for (error, kind) in [
                (Error::Expired, [11, 0]),
                (Error::Unreachable, [3, 1]),
                (Error::TooBig(1400), [3, 4]),
            ] {
                let head = head_v4(error, 0xc000_0008, 0xc000_0201, &quoted);
                assert!(is_right(&head[..20]));
                let message = [&head[20..], &quoted].concat();
                assert!(is_right(&message), "{length}");
                assert_eq!(message[..2], kind);
                assert_eq!(head[2..4], (28 + length as u16).to_be_bytes());
                assert_eq!(head[12..20], [192, 0, 0, 8, 192, 0, 2, 1]);
                let mtu = if kind == [3, 4] { 1400_u32 } else { 0 };
                assert_eq!(message[4..8], mtu.to_be_bytes());
            }
        }
    }

    #[test]
    fn errors_of_icmpv6() {
        for length in [48, 49, QUOTED_V6] {
            let quoted: Vec<u8> = (0..length).map(|n| (n * 7) as u8).collect();
            let (from, to) = (0x2001_0db8 << 96 | 1_u128, 0x2001_0db8 << 96 | 2_u128);
            let head = head_v6(Error::TooBig(1280), from, to, &quoted);
            let payload = (8 + length as u32).to_be_bytes();
            let pseudo = [&head[8..40], &payload, &[0, 0, 0, 58]].concat();
            let all = [&pseudo, &head[40..], &quoted].concat();
            assert!(is_right(&all), "{length}");
            assert_eq!((head[0] >> 4, head[6], head[7]), (6, 58, 64));
            assert_eq!(head[40..42], [2, 0]);
            assert_eq!(head[44..48], 1280_u32.to_be_bytes());
        }
    }

    #[test]
    fn no_errors_about_errors() {
        assert!([0, 8, 13, 14].into_iter().all(can_be_about_v4));
        assert!(![3, 4, 5, 11, 12, 42].into_iter().any(can_be_about_v4));
        assert!(can_be_about_v6(128) && !can_be_about_v6(1) && !can_be_about_v6(4));
    }
}
