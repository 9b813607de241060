// SPDX-License-Identifier: GPL-2.0

//! Probes: what looks at packets on their way, for `fbctl trace` and `fbctl capture`.
//!
//! A version of the wiring has its probes beside it. Where there are some, the entrances of that version say so, and
//! the packets that enter are walked by a second instance of the engine's code, which calls an [`Observer`].
//! Without probes that is `()`, which is nothing.
//!
//! A probe makes a netlink message of what it sees, and sends it to one socket. It takes no packet and changes none; a
//! message that cannot be made or sent is counted as lost.

use super::{
    engine::{Context, Hop},
    skb_or_frame::Packet,
};
use crate::{
    base::port::{Direction, Port},
    sys::{
        bindings,
        bpf::Program,
        context::Process,
        genl::{
            self,
            message::{Head, Message},
        },
        net::Net,
        percpu::{Count, PerCpu, ThisCpu},
        reason::DropReason,
        slot::Idp,
        time,
        watch::{self, Watched},
    },
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        Arc,
    },
};

/// How many probes a namespace may have.
pub(crate) const PROBES: usize = 4;
/// At how many blocks a probe captures.
pub(crate) const POINTS: usize = 16;
/// Among how many bytes the changes are found that a block makes.
const COMPARED: usize = 128;
/// How many changes of a packet at a block are told one by one.
const CHANGES: usize = 8;
/// As many bytes that are the same do not part two changes.
const GAP: usize = 4;
/// The room for the record of a trace, some of it for the headers.
const TRACE: usize = 16384 - 1024;
/// What a hop takes at most.
const HOP: usize = 128 + CHANGES * 16 + 2 * COMPARED;
/// Of how many packets of a walk a trace knows whether they are traced.
const KNOWN: usize = 256;

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
}

