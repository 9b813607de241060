// SPDX-License-Identifier: GPL-2.0

//! How `netflow` tells of flows: a chore in process context, which ends flows, takes those that have ended, and sends
//! messages.

use super::{
    milliseconds,
    netflow::{
        exporter::{Exporter, Format, Statistics, Tally},
        record::{Flow, Times},
        setting::Target,
        template::Clock,
    },
    room,
    state::{Meter, Own, Tables},
    Collectors, List, LONGEST,
};
use address::Address;
use kernel::{
    sync::atomic::{Atomic, Relaxed},
    time::{delay::fsleep, Delta},
};
use lana::prelude::*;

/// Records that are looked at while packets of their CPU wait.
const LOOKED_AT: u32 = 1024;
/// Flows that are taken at once.
const TAKEN: usize = 128;
/// How long it is from one time that flows are looked for that are over to the next, in nanoseconds.
const LONGEST_TICK: u64 = time::SECOND;
const SHORTEST_TICK: u64 = time::SECOND / 50;
/// How long it is until more messages may be sent.
const PAUSE: u64 = time::SECOND / 250;
/// How long flows wait for a connection that is coming up or has no room.
const PATIENCE: u64 = time::SECOND;
/// How long it is from one look at such a connection to the next.
const LOOK: u64 = time::SECOND / 50;
/// The same where nothing waits for it.
const GLANCE: u64 = time::SECOND;

/// What a block wants to be told, and how.
pub(super) struct Setup {
    pub(super) format: Format,
    pub(super) times: Times,
    /// Messages a second.
    pub(super) rate: u64,
    /// How often all flows were to end.
    pub(super) flushes: u32,
    pub(super) collectors: Collectors,
}

impl Setup {
    /// Whether all collectors of another one are collectors of this one.
    fn has_collectors_of(&self, other: &Self) -> bool {
        let mut others = other.collectors.iter().flatten();
        let mine = || self.collectors.iter().flatten();
        others.all(|other| mine().any(|mine| Arc::ptr_eq(mine, other)))
    }

    /// How long it is from one time that flows are looked for to the next.
    fn tick(&self) -> u64 {
        let Times {
            active,
            idle,
            closing,
        } = self.times;
        let least = active.min(idle).min(closing.max(100));
        let tick = u64::from(least).saturating_mul(1_000_000) / 4;
        tick.clamp(SHORTEST_TICK, LONGEST_TICK)
    }
}

/// The head of a message of IPFIX up to its sequence number, with that.
const HEAD: usize = 12;
/// No sequence number.
const NOT_BEGUN: u64 = u64::MAX;

/// What has become of a connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Look {
    /// Messages go.
    Goes,
    /// They go, with templates first.
    Begins,
    /// They do not go.
    Misses,
    /// They do not go, and are to wait.
    Waits,
}

/// Where messages go.
pub(super) struct Collector {
    pub(super) target: Target,
    pub(super) source: Option<Address>,
    sender: send::Sender,
    /// Of a connection: whether all messages went to it since it had templates.
    follows: Atomic<bool>,
    /// When it had room last, or was found to be lost.
    had_room: Atomic<u64>,
    /// The sequence number of its first message, once there is one.
    begun_at: Atomic<u64>,
    messages: Atomic<u64>,
    flows: Atomic<u64>,
    bytes: Atomic<u64>,
    errors: Atomic<u64>,
    /// The number of the last error.
    error: Atomic<u32>,
}

impl Collector {
    pub(super) fn new(target: Target, source: Option<Address>, sender: send::Sender) -> Self {
        Self {
            target,
            source,
            sender,
            follows: Atomic::new(!target.is_connected()),
            had_room: Atomic::new(time::now()),
            begun_at: Atomic::new(NOT_BEGUN),
            messages: Atomic::new(0),
            flows: Atomic::new(0),
            bytes: Atomic::new(0),
            errors: Atomic::new(0),
            error: Atomic::new(0),
        }
    }

    /// Counts an error, if it has a number.
    fn failed(&self, error: Error) {
        self.errors.fetch_add(1_u64, Relaxed);
        self.error.store(error.to_errno().unsigned_abs(), Relaxed);
    }

