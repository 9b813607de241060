// SPDX-License-Identifier: GPL-2.0

//! What is known of the host: the graph, the devices, rates, and what probes measure. It changes by
//! [`Fact`]s alone, which can be recorded and replayed.

use crate::config::{BlockState, DeviceState, Probe, When};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

/// Something that was learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "fact")]
pub enum Fact {
    /// The whole graph: types by block, and who is bound on top of whom.
    Graph {
        /// The blocks that are made, and those of devices.
        blocks: BTreeMap<String, Block>,
        /// Upper and lower blocks.
        bindings: BTreeSet<(String, String)>,
    },
    /// Something happened in it.
    Event(Event),
    /// All devices, and whether they are up with a carrier.
    Devices {
        /// By name.
        up: BTreeMap<String, bool>,
    },
    /// All counters, by block.
    Counters {
        /// By block and name.
        values: Counters,
    },
    /// A probe has ended.
    Probe {
        /// Its name in the configuration.
        name: String,
        /// Seconds until the answer came, if one did.
        seconds: Option<f64>,
    },
}

/// Counters by block and name.
pub type Counters = BTreeMap<String, BTreeMap<String, u64>>;

/// A block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// It stands for a device or a socket.
    #[serde(default)]
    pub is_edge: bool,
}

/// An event of the graph.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its kind, by the name of the specification.
    pub kind: String,
    /// The block that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fb: Option<String>,
    /// The other block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// The type of the block.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// What the block tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// All of it, in words.
    #[serde(default)]
    pub words: String,
}

/// What the last probes of a name measured.
#[derive(Debug, Default)]
struct Measured {
    window: usize,
    /// Seconds; nothing for one that was lost.
    results: VecDeque<Option<f64>>,
}

/// What is known.
#[derive(Debug, Default)]
pub struct World {
    /// The graph and the devices are known.
    graph: bool,
    blocks: BTreeMap<String, Block>,
    bindings: BTreeSet<(String, String)>,
    devices: Option<BTreeMap<String, bool>>,
    counters: Option<(Duration, Counters)>,
    rates: BTreeMap<String, BTreeMap<String, f64>>,
    probes: BTreeMap<String, Measured>,
}

impl World {
    /// Nothing is known yet.
    pub fn new(probes: &BTreeMap<String, Probe>) -> Self {
        let probes = probes.iter().map(|(name, probe)| {
            let window = usize::try_from(probe.window).unwrap_or(usize::MAX);
            let results = VecDeque::new();
            (name.clone(), Measured { window, results })
        });
        World {
            probes: probes.collect(),
            ..World::default()
        }
    }

    /// Whether the graph and the devices are known.
    pub fn is_known(&self) -> bool {
        self.graph && self.devices.is_some()
    }

    /// Learns something. `now` is any clock's time that only goes on. Says whether the graph has to be read again,
    /// as an event does not tell all.
    pub fn learn(&mut self, now: Duration, fact: &Fact) -> bool {
        match fact {
            Fact::Graph { blocks, bindings } => {
                self.blocks.clone_from(blocks);
                self.bindings.clone_from(bindings);
                self.graph = true;
            }
            Fact::Event(event) => return self.happened(event),
            Fact::Devices { up } => self.devices = Some(up.clone()),
            Fact::Counters { values } => self.count(now, values),
            Fact::Probe { name, seconds } => {
                if let Some(measured) = self.probes.get_mut(name) {
                    measured.results.push_back(*seconds);
                    if measured.results.len() > measured.window {
                        measured.results.pop_front();
                    }
                }
            }
        }
        false
    }

    fn happened(&mut self, event: &Event) -> bool {
        let pair = || Some((event.fb.clone()?, event.peer.clone()?));
        match (event.kind.as_str(), &event.fb, pair()) {
            ("bound", _, Some(pair)) => {
                self.bindings.insert(pair);
            }
            ("unbound", _, Some(pair)) => {
                self.bindings.remove(&pair);
            }
            ("removed", Some(name), _) => {
                self.blocks.remove(name);
                self.bindings
                    .retain(|(upper, lower)| upper != name && lower != name);
            }
            // What kind of block it is, it does not say; who takes whose bindings neither.
            ("added" | "replaced" | "renamed" | "device-gone", ..) => return true,
            _ => {}
        }
        false
    }

    fn count(&mut self, now: Duration, values: &Counters) {
        self.rates.clear();
        if let Some((then, before)) = &self.counters {
            let passed = now.saturating_sub(*then).as_secs_f64();
            for (block, counters) in values.iter().filter(|_| passed > 0.0) {
                let Some(before) = before.get(block) else {
                    continue;
                };
                let rate = |(name, value): (&String, &u64)| {
                    let more = value.checked_sub(*before.get(name)?)?;
                    #[expect(clippy::cast_precision_loss, reason = "a rate, not a sum")]
                    let rate = more as f64 / passed;
                    Some((name.clone(), rate))
                };
                self.rates
                    .insert(block.clone(), counters.iter().filter_map(rate).collect());
            }
        }
        self.counters = Some((now, values.clone()));
    }

