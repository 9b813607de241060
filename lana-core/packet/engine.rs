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
    stats::{Alarm, EngineStats},
    tracer::{End, Observer},
    verdict::{Decision, Unclaimed, Verdict},
};
use crate::{
    base::port::{Direction, Port},
    sys::{
        bindings,
        percpu::ThisCpu,
        queue::Queue,
        rcu::Reader,
        reason::DropReason,
        skb::Skb,
        slot,
        version::Version,
        watch::{self, Watched},
        xdp::Action,
    },
};

mod batches;
mod destination;
mod enter;
mod resume;

pub(super) use batches::enter_batch;
pub(crate) use destination::Destination;
pub(crate) use enter::enter;
pub(super) use resume::resume;

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

/// What a handler knows beside its packet. Proof that it runs in the engine: in softirq or with
/// bottom halves off, and in an RCU read-side section.
pub struct Context<'r> {
    ppe: &'r Ppe,
    reader: Reader<'r>,
    cpu: ThisCpu,
    /// The block that runs.
    hop: &'r Hop,
    /// The block that the packet left before.
    from: &'r Hop,
    direction: Direction,
    /// How many blocks the packet may still pass in this walk.
    left: u32,
    /// By how many that is less than what [`HOP_LIMIT`] leaves, for the sake of [`CALL_LIMIT`](super::storm::CALL_LIMIT).
    held: u32,
    /// How many packets may still be made.
    room: u32,
    backlog: Queue<Destination<'r>>,
    /// What is to become of the packet that entered when no block takes it.
    unclaimed: Unclaimed,
    /// What was said to an skb that was made of a frame.
    made: Option<Verdict<Skb>>,
}

impl<'r> Context<'r> {
    /// That of a block to which a packet comes from another one, by a version.
    #[inline(always)]
    fn new<const BANK: usize>(
        ppe: &'r Ppe,
        version: Version<'r, BANK>,
        cpu: ThisCpu,
        (from, hop): (&'r Hop, &'r Hop),
        (direction, left): (Direction, u32),
        unclaimed: Unclaimed,
    ) -> Self {
        Self {
            ppe,
            reader: version.reader(),
            cpu,
            hop,
            from,
            direction,
            left,
            held: 0,
            room: BACKLOG_LIMIT,
            backlog: Queue::new(),
            unclaimed,
            made: None,
        }
    }

