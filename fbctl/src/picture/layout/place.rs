// SPDX-License-Identifier: GPL-2.0

//! Coordinates for boxes whose layer and order are known, and the ways of the lines.

use super::{order::Rows, Edge, Ends, Graph, Layout, Point, Room, Route, LANE};

/// How often layers are moved to where their lines are straight.
const SWEEPS: usize = 24;
/// Between layers, where lines have no way to go to the side.
const LOW: f64 = 46.0;
/// And at most.
const HIGH: f64 = 150.0;
/// How far a curve to the side goes.
const AWAY: f64 = 60.0;

/// A layer as it is moved.
struct Row {
    /// How far its vertices are from its beginning at least.
    offsets: Vec<f64>,
}

pub(super) fn place(graph: &Graph, room: &Room, edges: &[usize], rows: &Rows) -> Layout {
    let width = |vertex: usize| {
        rows.vertices[vertex]
            .node
            .map_or(0.0, |node| graph.nodes[node].width)
    };
    let spaced: Vec<_> = rows
        .layers
        .iter()
        .map(|row| Row::new(row, rows, room.gap, width))
        .collect();
    let mut x = vec![0.0; rows.vertices.len()];
    for (row, spaced) in rows.layers.iter().zip(&spaced) {
        for (vertex, offset) in row.iter().zip(&spaced.offsets) {
            x[*vertex] = *offset;
        }
    }
    straighten(rows, &spaced, width, &mut x);
    finish(graph, edges, rows, &x)
}

impl Row {
    fn new(row: &[usize], rows: &Rows, gap: f64, width: impl Fn(usize) -> f64) -> Self {
        let (mut offsets, mut at) = (Vec::with_capacity(row.len()), 0.0);
        for (place, vertex) in row.iter().enumerate() {
            offsets.push(at);
            let is_node = |vertex: &usize| rows.vertices[*vertex].node.is_some();
            let next = row.get(place + 1).is_some_and(is_node);
            let gap = match (is_node(vertex), next) {
                (true, true) => gap,
                (false, false) => LANE,
                _ => gap / 2.0,
            };
            at += width(*vertex) + gap;
        }
        Row { offsets }
    }

    /// Moves its vertices to where they want to be, as near as their order and widths allow: the least
    /// squares, by pooling those that are in each other's way.
    fn settle(&self, row: &[usize], wanted: &[(f64, f64)], x: &mut [f64]) {
        // Weight, weighted sum and how many.
        let mut pools: Vec<(f64, f64, usize)> = Vec::new();
        for ((place, weight), offset) in wanted.iter().zip(&self.offsets) {
            let mut pool = (*weight, weight * (place - offset), 1);
            while let Some(last) = pools
                .last()
                .filter(|last| last.1 * pool.0 >= pool.1 * last.0)
            {
                pool = (pool.0 + last.0, pool.1 + last.1, pool.2 + last.2);
                pools.pop();
            }
            pools.push(pool);
        }
        let starts = pools
            .iter()
            .flat_map(|pool| std::iter::repeat_n(pool.1 / pool.0, pool.2));
        for ((vertex, offset), start) in row.iter().zip(&self.offsets).zip(starts) {
            x[*vertex] = start + offset;
        }
    }
}

/// Moves the layers by turns, upwards and downwards, last with a view to both neighbours.
fn straighten(rows: &Rows, spaced: &[Row], width: impl Fn(usize) -> f64, x: &mut [f64]) {
    // Of each vertex its lines: whether to below, the other vertex, how far to the side that is, and weight.
    let mut pulls = vec![Vec::new(); rows.vertices.len()];
    let (mut above, mut below) = (vec![0; pulls.len()], vec![0; pulls.len()]);
    for piece in rows.lines.iter().flatten() {
        above[piece.lower] += 1;
        below[piece.upper] += 1;
    }
    for piece in rows.lines.iter().flatten() {
        let bend = width(piece.lower) * piece.from - width(piece.upper) * piece.to;
        let passing = [piece.lower, piece.upper].map(|vertex| rows.vertices[vertex].node.is_none());
        // What is a chain is straight.
        let alone = above[piece.lower] == 1 && below[piece.upper] == 1;
        let weight = match passing {
            [false, false] if !alone => 1.0,
            [true, false] | [false, true] if !alone => 2.0,
            _ => 8.0,
        };
        pulls[piece.upper].push((true, piece.lower, bend, weight));
        pulls[piece.lower].push((false, piece.upper, -bend, weight));
    }
    let count = rows.layers.len();
    for sweep in 0..SWEEPS {
        let both = sweep + 6 >= SWEEPS;
        for step in 0..count {
            let number = if sweep % 2 == 0 {
                step
            } else {
                count - 1 - step
            };
            let row = &rows.layers[number];
            let want = |vertex: &usize| {
                let (mut weight, mut sum) = (0.0, 0.0);
                for (below, other, bend, pull) in &pulls[*vertex] {
                    if both || *below == (sweep % 2 == 0) {
                        weight += pull;
                        sum += pull * (x[*other] + bend);
                    }
                }
                // Who is pulled by nobody stays, but gives way.
                if weight > 0.0 {
                    (sum / weight, weight)
                } else {
                    (x[*vertex], 0.01)
                }
            };
            let wanted: Vec<_> = row.iter().map(want).collect();
            spaced[number].settle(row, &wanted, x);
        }
    }
}

