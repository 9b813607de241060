// SPDX-License-Identifier: GPL-2.0

//! A graph as characters, for a terminal: boxes and lines where the layout of the other pictures has them, moved to
//! rows and columns.

mod canvas;
mod channel;
#[cfg(test)]
mod tests;

use super::{
    caption::{figures_of, Figures},
    layout::{lay_out, Ends, Graph as Boxes, Layout, Route},
    model::{Block, Graph, Role},
    scene::{boxes, detail, Numbers},
};
use canvas::{Border, Canvas};
use channel::{Channel, Step};
use lana_cli::clean;
use std::{collections::BTreeMap, fmt::Write};

/// A column and a row in the units of the layout.
const COLUMN: f64 = 8.0;
const ROW: f64 = 14.0;

/// A box: where it is, how large, and what it says.
struct Frame<'a> {
    left: usize,
    top: usize,
    width: usize,
    lines: &'a [String],
}

pub(crate) fn text(graph: &Graph, figures: Figures) -> String {
    let lines = texts(graph, figures);
    let height = 2 + lines.first().map_or(0, Vec::len);
    let widths = graph.blocks.iter().zip(&lines);
    let widths: Vec<_> = widths.map(|(block, lines)| width(block, lines)).collect();
    let sizes = widths
        .iter()
        .map(|width| (float(*width) * COLUMN, float(height) * ROW));
    let (boxes, numbers) = boxes(graph, sizes);
    let layout = lay_out(&boxes);
    let channels = channels(&boxes, &layout);
    let rows = Rows::new(&layout, &channels, height);
    let frames: Vec<_> = layout
        .nodes
        .iter()
        .zip(widths)
        .zip(&lines)
        .map(|((at, width), lines)| Frame {
            // So that its middle is in the column of a line there.
            left: column(at.x + float(width) * COLUMN / 2.0).saturating_sub(width / 2),
            top: rows.of(at.y),
            width,
            lines,
        })
        .collect();
    let mut canvas = Canvas::default();
    for (frame, block) in frames.iter().zip(&graph.blocks) {
        let border = match block.role {
            Role::Device(_) => Border::Double,
            Role::Socket(_) => Border::Round,
            Role::None {} => Border::Plain,
        };
        canvas.frame(frame.left, frame.top, frame.width, frame.lines, border);
    }
    for channel in &channels {
        channel.draw(&mut canvas, rows.of(channel.top), rows.of(channel.bottom));
    }
    draw_ends(&mut canvas, &boxes, &layout, &channels, &frames, &rows);
    draw_numbers(&mut canvas, &boxes, &channels, &frames, &numbers);
    let mut out = heading(graph);
    out.push_str(&canvas.text());
    notes(&mut out, graph, &boxes, &layout);
    out
}

/// What stands above the picture, where there is more to say than it shows.
fn heading(graph: &Graph) -> String {
    if graph.netns.is_none() && graph.seconds.is_none() && !graph.blocks.is_empty() {
        return String::new();
    }
    super::caption::title(graph) + "\n"
}

/// What each box says, in the same number of lines.
fn texts(graph: &Graph, figures: Figures) -> Vec<Vec<String>> {
    let found = graph.blocks.iter().map(|block| figures_of(block, figures));
    let found: Vec<_> = found.collect();
    let drops = found.iter().any(|(_, loss)| loss.is_some());
    let all = graph.blocks.iter().zip(found);
    all.map(|(block, (packets, loss))| {
        let mut lines = vec![clean(&block.name).to_string(), detail(block)];
        if figures != Figures::Drops {
            lines.push(packets);
        }
        if drops {
            lines.push(loss.map(|loss| loss.text).unwrap_or_default());
        }
        lines
    })
    .collect()
}

/// An odd number of columns, so that boxes above one another have their middles in one column; with room for the
/// numbers of the ports.
fn width(block: &Block, lines: &[String]) -> usize {
    let longest = lines.iter().map(|line| line.chars().count()).max();
    let ports = [&block.ports.ingress, &block.ports.egress].map(|ports| {
        let digits = ports.last().map_or(1, |highest| highest.to_string().len());
        ports.len() * (digits + 2)
    });
    let inner = ports.into_iter().fold(longest.unwrap_or(0) + 2, usize::max);
    inner + 2 + (inner + 1) % 2
}

/// The rows between layers, and how the lines go there from column to column.
fn channels(boxes: &Boxes, layout: &Layout) -> Vec<Channel> {
    let mut found: BTreeMap<(i64, i64), Channel> = BTreeMap::new();
    for (number, (edge, route)) in boxes.edges.iter().zip(&layout.routes).enumerate() {
        let Route::Up(points) = route else { continue };
        let steps = points.len() / 2;
        for (step, ends) in points.chunks_exact(2).enumerate() {
            let [from, to] = ends else { continue };
            let (mut below, mut above) = (column(from.x), column(to.x));
            // What is rounded is no bend: the end at a box gives way.
            if below.abs_diff(above) == 1 {
                if step == 0 && several(boxes, edge.lower, true) || step + 1 < steps {
                    below = above;
                } else {
                    above = below;
                }
            }
            let channel = found
                .entry((tenths(to.y), tenths(from.y)))
                .or_insert_with(|| Channel::new(to.y, from.y));
            channel.steps.push(Step {
                line: number,
                first: step == 0,
                last: step + 1 == steps,
                below,
                above,
                track: 0,
            });
        }
    }
    let mut channels: Vec<_> = found.into_values().collect();
    channels.iter_mut().for_each(Channel::assign_tracks);
    channels
}

