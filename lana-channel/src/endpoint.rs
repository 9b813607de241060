// SPDX-License-Identifier: GPL-2.0

//! One side of a channel, as a state machine: it gets messages, results and the time, and says what to do.

mod config;
mod graph;
mod initiate;
mod serve;
mod session;
mod work;

pub use config::{BadConfig, Config, Fallback, Timing, DELAY_MAX};
pub use graph::Step;

use crate::{
    adaptive::Adaptive,
    link::Measured,
    message::{Message, Reason},
    name::Name,
    plan::{Graph, Plan, KIND_MAX, PREFIX_MAX},
    seal::{BadMessage, Nonce},
    services::{Service, Services},
    stack::{self, BadStack, Verdict, Wanted},
    Time,
};
use graph::Staged;
use session::{Request, Retry, Session};
use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    time::Duration,
};
use work::Work;

/// What the program is to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Send a message to the other host.
    Send(Vec<u8>),
    /// Make the graph so, in one transaction, and tell [`Endpoint::applied`].
    Apply {
        /// To tell with the result.
        ticket: u64,
        /// What it is for.
        step: Step,
        /// What the graph shall be.
        plan: Plan,
    },
    /// Call [`Endpoint::drained`] once these blocks keep no packets.
    Watch(Vec<String>),
    /// Tell the user.
    Report(Report),
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Report {
    /// The other host is there.
    Up,
    /// It is not there any longer, or has restarted.
    Lost,
    /// A message was ignored. This is told only once in ten seconds.
    Ignored(BadMessage),
    /// Both hosts send by these blocks from now on. The others are optional ones that the other host refuses.
    Running {
        /// The number of the stack.
        number: u32,
        /// The blocks, the last one next to the link.
        blocks: Vec<Name>,
        /// Optional ones that are not there.
        without: Vec<(Name, Verdict)>,
    },
    /// A new stack was refused. What was there before runs on.
    Refused(Refusal),
    /// The hosts have no stack in common, so they begin again without blocks.
    Reset,
    /// A transaction failed.
    Failed {
        /// What it was for.
        step: Step,
        /// What the graph said.
        text: String,
    },
    /// The link has become bad or good, so the stack changes.
    Adapted {
        /// The higher loss of both directions.
        loss: f64,
    },
    /// The channel has ended.
    Closed(Reason),
    /// The other host has this service, or not.
    Resolved {
        /// The service.
        service: Service,
        /// Its token, and how many seconds it is good for.
        token: Option<(u16, u32)>,
    },
}

/// Why a stack was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The other host refuses a required block.
    Block(Name, Verdict),
    /// The other host refuses the whole.
    Peer(Reason, String),
    /// This host refuses it.
    Own(Reason, String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Block(name, verdict) => write!(f, "{name}: {verdict}"),
            Refusal::Peer(reason, text) => write!(f, "the other host refuses: {reason}: {text}"),
            Refusal::Own(reason, text) => write!(f, "{reason}: {text}"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Request => "a user wants it",
            Reason::Blocks => "a required block is lacking",
            Reason::Demand => "a block is demanded",
            Reason::Inseparable => "packets of the old stack and the new one look alike",
            Reason::Graph => "the graph refuses it",
            Reason::State => "the hosts are at different points",
            Reason::Unknown => "it has content that is not known",
            Reason::Timeout => "the other host does not answer",
        })
    }
}

/// Fills bytes with random ones, which nobody can guess.
pub type Random = Box<dyn FnMut(&mut [u8]) + Send>;

/// How a channel comes to its end.
#[derive(Debug, Clone, Copy)]
struct Closing {
    reason: Reason,
    /// The empty stack has been offered, or need not be.
    offered: bool,
}

/// A question for a service.
#[derive(Debug)]
struct Question {
    service: Service,
    retry: Retry,
    until: Time,
}

/// The most questions for services at once.
pub const QUESTIONS_MAX: usize = 64;

/// One side of a channel.
pub struct Endpoint {
    config: Config,
    random: Random,
    now: Time,
    outputs: VecDeque<Output>,

    /// The nonce of the next session.
    pending: Nonce,
    session: Option<Session>,
    hello: Option<Retry>,
    /// When a stranger may get the next answer.
    answer_at: Time,
    /// Since when there is no session.
    alone: Option<Time>,
    told: Option<Time>,

    graph: Graph,
    staged: Option<Staged>,
    ticket: u64,
    /// The highest number that a stack has had.
    highest: u32,

    work: Work,
    request: Option<Request>,
    round: u32,
    /// The last round of the other host that has ended, or goes on.
    served: u32,
    drained: bool,
    /// How often the hosts have come to different points, one time after the other.
    failures: u32,
    /// Optional blocks that the new stack does not have.
    pending_without: Vec<(Name, Verdict)>,

