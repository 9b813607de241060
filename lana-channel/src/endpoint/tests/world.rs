// SPDX-License-Identifier: GPL-2.0

//! The world of the tests: time, the link, and two hosts.

use super::graphs::{Kernel, Packet};
use crate::{
    catalogue, Config, Endpoint, Fallback, Graph, Key, Name, Output, Place, Plan, Report, Time,
    Timing, Wanted,
};
use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

pub(super) const MS: Duration = Duration::from_millis(1);
pub(super) const S: Duration = Duration::from_secs(1);

#[derive(Debug)]
enum Event {
    Message(usize, Vec<u8>),
    Commit(usize, Plan),
    Applied(usize, u64, bool),
    Drained(usize),
    Packet(usize, Packet),
    Traffic,
}

struct Due(Time, u64, Event);

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

pub(super) struct Host {
    pub(super) config: Config,
    pub(super) endpoint: Endpoint,
    pub(super) kernel: Kernel,
    pub(super) reports: Vec<Report>,
}

pub(super) struct World {
    pub(super) random: fastrand::Rng,
    pub(super) now: Time,
    events: BinaryHeap<Reverse<Due>>,
    count: u64,
    pub(super) hosts: Vec<Host>,
    /// The share of messages that are lost.
    pub(super) loss: f64,
    /// The share that come twice.
    pub(super) double: f64,
    /// The longest time of a message or a packet on its way.
    pub(super) way: Duration,
    /// The share of transactions that fail.
    pub(super) fail: f64,
    /// All messages that were sent, and to whom.
    pub(super) sent: Vec<(usize, Vec<u8>)>,
    /// Packets that left, and those that did not come as they were.
    pub(super) packets: u64,
    pub(super) lost: Vec<(Time, String)>,
    /// What happened, for who looks at a test that fails.
    pub(super) story: Vec<String>,
}

pub(super) fn key(byte: u8) -> Key {
    Key::new([byte; 32])
}

/// Blocks by their last names, optional ones with a question mark.
pub(super) fn wanted(names: &str) -> Vec<Wanted> {
    let names = names.split(',').filter(|name| !name.is_empty());
    names
        .map(|name| Wanted {
            optional: name.ends_with('?'),
            ..Wanted::new(Name::short(name.trim_end_matches('?')).unwrap())
        })
        .collect()
}

pub(super) fn config() -> Config {
    Config {
        channel: 7,
        key: key(1),
        place: Place {
            prefix: "c".into(),
            device: "device".into(),
            top: Some("top".into()),
        },
        have: catalogue(),
        demand: Vec::new(),
        fallback: Fallback::Open,
        listen: true,
        policy: None,
        delay: 0,
        timing: Timing::default(),
    }
}

fn endpoint(config: &Config, graph: Option<Graph>, seed: u64, now: Time) -> Endpoint {
    let mut random = fastrand::Rng::with_seed(seed);
    let fill = Box::new(move |bytes: &mut [u8]| random.fill(bytes));
    Endpoint::new(config.clone(), graph, fill, now).unwrap()
}

