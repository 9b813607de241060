// SPDX-License-Identifier: GPL-2.0

//! A change of the stack, on the host that is asked. It answers each request, also when it comes again.

use super::{Endpoint, Step, Work};
use crate::{
    message::{Message, Reason, StackId},
    stack::{check, combine, digest, judge, merge, Verdict, Wanted},
};
use std::time::Duration;

impl Endpoint {
    /// A request, or a message that is not for what this host does now.
    pub(super) fn serve(&mut self, message: Message) {
        match message {
            Message::Offer {
                round,
                highest,
                running,
                blocks,
            } => self.offer(round, highest, running, &blocks),
            Message::Prepare { round, digest } => self.prepare(round, digest),
            Message::Switch {
                round,
                target,
                delay,
            } => self.switch(round, target, delay),
            Message::Finish { round } => self.finish(round),
            _ => {} // late
        }
    }

    fn refuse(&mut self, round: u32, reason: Reason, text: impl Into<String>) {
        let text = text.into();
        self.send(&Message::Refuse {
            round,
            reason,
            text,
        });
    }

    fn offer(&mut self, round: u32, highest: u32, running: StackId, blocks: &[Wanted]) {
        let again = matches!(&self.work, Work::Answered { round: of, .. } if *of == round);
        if self.staged.is_some() || (round <= self.served && !again) {
            return;
        }
        match &self.work {
            Work::Idle | Work::Answered { .. } => {}
            // Both have made an offer. That of the lower nonce gives way.
            Work::Offering { .. } => {
                let session = self.session.as_ref();
                if session.is_some_and(|session| session.mine > session.peer) {
                    return;
                }
                self.answer();
            }
            _ => return, // The other host asks again.
        }
        // What this host wants at the same time comes later, beside what the other one wants.
        if self.closing.is_none() {
            let ours = self.then.take().or(self.next.take());
            self.next = ours.map(|ours| merge(blocks, &ours));
        }
        self.work = Work::Idle;
        self.served = round;
        if running != self.graph.sends() || self.graph.held().len() != 1 {
            self.refuse(round, Reason::State, "another stack runs");
            return;
        }
        if let Err(error) = check(blocks) {
            self.refuse(round, Reason::Blocks, error.to_string());
            return;
        }
        if let Some(name) = self.demanded(blocks) {
            let name = name.to_string();
            self.refuse(round, Reason::Demand, name);
            return;
        }
        let verdicts: Vec<Verdict> = blocks
            .iter()
            .map(|block| judge(block, &self.config.have))
            .collect();
        if let Ok(stack) = combine(blocks, &verdicts) {
            match self.next_number(&stack, highest) {
                // The one that runs is no new one.
                _ if stack.as_slice() == self.graph.sending() => {}
                Ok(number) => {
                    let since = self.now;
                    self.work = Work::Answered {
                        round,
                        stack,
                        number,
                        since,
                    };
                }
                Err((reason, text)) => {
                    self.refuse(round, reason, text);
                    return;
                }
            }
        }
        self.send(&Message::Answer {
            round,
            highest: self.highest,
            verdicts,
        });
    }

    fn prepare(&mut self, round: u32, theirs: [u8; 16]) {
        match &self.work {
            Work::Answered {
                round: of,
                stack,
                number,
                ..
            } if *of == round && self.staged.is_none() => {
                let (stack, number) = (stack.clone(), *number);
                if digest(&stack) != theirs {
                    self.work = Work::Idle;
                    self.refuse(round, Reason::State, "the hosts mean different stacks");
                    return;
                }
                let stack = self.new_stack(round, false, stack, number);
                self.work = Work::ServeBuild { round };
                self.apply(Step::Build, self.graph.with(stack));
            }
            Work::Prepared { round: of, .. } if *of == round => {
                self.send(&Message::Prepared { round });
            }
            Work::Idle if round == self.served => {
                self.refuse(round, Reason::Graph, "the graph has refused the new stack");
            }
            _ => {}
        }
    }

