// SPDX-License-Identifier: GPL-2.0

//! What is different in a picture: a page that has the old one needs no more than that.

use super::feed::VersionInfo;
use crate::picture::{
    model::Graph,
    scene::{Box, Line, PortLabel, Scene},
};
use serde::Serialize;
use std::collections::{HashMap, HashSet};

/// What a page has to draw anew.
#[derive(Debug, Serialize)]
pub(super) struct Change<'a> {
    version: &'a VersionInfo,
    width: f64,
    height: f64,
    /// New ones, and others than before.
    boxes: Vec<&'a Box>,
    lines: Vec<PageLine<'a>>,
    /// The names of boxes and lines that are no more.
    gone_boxes: Vec<&'a str>,
    gone_lines: Vec<String>,
}

/// A line, with the names of its boxes.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct PageLine<'a> {
    id: String,
    lower: &'a str,
    upper: &'a str,
    loose: bool,
    path: &'a str,
    ports: &'a [PortLabel],
}

/// What does not change.
#[derive(Debug, Serialize)]
pub(super) struct Head {
    netns: Option<String>,
}

impl Head {
    pub(super) fn new(graph: &Graph) -> Self {
        Head {
            netns: graph.netns.clone(),
        }
    }
}

impl<'a> Change<'a> {
    pub(super) fn new(old: &'a Scene, new: &'a Scene, version: &'a VersionInfo) -> Self {
        let known: HashMap<_, _> = old.boxes.iter().map(|of| (of.name.as_str(), of)).collect();
        let boxes = new
            .boxes
            .iter()
            .filter(|of| known.get(of.name.as_str()) != Some(of));
        let there: HashSet<_> = new.boxes.iter().map(|of| of.name.as_str()).collect();
        let gone = old.boxes.iter().map(|of| of.name.as_str());
        let old_lines: HashMap<_, _> = old
            .lines
            .iter()
            .map(|line| PageLine::new(line, old))
            .map(by_id)
            .collect();
        let new_lines: Vec<_> = new
            .lines
            .iter()
            .map(|line| PageLine::new(line, new))
            .collect();
        let there_lines: HashSet<_> = new_lines.iter().map(|line| line.id.clone()).collect();
        let gone_lines = old_lines.keys().filter(|id| !there_lines.contains(*id));
        let mut gone_lines: Vec<_> = gone_lines.cloned().collect();
        gone_lines.sort_unstable();
        Change {
            version,
            width: new.width,
            height: new.height,
            boxes: boxes.collect(),
            lines: new_lines
                .into_iter()
                .filter(|line| old_lines.get(&line.id) != Some(line))
                .collect(),
            gone_boxes: gone.filter(|name| !there.contains(name)).collect(),
            gone_lines,
        }
    }
}

fn by_id(line: PageLine<'_>) -> (String, PageLine<'_>) {
    (line.id.clone(), line)
}

impl<'a> PageLine<'a> {
    fn new(line: &'a Line, scene: &'a Scene) -> Self {
        let name = |number: usize| scene.boxes.get(number).map_or("", |of| of.name.as_str());
        let (lower, upper) = (name(line.lower), name(line.upper));
        // No name has a space.
        let id = format!("{upper} {} {lower}", if line.loose { "~" } else { "-" });
        PageLine {
            id,
            lower,
            upper,
            loose: line.loose,
            path: &line.path,
            ports: &line.ports,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        picture::{model::Readout, scene::Room},
        show::tests::sample,
    };

    #[test]
    fn only_what_is_different_is_told() {
        let mut readout = Readout {
            fbs: sample(),
            ..Readout::default()
        };
        let whole = Scene::new(&readout.graph(), Room::ALL, &[]);
        let info = VersionInfo::default();
        let first = Scene::default();
        let begin = Change::new(&first, &whole, &info);
        assert_eq!((begin.boxes.len(), begin.lines.len()), (3, 3));
        let same = Change::new(&whole, &whole, &info);
        assert!(same.boxes.is_empty() && same.lines.is_empty() && same.gone_boxes.is_empty());
        readout.fbs.pop();
        let less = Scene::new(&readout.graph(), Room::ALL, &[]);
        let change = Change::new(&whole, &less, &info);
        assert_eq!(change.gone_boxes, ["fb3"]);
        assert_eq!(change.gone_lines, ["fb3 - fb2", "fb3 ~ eth0"]);
        assert_eq!(Head::new(&readout.graph()).netns, None);
    }
}
