// SPDX-License-Identifier: GPL-2.0

//! The configuration file of `lanad`: TOML, with the schema `Documentation/lanad.schema.json`, which is made from the types
//! here.

mod channel;
mod span;
mod when;

pub use channel::{Channel, Otherwise, Peer};
pub use span::Span;
pub use when::When;

use anyhow::{Context, Result};
use lana_cli::{usage, without_bom};
use lana_netlink::errno_text;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashSet},
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
};

/// Where it is where nobody says otherwise.
pub const FILE: &str = "/etc/lanad.toml";

/// What lanad is to do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The graph that is kept as files say. Without it, only rules act.
    pub graph: Option<Graph>,
    /// How often counters are read for conditions that watch a rate. 1 s where nothing is said.
    #[serde(default = "second")]
    pub sample: Span,
    /// What is measured for conditions, by name.
    #[serde(default)]
    pub probe: BTreeMap<String, Probe>,
    /// Routes that a routing daemon announces for us, by name.
    #[serde(default)]
    pub announcement: BTreeMap<String, Announcement>,
    /// Channels to other hosts, by name.
    #[serde(default)]
    pub channel: BTreeMap<String, Channel>,
    /// What to do when, in order.
    #[serde(default)]
    pub rule: Vec<Rule>,
}

/// The graph that is kept as files say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Graph {
    /// Files for `fbctl apply`, and folders of such files. Together they are one graph.
    pub files: Vec<PathBuf>,
    /// What to do when the graph differs from the files.
    #[serde(default)]
    pub repair: Repair,
    /// How long to wait after a change that somebody else has made.
    #[serde(default = "settle")]
    pub settle: Span,
    /// The longest wait. It doubles each time that the graph is changed again within this time.
    #[serde(default = "backoff")]
    pub backoff: Span,
}

/// What to do when the graph differs from its files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Repair {
    /// Make it as they say, in one transaction.
    #[default]
    Apply,
    /// Say what differs.
    Report,
}

/// A measurement. A probe is lost when nothing comes back in time, or when the program fails.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Probe {
    /// Who is to answer an ICMP echo request.
    pub ping: Option<IpAddr>,
    /// The address that requests come from. Where none is given, the kernel chooses.
    pub source: Option<IpAddr>,
    /// The network namespace that requests come from, one of those that `ip netns` lists. Else lanad's own.
    pub netns: Option<String>,
    /// A program, with its arguments. It has succeeded if it ends with 0 in time.
    pub run: Option<Vec<String>>,
    /// How often.
    #[serde(default = "second")]
    pub interval: Span,
    /// How long to wait for an answer.
    #[serde(default = "second")]
    pub timeout: Span,
    /// Of how many probes loss and delay are calculated.
    #[serde(default = "window")]
    pub window: u32,
}

/// A route that a routing daemon announces for us. One of `bird` and `exabgp` is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Announcement {
    /// The control socket of BIRD.
    pub bird: Option<PathBuf>,
    /// The protocol of BIRD that is enabled to announce, and disabled to withdraw.
    pub protocol: Option<String>,
    /// The pipe that ExaBGP reads commands from.
    pub exabgp: Option<PathBuf>,
    /// The route as ExaBGP's commands have it: `50.0.0.0/8 next-hop self`.
    pub route: Option<String>,
}

/// What to do when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rule {
    /// What messages call it.
    pub name: String,
    /// When.
    pub when: When,
    /// How long that must have been so before the rule acts.
    #[serde(default, rename = "for")]
    pub hold: Span,
    /// How long it must not have been so before the rule acts again.
    #[serde(default)]
    pub clear_for: Span,
    /// How often it may act in a minute. Beyond that it waits.
    pub per_minute: Option<u32>,
    /// What is done when it has come so.
    #[serde(default)]
    pub then: Vec<Action>,
    /// What is done when it is over.
    #[serde(default)]
    pub otherwise: Vec<Action>,
}

/// How a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BlockState {
    /// It is there.
    Present,
    /// It is not there.
    Missing,
    /// It is not there, or nothing is below it and nothing is above it.
    Unbound,
}

