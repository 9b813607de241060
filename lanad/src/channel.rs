// SPDX-License-Identifier: GPL-2.0

//! A channel: the protocol of `lana-channel`, with a socket and the graph.

mod link;
mod store;

pub use link::Came;
pub use store::Kept;

use crate::{
    config::{Channel, Peer},
    keep::Overlay,
};
use anyhow::Result;
use lana_channel::{Endpoint, Output, Reason, Report, Service};
use lana_cli::usage;
use link::Link;
use std::{collections::VecDeque, time::Duration};
use tokio::sync::mpsc::UnboundedSender;

/// How often blocks are asked whether they still keep packets.
const LOOK: Duration = Duration::from_millis(100);

/// What the daemon is to do for a channel.
#[derive(Debug)]
pub enum Wish {
    /// Make this part of the graph, and tell [`Live::applied`]. The state is to be stored before.
    Apply(u64, Box<Overlay>),
    /// Tell [`Live::drained`] whether these blocks keep packets.
    Look(Vec<String>),
    /// Say something.
    Say(String),
    /// A question is answered.
    Resolved(Service, Option<(u16, u32)>),
}

/// A channel that is there.
pub struct Live {
    /// How it is configured.
    pub config: Channel,
    endpoint: Endpoint,
    link: Link,
    wishes: VecDeque<Wish>,
    /// Blocks that may keep packets, and when they are asked next.
    watched: Option<(Vec<String>, Duration)>,
    /// Why the last stack was refused, or the channel has ended.
    trouble: Option<String>,
    /// The channel has ended.
    closed: bool,
    /// The user of this host wants that.
    unwanted: bool,
}

