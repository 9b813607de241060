// SPDX-License-Identifier: GPL-2.0

//! Names of numbers that packets are made of, as in the kernel's headers.

/// Names, in the order of the alphabet, and what they stand for.
const NAMES: &[(&str, u64)] = &[
    ("ARPOP_REPLY", 2),
    ("ARPOP_REQUEST", 1),
    ("ETH_ALEN", 6),
    ("ETH_HLEN", 14),
    ("ETH_P_8021AD", 0x88a8),
    ("ETH_P_8021Q", 0x8100),
    ("ETH_P_ARP", 0x0806),
    ("ETH_P_IP", 0x0800),
    ("ETH_P_IPV6", 0x86dd),
    ("ETH_P_LANA", 0xac00),
    ("ETH_P_LOOP", 0x0060),
    ("ETH_P_LOOPBACK", 0x9000),
    ("ETH_P_MPLS_MC", 0x8848),
    ("ETH_P_MPLS_UC", 0x8847),
    ("ETH_P_PAUSE", 0x8808),
    ("ICMP_ECHO", 8),
    ("ICMP_ECHOREPLY", 0),
    ("IPPROTO_ICMP", 1),
    ("IPPROTO_ICMPV6", 58),
    ("IPPROTO_IPIP", 4),
    ("IPPROTO_IPV6", 41),
    ("IPPROTO_TCP", 6),
    ("IPPROTO_UDP", 17),
    ("TCP_FLAG_ACK", 0x10),
    ("TCP_FLAG_CWR", 0x80),
    ("TCP_FLAG_ECE", 0x40),
    ("TCP_FLAG_FIN", 0x01),
    ("TCP_FLAG_PSH", 0x08),
    ("TCP_FLAG_RST", 0x04),
    ("TCP_FLAG_SYN", 0x02),
    ("TCP_FLAG_URG", 0x20),
];

/// The number that a name stands for.
pub(crate) fn constant(name: &str) -> Option<u64> {
    let place = NAMES.binary_search_by_key(&name, |(name, _)| name).ok()?;
    NAMES.get(place).map(|(_, number)| *number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_order() {
        assert!(NAMES.is_sorted_by_key(|(name, _)| name));
        assert_eq!(constant("ETH_P_IP"), Some(0x800));
        assert_eq!(constant("ETH_P"), None);
    }
}
