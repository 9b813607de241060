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

    /// How many packets it has held since it was made. Packets that [`hold`](Self::hold) dropped are not among them.
    pub fn held(&self, process: &Process) -> u64 {
        self.0.held(process)
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

    /// Makes room for so many packets at least, which is what a block wants that takes its limit from its options:
    /// where the change is not made in the end, nothing has been lost. As [`resize`](Self::resize) else.
    pub fn make_room(&self, capacity: u32, process: &Process) -> Result {
        match capacity > self.0.capacity() {
            true => self.resize(capacity, process),
            false => Ok(()),
        }
    }

    /// Holds a packet until a time; one of the past lets it go on in a moment. Dropped where there is no room, no
    /// memory, or where the queue is that of a block that has gone or is in another namespace. For a frame an skb is made.
    /// To be held counts as a hop: who holds a packet again and again does so up to the hop limit.
    pub fn hold<P: Packet>(&self, packet: P, until: u64, cx: &mut Context<'_>) -> Verdict<P> {
        packet.with_skb(cx, |skb, cx| {
            let put = match cx.place() {
                Some(place) => self.0.put(skb, cx.direction(), cx.left(), until, place),
                None => Err((skb, DropReason::QueueFull)),
            };
            match put {
                Ok(number) => {
                    cx.note_held(number);
                    Verdict::consumed()
                }
                Err((skb, why)) => Verdict::drop(skb, why),
            }
        })
    }

    /// Has [`Block::wake`](crate::graph::block::Block::wake) called at a time, once; at the first of several. A time of
    /// the past is in a moment; but between two calls there are 10 microseconds at least.
    pub fn wake_at(&self, time: u64, cx: &Context<'_>) {
        if let Some(place) = cx.place() {
            self.0.wake_at(time, place);
        }
    }

    /// Has [`Block::wake`](crate::graph::block::Block::wake) called soon after the change that is being made, of the
    /// block that is there then. For [`Block::new`](crate::graph::block::Block::new) and
    /// [`Block::set`](crate::graph::block::Block::set): so work begins that no packet causes. Where the change fails, with
    /// the next one that concerns the block. Sleeps not.
    pub fn wake_then(&self, process: &Process) {
        self.0.wake_then(process);
    }
}

/// What waits is freed.
impl Drop for HoldQueue {
    fn drop(&mut self) {
        self.0.leave();
    }
}
