// SPDX-License-Identifier: GPL-2.0

//! Packets in socket buffers, each with one owner.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

use super::{
    bindings, netdev::DeviceHandle, percpu::ThisCpu, prefetch::prefetch_all, queue::List,
    rcu::Reader, reason::DropReason, watch::Watched,
};
use crate::base::checksum;
use core::{hint::assert_unchecked, mem::ManuallyDrop, ptr::NonNull, slice};

/// A packet that its holder may read, change, pass on or free; dropping it frees it.
///
/// In the graph a packet begins with its link layer header. A VLAN tag that the hardware (or the
/// stack) took out stands beside the data and goes out with it again.
///
/// One that has just come from a device may be shared: it is copied when it is to be changed or kept
/// for the first time, not before.
///
/// # Invariants
///
/// The pointer is a live `sk_buff`, and one reference to it is this value's. Where there are others
/// it begins at the Ethernet header, is otherwise as it came, and nobody else looks at it before this
/// reference is given back, with which it is restored.
#[repr(transparent)]
pub struct Skb(NonNull<bindings::sk_buff>);

impl Skb {
    /// Takes over a packet.
    ///
    /// # Safety
    ///
    /// `skb` is live, and a reference to it the caller's, who gives it up; where there are others, it
    /// comes from `lana_rx()`.
    #[inline]
    pub(crate) unsafe fn from_raw(skb: NonNull<bindings::sk_buff>) -> Self {
        // INVARIANT: by the contract.
        Self(skb)
    }

    #[inline]
    pub(crate) fn as_ptr(&self) -> *mut bindings::sk_buff {
        self.0.as_ptr()
    }

    #[inline]
    pub(crate) fn into_raw(self) -> *mut bindings::sk_buff {
        ManuallyDrop::new(self).as_ptr()
    }

    /// Says that it will soon be needed: the buffer, without its bytes, is on its way from memory.
    #[inline]
    pub(crate) fn prefetch(&self) {
        prefetch_all(self.as_ptr());
    }

    /// Makes it this value's alone; false when there is no memory for that.
    #[inline]
    pub(crate) fn unshare(&mut self) -> bool {
        // SAFETY: the buffer is live; its count of references is a plain number to read.
        let users = unsafe {
            let users = &raw const (*self.as_ptr()).users;
            users.cast::<u32>().read_volatile()
        };
        users == 1 || self.copy()
    }

    #[cold]
    fn copy(&mut self) -> bool {
        // SAFETY: the buffer is live; where there is a clone, our reference has gone.
        match NonNull::new(unsafe { bindings::lana_skb_unshare(self.as_ptr()) }) {
            Some(clone) => {
                // INVARIANT: a clone has one reference. That to the other one is not ours any more.
                self.0 = clone;
                true
            }
            None => false,
        }
    }

