// SPDX-License-Identifier: GPL-2.0

//! Sends by a ring of shared memory, `PACKET_TX_RING`: frames are written where the kernel reads them, and one call
//! sends many.
//!
//! A slot that holds a frame of the same template still gets only what changes. A header of virtio before the frame
//! tells the kernel to copy short frames into the packet's own head: a driver then has one piece to send, and a veth no
//! page to copy.

use crate::{
    output::{stuck, Output, Totals, PATIENCE},
    packet::{PacketSocket, TX_RING, VERSION, VNET_HDR},
    sys::{Slots, HEADER},
    writer::Writer,
};
use rustix::{
    event::{poll, PollFd, PollFlags, Timespec},
    io::Errno,
    net::{send, SendFlags},
};
use std::{
    io,
    os::fd::AsFd,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    time::{Duration, Instant},
};

const TPACKET_V2: u32 = 1;
const AVAILABLE: u32 = 0;
const SEND_REQUEST: u32 = 1;
const SENDING: u32 = 2;
const WRONG_FORMAT: u32 = 4;
/// Bytes of `struct virtio_net_hdr`.
const VNET: usize = 10;
/// Where in it the length of the head is.
const VNET_HEAD: std::ops::Range<usize> = 2..4;
/// The longest frame of which all is copied into the head; of longer ones, that much.
const HEAD: usize = 1600;
/// Bytes of a block of the ring, where a slot is no larger.
const BLOCK: usize = 1 << 16;
/// The fewest frames that a call sends, unless fewer are left: calls cost more than frames.
const FEWEST: usize = 1024;

/// How a ring is to be.
#[derive(Debug, Clone, Copy)]
pub struct RingOptions {
    /// Bytes.
    pub size: usize,
    /// How long frames are written until a call sends them.
    pub kick: Duration,
}

impl RingOptions {
    /// The size where none is asked for: it stays in the cache of a CPU, and has room for some frames.
    pub fn usual(longest: usize) -> usize {
        (512 * slot_size(longest)).max(512 << 10)
    }
}

/// A ring.
pub struct Ring {
    // Unmapped before the socket is closed.
    slots: Slots,
    socket: PacketSocket,
    /// The template whose frame a slot holds, and 1.
    holds: Vec<usize>,
    /// The slot that is written next.
    next: usize,
    /// Frames that a call sends.
    batch: usize,
    /// Calls so far.
    calls: u32,
    kick: Duration,
    /// Bytes before a frame.
    before: usize,
    stop: Arc<AtomicBool>,
}

/// The size of a slot for a frame of that length.
fn slot_size(longest: usize) -> usize {
    (HEADER + VNET + longest).next_power_of_two().max(128)
}

impl Ring {
    /// Makes a ring for frames of at most `longest` bytes.
    pub fn new(
        socket: PacketSocket,
        longest: usize,
        options: RingOptions,
        stop: Arc<AtomicBool>,
    ) -> io::Result<Self> {
        let size = slot_size(longest);
        let block = size.max(BLOCK);
        let blocks = options.size.div_ceil(block).max(1);
        let count = blocks * (block / size);
        socket.set(VERSION, &[TPACKET_V2])?;
        let before = if socket.set(VNET_HDR, &[1]).is_ok() {
            VNET
        } else {
            0
        };
        let words =
            [block, blocks, size, count].map(|word| u32::try_from(word).unwrap_or(u32::MAX));
        socket.set(TX_RING, &words)?;
        let slots = Slots::of(socket.as_fd(), size, count)?;
        Ok(Ring {
            slots,
            socket,
            holds: vec![0; count],
            next: 0,
            batch: FEWEST.min(count / 2).max(1),
            calls: 0,
            kick: options.kick,
            before,
            stop,
        })
    }

    /// How many frames it holds.
    pub fn count(&self) -> usize {
        self.slots.count()
    }

