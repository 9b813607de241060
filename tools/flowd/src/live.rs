// SPDX-License-Identifier: GPL-2.0

//! Flows of packets that come now: a thread for each ring, which keeps flows of its own, and one that tells of them.

use crate::{
    cli::{Cli, Settings},
    export::{Export, Told},
    flows::{Counts, Flows, Pool},
    netflow::{
        key::{Place, Spec},
        record::Flow,
        template::Clock,
    },
    report::{Report, Ring},
};
use anyhow::{anyhow, Context, Result};
use lana::prelude::Direction;
use lana_cli::{denied, kernel, usage};
use lana_netlink::errno_text;
use lana_receive::{Fanout, Method, Options, Packet, Source};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1},
    iterator::Signals,
    low_level::emulate_default_handler,
};
use std::{
    io::{self, ErrorKind, Write},
    iter,
    sync::{
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc::{sync_channel, Receiver, SyncSender, TrySendError},
        Mutex, MutexGuard, PoisonError,
    },
    thread::{self, Builder},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Bytes that are kept of a packet: its headers, with some of those that few have.
const KEPT: u32 = 256;
/// Lists of flows of each thread that may wait to be told of.
const WAITING: usize = 64;
/// Lists of flows that are told of at once.
const AT_ONCE: usize = 8;
/// How often a ring is asked what it has lost, and whether its device is there.
const LOOK: u64 = 200;
/// How much later than the clock a packet may have come.
const EARLY: i64 = 1_000_000_000;

/// What comes by a ring, as far as others see it.
struct Part {
    name: String,
    thread: usize,
    /// Counters, and packets for which the ring had no room.
    counted: Mutex<(Counts, u64)>,
}

/// What all threads have in common.
struct Common {
    start: Instant,
    parts: Vec<Part>,
    told: Mutex<Told>,
    stop: AtomicBool,
    /// Packets that came, where some number of them is the end.
    seen: AtomicU64,
    wanted: Option<u64>,
}

/// A ring that is open, and its device.
struct Opened {
    source: Box<dyn Source>,
    name: String,
    thread: usize,
    device: Option<u32>,
}

fn held<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

impl Common {
    /// Counters of all rings, and what was lost.
    fn counted(&self) -> (Counts, u64) {
        let (mut counts, mut lost) = (Counts::default(), 0);
        for part in &self.parts {
            let counted = held(&part.counted);
            counts.add(&counted.0);
            lost += counted.1;
        }
        (counts, lost)
    }

    fn report(&self) -> Report {
        let rings = self.parts.iter().map(|part| {
            let counted = held(&part.counted);
            Ring {
                name: part.name.clone(),
                thread: part.thread,
                packets: counted.0.seen(),
                lost: counted.1,
            }
        });
        let rings = rings.collect();
        Report::new(self.counted().0, held(&self.told).clone(), rings)
    }

    /// Milliseconds since the start.
    fn uptime(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Flows, and who tells of them.
struct Keeper {
    flows: Flows,
    to: SyncSender<Vec<Flow>>,
    /// Flows for which there is no room there.
    held: Option<Vec<Flow>>,
    /// The time of the last packet, in nanoseconds since the start.
    last: i64,
}

impl Keeper {
    /// Counts a packet, where it is `now` and times since 1970 are larger than that by `offset`.
    fn count(&mut self, packet: &Packet<'_>, now: i64, offset: i64) {
        let time = packet
            .time
            .map_or(now, |time| nanoseconds(time).saturating_sub(offset));
        self.last = time.min(now.saturating_add(EARLY)).max(self.last);
        let time = u64::try_from(self.last).unwrap_or_default() / 1_000_000;
        let place = Place {
            device: packet.input,
            tag: packet.vlan.map(|vlan| vlan.tci),
            egress: packet.direction == Some(lana_receive::Direction::Egress),
            segment: packet.segment,
            fills: false,
        };
        let (output, time) = (packet.output, around(time));
        self.flows
            .count(packet.data, packet.len, &place, output, time);
        if self.flows.is_due() {
            self.hand_over(false);
        }
    }

    /// Hands over flows that have ended, where they are many, or all. Those for which there is no room wait.
    #[cold]
    fn hand_over(&mut self, all: bool) {
        while self.held.is_some() || all || self.flows.is_due() {
            let some = self.held.take().unwrap_or_else(|| self.flows.take());
            if some.is_empty() {
                return;
            }
            if let Err(TrySendError::Full(some)) = self.to.try_send(some) {
                self.held = Some(some);
                return;
            }
        }
    }

    /// Ends all flows, and waits until they have been taken.
    fn end(&mut self, now: u64) {
        self.flows.sweep(around(now), true);
        let held = self.held.take();
        let rest = iter::from_fn(|| Some(self.flows.take()).filter(|some| !some.is_empty()));
        for some in held.into_iter().chain(rest) {
            // Who tells of them is there for as long as this.
            let _ = self.to.send(some);
        }
    }
}

/// What receives by a ring.
struct Meter<'a> {
    common: &'a Common,
    part: &'a Part,
    source: Box<dyn Source>,
    device: Option<u32>,
    keeper: Keeper,
    /// When flows were looked for last that are over, and from where to go on.
    swept: u64,
    from: Option<u32>,
    /// When the ring was asked last what it has lost, and all that it has lost.
    looked: u64,
    lost: u64,
}

/// Milliseconds, which begin anew after 49 days.
#[expect(clippy::cast_possible_truncation, reason = "it goes round")]
fn around(milliseconds: u64) -> u32 {
    milliseconds as u32
}

impl Meter<'_> {
    /// Counts packets until it is to stop and none is left: then all flows end.
    fn run(mut self) -> io::Result<()> {
        let done = self.receive();
        self.keeper.end(self.common.uptime());
        self.lost += self.source.lost().unwrap_or_default();
        self.publish();
        done
    }

    fn receive(&mut self) -> io::Result<()> {
        let (mut closed, mut empty) = (false, 0);
        // A block that is not full is there a little later.
        while !closed || empty < 2 {
            if !closed && self.common.stop.load(Relaxed) {
                closed = true;
                self.source.keep(0)?;
            }
            let got = match self.batch() {
                // It comes back, or is found to be gone.
                Err(error) if error.kind() == ErrorKind::NetworkDown => 0,
                got => got?,
            };
            empty = if got == 0 { empty + 1 } else { 0 };
            self.tend(got == 0)?;
        }
        Ok(())
    }

    /// Counts what has come.
    fn batch(&mut self) -> io::Result<usize> {
        let now = nanoseconds(self.common.start.elapsed());
        let offset = nanoseconds(since_1970()).saturating_sub(now);
        let keeper = &mut self.keeper;
        let before = keeper.flows.counts().seen();
        let got = self
            .source
            .batch(&mut |packet| keeper.count(packet, now, offset));
        keeper.flows.settle();
        if let Some(wanted) = self.common.wanted {
            let new = keeper.flows.counts().seen() - before;
            if self.common.seen.fetch_add(new, Relaxed) + new >= wanted {
                self.common.stop.store(true, Relaxed);
            }
        }
        got
    }

    /// Ends flows that are over, and hands over those that have ended. Where nothing came there is time for more of it.
    fn tend(&mut self, idle: bool) -> io::Result<()> {
        let (now, keeper) = (self.common.uptime(), &mut self.keeper);
        if now - self.looked >= LOOK {
            self.looked = now;
            self.lost += self.source.lost()?;
            if self
                .device
                .is_some_and(|device| !lana_receive::exists(device))
            {
                return Err(io::Error::new(ErrorKind::NotFound, "the device is gone"));
            }
        }
        if self.from.is_none() && now - self.swept >= keeper.flows.tick() {
            self.swept = now;
            self.from = Some(0);
        }
        let mut swept = false;
        while let Some(from) = self.from {
            self.from = keeper.flows.sweep_some(from, around(now), false);
            swept = self.from.is_none();
            if !idle {
                break;
            }
        }
        keeper.hand_over(swept);
        if swept {
            keeper.flows.give_back();
        }
        self.publish();
        Ok(())
    }

    fn publish(&self) {
        *held(&self.part.counted) = (self.keeper.flows.counts(), self.lost);
    }
}

/// Tells of flows until there is nobody who keeps any.
fn tell(export: &mut Export, spec: Spec, from: &Receiver<Vec<Flow>>, common: &Common) {
    while let Ok(first) = from.recv() {
        let mut flows = vec![first];
        flows.extend(from.try_iter().take(AT_ONCE - 1));
        let clock = Clock {
            uptime: around(common.uptime()),
            real: u64::try_from(since_1970().as_nanos()).unwrap_or(u64::MAX),
        };
        let (counts, lost) = common.counted();
        let ignored = counts.ignored() + lost;
        export.tell(
            flows.iter().flatten(),
            spec,
            &clock,
            ignored,
            &counts.lost(),
        );
        *held(&common.told) = export.told();
    }
}

/// Opens the rings. Packets come to none before all are there.
fn open(cli: &Cli, settings: &Settings) -> Result<Vec<Opened>> {
    let mut opened = Vec::new();
    let options = Options {
        outgoing: settings.config.direction.include(Direction::Egress),
        promiscuous: cli.promiscuous,
        details: true,
        closed: true,
        ..Options::new(cli.buffer)
    };
    for name in &cli.devices {
        let device = lana_receive::device(name).map_err(|_| usage("there is no such device"));
        let device = device.with_context(|| name.clone())?;
        let mut group = None;
        for thread in 0..usize::from(cli.threads) {
            let mut options = options;
            if cli.threads > 1 {
                options.fanout = Fanout::Hash(group);
            }
            let opening = lana_receive::open(Method::V3, name, &options);
            let source = opening.map_err(|error| refused(name, &error, "CAP_NET_RAW"))?;
            if cli.threads > 1 && group.is_none() {
                group = Some(source.group().map_err(|error| kernel(name, &error))?);
            }
            opened.push(Opened {
                source,
                name: name.clone(),
                thread,
                device: Some(device),
            });
        }
    }
    for name in &cli.lana {
        let opening = lana_receive::open(Method::LanaRing, name, &options);
        let source = opening.map_err(|error| refused(name, &error, "CAP_NET_ADMIN"))?;
        opened.push(Opened {
            source,
            name: name.clone(),
            thread: 0,
            device: None,
        });
    }
    for Opened { source, name, .. } in &mut opened {
        source.keep(KEPT).map_err(|error| kernel(name, &error))?;
    }
    Ok(opened)
}

/// Why a ring cannot be opened.
fn refused(name: &str, error: &io::Error, needed: &str) -> anyhow::Error {
    let text = errno_text(error);
    match error.kind() {
        ErrorKind::PermissionDenied => denied(format!("{name}: {text} (needs {needed})")),
        // What is wrong with the name, and nothing that the kernel says.
        ErrorKind::InvalidInput if error.raw_os_error().is_none() => {
            usage(format!("{name}: {text}"))
        }
        _ => kernel(name, error),
    }
}

/// Tells of the flows of packets that come now.
pub(crate) fn run(cli: &Cli, settings: &Settings) -> Result<()> {
    let mut export = Export::new(settings)?;
    let opened = open(cli, settings)?;
    let count = opened.len();
    let pool = Pool::new(&settings.config, u32::try_from(count)?)?;
    let parts = opened.iter().map(|ring| Part {
        name: ring.name.clone(),
        thread: ring.thread,
        counted: Mutex::default(),
    });
    let common = Common {
        start: Instant::now(),
        parts: parts.collect(),
        told: Mutex::new(export.told()),
        stop: AtomicBool::new(false),
        seen: AtomicU64::new(0),
        wanted: cli.count,
    };
    let (to, from) = sync_channel(WAITING * count);
    let mut meters = Vec::new();
    for (ring, part) in opened.into_iter().zip(&common.parts) {
        meters.push(Meter {
            common: &common,
            part,
            source: ring.source,
            device: ring.device,
            keeper: Keeper {
                flows: Flows::new(settings.config, pool.clone())?,
                to: to.clone(),
                held: None,
                last: 0,
            },
            swept: 0,
            from: None,
            looked: 0,
            lost: 0,
        });
    }
    drop(to);
    let spec = settings.config.spec();
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGUSR1]).context("signals")?;
    let handle = signals.handle();
    let done = thread::scope(|scope| -> Result<()> {
        let common = &common;
        let mut threads = Vec::new();
        for meter in meters {
            let part = meter.part;
            let receive = move || {
                let done = meter.run();
                if done.is_err() {
                    common.stop.store(true, Relaxed);
                }
                done.map_err(|error| kernel(&part.name, &error))
            };
            let name = format!("{}/{}", part.name, part.thread);
            let thread = Builder::new().name(name).spawn_scoped(scope, receive);
            if thread.is_err() {
                common.stop.store(true, Relaxed);
            }
            threads.push(thread);
        }
        let export = &mut export;
        scope.spawn(move || {
            tell(export, spec, &from, common);
            handle.close();
        });
        // Nobody need be there to read it.
        let _ = writeln!(io::stderr(), "ready");
        for signal in signals.forever() {
            if signal == SIGUSR1 {
                let _ = common.report().print(cli.json);
            } else if common.stop.swap(true, Relaxed) {
                let _ = emulate_default_handler(signal);
            }
        }
        for thread in threads {
            let ended = thread?.join();
            ended.map_err(|_| anyhow!("a thread ended"))??;
        }
        Ok(())
    });
    common.report().print(cli.json)?;
    done
}
