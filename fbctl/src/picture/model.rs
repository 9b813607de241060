// SPDX-License-Identifier: GPL-2.0

//! The graph as pictures and programs get it: blocks with what they stand for, bindings with their ports, counters and
//! rates.

use lana_netlink::{
    links,
    spec::{Direction, DropReason, StatsAttrs},
    wire::Value,
    Connection, Fb, LinkState, Vlink,
};
use serde::{Serialize, Serializer};
use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

/// The graph of a namespace.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Graph {
    /// The name that the namespace was asked for by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) netns: Option<String>,
    /// Over how long the rates are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seconds: Option<f64>,
    pub(crate) blocks: Vec<Block>,
    pub(crate) bindings: BTreeSet<Binding>,
    pub(crate) subscriptions: BTreeSet<Subscription>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Block {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) idp: u32,
    /// What it stands for, if for something outside of the graph.
    #[serde(flatten)]
    pub(crate) role: Role,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stats: Option<StatsAttrs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rate: Option<Rate>,
    /// The numbers of its ports, bound or not.
    #[serde(skip)]
    pub(crate) ports: Ports,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ports {
    /// At its upper side.
    pub(crate) ingress: Vec<u32>,
    /// At its lower side.
    pub(crate) egress: Vec<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Role {
    /// A device.
    Device(Device),
    /// A socket, by its inode.
    Socket(u64),
    /// Nothing.
    #[serde(untagged)]
    None {},
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Device {
    pub(crate) ifname: String,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "state_name")]
    pub(crate) state: Option<LinkState>,
    /// The device that a virtual one shares with others, and its number there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) carrier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<u32>,
    /// Packets enter as frames of its driver.
    pub(crate) xdp: bool,
}

/// What a block does in a second.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Rate {
    pub(crate) packets: f64,
    pub(crate) bytes: f64,
    /// The packets that it drops, by reason.
    pub(crate) drop: Vec<DropRate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct DropRate {
    pub(crate) reason: Value<DropReason>,
    pub(crate) packets: f64,
}

/// A binding by the names of its blocks, with the numbers of the ports, as far as they are known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Binding {
    pub(crate) upper: String,
    pub(crate) lower: String,
    /// The port of the upper block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) egress: Option<u32>,
    /// The port of the lower block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ingress: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Subscription {
    pub(crate) subscriber: String,
    pub(crate) publisher: String,
}

/// What it is called in pictures and JSON.
pub(crate) fn state_text(state: LinkState) -> &'static str {
    match state {
        LinkState::Up => "up",
        LinkState::NoCarrier => "no-carrier",
        LinkState::Down => "down",
    }
}

/// The state that is called so.
pub(crate) fn state_of(text: &str) -> Option<LinkState> {
    let states = [LinkState::Up, LinkState::NoCarrier, LinkState::Down];
    states.into_iter().find(|state| state_text(*state) == text)
}

#[expect(
    clippy::ref_option,
    clippy::trivially_copy_pass_by_ref,
    reason = "so says serde"
)]
fn state_name<S: Serializer>(state: &Option<LinkState>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(state.map_or("", state_text))
}

/// What the kernel tells of a graph at a moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Readout {
    pub(crate) fbs: Vec<Fb>,
    pub(crate) vlinks: Vec<Vlink>,
    pub(crate) links: HashMap<String, LinkState>,
    /// The graph kept changing while it was read.
    pub(crate) interrupted: bool,
}

impl Readout {
    pub(crate) fn read(lana: &mut Connection) -> Result<Self, lana_netlink::Error> {
        let fbs = lana.fbs()?;
        let devices = fbs.items.iter().any(|fb| fb.ifname.is_some());
        Ok(Readout {
            interrupted: fbs.interrupted,
            vlinks: if devices {
                lana.vlinks()?.items
            } else {
                Vec::new()
            },
            links: if devices { links()? } else { HashMap::new() },
            fbs: fbs.items,
        })
    }