    /// Looks after a connection. One that has had no room for less than `patience` is waited for.
    fn look(&self, patience: u64, process: &Process) -> Look {
        if !self.target.is_connected() {
            return Look::Goes;
        }
        let room = self.sender.look(process).unwrap_or_else(|error| {
            self.failed(error);
            // It may have been idle, so that nobody has looked.
            if self.follows.xchg(false, Relaxed) {
                self.had_room.store(time::now(), Relaxed);
            }
            send::Room::None
        });
        let now = time::now();
        match room {
            send::Room::None if now.saturating_sub(self.had_room.load(Relaxed)) < patience => {
                return Look::Waits;
            }
            send::Room::None => return Look::Misses,
            send::Room::Some => (),
            send::Room::New => self.begun_at.store(NOT_BEGUN, Relaxed),
        }
        self.had_room.store(now, Relaxed);
        match self.follows.xchg(true, Relaxed) {
            true => Look::Goes,
            false => Look::Begins,
        }
    }

    /// Whether a connection has no room now, though messages went by it.
    fn is_full(&self, patience: u64, process: &Process) -> bool {
        self.target.is_connected()
            && self.follows.load(Relaxed)
            && self.look(patience, process) == Look::Waits
    }

    /// Sends a message; false where it did not go.
    fn send(&self, message: &[u8], tally: &Tally, process: &Process) -> bool {
        let sent = match self.target.is_connected() {
            // Who has missed a message may have missed a template.
            true if !self.follows.load(Relaxed) => {
                self.errors.fetch_add(1_u64, Relaxed);
                return false;
            }
            true => self.send_connected(message, process),
            false => self.sender.send([&[], message], process),
        };
        if let Some(error) = sent.err().or(sent.ok().flatten()) {
            self.failed(error);
        }
        if sent.is_err() {
            return false;
        }
        self.messages.fetch_add(1_u64, Relaxed);
        self.flows.fetch_add(tally.flows, Relaxed);
        self.bytes.fetch_add(message.len() as u64, Relaxed);
        true
    }

    /// Sends a message by a connection, each of which has sequence numbers of its own.
    fn send_connected(&self, message: &[u8], process: &Process) -> Result<Option<Error>> {
        let (head, body) = message.split_at_checked(HEAD).ok_or(EINVAL)?;
        let mut head: [u8; HEAD] = head.try_into().map_err(|_| EINVAL)?;
        if let Some(place) = head.last_chunk_mut() {
            let sequence = u32::from_be_bytes(*place);
            if self.begun_at.load(Relaxed) == NOT_BEGUN {
                self.begun_at.store(sequence.into(), Relaxed);
            }
            let begun_at = self.begun_at.load(Relaxed) as u32;
            *place = sequence.wrapping_sub(begun_at).to_be_bytes();
        }
        let sent = self.sender.send([&head, body], process);
        self.follows.store(sent.is_ok(), Relaxed);
        sent
    }

    /// Shows what is counted, under the collector's number.
    pub(super) fn put(&self, number: u32, to: &mut dyn Options) {
        let target = self.target;
        let mut put = |what: &str, value: u64| {
            let mut key = Key::default();
            // It has room.
            let _ = fmt::Write::write_fmt(&mut key, format_args!("collector.{number}.{what}"));
            to.put(key.text(), format_args!("{value}"));
        };
        put("messages", self.messages.load(Relaxed));
        put("flows", self.flows.load(Relaxed));
        put("bytes", self.bytes.load(Relaxed));
        put("errors", self.errors.load(Relaxed));
        put("error", self.error.load(Relaxed).into());
        let mut key = Key::default();
        let _ = fmt::Write::write_fmt(&mut key, format_args!("collector.{number}"));
        to.put_config(key.text(), format_args!("{target}"));
    }
}

/// A short text.
#[derive(Default)]
struct Key {
    bytes: [u8; 32],
    len: usize,
}

