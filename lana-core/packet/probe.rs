// SPDX-License-Identifier: GPL-2.0

//! Probes: what looks at packets on their way, for `fbctl trace` and `fbctl capture`.
//!
//! A version of the wiring has its probes beside it. What they see of a packet is told by a
//! [tracer](super::tracer). A probe makes a netlink message of what it sees, and sends it to one socket. It takes no packet and changes none; a
//! message that cannot be made or sent is counted as lost.

use super::skb_or_frame::Packet;
use crate::{
    base::port::Direction,
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
pub(super) const COMPARED: usize = 128;
/// How many changes of a packet at a block are told one by one.
pub(super) const CHANGES: usize = 8;
/// The room for the record of a trace, some of it for the headers.
pub(super) const TRACE: usize = 16384 - 1024;
/// What a hop takes at most.
const HOP: usize = 128 + CHANGES * 16 + 2 * COMPARED;
/// Of how many packets of a walk a trace knows whether they are traced.
const KNOWN: usize = 256;

/// So many packets that blocks hold are no longer followed when a record is lost.
const HOLDS: usize = 8;

/// So many packets that blocks hold are followed by a trace.
const FOLLOWED: usize = 1024;

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
    pub(super) looks: Looks,
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
    closed: Atomic<bool>,
    /// Packets of a trace that blocks hold, as [`mark`] has them: a newer one takes the place of an older one.
    followed: KVec<Atomic<u64>>,
}

/// Says of a packet that is followed that the record of its way so far was sent.
const TOLD: u64 = 1;

