// SPDX-License-Identifier: GPL-2.0

//! A call for a packet, or for many.

use crate::{Each, Options, Packet, Source, LONGEST, TICK};
use lana_socket::{set_recv_buffer, sys, Batch};
use rustix::{
    io::Errno,
    net::{
        recv,
        sockopt::{set_socket_timeout, Timeout},
        RecvFlags,
    },
};
use std::{io, os::fd::AsFd};

/// A socket, and how it tells what it has lost.
pub(crate) trait Socket: AsFd + Send {
    fn lost(&self) -> io::Result<u64>;
}

/// A call for each packet.
pub(crate) struct One<S> {
    socket: S,
    room: Vec<u8>,
    memory: usize,
}

/// A call for many packets.
pub(crate) struct Many<S> {
    socket: S,
    room: Batch,
    memory: usize,
}

/// The kernel doubles what it is told, for what it needs beside the bytes of a packet.
fn prepare(socket: &impl AsFd, options: &Options) -> io::Result<usize> {
    set_recv_buffer(socket, options.buffer as usize / 2)?;
    set_socket_timeout(socket, Timeout::Recv, Some(TICK))?;
    Ok(options.buffer as usize)
}

pub(crate) fn one<S: Socket>(socket: S, options: &Options) -> io::Result<One<S>> {
    Ok(One {
        memory: prepare(&socket, options)?,
        socket,
        room: vec![0; LONGEST],
    })
}

pub(crate) fn many<S: Socket>(socket: S, options: &Options) -> io::Result<Many<S>> {
    Ok(Many {
        memory: prepare(&socket, options)?,
        socket,
        room: Batch::new(sys::MOST, LONGEST),
    })
}

/// Nothing, where the time was over or a signal came.
fn awaited<T: Default>(result: Result<T, io::Error>) -> io::Result<T> {
    match result {
        Err(error)
            if matches!(
                Errno::from_io_error(&error),
                Some(Errno::AGAIN | Errno::INTR)
            ) =>
        {
            Ok(T::default())
        }
        result => result,
    }
}

impl<S: Socket> Source for One<S> {
    fn batch(&mut self, each: &mut Each<'_>) -> io::Result<usize> {
        let got = recv(&self.socket, self.room.as_mut_slice(), RecvFlags::TRUNC);
        let (kept, len) = awaited(got.map_err(io::Error::from))?;
        if len == 0 {
            return Ok(0);
        }
        each(&Packet {
            data: self.room.get(..kept).unwrap_or_default(),
            len,
            ..Packet::default()
        });
        Ok(1)
    }

    fn lost(&mut self) -> io::Result<u64> {
        self.socket.lost()
    }

    fn memory(&self) -> usize {
        self.memory
    }
}

impl<S: Socket> Source for Many<S> {
    fn batch(&mut self, each: &mut Each<'_>) -> io::Result<usize> {
        let got = awaited(self.room.receive(&self.socket))?;
        if got > 0 {
            self.room.packets().for_each(|packet| {
                each(&Packet {
                    data: packet.data,
                    len: packet.received.meta.original,
                    ..Packet::default()
                });
            });
        }
        Ok(got)
    }

    fn lost(&mut self) -> io::Result<u64> {
        self.socket.lost()
    }

    fn memory(&self) -> usize {
        self.memory
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::{fd::BorrowedFd, unix::net::UnixDatagram};

    struct Pair(UnixDatagram);

    impl AsFd for Pair {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }

    impl Socket for Pair {
        fn lost(&self) -> io::Result<u64> {
            Ok(0)
        }
    }

    const OPTIONS: Options = Options::new(1 << 16);

    fn receive(make: impl FnOnce(Pair) -> Box<dyn Source>) -> Vec<(usize, Vec<String>)> {
        let (here, there) = UnixDatagram::pair().unwrap();
        let mut source = make(Pair(here));
        for text in ["a", "bb", "ccc"] {
            there.send(text.as_bytes()).unwrap();
        }
        let mut batches = Vec::new();
        loop {
            let mut texts = Vec::new();
            let count = source
                .batch(&mut |packet| {
                    assert_eq!(packet.len, packet.data.len());
                    texts.push(String::from_utf8(packet.data.to_vec()).unwrap());
                })
                .unwrap();
            batches.push((count, texts));
            if count == 0 {
                return batches;
            }
        }
    }

    #[test]
    fn one_by_one_until_the_time_is_over() {
        let got = receive(|pair| Box::new(one(pair, &OPTIONS).unwrap()));
        let text = |text: &str| (1, vec![text.to_owned()]);
        assert_eq!(got, [text("a"), text("bb"), text("ccc"), (0, vec![])]);
    }

    #[test]
    fn a_packet_that_does_not_fit_is_told_in_full() {
        let (here, there) = UnixDatagram::pair().unwrap();
        there.send(&[7; LONGEST + 100]).unwrap();
        there.send(&[7; LONGEST + 100]).unwrap();
        let lens = |source: &mut dyn Source| {
            let mut lens = Vec::new();
            let mut each = |packet: &Packet<'_>| lens.push((packet.data.len(), packet.len));
            source.batch(&mut each).unwrap();
            lens
        };
        let whole = [(LONGEST, LONGEST + 100)];
        let again = Pair(here.try_clone().unwrap());
        assert_eq!(lens(&mut one(Pair(here), &OPTIONS).unwrap()), whole);
        assert_eq!(lens(&mut many(again, &OPTIONS).unwrap()), whole);
    }

    #[test]
    fn many_at_once_until_the_time_is_over() {
        let got = receive(|pair| Box::new(many(pair, &OPTIONS).unwrap()));
        let all = ["a", "bb", "ccc"].map(str::to_owned).to_vec();
        assert_eq!(got, [(3, all), (0, vec![])]);
    }
}
