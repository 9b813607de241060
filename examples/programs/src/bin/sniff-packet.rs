// SPDX-License-Identifier: GPL-2.0

//! Counts the packets of a device, by a socket of `PF_PACKET`: `sniff-lana`, for comparison.

use anyhow::{Context, Result};
use clap::Parser;
use lana_examples::{
    program::{self, TICK},
    sniff::{self, Each, Mode, Options, Source, PATIENCE},
};
use lana_socket::{
    abi::LinkAddress,
    sys::{self, Map},
    wait, Meta,
};
use libc::{AF_PACKET, ETH_P_ALL, PACKET_RX_RING, PACKET_STATISTICS, PACKET_VERSION, SOL_PACKET};
use rustix::net::{netdevice::name_to_index, socket_with, AddressFamily, SocketFlags, SocketType};
use std::{
    io,
    ops::ControlFlow,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    process::ExitCode,
    time::{Duration, UNIX_EPOCH},
};

/// Count the packets of a device, with a packet socket
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// The device
    device: String,
    #[command(flatten)]
    options: Options,
}

/// Bytes that the kernel fills before it hands them over.
const BLOCK: u32 = 1 << 20;
/// The most that a packet may take of a block; only a bound here.
const FRAME: u32 = 2048;
/// `TPACKET_V3` (`linux/if_packet.h`), whose structs follow.
const VERSION: u32 = 2;
/// `TP_STATUS_KERNEL` and `TP_STATUS_USER`: whose a block is.
const KERNEL: u32 = 0;
const USER: u32 = 1;
/// Where things are in `struct tpacket_block_desc`.
const BLOCK_STATUS: usize = 8;
const BLOCK_PACKETS: usize = 12;
const BLOCK_FIRST: usize = 16;
/// Where things are in `struct tpacket3_hdr`, and what follows it.
const PACKET_NEXT: usize = 0;
const PACKET_SECONDS: usize = 4;
const PACKET_NANOSECONDS: usize = 8;
const PACKET_LENGTH: usize = 16;
const PACKET_MAC: usize = 24;
const PACKET_ADDRESS: usize = 48;

struct Packets {
    socket: OwnedFd,
    ring: Option<Blocks>,
    /// Whether more is to be told than the length of a packet.
    verbose: bool,
}

/// A ring of blocks, each with many packets.
struct Blocks {
    map: Map,
    count: u32,
    /// The next one.
    next: u32,
}

impl Packets {
    fn open(cli: &Cli) -> Result<Self> {
        let domain = AddressFamily::from_raw(u16::try_from(AF_PACKET)?);
        // Without a protocol nothing comes before the device is chosen.
        let socket = socket_with(domain, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        sniff::prepare(socket.as_fd(), &cli.options)?;
        let ring = match cli.options.mode {
            Mode::Ring => Some(Blocks::new(socket.as_fd(), cli.options.buffer)?),
            Mode::Recv | Mode::Mmsg => None,
        };
        let ifindex = name_to_index(&socket, &cli.device).with_context(|| cli.device.clone())?;
        let address = LinkAddress {
            family: domain.as_raw(),
            protocol: u16::try_from(ETH_P_ALL)?.to_be_bytes(),
            ifindex: i32::try_from(ifindex)?,
            ..LinkAddress::default()
        };
        sys::bind(socket.as_fd(), &address.encode())?;
        Ok(Packets {
            socket,
            ring,
            verbose: cli.options.verbose,
        })
    }
}

impl Blocks {
    fn new(socket: BorrowedFd<'_>, bytes: u32) -> Result<Self> {
        let count = (bytes / BLOCK).max(1);
        sys::set_option(socket, SOL_PACKET, PACKET_VERSION, &VERSION.to_ne_bytes())?;
        let frames = count * (BLOCK / FRAME);
        // Milliseconds after which it hands over a block that is not full.
        let retire = u32::try_from(PATIENCE.as_millis())?;
        let request = [BLOCK, count, FRAME, frames, retire, 0, 0].map(u32::to_ne_bytes);
        sys::set_option(socket, SOL_PACKET, PACKET_RX_RING, &request.concat())?;
        let map = Map::of(socket, (count * BLOCK) as usize)?;
        let next = 0;
        Ok(Blocks { map, count, next })
    }

    /// A word of the next block.
    fn word(&self, offset: usize) -> Result<u32> {
        let word = self.map.load32((self.next * BLOCK) as usize + offset);
        word.context("a packet outside of the ring")
    }

    /// Bytes of the next block, wherever they begin.
    fn bytes<const N: usize>(&self, offset: usize) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        for (byte, at) in bytes.iter_mut().zip(offset..) {
            let word = self.word(at & !3)?.to_ne_bytes();
            *byte = word.get(at & 3).copied().unwrap_or_default();
        }
        Ok(bytes)
    }

    /// What there is to tell about a packet, and its Ethernet header.
    fn describe(&self, packet: usize) -> Result<(Meta, [u8; 14])> {
        let length = self.word(packet + PACKET_LENGTH)? as usize;
        let address: [u8; LinkAddress::SIZE] = self.bytes(packet + PACKET_ADDRESS)?;
        let mut meta = Meta::decode(&address, &[], length);
        let seconds = self.word(packet + PACKET_SECONDS)?;
        let nanoseconds = self.word(packet + PACKET_NANOSECONDS)?;
        meta.time = Some(UNIX_EPOCH + Duration::new(seconds.into(), nanoseconds));
        let mac = u16::from_ne_bytes(self.bytes(packet + PACKET_MAC)?);
        Ok((meta, self.bytes(packet + usize::from(mac))?))
    }

    /// Takes the packets of the next block, if it is there.
    fn take(&mut self, verbose: bool, each: &mut Each<'_>) -> Result<Option<ControlFlow<()>>> {
        if self.word(BLOCK_STATUS)? & USER == 0 {
            return Ok(None);
        }
        let mut flow = ControlFlow::Continue(());
        let mut packet = self.word(BLOCK_FIRST)? as usize;
        for _ in 0..self.word(BLOCK_PACKETS)? {
            flow = if verbose {
                let (meta, header) = self.describe(packet)?;
                each(&header, &meta)?
            } else {
                let length = self.word(packet + PACKET_LENGTH)? as usize;
                each(&[], &Meta::decode(&[], &[], length))?
            };
            if flow.is_break() {
                break;
            }
            packet += self.word(packet + PACKET_NEXT)? as usize;
        }
        let status = (self.next * BLOCK) as usize + BLOCK_STATUS;
        self.map.store32(status, KERNEL);
        self.next = (self.next + 1) % self.count;
        Ok(Some(flow))
    }
}

impl Source for Packets {
    fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn take(&mut self, each: &mut Each<'_>) -> Result<ControlFlow<()>> {
        wait(&self.socket, Some(TICK))?;
        if let Some(ring) = &mut self.ring {
            while let Some(flow) = ring.take(self.verbose, each)? {
                if flow.is_break() {
                    return Ok(flow);
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn drops(&self) -> io::Result<u32> {
        // struct tpacket_stats_v3: packets, drops, and how often the ring was full.
        let mut counts = [0; 12];
        sys::option(self.socket(), SOL_PACKET, PACKET_STATISTICS, &mut counts)?;
        let (_, drops) = counts.split_at(4);
        Ok(drops.first_chunk().copied().map_or(0, u32::from_ne_bytes))
    }
}

fn run(cli: &Cli) -> Result<bool> {
    let mut source = Packets::open(cli)?;
    program::ready(&cli.device);
    sniff::run(&mut source, &cli.options)
}

fn main() -> ExitCode {
    program::run("sniff-packet", run)
}
