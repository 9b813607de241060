// SPDX-License-Identifier: GPL-2.0

//! Packets: socket buffers with one owner.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

use super::{batch::Batch, bindings, netdev::DeviceHandle, slot::Slot};
use crate::{
    block::Verdict,
    checksum,
    engine::{Context, Direction},
    stats::DropReason,
};
use core::{
    hint::assert_unchecked, marker::PhantomData, mem::ManuallyDrop, ptr, ptr::NonNull, slice,
};

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
pub struct Packet(NonNull<bindings::sk_buff>);

impl Packet {
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
    /// touched: what one covers is changed by [`Packet::replace`].
    #[inline(always)]
    pub fn header_mut(&mut self, n: u32) -> Option<&mut [u8]> {
        // SAFETY: the buffer is live and not shared.
        if !self.unshare() || unsafe { bindings::lana_skb_writable(self.as_ptr(), n) } != 0 {
            return None;
        }
        // SAFETY: `n` bytes are linear and not shared with clones now; the borrow is exclusive.
        Some(unsafe { slice::from_raw_parts_mut(self.data(), n as usize) })
    }

    /// The longest that [`Packet::resize`] makes a packet: as long as an IP packet can be.
    pub const LEN_MAX: u32 = bindings::LANA_LEN_MAX;

    /// Cuts off what is behind the first `len` bytes, or puts zeros behind what there is up to
    /// there. False, and the packet as it was, when there is no memory; when it would become longer
    /// than [`Packet::LEN_MAX`]; when it is a super-packet, whose length is that of its parts; or when
    /// what is cut off has the place of a checksum that is to be filled in.
    #[must_use]
    pub fn resize(&mut self, len: u32) -> bool {
        // SAFETY: the buffer is live and not shared; any length may be asked for.
        self.unshare() && unsafe { bindings::lana_skb_resize(self.as_ptr(), len) }
    }

    /// Writes bytes at `offset`, and makes the checksums right that cover them, whatever is
    /// [known](Packet::summed) of them. Costs no sum over the packet. False, and the packet as it was,
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

    /// [`Packet::replace`] with a number of 8 bits.
    #[must_use]
    pub fn replace_u8(&mut self, offset: u32, new: u8, sums: &[Sum]) -> bool {
        self.replace(offset, &[new], sums)
    }

    /// [`Packet::replace`] with a number of 16 bits, written in network order.
    #[must_use]
    pub fn replace_u16(&mut self, offset: u32, new: u16, sums: &[Sum]) -> bool {
        self.replace(offset, &new.to_be_bytes(), sums)
    }