    /// Length in bytes, from the link layer header on. A super-packet (GRO, GSO) counts whole.
    #[inline]
    #[allow(
        clippy::len_without_is_empty,
        reason = "an empty packet is nothing special"
    )]
    pub fn len(&self) -> u32 {
        // SAFETY: the buffer is live.
        unsafe { (*self.as_ptr()).len }
    }

    /// How many bytes, from the first on, are linear.
    #[inline]
    fn linear(&self) -> u32 {
        // SAFETY: the buffer is live; more than its length is never beside the linear part.
        unsafe { (*self.as_ptr()).len.wrapping_sub((*self.as_ptr()).data_len) }
    }

    /// Where they are.
    #[inline]
    fn data(&self) -> *mut u8 {
        // SAFETY: the buffer is live, and then it has data somewhere.
        unsafe {
            let data = (*self.as_ptr()).data;
            assert_unchecked(!data.is_null());
            data
        }
    }

    /// The first `n` bytes, or `None` when the packet is shorter. Makes them linear first where
    /// they are not.
    #[inline]
    pub fn header(&mut self, n: u32) -> Option<&[u8]> {
        if n > self.linear() {
            if n > self.len() || !self.unshare() {
                return None;
            }
            // SAFETY: the buffer is live and not shared, and has `n` bytes.
            if !unsafe { bindings::lana_skb_may_pull(self.as_ptr(), n) } {
                return None;
            }
        }
        // SAFETY: `n` bytes are linear now, and borrowed as long as the packet is.
        Some(unsafe { slice::from_raw_parts(self.data(), n as usize) })
    }

    /// The first `n` bytes, to be changed, or `None` when the packet is shorter or there is no
    /// memory. Makes them linear and this packet's own first where they are not. No checksum is
    /// touched: what one covers is changed by [`Skb::replace`].
    #[inline(always)]
    pub fn header_mut(&mut self, n: u32) -> Option<&mut [u8]> {
        // SAFETY: the buffer is live and not shared.
        if !self.unshare() || unsafe { bindings::lana_skb_writable(self.as_ptr(), n) } != 0 {
            return None;
        }
        // SAFETY: `n` bytes are linear and not shared with clones now; the borrow is exclusive.
        Some(unsafe { slice::from_raw_parts_mut(self.data(), n as usize) })
    }

    /// The longest that [`Skb::resize`] makes a packet: as long as an IP packet can be.
    pub const LEN_MAX: u32 = bindings::LANA_LEN_MAX;

    /// Cuts off what is behind the first `len` bytes, or puts zeros behind what there is up to
    /// there. False, and the packet as it was, when there is no memory; when it would become longer
    /// than [`Skb::LEN_MAX`]; when it is a super-packet, whose length is that of its parts; or when
    /// what is cut off has the place of a checksum that is to be filled in.
    #[must_use]
    pub fn resize(&mut self, len: u32) -> bool {
        // SAFETY: the buffer is live and not shared; any length may be asked for.
        self.unshare() && unsafe { bindings::lana_skb_resize(self.as_ptr(), len) }
    }

    /// Writes bytes at `offset`, and makes the checksums right that cover them, whatever is
    /// [known](Skb::summed) of them. Costs no sum over the packet. False, and the packet as it was,
    /// when that is shorter or there is no memory.
    #[must_use]
    pub fn replace(&mut self, offset: u32, bytes: &[u8], sums: &[Sum]) -> bool {
        let (Ok(len), Ok(count)) = (bytes.len().try_into(), sums.len().try_into()) else {
            return false;
        };
        let sums = sums.as_ptr().cast::<bindings::lana_sum>();
        if !self.unshare() {
            return false;
        }
        let skb = self.as_ptr();
        // SAFETY: the buffer is live and not shared; the bytes and the sums are borrowed, and a `Sum` is
        // a `lana_sum`.
        unsafe { bindings::lana_skb_replace(skb, offset, bytes.as_ptr(), len, sums, count) }
    }

    /// [`Skb::replace`] with a number of 8 bits.
    #[must_use]
    pub fn replace_u8(&mut self, offset: u32, new: u8, sums: &[Sum]) -> bool {
        self.replace(offset, &[new], sums)
    }

    /// [`Skb::replace`] with a number of 16 bits, written in network order.
    #[must_use]
    pub fn replace_u16(&mut self, offset: u32, new: u16, sums: &[Sum]) -> bool {
        self.replace(offset, &new.to_be_bytes(), sums)
    }

    /// [`Skb::replace`] with a number of 32 bits, written in network order.
    #[must_use]
    pub fn replace_u32(&mut self, offset: u32, new: u32, sums: &[Sum]) -> bool {
        self.replace(offset, &new.to_be_bytes(), sums)
    }

    /// How many bytes of data each part of a super-packet (GRO, GSO) will have; none of other packets.
    #[inline]
    pub fn segment_size(&self) -> Option<u16> {
        // SAFETY: the buffer is live, and its shared part begins where the room for data ends (skb_end_pointer()).
        let size = unsafe {
            let (head, end) = ((*self.as_ptr()).head, (*self.as_ptr()).end);
            let shared: *const bindings::skb_shared_info = head.wrapping_add(end as usize).cast();
            (*shared).gso_size
        };
        (size > 0).then_some(size)
    }

    /// What is known of the packet's checksum.
    pub fn summed(&self) -> Summed {
        let mut sum = 0;
        // SAFETY: the buffer is live, and there is room for a sum.
        match u32::from(unsafe { bindings::lana_skb_summed(self.as_ptr(), &mut sum) }) {
            bindings::CHECKSUM_UNNECESSARY => Summed::Unnecessary,
            bindings::CHECKSUM_COMPLETE => Summed::Complete(sum),
            bindings::CHECKSUM_PARTIAL => Summed::Partial,
            _ => Summed::None,
        }
    }

    /// The [sum](checksum::sum) of `len` bytes from `offset` on: over what has a right checksum in it,
    /// 0xffff. `None` when the packet is shorter, or its bytes are in a device's memory.
    #[inline(always)]
    pub fn checksum(&self, offset: u32, len: u32) -> Option<u16> {
        /// Up to as many bytes a call of the kernel's function would take longer.
        const FEW: u32 = 64;
        let end = offset.checked_add(len)?;
        if len <= FEW && end <= self.linear() {
            // SAFETY: these bytes are linear, and borrowed from the packet.
            return Some(checksum::sum(unsafe {
                slice::from_raw_parts(self.data().add(offset as usize), len as usize)
            }));
        }
        if end > self.len() {
            return None;
        }
        // SAFETY: the buffer is live, and the part in it.
        let sum = unsafe { bindings::lana_skb_checksum(self.as_ptr(), offset, len) };
        u16::try_from(sum).ok()
    }

    /// Fills in the checksum where that is left to the device it goes out by ([`Summed::Partial`]), as in
    /// packets of this host's own stack and of virtual machines. False, and the packet as it was, for a
    /// super-packet, each part of which gets its own; and when there is no memory.
    #[inline]
    #[must_use]
    pub fn complete_checksum(&mut self) -> bool {
        // SAFETY: the buffer is live, and this a plain number in it.
        let state = unsafe {
            (*self.as_ptr())
                .__bindgen_anon_4
                .headers
                .as_ref()
                .ip_summed()
        };
        if u32::from(state) != bindings::CHECKSUM_PARTIAL {
            return true;
        }
        // SAFETY: the buffer is live and not shared.
        self.unshare() && unsafe { bindings::lana_skb_complete(self.as_ptr()) }
    }

    /// Copies bytes from `offset` on; false when the packet is shorter, or they are in a device's memory.
    pub(crate) fn read(&self, offset: u32, to: &mut [u8]) -> bool {
        let Ok(len) = to.len().try_into() else {
            return false;
        };
        // SAFETY: the buffer is live, and there is room for as many bytes.
        unsafe { bindings::lana_skb_read(self.as_ptr(), offset, to.as_mut_ptr().cast(), len) }
    }

    /// What tracers see of it.
    pub(crate) fn watched(&self) -> Watched {
        Watched(self.as_ptr())
    }

    /// The VLAN tag beside it: the EtherType in the upper 16 bits, the tag in the lower.
    #[inline]
    pub(crate) fn tag(&self) -> Option<u32> {
        // SAFETY: the buffer is live, and this a plain number in it.
        let any = unsafe {
            (*self.as_ptr())
                .__bindgen_anon_4
                .headers
                .as_ref()
                .__bindgen_anon_2
                .vlan_all
        };
        if any == 0 {
            return None;
        }
        // SAFETY: the buffer is live.
        Some(unsafe { bindings::lana_skb_tag(self.as_ptr()) }).filter(|&tag| tag != 0)
    }

    /// Puts a VLAN tag (802.1Q) outside of all others. False, and the packet as it was, without memory.
    #[must_use]
    pub fn push_vlan(&mut self, tci: u16) -> bool {
        // SAFETY: the buffer is live and not shared.
        self.unshare() && unsafe { bindings::lana_skb_push_vlan(self.as_ptr(), tci) }
    }

    /// Removes the outermost VLAN tag. False, and the packet as it was, if it has none, or without memory.
    #[must_use]
    pub fn pop_vlan(&mut self) -> bool {
        // SAFETY: the buffer is live and not shared.
        self.unshare() && unsafe { bindings::lana_skb_pop_vlan(self.as_ptr()) }
    }

    /// Gives the outermost VLAN tag other tag control information. False, and the packet as it was, if it has none,
    /// or without memory.
    #[must_use]
    pub fn set_vlan(&mut self, tci: u16) -> bool {
        // SAFETY: the buffer is live and not shared.
        self.unshare() && unsafe { bindings::lana_skb_set_vlan(self.as_ptr(), tci) }
    }

    /// Whether it is a super-packet (GRO, GSO): one that stands for several.
    #[inline]
    pub fn is_super(&self) -> bool {
        // SAFETY: the buffer is live.
        unsafe { bindings::lana_skb_is_super(self.as_ptr()) }
    }

    /// Takes a super-packet apart: the first of the packets that it stands for, and the others, in order, with their
    /// checksums in them. The packet as it was where its headers are wrong, or there is no memory; and where it is no super-packet.
    pub fn segment(mut self) -> Result<(Self, Segments), Self> {
        if !self.is_super() || !self.unshare() {
            return Err(self);
        }
        // SAFETY: the buffer is live and not shared. C hands over the parts, linked by `next`.
        let mut parts = unsafe { List::from_raw(bindings::lana_skb_segment(self.as_ptr())) };
        match parts.pop() {
            Some(first) => {
                self.arrived();
                Ok((first, Segments(parts)))
            }
            None => Err(self),
        }
    }

    /// Puts the VLAN tag that stands beside the packet among its bytes. False, and the packet as it was, without memory.
    #[must_use]
    pub fn tag_inside(&mut self) -> bool {
        // SAFETY: the buffer is live and not shared.
        self.unshare() && unsafe { bindings::lana_skb_tag_inside(self.as_ptr()) }
    }

    /// Forgets what was known of the packet's old bytes: see [`Packet::renew`](crate::prelude::Packet::renew).
    pub(crate) fn renew(&mut self) {
        if self.unshare() {
            // SAFETY: the buffer is live and not shared.
            unsafe { bindings::lana_skb_renew(self.as_ptr()) };
        }
    }

    /// The Ethernet address of the device it came by; none for what a socket has sent.
    #[inline]
    pub fn device_address(&self) -> Option<[u8; 6]> {
        // SAFETY: the buffer is live, and the device of a packet in the graph null or kept by the
        // read-side section; an Ethernet device's address has six bytes.
        unsafe {
            let dev = (*self.as_ptr())
                .__bindgen_anon_1
                .__bindgen_anon_1
                .__bindgen_anon_1
                .dev;
            Some(*dev.as_ref()?.dev_addr.cast::<[u8; 6]>())
        }
    }

    /// A packet of these bytes, of which the first are an Ethernet header: [`Context::emit`] sends it. It comes from no
    /// device, and its checksums are as they are. `None` for fewer bytes than such a header has or more than
    /// [`Skb::LEN_MAX`], or when there is no memory. Any context.
    ///
    /// [`Context::emit`]: crate::prelude::Context::emit
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let len = u32::try_from(bytes.len()).ok()?;
        if !(bindings::ETH_HLEN..=Self::LEN_MAX).contains(&len) {
            return None;
        }
        // SAFETY: as many bytes are readable, and they begin with a whole Ethernet header.
        let skb = unsafe { bindings::lana_skb_make(bytes.as_ptr(), len) };
        // INVARIANT: it is new, so it has one reference.
        NonNull::new(skb).map(Self)
    }

    /// The index of the device it came by; none for what a socket has sent.
    #[inline]
    pub fn device_index(&self) -> Option<u32> {
        // SAFETY: the buffer is live, and the device of a packet in the graph null or kept by the
        // read-side section.
        unsafe {
            let dev = (*self.as_ptr())
                .__bindgen_anon_1
                .__bindgen_anon_1
                .__bindgen_anon_1
                .dev;
            Some(dev.as_ref()?.ifindex as u32)
        }
    }

    /// A second packet of the same data, or `None` when there is no memory. The data is copied
    /// when either of the two is changed.
    #[inline]
    pub fn try_clone(&self) -> Option<Skb> {
        // SAFETY: the buffer is live.
        let skb = unsafe { bindings::lana_skb_clone(self.as_ptr()) };
        // INVARIANT: a clone has one reference.
        NonNull::new(skb).map(Self)
    }

    /// Frees a dropped packet, for the reason given.
    pub(crate) fn free(self, reason: DropReason) {
        // SAFETY: the reference is ours and given up.
        unsafe { bindings::lana_skb_free(self.into_raw(), reason as u32) };
    }

    /// The stack gets a packet that was made of a frame. Softirq.
    #[cold]
    pub(crate) fn up(self) {
        // SAFETY: the reference is ours and given up.
        unsafe { bindings::lana_frame_up(self.into_raw()) };
    }

    /// Frees a packet that has arrived.
    #[inline]
    pub(crate) fn arrived(self) {
        // SAFETY: the reference is ours and given up.
        unsafe { bindings::lana_skb_consume(self.into_raw()) };
    }

    /// Frees a packet whose device was unhooked while it waited.
    #[inline]
    pub(crate) fn lost(self) {
        // SAFETY: the packet is ours and given up.
        unsafe { bindings::lana_batch_lost(self.into_raw()) };
    }

    /// Sends the packet by a device. The other arguments are the evidence of a softirq, or of bottom halves
    /// off, and of a read-side section.
    #[inline]
    pub(crate) fn send(
        mut self,
        device: &DeviceHandle,
        reader: Reader<'_>,
        _cpu: ThisCpu,
    ) -> Result<(), Unsent<Self>> {
        let Some(device) = device.get(reader) else {
            return Err(Unsent::Gone(self));
        };
        if !self.unshare() {
            return Err(Unsent::NoMemory(self));
        }
        // SAFETY: the reference is ours and given up; this is a softirq and a read-side section, which
        // the device outlives by the handle's invariants.
        match unsafe { bindings::lana_skb_xmit(self.into_raw(), device.as_ptr()) } {
            -1 => Ok(()),
            why => Err(Unsent::Dropped(DropReason::from_wire(why as u32))),
        }
    }
}

