// SPDX-License-Identifier: GPL-2.0

//! A change of the stack, on the host that asks for it.
//!
//! Each step has a request, which is sent until its answer comes:
//!
//! 1. `Offer`, `Answer`: what the new stack is.
//! 2. This host adds the new stack beside the old one. `Prepare`, `Prepared`: so does the other host.
//! 3. `Switch`, `Switched`: both send by the new stack.
//! 4. The old stack runs empty. `Finish`, `Finished`: on the other host, too. Both remove it.

use super::{
    session::Meeting,
    work::{Own, Work, FAILURES_MAX},
    Endpoint, Fallback, Refusal, Report, Step,
};
use crate::{
    message::{Message, Reason, StackId, STACKS_MAX},
    name::Name,
    plan::{Graph, Keys, Stack},
    seal::Nonce,
    stack::{bridge, combine, digest, separable, Agreed, Verdict, Wanted},
};

impl Endpoint {
    /// What two hosts do when a session begins.
    pub(super) fn met(&mut self, meeting: &Meeting, leads: bool) {
        self.work = Work::Idle;
        match meeting {
            Meeting::Same => {}
            Meeting::Settle(target) if leads => {
                self.round += 1;
                self.begin_switch(self.round, *target, 0, false);
            }
            Meeting::Settle(_) => {
                let until = self.now + self.config.timing.patience;
                self.work = Work::AwaitSettle { until };
            }
            Meeting::Reset => {
                self.report(Report::Reset);
                if self.next.is_none() && self.closing.is_none() {
                    self.next = self.goal.as_ref().map(|goal| self.adapted(goal));
                }
                if !self.reset() {
                    self.work = Work::Resetting;
                }
            }
        }
    }

    pub(super) fn begin_offer(&mut self, mut blocks: Vec<Wanted>) {
        if let Some(bridge) = bridge(self.graph.sending(), &blocks, &self.config.have) {
            let clear = bridge.is_empty() && self.config.fallback == Fallback::Closed;
            if self.demanded(&bridge).is_none() && !clear {
                self.then = Some(std::mem::replace(&mut blocks, bridge.clone()));
                self.next = Some(bridge);
            }
        }
        self.round += 1;
        self.ask(Message::Offer {
            round: self.round,
            highest: self.highest,
            running: self.graph.sends(),
            blocks: blocks.clone(),
        });
        self.work = Work::Offering {
            round: self.round,
            blocks,
        };
    }

    pub(super) fn begin_close(&mut self, reason: Reason) {
        self.ask(Message::Close { reason });
        self.work = Work::Closing { reason };
    }

    /// A message of the negotiation.
    pub(super) fn work_message(&mut self, message: Message) {
        let round = message.round();
        match (message, &self.work) {
            (
                Message::Answer {
                    round: of,
                    highest,
                    verdicts,
                },
                Work::Offering { round, blocks },
            ) if of == *round => {
                let blocks = blocks.clone();
                self.offer_answered(of, &blocks, highest, &verdicts);
            }
            (Message::Prepared { .. }, &Work::Preparing { round: of, target })
                if round == Some(of) =>
            {
                self.begin_switch(of, target, self.config.delay, false);
            }
            (Message::Switched { .. }, Work::Switching { round: of, .. }) if round == Some(*of) => {
                self.answer();
                if let Work::Switching { peer, .. } = &mut self.work {
                    *peer = true;
                }
                self.both_switched();
            }
            (Message::Finished { .. }, &Work::Finishing { round: of, target })
                if round == Some(of) =>
            {
                self.answer();
                self.work = Work::Removing;
                if self.keep_only(target) {
                    self.work = Work::Idle;
                }
            }
            (Message::Refuse { reason, text, .. }, work) => {
                let asks = match work {
                    Work::Offering { round, .. }
                    | Work::Preparing { round, .. }
                    | Work::Switching { round, .. }
                    | Work::Finishing { round, .. } => Some(*round),
                    _ => None,
                };
                if asks.is_some() && asks == round {
                    self.refused(reason, text);
                } else {
                    self.round_over(round, reason, text);
                }
            }
            (message, _) => self.serve(message),
        }
    }

    fn offer_answered(
        &mut self,
        round: u32,
        blocks: &[Wanted],
        highest: u32,
        verdicts: &[Verdict],
    ) {
        self.answer();
        if verdicts.len() != blocks.len() {
            let text = "the answer is of another length".to_owned();
            self.drop_offer(blocks, round, Refusal::Peer(Reason::State, text));
            return;
        }
        let stack = match combine(blocks, verdicts) {
            Ok(stack) => stack,
            Err((name, verdict)) => {
                self.drop_offer(blocks, round, Refusal::Block(name, verdict));
                return;
            }
        };
        if stack.as_slice() == self.graph.sending() {
            self.offer_done(blocks);
            self.send(&Message::Refuse {
                round,
                reason: Reason::Request,
                text: "it runs already".into(),
            });
            self.work = Work::Idle;
            self.tell_running(without(blocks, verdicts));
            return;
        }
        let number = match self.next_number(&stack, highest) {
            Ok(number) => number,
            Err((reason, text)) => {
                self.drop_offer(blocks, round, Refusal::Own(reason, text));
                return;
            }
        };
        self.offer_done(blocks);
        let without = without(blocks, verdicts);
        let digest = digest(&stack);
        let stack = self.new_stack(round, true, stack, number);
        self.pending_without = without;
        self.work = Work::Building {
            round,
            target: stack.id,
            digest,
        };
        self.apply(Step::Build, self.graph.with(stack));
    }

