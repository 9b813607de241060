// SPDX-License-Identifier: GPL-2.0

//! The socket to the kernel.

use netlink_sys::{
    protocols::{NETLINK_GENERIC, NETLINK_ROUTE},
    Socket, SocketAddr,
};
use rustix::net::sockopt;
use std::io::{self, ErrorKind};

/// Peek, and tell the whole length of what is there (`linux/socket.h`).
const PEEK_LENGTH: i32 = 0x02 | 0x20;
/// What any socket has room to send.
const PLENTY: usize = 64 << 10;
/// Receive buffer of a socket that listens to events; `net.core.rmem_max` may cap it.
const EVENT_BUFFER: i32 = 1 << 20;

/// What carries datagrams to the kernel and back. Tests have one of their own.
pub trait Transport {
    /// Sends one datagram.
    fn send(&mut self, datagram: &[u8]) -> io::Result<()>;
    /// Waits for the next datagram of the kernel.
    fn receive(&mut self) -> io::Result<Vec<u8>>;
    /// Joins a multicast group.
    fn join(&mut self, group: u32) -> io::Result<()>;
}

/// A generic netlink socket.
pub(crate) struct KernelSocket {
    socket: Socket,
    /// What it has room to send.
    room: usize,
}

impl KernelSocket {
    pub(crate) fn open() -> io::Result<Self> {
        Self::of(NETLINK_GENERIC)
    }

    /// One to rtnetlink.
    pub(crate) fn route() -> io::Result<Self> {
        Self::of(NETLINK_ROUTE)
    }

    fn of(protocol: isize) -> io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.set_ext_ack(true)?;
        socket.set_cap_ack(true)?;
        socket.set_netlink_get_strict_chk(true)?;
        socket.bind_auto()?;
        let room = PLENTY;
        Ok(KernelSocket { socket, room })
    }

    /// Makes room for bursts of events.
    pub(crate) fn enlarge(&self) -> io::Result<()> {
        self.socket.set_rx_buf_sz(EVENT_BUFFER)
    }

    /// Makes room to send a long message. Only `CAP_NET_ADMIN` may have more than
    /// `net.core.wmem_max`.
    fn make_room(&mut self, length: usize) -> io::Result<()> {
        if length > self.room {
            sockopt::set_socket_send_buffer_size_force(&self.socket, length)?;
            self.room = length;
        }
        Ok(())
    }
}

/// Repeats what a signal interrupted.
fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

impl Transport for KernelSocket {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        self.make_room(datagram.len())?;
        let kernel = SocketAddr::new(0, 0);
        uninterrupted(|| self.socket.send_to(datagram, &kernel, 0)).map(|_| ())
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let length =
                uninterrupted(|| self.socket.recv(&mut Vec::with_capacity(1), PEEK_LENGTH))?;
            // A large buffer also lets the kernel put more of a dump into one datagram.
            let mut datagram = Vec::with_capacity(length.max(32 << 10));
            let (_, from) = uninterrupted(|| self.socket.recv_from(&mut datagram, 0))?;
            if from.port_number() == 0 {
                return Ok(datagram);
            } // else some process wrote to us
        }
    }

    fn join(&mut self, group: u32) -> io::Result<()> {
        self.socket.add_membership(group)
    }
}
