// SPDX-License-Identifier: GPL-2.0

//! Collectors: by datagrams, or by a connection that comes again after it has ended.

use crate::{
    address::Address,
    netflow::{
        exporter::Tally,
        setting::{Target, Transport},
    },
};
use anyhow::{anyhow, Context, Result};
use lana_cli::usage;
use lana_netlink::errno_text;
use rustix::{
    io::Errno,
    net::{
        bind, connect, ipproto, recv, socket_with,
        sockopt::{set_socket_timeout, Timeout},
        AddressFamily, Protocol, RecvFlags, SocketFlags, SocketType,
    },
};
use std::{
    io::{self, ErrorKind, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket},
    time::{Duration, Instant},
};

/// How long a connection may have no room, and how long flows wait for one that is not there.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);
/// The pause after a connection, which gets longer; and how long one lasts that was a good one.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(30);
/// Where the sequence number is in a message of IPFIX.
const SEQUENCE: usize = 8;

/// Where messages go.
pub(crate) struct Collector {
    pub(crate) target: Target,
    link: Link,
    pub(crate) messages: u64,
    pub(crate) flows: u64,
    pub(crate) bytes: u64,
    pub(crate) errors: u64,
    pub(crate) error: Option<String>,
}

enum Link {
    Datagrams(UdpSocket),
    Connection(Connection),
}

/// What has become of a collector.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Messages go to it.
    Goes,
    /// They do so again, and templates are to be first.
    Begins,
    /// They do not, but may soon.
    Waits,
    /// They do not.
    Misses,
}

fn ip(address: Address) -> IpAddr {
    match address {
        Address::V4(bits) => Ipv4Addr::from_bits(bits).into(),
        Address::V6(bits) => Ipv6Addr::from_bits(bits).into(),
    }
}

impl Collector {
    pub(crate) fn new(target: Target, source: Option<Address>) -> Result<Self> {
        let to = SocketAddr::new(ip(target.address), target.port);
        let any = match to {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let from = SocketAddr::new(source.map_or(any, ip), 0);
        let no_source = |error: io::Error| match error.kind() {
            ErrorKind::AddrNotAvailable => usage("source: this host does not have the address"),
            _ => anyhow!(errno_text(&error)),
        };
        let about = || format!("collector {target}");
        let link = match target.transport {
            Transport::Udp => {
                let socket = UdpSocket::bind(from).map_err(no_source)?;
                socket.connect(to).with_context(about)?;
                Link::Datagrams(socket)
            }
            transport => {
                let protocol = match transport {
                    Transport::Sctp => ipproto::SCTP,
                    _ => ipproto::TCP,
                };
                let connection = Connection::new(protocol, from, to);
                match connection.socket() {
                    Err(error)
                        if error.raw_os_error() == Some(Errno::PROTONOSUPPORT.raw_os_error()) =>
                    {
                        return Err(usage("this kernel has no SCTP")).with_context(about);
                    }
                    socket => drop(socket.map_err(no_source)?),
                }
                Link::Connection(connection)
            }
        };
        Ok(Self {
            target,
            link,
            messages: 0,
            flows: 0,
            bytes: 0,
            errors: 0,
            error: None,
        })
    }

    fn failed(&mut self, error: &io::Error) {
        self.errors += 1;
        self.error = Some(errno_text(error));
    }

    /// Looks after a connection.
    pub(crate) fn look(&mut self) -> Look {
        let Link::Connection(connection) = &mut self.link else {
            return Look::Goes;
        };
        match connection.look() {
            Ok(look) => look,
            Err(error) => {
                let look = connection.absent();
                self.failed(&error);
                look
            }
        }
    }

    /// Sends a message; false where it did not go.
    pub(crate) fn send(&mut self, message: &[u8], tally: &Tally) -> bool {
        let sent = match &mut self.link {
            // An error may be about an earlier one, by ICMP. Then this one goes.
            Link::Datagrams(socket) => match socket.send(message).map(drop) {
                Err(error) if socket.send(message).is_ok() => {
                    self.failed(&error);
                    Ok(())
                }
                sent => sent,
            },
            Link::Connection(connection) => connection.send(message),
        };
        if let Err(error) = sent {
            match error.kind() {
                // Why there is none is known.
                ErrorKind::NotConnected => self.errors += 1,
                _ => self.failed(&error),
            }
            return false;
        }
        self.messages += 1;
        self.flows += tally.flows;
        self.bytes += message.len() as u64;
        true
    }
}

/// A connection, or what makes it.
struct Connection {
    protocol: Protocol,
    from: SocketAddr,
    to: SocketAddr,
    stream: Option<TcpStream>,
    /// When it began or ended.
    since: Instant,
    /// When the next one may be tried, and how long that is after the last one.
    next: Instant,
    pause: Duration,
    /// The sequence number of its first message.
    first: Option<u32>,
    /// A message on its way.
    message: Vec<u8>,
}

impl Connection {
    fn new(protocol: Protocol, from: SocketAddr, to: SocketAddr) -> Self {
        Self {
            protocol,
            from,
            to,
            stream: None,
            since: Instant::now(),
            next: Instant::now(),
            pause: Duration::ZERO,
            first: None,
            message: Vec::new(),
        }
    }

