// SPDX-License-Identifier: GPL-2.0

//! Watches the graph as long as somebody looks at it, and tells all pages what has changed.
//!
//! One thread reads: the whole graph after an event, the counters ten times a second. The time that this takes, the
//! kernel's work for it included, is kept to a share of a core: the longer a look takes, be it that the machine is
//! busy, the fewer there are. When no page is open, it waits.

use super::{
    counters::{self, Counters},
    delta::{Change, Head},
};
use crate::{
    picture::{
        model::{Graph, Readout},
        scene::{Room, Scene},
    },
    record,
};
use lana_netlink::{Connection, Error, EventStream, LinkStream, Notice};
use serde::Serialize;
use std::{
    collections::VecDeque,
    sync::{
        mpsc::{sync_channel, Receiver, SyncSender},
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
    },
    thread,
    time::{Duration, Instant},
};

/// At most ten looks a second.
const TICK: Duration = Duration::from_millis(100);
/// The share of a core that looks may take.
const SHARE: f64 = 0.015;
/// What may be spent at once after a quiet time, in seconds.
const CREDIT: f64 = 0.2;
/// How often pages are told something in any case.
const ALIVE: Duration = Duration::from_secs(3);
/// So many messages may wait for a page that is slow; then it begins anew.
const WAITING: usize = 64;
/// So many versions are kept.
const VERSIONS: usize = 1000;
/// So many events are told with a version.
const EVENTS: usize = 20;

/// What all threads share.
#[derive(Default)]
pub(super) struct Feed {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    /// Pages that have the picture, and those that have not had it yet.
    pages: Vec<SyncSender<Arc<str>>>,
    joining: Vec<SyncSender<Arc<str>>>,
    /// Something has happened since the graph was read.
    changed: bool,
    /// What happened, in words.
    events: Vec<String>,
    versions: VecDeque<Version>,
    failure: Option<Error>,
    netns: Option<String>,
}

/// The graph after a change.
struct Version {
    number: u64,
    /// Milliseconds since 1970.
    time: u64,
    events: Vec<String>,
    graph: Arc<Graph>,
    /// From a file.
    replayed: bool,
}

/// A version, for the list of them.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct VersionInfo {
    number: u64,
    time: u64,
    events: Vec<String>,
}

impl Version {
    fn info(&self) -> VersionInfo {
        VersionInfo {
            number: self.number,
            time: self.time,
            events: self.events.clone(),
        }
    }
}