    /// The engine's counters.
    #[inline(always)]
    fn engine(&self) -> &'r EngineStats {
        self.ppe.stats().this(self.cpu)
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
        self.backlog.is_empty()
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
        self.cpu
    }

    /// How many packets wait for the end of the walk.
    pub(super) fn waiting(&self) -> u64 {
        self.engine().backlog.get()
    }

    /// A block holds a packet, by this number. It stands beside the counters, so other packets do not pay for it.
    #[inline]
    pub(super) fn note_held(&self, number: u64) {
        self.engine().holds.add(1);
        self.engine().held.set(number);
    }

    /// How many packets blocks have held on this CPU, and the number of the last.
    pub(super) fn held(&self) -> (u64, u64) {
        (self.engine().holds.get(), self.engine().held.get())
    }

    /// Whether the walk goes on with an skb that was made of its frame.
    pub(super) fn has_made(&self) -> bool {
        self.made.is_some()
    }

    /// The read-side section.
    #[inline]
    pub(super) fn reader(&self) -> Reader<'r> {
        self.reader
    }

    /// The engine, and the slot of the block that runs, where its type holds packets.
    #[inline]
    pub(super) fn place(&self) -> Option<(&'r Ppe, &'r Slot)> {
        Some((self.ppe, self.hop.own()?))
    }

    /// The blocks that the packet may still pass.
    #[inline]
    pub(super) fn left(&self) -> u32 {
        self.left.wrapping_add(self.held)
    }

    /// Lets a copy of a packet leave by a port once the current walk has ended. Says whether more
    /// copies may be made. One that cannot be made is counted as a drop.
    pub fn emit_clone<P: Packet>(&mut self, packet: &P, port: Port) -> bool {
        if self.room == 0 {
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
            None => self.drop_here(None, DropReason::NoMemory),
        }
        true
    }

    /// Lets a packet that was made here leave by a port once the current walk has ended.
    pub fn emit(&mut self, packet: Skb, port: Port) {
        self.engine().packets.add(1);
        self.engine().bytes.add(u64::from(packet.len()));
        if self.room == 0 {
            return self.drop_here(Some(packet), DropReason::Backlog);
        }
        if self.wait(packet, port) {
            self.room = self.room.wrapping_sub(1);
        }
    }

    /// Has a packet wait for the end of the walk, to leave by a port then. Says whether it does.
    pub(crate) fn wait(&mut self, packet: Skb, port: Port) -> bool {
        let Some(slot) = self.hop.port(port.direction, u32::from(port.index)) else {
            self.drop_here(Some(packet), DropReason::Unbound);
            return false;
        };
        let (direction, left) = (port.direction, self.left.wrapping_add(self.held));
        let from = self.hop;
        let next = Destination {
            slot,
            from,
            direction,
            left,
        };
        if let Err(packet) = self.backlog.push(packet, next) {
            self.drop_here(Some(packet), DropReason::NoMemory);
            return false;
        }
        let waiting = self.engine().backlog.get().wrapping_add(1);
        self.engine().backlog.set(waiting);
        if waiting > self.engine().backlog_max.get() {
            self.engine().backlog_max.set(waiting);
        }
        true
    }

    /// Counts an skb that is made of a frame, at the block that runs.
    pub(super) fn count_skb(&self) {
        self.hop.counters(self.cpu).made_skb();
    }

    /// The walk goes on with an skb that was made of its frame, and to which the block that runs says this.
    pub(super) fn go_on_with(&mut self, verdict: Verdict<Skb>) {
        self.made = Some(verdict);
    }

    /// Drops a packet at the block that runs.
    pub fn drop_here(&self, packet: Option<Skb>, reason: DropReason) {
        self.drop(self.hop, packet, reason);
    }

    /// Counts a packet that ends at a block for a bad reason.
    #[inline(always)]
    fn count_drop(&self, at: &Hop, reason: DropReason) {
        at.counters(self.cpu).dropped(reason);
        self.engine().drops.add(1);
    }

    #[cold]
    fn drop<P: Packet>(&self, at: &Hop, packet: Option<P>, reason: DropReason) {
        self.count_drop(at, reason);
        if Alarm::of(reason).is_some() || watch::is_on() {
            return self.drop_aloud(at, packet, reason);
        }
        if let Some(packet) = packet {
            packet.free(reason);
        }
    }

    /// Tells of a drop, and frees the packet. By calls, for which registers are saved: apart from what most drops need.
    #[cold]
    #[inline(never)]
    fn drop_aloud<P: Packet>(&self, at: &Hop, packet: Option<P>, reason: DropReason) {
        if let Some(alarm) = Alarm::of(reason) {
            self.engine().raise(alarm, at.idp());
            self.ppe.net().alarm();
        }
        if watch::is_on() {
            let hops = HOP_LIMIT.wrapping_sub(self.left).wrapping_sub(self.held);
            let packet = packet.as_ref().map_or(Watched::NONE, P::watched);
            watch::dropped(reason, at.idp(), hops, self.ppe.net(), packet);
        }
        if let Some(packet) = packet {
            packet.free(reason);
        }
    }

    /// A packet comes to a port without a peer, at a block. Given back where the stack is to have it.
    #[inline(always)]
    fn unbound<P: Packet>(
        &self,
        at: &Hop,
        mut packet: P,
        direction: Direction,
        observer: &mut impl Observer,
    ) -> Result<Action, P> {
        if self.unclaimed == Unclaimed::Stack && direction == Direction::Ingress {
            observer.ends(self, at, End::Unclaimed, Some(&mut packet));
            return self.give_back(packet);
        }
        let end = End::Dropped(DropReason::Unbound);
        observer.ends(self, at, end, Some(&mut packet));
        if P::IS_FRAME && !watch::is_on() {
            // What a call would take is most of a drop here: the driver frees the frame.
            self.count_drop(at, DropReason::Unbound);
        } else {
            self.drop(at, Some(packet), DropReason::Unbound);
        }
        Ok(Action::DROP)
    }

    /// No block takes the packet that entered.
    #[cold]
    fn give_back<P: Packet>(&self, packet: P) -> Result<Action, P> {
        self.engine().unclaimed.add(1);
        packet.give_back()
    }

    /// What comes after a block that has said this: another one, or the end.
    #[inline(always)]
    fn follow<P: Packet>(
        &mut self,
        hop: &'r Hop,
        verdict: Verdict<P>,
        direction: &mut Direction,
        observer: &mut impl Observer,
    ) -> Result<(P, &'r Slot), Result<Action, P>> {
        let (mut packet, next, index) = match verdict.decide() {
            Decision::Pass(packet) => (packet, hop.first(*direction), 0),
            Decision::Forward(packet, port) => {
                *direction = port.direction;
                self.direction = port.direction;
                let next = hop.port(port.direction, u32::from(port.index));
                (packet, next, port.index)
            }
            Decision::Drop(mut packet, reason) => {
                observer.ends(self, hop, End::Dropped(reason), packet.as_mut());
                self.drop(hop, packet, reason);
                return Err(Ok(Action::DROP));
            }
            Decision::Left(action) => {
                observer.ends::<P>(self, hop, End::Left, None);
                return Err(Ok(action));
            }
        };
        let direction = *direction;
        match next {
            Some(next) => {
                let end = End::Forwarded(Port { direction, index });
                observer.ends(self, hop, end, Some(&mut packet));
                Ok((packet, next))
            }
            None => Err(self.unbound(hop, packet, direction, observer)),
        }
    }

    /// Has a packet go from a block to what stands behind `slot`, from where on it may pass one block less. The context
    /// is that of the other block then. As [`Self::walk`] where it goes no further.
    #[inline(always)]
    fn step<const BANK: usize, P: Packet>(
        &mut self,
        version: Version<'r, BANK>,
        mut packet: P,
        (from, slot): (&'r Hop, &'r Slot),
        (direction, left): (Direction, &mut u32),
        observer: &mut impl Observer,
    ) -> Result<(P, &'r Hop), Result<Action, P>> {
        let Some(hop) = slot.hop(version) else {
            return Err(self.unbound(from, packet, direction, observer));
        };
        observer.comes(self, hop, &mut packet, direction);
        let Some(fewer) = left.checked_sub(1) else {
            return Err(Ok(self.goes_round(hop, packet, observer)));
        };
        (*left, self.left) = (fewer, fewer);
        (self.from, self.hop) = (from, hop);
        Ok((packet, hop))
    }

    /// A packet has passed as many blocks as one may. It ends at the one that it comes to.
    #[cold]
    #[inline(never)]
    fn goes_round<P: Packet>(
        &self,
        at: &Hop,
        mut packet: P,
        observer: &mut impl Observer,
    ) -> Action {
        let end = End::Dropped(DropReason::HopLimit);
        observer.ends(self, at, end, Some(&mut packet));
        self.drop(at, Some(packet), DropReason::HopLimit);
        Action::DROP
    }

    /// Walks a packet from the block of the context on until it ends: what a driver is to do with its frame, or the
    /// packet, where the stack is to have it. `hop`, `direction` and `left` are those of the context: what is needed for
    /// each hop is better off outside of what handlers get.
    #[inline(always)]
    fn walk<const BANK: usize, P: Packet>(
        &mut self,
        version: Version<'r, BANK>,
        mut packet: P,
        mut hop: &'r Hop,
        (mut direction, mut left): (Direction, u32),
        observer: &mut impl Observer,
    ) -> Result<Action, P> {
        loop {
            hop.counters(self.cpu).received(packet.len());
            let verdict = packet.call(hop, self);
            let slot;
            (packet, slot) = match self.follow(hop, verdict, &mut direction, observer) {
                Ok(next) => next,
                Err(end) => return end,
            };
            let way = (direction, &mut left);
            (packet, hop) = match self.step(version, packet, (hop, slot), way, observer) {
                Ok(next) => next,
                Err(end) => return end,
            };
        }
    }

    /// Walks a packet that goes from the block of the context to what stands behind `slot`.
    #[inline(always)]
    fn walk_on<const BANK: usize, P: Packet>(
        &mut self,
        version: Version<'r, BANK>,
        packet: P,
        slot: &'r Slot,
        observer: &mut impl Observer,
    ) -> Result<Action, P> {
        let (direction, mut left) = (self.direction, self.left);
        let way = (direction, &mut left);
        match self.step(version, packet, (self.hop, slot), way, observer) {
            Ok((packet, hop)) => self.walk(version, packet, hop, (direction, left), observer),
            Err(end) => end,
        }
    }

    /// Goes on with the skb that was made of a frame.
    #[cold]
    fn walk_made<const BANK: usize>(
        &mut self,
        version: Version<'r, BANK>,
        observer: &mut impl Observer,
    ) {
        let Some(verdict) = self.made.take() else {
            return;
        };
        let mut direction = self.direction;
        let end = match self.follow(self.hop, verdict, &mut direction, observer) {
            Ok((skb, slot)) => self.walk_on(version, skb, slot, observer),
            Err(end) => end,
        };
        if let Err(skb) = end {
            skb.up();
        }
    }

    /// Walks, one after the other, the packets that wait for the end of the first walk, which has called
    /// so many handlers.
    #[inline(never)]
    fn walk_waiting<const BANK: usize>(
        &mut self,
        version: Version<'r, BANK>,
        mut called: u32,
        observer: &mut impl Observer,
    ) {
        // What was made of a packet is not what the device received.
        self.unclaimed = Unclaimed::Drop;
        let engine = self.engine();
        let allowed = engine.storm.allowance();
        let mut calls = allowed;
        while let Some((mut packet, next)) = self.backlog.pop() {
            engine.backlog.set(engine.backlog.get().wrapping_sub(1));
            calls = calls.wrapping_sub(called);
            self.left = u32::min(next.left, calls);
            self.held = next.left.wrapping_sub(self.left);
            self.direction = next.direction;
            self.hop = next.from;
            let before = self.left;
            observer.next(self, next.from, &mut packet, next.direction, next.slot);
            // What was made in the graph is not given back.
            let _ = self.walk_on(version, packet, next.slot, observer);
            called = before.wrapping_sub(self.left);
            engine.calls.add(called.into());
        }
        let left = calls.wrapping_sub(called);
        engine.storm.pay(allowed.wrapping_sub(left));
    }
}
