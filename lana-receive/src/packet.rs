// SPDX-License-Identifier: GPL-2.0

//! Sockets of `PF_PACKET`.

use crate::{calls, corrupt, word, Fanout, Options};
use lana_socket::{
    abi::{LinkAddress, ARPHRD_ETHER},
    sys,
};
use libc::{
    sock_filter, AF_PACKET, ARPHRD_LOOPBACK, BPF_K, BPF_RET, ETH_P_ALL, PACKET_ADD_MEMBERSHIP,
    PACKET_FANOUT, PACKET_FANOUT_CPU, PACKET_FANOUT_FLAG_IGNORE_OUTGOING,
    PACKET_FANOUT_FLAG_UNIQUEID, PACKET_FANOUT_HASH, PACKET_IGNORE_OUTGOING, PACKET_MR_PROMISC,
    PACKET_STATISTICS, SOL_PACKET,
};
use rustix::{
    io::Errno,
    net::{
        netdevice::{index_to_name, name_to_index},
        socket_with, AddressFamily, SocketFlags, SocketType,
    },
};
use std::{
    io::{self, ErrorKind},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

/// A socket that gets packets once it is [bound](Packets::bind).
pub(crate) struct Packets(OwnedFd);

/// The number of a device. Not every socket can be asked: this asks one of IPv4.
pub(crate) fn index(name: &str) -> io::Result<u32> {
    let socket = socket_with(
        AddressFamily::INET,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    Ok(name_to_index(socket, name)?)
}

/// Whether a device is there.
pub(crate) fn exists(index: u32) -> bool {
    let family = AddressFamily::INET;
    let socket = socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None);
    // Where there can be no socket nobody knows.
    socket.map_or(true, |socket| {
        index_to_name(socket, index) != Err(Errno::NODEV)
    })
}

impl Packets {
    pub(crate) fn open() -> io::Result<Self> {
        let domain = AddressFamily::from_raw(u16::try_from(AF_PACKET).unwrap_or_default());
        // Without a protocol nothing comes before the device is chosen.
        let socket = socket_with(domain, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        Ok(Packets(socket))
    }

    pub(crate) fn set(&self, option: i32, value: &[u32]) -> io::Result<()> {
        let value: Vec<_> = value.iter().copied().flat_map(u32::to_ne_bytes).collect();
        sys::set_option(self.as_fd(), SOL_PACKET, option, &value)
    }

    /// Has the packets come that a device receives.
    pub(crate) fn bind(&self, device: &str, options: &Options) -> io::Result<()> {
        if options.closed {
            keep(self, 0)?;
        }
        if !options.outgoing {
            self.set(PACKET_IGNORE_OUTGOING, &[1])?;
        }
        let index = index(device)?;
        let address = LinkAddress {
            family: u16::try_from(AF_PACKET).unwrap_or_default(),
            protocol: u16::try_from(ETH_P_ALL).unwrap_or_default().to_be_bytes(),
            ifindex: i32::try_from(index).unwrap_or_default(),
            ..LinkAddress::default()
        };
        sys::bind(self.as_fd(), &address.encode())?;
        let ignores = match self.kind()? {
            ARPHRD_ETHER => !options.outgoing,
            // What it sends it receives.
            ARPHRD_LOOPBACK => true,
            _ => {
                let what = "its packets do not begin with an Ethernet header";
                return Err(io::Error::new(ErrorKind::InvalidInput, what));
            }
        };
        self.set(PACKET_IGNORE_OUTGOING, &[ignores.into()])?;
        if options.promiscuous {
            // struct packet_mreq: device, type, and an address of up to 8 bytes with its length.
            let kind = u16::try_from(PACKET_MR_PROMISC).unwrap_or_default();
            let mut request = index.to_ne_bytes().to_vec();
            request.extend(kind.to_ne_bytes());
            request.resize(16, 0);
            sys::set_option(self.as_fd(), SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request)?;
        }
        let fanout = match options.fanout {
            Fanout::None => return Ok(()),
            Fanout::Cpu(group) => u32::from(group) | PACKET_FANOUT_CPU << 16,
            Fanout::Hash(Some(group)) => u32::from(group) | PACKET_FANOUT_HASH << 16,
            Fanout::Hash(None) => (PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_UNIQUEID) << 16,
        };
        // What a socket of its own ignores a group does not.
        let flags = u32::from(ignores) * PACKET_FANOUT_FLAG_IGNORE_OUTGOING;
        self.set(PACKET_FANOUT, &[fanout | flags << 16])
    }

    /// What kind of device it is bound to.
    fn kind(&self) -> io::Result<u16> {
        let mut bytes = [0; 32];
        sys::name(self.as_fd(), &mut bytes)?;
        Ok(LinkAddress::decode(&bytes).ok_or_else(corrupt)?.hatype)
    }

    /// The group that it shares packets with.
    pub(crate) fn group(&self) -> io::Result<u16> {
        let mut value = [0; 4];
        sys::option(self.as_fd(), SOL_PACKET, PACKET_FANOUT, &mut value)?;
        u16::try_from(u32::from_ne_bytes(value) & 0xffff).map_err(io::Error::other)
    }
}

/// Keeps so many bytes of each packet from now on, or none, by a program of classic BPF.
pub(crate) fn keep(socket: &impl AsFd, bytes: u32) -> io::Result<()> {
    let give_back = sock_filter {
        code: u16::try_from(BPF_RET | BPF_K).unwrap_or_default(),
        jt: 0,
        jf: 0,
        k: bytes,
    };
    sys::attach_filter(socket.as_fd(), &[give_back])
}

pub(crate) fn socket(device: &str, options: &Options) -> io::Result<Packets> {
    let packets = Packets::open()?;
    packets.bind(device, options)?;
    Ok(packets)
}

impl AsFd for Packets {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl calls::Socket for Packets {
    fn lost(&self) -> io::Result<u64> {
        // struct tpacket_stats: packets and drops; that of TPACKET_V3 has a word more.
        let mut counts = [0; 12];
        sys::option(self.as_fd(), SOL_PACKET, PACKET_STATISTICS, &mut counts)?;
        Ok(word(&counts, 4).unwrap_or_default().into())
    }
}
