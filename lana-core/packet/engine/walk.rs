// SPDX-License-Identifier: GPL-2.0

//! What a packet's walk has beside the block that it is at.

use super::{Context, Destination, Hop, Way, BACKLOG_LIMIT, HOP_LIMIT};
use crate::{
    base::port::Port,
    packet::{
        entrance::Ppe,
        skb_or_frame::Packet,
        stats::{Alarm, EngineStats},
        tracer::Observer,
        verdict::{Unclaimed, Verdict},
    },
    sys::{
        frame::Frame,
        percpu::ThisCpu,
        queue::Queue,
        rcu::Reader,
        reason::DropReason,
        skb::Skb,
        watch::{self, Watched},
        xdp::Action,
    },
};
use core::{cell::Cell, mem::ManuallyDrop};

/// What is the same for all blocks that a packet passes, and for the packets that are made of it.
pub(crate) struct Walk<'r> {
    pub(super) ppe: &'r Ppe,
    pub(super) reader: Reader<'r>,
    pub(super) cpu: ThisCpu,
    /// How many packets may still be made.
    pub(super) room: Cell<u32>,
    /// By how many a packet may pass fewer blocks than what [`HOP_LIMIT`] leaves, for the sake of [`CALL_LIMIT`](super::storm::CALL_LIMIT).
    pub(super) held: Cell<u32>,
    pub(super) backlog: Queue<Destination<'r>>,
    /// What is to become of the packet that entered when no block takes it.
    pub(super) unclaimed: Cell<Unclaimed>,
}

impl<'r> Walk<'r> {
    /// That of what enters. Nothing is left in it at its end, so that nothing is to be dropped.
    #[inline(always)]
    pub(super) fn new(
        ppe: &'r Ppe,
        reader: Reader<'r>,
        cpu: ThisCpu,
        unclaimed: Unclaimed,
    ) -> ManuallyDrop<Self> {
        ManuallyDrop::new(Self {
            ppe,
            reader,
            cpu,
            room: Cell::new(BACKLOG_LIMIT),
            held: Cell::new(0),
            backlog: Queue::new(),
            unclaimed: Cell::new(unclaimed),
        })
    }

