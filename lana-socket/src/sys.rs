// SPDX-License-Identifier: GPL-2.0

//! The system calls that no safe crate makes for sockets of any family: addresses, options and
//! control messages are bytes here. All of this crate's unsafe code.

#![expect(unsafe_code, reason = "system calls and shared memory")]

use libc::{c_int, c_void, iovec, mmsghdr, msghdr, socklen_t};
use std::{
    io, mem,
    os::fd::{AsRawFd, BorrowedFd},
    ptr::{self, NonNull},
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

/// The most packets that one call receives.
pub const MOST: usize = 64;

/// What a call says, where a negative number is an error.
fn checked(result: c_int) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

fn socklen<T: ?Sized>(value: &T) -> socklen_t {
    socklen_t::try_from(size_of_val(value)).unwrap_or(socklen_t::MAX)
}

/// `bind(2)`.
pub fn bind(socket: BorrowedFd<'_>, address: &[u8]) -> io::Result<()> {
    // SAFETY: the kernel reads as many bytes as there are.
    let result = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            address.as_ptr().cast(),
            socklen(address),
        )
    };
    checked(result).map(drop)
}

/// `getsockname(2)`: how long the address is; no more than fits is written.
pub fn name(socket: BorrowedFd<'_>, address: &mut [u8]) -> io::Result<usize> {
    let mut length = socklen(address);
    // SAFETY: the kernel writes as many bytes as there are, and the length.
    let result = unsafe {
        libc::getsockname(
            socket.as_raw_fd(),
            address.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    checked(result).map(|_| length as usize)
}

/// `setsockopt(2)`.
pub fn set_option(socket: BorrowedFd<'_>, level: i32, option: i32, value: &[u8]) -> io::Result<()> {
    // SAFETY: the kernel reads as many bytes as there are. Options whose values hold addresses of
    // memory that is read, too, are BPF's: see `attach_filter`.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            value.as_ptr().cast(),
            socklen(value),
        )
    };
    checked(result).map(drop)
}

/// `getsockopt(2)`: how long the value is.
pub fn option(
    socket: BorrowedFd<'_>,
    level: i32,
    option: i32,
    value: &mut [u8],
) -> io::Result<usize> {
    let mut length = socklen(value);
    // SAFETY: the kernel writes as many bytes as there are, and the length.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            level,
            option,
            value.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    checked(result).map(|_| length as usize)
}

/// Gives a socket a filter of classic BPF.
pub fn attach_filter(socket: BorrowedFd<'_>, instructions: &[libc::sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: u16::try_from(instructions.len()).map_err(io::Error::other)?,
        filter: instructions.as_ptr().cast_mut(),
    };
    // SAFETY: the kernel reads the program, and as many instructions as it says there are.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            socklen(&program),
        )
    };
    checked(result).map(drop)
}

/// `sendto(2)`.
pub fn send_to(socket: BorrowedFd<'_>, data: &[u8], address: &[u8]) -> io::Result<usize> {
    // SAFETY: the kernel reads as many bytes as there are.
    let sent = unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            data.as_ptr().cast(),
            data.len(),
            0,
            address.as_ptr().cast(),
            socklen(address),
        )
    };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// What comes beside the bytes of a packet.
#[derive(Debug, Clone, Default)]
pub struct Envelope {
    address: [u64; 8],
    address_length: usize,
    control: [u64; 16],
    control_length: usize,
    /// Bytes of the packet, those included for which there was no room.
    pub length: usize,
}

/// The first bytes of words.
fn bytes_of(words: &[u64], length: usize) -> &[u8] {
    // SAFETY: words have no gaps, and `min` keeps within them.
    unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), length.min(size_of_val(words))) }
}

impl Envelope {
    /// Who sent it.
    pub fn address(&self) -> &[u8] {
        bytes_of(&self.address, self.address_length)
    }

    /// The control messages.
    pub fn control(&self) -> &[u8] {
        bytes_of(&self.control, self.control_length)
    }

    /// Where the kernel is to write. The caller keeps all of it borrowed for the call.
    fn header(&mut self, place: &mut iovec) -> msghdr {
        // SAFETY: zeros are a valid msghdr: no addresses, and lengths of nothing.
        let mut header: msghdr = unsafe { mem::zeroed() };
        header.msg_name = self.address.as_mut_ptr().cast();
        header.msg_namelen = socklen(&self.address);
        header.msg_control = self.control.as_mut_ptr().cast();
        header.msg_controllen = size_of_val(&self.control);
        header.msg_iov = place;
        header.msg_iovlen = 1;
        header
    }

    /// What the kernel wrote.
    fn filled(&mut self, header: &msghdr, length: usize) {
        self.address_length = header.msg_namelen as usize;
        self.control_length = header.msg_controllen;
        self.length = length;
    }
}

fn place(data: &mut [u8]) -> iovec {
    iovec {
        iov_base: data.as_mut_ptr().cast(),
        iov_len: data.len(),
    }
}

/// `recvmsg(2)` of one packet.
pub fn receive(socket: BorrowedFd<'_>, data: &mut [u8], envelope: &mut Envelope) -> io::Result<()> {
    let mut place = place(data);
    let mut header = envelope.header(&mut place);
    // SAFETY: the header tells of memory that this function has borrowed, and how much.
    let length = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_TRUNC) };
    let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
    envelope.filled(&header, length);
    Ok(())
}

/// Room for one packet of several.
#[derive(Debug, Clone)]
pub struct Slot {
    /// Its bytes.
    pub data: Box<[u8]>,
    /// What comes beside them.
    pub envelope: Envelope,
}

