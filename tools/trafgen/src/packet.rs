// SPDX-License-Identifier: GPL-2.0

//! Packet sockets that only send: `packet(7)`.

use lana_socket::{abi::LinkAddress, sys};
use rustix::net::{socket_with, sockopt, AddressFamily, SocketFlags, SocketType};
use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

const AF_PACKET: u16 = 17;
const SOL_PACKET: i32 = 263;
/// `PACKET_VERSION`.
pub(crate) const VERSION: i32 = 10;
/// `PACKET_TX_RING`.
pub(crate) const TX_RING: i32 = 13;
/// `PACKET_VNET_HDR`.
pub(crate) const VNET_HDR: i32 = 15;
/// `PACKET_QDISC_BYPASS`.
const QDISC_BYPASS: i32 = 20;
/// What may be on its way to the device.
const BUFFER: usize = 16 << 20;

/// A packet socket that is bound to a device and receives nothing.
pub struct PacketSocket(OwnedFd);

impl PacketSocket {
    /// Binds one; without `qdisc` frames go to the driver at once, past traffic control.
    pub fn open(ifindex: u32, qdisc: bool) -> io::Result<Self> {
        let family = AddressFamily::from_raw(AF_PACKET);
        let socket = PacketSocket(socket_with(
            family,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            None,
        )?);
        let address = LinkAddress {
            family: AF_PACKET,
            ifindex: i32::try_from(ifindex).unwrap_or_default(),
            ..LinkAddress::default()
        };
        sys::bind(socket.as_fd(), &address.encode())?;
        // Who may not have a larger buffer sends more slowly.
        let _ = sockopt::set_socket_send_buffer_size_force(&socket.0, BUFFER);
        if !qdisc {
            socket.set(QDISC_BYPASS, &[1])?;
        }
        Ok(socket)
    }

    /// Sets an option of packet sockets, to words in the order in which the kernel has them.
    pub(crate) fn set(&self, option: i32, words: &[u32]) -> io::Result<()> {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        sys::set_option(self.as_fd(), SOL_PACKET, option, &bytes)
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
