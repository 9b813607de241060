// SPDX-License-Identifier: GPL-2.0

//! What rules do.

use super::Daemon;
use crate::{act, config::Action, engine::Switch, keep::Job, record::Acted};
use std::time::Duration;

impl Daemon {
    /// Rules act.
    pub(super) fn switch(&mut self, now: Duration, switches: Vec<Switch>) {
        if switches.is_empty() {
            return;
        }
        // First what is urgent.
        for switch in &switches {
            let Some(rule) = self.engine.rule(switch.rule) else {
                continue;
            };
            for action in rule.actions(switch.holds) {
                let (name, on) = match action {
                    Action::Announce(name) => (name, true),
                    Action::Withdraw(name) => (name, false),
                    _ => continue,
                };
                if let Some(announcer) = self.announcers.get(name).filter(|_| !self.start.dry_run) {
                    announcer.want(on);
                }
            }
        }
        for switch in switches {
            let acted = Acted::new(now, &switch, &self.engine);
            self.record(|recorder| recorder.acted(&acted));
            let what = if switch.holds { "holds" } else { "is over" };
            self.journal
                .say(&format!("rule '{}' {what}: {}", acted.rule, switch.cause));
            self.act(now, &acted, &switch);
        }
        self.state.rules = self.engine.states();
        self.keep_state();
    }

    fn act(&mut self, now: Duration, acted: &Acted, switch: &Switch) {
        let Some(rule) = self.engine.rule(switch.rule) else {
            return;
        };
        for action in rule.actions(switch.holds) {
            match action {
                _ if self.start.dry_run => {
                    self.journal.say(&format!("would do: {}", words(action)));
                }
                Action::Run(words) => act::run(
                    words,
                    &acted.rule,
                    &acted.cause,
                    acted.holds,
                    self.to.clone(),
                ),
                Action::Log(text) => self.journal.say(text),
                _ => {}
            }
        }
        if self.config.graph.is_some() {
            // What is wanted goes with the state of the rule, in both directions.
            let mut all = rule.then.iter().chain(&rule.otherwise);
            if all.any(Action::changes_graph) {
                self.repair.wanted(now);
            }
            return;
        }
        let changes = rule.actions(switch.holds).iter();
        let changes: Vec<_> = changes
            .filter(|action| action.changes_graph())
            .cloned()
            .collect();
        if !changes.is_empty() && !self.start.dry_run {
            let (rule, unused) = (acted.rule.clone(), switch.unused.clone());
            self.job(Job::Change {
                rule,
                actions: changes,
                unused,
            });
        }
    }
}

fn words(action: &Action) -> String {
    serde_json::to_string(action).unwrap_or_default()
}
