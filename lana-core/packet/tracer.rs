// SPDX-License-Identifier: GPL-2.0

//! What the [probes](super::probe) of a version, and the kernel's tracers, see of packets.
//!
//! Where there are probes, the entrances of the version say so, and the packets that enter are walked by a second
//! instance of the engine's code, which calls an [`Observer`]: a [`Tracer`]. Without probes that is `()`, which is
//! nothing.

use super::{
    engine::{Context, Hop},
    probe::{Looks, Probe, Record, CHANGES, COMPARED, PROBES, TRACE},
    skb_or_frame::Packet,
};
use crate::{
    base::port::{Direction, Port},
    sys::{
        bindings,
        net::Net,
        percpu::ThisCpu,
        reason::DropReason,
        slot::Idp,
        time,
        watch::{self, Watched},
    },
};
use core::ptr;
use kernel::{prelude::*, sync::Arc};

/// As many bytes that are the same do not part two changes.
const GAP: usize = 4;

/// What became of a packet at a block.
#[derive(Clone, Copy)]
pub(super) enum End {
    /// It goes on by a port.
    Forwarded(Port),
    Dropped(DropReason),
    /// It has left the graph.
    Left,
    /// The network stack gets it.
    Unclaimed,
    /// The block holds it, by this number.
    Held(u64),
}

impl End {
    /// As it is told: which one, and the port or the reason.
    fn told(self) -> (u32, u32) {
        match self {
            Self::Forwarded(port) => (bindings::LANA_HOP_END_FORWARDED, port.index.into()),
            Self::Dropped(reason) => (bindings::LANA_HOP_END_DROPPED, reason as u32),
            Self::Left => (bindings::LANA_HOP_END_LEFT, 0),
            Self::Unclaimed => (bindings::LANA_HOP_END_UNCLAIMED, 0),
            Self::Held(number) => (bindings::LANA_HOP_END_HELD, number as u32),
        }
    }
}

