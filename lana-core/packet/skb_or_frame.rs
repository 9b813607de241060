// SPDX-License-Identifier: GPL-2.0

//! What carries a packet: an skb, or the frame in a driver's buffer. A block is written once, for [`Packet`], and
//! compiled for both.

#![expect(
    private_interfaces,
    reason = "blocks cannot name what the engine needs"
)]

use super::{
    engine::{Context, Hop, Walk, Way},
    verdict::Verdict,
};
use crate::base::headers::{self, Malformed, Parsed};
use crate::sys::{
    bpf, bytes,
    frame::Frame,
    netdev::DeviceHandle,
    reason::DropReason,
    skb::{Skb, Sum, Summed},
    watch::Watched,
    xdp::Action,
};
use core::convert::Infallible;

/// What the engine does with a packet, and no block can.
pub trait Carried: Sized {
    /// Whether no skb is made yet.
    const IS_FRAME: bool;

    /// What the stack gets of us when no block takes it.
    type Back;

    /// No block takes it: what the driver is to do with its frame, or the skb.
    fn give_back(self) -> Result<Action, Self::Back>;

    /// Frees a dropped packet, for the reason given.
    fn free(self, reason: DropReason);

    /// Copies bytes from `offset` on; false when the packet is shorter, or they are in a device's memory.
    fn read(&self, offset: u32, to: &mut [u8]) -> bool;

    /// The VLAN tag beside the bytes: the EtherType in the upper 16 bits, the tag in the lower.
    fn tag(&self) -> Option<u32>;

    /// What tracers see of it.
    fn watched(&self) -> Watched;

    /// Runs a block's handler.
    fn call(self, cx: &Context<'_>) -> Verdict<Self>;
}

/// A packet that its holder may read, change, pass on or drop: an [`Skb`], or a [`Frame`], for which no skb is made
/// yet. It begins with its link layer header.
#[expect(
    clippy::len_without_is_empty,
    reason = "an empty packet is nothing special"
)]
pub trait Packet: Carried {
    /// Length in bytes, from the link layer header on. A super-packet (GRO, GSO) counts whole.
    fn len(&self) -> u32;

    /// The first `n` bytes, or `None` when the packet is shorter. Makes them linear first where
    /// they are not.
    fn header(&mut self, n: u32) -> Option<&[u8]>;

    /// The first `n` bytes, to be changed, or `None` when the packet is shorter or there is no
    /// memory. No checksum is touched: what one covers is changed by [`Packet::replace`].
    fn header_mut(&mut self, n: u32) -> Option<&mut [u8]>;

    /// Cuts off what is behind the first `len` bytes, or puts zeros behind what there is up to
    /// there. False, and the packet as it was, when there is no memory or, in a driver's buffer, no room; when it
    /// would become longer than [`Skb::LEN_MAX`], or a frame shorter than an Ethernet header; when it is a
    /// super-packet, whose length is that of its parts; or when what is cut off has the place of a checksum that is
    /// to be filled in.
    #[must_use]
    fn resize(&mut self, len: u32) -> bool;

    /// Writes bytes at `offset`, and makes the checksums right that cover them, whatever is
    /// [known](Packet::summed) of them. Costs no sum over the packet. False, and the packet as it was,
    /// when that is shorter or there is no memory.
    #[must_use]
    fn replace(&mut self, offset: u32, bytes: &[u8], sums: &[Sum]) -> bool;

    /// [`Packet::replace`] with a number of 8 bits.
    #[must_use]
    fn replace_u8(&mut self, offset: u32, new: u8, sums: &[Sum]) -> bool {
        self.replace(offset, &[new], sums)
    }

    /// [`Packet::replace`] with a number of 16 bits, written in network order.
    #[must_use]
    fn replace_u16(&mut self, offset: u32, new: u16, sums: &[Sum]) -> bool {
        self.replace(offset, &new.to_be_bytes(), sums)
    }

    /// [`Packet::replace`] with a number of 32 bits, written in network order.
    #[must_use]
    fn replace_u32(&mut self, offset: u32, new: u32, sums: &[Sum]) -> bool {
        self.replace(offset, &new.to_be_bytes(), sums)
    }

