// SPDX-License-Identifier: GPL-2.0

use super::*;

fn node(top: usize, bottom: usize) -> Node {
    Node {
        width: 80.0,
        height: 40.0,
        top,
        bottom,
        grounded: bottom == 0,
        rank: 0,
    }
}

fn port(lower: usize, top: usize, upper: usize, bottom: usize) -> Edge {
    Edge {
        lower,
        upper,
        ends: Ends::Ports { top, bottom },
    }
}

/// Numbers without a pattern.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

/// Each block is on top of some of those before it, on ports as they come.
fn any(seed: u64, count: usize) -> Graph {
    let mut random = Random(seed);
    let mut graph = Graph::default();
    for number in 0..count {
        let mut node = node(0, 0);
        node.width = 50.0 + super::float(random.below(150));
        node.grounded = number < 3 || random.below(6) == 0;
        graph.nodes.push(node);
        let lowers = if node.grounded {
            0
        } else {
            1 + random.below(2)
        };
        for _ in 0..lowers {
            let lower = random.below(number);
            // Some go the other way round: there may be circles.
            let (lower, upper) = if random.below(20) == 0 {
                (number, lower)
            } else {
                (lower, number)
            };
            let (top, bottom) = (graph.nodes[lower].top, graph.nodes[upper].bottom);
            graph.nodes[lower].top += 1;
            graph.nodes[upper].bottom += 1;
            graph.edges.push(port(lower, top, upper, bottom));
        }
        if number > 0 && random.below(8) == 0 {
            graph.edges.push(Edge {
                lower: random.below(number),
                upper: number,
                ends: Ends::Loose,
            });
        }
    }
    graph
}

/// No box touches another one, and all is within the picture.
fn sound(graph: &Graph, layout: &Layout) {
    assert_eq!(layout.nodes.len(), graph.nodes.len());
    assert_eq!(layout.routes.len(), graph.edges.len());
    let boxes: Vec<_> = layout.nodes.iter().zip(&graph.nodes).collect();
    for (number, (at, node)) in boxes.iter().enumerate() {
        assert!(at.x >= -0.01 && at.y >= -0.01);
        assert!(at.x + node.width <= layout.width + 0.01);
        assert!(at.y + node.height <= layout.height + 0.01);
        for (other, size) in &boxes[number + 1..] {
            let apart = at.x + node.width + 8.0 <= other.x
                || other.x + size.width + 8.0 <= at.x
                || at.y + node.height + 8.0 <= other.y
                || other.y + size.height + 8.0 <= at.y;
            assert!(apart, "{number}: {at:?} {other:?}");
        }
    }
    for (edge, route) in graph.edges.iter().zip(&layout.routes) {
        let points = route.points();
        let (first, last) = (points[0], points[points.len() - 1]);
        if let Ends::Ports { top, bottom } = edge.ends {
            let (lower, upper) = (graph.nodes[edge.lower], graph.nodes[edge.upper]);
            let x = layout.nodes[edge.lower].x + port_offset(lower.width, top, lower.top);
            assert!((first.x - x).abs() < 0.01, "{edge:?}");
            let x = layout.nodes[edge.upper].x + port_offset(upper.width, bottom, upper.bottom);
            assert!((last.x - x).abs() < 0.01, "{edge:?}");
            assert!((first.y - layout.nodes[edge.lower].y).abs() < 0.01);
            assert!((last.y - layout.nodes[edge.upper].y - upper.height).abs() < 0.01);
        }
        // Where a line passes a layer, it passes no box.
        if let Route::Up(points) = route {
            for pass in points[1..points.len() - 1].chunks(2) {
                let [from, to] = pass else {
                    panic!("{points:?}")
                };
                assert!((from.x - to.x).abs() < 0.01 && from.y >= to.y);
                for (at, node) in &boxes {
                    let beside = from.x <= at.x || from.x >= at.x + node.width;
                    let over = from.y <= at.y || to.y >= at.y + node.height;
                    assert!(beside || over, "{from:?} {to:?} {at:?}");
                }
            }
        }
    }
}

