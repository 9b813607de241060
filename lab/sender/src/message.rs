// SPDX-License-Identifier: GPL-2.0

//! The echo request, and its reply.

use std::net::Ipv4Addr;

/// A header of 8 bytes and 18 of data: with IPv4 and Ethernet a frame of 64 bytes.
pub(crate) const LENGTH: usize = 26;
const HEADER: usize = 8;
const NUMBER: usize = HEADER + 8;

/// The ones' complement of the ones' complement sum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| {
            let high = u32::from(pair.first().copied().unwrap_or_default());
            high << 8 | u32::from(pair.get(1).copied().unwrap_or_default())
        })
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

/// A request: type 8, code 0. Its data begin with its number, of which the sequence number is the low part.
pub(crate) fn request(identifier: u16, number: u64) -> [u8; LENGTH] {
    let mut message = [0; LENGTH];
    let (header, data) = message.split_at_mut(HEADER);
    let [.., high, low] = number.to_be_bytes();
    let [id_high, id_low] = identifier.to_be_bytes();
    header.copy_from_slice(&[8, 0, 0, 0, id_high, id_low, high, low]);
    for (to, from) in data.iter_mut().zip(number.to_be_bytes()) {
        *to = from;
    }
    let sum = checksum(&message).to_be_bytes();
    for (to, from) in message.iter_mut().skip(2).zip(sum) {
        *to = from;
    }
    message
}

/// The number of the request that a packet of IPv4 answers, where it does: a reply from there, with our identifier, the data
/// that were sent and a correct checksum.
pub(crate) fn answered(packet: &[u8], from: Ipv4Addr, identifier: u16) -> Option<u64> {
    let length = usize::from(packet.first()? & 15) * 4;
    let (header, message) = packet.split_at_checked(length)?;
    if header.get(12..16)? != from.octets() || message.len() != LENGTH || checksum(message) != 0 {
        return None;
    }
    let number = u64::from_be_bytes(message.get(HEADER..NUMBER)?.try_into().ok()?);
    let sent = request(identifier, number);
    (message.starts_with(&[0, 0]) && message.get(4..) == sent.get(4..)).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: Ipv4Addr = Ipv4Addr::new(50, 50, 50, 50);

    /// What a responder makes of a request, behind a header of IPv4.
    fn reply(request: &[u8], from: Ipv4Addr) -> Vec<u8> {
        let mut message = request.to_vec();
        message[0] = 0;
        message[2..4].fill(0);
        let sum = checksum(&message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        let mut packet = vec![0; 20];
        packet[0] = 0x45;
        packet[12..16].copy_from_slice(&from.octets());
        packet.extend(message);
        packet
    }

    #[test]
    fn a_request_is_the_report_s() {
        // Type 8, code 0, the checksum of zeros but for the type: 0xf7ff.
        let mut zeros = [0; LENGTH];
        zeros[0] = 8;
        zeros[2..4].copy_from_slice(&[0xf7, 0xff]);
        assert_eq!(request(0, 0), zeros);
        let numbered = request(0x1234, 0x0001_0002_0003);
        assert_eq!(numbered.len(), 26);
        assert_eq!(&numbered[4..8], [0x12, 0x34, 0, 3]);
        assert_eq!(&numbered[8..16], [0, 0, 0, 1, 0, 2, 0, 3]);
        assert_eq!(&numbered[16..], [0; 10]);
        assert_eq!(checksum(&numbered), 0);
    }

    #[test]
    fn a_checksum_is_that_of_rfc_1071() {
        assert_eq!(
            checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]),
            !0xddf2
        );
        assert_eq!(checksum(&[0xff]), !0xff00);
        assert_eq!(checksum(&[]), 0xffff);
    }

    #[test]
    fn an_answer_has_its_number() {
        for number in [0, 1, 0xffff, 0x1_0000, u64::MAX] {
            let packet = reply(&request(7, number), SERVICE);
            assert_eq!(answered(&packet, SERVICE, 7), Some(number));
        }
    }

    #[test]
    fn what_is_no_answer_has_none() {
        let sent = request(7, 9);
        let good = reply(&sent, SERVICE);
        assert_eq!(answered(&good, SERVICE, 8), None, "of another process");
        assert_eq!(
            answered(&good, Ipv4Addr::LOCALHOST, 7),
            None,
            "from another host"
        );
        assert_eq!(
            answered(&[&good[..20], &sent].concat(), SERVICE, 7),
            None,
            "a request"
        );
        for length in 0..good.len() {
            assert_eq!(
                answered(&good[..length], SERVICE, 7),
                None,
                "cut at {length}"
            );
        }
        for at in 20..good.len() {
            let mut wrong = good.clone();
            wrong[at] ^= 0x10;
            assert_eq!(answered(&wrong, SERVICE, 7), None, "changed at {at}");
        }
        let mut longer = good.clone();
        longer[0] = 0x4f;
        assert_eq!(
            answered(&longer, SERVICE, 7),
            None,
            "a header that is not there"
        );
        assert_eq!(answered(&good, SERVICE, 7), Some(9));
        assert_eq!(good.get(20).copied().unwrap(), 0);
    }
}