    /// What its headers say: see [`headers::parse`].
    #[inline]
    fn parse(&mut self) -> Parsed {
        let mut most = headers::USUAL as u32;
        // Each turn needs more bytes than the one before, of a bounded number of headers.
        loop {
            let len = self.len();
            let Some(bytes) = self.header(most.min(len)) else {
                // Its bytes are where nobody can read them.
                return headers::unread(Malformed::Ethernet);
            };
            match headers::parse(bytes, len as usize) {
                Ok(parsed) => return parsed,
                Err(more) => most = more.0 as u32,
            }
        }
    }

    /// How many bytes of data each part of a super-packet (GRO, GSO) will have; none of other packets.
    fn segment_size(&self) -> Option<u16>;

    /// The length of the longest packet of IP, without its link layer header, that leaves for this one, of which these are
    /// the headers.
    fn longest(&mut self, parsed: &Parsed) -> usize {
        let Some(segment) = self.segment_size() else {
            return parsed.end.saturating_sub(parsed.network);
        };
        // Each part of a super-packet has the headers of the whole.
        let transport = parsed.transport.unwrap_or(parsed.network);
        let header = match parsed.protocol {
            Some(headers::TCP) => {
                let bytes = self.header(transport.saturating_add(headers::Tcp::SIZE) as u32);
                let tcp = bytes.and_then(|bytes| headers::Tcp::new(bytes.get(transport..)?));
                tcp.map_or(headers::Tcp::SIZE, |tcp| tcp.header_length())
            }
            _ => headers::Udp::SIZE,
        };
        let head = transport.saturating_sub(parsed.network);
        head.saturating_add(header).saturating_add(segment.into())
    }

    /// What is known of the packet's checksum.
    fn summed(&self) -> Summed;

    /// The [sum](crate::base::checksum::sum) of `len` bytes from `offset` on: over what has a right checksum in
    /// it, 0xffff. `None` when the packet is shorter, or its bytes are in a device's memory.
    fn checksum(&self, offset: u32, len: u32) -> Option<u16>;

    /// Fills in the checksum where that is left to the device it goes out by ([`Summed::Partial`]), as in
    /// packets of this host's own stack and of virtual machines. False, and the packet as it was, for a
    /// super-packet, each part of which gets its own; and when there is no memory.
    #[must_use]
    fn complete_checksum(&mut self) -> bool;

    /// The Ethernet address of the device it came by; none for what a socket has sent.
    fn device_address(&self) -> Option<[u8; 6]>;

    /// The index of the device it came by; none for what a socket has sent.
    fn device_index(&self) -> Option<u32>;

    /// The VLAN tag that stands beside the bytes, as hardware, or the receive path, has taken it out: its tag control
    /// information. It is outside of all tags that are among the bytes.
    fn vlan(&self) -> Option<u16> {
        self.tag().map(|tag| tag as u16)
    }

    /// Puts a VLAN tag (802.1Q) with this tag control information outside of all others. False, and the packet as it
    /// was, without memory; for a frame, if its buffer has no room in front, or it has a [tag beside](Packet::vlan) it:
    /// use [`Packet::with_skb`] then.
    #[must_use]
    fn push_vlan(&mut self, tci: u16) -> bool;

    /// Removes the outermost VLAN tag. False, and the packet as it was, if it has none, or without memory; for a frame,
    /// if it has a [tag beside](Packet::vlan) it.
    #[must_use]
    fn pop_vlan(&mut self) -> bool;

    /// Gives the outermost VLAN tag other tag control information. False, and the packet as it was, if it has none, or
    /// without memory; for a frame, if it has a [tag beside](Packet::vlan) it.
    #[must_use]
    fn set_vlan(&mut self, tci: u16) -> bool;

    /// Whether it is a super-packet (GRO, GSO): one that stands for several. [`Skb::segment`] takes it apart.
    fn is_super(&self) -> bool;

    /// Makes room for `n` bytes at `offset`, and the packet longer by as much. What is in the gap afterwards is for the
    /// caller to overwrite. False where the packet cannot [become as long](Packet::resize) or is shorter than `offset`;
    /// and without memory, when it may have got longer.
    #[must_use]
    fn insert(&mut self, offset: u32, n: u32) -> bool {
        let Some(len) = self.len().checked_add(n) else {
            return false;
        };
        if offset > self.len() || !self.resize(len) {
            return false;
        }
        let bytes = self.header_mut(len);
        bytes.is_some_and(|bytes| bytes::open_gap(bytes, offset as usize, n as usize))
    }

