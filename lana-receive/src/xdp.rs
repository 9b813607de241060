// SPDX-License-Identifier: GPL-2.0

//! Receiving by `AF_XDP`, in copy mode: an XDP program redirects the packets of a device's queue to the
//! socket before the kernel makes an skb of them. A device has one program, so the sources of its queues
//! share it within this process.

use crate::{
    corrupt, packet::index, sys, sys::Shared, Each, Options, Packet, Source, LONGEST, TICK,
};
use lana_socket::{
    sys::{bind, option, set_option},
    wait,
};
use rustix::net::{socket_with, AddressFamily, SocketFlags, SocketType};
use std::{
    collections::HashMap,
    io::{self, ErrorKind},
    mem,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak},
    thread,
    time::{Duration, Instant},
};

const AF_XDP: u16 = 44;
const SOL_XDP: i32 = 283;
const MMAP_OFFSETS: i32 = 1;
const RX_RING: i32 = 2;
const FILL_RING: i32 = 5;
const COMPLETION_RING: i32 = 6;
const STATISTICS: i32 = 7;
const PAGE_RX: u64 = 0;
const PAGE_FILL: u64 = 0x1_0000_0000;
/// Bind: packets are copied.
const COPY: u16 = 1 << 1;
/// How long a queue may stay taken by a socket that was closed.
const PATIENCE: Duration = Duration::from_secs(1);
/// Bytes of `struct xdp_desc`.
const DESCRIPTOR: usize = 16;
/// The most queues of a device.
const QUEUES: u32 = 64;

/// The program on a device, and the map of its sockets. It is gone with the last of them.
struct Program {
    sockets: OwnedFd,
    _link: OwnedFd,
}

impl Program {
    /// The one of a device, which is put there where there is none.
    fn of(device: u32) -> io::Result<Arc<Self>> {
        static THERE: OnceLock<Mutex<HashMap<u32, Weak<Program>>>> = OnceLock::new();
        let there = THERE.get_or_init(Mutex::default);
        let mut there = there.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(program) = there.get(&device).and_then(Weak::upgrade) {
            return Ok(program);
        }
        let sockets = sys::socket_map(QUEUES)?;
        let program = sys::load_xdp(&sys::redirect(sockets.as_fd()))?;
        let program = Arc::new(Program {
            _link: sys::attach_xdp(program.as_fd(), device)?,
            sockets,
        });
        there.insert(device, Arc::downgrade(&program));
        Ok(program)
    }
}

/// A ring of numbers or descriptors, of which one side is the kernel's.
struct Positions {
    shared: Shared,
    producer: usize,
    consumer: usize,
    entries: usize,
    mask: u32,
}

impl Positions {
    /// `at` are the first three of `struct xdp_ring_offset`.
    fn new(socket: &OwnedFd, page: u64, at: &[usize], count: u32, size: usize) -> io::Result<Self> {
        let &[producer, consumer, entries] = at else {
            return Err(corrupt());
        };
        let shared = Shared::of(socket.as_fd(), entries + count as usize * size, page)?;
        Ok(Positions {
            shared,
            producer,
            consumer,
            entries,
            mask: count - 1,
        })
    }

    fn place(&self, position: u32, size: usize) -> usize {
        self.entries + (position & self.mask) as usize * size
    }
}

/// A socket on a queue of a device.
pub(crate) struct Xdp {
    received: Positions,
    fill: Positions,
    packets: Shared,
    socket: OwnedFd,
    _program: Arc<Program>,
    memory: usize,
    /// What was lost, up to the last time that this was asked.
    told: u64,
}

/// The kernel gives up a queue some time after a socket there was closed.
fn bind_free(socket: &OwnedFd, address: &[u8]) -> io::Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        match bind(socket.as_fd(), address) {
            Err(error) if error.kind() == ErrorKind::ResourceBusy && Instant::now() < end => {
                thread::sleep(TICK);
            }
            result => return result,
        }
    }
}

/// Numbers of 64 bits.
fn numbers(bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    let words = bytes.chunks_exact(8);
    words.map(|word| word.first_chunk().copied().map_or(0, u64::from_ne_bytes))
}

