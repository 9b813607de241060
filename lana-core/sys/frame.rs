// SPDX-License-Identifier: GPL-2.0

//! Packets in a driver's buffers, before an skb is made for them: frames.
//!
//! C header: [`include/net/xdp.h`](srctree/include/net/xdp.h)

use super::{
    bindings, bpf,
    netdev::DeviceHandle,
    percpu::ThisCpu,
    rcu::Reader,
    reason::DropReason,
    skb::{Skb, Sum, Unsent},
    verdict::Coded,
};
use crate::base::{checksum, headers};
use core::{ptr::NonNull, slice};

/// A packet in the buffer that its driver has received it in, and nobody else's. All of it is linear; of what is
/// not the value is the first part, which is only good for [`Frame::to_skb`]: that becomes an skb where it enters a
/// graph.
///
/// The driver has the buffer again when the handler of its frames has answered, so what is kept of a frame is
/// [a copy](Frame::to_skb).
///
/// # Invariants
///
/// The pointer is a live `xdp_buff` that nobody else uses; from `data` to `data_end` its
/// memory is valid for reads and writes, and from there on up to what `lana_frame_room()` says.
#[repr(transparent)]
pub struct Frame(NonNull<bindings::xdp_buff>);

impl Frame {
    /// A driver's frame.
    ///
    /// # Safety
    ///
    /// The invariants hold for as long as the value lives.
    #[inline]
    pub(super) unsafe fn from_raw(xdp: NonNull<bindings::xdp_buff>) -> Self {
        // INVARIANT: by the contract.
        Self(xdp)
    }

    #[inline]
    fn as_ptr(&self) -> *mut bindings::xdp_buff {
        self.0.as_ptr()
    }

    /// Where it begins and ends.
    #[inline(always)]
    fn ends(&self) -> (*mut u8, *mut u8) {
        // SAFETY: by the type's invariants the buffer is live.
        unsafe {
            let xdp = self.as_ptr();
            ((*xdp).data.cast(), (*xdp).data_end.cast())
        }
    }

    /// Length in bytes, from the link layer header on.
    #[inline(always)]
    pub(crate) fn len(&self) -> u32 {
        let (data, end) = self.ends();
        end.addr().wrapping_sub(data.addr()) as u32
    }

    /// The bytes.
    #[inline(always)]
    fn bytes(&self) -> &[u8] {
        let len = self.len() as usize;
        // SAFETY: by the type's invariants they are valid, and nobody else's; the borrow is that of the frame.
        unsafe { slice::from_raw_parts(self.ends().0, len) }
    }

    /// The same, to be changed.
    #[inline(always)]
    fn bytes_mut(&mut self) -> &mut [u8] {
        let len = self.len() as usize;
        // SAFETY: by the type's invariants they are valid, and nobody else's; the borrow is exclusive.
        unsafe { slice::from_raw_parts_mut(self.ends().0, len) }
    }

    /// The first `n` bytes, or `None` when the frame is shorter.
    #[inline(always)]
    pub(crate) fn header(&self, n: u32) -> Option<&[u8]> {
        self.bytes().get(..n as usize)
    }

    /// The same, to be changed.
    #[inline(always)]
    pub(crate) fn header_mut(&mut self, n: u32) -> Option<&mut [u8]> {
        self.bytes_mut().get_mut(..n as usize)
    }

    /// Cuts off what is behind the first `len` bytes, or puts zeros behind what there is up to there. False,
    /// and the frame as it was, where the buffer has no room for that.
    pub(crate) fn resize(&mut self, len: u32) -> bool {
        let now = self.len();
        // Drivers count on a whole Ethernet header.
        if len < bindings::ETH_HLEN {
            return false;
        }
        // SAFETY: the buffer is live.
        if len > now && len > unsafe { bindings::lana_frame_room(self.as_ptr()) } {
            return false;
        }
        let data = self.ends().0;
        // SAFETY: as far as that the memory is valid by the type's invariants, and nobody else's.
        unsafe {
            if let Some(more) = len.checked_sub(now) {
                data.add(now as usize).write_bytes(0, more as usize);
            }
            // INVARIANT: it is valid up to there.
            (*self.as_ptr()).data_end = data.add(len as usize).cast();
        }
        true
    }

    /// Writes bytes at `offset`, and makes the checksums right that cover them. False, and the frame as it was,
    /// when that is shorter.
    pub(crate) fn replace(&mut self, offset: u32, bytes: &[u8], sums: &[Sum]) -> bool {
        let all = self.bytes_mut();
        let offset = offset as usize;
        let fits = |sum: &Sum| all.get(sum.place()..).is_some_and(|rest| rest.len() >= 2);
        if !sums.iter().all(fits) {
            return false;
        }
        let end = offset.checked_add(bytes.len());
        let Some(old) = end.and_then(|end| all.get_mut(offset..end)) else {
            return false;
        };
        let more = checksum::add(checksum::sum(bytes), !checksum::sum(old));
        // They are of one length; the compiler does not know.
        for (old, new) in old.iter_mut().zip(bytes) {
            *old = *new;
        }
        for sum in sums {
            let Some(at) = all
                .get_mut(sum.place()..)
                .and_then(|at| at.first_chunk_mut())
            else {
                continue;
            };
            *at = sum.changed(*at, offset, more);
        }
        true
    }