    /// The engine's counters.
    #[inline(always)]
    pub(super) fn engine(&self) -> &'r EngineStats {
        self.ppe.stats().this(self.cpu)
    }

    /// Has a packet wait for the end of the walk, to leave by a port of a block then, from where on it may pass so many
    /// blocks.
    pub(super) fn wait(&self, packet: Skb, from: &'r Hop, port: Port, left: u32) {
        let direction = port.direction;
        let Some(to) = from.port(direction, u32::from(port.index)) else {
            return self.drop(from, left, Some(packet), DropReason::Unbound);
        };
        let next = Destination {
            to,
            from,
            direction,
            left: left.wrapping_add(self.held.get()),
        };
        if let Err(packet) = self.backlog.push(packet, next) {
            return self.drop(from, left, Some(packet), DropReason::NoMemory);
        }
        let waiting = self.engine().backlog.get().wrapping_add(1);
        self.engine().backlog.set(waiting);
        if waiting > self.engine().backlog_max.get() {
            self.engine().backlog_max.set(waiting);
        }
    }

    /// The same of a packet that was made at the block.
    pub(super) fn emit(&self, packet: Skb, from: &'r Hop, port: Port, left: u32) {
        self.engine().made(packet.len());
        if self.take_room() {
            self.wait(packet, from, port, left);
        } else {
            self.drop(from, left, Some(packet), DropReason::Backlog);
        }
    }

    /// One packet less may be made now. False where none may.
    #[inline]
    pub(super) fn take_room(&self) -> bool {
        let room = self.room.get();
        self.room.set(room.saturating_sub(1));
        room != 0
    }

    /// Counts an skb that is made of a frame at a block.
    #[cold]
    pub(super) fn count_skb(&self, at: &Hop) {
        at.counters(self.cpu).made_skb();
    }

    /// Counts a packet that ends at a block for a bad reason.
    #[inline(always)]
    pub(super) fn count_drop(&self, at: &Hop, reason: DropReason) {
        at.counters(self.cpu).dropped(reason);
    }

    /// Drops a packet at a block, from where on it could have passed so many.
    #[cold]
    #[inline(never)]
    pub(super) fn drop<P: Packet>(
        &self,
        at: &Hop,
        left: u32,
        packet: Option<P>,
        reason: DropReason,
    ) {
        self.count_drop(at, reason);
        if Alarm::of(reason).is_some() || watch::is_on() {
            return self.drop_aloud(at, left, packet, reason);
        }
        if let Some(packet) = packet {
            packet.free(reason);
        }
    }

    /// Tells of a drop, and frees the packet. By calls, for which registers are saved: apart from what most drops need.
    #[cold]
    #[inline(never)]
    pub(super) fn drop_aloud<P: Packet>(
        &self,
        at: &Hop,
        left: u32,
        packet: Option<P>,
        reason: DropReason,
    ) {
        if let Some(alarm) = Alarm::of(reason) {
            self.engine().raise(alarm, at.idp());
            self.ppe.net().alarm();
        }
        if watch::is_on() {
            let hops = HOP_LIMIT.wrapping_sub(left).wrapping_sub(self.held.get());
            let packet = packet.as_ref().map_or(Watched::NONE, P::watched);
            watch::dropped(reason, at.idp(), hops, self.ppe.net(), packet);
        }
        if let Some(packet) = packet {
            packet.free(reason);
        }
    }

    /// No block takes the packet that entered.
    #[cold]
    pub(super) fn give_back<P: Packet>(&self, packet: P) -> Result<Action, P::Back> {
        self.engine().unclaimed.add(1);
        packet.give_back()
    }

    /// Goes on with the skb that was made of a frame at `hop`, where this was said to it. How many blocks one may pass then.
    #[cold]
    #[inline(never)]
    pub(super) fn walk_made(
        &'r self,
        hop: &'r Hop,
        way: Way,
        verdict: Verdict<Skb>,
        observer: &mut impl Observer,
    ) -> u32 {
        let mut cx = Context::new(self, (hop, hop), way);
        cx.walk_after(verdict, observer);
        cx.left
    }

    /// A frame leaves at `hop` by a device that takes an skb. As [`Self::walk_made`].
    #[cold]
    #[inline(never)]
    pub(super) fn leave_as_skb(
        &'r self,
        hop: &'r Hop,
        way: Way,
        frame: &impl Packet,
        observer: &mut impl Observer,
    ) -> u32 {
        let verdict = match frame.try_clone() {
            Some(skb) => {
                self.count_skb(hop);
                Verdict::sent(
                    Frame::send_skb(skb, self.reader, self.cpu),
                    DropReason::Device,
                )
            }
            None => Verdict::lost(DropReason::NoMemory),
        };
        self.walk_made(hop, way, verdict, observer)
    }

    /// Walks, one after the other, the packets that wait for the end of the first walk, which has called
    /// so many handlers.
    #[inline(never)]
    pub(super) fn walk_waiting(&'r self, mut called: u32, observer: &mut impl Observer) {
        // What was made of a packet is not what the device received.
        self.unclaimed.set(Unclaimed::Drop);
        let engine = self.engine();
        let allowed = engine.storm.allowance();
        let mut calls = allowed;
        while let Some((mut packet, next)) = self.backlog.pop() {
            engine.backlog.set(engine.backlog.get().wrapping_sub(1));
            calls = calls.wrapping_sub(called);
            let left = u32::min(next.left, calls);
            self.held.set(next.left.wrapping_sub(left));
            let mut cx = Context::new(self, (next.from, next.from), (next.direction, left));
            observer.next(&cx, next.from, &mut packet, next.direction, next.to);
            // What was made in the graph is not given back.
            let step = cx.step(packet, Some(next.to), observer);
            let _ = step.map(|packet| cx.walk(packet, observer));
            called = left.wrapping_sub(cx.left);
        }
        let left = calls.wrapping_sub(called);
        engine.storm.pay(allowed.wrapping_sub(left));
    }
}
