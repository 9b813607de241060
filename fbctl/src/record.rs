// SPDX-License-Identifier: GPL-2.0

//! The versions of a graph in a file: `fbctl monitor --record FILE` writes it, `fbctl web --replay FILE` shows it.
//! A line of JSON is a version: when it was seen, the events that led to it, and the graph as `fbctl graph json`
//! prints it.

use crate::{
    monitor::in_words,
    picture::model::{state_of, Binding, Block, Device, Graph, Ports, Readout, Role, Subscription},
};
use anyhow::{anyhow, Context, Result};
use lana_cli::usage;
use lana_netlink::{errno_text, spec::EventAttrs, Connection};
use serde::Serialize;
use serde_json::Value;
use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    mem,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// A version.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Version {
    /// Milliseconds since 1970.
    pub(crate) time: u64,
    pub(crate) events: Vec<String>,
    pub(crate) graph: Graph,
}

/// Milliseconds since 1970.
pub(crate) fn now() -> u64 {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(passed.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

/// The graph without what it counts: of a version only what it is.
pub(crate) fn bare(readout: &Readout, netns: Option<&String>) -> Graph {
    let mut graph = readout.graph();
    graph.netns = netns.cloned();
    for block in &mut graph.blocks {
        block.stats = None;
    }
    graph
}

/// Writes versions as events come.
pub(crate) struct Recorder {
    path: PathBuf,
    file: BufWriter<File>,
    lana: Connection,
    netns: Option<String>,
    last: Option<Graph>,
    /// What has happened since.
    events: Vec<String>,
}

impl Recorder {
    /// Begins a file with the graph as it is.
    pub(crate) fn new(path: &Path, netns: Option<String>) -> Result<Self> {
        let named = || path.display().to_string();
        let file = File::create(path)
            .map_err(|error| usage(errno_text(&error)))
            .with_context(named)?;
        let mut recorder = Recorder {
            path: path.to_owned(),
            file: BufWriter::new(file),
            lana: Connection::open()?,
            netns,
            last: None,
            events: Vec::new(),
        };
        recorder.look()?;
        Ok(recorder)
    }

    /// Writes what has come of an event.
    pub(crate) fn record(&mut self, event: &EventAttrs) -> Result<()> {
        self.events.push(in_words(event));
        self.look()
    }

    /// Writes the graph if it is another one than before.
    fn look(&mut self) -> Result<()> {
        let graph = bare(&Readout::read(&mut self.lana)?, self.netns.as_ref());
        if self.last.as_ref() == Some(&graph) {
            return Ok(());
        }
        let version = Version {
            time: now(),
            events: mem::take(&mut self.events),
            graph,
        };
        let line = serde_json::to_string(&version)? + "\n";
        let written = self
            .file
            .write_all(line.as_bytes())
            .and_then(|()| self.file.flush());
        let named = || self.path.display().to_string();
        written
            .map_err(|error| usage(errno_text(&error)))
            .with_context(named)?;
        self.last = Some(version.graph);
        Ok(())
    }
}

/// Reads all versions of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<Version>> {
    let named = || path.display().to_string();
    let text = fs::read_to_string(path)
        .map_err(|error| usage(errno_text(&error)))
        .with_context(named)?;
    let version = |(number, line): (usize, &str)| {
        let parsed = serde_json::from_str(line)
            .ok()
            .and_then(|value| version(&value));
        parsed.ok_or_else(|| {
            usage(format!(
                "{}:{}: this is no version of a graph",
                named(),
                number + 1
            ))
        })
    };
    let versions = text
        .lines()
        .enumerate()
        .map(version)
        .collect::<Result<Vec<_>>>()?;
    if versions.is_empty() {
        return Err(anyhow!(usage("it has no version of a graph"))).with_context(named);
    }
    Ok(versions)
}

fn version(value: &Value) -> Option<Version> {
    let events = value.get("events")?.as_array()?.iter();
    Some(Version {
        time: value.get("time")?.as_u64()?,
        events: events
            .map(|event| event.as_str().map(str::to_owned))
            .collect::<Option<_>>()?,
        graph: graph(value.get("graph")?)?,
    })
}

fn graph(value: &Value) -> Option<Graph> {
    let all = |key: &str| value.get(key).and_then(Value::as_array);
    let mut graph = Graph {
        netns: value
            .get("netns")
            .and_then(Value::as_str)
            .map(str::to_owned),
        blocks: all("blocks")?.iter().map(block).collect::<Option<_>>()?,
        ..Graph::default()
    };
    for value in all("bindings")? {
        graph.bindings.insert(Binding {
            upper: text(value, "upper")?,
            lower: text(value, "lower")?,
            egress: number(value, "egress"),
            ingress: number(value, "ingress"),
        });
    }
    for value in all("subscriptions")? {
        graph.subscriptions.insert(Subscription {
            subscriber: text(value, "subscriber")?,
            publisher: text(value, "publisher")?,
        });
    }
    // The ports of a block are those that are bound.
    for block in &mut graph.blocks {
        let of = |name: &String| *name == block.name;
        let above = graph.bindings.iter().filter(|binding| of(&binding.lower));
        let below = graph.bindings.iter().filter(|binding| of(&binding.upper));
        let mut ports = Ports {
            ingress: above.filter_map(|binding| binding.ingress).collect(),
            egress: below.filter_map(|binding| binding.egress).collect(),
        };
        ports.ingress.sort_unstable();
        ports.egress.sort_unstable();
        block.ports = ports;
    }
    Some(graph)
}

fn block(value: &Value) -> Option<Block> {
    let device = |value: &Value| {
        Some(Role::Device(Device {
            ifname: text(value, "ifname")?,
            state: text(value, "state").and_then(|state| state_of(&state)),
            carrier: text(value, "carrier"),
            id: number(value, "id"),
            xdp: value.get("xdp")?.as_bool()?,
        }))
    };
    Some(Block {
        name: text(value, "name")?,
        kind: text(value, "type")?,
        idp: number(value, "idp")?,
        role: match (value.get("device"), value.get("socket")) {
            (Some(value), _) => device(value)?,
            (None, Some(inode)) => Role::Socket(inode.as_u64()?),
            (None, None) => Role::None {},
        },
        stats: None,
        rate: None,
        ports: Ports::default(),
    })
}

fn text(value: &Value, key: &str) -> Option<String> {
    Some(value.get(key)?.as_str()?.to_owned())
}

fn number(value: &Value, key: &str) -> Option<u32> {
    u32::try_from(value.get(key)?.as_u64()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::tests::sample;
    use lana_netlink::{wire::Flag, LinkState, Vlink};

    #[test]
    fn what_is_written_is_read() {
        let mut fbs = sample();
        fbs[0].ifname = Some("lan7".into());
        fbs[1].inode = Some(99);
        // As the kernel tells of them: no port that is not bound.
        for fb in &mut fbs {
            fb.port.retain(|port| port.peer_name.is_some());
        }
        let readout = Readout {
            fbs,
            vlinks: vec![Vlink {
                idp: Some(1),
                carrier: Some("wan0".into()),
                id: Some(10),
                xdp: Some(Flag),
                ..Default::default()
            }],
            links: [("lan7".to_owned(), LinkState::NoCarrier)].into(),
            interrupted: false,
        };
        let mut graph = bare(&readout, Some(&"red".to_owned()));
        for block in &mut graph.blocks {
            block.ports.ingress.sort_unstable();
        }
        let written = Version {
            time: 5,
            events: vec!["added a".into()],
            graph,
        };
        let json = serde_json::to_value(&written).unwrap();
        assert_eq!(version(&json).unwrap(), written);
    }

    #[test]
    fn a_wrong_line_is_named() {
        let path = std::env::temp_dir().join(format!("fbctl-record-{}", std::process::id()));
        let good =
            r#"{"time":1,"events":[],"graph":{"blocks":[],"bindings":[],"subscriptions":[]}}"#;
        fs::write(&path, format!("{good}\n{good}\n")).unwrap();
        assert_eq!(read(&path).unwrap().len(), 2);
        for (text, said) in [
            (
                format!("{good}\n{{}}\n"),
                ":2: this is no version of a graph",
            ),
            (String::new(), ": it has no version of a graph"),
        ] {
            fs::write(&path, text).unwrap();
            let error = format!("{:#}", read(&path).unwrap_err());
            assert_eq!(error, format!("{}{said}", path.display()));
        }
        fs::remove_file(&path).unwrap();
        assert!(read(&path).is_err());
    }
}