    /// A socket that is not connected.
    fn socket(&self) -> io::Result<TcpStream> {
        let family = match self.to {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        let protocol = Some(self.protocol);
        let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, protocol)?;
        set_socket_timeout(&socket, Timeout::Send, Some(PATIENCE))?;
        bind(&socket, &self.from)?;
        Ok(socket.into())
    }

    /// What is to be done while there is none.
    fn absent(&self) -> Look {
        if self.since.elapsed() < PATIENCE {
            Look::Waits
        } else {
            Look::Misses
        }
    }

    /// It is over.
    fn end(&mut self) {
        if self.stream.take().is_some() {
            if self.since.elapsed() >= LONGEST {
                self.pause = Duration::ZERO;
            }
            self.since = Instant::now();
        }
        self.pause = (self.pause * 2).clamp(SHORTEST, LONGEST);
        self.next = Instant::now() + self.pause;
    }

    /// Makes a connection where there is none, and finds out whether the collector has ended it.
    fn look(&mut self) -> io::Result<Look> {
        if let Some(stream) = &self.stream {
            return match ended(stream) {
                None => Ok(Look::Goes),
                Some(error) => {
                    self.end();
                    Err(error)
                }
            };
        }
        if Instant::now() < self.next {
            return Ok(self.absent());
        }
        let made = self.socket().and_then(|stream| {
            connect(&stream, &self.to).map_err(|errno| match errno {
                Errno::INPROGRESS => Errno::TIMEDOUT,
                errno => errno,
            })?;
            Ok(stream)
        });
        if made.is_err() {
            self.end();
        }
        self.stream = Some(made?);
        self.since = Instant::now();
        self.first = None;
        Ok(Look::Begins)
    }

    /// Sends a message, with a sequence number that is the connection's own.
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let stream = self.stream.as_mut();
        let stream = stream.ok_or(ErrorKind::NotConnected)?;
        self.message.clear();
        self.message.extend_from_slice(message);
        let place = self.message.get_mut(SEQUENCE..);
        if let Some(place) = place.and_then(|place| place.first_chunk_mut()) {
            let sequence = u32::from_be_bytes(*place);
            let first = *self.first.get_or_insert(sequence);
            *place = sequence.wrapping_sub(first).to_be_bytes();
        }
        let sent = stream.write_all(&self.message);
        if sent.is_err() {
            // A part of it may have gone.
            self.end();
        }
        sent
    }
}

/// Why a connection is over, if it is. What a collector says is of no interest.
fn ended(stream: &TcpStream) -> Option<io::Error> {
    let mut bytes = [0; 1024];
    loop {
        match recv(stream, bytes.as_mut_slice(), RecvFlags::DONTWAIT) {
            Ok((0, _)) => return Some(Errno::PIPE.into()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return None,
            Err(error) => return Some(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Read, net::TcpListener, thread};

    fn collector(port: u16) -> Collector {
        let target = Target::parse(&format!("tcp:127.0.0.1:{port}")).unwrap();
        Collector::new(target, None).unwrap_or_else(|error| panic!("{error}"))
    }

    /// A message with a sequence number.
    fn message(sequence: u32) -> Vec<u8> {
        let mut message = vec![7; 20];
        message[SEQUENCE..12].copy_from_slice(&sequence.to_be_bytes());
        message
    }

    #[test]
    fn each_connection_has_its_own_sequence_numbers() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut to = collector(listener.local_addr().unwrap().port());
        assert!(!to.send(&message(5), &Tally::default()));
        assert_eq!(to.errors, 1);
        for first in [5, 4_000_000_000] {
            while to.look() == Look::Waits {
                thread::sleep(Duration::from_millis(5));
            }
            let (mut peer, _) = listener.accept().unwrap();
            for number in 0..3 {
                assert!(to.look() == Look::Goes);
                assert!(to.send(&message(first + number), &Tally::default()));
                let mut got = [0; 20];
                peer.read_exact(&mut got).unwrap();
                assert_eq!(got[..], message(number));
            }
        }
        assert_eq!((to.messages, to.bytes), (6, 120));
        assert_eq!(to.error.as_deref(), Some("Broken pipe"));
    }

    #[test]
    fn who_does_not_listen_is_tried_again_and_again() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let mut to = collector(port);
        let began = Instant::now();
        while to.look() == Look::Waits {
            thread::sleep(Duration::from_millis(5));
        }
        // By then the pauses of 100, 200 and 400 milliseconds are over.
        assert!(began.elapsed() >= PATIENCE);
        assert!((2..=4).contains(&to.errors), "{}", to.errors);
        assert_eq!(to.error.as_deref(), Some("Connection refused"));
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        while to.look() != Look::Begins {
            thread::sleep(Duration::from_millis(5));
        }
        drop(listener);
    }
}