    fn rate(&self, block: &str, counter: &str) -> Option<f64> {
        self.rates.get(block)?.get(counter).copied()
    }

    /// Blocks of these types, or of all, that are made and bound to nothing.
    pub fn unused(&self, types: &[String]) -> Vec<&str> {
        let bound: BTreeSet<_> = self
            .bindings
            .iter()
            .flat_map(|(upper, lower)| [upper, lower])
            .collect();
        let wanted =
            |block: &Block| !block.is_edge && (types.is_empty() || types.contains(&block.kind));
        let unused = self
            .blocks
            .iter()
            .filter(|(name, block)| wanted(block) && !bound.contains(name));
        unused.map(|(name, _)| name.as_str()).collect()
    }

    /// Whether a condition holds, and what there is to say of it. Nothing where it is not known. `before` says whether
    /// it held the last time.
    pub fn holds(&self, when: &When, before: bool) -> Option<bool> {
        match when {
            When::All(inner) => inner
                .iter()
                .try_fold(true, |all, one| Some(all & self.holds(one, before)?)),
            When::Any(inner) => inner
                .iter()
                .try_fold(false, |any, one| Some(any | self.holds(one, before)?)),
            When::Not(inner) => self.holds(inner, !before).map(|holds| !holds),
            When::Block(name, state) => {
                let there = self.blocks.contains_key(name);
                let bound = || {
                    self.bindings
                        .iter()
                        .any(|(upper, lower)| upper == name || lower == name)
                };
                self.graph.then(|| match state {
                    BlockState::Present => there,
                    BlockState::Missing => !there,
                    BlockState::Unbound => !there || !bound(),
                })
            }
            When::Type(kind, there) => {
                let has = || self.blocks.values().any(|block| block.kind == *kind);
                self.graph.then(|| has() == *there)
            }
            When::Bound(upper, lower) => {
                let pair = (upper.clone(), lower.clone());
                self.graph.then(|| self.bindings.contains(&pair))
            }
            When::Device(name, state) => {
                let up = self.devices.as_ref()?.get(name);
                Some(match state {
                    DeviceState::Up => up == Some(&true),
                    DeviceState::Down => up != Some(&true),
                    DeviceState::Missing => up.is_none(),
                })
            }
            When::Rate {
                block,
                counter,
                threshold,
            } => Some(threshold.passed(self.rate(block, counter)?, before)),
            When::Loss(name, threshold) => {
                let (lost, all, _) = self.measured(name)?;
                Some(threshold.passed(lost / all, before))
            }
            When::Delay(name, threshold) => {
                let (.., delay) = self.measured(name)?;
                Some(threshold.passed(delay?, before))
            }
            When::Path(path) => {
                let first = self.rate(path.first()?, "packets")?;
                let quiet = |name: &String| self.rate(name, "packets").unwrap_or_default() <= 0.0;
                Some(first > 0.0 && path.iter().skip(1).any(quiet))
            }
            When::Unused(types) => self.graph.then(|| !self.unused(types).is_empty()),
            When::Event(..) | When::Every(_) => Some(false),
        }
    }

    /// Probes of a name: how many are lost, how many there are, the mean of their seconds. Nothing until the window is
    /// full, as one lost probe is no loss of all.
    #[expect(clippy::cast_precision_loss, reason = "there are 1000 at most")]
    fn measured(&self, name: &str) -> Option<(f64, f64, Option<f64>)> {
        let measured = self.probes.get(name)?;
        if measured.results.len() < measured.window {
            return None;
        }
        let came: Vec<f64> = measured.results.iter().copied().flatten().collect();
        let (all, answered) = (measured.results.len() as f64, came.len() as f64);
        let delay = (!came.is_empty()).then(|| came.iter().sum::<f64>() / answered);
        Some((all - answered, all, delay))
    }

    /// What is known of a condition now, in words.
    pub fn describe(&self, when: &When) -> String {
        match when {
            When::Rate { block, counter, .. } => match self.rate(block, counter) {
                Some(rate) => format!("{when} ({rate:.1} now)"),
                None => format!("{when}"),
            },
            When::Loss(name, _) => match self.measured(name) {
                Some((lost, all, _)) => format!("{when} ({lost} of {all} now)"),
                None => format!("{when}"),
            },
            When::Delay(name, _) => match self.measured(name) {
                Some((.., Some(delay))) => format!("{when} ({:.3} ms now)", delay * 1e3),
                _ => format!("{when}"),
            },
            When::Unused(types) => format!("unused blocks: {}", self.unused(types).join(" ")),
            When::All(inner) => {
                let words: Vec<_> = inner.iter().map(|one| self.describe(one)).collect();
                words.join(" and ")
            }
            _ => format!("{when}"),
        }
    }
}