/// How the number of a packet that a block holds is noted; 0 is none.
fn mark(number: u64) -> u64 {
    number.wrapping_add(1).wrapping_shl(1)
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
        let mut followed = KVec::new();
        if let Looks::Trace { .. } = looks {
            followed.reserve(FOLLOWED, GFP_KERNEL)?;
            for _ in 0..FOLLOWED {
                followed.push(Atomic::new(0), GFP_KERNEL)?;
            }
        }
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
            closed: Atomic::new(false),
            followed,
        })
    }

    /// Where the packet stands that a block holds by this number, if it is followed.
    fn place(&self, number: u64) -> Option<&Atomic<u64>> {
        let place = number.checked_rem(FOLLOWED as u64)?;
        self.followed.get(place as usize)
    }

    /// A packet that is traced is held by a block: the trace goes on when it does.
    pub(super) fn follow(&self, number: u64) {
        if let Some(place) = self.place(number) {
            place.store(mark(number), Relaxed);
        }
    }

    /// Whether a packet is followed that goes on now, and if so, whether a record has told of it. Only once.
    pub(super) fn follows(&self, number: u64) -> Option<bool> {
        let place = self.place(number)?;
        let found = place.load(Relaxed);
        if found & !TOLD != mark(number) {
            return None;
        }
        place.store(0, Relaxed);
        (!self.is_closed()).then_some(found & TOLD != 0)
    }

    /// Notes of packets that blocks hold whether the record of their way was sent. If not, they are not followed:
    /// nobody has seen the beginning.
    fn note_told(&self, holds: &[Option<u64>], told: bool) {
        for &number in holds.iter().flatten() {
            let place = self.place(number);
            // One that has gone on meanwhile never waits again by this number.
            if let Some(place) = place.filter(|place| place.load(Relaxed) == mark(number)) {
                place.store(if told { mark(number) | TOLD } else { 0 }, Relaxed);
            }
        }
    }

    /// Whether it is for this socket.
    pub(crate) fn is_of(&self, portid: u32) -> bool {
        self.socket.0 == portid
    }

    /// Sees nothing any more.
    pub(crate) fn close(&self) {
        self.closed.store(true, Relaxed);
    }

    /// Whether it sees nothing any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Relaxed)
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

    /// Whether a record is within what the probe may send. One that goes on with an earlier one is a part of that.
    fn admit(&self, goes_on: bool) -> bool {
        if goes_on {
            return true;
        }
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

    /// How many records were lost.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }

    pub(super) fn lose(&self) {
        self.lost.fetch_add(1, Relaxed);
    }

    /// Whether a packet is one that the probe is to look at.
    pub(super) fn wants<P: Packet>(&self, cpu: ThisCpu, packet: &mut P) -> bool {
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

    /// Whether so many packets that enter are all among those that the probe leaves out.
    fn leaves_out(&self, cpu: ThisCpu, packets: u32) -> bool {
        let next = self.skipped.this(cpu).get().saturating_add(packets.into());
        let begins = matches!(self.looks, Looks::Trace { from: None, .. });
        self.is_closed() || begins && next < u64::from(self.bounds.sample)
    }

    /// Counts them as left out.
    fn leave_out(&self, cpu: ThisCpu, packets: u32) {
        self.skipped.this(cpu).add(packets.into());
    }

    /// Begins a record of a packet that is at a block now, which had held it by a number.
    pub(super) fn record<P: Packet>(
        &self,
        size: usize,
        idp: Idp,
        packet: &P,
        direction: Direction,
        held: Option<u64>,
    ) -> Option<KBox<Record>> {
        let begin = || -> Result<KBox<Record>> {
            let (portid, seq) = self.socket;
            let (mut message, head) = Message::atomic(size, portid, seq, bindings::LANA_CMD_PROBE)?;
            let begun = time::now();
            message.put_uint(bindings::LANA_A_PROBE_TIME, time::real())?;
            message.put_u32(bindings::LANA_A_PROBE_IDP, idp)?;
            message.put_u32(bindings::LANA_A_PROBE_DIRECTION, direction as u32)?;
            if P::IS_FRAME {
                message.put_flag(bindings::LANA_A_PROBE_FRAME)?;
            }
            if let Some(number) = held {
                message.put_uint(bindings::LANA_A_PROBE_HELD, number)?;
            }
            if let Some(tag) = packet.tag() {
                message.put_u32(bindings::LANA_A_PROBE_VLAN, tag)?;
            }
            let len = packet.len();
            message.put_u32(bindings::LANA_A_PROBE_LEN, len)?;
            let len = len.min(self.bounds.snaplen);
            message.put_with(bindings::LANA_A_PROBE_DATA, len, |to| packet.read(0, to))?;
            let record = Record {
                message,
                head,
                begun,
                known: [0; KNOWN / 64],
                holds: [None; HOLDS],
                goes_on: false,
                dropped: false,
                cut: false,
            };
            Ok(KBox::new(record, GFP_ATOMIC)?)
        };
        begin().inspect_err(|_| self.lose()).ok()
    }

    /// The record of a packet that is captured, at a block where it has entered the graph or at another one.
    pub(super) fn capture<P: Packet>(
        &self,
        idp: Idp,
        packet: &P,
        direction: Direction,
        entered: bool,
    ) -> Option<KBox<Record>> {
        let size = packet.len().min(self.bounds.snaplen).saturating_add(256);
        let mut record = self.record(size as usize, idp, packet, direction, None)?;
        if entered {
            let told = record.message.put_flag(bindings::LANA_A_PROBE_ENTERED);
            told.inspect_err(|_| self.lose()).ok()?;
        }
        Some(record)
    }

    /// Sends a record.
    pub(super) fn send(&self, mut record: KBox<Record>, net: &Net) {
        if !self.admit(record.goes_on) {
            return self.note_told(&record.holds, false);
        }
        let lost = self.lost();
        let told = match lost {
            0 => Ok(()),
            lost => record.message.put_uint(bindings::LANA_A_PROBE_LOST, lost),
        };
        let Record {
            message,
            head,
            holds,
            ..
        } = KBox::into_inner(record);
        let sent = told.and_then(|()| message.unicast(head, net, self.socket.0));
        if sent.is_err() {
            self.lose();
        }
        self.note_told(&holds, sent.is_ok());
    }

    /// Sends the record of a packet that was captured, with the port by which it leaves.
    pub(super) fn send_captured(
        &self,
        mut record: KBox<Record>,
        point: u32,
        port: Option<u32>,
        reason: Option<DropReason>,
        net: &Net,
    ) {
        let mut say = || -> Result {
            record
                .message
                .put_u32(bindings::LANA_A_PROBE_POINT, point)?;
            if let Some(port) = port {
                record.message.put_u32(bindings::LANA_A_PROBE_PORT, port)?;
            }
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

/// Whether none of the probes looks at so many packets that enter together. They are counted as left out then.
pub(super) fn leave_out(probes: &[Arc<Probe>], cpu: ThisCpu, packets: u32) -> bool {
    let none = probes.iter().all(|probe| probe.leaves_out(cpu, packets));
    if none {
        for probe in probes {
            probe.leave_out(cpu, packets);
        }
    }
    none
}

impl Drop for Probe {
    fn drop(&mut self) {
        genl::count_probe(false);
    }
}

/// A message that is being written. It stands in a box: a tracer with several of them is on the stack.
pub(super) struct Record {
    message: Message,
    head: Head,
    /// When it was begun.
    begun: u64,
    /// The packets that are traced, by number: a bit each.
    known: [u64; KNOWN / 64],
    /// Packets that blocks hold, by their numbers: the last ones.
    holds: [Option<u64>; HOLDS],
    /// Whether an earlier record has the way of the packet so far.
    pub(super) goes_on: bool,
    /// Whether something was dropped.
    pub(super) dropped: bool,
    /// Whether there was no room for what came then.
    cut: bool,
}

impl Record {
    /// Traces so many packets, from a number on, too.
    pub(super) fn know(&mut self, first: u32, count: u32) {
        for number in (first..KNOWN as u32).take(count as usize) {
            if let Some(word) = self.known.get_mut((number / 64) as usize) {
                *word |= 1 << (number % 64);
            }
        }
    }

    pub(super) fn knows(&self, number: u32) -> bool {
        let word = self.known.get((number / 64) as usize);
        word.is_some_and(|word| word >> (number % 64) & 1 != 0)
    }

    /// A block holds the packet.
    pub(super) fn holds(&mut self, number: u64) {
        self.holds.rotate_right(1);
        if let Some(first) = self.holds.first_mut() {
            *first = Some(number);
        }
    }

    /// Adds a hop.
    pub(super) fn add(&mut self, fill: impl FnOnce(&mut Message, u64) -> Result) {
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