impl Feed {
    /// One that begins with versions from a file.
    pub(super) fn new(netns: Option<String>, replay: Vec<record::Version>) -> Arc<Self> {
        let feed = Feed::default();
        let mut state = feed.lock();
        state.netns = netns;
        let version = |(number, version): (u64, record::Version)| Version {
            number,
            time: version.time,
            events: version.events,
            graph: Arc::new(version.graph),
            replayed: true,
        };
        state.versions = (1..).zip(replay).map(version).collect();
        drop(state);
        Arc::new(feed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a page is told from now on: first the whole picture.
    pub(super) fn join(&self) -> Receiver<Arc<str>> {
        let (sender, receiver) = sync_channel(WAITING);
        self.lock().joining.push(sender);
        self.wake.notify_all();
        receiver
    }

    pub(super) fn versions(&self) -> Vec<VersionInfo> {
        self.lock().versions.iter().map(Version::info).collect()
    }

    /// A version by its number, the last one if there is none.
    pub(super) fn graph(&self, number: Option<u64>) -> Option<Arc<Graph>> {
        let state = self.lock();
        let found = match number {
            None => state.versions.back(),
            Some(number) => state
                .versions
                .iter()
                .find(|version| version.number == number),
        };
        found.map(|version| version.graph.clone())
    }

    /// Listens to what changes, in threads of their own.
    pub(super) fn listen(self: &Arc<Self>) -> Result<(), Error> {
        let mut links = LinkStream::open()?;
        let (sender, opened) = sync_channel(1);
        let feed = self.clone();
        thread::spawn(move || {
            let events = match EventStream::open() {
                Ok(events) => events,
                Err(error) => return sender.send(Err(error)).unwrap_or(()),
            };
            // From now on nothing is missed.
            let _ = sender.send(Ok(()));
            for notice in events {
                feed.hear(notice);
            }
        });
        opened.recv().unwrap_or(Err(Error::Unloaded))?;
        let feed = self.clone();
        thread::spawn(move || {
            while links.wait().is_ok() {
                feed.lock().changed = true;
            }
        });
        Ok(())
    }

    fn hear(&self, notice: Result<Notice, Error>) {
        let mut state = self.lock();
        match notice {
            Ok(Notice::Unloaded) => state.failure = Some(Error::Unloaded),
            Err(error) => state.failure = Some(error),
            // Packets that are dropped change no graph.
            Ok(Notice::Event(event)) if event.packets.is_some() => return,
            Ok(notice) => {
                state.changed = true;
                if !state.pages.is_empty() && state.events.len() < EVENTS {
                    if let Notice::Event(event) = &notice {
                        state.events.push(crate::monitor::in_words(event));
                    }
                }
                return;
            }
        }
        self.wake.notify_all();
    }

    /// Reads and tells, until something fails.
    pub(super) fn run(&self, lana: &mut Connection) -> Result<(), Error> {
        let mut watch = Watch::default();
        let mut budget = Budget::new();
        let mut alive = Instant::now();
        loop {
            // What cannot be sent tells that a page has gone.
            if alive.elapsed() > ALIVE {
                alive = Instant::now();
                self.tell(&": alive\n\n".into());
            }
            let (joining, changed, idle) = self.wait()?;
            let begin = Instant::now();
            if idle {
                // A rate over the time in which nobody looked is none of now.
                watch.counters = Counters::default();
            }
            if changed || idle || watch.graph.is_none() {
                self.look(lana, &mut watch)?;
            }
            for page in joining {
                let whole = watch.whole();
                if page.try_send(whole).is_ok() {
                    self.lock().pages.push(page);
                }
            }
            watch.count(lana, |message| self.tell(message))?;
            budget.spend(begin.elapsed());
            self.pause(budget.pause());
        }
    }

    /// Waits for somebody to look. Who comes, whether something has changed, and whether nobody looked before.
    #[expect(clippy::type_complexity, reason = "it is said above")]
    fn wait(&self) -> Result<(Vec<SyncSender<Arc<str>>>, bool, bool), Error> {
        let mut state = self.lock();
        let mut idle = false;
        loop {
            if let Some(failure) = state.failure.take() {
                return Err(failure);
            }
            if !state.pages.is_empty() || !state.joining.is_empty() {
                let joining = std::mem::take(&mut state.joining);
                let changed = std::mem::take(&mut state.changed);
                return Ok((joining, changed, idle));
            }
            idle = true;
            state = self
                .wake
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Nothing interrupts it but a failure: who comes can wait so long.
    fn pause(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut state = self.lock();
        while state.failure.is_none() {
            let Some(left) = until.checked_duration_since(Instant::now()) else {
                return;
            };
            let waited = self.wake.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn tell(&self, message: &Arc<str>) {
        self.lock()
            .pages
            .retain(|page| page.try_send(message.clone()).is_ok());
    }

    /// Reads the graph, and tells what has changed in it.
    fn look(&self, lana: &mut Connection, watch: &mut Watch) -> Result<(), Error> {
        let readout = Readout::read(lana)?;
        let mut state = self.lock();
        let graph = record::bare(&readout, state.netns.as_ref());
        let events = std::mem::take(&mut state.events);
        // Read again, as it changed under the reader.
        state.changed |= readout.interrupted;
        if watch.graph.as_deref() == Some(&graph) {
            return Ok(());
        }
        let graph = Arc::new(graph);
        let number = state.versions.back().map_or(1, |last| last.number + 1);
        let version = Version {
            number,
            time: record::now(),
            events,
            graph: graph.clone(),
            replayed: false,
        };
        let info = version.info();
        state.versions.push_back(version);
        // Those of the file stay.
        let replayed = state.versions.partition_point(|version| version.replayed);
        if state.versions.len() > replayed + VERSIONS {
            state.versions.remove(replayed);
        }
        drop(state);
        let scene = Scene::new(&graph, Room::ALL, &[]);
        let message = message("change", &Change::new(&watch.scene, &scene, &info));
        (watch.scene, watch.graph, watch.info) = (scene, Some(graph), Some(info));
        self.tell(&message);
        Ok(())
    }
}

/// What a page gets to begin with.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    change: Change<'a>,
    head: Head,
    rates: Vec<counters::Figures>,
}

/// What the reader knows.
#[derive(Default)]
struct Watch {
    graph: Option<Arc<Graph>>,
    scene: Scene,
    info: Option<VersionInfo>,
    counters: Counters,
}

impl Watch {
    /// All that a page needs to begin with.
    fn whole(&self) -> Arc<str> {
        let (Some(graph), Some(info)) = (&self.graph, &self.info) else {
            return "".into();
        };
        let head = Head::new(graph);
        message(
            "graph",
            &Whole {
                change: Change::new(&Scene::default(), &self.scene, info),
                head,
                rates: self.counters.all(),
            },
        )
    }

    /// Reads the counters, and tells those that count at another rate than before.
    fn count(&mut self, lana: &mut Connection, tell: impl FnOnce(&Arc<str>)) -> Result<(), Error> {
        let rates = self.counters.read(lana)?;
        if !rates.is_empty() {
            tell(&message("rates", &rates));
        }
        Ok(())
    }
}

/// A server-sent event.
pub(super) fn message(kind: &str, value: &impl Serialize) -> Arc<str> {
    let json = serde_json::to_string(value).unwrap_or_default();
    format!("event: {kind}\ndata: {json}\n\n").into()
}

/// Time that may be spent at work: it grows as time passes.
struct Budget {
    credit: f64,
    last: Instant,
}

impl Budget {
    fn new() -> Self {
        Budget {
            credit: CREDIT,
            last: Instant::now(),
        }
    }

    fn spend(&mut self, spent: Duration) {
        let now = Instant::now();
        let passed = now.duration_since(self.last).as_secs_f64();
        self.last = now;
        self.credit = (self.credit + passed * SHARE).min(CREDIT) - spent.as_secs_f64();
    }

    /// How long to wait before more is spent.
    fn pause(&self) -> Duration {
        let debt = (-self.credit / SHARE).max(0.0);
        TICK.max(Duration::from_secs_f64(debt))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spent_is_paid_by_waiting() {
        let mut budget = Budget::new();
        assert_eq!(budget.pause(), TICK);
        budget.spend(Duration::from_millis(150));
        assert_eq!(budget.pause(), TICK);
        // 50 ms more than there is, at 1.5 %.
        budget.spend(Duration::from_millis(100));
        let pause = budget.pause().as_secs_f64();
        assert!((2.7..3.4).contains(&pause), "{pause}");
    }

    #[test]
    fn messages_are_server_sent_events() {
        assert_eq!(&*message("rates", &[1, 2]), "event: rates\ndata: [1,2]\n\n");
    }

    #[test]
    fn a_page_that_is_slow_begins_anew() {
        let feed = Feed::new(None, Vec::new());
        let page = feed.join();
        let joining = feed.wait().unwrap().0;
        feed.lock().pages.extend(joining);
        for _ in 0..WAITING {
            feed.tell(&"x".into());
        }
        assert_eq!(feed.lock().pages.len(), 1);
        feed.tell(&"x".into());
        assert_eq!(feed.lock().pages.len(), 0);
        assert_eq!(page.iter().count(), WAITING);
    }

    #[test]
    fn the_end_of_the_events_is_the_end() {
        let feed = Feed::new(None, Vec::new());
        feed.hear(Ok(Notice::Unloaded));
        assert!(matches!(feed.wait(), Err(Error::Unloaded)));
    }
}