/// What the engine tells of the packets that it walks.
pub(super) trait Observer {
    /// A packet comes to a block.
    fn comes<P: Packet>(
        &mut self,
        cx: &Context<'_>,
        hop: &Hop,
        packet: &mut P,
        direction: Direction,
    );
    /// It has left it; the packet, where it is still there.
    fn ends<P: Packet>(&mut self, cx: &Context<'_>, hop: &Hop, end: End, packet: Option<&mut P>);
    /// The next of the packets is walked that were made of others, in the order in which they were made. A block sends
    /// it in a direction, to another one.
    fn next<P: Packet>(
        &mut self,
        cx: &Context<'_>,
        from: &Hop,
        packet: &mut P,
        direction: Direction,
        to: &Hop,
    );
}

/// Nobody looks.
impl Observer for () {
    #[inline(always)]
    fn comes<P: Packet>(&mut self, _: &Context<'_>, _: &Hop, _: &mut P, _: Direction) {}
    #[inline(always)]
    fn ends<P: Packet>(&mut self, _: &Context<'_>, _: &Hop, _: End, _: Option<&mut P>) {}
    #[inline(always)]
    fn next<P: Packet>(&mut self, _: &Context<'_>, _: &Hop, _: &mut P, _: Direction, _: &Hop) {}
}

/// A packet as it came to a block.
struct Seen {
    time: u64,
    /// How long the block had it.
    took: u64,
    len: u32,
    frame: bool,
    direction: Direction,
    /// It has entered the graph there.
    entered: bool,
    first: First,
}

/// The first bytes of a packet.
struct First {
    bytes: [u8; COMPARED],
    len: usize,
}

impl First {
    fn of<P: Packet>(packet: &P) -> Self {
        let (mut bytes, len) = ([0; COMPARED], (packet.len() as usize).min(COMPARED));
        let read = bytes.get_mut(..len).is_some_and(|to| packet.read(0, to));
        let len = if read { len } else { 0 };
        Self { bytes, len }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// Says which bytes differ: where, and both.
fn changes(old: &[u8], new: &[u8], mut tell: impl FnMut(usize, &[u8], &[u8]) -> Result) -> Result {
    let differs = |at: usize| old.get(at) != new.get(at);
    let both = old.len().min(new.len());
    let (mut at, mut told) = (0, 0);
    while at < both && told < CHANGES {
        if !differs(at) {
            at = at.wrapping_add(1);
            continue;
        }
        let (begin, mut end) = (at, at);
        while at < both && at.wrapping_sub(end) <= GAP {
            if differs(at) {
                end = at;
            }
            at = at.wrapping_add(1);
        }
        // The last one takes all that is left.
        told = told.wrapping_add(1);
        if told == CHANGES {
            end = (end..both).rev().find(|&at| differs(at)).unwrap_or(end);
        }
        let part = begin..=end;
        let (old, new) = (old.get(part.clone()), new.get(part));
        tell(begin, old.unwrap_or_default(), new.unwrap_or_default())?;
    }
    Ok(())
}

/// What the probes of a version see of a packet that has entered, and of what is made of it.
pub(super) struct Tracer<'r> {
    net: &'r Net,
    probes: &'r [Arc<Probe>],
    /// Of a trace, all along; of a capture, while the packet is at a block.
    records: [Option<KBox<Record>>; PROBES],
    /// The packet that is walked.
    packet: u32,
    /// How many were made.
    made: u32,
    /// How many of them were walked.
    walked: u32,
    /// How many waited when the packet came to the block.
    waiting: u64,
    /// How many had been held then.
    holds: u64,
    /// The number of the packet, where a block had held it: until it comes to that block.
    held: Option<u64>,
    /// The packet enters the graph at the block.
    enters: bool,
    seen: Seen,
}

impl<'r> Tracer<'r> {
    /// For a packet that enters at a block, or that goes on there, which has held it by a number; none where no probe
    /// wants it.
    pub(super) fn new<P: Packet>(
        net: &'r Net,
        probes: &'r [Arc<Probe>],
        hop: &Hop,
        packet: &mut P,
        direction: Direction,
        cpu: ThisCpu,
        held: Option<u64>,
    ) -> Option<Self> {
        let (idp, mut records) = (hop.idp(), [const { None }; PROBES]);
        let mut wanted = watch::hops();
        for (probe, record) in probes.iter().zip(&mut records) {
            let begins = matches!(probe.looks, Looks::Trace { from: None, .. });
            // What a block has held goes on with its trace, or has none: none begins in the middle of a way.
            let followed = held.and_then(|number| probe.follows(number));
            let enters = begins && held.is_none();
            if followed.is_some() || enters && probe.wants(cpu, packet) {
                *record = probe.record(TRACE, idp, packet, direction, held);
            }
            if let Some(record) = record {
                record.goes_on = followed == Some(true);
                record.know(0, 1);
            }
            wanted |= record.is_some() || !begins && !probe.is_closed();
        }
        wanted.then(|| Self {
            records,
            held,
            enters: held.is_none(),
            ..Self::empty(net, probes)
        })
    }

    /// For what a block does when it is woken: no packet is there yet.
    pub(super) fn of_none(net: &'r Net, probes: &'r [Arc<Probe>]) -> Option<Self> {
        let wanted = watch::hops() || probes.iter().any(|probe| !probe.is_closed());
        wanted.then(|| Self::empty(net, probes))
    }

    fn empty(net: &'r Net, probes: &'r [Arc<Probe>]) -> Self {
        Self {
            net,
            probes,
            records: [const { None }; PROBES],
            packet: 0,
            made: 0,
            walked: 0,
            waiting: 0,
            holds: 0,
            held: None,
            enters: false,
            seen: Seen {
                time: 0,
                took: 0,
                len: 0,
                frame: false,
                direction: Direction::Ingress,
                entered: false,
                first: First {
                    bytes: [0; COMPARED],
                    len: 0,
                },
            },
        }
    }

    /// The walk has ended, and those of all that was made.
    pub(super) fn finish(mut self) {
        for (probe, record) in self.probes.iter().zip(&mut self.records) {
            let (Some(record), Looks::Trace { ends, .. }) = (record.take(), &probe.looks) else {
                continue;
            };
            let [ok, dropped] = *ends;
            if if record.dropped { dropped } else { ok } {
                probe.send(record, self.net);
            }
        }
    }

    /// Adds a hop to a trace.
    fn hop(
        &self,
        record: &mut Record,
        idp: Idp,
        end: End,
        made: u32,
        after: Option<(u32, &First)>,
    ) {
        let (packet, first, seen) = (self.packet, self.made.wrapping_add(1), &self.seen);
        record.dropped |= matches!(end, End::Dropped(_));
        record.add(|message, begun| {
            message.put_u32(bindings::LANA_A_HOP_PACKET, packet)?;
            message.put_u32(bindings::LANA_A_HOP_IDP, idp)?;
            message.put_u32(bindings::LANA_A_HOP_DIRECTION, seen.direction as u32)?;
            message.put_uint(bindings::LANA_A_HOP_TIME, seen.time.saturating_sub(begun))?;
            message.put_uint(bindings::LANA_A_HOP_TOOK, seen.took)?;
            if seen.frame {
                message.put_flag(bindings::LANA_A_HOP_FRAME)?;
            }
            if seen.entered {
                message.put_flag(bindings::LANA_A_HOP_ENTERED)?;
            }
            let (what, detail) = end.told();
            if let End::Forwarded(port) = end {
                let direction = port.direction as u32;
                message.put_u32(bindings::LANA_A_HOP_PORT_DIRECTION, direction)?;
                message.put_u32(bindings::LANA_A_HOP_PORT, detail)?;
            }
            if let End::Dropped(_) = end {
                message.put_u32(bindings::LANA_A_HOP_REASON, detail)?;
            }
            message.put_u32(bindings::LANA_A_HOP_END, what)?;
            if let End::Held(number) = end {
                message.put_uint(bindings::LANA_A_HOP_HELD, number)?;
            }
            if made > 0 {
                message.put_u32(bindings::LANA_A_HOP_MADE, made)?;
                message.put_u32(bindings::LANA_A_HOP_MADE_FIRST, first)?;
            }
            let Some((len, after)) = after else {
                return Ok(());
            };
            if len != seen.len {
                message.put_u32(bindings::LANA_A_HOP_LEN, len)?;
            }
            changes(seen.first.bytes(), after.bytes(), |at, old, new| {
                message.nest(bindings::LANA_A_HOP_CHANGE, |message| {
                    message.put_u32(bindings::LANA_A_CHANGE_OFFSET, at as u32)?;
                    message.put(bindings::LANA_A_CHANGE_OLD, old)?;
                    message.put(bindings::LANA_A_CHANGE_NEW, new)
                })
            })
        });
    }
}

impl Observer for Tracer<'_> {
    fn comes<P: Packet>(
        &mut self,
        cx: &Context<'_>,
        hop: &Hop,
        packet: &mut P,
        direction: Direction,
    ) {
        let idp = hop.idp();
        let (entered, goes_on) = (core::mem::take(&mut self.enters), self.held.is_some());
        self.seen.entered = entered;
        for (probe, record) in self.probes.iter().zip(&mut self.records) {
            match &probe.looks {
                Looks::Trace { from, .. } => {
                    let begins = *from == Some(idp) && !goes_on;
                    if record.is_none() && begins && probe.wants(cx.cpu(), packet) {
                        *record = probe.record(TRACE, idp, packet, direction, None);
                        if let Some(record) = record {
                            record.know(self.packet, 1);
                        }
                    }
                }
                Looks::Capture { at, points } => {
                    if !at.contains(&idp) || !probe.wants(cx.cpu(), packet) {
                        continue;
                    }
                    // What the block has held was captured when it came.
                    if points & bindings::LANA_PROBE_POINT_IN != 0 && !goes_on {
                        if let Some(record) = probe.capture(idp, packet, direction, entered) {
                            probe.send_captured(
                                record,
                                bindings::LANA_PROBE_POINT_IN,
                                None,
                                None,
                                self.net,
                            );
                        }
                    }
                    if points & (bindings::LANA_PROBE_POINT_OUT | bindings::LANA_PROBE_POINT_DROPS)
                        != 0
                    {
                        *record = probe.capture(idp, packet, direction, entered);
                    }
                }
            }
        }
        (self.waiting, self.holds, self.held) = (cx.waiting(), cx.held().0, None);
        // The rest is for records: a clock and a copy take as long as many blocks.
        if !self.records.iter().any(Option::is_some) {
            return;
        }
        self.seen = Seen {
            len: packet.len(),
            frame: P::IS_FRAME,
            direction,
            first: First::of(packet),
            took: 0,
            entered,
            time: time::now(),
        };
    }

    fn ends<P: Packet>(&mut self, cx: &Context<'_>, hop: &Hop, end: End, packet: Option<&mut P>) {
        let (holds, held) = cx.held();
        let end = match end {
            // The block has it wait, which is the one way to hold a packet.
            End::Left if holds != self.holds => End::Held(held),
            end => end,
        };
        let made = cx.waiting().saturating_sub(self.waiting) as u32;
        if watch::hops() {
            let packet = packet
                .as_ref()
                .map_or(Watched::NONE, |packet| packet.watched());
            let (what, detail) = end.told();
            watch::hopped(self.net, packet, hop.idp(), what, detail);
        }
        if !self.records.iter().any(Option::is_some) {
            self.made = self.made.wrapping_add(made);
            return;
        }
        self.seen.took = time::now().saturating_sub(self.seen.time);
        let first = packet
            .as_ref()
            .map(|packet| (packet.len(), First::of(&**packet)));
        let after = first.as_ref().map(|(len, first)| (*len, first));
        let mut records = core::mem::take(&mut self.records);
        for (probe, slot) in self.probes.iter().zip(&mut records) {
            let Looks::Capture { points, .. } = &probe.looks else {
                if let Some(record) = slot.as_mut().filter(|record| record.knows(self.packet)) {
                    self.hop(record, hop.idp(), end, made, after);
                    if let End::Held(number) = end {
                        probe.follow(number);
                        record.holds(number);
                    }
                    record.know(self.made.wrapping_add(1), made);
                }
                continue;
            };
            let Some(mut record) = slot.take() else {
                continue;
            };
            let (point, reason) = match end {
                End::Dropped(reason) => (bindings::LANA_PROBE_POINT_DROPS, Some(reason)),
                // It leaves when the block lets it go on.
                End::Held(_) => continue,
                _ => (bindings::LANA_PROBE_POINT_OUT, None),
            };
            if points & point == 0 {
                continue;
            }
            if let (None, Some(packet)) = (reason, &packet) {
                // As it is now, and the way it goes.
                let direction = match end {
                    End::Forwarded(port) => port.direction,
                    _ => self.seen.direction,
                };
                match probe.capture(hop.idp(), &**packet, direction, self.seen.entered) {
                    Some(now) => record = now,
                    None => continue,
                }
            }
            let port = match end {
                End::Forwarded(port) => Some(u32::from(port.index)),
                _ => None,
            };
            probe.send_captured(record, point, port, reason, self.net);
        }
        self.records = records;
        self.made = self.made.wrapping_add(made);
    }

    fn next<P: Packet>(
        &mut self,
        cx: &Context<'_>,
        from: &Hop,
        packet: &mut P,
        direction: Direction,
        to: &Hop,
    ) {
        self.walked = self.walked.wrapping_add(1);
        self.packet = self.walked;
        let (point, idp) = (bindings::LANA_PROBE_POINT_OUT, from.idp());
        for probe in self.probes {
            let Looks::Capture { at, points } = &probe.looks else {
                continue;
            };
            let is_of = points & point != 0 && at.contains(&idp);
            if !is_of || !probe.wants(cx.cpu(), packet) {
                continue;
            }
            if let Some(record) = probe.capture(idp, packet, direction, false) {
                let leads = |port: &u32| {
                    let hop = from.port(direction, *port);
                    hop.is_some_and(|hop| ptr::eq(hop, to))
                };
                let port = (0..from.ports(direction)).find(leads);
                probe.send_captured(record, point, port, None, self.net);
            }
        }
    }
}
