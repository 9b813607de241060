// SPDX-License-Identifier: GPL-2.0

//! The daemon: what comes from all sides, one after the other.

mod actions;
mod channels;
mod journal;
mod repair;
mod requests;

use crate::{
    act::{Announcer, Effect},
    channel::{Came, Live},
    config::{Config, Graph, Repair as Wanted},
    control::{self, Asked, Reply, Request},
    engine::Engine,
    keep::{self, Answer, Desired, Job, Outcome},
    probe::{self, Measured},
    record::Recorder,
    state::{State, Store},
    watch::{self, Heard},
    world::Fact,
};
use anyhow::Result;
use journal::Journal;
use lana_channel::Service;
use lana_cli::{kernel, usage};
use repair::Repair;
use rustix::fs::{flock, FlockOperation};
use sd_notify::NotifyState;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    path::PathBuf,
    time::{Duration, Instant},
};
use tokio::{
    select,
    signal::unix::{signal, SignalKind},
    sync::mpsc::{unbounded_channel, UnboundedReceiver, UnboundedSender},
    task::JoinHandle,
    time::sleep_until,
};

/// What lanad is started with.
#[derive(Debug)]
pub struct Start {
    /// The configuration file.
    pub config: PathBuf,
    /// The folder of the socket and the state.
    pub folder: PathBuf,
    /// Says what it would do, and does nothing.
    pub dry_run: bool,
    /// Where to record what is learned and done.
    pub record: Option<PathBuf>,
}

/// What comes.
#[derive(Debug)]
enum Message {
    Heard(Heard),
    Answer(Answer),
    Measured(Measured),
    Effect(Effect),
    Asked(Asked),
    Came(Came),
}

macro_rules! from {
    ($($kind:ident),*) => { $(impl From<$kind> for Message {
        fn from(it: $kind) -> Self {
            Message::$kind(it)
        }
    })* };
}
from!(Heard, Answer, Measured, Effect, Asked, Came);

/// Kinds of events that say that the graph is another one than before.
const CHANGES: [&str; 12] = [
    "added",
    "removed",
    "bound",
    "unbound",
    "subscribed",
    "unsubscribed",
    "option-set",
    "replaced",
    "renamed",
    "device-gone",
    "device-renamed",
    "xdp-replaced",
];

/// How often the graph is read again because it changes meanwhile.
const MOST_READS: u32 = 10;

/// How long nothing is done where there is nothing to do.
const IDLE: Duration = Duration::from_secs(3600);

/// When the graph is read again after that has failed.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// The graph is being read.
#[derive(Debug, Default)]
struct Reading {
    /// Something has happened since.
    overtaken: bool,
    /// How often it was read before, and not used.
    again: u32,
}

struct Daemon {
    start: Start,
    begun: Instant,
    config: Config,
    engine: Engine,
    repair: Repair,
    state: State,
    store: Store,
    journal: Journal,
    recorder: Option<Recorder>,
    jobs: std::sync::mpsc::Sender<Job>,
    to: UnboundedSender<Message>,
    probes: Vec<JoinHandle<()>>,
    announcers: BTreeMap<String, Announcer>,
    channels: BTreeMap<String, Live>,
    /// Who asks for services of other hosts: the channel, context and service.
    questions: Vec<(String, Service, Reply)>,
    /// What the announcements are now.
    announced: BTreeMap<String, bool>,
    devices: BTreeSet<String>,
    /// Devices that are wanted, and are not there.
    missing: Vec<String>,
    /// How the graph differs from what is wanted, as far as that was told.
    differs: Vec<String>,
    /// Why nothing is recorded any more.
    record_ended: Option<String>,
    /// Why the graph is not as it is wanted.
    trouble: Option<String>,
    /// Counters are read next, if a rule wants them.
    sample: Option<Duration>,
    /// Counters are being read.
    sampling: bool,
    /// The graph is being read.
    reading: Option<Reading>,
    /// It is read again then, as that has failed.
    read_at: Option<Duration>,
}

