// SPDX-License-Identifier: GPL-2.0

//! A block that the stack has while the link loses packets.

use crate::{
    name::Name,
    stack::{Agreed, Capability, Secrets, Wanted},
    Time,
};
use std::time::Duration;

/// When to put the block in, and when to take it out.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// The block.
    pub block: Wanted,
    /// The loss from which it is in, as a share.
    pub above: f64,
    /// The loss below which it is out. It must be less than `above`.
    pub below: f64,
    /// The time for which the loss must be so before anything changes.
    pub hold: Duration,
}

impl Policy {
    /// `reliable` from 2% loss on, until less than 0.5% for ten seconds.
    pub fn reliable() -> Option<Self> {
        Some(Policy {
            block: Wanted::new(Name::short("reliable").ok()?),
            above: 0.02,
            below: 0.005,
            hold: Duration::from_secs(10),
        })
    }
}

/// How many times longer a policy waits at most that was refused again and again.
const PATIENCE_MAX: u32 = 64;

/// What the policy says now.
#[derive(Debug)]
pub(crate) struct Adaptive {
    policy: Policy,
    inside: bool,
    /// Since when the loss says the contrary.
    since: Option<Time>,
    /// It has said something else, and what came of it is not known.
    open: bool,
    /// How many times longer than `hold` the loss must say so.
    patience: u32,
}

impl Adaptive {
    /// `runs` is the stack that is there already.
    pub(crate) fn new(policy: Policy, runs: &[Agreed]) -> Self {
        Adaptive {
            inside: runs.iter().any(|block| block.name == policy.block.name),
            policy,
            since: None,
            open: false,
            patience: 1,
        }
    }

    /// This stack is there, and nothing is negotiated. What was refused is tried again, later each time.
    pub(crate) fn settled(&mut self, runs: &[Agreed]) {
        if !std::mem::take(&mut self.open) {
            return;
        }
        let is = runs
            .iter()
            .any(|block| block.name == self.policy.block.name);
        self.patience = if is == self.inside {
            1
        } else {
            PATIENCE_MAX.min(self.patience * 2)
        };
        self.inside = is;
    }

    /// A new measurement: whether the policy now says something else.
    pub(crate) fn measured(&mut self, loss: f64, now: Time) -> bool {
        let contrary = if self.inside {
            loss < self.policy.below
        } else {
            loss >= self.policy.above
        };
        if !contrary {
            self.since = None;
            return false;
        }
        let since = *self.since.get_or_insert(now);
        if now.saturating_sub(since) < self.policy.hold * self.patience {
            return false;
        }
        self.inside = !self.inside;
        self.since = None;
        self.open = true;
        true
    }

    /// What a user wants, with the block or without it. It is above the block that encrypts, so that nobody can
    /// forge what it sends; without one it is next to the link.
    pub(crate) fn apply(&self, wanted: &[Wanted], have: &[Capability]) -> Vec<Wanted> {
        let mut wanted = wanted.to_vec();
        let block = &self.policy.block;
        if wanted.iter().any(|other| other.name == block.name) || !self.inside {
            return wanted;
        }
        let secret = |name: &Name| {
            let has = have.iter().find(|has| has.name == *name);
            has.is_some_and(|has| has.secrets != Secrets::None)
        };
        let at = wanted.iter().position(|other| secret(&other.name));
        wanted.insert(at.unwrap_or(wanted.len()), block.clone());
        wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::catalogue;

    #[test]
    fn hysteresis_and_hold() {
        let mut adaptive = Adaptive::new(Policy::reliable().unwrap(), &[]);
        let mut changes = Vec::new();
        let mut at = |seconds: u64, loss| {
            if adaptive.measured(loss, Duration::from_secs(seconds)) {
                changes.push((seconds, adaptive.inside));
            }
        };
        for second in 0..30 {
            at(second, 0.0);
        }
        for second in 30..39 {
            at(second, 0.5); // nine seconds are not long enough
        }
        at(39, 0.01);
        for second in 40..60 {
            at(second, 0.02);
        }
        for second in 60..100 {
            at(second, 0.01); // between both bounds
        }
        for second in 100..120 {
            at(second, 0.004);
        }
        assert_eq!(changes, [(50, true), (110, false)]);
    }

    #[test]
    fn where_the_block_goes() {
        let mut adaptive = Adaptive::new(Policy::reliable().unwrap(), &[]);
        let wanted = |names: &[&str]| -> Vec<Wanted> {
            let wanted = |name: &&str| Wanted::new(Name::short(name).unwrap());
            names.iter().map(wanted).collect()
        };
        let both = wanted(&["compress", "crypt"]);
        assert_eq!(adaptive.apply(&both, &catalogue()), both);
        adaptive.inside = true;
        assert_eq!(
            adaptive.apply(&both, &catalogue()),
            wanted(&["compress", "reliable", "crypt"])
        );
        assert_eq!(
            adaptive.apply(&wanted(&["compress"]), &catalogue()),
            wanted(&["compress", "reliable"])
        );
        let has = wanted(&["reliable", "compress"]);
        assert_eq!(adaptive.apply(&has, &catalogue()), has);
    }
}
