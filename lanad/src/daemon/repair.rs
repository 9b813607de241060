// SPDX-License-Identifier: GPL-2.0

//! When the graph is compared with what is wanted, and made so. Somebody who changes it again and again is
//! given more and more time.

use std::time::Duration;

/// How long to wait after an error, at first.
const PAUSE: Duration = Duration::from_secs(1);

/// When to compare.
#[derive(Debug)]
pub(super) struct Repair {
    settle: Duration,
    longest: Duration,
    at: Option<Duration>,
    /// What is wanted has changed, so what differs is nobody's doing.
    expected: bool,
    /// A comparison runs, and whether it was expected that something differs.
    runs: Option<bool>,
    /// How often somebody's changes were put right one after the other, and when the last time.
    repaired: u32,
    last: Option<Duration>,
    failures: u32,
}

impl Repair {
    pub(super) fn new(settle: Duration, longest: Duration) -> Self {
        Repair {
            settle,
            longest,
            at: None,
            expected: false,
            runs: None,
            repaired: 0,
            last: None,
            failures: 0,
        }
    }

    /// Something else is wanted from now on.
    pub(super) fn wanted(&mut self, now: Duration) {
        self.expected = true;
        self.at = Some(self.at.map_or(now, |at| at.min(now)));
    }

    /// Somebody has changed something; it may have been lanad.
    pub(super) fn somebody(&mut self, now: Duration) {
        let wait = self.wait(now);
        self.at.get_or_insert(now.saturating_add(wait));
    }

    /// How long somebody may change the graph.
    pub(super) fn wait(&mut self, now: Duration) -> Duration {
        // Who has waited for so long has forgotten.
        let old = |last: Duration| now.saturating_sub(last) >= self.longest.saturating_mul(2);
        if self.last.is_none_or(old) {
            self.repaired = 0;
        }
        let wait = self
            .settle
            .saturating_mul(2_u32.saturating_pow(self.repaired));
        wait.min(self.longest).max(self.settle)
    }

    /// When to compare next.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.at.filter(|_| self.runs.is_none())
    }

    /// Whether to compare now.
    pub(super) fn begins(&mut self, now: Duration) -> bool {
        if self.deadline().is_none_or(|at| at > now) {
            return false;
        }
        self.at = None;
        self.runs = Some(std::mem::take(&mut self.expected));
        true
    }

    /// It was compared, and `changed` is true if something was put right. Says whether that was somebody's doing.
    pub(super) fn ended(&mut self, now: Duration, changed: bool) -> bool {
        // One that was begun for another configuration is nobody's doing.
        let expected = self.runs.take().unwrap_or(true);
        self.failures = 0;
        let theirs = changed && !expected;
        if theirs {
            self.repaired = self.repaired.saturating_add(1);
            self.last = Some(now);
        }
        theirs
    }

    /// It has failed, or has to wait.
    pub(super) fn failed(&mut self, now: Duration) {
        self.expected |= self.runs.take().unwrap_or_default();
        let pause = PAUSE.saturating_mul(2_u32.saturating_pow(self.failures));
        self.failures = self.failures.saturating_add(1);
        self.at
            .get_or_insert(now.saturating_add(pause.min(self.longest.max(PAUSE))));
    }

    /// Whether somebody changes the graph again and again.
    pub(super) fn is_contested(&self) -> bool {
        self.repaired >= 3
    }

    /// Whether it is compared now, or will be.
    pub(super) fn is_due(&self) -> bool {
        self.at.is_some() || self.runs.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_is_wanted_is_made_at_once() {
        let mut repair = Repair::new(seconds(1), seconds(60));
        assert!(!repair.begins(seconds(0)));
        repair.wanted(seconds(5));
        assert!(repair.begins(seconds(5)));
        assert!(!repair.begins(seconds(5)), "it runs");
        repair.somebody(seconds(5));
        assert_eq!(repair.deadline(), None);
        assert!(!repair.ended(seconds(6), true), "it was expected");
        assert_eq!(repair.deadline(), Some(seconds(6)));
    }

    #[test]
    fn who_changes_it_again_has_more_time() {
        let mut repair = Repair::new(seconds(1), seconds(60));
        let mut waits = Vec::new();
        let mut now = seconds(0);
        for _ in 0..8 {
            repair.somebody(now);
            let at = repair.deadline().unwrap();
            waits.push((at - now).as_secs());
            now = at;
            assert!(repair.begins(now));
            assert!(repair.ended(now, true));
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        now += seconds(120);
        assert_eq!(repair.wait(now), seconds(1), "later it is forgotten");
    }

    #[test]
    fn failures_are_tried_again_later() {
        let mut repair = Repair::new(seconds(1), seconds(5));
        repair.wanted(seconds(0));
        let mut now = seconds(0);
        let mut waits = Vec::new();
        for _ in 0..4 {
            assert!(repair.begins(now));
            repair.failed(now);
            let at = repair.deadline().unwrap();
            waits.push((at - now).as_secs());
            now = at;
        }
        assert_eq!(waits, [1, 2, 4, 5]);
        let mut none = Repair::new(seconds(0), seconds(0));
        none.wanted(seconds(0));
        assert!(none.begins(seconds(0)));
        none.failed(seconds(0));
        assert_eq!(none.deadline(), Some(PAUSE), "not without a pause");
        assert!(repair.begins(now));
        assert!(
            !repair.ended(now, true),
            "what was wanted is still what differs"
        );
    }
}