/// Runs until it is told to end.
pub async fn run(start: Start) -> Result<()> {
    let config = Config::read(&start.config)?;
    let desired = Desired::read(&config)?;
    let store = Store::open(&start.folder)?;
    let lock = start.folder.join("lanad.lock");
    let lock = File::create(&lock).map_err(|error| kernel(&lock.display().to_string(), &error))?;
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Err(usage("lanad runs already").context(start.folder.display().to_string()));
    }
    let mut state = store.read();
    let overlays = channels::restore(&mut state.channels);
    let (to, mut messages) = unbounded_channel();
    control::start(&start.folder, to.clone())?;
    let record = start
        .record
        .as_ref()
        .map(|path| Recorder::new(path, &state.rules));
    let mut daemon = Daemon {
        begun: Instant::now(),
        engine: Engine::new(&config, &state.rules),
        repair: repair(config.graph.as_ref()),
        state,
        store,
        journal: Journal::default(),
        recorder: record.transpose()?,
        jobs: keep::start(desired, overlays, to.clone()),
        to,
        probes: Vec::new(),
        announcers: BTreeMap::new(),
        channels: BTreeMap::new(),
        questions: Vec::new(),
        announced: BTreeMap::new(),
        devices: BTreeSet::new(),
        missing: Vec::new(),
        differs: Vec::new(),
        record_ended: None,
        trouble: None,
        sample: None,
        sampling: false,
        reading: None,
        read_at: None,
        config,
        start,
    };
    daemon.begin();
    daemon.begin_channels();
    watch::start(&daemon.to);
    daemon.serve(&mut messages).await
}

fn repair(graph: Option<&Graph>) -> Repair {
    let (settle, longest) =
        graph.map_or_else(Default::default, |graph| (graph.settle, graph.backoff));
    Repair::new(settle.duration(), longest.duration())
}

