// SPDX-License-Identifier: GPL-2.0

//! The ways that a packet can have gone through the graph, by where and after how many blocks it was dropped.
//!
//! The kernel keeps no list of the blocks that a packet has passed: that would cost each of them. It counts
//! them, and the count and the bindings leave few ways, mostly one.

use lana_netlink::{spec::Direction, wire::Value, Fb};
use std::collections::{BTreeMap, BTreeSet};

/// Where packets come in, and where they can go from each block.
pub(crate) struct Graph {
    names: BTreeMap<u32, String>,
    entries: Vec<u32>,
    next: BTreeMap<(u32, Direction), Vec<u32>>,
}

/// More ways are not told.
pub(crate) const MOST: usize = 8;

impl Graph {
    pub(crate) fn new(fbs: &[Fb]) -> Self {
        let mut graph = Graph {
            names: BTreeMap::new(),
            entries: Vec::new(),
            next: BTreeMap::new(),
        };
        for fb in fbs {
            let (Some(idp), Some(name)) = (fb.idp, &fb.name) else {
                continue;
            };
            graph.names.insert(idp, name.clone());
            // It stands for a device or a socket.
            if fb.ifname.is_some() || fb.inode.is_some() {
                graph.entries.push(idp);
            }
            for port in &fb.port {
                if let (Some(Value::Known(direction)), Some(peer)) = (port.direction, port.peer) {
                    graph.next.entry((idp, direction)).or_default().push(peer);
                }
            }
        }
        graph
    }

    /// The ways to `at` of `hops` steps, each as the names of its blocks: those without a turn where there
    /// are any, else all, [`MOST`] at most.
    pub(crate) fn ways(&self, at: u32, hops: u32) -> Vec<Vec<&str>> {
        let mut ways = BTreeSet::new();
        for straight in [true, false] {
            for &entry in &self.entries {
                for direction in [Direction::Ingress, Direction::Egress] {
                    let mut way = vec![entry];
                    self.follow(direction, straight, (at, hops), &mut way, &mut ways);
                }
            }
            if !ways.is_empty() {
                break;
            }
        }
        let name = |idp: &u32| self.names.get(idp).map_or("?", String::as_str);
        ways.iter()
            .map(|way| way.iter().map(name).collect())
            .collect()
    }

    fn follow(
        &self,
        direction: Direction,
        straight: bool,
        (at, hops): (u32, u32),
        way: &mut Vec<u32>,
        found: &mut BTreeSet<Vec<u32>>,
    ) {
        // From behind: which blocks can be at each step, so that no step is taken that leads nowhere.
        let reach = self.reach(at, hops, straight.then_some(direction));
        self.walk(direction, straight, &reach, way, found);
    }

    /// By steps that are left: the blocks from which `at` is reached with exactly these.
    fn reach(&self, at: u32, hops: u32, only: Option<Direction>) -> Vec<BTreeSet<u32>> {
        let mut reach = vec![BTreeSet::from([at])];
        for _ in 0..hops {
            let last = reach.last().cloned().unwrap_or_default();
            let leads = |((from, direction), to): (&(u32, Direction), &Vec<u32>)| {
                let meant = only.is_none_or(|only| only == *direction);
                (meant && to.iter().any(|idp| last.contains(idp))).then_some(*from)
            };
            reach.push(self.next.iter().filter_map(leads).collect());
        }
        reach
    }

    fn walk(
        &self,
        direction: Direction,
        straight: bool,
        reach: &[BTreeSet<u32>],
        way: &mut Vec<u32>,
        found: &mut BTreeSet<Vec<u32>>,
    ) {
        let Some((here, nearer)) = reach.split_last() else {
            return;
        };
        let Some(&block) = way.last() else { return };
        if found.len() == MOST || !here.contains(&block) {
            return;
        }
        if nearer.is_empty() {
            found.insert(way.clone());
            return;
        }
        for towards in [direction, direction.other()] {
            if straight && towards != direction {
                continue;
            }
            for &next in self.next.get(&(block, towards)).into_iter().flatten() {
                way.push(next);
                self.walk(towards, straight, nearer, way, found);
                way.pop();
            }
        }
    }
}

/// The other one of two.
trait Other {
    fn other(self) -> Self;
}

impl Other for Direction {
    fn other(self) -> Self {
        match self {
            Direction::Ingress => Direction::Egress,
            Direction::Egress => Direction::Ingress,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lana_netlink::spec::PortAttrs;

    fn fb(idp: u32, device: bool, up: &[u32], down: &[u32]) -> Fb {
        let port = |direction| {
            move |peer: &u32| PortAttrs {
                direction: Some(Value::Known(direction)),
                peer: Some(*peer),
                ..Default::default()
            }
        };
        let ups = up.iter().map(port(Direction::Ingress));
        Fb {
            idp: Some(idp),
            name: Some(format!("b{idp}")),
            ifname: device.then(|| format!("b{idp}")),
            port: ups
                .chain(down.iter().map(port(Direction::Egress)))
                .collect(),
            ..Default::default()
        }
    }

    fn ways(fbs: &[Fb], at: u32, hops: u32) -> Vec<String> {
        let graph = Graph::new(fbs);
        graph
            .ways(at, hops)
            .iter()
            .map(|way| way.join(" "))
            .collect()
    }

    #[test]
    fn a_tee_has_two_ways() {
        // b1 - b2 - (b3 | b4 - b3)
        let fbs = [
            fb(1, true, &[2], &[]),
            fb(2, false, &[3, 4], &[1]),
            fb(3, false, &[], &[2, 4]),
            fb(4, false, &[3], &[2]),
        ];
        assert_eq!(ways(&fbs, 3, 2), ["b1 b2 b3"]);
        assert_eq!(ways(&fbs, 3, 3), ["b1 b2 b4 b3"]);
        assert_eq!(ways(&fbs, 1, 0), ["b1"]);
        // Up and back again, as an echo goes.
        assert_eq!(ways(&fbs, 1, 2), ["b1 b2 b1"]);
        assert!(ways(&fbs, 4, 1).is_empty());
    }

    #[test]
    fn many_ways_are_cut() {
        let fbs = [
            fb(1, true, &[2, 2], &[]),
            fb(2, false, &[1, 2, 3], &[1]),
            fb(3, false, &[2, 3], &[]),
        ];
        assert_eq!(ways(&fbs, 3, 200).len(), MOST);
        assert!(Graph::new(&[]).ways(1, 5).is_empty());
    }
}
