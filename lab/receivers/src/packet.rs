// SPDX-License-Identifier: GPL-2.0

//! Sockets of `PF_PACKET`.

use crate::{calls, word, Fanout, Options};
use lana_socket::{abi::LinkAddress, sys};
use libc::{
    AF_PACKET, ETH_P_ALL, PACKET_FANOUT, PACKET_FANOUT_CPU, PACKET_IGNORE_OUTGOING,
    PACKET_STATISTICS, SOL_PACKET,
};
use rustix::net::{netdevice::name_to_index, socket_with, AddressFamily, SocketFlags, SocketType};
use std::{
    io,
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
    name_to_index(socket, name)
        .map_err(|errno| io::Error::new(io::Error::from(errno).kind(), format!("{name}: {errno}")))
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
        self.set(PACKET_IGNORE_OUTGOING, &[1])?;
        let address = LinkAddress {
            family: u16::try_from(AF_PACKET).unwrap_or_default(),
            protocol: u16::try_from(ETH_P_ALL).unwrap_or_default().to_be_bytes(),
            ifindex: i32::try_from(index(device)?).unwrap_or_default(),
            ..LinkAddress::default()
        };
        sys::bind(self.as_fd(), &address.encode())?;
        if let Fanout::Cpu(group) = options.fanout {
            self.set(PACKET_FANOUT, &[u32::from(group) | PACKET_FANOUT_CPU << 16])?;
        }
        Ok(())
    }
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
