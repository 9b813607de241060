// SPDX-License-Identifier: GPL-2.0

//! `fbctl graph`: the whole graph, for pictures and for programs.

use crate::show::{names, peers, publishers};
use anyhow::Result;
use clap::ValueEnum;
use lana_cli::{clean, Session};
use lana_netlink::{spec::Direction, Connection, Fb};
use serde::Serialize;
use std::{collections::BTreeSet, fmt::Write};

/// What to print it as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// The language of Graphviz
    Dot,
    /// One object: blocks, bindings, subscriptions
    Json,
}

#[derive(Debug, Serialize)]
struct Graph {
    blocks: Vec<Block>,
    bindings: BTreeSet<Binding>,
    subscriptions: BTreeSet<Subscription>,
}

#[derive(Debug, Serialize)]
struct Block {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    idp: u32,
}

#[derive(Debug, Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct Binding {
    upper: String,
    lower: String,
}

#[derive(Debug, Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct Subscription {
    subscriber: String,
    publisher: String,
}

pub(crate) fn run(session: &mut Session, format: Format) -> Result<()> {
    let graph = Graph::new(&session.all(Connection::fbs)?);
    if format == Format::Json || session.out.is_json() {
        return session.out.json(&graph);
    }
    session.out.text(&graph.dot())
}

impl Graph {
    fn new(fbs: &[Fb]) -> Self {
        let known = names(fbs);
        let mut graph = Graph {
            blocks: Vec::new(),
            bindings: BTreeSet::new(),
            subscriptions: BTreeSet::new(),
        };
        for fb in fbs {
            let name = fb.name.clone().unwrap_or_default();
            // Both ends tell of a binding; a set has it once.
            for upper in peers(fb, Direction::Ingress) {
                let lower = name.clone();
                graph.bindings.insert(Binding { upper, lower });
            }
            for lower in peers(fb, Direction::Egress) {
                let upper = name.clone();
                graph.bindings.insert(Binding { upper, lower });
            }
            for publisher in publishers(fb, &known) {
                let subscriber = name.clone();
                let subscription = Subscription {
                    subscriber,
                    publisher,
                };
                graph.subscriptions.insert(subscription);
            }
            graph.blocks.push(Block {
                name,
                kind: fb.r#type.clone().unwrap_or_default(),
                idp: fb.idp.unwrap_or_default(),
            });
        }
        graph
    }

    /// For Graphviz: devices at the bottom, subscriptions dashed from publisher to subscriber.
    fn dot(&self) -> String {
        let mut lines = vec!["rankdir=BT;".to_owned(), "node [shape=box];".to_owned()];
        for block in &self.blocks {
            let (name, kind) = (escape(&block.name), escape(&block.kind));
            lines.push(format!(
                "\"{name}\" [label=\"{name}\\n{kind}\\n{}\"];",
                block.idp
            ));
        }
        for binding in &self.bindings {
            let (lower, upper) = (escape(&binding.lower), escape(&binding.upper));
            lines.push(format!("\"{lower}\" -> \"{upper}\" [dir=both];"));
        }
        for s in &self.subscriptions {
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
}

/// The text as it may stand in a quotation of Graphviz.
fn escape(text: &str) -> String {
    clean(text).replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::tests::sample;

    #[test]
    fn picture() {
        let expected = r##"digraph lana {
	rankdir=BT;
	node [shape=box];
	"eth0" [label="eth0\neth\n1"];
	"fb2" [label="fb2\ntee\n2"];
	"fb3" [label="fb3\nbpf\n3"];
	"fb2" -> "#5" [dir=both];
	"eth0" -> "fb2" [dir=both];
	"fb2" -> "fb3" [dir=both];
	"#77" -> "fb3" [style=dashed, constraint=false];
	"eth0" -> "fb3" [style=dashed, constraint=false];
}
"##;
        assert_eq!(Graph::new(&sample()).dot(), expected);
        assert_eq!(escape(r#"a"b\c"#), r#"a\"b\\c"#);
    }

    #[test]
    fn object() {
        let json = serde_json::to_value(Graph::new(&sample()[..2])).unwrap();
        let expected = serde_json::json!({
            "blocks": [
                { "name": "eth0", "type": "eth", "idp": 1 },
                { "name": "fb2", "type": "tee", "idp": 2 },
            ],
            "bindings": [
                { "upper": "#5", "lower": "fb2" },
                { "upper": "fb2", "lower": "eth0" },
                { "upper": "fb3", "lower": "fb2" },
            ],
            "subscriptions": [],
        });
        assert_eq!(json, expected);
    }
}
