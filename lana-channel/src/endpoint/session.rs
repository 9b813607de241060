// SPDX-License-Identifier: GPL-2.0

//! Sessions: who is there, and which of its messages are new.

use super::{Endpoint, Output, Report, Timing, Work};
use crate::{
    link::Meter,
    message::{Held, Link, Message, Reason, StackId},
    plan::Graph,
    seal::{self, BadMessage, Header, Key, Nonce, Window, MESSAGE_MAX},
    services::Service,
    stack::{BadStack, Wanted},
    Time,
};
use std::time::Duration;

/// When to send something again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retry {
    pub(super) at: Time,
    wait: Duration,
}

impl Retry {
    /// Sends at once, and again after `wait`.
    pub(super) fn new(now: Time, wait: Duration) -> Self {
        Retry { at: now, wait }
    }

    /// Whether it is time. If so, the next time is later.
    pub(super) fn due(&mut self, now: Time, most: Duration) -> bool {
        if now < self.at {
            return false;
        }
        self.at = now + self.wait;
        self.wait = (self.wait * 2).min(most);
        true
    }
}

/// A request that has no answer yet.
#[derive(Debug)]
pub(super) struct Request {
    message: Message,
    retry: Retry,
    since: Time,
}

/// A session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) mine: Nonce,
    pub(super) peer: Nonce,
    pub(super) key: Key,
    sequence: u64,
    window: Window,
    heard: Time,
    /// The other host has the session, too.
    pub(super) ready: bool,
    /// The stacks of this host when the session began.
    held: Vec<Held>,
    keepalive: Time,
    pub(super) meter: Meter,
}

impl Session {
    /// When nobody is there, unless another message comes.
    fn lost_at(&self, timing: &Timing) -> Time {
        let patience = if self.ready {
            timing.dead
        } else {
            timing.retry_max * 2
        };
        self.heard + patience
    }
}

/// What two hosts do when a session begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meeting {
    /// They have the same.
    Same,
    /// They go on with this stack.
    Settle(StackId),
    /// They begin again.
    Reset,
}

/// What to do with the stacks that both hosts have. Both come to the same result.
pub(super) fn meet(mine: &[Held], theirs: &[Held]) -> Meeting {
    let common = mine
        .iter()
        .filter(|held| theirs.iter().any(|other| other.id == held.id))
        .max_by_key(|held| (held.number, held.id));
    match common {
        None => Meeting::Reset,
        Some(_) if mine.len() == 1 && theirs.len() == 1 => Meeting::Same,
        Some(held) => Meeting::Settle(held.id),
    }
}

impl Endpoint {
    pub(super) fn new_nonce(&mut self) {
        let mut nonce = Nonce::NONE;
        while nonce == Nonce::NONE {
            (self.random)(&mut nonce.0);
        }
        self.pending = nonce;
    }

    fn header(&self, kind: u8, from: Nonce, to: Nonce, sequence: u64) -> Header {
        Header {
            kind,
            channel: self.config.channel,
            from,
            to,
            sequence,
        }
    }

    /// Sends a message of the session.
    pub(super) fn send(&mut self, message: &Message) {
        let (kind, content) = message.encode();
        let Some(session) = &mut self.session else {
            return;
        };
        session.sequence += 1;
        let (from, to, sequence) = (session.mine, session.peer, session.sequence);
        self.send_sealed(&self.header(kind, from, to, sequence), &content);
    }

    fn send_sealed(&mut self, header: &Header, content: &[u8]) {
        // Only an offer could be too long, and `fits` has seen it.
        if let Ok(bytes) = seal::seal(&self.config.key, header, content) {
            self.outputs.push_back(Output::Send(bytes));
        }
    }

    /// Whether an offer of these blocks is a message, also with the block of the policy.
    pub(super) fn fits(&self, blocks: &[Wanted]) -> Result<(), BadStack> {
        let mut blocks = blocks.to_vec();
        if let Some(policy) = &self.config.policy {
            blocks.push(policy.block.clone());
        }
        let offer = Message::Offer {
            round: 0,
            highest: 0,
            running: crate::BASE,
            blocks,
        };
        let length = seal::HEADER + offer.encode().1.len() + seal::TAG;
        if length > MESSAGE_MAX {
            return Err(BadStack::Long(length));
        }
        Ok(())
    }