/// The packets that a super-packet stands for.
pub struct Segments(List);

impl Iterator for Segments {
    type Item = Skb;

    fn next(&mut self) -> Option<Skb> {
        self.0.pop()
    }
}

/// Why a packet was not sent.
pub(crate) enum Unsent<P> {
    /// What it was to be given to has gone.
    Gone(P),
    /// It is shared, and there is no memory for one that is not.
    NoMemory(P),
    /// It was dropped.
    Dropped(DropReason),
}

impl Drop for Skb {
    fn drop(&mut self) {
        // SAFETY: by the type's invariant the reference is ours to give back.
        unsafe { bindings::lana_skb_free(self.as_ptr(), DropReason::Unbound as u32) };
    }
}

/// What is known of a packet's checksum: the kernel's `ip_summed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Summed {
    /// Nothing: it is in the packet, and nobody has looked at it.
    None,
    /// It was found right.
    Unnecessary,
    /// This is the [sum](checksum::sum) of all bytes of the packet.
    Complete(u16),
    /// It is not in the packet yet, as in all that this host sends: the device it leaves by fills it in. In
    /// its place is the sum of the pseudo-header.
    Partial,
}

/// A checksum that covers what [`Skb::replace`] changes: where it is, and how it covers it.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Sum(bindings::lana_sum);

