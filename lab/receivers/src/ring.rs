// SPDX-License-Identifier: GPL-2.0

//! Receiving by memory that `PF_PACKET` shares: `TPACKET_V2` with a slot for each packet, and
//! `TPACKET_V3` with blocks of packets.

use crate::{
    calls::Socket as _, corrupt, packet::Packets, sys::Shared, word, Each, Options, Source,
    LONGEST, TICK,
};
use lana_socket::wait;
use libc::{PACKET_RX_RING, PACKET_VERSION};
use std::{io, os::fd::AsFd};

const TPACKET_V2: u32 = 1;
const TPACKET_V3: u32 = 2;
/// `TP_STATUS_KERNEL` and `TP_STATUS_USER`: whose a slot or a block is.
const KERNEL: u32 = 0;
const USER: u32 = 1;
/// Where things are in `struct tpacket2_hdr`.
const SLOT_SNAPLEN: usize = 8;
const SLOT_MAC: usize = 12;
/// Where things are in `struct tpacket_block_desc`.
const BLOCK_STATUS: usize = 8;
const BLOCK_PACKETS: usize = 12;
const BLOCK_FIRST: usize = 16;
/// Where things are in `struct tpacket3_hdr`.
const PACKET_NEXT: usize = 0;
const PACKET_SNAPLEN: usize = 12;
const PACKET_MAC: usize = 24;
/// Bytes of either header of a packet that are looked at.
const HEADER: usize = 32;
/// Milliseconds after which a block is handed over that is not full.
const RETIRE: u32 = 1;
/// Bytes of a block.
const BLOCK: u32 = 1 << 15;

/// Where the Ethernet header is, which both kinds of header tell in 16 bits.
fn mac(header: &[u8], at: usize) -> Option<usize> {
    let bytes = header.get(at..)?.first_chunk()?;
    Some(u16::from_ne_bytes(*bytes).into())
}

/// A slot for each packet.
pub(crate) struct Slots {
    socket: Packets,
    memory: SlotMemory,
}

struct SlotMemory {
    shared: Shared,
    count: usize,
    next: usize,
}

impl Slots {
    pub(crate) fn open(device: &str, options: &Options) -> io::Result<Self> {
        let socket = Packets::open()?;
        socket.set(PACKET_VERSION, &[TPACKET_V2])?;
        let slot = u32::try_from(LONGEST).unwrap_or(u32::MAX);
        let (blocks, count) = (options.buffer / BLOCK, options.buffer / slot);
        socket.set(PACKET_RX_RING, &[BLOCK, blocks, slot, count])?;
        let shared = Shared::of(socket.as_fd(), options.buffer as usize, 0)?;
        socket.bind(device, options)?;
        let memory = SlotMemory {
            shared,
            count: count as usize,
            next: 0,
        };
        Ok(Slots { socket, memory })
    }
}

impl SlotMemory {
    /// Takes what is there.
    fn take(&mut self, each: &mut Each<'_>) -> io::Result<usize> {
        for taken in 0..self.count {
            let slot = self.next * LONGEST;
            let status = self.shared.load32(slot).ok_or_else(corrupt)?;
            if status & USER == 0 {
                return Ok(taken);
            }
            // The slot is the program's until it gives it back.
            let header = self.shared.bytes(slot, HEADER).unwrap_or_default();
            let place = mac(header, SLOT_MAC).zip(word(header, SLOT_SNAPLEN));
            let (offset, length) = place.ok_or_else(corrupt)?;
            let end = offset + length as usize;
            let data = (end <= LONGEST).then(|| self.shared.bytes(slot + offset, end - offset));
            each(data.flatten().ok_or_else(corrupt)?);
            self.shared.store32(slot, KERNEL);
            self.next = if self.next + 1 < self.count {
                self.next + 1
            } else {
                0
            };
        }
        Ok(self.count)
    }
}

impl Source for Slots {
    fn batch(&mut self, each: &mut Each<'_>) -> io::Result<usize> {
        let taken = self.memory.take(each)?;
        if taken > 0 {
            return Ok(taken);
        }
        wait(&self.socket, Some(TICK))?;
        self.memory.take(each)
    }

    fn lost(&mut self) -> io::Result<u64> {
        self.socket.lost()
    }

    fn memory(&self) -> usize {
        self.memory.shared.length()
    }
}

/// Blocks of packets.
pub(crate) struct Blocks {
    socket: Packets,
    memory: BlockMemory,
}

struct BlockMemory {
    shared: Shared,
    count: usize,
    next: usize,
}

