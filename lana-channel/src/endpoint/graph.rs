// SPDX-License-Identifier: GPL-2.0

//! Transactions on the graph of this host. At most one runs at a time.

use super::{work::FAILURES_MAX, Endpoint, Fallback, Output, Report, Work};
use crate::{
    message::{Held, Reason, StackId, BASE},
    plan::{plan, Graph, Stack},
    stack::{Agreed, Capability},
    wire::to_text,
    Time,
};
use std::time::Duration;

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Add a new stack beside the old one, to receive by it.
    Build,
    /// Send by another stack.
    Switch,
    /// Remove the stacks by which nobody sends.
    Remove,
    /// Begin again without blocks.
    Reset,
    /// Remove the channel.
    Close,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Step::Build => "add the new stack",
            Step::Switch => "send by the new stack",
            Step::Remove => "remove the old stack",
            Step::Reset => "begin again without blocks",
            Step::Close => "remove the channel",
        })
    }
}

/// A transaction that runs.
#[derive(Debug)]
pub(super) struct Staged {
    ticket: u64,
    step: Step,
    pub(super) graph: Graph,
}

impl Graph {
    /// The stacks by which packets can come.
    pub(crate) fn held(&self) -> Vec<Held> {
        match self {
            Graph::Absent { .. } => vec![Held {
                id: BASE,
                number: 0,
                sends: true,
            }],
            Graph::Present { stacks, sends } => stacks
                .iter()
                .map(|stack| Held {
                    id: stack.id,
                    number: stack.number,
                    sends: stack.id == *sends,
                })
                .collect(),
        }
    }

    pub(crate) fn holds(&self, id: StackId) -> bool {
        self.held().iter().any(|held| held.id == id)
    }

    /// The stack by which packets leave.
    pub fn sends(&self) -> StackId {
        match self {
            Graph::Absent { .. } => BASE,
            Graph::Present { sends, .. } => *sends,
        }
    }

    /// The blocks through which packets leave, the last one next to the link.
    pub fn sending(&self) -> &[Agreed] {
        let Graph::Present { stacks, sends } = self else {
            return &[];
        };
        let stack = stacks.iter().find(|stack| stack.id == *sends);
        stack.map_or(&[], |stack| &stack.blocks)
    }

    /// With another stack beside.
    pub(super) fn with(&self, stack: Stack) -> Graph {
        match self {
            Graph::Absent { open } => Graph::Present {
                stacks: vec![Stack::base(*open), stack],
                sends: BASE,
            },
            Graph::Present { stacks, sends } => {
                let mut stacks = stacks.clone();
                stacks.push(stack);
                Graph::Present {
                    stacks,
                    sends: *sends,
                }
            }
        }
    }

    fn sending_by(&self, id: StackId) -> Graph {
        let mut graph = self.clone();
        if let Graph::Present { sends, .. } = &mut graph {
            *sends = id;
        }
        graph
    }

    fn only(&self, id: StackId) -> Graph {
        let mut graph = self.clone();
        if let Graph::Present { stacks, sends } = &mut graph {
            stacks.retain(|stack| stack.id == id);
            *sends = id;
        }
        graph
    }

    /// The names of the blocks that keep packets, in all stacks but this one.
    fn keeping(&self, but: StackId, prefix: &str, have: &[Capability]) -> Vec<String> {
        let Graph::Present { stacks, .. } = self else {
            return Vec::new();
        };
        let mut names = Vec::new();
        for stack in stacks.iter().filter(|stack| stack.id != but) {
            for block in &stack.blocks {
                let has = have.iter().find(|has| has.name == block.name);
                if let Some(has) = has.filter(|has| has.keeps) {
                    names.push(format!("{prefix}.{}.{}", stack.number, has.kind));
                }
            }
        }
        names
    }
}

impl Endpoint {
    /// Starts a transaction.
    pub(super) fn apply(&mut self, step: Step, graph: Graph) {
        self.ticket += 1;
        let plan = plan(&self.config.place, &graph, &self.config.have);
        let ticket = self.ticket;
        self.staged = Some(Staged {
            ticket,
            step,
            graph,
        });
        self.outputs.push_back(Output::Apply { ticket, step, plan });
    }

