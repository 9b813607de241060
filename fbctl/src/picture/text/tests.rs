// SPDX-License-Identifier: GPL-2.0

use super::*;
use crate::{
    picture::{
        model::{Readout, Subscription},
        svg::tests::{binding, block, device, fan, mixed, web},
    },
    show::tests::sample,
};
use lana_netlink::LinkState;

fn shown(graph: &Graph) -> String {
    text(graph, Figures::Drops)
}

#[test]
fn a_fork() {
    let expected = "\
┌───────────┐   ┌───────────┐
│  count0   │   │  count1   │
│ counter 4 │   │ counter 6 │
│     0     │   │     0     │
└──────┬────┘   └─────┬─────┘
       │              │
  ┌────┴────┐    ┌────┴────┐
  │ filter0 │    │ filter1 │
  │  bpf 3  │    │  bpf 5  │
  │    0    │    │    0    │
  └────┬────┘    └────┬────┘
       └────┐   ┌─────┘
          ┌0┴──1┴─┐
          │  tee  │
          │ tee 2 │
          │   0   │
          └───┬───┘
              │
       ╔══════╧══════╗
       ║    eth0     ║
       ║ eth 1 · up  ║
       ║      0      ║
       ╚═════════════╝
";
    let drawn = text(&fan(2), Figures::Totals);
    assert_eq!(drawn, expected, "\n{drawn}");
}

#[test]
fn what_fans_out_does_not_cross() {
    for count in 1..30 {
        assert!(!shown(&fan(count)).contains('┼'), "{count}");
    }
}

#[test]
fn drops_and_what_is_not_drawn() {
    let readout = Readout {
        fbs: sample(),
        ..Readout::default()
    };
    let drawn = shown(&readout.graph());
    assert!(
        drawn.contains("│ 3 dropped │") || drawn.contains("║ 3 dropped ║"),
        "\n{drawn}"
    );
    assert!(
        drawn.ends_with("\nfb3 gets the events of eth0\n"),
        "\n{drawn}"
    );
    assert_eq!(shown(&Graph::default()), "0 blocks · 0 bindings\n");
}

#[test]
fn the_namespace_and_the_time_stand_above() {
    let mut graph = fan(1);
    graph.netns = Some("red".into());
    graph.seconds = Some(2.0);
    let drawn = text(&graph, Figures::Rates);
    let first = drawn.lines().next();
    assert_eq!(
        first,
        Some("namespace red · 4 blocks · 3 bindings · rates over 2 s")
    );
}

/// A circle has no layers; a line of it is said.
#[test]
fn a_circle() {
    let mut graph = Graph {
        blocks: vec![block("a", "tee", 1, (1, 1)), block("b", "tee", 2, (1, 1))],
        ..Graph::default()
    };
    graph.bindings.insert(binding("a", 0, "b", 0));
    graph.bindings.insert(binding("b", 0, "a", 0));
    assert!(shown(&graph).ends_with("a is on b\n") || shown(&graph).ends_with("b is on a\n"));
}

/// Boxes are whole, and each end of a line at a box goes on as a line.
#[test]
fn large_ones() {
    let mut graphs: Vec<_> = (1..60)
        .flat_map(|count| [mixed(count), web(count)])
        .collect();
    graphs.extend((1..60).map(fan));
    for graph in graphs {
        let drawn = shown(&graph);
        for block in &graph.blocks {
            assert!(
                drawn.contains(&format!("{} ", block.name)),
                "{}\n{drawn}",
                block.name
            );
        }
        let rows: Vec<Vec<char>> = drawn.lines().map(|line| line.chars().collect()).collect();
        let at = |row: usize, column: usize| rows.get(row).and_then(|row| row.get(column).copied());
        for (number, row) in rows.iter().enumerate() {
            for (column, character) in row.iter().enumerate() {
                let ends = match character {
                    '╧' => at(number - 1, column),
                    '╤' => at(number + 1, column),
                    _ => continue,
                };
                let goes_on = ends.is_some_and(|next| "│┼┐┌└┘├┤┬┴".contains(next));
                assert!(goes_on, "row {number}, column {column}\n{drawn}");
            }
        }
        assert_eq!(drawn, shown(&graph));
    }
}

#[test]
fn devices_side_by_side() {
    let mut graph = Graph {
        blocks: vec![
            device("eth0", 1, LinkState::Up),
            device("eth1", 2, LinkState::Down),
            block("m", "counter", 3, (1, 1)),
        ],
        ..Graph::default()
    };
    graph.subscriptions.insert(Subscription {
        subscriber: "m".into(),
        publisher: "eth1".into(),
    });
    graph.bindings.insert(binding("m", 0, "eth0", 0));
    let drawn = shown(&graph);
    assert!(drawn.contains("eth 2 · down"), "\n{drawn}");
    assert!(
        drawn.ends_with("\nm gets the events of eth1\n"),
        "\n{drawn}"
    );
}
