// SPDX-License-Identifier: GPL-2.0

//! The smoke test: after each frame a ping, to see whether the other side is still alive.

use rustix::{
    net::{
        ipproto, recv, sendto, socket_with, sockopt, AddressFamily, RecvFlags, SendFlags,
        SocketFlags, SocketType,
    },
    process::getpid,
};
use std::{
    io,
    net::{Ipv4Addr, SocketAddrV4},
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

/// How long one ping waits, and how many are sent.
const PATIENCE: Duration = Duration::from_millis(500);
const PINGS: u16 = 3;

/// A host that is pinged.
pub struct Probe {
    socket: OwnedFd,
    host: Ipv4Addr,
    id: u16,
    sequence: u16,
}

impl Probe {
    /// Of this host.
    pub fn new(host: Ipv4Addr) -> io::Result<Self> {
        let socket = socket_with(
            AddressFamily::INET,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(ipproto::ICMP),
        )?;
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(PATIENCE))?;
        let id = getpid().as_raw_nonzero().get().to_ne_bytes();
        Ok(Probe {
            socket,
            host,
            id: u16::from_ne_bytes([id[0], id[1]]),
            sequence: 0,
        })
    }

    /// Whether it answers.
    pub fn alive(&mut self) -> io::Result<bool> {
        for _ in 0..PINGS {
            self.sequence = self.sequence.wrapping_add(1);
            let mut ping = vec![8, 0, 0, 0];
            ping.extend(self.id.to_be_bytes());
            ping.extend(self.sequence.to_be_bytes());
            let sum = crate::checksum::Sum {
                at: 2,
                from: 0,
                to: usize::MAX,
                pseudo: None,
            };
            sum.write(&mut ping);
            sendto(
                &self.socket,
                &ping,
                SendFlags::empty(),
                &SocketAddrV4::new(self.host, 0),
            )?;
            if self.answered()? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn answered(&self) -> io::Result<bool> {
        let end = Instant::now() + PATIENCE;
        let mut packet = [0; 1500];
        while Instant::now() < end {
            let length = match recv(&self.socket, &mut packet, RecvFlags::empty()) {
                Ok((length, _)) => length,
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let got = packet.get(..length).unwrap_or_default();
            let head = usize::from(got.first().copied().unwrap_or_default() & 0xf) * 4;
            let reply = [
                &[0_u8][..],
                &self.id.to_be_bytes(),
                &self.sequence.to_be_bytes(),
            ]
            .concat();
            let answer = got.get(head..).unwrap_or_default();
            let said = [answer.get(..1), answer.get(4..8)]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .concat();
            if said == reply && got.get(12..16) == Some(&self.host.octets()[..]) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