    pub(crate) fn graph(&self) -> Graph {
        let vlinks = self.vlinks.iter();
        let vlinks: HashMap<_, _> = vlinks
            .filter_map(|vlink| Some((vlink.idp?, vlink)))
            .collect();
        let names: HashMap<_, _> = self
            .fbs
            .iter()
            .filter_map(|fb| Some((fb.idp?, name(fb))))
            .collect();
        let mut graph = Graph::default();
        let mut ports = HashMap::new();
        for fb in &self.fbs {
            ends(fb, &mut ports);
            for publisher in fb.publisher.iter().filter_map(|idp| names.get(idp)) {
                graph.subscriptions.insert(Subscription {
                    subscriber: name(fb).to_owned(),
                    publisher: (*publisher).to_owned(),
                });
            }
            let vlink = fb.idp.and_then(|idp| vlinks.get(&idp));
            graph.blocks.push(Block {
                name: name(fb).to_owned(),
                kind: fb.r#type.clone().unwrap_or_default(),
                idp: fb.idp.unwrap_or_default(),
                role: self.role(fb, vlink.copied()),
                stats: fb.stats.clone(),
                rate: None,
                ports: Ports {
                    ingress: numbers(fb, Direction::Ingress),
                    egress: numbers(fb, Direction::Egress),
                },
            });
        }
        // One of the ends may be that of a block that has gone meanwhile.
        let known: BTreeSet<_> = names.into_values().collect();
        ports.retain(|(upper, lower), _| known.contains(upper) && known.contains(lower));
        let binding = |((upper, lower), (egress, ingress)): ((&str, &str), End)| Binding {
            upper: upper.to_owned(),
            lower: lower.to_owned(),
            egress,
            ingress,
        };
        graph.bindings = ports.into_iter().map(binding).collect();
        graph
    }

    fn role(&self, fb: &Fb, vlink: Option<&Vlink>) -> Role {
        if let Some(inode) = fb.inode {
            return Role::Socket(inode);
        }
        let Some(ifname) = &fb.ifname else {
            return Role::None {};
        };
        Role::Device(Device {
            ifname: ifname.clone(),
            state: self.links.get(ifname).copied(),
            carrier: vlink.and_then(|vlink| vlink.carrier.clone()),
            id: vlink.and_then(|vlink| vlink.id),
            xdp: vlink.is_some_and(|vlink| vlink.xdp.is_some()),
        })
    }
}

fn name(fb: &Fb) -> &str {
    fb.name.as_deref().unwrap_or_default()
}

/// The numbers of the ports of a direction, in their order.
fn numbers(fb: &Fb, direction: Direction) -> Vec<u32> {
    let ours = fb
        .port
        .iter()
        .filter(|port| port.direction == Some(Value::Known(direction)));
    let mut numbers: Vec<_> = ours.filter_map(|port| port.index).collect();
    numbers.sort_unstable();
    numbers
}

/// Egress port of the upper block, ingress port of the lower one.
type End = (Option<u32>, Option<u32>);

/// Notes the ports by which a block is bound. Both ends tell of a binding.
fn ends<'a>(fb: &'a Fb, ports: &mut HashMap<(&'a str, &'a str), End>) {
    for port in &fb.port {
        let Some(peer) = port.peer_name.as_deref() else {
            continue;
        };
        match port.direction {
            Some(Value::Known(Direction::Ingress)) => {
                ports.entry((peer, name(fb))).or_default().1 = port.index;
            }
            Some(Value::Known(Direction::Egress)) => {
                ports.entry((name(fb), peer)).or_default().0 = port.index;
            }
            _ => {}
        }
    }
}

impl Graph {
    /// Adds the rates since an earlier readout.
    pub(crate) fn add_rates(&mut self, before: &Readout, passed: Duration) {
        let before = before.fbs.iter().filter_map(|fb| Some((fb.idp?, fb)));
        let before: HashMap<_, _> = before.collect();
        self.seconds = Some((passed.as_secs_f64() * 1000.0).round() / 1000.0);
        for block in &mut self.blocks {
            let old = before.get(&block.idp);
            let old = old.filter(|old| old.name.as_deref() == Some(&block.name));
            block.rate = old
                .zip(block.stats.as_ref())
                .and_then(|(old, now)| Rate::between(old.stats.as_ref()?, now, passed));
        }
    }
}

