// SPDX-License-Identifier: GPL-2.0

use super::*;
use crate::{
    picture::model::{short, Binding, Block, Device, DropRate, Ports, Rate, Subscription},
    show::tests::sample,
};
use lana_netlink::{spec::DropReason, wire::Value, LinkState};

pub(crate) fn block(name: &str, kind: &str, idp: u32, ports: (u32, u32)) -> Block {
    Block {
        name: name.into(),
        kind: kind.into(),
        idp,
        role: Role::None {},
        stats: None,
        rate: None,
        ports: Ports {
            ingress: (0..ports.0).collect(),
            egress: (0..ports.1).collect(),
        },
    }
}

pub(crate) fn device(name: &str, idp: u32, state: LinkState) -> Block {
    Block {
        role: Role::Device(Device {
            ifname: name.into(),
            state: Some(state),
            carrier: None,
            id: None,
            xdp: false,
        }),
        ..block(name, "eth", idp, (1, 0))
    }
}

pub(crate) fn binding(upper: &str, egress: u32, lower: &str, ingress: u32) -> Binding {
    Binding {
        upper: upper.into(),
        lower: lower.into(),
        egress: Some(egress),
        ingress: Some(ingress),
    }
}

/// A tee on a device, with so many filters on top, each with a counter.
pub(crate) fn fan(count: u32) -> Graph {
    let mut graph = Graph {
        blocks: vec![
            device("eth0", 1, LinkState::Up),
            block("tee", "tee", 2, (count, 1)),
        ],
        ..Graph::default()
    };
    graph.bindings.insert(binding("tee", 0, "eth0", 0));
    for number in 0..count {
        let (filter, counter) = (format!("filter{number}"), format!("count{number}"));
        graph.bindings.insert(binding(&filter, 0, "tee", number));
        graph.bindings.insert(binding(&counter, 0, &filter, 0));
        graph
            .blocks
            .push(block(&filter, "bpf", 3 + 2 * number, (1, 1)));
        graph
            .blocks
            .push(block(&counter, "counter", 4 + 2 * number, (0, 1)));
    }
    graph
}

/// Devices, each with some blocks in a row; some pairs are bridged.
pub(crate) fn mixed(count: u32) -> Graph {
    let mut graph = Graph::default();
    let mut number = 0;
    while number < count {
        let states = [
            LinkState::Up,
            LinkState::Up,
            LinkState::NoCarrier,
            LinkState::Down,
        ];
        let mut below = format!("eth{number}");
        graph
            .blocks
            .push(device(&below, number + 1, states[number as usize / 3 % 4]));
        let length = 1 + number * 7 % 5;
        for step in 0..length {
            number += 1;
            let kind = ["counter", "bpf", "tee", "icmp-echo", "multipath"][(number % 5) as usize];
            let name = format!("{kind}-{number}");
            let several = if step == 0 && number % 3 == 0 { 2 } else { 1 };
            graph
                .blocks
                .push(block(&name, kind, number + 1, (several, 1)));
            graph.bindings.insert(binding(&name, 0, &below, 0));
            if several == 2 {
                number += 1;
                let echo = format!("echo{number}");
                graph
                    .blocks
                    .push(block(&echo, "icmp-echo", number + 1, (0, 1)));
                graph.bindings.insert(binding(&echo, 0, &name, 1));
            }
            below = name;
        }
        number += 1;
    }
    graph
}

/// Each block on two of those shortly before it.
pub(crate) fn web(count: u32) -> Graph {
    let mut graph = Graph::default();
    for number in 0..count {
        if number < 4 {
            graph
                .blocks
                .push(device(&format!("b{number}"), number + 1, LinkState::Up));
            continue;
        }
        let lowers = [
            number - 1 - number * 5 % 4,
            number - 1 - (number * 3 + 1) % 4,
        ];
        let lowers = if lowers[0] == lowers[1] {
            &lowers[..1]
        } else {
            &lowers[..]
        };
        let egress = u32::try_from(lowers.len()).unwrap();
        let kind = ["counter", "bpf", "tee", "multipath"][(number % 4) as usize];
        graph
            .blocks
            .push(block(&format!("b{number}"), kind, number + 1, (0, egress)));
        for (port, lower) in (0..).zip(lowers) {
            let ports = &mut graph.blocks[*lower as usize].ports.ingress;
            let ingress = u32::try_from(ports.len()).unwrap();
            ports.push(ingress);
            graph.bindings.insert(binding(
                &format!("b{number}"),
                port,
                &format!("b{lower}"),
                ingress,
            ));
        }
    }
    graph
}

#[test]
fn ports_are_numbered_in_their_order() {
    let text = svg(&fan(12), Figures::Drops);
    let at = |line: &str| {
        let (_, rest) = line.split_once("x=\"")?;
        rest.split_once('"')?.0.parse::<f64>().ok()
    };
    let ports: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("<text class=\"port\""))
        .collect();
    assert_eq!(ports.len(), 12);
    let mut known: Vec<_> = ports
        .iter()
        .map(|line| {
            let number = line.trim_end_matches("</text>").rsplit_once('>').unwrap().1;
            (number.parse::<u32>().unwrap(), at(line).unwrap())
        })
        .collect();
    known.sort_by_key(|(number, _)| *number);
    assert!(known.windows(2).all(|pair| pair[0].1 < pair[1].1));
    assert_eq!(text, svg(&fan(12), Figures::Drops));
}