impl Daemon {
    /// Since lanad began. A record has microseconds, and the same times are to give the same rates.
    fn now(&self) -> Duration {
        let micros = self.begun.elapsed().as_micros();
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// Begins to measure and to announce.
    fn begin(&mut self) {
        for probe in self.probes.drain(..) {
            probe.abort();
        }
        for (number, (name, probe)) in (1..).zip(&self.config.probe) {
            let probe = probe::start(name.clone(), probe.clone(), number, self.to.clone());
            self.probes.push(probe);
        }
        let announcers = std::mem::take(&mut self.announcers);
        self.announcers = Announcer::renew(announcers, &self.config.announcement, &self.to);
        self.sample = self.config.samples().then(|| self.now());
    }

    async fn serve(&mut self, messages: &mut UnboundedReceiver<Message>) -> Result<()> {
        let mut ends = [
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        ];
        let [terminate, interrupt] = &mut ends;
        let mut hangup = signal(SignalKind::hangup())?;
        let watchdog = sd_notify::watchdog_enabled();
        let mut alive = watchdog.map(|limit| tokio::time::interval(limit / 2));
        let mut is_ready = false;
        loop {
            if !is_ready && self.engine.knows() {
                is_ready = true;
                // Nobody need have started us that wants to know.
                let _ = sd_notify::notify(&[NotifyState::Ready]);
            }
            // What is far away may be no time of the clock.
            let idle = self.now().saturating_add(IDLE);
            let deadline = self.begun + self.deadline().map_or(idle, |at| at.min(idle));
            select! {
                message = messages.recv() => match message {
                    Some(message) => self.take(message),
                    None => return Ok(()),
                },
                () = sleep_until(deadline.into()) => {}
                _ = terminate.recv() => return Ok(()),
                _ = interrupt.recv() => return Ok(()),
                _ = hangup.recv() => self.reload().unwrap_or_else(|error| self.journal.say(&format!("reload: {error:#}"))),
                () = tick(alive.as_mut()) => { let _ = sd_notify::notify(&[NotifyState::Watchdog]); }
            }
            self.pass();
        }
    }

    /// Whether there is a graph to keep, and it is known how it is. Otherwise repairs wait, and have no deadline.
    fn can_repair(&self) -> bool {
        self.config.graph.is_some() && self.engine.knows()
    }

    fn deadline(&self) -> Option<Duration> {
        let repair = self.repair.deadline().filter(|_| self.can_repair());
        let hold = self.state.held_for();
        let hold = hold.map(|left| self.now().saturating_add(left));
        let deadlines = [
            self.engine.deadline(),
            repair,
            self.sample.filter(|_| !self.sampling),
            self.read_at,
            hold,
        ];
        let channels = self.channels.values().filter_map(Live::deadline);
        deadlines.into_iter().flatten().chain(channels).min()
    }

    /// Does what time brings.
    fn pass(&mut self) {
        let now = self.now();
        let switches = self.engine.pass(now);
        self.switch(now, switches);
        self.pass_channels(now);
        // Who is slower than that is not asked again meanwhile.
        if !self.sampling && self.sample.is_some_and(|at| at <= now) {
            self.sample = Some(now.saturating_add(self.config.sample.duration()));
            self.sampling = true;
            self.job(Job::Sample);
        }
        if self.read_at.is_some_and(|at| at <= now) {
            self.read_at = None;
            self.read();
        }
        if self.state.ends_hold() {
            self.release(now);
        }
        if self.can_repair() && self.repair.begins(now) {
            let change = !self.state.is_held() && self.repairs();
            self.job(Job::Keep {
                actions: self.engine.graph_actions(),
                change,
            });
        }
    }

    /// Whether the graph is made as its files say, and not only compared.
    fn repairs(&self) -> bool {
        let graph = self.config.graph.as_ref();
        !self.start.dry_run && graph.is_some_and(|graph| graph.repair == Wanted::Apply)
    }

    fn job(&self, job: Job) {
        // The thread lives as long as we do.
        let _ = self.jobs.send(job);
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Heard(Heard::Fact(fact)) | Message::Measured(Measured::Fact(fact)) => {
                self.learn(&fact);
            }
            Message::Heard(Heard::Begun | Heard::Missed) => {
                self.read();
                self.repair.somebody(self.now());
            }
            Message::Heard(Heard::Unloaded(why)) => {
                self.journal.say(&why);
                self.forget_channels();
                // What is gone with it, rules are to know.
                self.learn(&Fact::Counters {
                    values: BTreeMap::new(),
                });
                self.learn(&Fact::Graph {
                    blocks: BTreeMap::new(),
                    bindings: BTreeSet::new(),
                });
            }
            Message::Heard(Heard::Failed(why)) => self.journal.say(&format!("devices: {why}")),
            Message::Measured(Measured::Failed(name, why)) => {
                self.journal.say(&format!("probe '{name}': {why}"));
            }
            Message::Answer(answer) => self.answered(answer),
            Message::Effect(effect) => self.effect(effect),
            Message::Came(came) => self.came(&came),
            Message::Asked((
                Request::Resolve {
                    name,
                    context,
                    service,
                },
                reply,
            )) => self.resolve(&name, Service { context, service }, reply),
            Message::Asked((Request::Hold(hold), reply)) => self.hold(hold, reply),
            Message::Asked((request, reply)) => {
                let answer = self.asked(request).map_err(|error| format!("{error:#}"));
                // Who has asked may be gone.
                let _ = reply.send(answer);
            }
        }
    }

    fn read(&mut self) {
        if self.reading.is_none() {
            self.reading = Some(Reading::default());
            self.job(Job::Read);
        }
    }

    /// Whether something has happened while the graph was read. What was read may be older than that, so it is
    /// read again.
    fn is_stale(&mut self) -> bool {
        let reading = self.reading.take().unwrap_or_default();
        let stale = reading.overtaken && reading.again < MOST_READS;
        if stale {
            self.reading = Some(Reading {
                overtaken: false,
                again: reading.again + 1,
            });
            self.job(Job::Read);
        }
        stale
    }

    /// Writes to the record. Where that fails the record ends, and lanad goes on: one with a gap would be replayed wrongly.
    fn record(&mut self, write: impl FnOnce(&mut Recorder) -> Result<()>) {
        let Some(Err(error)) = self.recorder.as_mut().map(write) else {
            return;
        };
        let why = format!("{error:#}");
        self.journal.say(&format!("the record ends: {why}"));
        self.recorder = None;
        self.record_ended = Some(why);
    }

