// SPDX-License-Identifier: GPL-2.0

//! What is stored of a channel, so that another process can go on with it. There are no keys in it: the graph has them.

use crate::{config::Channel, keep::Overlay};
use lana_channel::{catalogue, plan, Agreed, Graph, Name, Stack};
use serde::{Deserialize, Serialize};

/// A channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// How it is configured.
    pub config: Channel,
    /// What it has in the graph: what it had before the last transaction, and what it was to have afterwards.
    graphs: Vec<KeptGraph>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum KeptGraph {
    Absent {
        open: bool,
    },
    Present {
        stacks: Vec<KeptStack>,
        sends: [u8; 16],
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct KeptStack {
    id: [u8; 16],
    number: u32,
    open: bool,
    blocks: Vec<KeptBlock>,
}

/// Name, version and options.
type KeptBlock = (String, u16, Vec<(String, String)>);

impl Kept {
    pub(super) fn new(config: &Channel, graph: &Graph, staged: Option<&Graph>) -> Self {
        let graphs = [Some(graph), staged].into_iter().flatten();
        Kept {
            config: config.clone(),
            graphs: graphs.map(store).collect(),
        }
    }

    /// The parts of the graph that there may be, of which the kernel has one.
    pub fn overlays(&self) -> Vec<Overlay> {
        // The key is not needed, and may not be readable now.
        let Ok(place) = self.config.place() else {
            return Vec::new();
        };
        let graphs = self.graphs.iter().filter_map(load);
        let overlay = |graph| Overlay::new(&self.config, plan(&place, &graph, &catalogue()));
        graphs.map(overlay).collect()
    }

    /// The kernel has that part.
    pub fn choose(&mut self, which: Option<usize>) {
        let chosen = which.and_then(|which| self.graphs.get(which).cloned());
        self.graphs = chosen.into_iter().collect();
    }

    pub(super) fn graph(&self) -> Option<Graph> {
        self.graphs.first().and_then(load)
    }
}

fn store(graph: &Graph) -> KeptGraph {
    let block = |block: &Agreed| {
        (
            block.name.as_str().to_owned(),
            block.version,
            block.options.clone(),
        )
    };
    match graph {
        Graph::Absent { open } => KeptGraph::Absent { open: *open },
        Graph::Present { stacks, sends } => {
            let stack = |stack: &Stack| KeptStack {
                id: stack.id,
                number: stack.number,
                open: stack.open,
                blocks: stack.blocks.iter().map(block).collect(),
            };
            KeptGraph::Present {
                stacks: stacks.iter().map(stack).collect(),
                sends: *sends,
            }
        }
    }
}

fn load(kept: &KeptGraph) -> Option<Graph> {
    let block = |(name, version, options): &KeptBlock| {
        Some(Agreed {
            name: Name::new(name).ok()?,
            version: *version,
            options: options.clone(),
        })
    };
    let stack = |stack: &KeptStack| {
        Some(Stack {
            id: stack.id,
            number: stack.number,
            open: stack.open,
            blocks: stack.blocks.iter().map(block).collect::<Option<_>>()?,
            keys: None,
        })
    };
    Some(match kept {
        KeptGraph::Absent { open } => Graph::Absent { open: *open },
        KeptGraph::Present { stacks, sends } => {
            let stacks = stacks.iter().map(stack).collect::<Option<_>>()?;
            Graph::Present {
                stacks,
                sends: *sends,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graphs_come_back() {
        let config: Channel = toml::from_str("device = 'eth1'\nto = '::1'\nkey = 'k'\n").unwrap();
        let block = Agreed {
            name: Name::short("compress").unwrap(),
            version: 1,
            options: vec![("level".into(), "3".into())],
        };
        let stack = Stack {
            id: [7; 16],
            number: 9,
            blocks: vec![block],
            open: true,
            keys: None,
        };
        let graph = Graph::Present {
            stacks: vec![stack],
            sends: [7; 16],
        };
        let mut kept = Kept::new(&config, &graph, Some(&Graph::Absent { open: false }));
        let text = serde_json::to_string(&kept).unwrap();
        assert_eq!(serde_json::from_str::<Kept>(&text).unwrap(), kept);
        assert_eq!(format!("{:?}", kept.graph().unwrap()), format!("{graph:?}"));
        assert_eq!(kept.overlays().len(), 2, "without a key, too");
        kept.choose(Some(1));
        assert!(matches!(kept.graph(), Some(Graph::Absent { open: false })));
        kept.choose(None);
        assert!(kept.graph().is_none());
    }
}
