// SPDX-License-Identifier: GPL-2.0

//! Sockets of LANA: blocks in the graph.

use crate::{calls, Each, Options, Source, TICK};
use lana_socket::{Error, Kind, Ring, Socket};
use std::{io, time::Duration};

/// How long who waits for a ring sleeps on while packets come fast. That of `TPACKET_V3`'s blocks is
/// the same, so that neither has more time to gather packets.
const PAUSE: Duration = Duration::from_millis(1);

fn error(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
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
        let ring = socket.ring(options.buffer)?;
        ring.set_pause(PAUSE)?;
        ring.socket().bind(name).map_err(error)?;
        // A page holds the positions.
        let memory = options.buffer as usize + rustix::param::page_size();
        Ok(Shared { ring, memory })
    }
}

impl Source for Shared {
    fn batch(&mut self, each: &mut Each<'_>) -> io::Result<usize> {
        self.ring.wait(Some(TICK))?;
        let mut count = 0;
        while let Some(record) = self.ring.receive().map_err(io::Error::other)? {
            each(record.data);
            count += 1;
        }
        Ok(count)
    }

    fn lost(&mut self) -> io::Result<u64> {
        calls::Socket::lost(self.ring.socket())
    }

    fn memory(&self) -> usize {
        self.memory
    }
}