    /// What the user wants.
    goal: Option<Vec<Wanted>>,
    /// What is to be offered.
    next: Option<Vec<Wanted>>,
    /// What is to be offered once that runs.
    then: Option<Vec<Wanted>>,
    closing: Option<Closing>,
    /// The channel is to end as soon as no transaction runs.
    ending: Option<Reason>,

    adaptive: Option<Adaptive>,
    services: Services,
    known: Services,
    questions: BTreeMap<u32, Question>,
    question: u32,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("Endpoint");
        f.field("work", &self.work)
            .field("session", &self.session.is_some())
            .field("graph", &self.graph)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

impl Endpoint {
    /// One side of a channel that does nothing yet. `graph` is what a process before this one has left.
    pub fn new(
        config: Config,
        graph: Option<Graph>,
        random: Random,
        now: Time,
    ) -> Result<Self, BadConfig> {
        if !(1..=PREFIX_MAX).contains(&config.place.prefix.len()) {
            return Err(BadConfig::Prefix);
        }
        if let Some(long) = config.have.iter().find(|has| has.kind.len() > KIND_MAX) {
            return Err(BadConfig::Kind(long.name.clone()));
        }
        if config.delay > DELAY_MAX {
            return Err(BadConfig::Delay);
        }
        let graph = graph.unwrap_or(Graph::Absent { open: true });
        let policy = config.policy.clone();
        let highest = graph.held().iter().map(|held| held.number).max();
        let mut endpoint = Endpoint {
            adaptive: policy.map(|policy| Adaptive::new(policy, graph.sending())),
            config,
            random,
            now,
            outputs: VecDeque::new(),
            pending: Nonce::NONE,
            session: None,
            hello: None,
            answer_at: now,
            alone: None,
            told: None,
            graph,
            staged: None,
            ticket: 0,
            highest: highest.unwrap_or(0),
            work: Work::Idle,
            request: None,
            round: 0,
            served: 0,
            drained: false,
            failures: 0,
            pending_without: Vec::new(),
            goal: None,
            next: None,
            then: None,
            closing: None,
            ending: None,
            services: Services::default(),
            known: Services::default(),
            questions: BTreeMap::new(),
            question: 0,
        };
        endpoint.new_nonce();
        endpoint.advance();
        Ok(endpoint)
    }

    /// The user wants these blocks, the last one next to the link. Opens the channel, or changes its stack.
    pub fn open(&mut self, blocks: Vec<Wanted>, now: Time) -> Result<(), BadStack> {
        self.tick(now);
        stack::check(&blocks)?;
        for block in blocks.iter().filter(|block| !block.optional) {
            match stack::judge(block, &self.config.have) {
                Verdict::Accept(_) => {}
                Verdict::Option(option) => {
                    return Err(BadStack::Option(block.name.clone(), option));
                }
                _ => return Err(BadStack::Lacking(block.name.clone())),
            }
        }
        if let Some(name) = self.demanded(&blocks) {
            return Err(BadStack::Demanded(name.clone()));
        }
        self.fits(&blocks)?;
        let absent = matches!(self.graph, Graph::Absent { .. }) && self.staged.is_none();
        if matches!(self.work, Work::Ending { .. }) && absent {
            self.session = None;
            self.work = Work::Idle;
        }
        self.then = None;
        self.next = Some(self.adapted(&blocks));
        self.goal = Some(blocks);
        self.closing = None;
        self.advance();
        Ok(())
    }

    /// The user wants no channel any longer.
    pub fn close(&mut self, now: Time) {
        self.tick(now);
        self.goal = None;
        self.next = None;
        self.then = None;
        self.closing = Some(Closing {
            reason: Reason::Request,
            offered: self.config.fallback == Fallback::Closed,
        });
        self.advance();
    }

    /// A message has come from the other host's address. An error means that it was ignored; nothing is sent then.
    pub fn receive(&mut self, bytes: &[u8], now: Time) -> Result<(), BadMessage> {
        self.tick(now);
        let result = self.take(bytes);
        if let Err(error @ BadMessage::Tag) = result {
            let due = |then| now.saturating_sub(then) >= Duration::from_secs(10);
            if self.told.is_none_or(due) {
                self.told = Some(now);
                self.report(Report::Ignored(error));
            }
        }
        self.advance();
        result
    }

    /// The time has come that [`next_timeout`](Self::next_timeout) told, or a later one.
    pub fn timeout(&mut self, now: Time) {
        self.tick(now);
        self.session_timers();
        self.work_timers();
        self.question_timers();
        self.advance();
    }

    /// What to do next, until there is nothing.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`timeout`](Self::timeout) is to be called.
    pub fn next_timeout(&self) -> Option<Time> {
        let times = [self.session_deadline(), self.work_deadline()];
        let questions = self.questions.values();
        let questions = questions.map(|question| question.retry.at.min(question.until));
        times.into_iter().flatten().chain(questions).min()
    }

