// SPDX-License-Identifier: GPL-2.0

//! `include/uapi/linux/lana_socket.h`: its structs, and how they lie in bytes.

/// The number of the address family, unless `/proc/net/lana/family` says another one.
pub const AF_LANA: u16 = 18;
/// Bytes of a block's name, with the NUL at its end.
pub const NAME_SIZE: usize = 32;
/// The level of the options and control messages.
pub const SOL_LANA: i32 = 300;
/// Option and control message: [`Auxdata`] with each packet.
pub const LANA_AUXDATA: i32 = 1;
/// Option: [`Stats`], set back by being read.
pub const LANA_STATISTICS: i32 = 2;
/// Option: [`RingRequest`].
pub const LANA_RX_RING: i32 = 3;
/// Option: microseconds between two times that who waits for a ring is woken.
pub const LANA_RING_PAUSE: i32 = 4;
/// Flag of a record that only fills the end of a ring, or of a MiB of it.
pub const LANA_RECORD_PAD: u16 = 1;
/// The checksum was left to a device to fill in.
pub const LANA_CSUM_NOT_READY: u16 = 2;
/// The checksum was found right.
pub const LANA_CSUM_VALID: u16 = 4;
/// Segments of TCP, put together.
pub const LANA_GSO_TCP: u16 = 8;
/// What positions in a ring are multiples of.
pub const ALIGNMENT: usize = 32;
/// An Ethernet device (`linux/if_arp.h`).
pub const ARPHRD_ETHER: u16 = 1;
/// Bytes of a hardware address.
pub const ETH_ALEN: u8 = 6;

/// A number or an array of bytes, in the byte order of the host.
trait Field: Sized {
    /// Takes it from the front of `bytes`.
    fn take(bytes: &mut &[u8]) -> Option<Self>;
    /// Puts it at the end of `bytes`.
    fn put(self, bytes: &mut Vec<u8>);
}

fn split<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*first)
}

impl<const N: usize> Field for [u8; N] {
    fn take(bytes: &mut &[u8]) -> Option<Self> {
        split(bytes)
    }
    fn put(self, bytes: &mut Vec<u8>) {
        bytes.extend(self);
    }
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl Field for $number {
            fn take(bytes: &mut &[u8]) -> Option<Self> {
                split(bytes).map(Self::from_ne_bytes)
            }
            fn put(self, bytes: &mut Vec<u8>) {
                bytes.extend(self.to_ne_bytes());
            }
        }
    )*};
}
numbers!(u8 u16 u32 u64 i32);

/// Structs of the header: without gaps, and as long as they are there.
macro_rules! structs {
    ($($(#[$doc:meta])* $name:ident: $size:literal {
        $($(#[$field_doc:meta])* $field:ident: $type:ty,)*
    })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        #[repr(C)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        const _: () = assert!(size_of::<$name>() == $size);
        const _: () = assert!(0 $(+ size_of::<$type>())* == $size);

        impl $name {
            /// Bytes of it.
            pub const SIZE: usize = $size;

            /// Reads it from the front of `bytes`, if there are enough.
            pub fn decode(mut bytes: &[u8]) -> Option<Self> {
                Some($name { $($field: Field::take(&mut bytes)?,)* })
            }

            /// Its bytes.
            pub fn encode(self) -> Vec<u8> {
                let mut bytes = Vec::with_capacity(Self::SIZE);
                $(self.$field.put(&mut bytes);)*
                bytes
            }
        }
    )*};
}

structs! {
    /// The first members of `struct sockaddr_lana`; the whole of `struct sockaddr_ll`.
    LinkAddress: 20 {
        /// Address family.
        family: u16,
        /// `EtherType`, in network order.
        protocol: [u8; 2],
        /// The device, or 0.
        ifindex: i32,
        /// [`ARPHRD_ETHER`].
        hatype: u16,
        /// What kind of packet it is for this host.
        pkttype: u8,
        /// [`ETH_ALEN`].
        halen: u8,
        /// Who sent it, or who is to get it.
        addr: [u8; 6],
        /// Room for longer addresses.
        rest: [u8; 2],
    }

    /// `struct sockaddr_lana`.
    Address: 52 {
        /// The same as of other sockets for packets.
        link: LinkAddress,
        /// The name of the block.
        name: [u8; NAME_SIZE],
    }

    /// `struct lana_auxdata`.
    Auxdata: 20 {
        /// Bytes of the packet as it came.
        len: u32,
        /// Bytes of it that were kept.
        snaplen: u32,
        /// The device it came by, or 0.
        ifindex: i32,
        /// The VLAN tag beside the data.
        vlan_tci: u16,
        /// What kind of tag, 0 for none.
        vlan_tpid: u16,
        /// 0 from a device, 1 to one.
        direction: u8,
        /// [`LANA_CSUM_NOT_READY`], …
        flags: u8,
        /// Nothing.
        pad: [u8; 2],
    }

    /// `struct lana_stats`.
    Stats: 8 {
        /// Packets that came, those dropped included.
        packets: u32,
        /// Packets for which there was no room.
        drops: u32,
    }

    /// `struct lana_ring_req`.
    RingRequest: 8 {
        /// Bytes for records.
        size: u32,
        /// 0.
        flags: u32,
    }

    /// `struct lana_record`.
    RecordHeader: 32 {
        /// Bytes that follow.
        snaplen: u32,
        /// Bytes of the packet as it came.
        len: u32,
        /// Nanoseconds since 1970, or 0.
        time: u64,
        /// The device it came by, or 0.
        ifindex: i32,
        /// The VLAN tag beside the data.
        vlan_tci: u16,
        /// What kind of tag, 0 for none.
        vlan_tpid: u16,
        /// [`LANA_RECORD_PAD`], or [`LANA_CSUM_NOT_READY`], …
        flags: u16,
        /// 0 from a device, 1 to one.
        direction: u8,
        /// What kind of packet it is for this host.
        pkttype: u8,
        /// Packets that found no room, up to this one.
        drops: u32,
    }
}

impl Field for LinkAddress {
    fn take(bytes: &mut &[u8]) -> Option<Self> {
        split::<{ Self::SIZE }>(bytes).and_then(|link| Self::decode(&link))
    }
    fn put(self, bytes: &mut Vec<u8>) {
        bytes.extend(self.encode());
    }
}

/// `struct lana_ring`, of which only the places of its members matter.
#[repr(C)]
struct RingHead {
    head: u64,
    pad1: [u64; 7],
    tail: u64,
    pad2: [u64; 7],
}

const _: () = assert!(size_of::<RingHead>() == 128);
/// Where in a ring's first page the kernel's position is.
pub const RING_HEAD: usize = std::mem::offset_of!(RingHead, head);
/// Where in a ring's first page the program's position is.
pub const RING_TAIL: usize = std::mem::offset_of!(RingHead, tail);
