// SPDX-License-Identifier: GPL-2.0

//! What the kernel says about a packet, beside its bytes.

use crate::{
    abi::{
        Auxdata, LinkAddress, RecordHeader, LANA_AUXDATA, LANA_CSUM_NOT_READY, LANA_CSUM_VALID,
        SOL_LANA,
    },
    address::Mac,
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Which way a packet went through the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From a device.
    Ingress,
    /// To a device.
    Egress,
}

impl Direction {
    fn of(number: u8) -> Self {
        match number {
            0 => Direction::Ingress,
            _ => Direction::Egress,
        }
    }
}

/// What a packet is for this host (`linux/if_packet.h`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PacketKind {
    /// To this host.
    #[default]
    Host,
    /// To all.
    Broadcast,
    /// To a group.
    Multicast,
    /// To another host.
    OtherHost,
    /// From this host.
    Outgoing,
    /// Something else.
    Other(u8),
}

impl From<u8> for PacketKind {
    fn from(number: u8) -> Self {
        match number {
            0 => PacketKind::Host,
            1 => PacketKind::Broadcast,
            2 => PacketKind::Multicast,
            3 => PacketKind::OtherHost,
            4 => PacketKind::Outgoing,
            other => PacketKind::Other(other),
        }
    }
}

/// A VLAN tag beside the data of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vlan {
    /// Priority and number.
    pub tci: u16,
    /// What kind of tag.
    pub tpid: u16,
}

impl Vlan {
    fn of(tci: u16, tpid: u16) -> Option<Self> {
        (tpid != 0).then_some(Vlan { tci, tpid })
    }
}

/// What is known of a packet's checksum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Checksum {
    /// Nothing: look at it.
    #[default]
    Unknown,
    /// It was left to a device to fill in, and is not there: do not check it.
    NotReady,
    /// It was found right.
    Valid,
}

impl Checksum {
    fn of(flags: u16) -> Self {
        if flags & LANA_CSUM_NOT_READY != 0 {
            Checksum::NotReady
        } else if flags & LANA_CSUM_VALID != 0 {
            Checksum::Valid
        } else {
            Checksum::Unknown
        }
    }
}

/// What is known about a packet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Meta {
    /// The device it came by, or 0.
    pub ifindex: i32,
    /// What it is for this host.
    pub kind: PacketKind,
    /// Who sent it.
    pub source: Mac,
    /// What is in it.
    pub ethertype: u16,
    /// Which way it went, where the socket was asked to tell.
    pub direction: Option<Direction>,
    /// A tag beside the data, where the socket was asked to tell.
    pub vlan: Option<Vlan>,
    /// Its checksum, where the socket was asked to tell.
    pub checksum: Checksum,
    /// Bytes of it as it came.
    pub original: usize,
    /// When it came, where the socket was asked to tell.
    pub time: Option<SystemTime>,
}

impl Meta {
    /// Reads an address and the control messages beside it.
    pub fn decode(address: &[u8], control: &[u8], length: usize) -> Self {
        let mut meta = Meta {
            original: length,
            ..Meta::default()
        };
        if let Some(link) = LinkAddress::decode(address) {
            meta.ifindex = link.ifindex;
            meta.kind = link.pkttype.into();
            meta.source = Mac(link.addr);
            meta.ethertype = u16::from_be_bytes(link.protocol);
        }
        for (level, kind, data) in Messages(control) {
            match (level, kind) {
                (SOL_LANA, LANA_AUXDATA) => {
                    if let Some(aux) = Auxdata::decode(data) {
                        meta.original = aux.len as usize;
                        meta.direction = Some(Direction::of(aux.direction));
                        meta.vlan = Vlan::of(aux.vlan_tci, aux.vlan_tpid);
                        meta.checksum = Checksum::of(aux.flags.into());
                    }
                }
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => meta.time = timespec(data),
                _ => {}
            }
        }
        meta
    }

    /// What a record in a ring says, and its frame.
    pub(crate) fn of_record(header: &RecordHeader, frame: &[u8]) -> Self {
        let mut meta = Meta {
            ifindex: header.ifindex,
            kind: header.pkttype.into(),
            direction: Some(Direction::of(header.direction)),
            vlan: Vlan::of(header.vlan_tci, header.vlan_tpid),
            checksum: Checksum::of(header.flags),
            original: header.len as usize,
            time: (header.time != 0).then(|| UNIX_EPOCH + Duration::from_nanos(header.time)),
            ..Meta::default()
        };
        if let Some((_, source, ethertype)) = ethernet(frame) {
            meta.source = source;
            meta.ethertype = ethertype;
        }
        meta
    }
}

