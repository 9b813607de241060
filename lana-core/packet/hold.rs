// SPDX-License-Identifier: GPL-2.0

//! Packets that a block holds until their time has come, and being woken.

use super::{engine::Context, entrance::Ppe, skb_or_frame::Packet, verdict::Verdict};
use crate::sys::{context::Process, hold::Hold, reason::DropReason};
use kernel::{prelude::*, sync::Arc};

/// Packets that a block holds: bounded, and let go on in the order of their times, or of their coming where these are
/// the same. Made by [`Args::hold_queue`](crate::graph::block::Args::hold_queue), in the blocks of a type that says
/// [`Block::HOLDS`](crate::graph::block::Block::HOLDS).
///
/// Times are in nanoseconds, of the clock of [`time::now`](crate::sys::time::now). A packet does not go on before its
/// time; when it does, [`Block::release`](crate::graph::block::Block::release) is called, in a softirq.
pub struct HoldQueue(Arc<Hold<Ppe>>);

impl HoldQueue {
    /// The most that one has room for.
    pub const MOST: u32 = 100_000;

    pub(crate) fn new(hold: Arc<Hold<Ppe>>) -> Self {
        Self(hold)
    }

    /// How many packets wait. Any context.
    #[inline]
    pub fn len(&self) -> u32 {
        self.0.len()
    }

    /// Whether none waits. Any context.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes room for so many packets. Those that wait beyond that still go on. `EINVAL` for more than
    /// [`HoldQueue::MOST`], `EAGAIN` where more have come at the same time. Sleeps.
    pub fn resize(&self, capacity: u32, process: &Process) -> Result {
        if capacity > Self::MOST {
            return Err(EINVAL);
        }
        self.0.resize(capacity, process)
    }

    /// Holds a packet until a time; one of the past lets it go on in a moment. Dropped where there is no room, or no
    /// memory. For a frame an skb is made.
    pub fn hold<P: Packet>(&self, packet: P, until: u64, cx: &mut Context<'_>) -> Verdict<P> {
        packet.with_skb(cx, |skb, cx| {
            let full = self.len() >= self.0.capacity();
            let refused = match cx.place() {
                Some(place) if !full => {
                    let put = self.0.put(skb, cx.direction(), cx.left(), until, place);
                    put.err().map(|skb| (skb, DropReason::NoMemory))
                }
                _ => Some((skb, DropReason::QueueFull)),
            };
            match refused {
                None => Verdict::consumed(),
                Some((skb, why)) => Verdict::drop(skb, why),
            }
        })
    }

    /// Has [`Block::wake`](crate::graph::block::Block::wake) called at a time, once; at the first of several. A time of
    /// the past is in a moment.
    pub fn wake_at(&self, time: u64, cx: &Context<'_>) {
        if let Some(place) = cx.place() {
            self.0.wake_at(time, place);
        }
    }
}

impl Drop for HoldQueue {
    fn drop(&mut self) {
        self.0.leave();
    }
}
