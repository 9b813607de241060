// SPDX-License-Identifier: GPL-2.0

//! The headers that functions make: their fields, where they lie, and what they are if nobody says.

/// A protocol whose header a function makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Eth,
    Vlan,
    Mpls,
    Arp,
    Ip4,
    Ip6,
    Icmp4,
    Icmp6,
    Udp,
    Tcp,
    Pause,
    Pfc,
    Dns,
    Lana,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A number.
    Number,
    /// A number that is set to a value by its name alone, as `df` and `request` are.
    Flag(u64),
    /// An Ethernet address.
    Mac,
    /// An IPv4 address.
    Ip4,
    /// An IPv6 address.
    Ip6,
    /// A field of the header below: the EtherType of a VLAN's tag.
    Below(u64),
}

/// A field: its names, its first bit, how many bits it has, and what it holds.
pub(crate) struct Field {
    pub(crate) names: &'static [&'static str],
    pub(crate) bit: usize,
    pub(crate) bits: usize,
    pub(crate) kind: Kind,
}

const fn field(names: &'static [&'static str], bit: usize, bits: usize, kind: Kind) -> Field {
    Field {
        names,
        bit,
        bits,
        kind,
    }
}

const fn number(names: &'static [&'static str], bit: usize, bits: usize) -> Field {
    field(names, bit, bits, Kind::Number)
}

const fn flag(names: &'static [&'static str], bit: usize) -> Field {
    field(names, bit, 1, Kind::Flag(1))
}

const ETH: &[Field] = &[
    field(&["da", "daddr"], 0, 48, Kind::Mac),
    field(&["sa", "saddr"], 48, 48, Kind::Mac),
    number(&["type", "etype", "prot", "proto"], 96, 16),
];
const VLAN: &[Field] = &[
    number(&["tci"], 0, 16),
    number(&["pcp"], 0, 3),
    number(&["dei", "cfi"], 3, 1),
    number(&["id"], 4, 12),
    field(&["tpid", "prot", "proto"], 0, 16, Kind::Below(0x8100)),
    field(&["1q"], 0, 16, Kind::Below(0x8100)),
    field(&["1ad"], 0, 16, Kind::Below(0x88a8)),
    number(&["type", "etype"], 16, 16),
];
const MPLS: &[Field] = &[
    number(&["label", "lbl"], 0, 20),
    number(&["tclass", "tc", "exp"], 20, 3),
    number(&["last"], 23, 1),
    number(&["ttl"], 24, 8),
];
const ARP: &[Field] = &[
    number(&["htype"], 0, 16),
    number(&["ptype"], 16, 16),
    number(&["op", "oper"], 48, 16),
    field(&["req", "request"], 48, 16, Kind::Flag(1)),
    field(&["reply"], 48, 16, Kind::Flag(2)),
    field(&["smac", "sha"], 64, 48, Kind::Mac),
    field(&["sip", "spa"], 112, 32, Kind::Ip4),
    field(&["tmac", "tha"], 144, 48, Kind::Mac),
    field(&["tip", "tpa"], 192, 32, Kind::Ip4),
];
const IP4: &[Field] = &[
    number(&["ver", "version"], 0, 4),
    number(&["ihl"], 4, 4),
    number(&["tos"], 8, 8),
    number(&["dscp"], 8, 6),
    number(&["ecn"], 14, 2),
    number(&["len", "length"], 16, 16),
    number(&["id"], 32, 16),
    number(&["flags"], 48, 3),
    flag(&["df"], 49),
    flag(&["mf"], 50),
    number(&["frag"], 51, 13),
    number(&["ttl"], 64, 8),
    number(&["prot", "proto"], 72, 8),
    number(&["csum"], 80, 16),
    field(&["sa", "saddr"], 96, 32, Kind::Ip4),
    field(&["da", "daddr"], 128, 32, Kind::Ip4),
];
const IP6: &[Field] = &[
    number(&["ver", "version"], 0, 4),
    number(&["tc", "tclass", "class"], 4, 8),
    number(&["fl", "flow"], 12, 20),
    number(&["len", "length"], 32, 16),
    number(&["nh", "nexthdr"], 48, 8),
    number(&["hl", "hoplimit", "ttl"], 56, 8),
    field(&["sa", "saddr"], 64, 128, Kind::Ip6),
    field(&["da", "daddr"], 192, 128, Kind::Ip6),
];
const ICMP4: &[Field] = &[
    number(&["type"], 0, 8),
    number(&["code"], 8, 8),
    field(&["echorequest"], 0, 16, Kind::Flag(0x0800)),
    field(&["echoreply"], 0, 16, Kind::Flag(0)),
    number(&["csum"], 16, 16),
    number(&["id"], 32, 16),
    number(&["seq"], 48, 16),
    number(&["mtu"], 48, 16),
    field(&["addr"], 32, 32, Kind::Ip4),
];
const ICMP6: &[Field] = &[
    number(&["type"], 0, 8),
    number(&["code"], 8, 8),
    field(&["echorequest"], 0, 16, Kind::Flag(0x8000)),
    field(&["echoreply"], 0, 16, Kind::Flag(0x8100)),
    number(&["csum"], 16, 16),
];
const UDP: &[Field] = &[
    number(&["sp", "sport"], 0, 16),
    number(&["dp", "dport"], 16, 16),
    number(&["len", "length"], 32, 16),
    number(&["csum"], 48, 16),
];
const TCP: &[Field] = &[
    number(&["sp", "sport"], 0, 16),
    number(&["dp", "dport"], 16, 16),
    number(&["seq"], 32, 32),
    number(&["aseq", "ackseq"], 64, 32),
    number(&["doff", "hlen"], 96, 4),
    flag(&["cwr"], 104),
    flag(&["ece", "ecn"], 105),
    flag(&["urg"], 106),
    flag(&["ack"], 107),
    flag(&["psh"], 108),
    flag(&["rst"], 109),
    flag(&["syn"], 110),
    flag(&["fin"], 111),
    number(&["win", "window"], 112, 16),
    number(&["csum"], 128, 16),
    number(&["urgptr"], 144, 16),
];
const PAUSE: &[Field] = &[number(&["code"], 0, 16), number(&["time"], 16, 16)];
const PFC: &[Field] = &[
    number(&["code"], 0, 16),
    number(&["pri", "prio"], 16, 16),
    number(&["time"], 32, 16),
];
const DNS: &[Field] = &[
    number(&["id"], 0, 16),
    number(&["qr"], 16, 1),
    number(&["op", "oper"], 17, 4),
    number(&["aa", "aanswer"], 21, 1),
    number(&["tc", "trunc"], 22, 1),
    number(&["rd", "rdesired"], 23, 1),
    number(&["ra", "ravail"], 24, 1),
    number(&["zero"], 25, 3),
    number(&["rcode"], 28, 4),
    number(&["qdcount"], 32, 16),
    number(&["ancount"], 48, 16),
    number(&["nscount"], 64, 16),
    number(&["arcount"], 80, 16),
];
const LANA: &[Field] = &[field(&["id"], 0, 16, Kind::Below(0xac00))];

