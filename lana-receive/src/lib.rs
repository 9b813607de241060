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
//! use lana_receive::{open, Method, Options};
//! let mut source = open(Method::V3, "eth0", &Options::new(1 << 20))?;
//! let mut bytes = 0;
//! while source.batch(&mut |packet| bytes += packet.len)? > 0 {}
//! println!("{bytes} bytes; {} packets found no room", source.lost()?);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! What a [`Packet`] tells depends on the method, as some of it costs a call or a copy:
//!
//! | method | what is known |
//! |---|---|
//! | `recvfrom`, `recvmmsg`, `lana`, `lana-mmsg`, `xdp` | the bytes and the length |
//! | `v2` | the VLAN tag, the direction, the device and the time, too |
//! | `v3` | the same; with [`Options::details`] the segment size of super-packets |
//! | `lana-ring` | the same as `v2`; the time with [`Options::details`] |

mod calls;
mod lana;
mod packet;
mod ring;
mod sys;
mod xdp;

pub use lana_socket::{Direction, Vlan};

use std::{
    io::{self, ErrorKind},
    time::Duration,
};

/// How long a batch waits for its first packet.
pub const TICK: Duration = Duration::from_millis(10);

/// The longest packet of which all is received, but for the methods `v3` and `lana-ring`: there as much as a block of
/// 32 KiB, or half a ring, has room for.
pub const LONGEST: usize = 2048;

/// A packet, or several of a connection that the kernel has put together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The bytes that were kept, from the Ethernet header on.
    pub data: &'a [u8],
    /// Bytes that it had.
    pub len: usize,
    /// The VLAN tag that the kernel took out of it.
    pub vlan: Option<Vlan>,
    /// From a device, or to one.
    pub direction: Option<Direction>,
    /// The device it came by, 0 where that is not known.
    pub input: u32,
    /// The device it leaves by, 0 where that is not known.
    pub output: u32,
    /// When it came, since 1970.
    pub time: Option<Duration>,
    /// It stands for several packets, each with so many bytes of data, but for the last one.
    pub segment: Option<u16>,
}

/// What is done with a packet: it is gone afterwards.
pub type Each<'a> = dyn FnMut(&Packet<'_>) + 'a;

/// Where packets come from.
pub trait Source: Send {
    /// Hands over the packets that are there, after waiting up to [`TICK`] for the first: how many. A
    /// signal ends the wait, too. [`ErrorKind::NetworkDown`] says, once, that the device went down or away.
    fn batch(&mut self, each: &mut Each<'_>) -> io::Result<usize>;

    /// Packets for which there was no room, since the last time, as the kernel counts them.
    fn lost(&mut self) -> io::Result<u64>;

    /// Bytes of the kernel's memory that packets may take: rings, or the bound of a queue.
    fn memory(&self) -> usize;

    /// So many bytes are kept of each packet that comes from now on; with 0 none comes. Packets that are there stay.
    fn keep(&mut self, bytes: u32) -> io::Result<()> {
        let _ = bytes;
        Err(ErrorKind::Unsupported.into())
    }

    /// The group of [`Fanout`] that it is in.
    fn group(&self) -> io::Result<u16> {
        Err(ErrorKind::Unsupported.into())
    }
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
    /// Of this group, or of a new one, always the same one for both directions of a connection.
    Hash(Option<u16>),
}

/// What one can choose.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct Options {
    /// Bytes of the kernel's memory for packets: a power of two, and at least 64 KiB.
    pub buffer: u32,
    /// The device's queue, of which `AF_XDP` gets the packets.
    pub queue: u32,
    /// With `PF_PACKET`.
    pub fanout: Fanout,
    /// With `PF_PACKET`: packets that the device sends come, too. Those of a loopback come once.
    pub outgoing: bool,
    /// With `PF_PACKET`: the device receives packets for other hosts as long as the source is there.
    pub promiscuous: bool,
    /// With `v3` super-packets tell the size of their segments, with `lana-ring` packets tell their time.
    pub details: bool,
    /// No packet comes before [`Source::keep`] is called. With `PF_PACKET` and with `lana-ring`.
    pub closed: bool,
}

impl Options {
    /// Packets that one socket receives, with so much memory.
    pub const fn new(buffer: u32) -> Self {
        Options {
            buffer,
            queue: 0,
            fanout: Fanout::None,
            outgoing: false,
            promiscuous: false,
            details: false,
            closed: false,
        }
    }
}

/// Opens a source: on a device, or as the block of this name with `PF_LANA`.
pub fn open(method: Method, name: &str, options: &Options) -> io::Result<Box<dyn Source>> {
    if !options.buffer.is_power_of_two() || options.buffer < 1 << 16 {
        let what = "a buffer is a power of two, and at least 64 KiB";
        return Err(io::Error::new(ErrorKind::InvalidInput, what));
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

/// The number of a device in this network namespace.
pub fn device(name: &str) -> io::Result<u32> {
    packet::index(name)
}

/// Whether there is a device of this number in this network namespace.
pub fn exists(device: u32) -> bool {
    packet::exists(device)
}

/// A number of 32 bits in the host's byte order, where it is whole.
fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*bytes))
}

/// The same, of 16 bits.
fn half(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_ne_bytes(*bytes))
}

/// What the kernel says that cannot be.
fn corrupt() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "the ring is corrupt")
}