    /// The sum of `len` bytes from `offset` on; `None` when the frame is shorter.
    #[inline(always)]
    pub(crate) fn checksum(&self, offset: u32, len: u32) -> Option<u16> {
        let part = self.bytes().get(offset as usize..)?;
        part.get(..len as usize).map(checksum::sum)
    }

    /// Copies bytes from `offset` on; false when the frame is shorter.
    pub(crate) fn read(&self, offset: u32, to: &mut [u8]) -> bool {
        let from = self.bytes().get(offset as usize..);
        let Some(from) = from.and_then(|from| from.get(..to.len())) else {
            return false;
        };
        to.copy_from_slice(from);
        true
    }

    /// The Ethernet address of the device it came by.
    #[inline]
    pub(crate) fn device_address(&self) -> [u8; 6] {
        // SAFETY: the buffer is live, and so is the device of its queue, which is an Ethernet device: its
        // address has six bytes.
        unsafe { *(*(*(*self.as_ptr()).rxq).dev).dev_addr.cast() }
    }

    /// The index of the device it came by.
    #[inline]
    pub(crate) fn device_index(&self) -> u32 {
        // SAFETY: the buffer is live, and so is the device of its queue.
        unsafe { (*(*(*self.as_ptr()).rxq).dev).ifindex as u32 }
    }

    /// The VLAN tag that its driver has taken out: the EtherType in the upper 16 bits, the tag in the lower.
    #[inline(never)]
    pub(crate) fn tag(&self) -> Option<u32> {
        // SAFETY: the buffer is live, and so is the device of its queue, whose driver is asked about it while it is
        // in its poll.
        Some(unsafe { bindings::lana_frame_vlan(self.as_ptr()) }).filter(|&tag| tag != 0)
    }

    /// Puts a VLAN tag outside of all others. False, and the frame as it was, where the buffer has no room for that,
    /// or the driver has taken out a tag.
    pub(crate) fn push_vlan(&mut self, tci: u16) -> bool {
        // SAFETY: the buffer is live, and nobody else uses it.
        // INVARIANT: what is in front of a frame is valid memory of its buffer, as far as that function goes.
        unsafe { bindings::lana_frame_push_vlan(self.as_ptr(), tci) }
    }

    /// Removes the outermost VLAN tag. False, and the frame as it was, where it has none, or the driver has taken it
    /// out.
    pub(crate) fn pop_vlan(&mut self) -> bool {
        // SAFETY: the buffer is live, and nobody else uses it.
        unsafe { bindings::lana_frame_pop_vlan(self.as_ptr()) }
    }

    /// Gives the outermost VLAN tag other tag control information. False, and the frame as it was, where it has none,
    /// or the driver has taken it out.
    pub(crate) fn set_vlan(&mut self, tci: u16) -> bool {
        if self.tag().is_some() {
            return false;
        }
        let header = self.bytes_mut().first_chunk_mut();
        let Some([_, _, _, _, _, _, _, _, _, _, _, _, t0, t1, high, low, _, _]) = header else {
            return false;
        };
        if !matches!(
            u16::from_be_bytes([*t0, *t1]),
            headers::CTAG | headers::STAG
        ) {
            return false;
        }
        [*high, *low] = tci.to_be_bytes();
        true
    }

    /// An skb with a copy of it; `None` when there is no memory.
    #[cold]
    #[inline(never)]
    pub(crate) fn to_skb(&self) -> Option<Skb> {
        // SAFETY: the buffer is live.
        NonNull::new(unsafe { bindings::lana_frame_skb(self.as_ptr()) })
            // SAFETY: the skb is new, and ours.
            .map(|skb| unsafe { Skb::from_raw(skb) })
    }

    /// What a classic program says to it.
    #[inline]
    pub(crate) fn filter(&mut self, program: &bpf::Program) -> u32 {
        // SAFETY: program and buffer are live; bottom halves are off wherever there is a frame.
        unsafe { bindings::lana_bpf_run_frame(program.as_ptr(), self.as_ptr()) }
    }

    /// What becomes of it when it is to leave by a device; the frame, where that has gone. The other arguments are the
    /// evidence of a softirq and of a read-side section.
    #[inline]
    pub(crate) fn send(
        self,
        device: &DeviceHandle,
        reader: Reader<'_>,
        _cpu: ThisCpu,
    ) -> Result<Coded<Self>, Self> {
        let Some(device) = device.get(reader) else {
            return Err(self);
        };
        // SAFETY: the buffer is live, and so is the device by the handle's invariants.
        let said = unsafe { bindings::lana_frame_xmit(self.as_ptr(), device.as_ptr()) };
        // SAFETY: the lower half of the number is of `enum lana_verdict`, with 16 bits beside it. Where there is a frame, it is
        // this one.
        Ok(unsafe { Coded::said(NonNull::new(said.frame).map(Self), said.verdict as i32) })
    }

    /// Sends an skb that was made of a frame of this CPU by the device that the frame was [to leave by](Self::send).
    pub(crate) fn send_skb(
        skb: Skb,
        _reader: Reader<'_>,
        _cpu: ThisCpu,
    ) -> Result<(), Unsent<Skb>> {
        // SAFETY: the reference is ours and given up; this is a softirq and a read-side section.
        match unsafe { bindings::lana_frame_xmit_skb(skb.into_raw()) } {
            -1 => Ok(()),
            why => Err(Unsent::Dropped(DropReason::from_wire(why as u32))),
        }
    }
}
