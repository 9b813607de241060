// SPDX-License-Identifier: GPL-2.0

//! What a block has held goes on from that block, in a walk of its own.

use super::{Context, Hop, Slot, Walk, HOP_LIMIT};
use crate::{
    base::port::Direction,
    packet::{
        entrance::Ppe,
        probe::Probes,
        tracer::{Observer, Tracer},
        verdict::Unclaimed,
    },
    sys::{hold::Due, percpu::ThisCpu, rcu::Reader},
};

impl Context<'_> {
    /// Has [`Block::notices`](crate::graph::block::Block::notices) called within a tenth of a second or so. For blocks
    /// that have an event of their own to tell.
    #[cold]
    #[inline(never)]
    pub fn notify(&self) {
        self.walk.ppe.net().alarm();
    }

    /// Has [`Block::ports`](crate::graph::block::Block::ports) called soon, as if something below had changed. For
    /// blocks that watch their ports, and find out by themselves that one is of no use.
    #[cold]
    #[inline(never)]
    pub fn review_ports(&self) {
        self.walk.ppe.net().chores(false);
    }
}

/// What a block has waited for is there: it goes on from that block.
pub(in crate::packet) fn resume<'r>(
    ppe: &'r Ppe,
    slot: &'r Slot,
    mut due: Due,
    reader: Reader<'r>,
    cpu: ThisCpu,
) {
    let version = ppe.version(reader);
    let Some(hop) = slot.hop(version) else {
        // The block has gone, and so does what it has held.
        return;
    };
    let probes: Option<&Probes> = ppe.live().beside(version);
    if let Some(probes) = probes {
        let tracer = match &mut due {
            Due::Packet(held) => {
                let (direction, number) = (held.direction, Some(held.number));
                let packet = &mut held.packet;
                Tracer::new(ppe.net(), probes, hop, packet, direction, cpu, number)
            }
            Due::Wake => Tracer::of_none(ppe.net(), probes),
        };
        if let Some(mut tracer) = tracer {
            go_on(ppe, reader, hop, due, cpu, &mut tracer);
            return tracer.finish();
        }
    }
    go_on(ppe, reader, hop, due, cpu, &mut ());
}

/// The same at a hop. Those with an observer and those without share no stack frame.
#[inline(never)]
fn go_on<'r>(
    ppe: &'r Ppe,
    reader: Reader<'r>,
    hop: &'r Hop,
    mut due: Due,
    cpu: ThisCpu,
    observer: &mut impl Observer,
) {
    // It is not what a device has just received.
    let (way, unclaimed) = ((Direction::Ingress, HOP_LIMIT), Unclaimed::Drop);
    let walk = Walk::new(ppe, reader, cpu, unclaimed);
    let mut cx = Context::new(&walk, (hop, hop), way);
    if let Due::Packet(held) = &mut due {
        (cx.direction, cx.left) = (held.direction, held.left);
        observer.comes(&cx, hop, &mut held.packet, held.direction);
        // What is held again and again comes to an end, too.
        match held.left.checked_sub(1) {
            Some(fewer) => cx.left = fewer,
            None => {
                if let Due::Packet(held) = due {
                    cx.goes_round(hop, held.packet, observer);
                }
                return;
            }
        }
    }
    let before = cx.left;
    let verdict = cx.call(|hop, walk, from, way| hop.call_due(due, walk, from, way));
    if let Some(verdict) = verdict {
        cx.walk_after(verdict, observer);
    }
    walk.engine().resumed();
    if !cx.none_waits() {
        let called = before.wrapping_sub(cx.left).wrapping_add(1);
        walk.walk_waiting(called, observer);
    }
}