impl Protocol {
    /// All of them, with the names of their functions.
    const ALL: &'static [(&'static [&'static str], Protocol)] = &[
        (&["eth"], Protocol::Eth),
        (&["vlan"], Protocol::Vlan),
        (&["mpls"], Protocol::Mpls),
        (&["arp"], Protocol::Arp),
        (&["ip4", "ipv4"], Protocol::Ip4),
        (&["ip6", "ipv6"], Protocol::Ip6),
        (&["icmp4", "icmpv4"], Protocol::Icmp4),
        (&["icmp6", "icmpv6"], Protocol::Icmp6),
        (&["udp"], Protocol::Udp),
        (&["tcp"], Protocol::Tcp),
        (&["pause"], Protocol::Pause),
        (&["pfc"], Protocol::Pfc),
        (&["dns"], Protocol::Dns),
        (&["lana"], Protocol::Lana),
    ];

    /// The one with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter();
        let found = all.find(|(names, _)| names.contains(&name));
        found.map(|(_, protocol)| *protocol)
    }

    /// The first name of each.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL
            .iter()
            .filter_map(|(names, _)| names.first().copied())
    }

    /// Its fields.
    pub(crate) fn fields(self) -> &'static [Field] {
        match self {
            Protocol::Eth => ETH,
            Protocol::Vlan => VLAN,
            Protocol::Mpls => MPLS,
            Protocol::Arp => ARP,
            Protocol::Ip4 => IP4,
            Protocol::Ip6 => IP6,
            Protocol::Icmp4 => ICMP4,
            Protocol::Icmp6 => ICMP6,
            Protocol::Udp => UDP,
            Protocol::Tcp => TCP,
            Protocol::Pause => PAUSE,
            Protocol::Pfc => PFC,
            Protocol::Dns => DNS,
            Protocol::Lana => LANA,
        }
    }

    /// The field with this name.
    pub(crate) fn field(self, name: &str) -> Option<&'static Field> {
        self.fields()
            .iter()
            .find(|field| field.names.contains(&name))
    }

    /// The header before anything is set.
    pub(crate) fn header(self) -> Vec<u8> {
        let (begin, length): (&[u8], usize) = match self {
            Protocol::Eth => (&[], 14),
            Protocol::Vlan | Protocol::Icmp6 => (&[], 4),
            Protocol::Mpls => (&[0, 0, 1, 0], 4),
            Protocol::Arp => (&[0, 1, 8, 0, 6, 4, 0, 1], 28),
            Protocol::Ip4 => (&[0x45], 20),
            Protocol::Ip6 => (&[0x60], 40),
            Protocol::Icmp4 | Protocol::Udp => (&[], 8),
            Protocol::Tcp => (&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x50], 20),
            Protocol::Pause => (&[0, 1], 4),
            Protocol::Pfc => (&[1, 1], 20),
            Protocol::Dns => (&[], 12),
            Protocol::Lana => (&[], 0),
        };
        let mut header = begin.to_vec();
        header.resize(length, 0);
        header
    }

    /// The header that lies below where the text has none.
    pub(crate) fn below(self) -> Option<Protocol> {
        match self {
            Protocol::Eth => None,
            Protocol::Icmp4 | Protocol::Udp | Protocol::Tcp => Some(Protocol::Ip4),
            Protocol::Icmp6 => Some(Protocol::Ip6),
            Protocol::Dns => Some(Protocol::Udp),
            _ => Some(Protocol::Eth),
        }
    }

    /// Whether it may lie right above that one.
    pub(crate) fn fits_above(self, below: Protocol) -> bool {
        match self {
            Protocol::Eth => false,
            Protocol::Icmp4 | Protocol::Icmp6 | Protocol::Udp | Protocol::Tcp => {
                matches!(below, Protocol::Ip4 | Protocol::Ip6)
            }
            Protocol::Dns => matches!(below, Protocol::Udp | Protocol::Tcp),
            Protocol::Ip4 | Protocol::Ip6 => !matches!(below, Protocol::Dns | Protocol::Lana),
            _ => matches!(below, Protocol::Eth | Protocol::Vlan | Protocol::Mpls),
        }
    }

    /// What the header below says to tell that this one follows: the name of the field, and its value.
    pub(crate) fn announced(self, below: Protocol) -> Option<(&'static str, u64)> {
        let ethertype = match self {
            Protocol::Vlan => 0x8100,
            Protocol::Mpls => 0x8847,
            Protocol::Arp => 0x0806,
            Protocol::Ip4 => 0x0800,
            Protocol::Ip6 => 0x86dd,
            Protocol::Pause | Protocol::Pfc => 0x8808,
            Protocol::Lana => 0xac00,
            _ => 0,
        };
        let number = match self {
            Protocol::Ip4 => 4,
            Protocol::Ip6 => 41,
            Protocol::Icmp4 => 1,
            Protocol::Icmp6 => 58,
            Protocol::Udp => 17,
            Protocol::Tcp => 6,
            _ => 0,
        };
        match below {
            Protocol::Eth | Protocol::Vlan if ethertype > 0 => Some(("type", ethertype)),
            Protocol::Ip4 if number > 0 => Some(("proto", number)),
            Protocol::Ip6 if number > 0 => Some(("nexthdr", number)),
            Protocol::Udp | Protocol::Tcp if self == Protocol::Dns => Some(("dport", 53)),
            Protocol::Mpls if self == Protocol::Mpls => Some(("last", 0)),
            _ => None,
        }
    }

    /// The destination address that an Ethernet header right below has.
    pub(crate) fn destination(self) -> Option<[u8; 6]> {
        match self {
            Protocol::Arp => Some([0xff; 6]),
            Protocol::Pause | Protocol::Pfc => Some([0x01, 0x80, 0xc2, 0, 0, 0x01]),
            _ => None,
        }
    }
}
