// SPDX-License-Identifier: GPL-2.0

//! Echo requests to next hops, and their answers: ICMP (RFC 792) and ICMPv6 (RFC 4443).

use super::{
    checksum::{add, sum},
    headers::fill,
};
use core::net::IpAddr;

/// A request, by what its answer says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Echo {
    /// Who asks.
    pub(crate) source: IpAddr,
    /// Who is asked. Both are of one family.
    pub(crate) target: IpAddr,
    pub(crate) id: u16,
    pub(crate) sequence: u16,
}

/// The length of a header of ICMP.
const ICMP: usize = 8;
/// The longest request: Ethernet, IPv6, ICMPv6.
pub(crate) const MOST: usize = 14 + 40 + ICMP;
/// How much of an IP packet tells whose answer it is.
pub(crate) const ANSWER: u32 = 40 + ICMP as u32;

/// The length of a request of IPv4.
const IPV4: u8 = 20 + ICMP as u8;

const TTL: u8 = 64;

impl Echo {
    /// Writes the request as a frame with these Ethernet addresses. Says how long it is; 0 where the addresses are of
    /// two families.
    pub(crate) fn frame(&self, addresses: &[u8; 12], to: &mut [u8; MOST]) -> usize {
        let (id, sequence) = (self.id.to_be_bytes(), self.sequence.to_be_bytes());
        let message = add(sum(&id), sum(&sequence));
        match (self.source, self.target) {
            (IpAddr::V4(source), IpAddr::V4(target)) => {
                let (source, target) = (source.octets(), target.octets());
                // No fragment, which needs no identification (RFC 6864).
                let start = [0x45, 0, 0, IPV4, 0, 0, 0x40, 0, TTL, 1];
                let check = !add(sum(&start), add(sum(&source), sum(&target)));
                let icmp = !add(message, sum(&[8, 0]));
                let parts: [&[u8]; 10] = [
                    addresses,
                    &[0x08, 0x00],
                    &start,
                    &check.to_ne_bytes(),
                    &source,
                    &target,
                    &[8, 0],
                    &icmp.to_ne_bytes(),
                    &id,
                    &sequence,
                ];
                fill(to, &parts)
            }
            (IpAddr::V6(source), IpAddr::V6(target)) => {
                let (source, target) = (source.octets(), target.octets());
                let length = [0, ICMP as u8];
                let pseudo = add(
                    add(sum(&source), sum(&target)),
                    sum(&[0, ICMP as u8, 0, 58]),
                );
                let icmp = !add(add(message, pseudo), sum(&[128, 0]));
                let parts: [&[u8]; 11] = [
                    addresses,
                    &[0x86, 0xdd],
                    &[0x60, 0, 0, 0],
                    &length,
                    &[58, TTL],
                    &source,
                    &target,
                    &[128, 0],
                    &icmp.to_ne_bytes(),
                    &id,
                    &sequence,
                ];
                fill(to, &parts)
            }
            _ => 0,
        }
    }

    /// The request that an IP packet answers, which begins like this. Its checksum is not looked at: who can forge the
    /// rest can forge that.
    pub(crate) fn answered_by(packet: &[u8]) -> Option<Self> {
        let (source, target, icmp): (IpAddr, IpAddr, _) = match *packet.first()? >> 4 {
            4 => {
                let head: &[u8; 20] = packet.first_chunk()?;
                let [first, _, _, _, _, _, f0, f1, _, 1, _, _, s0, s1, s2, s3, d0, d1, d2, d3] =
                    *head
                else {
                    return None;
                };
                if f0 & 0x3f != 0 || f1 != 0 {
                    return None;
                }
                let icmp = packet.get(usize::from(first & 0xf).wrapping_mul(4)..)?;
                ([d0, d1, d2, d3].into(), [s0, s1, s2, s3].into(), icmp)
            }
            6 if packet.get(6) == Some(&58) => {
                let source: &[u8; 16] = packet.get(8..)?.first_chunk()?;
                let target: &[u8; 16] = packet.get(24..)?.first_chunk()?;
                ((*target).into(), (*source).into(), packet.get(40..)?)
            }
            _ => return None,
        };
        let [kind, 0, _, _, i0, i1, s0, s1] = *icmp.first_chunk()? else {
            return None;
        };
        let is_answer = kind == if source.is_ipv4() { 0 } else { 129 };
        is_answer.then_some(Self {
            source,
            target,
            id: u16::from_be_bytes([i0, i1]),
            sequence: u16::from_be_bytes([s0, s1]),
        })
    }
}