    /// Sends by a stack. Whether that is so already.
    pub(super) fn send_by(&mut self, id: StackId) -> bool {
        if self.graph.sends() == id {
            return true;
        }
        self.apply(Step::Switch, self.graph.sending_by(id));
        false
    }

    /// Removes all other stacks. Whether there is none.
    pub(super) fn keep_only(&mut self, id: StackId) -> bool {
        if self.graph.held().len() == 1 {
            return true;
        }
        self.apply(Step::Remove, self.graph.only(id));
        false
    }

    /// Begins again without blocks. Whether that is so already.
    pub(super) fn reset(&mut self) -> bool {
        if self.graph.sends() == BASE && self.graph.held().len() == 1 {
            return true;
        }
        let open = self.config.fallback == Fallback::Open;
        let graph = Graph::Present {
            stacks: vec![Stack::base(open)],
            sends: BASE,
        };
        self.apply(Step::Reset, graph);
        false
    }

    /// Removes the channel from the graph, or has done so.
    pub(super) fn end(&mut self, reason: Reason) {
        self.goal = None;
        self.next = None;
        self.then = None;
        self.closing = None;
        self.ending = None;
        self.request = None;
        self.hello = None;
        self.alone = None;
        self.failures = 0;
        self.work = Work::Ending {
            reason,
            until: self.now + self.config.timing.dead,
        };
        self.remove_all(reason);
    }

    fn remove_all(&mut self, reason: Reason) {
        match self.graph {
            Graph::Absent { .. } => self.ended(reason),
            Graph::Present { .. } => {
                let open = self.config.fallback == Fallback::Open;
                self.apply(Step::Close, Graph::Absent { open });
            }
        }
    }

    /// The channel could not be removed from the graph: tries again later, but not for ever.
    pub(super) fn remove_again(&mut self, reason: Reason) {
        self.failures += 1;
        let until = self.now + self.config.timing.retry_max;
        self.work = Work::Ending { reason, until };
    }

    /// The time has come to forget the session that has ended, or to remove the channel.
    pub(super) fn ending_over(&mut self, reason: Reason) {
        self.session = None;
        match self.graph {
            Graph::Absent { .. } => self.work = Work::Idle,
            Graph::Present { .. } => self.remove_all(reason),
        }
    }

    /// Tells [`Watch`](Output::Watch) the blocks that keep packets of old stacks.
    pub(super) fn begin_drain(&mut self, target: StackId) {
        let prefix = &self.config.place.prefix;
        let names = self.graph.keeping(target, prefix, &self.config.have);
        self.drained = names.is_empty();
        if !self.drained {
            self.outputs.push_back(Output::Watch(names));
        }
    }

    /// When the last packet of the old stacks has gone, at the latest.
    pub(super) fn drained_at(&self, since: Time) -> Time {
        let timing = &self.config.timing;
        let more = if self.drained {
            Duration::ZERO
        } else {
            timing.drain_max
        };
        since + timing.drain.max(more)
    }

    /// The blocks that were to be [watched](Output::Watch) keep no packets.
    pub fn drained(&mut self, now: Time) {
        self.tick(now);
        self.drained = true;
        self.timeout(now);
    }

    /// A transaction has ended.
    pub fn applied(&mut self, ticket: u64, result: Result<(), String>, now: Time) {
        self.tick(now);
        let Some(staged) = self.staged.take_if(|staged| staged.ticket == ticket) else {
            return;
        };
        let step = staged.step;
        let done = result.is_ok();
        // What cannot be removed is no part of the channel any longer. The next transaction tries again.
        let last = step == Step::Close && self.failures + 1 >= FAILURES_MAX;
        if done || step == Step::Remove || last {
            self.graph = staged.graph;
            if let Graph::Present { stacks, .. } = &mut self.graph {
                for stack in stacks {
                    stack.keys = None;
                    self.highest = self.highest.max(stack.number);
                }
            }
        }
        if let Err(text) = &result {
            let text = to_text(text);
            self.report(Report::Failed { step, text });
        }
        self.transaction_done(step, result.map_err(|text| to_text(&text)));
        self.advance();
    }
}
