// SPDX-License-Identifier: GPL-2.0

//! The part of the graph that is a channel's, and what it makes of the rest.

use super::desired::remove;
use crate::config::Channel;
use anyhow::Result;
use lana_channel::Plan;
use lana_cli::denied;
use lana_graph::model::{Block, Bond, Kind, Names, Running, Setting, Target};
use std::borrow::Cow;

/// Whether a block of a channel can be called so behind the prefix: `in`, `out`, `4.crypt`.
fn is_ours(rest: &str) -> bool {
    let of_stack = |(number, _): (&str, _)| number.parse::<u32>().is_ok();
    matches!(rest, "in" | "out") || rest.split_once('.').is_some_and(of_stack)
}

/// A channel's part of the graph: blocks whose names begin alike, and bindings among them, the device and the block on top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    prefix: String,
    device: String,
    top: Option<String>,
    plan: Plan,
}

impl Overlay {
    /// What a plan is for a channel.
    pub fn new(config: &Channel, plan: Plan) -> Self {
        Overlay {
            prefix: format!("c{}.", config.number),
            device: config.device.clone(),
            top: config.top.clone(),
            plan,
        }
    }

    /// Whether the channel is on a device.
    pub(super) fn is_on(&self, device: &str) -> bool {
        self.device == device
    }

    /// Puts this part in the place of what is there of the channel `name`. If it is to be `whole`, all that it is bound to must
    /// be there. `hint` says what to do if it is not.
    pub(super) fn lay(
        &self,
        name: &str,
        target: &mut Target<'_>,
        names: &mut Names,
        whole: bool,
        hint: &str,
    ) -> Result<()> {
        let mut ours = Vec::new();
        for (block, _) in target.blocks.iter() {
            let Some(rest) = names.text(block).strip_prefix(&self.prefix) else {
                continue;
            };
            if !is_ours(rest) {
                let text = names.text(block);
                let device = &self.device;
                return Err(denied(format!(
                    "block '{text}' has a name of the channel on {device}: use another name, or another number"
                )));
            }
            ours.push(block);
        }
        remove(target, |name, _| ours.contains(&name));
        if let Some(top) = &self.top {
            let direct = (names.name(top), names.name(&self.device));
            target.bindings.retain(|bond| bond.pair != direct);
        }
        for block in &self.plan.blocks {
            let name = names.name(&block.name);
            let settings = block.options.iter().map(|(key, value)| Setting {
                key: names.name(key),
                value: Cow::Owned(value.as_str().to_owned()),
                place: 0,
            });
            let settings = settings.collect();
            let kind = Kind::Made(names.name(&block.kind));
            target.blocks.enter(name, || Block {
                kind,
                settings,
                place: 0,
            });
        }
        for (upper, lower) in &self.plan.bindings {
            let pair = (names.name(upper), names.name(lower));
            let missing = [pair.0, pair.1]
                .into_iter()
                .find(|name| target.blocks.get(*name).is_none());
            match missing {
                None => target.bindings.push(Bond { pair, place: 0 }),
                Some(block) if whole => {
                    let block = names.text(block);
                    return Err(denied(format!(
                        "no block '{block}' for channel '{name}'{hint}"
                    )));
                }
                // A device may be missing.
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Whether the channel has just these blocks in what runs, and sends by the same stack.
    pub(super) fn is_in(&self, running: &Running, names: &mut Names) -> bool {
        let there = running
            .blocks
            .iter()
            .filter(|(name, _)| names.text(*name).starts_with(&self.prefix))
            .count();
        let plan: Vec<_> = self
            .plan
            .blocks
            .iter()
            .map(|block| (names.name(&block.name), block))
            .collect();
        let default = names.name("default");
        let same = |(name, block): &(_, &lana_channel::Block)| {
            let Some(found) = running.blocks.get(*name) else {
                return false;
            };
            let is = found
                .settings
                .iter()
                .find(|setting| setting.key == default)
                .map(|setting| setting.value.trim());
            let wanted = block
                .options
                .iter()
                .find(|(key, _)| key == "default")
                .map(|(_, value)| value.as_str());
            // What is as it is at first need not be shown.
            is.unwrap_or("0") == wanted.unwrap_or("0")
        };
        there == plan.len() && plan.iter().all(same)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_others_are_told_apart() {
        for ours in ["in", "out", "1.crypt", "4294967295.reliable"] {
            assert!(is_ours(ours), "{ours}");
        }
        for other in ["x", "", "1", "x.crypt", "in.1", "4294967296.crypt"] {
            assert!(!is_ours(other), "{other}");
        }
    }
}
