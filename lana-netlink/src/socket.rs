// SPDX-License-Identifier: GPL-2.0

//! The socket to the kernel.

use netlink_sys::{
    protocols::{NETLINK_GENERIC, NETLINK_ROUTE},
    Socket, SocketAddr,
};
use rustix::net::sockopt;
use std::{
    io::{self, ErrorKind},
    os::fd::{AsFd, BorrowedFd},
};

/// Peek, and tell the whole length of what is there (`linux/socket.h`).
const PEEK_LENGTH: i32 = 0x02 | 0x20;
/// Tell the whole length, also of what did not fit (`linux/socket.h`).
const WHOLE_LENGTH: i32 = 0x20;
/// Do not wait (`linux/socket.h`).
const DONT_WAIT: i32 = 0x40;
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
    /// The next datagram, if it is there already. One that cannot tell waits.
    fn try_receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.receive().map(Some)
    }
    /// What to wait for until there is a datagram.
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
    /// Joins a multicast group.
    fn join(&mut self, group: u32) -> io::Result<()>;
}

/// A generic netlink socket.
pub(crate) struct KernelSocket {
    socket: Socket,
    /// What it has room to send.
    room: usize,
    /// Where a message is read to that is no longer than this has room for: see `expect_up_to()`.
    buffer: Vec<u8>,
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
        Ok(KernelSocket {
            socket,
            room: PLENTY,
            buffer: Vec::new(),
        })
    }

    /// Makes room for bursts of events.
    pub(crate) fn enlarge(&self) -> io::Result<()> {
        self.socket.set_rx_buf_sz(EVENT_BUFFER)
    }

    /// Makes room for so many bytes of answers. Only `CAP_NET_ADMIN` may have more than
    /// `net.core.rmem_max`.
    pub(crate) fn enlarge_to(&self, length: usize) -> io::Result<()> {
        match sockopt::set_socket_recv_buffer_size_force(&self.socket, length) {
            Ok(()) => Ok(()),
            Err(_) => self
                .socket
                .set_rx_buf_sz(i32::try_from(length).unwrap_or(i32::MAX)),
        }
    }

    /// No datagram will be longer. So its length need not be asked for first, which takes as long as
    /// reading it.
    pub(crate) fn expect_up_to(&mut self, length: usize) {
        self.buffer.reserve_exact(length);
    }

    /// The next datagram of the kernel.
    fn next(&mut self, flags: i32) -> io::Result<Vec<u8>> {
        while self.buffer.capacity() > 0 {
            self.buffer.clear();
            let flags = flags | WHOLE_LENGTH;
            let read = || self.socket.recv_from(&mut self.buffer, flags);
            let (length, from) = uninterrupted(read)?;
            if length > self.buffer.len() {
                return Err(io::Error::other(format!("a message of {length} bytes")));
            }
            if from.port_number() == 0 {
                return Ok(self.buffer.clone());
            } // else some process wrote to us
        }
        loop {
            let peek = PEEK_LENGTH | flags;
            let length = uninterrupted(|| self.socket.recv(&mut Vec::with_capacity(1), peek))?;
            // A large buffer also lets the kernel put more of a dump into one datagram.
            let mut datagram = Vec::with_capacity(length.max(32 << 10));
            let (_, from) = uninterrupted(|| self.socket.recv_from(&mut datagram, flags))?;
            if from.port_number() == 0 {
                return Ok(datagram);
            } // else some process wrote to us
        }
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
        self.next(0)
    }

    fn try_receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        match self.next(DONT_WAIT) {
            Ok(datagram) => Ok(Some(datagram)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.socket.as_fd())
    }

    fn join(&mut self, group: u32) -> io::Result<()> {
        self.socket.add_membership(group)
    }
}
