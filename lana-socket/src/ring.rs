// SPDX-License-Identifier: GPL-2.0

//! Receiving by shared memory.

use crate::{
    abi::{RecordHeader, ALIGNMENT, LANA_RECORD_PAD, RING_HEAD, RING_TAIL},
    error::Corrupt,
    meta::Meta,
    receive,
    socket::Socket,
    sys::Map,
};
use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

/// Packets in memory that the kernel writes to and the program reads from, without a call.
///
/// Nothing that is in there is believed: the program reads no byte outside of the ring, and finds a
/// way on after what makes no sense.
#[derive(Debug)]
pub struct Ring {
    // Unmapped before the socket is closed.
    memory: Memory,
    socket: Socket,
}

/// A packet in the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its bytes.
    pub data: &'a [u8],
    /// What the kernel says about it.
    pub meta: Meta,
    /// Packets that found no room, up to this one.
    pub drops: u32,
}

impl Ring {
    pub(crate) fn new(socket: Socket, size: usize) -> io::Result<Self> {
        let page = rustix::param::page_size();
        let map = Map::of(socket.as_fd(), page + size)?;
        let memory = Memory::new(map, page, size);
        Ok(Ring { memory, socket })
    }

    /// The socket that receives by the ring.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Takes the next packet, if there is one. The kernel may have the place of those before it.
    pub fn receive(&mut self) -> Result<Option<Record<'_>>, Corrupt> {
        self.memory.receive()
    }

    /// How long [`Ring::wait`] may wait on though there are packets, so that it is woken for
    /// many at a time: only when they come fast, and until a quarter of the ring is full.
    /// 100 microseconds unless set; more than a second is [`io::ErrorKind::InvalidInput`].
    pub fn set_pause(&self, pause: Duration) -> io::Result<()> {
        let micros = i32::try_from(pause.as_micros()).unwrap_or(i32::MAX);
        self.socket.set_ring_pause(micros)
    }

    /// Waits until there is a packet, or the time is over: whether there is one.
    pub fn wait(&mut self, time: Option<Duration>) -> io::Result<bool> {
        self.memory.release();
        receive::wait(&self.socket, time)
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The ring without the socket.
#[derive(Debug)]
struct Memory {
    map: Map,
    /// Where the records begin.
    base: usize,
    /// Bytes of the records.
    size: usize,
    /// Up to where records are known to be.
    head: u64,
    /// Up to where records have been taken.
    position: u64,
    /// Up to where the kernel knows that it may write.
    released: u64,
}

impl Memory {
    fn new(map: Map, base: usize, size: usize) -> Self {
        let position = map.load64(RING_TAIL).unwrap_or_default();
        Memory {
            map,
            base,
            size,
            head: position,
            position,
            released: position,
        }
    }

    /// Gives the kernel the place of what has been looked at.
    fn release(&mut self) {
        if self.released != self.position {
            self.map.store64(RING_TAIL, self.position);
            self.released = self.position;
        }
    }

    fn receive(&mut self) -> Result<Option<Record<'_>>, Corrupt> {
        match self.find() {
            Ok(None) => Ok(None),
            Ok(Some((header, offset))) => {
                let found = self.map.bytes(offset, header.snaplen as usize);
                let data = found.unwrap_or_default();
                Ok(Some(Record {
                    data,
                    meta: Meta::of_record(&header, data),
                    drops: header.drops,
                }))
            }
            Err(what) => {
                let position = self.position;
                // Where the next record begins, nobody knows: go on behind all that is there.
                self.position = self.head;
                self.release();
                Err(Corrupt { position, what })
            }
        }
    }

    /// Takes a record: its header, and where its data lie.
    fn find(&mut self) -> Result<Option<(RecordHeader, usize)>, &'static str> {
        loop {
            // Often enough for the kernel to have room, and seldom enough to stay out of its way.
            let size = self.size as u64;
            if self.position == self.head || self.position - self.released >= size / 8 {
                self.release();
            }
            if self.position == self.head {
                self.head = self.map.load64(RING_HEAD).unwrap_or(self.head);
                if self.position == self.head {
                    return Ok(None);
                }
            }
            let there = self.head.wrapping_sub(self.position);
            if there > size || there % ALIGNMENT as u64 != 0 {
                return Err("a position that cannot be");
            }
            let offset = usize::try_from(self.position % size).unwrap_or_default();
            let left = self.size - offset;
            let start = self.base + offset;
            let header = self.map.bytes(start, RecordHeader::SIZE);
            let header = header.and_then(RecordHeader::decode);
            let header = header.ok_or("no memory")?;
            let length = (RecordHeader::SIZE as u64 + u64::from(header.snaplen))
                .next_multiple_of(ALIGNMENT as u64);
            if length > there {
                return Err("a record longer than what is there");
            }
            if length > left as u64 {
                return Err("a record that wraps");
            }
            self.position += length;
            if header.flags & LANA_RECORD_PAD == 0 {
                return Ok(Some((header, start + RecordHeader::SIZE)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: usize = 4096;

    /// A kernel that writes records.
    struct Kernel {
        memory: Memory,
        head: u64,
    }

    impl Kernel {
        /// A ring of which `position` bytes have been used.
        fn at(position: u64) -> Self {
            let map = Map::anonymous(2 * PAGE).unwrap();
            map.store64(RING_HEAD, position).unwrap();
            map.store64(RING_TAIL, position).unwrap();
            Kernel {
                memory: Memory::new(map, PAGE, PAGE),
                head: position,
            }
        }

        fn tail(&self) -> u64 {
            self.memory.map.load64(RING_TAIL).unwrap()
        }

        fn publish(&self) {
            self.memory.map.store64(RING_HEAD, self.head).unwrap();
        }

        /// Writes a record whose length says `snaplen`.
        fn write(&mut self, flags: u16, snaplen: usize, data: &[u8]) {
            let header = RecordHeader {
                snaplen: u32::try_from(snaplen).unwrap(),
                len: 1514,
                time: 5_000_000_007,
                ifindex: 3,
                flags,
                direction: 1,
                pkttype: 4,
                drops: 9,
                ..RecordHeader::default()
            };
            let mut bytes = header.encode();
            bytes.extend(data);
            bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0xee);
            let offset = PAGE + usize::try_from(self.head).unwrap() % PAGE;
            for (index, word) in bytes.chunks_exact(8).enumerate() {
                let word = u64::from_ne_bytes(word.try_into().unwrap());
                self.memory.map.store64(offset + index * 8, word).unwrap();
            }
            self.head += bytes.len() as u64;
        }

        /// Writes a record as a kernel does, with what pads before it if need be, and tells of it.
        fn send(&mut self, data: &[u8]) -> bool {
            let length = (RecordHeader::SIZE + data.len()).next_multiple_of(ALIGNMENT);
            let left = PAGE - usize::try_from(self.head).unwrap() % PAGE;
            let padding = if length > left { left } else { 0 };
            let used = usize::try_from(self.head - self.tail()).unwrap();
            if used + padding + length > PAGE {
                return false;
            }
            if padding > 0 {
                self.write(LANA_RECORD_PAD, padding - RecordHeader::SIZE, &[]);
                self.head = self.head.next_multiple_of(PAGE as u64);
            }
            self.write(0, data.len(), data);
            self.publish();
            true
        }

        fn received(&mut self) -> Option<Vec<u8>> {
            let record = self.memory.receive().unwrap();
            record.map(|record| record.data.to_vec())
        }

        fn corrupt(&mut self) -> &'static str {
            self.publish();
            let what = self.memory.receive().unwrap_err().what;
            // It goes on behind it.
            assert_eq!(self.tail(), self.head);
            assert_eq!(self.memory.receive(), Ok(None));
            what
        }
    }

    #[test]
    fn records_say_what_the_kernel_knows() {
        let mut kernel = Kernel::at(0);
        assert_eq!(kernel.memory.receive(), Ok(None));
        let data = [&[1; 6][..], &[2; 6], &[0x88, 0xb5], b"data"].concat();
        kernel.send(&data);
        let record = kernel.memory.receive().unwrap().unwrap();
        assert_eq!(record.data, data);
        assert_eq!(record.drops, 9);
        assert_eq!(record.meta.original, 1514);
        assert_eq!(record.meta.source.0, [2; 6]);
        assert_eq!(record.meta.ethertype, 0x88b5);
        assert_eq!(record.meta.direction, Some(crate::Direction::Egress));
        assert_eq!(record.meta.kind, crate::PacketKind::Outgoing);
        let time = std::time::UNIX_EPOCH + Duration::new(5, 7);
        assert_eq!(record.meta.time, Some(time));
    }

    #[test]
    fn it_goes_round_with_any_sizes() {
        // Positions begin just before 2^32, to see them pass it.
        let mut kernel = Kernel::at((1 << 32) - 2 * PAGE as u64);
        let mut expected = std::collections::VecDeque::new();
        for round in 0..2000 {
            let data = format!("{round}").repeat(round * 37 % 170).into_bytes();
            while !kernel.send(&data) {
                assert_eq!(kernel.received(), expected.pop_front());
            }
            expected.push_back(data);
        }
        while let Some(data) = kernel.received() {
            assert_eq!(Some(data), expected.pop_front());
        }
        assert!(expected.is_empty());
        assert_eq!(kernel.tail(), kernel.head);
    }

    #[test]
    fn a_full_ring_is_read_whole() {
        let mut kernel = Kernel::at(PAGE as u64 / 2);
        let mut sent = 0;
        while kernel.send(&[7; 96]) {
            sent += 1;
        }
        assert_eq!(kernel.head - kernel.tail(), PAGE as u64);
        assert_eq!(sent, PAGE / 128);
        for _ in 0..sent {
            assert_eq!(kernel.received(), Some(vec![7; 96]));
        }
        assert_eq!(kernel.received(), None);
    }

    #[test]
    fn the_kernel_gets_no_place_that_is_looked_at() {
        let mut kernel = Kernel::at(0);
        while kernel.send(&[7; 96]) {}
        let mut taken = 0;
        while kernel.memory.receive().unwrap().is_some() {
            assert!(kernel.tail() <= taken, "{} {taken}", kernel.tail());
            taken += 128;
        }
        assert_eq!(kernel.tail(), taken);
    }

    #[test]
    fn a_record_can_end_with_the_ring() {
        let mut kernel = Kernel::at(PAGE as u64 - 64);
        assert!(kernel.send(&[7; 32]));
        assert!(kernel.send(&[8; 16]));
        assert_eq!(kernel.received(), Some(vec![7; 32]));
        assert_eq!(kernel.received(), Some(vec![8; 16]));
    }

    #[test]
    fn lengths_are_not_believed() {
        let mut kernel = Kernel::at(0);
        kernel.write(0, 96, &[7; 64]);
        assert_eq!(kernel.corrupt(), "a record longer than what is there");
        for snaplen in [u32::MAX, u32::MAX - 15, u32::MAX - 31] {
            kernel.write(0, snaplen as usize, &[7; 64]);
            assert_eq!(kernel.corrupt(), "a record longer than what is there");
        }
        let mut kernel = Kernel::at(PAGE as u64 - 64);
        kernel.write(0, 64, &[]);
        kernel.head += 64;
        assert_eq!(kernel.corrupt(), "a record that wraps");
        let mut kernel = Kernel::at(PAGE as u64 - 64);
        kernel.write(LANA_RECORD_PAD, 64, &[]);
        kernel.head += 64;
        assert_eq!(kernel.corrupt(), "a record that wraps");
        // What comes after is found.
        assert!(kernel.send(&[9; 9]));
        assert_eq!(kernel.received(), Some(vec![9; 9]));
    }

    #[test]
    fn positions_are_not_believed() {
        for there in [PAGE as u64 + 32, 16, u64::MAX, u64::MAX - 127, 1 << 63] {
            let mut kernel = Kernel::at(1 << 20);
            kernel.head = kernel.head.wrapping_add(there);
            assert_eq!(kernel.corrupt(), "a position that cannot be", "{there}");
        }
    }
}
