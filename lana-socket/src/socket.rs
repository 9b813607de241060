// SPDX-License-Identifier: GPL-2.0

//! A socket of LANA.

use crate::{
    abi::{
        Address, RingRequest, Stats, AF_LANA, LANA_AUXDATA, LANA_RING_PAUSE, LANA_RX_RING,
        LANA_STATISTICS, SOL_LANA,
    },
    address::{name_of, of_block, of_peer, Mac},
    error::Error,
    receive::{receive, set_recv_buffer, set_timestamps, Batch, Received},
    ring::Ring,
    sys,
};
use rustix::{
    io::{ioctl_fionbio, Errno},
    net::{
        recv, send, socket_with, sockopt, AddressFamily, RecvFlags, SendFlags, SocketFlags,
        SocketType,
    },
};
use std::{
    fs, io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

/// Where the module tells the number of its address family.
const FAMILY: &str = "/proc/net/lana/family";

/// What the bytes of a packet begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The Ethernet header.
    Raw,
    /// What follows the Ethernet header, which the kernel writes and reads.
    Datagram,
}

/// What a socket has counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Packets that came, those dropped included.
    pub packets: u32,
    /// Packets for which there was no room.
    pub drops: u32,
}

/// A socket of LANA. It is a block in the graph from when it is bound until it is closed.
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
    family: u16,
}

/// The number of the family: what the module says, else the usual one.
fn family(said: io::Result<String>) -> u16 {
    let said = said.ok().and_then(|text| text.trim().parse().ok());
    said.unwrap_or(AF_LANA)
}

impl Socket {
    /// Makes a socket.
    pub fn open(kind: Kind) -> Result<Self, Error> {
        let family = family(fs::read_to_string(FAMILY));
        let form = match kind {
            Kind::Raw => SocketType::RAW,
            Kind::Datagram => SocketType::DGRAM,
        };
        let domain = AddressFamily::from_raw(family);
        match socket_with(domain, form, SocketFlags::CLOEXEC, None) {
            Ok(fd) => Ok(Socket { fd, family }),
            Err(Errno::AFNOSUPPORT) => Err(Error::NotLoaded),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives the socket a name: of the block that it is. One that does not begin with `socket:` wants
    /// `CAP_NET_ADMIN`.
    pub fn bind(&self, name: &str) -> Result<(), Error> {
        let address = of_block(self.family, name)?.encode();
        Ok(sys::bind(self.as_fd(), &address)?)
    }

    /// The name of the block.
    pub fn name(&self) -> io::Result<String> {
        let mut bytes = [0; Address::SIZE];
        sys::name(self.as_fd(), &mut bytes)?;
        let address = Address::decode(&bytes);
        Ok(address.as_ref().map(name_of).unwrap_or_default())
    }

    /// Sends a packet.
    pub fn send(&self, packet: &[u8]) -> io::Result<usize> {
        Ok(send(self, packet, SendFlags::empty())?)
    }

    /// Sends a packet for which the kernel writes the Ethernet header.
    pub fn send_to(&self, packet: &[u8], to: Mac, ethertype: u16) -> io::Result<usize> {
        let address = of_peer(self.family, to, ethertype).encode();
        sys::send_to(self.as_fd(), packet, &address)
    }

    /// Receives a packet: how many bytes of it fit.
    pub fn recv(&self, packet: &mut [u8]) -> io::Result<usize> {
        Ok(recv(self, packet, RecvFlags::empty())?.0)
    }

    /// Receives a packet, and what the kernel says about it.
    pub fn recv_from(&self, packet: &mut [u8]) -> io::Result<Received> {
        receive(self, packet)
    }

    /// Waits for one packet, and receives as many as there are: how many.
    pub fn recv_batch(&self, batch: &mut Batch) -> io::Result<usize> {
        batch.receive(self)
    }

    /// Makes calls fail with [`io::ErrorKind::WouldBlock`] that would wait.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        Ok(ioctl_fionbio(self, nonblocking)?)
    }

    /// Makes room for packets that wait. Only `CAP_NET_ADMIN` gets more than `net.core.rmem_max`.
    pub fn set_recv_buffer(&self, bytes: usize) -> io::Result<()> {
        set_recv_buffer(self, bytes)
    }

    /// How long a call waits for a packet; without a time, for ever.
    pub fn set_read_timeout(&self, time: Option<Duration>) -> io::Result<()> {
        Ok(sockopt::set_socket_timeout(
            self,
            sockopt::Timeout::Recv,
            time,
        )?)
    }

    /// Has each packet tell its direction, its original length and its VLAN tag.
    pub fn set_auxdata(&self, on: bool) -> io::Result<()> {
        self.set(SOL_LANA, LANA_AUXDATA, &i32::from(on).to_ne_bytes())
    }

    /// Has each packet tell when it came.
    pub fn set_timestamps(&self, on: bool) -> io::Result<()> {
        set_timestamps(self, on)
    }

    /// What was counted since the last time.
    pub fn statistics(&self) -> io::Result<Statistics> {
        let mut bytes = [0; Stats::SIZE];
        sys::option(self.as_fd(), SOL_LANA, LANA_STATISTICS, &mut bytes)?;
        let Stats { packets, drops } = Stats::decode(&bytes).unwrap_or_default();
        Ok(Statistics { packets, drops })
    }

    /// Lets a program of classic BPF choose which packets come, and how many bytes of each.
    pub fn attach_filter(&self, instructions: &[libc::sock_filter]) -> io::Result<()> {
        sys::attach_filter(self.as_fd(), instructions)
    }

    /// Receives by shared memory from now on, with `bytes` for packets: a power of two, and at
    /// least a page.
    pub fn ring(self, bytes: u32) -> io::Result<Ring> {
        let request = RingRequest {
            size: bytes,
            flags: 0,
        };
        self.set(SOL_LANA, LANA_RX_RING, &request.encode())?;
        Ring::new(self, bytes as usize)
    }

    pub(crate) fn set_ring_pause(&self, micros: i32) -> io::Result<()> {
        self.set(SOL_LANA, LANA_RING_PAUSE, &micros.to_ne_bytes())
    }

    fn set(&self, level: i32, option: i32, value: &[u8]) -> io::Result<()> {
        sys::set_option(self.as_fd(), level, option, value)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_says_which_family() {
        assert_eq!(family(Ok("27\n".to_owned())), 27);
        assert_eq!(family(Ok("many\n".to_owned())), AF_LANA);
        assert_eq!(family(Err(io::ErrorKind::NotFound.into())), AF_LANA);
    }

    #[test]
    fn without_the_module_it_says_what_is_missing() {
        if fs::exists(FAMILY).unwrap() {
            return;
        }
        let error = Socket::open(Kind::Raw).unwrap_err();
        let text = "the kernel has no LANA sockets: modprobe fb_pflana";
        assert_eq!(error.to_string(), text);
    }
}
