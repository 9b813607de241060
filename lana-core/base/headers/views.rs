// SPDX-License-Identifier: GPL-2.0

//! Views of single headers. A view holds the bytes of its header, and cannot read beyond them. Fields have the names
//! that the RFCs give them, and are in host order.

use super::Malformed;

/// `N` bytes of a header, from `AT` on. That they are in it is checked when this is compiled.
#[inline(always)]
fn field<const AT: usize, const N: usize, const SIZE: usize>(header: &[u8; SIZE]) -> [u8; N] {
    const { assert!(AT <= SIZE && N <= SIZE - AT) };
    let found = header.get(AT..).and_then(|rest| rest.first_chunk());
    found.copied().unwrap_or([0; N])
}

/// A header of a fixed size, and its fields: name, type, first byte, number of bytes.
macro_rules! header {
    ($(#[$about:meta])* $name:ident $size:literal {
        $($(#[$doc:meta])* $field:ident: $type:ident $at:literal $len:literal,)*
    }) => {
        $(#[$about])*
        #[derive(Clone, Copy)]
        pub struct $name<'a>(&'a [u8; $size]);

        impl<'a> $name<'a> {
            /// How many bytes it has at least.
            pub const SIZE: usize = $size;

            /// The header that these bytes begin with; `None` if they are too few.
            #[inline(always)]
            pub fn new(bytes: &'a [u8]) -> Option<Self> {
                bytes.first_chunk().map(Self)
            }

            $($(#[$doc])*
            #[inline(always)]
            pub fn $field(&self) -> header!(@ $type) {
                header!(@ $type, field::<$at, $len, $size>(self.0))
            })*
        }
    };
    (@ byte) => { u8 };
    (@ word) => { u16 };
    (@ long) => { u32 };
    (@ wide) => { u128 };
    (@ mac) => { [u8; 6] };
    (@ byte, $bytes:expr) => { u8::from_be_bytes($bytes) };
    (@ word, $bytes:expr) => { u16::from_be_bytes($bytes) };
    (@ long, $bytes:expr) => { u32::from_be_bytes($bytes) };
    (@ wide, $bytes:expr) => { u128::from_be_bytes($bytes) };
    (@ mac, $bytes:expr) => { $bytes };
}

header! {
    /// IEEE 802.3: the Ethernet header, without tags.
    Ethernet 14 {
        /// The destination address.
        destination_address: mac 0 6,
        /// The source address.
        source_address: mac 6 6,
        /// The EtherType; that of a VLAN tag (TPID) where one follows.
        ether_type: word 12 2,
    }
}

header! {
    /// What follows the EtherType of a VLAN tag (IEEE 802.1Q, 802.1ad).
    Vlan 4 {
        /// The tag control information.
        tci: word 0 2,
        /// The EtherType of what is tagged; that of the next tag where one follows.
        ether_type: word 2 2,
    }
}

impl Vlan<'_> {
    /// The VLAN identifier (VID).
    #[inline(always)]
    pub fn vid(&self) -> u16 {
        self.tci() & 0xfff
    }

    /// The priority code point (PCP).
    #[inline(always)]
    pub fn pcp(&self) -> u8 {
        (self.tci() >> 13) as u8
    }

    /// Drop eligible (DEI).
    #[inline(always)]
    pub fn dei(&self) -> bool {
        self.tci() & 0x1000 != 0
    }
}

header! {
    /// RFC 826, for IPv4 over Ethernet.
    Arp 28 {
        /// `ar$hrd`, 1 for Ethernet.
        hardware: word 0 2,
        /// `ar$pro`, an EtherType.
        protocol: word 2 2,
        /// `ar$hln`.
        hardware_length: byte 4 1,
        /// `ar$pln`.
        protocol_length: byte 5 1,
        /// `ar$op`: 1 for a request, 2 for a reply.
        opcode: word 6 2,
        /// `ar$sha`.
        sender_hardware_address: mac 8 6,
        /// `ar$spa`.
        sender_protocol_address: long 14 4,
        /// `ar$tha`.
        target_hardware_address: mac 18 6,
        /// `ar$tpa`.
        target_protocol_address: long 24 4,
    }
}

impl Arp<'_> {
    /// Whether it is of IPv4 addresses over Ethernet: all others have fields of other sizes.
    #[inline]
    pub fn is_ipv4(&self) -> bool {
        let lengths = (self.hardware_length(), self.protocol_length());
        self.hardware() == 1 && self.protocol() == super::IPV4 && lengths == (6, 4)
    }
}

header! {
    /// RFC 791, without options.
    Ipv4 20 {
        /// Version and IHL.
        first: byte 0 1,
        /// Type of service: DSCP and ECN (RFC 2474, RFC 3168).
        type_of_service: byte 1 1,
        /// Length of the datagram, header and data, in bytes.
        total_length: word 2 2,
        /// The identification, the same for all fragments of a datagram.
        identification: word 4 2,
        /// Flags and fragment offset.
        fragmentation: word 6 2,
        /// Time to live.
        time_to_live: byte 8 1,
        /// What it carries.
        protocol: byte 9 1,
        /// The checksum of the header.
        header_checksum: word 10 2,
        /// The source address.
        source_address: long 12 4,
        /// The destination address.
        destination_address: long 16 4,
    }
}

impl Ipv4<'_> {
    /// The length of the header with its options, in bytes.
    #[inline(always)]
    pub fn header_length(&self) -> usize {
        usize::from(self.first() & 0xf).wrapping_mul(4)
    }

    /// Don't fragment.
    #[inline(always)]
    pub fn dont_fragment(&self) -> bool {
        self.fragmentation() & 0x4000 != 0
    }

    /// More fragments.
    #[inline(always)]
    pub fn more_fragments(&self) -> bool {
        self.fragmentation() & 0x2000 != 0
    }

    /// Fragment offset, in units of 8 bytes.
    #[inline(always)]
    pub fn fragment_offset(&self) -> u16 {
        self.fragmentation() & 0x1fff
    }

    /// Whether version and header length can be right.
    #[inline(always)]
    pub(super) fn check(self) -> Result<(), Malformed> {
        match (self.first() >> 4, self.header_length() >= Self::SIZE) {
            (4, true) => Ok(()),
            _ => Err(Malformed::Ipv4Header),
        }
    }
}

