// SPDX-License-Identifier: GPL-2.0

//! A graph as boxes with texts and lines with numbers: what is drawn, whether by an SVG file or by the page of
//! `fbctl web`; and what of it is the same in text.

use super::{
    layout::{self, lay_out, Edge, Ends, Graph as Boxes, Node, Point, Route},
    model::{state_text, Block, Graph, Ports, Role},
};
use lana_cli::{clean, natural};
use serde::Serialize;
use std::{collections::HashMap, fmt::Write};

/// How wide a character is in the sizes of `picture.css`, whose fonts have one width.
const NAME_WIDTH: f64 = 7.9;
const DETAIL_WIDTH: f64 = 6.7;
const PORT_WIDTH: f64 = 5.6;
/// Left and right of a text.
const MARGIN: f64 = 12.0;
/// How far a line goes upright before it bends.
const STUB: f64 = 12.0;
const NARROWEST: f64 = 84.0;
/// Where drops are shown: so long is what is said of them.
const WITH_DROPS: f64 = 126.0;
/// The name and the type.
const HEIGHT: f64 = 42.0;
/// What each line of counters adds.
const FIGURES: f64 = 15.0;

/// Which counters there is room for in the boxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) packets: bool,
    pub(crate) drops: bool,
}

impl Room {
    pub(crate) const ALL: Room = Room {
        packets: true,
        drops: true,
    };