    fn learn(&mut self, fact: &Fact) {
        let now = self.now();
        if let (Fact::Event(_), Some(reading)) = (fact, &mut self.reading) {
            reading.overtaken = true;
        }
        self.record(|recorder| recorder.learned(now, fact));
        match fact {
            Fact::Event(event) if CHANGES.contains(&event.kind.as_str()) => {
                self.repair.somebody(now);
            }
            // What could not be made may be made now.
            Fact::Event(event) if event.kind == "type-added" => self.repair.wanted(now),
            Fact::Devices { up } => {
                let devices: BTreeSet<_> = up.keys().cloned().collect();
                if devices != self.devices {
                    self.devices = devices;
                    self.repair.wanted(now);
                }
                self.find_devices();
            }
            Fact::Graph { .. } if !self.engine.knows() => self.repair.wanted(now),
            _ => {}
        }
        let (switches, unclear) = self.engine.learn(now, fact);
        if unclear {
            self.read();
        }
        self.switch(now, switches);
    }

    fn answered(&mut self, answer: Answer) {
        let now = self.now();
        match answer {
            Answer::Fact(fact) => {
                match fact {
                    Fact::Graph { .. } if self.is_stale() => return,
                    // Where no graph is kept, nothing else is wrong with it.
                    Fact::Graph { .. } if self.config.graph.is_none() => self.trouble = None,
                    Fact::Counters { .. } => self.sampling = false,
                    _ => {}
                }
                self.learn(&fact);
            }
            Answer::Failed(error) => {
                self.sampling = false;
                if self.reading.take().is_some() {
                    self.read_at = Some(now.saturating_add(READ_AGAIN));
                }
                let why = format!("{error:#}");
                if self.trouble.as_ref() != Some(&why) {
                    self.journal.say(&why);
                    self.trouble = Some(why);
                }
            }
            Answer::Channel(name, ticket, done) => self.applied(&name, ticket, done),
            Answer::Looked(name, empty) => {
                if let Some(channel) = self.channels.get_mut(&name) {
                    channel.drained(empty, now);
                }
            }
            Answer::Changed(_, Ok(())) => {}
            Answer::Changed(rule, Err(error)) => {
                self.journal.say(&format!("rule '{rule}': {error:#}"));
            }
            Answer::Kept(Ok(outcome)) => self.kept(now, outcome),
            Answer::Kept(Err(error)) => {
                self.repair.failed(now);
                let why = format!("{error:#}");
                if self.trouble.as_ref() != Some(&why) {
                    self.journal
                        .say(&format!("the graph is not as it is wanted: {why}"));
                    self.trouble = Some(why);
                }
            }
        }
    }

    fn kept(&mut self, now: Duration, outcome: Outcome) {
        let Outcome {
            changes,
            done,
            missing,
            unconfirmed,
        } = outcome;
        self.trouble = None;
        if missing != self.missing {
            if !missing.is_empty() {
                self.journal
                    .say(&format!("no device {} yet", missing.join(", ")));
            }
            self.missing = missing;
        }
        if unconfirmed {
            self.journal.say(
                "the graph differs, and a change waits for `fbctl confirm`: nothing is repaired",
            );
            self.repair.failed(now);
            return;
        }
        if done {
            self.differs.clear();
            let theirs = self.repair.ended(now, !changes.is_empty());
            for change in &changes {
                self.journal.say(&format!(
                    "{}: {change}",
                    if theirs { "repaired" } else { "made" }
                ));
            }
            let wait = self.repair.wait(now);
            if theirs && self.repair.is_contested() {
                self.journal.say(&format!(
                    "somebody changes the graph again and again: it is repaired {} s after the next change \
                     (`lanactl hold` leaves it as it is)",
                    wait.as_secs_f64()
                ));
            }
            return;
        }
        self.repair.ended(now, false);
        if changes != self.differs {
            for change in &changes {
                self.journal.say(&format!("differs: {change}"));
            }
            self.differs = changes;
        }
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Announced(name, on) => {
                if self.announced.insert(name.clone(), on) != Some(on) {
                    let what = if on { "announced" } else { "withdrawn" };
                    self.journal.say(&format!("{what}: {name}"));
                }
            }
            Effect::Waits(name, why) => self.journal.say(&format!("announcement '{name}': {why}")),
            Effect::Failed(why) => self.journal.say(&why),
        }
    }

    fn keep_state(&mut self) {
        if let Err(error) = self.store.write(&self.state) {
            self.journal.say(&format!("{error:#}"));
        }
    }
}

async fn tick(interval: Option<&mut tokio::time::Interval>) {
    match interval {
        Some(interval) => {
            interval.tick().await;
        }
        None => std::future::pending().await,
    }
}