/// The header of an Ethernet frame: destination, source, `EtherType`.
pub fn ethernet(frame: &[u8]) -> Option<(Mac, Mac, u16)> {
    let (destination, rest) = frame.split_first_chunk()?;
    let (source, rest) = rest.split_first_chunk()?;
    let ethertype = u16::from_be_bytes(*rest.first_chunk()?);
    Some((Mac(*destination), Mac(*source), ethertype))
}

fn timespec(data: &[u8]) -> Option<SystemTime> {
    let (seconds, rest) = data.split_first_chunk()?;
    let nanoseconds = u64::from_ne_bytes(*rest.first_chunk()?);
    let seconds = u64::try_from(i64::from_ne_bytes(*seconds)).ok()?;
    let since = Duration::from_secs(seconds).checked_add(Duration::from_nanos(nanoseconds))?;
    UNIX_EPOCH.checked_add(since)
}

/// Takes control messages apart: level, kind and data of each. What is broken ends them.
struct Messages<'a>(&'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = (i32, i32, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (length, rest) = self.0.split_first_chunk()?;
        let (level, rest) = rest.split_first_chunk()?;
        let (kind, _) = rest.split_first_chunk()?;
        let length = usize::from_ne_bytes(*length);
        let data = self.0.get(size_of::<libc::cmsghdr>()..length)?;
        let next = length.next_multiple_of(size_of::<usize>());
        self.0 = self.0.get(next..).unwrap_or_default();
        let number = i32::from_ne_bytes;
        Some((number(*level), number(*kind), data))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A control message as the kernel writes it.
    fn message(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
        let mut bytes = (16 + data.len()).to_ne_bytes().to_vec();
        bytes.extend(level.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }

    fn auxdata() -> Vec<u8> {
        let aux = Auxdata {
            len: 1514,
            snaplen: 60,
            ifindex: 3,
            vlan_tci: 7,
            vlan_tpid: 0x8100,
            direction: 1,
            flags: 2,
            pad: [0; 2],
        };
        message(SOL_LANA, LANA_AUXDATA, &aux.encode())
    }

    fn time() -> Vec<u8> {
        let mut data = 5_i64.to_ne_bytes().to_vec();
        data.extend(7_i64.to_ne_bytes());
        message(libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS, &data)
    }

    #[test]
    fn messages_are_read_in_any_order() {
        let when = UNIX_EPOCH + Duration::new(5, 7);
        let unknown = message(1, 99, b"x");
        for control in [
            [auxdata(), unknown.clone(), time()],
            [time(), auxdata(), unknown],
        ] {
            let meta = Meta::decode(&[], &control.concat(), 60);
            assert_eq!(meta.original, 1514);
            assert_eq!(meta.direction, Some(Direction::Egress));
            assert_eq!(meta.checksum, Checksum::NotReady);
            assert_eq!(
                meta.vlan,
                Some(Vlan {
                    tci: 7,
                    tpid: 0x8100
                })
            );
            assert_eq!(meta.time, Some(when));
        }
    }

    #[test]
    fn addresses_are_read() {
        let link = LinkAddress {
            family: 18,
            protocol: [0x88, 0xb5],
            ifindex: 3,
            hatype: 1,
            pkttype: 4,
            halen: 6,
            addr: [2, 0, 0, 0, 0, 9],
            rest: [0; 2],
        };
        let meta = Meta::decode(&link.encode(), &[], 60);
        let expected = Meta {
            ifindex: 3,
            kind: PacketKind::Outgoing,
            source: Mac([2, 0, 0, 0, 0, 9]),
            ethertype: 0x88b5,
            original: 60,
            ..Meta::default()
        };
        assert_eq!(meta, expected);
        assert_eq!(
            Meta::decode(&[18, 0], &[], 60),
            Meta {
                original: 60,
                ..Meta::default()
            }
        );
    }

    #[test]
    fn broken_messages_end_what_is_read() {
        let whole = [auxdata(), time()].concat();
        for length in 0..whole.len() {
            Meta::decode(&[], &whole[..length], 0);
        }
        for length in [0, 1, 15, 17, usize::MAX, usize::MAX - 7] {
            let mut control = auxdata();
            control[..8].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(Meta::decode(&[], &control, 60).direction, None, "{length}");
        }
        let short = message(SOL_LANA, LANA_AUXDATA, &[0; 19]);
        assert_eq!(Meta::decode(&[], &short, 60).original, 60);
        for time in [[-1, 0], [i64::MAX, i64::MAX], [0, -1]] {
            let data = time.map(i64::to_ne_bytes).concat();
            let control = message(libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS, &data);
            Meta::decode(&[], &control, 0);
        }
    }
}
