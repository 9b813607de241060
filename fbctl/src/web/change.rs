// SPDX-License-Identifier: GPL-2.0

//! Changes that a page asks for: as a preview, or made in one transaction.

use crate::picture::model::{Binding, Graph};
use anyhow::{anyhow, Result};
use lana_cli::word;
use lana_netlink::{Op, Transaction};
use serde::Deserialize;

/// At most so many changes at once.
const MOST: usize = 1000;

/// What a page sends.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wish {
    changes: Vec<Change>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "change", rename_all = "kebab-case", deny_unknown_fields)]
enum Change {
    Bind { upper: String, lower: String },
    Unbind { upper: String, lower: String },
}

/// What would come of it.
#[derive(Debug)]
pub(super) struct Preview {
    /// The same as commands.
    pub(super) commands: Vec<String>,
    pub(super) graph: Graph,
}

impl Wish {
    pub(super) fn read(body: &[u8]) -> Result<Self> {
        let wish: Wish = serde_json::from_slice(body)?;
        match wish.changes.len() {
            0 => Err(anyhow!("there is nothing to change")),
            1..=MOST => Ok(wish),
            _ => Err(anyhow!("there are more than {MOST} changes")),
        }
    }

    /// What the graph would be. The kernel may know of more that speaks against it.
    pub(super) fn preview(&self, graph: &Graph) -> Result<Preview> {
        let mut graph = graph.clone();
        let mut commands = Vec::new();
        for change in &self.changes {
            commands.push(change.apply(&mut graph)?);
        }
        Ok(Preview { commands, graph })
    }

    /// All of it, or nothing.
    pub(super) fn transaction(&self) -> Result<Transaction> {
        let mut transaction = Transaction::default();
        for change in &self.changes {
            transaction.push(&match change {
                Change::Bind { upper, lower } => Op::Bind { upper, lower },
                Change::Unbind { upper, lower } => Op::Unbind { upper, lower },
            })?;
        }
        Ok(transaction)
    }
}

impl Change {
    /// Changes the picture. The command that does the same to the graph.
    fn apply(&self, graph: &mut Graph) -> Result<String> {
        let (Change::Bind { upper, lower } | Change::Unbind { upper, lower }) = self;
        for name in [upper, lower] {
            if !graph.blocks.iter().any(|block| block.name == *name) {
                return Err(anyhow!("no block {}", word(name)));
            }
        }
        let command = |what: &str| format!("fbctl {what} {} {}", word(upper), word(lower));
        let bound = graph
            .bindings
            .iter()
            .find(|b| b.upper == *upper && b.lower == *lower);
        match (self, bound.cloned()) {
            (Change::Bind { .. }, Some(_)) => Err(anyhow!(
                "{} is bound to {} already",
                word(upper),
                word(lower)
            )),
            (Change::Unbind { .. }, None) => {
                Err(anyhow!("{} is not bound to {}", word(upper), word(lower)))
            }
            (Change::Bind { .. }, None) if upper == lower => {
                Err(anyhow!("{} cannot be on top of itself", word(upper)))
            }
            (Change::Bind { .. }, None) => {
                let mut ends = [None; 2];
                for block in &mut graph.blocks {
                    if block.name == *upper {
                        ends[0] = Some(grow(&mut block.ports.egress));
                    } else if block.name == *lower {
                        ends[1] = Some(grow(&mut block.ports.ingress));
                    }
                }
                let [egress, ingress] = ends;
                graph.bindings.insert(Binding {
                    upper: upper.clone(),
                    lower: lower.clone(),
                    egress,
                    ingress,
                });
                Ok(command("bind"))
            }
            (Change::Unbind { .. }, Some(binding)) => {
                graph.bindings.remove(&binding);
                for block in &mut graph.blocks {
                    if block.name == *upper {
                        block
                            .ports
                            .egress
                            .retain(|port| Some(*port) != binding.egress);
                    } else if block.name == *lower {
                        block
                            .ports
                            .ingress
                            .retain(|port| Some(*port) != binding.ingress);
                    }
                }
                Ok(command("unbind"))
            }
        }
    }
}

/// Adds a port behind the others.
fn grow(ports: &mut Vec<u32>) -> u32 {
    let next = ports.last().map_or(0, |last| last.saturating_add(1));
    ports.push(next);
    next
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{picture::model::Readout, show::tests::sample};

    fn wish(text: &str) -> Result<Wish> {
        Wish::read(text.as_bytes())
    }

    #[test]
    fn a_preview_is_what_would_be() {
        let readout = Readout {
            fbs: sample(),
            ..Readout::default()
        };
        let graph = readout.graph();
        let text = r#"{"changes": [
            {"change": "unbind", "upper": "fb3", "lower": "fb2"},
            {"change": "bind", "upper": "fb3", "lower": "eth0"}
        ]}"#;
        let preview = wish(text).unwrap().preview(&graph).unwrap();
        assert_eq!(
            preview.commands,
            ["fbctl unbind fb3 fb2", "fbctl bind fb3 eth0"]
        );
        let bindings: Vec<_> = preview
            .graph
            .bindings
            .iter()
            .map(|b| (b.upper.as_str(), b.lower.as_str()))
            .collect();
        assert_eq!(bindings, [("fb2", "eth0"), ("fb3", "eth0")]);
        assert!(!wish(text).unwrap().transaction().unwrap().is_empty());
        for (upper, lower, why) in [
            ("fb2", "eth0", "fb2 is bound to eth0 already"),
            ("x", "eth0", "no block x"),
            ("fb2", "fb2", "fb2 cannot be on top of itself"),
        ] {
            let text = format!(
                r#"{{"changes": [{{"change": "bind", "upper": "{upper}", "lower": "{lower}"}}]}}"#
            );
            assert_eq!(
                wish(&text)
                    .unwrap()
                    .preview(&graph)
                    .unwrap_err()
                    .to_string(),
                why
            );
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "{}",
            r#"{"changes": []}"#,
            r#"{"changes": [{"change": "rm", "name": "x"}]}"#,
        ] {
            assert!(wish(text).is_err(), "{text}");
        }
    }
}