    /// Sends a request again and again, until [`answer`](Self::answer).
    pub(super) fn ask(&mut self, message: Message) {
        let timing = self.config.timing;
        let mut retry = Retry::new(self.now, timing.retry);
        retry.due(self.now, timing.retry_max);
        self.send(&message);
        self.request = Some(Request {
            message,
            retry,
            since: self.now,
        });
    }

    /// The request has an answer.
    pub(super) fn answer(&mut self) {
        self.request = None;
    }

    pub(super) fn begin_hello(&mut self) {
        self.hello = Some(Retry::new(self.now, self.config.timing.retry));
        self.alone.get_or_insert(self.now);
        self.session_timers();
    }

    fn send_hello(&mut self, ready: bool, done: bool) {
        let held = match &self.session {
            Some(session) => session.held.clone(),
            None => Vec::new(),
        };
        let message = Message::Hello { ready, done, held };
        if self.session.is_some() {
            self.send(&message);
        } else {
            let (kind, content) = message.encode();
            self.send_sealed(&self.header(kind, self.pending, Nonce::NONE, 0), &content);
        }
    }

    /// The session is over: nobody is there, or somebody else.
    pub(super) fn lose(&mut self) {
        let Some(session) = self.session.take() else {
            return;
        };
        if session.ready {
            self.report(Report::Lost);
        }
        self.request = None;
        self.hello = None;
        let builds = matches!(
            self.work,
            Work::Building { .. } | Work::Preparing { .. } | Work::Switching { back: false, .. }
        );
        // What this host has offered may not come to be, though nobody has refused it: it is offered again.
        if builds && self.failures == 0 && self.next.is_none() && self.then.is_none() {
            self.next = self.goal.as_ref().map(|goal| self.adapted(goal));
        }
        if !matches!(self.work, Work::Ending { .. }) || self.staged.is_none() {
            self.work = Work::Idle;
        }
        if self.engaged() {
            self.alone.get_or_insert(self.now);
        }
    }

