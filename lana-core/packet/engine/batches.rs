// SPDX-License-Identifier: GPL-2.0

//! Batches go through a graph as single packets do, with one call of a handler for many.

use super::{
    enter::pass_rarely, Context, Hop, Slot, Walk, BACKLOG_LIMIT, BATCH_BACKLOG_LIMIT,
    BATCH_CALL_LIMIT, HOP_LIMIT,
};
use crate::{
    base::port::Direction,
    packet::{
        batch::Batch,
        entrance::Ppe,
        probe::{self, Probes},
        storm::CALL_LIMIT,
        verdict::Unclaimed,
    },
    sys::{percpu::ThisCpu, rcu::Reader, reason::DropReason, watch},
};

impl<'r> Context<'r> {
    /// Walks a batch from the block at `first` on until all of it has ended or waits. Handlers may be called `calls` times.
    fn walk_batch(&mut self, batch: &mut Batch, first: Option<&'r Hop>, calls: &mut u32) {
        let mut next = first;
        while batch.len() > 0 {
            let Some(hop) = next else {
                return batch.drain(|packet| self.drop_here(Some(packet), DropReason::Unbound));
            };
            (self.from, self.hop) = (self.hop, hop);
            let fewer = calls.checked_sub(batch.len());
            let Some(fewer) = fewer.filter(|_| self.left > 0) else {
                return batch.drain(|packet| self.drop_here(Some(packet), DropReason::HopLimit));
            };
            *calls = fewer;
            self.left = self.left.wrapping_sub(1);
            hop.counters(self.cpu())
                .received_batch(batch.len(), batch.bytes());
            self.call(|hop, walk, from, way| hop.call_batch(batch, walk, from, way));
            let port = batch.port().unwrap_or(self.first());
            self.direction = port.direction;
            next = hop.port(port.direction, port.index.into());
        }
    }
}

/// Packets enter the graph together, from a device, as with [`super::enter`] each of them does. They go by
/// one version, which is the one that is live now; what no block takes is dropped. Left in the batch
/// when nobody enters there.
#[inline(always)]
pub(in crate::packet) fn enter_batch<'r>(
    ppe: &'r Ppe,
    slot: &'r Slot,
    batch: &mut Batch,
    reader: Reader<'r>,
    cpu: ThisCpu,
) {
    let version = ppe.version(reader);
    let Some(hop) = slot.hop(version) else {
        return;
    };
    if hop.entrance().is_none() {
        if hop.probed().is_none() {
            return;
        }
        let probes: Option<&Probes> = ppe.live().beside(version);
        let probes = probes.map_or(&[][..], |probes| probes);
        if watch::hops() || !probe::leave_out(probes, cpu, batch.len()) {
            // Probes look at packets one by one.
            return batch.drain(|packet| {
                let direction = Direction::Ingress;
                let _ = pass_rarely(ppe, slot, version, direction, packet, 0, cpu);
            });
        }
    }
    let engine = ppe.stats().this(cpu);
    let mut calls = CALL_LIMIT.saturating_mul(batch.len()).min(BATCH_CALL_LIMIT);
    let room = BACKLOG_LIMIT.saturating_mul(batch.len());
    let (way, unclaimed) = ((Direction::Ingress, HOP_LIMIT), Unclaimed::Drop);
    let walk = Walk::new(ppe, reader, cpu, unclaimed);
    walk.room.set(room.min(BATCH_BACKLOG_LIMIT));
    let mut cx = Context::new(&walk, (hop, hop), way);
    hop.counters(cpu).entered_batch(batch.len(), batch.bytes());

    if !hop.is_bound(Direction::Ingress) {
        cx.direction = Direction::Egress;
    }
    let mut first = hop.port(cx.direction, 0);
    loop {
        cx.walk_batch(batch, first, &mut calls);
        let Some(next) = batch.fill_from(&walk.backlog) else {
            break;
        };
        let waiting = engine.backlog.get();
        engine
            .backlog
            .set(waiting.wrapping_sub(u64::from(batch.len())));
        (cx.direction, cx.left, first) = (next.direction, next.left, Some(next.to));
        cx.hop = next.from;
    }
}
