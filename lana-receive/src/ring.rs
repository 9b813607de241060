// SPDX-License-Identifier: GPL-2.0

//! Receiving by memory that `PF_PACKET` shares: `TPACKET_V2` with a slot for each packet, and
//! `TPACKET_V3` with blocks of packets.

use crate::{
    calls::Socket as _,
    corrupt, half,
    packet::{self, Packets},
    sys::Shared,
    word, Direction, Each, Options, Packet, Source, Vlan, LONGEST, TICK,
};
use lana_socket::wait;
use libc::{PACKET_OUTGOING, PACKET_RX_RING, PACKET_VERSION, PACKET_VNET_HDR};
use std::{io, os::fd::AsFd, time::Duration};

const TPACKET_V2: u32 = 1;
const TPACKET_V3: u32 = 2;
/// `TP_STATUS_KERNEL` and `TP_STATUS_USER`: whose a slot or a block is.
const KERNEL: u32 = 0;
const USER: u32 = 1;
/// `TP_STATUS_VLAN_VALID` and `TP_STATUS_VLAN_TPID_VALID`: there is a tag, and it is known of which kind.
const HAS_VLAN: u32 = 1 << 4;
const HAS_TPID: u32 = 1 << 6;
/// The kind that it has else (`ETH_P_8021Q`).
const CTAG: u16 = 0x8100;
/// Where things are in `struct tpacket_block_desc`.
const BLOCK_STATUS: usize = 8;
const BLOCK_PACKETS: usize = 12;
const BLOCK_FIRST: usize = 16;
/// Where in `struct tpacket3_hdr` the distance to the next packet is.
const PACKET_NEXT: usize = 0;
/// Bytes of either header of a packet that are looked at.
const HEADER: usize = 60;
/// Milliseconds after which a block is handed over that is not full.
const RETIRE: u32 = 1;
/// Bytes of a block.
const BLOCK: u32 = 1 << 15;
/// Bytes of `struct virtio_net_hdr`.
const VNET: usize = 10;

/// Where things are in a header of a packet, and in the `struct sockaddr_ll` behind it.
struct Layout {
    status: usize,
    len: usize,
    kept: usize,
    mac: usize,
    seconds: usize,
    tci: usize,
    tpid: usize,
    address: usize,
}

/// `struct tpacket2_hdr`.
const SLOT: Layout = Layout {
    status: 0,
    len: 4,
    kept: 8,
    mac: 12,
    seconds: 16,
    tci: 24,
    tpid: 26,
    address: 32,
};

/// `struct tpacket3_hdr`.
const IN_BLOCK: Layout = Layout {
    status: 20,
    len: 16,
    kept: 12,
    mac: 24,
    seconds: 4,
    tci: 32,
    tpid: 36,
    address: 48,
};

impl Layout {
    /// Reads a packet, which begins with its header; `vnet` says that a header of virtio stands before its data.
    #[inline(always)]
    fn read<'a>(&self, bytes: &'a [u8], vnet: bool) -> Option<Packet<'a>> {
        let header = bytes.first_chunk::<HEADER>()?;
        let status = word(header, self.status)?;
        let offset = usize::from(half(header, self.mac)?);
        let kept = word(header, self.kept)? as usize;
        let is_outgoing = header.get(self.address + 10) == Some(&PACKET_OUTGOING);
        let device = word(header, self.address + 4)?;
        let seconds = word(header, self.seconds)?;
        let nanoseconds = word(header, self.seconds + 4)?;
        let tpid = half(header, self.tpid)?;
        let (direction, input, output) = if is_outgoing {
            (Direction::Egress, 0, device)
        } else {
            (Direction::Ingress, device, 0)
        };
        Some(Packet {
            data: bytes.get(offset..)?.get(..kept)?,
            len: word(header, self.len)? as usize,
            vlan: (status & HAS_VLAN != 0).then_some(Vlan {
                tci: half(header, self.tci)?,
                tpid: if status & HAS_TPID != 0 { tpid } else { CTAG },
            }),
            direction: Some(direction),
            input,
            output,
            time: Some(Duration::new(seconds.into(), nanoseconds)),
            segment: if vnet {
                segment(bytes.get(offset.checked_sub(VNET)?..offset)?)
            } else {
                None
            },
        })
    }
}

/// The size of segments, in a `struct virtio_net_hdr`.
#[inline(always)]
fn segment(header: &[u8]) -> Option<u16> {
    let kind = *header.get(1)?;
    half(header, 4).filter(|_| kind != 0)
}

/// A socket, and the memory that it shares.
pub(crate) struct Ring<M> {
    socket: Packets,
    memory: M,
}

/// What takes packets from shared memory.
trait Memory: Send {
    /// Takes what is there, or a part of it: so many packets.
    fn take(&mut self, each: &mut Each<'_>) -> io::Result<usize>;
    /// How many bytes it has.
    fn length(&self) -> usize;
}

/// A slot for each packet.
pub(crate) type Slots = Ring<SlotMemory>;

pub(crate) struct SlotMemory {
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

impl Memory for SlotMemory {
    fn length(&self) -> usize {
        self.shared.length()
    }

