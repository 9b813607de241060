// SPDX-License-Identifier: GPL-2.0

//! A graph in the language of Graphviz.

use super::{
    model::{short, state_text, Block, Graph, Ports, Role},
    scene::detail,
};
use lana_cli::clean;
use lana_netlink::LinkState;
use std::{collections::HashMap, fmt::Write};

/// Devices at the bottom, subscriptions dashed from publisher to subscriber.
pub(crate) fn dot(graph: &Graph) -> String {
    let mut lines = vec![
        "rankdir=BT;".to_owned(),
        "node [shape=box, fontname=monospace];".to_owned(),
        "edge [fontname=monospace, fontsize=9];".to_owned(),
    ];
    if let Some(name) = &graph.netns {
        lines.push(format!("label=\"namespace {}\";", escape(name)));
    }
    let blocks: HashMap<_, _> = graph.blocks.iter().map(|b| (b.name.as_str(), b)).collect();
    lines.extend(graph.blocks.iter().map(node));
    for binding in &graph.bindings {
        let ports = |name: &String| blocks.get(name.as_str()).map(|block| &block.ports);
        let tail = end(
            &binding.lower,
            'i',
            binding.ingress,
            ports(&binding.lower).map(|p| p.ingress.as_slice()),
        );
        let head = end(
            &binding.upper,
            'e',
            binding.egress,
            ports(&binding.upper).map(|p| p.egress.as_slice()),
        );
        lines.push(format!("{tail} -> {head} [dir=both];"));
    }
    for s in &graph.subscriptions {
        let (publisher, subscriber) = (escape(&s.publisher), escape(&s.subscriber));
        let style = "[style=dashed, constraint=false]";
        lines.push(format!("\"{publisher}\" -> \"{subscriber}\" {style};"));
    }
    let mut out = "digraph lana {\n".to_owned();
    for line in lines {
        // Writing to a string does not fail.
        let _ = writeln!(out, "\t{line}");
    }
    out + "}\n"
}

fn node(block: &Block) -> String {
    let name = escape(&block.name);
    let mut texts = vec![block.name.clone(), detail(block)];
    if let Some(rate) = &block.rate {
        texts.push(format!("{}/s", short(rate.packets)));
        texts.extend(block.loss_rate().map(|loss| loss.text));
    } else {
        texts.extend(block.loss().map(|loss| loss.text));
    }
    let style = match &block.role {
        Role::Device(device) => {
            let colour = match device.state {
                Some(LinkState::Up) => "palegreen",
                Some(LinkState::NoCarrier) => "khaki",
                Some(LinkState::Down) => "lightpink",
                None => "lightgrey",
            };
            let dashed = if device.carrier.is_some() {
                ",dashed"
            } else {
                ""
            };
            let state = device.state.map_or("", state_text);
            format!(", style=\"filled{dashed}\", fillcolor={colour}, tooltip=\"{state}\"")
        }
        Role::Socket(_) => ", style=\"filled,rounded\", fillcolor=thistle".to_owned(),
        Role::None {} => String::new(),
    };
    let Ports { ingress, egress } = &block.ports;
    if ingress.len() < 2 && egress.len() < 2 {
        let label: Vec<_> = texts.iter().map(|text| escape(text)).collect();
        return format!("\"{name}\" [label=\"{}\"{style}];", label.join("\\n"));
    }
    // A record has its ports in their order.
    let label: Vec<_> = texts.iter().map(|text| escape_record(text)).collect();
    let row = |letter: char, ports: &[u32]| {
        let cells = ports.iter().map(|port| format!("<{letter}{port}>{port}"));
        format!("{{{}}}", cells.collect::<Vec<_>>().join("|"))
    };
    let mut rows = Vec::new();
    if ingress.len() > 1 {
        rows.push(row('i', ingress));
    }
    rows.push(label.join("\\n"));
    if egress.len() > 1 {
        rows.push(row('e', egress));
    }
    format!(
        "\"{name}\" [shape=record, label=\"{{{}}}\"{style}];",
        rows.join("|")
    )
}

/// The end of a binding: at a port, if the block has several.
fn end(name: &str, letter: char, port: Option<u32>, ports: Option<&[u32]>) -> String {
    let several = ports.is_some_and(|ports| ports.len() > 1);
    let side = if letter == 'i' { 'n' } else { 's' };
    match port {
        Some(port) if several => format!("\"{}\":{letter}{port}:{side}", escape(name)),
        _ => format!("\"{}\"", escape(name)),
    }
}

/// The text as it may stand in a quotation of Graphviz.
fn escape(text: &str) -> String {
    clean(text).replace('\\', "\\\\").replace('"', "\\\"")
}

/// The text as it may stand in a record.
fn escape_record(text: &str) -> String {
    let mut out = String::new();
    for c in escape(text).chars() {
        if "{}|<> ".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{picture::model::Readout, show::tests::sample};

    #[test]
    fn a_record_where_there_are_several_ports() {
        let readout = Readout {
            fbs: sample(),
            ..Readout::default()
        };
        let expected = r#"digraph lana {
	rankdir=BT;
	node [shape=box, fontname=monospace];
	edge [fontname=monospace, fontsize=9];
	"eth0" [label="eth0\neth #1\n3 dropped"];
	"fb2" [shape=record, label="{{<i0>0|<i1>1}|fb2\ntee\ #2}"];
	"fb3" [label="fb3\nbpf #3"];
	"eth0" -> "fb2" [dir=both];
	"fb2":i0:n -> "fb3" [dir=both];
	"eth0" -> "fb3" [style=dashed, constraint=false];
}
"#;
        assert_eq!(dot(&readout.graph()), expected);
        assert_eq!(escape(r#"a"b\c"#), r#"a\"b\\c"#);
        assert_eq!(escape_record("a|b<c> d"), r"a\|b\<c\>\ d");
    }
}