    /// Removes `n` bytes at `offset`. False where there are not as many or the packet cannot
    /// [become shorter](Packet::resize), and without memory.
    #[must_use]
    fn remove(&mut self, offset: u32, n: u32) -> bool {
        let len = self.len();
        let Some(less) = len.checked_sub(n) else {
            return false;
        };
        let bytes = self.header_mut(len);
        bytes.is_some_and(|bytes| bytes::close_gap(bytes, offset as usize, n as usize))
            && self.resize(less)
    }

    /// Says that the bytes are those of another packet now, as they are when it was encrypted, or taken out of a tunnel. What
    /// Linux knows of the packet beside its bytes was true of the old ones, and is forgotten: its protocol is read anew,
    /// its checksum is one that [nobody has looked at](Summed::None).
    fn renew(&mut self);

    /// What a classic BPF program says to it: how many bytes to keep, 0 being none.
    fn filter(&mut self, program: &bpf::Program) -> u32;

    /// An skb with the same bytes, or `None` when there is no memory. Those of an skb are copied when either of
    /// the two is changed, those of a frame at once.
    fn try_clone(&self) -> Option<Skb>;

    /// Sends the packet by a device; dropped when that has gone. A frame leaves as a frame where the drivers can do
    /// that, else by an skb.
    fn transmit(self, device: &DeviceHandle, cx: &mut Context<'_>) -> Verdict<Self>;

    /// Goes on with an skb: for what can be done with no frame, as to put it into a queue. An skb with a copy is
    /// made of a frame, which ends; dropped when there is no memory.
    fn with_skb<'r>(
        self,
        cx: &mut Context<'r>,
        then: impl FnOnce(Skb, &mut Context<'r>) -> Verdict<Skb>,
    ) -> Verdict<Self>;
}

impl Carried for Skb {
    const IS_FRAME: bool = false;

    type Back = Self;

    #[inline(always)]
    fn give_back(self) -> Result<Action, Self> {
        Err(self)
    }

    #[inline]
    fn free(self, reason: DropReason) {
        Skb::free(self, reason);
    }

    fn read(&self, offset: u32, to: &mut [u8]) -> bool {
        Skb::read(self, offset, to)
    }

    #[inline]
    fn tag(&self) -> Option<u32> {
        Skb::tag(self)
    }

    fn watched(&self) -> Watched {
        Skb::watched(self)
    }

    #[inline(always)]
    fn call(self, cx: &Context<'_>) -> Verdict<Self> {
        cx.call(|hop, walk, from, way| hop.call(self, walk, from, way))
    }
}

impl Packet for Skb {
    #[inline]
    fn len(&self) -> u32 {
        Skb::len(self)
    }

    #[inline]
    fn header(&mut self, n: u32) -> Option<&[u8]> {
        Skb::header(self, n)
    }

    #[inline(always)]
    fn header_mut(&mut self, n: u32) -> Option<&mut [u8]> {
        Skb::header_mut(self, n)
    }

    fn resize(&mut self, len: u32) -> bool {
        Skb::resize(self, len)
    }

    fn replace(&mut self, offset: u32, bytes: &[u8], sums: &[Sum]) -> bool {
        Skb::replace(self, offset, bytes, sums)
    }

    #[inline]
    fn segment_size(&self) -> Option<u16> {
        Skb::segment_size(self)
    }

    #[inline]
    fn summed(&self) -> Summed {
        Skb::summed(self)
    }

    #[inline(always)]
    fn checksum(&self, offset: u32, len: u32) -> Option<u16> {
        Skb::checksum(self, offset, len)
    }

    #[inline]
    fn complete_checksum(&mut self) -> bool {
        Skb::complete_checksum(self)
    }

    #[inline]
    fn device_address(&self) -> Option<[u8; 6]> {
        Skb::device_address(self)
    }

    fn push_vlan(&mut self, tci: u16) -> bool {
        Skb::push_vlan(self, tci)
    }

    fn pop_vlan(&mut self) -> bool {
        Skb::pop_vlan(self)
    }

    fn set_vlan(&mut self, tci: u16) -> bool {
        Skb::set_vlan(self, tci)
    }

    #[inline]
    fn device_index(&self) -> Option<u32> {
        Skb::device_index(self)
    }

    #[inline]
    fn is_super(&self) -> bool {
        Skb::is_super(self)
    }

    fn renew(&mut self) {
        Skb::renew(self);
    }

    #[inline]
    fn filter(&mut self, program: &bpf::Program) -> u32 {
        program.run(self)
    }

    #[inline]
    fn try_clone(&self) -> Option<Skb> {
        Skb::try_clone(self)
    }