    /// The offer is not needed any longer, unless the user wants something else by now.
    fn offer_done(&mut self, blocks: &[Wanted]) {
        self.next.take_if(|next| next == blocks);
    }

    /// This host gives its offer up, and tells the other one.
    fn drop_offer(&mut self, blocks: &[Wanted], round: u32, refusal: Refusal) {
        self.offer_done(blocks);
        let (reason, text) = match &refusal {
            Refusal::Block(name, _) => (Reason::Blocks, name.as_str().to_owned()),
            Refusal::Peer(reason, text) | Refusal::Own(reason, text) => (*reason, text.clone()),
        };
        let text = crate::wire::to_text(&text);
        self.send(&Message::Refuse {
            round,
            reason,
            text,
        });
        self.stays_as_it_is(refusal);
    }

    /// An offer came to nothing. What runs goes on; if nothing does, the channel ends.
    fn stays_as_it_is(&mut self, refusal: Refusal) {
        let reason = match &refusal {
            Refusal::Block(..) => Reason::Blocks,
            Refusal::Peer(reason, _) | Refusal::Own(reason, _) => *reason,
        };
        self.report(Report::Refused(refusal));
        self.then = None;
        self.work = Work::Idle;
        let empty = self.graph.sending().is_empty();
        if empty && self.next.is_none() {
            self.goal = None;
            if self.closing.is_none() {
                self.begin_close(reason);
            }
        }
    }

    /// The other host refuses the request of this one.
    fn refused(&mut self, reason: Reason, text: String) {
        self.answer();
        match &self.work {
            // The hosts mean different stacks by the one that runs: they meet anew.
            Work::Offering { .. } if reason == Reason::State => self.fail(),
            Work::Offering { blocks, .. } => {
                let blocks = blocks.clone();
                self.offer_done(&blocks);
                self.stays_as_it_is(Refusal::Peer(reason, text));
            }
            Work::Preparing { .. } => {
                self.report(Report::Refused(Refusal::Peer(reason, text)));
                self.work = Work::Removing;
                if self.keep_only(self.graph.sends()) {
                    self.work = Work::Idle;
                }
            }
            Work::Switching { target, back, .. } => {
                let (target, back) = (*target, *back);
                self.report(Report::Refused(Refusal::Peer(reason, text)));
                self.switch_failed(target, back);
            }
            _ => self.fail(),
        }
    }

    /// A stack by which a host cannot send: both go back to the other one.
    fn switch_failed(&mut self, target: StackId, back: bool) {
        let held = self.graph.held();
        let other = held.iter().find(|held| held.id != target);
        match other.filter(|_| !back) {
            Some(other) => {
                self.round += 1;
                self.begin_switch(self.round, other.id, 0, true);
            }
            None => self.fail(),
        }
    }

    /// Something failed that leaves the hosts at different points. They meet anew; if that does not help, the channel
    /// ends.
    pub(super) fn fail(&mut self) {
        self.failures += 1;
        if self.failures < FAILURES_MAX {
            self.lose();
            return;
        }
        let reason = Reason::Graph;
        self.send(&Message::Close { reason });
        self.ending = Some(reason);
    }

    /// Both are to send by a stack that both have.
    pub(super) fn begin_switch(&mut self, round: u32, target: StackId, delay: u32, back: bool) {
        self.ask(Message::Switch {
            round,
            target,
            delay,
        });
        let at = self.now + std::time::Duration::from_millis(delay.into());
        self.work = Work::Switching {
            round,
            target,
            own: Own::At(at),
            peer: false,
            back,
        };
        self.work_timers();
    }

    /// The old stack runs empty once both hosts have switched.
    fn both_switched(&mut self) {
        if let &Work::Switching {
            round,
            target,
            own: Own::Done,
            peer: true,
            ..
        } = &self.work
        {
            let since = self.now;
            self.failures = 0;
            self.work = Work::Draining {
                round,
                target,
                since,
            };
            self.begin_drain(target);
        }
    }

    /// The stack by which this host sends, if that has just begun.
    pub(super) fn tell_running(&mut self, without: Vec<(Name, Verdict)>) {
        let sends = self.graph.sends();
        let held = self.graph.held();
        let number = held.iter().find(|held| held.id == sends);
        let number = number.map_or(0, |held| held.number);
        let blocks = self.graph.sending().iter();
        let blocks = blocks.map(|block| block.name.clone()).collect();
        self.report(Report::Running {
            number,
            blocks,
            without,
        });
    }

