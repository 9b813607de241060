// SPDX-License-Identifier: GPL-2.0

//! What pictures say of the graph and in the boxes.

use super::{
    model::{float, short, Block, Graph, Loss},
    scene::tenth,
};

/// Which counters the boxes have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Figures {
    /// Drops, if there are any.
    Drops,
    /// Packets and drops since the block was made.
    Totals,
    /// Those of a second.
    Rates,
}

/// What there is in all, and over how long the rates are.
pub(crate) fn title(graph: &Graph) -> String {
    let mut parts = Vec::new();
    parts.extend(graph.netns.as_ref().map(|name| format!("namespace {name}")));
    let count =
        |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    parts.push(count(graph.blocks.len(), "block"));
    parts.push(count(graph.bindings.len(), "binding"));
    if !graph.subscriptions.is_empty() {
        parts.push(count(graph.subscriptions.len(), "subscription"));
    }
    parts.extend(
        graph
            .seconds
            .map(|seconds| format!("rates over {} s", tenth(seconds))),
    );
    parts.join(" · ")
}

/// What the last lines of a box say: packets, and drops.
pub(crate) fn figures_of(block: &Block, figures: Figures) -> (String, Option<Loss>) {
    let packets = || {
        block
            .stats
            .as_ref()
            .and_then(|stats| stats.packets)
            .unwrap_or(0)
    };
    match figures {
        Figures::Drops => (String::new(), block.loss()),
        Figures::Totals => {
            let end = if packets() == 1 { "" } else { "s" };
            let packets = format!("{} packet{end}", short(float(packets())));
            (packets, block.loss())
        }
        Figures::Rates => {
            let rate = block
                .rate
                .as_ref()
                .map(|rate| format!("{} packets/s", short(rate.packets)));
            (rate.unwrap_or_default(), block.loss_rate())
        }
    }
}