impl BlockState {
    /// As the file has it.
    pub const fn word(self) -> &'static str {
        match self {
            BlockState::Present => "present",
            BlockState::Missing => "missing",
            BlockState::Unbound => "unbound",
        }
    }
}

/// How a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceState {
    /// It is up and has a carrier.
    Up,
    /// It is anything else.
    Down,
    /// It is not there.
    Missing,
}

impl DeviceState {
    /// As the file has it.
    pub const fn word(self) -> &'static str {
        match self {
            DeviceState::Up => "up",
            DeviceState::Down => "down",
            DeviceState::Missing => "missing",
        }
    }
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Action {
    /// Sets an option: block, option, value.
    Set(String, String, String),
    /// Binds the first block on top of the second one.
    Bind(String, String),
    /// Takes the first block off the second one.
    Unbind(String, String),
    /// Lets the second block take the place of the first one.
    Replace(String, String),
    /// Removes a block.
    Remove(String),
    /// Removes the blocks that the condition `unused` has found.
    Collect(Collect),
    /// Adds a file to the graph, as long as the rule holds. Wants a graph that is kept.
    Apply(PathBuf),
    /// Lets an announcement be made.
    Announce(String),
    /// Lets it be withdrawn.
    Withdraw(String),
    /// Runs a program. `LANA_RULE`, `LANA_CAUSE` and `LANA_STATE` (`then` or `otherwise`) are set for it.
    Run(Vec<String>),
    /// Writes a line to the log.
    Log(String),
}

/// Which blocks `collect` removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Collect {
    /// Those that nobody is bound to.
    Unused,
}

fn second() -> Span {
    Span::from_millis(1000)
}
fn settle() -> Span {
    Span::from_millis(200)
}
fn backoff() -> Span {
    Span::from_millis(60_000)
}
fn window() -> u32 {
    10
}

