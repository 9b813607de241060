// SPDX-License-Identifier: GPL-2.0

//! The packet processing engine: calls one block after the other until one ends the walk.
//!
//! Runs in the softirq of the receiving device, in one RCU read-side section a packet. A packet
//! goes by one version of the wiring from its entry to its end, and so do the packets made from
//! it on the way, which wait until the walk they were made in has ended. So the stack does not
//! grow with the chain, and no lock, atomic operation or reference count is on the way.

use super::{
    entrance::Ppe,
    skb_or_frame::Packet,
    tracer::{End, Observer},
    verdict::{Decision, Unclaimed, Verdict},
};
use crate::{
    base::port::{Direction, Port},
    sys::{
        bindings, percpu::ThisCpu, rcu::Reader, reason::DropReason, skb::Skb, slot, watch,
        xdp::Action,
    },
};

mod batches;
mod destination;
mod enter;
mod resume;
mod walk;

pub(super) use batches::enter_batch;
pub(crate) use destination::Destination;
pub(crate) use enter::enter;
pub(super) use resume::resume;
pub(crate) use walk::Walk;

/// What stands behind an IDP, as the engine reads it.
pub(crate) type Slot = slot::Slot<Ppe>;
/// What one hop of a packet reads.
pub(crate) type Hop = slot::Hop<Ppe>;

/// How many blocks a packet may pass, counted from its entry on; what is made from a packet has
/// passed as many as that. Ends loops.
pub(crate) const HOP_LIMIT: u32 = 256;

/// How many packets may be made from one that entered, directly or not. Ends avalanches.
pub(crate) const BACKLOG_LIMIT: u32 = 1024;

/// How many packets may be made from all that entered in a batch: 256 from each of the 64 of a full
/// one. Batches bound the time that the softirq takes, so a batch is not given as much as so many
/// packets would be alone.
pub(crate) const BATCH_BACKLOG_LIMIT: u32 = 16384;

/// How many handlers may be called for a batch and all that is made from it, likewise: 512 for each
/// packet of a full one.
pub(crate) const BATCH_CALL_LIMIT: u32 = 32768;

/// How many times a packet may enter a graph by a device, having left one by a device before. Ends
/// loops through devices of this machine.
pub(crate) const ENTRY_LIMIT: u16 = bindings::LANA_ENTRY_LIMIT as u16;

/// How a packet has come to a block: its direction, and how many blocks it may still pass in this walk.
pub(crate) type Way = (Direction, u32);

/// What a handler knows beside its packet. Proof that it runs in the engine: in softirq or with
/// bottom halves off, and in an RCU read-side section.
///
/// The engine keeps its own in registers, and a handler's is made of them where the handler looks at it. So what is not
/// inlined gets the parts that it needs, not the address.
pub struct Context<'r> {
    walk: &'r Walk<'r>,
    /// The block that the packet left before.
    from: &'r Hop,
    /// The block that runs.
    hop: &'r Hop,
    direction: Direction,
    left: u32,
}

impl<'r> Context<'r> {
    /// That of a block to which a packet comes from another one.
    #[inline(always)]
    pub(super) fn new(
        walk: &'r Walk<'r>,
        (from, hop): (&'r Hop, &'r Hop),
        (direction, left): Way,
    ) -> Self {
        Self {
            walk,
            from,
            hop,
            direction,
            left,
        }
    }

    /// Calls a handler of the block.
    #[inline(always)]
    pub(super) fn call<T>(
        &self,
        handler: impl FnOnce(&'r Hop, &'r Walk<'r>, &'r Hop, Way) -> T,
    ) -> T {
        let way = (self.direction, self.left);
        handler(self.hop, self.walk, self.from, way)
    }

    /// The way the packet came.
    #[inline]
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// The IDP of the block that the packet came from. A packet whose direction is ingress came by the egress port of the
    /// [`Peer`](crate::graph::block::Peer) with this IDP.
    #[inline]
    pub fn came_from(&self) -> u32 {
        self.from.idp()
    }

    /// Sends the packet on the way it came.
    #[inline]
    pub fn pass<P: Packet>(&self, packet: P) -> Verdict<P> {
        Verdict::pass(packet)
    }

    /// Whether no packet waits for the end of the walk.
    #[inline]
    pub(crate) fn none_waits(&self) -> bool {
        self.walk.backlog.is_empty()
    }