    fn height(self) -> f64 {
        HEIGHT + FIGURES * (f64::from(u8::from(self.packets)) + f64::from(u8::from(self.drops)))
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Scene {
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) boxes: Vec<Box>,
    pub(crate) lines: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Box {
    pub(crate) name: String,
    pub(crate) idp: u32,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The classes of `picture.css`.
    pub(crate) class: String,
    /// Below the name: the type, the IDP, and what else there is to say.
    pub(crate) detail: String,
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
    /// Which of the colours of types.
    pub(crate) hue: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Line {
    /// The numbers of its boxes.
    pub(crate) lower: usize,
    pub(crate) upper: usize,
    /// A subscription; else a binding.
    pub(crate) loose: bool,
    /// As in SVG.
    pub(crate) path: String,
    /// The numbers of ports, where a block has more than one, and where to write them.
    pub(crate) ports: Vec<PortLabel>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct PortLabel {
    pub(crate) number: u32,
    pub(crate) x: f64,
    pub(crate) y: f64,
}

impl Scene {
    /// Lays out a graph, with room for counters in each box: for so many characters, where that is known.
    pub(crate) fn new(graph: &Graph, room: Room, counters: &[usize]) -> Self {
        let height = room.height();
        let details: Vec<_> = graph.blocks.iter().map(detail).collect();
        let counters = counters.iter().copied().chain(std::iter::repeat(0));
        let sizes = graph.blocks.iter().zip(&details).zip(counters);
        let sizes = sizes.map(|((block, detail), counters)| {
            let counters = count(counters) * DETAIL_WIDTH + 2.0 * MARGIN;
            (width(block, detail, room).max(counters.ceil()), height)
        });
        let (boxes, numbers) = boxes(graph, sizes);
        let layout = lay_out(&boxes, &layout::Room::default());
        let lines = boxes.edges.iter().zip(&layout.routes).zip(numbers);
        let lines = lines.map(|((edge, route), numbers)| Line::new(edge, route, numbers));
        let found = graph
            .blocks
            .iter()
            .zip(details)
            .zip(boxes.nodes.iter().zip(&layout.nodes));
        let found = found.map(|((block, detail), (node, at))| Box {
            name: block.name.clone(),
            idp: block.idp,
            kind: block.kind.clone(),
            class: class(block),
            detail,
            x: tenth(at.x),
            y: tenth(at.y),
            width: tenth(node.width),
            height,
            hue: hue(&block.kind),
        });
        Scene {
            width: tenth(layout.width),
            height: tenth(layout.height),
            boxes: found.collect(),
            lines: lines.collect(),
        }
    }
}

/// The ports that a line ends at, of blocks that have several: ingress of the lower one, egress of the upper one.
pub(super) type Numbers = (Option<u32>, Option<u32>);

/// What is to be laid out: a box for each block, of these widths and heights, and a line for each binding and each
/// subscription, with the ports that it is at.
pub(super) fn boxes(
    graph: &Graph,
    sizes: impl Iterator<Item = (f64, f64)>,
) -> (Boxes, Vec<Numbers>) {
    let node = |((block, (width, height)), rank): ((&Block, _), _)| Node {
        width,
        height,
        top: block.ports.ingress.len(),
        bottom: block.ports.egress.len(),
        grounded: matches!(block.role, Role::Device(_)),
        rank,
    };
    let nodes = graph.blocks.iter().zip(sizes).zip(ranks(graph));
    let mut boxes = Boxes {
        nodes: nodes.map(node).collect(),
        edges: Vec::new(),
    };
    let mut numbers = Vec::new();
    let places = graph.blocks.iter().enumerate();
    let places: HashMap<_, _> = places
        .map(|(number, block)| (block.name.as_str(), number))
        .collect();
    for binding in &graph.bindings {
        let (Some(lower), Some(upper)) = (
            places.get(binding.lower.as_str()),
            places.get(binding.upper.as_str()),
        ) else {
            continue;
        };
        let ports = |number: &usize| graph.blocks.get(*number).map(|block| &block.ports);
        let top = ports(lower).map(|ports| slot(&ports.ingress, binding.ingress));
        let bottom = ports(upper).map(|ports| slot(&ports.egress, binding.egress));
        boxes.edges.push(Edge {
            lower: *lower,
            upper: *upper,
            ends: Ends::Ports {
                top: top.unwrap_or(0),
                bottom: bottom.unwrap_or(0),
            },
        });
        let several = |ports: Option<&Vec<u32>>| ports.is_some_and(|ports| ports.len() > 1);
        numbers.push((
            binding
                .ingress
                .filter(|_| several(ports(lower).map(|ports| &ports.ingress))),
            binding
                .egress
                .filter(|_| several(ports(upper).map(|ports| &ports.egress))),
        ));
    }
    for subscription in &graph.subscriptions {
        let lower = places.get(subscription.publisher.as_str());
        let upper = places.get(subscription.subscriber.as_str());
        if let Some((lower, upper)) = lower.zip(upper) {
            boxes.edges.push(Edge {
                lower: *lower,
                upper: *upper,
                ends: Ends::Loose,
            });
            numbers.push((None, None));
        }
    }
    (boxes, numbers)
}

/// The place of each block among all: devices first, then by name, 2 before 10.
fn ranks(graph: &Graph) -> Vec<usize> {
    let mut order: Vec<_> = graph.blocks.iter().enumerate().collect();
    order.sort_by(|(_, a), (_, b)| {
        let is_other = |block: &Block| !matches!(block.role, Role::Device(_));
        let devices = is_other(a).cmp(&is_other(b));
        devices.then_with(|| natural(&a.name, &b.name))
    });
    let mut ranks = vec![0; graph.blocks.len()];
    for (rank, (block, _)) in order.into_iter().enumerate() {
        if let Some(place) = ranks.get_mut(block) {
            *place = rank;
        }
    }
    ranks
}

/// The place of a port among those of its side.
fn slot(ports: &[u32], number: Option<u32>) -> usize {
    let place = number.and_then(|number| ports.binary_search(&number).ok());
    place.unwrap_or(0)
}

impl Line {
    fn new(edge: &Edge, route: &Route, (ingress, egress): Numbers) -> Self {
        let points = route.points();
        let label = |number: u32, at: Option<&Point>, down: f64| {
            at.map(|at| PortLabel {
                number,
                x: tenth(at.x + 3.0),
                y: tenth(at.y + down),
            })
        };
        let ingress = ingress.and_then(|number| label(number, points.first(), -4.0));
        let egress = egress.and_then(|number| label(number, points.last(), 10.0));
        Line {
            lower: edge.lower,
            upper: edge.upper,
            loose: edge.ends == Ends::Loose,
            path: path(route),
            ports: ingress.into_iter().chain(egress).collect(),
        }
    }
}

/// A way as the commands of SVG.
fn path(route: &Route) -> String {
    let mut out = String::new();
    let mut points = route.points().iter();
    let Some(mut last) = points.next() else {
        return out;
    };
    // Writing to a string does not fail.
    let _ = write!(out, "M{},{}", tenth(last.x), tenth(last.y));
    if let Route::Curve(_) = route {
        for (point, command) in points.zip(["C", " ", " "]) {
            let _ = write!(out, "{command}{},{}", tenth(point.x), tenth(point.y));
        }
        return out;
    }
    let mut curve = true;
    for point in points {
        let (x, y) = (tenth(point.x), tenth(point.y));
        if curve && (point.x - last.x).abs() >= 0.5 {
            // Upright for a bit at both ends: the numbers of the ports are there.
            let (begin, end) = (tenth(last.y - STUB), tenth(point.y + STUB));
            let middle = tenth(f64::midpoint(last.y, point.y));
            let from = tenth(last.x);
            let _ = write!(out, "V{begin}C{from},{middle} {x},{middle} {x},{end}V{y}");
        } else {
            let _ = write!(out, "L{x},{y}");
        }
        (last, curve) = (point, !curve);
    }
    out
}

/// What is said below the name of a block.
pub(super) fn detail(block: &Block) -> String {
    let mut parts = vec![format!("{} #{}", block.kind, block.idp)];
    if let Role::Device(device) = &block.role {
        if device.ifname != block.name {
            parts.push(device.ifname.clone());
        }
        match (&device.carrier, device.id) {
            (Some(carrier), Some(id)) => parts.push(format!("{id} on {carrier}")),
            (Some(carrier), None) => parts.push(format!("on {carrier}")),
            _ => {}
        }
        if device.xdp {
            parts.push("xdp".to_owned());
        }
        parts.extend(device.state.map(|state| state_text(state).to_owned()));
    }
    clean(&parts.join(" · "))
}

fn class(block: &Block) -> String {
    match &block.role {
        Role::None {} => "block".to_owned(),
        Role::Socket(_) => "socket".to_owned(),
        Role::Device(device) => {
            let kind = if device.carrier.is_some() {
                "virtual device"
            } else {
                "device"
            };
            format!("{kind} {}", device.state.map_or("unknown", state_text))
        }
    }
}

fn width(block: &Block, detail: &str, room: Room) -> f64 {
    let narrowest = if room.drops { WITH_DROPS } else { NARROWEST };
    let Ports { ingress, egress } = &block.ports;
    let text = (length(&block.name) * NAME_WIDTH).max(length(detail) * DETAIL_WIDTH) + 2.0 * MARGIN;
    let ports = [ingress, egress].map(|ports| side(ports));
    ports.into_iter().fold(text.max(narrowest), f64::max).ceil()
}

/// How much room ports and their numbers need.
fn side(ports: &[u32]) -> f64 {
    let digits = ports.last().map_or(1, |highest| highest.to_string().len());
    count(ports.len()) * (count(digits) * PORT_WIDTH + 7.0)
}

fn length(text: &str) -> f64 {
    count(text.chars().count())
}

#[expect(clippy::cast_precision_loss, reason = "there are not that many")]
fn count(number: usize) -> f64 {
    number as f64
}

/// How many colours `picture.css` has.
const HUES: usize = 16;

/// A colour for each type: those that LANA comes with have their own.
pub(super) fn hue(kind: &str) -> usize {
    const KNOWN: [&str; 12] = [
        "tee",
        "bpf",
        "counter",
        "icmp-echo",
        "multipath",
        "delay",
        "dummy",
        "shape",
        "classify",
        "switch",
        "rewrite",
        "checksum",
    ];
    let known = KNOWN.iter().position(|known| *known == kind);
    let mix = |sum: usize, byte: u8| sum.wrapping_mul(31).wrapping_add(byte.into());
    known.unwrap_or_else(|| KNOWN.len() + kind.bytes().fold(0, mix) % (HUES - KNOWN.len()))
}

/// Rounded to a tenth.
pub(crate) fn tenth(length: f64) -> f64 {
    let rounded = (length * 10.0).round() / 10.0;
    // Not -0.
    rounded + 0.0
}