    /// A message from the other host, or from anybody.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), BadMessage> {
        let (header, message) = seal::header(bytes)?;
        if header.channel != self.config.channel {
            return Err(BadMessage::Channel(header.channel));
        }
        let current = self.session.as_ref().map(|s| (s.mine, s.peer));
        let mine = current.map(|(mine, _)| mine);
        if header.from == self.pending || Some(header.from) == mine {
            return Err(BadMessage::Reflected);
        }
        if header.from == Nonce::NONE {
            return Err(BadMessage::Session);
        }
        if current == Some((header.to, header.from)) {
            let content = seal::open(&self.config.key, &header, message)?;
            let decoded = Message::decode(header.kind, content);
            let now = self.now;
            let Some(session) = &mut self.session else {
                return Err(BadMessage::Session);
            };
            if !session.window.accept(header.sequence) {
                return Err(BadMessage::Replayed);
            }
            session.heard = now;
            return match decoded {
                Ok(message) => {
                    self.dispatch(header.sequence, message);
                    Ok(())
                }
                Err(error) => {
                    if let BadMessage::Unknown(kind) = error {
                        self.refuse_unknown(content, kind);
                    }
                    Err(error)
                }
            };
        }
        if !(self.engaged() || self.config.listen) {
            return Err(BadMessage::Session);
        }
        if header.to == Nonce::NONE {
            let content = seal::open(&self.config.key, &header, message)?;
            let Message::Hello { .. } = Message::decode(header.kind, content)? else {
                return Err(BadMessage::Content);
            };
            let known = current.is_some_and(|(_, peer)| peer == header.from);
            if !known && self.now >= self.answer_at {
                // Nothing is remembered of who asks: the message may be an old one.
                self.answer_at = self.now + self.config.timing.retry / 8;
                let reply = Message::Hello {
                    ready: false,
                    done: false,
                    held: Vec::new(),
                };
                let (kind, content) = reply.encode();
                self.send_sealed(&self.header(kind, self.pending, header.from, 0), &content);
            }
            return Ok(());
        }
        if header.to != self.pending {
            return Err(BadMessage::Session);
        }
        let content = seal::open(&self.config.key, &header, message)?;
        let Message::Hello { ready, done, held } = Message::decode(header.kind, content)? else {
            return Err(BadMessage::Content);
        };
        let ending = matches!(self.work, Work::Ending { .. });
        let leaves = ending && matches!(self.graph, Graph::Present { .. });
        if self.staged.is_none() && !leaves {
            self.begin_session(&header);
            self.greeted(ready, done, &held);
        }
        Ok(())
    }

    /// The other host has told a nonce that only it can have answered with: it is there now.
    fn begin_session(&mut self, header: &Header) {
        self.lose();
        self.served = 0;
        self.round = 0;
        let mine = self.pending;
        self.new_nonce();
        let mut window = Window::default();
        window.accept(header.sequence);
        self.session = Some(Session {
            mine,
            peer: header.from,
            key: self.config.key.session(&mine, &header.from),
            sequence: 0,
            window,
            heard: self.now,
            ready: false,
            held: self.graph.held(),
            keepalive: self.now + self.config.timing.keepalive,
            meter: Meter::default(),
        });
        self.hello = Some(Retry::new(self.now, self.config.timing.retry));
    }

    /// A greeting in the session.
    fn greeted(&mut self, ready: bool, done: bool, held: &[Held]) {
        if ready && !done {
            self.send_hello(true, true);
        }
        let Some(session) = &mut self.session else {
            return;
        };
        if !ready {
            self.session_timers(); // greets
            return;
        }
        if session.ready {
            return;
        }
        session.ready = true;
        self.hello = None;
        self.alone = None;
        let meeting = meet(&session.held, held);
        let leads = session.mine > session.peer;
        self.report(Report::Up);
        self.met(&meeting, leads);
    }

    /// A TLV that this host must know, and does not.
    fn refuse_unknown(&mut self, content: &[u8], kind: u16) {
        let mut reader = crate::wire::Reader(content);
        let mut round = None;
        while let Some((kind, mut value)) = reader.tlv() {
            if kind & !crate::wire::MUST_KNOW == 1 {
                round = value.u32();
            }
        }
        let ready = self.is_up() && !matches!(self.work, Work::Ending { .. });
        if let Some(round) = round.filter(|_| ready) {
            self.send(&Message::Refuse {
                round,
                reason: Reason::Unknown,
                text: format!("content of type {kind:#06x}"),
            });
        }
    }

    fn dispatch(&mut self, sequence: u64, message: Message) {
        if let Work::Ending { .. } = self.work {
            if let Message::Close { .. } = message {
                self.send(&Message::Closed);
            }
            return;
        }
        if let Message::Hello { ready, done, held } = message {
            self.greeted(ready, done, &held);
            return;
        }
        if !self.is_up() {
            return; // its greeting is on the way
        }
        match message {
            Message::Keepalive(link) => self.keepalive(sequence, &link),
            Message::Resolve {
                number,
                context,
                service,
            } => {
                let service = Service { context, service };
                let found = self.services.resolve(&service, self.now);
                self.send(&match found {
                    Some((token, lifetime)) => Message::Resolved {
                        number,
                        token,
                        lifetime,
                    },
                    None => Message::Unresolved { number },
                });
            }
            Message::Resolved {
                number,
                token,
                lifetime,
            } => self.answered(number, Some((token, lifetime))),
            Message::Unresolved { number } => self.answered(number, None),
            Message::Close { reason } => {
                self.send(&Message::Closed);
                if !matches!(self.work, Work::Closing { .. }) {
                    self.ending = Some(reason);
                }
            }
            Message::Closed => {
                if let Work::Closing { reason } = self.work {
                    self.session = None; // The other host has the last word.
                    self.ending = Some(reason);
                }
            }
            message => self.work_message(message),
        }
    }

    fn keepalive(&mut self, sequence: u64, link: &Link) {
        let (now, idle) = (self.now, self.is_idle());
        let Some(session) = &mut self.session else {
            return;
        };
        session.meter.comes(sequence, link, &session.window, now);
        let loss = session.meter.measured.loss();
        let (Some(loss), Some(adaptive), Some(goal)) = (loss, &mut self.adaptive, &self.goal)
        else {
            return;
        };
        if idle {
            adaptive.settled(self.graph.sending());
        }
        if adaptive.measured(loss, now) {
            self.next = Some(adaptive.apply(goal, &self.config.have));
            self.report(Report::Adapted { loss });
        }
    }

    pub(super) fn session_timers(&mut self) {
        let (now, timing) = (self.now, self.config.timing);
        let ending = matches!(self.work, Work::Ending { .. });
        if let Some(session) = &self.session {
            if now >= session.lost_at(&timing) {
                self.lose();
            }
        }
        if let Some(since) = self.alone {
            if now >= since + timing.hold && !self.is_up() && !ending {
                self.session = None;
                self.work = Work::Idle;
                self.ending = Some(Reason::Timeout);
                self.hello = None;
                self.alone = None;
                return;
            }
        }
        if ending {
            return;
        }
        let due = |retry: &mut Retry| retry.due(now, timing.retry_max);
        if self.hello.as_mut().is_some_and(due) {
            self.send_hello(self.session.is_some(), false);
        }
        if self.is_up() {
            let Some(session) = &mut self.session else {
                return;
            };
            if now >= session.keepalive {
                session.keepalive = now + timing.keepalive;
                let sequence = session.sequence + 1;
                let link = session.meter.leaves(sequence, &session.window, now);
                self.send(&Message::Keepalive(link));
            }
            self.request_timer();
        }
    }

    fn request_timer(&mut self) {
        let (now, timing) = (self.now, self.config.timing);
        let closing = matches!(self.work, Work::Closing { .. });
        let patience = if closing {
            timing.retry_max * 2
        } else {
            timing.patience
        };
        let Some(request) = &mut self.request else {
            return;
        };
        if now >= request.since + patience {
            self.request = None;
            self.no_answer();
        } else if request.retry.due(now, timing.retry_max) {
            let message = request.message.clone();
            self.send(&message);
        }
    }

    pub(super) fn session_deadline(&self) -> Option<Time> {
        let timing = &self.config.timing;
        if let Work::Ending { .. } = self.work {
            return None;
        }
        let session = self.session.as_ref();
        let lost = session.map(|session| session.lost_at(timing));
        let ready = session.filter(|session| session.ready);
        let keepalive = ready.map(|session| session.keepalive);
        let hold = self.alone.filter(|_| ready.is_none());
        let hold = hold.map(|since| since + timing.hold);
        let request = self.request.as_ref().filter(|_| ready.is_some());
        let request = request.map(|request| request.retry.at);
        let hello = self.hello.map(|hello| hello.at);
        [lost, keepalive, hold, request, hello]
            .into_iter()
            .flatten()
            .min()
    }

    /// The channel is not in the graph any longer.
    pub(super) fn ended(&mut self, reason: Reason) {
        debug_assert!(matches!(self.graph, Graph::Absent { .. }), "it is there");
        self.report(Report::Closed(reason));
        if self.session.is_none() {
            self.work = Work::Idle;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_hosts_come_to_the_same() {
        let held = |number: u8, sends| Held {
            id: [number; 16],
            number: number.into(),
            sends,
        };
        let (one, two, three) = (held(1, true), held(2, true), held(3, false));
        let meet = |mine: &[Held], theirs: &[Held]| {
            let meeting = meet(mine, theirs);
            assert_eq!(meeting, super::meet(theirs, mine));
            meeting
        };
        assert_eq!(meet(&[one], &[one]), Meeting::Same);
        assert_eq!(meet(&[one], &[two]), Meeting::Reset);
        assert_eq!(meet(&[one, two], &[two]), Meeting::Settle([2; 16]));
        assert_eq!(meet(&[one, two], &[one, two]), Meeting::Settle([2; 16]));
        assert_eq!(meet(&[one, two], &[two, three]), Meeting::Settle([2; 16]));
        assert_eq!(meet(&[one, two], &[three]), Meeting::Reset);
    }
}