impl Xdp {
    pub(crate) fn open(device: &str, options: &Options) -> io::Result<Self> {
        let count = options.buffer / u32::try_from(LONGEST).unwrap_or(u32::MAX);
        let family = AddressFamily::from_raw(AF_XDP);
        let socket = socket_with(family, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        let device = index(device)?;
        let packets = Shared::anonymous(options.buffer as usize)?;
        sys::register_packets(socket.as_fd(), &packets, LONGEST)?;
        for ring in [FILL_RING, COMPLETION_RING, RX_RING] {
            set_option(socket.as_fd(), SOL_XDP, ring, &count.to_ne_bytes())?;
        }
        let mut bytes = [0; 128];
        option(socket.as_fd(), SOL_XDP, MMAP_OFFSETS, &mut bytes)?;
        let at: Vec<_> = numbers(&bytes)
            .map(|number| usize::try_from(number).unwrap_or(usize::MAX))
            .collect();
        let at = |from: usize| at.get(from..from + 3).unwrap_or_default();
        let received = Positions::new(&socket, PAGE_RX, at(0), count, DESCRIPTOR)?;
        let fill = Positions::new(&socket, PAGE_FILL, at(8), count, 8)?;
        for slot in 0..count {
            let address = u64::from(slot) * LONGEST as u64;
            fill.shared.store64(fill.place(slot, 8), address);
        }
        fill.shared.store32(fill.producer, count);
        // struct sockaddr_xdp: family, flags, device, queue, another socket to share with.
        let address: Vec<_> = [AF_XDP, COPY].map(u16::to_ne_bytes).concat();
        let rest = [device, options.queue, 0].map(u32::to_ne_bytes).concat();
        bind_free(&socket, &[address, rest].concat())?;
        let program = Program::of(device)?;
        sys::put_socket(program.sockets.as_fd(), options.queue, socket.as_fd())?;
        let memory = packets.length() + received.shared.length() + fill.shared.length();
        Ok(Xdp {
            received,
            fill,
            packets,
            socket,
            _program: program,
            memory,
            told: 0,
        })
    }

    fn take(&mut self, each: &mut Each<'_>) -> Option<usize> {
        let (ring, fill) = (&self.received, &self.fill);
        let mut taken = ring.shared.load32(ring.consumer)?;
        let there = ring.shared.load32(ring.producer)?;
        let mut filled = fill.shared.load32(fill.producer)?;
        let count = there.wrapping_sub(taken);
        if count == 0 || count > ring.mask + 1 {
            return (count == 0).then_some(0);
        }
        for _ in 0..count {
            let place = ring.place(taken, DESCRIPTOR);
            let address = ring.shared.load64(place)?;
            let length = ring.shared.load32(place + 8)?;
            let start = usize::try_from(address).ok()?;
            // The chunk is the program's until it is in the other ring.
            each(&Packet {
                data: self.packets.bytes(start, length as usize)?,
                len: length as usize,
                ..Packet::default()
            });
            let chunk = address - address % LONGEST as u64;
            fill.shared.store64(fill.place(filled, 8), chunk)?;
            taken = taken.wrapping_add(1);
            filled = filled.wrapping_add(1);
        }
        ring.shared.store32(ring.consumer, taken)?;
        fill.shared.store32(fill.producer, filled)?;
        Some(count as usize)
    }
}

impl Source for Xdp {
    fn batch(&mut self, each: &mut Each<'_>) -> io::Result<usize> {
        let taken = self.take(each).ok_or_else(corrupt)?;
        if taken > 0 {
            return Ok(taken);
        }
        wait(&self.socket, Some(TICK))?;
        self.take(each).ok_or_else(corrupt)
    }

    fn lost(&mut self) -> io::Result<u64> {
        // struct xdp_statistics: dropped, two of bad descriptors, ring full, no room told, one of sending.
        let mut counts = [0; 48];
        option(self.socket.as_fd(), SOL_XDP, STATISTICS, &mut counts)?;
        let mut counts = numbers(&counts);
        // What found no room is in either the first or the fourth. Reading does not set them back.
        let lost = counts.next().unwrap_or_default() + counts.nth(2).unwrap_or_default();
        Ok(lost - mem::replace(&mut self.told, lost))
    }

    fn memory(&self) -> usize {
        self.memory
    }
}