impl Key {
    fn text(&self) -> &str {
        let bytes = self.bytes.get(..self.len).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl fmt::Write for Key {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let place = self.bytes.get_mut(self.len..).ok_or(fmt::Error)?;
        let place = place.get_mut(..text.len()).ok_or(fmt::Error)?;
        let bytes = place.iter_mut().zip(text.bytes());
        bytes.for_each(|(to, byte)| *to = byte);
        self.len = self.len.saturating_add(text.len());
        Ok(())
    }
}

/// What has been told so far.
#[derive(Clone, Copy, Default)]
pub(super) struct Progress {
    pub(super) messages: u64,
    pub(super) exported: Tally,
    /// What no collector was sent.
    pub(super) unsent: Tally,
    /// What the version has no record for.
    pub(super) unfit: Tally,
}

/// What tells of flows.
pub(super) struct Export {
    meter: Arc<Meter>,
    exporter: Exporter,
    flows: List<Flow>,
    progress: Progress,
    /// When flows were looked for last that are over.
    swept: u64,
    /// Until when messages have been paid for.
    paid: u64,
    /// How often all flows have been ended.
    flushes: u32,
    /// What was wanted last.
    setup: Option<Arc<Setup>>,
}

impl Export {
    /// Sleeps.
    pub(super) fn new(meter: Arc<Meter>) -> Result<Self> {
        Ok(Self {
            meter,
            exporter: Exporter::new(LONGEST as usize).ok_or(ENOMEM)?,
            flows: room(TAKEN).ok_or(ENOMEM)?,
            progress: Progress::default(),
            swept: 0,
            paid: 0,
            flushes: 0,
            setup: None,
        })
    }

    fn clock() -> Clock {
        Clock {
            uptime: milliseconds(),
            real: time::real(),
        }
    }

    /// Does something to the tables of each CPU: with their number, and that of the CPU.
    fn each(&self, mut f: impl FnMut(&Arc<Tables>, u32)) {
        for tables in self.meter.tables() {
            for cpu in CpuCell::<Own>::cpus() {
                f(&tables, cpu);
            }
        }
    }

    /// Ends flows that are over, or all.
    fn sweep(&self, times: &Times, all: bool, process: &Process) {
        self.each(|tables, cpu| {
            if !tables.has(cpu) {
                return;
            }
            let all = all || !tables.is_used();
            let now = milliseconds();
            let mut from = Some(0);
            while let Some(at) = from {
                let sweep = |own: &mut Own| {
                    tables.flush(cpu, own, times, &self.meter.counts);
                    let next = own.table.sweep(at, LOOKED_AT, (now, times), all);
                    tables.follow(cpu, own);
                    next
                };
                from = tables.cell.visit(cpu, process, sweep).flatten();
            }
        });
    }

    /// Looks after the connections of collectors: what is to be said of them all.
    fn look(&mut self, setup: &Setup, patience: u64, process: &Process) -> Look {
        let (mut all, mut begins) = (Look::Goes, false);
        for collector in setup.collectors.iter().flatten() {
            let look = collector.look(patience, process);
            begins |= look == Look::Begins;
            all = all.max(look);
        }
        if begins {
            self.exporter.refresh(&Self::clock());
        }
        all
    }