    /// Has the kernel send what is there.
    fn kick(&self, flags: SendFlags) -> io::Result<()> {
        match send(&self.socket, &[], flags) {
            Ok(_) | Err(Errno::AGAIN | Errno::NOBUFS | Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until a slot is free: false if that is not to be waited for any more.
    fn wait(&self, slot: usize) -> io::Result<bool> {
        let pause = Timespec {
            tv_sec: 0,
            tv_nsec: 10_000_000,
        };
        let mut given_up = None;
        loop {
            match self.slots.status(slot) {
                AVAILABLE => return Ok(true),
                WRONG_FORMAT => return Err(io::ErrorKind::InvalidData.into()),
                _ if self.stop.load(Ordering::Relaxed) => return Ok(false),
                SENDING => {
                    let mut fds = [PollFd::new(&self.socket, PollFlags::OUT)];
                    let _ = poll(&mut fds, Some(&pause));
                }
                _ => {
                    self.kick(SendFlags::DONTWAIT)?;
                    if self.slots.status(slot) == SEND_REQUEST {
                        // The driver takes no more just now.
                        let end = *given_up.get_or_insert_with(|| Instant::now() + PATIENCE);
                        if Instant::now() > end {
                            return Err(stuck());
                        }
                        std::thread::yield_now();
                    }
                }
            }
        }
    }

    /// Writes the next frame: its length, or nothing if there is no free slot.
    #[inline]
    fn write(&mut self, writer: &mut Writer) -> io::Result<Option<usize>> {
        let slot = self.next;
        if self.slots.status(slot) != AVAILABLE && !self.wait(slot)? {
            return Ok(None);
        }
        let number = writer.turn();
        let holds = self.holds.get_mut(slot);
        let kept = holds.is_some_and(|holds| std::mem::replace(holds, number + 1) == number + 1);
        let before = self.before;
        let place = self.slots.frame(slot);
        let length = writer.write(number, place.get_mut(before..).unwrap_or_default(), kept);
        if before > 0 && !kept {
            let head = u16::try_from(length.min(HEAD)).unwrap_or_default();
            place.get_mut(..before).unwrap_or_default().fill(0);
            place
                .get_mut(VNET_HEAD)
                .unwrap_or_default()
                .copy_from_slice(&head.to_ne_bytes());
        }
        let whole = u32::try_from(before + length).unwrap_or_default();
        self.slots.give(slot, SEND_REQUEST, whole);
        self.next = if slot + 1 < self.slots.count() {
            slot + 1
        } else {
            0
        };
        Ok(Some(length))
    }
}

impl Output for Ring {
    fn send(&mut self, writer: &mut Writer, most: u64) -> io::Result<Totals> {
        let mut totals = Totals::default();
        let batch = self.batch.min(usize::try_from(most).unwrap_or(usize::MAX));
        // To ask for the time is a call, too.
        self.calls = self.calls.wrapping_add(1);
        let begun = (self.calls % 64 == 1).then(Instant::now);
        for _ in 0..batch {
            let Some(length) = self.write(writer)? else {
                break;
            };
            totals.add(length);
        }
        if let Some(begun) = begun {
            // As many as are written in the time between two calls, but not so few that calls are what costs.
            let took = begun.elapsed().as_nanos().max(1);
            let fit =
                usize::try_from(self.kick.as_nanos() * batch as u128 / took).unwrap_or(usize::MAX);
            let most = self.slots.count();
            let least = if self.kick.is_zero() { 1 } else { FEWEST };
            self.batch = fit.clamp(least.min(most), most);
        }
        self.kick(SendFlags::DONTWAIT)?;
        Ok(totals)
    }

    fn finish(&mut self) -> io::Result<()> {
        // What waits is sent, and what is on its way has left.
        for slot in 0..self.slots.count() {
            if !self.wait(slot)? {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_as_small_as_frames_allow() {
        assert_eq!(slot_size(15), 128);
        assert_eq!(slot_size(60), 128);
        assert_eq!(slot_size(1514), 2048);
        assert_eq!(slot_size(9014), 16384);
    }
}
