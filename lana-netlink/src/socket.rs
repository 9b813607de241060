// SPDX-License-Identifier: GPL-2.0

//! The socket to the kernel.

use netlink_sys::{protocols::NETLINK_GENERIC, Socket, SocketAddr};
use std::io::{self, ErrorKind};

/// Peek, and tell the whole length of what is there (`linux/socket.h`).
const PEEK_LENGTH: i32 = 0x02 | 0x20;
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
pub(crate) struct KernelSocket(Socket);

impl KernelSocket {
    pub(crate) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_GENERIC)?;
        socket.set_ext_ack(true)?;
        socket.set_cap_ack(true)?;
        socket.set_netlink_get_strict_chk(true)?;
        socket.bind_auto()?;
        Ok(KernelSocket(socket))
    }

    /// Makes room for bursts of events.
    pub(crate) fn enlarge(&self) -> io::Result<()> {
        self.0.set_rx_buf_sz(EVENT_BUFFER)
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
        let kernel = SocketAddr::new(0, 0);
        uninterrupted(|| self.0.send_to(datagram, &kernel, 0)).map(|_| ())
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let length = uninterrupted(|| self.0.recv(&mut Vec::with_capacity(1), PEEK_LENGTH))?;
            // A large buffer also lets the kernel put more of a dump into one datagram.
            let mut datagram = Vec::with_capacity(length.max(32 << 10));
            let (_, from) = uninterrupted(|| self.0.recv_from(&mut datagram, 0))?;
            if from.port_number() == 0 {
                return Ok(datagram);
            } // else some process wrote to us
        }
    }

    fn join(&mut self, group: u32) -> io::Result<()> {
        self.0.add_membership(group)
    }
}
