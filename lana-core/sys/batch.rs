// SPDX-License-Identifier: GPL-2.0

//! Batches: packets that are at the same block at the same time.

use super::{
    bindings,
    skb::{self, Packet},
    verdict::{Decision, Verdict},
};
use crate::engine::{Context, Port};
use core::{mem::MaybeUninit, ptr::NonNull};

/// Packets that are at a block together, in the order in which they came. Those that the handler
/// leaves here go on together: by a port that [`Batch::each`] says, or the way they came, by the first port.
///
/// # Invariants
///
/// The first `len` of `packets` are there, and `bytes` is the sum of their lengths.
pub struct Batch {
    packets: [MaybeUninit<Packet>; Self::MOST],
    len: usize,
    bytes: u64,
    port: Option<Port>,
}

impl Batch {
    /// The most that a batch holds.
    pub(crate) const MOST: usize = bindings::LANA_BATCH as usize;

    /// An empty one.
    #[inline]
    pub(crate) fn new() -> Self {
        // INVARIANT: none is there.
        Self {
            packets: [const { MaybeUninit::uninit() }; Self::MOST],
            len: 0,
            bytes: 0,
            port: None,
        }
    }

    /// Adds the packets of a list; frees those that there is no room for.
    ///
    /// # Safety
    ///
    /// `list` begins a list, linked by `next` and ended by null, of packets that are given to us.
    #[inline(always)]
    pub(crate) unsafe fn fill(&mut self, mut list: *mut bindings::sk_buff) {
        while let Some(skb) = NonNull::new(list) {
            // SAFETY: the packet is on a list that the caller gives to us.
            unsafe {
                list = skb::get_next(skb.as_ptr());
                skb::set_next(skb.as_ptr(), core::ptr::null_mut());
                drop(self.push(Packet::from_raw(skb)));
            }
        }
    }

    /// How many packets there are.
    #[inline]
    #[allow(
        clippy::len_without_is_empty,
        reason = "a handler is not called with an empty batch"
    )]
    pub fn len(&self) -> u32 {
        self.len as u32
    }

    /// The sum of their lengths.
    #[inline]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The packets.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = &Packet> {
        let there = self.packets.iter().take(self.len);
        // SAFETY: by the type's invariants these are there.
        there.map(|packet| unsafe { packet.assume_init_ref() })
    }

    /// Gives the packets to `f`, one after the other, and does with each what the verdict says. Those that
    /// go where the first of them goes that goes on stay here, or, where packets wait that these must not
    /// overtake, those that pass; the others wait until these have come to their end.
    #[inline(always)]
    pub fn each<'r>(
        &mut self,
        cx: &mut Context<'r>,
        mut f: impl FnMut(Packet, &mut Context<'r>) -> Verdict,
    ) {
        let (len, mut kept, mut bytes) = (core::mem::take(&mut self.len), 0, self.bytes);
        let (mut way, free) = (None, cx.none_waits());
        for at in 0..len {
            // SAFETY: `at` is below the old length; no other turn takes this one.
            let packet = unsafe { self.packets.get_unchecked(at).assume_init_read() };
            // Not summed up anew: for a handler that leaves packets as they are the compiler sees
            // that nothing is to be done.
            bytes = bytes.wrapping_sub(u64::from(packet.len()));
            let (packet, port) = match f(packet, cx).decide() {
                Decision::Pass(packet) => (packet, None),
                Decision::Forward(packet, port) => {
                    (packet, Some(port).filter(|&port| port != cx.first()))
                }
                Decision::Drop(packet, reason) => {
                    cx.drop_here(packet, reason);
                    continue;
                }
                Decision::Consumed => continue,
            };
            if kept == 0 && free {
                way = port;
            } else if port != way {
                cx.wait(packet, port.unwrap_or(cx.first()));
                continue;
            }
            bytes = bytes.wrapping_add(u64::from(packet.len()));
            // SAFETY: `kept` is not above `at`, and what was there has been taken.
            unsafe { self.packets.get_unchecked_mut(kept).write(packet) };
            kept = kept.wrapping_add(1);
        }
        // INVARIANT: that many were put back, of these lengths.
        (self.len, self.bytes, self.port) = (kept, bytes, way);
    }

    /// The port by which they go on, where it is not the first one the way they came. Said once.
    #[inline]
    pub(crate) fn port(&mut self) -> Option<Port> {
        self.port.take()
    }

    /// Adds a packet; gives it back where there is no room.
    #[inline]
    pub(crate) fn push(&mut self, packet: Packet) -> Result<(), Packet> {
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
    pub(crate) fn drain(&mut self, mut f: impl FnMut(Packet)) {
        let len = core::mem::take(&mut self.len);
        self.bytes = 0;
        for place in self.packets.iter().take(len) {
            // SAFETY: by the type's invariants it was there, and is not any more.
            f(unsafe { place.assume_init_read() });
        }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.drain(drop);
    }
}
