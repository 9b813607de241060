// SPDX-License-Identifier: GPL-2.0

//! Which layer each box is in, from 0 at the bottom.

use super::{order::Rows, Ends, Graph, Room, LANE};

/// A layer with its gap, about.
const STEP: f64 = 100.0;
/// No layer that has fewer boxes is folded.
const FEW: usize = 6;
/// Into at most so many.
const FOLDS: usize = 12;

/// The lines in an order without circles, and those that would close one.
pub(super) fn acyclic(graph: &Graph) -> (Vec<usize>, Vec<usize>) {
    let count = graph.nodes.len();
    let (mut ups, mut lowers) = (vec![Vec::new(); count], vec![0; count]);
    for (number, edge) in graph.edges.iter().enumerate() {
        ups[edge.lower].push(number);
        lowers[edge.upper] += 1;
    }
    let roots = (0..count).filter(|node| lowers[*node] == 0);
    let grounded = (0..count).filter(|node| graph.nodes[*node].grounded);
    let starts: Vec<_> = roots.chain(grounded).chain(0..count).collect();
    let (mut seen, mut open) = (vec![false; count], vec![false; count]);
    let mut back = vec![false; graph.edges.len()];
    for start in starts {
        if seen[start] {
            continue;
        }
        (seen[start], open[start]) = (true, true);
        let mut stack = vec![(start, 0)];
        while let Some((node, next)) = stack.last_mut() {
            let Some(number) = ups[*node].get(*next).copied() else {
                open[*node] = false;
                stack.pop();
                continue;
            };
            *next += 1;
            let upper = graph.edges[number].upper;
            back[number] = open[upper];
            if !seen[upper] {
                (seen[upper], open[upper]) = (true, true);
                stack.push((upper, 0));
            }
        }
    }
    (0..graph.edges.len()).partition(|number| !back[*number])
}

/// The layer of each box: above all that it stands on, and not higher than that asks for, except that what
/// stands on nothing is just below what stands on it.
pub(super) fn layers(graph: &Graph, edges: &[usize]) -> Vec<usize> {
    let count = graph.nodes.len();
    let (mut layers, mut waits) = (vec![0; count], vec![0; count]);
    let mut ups = vec![Vec::new(); count];
    for edge in edges.iter().map(|number| &graph.edges[*number]) {
        ups[edge.lower].push(edge.upper);
        waits[edge.upper] += 1;
    }
    let lowest: Vec<_> = (0..count).filter(|node| waits[*node] == 0).collect();
    let mut ready = lowest.clone();
    while let Some(node) = ready.pop() {
        for upper in &ups[node] {
            layers[*upper] = layers[*upper].max(layers[node] + 1);
            waits[*upper] -= 1;
            if waits[*upper] == 0 {
                ready.push(*upper);
            }
        }
    }
    for node in lowest {
        let above = ups[node].iter().map(|upper| layers[*upper]).min();
        if let (false, Some(above)) = (graph.nodes[node].grounded, above) {
            layers[node] = above - 1;
        }
    }
    layers
}

/// Folds neighbouring layers that are far too wide: what hangs together within them goes by turns to one of
/// several stacks. The layers of each way that seems to need less room.
pub(super) fn folded(
    graph: &Graph,
    room: &Room,
    edges: &[usize],
    rows: &Rows,
    layers: &[usize],
) -> Vec<Vec<usize>> {
    let widths = widths(graph, room.gap, edges, layers);
    if widths.iter().copied().fold(0.0, f64::max) <= room.wide {
        return Vec::new();
    }
    let mut counts = vec![0; widths.len()];
    for layer in layers {
        counts[*layer] += 1;
    }
    let wide = widths
        .iter()
        .zip(counts)
        .map(|(width, count)| *width > room.wide && count >= FEW);
    let wide: Vec<_> = wide.collect();
    // Neighbouring layers together, which keeps together what belongs together; or each on its own.
    let ways = [
        strands(graph, edges, rows, layers, bands(&wide, usize::MAX)),
        strands(graph, edges, rows, layers, bands(&wide, 1)),
    ];
    let score = |layers: &[usize]| {
        let widths = self::widths(graph, room.gap, edges, layers);
        let height = STEP * super::float(widths.len());
        super::size(widths.into_iter().fold(0.0, f64::max), height)
    };
    let unfolded = score(layers);
    let best = |strands: Strands| {
        let count = strands.bands.len();
        let (mut best, mut lowest) = (vec![1; count], unfolded);
        for folds in 2..=FOLDS {
            let folds = vec![folds; count];
            let score = score(&strands.fold(layers, &folds));
            if score < lowest * 0.98 {
                (best, lowest) = (folds, score);
            }
        }
        // Not all bands need as many.
        for band in 0..count {
            let fewer = (1..best[band]).find_map(|folds| {
                let mut fewer = best.clone();
                fewer[band] = folds;
                (score(&strands.fold(layers, &fewer)) <= lowest).then_some(fewer)
            });
            best = fewer.unwrap_or(best);
        }
        (lowest < unfolded).then(|| strands.fold(layers, &best))
    };
    ways.into_iter().filter_map(best).collect()
}

