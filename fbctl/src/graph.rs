// SPDX-License-Identifier: GPL-2.0

//! `fbctl graph`: the whole graph, for pictures and for programs.

use crate::{
    cli,
    picture::{
        caption::Figures,
        dot::dot,
        model::{Graph, Readout},
        svg::svg,
        text::{text, tree, Look},
    },
};
use anyhow::Result;
use clap::ValueEnum;
use lana_cli::Session;
use std::{
    thread,
    time::{Duration, Instant},
};

/// What to print it as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// The language of Graphviz
    Dot,
    /// An SVG picture
    Svg,
    /// A picture for the terminal
    Text,
    /// One block a line, indented
    Tree,
    /// A JSON object with blocks, bindings and subscriptions
    Json,
}

pub(crate) fn run(session: &mut Session, options: &cli::Graph) -> Result<()> {
    let mut graph = read(session, options.window)?;
    let format = options.format.unwrap_or(match session.out.columns() {
        Some(_) => Format::Text,
        None => Format::Dot,
    });
    if format == Format::Json || session.out.is_json() {
        if !session.globals.stats {
            for block in &mut graph.blocks {
                block.stats = None;
            }
        }
        return session.out.json(&graph);
    }
    let figures = match (options.window, session.globals.stats) {
        (Some(_), _) => Figures::Rates,
        (None, true) => Figures::Totals,
        (None, false) => Figures::Drops,
    };
    let look = Look {
        figures,
        width: match options.width {
            Some(columns) => Some(columns).filter(|columns| *columns > 0),
            None => lana_cli::columns(),
        },
        colour: session.out.has_colour(),
    };
    session.out.text(&match format {
        Format::Svg => svg(&graph, figures),
        Format::Text => text(&graph, &look),
        Format::Tree => tree(&graph, &look),
        _ => dot(&graph),
    })
}

/// Reads the graph, and with a window once more after it.
fn read(session: &mut Session, window: Option<Duration>) -> Result<Graph> {
    let first = Readout::read(session.lana()?)?;
    let Some(window) = window else {
        return Ok(graph(session, &first));
    };
    let begin = Instant::now();
    thread::sleep(window);
    let second = Readout::read(session.lana()?)?;
    let passed = begin.elapsed();
    let mut graph = graph(session, &second);
    graph.add_rates(&first, passed);
    Ok(graph)
}

fn graph(session: &Session, readout: &Readout) -> Graph {
    if readout.interrupted {
        session.warn("the graph kept changing while it was read");
    }
    let mut graph = readout.graph();
    graph.netns.clone_from(&session.globals.netns);
    graph
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::tests::sample;

    #[test]
    fn object() {
        let readout = Readout {
            fbs: sample(),
            ..Readout::default()
        };
        let mut graph = readout.graph();
        for block in &mut graph.blocks {
            block.stats = None;
        }
        let expected = serde_json::json!({
            "blocks": [
                { "name": "eth0", "type": "eth", "idp": 1 },
                { "name": "fb2", "type": "tee", "idp": 2 },
                { "name": "fb3", "type": "bpf", "idp": 3 },
            ],
            "bindings": [
                { "upper": "fb2", "lower": "eth0", "egress": 0, "ingress": 0 },
                { "upper": "fb3", "lower": "fb2", "egress": 0, "ingress": 0 },
            ],
            "subscriptions": [{ "subscriber": "fb3", "publisher": "eth0" }],
        });
        let json = serde_json::to_value(&graph).unwrap();
        // The other end of a binding is not always told by name.
        assert_eq!(json["blocks"], expected["blocks"]);
        assert_eq!(json["subscriptions"], expected["subscriptions"]);
        assert_eq!(json["bindings"][1], expected["bindings"][1]);
    }
}