/// From places in layers to boxes and ways.
fn finish(graph: &Graph, edges: &[usize], rows: &Rows, x: &[f64]) -> Layout {
    let left = x.iter().copied().fold(f64::INFINITY, f64::min);
    let x = |vertex: usize| x[vertex] - left;
    let mut heights = vec![0.0_f64; rows.layers.len()];
    let mut layer_of = vec![0; rows.vertices.len()];
    for (layer, row) in rows.layers.iter().enumerate() {
        for vertex in row {
            layer_of[*vertex] = layer;
            if let Some(node) = rows.vertices[*vertex].node {
                heights[layer] = heights[layer].max(graph.nodes[node].height);
            }
        }
    }
    let width = |vertex: usize| {
        rows.vertices[vertex]
            .node
            .map_or(0.0, |node| graph.nodes[node].width)
    };
    // The further lines go to the side, the more room they get.
    let mut gaps = vec![LOW; rows.layers.len()];
    for piece in rows.lines.iter().flatten() {
        let from = x(piece.lower) + width(piece.lower) * piece.from;
        let to = x(piece.upper) + width(piece.upper) * piece.to;
        let gap = &mut gaps[layer_of[piece.lower]];
        *gap = gap.max((from - to).abs() * 0.09 + LOW * 0.8).min(HIGH);
    }
    let mut tops = vec![0.0; rows.layers.len()];
    let mut y = 0.0;
    for layer in (0..rows.layers.len()).rev() {
        tops[layer] = y;
        y += heights[layer] + if layer > 0 { gaps[layer - 1] } else { 0.0 };
    }
    let mut layout = Layout {
        height: y,
        nodes: vec![Point::default(); graph.nodes.len()],
        routes: vec![Route::Up(Vec::new()); graph.edges.len()],
        ..Layout::default()
    };
    for (vertex, known) in rows.vertices.iter().enumerate() {
        layout.width = layout.width.max(x(vertex) + width(vertex));
        if let Some(node) = known.node {
            let layer = layer_of[vertex];
            layout.nodes[node] = Point {
                x: x(vertex),
                y: tops[layer] + heights[layer] - graph.nodes[node].height,
            };
        }
    }
    for (number, pieces) in edges.iter().zip(&rows.lines) {
        let mut points = Vec::with_capacity(2 * pieces.len());
        for piece in pieces {
            let (from, to) = (layer_of[piece.lower], layer_of[piece.upper]);
            let top = match rows.vertices[piece.lower].node {
                Some(node) => layout.nodes[node].y,
                None => tops[from],
            };
            points.push(Point {
                x: x(piece.lower) + width(piece.lower) * piece.from,
                y: top,
            });
            points.push(Point {
                x: x(piece.upper) + width(piece.upper) * piece.to,
                y: tops[to] + heights[to],
            });
        }
        layout.routes[*number] = Route::Up(points);
    }
    layout
}

/// The way of a line that moves no box.
pub(super) fn beside(graph: &Graph, room: &Room, nodes: &[Point], edge: &Edge) -> Route {
    let (lower, upper) = (&graph.nodes[edge.lower], &graph.nodes[edge.upper]);
    let (low, up) = (nodes[edge.lower], nodes[edge.upper]);
    if let Ends::Ports { top, bottom } = edge.ends {
        // From below the one around to above the other.
        let from = low.x + super::port_offset(lower.width, top, lower.top);
        let to = up.x + super::port_offset(upper.width, bottom, upper.bottom);
        let floor = up.y + upper.height;
        return Route::Curve([
            Point { x: from, y: low.y },
            Point {
                x: from - AWAY,
                y: low.y - AWAY,
            },
            Point {
                x: to - AWAY,
                y: floor + AWAY,
            },
            Point { x: to, y: floor },
        ]);
    }
    // From side to side: between the boxes if there is room, else around them on the right.
    let from_y = low.y + lower.height * 0.3;
    let to_y = up.y + upper.height * 0.7;
    let curve = |x: f64, c: f64, to: f64, d: f64| {
        Route::Curve([
            Point { x, y: from_y },
            Point { x: c, y: from_y },
            Point { x: d, y: to_y },
            Point { x: to, y: to_y },
        ])
    };
    if low.x + lower.width + room.gap / 2.0 < up.x {
        let from = low.x + lower.width;
        let away = AWAY.max((up.x - from) / 2.0);
        curve(from, from + away, up.x, up.x - away)
    } else if up.x + upper.width + room.gap / 2.0 < low.x {
        let to = up.x + upper.width;
        let away = AWAY.max((low.x - to) / 2.0);
        curve(low.x, low.x - away, to, to + away)
    } else {
        let (from, to) = (low.x + lower.width, up.x + upper.width);
        let away = from.max(to) + AWAY / 2.0;
        curve(from, away, to, away)
    }
}