    /// [`Packet::replace`] with a number of 32 bits, written in network order.
    #[must_use]
    pub fn replace_u32(&mut self, offset: u32, new: u32, sums: &[Sum]) -> bool {
        self.replace(offset, &new.to_be_bytes(), sums)
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

    /// A second packet of the same data, or `None` when there is no memory. The data is copied
    /// when either of the two is changed.
    #[inline]
    pub fn try_clone(&self) -> Option<Packet> {
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

    /// Ends a packet that has arrived.
    pub fn consume(self) -> Verdict {
        // SAFETY: the reference is ours and given up.
        unsafe { bindings::lana_skb_consume(self.into_raw()) };
        Verdict::consumed()
    }

    /// Sends the packet by a device; dropped when that has gone. The context is the proof of where this is
    /// called.
    #[inline]
    pub fn transmit(mut self, device: &DeviceHandle, cx: &Context<'_>) -> Verdict {
        let Some(device) = device.get(cx) else {
            return Verdict::drop(self, DropReason::Device);
        };
        if !self.unshare() {
            return Verdict::drop(self, DropReason::NoMemory);
        }
        // SAFETY: the reference is ours and given up; the context is that of a softirq and of a read-side
        // section, which the device outlives by the handle's invariants.
        match unsafe { bindings::lana_skb_xmit(self.into_raw(), device.as_ptr()) } {
            -1 => Verdict::consumed(),
            why => Verdict::lost(DropReason::from_wire(why as u32)),
        }
    }
}

impl Drop for Packet {
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

/// A checksum that covers what [`Packet::replace`] changes: where it is, and how it covers it.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Sum(bindings::lana_sum);

impl Sum {
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

/// What a waiting packet carries in its control buffer, which is ours while it is in the engine.
#[derive(Clone, Copy)]
pub(crate) struct Next<'r> {
    /// The block it goes to.
    pub(crate) slot: &'r Slot,
    /// The way it goes.
    pub(crate) direction: Direction,
    /// The blocks it may still pass.
    pub(crate) left: u32,
}

impl Next<'_> {
    fn is(&self, other: &Self) -> bool {
        let way = self.direction == other.direction && self.left == other.left;
        ptr::eq(self.slot, other.slot) && way
    }
}

/// Packets that wait for the end of the current walk, first in first out.
///
/// # Invariants
///
/// `head` begins a list, linked by `next` and ended by null, of packets that the queue owns, each
/// with a `Next<'r>` in its control buffer; `tail` is the last of them.
pub(crate) struct Queue<'r> {
    head: *mut bindings::sk_buff,
    tail: *mut bindings::sk_buff,
    _next: PhantomData<Next<'r>>,
}

impl<'r> Queue<'r> {
    const FITS: () = {
        let skb = core::mem::MaybeUninit::<bindings::sk_buff>::uninit();
        // SAFETY: only the type of the field is looked at.
        let cb = unsafe { &raw const (*skb.as_ptr()).cb };
        assert!(size_of::<Next<'_>>() <= size_of_pointee(cb));
    };

    #[inline]
    pub(crate) fn new() -> Self {
        let () = Self::FITS;
        Self {
            head: ptr::null_mut(),
            tail: ptr::null_mut(),
            _next: PhantomData,
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.head.is_null()
    }

    /// Takes a packet, or gives it back where it is shared and there is no memory.
    pub(crate) fn push(&mut self, mut packet: Packet, next: Next<'r>) -> Result<(), Packet> {
        if !packet.unshare() {
            return Err(packet);
        }
        let skb = packet.into_raw();
        // SAFETY: the buffer is live and ours; `next` and the control buffer are the owner's to
        // use, and `FITS` says that the buffer is large enough.
        unsafe {
            (&raw mut (*skb).cb)
                .cast::<Next<'r>>()
                .write_unaligned(next);
            set_next(skb, ptr::null_mut());
        }
        if self.head.is_null() {
            self.head = skb;
        } else {
            // SAFETY: by the invariants `tail` is live and ours.
            unsafe { set_next(self.tail, skb) };
        }
        // INVARIANT: the list is one longer.
        self.tail = skb;
        Ok(())
    }

    pub(crate) fn pop(&mut self) -> Option<(Packet, Next<'r>)> {
        let skb = NonNull::new(self.head)?;
        // SAFETY: by the invariants `head` is live, ours, and carries a `Next`.
        unsafe {
            self.head = get_next(skb.as_ptr());
            set_next(skb.as_ptr(), ptr::null_mut());
            let next = (&raw const (*skb.as_ptr()).cb)
                .cast::<Next<'r>>()
                .read_unaligned();
            Some((Packet::from_raw(skb), next))
        }
    }
}

impl<'r> Queue<'r> {
    /// Moves the first packet to an empty batch, and of those right behind it, as many as a batch
    /// holds, all that go where it does.
    pub(crate) fn pop_batch(&mut self, batch: &mut Batch) -> Option<Next<'r>> {
        let (first, next) = self.pop()?;
        let _ = batch.push(first);
        // The link that leads to the packet looked at, and the packet that this is in.
        let (mut link, mut before) = (&raw mut self.head, ptr::null_mut());
        for _ in 1..Batch::MOST {
            // SAFETY: `link` is our head, or in a packet of ours; by the invariants it leads to another
            // one, with a `Next`, or is null.
            unsafe {
                let Some(skb) = NonNull::new(*link) else {
                    break;
                };
                let cb = &raw const (*skb.as_ptr()).cb;
                if !cb.cast::<Next<'r>>().read_unaligned().is(&next) {
                    before = skb.as_ptr();
                    link = before.cast();
                    continue;
                }
                *link = get_next(skb.as_ptr());
                if self.tail == skb.as_ptr() {
                    // INVARIANT: where the list is empty now nobody looks at its tail.
                    self.tail = before;
                }
                set_next(skb.as_ptr(), ptr::null_mut());
                let _ = batch.push(Packet::from_raw(skb));
            }
        }
        Some(next)
    }
}

impl Drop for Queue<'_> {
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}

const fn size_of_pointee<T>(_: *const T) -> usize {
    size_of::<T>()
}

/// # Safety
///
/// `skb` is live and the caller's.
#[inline]
pub(super) unsafe fn set_next(skb: *mut bindings::sk_buff, next: *mut bindings::sk_buff) {
    // SAFETY: `next` is the first member of an `sk_buff`, so that lists of packets share the
    // layout of `sk_buff_list`; the caller owns the packet.
    unsafe { skb.cast::<*mut bindings::sk_buff>().write(next) };
}

/// # Safety
///
/// As for `set_next`.
#[inline]
pub(super) unsafe fn get_next(skb: *mut bindings::sk_buff) -> *mut bindings::sk_buff {
    // SAFETY: see `set_next`.
    unsafe { skb.cast::<*mut bindings::sk_buff>().read() }
}
