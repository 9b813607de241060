// SPDX-License-Identifier: GPL-2.0

//! Which rules hold: a pure function of what is learned, and when. It makes no input or output, so it can be replayed.

use crate::{
    config::{Action, Config, Rule, When},
    control::RuleStatus,
    world::{Fact, World},
};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

const MINUTE: Duration = Duration::from_secs(60);

/// A rule acts.
#[derive(Debug, Clone, PartialEq)]
pub struct Switch {
    /// The number of the rule.
    pub rule: usize,
    /// It holds now. Else it is over.
    pub holds: bool,
    /// Why, in words.
    pub cause: String,
    /// Blocks that nobody is bound to, for the action that collects them.
    pub unused: Vec<String>,
}

/// A rule and what it has seen.
#[derive(Debug)]
struct State {
    rule: Rule,
    holds: bool,
    /// It has not acted yet since lanad began. Whether its state is known from before.
    begin: Option<bool>,
    /// Since when it is to change.
    since: Option<Duration>,
    /// When it has acted in the last minute.
    acted: VecDeque<Duration>,
    /// When the next time has passed, for `every`.
    next: Option<Duration>,
    /// How often it has acted.
    count: u64,
}

/// The rules, and what is known.
#[derive(Debug)]
pub struct Engine {
    world: World,
    rules: Vec<State>,
}

impl Engine {
    /// Nothing is known yet, but which rules held `before`, when lanad ended.
    pub fn new(config: &Config, before: &BTreeMap<String, bool>) -> Self {
        let state = |rule: &Rule| State {
            holds: before.get(&rule.name) == Some(&true) && !rule.when.is_momentary(),
            begin: Some(before.contains_key(&rule.name)),
            since: None,
            acted: VecDeque::new(),
            next: None,
            count: 0,
            rule: rule.clone(),
        };
        Engine {
            world: World::new(&config.probe),
            rules: config.rule.iter().map(state).collect(),
        }
    }

    /// Learns a fact at a time, and says what is to be done. The second value is true if the graph has to be read again.
    pub fn learn(&mut self, now: Duration, fact: &Fact) -> (Vec<Switch>, bool) {
        let unclear = self.world.learn(now, fact);
        let mut switches = Vec::new();
        if let Fact::Event(event) = fact {
            for (number, state) in self.rules.iter_mut().enumerate() {
                let When::Event(kind, block, text) = &state.rule.when else {
                    continue;
                };
                let same =
                    |wanted: &Option<String>, is: &Option<String>| wanted.is_none() || wanted == is;
                if *kind == event.kind
                    && same(block, &event.fb)
                    && same(text, &event.text)
                    && state.may_act(now)
                {
                    switches.push(state.act(number, now, event.words.clone()));
                }
            }
        }
        switches.extend(self.pass(now));
        (switches, unclear)
    }

    /// Time has passed.
    pub fn pass(&mut self, now: Duration) -> Vec<Switch> {
        let mut switches = Vec::new();
        for number in 0..self.rules.len() {
            switches.extend(self.look(number, now));
        }
        switches
    }

    fn look(&mut self, number: usize, now: Duration) -> Option<Switch> {
        let Engine { world, rules } = self;
        let state = rules.get_mut(number)?;
        if let When::Every(every) = state.rule.when {
            let next = *state
                .next
                .get_or_insert(now.saturating_add(every.duration()));
            if now < next || !state.may_act(now) {
                return None;
            }
            state.next = Some(now.saturating_add(every.duration()));
            let cause = state.rule.when.to_string();
            return Some(state.act(number, now, cause));
        }
        if state.rule.when.is_momentary() || !world.is_known() {
            return None;
        }
        let Some(holds) = world.holds(&state.rule.when, state.holds) else {
            // What is not known has no time.
            state.since = None;
            return None;
        };
        if let Some(restored) = state.begin.take() {
            // Nobody knows since when it is so: it is as if it had been for long.
            if !restored {
                state.holds = holds;
            }
            let mut cause = "lanad begins".to_owned();
            if state.holds {
                cause = format!("{cause}: {}", world.describe(&state.rule.when));
            }
            return Some(state.act(number, now, cause).with_unused(world, state));
        }
        if holds == state.holds {
            state.since = None;
            return None;
        }
        let wait = if holds {
            state.rule.hold
        } else {
            state.rule.clear_for
        };
        let since = *state.since.get_or_insert(now);
        if now.saturating_sub(since) < wait.duration() || (holds && !state.may_act(now)) {
            return None;
        }
        state.since = None;
        state.holds = holds;
        let cause = world.describe(&state.rule.when);
        Some(state.act(number, now, cause).with_unused(world, state))
    }

