// SPDX-License-Identifier: GPL-2.0

//! The order in which a graph is written down.

use crate::model::{Kind, Name, Names, Pair, Running};
use lana_cli::natural;
use std::{cmp::Reverse, collections::BinaryHeap};

/// A graph in the order in which it is written down. That depends only on what the graph is, not on
/// how it came to be.
#[derive(Debug)]
pub struct Ordered {
    /// Devices first, each kind by name.
    pub blocks: Vec<Name>,
    /// Made in this order, they give each port its number.
    pub bindings: Vec<Pair>,
    /// In the order of the names.
    pub subscriptions: Vec<Pair>,
}

/// Orders a graph. Nothing if its ports cannot have come to be by binding.
pub fn order(running: &Running, names: &Names) -> Option<Ordered> {
    let blocks = running.blocks.iter();
    let mut blocks: Vec<_> = blocks
        .map(|(name, block)| (matches!(block.kind, Kind::Made(_)), names.text(name), name))
        .collect();
    blocks.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| natural(a.1, b.1)));
    let mut ranks = vec![0; names.len()];
    for (rank, (_, _, name)) in blocks.iter().enumerate() {
        *ranks.get_mut(name.index())? = rank;
    }
    let rank = |name: Name| ranks.get(name.index()).copied();
    let mut subscriptions: Vec<_> = running.subscriptions.iter().copied().collect();
    subscriptions.sort_unstable_by_key(|pair| (rank(pair.0), rank(pair.1)));
    Some(Ordered {
        bindings: bind(running, rank)?,
        blocks: blocks.into_iter().map(|(_, _, name)| name).collect(),
        subscriptions,
    })
}

/// What comes after a binding, and how much before it.
#[derive(Clone, Copy, Default)]
struct Step {
    /// The binding of the upper block's next egress port.
    egress: Option<usize>,
    /// The binding of the lower block's next ingress port.
    ingress: Option<usize>,
    /// So many bindings have this one next, and are not in the order yet.
    before: u8,
}

/// The bindings in an order that gives each port its number: of those that can be next always that of
/// the first lower block.
fn bind(running: &Running, rank: impl Fn(Name) -> Option<usize>) -> Option<Vec<Pair>> {
    let mut steps = steps(running)?;
    let next = |binding: usize| {
        let ((upper, lower), _) = running.bindings.get_index(binding)?;
        Some(Reverse((rank(*lower)?, rank(*upper)?, binding)))
    };
    let free = steps
        .iter()
        .enumerate()
        .filter(|(_, step)| step.before == 0);
    let mut free = free
        .map(|(binding, _)| next(binding))
        .collect::<Option<BinaryHeap<_>>>()?;
    let mut all = Vec::with_capacity(steps.len());
    while let Some(Reverse((_, _, binding))) = free.pop() {
        all.push(*running.bindings.get_index(binding)?.0);
        let step = *steps.get(binding)?;
        for after in [step.egress, step.ingress].into_iter().flatten() {
            let step = steps.get_mut(after)?;
            step.before -= 1;
            if step.before == 0 {
                free.push(next(after)?);
            }
        }
    }
    (all.len() == steps.len()).then_some(all)
}

fn steps(running: &Running) -> Option<Vec<Step>> {
    let pairs = &running.bindings;
    let mut steps = vec![Step::default(); pairs.len()];
    let mut by_ingress = vec![0; pairs.len()];
    for (binding, place) in pairs.values().enumerate() {
        let place = usize::try_from(*place).ok()?.checked_sub(1)?;
        *by_ingress.get_mut(place)? = binding;
    }
    let upper = |binding: usize| pairs.get_index(binding).map(|((upper, _), _)| *upper);
    let lower = |binding: usize| pairs.get_index(binding).map(|((_, lower), _)| *lower);
    for next in 1..pairs.len() {
        if upper(next - 1) == upper(next) {
            steps.get_mut(next - 1)?.egress = Some(next);
            steps.get_mut(next)?.before += 1;
        }
    }
    for (now, next) in by_ingress.iter().zip(by_ingress.iter().skip(1)) {
        if lower(*now) == lower(*next) {
            steps.get_mut(*now)?.ingress = Some(*next);
            steps.get_mut(*next)?.before += 1;
        }
    }
    Some(steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{diff::tests::Model, model::Names};
    use indexmap::IndexSet;

    #[test]
    fn order_is_that_of_the_ports() {
        let mut names = Names::default();
        let mut model = Model::default();
        for (name, kind) in [("x", "tee"), ("y", "tee"), ("z", "dummy")] {
            model.add(name, kind);
        }
        for (upper, lower) in [("z", "y"), ("x", "y"), ("z", "x")] {
            model.bind(upper, lower);
        }
        let running = model.running(&mut names);
        let order = order(&running, &names).unwrap();
        let text = |name| names.text(name).to_owned();
        let order: Vec<_> = order
            .bindings
            .iter()
            .map(|(u, l)| text(*u) + text(*l).as_str())
            .collect();
        assert_eq!(order, ["zy", "zx", "xy"]);
    }

    #[test]
    fn contradictions_are_seen() {
        let mut names = Names::default();
        let [a, b, x, y] = ["a", "b", "x", "y"].map(|text| names.name(text));
        let mut model = Model::default();
        for name in ["a", "b", "x", "y"] {
            model.add(name, "tee");
        }
        let blocks = model.running(&mut names).blocks;
        // a is on x, then y; b is on y, then x; but above x b comes first, above y a.
        let egress = vec![(a, x), (a, y), (b, y), (b, x)];
        let ingress = [(b, x), (a, x), (a, y), (b, y)];
        let running = |ingress: &[Pair]| {
            Running::new(blocks.clone(), egress.clone(), ingress, IndexSet::new())
        };
        assert!(order(&running(&ingress).unwrap(), &names).is_none());
        assert!(running(&ingress[..3]).is_none());
        assert!(running(&[(b, x), (a, x), (a, y), (a, y)]).is_none());
        assert!(running(&[(b, x), (a, x), (a, y), (y, b)]).is_none());
    }
}
