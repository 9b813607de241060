// SPDX-License-Identifier: GPL-2.0

//! An array of packets, as many as there are.

use super::skb::Skb;
use core::mem::MaybeUninit;

/// Up to `N` packets, in the order in which they came.
///
/// # Invariants
///
/// The first `len` of `packets` are there, and `bytes` is the sum of their lengths.
pub(crate) struct Packets<const N: usize> {
    packets: [MaybeUninit<Skb>; N],
    len: usize,
    bytes: u64,
}

impl<const N: usize> Packets<N> {
    /// None.
    #[inline]
    pub(crate) fn new() -> Self {
        // INVARIANT: none is there.
        Self {
            packets: [const { MaybeUninit::uninit() }; N],
            len: 0,
            bytes: 0,
        }
    }

    /// How many there are.
    #[inline]
    pub(crate) fn len(&self) -> u32 {
        self.len as u32
    }

    /// The sum of their lengths.
    #[inline]
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The packets.
    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Skb> {
        let there = self.packets.iter().take(self.len);
        // SAFETY: by the type's invariants these are there.
        there.map(|packet| unsafe { packet.assume_init_ref() })
    }

    /// Gives the packets to `f`, one after the other, with the number of those that are kept so far, and
    /// keeps those that it gives back.
    #[inline(always)]
    pub(crate) fn retain(&mut self, mut f: impl FnMut(Skb, usize) -> Option<Skb>) {
        let (len, mut kept, mut bytes) = (core::mem::take(&mut self.len), 0, self.bytes);
        for at in 0..len {
            // SAFETY: `at` is below the old length; no other turn takes this one.
            let packet = unsafe { self.packets.get_unchecked(at).assume_init_read() };
            // Not summed up anew: for a handler that leaves packets as they are the compiler sees
            // that nothing is to be done.
            bytes = bytes.wrapping_sub(u64::from(packet.len()));
            let Some(packet) = f(packet, kept) else {
                continue;
            };
            bytes = bytes.wrapping_add(u64::from(packet.len()));
            // SAFETY: `kept` is not above `at`, and what was there has been taken.
            unsafe { self.packets.get_unchecked_mut(kept).write(packet) };
            kept = kept.wrapping_add(1);
        }
        // INVARIANT: that many were put back, of these lengths.
        (self.len, self.bytes) = (kept, bytes);
    }

    /// Adds a packet; gives it back where there is no room.
    #[inline]
    pub(crate) fn push(&mut self, packet: Skb) -> Result<(), Skb> {
        let len = u64::from(packet.len());
        let Some(place) = self.packets.get_mut(self.len) else {
            return Err(packet);
        };
        place.write(packet);
        // INVARIANT: it is there.
        self.len = self.len.wrapping_add(1);
        self.bytes = self.bytes.wrapping_add(len);
        Ok(())
    }

    /// Takes the packets out.
    pub(crate) fn drain(&mut self, mut f: impl FnMut(Skb)) {
        let len = core::mem::take(&mut self.len);
        self.bytes = 0;
        for place in self.packets.iter().take(len) {
            // SAFETY: by the type's invariants it was there, and is not any more.
            f(unsafe { place.assume_init_read() });
        }
    }
}

impl<const N: usize> Drop for Packets<N> {
    fn drop(&mut self) {
        self.drain(drop);
    }
}
