// SPDX-License-Identifier: GPL-2.0

//! Probes: a request that stands until its socket is closed, and a record for each packet.

use crate::{
    error::Error,
    family::Family,
    message::{messages, Content, Request, BODY},
    refusal::Refusal,
    socket::{KernelSocket, Transport},
    spec::{Command, ProbeAttrs, FAMILY},
    wire::{Attributes, Writer},
};
use netlink_packet_core::NLM_F_ACK;
use rustix::event::{poll, PollFd, PollFlags};
use std::{
    collections::VecDeque,
    os::fd::BorrowedFd,
    time::{Duration, Instant},
};

const ENOBUFS: i32 = 105;
/// Receive buffer: what waits there while we write is not lost.
const BUFFER: usize = 8 << 20;
/// More than a record can have: 65000 bytes of a packet, or 16 KiB of hops.
const LONGEST: usize = 128 << 10;
/// The number of the request.
const SEQ: u32 = 1;
/// The number of the request for what was lost.
const SEQ_LOST: u32 = 2;
/// An answer that found no room is asked for again, so often.
const TRIES: u32 = 5;
/// After so long.
const PATIENCE: Duration = Duration::from_millis(200);

/// A probe that stands until this is dropped, and the records that it makes.
pub struct Probe {
    transport: Box<dyn Transport>,
    family: u16,
    /// Read and not yet taken.
    waiting: VecDeque<ProbeAttrs>,
    /// What the kernel has lost, as it answered.
    lost: Option<u64>,
}

impl Probe {
    /// Opens a socket and asks for a probe of the graph of this namespace.
    pub fn open(request: &ProbeAttrs) -> Result<Self, Error> {
        let mut socket = KernelSocket::open().map_err(Error::Socket)?;
        socket.enlarge_to(BUFFER).map_err(Error::Socket)?;
        socket.expect_up_to(LONGEST);
        Self::over(Box::new(socket), request)
    }

    /// Asks for a probe at the other end of `transport`.
    pub fn over(mut transport: Box<dyn Transport>, request: &ProbeAttrs) -> Result<Self, Error> {
        let family = Family::find(transport.as_mut(), FAMILY)?.id;
        let mut attrs = Writer::behind(BODY);
        request.encode(&mut attrs)?;
        let request = Request::new(Command::Probe, family, NLM_F_ACK, SEQ, attrs)?;
        transport.send(&request.bytes).map_err(Error::Socket)?;
        let mut probe = Probe {
            transport,
            family,
            waiting: VecDeque::new(),
            lost: None,
        };
        loop {
            let datagram = match probe.transport.receive() {
                Err(error) if error.raw_os_error() == Some(ENOBUFS) => continue,
                result => result.map_err(Error::Socket)?,
            };
            if let Some((code, ack)) = probe.take(&datagram)? {
                return match code {
                    0 => Ok(probe),
                    code => Err(Refusal::new(code, ack, &request).into()),
                };
            }
        }
    }

    /// What to wait for until there is a record.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.transport.fd()
    }

    /// The next record, if there is one already.
    pub fn take_record(&mut self) -> Result<Option<ProbeAttrs>, Error> {
        loop {
            if let Some(record) = self.waiting.pop_front() {
                return Ok(Some(record));
            }
            match self.transport.try_receive() {
                // The kernel counts what it could not send, and a later record tells.
                Err(error) if error.raw_os_error() == Some(ENOBUFS) => {}
                Err(error) => return Err(Error::Socket(error)),
                Ok(None) => return Ok(None),
                Ok(Some(datagram)) => {
                    self.take(&datagram)?;
                }
            }
        }
    }

    /// Asks how many records were lost, and throws away those that wait. `None` where the kernel does not say.
    pub fn lost(&mut self) -> Result<Option<u64>, Error> {
        let mut attrs = Writer::behind(BODY);
        let ask = ProbeAttrs {
            lost: Some(0),
            ..ProbeAttrs::default()
        };
        ask.encode(&mut attrs)?;
        let request = Request::new(Command::Probe, self.family, 0, SEQ_LOST, attrs)?;
        for _ in 0..TRIES {
            self.transport.send(&request.bytes).map_err(Error::Socket)?;
            let due = Instant::now() + PATIENCE;
            // Until then the answer has come; else there was no room for it, or none comes.
            while let Some(left) = due.checked_duration_since(Instant::now()) {
                match self.transport.try_receive() {
                    Err(error) if error.raw_os_error() == Some(ENOBUFS) => {}
                    Err(error) => return Err(Error::Socket(error)),
                    Ok(Some(datagram)) => {
                        self.take(&datagram)?;
                        self.waiting.clear();
                        if self.lost.is_some() {
                            return Ok(self.lost.take());
                        }
                    }
                    Ok(None) => wait(self.transport.fd(), left)?,
                }
            }
        }
        Ok(None)
    }

    /// Keeps the records in a datagram. The acknowledgement, if it is in there, is the result.
    fn take(&mut self, datagram: &[u8]) -> Result<Option<(i32, crate::extack::ExtAck)>, Error> {
        let mut end = None;
        for message in messages(datagram) {
            let message = message?;
            match message.content {
                Content::Family { command, attrs }
                    if message.kind == self.family && command == Command::Probe as u8 =>
                {
                    let record = ProbeAttrs::decode(attrs)?;
                    if message.seq == SEQ_LOST {
                        self.lost = record.lost;
                    } else {
                        self.waiting.push_back(record);
                    }
                }
                Content::Ack { code, ack } if message.seq == SEQ => end = Some((code, ack)),
                _ => {}
            }
        }
        Ok(end)
    }
}

/// Waits until something is there, or for so long.
fn wait(fd: Option<BorrowedFd<'_>>, left: Duration) -> Result<(), Error> {
    let mut fds: Vec<_> = fd
        .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
        .into_iter()
        .collect();
    match poll(&mut fds, left.try_into().ok().as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(Error::Socket(error.into())),
    }
}

#[cfg(test)]
mod tests;