/// A box has more than one port on a side.
fn several(boxes: &Boxes, number: usize, top: bool) -> bool {
    let count = |node: &super::layout::Node| if top { node.top } else { node.bottom };
    boxes.nodes.get(number).is_some_and(|node| count(node) > 1)
}

/// Which row each height of the layout is in: as near to each other as what is between them allows.
struct Rows(BTreeMap<i64, usize>);

impl Rows {
    fn new(layout: &Layout, channels: &[Channel], height: usize) -> Self {
        // From where to where there are at least so many rows.
        let mut spans = Vec::new();
        for at in &layout.nodes {
            spans.push((tenths(at.y), tenths(at.y + float(height) * ROW), height));
        }
        for channel in channels {
            let (top, bottom) = (tenths(channel.top), tenths(channel.bottom));
            spans.push((top, bottom, channel.tracks().max(1)));
        }
        let heights = spans.iter().flat_map(|(top, bottom, _)| [*top, *bottom]);
        let mut rows: BTreeMap<_, _> = heights.map(|height| (height, 0)).collect();
        let order: Vec<_> = rows.keys().copied().collect();
        let mut above: Option<(i64, usize)> = None;
        for height in order {
            let apart =
                |(other, row): (i64, usize)| row + usize::from(height - other > tenths(ROW));
            let ending = spans.iter().filter(|(_, bottom, _)| *bottom == height);
            let row = ending
                .filter_map(|(top, _, least)| Some(rows.get(top)? + least))
                .fold(above.map_or(0, apart), usize::max);
            rows.insert(height, row);
            above = Some((height, row));
        }
        Rows(rows)
    }

    fn of(&self, height: f64) -> usize {
        self.0.get(&tenths(height)).copied().unwrap_or(0)
    }
}

/// Lines go on from the channel to the boxes, and from channel to channel through layers.
fn draw_ends(
    canvas: &mut Canvas,
    boxes: &Boxes,
    layout: &Layout,
    channels: &[Channel],
    frames: &[Frame<'_>],
    rows: &Rows,
) {
    for channel in channels {
        for step in &channel.steps {
            let Some(edge) = boxes.edges.get(step.line) else {
                continue;
            };
            if let (true, Some(frame)) = (step.first, frames.get(edge.lower)) {
                canvas.joint(step.below, frame.top, true);
            }
            let Some(frame) = frames.get(edge.upper).filter(|_| step.last) else {
                continue;
            };
            let floor = frame.top + frame.lines.len() + 2;
            canvas.upright(step.above, floor, rows.of(channel.top));
            canvas.joint(step.above, floor - 1, false);
        }
    }
    for route in &layout.routes {
        let Route::Up(points) = route else { continue };
        for pair in points.get(1..).unwrap_or(&[]).chunks_exact(2) {
            if let [below, above] = pair {
                canvas.upright(column(below.x), rows.of(above.y), rows.of(below.y));
            }
        }
    }
}

/// Beside its line, in the border of the box.
fn draw_numbers(
    canvas: &mut Canvas,
    boxes: &Boxes,
    channels: &[Channel],
    frames: &[Frame<'_>],
    numbers: &[Numbers],
) {
    for step in channels.iter().flat_map(|channel| &channel.steps) {
        let Some((edge, (ingress, egress))) = boxes
            .edges
            .get(step.line)
            .zip(numbers.get(step.line).copied())
        else {
            continue;
        };
        if let (true, Some(number), Some(frame)) = (step.first, ingress, frames.get(edge.lower)) {
            canvas.before(step.below, frame.top, &number.to_string());
        }
        if let (true, Some(number), Some(frame)) = (step.last, egress, frames.get(edge.upper)) {
            let row = frame.top + frame.lines.len() + 1;
            canvas.before(step.above, row, &number.to_string());
        }
    }
}

/// What is not drawn is said: subscriptions, and bindings to what does not stand above.
fn notes(out: &mut String, graph: &Graph, boxes: &Boxes, layout: &Layout) {
    let name = |number: usize| {
        let block = graph.blocks.get(number);
        clean(block.map_or("", |block| &block.name))
    };
    for (edge, route) in boxes.edges.iter().zip(&layout.routes) {
        let (lower, upper) = (name(edge.lower), name(edge.upper));
        // Writing to a string does not fail.
        let _ = match (edge.ends, route) {
            (Ends::Loose, _) => writeln!(out, "{upper} gets the events of {lower}"),
            (_, Route::Curve(_)) => writeln!(out, "{upper} is on {lower}"),
            (_, Route::Up(_)) => Ok(()),
        };
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "layouts begin at 0 and are not that large"
)]
fn column(x: f64) -> usize {
    (x / COLUMN).floor().max(0.0) as usize
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "layouts are not that large"
)]
fn tenths(length: f64) -> i64 {
    (length * 10.0).round() as i64
}

#[expect(clippy::cast_precision_loss, reason = "there are not that many")]
fn float(number: usize) -> f64 {
    number as f64
}
