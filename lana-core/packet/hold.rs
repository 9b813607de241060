// SPDX-License-Identifier: GPL-2.0

//! Packets that a block holds until their time has come, and being woken.

use super::{
    engine::{Context, Slot},
    entrance::Ppe,
    skb_or_frame::Packet,
    verdict::Verdict,
};
use crate::sys::{context::Process, hold::Hold, reason::DropReason, skb::Skb};
use kernel::{prelude::*, sync::Arc};

/// Where a block stands in a graph.
pub struct Place<'a> {
    pub(crate) ppe: &'a Ppe,
    pub(crate) slot: &'a Slot,
}

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

    pub(super) fn inner(&self) -> &Arc<Hold<Ppe>> {
        &self.0
    }

    /// Has what a [`UdpSocket`](crate::prelude::UdpSocket) receives for this queue go on from the block that stands there,
    /// and at most `limit` of that wait: for [`Block::placed`](crate::graph::block::Block::placed). Process context.
    pub fn stand(&self, limit: u32, place: &Place<'_>) {
        self.0.stand(limit, (place.ppe, place.slot));
    }

    /// How many packets were received for which there was no room or no memory. Any context.
    pub fn refused(&self) -> u64 {
        self.0.refused()
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

    /// How many bytes those have that wait. A super-packet counts whole. Any context.
    #[inline]
    pub fn bytes(&self) -> u64 {
        self.0.bytes()
    }

    /// The time until which the packet was held that [`Block::release`](crate::graph::block::Block::release) is called
    /// for. Only of use there.
    #[inline]
    pub fn due(&self) -> u64 {
        self.0.due()
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
        packet.with_skb(cx, |skb, cx| self.hold_skb(skb, until, cx))
    }

    fn hold_skb(&self, skb: Skb, until: u64, cx: &Context<'_>) -> Verdict<Skb> {
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
    }

    /// Lets no packet go on before a time, whatever its own time is: so a block decides when it lets one go on how long
    /// the next one has to wait. Of two such times the later one counts, until [`unpause`](Self::unpause).
    pub fn pause(&self, until: u64, _cx: &Context<'_>) {
        self.0.pause(until);
    }

    /// Lets packets go on by their own times again.
    pub fn unpause(&self, _cx: &Context<'_>) {
        self.0.unpause();
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