impl Blocks {
    pub(crate) fn open(device: &str, options: &Options) -> io::Result<Self> {
        let socket = Packets::open()?;
        socket.set(PACKET_VERSION, &[TPACKET_V3])?;
        let frame = u32::try_from(LONGEST).unwrap_or(u32::MAX);
        let (blocks, frames) = (options.buffer / BLOCK, options.buffer / frame);
        socket.set(
            PACKET_RX_RING,
            &[BLOCK, blocks, frame, frames, RETIRE, 0, 0],
        )?;
        let shared = Shared::of(socket.as_fd(), options.buffer as usize, 0)?;
        socket.bind(device, options)?;
        let memory = BlockMemory {
            shared,
            count: blocks as usize,
            next: 0,
        };
        Ok(Blocks { socket, memory })
    }
}

impl BlockMemory {
    /// Takes the packets of the next block, if it is there.
    fn take(&mut self, each: &mut Each<'_>) -> io::Result<usize> {
        let base = self.next * BLOCK as usize;
        let status = self
            .shared
            .load32(base + BLOCK_STATUS)
            .ok_or_else(corrupt)?;
        if status & USER == 0 {
            return Ok(0);
        }
        let block = self
            .shared
            .bytes(base, BLOCK as usize)
            .ok_or_else(corrupt)?;
        let count = word(block, BLOCK_PACKETS).ok_or_else(corrupt)?;
        let mut packet = word(block, BLOCK_FIRST).ok_or_else(corrupt)? as usize;
        for _ in 0..count {
            let header = block.get(packet..).unwrap_or_default();
            let place = mac(header, PACKET_MAC).zip(word(header, PACKET_SNAPLEN));
            let (offset, length) = place.ok_or_else(corrupt)?;
            let data = header
                .get(offset..)
                .and_then(|data| data.get(..length as usize));
            each(data.ok_or_else(corrupt)?);
            packet += word(header, PACKET_NEXT).ok_or_else(corrupt)? as usize;
        }
        self.shared.store32(base + BLOCK_STATUS, KERNEL);
        self.next = if self.next + 1 < self.count {
            self.next + 1
        } else {
            0
        };
        Ok(count as usize)
    }
}

impl Source for Blocks {
    fn batch(&mut self, each: &mut Each<'_>) -> io::Result<usize> {
        let taken = self.memory.take(each)?;
        if taken > 0 {
            return Ok(taken);
        }
        wait(&self.socket, Some(TICK))?;
        self.memory.take(each)
    }

    fn lost(&mut self) -> io::Result<u64> {
        self.socket.lost()
    }

    fn memory(&self) -> usize {
        self.memory.shared.length()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(shared: &Shared, at: usize, words: &[u32]) {
        for (index, &word) in words.iter().enumerate() {
            shared.store32(at + 4 * index, word).unwrap();
        }
    }

    fn received(take: impl FnOnce(&mut Each<'_>) -> io::Result<usize>) -> (usize, Vec<Vec<u8>>) {
        let mut got = Vec::new();
        let count = take(&mut |packet| got.push(packet.to_vec())).unwrap();
        (count, got)
    }

    #[test]
    fn slots_come_in_turn_and_are_given_back() {
        let mut memory = SlotMemory {
            shared: Shared::anonymous(4 * LONGEST).unwrap(),
            count: 4,
            next: 3,
        };
        for slot in [3, 0] {
            put(&memory.shared, slot * LONGEST, &[USER, 60, 4, 64]);
            put(&memory.shared, slot * LONGEST + 64, &[0x0101_0101]);
        }
        assert_eq!(received(|each| memory.take(each)), (2, vec![vec![1; 4]; 2]));
        assert_eq!(received(|each| memory.take(each)), (0, vec![]));
        assert_eq!(memory.shared.load32(0), Some(KERNEL));
    }

    #[test]
    fn a_slot_that_is_longer_than_a_slot_is_refused() {
        let mut memory = SlotMemory {
            shared: Shared::anonymous(2 * LONGEST).unwrap(),
            count: 2,
            next: 0,
        };
        put(&memory.shared, 0, &[USER, 60, 2000, 64]);
        memory.take(&mut |_| panic!()).unwrap_err();
    }

    #[test]
    fn blocks_hold_many_packets() {
        let shared = Shared::anonymous(2 * BLOCK as usize).unwrap();
        let mut memory = BlockMemory {
            shared,
            count: 2,
            next: 0,
        };
        put(&memory.shared, BLOCK_STATUS, &[USER, 2, 48]);
        for (packet, next) in [(48, 128), (176, 0)] {
            put(&memory.shared, packet, &[next, 0, 0, 4, 60, 0, 82]);
            put(&memory.shared, packet + 80, &[0x0101_0000, 0x0101]);
        }
        assert_eq!(received(|each| memory.take(each)), (2, vec![vec![1; 4]; 2]));
        assert_eq!(received(|each| memory.take(each)), (0, vec![]));
        // Behind the end of the block.
        put(
            &memory.shared,
            BLOCK as usize + BLOCK_STATUS,
            &[USER, 1, BLOCK - 8],
        );
        memory.take(&mut |_| panic!()).unwrap_err();
    }
}
