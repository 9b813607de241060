// SPDX-License-Identifier: GPL-2.0

//! The memory of a ring to send by, which the kernel shares, and calls about devices that no safe crate makes: all of
//! this crate's unsafe code.
//!
//! A slot begins with `struct tpacket2_hdr`, of which the kernel writes the status; the frame behind it the kernel
//! only reads.

#![expect(unsafe_code, reason = "shared memory and system calls")]

use rustix::mm::{mmap, munmap, MapFlags, ProtFlags};
use std::{
    io,
    num::NonZeroUsize,
    os::fd::{AsRawFd, BorrowedFd},
    ptr::{self, NonNull},
    slice,
    sync::atomic::{AtomicU32, Ordering},
};

/// Bytes of a slot before the frame: `sizeof(struct tpacket2_hdr)`.
pub(crate) const HEADER: usize = 32;
/// Where in the header the length of the frame is.
const LENGTH: usize = 4;

/// Slots of shared memory.
///
/// # Invariants
///
/// `base` is the start of `count * size` bytes that are mapped until `self` is dropped, and aligned to a page. `size` is
/// a multiple of 16 and greater than `HEADER`. The kernel writes the first `HEADER` bytes of a slot only.
pub(crate) struct Slots {
    base: NonNull<u8>,
    size: NonZeroUsize,
    count: usize,
}

// SAFETY: by the invariant the memory belongs to the value and to no thread.
unsafe impl Send for Slots {}

impl Slots {
    /// The slots of a packet socket that has such a ring, of `TPACKET_V2`.
    pub(crate) fn of(socket: BorrowedFd<'_>, size: usize, count: usize) -> io::Result<Self> {
        let wrong = || io::Error::from(io::ErrorKind::InvalidInput);
        let size =
            NonZeroUsize::new(size).filter(|size| size.get() > HEADER && size.get() % 16 == 0);
        let size = size.ok_or_else(wrong)?;
        let length = size.get().checked_mul(count).ok_or_else(wrong)?;
        let rights = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the kernel chooses a place where nothing is yet.
        let base = unsafe { mmap(ptr::null_mut(), length, rights, MapFlags::SHARED, socket, 0) }?;
        // INVARIANT: so many bytes are mapped, from a page on; of a ring to send by the kernel writes headers only.
        let base = NonNull::new(base.cast()).ok_or_else(wrong)?;
        Ok(Slots { base, size, count })
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Where a slot begins.
    #[inline]
    fn slot(&self, slot: usize) -> NonNull<u8> {
        let slot = if slot < self.count { slot } else { 0 };
        // SAFETY: by the invariant all slots are within the memory.
        unsafe { self.base.add(slot * self.size.get()) }
    }

    #[inline]
    fn word(&self, slot: usize, offset: usize) -> &AtomicU32 {
        // SAFETY: by the invariant a slot has 32 bytes of header, aligned to 16; `offset` is 0 or `LENGTH`. Words of
        // headers are only accessed by atomics.
        unsafe { self.slot(slot).add(offset).cast::<AtomicU32>().as_ref() }
    }

    /// The status of a slot. What the kernel did before it wrote that is done.
    #[inline]
    pub(crate) fn status(&self, slot: usize) -> u32 {
        self.word(slot, 0).load(Ordering::Acquire)
    }

    /// Gives a slot to the kernel: its status, and how long the frame is. All that was written before is there.
    #[inline]
    pub(crate) fn give(&self, slot: usize, status: u32, length: u32) {
        self.word(slot, LENGTH).store(length, Ordering::Relaxed);
        self.word(slot, 0).store(status, Ordering::Release);
    }

    /// The frame of a slot, with what lies before it.
    #[inline]
    pub(crate) fn frame(&mut self, slot: usize) -> &mut [u8] {
        let length = self.size.get() - HEADER;
        // SAFETY: by the invariant these bytes are within the memory, and the kernel does not write them. `&mut self`
        // has nobody else of this process there.
        unsafe { slice::from_raw_parts_mut(self.slot(slot).add(HEADER).as_ptr(), length) }
    }
}

/// What an `ioctl` says about a device: the bytes behind its name in `struct ifreq`.
fn ask(socket: BorrowedFd<'_>, name: &str, question: libc::Ioctl) -> io::Result<[u8; 24]> {
    let mut request = [0_u64; 5];
    let bytes = as_bytes(&mut request);
    let place = bytes
        .get_mut(..libc::IFNAMSIZ - 1)
        .and_then(|place| place.get_mut(..name.len()));
    place
        .ok_or(io::ErrorKind::InvalidInput)?
        .copy_from_slice(name.as_bytes());
    // SAFETY: the kernel reads and writes `struct ifreq`, whose 40 bytes are all there, and holds no address for these
    // questions.
    if unsafe { libc::ioctl(socket.as_raw_fd(), question, request.as_mut_ptr()) } < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut answer = [0; 24];
    answer.copy_from_slice(
        as_bytes(&mut request)
            .get(libc::IFNAMSIZ..)
            .unwrap_or(&[0; 24]),
    );
    Ok(answer)
}

/// Words as bytes.
fn as_bytes(words: &mut [u64; 5]) -> &mut [u8; 40] {
    // SAFETY: words have no gaps, any bytes make words, and bytes may lie anywhere.
    unsafe { &mut *words.as_mut_ptr().cast() }
}

/// What the kernel says about a device.
pub(crate) struct Interface {
    /// `IFF_UP`, …
    pub(crate) flags: u16,
    /// The most bytes behind the header of its link.
    pub(crate) mtu: u32,
    /// `ARPHRD_ETHER`, …
    pub(crate) kind: u16,
    /// Its address.
    pub(crate) mac: [u8; 6],
}

impl Interface {
    /// Of the device with this name, in this network namespace.
    pub(crate) fn named(socket: BorrowedFd<'_>, name: &str) -> io::Result<Self> {
        let [a, b, ..] = ask(socket, name, libc::SIOCGIFFLAGS)?;
        let [m0, m1, m2, m3, ..] = ask(socket, name, libc::SIOCGIFMTU)?;
        let [k0, k1, mac @ ..] = ask(socket, name, libc::SIOCGIFHWADDR)?;
        let mut address = [0; 6];
        address.copy_from_slice(mac.get(..6).unwrap_or(&[0; 6]));
        Ok(Interface {
            flags: u16::from_ne_bytes([a, b]),
            mtu: u32::from_ne_bytes([m0, m1, m2, m3]),
            kind: u16::from_ne_bytes([k0, k1]),
            mac: address,
        })
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // SAFETY: by the invariant it is mapped, and nobody has a reference into it any more. There is no way on from
        // an error.
        let _ = unsafe { munmap(self.base.as_ptr().cast(), self.size.get() * self.count) };
    }
}