#[test]
fn states_kinds_rates_and_drops_are_shown() {
    let drop = |reason, packets| DropRate {
        reason: Value::Known(reason),
        packets,
    };
    let mut graph = fan(2);
    graph.netns = Some("<red>".into());
    graph.seconds = Some(2.0);
    for block in &mut graph.blocks {
        block.rate = Some(Rate {
            packets: 12_345.0,
            bytes: 0.0,
            drop: match block.name.as_str() {
                "filter0" => vec![drop(DropReason::Filtered, 30.0)],
                "tee" => vec![
                    drop(DropReason::Unbound, 1.0),
                    drop(DropReason::NoMemory, 4.0),
                ],
                _ => Vec::new(),
            },
        });
    }
    graph.blocks.push(device("eth1", 50, LinkState::NoCarrier));
    graph.blocks.push(device("eth2", 51, LinkState::Down));
    graph.blocks.push(Block {
        role: Role::Socket(7),
        ..block("socket:7", "pflana", 52, (0, 1))
    });
    let mut lan = device("lan", 53, LinkState::Up);
    if let Role::Device(device) = &mut lan.role {
        (device.carrier, device.id, device.xdp) = (Some("eth1".into()), Some(10), true);
        device.ifname = "lan7".into();
    }
    graph.blocks.push(lan);
    graph.subscriptions.insert(Subscription {
        subscriber: "count0".into(),
        publisher: "eth0".into(),
    });
    let text = svg(&graph, Figures::Rates);
    for part in [
        "namespace &lt;red&gt; · 10 blocks · 5 bindings · 1 subscription · rates over 2 s",
        "class=\"device up\"",
        "class=\"device no-carrier\"",
        "class=\"device down\"",
        "class=\"virtual device up\"",
        "class=\"socket\"",
        "eth #53 · lan7 · 10 on eth1 · xdp · up",
        ">12.3k packets/s</text>",
        "<text class=\"figures usual\" x=\"63\" y=\"63\" text-anchor=\"middle\">30/s filtered</text>",
        "<text class=\"figures bad\" x=\"63\" y=\"63\" text-anchor=\"middle\">5/s dropped</text>",
        "class=\"line active\" style=\"stroke-width:3.9px\"",
        "count0 gets the events of eth0",
        ">virtual device</text>",
        ">packets at both ends</text>",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn drops_are_shown_without_being_asked_for() {
    let readout = super::super::model::Readout {
        fbs: sample(),
        ..Default::default()
    };
    let graph = readout.graph();
    assert!(
        svg(&graph, Figures::Drops).contains("y=\"48\" text-anchor=\"middle\">3 dropped</text>")
    );
    let text = svg(&graph, Figures::Totals);
    assert!(text.contains(">10 packets</text>\n<text class=\"figures bad\""));
    let none = svg(&Graph::default(), Figures::Drops);
    assert!(none.contains("0 blocks") && none.ends_with("</svg>\n"));
}

/// Pictures to look at: `LANA_PICTURES=DIRECTORY cargo test -p fbctl pictures`.
#[test]
fn pictures_to_look_at() {
    let Some(directory) = std::env::var_os("LANA_PICTURES") else {
        return;
    };
    let directory = std::path::Path::new(&directory);
    for count in [1, 2, 10, 60, 150] {
        std::fs::write(
            directory.join(format!("fan{count}.svg")),
            svg(&fan(count), Figures::Drops),
        )
        .unwrap();
    }
    for (name, graph) in [
        ("mixed", mixed(300)),
        ("web", web(40)),
        ("web300", web(300)),
    ] {
        std::fs::write(
            directory.join(format!("{name}.svg")),
            svg(&graph, Figures::Totals),
        )
        .unwrap();
    }
}

#[test]
fn numbers_are_short() {
    for (number, text) in [
        (0.0, "0"),
        (0.3, "0.3"),
        (7.0, "7"),
        (99.94, "99.9"),
        (99.96, "100"),
        (999.9, "1000"),
        (999.96, "1k"),
        (12_345.0, "12.3k"),
        (1e6, "1M"),
        (1e18, "1000P"),
    ] {
        assert_eq!(short(number), text);
    }
}

/// A rate is longer than what a box without drops needs: it stands between the type's bar and the other side.
#[test]
fn boxes_are_as_wide_as_their_counters() {
    let mut lossy = block("q", "shape", 1, (1, 1));
    lossy.rate = Some(Rate {
        packets: 89.7,
        bytes: 0.0,
        drop: vec![DropRate {
            reason: Value::Known(DropReason::QueueFull),
            packets: 77.8,
        }],
    });
    let graph = Graph {
        blocks: vec![lossy],
        ..Graph::default()
    };
    let text = svg(&graph, Figures::Rates);
    assert!(text.contains("77.8/s queue-full"), "{text}");
    let (_, rest) = text.split_once("class=\"shape\" width=\"").unwrap();
    let width: f64 = rest.split('"').next().unwrap().parse().unwrap();
    assert!(width >= 17.0 * 6.7 + 24.0, "{width}");
}

#[test]
fn what_is_of_one_height_stands_in_natural_order() {
    let names = ["eth10", "eth2", "a-longer-name", "eth1", "b", "eth3"];
    let blocks = names.iter().zip(1..).map(|(name, idp)| match *name {
        "a-longer-name" | "b" => block(name, "dummy", idp, (0, 0)),
        // Its box may be of another height.
        "eth3" => device("eth3", idp, LinkState::Down),
        name => device(name, idp, LinkState::Up),
    });
    let graph = Graph {
        blocks: blocks.collect(),
        ..Graph::default()
    };
    let scene = Scene::new(&graph, Room::ALL, &[]);
    let mut boxes: Vec<_> = scene.boxes.iter().collect();
    boxes.sort_by(|a, b| (a.y, a.x).partial_cmp(&(b.y, b.x)).unwrap());
    let found: Vec<_> = boxes.iter().map(|of| of.name.as_str()).collect();
    assert_eq!(
        found,
        ["eth1", "eth2", "eth3", "eth10", "a-longer-name", "b"]
    );
}