impl Rate {
    /// Nothing if the counters have begun anew.
    fn between(old: &StatsAttrs, now: &StatsAttrs, passed: Duration) -> Option<Rate> {
        let rate = |old: u64, now: u64| Some(per_second(now.checked_sub(old)?, passed));
        let drop = now.drop.iter().filter_map(|drop| {
            let reason = drop.reason?;
            let old = old.drop.iter().find(|old| old.reason == Some(reason));
            let old = old.and_then(|old| old.packets).unwrap_or(0);
            let packets = rate(old, drop.packets.unwrap_or(0))?;
            Some(DropRate { reason, packets })
        });
        Some(Rate {
            packets: rate(old.packets.unwrap_or(0), now.packets.unwrap_or(0))?,
            bytes: rate(old.bytes.unwrap_or(0), now.bytes.unwrap_or(0))?,
            drop: drop.filter(|drop| drop.packets > 0.0).collect(),
        })
    }
}

/// What a picture says of the packets that a block drops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Loss {
    /// How many and why, where there is one reason.
    pub(crate) text: String,
    /// There is more than what filters are for, and more than packets that have arrived at the end.
    pub(crate) bad: bool,
    /// Each reason, with its number, from the largest one on; and whether it is a bad one.
    pub(crate) reasons: Vec<(String, bool)>,
}

/// Filters are for such drops, and packets that have arrived at the end have them.
pub(crate) fn is_usual(reason: Value<DropReason>) -> bool {
    [DropReason::Filtered, DropReason::Unbound]
        .map(Value::Known)
        .contains(&reason)
}

impl Loss {
    /// Of drops by reason; behind the number goes `unit`.
    pub(crate) fn of(drops: &[(Value<DropReason>, f64)], unit: &str) -> Option<Loss> {
        let total: f64 = drops.iter().map(|(_, packets)| packets).sum();
        let (first, more) = drops.split_first()?;
        let why = if more.is_empty() {
            first.0.to_string()
        } else {
            "dropped".to_owned()
        };
        let mut reasons = drops.to_vec();
        reasons.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        let reasons = reasons.into_iter().map(|(reason, packets)| {
            let text = format!("{}{unit} {reason}", short(packets));
            (text, !is_usual(reason))
        });
        Some(Loss {
            reasons: reasons.collect(),
            text: format!("{}{unit} {why}", short(total)),
            bad: drops.iter().any(|(reason, _)| !is_usual(*reason)),
        })
    }
}

impl Block {
    /// Whether packets come: now, as far as that is known, else since it was made.
    pub(crate) fn is_busy(&self) -> bool {
        let ever = self.stats.as_ref().and_then(|stats| stats.packets);
        let now = self.rate.as_ref().map(|rate| rate.packets > 0.0);
        now.unwrap_or(ever.is_some_and(|packets| packets > 0))
    }

    /// The packets that it has dropped.
    pub(crate) fn loss(&self) -> Option<Loss> {
        let drops = self.stats.as_ref()?.drop.iter();
        let drops = drops.filter_map(|drop| Some((drop.reason?, drop.packets.filter(|n| *n > 0)?)));
        let drops: Vec<_> = drops
            .map(|(reason, packets)| (reason, float(packets)))
            .collect();
        Loss::of(&drops, "")
    }

    /// Those that it drops in a second.
    pub(crate) fn loss_rate(&self) -> Option<Loss> {
        let drops = self.rate.as_ref()?.drop.iter();
        let drops: Vec<_> = drops.map(|drop| (drop.reason, drop.packets)).collect();
        Loss::of(&drops, "/s")
    }
}

/// A number with at most four characters and the letter of its magnitude.
pub(crate) fn short(number: f64) -> String {
    let mut number = number;
    for unit in ["", "k", "M", "G", "T"] {
        if number < 999.95 {
            let digits = usize::from(number < 99.95 && (number - number.round()).abs() >= 0.05);
            return format!("{number:.digits$}{unit}");
        }
        number /= 1000.0;
    }
    format!("{number:.0}P")
}

fn per_second(count: u64, passed: Duration) -> f64 {
    let rate = float(count) / passed.as_secs_f64().max(0.001);
    (rate * 10.0).round() / 10.0
}

#[expect(
    clippy::cast_precision_loss,
    reason = "for people, who see three digits"
)]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}