impl End {
    /// As it is told: which one, and the port or the reason.
    fn told(self) -> (u32, u32) {
        match self {
            Self::Forwarded(port) => (bindings::LANA_HOP_END_FORWARDED, port.index.into()),
            Self::Dropped(reason) => (bindings::LANA_HOP_END_DROPPED, reason as u32),
            Self::Left => (bindings::LANA_HOP_END_LEFT, 0),
            Self::Unclaimed => (bindings::LANA_HOP_END_UNCLAIMED, 0),
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
    /// The next of the packets is walked that were made of others, in the order in which they were made.
    fn next(&mut self);
}

/// Nobody looks.
impl Observer for () {
    #[inline(always)]
    fn comes<P: Packet>(&mut self, _: &Context<'_>, _: &Hop, _: &mut P, _: Direction) {}
    #[inline(always)]
    fn ends<P: Packet>(&mut self, _: &Context<'_>, _: &Hop, _: End, _: Option<&mut P>) {}
    #[inline(always)]
    fn next(&mut self) {}
}

/// What a probe looks at.
pub(crate) enum Looks {
    /// Packets from a block on, or from where they enter, through the graph.
    Trace {
        from: Option<Idp>,
        /// Those of which nothing was dropped; and the others.
        ends: [bool; 2],
    },
    /// Packets at blocks, as `LANA_PROBE_POINT_*` say.
    Capture { at: KVec<Idp>, points: u32 },
}

/// How much a probe looks at.
pub(crate) struct Bounds {
    /// Records, in all.
    pub(crate) limit: u64,
    /// Records a second.
    pub(crate) rate: u32,
    /// One of so many packets.
    pub(crate) sample: u32,
    /// Bytes of a packet.
    pub(crate) snaplen: u32,
}

/// A probe.
pub(crate) struct Probe {
    looks: Looks,
    filter: Option<Program>,
    bounds: Bounds,
    /// The socket, and the number of its request.
    socket: (u32, u32),
    /// Packets that were left out since the last that was not, by CPU.
    skipped: PerCpu<Count>,
    sent: Atomic<u64>,
    lost: Atomic<u64>,
    /// The second that `used` is of.
    second: Atomic<u64>,
    used: Atomic<u64>,
    closed: Atomic<u32>,
}

/// The probes of a version.
pub(crate) type Probes = KVec<Arc<Probe>>;

impl Probe {
    /// A probe for a socket. Sleeps.
    pub(crate) fn new(
        looks: Looks,
        filter: Option<Program>,
        bounds: Bounds,
        socket: (u32, u32),
        process: &Process,
    ) -> Result<Self> {
        let skipped = PerCpu::new(process)?;
        genl::count_probe(true);
        Ok(Self {
            looks,
            filter,
            bounds,
            socket,
            skipped,
            sent: Atomic::new(0),
            lost: Atomic::new(0),
            second: Atomic::new(0),
            used: Atomic::new(0),
            closed: Atomic::new(0),
        })
    }

    /// Whether it is for this socket.
    pub(crate) fn is_of(&self, portid: u32) -> bool {
        self.socket.0 == portid
    }

    /// Sees nothing any more.
    pub(crate) fn close(&self) {
        self.closed.store(1, Relaxed);
    }

    /// Whether it sees nothing any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Relaxed) != 0
    }

    /// Whether another record would be let through. Not the last word: that is [`Probe::admit`]'s.
    fn is_open(&self) -> bool {
        if self.is_closed() || self.sent.load(Relaxed) >= self.bounds.limit {
            return false;
        }
        let full = self.used.load(Relaxed) >= u64::from(self.bounds.rate);
        if full && self.second.load(Relaxed) == time::second() {
            self.lose();
            return false;
        }
        true
    }

    /// Whether a record is within what the probe may send.
    fn admit(&self) -> bool {
        let second = time::second();
        if self.second.load(Relaxed) != second {
            self.second.store(second, Relaxed);
            self.used.store(0, Relaxed);
        }
        if self.used.fetch_add(1, Relaxed) >= u64::from(self.bounds.rate) {
            self.lose();
            return false;
        }
        self.sent.fetch_add(1, Relaxed) < self.bounds.limit
    }

    fn lose(&self) {
        self.lost.fetch_add(1, Relaxed);
    }

    /// Whether a packet is one that the probe is to look at.
    fn wants<P: Packet>(&self, cpu: ThisCpu, packet: &mut P) -> bool {
        if self.bounds.sample > 1 {
            let skipped = self.skipped.this(cpu);
            let next = skipped.get().wrapping_add(1);
            if next < u64::from(self.bounds.sample) {
                skipped.set(next);
                return false;
            }
            skipped.set(0);
        }
        let filter = self.filter.as_ref();
        filter.is_none_or(|filter| packet.filter(filter) != 0) && self.is_open()
    }

    /// Begins a record of a packet that is at a block now.
    fn record<P: Packet>(
        &self,
        size: usize,
        idp: Idp,
        packet: &P,
        direction: Direction,
    ) -> Option<Record> {
        let begin = || -> Result<Record> {
            let (portid, seq) = self.socket;
            let (mut message, head) = Message::atomic(size, portid, seq, bindings::LANA_CMD_PROBE)?;
            let begun = time::now();
            message.put_uint(bindings::LANA_A_PROBE_TIME, time::real())?;
            message.put_u32(bindings::LANA_A_PROBE_IDP, idp)?;
            message.put_u32(bindings::LANA_A_PROBE_DIRECTION, direction as u32)?;
            if P::IS_FRAME {
                message.put_flag(bindings::LANA_A_PROBE_FRAME)?;
            }
            if let Some(tag) = packet.tag() {
                message.put_u32(bindings::LANA_A_PROBE_VLAN, tag)?;
            }
            let len = packet.len();
            message.put_u32(bindings::LANA_A_PROBE_LEN, len)?;
            let len = len.min(self.bounds.snaplen);
            message.put_with(bindings::LANA_A_PROBE_DATA, len, |to| packet.read(0, to))?;
            Ok(Record {
                message,
                head,
                begun,
                known: [0; KNOWN / 64],
                dropped: false,
                cut: false,
            })
        };
        begin().inspect_err(|_| self.lose()).ok()
    }

    /// The record of a packet that is captured.
    fn capture<P: Packet>(&self, idp: Idp, packet: &P, direction: Direction) -> Option<Record> {
        let size = packet.len().min(self.bounds.snaplen).saturating_add(256);
        self.record(size as usize, idp, packet, direction)
    }

    /// Sends a record.
    fn send(&self, mut record: Record, net: &Net) {
        if !self.admit() {
            return;
        }
        let lost = self.lost.load(Relaxed);
        let told = match lost {
            0 => Ok(()),
            lost => record.message.put_uint(bindings::LANA_A_PROBE_LOST, lost),
        };
        if told.is_err()
            || record
                .message
                .unicast(record.head, net, self.socket.0)
                .is_err()
        {
            self.lose();
        }
    }

    /// Sends the record of a packet that was captured.
    fn send_captured(&self, mut record: Record, point: u32, reason: Option<DropReason>, net: &Net) {
        let mut say = || -> Result {
            record
                .message
                .put_u32(bindings::LANA_A_PROBE_POINT, point)?;
            match reason {
                Some(reason) => record
                    .message
                    .put_u32(bindings::LANA_A_PROBE_REASON, reason as u32),
                None => Ok(()),
            }
        };
        match say() {
            Ok(()) => self.send(record, net),
            Err(_) => self.lose(),
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        genl::count_probe(false);
    }
}

/// A message that is being written.
struct Record {
    message: Message,
    head: Head,
    /// When it was begun.
    begun: u64,
    /// The packets that are traced, by number: a bit each.
    known: [u64; KNOWN / 64],
    /// Whether something was dropped.
    dropped: bool,
    /// Whether there was no room for what came then.
    cut: bool,
}

impl Record {
    /// Traces so many packets, from a number on, too.
    fn know(&mut self, first: u32, count: u32) {
        for number in (first..KNOWN as u32).take(count as usize) {
            if let Some(word) = self.known.get_mut((number / 64) as usize) {
                *word |= 1 << (number % 64);
            }
        }
    }

    fn knows(&self, number: u32) -> bool {
        let word = self.known.get((number / 64) as usize);
        word.is_some_and(|word| word >> (number % 64) & 1 != 0)
    }

    /// Adds a hop.
    fn add(&mut self, fill: impl FnOnce(&mut Message, u64) -> Result) {
        if self.cut {
            return;
        }
        let (begun, message) = (self.begun, &mut self.message);
        // What is behind the last hop is said in any case.
        self.cut = message.room() < 2 * HOP;
        let cut = self.cut;
        let added = message.nest(bindings::LANA_A_PROBE_HOP, |message| match cut {
            true => message.put_u32(bindings::LANA_A_HOP_END, bindings::LANA_HOP_END_CUT),
            false => fill(message, begun),
        });
        self.cut |= added.is_err();
    }
}

/// A packet as it came to a block.
struct Seen {
    time: u64,
    /// How long the block had it.
    took: u64,
    len: u32,
    frame: bool,
    direction: Direction,
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
    records: [Option<Record>; PROBES],
    /// The packet that is walked.
    packet: u32,
    /// How many were made.
    made: u32,
    /// How many of them were walked.
    walked: u32,
    /// How many waited when the packet came to the block.
    waiting: u64,
    seen: Seen,
}

impl<'r> Tracer<'r> {
    /// For a packet that enters at a block; none where no probe wants it.
    pub(super) fn new<P: Packet>(
        net: &'r Net,
        probes: &'r [Arc<Probe>],
        hop: &Hop,
        packet: &mut P,
        direction: Direction,
        cpu: ThisCpu,
    ) -> Option<Self> {
        let mut tracer = Self {
            net,
            probes,
            records: [const { None }; PROBES],
            packet: 0,
            made: 0,
            walked: 0,
            waiting: 0,
            seen: Seen {
                time: 0,
                took: 0,
                len: 0,
                frame: P::IS_FRAME,
                direction,
                first: First {
                    bytes: [0; COMPARED],
                    len: 0,
                },
            },
        };
        let mut wanted = watch::hops();
        for (probe, record) in probes.iter().zip(&mut tracer.records) {
            match probe.looks {
                Looks::Trace { from: None, .. } => {
                    if probe.wants(cpu, packet) {
                        *record = probe.record(TRACE, hop.idp(), packet, direction);
                        if let Some(record) = record {
                            record.know(0, 1);
                        }
                    }
                    wanted |= record.is_some();
                }
                _ => wanted |= !probe.is_closed(),
            }
        }
        wanted.then_some(tracer)
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
        for (probe, record) in self.probes.iter().zip(&mut self.records) {
            match &probe.looks {
                Looks::Trace { from, .. } => {
                    if record.is_none() && *from == Some(idp) && probe.wants(cx.cpu(), packet) {
                        *record = probe.record(TRACE, idp, packet, direction);
                        if let Some(record) = record {
                            record.know(self.packet, 1);
                        }
                    }
                }
                Looks::Capture { at, points } => {
                    if !at.contains(&idp) || !probe.wants(cx.cpu(), packet) {
                        continue;
                    }
                    if points & bindings::LANA_PROBE_POINT_IN != 0 {
                        if let Some(record) = probe.capture(idp, packet, direction) {
                            probe.send_captured(
                                record,
                                bindings::LANA_PROBE_POINT_IN,
                                None,
                                self.net,
                            );
                        }
                    }
                    if points & (bindings::LANA_PROBE_POINT_OUT | bindings::LANA_PROBE_POINT_DROPS)
                        != 0
                    {
                        *record = probe.capture(idp, packet, direction);
                    }
                }
            }
        }
        self.waiting = cx.waiting();
        self.seen = Seen {
            len: packet.len(),
            frame: P::IS_FRAME,
            direction,
            first: First::of(packet),
            took: 0,
            time: time::now(),
        };
    }

    fn ends<P: Packet>(&mut self, cx: &Context<'_>, hop: &Hop, end: End, packet: Option<&mut P>) {
        // The frame has ended, but the walk goes on with an skb that was made of it, of which the engine tells now.
        if P::IS_FRAME && matches!(end, End::Left) && cx.has_made() {
            return;
        }
        self.seen.took = time::now().saturating_sub(self.seen.time);
        if watch::hops() {
            let packet = packet
                .as_ref()
                .map_or(Watched::NONE, |packet| packet.watched());
            let (what, detail) = end.told();
            watch::hopped(self.net, packet, hop.idp(), what, detail);
        }
        let made = cx.waiting().saturating_sub(self.waiting) as u32;
        let first = packet
            .as_ref()
            .map(|packet| (packet.len(), First::of(&**packet)));
        let after = first.as_ref().map(|(len, first)| (*len, first));
        let mut records = core::mem::take(&mut self.records);
        for (probe, slot) in self.probes.iter().zip(&mut records) {
            let Looks::Capture { points, .. } = &probe.looks else {
                if let Some(record) = slot.as_mut().filter(|record| record.knows(self.packet)) {
                    self.hop(record, hop.idp(), end, made, after);
                    record.know(self.made.wrapping_add(1), made);
                }
                continue;
            };
            let Some(mut record) = slot.take() else {
                continue;
            };
            let (point, reason) = match end {
                End::Dropped(reason) => (bindings::LANA_PROBE_POINT_DROPS, Some(reason)),
                _ => (bindings::LANA_PROBE_POINT_OUT, None),
            };
            if points & point == 0 {
                continue;
            }
            if let (None, Some(packet)) = (reason, &packet) {
                // As it is now.
                match probe.capture(hop.idp(), &**packet, self.seen.direction) {
                    Some(now) => record = now,
                    None => continue,
                }
            }
            probe.send_captured(record, point, reason, self.net);
        }
        self.records = records;
        self.made = self.made.wrapping_add(made);
    }

    fn next(&mut self) {
        self.walked = self.walked.wrapping_add(1);
        self.packet = self.walked;
    }
}
