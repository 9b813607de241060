// SPDX-License-Identifier: GPL-2.0

//! Messages of NetFlow 5, NetFlow 9 (RFC 3954) and IPFIX (RFC 7011).

use super::{
    key::Spec,
    message::Message,
    record::{since, Ends, Flow},
    sampling::{Mode, Sampling},
    template::{self, Clock, Kind},
};

/// How messages look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Five,
    Nine,
    Ipfix,
}

/// Numbers of sets: in NetFlow 9, and in IPFIX.
const TEMPLATES: [u16; 2] = [0, 2];
const OPTIONS_TEMPLATES: [u16; 2] = [1, 3];
/// Numbers of the templates for options.
const SAMPLING: u16 = template::FIRST + 256;
const STATISTICS: u16 = template::FIRST + 257;
/// Records of a message of version 5, at most.
const FIVE_MOST: u16 = 30;
const FIVE_RECORD: usize = 48;

/// How flows are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) version: Version,
    /// Source, observation domain or engine.
    pub(crate) domain: u32,
    /// The most bytes of a message.
    pub(crate) most: usize,
    pub(crate) sampling: Option<Sampling>,
    /// Templates are told of again after so many milliseconds, or messages.
    pub(crate) template_time: u32,
    pub(crate) template_messages: u32,
}

/// Flows, and what they have seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) flows: u64,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

impl Tally {
    #[inline(never)]
    pub(crate) fn add(&mut self, other: &Self) {
        self.flows = self.flows.wrapping_add(other.flows);
        self.packets = self.packets.wrapping_add(other.packets);
        self.bytes = self.bytes.wrapping_add(other.bytes);
    }

    /// A flow.
    pub(crate) fn of(flow: &Flow) -> Self {
        let (packets, bytes) = flow.sums();
        Self {
            flows: 1,
            packets,
            bytes,
        }
    }
}

/// What the exporter tells of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Statistics {
    /// Messages, and bytes of these.
    pub(crate) messages: u64,
    pub(crate) octets: u64,
    pub(crate) exported: u64,
    /// Packets that belong to no flow.
    pub(crate) ignored: u64,
    /// What no collector hears of.
    pub(crate) lost: Tally,
}

/// Sends a message, in which there is so much.
pub(crate) type Send<'a> = &'a mut dyn FnMut(&[u8], &Tally);

/// Writes messages.
pub(crate) struct Exporter {
    message: Message,
    format: Option<Format>,
    /// As the version has it: flows, messages, or records before this message.
    sequence: u32,
    /// Templates that have been told of, as bits.
    told: [u64; 4],
    /// Whether the options have been.
    has_told_options: bool,
    /// Whether they are to be told of again, before the next record.
    is_due: bool,
    /// When they were told of last.
    refreshed: u32,
    /// Messages since then.
    messages: u32,
    /// The number of the set that is open, and where it begins.
    set: Option<(u16, usize)>,
    /// Records in this message: all, and those of data.
    records: u16,
    data: u16,
    tally: Tally,
    pub(crate) statistics: Statistics,
}

impl Exporter {
    /// None without memory. Messages have so many bytes at most.
    pub(crate) fn new(most: usize) -> Option<Self> {
        Some(Self {
            message: Message::new(most)?,
            format: None,
            sequence: 0,
            told: [0; 4],
            has_told_options: false,
            is_due: false,
            refreshed: 0,
            messages: 0,
            set: None,
            records: 0,
            data: 0,
            tally: Tally::default(),
            statistics: Statistics::default(),
        })
    }

    /// Tells of templates and options again, before the next record.
    pub(crate) fn refresh(&mut self, clock: &Clock) {
        self.told = [0; 4];
        self.has_told_options = false;
        self.refreshed = clock.uptime;
        self.messages = 0;
    }

    /// Messages look like this from now on. Those of another version are another stream.
    pub(crate) fn set_format(&mut self, format: &Format, clock: &Clock, send: Send<'_>) {
        let before = self.format;
        if before == Some(*format) {
            return;
        }
        self.finish(clock, send);
        if before.is_none_or(|before| before.version != format.version) {
            self.sequence = 0;
        }
        self.message.limit(format.most);
        self.format = Some(*format);
        self.refresh(clock);
    }