impl World {
    pub(super) fn new(seed: u64, configs: [Config; 2]) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let hosts = configs.into_iter().map(|config| {
            let mut kernel = Kernel::default();
            kernel.apply(Plan {
                blocks: Vec::new(),
                bindings: vec![("top".into(), "device".into())],
            });
            Host {
                endpoint: endpoint(&config, None, random.u64(..), Time::ZERO),
                config,
                kernel,
                reports: Vec::new(),
            }
        });
        let hosts = hosts.collect();
        let mut world = World {
            random,
            now: Time::ZERO,
            events: BinaryHeap::new(),
            count: 0,
            hosts,
            loss: 0.0,
            double: 0.0,
            way: 10 * MS,
            fail: 0.0,
            sent: Vec::new(),
            packets: 0,
            lost: Vec::new(),
            story: Vec::new(),
        };
        world.at(5 * MS, Event::Traffic);
        world
    }

    fn at(&mut self, after: Duration, event: Event) {
        self.count += 1;
        self.events
            .push(Reverse(Due(self.now + after, self.count, event)));
    }

    fn tell(&mut self, host: usize, what: impl std::fmt::Debug) {
        let now = self.now.as_secs_f64();
        self.story.push(format!("{now:9.3} {host} {what:?}"));
    }

    fn chance(&mut self, share: f64) -> bool {
        self.random.f64() < share
    }

    fn some(&mut self, most: Duration) -> Duration {
        most.mul_f64(self.random.f64())
    }

    pub(super) fn open(&mut self, host: usize, names: &str) {
        self.tell(host, ("open", names));
        let now = self.now;
        self.hosts[host].endpoint.open(wanted(names), now).unwrap();
        self.outputs(host);
    }

    pub(super) fn close(&mut self, host: usize) {
        self.tell(host, "close");
        let now = self.now;
        self.hosts[host].endpoint.close(now);
        self.outputs(host);
    }

    /// The process of a host ends, and another one begins. It knows the graph, or begins anew.
    pub(super) fn restart(&mut self, index: usize, knows: bool) {
        self.tell(index, ("restart", knows));
        let seed = self.random.u64(..);
        let now = self.now;
        // A transaction that runs has been done, or has not.
        self.events = std::mem::take(&mut self.events)
            .into_iter()
            .filter(|Reverse(Due(_, _, event))| {
                !matches!(event, Event::Commit(of, _) | Event::Applied(of, ..) | Event::Drained(of) if *of == index)
            })
            .collect();
        let done = self.chance(0.5);
        let host = &mut self.hosts[index];
        let mut graph = host.endpoint.graph().clone();
        if let Some(staged) = host.endpoint.staged().filter(|_| done) {
            let config = &host.config;
            host.kernel
                .apply(crate::plan(&config.place, staged, &config.have));
            graph = staged.clone();
            if let Graph::Present { stacks, .. } = &mut graph {
                stacks.iter_mut().for_each(|stack| stack.keys = None);
            }
        }
        if !knows {
            graph = Graph::Absent { open: true };
            host.kernel
                .apply(crate::plan(&host.config.place, &graph, &host.config.have));
        }
        host.endpoint = endpoint(&host.config, Some(graph), seed, now);
        self.outputs(index);
    }

    /// A message comes that somebody has recorded, or made.
    pub(super) fn inject(&mut self, to: usize, bytes: &[u8]) -> Result<(), crate::BadMessage> {
        let now = self.now;
        let result = self.hosts[to].endpoint.receive(bytes, now);
        self.outputs(to);
        result
    }

    fn outputs(&mut self, host: usize) {
        while let Some(output) = self.hosts[host].endpoint.poll() {
            match output {
                Output::Send(bytes) => {
                    let to = 1 - host;
                    self.sent.push((to, bytes.clone()));
                    let comes = usize::from(!self.chance(self.loss));
                    let copies = comes * (1 + usize::from(self.chance(self.double)));
                    for _ in 0..copies {
                        let way = self.some(self.way);
                        self.at(way, Event::Message(to, bytes.clone()));
                    }
                }
                Output::Apply { ticket, plan, .. } => {
                    let fails = self.chance(self.fail);
                    let first = self.some(20 * MS);
                    let then = first + self.some(20 * MS);
                    if !fails {
                        self.at(first, Event::Commit(host, plan));
                    }
                    self.at(then, Event::Applied(host, ticket, !fails));
                }
                Output::Watch(_) => {
                    let way = self.some(S);
                    self.at(way, Event::Drained(host));
                }
                Output::Report(report) => {
                    self.tell(host, &report);
                    self.hosts[host].reports.push(report);
                }
            }
        }
    }

    fn traffic(&mut self) {
        for host in 0..2 {
            let compressible = self.random.bool();
            if let Some(packet) = self.hosts[host].kernel.send(compressible) {
                self.packets += 1;
                let way = self.some(self.way);
                self.at(way, Event::Packet(1 - host, packet));
            }
        }
        self.at(13 * MS, Event::Traffic);
    }

    /// Lets so much time pass.
    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let event = self.events.peek().map(|Reverse(due)| due.0);
            let timers = (0..2).map(|host| self.hosts[host].endpoint.next_timeout());
            let timers: Vec<_> = timers.collect();
            let next = timers.iter().flatten().copied().chain(event).min();
            let Some(next) = next.filter(|next| *next <= end) else {
                break;
            };
            let before = self.now;
            self.now = self.now.max(next);
            if event == Some(next) {
                if let Some(Reverse(Due(_, _, event))) = self.events.pop() {
                    self.event(event);
                }
                continue;
            }
            for (host, timer) in timers.into_iter().enumerate() {
                if timer.is_some_and(|at| at <= next) {
                    let now = self.now;
                    self.hosts[host].endpoint.timeout(now);
                    self.outputs(host);
                    let later = self.hosts[host].endpoint.next_timeout();
                    assert!(
                        later.is_none_or(|later| later > now) || before < now,
                        "a timer that does nothing: {:?}",
                        self.hosts[host].endpoint
                    );
                }
            }
        }
        self.now = end;
    }

    fn event(&mut self, event: Event) {
        let now = self.now;
        match event {
            Event::Message(to, bytes) => {
                let _ = self.inject(to, &bytes);
            }
            Event::Commit(host, plan) => self.hosts[host].kernel.apply(plan),
            Event::Applied(host, ticket, done) => {
                let result = if done { Ok(()) } else { Err("no".to_owned()) };
                self.hosts[host].endpoint.applied(ticket, result, now);
                self.outputs(host);
            }
            Event::Drained(host) => {
                self.hosts[host].endpoint.drained(now);
                self.outputs(host);
            }
            Event::Packet(to, packet) => {
                if let Err(why) = self.hosts[to].kernel.receive(packet) {
                    self.tell(to, ("lost", &why));
                    self.lost.push((now, why));
                }
            }
            Event::Traffic => self.traffic(),
        }
    }

    /// Both hosts send by the same stack, and nothing else is going on.
    pub(super) fn agree(&self) -> Result<(), String> {
        let [one, other] = &self.hosts[..] else {
            return Err("two hosts".into());
        };
        let same = one.endpoint.graph().sends() == other.endpoint.graph().sends();
        let quiet =
            |host: &Host| host.endpoint.is_idle() && host.endpoint.graph().held().len() == 1;
        if same && quiet(one) && quiet(other) {
            return Ok(());
        }
        let (one, other) = (&one.endpoint, &other.endpoint);
        Err(format!("{one:#?}\n{other:#?}"))
    }

    /// The blocks through which a host sends.
    pub(super) fn sending(&self, host: usize) -> String {
        let blocks = self.hosts[host].endpoint.graph().sending();
        let names: Vec<_> = blocks
            .iter()
            .map(|block| block.name.as_str().trim_start_matches("org.lana."))
            .collect();
        names.join(",")
    }

    pub(super) fn has(&self, host: usize, report: impl Fn(&Report) -> bool) -> bool {
        self.hosts[host].reports.iter().any(report)
    }
}
