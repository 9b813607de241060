// SPDX-License-Identifier: GPL-2.0

//! What carries datagrams to the peer and back.

use anyhow::Result;
use lana_socket::{wait, Error, Kind, Mac, Socket};
use libc::{sock_filter, BPF_ABS, BPF_H, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET};
use std::{
    io::{self, ErrorKind},
    os::unix::net::UnixDatagram,
    time::{Instant, SystemTime},
};

/// What carries datagrams to the peer and back: the block of a program, or what tests have.
pub trait Transport {
    /// Sends a datagram.
    fn send(&mut self, datagram: &[u8]) -> io::Result<()>;
    /// Receives a datagram that is there or comes until `deadline`: how long it is. Ethernet pads
    /// short ones at the end.
    fn receive(&mut self, datagram: &mut [u8], deadline: Instant) -> io::Result<Option<usize>>;
    /// When what was received last came to this host, however much later it was looked at.
    fn arrived(&self) -> Instant {
        Instant::now()
    }
}

/// Datagrams of an `EtherType` by a block.
#[derive(Debug)]
pub struct LanaTransport {
    socket: Socket,
    ethertype: u16,
    /// Whom datagrams come from.
    peer: Option<Mac>,
    /// Whom they go to.
    to: Option<Mac>,
    /// When the last one came, as the kernel says.
    arrived: Option<SystemTime>,
}

impl LanaTransport {
    /// Makes the block `name`, for datagrams to and from `peer`. Without one, they come from
    /// anybody and go to whom the last one came from.
    pub fn open(name: &str, peer: Option<Mac>, ethertype: u16) -> Result<Self, Error> {
        let socket = Socket::open(Kind::Datagram)?;
        socket.set_nonblocking(true)?;
        socket.set_timestamps(true)?;
        // Before the block is there, so that nothing else can come first.
        socket.attach_filter(&only(ethertype))?;
        socket.bind(name)?;
        Ok(LanaTransport {
            socket,
            ethertype,
            peer,
            to: peer,
            arrived: None,
        })
    }

    /// The name of the block.
    pub fn name(&self) -> io::Result<String> {
        self.socket.name()
    }
}

/// A program that passes packets of one `EtherType`, whole.
fn only(ethertype: u16) -> [sock_filter; 4] {
    // The protocol of a packet lies there, wherever its data begin (linux/filter.h).
    let protocol = u32::from_ne_bytes((libc::SKF_AD_OFF + libc::SKF_AD_PROTOCOL).to_ne_bytes());
    let instruction = |code: u32, jf, k| sock_filter {
        code: u16::try_from(code).unwrap_or_default(),
        jt: 0,
        jf,
        k,
    };
    [
        instruction(BPF_LD | BPF_H | BPF_ABS, 0, protocol),
        instruction(BPF_JMP | BPF_JEQ | BPF_K, 1, ethertype.into()),
        instruction(BPF_RET | BPF_K, 0, u32::MAX),
        instruction(BPF_RET | BPF_K, 0, 0),
    ]
}

/// What to do where the block leads nowhere.
fn unbound(name: &str) -> String {
    format!(
        "block '{name}' is bound to no other, so nothing can be sent: \
         'fbctl bind {name} BLOCK' binds it (--delay gives time for that)"
    )
}

/// Calls `receive` whenever there may be something, until it says what.
fn until<T>(
    socket: impl std::os::fd::AsFd,
    deadline: Instant,
    mut receive: impl FnMut() -> io::Result<Option<T>>,
) -> io::Result<Option<T>> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if !wait(&socket, Some(left))? {
            return Ok(None);
        }
        match receive() {
            Ok(None) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            result => return result,
        }
    }
}

impl Transport for LanaTransport {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        let to = self.to.ok_or(ErrorKind::NotConnected)?;
        match self.socket.send_to(datagram, to, self.ethertype) {
            Err(error) if error.kind() == ErrorKind::NotConnected => {
                let text = unbound(&self.name()?);
                Err(io::Error::new(ErrorKind::NotConnected, text))
            }
            sent => sent.map(drop),
        }
    }

    fn receive(&mut self, datagram: &mut [u8], deadline: Instant) -> io::Result<Option<usize>> {
        let from = until(&self.socket, deadline, || {
            let got = self.socket.recv_from(datagram)?;
            let source = got.meta.source;
            let ours = self.peer.is_none_or(|peer| peer == source);
            Ok(ours.then_some((source, got.length, got.meta.time)))
        })?;
        Ok(from.map(|(source, length, arrived)| {
            self.to = Some(source);
            self.arrived = arrived;
            length
        }))
    }

    fn arrived(&self) -> Instant {
        let now = Instant::now();
        // Their clock may have been set meanwhile.
        let age = self.arrived.and_then(|at| at.elapsed().ok());
        age.and_then(|age| now.checked_sub(age)).unwrap_or(now)
    }
}

/// Datagrams within a host.
impl Transport for UnixDatagram {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        UnixDatagram::send(self, datagram).map(drop)
    }

    fn receive(&mut self, datagram: &mut [u8], deadline: Instant) -> io::Result<Option<usize>> {
        until(&*self, deadline, || self.recv(datagram).map(Some))
    }
}