    /// Tells of a flow. False where its version has no record for it.
    pub(crate) fn add(&mut self, flow: &Flow, spec: Spec, clock: &Clock, send: Send<'_>) -> bool {
        let Some(format) = self.format else {
            return false;
        };
        match format.version {
            Version::Five if flow.is_v6() => false,
            Version::Ipfix => {
                self.add_record(flow, spec, &format, clock, send);
                true
            }
            version => {
                let mut is_turned = false;
                let mut forward = *flow;
                forward.hot.last = flow.last();
                forward.reverse = super::record::Reverse::EMPTY;
                let mut one = Some(forward);
                while let Some(next) = one {
                    match version {
                        Version::Five => self.add_five(&next, spec, &format, clock, send),
                        _ => self.add_record(&next, spec, &format, clock, send),
                    }
                    one = flow.turned().filter(|_| !is_turned);
                    is_turned = true;
                }
                true
            }
        }
    }

    /// Sends what has been written.
    #[inline(never)]
    pub(crate) fn finish(&mut self, clock: &Clock, send: Send<'_>) {
        let Some(format) = self.format.filter(|_| self.records > 0) else {
            return self.clear();
        };
        self.close();
        let message = &mut self.message;
        let count = match format.version {
            Version::Ipfix => message.len() as u16,
            _ => self.records,
        };
        message.set(2, count.to_be_bytes());
        send(message.bytes(), &self.tally);
        let statistics = &mut self.statistics;
        statistics.messages = statistics.messages.wrapping_add(1);
        statistics.octets = statistics.octets.wrapping_add(message.len() as u64);
        statistics.exported = statistics.exported.wrapping_add(self.tally.flows);
        let passed = match format.version {
            Version::Nine => 1,
            Version::Five | Version::Ipfix => u32::from(self.data),
        };
        self.sequence = self.sequence.wrapping_add(passed);
        self.messages = self.messages.saturating_add(1);
        let is_old = since(clock.uptime, self.refreshed) >= format.template_time;
        self.is_due |= is_old || self.messages >= format.template_messages;
        self.clear();
    }

    fn clear(&mut self) {
        self.message.clear();
        self.set = None;
        (self.records, self.data) = (0, 0);
        self.tally = Tally::default();
    }

    /// Begins a message, unless one has begun.
    fn begin(&mut self, format: &Format, clock: &Clock) {
        if self.message.len() > 0 {
            return;
        }
        let message = &mut self.message;
        match format.version {
            Version::Five => {
                message.put_u16(5);
                message.put_u16(0);
                message.put_u32(clock.uptime);
                message.put_u32(clock.seconds());
                message.put_u32(clock.nanoseconds());
                message.put_u32(self.sequence);
                message.put_u8(0);
                message.put_u8(format.domain as u8);
                message.put_u16(format.sampling.map_or(0, of_five));
            }
            Version::Nine => {
                message.put_u16(9);
                message.put_u16(0);
                message.put_u32(clock.uptime);
                message.put_u32(clock.seconds());
                message.put_u32(self.sequence);
                message.put_u32(format.domain);
            }
            Version::Ipfix => {
                message.put_u16(10);
                message.put_u16(0);
                message.put_u32(clock.seconds());
                message.put_u32(self.sequence);
                message.put_u32(format.domain);
            }
        }
    }

    /// Ends the set that is open.
    fn close(&mut self) {
        let Some((_, at)) = self.set.take() else {
            return;
        };
        self.message.pad();
        let len = self.message.len().saturating_sub(at) as u16;
        self.message.set(at.saturating_add(2), len.to_be_bytes());
    }

    /// How many bytes a record of so many takes in a set. That has four bytes in front, and is filled up; the one before may
    /// still have to be.
    fn wanted(&self, set: u16, size: usize) -> usize {
        let is_open = self.set.is_some_and(|(open, _)| open == set);
        size.saturating_add(if is_open { 3 } else { 3 + 4 + 3 })
    }

    /// Has a set open of a number, and room for a record of so many bytes in it.
    fn open(&mut self, set: u16, size: usize, format: &Format, clock: &Clock, send: Send<'_>) {
        if self.message.left() < self.wanted(set, size) {
            self.finish(clock, send);
        }
        self.begin(format, clock);
        if self.set.is_none_or(|(open, _)| open != set) {
            self.close();
            self.set = Some((set, self.message.len()));
            self.message.put_u16(set);
            self.message.put_u16(0);
        }
    }

