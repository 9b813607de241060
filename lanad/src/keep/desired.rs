// SPDX-License-Identifier: GPL-2.0

//! The graph that is wanted: files, what rules change of it, and nothing of devices that are not there.

use crate::config::{Action, Config};
use anyhow::{anyhow, Result};
use lana_cli::usage;
use lana_graph::{
    diff::Change,
    document::Mistake,
    files::{self, Files, Source},
    model::{Block, Blocks, Bond, Kind, Name, Names, Pair, Setting, Share, Target},
};
use lana_netlink::Connection;
use std::{
    collections::{BTreeSet, HashMap},
    path::PathBuf,
};

/// The files as they were when they were read.
#[derive(Debug)]
pub struct Desired {
    name: String,
    files: Vec<Source>,
    /// The files that rules add.
    more: HashMap<PathBuf, Vec<Source>>,
}

impl Desired {
    /// Reads all files that a configuration names. Nothing if it keeps no graph.
    pub fn read(config: &Config) -> Result<Option<Self>> {
        let Some(graph) = &config.graph else {
            return Ok(None);
        };
        let mut sources = Vec::new();
        for path in &graph.files {
            sources.extend(files::sources(path)?);
        }
        let mut more = HashMap::new();
        for action in config
            .rule
            .iter()
            .flat_map(|rule| rule.then.iter().chain(&rule.otherwise))
        {
            if let Action::Apply(path) = action {
                more.insert(path.clone(), files::sources(path)?);
            }
        }
        let name = graph.files.iter().map(|path| path.display().to_string());
        let desired = Desired {
            name: name.collect::<Vec<_>>().join(" "),
            files: sources,
            more,
        };
        desired.check()?;
        Ok(Some(desired))
    }

    /// Finds what is wrong with the files.
    fn check(&self) -> Result<()> {
        let whole = Files(&self.files).read(&mut Names::default());
        if whole.map_err(wrong)?.is_empty() {
            return Err(usage("no block and no device, so the whole graph would go")
                .context(self.name.clone()));
        }
        for sources in self.more.values() {
            let part = Files(sources).part(&mut Names::default());
            part.map_err(wrong)?;
        }
        Ok(())
    }

    /// The graph that is wanted, and the devices that it lacks. `exists` says whether a device is there.
    pub fn target<'a>(
        &'a self,
        actions: &[Action],
        names: &mut Names,
        exists: impl Fn(&str) -> bool,
    ) -> Result<(Target<'a>, Vec<String>)> {
        let mut target = Files(&self.files).read(names).map_err(wrong)?;
        for action in actions {
            self.change(&mut target, action, names)?;
        }
        if let Some((bond, name)) = target.stray() {
            let (upper, lower) = (names.text(bond.pair.0), names.text(bond.pair.1));
            let name = names.text(name);
            return Err(anyhow!(
                "bind {upper} {lower}: the files have no block '{name}'"
            ));
        }
        Ok(without_missing(target, names, exists))
    }

    /// What is to change of what runs.
    pub fn compare<'t>(
        &self,
        lana: &mut Connection,
        target: &'t Target<'_>,
        names: &mut Names,
    ) -> Result<Vec<Change<'t>>> {
        Files(&self.files).compare(lana, target, names)
    }

    /// Does to the wanted graph what a rule says.
    fn change<'a>(
        &'a self,
        target: &mut Target<'a>,
        action: &Action,
        names: &mut Names,
    ) -> Result<()> {
        match action {
            Action::Apply(path) => {
                let sources = self.more.get(path).map_or(&[][..], Vec::as_slice);
                let part = Files(sources).part(names).map_err(wrong)?;
                for (name, block) in part.blocks.into_things() {
                    match target.blocks.get_mut(name) {
                        Some(old) => old.take(block),
                        None => {
                            target.blocks.enter(name, || block);
                        }
                    }
                }
                for (new, all) in [
                    (part.bindings, &mut target.bindings),
                    (part.subscriptions, &mut target.subscriptions),
                ] {
                    let there: BTreeSet<_> = all.iter().map(|bond| key(bond.pair)).collect();
                    all.extend(
                        new.into_iter()
                            .filter(|bond| !there.contains(&key(bond.pair))),
                    );
                }
            }
            Action::Set(name, option, value) => {
                let (block, key) = (names.name(name), names.name(option));
                let Some(block) = target.blocks.get_mut(block) else {
                    return Err(anyhow!(
                        "set {name} {option}: the files have no block '{name}'"
                    ));
                };
                block.set(Setting {
                    key,
                    value: value.clone().into(),
                    place: block.place,
                });
            }
            Action::Bind(upper, lower) => {
                let pair = (names.name(upper), names.name(lower));
                if !target.bindings.iter().any(|bond| bond.pair == pair) {
                    target.bindings.push(Bond { pair, place: 0 });
                }
            }
            Action::Unbind(upper, lower) => {
                let pair = (names.name(upper), names.name(lower));
                target.bindings.retain(|bond| bond.pair != pair);
            }
            Action::Replace(old, new) => {
                let (old, new) = (names.name(old), names.name(new));
                let other = |name: Name| if name == old { new } else { name };
                for bond in target.bindings.iter_mut().chain(&mut target.subscriptions) {
                    bond.pair = (other(bond.pair.0), other(bond.pair.1));
                }
                remove(target, |name, _| name == old);
            }
            Action::Remove(name) => {
                let gone = names.name(name);
                remove(target, |name, _| name == gone);
            }
            _ => {}
        }
        Ok(())
    }
}

fn key(pair: Pair) -> (usize, usize) {
    (pair.0.index(), pair.1.index())
}

fn wrong((name, mistake): (String, Mistake)) -> anyhow::Error {
    mistake.of(&name)
}

/// Takes blocks out, and what is bound to them.
pub(super) fn remove<'a>(target: &mut Target<'a>, gone: impl Fn(Name, &Block<'a>) -> bool) {
    let mut stay = Blocks::default();
    for (name, block) in std::mem::take(&mut target.blocks).into_things() {
        if !gone(name, &block) {
            stay.enter(name, || block);
        }
    }
    for bonds in [&mut target.bindings, &mut target.subscriptions] {
        bonds.retain(|bond| stay.get(bond.pair.0).and(stay.get(bond.pair.1)).is_some());
    }
    target.blocks = stay;
}

/// Takes the devices out that are not there. A virtual one needs its carrier.
fn without_missing<'a>(
    mut target: Target<'a>,
    names: &Names,
    exists: impl Fn(&str) -> bool,
) -> (Target<'a>, Vec<String>) {
    let made = |block: &Block<'_>| match block.kind {
        Kind::Device(device) if device.share.is_some() => Some(device.ifname),
        _ => None,
    };
    let made: Vec<Name> = target
        .blocks
        .iter()
        .filter_map(|(_, block)| made(block))
        .collect();
    let mut missing = BTreeSet::new();
    let mut gone = Vec::new();
    for (name, block) in target.blocks.iter() {
        let Kind::Device(device) = block.kind else {
            continue;
        };
        let wanted = device
            .share
            .map_or(device.ifname, |Share { carrier, .. }| carrier);
        if !exists(names.text(wanted)) && !made.contains(&wanted) {
            missing.insert(names.text(wanted).to_owned());
            gone.push(name);
        }
    }
    if !gone.is_empty() {
        remove(&mut target, |name, _| gone.contains(&name));
    }
    (target, missing.into_iter().collect())
}

#[cfg(test)]
mod tests;