#[test]
fn nothing_is_nothing() {
    assert_eq!(
        lay_out(&Graph::default(), &Room::default()),
        Layout::default()
    );
}

#[test]
fn boxes_stand_on_each_other_in_the_order_of_the_ports() {
    // A device, a tee on it, and three on that, bound in the other order.
    let nodes = vec![node(1, 0), node(3, 1), node(0, 1), node(0, 1), node(0, 1)];
    let edges = vec![
        port(0, 0, 1, 0),
        port(1, 2, 2, 0),
        port(1, 1, 3, 0),
        port(1, 0, 4, 0),
    ];
    let graph = Graph { nodes, edges };
    let layout = lay_out(&graph, &Room::default());
    sound(&graph, &layout);
    let at = &layout.nodes;
    assert!(at[0].y > at[1].y && at[1].y > at[2].y);
    assert!(at[4].x < at[3].x && at[3].x < at[2].x);
    // What is in the middle is above what it stands on.
    assert!((at[3].x - at[1].x).abs() < 1.0 && (at[1].x - at[0].x).abs() < 1.0);
}

#[test]
fn parts_stand_side_by_side() {
    let mut graph = Graph::default();
    for number in 0..100 {
        graph.nodes.extend([node(1, 0), node(0, 1)]);
        graph.edges.push(port(2 * number, 0, 2 * number + 1, 0));
    }
    let layout = lay_out(&graph, &Room::default());
    sound(&graph, &layout);
    assert!(layout.width < 2.5 * layout.height && layout.height < layout.width);
}

#[test]
fn wide_layers_are_folded() {
    // A tee with a hundred filters, each with a counter.
    let mut graph = Graph {
        nodes: vec![node(1, 0), node(100, 1)],
        edges: vec![port(0, 0, 1, 0)],
    };
    graph.nodes[1].width = 1600.0;
    for number in 0..100 {
        let filter = graph.nodes.len();
        graph.nodes.extend([node(1, 1), node(0, 1)]);
        graph.edges.push(port(1, number, filter, 0));
        graph.edges.push(port(filter, 0, filter + 1, 0));
    }
    let layout = lay_out(&graph, &Room::default());
    sound(&graph, &layout);
    assert!(layout.width < 3000.0, "{}", layout.width);
    assert!(layout.height < 3000.0, "{}", layout.height);
}

#[test]
fn the_way_of_folding_that_needs_less_room_is_taken() {
    // A tee with a dozen tees, each with many counters.
    let mut graph = Graph {
        nodes: vec![node(1, 0), node(12, 1)],
        edges: vec![port(0, 0, 1, 0)],
    };
    for number in 0..12 {
        let tee = graph.nodes.len();
        graph.nodes.push(node(23, 1));
        graph.edges.push(port(1, number, tee, 0));
        for counter in 0..23 {
            graph.nodes.push(node(0, 1));
            graph.edges.push(port(tee, counter, tee + 1 + counter, 0));
        }
    }
    let layout = lay_out(&graph, &Room::default());
    sound(&graph, &layout);
    assert!(layout.width < 6000.0, "{}", layout.width);
    assert!(layout.height < 3000.0, "{}", layout.height);
}

#[test]
fn circles_do_no_harm() {
    let nodes = vec![node(1, 1), node(1, 1), node(1, 1)];
    let edges = vec![port(0, 0, 1, 0), port(1, 0, 0, 0), port(2, 0, 2, 0)];
    let graph = Graph { nodes, edges };
    sound(&graph, &lay_out(&graph, &Room::default()));
}

#[test]
fn any_graph_has_a_sound_picture_and_always_the_same() {
    for seed in 0..20 {
        let graph = any(seed, 4 + usize::try_from(seed).unwrap() * 3);
        let layout = lay_out(&graph, &Room::default());
        sound(&graph, &layout);
        assert_eq!(layout, lay_out(&graph, &Room::default()));
    }
    let large = any(7, 400);
    sound(&large, &lay_out(&large, &Room::default()));
}