    #[inline(never)]
    fn add_record(
        &mut self,
        flow: &Flow,
        spec: Spec,
        format: &Format,
        clock: &Clock,
        send: Send<'_>,
    ) {
        let is_ipfix = format.version == Version::Ipfix;
        let kind = template::kind(spec, flow.is_v6(), is_ipfix, format.sampling.is_some());
        let size = template::size(kind);
        let number = template::number(kind);
        // A template is in front of the first record that needs it, in the same message if it is long enough.
        let mut wanted = self.wanted(number, size);
        if !self.has_told_options {
            wanted = wanted.saturating_add(OPTIONS);
        }
        if !self.knows(kind) {
            let described = template::described(kind);
            wanted = wanted.saturating_add(described).saturating_add(4 + 3);
        }
        if self.message.len() > 0 && self.message.left() < wanted {
            self.finish(clock, send);
        }
        if core::mem::take(&mut self.is_due) {
            self.refresh(clock);
        }
        self.tell_options(format, clock, send);
        self.tell_template(kind, format, clock, send);
        self.open(number, size, format, clock, send);
        template::write(flow, kind, spec, clock, &mut self.message);
        self.records = self.records.wrapping_add(1);
        self.data = self.data.wrapping_add(1);
        self.tally.add(&Tally::of(flow));
    }

    fn knows(&self, kind: Kind) -> bool {
        let at = usize::from(kind & 0xff);
        let told = self.told.get(at / 64).copied().unwrap_or(0);
        told >> (at % 64) & 1 != 0
    }

    fn tell_template(&mut self, kind: Kind, format: &Format, clock: &Clock, send: Send<'_>) {
        if self.knows(kind) {
            return;
        }
        let set = number_of(TEMPLATES, format.version);
        self.open(set, template::described(kind), format, clock, send);
        template::describe(kind, &mut self.message);
        self.records = self.records.wrapping_add(1);
        let at = usize::from(kind & 0xff);
        if let Some(told) = self.told.get_mut(at / 64) {
            *told |= 1 << (at % 64);
        }
    }

    /// Tells how packets are chosen, and what the exporter has done so far.
    #[inline(never)]
    fn tell_options(&mut self, format: &Format, clock: &Clock, send: Send<'_>) {
        if self.has_told_options {
            return;
        }
        self.has_told_options = true;
        if let Some(sampling) = format.sampling {
            self.tell(
                SAMPLING,
                &sampled(sampling, format.version),
                format,
                clock,
                send,
            );
        }
        let statistics = self.statistics;
        self.tell(STATISTICS, &of_itself(&statistics), format, clock, send);
    }

    /// Tells of options, by their template and a record.
    #[inline(never)]
    fn tell(
        &mut self,
        number: u16,
        options: &[(u16, u16, u64)],
        format: &Format,
        clock: &Clock,
        send: Send<'_>,
    ) {
        let is_ipfix = format.version == Version::Ipfix;
        let lens = options.iter().map(|(_, len, _)| usize::from(*len));
        let size = lens.fold(4, usize::saturating_add);
        let count = options.len().saturating_add(1);
        let described = count.saturating_mul(4).saturating_add(6);
        let set = number_of(OPTIONS_TEMPLATES, format.version);
        self.open(set, described, format, clock, send);
        let message = &mut self.message;
        message.put_u16(number);
        if is_ipfix {
            message.put_u16(count as u16);
            message.put_u16(1);
            // The scope: the observation domain.
            message.put_u16(149);
        } else {
            message.put_u16(4);
            message.put_u16((options.len() as u16).wrapping_mul(4));
            // The scope: the system.
            message.put_u16(1);
        }
        message.put_u16(4);
        for (number, len, _) in options {
            message.put_u16(*number);
            message.put_u16(*len);
        }
        self.records = self.records.wrapping_add(1);
        self.open(number, size, format, clock, send);
        let message = &mut self.message;
        message.put_u32(format.domain);
        for (_, len, value) in options {
            match len {
                1 => message.put_u8(*value as u8),
                2 => message.put_u16(*value as u16),
                4 => message.put_u32(*value as u32),
                _ => message.put_u64(*value),
            }
        }
        self.records = self.records.wrapping_add(1);
        if is_ipfix {
            self.data = self.data.wrapping_add(1);
        }
    }

