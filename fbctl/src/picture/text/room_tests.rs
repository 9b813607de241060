// SPDX-License-Identifier: GPL-2.0

//! What is said of blocks where there is little room, and in which order they stand.

use super::*;
use crate::picture::{
    model::{DropRate, Rate},
    svg::tests::{binding, block, device, fan},
};
use lana_netlink::{
    spec::{DropReason, StatsAttrs},
    wire::Value,
    LinkState,
};

fn look(figures: Figures, width: usize) -> Look {
    Look {
        figures,
        width: Some(width),
        colour: false,
    }
}

/// A block that drops for three reasons, with rates that have decimals.
fn losing(name: &str, idp: u32) -> Block {
    let drop = |reason, packets| DropRate {
        reason: Value::Known(reason),
        packets,
    };
    Block {
        rate: Some(Rate {
            packets: 89.7,
            bytes: 7000.0,
            drop: vec![
                drop(DropReason::QueueFull, 77.8),
                drop(DropReason::Filtered, 8.9),
                drop(DropReason::Unbound, 2.4),
            ],
        }),
        ..block(name, "shape", idp, (1, 1))
    }
}

/// A part of a number is another number: `7…` is not 77.8.
#[test]
fn figures_are_shown_whole_or_not_at_all() {
    let mut graph = fan(9);
    for name in ["wan-delay-link-1", "wan-delay-link-2"] {
        let idp = u32::try_from(graph.blocks.len()).unwrap() + 1;
        graph.blocks.push(losing(name, idp));
        graph
            .blocks
            .push(losing(&format!("{name}-alone"), idp + 50));
    }
    let upper = &graph.blocks[2].name.clone();
    graph
        .bindings
        .insert(binding("wan-delay-link-1", 0, upper, 0));
    let look = |width| look(Figures::Rates, width);
    let known = ["89.7", "77.8", "8.9", "2.4", "89.1"];
    for width in (10..140).step_by(7) {
        for drawn in [text(&graph, &look(width)), tree(&graph, &look(width))] {
            for line in drawn.lines().skip(1) {
                assert!(line.chars().count() <= width, "{width}\n{drawn}");
                let words = line.split([' ', ',', '/', '│']);
                let is_figure = |word: &&str| {
                    word.starts_with(|c: char| c.is_ascii_digit()) && word.contains(['.', '…'])
                };
                for figure in words.filter(is_figure) {
                    assert!(known.contains(&figure), "{width}: {figure}\n{drawn}");
                }
            }
        }
    }
    // On a terminal of 60 columns all of it is there.
    let drawn = tree(&graph, &look(60));
    let line = drawn
        .lines()
        .find(|line| line.contains("wan-delay-link-1 "));
    let line = line.unwrap_or_default();
    assert!(line.contains("89.7/s, 89.1/s dropped"), "\n{drawn}");
}

#[test]
fn a_long_name_loses_its_middle() {
    assert_eq!(style::in_short("wan-delay-link-1", 9), "wan-…nk-1");
    assert_eq!(style::in_short("wan-delay-link-2", 9), "wan-…nk-2");
    assert_eq!(style::in_short("lan0", 4), "lan0");
    assert_eq!(style::in_short("lan0", 0), "");
}

/// Parts with packets come first, idle devices behind them.
#[test]
fn what_has_packets_stands_above() {
    let mut graph = Graph::default();
    for (idp, name) in [(1, "d1"), (2, "d10"), (3, "d2"), (4, "eth0")] {
        let (top, packets) = (format!("c{idp}"), u64::from(name == "eth0"));
        let stats = StatsAttrs {
            packets: Some(packets),
            ..Default::default()
        };
        graph.blocks.push(Block {
            stats: Some(stats),
            ..device(name, idp, LinkState::Up)
        });
        graph.blocks.push(block(&top, "counter", idp + 10, (0, 1)));
        graph.bindings.insert(binding(&top, 0, name, 0));
    }
    let drawn = tree(&graph, &look(Figures::Drops, 80));
    let devices = drawn.lines().filter(|line| line.contains("eth #"));
    let devices: Vec<_> = devices
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(devices, ["eth0", "d1", "d2", "d10"]);
}
