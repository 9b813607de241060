// SPDX-License-Identifier: GPL-2.0

//! ICMP echo requests, and the answers to them (RFC 792, RFC 4443).

use lana_cli::enter_namespace;
use rustix::net::{bind, connect, ipproto, socket_with, AddressFamily, SocketFlags, SocketType};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    os::fd::OwnedFd,
    thread,
    time::{Duration, Instant},
};
use tokio::{net::UdpSocket, time::timeout};

/// A header, and the time is not needed in it: the sequence number tells requests apart.
const LENGTH: usize = 8;

/// Asks one host.
#[derive(Debug)]
pub struct Ping {
    /// A raw socket; it is sent to and received from as one of UDP.
    socket: UdpSocket,
    is_v4: bool,
    id: u16,
    sequence: u16,
}

impl Ping {
    /// Opens a socket, in a network namespace where one is named. Wants CAP_NET_RAW.
    pub fn open(
        to: IpAddr,
        from: Option<IpAddr>,
        netns: Option<&str>,
        id: u16,
    ) -> io::Result<Self> {
        let socket = match netns {
            None => raw(to, from),
            // A thread of its own, as a thread is in one namespace. The socket stays in it.
            Some(netns) => thread::scope(|scope| {
                let inside = scope.spawn(|| {
                    enter_namespace(netns).map_err(|why| io::Error::other(format!("{why:#}")))?;
                    raw(to, from)
                });
                inside
                    .join()
                    .unwrap_or_else(|_| Err(io::Error::other("a thread has failed")))
            }),
        }?;
        Ok(Ping {
            socket: UdpSocket::from_std(socket.into())?,
            is_v4: to.is_ipv4(),
            id,
            sequence: 0,
        })
    }

    /// Asks once, and waits for the answer. How long it took, or nothing.
    pub async fn ask(&mut self, patience: Duration) -> io::Result<Option<Duration>> {
        self.sequence = self.sequence.wrapping_add(1);
        let request = request(self.is_v4, self.id, self.sequence);
        let begun = Instant::now();
        self.socket.send(&request).await?;
        let answer = timeout(patience, self.hear()).await;
        Ok(answer.ok().transpose()?.map(|()| begun.elapsed()))
    }

    async fn hear(&self) -> io::Result<()> {
        let mut bytes = [0; 256];
        loop {
            let length = self.socket.recv(&mut bytes).await?;
            let bytes = bytes.get(..length).unwrap_or_default();
            if is_answer(self.is_v4, bytes, self.id, self.sequence) {
                return Ok(());
            }
        }
    }
}

fn raw(to: IpAddr, from: Option<IpAddr>) -> io::Result<OwnedFd> {
    let (family, protocol) = if to.is_ipv4() {
        (AddressFamily::INET, ipproto::ICMP)
    } else {
        (AddressFamily::INET6, ipproto::ICMPV6)
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::RAW, flags, Some(protocol))?;
    if let Some(from) = from {
        bind(&socket, &SocketAddr::new(from, 0))?;
    }
    connect(&socket, &SocketAddr::new(to, 0))?;
    Ok(socket)
}

fn request(is_v4: bool, id: u16, sequence: u16) -> [u8; LENGTH] {
    let kind = if is_v4 { 8 } else { 128 };
    // The kernel fills in the sum of ICMPv6.
    let sum = if is_v4 {
        checksum([u16::from(kind) << 8, id, sequence])
    } else {
        0
    };
    let mut bytes = [kind, 0, 0, 0, 0, 0, 0, 0];
    let numbers = [sum, id, sequence].map(u16::to_be_bytes);
    for (to, from) in bytes.iter_mut().skip(2).zip(numbers.iter().flatten()) {
        *to = *from;
    }
    bytes
}

/// The internet checksum (RFC 1071) of three numbers.
fn checksum(numbers: [u16; 3]) -> u16 {
    let sum: u32 = numbers.into_iter().map(u32::from).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    !u16::try_from(folded & 0xffff).unwrap_or_default()
}

fn is_answer(is_v4: bool, bytes: &[u8], id: u16, sequence: u16) -> bool {
    // A raw socket of IPv4 has the header of IP before it.
    let skipped = if is_v4 {
        bytes.first().map_or(0, |first| usize::from(first & 15) * 4)
    } else {
        0
    };
    let kind = if is_v4 { 0 } else { 129 };
    match bytes.get(skipped..).and_then(<[u8]>::first_chunk::<LENGTH>) {
        Some([found, 0, _, _, rest @ ..]) => {
            let numbers = [id, sequence].map(u16::to_be_bytes);
            *found == kind && rest.iter().eq(numbers.iter().flatten())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_a_right_sum() {
        let bytes = request(true, 0x1234, 7);
        let sum: u32 = bytes
            .chunks(2)
            .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
            .sum();
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
        assert_eq!(bytes[..2], [8, 0]);
        assert_eq!(request(false, 1, 2), [128, 0, 0, 0, 0, 1, 0, 2]);
    }

    #[test]
    fn only_its_answer_counts() {
        let mut packet = vec![0x45; 20];
        packet.extend([0, 0, 0, 0, 0x12, 0x34, 0, 7]);
        assert!(is_answer(true, &packet, 0x1234, 7));
        assert!(!is_answer(true, &packet, 0x1234, 8));
        assert!(!is_answer(true, &packet[..27], 0x1234, 7));
        assert!(!is_answer(true, &request(true, 0x1234, 7), 0x1234, 7));
        assert!(is_answer(false, &[129, 0, 9, 9, 0, 1, 0, 2], 1, 2));
        assert!(!is_answer(true, &[], 0, 0));
    }
}