    /// Tells of a flow in version 5: by several records where the numbers do not fit into one.
    #[inline(never)]
    fn add_five(
        &mut self,
        flow: &Flow,
        spec: Spec,
        format: &Format,
        clock: &Clock,
        send: Send<'_>,
    ) {
        let Ends::V4(source, destination) = flow.ends() else {
            return;
        };
        let (mut packets, mut bytes) = (flow.hot.packets, flow.hot.bytes);
        let most = u64::from(u32::MAX);
        let mut parts = packets.div_ceil(most).max(bytes.div_ceil(most)).max(1);
        let mut flows = 1;
        while parts > 0 {
            if self.message.left() < FIVE_RECORD || self.records >= FIVE_MOST {
                self.finish(clock, send);
            }
            self.begin(format, clock);
            let share = |whole: u64| whole.checked_div(parts).unwrap_or(whole);
            let (some_packets, some_bytes) = (share(packets), share(bytes));
            let (from, to) = flow.ports();
            let message = &mut self.message;
            message.put_u32(source);
            message.put_u32(destination);
            message.put_u32(0);
            message.put_u16(flow.input() as u16);
            message.put_u16(flow.rest.output as u16);
            message.put_u32(some_packets as u32);
            message.put_u32(some_bytes as u32);
            message.put_u32(flow.hot.first);
            message.put_u32(flow.hot.last);
            message.put_u16(from);
            message.put_u16(to);
            message.put(&[0, flow.hot.flags, flow.protocol(), flow.tos()]);
            message.put_u32(0);
            message.put(&[spec.prefix4, spec.prefix4, 0, 0]);
            self.records = self.records.wrapping_add(1);
            self.data = self.data.wrapping_add(1);
            self.tally.add(&Tally {
                flows,
                packets: some_packets,
                bytes: some_bytes,
            });
            flows = 0;
            packets = packets.wrapping_sub(some_packets);
            bytes = bytes.wrapping_sub(some_bytes);
            parts = parts.wrapping_sub(1);
        }
    }
}

/// What options and headers of sets take at most, with their templates.
const OPTIONS: usize = 276;

fn number_of([nine, ipfix]: [u16; 2], version: Version) -> u16 {
    match version {
        Version::Ipfix => ipfix,
        _ => nine,
    }
}

/// How packets are chosen, as version 5 and version 9 have it.
fn mode(sampling: Sampling) -> u16 {
    match sampling.mode {
        Mode::Deterministic => 1,
        Mode::Random | Mode::Hash => 2,
    }
}

fn of_five(sampling: Sampling) -> u16 {
    mode(sampling) << 14 | sampling.interval as u16 & 0x3fff
}

/// How packets are chosen: elements, their lengths, and what they are.
fn sampled(sampling: Sampling, version: Version) -> [(u16, u16, u64); 5] {
    let interval = u64::from(sampling.interval);
    let (first, last) = ((34, 4, interval), (35, 1, u64::from(mode(sampling))));
    if version != Version::Ipfix {
        let mode = u64::from(mode(sampling));
        return [first, last, (48, 1, 1), (49, 1, mode), (50, 4, interval)];
    }
    let others = interval.saturating_sub(1);
    let [a, b, c] = match sampling.mode {
        // selectorAlgorithm, samplingPacketInterval, samplingPacketSpace.
        Mode::Deterministic => [(304, 2, 1), (305, 4, 1), (306, 4, others)],
        // selectorAlgorithm, samplingSize, samplingPopulation.
        Mode::Random => [(304, 2, 3), (309, 4, 1), (310, 4, interval)],
        // flowSelectorAlgorithm, samplingFlowInterval, samplingFlowSpacing (RFC 7014).
        Mode::Hash => [(390, 2, 4), (396, 8, 1), (397, 8, others)],
    };
    [first, last, a, b, c]
}

/// What the exporter has done: see RFC 7011, 4.
fn of_itself(statistics: &Statistics) -> [(u16, u16, u64); 7] {
    let lost = &statistics.lost;
    [
        // exportedOctetTotalCount, exportedMessageTotalCount, exportedFlowRecordTotalCount.
        (40, 8, statistics.octets),
        (41, 8, statistics.messages),
        (42, 8, statistics.exported),
        // ignoredPacketTotalCount.
        (164, 8, statistics.ignored),
        // notSentFlowTotalCount, notSentPacketTotalCount, notSentOctetTotalCount.
        (166, 8, lost.flows),
        (167, 8, lost.packets),
        (168, 8, lost.bytes),
    ]
}
