// SPDX-License-Identifier: GPL-2.0

//! Sockets of LANA: blocks in the graph.

use crate::{calls, packet, Each, Options, Packet, Source, TICK};
use lana_socket::{Error, Kind, Meta, Ring, Socket};
use std::{
    io::{self, ErrorKind},
    time::{Duration, UNIX_EPOCH},
};

/// How long who waits for a ring sleeps on while packets come fast. That of `TPACKET_V3`'s blocks is
/// the same, so that neither has more time to gather packets.
const PAUSE: Duration = Duration::from_millis(1);
/// Packets of a batch, at most.
const MOST: usize = 4096;

fn error(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        error @ Error::Name(_) => io::Error::new(ErrorKind::InvalidInput, error),
        other => io::Error::other(other),
    }
}

pub(crate) fn socket(name: &str) -> io::Result<Socket> {
    let socket = Socket::open(Kind::Raw).map_err(error)?;
    socket.bind(name).map_err(error)?;
    Ok(socket)
}

impl calls::Socket for Socket {
    fn lost(&self) -> io::Result<u64> {
        Ok(self.statistics()?.drops.into())
    }
}

/// A ring.
pub(crate) struct Shared {
    ring: Ring,
    memory: usize,
}

impl Shared {
    pub(crate) fn open(name: &str, options: &Options) -> io::Result<Self> {
        let socket = Socket::open(Kind::Raw).map_err(error)?;
        socket.set_timestamps(options.details)?;
        let ring = socket.ring(options.buffer)?;
        ring.set_pause(PAUSE)?;
        if options.closed {
            packet::keep(&ring, 0)?;
        }
        ring.socket().bind(name).map_err(error)?;
        // A page holds the positions.
        let memory = options.buffer as usize + rustix::param::page_size();
        Ok(Shared { ring, memory })
    }

    /// Takes what is there.
    fn take(&mut self, each: &mut Each<'_>) -> io::Result<usize> {
        for taken in 0..MOST {
            let Some(record) = self.ring.receive().map_err(io::Error::other)? else {
                return Ok(taken);
            };
            let Meta {
                ifindex,
                direction,
                vlan,
                original,
                time,
                ..
            } = record.meta;
            each(&Packet {
                data: record.data,
                len: original,
                vlan,
                direction,
                input: u32::try_from(ifindex).unwrap_or_default(),
                time: time.and_then(|time| time.duration_since(UNIX_EPOCH).ok()),
                ..Packet::default()
            });
        }
        Ok(MOST)
    }
}

impl Source for Shared {
    fn batch(&mut self, each: &mut Each<'_>) -> io::Result<usize> {
        let taken = self.take(each)?;
        if taken > 0 {
            return Ok(taken);
        }
        self.ring.wait(Some(TICK))?;
        self.take(each)
    }

    fn lost(&mut self) -> io::Result<u64> {
        calls::Socket::lost(self.ring.socket())
    }

    fn memory(&self) -> usize {
        self.memory
    }

    fn keep(&mut self, bytes: u32) -> io::Result<()> {
        packet::keep(&self.ring, bytes)
    }
}
