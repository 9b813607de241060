// SPDX-License-Identifier: GPL-2.0

//! In which order the boxes of a layer stand: one in which few lines cross, where lines end at ports whose order
//! is given.

use super::{Ends, Graph};
use std::mem;

/// How often the layers are sorted by their neighbours, up and down by turns.
const SWEEPS: usize = 12;
/// Neighbours change places one by one where there are at most so many boxes and passing lines.
const SMALL: usize = 500;

/// A box, or where a line passes a layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vertex {
    /// Nothing for a line.
    pub(super) node: Option<usize>,
    layer: usize,
}

/// A line, or a piece of one, between neighbouring layers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub(super) lower: usize,
    pub(super) upper: usize,
    /// Where on their sides it ends, from 0 at the left to 1.
    pub(super) from: f64,
    pub(super) to: f64,
}

/// The layers, from the bottom.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) vertices: Vec<Vertex>,
    pub(super) layers: Vec<Vec<usize>>,
    /// The pieces of each line, from the bottom; in the order of the lines.
    pub(super) lines: Vec<Vec<Piece>>,
}

/// The pieces of lines at each vertex.
struct Neighbours {
    below: Vec<Vec<Piece>>,
    above: Vec<Vec<Piece>>,
}

pub(super) fn sort(graph: &Graph, edges: &[usize], layers: &[usize]) -> Rows {
    let mut rows = cut(graph, edges, layers);
    let neighbours = Neighbours::new(&rows);
    rows.layers = walk(&rows, &neighbours);
    let mut best = (crossings(&rows), rows.layers.clone());
    for sweep in 0..SWEEPS {
        if best.0 == 0 {
            break;
        }
        sort_by_neighbours(&mut rows, &neighbours, sweep % 2 == 0);
        let crossings = crossings(&rows);
        if crossings < best.0 {
            best = (crossings, rows.layers.clone());
        }
    }
    rows.layers = best.1;
    if best.0 > 0 && rows.vertices.len() <= SMALL {
        exchange(&mut rows, &neighbours);
    }
    rows
}

/// Where a line ends at the upper side of its lower box, and at the lower side of its upper box.
fn ends(graph: &Graph, number: usize) -> (f64, f64) {
    let edge = &graph.edges[number];
    match edge.ends {
        Ends::Ports { top, bottom } => (
            super::port_offset(1.0, top, graph.nodes[edge.lower].top),
            super::port_offset(1.0, bottom, graph.nodes[edge.upper].bottom),
        ),
        Ends::Loose => (0.97, 0.5),
    }
}

/// Cuts the lines into pieces, from layer to layer.
fn cut(graph: &Graph, edges: &[usize], layers: &[usize]) -> Rows {
    let vertex = |(node, layer): (usize, &usize)| Vertex {
        node: Some(node),
        layer: *layer,
    };
    let mut vertices: Vec<_> = layers.iter().enumerate().map(vertex).collect();
    let mut lines = Vec::with_capacity(edges.len());
    for number in edges {
        let edge = &graph.edges[*number];
        let (from, to) = ends(graph, *number);
        let (mut lower, mut from) = (edge.lower, from);
        let mut pieces = Vec::new();
        for layer in layers[edge.lower] + 1..layers[edge.upper] {
            let upper = vertices.len();
            vertices.push(Vertex { node: None, layer });
            pieces.push(Piece {
                lower,
                upper,
                from,
                to: 0.5,
            });
            (lower, from) = (upper, 0.5);
        }
        pieces.push(Piece {
            lower,
            upper: edge.upper,
            from,
            to,
        });
        lines.push(pieces);
    }
    let count = layers.iter().max().map_or(0, |top| top + 1);
    Rows {
        vertices,
        layers: vec![Vec::new(); count],
        lines,
    }
}

impl Neighbours {
    fn new(rows: &Rows) -> Self {
        let none = vec![Vec::new(); rows.vertices.len()];
        let mut neighbours = Neighbours {
            below: none.clone(),
            above: none,
        };
        for piece in rows.lines.iter().flatten() {
            neighbours.below[piece.upper].push(*piece);
            neighbours.above[piece.lower].push(*piece);
        }
        for pieces in &mut neighbours.above {
            pieces.sort_by(|a, b| a.from.total_cmp(&b.from));
        }
        for pieces in &mut neighbours.below {
            pieces.sort_by(|a, b| a.to.total_cmp(&b.to));
        }
        neighbours
    }
}

