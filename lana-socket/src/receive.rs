// SPDX-License-Identifier: GPL-2.0

//! Receiving packets from any socket whose addresses begin as `struct sockaddr_ll`: those of LANA,
//! and `PF_PACKET`'s.

use crate::{
    meta::Meta,
    sys::{self, Envelope, Slot},
};
use rustix::{
    event::{poll, PollFd, PollFlags, Timespec},
    io::Errno,
    net::sockopt,
};
use std::{io, os::fd::AsFd, time::Duration};

/// What came with the bytes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Bytes that are there.
    pub length: usize,
    /// Whether there was no room for more that the socket had.
    pub truncated: bool,
    /// What the kernel says about the packet.
    pub meta: Meta,
}

impl Received {
    fn new(room: usize, envelope: &Envelope) -> Self {
        Received {
            length: envelope.length.min(room),
            truncated: envelope.length > room,
            meta: Meta::decode(envelope.address(), envelope.control(), envelope.length),
        }
    }
}

/// Receives a packet, and what the kernel says about it.
pub fn receive(socket: impl AsFd, data: &mut [u8]) -> io::Result<Received> {
    let mut envelope = Envelope::default();
    sys::receive(socket.as_fd(), data, &mut envelope)?;
    Ok(Received::new(data.len(), &envelope))
}

/// Waits until there is something to receive, or the time is over; without a time, for ever.
/// A signal ends it, too. Says whether there is something. An error of the socket ends it, once: that the
/// device went by which packets came (`ENETDOWN`).
pub fn wait(socket: impl AsFd, time: Option<Duration>) -> io::Result<bool> {
    // What does not fit is for ever, too.
    let time = time.and_then(|time| Timespec::try_from(time).ok());
    let mut polled = [PollFd::new(&socket, PollFlags::IN)];
    let ready = match poll(&mut polled, time.as_ref()) {
        Err(Errno::INTR) => return Ok(false),
        result => result? > 0,
    };
    let [polled] = polled;
    if polled.revents().contains(PollFlags::ERR) {
        sockopt::socket_error(&socket)??;
    }
    Ok(ready)
}

/// Makes room for packets that wait. Only `CAP_NET_ADMIN` gets more than `net.core.rmem_max`.
pub fn set_recv_buffer(socket: impl AsFd, bytes: usize) -> io::Result<()> {
    match sockopt::set_socket_recv_buffer_size_force(&socket, bytes) {
        Err(Errno::PERM) => Ok(sockopt::set_socket_recv_buffer_size(&socket, bytes)?),
        result => Ok(result?),
    }
}

/// Has each packet tell when it came.
pub fn set_timestamps(socket: impl AsFd, on: bool) -> io::Result<()> {
    let on = i32::from(on).to_ne_bytes();
    sys::set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &on)
}

/// Room for several packets, which one call receives.
#[derive(Debug)]
pub struct Batch {
    slots: Vec<Slot>,
    filled: usize,
}

/// A packet in a [`Batch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Its bytes.
    pub data: &'a [u8],
    /// What came with them.
    pub received: Received,
}

impl Batch {
    /// Room for `count` packets, at most [`sys::MOST`], of `size` bytes.
    pub fn new(count: usize, size: usize) -> Self {
        let slot = Slot {
            data: vec![0; size].into(),
            envelope: Envelope::default(),
        };
        Batch {
            slots: vec![slot; count.min(sys::MOST)],
            filled: 0,
        }
    }

    /// Waits for one packet, and takes as many as there are: how many.
    pub fn receive(&mut self, socket: impl AsFd) -> io::Result<usize> {
        self.filled = 0;
        self.filled = sys::receive_many(socket.as_fd(), &mut self.slots)?;
        Ok(self.filled)
    }

    /// The packets of the last call.
    pub fn packets(&self) -> impl Iterator<Item = Packet<'_>> {
        self.slots.iter().take(self.filled).map(|slot| {
            let received = Received::new(slot.data.len(), &slot.envelope);
            let data = slot.data.get(..received.length).unwrap_or_default();
            Packet { data, received }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixDatagram;

    // Any datagram socket can show the calls; its addresses mean nothing here.
    fn pair() -> (UnixDatagram, UnixDatagram) {
        UnixDatagram::pair().unwrap()
    }

    #[test]
    fn one_packet_and_what_did_not_fit() {
        let (here, there) = pair();
        there.send(b"packet").unwrap();
        there.send(b"packet").unwrap();
        let mut data = [0; 8];
        let got = receive(&here, &mut data).unwrap();
        assert_eq!((got.length, got.truncated), (6, false));
        assert_eq!(&data[..6], b"packet");
        let got = receive(&here, &mut data[..4]).unwrap();
        assert_eq!((got.length, got.truncated, got.meta.original), (4, true, 6));
        here.set_nonblocking(true).unwrap();
        let error = receive(&here, &mut data).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_batch_takes_what_is_there() {
        let (here, there) = pair();
        let mut batch = Batch::new(4, 3);
        for text in ["a", "bb", "cccc", "d", "e"] {
            there.send(text.as_bytes()).unwrap();
        }
        assert_eq!(batch.receive(&here).unwrap(), 4);
        let data: Vec<_> = batch.packets().map(|packet| packet.data).collect();
        assert_eq!(data, [b"a" as &[u8], b"bb", b"ccc", b"d"]);
        let cut: Vec<_> = batch
            .packets()
            .map(|packet| packet.received.truncated)
            .collect();
        assert_eq!(cut, [false, false, true, false]);
        assert_eq!(batch.receive(&here).unwrap(), 1);
        assert_eq!(batch.packets().count(), 1);
        here.set_nonblocking(true).unwrap();
        batch.receive(&here).unwrap_err();
        assert_eq!(batch.packets().count(), 0);
        assert_eq!(Batch::new(1000, 1).slots.len(), sys::MOST);
    }

    #[test]
    fn timestamps_come_as_control_messages() {
        let (here, there) = pair();
        set_timestamps(&here, true).unwrap();
        there.send(b"x").unwrap();
        let time = receive(&here, &mut [0; 8]).unwrap().meta.time.unwrap();
        assert!(time.elapsed().unwrap() < Duration::from_secs(60));
    }

    #[test]
    fn waiting_ends() {
        let (here, there) = pair();
        assert!(!wait(&here, Some(Duration::ZERO)).unwrap());
        there.send(b"x").unwrap();
        assert!(wait(&here, None).unwrap());
        assert!(wait(&here, Some(Duration::MAX)).unwrap());
    }
}
