// SPDX-License-Identifier: GPL-2.0

//! A graph as a tree on its side: a line for each block. For what is too wide to be drawn.

use super::{
    style::{heading, in_short, line, listed_words, trimmed, Brevity, Tone, Words},
    Look,
};
use crate::picture::model::Graph;
use std::collections::{HashMap, VecDeque};

/// Between columns.
const GAP: usize = 2;
/// How wide names and the lines before them get where there is no limit.
const USUAL: usize = 100;

/// Which way the tree goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// From devices to what is on top of them.
    Up,
    /// From the top down.
    Down,
}

/// A binding as it goes on from a block: the number of the port, if the block has several, and the other block.
type Branch = (Option<u32>, usize);

/// A line: what stands before the name, the block, and where else it stands if this is not the place.
struct Row {
    before: String,
    block: usize,
    elsewhere: Option<&'static str>,
}

/// The parts of a graph as trees.
pub(super) fn trees(parts: &[Graph], look: &Look) -> Vec<String> {
    let mut sections = Vec::new();
    for (way, title) in [
        (
            Way::Up,
            "One block a line. What is on top of a block is indented below it:",
        ),
        (
            Way::Down,
            "One block a line. What a block is on top of is indented below it:",
        ),
    ] {
        let ours: Vec<_> = parts.iter().filter(|part| way_of(part) == way).collect();
        if ours.is_empty() {
            continue;
        }
        let mut out = heading(title, look.width) + "\n";
        let ours: Vec<_> = ours.iter().map(|part| tree(part, way, look)).collect();
        out.push_str(&ours.join("\n"));
        sections.push(out);
    }
    sections
}

/// The way with fewer beginnings, so that fewer blocks are named twice.
fn way_of(graph: &Graph) -> Way {
    let ends = |way| roots(graph, &branches(graph, way)).len();
    if ends(Way::Down) < ends(Way::Up) {
        Way::Down
    } else {
        Way::Up
    }
}

/// Where lines go on from each block, in the order of its ports.
fn branches(graph: &Graph, way: Way) -> Vec<Vec<Branch>> {
    let places = graph.blocks.iter().enumerate();
    let places: HashMap<_, _> = places.map(|(at, block)| (&block.name, at)).collect();
    let mut all = vec![Vec::new(); graph.blocks.len()];
    for binding in &graph.bindings {
        let (from, to, port) = match way {
            Way::Up => (&binding.lower, &binding.upper, binding.ingress),
            Way::Down => (&binding.upper, &binding.lower, binding.egress),
        };
        if let Some((from, to)) = places.get(from).zip(places.get(to)) {
            let ports = graph.blocks.get(*from).map(|block| match way {
                Way::Up => block.ports.ingress.len(),
                Way::Down => block.ports.egress.len(),
            });
            let number = port.filter(|_| ports.is_some_and(|ports| ports > 1));
            if let Some(branches) = all.get_mut(*from) {
                branches.push((port, number, *to));
            }
        }
    }
    let sorted = all.into_iter().map(|mut branches| {
        branches.sort_unstable();
        let branches = branches.into_iter();
        branches.map(|(_, number, to)| (number, to)).collect()
    });
    sorted.collect()
}

/// The blocks to which no line goes.
fn roots(graph: &Graph, branches: &[Vec<Branch>]) -> Vec<usize> {
    let mut reached = vec![false; graph.blocks.len()];
    for (_, to) in branches.iter().flatten() {
        if let Some(reached) = reached.get_mut(*to) {
            *reached = true;
        }
    }
    let free = reached.iter().enumerate().filter(|(_, reached)| !**reached);
    free.map(|(at, _)| at).collect()
}

fn tree(graph: &Graph, way: Way, look: &Look) -> String {
    let rows = rows(graph, way, look.width.unwrap_or(USUAL) / 2);
    // As much is said of the blocks as there is room for.
    let mut lines = Vec::new();
    for brevity in Brevity::EACH {
        lines = lines_of(graph, &rows, look, brevity);
        let widest = lines.iter().map(|line| line.iter().map(Words::width).sum());
        if look.has_room(widest.max().unwrap_or_default()) {
            break;
        }
    }
    let lines = lines
        .iter()
        .map(|words| line(words, look.width, look.colour));
    lines.map(|line| line + "\n").collect()
}

