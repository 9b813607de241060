// SPDX-License-Identifier: GPL-2.0

//! What is being negotiated, and until when.

use super::Endpoint;
use crate::{
    message::{Message, Reason, StackId},
    stack::{Agreed, Wanted},
    Time,
};

/// How often the hosts meet anew before the channel ends.
pub(super) const FAILURES_MAX: u32 = 3;

/// When this host sends by the stack that both are to send by.
#[derive(Debug, Clone, Copy)]
pub(super) enum Own {
    /// At this time.
    At(Time),
    /// The transaction runs.
    Runs,
    /// It does.
    Done,
}

/// What is being negotiated.
#[derive(Debug)]
pub(super) enum Work {
    /// Nothing.
    Idle,

    // This host asks.
    /// Waits for `Answer`.
    Offering { round: u32, blocks: Vec<Wanted> },
    /// The new stack is being added.
    Building {
        round: u32,
        target: StackId,
        digest: [u8; 16],
    },
    /// Waits for `Prepared`.
    Preparing { round: u32, target: StackId },
    /// Waits for `Switched`, and switches.
    Switching {
        round: u32,
        target: StackId,
        own: Own,
        peer: bool,
        back: bool,
    },
    /// Waits until the old stack is empty.
    Draining {
        round: u32,
        target: StackId,
        since: Time,
    },
    /// Waits for `Finished`.
    Finishing { round: u32, target: StackId },
    /// The old stack is being removed, or one that was refused.
    Removing,

    // The other host asks.
    /// Has answered an offer.
    Answered {
        round: u32,
        stack: Vec<Agreed>,
        number: u32,
        since: Time,
    },
    /// The new stack is being added.
    ServeBuild { round: u32 },
    /// It has been.
    Prepared { round: u32, since: Time },
    /// Switches at this time, or does so now.
    ServeSwitch {
        round: u32,
        target: StackId,
        at: Option<Time>,
    },
    /// Has switched.
    Switched {
        round: u32,
        target: StackId,
        since: Time,
        finish: bool,
    },
    /// The old stack is being removed.
    ServeRemove,

    // Either.
    /// The other host settles what remains of a session before this one.
    AwaitSettle { until: Time },
    /// Begins again without blocks.
    Resetting,
    /// Waits for `Closed`.
    Closing { reason: Reason },
    /// The channel has ended. Until then this host answers `Close`.
    Ending { reason: Reason, until: Time },
}

impl Endpoint {
    pub(super) fn work_timers(&mut self) {
        let (now, timing) = (self.now, self.config.timing);
        match self.work {
            Work::Switching {
                target,
                own: Own::At(at),
                ..
            } if now >= at && self.staged.is_none() => {
                if let Work::Switching { own, .. } = &mut self.work {
                    *own = Own::Runs;
                }
                if self.send_by(target) {
                    self.own_switched();
                }
            }
            Work::Draining {
                round,
                target,
                since,
            } if now >= self.drained_at(since) && self.staged.is_none() => {
                self.ask(Message::Finish { round });
                self.work = Work::Finishing { round, target };
            }
            Work::Answered { since, .. } if now >= since + timing.patience => {
                self.work = Work::Idle;
            }
            Work::Prepared { since, .. } if now >= since + timing.patience => self.lose(),
            Work::Switched {
                since,
                finish: false,
                ..
            } if now >= since + timing.patience + timing.drain_max => self.lose(),
            Work::AwaitSettle { until } if now >= until => self.lose(),
            Work::Ending { reason, until } if now >= until && self.staged.is_none() => {
                self.ending_over(reason);
            }
            _ => self.serve_timers(),
        }
    }

    pub(super) fn work_deadline(&self) -> Option<Time> {
        let timing = &self.config.timing;
        // What waits for a transaction has no time.
        let free = self.staged.is_none();
        match &self.work {
            &Work::Switching {
                own: Own::At(at), ..
            } => free.then_some(at),
            &Work::Answered { since, .. } | &Work::Prepared { since, .. } => {
                Some(since + timing.patience)
            }
            &Work::ServeSwitch { at, .. } => at.filter(|_| free),
            &Work::Draining { since, .. }
            | &Work::Switched {
                since,
                finish: true,
                ..
            } => free.then(|| self.drained_at(since)),
            &Work::Switched { since, .. } => Some(since + timing.patience + timing.drain_max),
            &Work::AwaitSettle { until } => Some(until),
            &Work::Ending { until, .. } => free.then_some(until),
            _ => None,
        }
    }
}