    /// The port that a packet leaves by that is passed on.
    #[inline]
    pub(crate) fn first(&self) -> Port {
        let (direction, index) = (self.direction, 0);
        Port { direction, index }
    }

    /// How many ports of a direction are bound.
    #[inline]
    pub fn ports(&self, direction: Direction) -> u16 {
        u16::try_from(self.hop.ports(direction)).unwrap_or(u16::MAX)
    }

    /// The CPU this runs on, for per-CPU data.
    #[inline]
    pub fn cpu(&self) -> ThisCpu {
        self.walk.cpu
    }

    /// How many packets wait for the end of the walk.
    pub(super) fn waiting(&self) -> u64 {
        self.walk.engine().backlog.get()
    }

    /// A block holds a packet, by this number. It stands beside the counters, so other packets do not pay for it.
    #[inline]
    pub(super) fn note_held(&self, number: u64) {
        self.walk.engine().holds.add(1);
        self.walk.engine().held.set(number);
    }

    /// How many packets blocks have held on this CPU, and the number of the last.
    pub(super) fn held(&self) -> (u64, u64) {
        (
            self.walk.engine().holds.get(),
            self.walk.engine().held.get(),
        )
    }

    /// The read-side section.
    #[inline]
    pub(super) fn reader(&self) -> Reader<'r> {
        self.walk.reader
    }

    /// The engine, and the slot of the block that runs, where its type holds packets.
    #[inline]
    pub(super) fn place(&self) -> Option<(&'r Ppe, &'r Slot)> {
        Some((self.walk.ppe, self.hop.own()?))
    }

    /// The blocks that the packet may still pass.
    #[inline]
    pub(super) fn left(&self) -> u32 {
        self.left.wrapping_add(self.walk.held.get())
    }

    /// Lets a copy of a packet leave by a port once the current walk has ended. Says whether more
    /// copies may be made. One that cannot be made is counted as a drop, and as one of those.
    #[inline]
    pub fn emit_clone<P: Packet>(&mut self, packet: &P, port: Port) -> bool {
        if self.walk.room.get() == 0 {
            self.drop_here(None, DropReason::Backlog);
            return false;
        }
        match packet.try_clone() {
            Some(clone) => {
                if P::IS_FRAME {
                    self.count_skb();
                }
                self.emit(clone, port);
            }
            None => {
                self.walk.take_room();
                self.drop_here(None, DropReason::NoMemory);
            }
        }
        true
    }

    /// Lets a packet that was made here leave by a port once the current walk has ended.
    #[inline]
    pub fn emit(&mut self, packet: Skb, port: Port) {
        self.walk.emit(packet, self.hop, port, self.left);
    }

    /// Has a packet wait for the end of the walk, to leave by a port then.
    #[inline]
    pub(crate) fn wait(&self, packet: Skb, port: Port) {
        self.walk.wait(packet, self.hop, port, self.left);
    }

    /// Counts an skb that is made of a frame, at the block that runs.
    #[inline]
    pub(super) fn count_skb(&self) {
        self.walk.count_skb(self.hop);
    }

    /// Drops a packet at the block that runs.
    #[inline]
    pub fn drop_here(&self, packet: Option<Skb>, reason: DropReason) {
        self.walk.drop(self.hop, self.left, packet, reason);
    }

    /// A packet comes to a port without a peer, at a block. Given back where the stack is to have it.
    #[inline(always)]
    fn unbound<P: Packet>(
        &self,
        at: &Hop,
        mut packet: P,
        direction: Direction,
        observer: &mut impl Observer,
    ) -> Result<Action, P::Back> {
        if self.walk.unclaimed.get() == Unclaimed::Stack && direction == Direction::Ingress {
            observer.ends(self, at, End::Unclaimed, Some(&mut packet));
            return self.walk.give_back(packet);
        }
        let end = End::Dropped(DropReason::Unbound);
        observer.ends(self, at, end, Some(&mut packet));
        if P::IS_FRAME && !watch::is_on() {
            // What a call would take is most of a drop here: the driver frees the frame.
            self.walk.count_drop(at, DropReason::Unbound);
        } else {
            self.walk
                .drop(at, self.left, Some(packet), DropReason::Unbound);
        }
        Ok(Action::DROP)
    }

    /// What comes after the block of the context, which has said this: another one, which the context is that of then,
    /// or the end, as of [`Self::walk`].
    #[inline(always)]
    fn follow<P: Packet>(
        &mut self,
        verdict: Verdict<P>,
        observer: &mut impl Observer,
    ) -> Result<P, Result<Action, P::Back>> {
        let hop = self.hop;
        match verdict.decide() {
            Decision::Pass(packet) => {
                let next = hop.next(self.direction);
                self.leave(packet, next, 0, observer)
            }
            Decision::Forward(packet, port) => {
                self.direction = port.direction;
                let next = hop.port(port.direction, port.index.into());
                self.leave(packet, next, port.index, observer)
            }
            Decision::Drop(mut packet, reason) => {
                observer.ends(self, hop, End::Dropped(reason), packet.as_mut());
                self.walk.drop(hop, self.left, packet, reason);
                Err(Ok(Action::DROP))
            }
            Decision::Left(action) => {
                observer.ends::<P>(self, hop, End::Left, None);
                Err(Ok(action))
            }
            Decision::Made(verdict) => {
                if P::IS_FRAME {
                    let way = (self.direction, self.left);
                    self.left = self.walk.walk_made(hop, way, verdict, observer);
                }
                Err(Ok(Action::DROP))
            }
            Decision::AsSkb(packet) => {
                if P::IS_FRAME {
                    let way = (self.direction, self.left);
                    self.left = self.walk.leave_as_skb(hop, way, &packet, observer);
                }
                Err(Ok(Action::DROP))
            }
        }
    }

    /// A packet leaves the block of the context by a port, behind which this stands.
    #[inline(always)]
    fn leave<P: Packet>(
        &mut self,
        mut packet: P,
        next: Option<&'r Hop>,
        index: u16,
        observer: &mut impl Observer,
    ) -> Result<P, Result<Action, P::Back>> {
        let (hop, direction) = (self.hop, self.direction);
        if next.is_some() {
            let end = End::Forwarded(Port { direction, index });
            observer.ends(self, hop, end, Some(&mut packet));
        }
        self.step(packet, next, observer)
    }

    /// Has a packet go from the block of the context to this one, from where on it may pass one block less. The context
    /// is that of the other block then. As [`Self::walk`] where it goes no further.
    #[inline(always)]
    fn step<P: Packet>(
        &mut self,
        mut packet: P,
        next: Option<&'r Hop>,
        observer: &mut impl Observer,
    ) -> Result<P, Result<Action, P::Back>> {
        let Some(hop) = next else {
            return Err(self.unbound(self.hop, packet, self.direction, observer));
        };
        observer.comes(self, hop, &mut packet, self.direction);
        let (fewer, none) = self.left.overflowing_sub(1);
        if none {
            self.goes_round(hop, packet, observer);
            return Err(Ok(Action::DROP));
        }
        (self.from, self.hop, self.left) = (self.hop, hop, fewer);
        Ok(packet)
    }

    /// A packet has passed as many blocks as one may. It ends at the one that it comes to.
    #[inline(always)]
    fn goes_round<P: Packet>(&self, at: &Hop, mut packet: P, observer: &mut impl Observer) {
        let reason = DropReason::HopLimit;
        observer.ends(self, at, End::Dropped(reason), Some(&mut packet));
        self.walk.drop(at, self.left, Some(packet), reason);
    }

    /// Walks a packet from the block of the context on until it ends: what a driver is to do with its frame, or the
    /// packet, where the stack is to have it. The context is that of the last block then.
    #[inline(always)]
    fn walk<P: Packet>(
        &mut self,
        mut packet: P,
        observer: &mut impl Observer,
    ) -> Result<Action, P::Back> {
        let cpu = self.cpu();
        loop {
            self.hop.counters(cpu).received(packet.len());
            let verdict = packet.call(self);
            packet = match self.follow(verdict, observer) {
                Ok(packet) => packet,
                Err(end) => return end,
            };
        }
    }

    /// Goes on after the block of the context, which has said this to an skb.
    #[inline(always)]
    fn walk_after(&mut self, verdict: Verdict<Skb>, observer: &mut impl Observer) {
        let end = match self.follow(verdict, observer) {
            Ok(skb) => self.walk(skb, observer),
            Err(end) => end,
        };
        if let Err(skb) = end {
            skb.up();
        }
    }
}