/// `recvmmsg(2)`: waits for one packet and takes as many as are there, at most [`MOST`].
pub fn receive_many(socket: BorrowedFd<'_>, slots: &mut [Slot]) -> io::Result<usize> {
    // SAFETY: zeros are valid for both: no addresses, and lengths of nothing.
    let (mut headers, mut places): ([mmsghdr; MOST], [iovec; MOST]) = unsafe { mem::zeroed() };
    for ((slot, header), to) in slots.iter_mut().zip(&mut headers).zip(&mut places) {
        *to = place(&mut slot.data);
        header.msg_hdr = slot.envelope.header(to);
    }
    let flags = libc::MSG_TRUNC | libc::MSG_WAITFORONE;
    // SAFETY: as many headers as there are slots tell of memory that this function has borrowed,
    // and how much.
    let got = unsafe {
        libc::recvmmsg(
            socket.as_raw_fd(),
            headers.as_mut_ptr(),
            u32::try_from(slots.len().min(MOST)).unwrap_or_default(),
            flags,
            ptr::null_mut(),
        )
    };
    let got = checked(got)?;
    for (slot, header) in slots.iter_mut().zip(&headers).take(got) {
        slot.envelope
            .filled(&header.msg_hdr, header.msg_len as usize);
    }
    Ok(got)
}

/// Memory shared with the kernel. Every place is checked to lie within.
#[derive(Debug)]
pub struct Map {
    base: NonNull<u8>,
    length: usize,
}

// SAFETY: the memory belongs to the value and to no thread.
unsafe impl Send for Map {}

impl Map {
    /// The memory that a socket shares.
    pub fn of(socket: BorrowedFd<'_>, length: usize) -> io::Result<Self> {
        Self::at_offset(socket, length, 0)
    }

    /// One of several pieces of memory that a socket shares.
    pub fn at_offset(socket: BorrowedFd<'_>, length: usize, offset: u64) -> io::Result<Self> {
        Self::new(socket.as_raw_fd(), length, libc::MAP_SHARED, offset)
    }

    /// Memory of this process, to be shared with the kernel.
    pub fn anonymous(length: usize) -> io::Result<Self> {
        Self::new(-1, length, libc::MAP_SHARED | libc::MAP_ANONYMOUS, 0)
    }

    fn new(file: c_int, length: usize, flags: c_int, offset: u64) -> io::Result<Self> {
        let rights = libc::PROT_READ | libc::PROT_WRITE;
        let offset = libc::off_t::try_from(offset).map_err(io::Error::other)?;
        // SAFETY: the kernel chooses a place where nothing is yet.
        let base = unsafe { libc::mmap(ptr::null_mut(), length, rights, flags, file, offset) };
        match NonNull::new(base.cast::<u8>()) {
            Some(base) if base.as_ptr().cast::<c_void>() != libc::MAP_FAILED => {
                Ok(Map { base, length })
            }
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// How many bytes there are.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Where it begins.
    pub fn address(&self) -> *const u8 {
        self.base.as_ptr()
    }

    /// Where a `T` lies that is whole and aligned.
    fn at<T>(&self, offset: usize) -> Option<NonNull<T>> {
        let end = offset.checked_add(size_of::<T>())?;
        // SAFETY: it is within the memory.
        let place = (end <= self.length).then(|| unsafe { self.base.add(offset) })?;
        place
            .as_ptr()
            .cast::<T>()
            .is_aligned()
            .then(|| place.cast())
    }

    /// A word of 32 bits. What is read after it is no older.
    pub fn load32(&self, offset: usize) -> Option<u32> {
        // SAFETY: it is there for as long as `self`, and only accessed by atomics meanwhile.
        let word = unsafe { self.at::<AtomicU32>(offset)?.as_ref() };
        Some(word.load(Ordering::Acquire))
    }

    /// A word of 64 bits. What is read after it is no older.
    pub fn load64(&self, offset: usize) -> Option<u64> {
        // SAFETY: as in `load32`.
        let word = unsafe { self.at::<AtomicU64>(offset)?.as_ref() };
        Some(word.load(Ordering::Acquire))
    }

    /// Writes a word of 32 bits, after all that was done before.
    pub fn store32(&self, offset: usize, value: u32) -> Option<()> {
        // SAFETY: as in `load32`.
        let word = unsafe { self.at::<AtomicU32>(offset)?.as_ref() };
        word.store(value, Ordering::Release);
        Some(())
    }

    /// Writes a word of 64 bits, after all that was done before.
    pub fn store64(&self, offset: usize, value: u64) -> Option<()> {
        // SAFETY: as in `load32`.
        let word = unsafe { self.at::<AtomicU64>(offset)?.as_ref() };
        word.store(value, Ordering::Release);
        Some(())
    }

    /// Bytes that lie within.
    ///
    /// # Safety
    ///
    /// Nobody, the kernel included, writes them as long as they are looked at.
    pub unsafe fn slice(&self, offset: usize, length: usize) -> Option<&[u8]> {
        let end = offset.checked_add(length)?;
        // SAFETY: they are within the memory, and the caller knows that nobody writes them.
        (end <= self.length)
            .then(|| unsafe { std::slice::from_raw_parts(self.base.as_ptr().add(offset), length) })
    }

    /// Bytes that the kernel has written and does not write again while they are looked at: only
    /// for `Ring`, which holds the tail of the ring before them.
    pub(crate) fn bytes(&self, offset: usize, length: usize) -> Option<&[u8]> {
        // SAFETY: nobody writes them: see above.
        unsafe { self.slice(offset, length) }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: nobody has a reference into it any more.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.length) };
    }
}
