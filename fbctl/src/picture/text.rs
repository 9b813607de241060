// SPDX-License-Identifier: GPL-2.0

//! A graph as characters, for a terminal. Each part that hangs together has a form that fits into the width: boxes with
//! lines between them, else the same with less room or in several rows, else a line for each block.

mod canvas;
mod channel;
mod drawing;
mod list;
mod style;
#[cfg(test)]
mod tests;
mod tree;

use super::{
    caption::{title, Figures},
    layout::Room,
    model::Graph,
};
use drawing::{draw, float, COLUMN};
use lana_cli::clean;
use std::collections::{HashMap, HashSet};
use style::{line, Tone, Words};

/// So many blocks that are not bound are drawn. More are a list.
const FEW: usize = 4;

/// How a graph is to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) figures: Figures,
    /// How many columns there are; no limit if absent.
    pub(crate) width: Option<usize>,
    pub(crate) colour: bool,
}

/// A way to draw boxes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Form {
    room: Room,
    /// What is said of a block is in more and shorter lines.
    narrow: bool,
}

/// The graph as boxes where they fit.
pub(crate) fn text(graph: &Graph, look: &Look) -> String {
    let (mut parts, mut single) = parts(graph);
    if single.len() <= FEW {
        parts.extend(single.drain(..).map(|block| vec![block]));
    }
    let mut sections = Vec::new();
    for form in forms(look.width) {
        let drawn = |blocks: &[usize]| draw(&part(graph, blocks), look, &form);
        let fits = |blocks: &Vec<usize>| look.has_room(drawn(blocks).width);
        let (ours, others): (Vec<_>, Vec<_>) = parts.into_iter().partition(fits);
        parts = others;
        if ours.is_empty() {
            continue;
        }
        let together = drawn(&ours.concat());
        if look.has_room(together.width) {
            sections.push(together.text);
        } else {
            sections.extend(ours.iter().map(|blocks| drawn(blocks).text));
        }
    }
    sections.extend(listed(graph, &parts, &single, look));
    whole(graph, &sections, look)
}

/// The graph with a line for each block.
pub(crate) fn tree(graph: &Graph, look: &Look) -> String {
    let (parts, single) = parts(graph);
    whole(graph, &listed(graph, &parts, &single, look), look)
}

impl Look {
    fn has_room(&self, width: usize) -> bool {
        self.width.is_none_or(|most| width <= most)
    }
}

/// From wide to narrow.
fn forms(width: Option<usize>) -> Vec<Form> {
    let usual = Form::default();
    let Some(width) = width else {
        return vec![usual];
    };
    // A column less: what is rounded.
    let limit = float(width.saturating_sub(1)) * COLUMN;
    let room = |room| Room {
        limit: Some(limit),
        ..room
    };
    let tight = Room {
        gap: COLUMN * 1.5,
        part_gap: COLUMN * 3.0,
        ..Room::default()
    };
    vec![
        Form {
            room: room(usual.room),
            narrow: false,
        },
        Form {
            room: room(tight),
            narrow: true,
        },
    ]
}

/// The blocks that hang together by bindings, by their numbers; and those that are not bound.
fn parts(graph: &Graph) -> (Vec<Vec<usize>>, Vec<usize>) {
    let places = graph.blocks.iter().enumerate();
    let places: HashMap<_, _> = places.map(|(at, block)| (&block.name, at)).collect();
    let mut bound = vec![Vec::new(); graph.blocks.len()];
    for binding in &graph.bindings {
        let ends = places.get(&binding.lower).zip(places.get(&binding.upper));
        if let Some((lower, upper)) = ends {
            for (from, to) in [(lower, upper), (upper, lower)] {
                if let Some(bound) = bound.get_mut(*from) {
                    bound.push(*to);
                }
            }
        }
    }
    let (mut parts, mut single) = (Vec::new(), Vec::new());
    let mut seen = vec![false; graph.blocks.len()];
    for first in 0..graph.blocks.len() {
        let (mut part, mut waiting) = (Vec::new(), vec![first]);
        while let Some(block) = waiting.pop() {
            if let Some(seen) = seen.get_mut(block).filter(|seen| !**seen) {
                *seen = true;
                part.push(block);
                waiting.extend(bound.get(block).into_iter().flatten());
            }
        }
        part.sort_unstable();
        match part.as_slice() {
            [] => {}
            [block] => single.push(*block),
            _ => parts.push(part),
        }
    }
    (parts, single)
}

/// Some blocks of a graph, and the bindings between them.
fn part(graph: &Graph, blocks: &[usize]) -> Graph {
    let mut blocks = blocks.to_vec();
    blocks.sort_unstable();
    let blocks = blocks.into_iter().filter_map(|at| graph.blocks.get(at));
    let blocks: Vec<_> = blocks.cloned().collect();
    let names: HashSet<_> = blocks.iter().map(|block| &block.name).collect();
    let bindings = graph.bindings.iter();
    let bindings = bindings
        .filter(|binding| names.contains(&binding.lower) && names.contains(&binding.upper))
        .cloned()
        .collect();
    Graph {
        blocks,
        bindings,
        ..Graph::default()
    }
}

/// What is not drawn: parts as trees, and blocks that are not bound.
fn listed(graph: &Graph, parts: &[Vec<usize>], single: &[usize], look: &Look) -> Vec<String> {
    let parts: Vec<_> = parts.iter().map(|blocks| part(graph, blocks)).collect();
    let mut sections = tree::trees(&parts, look);
    if !single.is_empty() {
        sections.push(list::list(&part(graph, single).blocks, look));
    }
    sections
}

/// All that is said: above, what there is to say beside the picture, and below, what it does not show.
fn whole(graph: &Graph, sections: &[String], look: &Look) -> String {
    let mut out = String::new();
    let plain = |out: &mut String, text: String| {
        let words = [Words::new(text, Tone::Plain)];
        out.push_str(&line(&words, look.width, false));
        out.push('\n');
    };
    if graph.netns.is_some() || graph.seconds.is_some() || graph.blocks.is_empty() {
        plain(&mut out, title(graph));
    }
    out.push_str(&sections.join("\n"));
    for subscription in &graph.subscriptions {
        let (subscriber, publisher) = (&subscription.subscriber, &subscription.publisher);
        let text = format!("{subscriber} gets the events of {publisher}");
        plain(&mut out, clean(&text));
    }
    out
}
