// SPDX-License-Identifier: GPL-2.0

//! Where the boxes of a picture stand and the lines between them run: a layered drawing, with the lowest
//! blocks at the bottom and the ports of a block from left to right in the order of their numbers.
//!
//! What hangs together is laid out on its own, in the steps of Sugiyama, Tagawa and Toda (1981): [`layer`] gives
//! each box its layer, and folds layers that would be far too wide; [`order`] sorts each layer so that few lines
//! cross; [`place`] gives coordinates. Last, the parts are put side by side on shelves. The same graph always gives
//! the same picture.
#![expect(
    clippy::indexing_slicing,
    reason = "numbers of boxes, lines and layers are made here, from how many there are"
)]

mod layer;
mod order;
mod place;

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
};

/// Room for a line that passes a layer.
const LANE: f64 = 9.0;
/// How much wider than high a picture is to be.
const ASPECT: f64 = 1.6;

/// How much room there is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Room {
    /// Between boxes that are side by side.
    pub(crate) gap: f64,
    /// Between parts that do not hang together.
    pub(crate) part_gap: f64,
    /// A layer that is wider is folded, if that helps.
    pub(crate) wide: f64,
    /// Parts stand side by side as long as they are not wider together; if absent, so that the picture has a good shape.
    pub(crate) limit: Option<f64>,
    /// Parts stand in the order of their boxes. Else the highest ones come first.
    pub(crate) ordered: bool,
}

impl Default for Room {
    fn default() -> Self {
        Room {
            gap: 26.0,
            part_gap: 44.0,
            wide: 1500.0,
            limit: None,
            ordered: false,
        }
    }
}

/// A box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Node {
    pub(crate) width: f64,
    pub(crate) height: f64,
    /// How many ports are at its upper side.
    pub(crate) top: usize,
    /// How many at its lower side.
    pub(crate) bottom: usize,
    /// It stands as low as it can.
    pub(crate) grounded: bool,
    /// Its place among all boxes, in the order in which people read them.
    pub(crate) rank: usize,
}

/// A line between two boxes, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) lower: usize,
    pub(crate) upper: usize,
    pub(crate) ends: Ends,
}

/// Where a line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    /// At ports: their places at the upper side of the lower box, and at the lower side of the upper box.
    Ports { top: usize, bottom: usize },
    /// At no port. It moves no box, unless the upper one has nothing else to stand on.
    Loose,
}

/// What is to be laid out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) edges: Vec<Edge>,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

/// The way of a line, from the lower box to the upper one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Route {
    /// From point to point: a curve that begins and ends upright, then a straight line, and so on in turn.
    Up(Vec<Point>),
    /// A curve with two control points: to a box that does not stand above, or from side to side.
    Curve([Point; 4]),
}

/// A picture.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Layout {
    pub(crate) width: f64,
    pub(crate) height: f64,
    /// The upper left corner of each box.
    pub(crate) nodes: Vec<Point>,
    pub(crate) routes: Vec<Route>,
}

/// How far from its left side a box has the port at a place of a side with so many.
pub(crate) fn port_offset(width: f64, place: usize, count: usize) -> f64 {
    width * float(2 * place + 1) / float(2 * count.max(1))
}

/// Lays a graph out. The numbers of its lines must be those of boxes that are there.
pub(crate) fn lay_out(graph: &Graph, room: &Room) -> Layout {
    let mut parts: Vec<_> = parts(graph)
        .into_iter()
        .map(|part| part.lay_out(graph, room))
        .collect();
    if !room.ordered {
        // Those of the most rows first, so that the parts of a shelf are of about the same height; those of as many rows
        // in the order in which people read them.
        parts.sort_by_key(|(part, layout)| {
            let ranks = part.nodes.iter().map(|node| graph.nodes[*node].rank);
            let rows: BTreeSet<_> = layout.nodes.iter().map(|place| tenths(place.y)).collect();
            (Reverse(rows.len()), ranks.min())
        });
    }
    let part_gap = room.part_gap;
    let area = |layout: &Layout| (layout.width + part_gap) * (layout.height + part_gap);
    let areas: f64 = parts.iter().map(|(_, layout)| area(layout)).sum();
    let widest = parts.iter().map(|(_, layout)| layout.width);
    let usual = room.limit.unwrap_or((areas * ASPECT).sqrt());
    let limit = widest.fold(usual, f64::max);
    let mut whole = Layout {
        nodes: vec![Point::default(); graph.nodes.len()],
        routes: vec![Route::Up(Vec::new()); graph.edges.len()],
        ..Layout::default()
    };
    let mut shelves: Vec<Vec<_>> = Vec::new();
    let (mut x, mut y) = (0.0, 0.0);
    for (part, layout) in parts {
        if x > 0.0 && x + layout.width > limit + 0.5 {
            x = 0.0;
        }
        if x <= 0.0 {
            shelves.push(Vec::new());
        }
        x += layout.width + part_gap;
        if let Some(shelf) = shelves.last_mut() {
            shelf.push((part, layout));
        }
    }
    for shelf in shelves {
        // All parts of a shelf stand on the same floor.
        let heights = shelf.iter().map(|(_, layout)| layout.height);
        let height = heights.fold(0.0, f64::max);
        let mut x = 0.0;
        for (part, layout) in shelf {
            let by = Point {
                x,
                y: y + height - layout.height,
            };
            x += layout.width + part_gap;
            part.put(&layout, by, &mut whole);
        }
        whole.width = whole.width.max(x - part_gap);
        whole.height = y + height;
        y += height + part_gap;
    }
    for (edge, route) in graph.edges.iter().zip(&mut whole.routes) {
        if *route == Route::Up(Vec::new()) {
            *route = place::beside(graph, room, &whole.nodes, edge);
        }
    }
    whole.fit();
    whole
}

