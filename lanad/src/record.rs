// SPDX-License-Identifier: GPL-2.0

//! A record of what was learned and what rules did, a line of JSON each, and its replay: the same facts at the same times
//! make rules do the same.

use crate::{
    config::Config,
    engine::{Engine, Switch},
    world::Fact,
};
use anyhow::{Context, Result};
use lana_cli::usage;
use lana_netlink::errno_text;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader, Write},
    path::Path,
    time::Duration,
};

/// A line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    /// lanad begins: which rules held before.
    Begin { begin: BTreeMap<String, bool> },
    /// A rule acts.
    Acted(Acted),
    /// Something was learned.
    Learned {
        at: u64,
        #[serde(flatten)]
        fact: Fact,
    },
}

/// A rule acts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Acted {
    /// Microseconds since lanad began.
    pub at: u64,
    /// The rule.
    pub rule: String,
    /// It holds. Else it is over.
    pub holds: bool,
    /// Why.
    pub cause: String,
}

impl Acted {
    /// What a rule does at a time.
    pub fn new(at: Duration, switch: &Switch, engine: &Engine) -> Self {
        let rule = engine.rule(switch.rule).map(|rule| rule.name.clone());
        Acted {
            at: micros(at),
            rule: rule.unwrap_or_default(),
            holds: switch.holds,
            cause: switch.cause.clone(),
        }
    }
}

/// Writes a record.
#[derive(Debug)]
pub struct Recorder {
    file: File,
    name: String,
    /// How long it is, in whole lines.
    length: u64,
}

impl Recorder {
    /// Begins a file.
    pub fn new(path: &Path, before: &BTreeMap<String, bool>) -> Result<Self> {
        let name = path.display().to_string();
        let file = File::create(path).map_err(|error| usage(errno_text(&error)));
        let mut recorder = Recorder {
            file: file.context(name.clone())?,
            name,
            length: 0,
        };
        recorder.line(&Line::Begin {
            begin: before.clone(),
        })?;
        Ok(recorder)
    }

    /// Something was learned.
    pub fn learned(&mut self, at: Duration, fact: &Fact) -> Result<()> {
        self.line(&Line::Learned {
            at: micros(at),
            fact: fact.clone(),
        })
    }

    /// A rule acts.
    pub fn acted(&mut self, acted: &Acted) -> Result<()> {
        self.line(&Line::Acted(acted.clone()))
    }

    fn line(&mut self, line: &Line) -> Result<()> {
        let mut text = serde_json::to_string(line)?;
        text.push('\n');
        if let Err(error) = self.file.write_all(text.as_bytes()) {
            // A part of a line could not be replayed. If it stays, the replay says so.
            let _ = self.file.set_len(self.length);
            return Err(usage(errno_text(&error)).context(self.name.clone()));
        }
        self.length += u64::try_from(text.len()).unwrap_or_default();
        Ok(())
    }
}

/// What the rules of `config` do when they learn what `path` has recorded.
pub fn replay(config: &Config, path: &Path) -> Result<Vec<Acted>> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| usage(errno_text(&error)));
    let lines = BufReader::new(file.context(name.clone())?).lines();
    let mut engine = Engine::new(config, &BTreeMap::new());
    let mut acted = Vec::new();
    for (number, line) in (1..).zip(lines) {
        let line = line.map_err(|error| usage(errno_text(&error)));
        let line: Line = serde_json::from_str(&line.with_context(|| name.clone())?)
            .map_err(|_| usage(format!("{name}:{number}: this is no line of a record")))?;
        match line {
            Line::Begin { begin } => engine = Engine::new(config, &begin),
            Line::Acted(Acted { at, .. }) => {
                pass(&mut engine, Duration::from_micros(at), &mut acted);
            }
            Line::Learned { at, fact } => {
                let at = Duration::from_micros(at);
                pass(&mut engine, at, &mut acted);
                let (switches, _) = engine.learn(at, &fact);
                acted.extend(
                    switches
                        .iter()
                        .map(|switch| Acted::new(at, switch, &engine)),
                );
            }
        }
    }
    Ok(acted)
}

fn micros(at: Duration) -> u64 {
    u64::try_from(at.as_micros()).unwrap_or(u64::MAX)
}

/// What time alone does up to a time.
fn pass(engine: &mut Engine, until: Duration, acted: &mut Vec<Acted>) {
    while let Some(deadline) = engine.deadline().filter(|deadline| *deadline <= until) {
        let switches = engine.pass(deadline);
        acted.extend(
            switches
                .iter()
                .map(|switch| Acted::new(deadline, switch, engine)),
        );
        if switches.is_empty() {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