    fn take(&mut self, each: &mut Each<'_>) -> io::Result<usize> {
        for taken in 0..self.count {
            let slot = self.next * LONGEST;
            let status = self.shared.load32(slot).ok_or_else(corrupt)?;
            if status & USER == 0 {
                return Ok(taken);
            }
            // The slot is the program's until it gives it back.
            let slot_bytes = self.shared.bytes(slot, LONGEST).unwrap_or_default();
            each(&SLOT.read(slot_bytes, false).ok_or_else(corrupt)?);
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

/// Blocks of packets.
pub(crate) type Blocks = Ring<BlockMemory>;

pub(crate) struct BlockMemory {
    shared: Shared,
    count: usize,
    next: usize,
    /// Headers of virtio stand before the data of packets.
    vnet: bool,
}

impl Blocks {
    pub(crate) fn open(device: &str, options: &Options) -> io::Result<Self> {
        let socket = Packets::open()?;
        socket.set(PACKET_VERSION, &[TPACKET_V3])?;
        if options.details {
            socket.set(PACKET_VNET_HDR, &[1])?;
        }
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
            vnet: options.details,
        };
        Ok(Blocks { socket, memory })
    }
}

impl Memory for BlockMemory {
    fn length(&self) -> usize {
        self.shared.length()
    }

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
            let bytes = block.get(packet..).unwrap_or_default();
            each(&IN_BLOCK.read(bytes, self.vnet).ok_or_else(corrupt)?);
            packet += word(bytes, PACKET_NEXT).ok_or_else(corrupt)? as usize;
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

impl<M: Memory> Source for Ring<M> {
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
        self.memory.length()
    }

    fn keep(&mut self, bytes: u32) -> io::Result<()> {
        packet::keep(&self.socket, bytes)
    }

    fn group(&self) -> io::Result<u16> {
        self.socket.group()
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

    type Got = (Vec<u8>, usize, Option<Vlan>, (u32, u32), Option<u16>);

    fn received(take: impl FnOnce(&mut Each<'_>) -> io::Result<usize>) -> (usize, Vec<Got>) {
        let mut got = Vec::new();
        let count = take(&mut |packet| {
            assert_eq!(packet.time, Some(Duration::new(5, 7)));
            let devices = (packet.input, packet.output);
            got.push((
                packet.data.to_vec(),
                packet.len,
                packet.vlan,
                devices,
                packet.segment,
            ));
        });
        (count.unwrap(), got)
    }

    /// A device's number, its kind and what kind of packet it is, as `struct sockaddr_ll` has them from its fifth byte on.
    fn seen_at(device: u32, kind: u8) -> [u32; 3] {
        [device, u32::from_ne_bytes([0, 0, kind, 0]), 0]
    }

    /// Two numbers of 16 bits.
    fn halves(first: u16, second: u16) -> u32 {
        let [a, b] = first.to_ne_bytes();
        let [c, d] = second.to_ne_bytes();
        u32::from_ne_bytes([a, b, c, d])
    }

    #[test]
    fn slots_come_in_turn_and_are_given_back() {
        let mut memory = SlotMemory {
            shared: Shared::anonymous(4 * LONGEST).unwrap(),
            count: 4,
            next: 3,
        };
        for (slot, kind, status) in [(3, 0, USER), (0, PACKET_OUTGOING, USER | HAS_VLAN)] {
            let at = slot * LONGEST;
            let head = [status, 60, 4, halves(64, 0), 5, 7, halves(100, 0x88a8)];
            put(&memory.shared, at, &head);
            put(&memory.shared, at + 36, &seen_at(9, kind));
            put(&memory.shared, at + 64, &[0x0101_0101]);
        }
        let tag = Vlan {
            tci: 100,
            tpid: CTAG,
        };
        let first = (vec![1; 4], 60, None, (9, 0), None);
        let second = (vec![1; 4], 60, Some(tag), (0, 9), None);
        let all = (2, vec![first, second]);
        assert_eq!(received(|each| memory.take(each)), all);
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
            vnet: true,
        };
        put(&memory.shared, BLOCK_STATUS, &[USER, 2, 48]);
        for (at, next, gso) in [(48, 128, 0), (176, 0, 1)] {
            let status = HAS_VLAN | HAS_TPID;
            let head = [next, 5, 7, 4, 3000, status, halves(82, 0)];
            put(&memory.shared, at, &head);
            put(&memory.shared, at + 32, &[100, halves(0x88a8, 0)]);
            put(&memory.shared, at + 52, &seen_at(9, 0));
            // The header of virtio is before the data.
            let vnet = u32::from_ne_bytes([0, gso, 54, 0]);
            put(&memory.shared, at + 72, &[vnet, halves(1448, 0)]);
            put(&memory.shared, at + 80, &[0x0101_0000, 0x0101]);
        }
        let tag = Some(Vlan {
            tci: 100,
            tpid: 0x88a8,
        });
        let packet = |segment| (vec![1; 4], 3000, tag, (9, 0), segment);
        let all = (2, vec![packet(None), packet(Some(1448))]);
        assert_eq!(received(|each| memory.take(each)), all);
        assert_eq!(received(|each| memory.take(each)), (0, vec![]));
        // Behind the end of the block, and data that begin before it.
        for head in [BLOCK - 8, BLOCK - 64] {
            memory.next = 1;
            let at = BLOCK as usize;
            put(&memory.shared, at + BLOCK_STATUS, &[USER, 1, head]);
            put(&memory.shared, at + head as usize, &[0, 5]);
            memory.take(&mut |_| panic!()).unwrap_err();
        }
    }
}
