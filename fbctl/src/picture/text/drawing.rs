// SPDX-License-Identifier: GPL-2.0

//! Boxes and lines where the layout of the other pictures has them, moved to rows and columns.

use super::{
    canvas::{Border, Canvas},
    channel::{Channel, Step},
    style::{drops, words, Tone, Words},
    Form, Look,
};
use crate::picture::{
    layout::{lay_out, Graph as Boxes, Layout, Node, Route},
    model::{Block, Graph, Role},
    scene::{boxes, Numbers},
};
use lana_cli::clean;
use std::{collections::BTreeMap, fmt::Write};

/// A column and a row in the units of the layout.
pub(super) const COLUMN: f64 = 8.0;
const ROW: f64 = 14.0;

/// A picture, and how many columns it has.
#[derive(Debug)]
pub(super) struct Drawing {
    pub(super) text: String,
    pub(super) width: usize,
}

/// A box: where it is, how large, and what it says.
struct Frame<'a> {
    left: usize,
    top: usize,
    width: usize,
    lines: &'a [Words],
}

/// How many rows a box with so many lines has.
fn rows_of(lines: &[Words]) -> usize {
    lines.len() + 2
}

/// Draws bindings. Subscriptions are not drawn.
pub(super) fn draw(graph: &Graph, look: &Look, form: &Form) -> Drawing {
    let mut texts: Vec<_> = graph.blocks.iter().map(|b| lines(b, look, form)).collect();
    let widths = graph.blocks.iter().zip(&texts);
    let widths: Vec<_> = widths.map(|(block, lines)| width(block, lines)).collect();
    let placed = |texts: &[Vec<Words>]| {
        let sizes = widths.iter().zip(texts);
        let sizes =
            sizes.map(|(width, lines)| (float(*width) * COLUMN, float(rows_of(lines)) * ROW));
        let (boxes, numbers) = boxes(graph, sizes);
        let layout = lay_out(&boxes, &form.room);
        (boxes, numbers, layout)
    };
    let (boxes, _, layout) = placed(&texts);
    level(&mut texts, &boxes, &layout);
    let (boxes, numbers, layout) = placed(&texts);
    let channels = channels(&boxes, &layout);
    let rows = Rows::new(&boxes, &layout, &channels);
    let frames: Vec<_> = layout
        .nodes
        .iter()
        .zip(&boxes.nodes)
        .zip(widths)
        .zip(&texts)
        .enumerate()
        .map(|(number, (((at, node), width), lines))| Frame {
            left: left(&boxes, &layout, number),
            // Boxes of a layer stand on one floor.
            top: rows.of(at.y + node.height).saturating_sub(rows_of(lines)),
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
        let at = (frame.left, frame.top);
        canvas.frame(at, frame.width, frame.lines, border, Tone::of(block));
    }
    for channel in &channels {
        channel.draw(&mut canvas, rows.of(channel.top), rows.of(channel.bottom));
    }
    draw_ends(&mut canvas, &boxes, &layout, &channels, &frames, &rows);
    draw_numbers(&mut canvas, &boxes, &channels, &frames, &numbers);
    let mut text = canvas.text(look.colour);
    let notes = notes(graph, &boxes, &layout);
    let widths = notes.lines().map(|line| line.chars().count());
    let width = widths.fold(canvas.width(), usize::max);
    text.push_str(&notes);
    Drawing { text, width }
}

/// Makes the boxes of a layer, which stand on one floor, equally high.
fn level(texts: &mut [Vec<Words>], boxes: &Boxes, layout: &Layout) {
    let floors: Vec<_> = (0..boxes.nodes.len())
        .map(|number| tenths(floor(boxes, layout, number)))
        .collect();
    let mut most: BTreeMap<i64, usize> = BTreeMap::new();
    for (floor, lines) in floors.iter().zip(texts.iter()) {
        let highest = most.entry(*floor).or_default();
        *highest = lines.len().max(*highest);
    }
    for (floor, lines) in floors.iter().zip(texts) {
        let highest = most.get(floor).copied().unwrap_or_default();
        lines.resize_with(highest, Words::default);
    }
}

/// What a box says: nothing that is empty.
fn lines(block: &Block, look: &Look, form: &Form) -> Vec<Words> {
    let mut lines = Vec::new();
    let said = words(block, look.figures).into_iter();
    for mut words in said.chain(drops(block, look.figures)) {
        if words.text.is_empty() {
            continue;
        }
        if form.narrow {
            words.text = words
                .text
                .replace(" packet", " pkt")
                .replace(" pkts", " pkt");
            let pieces = words.text.split(" · ");
            lines.extend(pieces.map(|piece| Words::new(piece, words.tone)));
        } else {
            lines.push(words);
        }
    }
    lines
}

/// An odd number of columns, so that boxes above one another have their middles in one column; with room for the
/// numbers of the ports.
fn width(block: &Block, lines: &[Words]) -> usize {
    let longest = lines.iter().map(Words::width).max();
    let ports = [&block.ports.ingress, &block.ports.egress].map(|ports| {
        let digits = ports.last().map_or(1, |highest| highest.to_string().len());
        // Half of it is before the line: none of the corners, and one more for what is rounded.
        let most = ports.len() * 2 * (digits + 1);
        if ports.len() > 1 {
            most
        } else {
            0
        }
    });
    let inner = ports.into_iter().fold(longest.unwrap_or(0) + 2, usize::max);
    inner + 2 + (inner + 1) % 2
}

/// The rows between layers, and how the lines go there from column to column.
fn channels(boxes: &Boxes, layout: &Layout) -> Vec<Channel> {
    let tops = layer_tops(boxes, layout);
    let mut found: BTreeMap<(i64, i64), Channel> = BTreeMap::new();
    for (number, (edge, route)) in boxes.edges.iter().zip(&layout.routes).enumerate() {
        let Route::Up(points) = route else { continue };
        let steps = points.len() / 2;
        for (step, ends) in points.chunks_exact(2).enumerate() {
            let [from, to] = ends else { continue };
            let (first, last) = (step == 0, step + 1 == steps);
            let (mut below, mut above) = (column(from.x), column(to.x));
            if first {
                below = joint(boxes, layout, edge.lower, from.x);
            }
            if last {
                above = joint(boxes, layout, edge.upper, to.x);
            }
            // What is rounded is no bend: the end at a box gives way, if it has room.
            if below.abs_diff(above) == 1 {
                let lower = first && has_joint(boxes, layout, (edge.lower, true), above);
                let upper = last && has_joint(boxes, layout, (edge.upper, false), below);
                if lower && (several(boxes, edge.lower, true) || !upper) {
                    below = above;
                } else if upper {
                    above = below;
                }
            }
            // Lines go to the side above the highest box of the layer.
            let floor = match step
                .checked_sub(1)
                .and_then(|step| points.get(2 * step + 1))
            {
                Some(passed) => passed.y,
                None => floor(boxes, layout, edge.lower),
            };
            let bottom = tops
                .get(&tenths(floor))
                .map_or(from.y, |top| top.min(from.y));
            let channel = found
                .entry((tenths(to.y), tenths(bottom)))
                .or_insert_with(|| Channel::new(to.y, bottom));
            channel.steps.push(Step {
                line: number,
                first,
                last,
                below,
                above,
                from: from.y,
                track: 0,
            });
        }
    }
    let mut channels: Vec<_> = found.into_values().collect();
    channels.iter_mut().for_each(Channel::assign_tracks);
    channels
}

/// The first column of a box.
fn left(boxes: &Boxes, layout: &Layout, number: usize) -> usize {
    let width = boxes.nodes.get(number).map_or(0.0, |node| node.width);
    let middle = layout.nodes.get(number).map_or(0.0, |at| at.x) + width / 2.0;
    // So that its middle is in the column of a line there.
    column(middle).saturating_sub(column(width) / 2)
}

/// The column in which a line at a height ends at a box: as far from its side as the port is.
fn joint(boxes: &Boxes, layout: &Layout, number: usize, x: f64) -> usize {
    let at = layout.nodes.get(number).map_or(0.0, |at| at.x);
    left(boxes, layout, number) + column(x - at)
}

/// Whether a line may end in a column of the upper or the lower side of a box, beside its number, if it has one.
fn has_joint(
    boxes: &Boxes,
    layout: &Layout,
    (number, top): (usize, bool),
    column_of: usize,
) -> bool {
    let left = left(boxes, layout, number);
    let width = boxes.nodes.get(number).map_or(0.0, |node| node.width);
    let numbers = usize::from(several(boxes, number, top));
    column_of > left + numbers && column_of + 1 < left + column(width)
}

/// The lower side of a box.
fn floor(boxes: &Boxes, layout: &Layout, number: usize) -> f64 {
    let height = boxes.nodes.get(number).map_or(0.0, |node| node.height);
    layout.nodes.get(number).map_or(0.0, |at| at.y) + height
}

/// By the floor on which boxes stand, where the highest one ends.
fn layer_tops(boxes: &Boxes, layout: &Layout) -> BTreeMap<i64, f64> {
    let mut tops = BTreeMap::new();
    let mut add = |floor: f64, y: f64| {
        let top: &mut f64 = tops.entry(tenths(floor)).or_insert(y);
        *top = top.min(y);
    };
    for (number, at) in layout.nodes.iter().enumerate() {
        add(floor(boxes, layout, number), at.y);
    }
    for route in &layout.routes {
        let Route::Up(points) = route else { continue };
        for pair in points.get(1..).unwrap_or(&[]).chunks_exact(2) {
            if let [below, above] = pair {
                add(below.y, above.y);
            }
        }
    }
    tops
}

/// A box has more than one port on a side.
fn several(boxes: &Boxes, number: usize, top: bool) -> bool {
    let count = |node: &Node| if top { node.top } else { node.bottom };
    boxes.nodes.get(number).is_some_and(|node| count(node) > 1)
}

/// Which row each height of the layout is in: as near to each other as what is between them allows.
struct Rows(BTreeMap<i64, usize>);

impl Rows {
    fn new(boxes: &Boxes, layout: &Layout, channels: &[Channel]) -> Self {
        // From where to where there are at least so many rows.
        let mut spans = Vec::new();
        for (at, node) in layout.nodes.iter().zip(&boxes.nodes) {
            let rows = column(node.height / ROW * COLUMN);
            spans.push((tenths(at.y), tenths(at.y + node.height), rows));
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
            let floor = rows.of(channel.bottom);
            if let (true, Some(frame)) = (step.first, frames.get(edge.lower)) {
                canvas.upright(step.below, floor, frame.top);
                canvas.joint(step.below, frame.top, true);
            } else {
                canvas.upright(step.below, floor, rows.of(step.from));
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
            let at = beside(step.below, frame, number);
            canvas.before(at, frame.top, &number.to_string());
        }
        if let (true, Some(number), Some(frame)) = (step.last, egress, frames.get(edge.upper)) {
            let row = frame.top + frame.lines.len() + 1;
            canvas.before(beside(step.above, frame, number), row, &number.to_string());
        }
    }
}

/// Where a number ends that stands before its line; behind that, if it would cover the corner of the box.
fn beside(line: usize, frame: &Frame<'_>, number: u32) -> usize {
    let digits = number.to_string().len();
    if line > frame.left + digits {
        line
    } else {
        line + 1 + digits
    }
}

/// What is not drawn is said: bindings to what does not stand above.
fn notes(graph: &Graph, boxes: &Boxes, layout: &Layout) -> String {
    let name = |number: usize| {
        let block = graph.blocks.get(number);
        clean(block.map_or("", |block| &block.name))
    };
    let mut out = String::new();
    for (edge, route) in boxes.edges.iter().zip(&layout.routes) {
        if let Route::Curve(_) = route {
            // Writing to a string does not fail.
            let _ = writeln!(out, "{} is on {}", name(edge.upper), name(edge.lower));
        }
    }
    out
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
pub(super) fn float(number: usize) -> f64 {
    number as f64
}
