// SPDX-License-Identifier: GPL-2.0

//! A graph as characters, for a terminal. Each part that hangs together has a form that fits into the width: boxes with
//! lines between them, else the same with less room or in several rows, else a line for each block.

mod canvas;
mod channel;
mod drawing;
mod list;
#[cfg(test)]
mod room_tests;
mod style;
#[cfg(test)]
mod tests;
mod tree;

use super::{
    caption::{title, Figures},
    layout::Room,
    model::{Block, Graph, Role},
};
use drawing::{draw, float, COLUMN};
use lana_cli::{clean, natural};
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
        arrange(graph, &mut parts);
    }
    let forms = forms(look.width);
    let drawn = |blocks: &[usize], form| draw(&part(graph, blocks), look, form);
    // Each part with the first form that it has room in, if there is one.
    let form_of = |blocks: &Vec<usize>| {
        let mut forms = forms.iter().enumerate();
        forms.find(|(_, form)| look.has_room(drawn(blocks, form).width))
    };
    let parts: Vec<_> = parts
        .iter()
        .map(|blocks| (form_of(blocks), blocks))
        .collect();
    let mut sections = Vec::new();
    // What stands next to each other and has the same form is drawn together.
    for run in parts.chunk_by(|(a, _), (b, _)| a.map(|(at, _)| at) == b.map(|(at, _)| at)) {
        let ours: Vec<_> = run.iter().map(|(_, blocks)| (*blocks).clone()).collect();
        let Some((Some((_, form)), _)) = run.first() else {
            sections.extend(listed(graph, &ours, &[], look));
            continue;
        };
        let together = drawn(&ours.concat(), form);
        if look.has_room(together.width) {
            sections.push(together.text);
        } else {
            sections.extend(ours.iter().map(|blocks| drawn(blocks, form).text));
        }
    }
    sections.extend(listed(graph, &[], &single, look));
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
    let usual = Form {
        room: Room {
            ordered: true,
            ..Room::default()
        },
        narrow: false,
    };
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
        ..usual.room
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
    arrange(graph, &mut parts);
    let mut alone: Vec<_> = single.into_iter().map(|block| vec![block]).collect();
    arrange(graph, &mut alone);
    (parts, alone.concat())
}

/// Puts parts in the order of their names: that of a part is its first device, else its first block. Those with a device
/// come first, and of these those with packets.
fn arrange(graph: &Graph, parts: &mut [Vec<usize>]) {
    let block = |at: &usize| graph.blocks.get(*at);
    let key = |part: &[usize]| {
        let names = |devices: bool| {
            let blocks = part.iter().filter_map(block);
            let blocks = blocks.filter(|block| !devices || matches!(block.role, Role::Device(_)));
            blocks.map(|b| b.name.as_str()).min_by(|a, b| natural(a, b))
        };
        let device = names(true);
        let name = device.or_else(|| names(false)).unwrap_or_default();
        let idle = !part.iter().filter_map(block).any(Block::is_busy);
        (device.is_none(), device.is_some() && idle, name)
    };
    parts.sort_by(|a, b| {
        let ((a, a_idle, a_name), (b, b_idle, b_name)) = (key(a), key(b));
        let order = (a, a_idle).cmp(&(b, b_idle));
        order.then_with(|| natural(a_name, b_name))
    });
}

/// Some blocks of a graph, and the bindings between them.
fn part(graph: &Graph, blocks: &[usize]) -> Graph {
    let blocks = blocks.iter().filter_map(|at| graph.blocks.get(*at));
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