    fn switch(&mut self, round: u32, target: StackId, delay: u32) {
        match &self.work {
            Work::Switched { round: of, .. } if *of == round => {
                self.send(&Message::Switched { round });
            }
            Work::Prepared { .. }
            | Work::Switched { .. }
            | Work::Idle
            | Work::AwaitSettle { .. }
            | Work::Answered { .. }
            | Work::Offering { .. }
                if self.staged.is_none() =>
            {
                let prepared = matches!(self.work, Work::Prepared { round: of, .. } if of == round);
                if round <= self.served && !prepared {
                    if matches!(self.work, Work::Idle) && round == self.served {
                        self.refuse(round, Reason::Graph, "the graph has refused to switch");
                    }
                    return;
                }
                self.served = round;
                if !self.graph.holds(target) {
                    self.refuse(round, Reason::State, "there is no such stack");
                    return;
                }
                self.answer();
                let trip = self.measured().and_then(|link| link.round_trip);
                let late = trip.unwrap_or_default() / 2;
                let delay = Duration::from_millis(delay.min(super::DELAY_MAX).into());
                self.work = Work::ServeSwitch {
                    round,
                    target,
                    at: Some(self.now + delay.saturating_sub(late)),
                };
                self.serve_timers();
            }
            _ => {}
        }
    }

    fn finish(&mut self, round: u32) {
        let served = self.served;
        match &mut self.work {
            Work::Switched {
                round: of, finish, ..
            } if *of == round => {
                *finish = true;
                self.serve_timers();
            }
            Work::Switched { .. }
            | Work::Answered { .. }
            | Work::ServeBuild { .. }
            | Work::Prepared { .. }
            | Work::ServeSwitch { .. } => {}
            _ if round == served => self.send(&Message::Finished { round }),
            _ => {}
        }
    }

    /// The other host says that a round is over, which it has begun.
    pub(super) fn round_over(&mut self, round: Option<u32>, reason: Reason, text: String) {
        if let Work::Answered { round: of, .. } = &self.work {
            if Some(*of) == round {
                self.work = Work::Idle;
                if reason != Reason::Request {
                    self.report(super::Report::Refused(super::Refusal::Peer(reason, text)));
                }
            }
        }
    }

    pub(super) fn serve_timers(&mut self) {
        let now = self.now;
        match self.work {
            Work::ServeSwitch {
                round,
                target,
                at: Some(at),
            } if now >= at && self.staged.is_none() => {
                self.work = Work::ServeSwitch {
                    round,
                    target,
                    at: None,
                };
                if self.send_by(target) {
                    self.switched(round, target);
                }
            }
            Work::Switched {
                round,
                target,
                since,
                finish: true,
            } if now >= self.drained_at(since) && self.staged.is_none() => {
                self.send(&Message::Finished { round });
                self.work = Work::ServeRemove;
                if self.keep_only(target) {
                    self.work = Work::Idle;
                }
            }
            _ => {}
        }
    }

    fn switched(&mut self, round: u32, target: StackId) {
        self.work = Work::Switched {
            round,
            target,
            since: self.now,
            finish: false,
        };
        self.begin_drain(target);
        self.send(&Message::Switched { round });
    }

    /// The transaction of a step has ended.
    pub(super) fn served(&mut self, result: Result<(), String>) {
        match (&self.work, result) {
            (&Work::ServeBuild { round }, Ok(())) => {
                let since = self.now;
                self.work = Work::Prepared { round, since };
                self.send(&Message::Prepared { round });
            }
            (&Work::ServeBuild { round }, Err(text)) => {
                self.work = Work::Idle;
                self.refuse(round, Reason::Graph, text);
            }
            (
                &Work::ServeSwitch {
                    round,
                    target,
                    at: None,
                },
                Ok(()),
            ) => {
                self.tell_running(Vec::new());
                self.switched(round, target);
            }
            (&Work::ServeSwitch { round, .. }, Err(text)) => {
                let since = self.now;
                self.work = Work::Prepared { round, since };
                self.refuse(round, Reason::Graph, text);
            }
            (Work::ServeRemove, _) => self.work = Work::Idle,
            _ => {}
        }
    }
}