impl Sum {
    /// Where it is.
    #[inline]
    pub(super) fn place(&self) -> usize {
        self.0.at as usize
    }

    /// What the checksum becomes when what is at `offset` gets so much more.
    pub(super) fn changed(&self, check: [u8; 2], offset: usize, more: u16) -> [u8; 2] {
        let optional = self.0.flags & bindings::LANA_SUM_OPTIONAL != 0;
        if optional && check == [0; 2] {
            return check;
        }
        // What a checksum covers begins an even number of bytes before it.
        let odd = (offset ^ self.place()) & 1 != 0;
        let more = if odd { more.swap_bytes() } else { more };
        let new = !checksum::add(!u16::from_ne_bytes(check), more);
        let new = if optional && new == 0 { !0 } else { new };
        new.to_ne_bytes()
    }

    /// The bytes are in what it sums up: a port, for that of TCP; an address or the TTL, for that of the
    /// IPv4 header.
    pub const fn covering(at: u32) -> Self {
        Self(bindings::lana_sum { at, flags: 0 })
    }

    /// They are in the pseudo-header: an address, for that of TCP, UDP or ICMPv6.
    pub const fn of_pseudo_header(at: u32) -> Self {
        let flags = bindings::LANA_SUM_PSEUDO;
        Self(bindings::lana_sum { at, flags })
    }

    /// It is UDP's, where 0 says that there is none.
    pub const fn optional(self) -> Self {
        let (at, flags) = (self.0.at, self.0.flags | bindings::LANA_SUM_OPTIONAL);
        Self(bindings::lana_sum { at, flags })
    }
}
