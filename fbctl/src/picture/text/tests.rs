// SPDX-License-Identifier: GPL-2.0

use super::*;
use crate::{
    picture::{
        model::{Readout, Subscription},
        svg::tests::{binding, block, device, fan, mixed, web},
    },
    show::tests::sample,
};
use lana_netlink::{
    spec::{DropAttrs, DropReason, StatsAttrs},
    wire::Value,
    LinkState,
};

fn wide(graph: &Graph, figures: Figures) -> String {
    let look = Look {
        figures,
        width: None,
        colour: false,
    };
    text(graph, &look)
}

fn shown(graph: &Graph) -> String {
    wide(graph, Figures::Drops)
}

#[test]
fn a_fork() {
    let expected = "\
┌─────────────┐   ┌─────────────┐
│   count0    │   │   count1    │
│ counter #4  │   │ counter #6  │
│  0 packets  │   │  0 packets  │
└───────┬─────┘   └──────┬──────┘
        │                │
  ┌─────┴─────┐    ┌─────┴─────┐
  │  filter0  │    │  filter1  │
  │  bpf #3   │    │  bpf #5   │
  │ 0 packets │    │ 0 packets │
  └─────┬─────┘    └─────┬─────┘
        └────┐     ┌─────┘
          ┌─0┴────1┴──┐
          │    tee    │
          │  tee #2   │
          │ 0 packets │
          └─────┬─────┘
                │
         ╔══════╧══════╗
         ║    eth0     ║
         ║ eth #1 · up ║
         ║  0 packets  ║
         ╚═════════════╝
";
    let drawn = wide(&fan(2), Figures::Totals);
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
        drawn.contains(" 2 too-big ") && drawn.contains(" 1 device "),
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
    let drawn = wide(&graph, Figures::Rates);
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

/// Numbers of ports leave the corners, and all lines have theirs.
#[test]
fn corners_stay() {
    let corner = |c: char| "┌┐└┘╔╗╚╝".contains(c);
    for count in 1..20 {
        let graph = fan(count);
        let drawn = shown(&graph);
        let of_boxes = drawn
            .lines()
            .filter(|line| line.contains(['0', '═']))
            .flat_map(str::chars);
        let tee = drawn.lines().find(|line| line.contains("0┴"));
        if let Some(tee) = tee {
            assert!(
                tee.trim_start().starts_with('┌') && tee.ends_with('┐'),
                "\n{drawn}"
            );
            for number in 0..count {
                assert!(tee.contains(&format!("{number}┴")), "\n{drawn}");
            }
        }
        assert!(of_boxes.filter(|c| corner(*c)).count() >= 4, "\n{drawn}");
    }
}

/// No line ends in the middle of nowhere: what goes up from a row is there in the next one.
#[test]
fn lines_go_on_through_layers() {
    let ends_below = |c: char| "│┼┐┌┤├┬╷".contains(c);
    let begins_above = |c: char| "│┼┘└┤├┴╵╧║┴┬╤═─".contains(c) || c.is_ascii_digit();
    let mut graphs: Vec<_> = (1..40)
        .flat_map(|count| [mixed(count), web(count)])
        .collect();
    graphs.extend((1..40).map(fan));
    for graph in graphs {
        let drawn = shown(&graph);
        let rows: Vec<Vec<char>> = drawn.lines().map(|line| line.chars().collect()).collect();
        for (number, pair) in rows.windows(2).enumerate() {
            for (column, character) in pair[0].iter().enumerate() {
                let next = pair[1].get(column).copied().unwrap_or(' ');
                let goes_on =
                    !ends_below(*character) || begins_above(next) || "└┘╚╝".contains(next);
                assert!(goes_on, "row {number}, column {column}\n{drawn}");
            }
        }
    }
}

#[test]
fn each_reason_has_its_number() {
    let mut graph = fan(1);
    let drops = [
        (DropReason::Filtered, 30),
        (DropReason::TooBig, 170),
        (DropReason::Unbound, 2),
        (DropReason::NoMemory, 1),
    ];
    let drops = drops.map(|(reason, packets)| dropped(reason, packets).drop);
    graph.blocks[0].stats = Some(StatsAttrs {
        drop: drops.concat(),
        ..Default::default()
    });
    let drawn = shown(&graph);
    for text in [
        " 170 too-big ",
        " 30 filtered ",
        " 2 unbound ",
        " 1 more reason ",
    ] {
        assert!(drawn.contains(text), "{text}\n{drawn}");
    }
    let look = Look {
        figures: Figures::Drops,
        width: Some(100),
        colour: false,
    };
    let listed = tree(&graph, &look);
    let text = "170 too-big, 30 filtered, 2 unbound, 1 more reason\n";
    assert!(listed.contains(text), "\n{listed}");
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
    assert!(drawn.contains("eth #2 · down"), "\n{drawn}");
    assert!(
        drawn.ends_with("\nm gets the events of eth1\n"),
        "\n{drawn}"
    );
}

/// The counters of a block that has dropped so many packets.
fn dropped(reason: DropReason, packets: u64) -> StatsAttrs {
    let drop = DropAttrs {
        reason: Some(Value::Known(reason)),
        packets: Some(packets),
        ..Default::default()
    };
    StatsAttrs {
        drop: vec![drop],
        ..Default::default()
    }
}

fn within(graph: &Graph, width: usize) -> String {
    let look = Look {
        figures: Figures::Drops,
        width: Some(width),
        colour: false,
    };
    text(graph, &look)
}

/// No terminal has to wrap a line, and no block is left out.
#[test]
fn no_line_is_too_wide() {
    let mut graphs: Vec<_> = (1..40)
        .step_by(3)
        .flat_map(|count| [mixed(count), web(count), fan(count)])
        .collect();
    let mut loose = mixed(20);
    loose.bindings.clear();
    loose.netns = Some("a-namespace-with-a-long-name".into());
    loose.subscriptions.insert(Subscription {
        subscriber: "a-block-with-a-name-that-is-long".into(),
        publisher: "another-block-with-a-long-name".into(),
    });
    graphs.push(loose);
    for graph in &graphs {
        for width in [1, 10, 30, 80, 120, 200] {
            for drawn in [within(graph, width), tree_within(graph, width)] {
                let widest = drawn.lines().map(|line| line.chars().count()).max();
                assert!(widest <= Some(width), "{width}\n{drawn}");
                let all = graph.blocks.iter().filter(|_| width >= 80);
                for block in all {
                    let name = format!("{} ", block.name);
                    assert!(drawn.contains(&name), "{name}\n{drawn}");
                }
            }
        }
    }
}

fn tree_within(graph: &Graph, width: usize) -> String {
    let look = Look {
        figures: Figures::Drops,
        width: Some(width),
        colour: false,
    };
    tree(graph, &look)
}

#[test]
fn what_is_too_wide_is_a_tree() {
    let expected = "\
One block a line. What is on top of a
block is indented below it:
eth0              eth #1 · up
└─ tee            tee #2
   ├0─ filter0    bpf #3
   │   └─ count0  counter #4
   └1─ filter1    bpf #5
       └─ count1  counter #6
";
    assert_eq!(tree_within(&fan(2), 38), expected);
    let drawn = within(&fan(9), 80);
    assert!(drawn.contains("   └8─ filter8    bpf #19\n"), "\n{drawn}");
    assert!(!within(&fan(9), 200).contains("filter8    bpf"));
}

/// What spreads packets to devices is drawn from the top, where it begins; what goes on two ways is told once.
#[test]
fn a_tree_from_the_top() {
    let mut graph = Graph {
        blocks: vec![
            block("m", "multipath", 3, (1, 12)),
            block("a", "tee", 4, (0, 2)),
        ],
        ..Graph::default()
    };
    for number in 0..12 {
        let name = format!("eth{number}");
        graph.bindings.insert(binding("m", number, &name, 0));
        graph.blocks.push(device(&name, 10 + number, LinkState::Up));
    }
    graph.bindings.insert(binding("a", 0, "m", 0));
    graph.bindings.insert(binding("a", 1, "eth3", 1));
    let expected = "\
One block a line. What a block is on top of is indented below it:
a               tee #4
├0─ m           multipath #3
│   ├0── eth0   eth #10 · up
";
    let drawn = tree_within(&graph, 80);
    assert!(drawn.starts_with(expected), "\n{drawn}");
    assert!(
        drawn.contains("│   ├10─ eth10  eth #20 · up\n"),
        "\n{drawn}"
    );
    assert!(drawn.ends_with("└1─ eth3        see above\n"), "\n{drawn}");
}

/// A chain that is too deep goes on further below, at the left.
#[test]
fn a_deep_tree() {
    let mut graph = Graph {
        blocks: vec![device("b0", 1, LinkState::Up)],
        ..Graph::default()
    };
    for number in 1..60 {
        let (name, below) = (format!("b{number}"), format!("b{}", number - 1));
        graph.blocks.push(block(&name, "counter", number, (1, 1)));
        graph.bindings.insert(binding(&name, 0, &below, 0));
    }
    let drawn = tree_within(&graph, 40);
    assert!(drawn.lines().all(|line| line.chars().count() <= 40));
    assert!(
        drawn.lines().any(|line| line.ends_with("b7   see below")),
        "\n{drawn}"
    );
    assert!(drawn.contains("\nb7 "), "\n{drawn}");
}

#[test]
fn blocks_that_are_not_bound_are_a_list() {
    let mut graph = fan(1);
    for number in 0..7 {
        let name = format!("c{number}");
        graph
            .blocks
            .push(block(&name, "counter", 10 + number, (1, 1)));
    }
    let drawn = within(&graph, 60);
    let expected = "
not bound (7):
  c0 counter #10  c3 counter #13  c6 counter #16
  c1 counter #11  c4 counter #14
  c2 counter #12  c5 counter #15
";
    assert!(drawn.ends_with(expected), "\n{drawn}");
    graph.blocks.truncate(8);
    assert_eq!(within(&graph, 80).matches("│ counter #1").count(), 4);
}

#[test]
fn drops_and_links_that_are_down_have_a_colour() {
    let mut graph = Graph {
        blocks: vec![
            device("eth0", 1, LinkState::Down),
            device("eth1", 2, LinkState::Up),
        ],
        ..Graph::default()
    };
    if let Some(block) = graph.blocks.last_mut() {
        block.stats = Some(dropped(DropReason::TooBig, 7));
    }
    let mut look = Look {
        figures: Figures::Drops,
        width: None,
        colour: true,
    };
    for drawn in [text(&graph, &look), tree(&graph, &look)] {
        assert!(drawn.contains("\u{1b}[31m"), "{drawn}");
        assert!(drawn.contains("7 too-big"), "{drawn}");
    }
    let drawn = text(&graph, &look);
    assert!(
        drawn.contains("║\u{1b}[31m  7 too-big  \u{1b}[0m║"),
        "{drawn:?}"
    );
    assert!(drawn.contains("\u{1b}[31m║\u{1b}[0m"), "{drawn:?}");
    look.colour = false;
    assert!(!text(&graph, &look).contains('\u{1b}'));
}

/// All boxes of a layer are as high as the highest one.
#[test]
fn boxes_of_a_layer_are_equally_high() {
    let mut graph = fan(3);
    for block in &mut graph.blocks {
        if block.name == "filter1" {
            block.stats = Some(dropped(DropReason::Filtered, 3));
        }
    }
    let drawn = shown(&graph);
    let expected = "\
┌─────────────┐   ┌─────────────┐    ┌─────────────┐
│   count0    │   │   count1    │    │   count2    │
│ counter #4  │   │ counter #6  │    │ counter #8  │
└───────┬─────┘   └──────┬──────┘    └──────┬──────┘
        │                │                ┌─┘
   ┌────┴────┐    ┌──────┴──────┐    ┌────┴────┐
   │ filter0 │    │   filter1   │    │ filter2 │
   │ bpf #3  │    │   bpf #5    │    │ bpf #7  │
   │         │    │ 3 filtered  │    │         │
   └────┬────┘    └──────┬──────┘    └────┬────┘
        └───────────┐    │    ┌───────────┘
                  ┌0┴───1┴───2┴─┐
                  │     tee     │
                  │   tee #2    │
                  └──────┬──────┘
                         │
                  ╔══════╧══════╗
                  ║    eth0     ║
                  ║ eth #1 · up ║
                  ╚═════════════╝
";
    assert_eq!(drawn, expected, "\n{drawn}");
}

/// Devices stand first, and all parts in the order of their names, drawn or listed.
#[test]
fn parts_stand_in_the_order_of_their_names() {
    let mut graph = Graph::default();
    for number in [9, 10, 2, 1] {
        let (device_name, name) = (format!("d{number}"), format!("c{number}"));
        graph.blocks.push(block(&name, "counter", number, (1, 1)));
        graph
            .blocks
            .push(device(&device_name, 20 + number, LinkState::Up));
        graph.bindings.insert(binding(&name, 0, &device_name, 0));
    }
    // A part without a device, and a higher one.
    for number in 1..4 {
        let name = format!("a{number}");
        graph.blocks.push(block(&name, "tee", 40 + number, (1, 1)));
    }
    graph.bindings.insert(binding("a2", 0, "a1", 0));
    graph.bindings.insert(binding("a3", 0, "d2", 0));
    for drawn in [
        within(&graph, 200),
        shown(&graph),
        within(&graph, 40),
        tree_within(&graph, 80),
    ] {
        let words = drawn.split(|c: char| !c.is_ascii_alphanumeric());
        let names = words.filter(|word| word.starts_with('d') && word.len() < 4);
        let names: Vec<_> = names.collect();
        assert_eq!(names, ["d1", "d2", "d9", "d10"], "\n{drawn}");
        let last = drawn.rfind("a1").unwrap();
        assert!(drawn.find("d10").unwrap() < last, "\n{drawn}");
    }
}

#[test]
fn numbers_of_a_list_have_words() {
    let mut graph = fan(2);
    let packets = |number: u64| StatsAttrs {
        packets: Some(number),
        ..dropped(DropReason::Unbound, 3)
    };
    for (block, number) in graph.blocks.iter_mut().zip([3, 1]) {
        block.stats = Some(packets(number));
    }
    if let Some(block) = graph.blocks.get_mut(2) {
        block.stats = Some(StatsAttrs {
            packets: Some(12),
            ..Default::default()
        });
    }
    let look = Look {
        figures: Figures::Totals,
        width: Some(80),
        colour: false,
    };
    let drawn = tree(&graph, &look);
    for text in [
        " 3 packets, 3 unbound\n",
        " 1 packet,  3 unbound\n",
        "12 packets\n",
    ] {
        assert!(drawn.contains(text), "{text}\n{drawn}");
    }
}