impl Live {
    /// Opens the socket, and begins. `kept` is what a process before this one has left.
    pub fn start<M: From<Came> + Send + 'static>(
        name: &str,
        config: Channel,
        kept: Option<&Kept>,
        now: Duration,
        to: &UnboundedSender<M>,
    ) -> Result<Self> {
        config.check().map_err(usage)?;
        let link = Link::open(name, &config, to.clone())?;
        let random = Box::new(|bytes: &mut [u8]| {
            // There is randomness before there is a graph.
            let _ = rustix::rand::getrandom(bytes, rustix::rand::GetRandomFlags::empty());
        });
        let graph = kept.and_then(Kept::graph);
        let endpoint = Endpoint::new(config.endpoint()?, graph, random, now);
        let mut live = Live {
            endpoint: endpoint.map_err(|error| usage(error.to_string()))?,
            config,
            link,
            wishes: VecDeque::new(),
            watched: None,
            trouble: None,
            closed: false,
            unwanted: false,
        };
        live.open(now)?;
        Ok(live)
    }

    fn open(&mut self, now: Duration) -> Result<()> {
        self.trouble = None;
        self.closed = false;
        self.unwanted = false;
        if let Some(wanted) = self.config.wanted().map_err(usage)? {
            let opened = self.endpoint.open(wanted, now);
            opened.map_err(|error| usage(error.to_string()))?;
        }
        self.pump(now);
        Ok(())
    }

    /// Other blocks are wanted.
    pub fn change(&mut self, want: Option<Vec<String>>, now: Duration) -> Result<()> {
        let before = std::mem::replace(&mut self.config.want, want);
        let done = self.open(now);
        if done.is_err() {
            self.config.want = before;
        }
        done
    }

    /// The channel is wanted no longer.
    pub fn close(&mut self, now: Duration) {
        self.unwanted = true;
        self.endpoint.close(now);
        self.pump(now);
    }

    /// Whether it has ended.
    pub fn is_closed(&self) -> bool {
        self.closed && self.endpoint.is_idle()
    }

    /// Whether it has ended as somebody wanted it, so that there is nothing to tell of it any more.
    pub fn is_over(&self) -> bool {
        let of_nobody = self.trouble.is_none() && self.config.want.is_some();
        self.is_closed() && (self.unwanted || of_nobody)
    }

    /// Devices have come or gone: the one of this channel may be another one of the same name.
    pub fn find_device<M: From<Came> + Send + 'static>(
        &mut self,
        name: &str,
        to: &UnboundedSender<M>,
    ) {
        if self.link.is_of_another(&self.config) {
            // The next change is another chance.
            if let Ok(link) = Link::open(name, &self.config, to.clone()) {
                self.link = link;
            }
        }
    }

    /// Whether messages come and go by UDP to the same host as those of `other`.
    pub fn shares_socket(&self, other: &Live) -> bool {
        let peer = self.config.peer();
        matches!(peer, Ok(Peer::Ip(_))) && peer == other.config.peer()
    }

    /// A message has come.
    pub fn receive(&mut self, bytes: &[u8], now: Duration) {
        // The report tells of what is wrong with it.
        let _ = self.endpoint.receive(bytes, now);
        self.pump(now);
    }

    /// A transaction has ended.
    pub fn applied(&mut self, ticket: u64, result: Result<(), String>, now: Duration) {
        self.endpoint.applied(ticket, result, now);
        self.pump(now);
    }

    /// Whether blocks that were looked at keep packets.
    pub fn drained(&mut self, empty: bool, now: Duration) {
        if empty && self.watched.take().is_some() {
            self.endpoint.drained(now);
            self.pump(now);
        }
    }

    /// Time has passed.
    pub fn pass(&mut self, now: Duration) {
        if self.endpoint.next_timeout().is_some_and(|at| at <= now) {
            self.endpoint.timeout(now);
            self.pump(now);
        }
        if let Some((blocks, at)) = &mut self.watched {
            if *at <= now {
                *at = now + LOOK;
                self.wishes.push_back(Wish::Look(blocks.clone()));
            }
        }
    }

    /// When time has to pass next.
    pub fn deadline(&self) -> Option<Duration> {
        let watched = self.watched.as_ref().map(|(_, at)| *at);
        self.endpoint
            .next_timeout()
            .into_iter()
            .chain(watched)
            .min()
    }

    /// What is to be done next.
    pub fn wish(&mut self) -> Option<Wish> {
        self.wishes.pop_front()
    }

    /// What the next process has to know.
    pub fn kept(&self) -> Kept {
        Kept::new(&self.config, self.endpoint.graph(), self.endpoint.staged())
    }

    /// A service of this host. Its token.
    pub fn publish(&mut self, service: Service, lifetime: u32, now: Duration) -> Result<u16> {
        let published = self.endpoint.services().publish(service, lifetime, now);
        published.map_err(|error| usage(error.to_string()))
    }

    /// Asks for a service of the other host.
    pub fn resolve(&mut self, service: Service, now: Duration) {
        self.endpoint.resolve(service, now);
        self.pump(now);
    }

    /// How it is.
    pub fn status(&self, name: &str) -> Status {
        let measured = self.endpoint.measured().unwrap_or_default();
        let blocks = self.endpoint.graph().sending().iter();
        Status {
            name: name.to_owned(),
            device: self.config.device.clone(),
            to: self.config.to.clone(),
            state: match () {
                () if self.closed => "closed",
                () if !self.endpoint.is_up() => "alone",
                () if !self.endpoint.is_idle() => "changing",
                () => "up",
            }
            .to_owned(),
            blocks: blocks.map(|block| short(block.name.as_str())).collect(),
            loss_out: measured.loss_out,
            loss_in: measured.loss_in,
            round_trip: measured.round_trip.map(|time| time.as_secs_f64()),
            trouble: self.trouble.clone(),
        }
    }

    /// Does what the protocol says.
    fn pump(&mut self, now: Duration) {
        while let Some(output) = self.endpoint.poll() {
            match output {
                Output::Send(bytes) => self.link.send(&bytes),
                Output::Apply { ticket, plan, .. } => {
                    let overlay = Overlay::new(&self.config, plan);
                    self.wishes
                        .push_back(Wish::Apply(ticket, Box::new(overlay)));
                }
                Output::Watch(blocks) => self.watched = Some((blocks, now)),
                Output::Report(Report::Resolved { service, token }) => {
                    self.wishes.push_back(Wish::Resolved(service, token));
                }
                Output::Report(report) => {
                    let said = self.report(&report);
                    self.wishes.push_back(Wish::Say(said));
                }
            }
        }
    }

    fn report(&mut self, report: &Report) -> String {
        match report {
            Report::Up => "the other host is there".to_owned(),
            Report::Lost => "the other host does not answer, or has restarted".to_owned(),
            Report::Ignored(bad) => {
                let why = format!("a message is ignored: {bad}");
                self.trouble = Some(why.clone());
                why
            }
            Report::Running {
                blocks, without, ..
            } => {
                self.trouble = None;
                self.closed = false;
                let blocks: Vec<_> = blocks.iter().map(|name| short(name.as_str())).collect();
                let mut said = match blocks.join(",") {
                    none if none.is_empty() => "runs without blocks".to_owned(),
                    blocks => format!("runs: {blocks}"),
                };
                for (name, verdict) in without {
                    said = format!("{said}; without {}: {verdict}", short(name.as_str()));
                }
                said
            }
            Report::Refused(refusal) => {
                let why = format!("refused: {refusal}");
                self.trouble = Some(why.clone());
                why
            }
            Report::Reset => "the hosts have no stack in common, and begin again".to_owned(),
            Report::Failed { step, text } => {
                let why = format!("cannot {step}: {text}");
                self.trouble = Some(why.clone());
                why
            }
            Report::Adapted { loss } => format!(
                "{:.1}% of the messages are lost: the stack changes",
                loss * 100.0
            ),
            Report::Closed(reason) => {
                self.closed = true;
                let said = format!("closed: {reason}");
                // A refusal says more.
                if *reason != Reason::Request && self.trouble.is_none() {
                    self.trouble = Some(said.clone());
                }
                said
            }
            Report::Resolved { .. } => String::new(),
        }
    }
}

/// A name as users write it.
fn short(name: &str) -> String {
    name.strip_prefix("org.lana.").unwrap_or(name).to_owned()
}

/// How a channel is, for `lanactl`.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Status {
    /// What it is called.
    pub name: String,
    /// The device.
    pub device: String,
    /// The other host.
    pub to: String,
    /// In a word: up, changing, alone, closed.
    pub state: String,
    /// The blocks by which it sends.
    pub blocks: Vec<String>,
    /// The share of messages to the other host that is lost.
    pub loss_out: Option<f64>,
    /// The share of messages from it.
    pub loss_in: Option<f64>,
    /// Seconds to the other host and back.
    pub round_trip: Option<f64>,
    /// What went wrong.
    pub trouble: Option<String>,
}