    /// Takes flows that have ended and tells of them, by so many messages or a few more, or until a connection is full. Says
    /// whether there are more.
    fn drain(&mut self, setup: &Setup, most: u64, patience: u64, process: &Process) -> bool {
        let clock = Self::clock();
        let mut sent = 0_u64;
        let (exporter, progress) = (&mut self.exporter, &mut self.progress);
        let lost = Tally {
            flows: progress.unsent.flows.wrapping_add(progress.unfit.flows),
            packets: self.meter.sum(|counts| &counts.lost_packets),
            bytes: self.meter.sum(|counts| &counts.lost_bytes),
        };
        let other = self.meter.sum(|counts| &counts.other);
        let malformed = self.meter.sum(|counts| &counts.malformed);
        exporter.statistics = Statistics {
            ignored: other.wrapping_add(malformed),
            lost,
            ..exporter.statistics
        };
        exporter.statistics.lost.add(&Tally {
            flows: 0,
            packets: progress.unsent.packets.wrapping_add(progress.unfit.packets),
            bytes: progress.unsent.bytes.wrapping_add(progress.unfit.bytes),
        });
        let mut unfit = Tally::default();
        let mut send = |message: &[u8], tally: &Tally| {
            sent = sent.saturating_add(1);
            let mut went = false;
            for collector in setup.collectors.iter().flatten() {
                went |= collector.send(message, tally, process);
            }
            match went {
                true => {
                    progress.messages = progress.messages.wrapping_add(1);
                    progress.exported.add(tally);
                }
                false => progress.unsent.add(tally),
            }
        };
        exporter.set_format(&setup.format, &clock, &mut send);
        let of_one = (setup.format.most / 64).max(1) as u64;
        let mut budget = most.saturating_mul(of_one);
        let mut more = false;
        'all: for tables in self.meter.tables() {
            let spec = tables.masks.spec;
            for cpu in CpuCell::<Own>::cpus() {
                let has_some = tables.waits(cpu);
                while tables.waits(cpu) {
                    let mut collectors = setup.collectors.iter().flatten();
                    if budget == 0 || collectors.any(|to| to.is_full(patience, process)) {
                        more = true;
                        break 'all;
                    }
                    let flows = &mut self.flows;
                    flows.clear();
                    let take = |own: &mut Own| {
                        own.table.take(flows);
                        tables.follow(cpu, own);
                    };
                    tables.cell.visit(cpu, process, take);
                    for flow in flows.iter() {
                        if !exporter.add(flow, spec, &clock, &mut send) {
                            unfit.add(&Tally::of(flow));
                        }
                    }
                    budget = budget.saturating_sub(flows.len() as u64);
                    if flows.is_empty() {
                        break;
                    }
                }
                // Records that are not needed go back to the pool.
                let back = |own: &mut Own| tables.give_back(own);
                let next = || tables.cell.visit(cpu, process, back).flatten();
                while let Some(chunk) = has_some.then(next).flatten() {
                    tables.back(chunk);
                }
            }
        }
        exporter.finish(&clock, &mut send);
        self.progress.unfit.add(&unfit);
        self.meter.set_progress(&self.progress);
        self.paid = self.paid.saturating_add(
            sent.saturating_mul(time::SECOND)
                .checked_div(setup.rate)
                .unwrap_or(0),
        );
        more
    }
}

impl Chore for Export {
    fn run(&mut self, process: &Process) -> Option<u64> {
        let setup = self.meter.setup()?;
        // Who is new has to hear of templates.
        let knows = |old: &Arc<Setup>| old.has_collectors_of(&setup);
        if !self.setup.as_ref().is_some_and(knows) {
            self.exporter.refresh(&Self::clock());
        }
        self.setup = Some(setup.clone());
        let now = time::now();
        let tick = setup.tick();
        let is_flush = self.flushes != setup.flushes;
        if is_flush || now.saturating_sub(self.swept) >= tick {
            self.sweep(&setup.times, is_flush, process);
            (self.swept, self.flushes) = (now, setup.flushes);
        }
        // What was not sent in the past is not sent all at once.
        self.paid = self.paid.max(now.saturating_sub(PAUSE));
        let owed = now.saturating_add(PAUSE).saturating_sub(self.paid);
        let most = match self.paid > now {
            true => 0,
            false => (owed.saturating_mul(setup.rate) / time::SECOND).max(1),
        };
        let look = self.look(&setup, PATIENCE, process);
        let waits = look == Look::Waits;
        let more = waits || most == 0 || self.drain(&setup, most, PATIENCE, process);
        self.meter.forget();
        let sums = self.meter.sums();
        let mut is_retired = false;
        self.each(|tables, _| is_retired |= !tables.is_used());
        if waits {
            return Some(LOOK);
        }
        if more || is_retired || sums.waiting > 0 {
            return Some(self.paid.saturating_sub(time::now()).max(PAUSE));
        }
        // Without a flow the next one says so.
        let next = || tick.saturating_sub(time::now().saturating_sub(self.swept));
        let flows = (sums.active > 0 || sums.due > 0).then(next);
        let glance = (look == Look::Misses).then_some(GLANCE);
        [flows, glance].into_iter().flatten().min()
    }

    fn end(&mut self, process: &Process) {
        let Some(setup) = self.meter.setup() else {
            return;
        };
        self.sweep(&setup.times, true, process);
        let until = time::now().saturating_add(PATIENCE);
        let patience = || until.saturating_sub(time::now());
        let wait = || fsleep(Delta::from_nanos(LOOK as i64));
        while self.meter.sums().waiting > 0 {
            let patience = patience();
            match self.look(&setup, patience, process) {
                Look::Waits => wait(),
                _ if self.drain(&setup, u64::MAX, patience, process) => (),
                _ => break,
            }
        }
        let collectors = || setup.collectors.iter().flatten();
        while collectors().any(|to| to.is_full(patience(), process)) {
            wait();
        }
    }
}