    /// When time alone may change something.
    pub fn deadline(&self) -> Option<Duration> {
        let deadline = |state: &State| {
            if state.next.is_some() {
                return state
                    .next
                    .map(|next| state.free_at().map_or(next, |free| next.max(free)));
            }
            let wait = if state.holds {
                state.rule.clear_for
            } else {
                state.rule.hold
            };
            let at = state.since?.saturating_add(wait.duration());
            Some(
                state
                    .free_at()
                    .filter(|_| !state.holds)
                    .map_or(at, |free| at.max(free)),
            )
        };
        self.rules.iter().filter_map(deadline).min()
    }

    /// Which rules hold, as far as it is known.
    pub fn states(&self) -> BTreeMap<String, bool> {
        let states = self
            .rules
            .iter()
            .filter(|state| !state.rule.when.is_momentary());
        let known = states.filter(|state| state.begin != Some(false));
        known
            .map(|state| (state.rule.name.clone(), state.holds))
            .collect()
    }

    /// Whether the graph and the devices are known.
    pub fn knows(&self) -> bool {
        self.world.is_known()
    }

    /// What each rule has seen.
    pub fn status(&self) -> impl Iterator<Item = RuleStatus> + '_ {
        self.rules.iter().map(|state| RuleStatus {
            name: state.rule.name.clone(),
            condition: self.world.describe(&state.rule.when),
            holds: state.holds,
            acted: state.count,
        })
    }

    /// A rule by its number.
    pub fn rule(&self, number: usize) -> Option<&Rule> {
        Some(&self.rules.get(number)?.rule)
    }

    /// What rules have to say about the graph, in their order.
    pub fn graph_actions(&self) -> Vec<Action> {
        let states = self
            .rules
            .iter()
            .filter(|state| !state.rule.when.is_momentary());
        let actions = states.flat_map(|state| state.rule.actions(state.holds));
        actions
            .filter(|action| action.changes_graph())
            .cloned()
            .collect()
    }
}

impl State {
    fn may_act(&mut self, now: Duration) -> bool {
        while self
            .acted
            .front()
            .is_some_and(|then| now.saturating_sub(*then) >= MINUTE)
        {
            self.acted.pop_front();
        }
        self.free_at().is_none()
    }

    /// When it may act again, if it has acted as often as it may.
    fn free_at(&self) -> Option<Duration> {
        let most = usize::try_from(self.rule.per_minute?).unwrap_or(usize::MAX);
        let first = self.acted.len().checked_sub(most)?;
        self.acted
            .get(first)
            .map(|then| then.saturating_add(MINUTE))
    }

    fn act(&mut self, rule: usize, now: Duration, cause: String) -> Switch {
        let holds = self.holds || self.rule.when.is_momentary();
        if holds {
            self.count += 1;
            if self.rule.per_minute.is_some() {
                self.acted.push_back(now);
            }
        }
        Switch {
            rule,
            holds,
            cause,
            unused: Vec::new(),
        }
    }
}

impl Switch {
    fn with_unused(mut self, world: &World, state: &State) -> Self {
        if let When::Unused(types) = &state.rule.when {
            self.unused = world.unused(types).into_iter().map(str::to_owned).collect();
        }
        self
    }
}

#[cfg(test)]
mod tests;
