// SPDX-License-Identifier: GPL-2.0

//! What no safe crate does: bytes of memory that the kernel shares, and BPF. All of this crate's unsafe code.

#![expect(unsafe_code, reason = "shared memory and system calls")]

use crate::corrupt;
use lana_socket::sys::Map;
use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

/// Memory in which packets come.
pub(crate) struct Shared(Map);

impl Shared {
    pub(crate) fn of(socket: BorrowedFd<'_>, length: usize, offset: u64) -> io::Result<Self> {
        Map::at_offset(socket, length, offset).map(Shared)
    }

    pub(crate) fn anonymous(length: usize) -> io::Result<Self> {
        Map::anonymous(length).map(Shared)
    }

    pub(crate) fn length(&self) -> usize {
        self.0.length()
    }

    #[inline]
    pub(crate) fn load32(&self, offset: usize) -> Option<u32> {
        self.0.load32(offset)
    }

    #[inline]
    pub(crate) fn load64(&self, offset: usize) -> Option<u64> {
        self.0.load64(offset)
    }

    #[inline]
    pub(crate) fn store32(&self, offset: usize, value: u32) -> Option<()> {
        self.0.store32(offset, value)
    }

    #[inline]
    pub(crate) fn store64(&self, offset: usize, value: u64) -> Option<()> {
        self.0.store64(offset, value)
    }

    /// Bytes of a slot, a block or a chunk that the kernel has handed over, and gets back only after they were looked
    /// at.
    #[inline]
    pub(crate) fn bytes(&self, offset: usize, length: usize) -> Option<&[u8]> {
        // SAFETY: the sources of this crate call this after the kernel has handed the place over (a status or a
        // position, read with `load32`), and drop the bytes before they give it back. This process writes none.
        unsafe { self.0.slice(offset, length) }
    }
}

// --- BPF -------------------------------------------------------------------------------------

const BPF_MAP_CREATE: i32 = 0;
const BPF_MAP_UPDATE_ELEM: i32 = 2;
const BPF_PROG_LOAD: i32 = 5;
const BPF_LINK_CREATE: i32 = 28;
const MAP_TYPE_XSKMAP: u32 = 17;
const PROG_TYPE_XDP: u32 = 6;
const ATTACH_XDP: u32 = 37;

/// `union bpf_attr`, in words of 32 bits: all that is not told is 0.
type Attribute = [u32; 32];

fn attribute(words: &[u32]) -> Attribute {
    let mut attribute = [0; 32];
    for (place, word) in attribute.iter_mut().zip(words) {
        *place = *word;
    }
    attribute
}

/// An address, as two words.
fn address<T: ?Sized>(value: *const T) -> [u32; 2] {
    let address = value.cast::<u8>() as u64;
    let mut halves = [address & 0xffff_ffff, address >> 32];
    if cfg!(target_endian = "big") {
        halves.reverse();
    }
    halves.map(|half| u32::try_from(half).unwrap_or_default())
}

fn number(file: BorrowedFd<'_>) -> u32 {
    u32::try_from(file.as_raw_fd()).unwrap_or(u32::MAX)
}

/// `bpf(2)`.
///
/// # Safety
///
/// The addresses in the attribute are those of memory that the command reads, which is there, and as long as the
/// command takes it to be. No command here writes.
unsafe fn bpf(command: i32, attribute: &Attribute) -> io::Result<i32> {
    // SAFETY: the kernel reads the attribute, all of which is there, and what the caller answers for.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            attribute.as_ptr(),
            size_of_val(attribute),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    i32::try_from(result).map_err(|_| corrupt())
}

/// The same, of a command that answers a new descriptor.
///
/// # Safety
///
/// As for `bpf`, and the command is one of those.
unsafe fn bpf_open(command: i32, attribute: &Attribute) -> io::Result<OwnedFd> {
    // SAFETY: the descriptor is new, so nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(bpf(command, attribute)?) })
}

/// A map of sockets of `AF_XDP`, by the number of their queue.
pub(crate) fn socket_map(entries: u32) -> io::Result<OwnedFd> {
    // SAFETY: this attribute (type, sizes of key and value, entries) has no address.
    unsafe {
        bpf_open(
            BPF_MAP_CREATE,
            &attribute(&[MAP_TYPE_XSKMAP, 4, 4, entries]),
        )
    }
}

/// Puts a socket there.
pub(crate) fn put_socket(map: BorrowedFd<'_>, key: u32, socket: BorrowedFd<'_>) -> io::Result<()> {
    let value = number(socket);
    let ([key0, key1], [value0, value1]) = (address(&raw const key), address(&raw const value));
    let words = [number(map), 0, key0, key1, value0, value1];
    // SAFETY: key and value are there, and have the four bytes of the keys and values of such a map.
    unsafe { bpf(BPF_MAP_UPDATE_ELEM, &attribute(&words)) }.map(drop)
}

/// The program that redirects a packet to the socket of its queue, and passes it on where there is none.
pub(crate) fn redirect(sockets: BorrowedFd<'_>) -> [u64; 6] {
    // Opcode, registers, offset and value, from the lowest bits on.
    let instruction = |code: u64, registers: u64, offset: u64, value: u32| {
        code | registers << 8 | offset << 16 | u64::from(value) << 32
    };
    [
        // r2 = ctx->rx_queue_index
        instruction(0x61, 0x12, 16, 0),
        // r1 = the map, in two; r3 = XDP_PASS
        instruction(0x18, 0x11, 0, number(sockets)),
        0,
        instruction(0xb7, 0x03, 0, 2),
        // r0 = bpf_redirect_map(r1, r2, r3)
        instruction(0x85, 0, 0, 51),
        instruction(0x95, 0, 0, 0),
    ]
}

/// Loads an XDP program.
pub(crate) fn load_xdp(instructions: &[u64]) -> io::Result<OwnedFd> {
    let licence = c"GPL";
    let [code0, code1] = address(instructions.as_ptr());
    let [licence0, licence1] = address(licence.as_ptr());
    let count = u32::try_from(instructions.len()).map_err(io::Error::other)?;
    let words = [PROG_TYPE_XDP, count, code0, code1, licence0, licence1];
    // SAFETY: there are as many instructions as are told, and the licence ends with a NUL.
    unsafe { bpf_open(BPF_PROG_LOAD, &attribute(&words)) }
}

/// Puts a program on a device, until the descriptor is closed.
pub(crate) fn attach_xdp(program: BorrowedFd<'_>, device: u32) -> io::Result<OwnedFd> {
    // SAFETY: this attribute (program, device, where) has no address.
    unsafe {
        bpf_open(
            BPF_LINK_CREATE,
            &attribute(&[number(program), device, ATTACH_XDP]),
        )
    }
}

/// Tells a socket of `AF_XDP` where packets come, in chunks of a length.
pub(crate) fn register_packets(
    socket: BorrowedFd<'_>,
    memory: &Shared,
    chunk: usize,
) -> io::Result<()> {
    // struct xdp_umem_reg: address and length; length of a chunk, headroom, flags, and what is for sending.
    let registered: [u64; 4] = [
        memory.0.address() as u64,
        memory.length() as u64,
        chunk as u64,
        0,
    ];
    // SAFETY: the kernel reads the structure, all of which is there (the third word has the chunk in its lower half, as
    // numbers of this processor's byte order lie). It writes to the memory, which is mapped that long. When `memory` is
    // unmapped the kernel still holds the pages, so it writes to none that are somebody else's.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_XDP,
            libc::XDP_UMEM_REG,
            (&raw const registered).cast(),
            libc::socklen_t::try_from(size_of_val(&registered)).unwrap_or_default(),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
