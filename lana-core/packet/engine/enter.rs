// SPDX-License-Identifier: GPL-2.0

//! A packet enters a graph by itself: its walk, and those of the packets that are made from it.

use super::{Context, Hop, Slot, Walk, ENTRY_LIMIT, HOP_LIMIT};
use crate::{
    base::port::{Direction, Port},
    packet::{
        entrance::Ppe,
        probe::Probes,
        skb_or_frame::Packet,
        tracer::{End, Observer, Tracer},
        verdict::Unclaimed,
    },
    sys::{percpu::ThisCpu, rcu::Reader, version::Version, xdp::Action},
};

/// A packet enters the graph by the block behind `slot`, which stands for the device or the socket
/// it came by. It leaves that block by its first port of a direction (ingress for a device, egress
/// for a socket) or, when only that is bound, by the one of the other: so two devices with blocks
/// between them make a bridge. Given back when nobody enters there in the version that is live, or
/// when no block takes it and the one of the device wants that; else it has ended, and a driver is to do this with
/// its frame. `entries` is how often it has left a graph by a device before.
#[inline(always)]
pub(crate) fn enter<'r, P: Packet>(
    ppe: &'r Ppe,
    slot: &'r Slot,
    direction: Direction,
    packet: P,
    entries: u16,
    reader: Reader<'r>,
    cpu: ThisCpu,
) -> Result<Action, P::Back> {
    let version = ppe.version(reader);
    let Some(by) = slot
        .hop(version)
        .and_then(|hop| Some((hop, hop.entrance()?)))
    else {
        return pass_rarely(ppe, slot, version, direction, packet, entries, cpu);
    };
    let how = (direction, entries);
    run(ppe, reader, packet, cpu, by, how, &mut ())
}

/// By which block a packet has entered, and what is to become of it when no block takes it.
type By<'r> = (&'r Hop, Unclaimed);

/// Which way, and how often it has left a graph before.
type How = (Direction, u16);

/// The same where nobody enters, or where the version has probes.
#[cold]
#[inline(never)]
pub(super) fn pass_rarely<'r, P: Packet>(
    ppe: &'r Ppe,
    slot: &'r Slot,
    version: Version<'r>,
    direction: Direction,
    mut packet: P,
    entries: u16,
    cpu: ThisCpu,
) -> Result<Action, P::Back> {
    let Some(by) = slot.hop(version).and_then(|hop| Some((hop, hop.probed()?))) else {
        return packet.give_back();
    };
    let (how, reader) = ((direction, entries), version.reader());
    let probes: Option<&Probes> = ppe.live().beside(version);
    let probes = probes.map_or(&[][..], |probes| probes);
    match Tracer::new(ppe.net(), probes, by.0, &mut packet, direction, cpu, None) {
        Some(mut tracer) => {
            let end = run(ppe, reader, packet, cpu, by, how, &mut tracer);
            tracer.finish();
            end
        }
        None => run(ppe, reader, packet, cpu, by, how, &mut ()),
    }
}

/// A packet has entered.
#[inline(always)]
fn run<'r, P: Packet>(
    ppe: &'r Ppe,
    reader: Reader<'r>,
    mut packet: P,
    cpu: ThisCpu,
    (hop, unclaimed): By<'r>,
    (direction, entries): How,
    observer: &mut impl Observer,
) -> Result<Action, P::Back> {
    hop.counters(cpu).entered(packet.len());
    let mut way = direction;
    let next = hop.next(way).or_else(|| {
        way = direction.opposite();
        hop.next(way)
    });
    let Some(next) = next.filter(|_| entries < ENTRY_LIMIT) else {
        return ends_here(
            ppe,
            reader,
            packet,
            cpu,
            (hop, unclaimed),
            (direction, entries),
            observer,
        );
    };
    let left = HOP_LIMIT.wrapping_sub(1);
    let walk = Walk::new(ppe, reader, cpu, unclaimed);
    let mut cx = Context::new(&walk, (hop, next), (way, left));
    observer.comes(&cx, hop, &mut packet, direction);
    let port = Port {
        direction: way,
        index: 0,
    };
    observer.ends(&cx, hop, End::Forwarded(port), Some(&mut packet));
    observer.comes(&cx, next, &mut packet, way);
    let end = cx.walk(packet, observer);
    if cx.none_waits() {
        return end;
    }
    others_follow(&walk, cx.left, end, observer)
}

/// The packets that wait go on after the one that has entered, which could have passed so many blocks more, and has ended
/// so. Apart: what has ended need not be kept in registers for their sake.
#[cold]
#[inline(never)]
fn others_follow<'r, B>(
    walk: &'r Walk<'r>,
    left: u32,
    end: Result<Action, B>,
    observer: &mut impl Observer,
) -> Result<Action, B> {
    walk.walk_waiting(HOP_LIMIT.wrapping_sub(left), observer);
    end
}

/// A packet ends at the block that it has entered by, which leads nowhere, or as it has entered too often.
#[cold]
fn ends_here<'r, P: Packet>(
    ppe: &'r Ppe,
    reader: Reader<'r>,
    mut packet: P,
    cpu: ThisCpu,
    (hop, unclaimed): By<'r>,
    (direction, entries): How,
    observer: &mut impl Observer,
) -> Result<Action, P::Back> {
    let way = (direction, HOP_LIMIT);
    let walk = Walk::new(ppe, reader, cpu, unclaimed);
    let cx = Context::new(&walk, (hop, hop), way);
    observer.comes(&cx, hop, &mut packet, direction);
    if entries < ENTRY_LIMIT {
        return cx.unbound(hop, packet, Direction::Ingress, observer);
    }
    cx.goes_round(hop, packet, observer);
    Ok(Action::DROP)
}