impl Config {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| usage(errno_text(&error)));
        Self::parse(&name, &text.context(name.clone())?)
    }

    /// Reads the text of a file that is called `name`.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let text = without_bom(text);
        let config: Config = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = 1 + before.map_or(0, |before| before.matches('\n').count());
            let what = error.message().lines().next().unwrap_or_default();
            usage(format!("{name}:{line}: {what}"))
        })?;
        let checked = config.check().map_err(usage);
        checked.with_context(|| name.to_owned())?;
        Ok(config)
    }

    /// The schema of the file.
    pub fn schema() -> String {
        let schema = schemars::schema_for!(Config);
        let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
        text.push('\n');
        text
    }

    fn check(&self) -> Result<(), String> {
        let mut names = HashSet::new();
        for rule in &self.rule {
            let wrong = |text: String| format!("rule '{}': {text}", rule.name);
            if !names.insert(rule.name.as_str()) {
                return Err(wrong("there are two of this name".into()));
            }
            self.check_when(&rule.when, 0).map_err(wrong)?;
            if rule.when.is_momentary() && !rule.otherwise.is_empty() {
                return Err(wrong(
                    "what happens has no end, so it has no 'otherwise'".into(),
                ));
            }
            let mut actions = rule.then.iter().chain(&rule.otherwise);
            if rule.when.is_momentary()
                && self.graph.is_some()
                && actions.any(Action::changes_graph)
            {
                return Err(wrong(
                    "a moment cannot change a [graph] that is kept: use a state".into(),
                ));
            }
            for action in rule.then.iter().chain(&rule.otherwise) {
                self.check_action(action).map_err(wrong)?;
            }
            if rule.per_minute == Some(0) {
                return Err(wrong("'per-minute' is 1 at least".into()));
            }
        }
        for (name, probe) in &self.probe {
            let wrong = |text: &str| Err(format!("probe '{name}': {text}"));
            match (&probe.ping, probe.run.as_deref()) {
                (Some(_), None) => {}
                (None, Some([_, ..])) if probe.source.is_none() && probe.netns.is_none() => {}
                _ => {
                    return wrong(
                        "it wants either 'ping' or 'run'; 'source' and 'netns' go with 'ping'",
                    )
                }
            }
            if probe.interval.is_zero() || probe.timeout.is_zero() {
                return wrong("'interval' and 'timeout' are above 0");
            }
            if !(1..=1000).contains(&probe.window) {
                return wrong("'window' is from 1 to 1000");
            }
            if let (Some(ping), Some(source)) = (probe.ping, probe.source) {
                if ping.is_ipv4() != source.is_ipv4() {
                    return wrong("'ping' and 'source' are of one family");
                }
            }
        }
        for (name, one) in &self.announcement {
            let bird = one.bird.is_some() && one.protocol.is_some();
            let exabgp = one.exabgp.is_some() && one.route.is_some();
            let parts = [
                one.bird.is_some(),
                one.protocol.is_some(),
                one.exabgp.is_some(),
                one.route.is_some(),
            ];
            if bird == exabgp || parts.iter().filter(|part| **part).count() != 2 {
                return Err(format!(
                    "announcement '{name}': it wants either 'bird' and 'protocol', or 'exabgp' and 'route'"
                ));
            }
            let text = one.protocol.as_ref().or(one.route.as_ref());
            if text.is_some_and(|text| text.is_empty() || text.chars().any(char::is_control)) {
                return Err(format!(
                    "announcement '{name}': a line without control characters is wanted"
                ));
            }
        }
        let mut numbers = HashSet::new();
        for (name, channel) in &self.channel {
            let wrong = |text: String| format!("channel '{name}': {text}");
            channel.check().map_err(wrong)?;
            if !numbers.insert(channel.number) {
                return Err(wrong(format!(
                    "there is another one with number {}",
                    channel.number
                )));
            }
        }
        if let Some(graph) = &self.graph {
            if graph.files.is_empty() {
                return Err("graph: 'files' is empty".into());
            }
        }
        if self.sample < Span::from_millis(10) {
            return Err("'sample' is 10 ms at least".into());
        }
        Ok(())
    }

    fn check_when(&self, when: &When, depth: u32) -> Result<(), String> {
        // Deeper than that nobody writes, and no stack ends.
        if depth > 16 {
            return Err("its conditions are nested too deep".into());
        }
        let probe = |name: &String| {
            let known = self.probe.contains_key(name);
            known
                .then_some(())
                .ok_or_else(|| format!("there is no probe '{name}'"))
        };
        match when {
            When::All(inner) | When::Any(inner) => {
                for one in inner {
                    if one.is_momentary() {
                        return Err("'event' and 'every' stand alone".into());
                    }
                    self.check_when(one, depth + 1)?;
                }
                let some = !inner.is_empty();
                some.then_some(())
                    .ok_or_else(|| "a list of conditions is empty".into())
            }
            When::Not(inner) if inner.is_momentary() => {
                Err("'event' and 'every' stand alone".into())
            }
            When::Not(inner) => self.check_when(inner, depth + 1),
            When::Loss(name, _) | When::Delay(name, _) => probe(name),
            _ => Ok(()),
        }
    }

    fn check_action(&self, action: &Action) -> Result<(), String> {
        match action {
            Action::Announce(name) | Action::Withdraw(name)
                if !self.announcement.contains_key(name) =>
            {
                Err(format!("there is no announcement '{name}'"))
            }
            Action::Apply(_) if self.graph.is_none() => Err("'apply' wants a [graph]".into()),
            Action::Run(words) if words.is_empty() => Err("'run' names no program".into()),
            _ => Ok(()),
        }
    }

    /// Whether a condition wants counters.
    pub fn samples(&self) -> bool {
        self.rule.iter().any(|rule| rule.when.samples())
    }
}

impl Rule {
    /// What it does when it holds, or when it is over.
    pub fn actions(&self, holds: bool) -> &[Action] {
        if holds {
            &self.then
        } else {
            &self.otherwise
        }
    }
}

impl Action {
    /// Whether it is part of the graph, rather than something that is done once.
    pub fn changes_graph(&self) -> bool {
        matches!(
            self,
            Action::Set(..)
                | Action::Bind(..)
                | Action::Unbind(..)
                | Action::Replace(..)
                | Action::Remove(_)
                | Action::Apply(_)
                | Action::Collect(_)
        )
    }
}

#[cfg(test)]
mod tests;