    /// The number of a new stack, if it can stand beside the one that runs.
    pub(super) fn next_number(
        &self,
        stack: &[Agreed],
        highest: u32,
    ) -> Result<u32, (Reason, String)> {
        if self.graph.held().len() >= STACKS_MAX {
            let text = "two stacks are there already".to_owned();
            return Err((Reason::State, text));
        }
        if !separable(self.graph.sending(), stack, &self.config.have) {
            let text = "a stack of other EtherTypes must run in between".to_owned();
            return Err((Reason::Inseparable, text));
        }
        let number = self.highest.max(highest).checked_add(1);
        number.ok_or((Reason::State, "there are no more numbers".to_owned()))
    }

    /// A stack with keys of its own. Both hosts come to the same name and the same keys.
    pub(super) fn new_stack(
        &self,
        round: u32,
        asks: bool,
        blocks: Vec<Agreed>,
        number: u32,
    ) -> Stack {
        let mut stack = Stack {
            id: [0; 16],
            number,
            open: true,
            keys: None,
            blocks,
        };
        let Some(session) = &self.session else {
            return stack;
        };
        let asker = if asks { session.mine } else { session.peer };
        let digest = digest(&stack.blocks);
        let (round, number) = (round.to_be_bytes(), number.to_be_bytes());
        let id = session.key.derive(
            b"LANA channel 1 stack",
            &[&asker.0, &round, &number, &digest],
        );
        stack
            .id
            .iter_mut()
            .zip(id.iter())
            .for_each(|(to, &byte)| *to = byte);
        let key = |sender: Nonce| {
            session
                .key
                .derive(b"LANA channel 1 crypt", &[&stack.id, &sender.0])
        };
        stack.keys = Some(Keys {
            sends: key(session.mine),
            receives: key(session.peer),
        });
        stack
    }

    /// The transaction of a step has ended.
    pub(super) fn transaction_done(&mut self, step: Step, result: Result<(), String>) {
        match (&self.work, result) {
            (
                &Work::Building {
                    round,
                    target,
                    digest,
                },
                Ok(()),
            ) => {
                self.ask(Message::Prepare { round, digest });
                self.work = Work::Preparing { round, target };
            }
            (&Work::Building { round, .. }, Err(text)) => {
                let reason = Reason::Graph;
                let refusal = Refusal::Own(reason, text.clone());
                self.send(&Message::Refuse {
                    round,
                    reason,
                    text,
                });
                self.stays_as_it_is(refusal);
            }
            (
                &Work::Switching {
                    target,
                    own: Own::Runs,
                    back,
                    ..
                },
                result,
            ) => {
                if let Err(text) = result {
                    self.answer();
                    self.report(Report::Refused(Refusal::Own(Reason::Graph, text)));
                    self.switch_failed(target, back);
                    return;
                }
                self.own_switched();
            }
            (Work::Resetting, Err(_)) => self.fail(),
            (Work::Removing | Work::Resetting, _) => {
                self.work = Work::Idle;
                self.unbuilt();
            }
            (&Work::Ending { reason, .. }, _) if step == Step::Close => match self.graph {
                Graph::Absent { .. } => self.ended(reason),
                Graph::Present { .. } => self.remove_again(reason),
            },
            (_, result) => self.served(result),
        }
    }

    /// A first stack that came to nothing: the channel ends.
    fn unbuilt(&mut self) {
        let empty = self.graph.sending().is_empty();
        if empty
            && self.next.is_none()
            && self.then.is_none()
            && self.closing.is_none()
            && self.goal.take().is_some()
        {
            self.begin_close(Reason::Graph);
        }
    }

    /// This host sends by the new stack.
    pub(super) fn own_switched(&mut self) {
        let mut went_back = false;
        if let Work::Switching { own, back, .. } = &mut self.work {
            *own = Own::Done;
            went_back = *back;
        }
        if !went_back {
            let without = std::mem::take(&mut self.pending_without);
            self.tell_running(without);
        }
        self.both_switched();
    }

    /// The other host has not answered, though it is there.
    pub(super) fn no_answer(&mut self) {
        match &self.work {
            Work::Closing { reason } => {
                let reason = *reason;
                self.session = None;
                self.ending = Some(reason);
            }
            _ => self.lose(),
        }
    }
}

/// The blocks of an offer that the other host refuses.
fn without(blocks: &[Wanted], verdicts: &[Verdict]) -> Vec<(Name, Verdict)> {
    let refused = |(block, verdict): (&Wanted, &Verdict)| match verdict {
        Verdict::Accept(_) => None,
        verdict => Some((block.name.clone(), verdict.clone())),
    };
    blocks.iter().zip(verdicts).filter_map(refused).collect()
}