/// How wide each layer is, lines that pass included.
fn widths(graph: &Graph, gap: f64, edges: &[usize], layers: &[usize]) -> Vec<f64> {
    let count = layers.iter().max().map_or(0, |top| top + 1);
    let mut widths = vec![0.0; count];
    for (node, layer) in graph.nodes.iter().zip(layers) {
        widths[*layer] += node.width + gap;
    }
    // How many more lines pass a layer than the one below.
    let mut more = vec![0_i64; count + 1];
    for edge in edges.iter().map(|number| &graph.edges[*number]) {
        let (lower, upper) = (layers[edge.lower], layers[edge.upper]);
        if upper > lower + 1 {
            more[lower + 1] += 1;
            more[upper] -= 1;
        }
    }
    let mut passing = 0;
    for (width, more) in widths.iter_mut().zip(more) {
        passing += more;
        *width += super::float(usize::try_from(passing).unwrap_or(0)) * LANE;
    }
    widths
}

/// Of a layer the band that it belongs to: its first layer and how many it has.
type Band = Option<(usize, usize)>;

/// Neighbouring layers that are too wide, and what hangs together within them.
struct Strands {
    bands: Vec<Band>,
    /// Of each box the number of its strand, from left to right.
    numbers: Vec<usize>,
}

/// Makes bands of at most so many layers.
fn bands(wide: &[bool], most: usize) -> Vec<Band> {
    let mut bands = vec![None; wide.len()];
    let mut first = 0;
    while first < wide.len() {
        let count = wide[first..]
            .iter()
            .take_while(|wide| **wide)
            .take(most)
            .count();
        bands[first..first + count].fill(Some((first, count)));
        first += count.max(1);
    }
    bands
}

fn strands(
    graph: &Graph,
    edges: &[usize],
    rows: &Rows,
    layers: &[usize],
    bands: Vec<Band>,
) -> Strands {
    let mut leaders: Vec<usize> = (0..graph.nodes.len()).collect();
    for edge in edges.iter().map(|number| &graph.edges[*number]) {
        let (a, b) = (bands[layers[edge.lower]], bands[layers[edge.upper]]);
        if a.is_some() && a == b && edge.ends != Ends::Loose {
            let a = super::leader(&mut leaders, edge.lower);
            let b = super::leader(&mut leaders, edge.upper);
            leaders[a.max(b)] = a.min(b);
        }
    }
    let mut numbers = vec![0; graph.nodes.len()];
    let mut named = vec![None; graph.nodes.len()];
    let mut next = vec![0; bands.len()];
    for row in &rows.layers {
        for node in row.iter().filter_map(|vertex| rows.vertices[*vertex].node) {
            let Some((first, _)) = bands[layers[node]] else {
                continue;
            };
            let number = named[super::leader(&mut leaders, node)].get_or_insert_with(|| {
                next[first] += 1;
                next[first] - 1
            });
            numbers[node] = *number;
        }
    }
    Strands { bands, numbers }
}

impl Strands {
    /// The layers where each band has become so many, by its first layer.
    fn fold(&self, layers: &[usize], folds: &[usize]) -> Vec<usize> {
        // By how much each layer is lifted by the bands below.
        let (mut lifts, mut lift) = (Vec::with_capacity(self.bands.len()), 0);
        for (layer, band) in self.bands.iter().enumerate() {
            lifts.push(lift);
            if let Some((first, count)) = band {
                if layer + 1 == first + count {
                    lift += (folds[*first] - 1) * count;
                }
            }
        }
        let folded = layers.iter().zip(&self.numbers).map(|(layer, number)| {
            let shift =
                self.bands[*layer].map_or(0, |(first, count)| number % folds[first] * count);
            layer + lifts[*layer] + shift
        });
        folded.collect()
    }
}