/// An order to begin with: each vertex as it is first come to from the left below, port by port.
fn walk(rows: &Rows, neighbours: &Neighbours) -> Vec<Vec<usize>> {
    let mut found = vec![Vec::new(); rows.layers.len()];
    let mut seen = vec![false; rows.vertices.len()];
    let mut starts: Vec<_> = (0..rows.vertices.len()).collect();
    starts.sort_by_key(|vertex| rows.vertices[*vertex].layer);
    for start in starts {
        let mut stack = vec![start];
        while let Some(vertex) = stack.pop() {
            if mem::replace(&mut seen[vertex], true) {
                continue;
            }
            found[rows.vertices[vertex].layer].push(vertex);
            let above = neighbours.above[vertex].iter().rev();
            stack.extend(above.map(|piece| piece.upper));
        }
    }
    found
}

/// The place of each vertex in its layer.
fn places(rows: &Rows) -> Vec<f64> {
    let mut places = vec![0.0; rows.vertices.len()];
    for row in &rows.layers {
        for (place, vertex) in row.iter().enumerate() {
            places[*vertex] = super::float(place);
        }
    }
    places
}

/// Sorts each layer by where its lines come from: from below, or from above.
fn sort_by_neighbours(rows: &mut Rows, neighbours: &Neighbours, up: bool) {
    let mut places = places(rows);
    let count = rows.layers.len();
    for step in 1..count {
        let row = if up { step } else { count - 1 - step };
        let wanted = |vertex: usize| {
            let (pieces, others) = if up {
                (&neighbours.below[vertex], true)
            } else {
                (&neighbours.above[vertex], false)
            };
            let other = |piece: &Piece| {
                if others {
                    places[piece.lower] + piece.from
                } else {
                    places[piece.upper] + piece.to
                }
            };
            match pieces.len() {
                0 => places[vertex] + 0.5,
                count => pieces.iter().map(other).sum::<f64>() / super::float(count),
            }
        };
        let mut sorted: Vec<_> = rows.layers[row].iter().map(|v| (wanted(*v), *v)).collect();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (place, (_, vertex)) in sorted.iter().enumerate() {
            places[*vertex] = super::float(place);
        }
        rows.layers[row] = sorted.into_iter().map(|(_, vertex)| vertex).collect();
    }
}

/// How often lines cross.
fn crossings(rows: &Rows) -> usize {
    let places = places(rows);
    let mut gaps = vec![Vec::new(); rows.layers.len()];
    for piece in rows.lines.iter().flatten() {
        let ends = (
            places[piece.lower] + piece.from,
            places[piece.upper] + piece.to,
        );
        gaps[rows.vertices[piece.lower].layer].push(ends);
    }
    gaps.into_iter().map(inversions).sum()
}

/// How many pairs are in one order by their first and in the other by their second.
fn inversions(mut ends: Vec<(f64, f64)>) -> usize {
    ends.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut sorted: Vec<f64> = ends.iter().map(|(_, to)| *to).collect();
    sorted.sort_by(f64::total_cmp);
    // A binary indexed tree of how many ended where.
    let mut tree = vec![0; sorted.len() + 1];
    let mut count = 0;
    for (before, (_, to)) in ends.iter().enumerate() {
        let rank = sorted.partition_point(|other| other <= to);
        let (mut at, mut not_right) = (rank, 0);
        while at > 0 {
            not_right += tree[at];
            at &= at - 1;
        }
        count += before - not_right;
        at = rank;
        while at < tree.len() {
            tree[at] += 1;
            at += at & at.wrapping_neg();
        }
    }
    count
}

/// Lets neighbours change places as long as fewer lines cross then.
fn exchange(rows: &mut Rows, neighbours: &Neighbours) {
    let mut places = places(rows);
    for _ in 0..SWEEPS {
        let mut better = false;
        for row in &mut rows.layers {
            for left in 1..row.len() {
                let (a, b) = (row[left - 1], row[left]);
                let (now, then) = (
                    pair_crossings(neighbours, &places, a, b),
                    pair_crossings(neighbours, &places, b, a),
                );
                if then < now {
                    row.swap(left - 1, left);
                    places.swap(a, b);
                    better = true;
                }
            }
        }
        if !better {
            return;
        }
    }
}

/// How often the lines of two neighbours cross, the first on the left.
fn pair_crossings(neighbours: &Neighbours, places: &[f64], left: usize, right: usize) -> usize {
    let cross = |ends: &dyn Fn(usize) -> Vec<f64>| {
        let (left, right) = (ends(left), ends(right));
        left.iter()
            .map(|l| right.iter().filter(|r| l > r).count())
            .sum::<usize>()
    };
    let below = |vertex: usize| {
        let pieces = neighbours.below[vertex].iter();
        pieces
            .map(|piece| places[piece.lower] + piece.from)
            .collect()
    };
    let above = |vertex: usize| {
        let pieces = neighbours.above[vertex].iter();
        pieces.map(|piece| places[piece.upper] + piece.to).collect()
    };
    cross(&below) + cross(&above)
}
