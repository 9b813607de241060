// SPDX-License-Identifier: GPL-2.0

//! Receives packets in every way that Linux and LANA offer a program, behind one trait: [`Source`],
//! which hands over the next batch of packets.
//!
//! | [`Method`] | socket | how packets come |
//! |---|---|---|
//! | `recvfrom`, `recvmmsg` | `PF_PACKET` | a call for each, a call for up to 64 |
//! | `v2`, `v3` | `PF_PACKET` | shared memory: a slot for each packet, blocks of packets |
//! | `xdp` | `AF_XDP` | shared memory that an XDP program fills, by copy |
//! | `lana`, `lana-mmsg` | `PF_LANA` | a call for each, a call for up to 64 |
//! | `lana-ring` | `PF_LANA` | shared memory |
//!
//! ```no_run
//! use lana_receivers::{open, Fanout, Method, Options};
//! let options = Options { buffer: 1 << 20, queue: 0, fanout: Fanout::None };
//! let mut source = open(Method::V3, "eth0", &options)?;
//! let mut bytes = 0;
//! while source.batch(&mut |packet| bytes += packet.len())? > 0 {}
//! println!("{bytes} bytes; {} packets found no room", source.lost()?);
//! # Ok::<(), std::io::Error>(())
//! ```

mod calls;
mod lana;
mod packet;
mod ring;
mod sys;
pub mod tally;
mod xdp;

use std::{io, time::Duration};

pub use sys::{now, processor_time, ran};

/// How long a batch waits for its first packet.
pub const TICK: Duration = Duration::from_millis(10);

/// The longest packet of which all is received.
pub const LONGEST: usize = 2048;

/// What is done with a packet: it is gone afterwards.
pub type Each<'a> = dyn FnMut(&[u8]) + 'a;

/// Where packets come from.
pub trait Source: Send {
    /// Hands over the packets that are there, after waiting up to [`TICK`] for the first: how many. A
    /// signal ends the wait, too.
    fn batch(&mut self, each: &mut Each<'_>) -> io::Result<usize>;

    /// Packets for which there was no room, since the last time, as the kernel counts them.
    fn lost(&mut self) -> io::Result<u64>;

    /// Bytes of the kernel's memory that packets may take: rings, or the bound of a queue.
    fn memory(&self) -> usize;
}

/// How to receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Method {
    /// `PF_PACKET`, a call for each packet
    Recvfrom,
    /// `PF_PACKET`, a call for up to 64 packets
    Recvmmsg,
    /// `PF_PACKET`, shared memory with a slot for each packet
    V2,
    /// `PF_PACKET`, shared memory with blocks of packets
    V3,
    /// `AF_XDP`, in copy mode
    Xdp,
    /// `PF_LANA`, a call for each packet
    Lana,
    /// `PF_LANA`, a call for up to 64 packets
    LanaMmsg,
    /// `PF_LANA`, shared memory
    LanaRing,
}

/// How several sockets of `PF_PACKET` share a device's packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fanout {
    /// They do not: each gets all.
    None,
    /// Of this group, the one of the CPU on which a packet has come.
    Cpu(u16),
}

/// What one can choose.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Bytes of the kernel's memory for packets: a power of two, and at least 64 KiB.
    pub buffer: u32,
    /// The device's queue, of which `AF_XDP` gets the packets.
    pub queue: u32,
    /// With `PF_PACKET`.
    pub fanout: Fanout,
}

/// Opens a source: on a device, or as the block of this name with `PF_LANA`.
pub fn open(method: Method, name: &str, options: &Options) -> io::Result<Box<dyn Source>> {
    if !options.buffer.is_power_of_two() || options.buffer < 1 << 16 {
        let what = "a buffer is a power of two, and at least 64 KiB";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    Ok(match method {
        Method::Recvfrom => Box::new(calls::one(packet::socket(name, options)?, options)?),
        Method::Recvmmsg => Box::new(calls::many(packet::socket(name, options)?, options)?),
        Method::V2 => Box::new(ring::Slots::open(name, options)?),
        Method::V3 => Box::new(ring::Blocks::open(name, options)?),
        Method::Xdp => Box::new(xdp::Xdp::open(name, options)?),
        Method::Lana => Box::new(calls::one(lana::socket(name)?, options)?),
        Method::LanaMmsg => Box::new(calls::many(lana::socket(name)?, options)?),
        Method::LanaRing => Box::new(lana::Shared::open(name, options)?),
    })
}

/// A word of the host's byte order, where it is whole.
fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*bytes))
}

/// What the kernel says that cannot be.
fn corrupt() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the ring is corrupt")
}