header! {
    /// RFC 8200.
    Ipv6 40 {
        /// Version, traffic class and flow label.
        first: long 0 4,
        /// Length of what follows, extension headers too, in bytes.
        payload_length: word 4 2,
        /// The kind of the header that follows.
        next_header: byte 6 1,
        /// Hop limit.
        hop_limit: byte 7 1,
        /// The source address.
        source_address: wide 8 16,
        /// The destination address.
        destination_address: wide 24 16,
    }
}

impl Ipv6<'_> {
    /// DSCP and ECN (RFC 2474, RFC 3168).
    #[inline(always)]
    pub fn traffic_class(&self) -> u8 {
        (self.first() >> 20) as u8
    }

    /// The flow label.
    #[inline(always)]
    pub fn flow_label(&self) -> u32 {
        self.first() & 0xf_ffff
    }

    /// Whether the version can be right.
    #[inline(always)]
    pub(super) fn check(self) -> Result<(), Malformed> {
        match self.first() >> 28 {
            6 => Ok(()),
            _ => Err(Malformed::Ipv6Header),
        }
    }
}

header! {
    /// The first bytes of an extension header of IPv6 (RFC 8200, 4), and of the authentication header (RFC 4302).
    Extension 8 {
        /// The kind of the header that follows.
        next_header: byte 0 1,
        /// Its length; the unit depends on its kind.
        hdr_ext_len: byte 1 1,
        /// Of a routing header: how many addresses on the way are still to come.
        segments_left: byte 3 1,
        /// Of a fragment header: fragment offset in the upper 13 bits, more fragments in the lowest.
        fragmentation: word 2 2,
        /// Of a fragment header: the identification.
        identification: long 4 4,
    }
}

header! {
    /// RFC 768.
    Udp 8 {
        /// The source port.
        source_port: word 0 2,
        /// The destination port.
        destination_port: word 2 2,
        /// Length of header and data.
        length: word 4 2,
        /// The checksum; 0 for none.
        checksum: word 6 2,
    }
}

header! {
    /// RFC 9293, without options.
    Tcp 20 {
        /// The source port.
        source_port: word 0 2,
        /// The destination port.
        destination_port: word 2 2,
        /// The sequence number.
        sequence_number: long 4 4,
        /// The acknowledgment number.
        acknowledgment_number: long 8 4,
        /// Data offset, and reserved bits.
        offset: byte 12 1,
        /// The control bits: CWR, ECE, URG, ACK, PSH, RST, SYN, FIN.
        control_bits: byte 13 1,
        /// The window.
        window: word 14 2,
        /// The checksum.
        checksum: word 16 2,
        /// The urgent pointer.
        urgent_pointer: word 18 2,
    }
}

impl Tcp<'_> {
    /// The length of the header with its options, in bytes.
    #[inline(always)]
    pub fn header_length(&self) -> usize {
        usize::from(self.offset() >> 4).wrapping_mul(4)
    }
}

header! {
    /// RFC 792.
    Icmp 8 {
        /// The type.
        kind: byte 0 1,
        /// The code.
        code: byte 1 1,
        /// The checksum.
        checksum: word 2 2,
        /// What the type says that it is; of an echo, identifier and sequence number.
        rest: long 4 4,
    }
}

header! {
    /// RFC 4443.
    Icmpv6 4 {
        /// The type.
        kind: byte 0 1,
        /// The code.
        code: byte 1 1,
        /// The checksum.
        checksum: word 2 2,
    }
}