/// What is said of each block, each part as wide as those of the others.
fn lines_of(graph: &Graph, rows: &[Row], look: &Look, brevity: Brevity) -> Vec<Vec<Words>> {
    let most = look.width.filter(|_| brevity == Brevity::Packets);
    let said: Vec<_> = rows
        .iter()
        .filter_map(|row| {
            let block = graph.blocks.get(row.block)?;
            let [name, detail, packets, drops] = listed_words(block, look.figures, brevity);
            let room = most.map(|most| most.saturating_sub(row.before.chars().count()));
            let name = room.map_or(name.text.clone(), |room| in_short(&name.text, room));
            let name = Words::new(format!("{}{name}", row.before), Tone::Plain);
            Some(match row.elsewhere {
                None => [name, detail, packets, drops],
                Some(place) => {
                    let place = Words::new(place, Tone::Plain);
                    [name, place, Words::default(), Words::default()]
                }
            })
        })
        .collect();
    let width = |column: usize| {
        let cells = said.iter().filter_map(|cells| cells.get(column));
        cells.map(Words::width).max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..4).map(width).collect();
    let mut lines = Vec::new();
    for cells in &said {
        let mut all = Vec::new();
        for (column, (cell, width)) in cells.iter().zip(&widths).enumerate() {
            let blank = Words::new(" ".repeat(width - cell.width()), Tone::Plain);
            if column > 0 && *width > 0 {
                // Drops go on after a comma.
                let after = widths
                    .get(2)
                    .is_some_and(|packets| column == 3 && *packets > 0);
                let gap = if after { 1 } else { GAP };
                all.push(Words::new(" ".repeat(gap), Tone::Plain));
            }
            // Numbers stand to the right.
            if column == 2 {
                all.extend([blank, cell.clone()]);
            } else {
                all.extend([cell.clone(), blank]);
            }
        }
        lines.push(trimmed(all));
    }
    lines
}

/// The lines of a tree, in which nothing but a name begins further right than `deepest`.
fn rows(graph: &Graph, way: Way, deepest: usize) -> Vec<Row> {
    let branches = branches(graph, way);
    let mut begin: VecDeque<_> = roots(graph, &branches).into();
    // Blocks in a circle have no beginning.
    let mut rest = 0..graph.blocks.len();
    let (mut seen, mut rows) = (vec![false; graph.blocks.len()], Vec::new());
    while let Some(root) = begin.pop_front().or_else(|| rest.next()) {
        if seen.get(root) != Some(&false) {
            continue;
        }
        let mut waiting = vec![(root, String::new(), String::new())];
        while let Some((block, before, under)) = waiting.pop() {
            let Some(seen) = seen.get_mut(block) else {
                continue;
            };
            let count = under.chars().count();
            let goes_on = branches.get(block).is_some_and(|next| !next.is_empty());
            let elsewhere = if *seen {
                Some("see above")
            } else if count > deepest && goes_on {
                begin.push_front(block);
                Some("see below")
            } else {
                None
            };
            rows.push(Row {
                before,
                block,
                elsewhere,
            });
            if elsewhere.is_some() {
                continue;
            }
            *seen = true;
            let next = branches.get(block).map_or(&[][..], Vec::as_slice);
            let digits = next.iter().filter_map(|(number, _)| *number).max();
            let digits = digits.map_or(0, |highest| highest.to_string().len());
            for (at, (number, to)) in next.iter().enumerate().rev() {
                let (corner, side) = if at + 1 == next.len() {
                    ('└', ' ')
                } else {
                    ('├', '│')
                };
                let number = number.map_or(String::new(), |number| number.to_string());
                waiting.push((
                    *to,
                    format!("{under}{corner}{number:─<digits$}─ "),
                    format!("{under}{side}{:digits$}  ", ""),
                ));
            }
        }
    }
    rows
}