    #[inline]
    fn transmit(self, device: &DeviceHandle, cx: &mut Context<'_>) -> Verdict<Self> {
        self.leave(device, cx)
    }

    #[inline(always)]
    fn with_skb<'r>(
        self,
        cx: &mut Context<'r>,
        then: impl FnOnce(Skb, &mut Context<'r>) -> Verdict<Skb>,
    ) -> Verdict<Self> {
        then(self, cx)
    }
}

impl Carried for Frame {
    const IS_FRAME: bool = true;

    type Back = Infallible;

    #[inline(always)]
    fn give_back(self) -> Result<Action, Infallible> {
        Ok(Action::PASS)
    }

    #[inline]
    fn free(self, _reason: DropReason) {}

    fn read(&self, offset: u32, to: &mut [u8]) -> bool {
        Frame::read(self, offset, to)
    }

    #[inline]
    fn tag(&self) -> Option<u32> {
        Frame::tag(self)
    }

    fn watched(&self) -> Watched {
        Watched::NONE
    }

    #[inline(always)]
    fn call(self, cx: &Context<'_>) -> Verdict<Self> {
        cx.call(|hop, walk, from, way| hop.call_frame(self, walk, from, way))
    }
}

impl Packet for Frame {
    #[inline(always)]
    fn len(&self) -> u32 {
        Frame::len(self)
    }

    #[inline(always)]
    fn header(&mut self, n: u32) -> Option<&[u8]> {
        Frame::header(self, n)
    }

    #[inline(always)]
    fn header_mut(&mut self, n: u32) -> Option<&mut [u8]> {
        Frame::header_mut(self, n)
    }

    fn resize(&mut self, len: u32) -> bool {
        Frame::resize(self, len)
    }

    fn replace(&mut self, offset: u32, bytes: &[u8], sums: &[Sum]) -> bool {
        Frame::replace(self, offset, bytes, sums)
    }

    #[inline]
    fn segment_size(&self) -> Option<u16> {
        None
    }

    #[inline]
    fn summed(&self) -> Summed {
        Summed::None
    }

    #[inline(always)]
    fn checksum(&self, offset: u32, len: u32) -> Option<u16> {
        Frame::checksum(self, offset, len)
    }

    #[inline]
    fn complete_checksum(&mut self) -> bool {
        true
    }

    #[inline]
    fn device_address(&self) -> Option<[u8; 6]> {
        Some(Frame::device_address(self))
    }

    fn push_vlan(&mut self, tci: u16) -> bool {
        Frame::push_vlan(self, tci)
    }

    fn pop_vlan(&mut self) -> bool {
        Frame::pop_vlan(self)
    }

    fn set_vlan(&mut self, tci: u16) -> bool {
        Frame::set_vlan(self, tci)
    }

    #[inline]
    fn device_index(&self) -> Option<u32> {
        Some(Frame::device_index(self))
    }

    #[inline]
    fn is_super(&self) -> bool {
        false
    }

    fn renew(&mut self) {}

    #[inline]
    fn filter(&mut self, program: &bpf::Program) -> u32 {
        Frame::filter(self, program)
    }

    fn try_clone(&self) -> Option<Skb> {
        self.to_skb()
    }

    #[inline]
    fn transmit(self, device: &DeviceHandle, cx: &mut Context<'_>) -> Verdict<Self> {
        self.leave(device, cx)
    }

    #[inline(always)]
    fn with_skb<'r>(
        self,
        cx: &mut Context<'r>,
        then: impl FnOnce(Skb, &mut Context<'r>) -> Verdict<Skb>,
    ) -> Verdict<Self> {
        cx.call(|hop, walk, from, way| go_on_with_skb(self, then, hop, walk, from, way))
    }
}

/// Has `then` done to an skb that is made of a frame. Its context is made here, as few frames need one.
#[cold]
#[inline(never)]
fn go_on_with_skb<'r>(
    frame: Frame,
    then: impl FnOnce(Skb, &mut Context<'r>) -> Verdict<Skb>,
    hop: &'r Hop,
    walk: &'r Walk<'r>,
    from: &'r Hop,
    way: Way,
) -> Verdict<Frame> {
    let mut cx = Context::new(walk, (from, hop), way);
    let Some(skb) = frame.to_skb() else {
        return Verdict::drop(frame, DropReason::NoMemory);
    };
    cx.count_skb();
    Verdict::made(then(skb, &mut cx))
}