    /// Publishes a service of this host, for so many seconds.
    pub fn services(&mut self) -> &mut Services {
        &mut self.services
    }

    /// Asks for a service of the other host. A report tells the answer.
    pub fn resolve(&mut self, service: Service, now: Time) {
        self.tick(now);
        if let Some(token) = self.known.resolve(&service, now) {
            let token = Some(token);
            self.report(Report::Resolved { service, token });
            return;
        }
        let bad = Services::check(&service).is_err();
        if bad || self.questions.len() >= QUESTIONS_MAX {
            self.report(Report::Resolved {
                service,
                token: None,
            });
            return;
        }
        self.question = self.question.wrapping_add(1);
        let question = Question {
            service,
            retry: Retry::new(self.now, self.config.timing.retry),
            until: self.now + self.config.timing.dead,
        };
        self.questions.insert(self.question, question);
        self.question_timers();
    }

    fn question_timers(&mut self) {
        let now = self.now;
        let over = |question: &Question| question.until <= now;
        let ended: Vec<u32> = self
            .questions
            .iter()
            .filter(|(_, question)| over(question))
            .map(|(&number, _)| number)
            .collect();
        for number in ended {
            self.answered(number, None);
        }
        let mut due = Vec::new();
        for (&number, question) in &mut self.questions {
            if question.retry.due(now, self.config.timing.retry_max) {
                due.push(Message::Resolve {
                    number,
                    context: question.service.context.clone(),
                    service: question.service.service.clone(),
                });
            }
        }
        for message in due {
            self.send(&message);
        }
    }

    fn answered(&mut self, number: u32, token: Option<(u16, u32)>) {
        let Some(question) = self.questions.remove(&number) else {
            return;
        };
        let service = question.service;
        if let Some((token, lifetime)) = token {
            self.known
                .remember(service.clone(), token, lifetime, self.now);
        }
        self.report(Report::Resolved { service, token });
    }

    /// What has been measured of the link.
    pub fn measured(&self) -> Option<Measured> {
        self.session.as_ref().map(|session| session.meter.measured)
    }

    /// What the channel has in the graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// What it will have if the transaction succeeds that runs now.
    pub fn staged(&self) -> Option<&Graph> {
        self.staged.as_ref().map(|staged| &staged.graph)
    }

    /// The other host answers.
    pub fn is_up(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.ready)
    }

    /// Nothing is being negotiated.
    pub fn is_idle(&self) -> bool {
        matches!(self.work, Work::Idle)
            && self.next.is_none()
            && self.then.is_none()
            && self.staged.is_none()
    }

    fn tick(&mut self, now: Time) {
        self.now = self.now.max(now);
    }

    fn report(&mut self, report: Report) {
        self.outputs.push_back(Output::Report(report));
    }

    /// A block that this host demands, and that is not in the list.
    fn demanded(&self, blocks: &[Wanted]) -> Option<&Name> {
        let required = |name: &Name| {
            let mut blocks = blocks.iter();
            blocks.any(|block| block.name == *name)
        };
        self.config.demand.iter().find(|name| !required(name))
    }

    fn adapted(&self, blocks: &[Wanted]) -> Vec<Wanted> {
        match &self.adaptive {
            Some(adaptive) => adaptive.apply(blocks, &self.config.have),
            None => blocks.to_vec(),
        }
    }

    /// Whether anything of a channel is there, or wanted.
    fn engaged(&self) -> bool {
        self.next.is_some()
            || self.goal.is_some()
            || self.closing.is_some()
            || matches!(self.graph, Graph::Present { .. })
    }

    /// Begins what can begin now.
    fn advance(&mut self) {
        if self.staged.is_some() {
            return;
        }
        if let Some(reason) = self.ending.take() {
            self.end(reason);
            return;
        }
        if !self.is_up() {
            if self.closing.is_some() && self.session.is_none() {
                let reason = self.closing.map_or(Reason::Request, |c| c.reason);
                self.end(reason);
            } else if self.session.is_none() && self.engaged() && self.hello.is_none() {
                self.begin_hello();
            }
            return;
        }
        if !matches!(self.work, Work::Idle) {
            return;
        }
        if let Some(closing) = &mut self.closing {
            if !closing.offered && !self.graph.sending().is_empty() {
                closing.offered = true;
                self.next = Some(Vec::new());
            } else if self.next.is_none() {
                let reason = closing.reason;
                self.begin_close(reason);
                return;
            }
        }
        if self.next.is_none() {
            self.next = self.then.take();
        }
        if let Some(blocks) = self.next.clone() {
            self.begin_offer(blocks);
        }
    }
}

#[cfg(test)]
mod tests;