impl Layout {
    /// Makes room for what goes beyond the boxes.
    fn fit(&mut self) {
        let (mut low, mut high) = (
            Point::default(),
            Point {
                x: self.width,
                y: self.height,
            },
        );
        for route in &self.routes {
            for point in route.points() {
                low = Point {
                    x: low.x.min(point.x),
                    y: low.y.min(point.y),
                };
                high = Point {
                    x: high.x.max(point.x),
                    y: high.y.max(point.y),
                };
            }
        }
        let by = Point {
            x: -low.x,
            y: -low.y,
        };
        (self.width, self.height) = (high.x - low.x, high.y - low.y);
        let points = self.nodes.iter_mut();
        for point in points.chain(self.routes.iter_mut().flat_map(Route::points_mut)) {
            *point = point.moved(by);
        }
    }
}

impl Route {
    pub(crate) fn points(&self) -> &[Point] {
        match self {
            Route::Up(points) => points,
            Route::Curve(points) => points,
        }
    }

    fn points_mut(&mut self) -> &mut [Point] {
        match self {
            Route::Up(points) => points,
            Route::Curve(points) => points,
        }
    }
}

/// Boxes that hang together, and the lines between them that say where they stand.
struct Part {
    nodes: Vec<usize>,
    edges: Vec<usize>,
}

/// The parts of a graph, each with its boxes in their order.
fn parts(graph: &Graph) -> Vec<Part> {
    let count = graph.nodes.len();
    let mut leaders: Vec<usize> = (0..count).collect();
    for edge in &graph.edges {
        let (a, b) = (
            leader(&mut leaders, edge.lower),
            leader(&mut leaders, edge.upper),
        );
        leaders[a.max(b)] = a.min(b);
    }
    // Who stands on ports needs no loose line to stand on.
    let mut standing = vec![false; count];
    for edge in &graph.edges {
        if let Ends::Ports { .. } = edge.ends {
            standing[edge.upper] = true;
            standing[edge.lower] = true;
        }
    }
    let mut places = vec![None; count];
    let mut parts: Vec<Part> = Vec::new();
    for node in 0..count {
        let leader = leader(&mut leaders, node);
        let place = *places[leader].get_or_insert_with(|| {
            parts.push(Part {
                nodes: Vec::new(),
                edges: Vec::new(),
            });
            parts.len() - 1
        });
        parts[place].nodes.push(node);
    }
    for (number, edge) in graph.edges.iter().enumerate() {
        let moves = edge.ends != Ends::Loose || !standing[edge.upper];
        let place = places[leader(&mut leaders, edge.lower)];
        if let (true, true, Some(place)) = (moves, edge.lower != edge.upper, place) {
            parts[place].edges.push(number);
        }
    }
    parts
}

/// The first of those that hang together with a box.
fn leader(leaders: &mut [usize], mut node: usize) -> usize {
    while leaders[node] != node {
        leaders[node] = leaders[leaders[node]];
        node = leaders[node];
    }
    node
}

impl Part {
    fn lay_out(self, graph: &Graph, room: &Room) -> (Part, Layout) {
        let mut numbers = HashMap::new();
        for (number, node) in self.nodes.iter().enumerate() {
            numbers.insert(*node, number);
        }
        let edge = |number: &usize| Edge {
            lower: numbers[&graph.edges[*number].lower],
            upper: numbers[&graph.edges[*number].upper],
            ends: graph.edges[*number].ends,
        };
        let own = Graph {
            nodes: self.nodes.iter().map(|node| graph.nodes[*node]).collect(),
            edges: self.edges.iter().map(edge).collect(),
        };
        let layout = lay_part(&own, room);
        (self, layout)
    }

    /// Puts its layout into that of the whole.
    fn put(&self, layout: &Layout, by: Point, whole: &mut Layout) {
        for (node, point) in self.nodes.iter().zip(&layout.nodes) {
            whole.nodes[*node] = point.moved(by);
        }
        for (edge, route) in self.edges.iter().zip(&layout.routes) {
            whole.routes[*edge] = match route {
                Route::Up(points) => Route::Up(points.iter().map(|p| p.moved(by)).collect()),
                Route::Curve(points) => Route::Curve(points.map(|point| point.moved(by))),
            };
        }
    }
}

/// Lays out what hangs together.
fn lay_part(graph: &Graph, room: &Room) -> Layout {
    let (edges, back) = layer::acyclic(graph);
    let layers = layer::layers(graph, &edges);
    let rows = order::sort(graph, &edges, &layers);
    let ways = layer::folded(graph, room, &edges, &rows, &layers);
    // How large they really are depends on the lines, too, which go around what is below.
    let ways = ways.iter().map(|layers| {
        let rows = order::sort(graph, &edges, layers);
        place::place(graph, room, &edges, &rows)
    });
    let smallest = ways.min_by(|a, b| size(a.width, a.height).total_cmp(&size(b.width, b.height)));
    let mut layout = smallest.unwrap_or_else(|| place::place(graph, room, &edges, &rows));
    for number in back {
        layout.routes[number] = place::beside(graph, room, &layout.nodes, &graph.edges[number]);
    }
    layout
}

/// How large a picture is: the height of one that has the wanted shape and room for it.
fn size(width: f64, height: f64) -> f64 {
    (width / ASPECT).max(height)
}

impl Point {
    fn moved(self, by: Point) -> Point {
        Point {
            x: self.x + by.x,
            y: self.y + by.y,
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "there is not that much in a picture"
)]
fn float(number: usize) -> f64 {
    number as f64
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "pictures are not that large"
)]
fn tenths(length: f64) -> i64 {
    (length * 10.0) as i64
}

#[cfg(test)]
mod tests;
