// SPDX-License-Identifier: GPL-2.0

//! Graphs as the kernel would have them, and what is said to change between two of them.

use super::*;
use crate::{document, model::ByName, order::order};
use indexmap::{IndexMap, IndexSet};
use lana_cli::previous::{Source, Values};
use lana_netlink::{spec::TypeOptionAttrs, Device as Which, Fb, Op, Type};
use std::collections::BTreeMap;

/// A graph that does as the kernel does.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    blocks: IndexMap<String, Instance>,
    /// In the order in which they were made.
    bindings: IndexSet<(String, String)>,
    subscriptions: IndexSet<(String, String)>,
    /// How many blocks were made.
    made: u32,
    /// The virtual devices that go at the end of the transaction.
    going: Vec<Link>,
    /// The hooked devices that were unhooked, and keep their mode up to there.
    leaving: Vec<Link>,
}

#[derive(Debug, Clone)]
struct Instance {
    kind: String,
    device: Option<Link>,
    options: BTreeMap<String, String>,
    /// What was set for ports, and is to be when the transaction ends.
    asked: Vec<(String, String)>,
    /// Another one has another number.
    number: u32,
}

impl Instance {
    fn set(&mut self, key: &str, value: &str) {
        match value {
            "" => self.options.remove(key),
            value => self.options.insert(key.to_owned(), value.to_owned()),
        };
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Link {
    subsystem: String,
    /// The present name.
    ifname: String,
    /// Carrier and id of a virtual one.
    share: Option<(String, u8)>,
    xdp: bool,
}

/// What can be seen of a block: type, device, options, ports of either direction, publishers.
type Shape = (
    String,
    Option<Link>,
    BTreeMap<String, String>,
    [Vec<String>; 3],
);

impl Model {
    pub(crate) fn add(&mut self, name: &str, kind: &str) {
        self.made += 1;
        let instance = Instance {
            kind: kind.to_owned(),
            device: None,
            options: BTreeMap::new(),
            asked: Vec::new(),
            number: self.made,
        };
        let before = self.blocks.insert(name.to_owned(), instance);
        assert!(before.is_none(), "'{name}' exists already");
    }

    fn hook(&mut self, name: &str) {
        self.hook_as(name, name, false);
    }

    fn hook_as(&mut self, name: &str, ifname: &str, xdp: bool) {
        let leaving = self.leaving.iter().find(|link| link.ifname == ifname);
        assert!(
            leaving.is_none_or(|link| link.xdp == xdp),
            "{ifname} stays as it is"
        );
        self.connect(name, ifname, "eth", None);
        self.blocks[name].device.as_mut().unwrap().xdp = xdp;
    }

    fn make(&mut self, name: &str, carrier: &str, id: u8) {
        self.make_as(name, name, carrier, id);
    }

    fn make_as(&mut self, name: &str, ifname: &str, carrier: &str, id: u8) {
        let share = Some((carrier.to_owned(), id));
        assert!(!self.links().any(|l| l.share == share), "{id} is taken");
        self.connect(name, ifname, "ethvlink", share);
    }

    fn connect(&mut self, name: &str, ifname: &str, kind: &str, share: Option<(String, u8)>) {
        assert!(
            !self.links().any(|l| l.ifname == ifname),
            "{ifname} is there"
        );
        self.add(name, kind);
        self.blocks[name].device = Some(Link {
            subsystem: "ethernet".to_owned(),
            ifname: ifname.to_owned(),
            share,
            xdp: false,
        });
    }

    /// The device of a block gets another name.
    fn rename(&mut self, name: &str, ifname: &str) {
        self.blocks[name].device.as_mut().unwrap().ifname = ifname.to_owned();
    }

    /// The devices that are there.
    fn links(&self) -> impl Iterator<Item = &Link> {
        let present = self.blocks.values().filter_map(|b| b.device.as_ref());
        present.chain(&self.going)
    }

    /// Removes the block of a device.
    fn disconnect(&mut self, device: Which<'_>) -> Link {
        let Which::Block(name) = device else {
            panic!("nobody asks for that")
        };
        let link = self.blocks[name].device.clone().expect("not connected");
        self.remove(name);
        link
    }

    /// Does what a refusal says is to be done first: a device goes, with all that is bound to it.
    fn heed(&mut self, refusal: &str) {
        let (_, advice) = refusal.split_once(" it first (vlink ethernet ").unwrap();
        let (verb, ifname) = advice.trim_end_matches(')').split_once(' ').unwrap();
        let gone = |link: &Link| match verb {
            "rm" => link.ifname == ifname && link.share.is_some(),
            _ => link.ifname == ifname && link.share.is_none(),
        };
        let count = self.blocks.len();
        self.blocks
            .retain(|_, block| !block.device.as_ref().is_some_and(gone));
        assert_eq!(self.blocks.len() + 1, count, "{refusal}");
        let blocks = &self.blocks;
        let stays =
            |pair: &(String, String)| [&pair.0, &pair.1].iter().all(|n| blocks.contains_key(*n));
        self.bindings.retain(stays);
        self.subscriptions.retain(stays);
    }

    fn remove(&mut self, name: &str) {
        let ours = |pair: &(String, String)| pair.0 == name || pair.1 == name;
        assert!(!self.bindings.iter().any(ours), "'{name}' is bound");
        assert!(
            !self.subscriptions.iter().any(ours),
            "'{name}' is subscribed"
        );
        assert!(
            self.blocks.shift_remove(name).is_some(),
            "no block '{name}'"
        );
    }

    fn pair(&self, first: &str, second: &str) -> (String, String) {
        for name in [first, second] {
            assert!(self.blocks.contains_key(name), "no block '{name}'");
        }
        assert_ne!(first, second, "to itself");
        (first.to_owned(), second.to_owned())
    }

    pub(crate) fn bind(&mut self, upper: &str, lower: &str) {
        let pair = self.pair(upper, lower);
        assert!(
            self.bindings.insert(pair),
            "{upper} is bound to {lower} already"
        );
    }

    fn unbind(&mut self, upper: &str, lower: &str) {
        let pair = self.pair(upper, lower);
        assert!(
            self.bindings.shift_remove(&pair),
            "{upper} is not bound to {lower}"
        );
    }

    /// What the egress ports of each block lead to: numbers of blocks.
    fn ports(&self) -> BTreeMap<u32, Vec<u32>> {
        let below = |name: &String| {
            let ours = self.bindings.iter().filter(|pair| pair.0 == *name);
            ours.map(|pair| self.blocks[&pair.1].number).collect()
        };
        let blocks = self.blocks.iter();
        let ports = blocks.map(|(name, block)| (block.number, below(name)));
        ports.collect()
    }

    /// A transaction ends: options of ports go with what these lead to, and what was set for their new
    /// numbers is set.
    fn end(&mut self, before: &BTreeMap<u32, Vec<u32>>) {
        self.going.clear();
        self.leaving.clear();
        let after = self.ports();
        for block in self.blocks.values_mut() {
            let none = Vec::new();
            let was = before.get(&block.number).unwrap_or(&none);
            for (key, value) in std::mem::take(&mut block.options) {
                let Some(rest) = key.strip_prefix("port.") else {
                    block.options.insert(key, value);
                    continue;
                };
                let (old, term) = rest.split_once('.').unwrap();
                let old: usize = old.parse().unwrap();
                let new = match was.get(old) {
                    Some(to) => after[&block.number].iter().position(|now| now == to),
                    None => Some(old),
                };
                if let Some(new) = new {
                    block.options.insert(format!("port.{new}.{term}"), value);
                }
            }
            for (key, value) in std::mem::take(&mut block.asked) {
                block.set(&key, &value);
            }
        }
    }

    fn perform(&mut self, op: &Op<'_>) {
        match op {
            Op::FbNew { name, kind } => self.add(name, kind),
            Op::FbDel { name } => {
                assert!(self.blocks[*name].device.is_none(), "{name} is a device");
                self.remove(name);
            }
            Op::FbSet { name, key, value } if key.starts_with("port.") => {
                let asked = ((*key).to_owned(), value.trim_end().to_owned());
                self.blocks[*name].asked.push(asked);
            }
            Op::FbSet { name, key, value } => self.blocks[*name].set(key, value.trim_end()),
            Op::Bind { upper, lower } => self.bind(upper, lower),
            Op::Unbind { upper, lower } => self.unbind(upper, lower),
            Op::Subscribe {
                subscriber,
                publisher,
            } => {
                let pair = self.pair(subscriber, publisher);
                assert!(self.subscriptions.insert(pair), "subscribed already");
            }
            Op::Unsubscribe {
                subscriber,
                publisher,
            } => {
                let pair = self.pair(subscriber, publisher);
                assert!(self.subscriptions.swap_remove(&pair), "not subscribed");
            }
            Op::VlinkHook {
                device, block, xdp, ..
            } => {
                let Which::Name(ifname) = device else {
                    panic!("nobody asks for that")
                };
                self.hook_as(block.unwrap_or(ifname), ifname, *xdp);
            }
            Op::VlinkUnhook { device, .. } => {
                let link = self.disconnect(*device);
                assert_eq!(link.share, None);
                self.leaving.push(link);
            }
            Op::VlinkNew {
                ifname,
                carrier,
                id,
                block,
                ..
            } => self.make_as(block.unwrap_or(ifname), ifname, carrier, id.unwrap()),
            Op::VlinkDel { device, .. } => {
                let link = self.disconnect(*device);
                assert!(link.share.is_some());
                self.going.push(link);
            }
            Op::Replace { .. } => panic!("nobody asks for that"),
        }
    }

    /// What can be seen of each block.
    fn shape(&self) -> BTreeMap<&str, Shape> {
        let seconds = |pairs: &IndexSet<(String, String)>, name: &str| -> Vec<String> {
            let ours = pairs.iter().filter(|pair| pair.0 == name);
            ours.map(|pair| pair.1.clone()).collect()
        };
        let shape = |(name, block): (&'_ String, &Instance)| {
            let above = self.bindings.iter().filter(|pair| pair.1 == *name);
            let above = above.map(|pair| pair.0.clone()).collect();
            let below = seconds(&self.bindings, name);
            let mut publishers = seconds(&self.subscriptions, name);
            publishers.sort();
            let lists = [below, above, publishers];
            (
                block.kind.clone(),
                block.device.clone(),
                block.options.clone(),
                lists,
            )
        };
        let blocks = self.blocks.iter();
        blocks
            .map(|entry| (entry.0.as_str(), shape(entry)))
            .collect()
    }

    fn blocks(&self, names: &mut Names) -> crate::model::Blocks<'static> {
        let mut blocks = ByName::default();
        let block = |(name, block): (&String, &Instance)| {
            let settings = block.options.iter().map(|(key, value)| Setting {
                key: names.name(key),
                value: value.clone().into(),
                place: 0,
            });
            let settings = settings.collect();
            let kind = match &block.device {
                Some(link) => Kind::Device(Device {
                    subsystem: names.name(&link.subsystem),
                    ifname: names.name(&link.ifname),
                    share: link.share.as_ref().map(|(carrier, id)| Share {
                        carrier: names.name(carrier),
                        id: *id,
                    }),
                    xdp: link.xdp,
                }),
                None => Kind::Made(names.name(&block.kind)),
            };
            let place = 0;
            let block = Block {
                kind,
                settings,
                place,
            };
            blocks.enter(names.name(name), || block);
        };
        self.blocks.iter().for_each(block);
        blocks
    }

    /// As the kernel shows it.
    pub(crate) fn running(&self, names: &mut Names) -> Running {
        let blocks = self.blocks(names);
        let mut pairs = |pairs: &IndexSet<(String, String)>| -> Vec<Pair> {
            let pair = |(a, b): &(String, String)| (names.name(a), names.name(b));
            pairs.iter().map(pair).collect()
        };
        let (mut egress, subscriptions) = (pairs(&self.bindings), pairs(&self.subscriptions));
        let mut ingress = egress.clone();
        egress.sort_by_key(|pair| blocks.place(pair.0)); // a stable sort
        ingress.sort_by_key(|pair| blocks.place(pair.1));
        let subscriptions = subscriptions.into_iter().collect();
        Running::new(blocks, egress, &ingress, subscriptions).unwrap()
    }

    /// As a file has it.
    fn target(&self, names: &mut Names) -> Target<'static> {
        let blocks = self.blocks(names);
        let mut bonds = |pairs: &IndexSet<(String, String)>| -> Vec<Bond> {
            let bond = |(a, b): &(String, String)| Bond {
                pair: (names.name(a), names.name(b)),
                place: 0,
            };
            pairs.iter().map(bond).collect()
        };
        Target {
            blocks,
            bindings: bonds(&self.bindings),
            subscriptions: bonds(&self.subscriptions),
        }
    }
}

/// Repeatable chance (xorshift64*).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap() % end
    }

    fn name(&mut self) -> &'static str {
        ["a", "b", "c", "d", "e", "f"][self.below(6)]
    }

    /// A graph that was made by so many random steps.
    fn graph(&mut self, steps: usize) -> Model {
        let mut model = Model::default();
        for name in ["a", "b", "c", "d", "e", "f"] {
            match self.below(9) {
                0 => {}
                1 => model.hook_as(name, name, self.below(2) == 0),
                2 => {
                    let share = Some(("wan0".to_owned(), [9, 10, 11, 12][self.below(4)]));
                    if !model.links().any(|link| link.share == share) {
                        model.connect(name, name, "ethvlink", share);
                    }
                }
                kind => model.add(name, ["tee", "dummy"][kind % 2]),
            }
        }
        for _ in 0..steps {
            self.step(&mut model);
        }
        model
    }

    fn step(&mut self, model: &mut Model) {
        let (first, second) = (self.name(), self.name());
        let there = |name| model.blocks.contains_key(name);
        if first == second || !there(first) || !there(second) {
            return;
        }
        let pair = (first.to_owned(), second.to_owned());
        match self.below(9) {
            0 => {
                model.bindings.shift_remove(&pair);
            }
            1 => {
                model.subscriptions.insert(pair);
            }
            2 => {
                let key = ["k", "l"][self.below(2)].to_owned();
                let value = ["1", "2\n3"][self.below(2)].to_owned();
                model.blocks[first].options.insert(key, value);
            }
            3 => {
                let key = format!("port.{}.weight", self.below(4));
                let value = ["2", "3"][self.below(2)].to_owned();
                model.blocks[first].options.insert(key, value);
            }
            _ => {
                model.bindings.insert(pair);
            }
        }
    }
}

/// Makes what runs what is wanted, as the kernel would; gives the changes.
fn try_apply(model: &mut Model, wanted: &Model) -> Result<Vec<String>, String> {
    let mut names = Names::default();
    let (running, target) = (model.running(&mut names), wanted.target(&mut names));
    let changes = changes(&running, &target, &mut names).map_err(|(_, text)| text)?;
    let before = model.ports();
    for change in &changes {
        model.perform(&change.op(&names));
    }
    model.end(&before);
    let shown = changes.iter().filter(|change| change.shows());
    let mut known = Values::default();
    let line = |change: &Change<'_>| {
        let values = change.values(&mut known, &mut Declared, &names);
        change.line(values.as_ref(), &names)
    };
    Ok(shown.map(line).collect())
}

/// A kernel that knows what options are when nobody has set them.
struct Declared;

impl Source for Declared {
    fn block(&mut self, name: &str) -> Option<Fb> {
        (name == "f").then(|| Fb {
            name: Some(name.into()),
            r#type: Some("bpf".into()),
            ..Fb::default()
        })
    }

    fn types(&mut self) -> Vec<Type> {
        let option = |key: &str, default: &str| TypeOptionAttrs {
            key: Some(key.into()),
            default: Some(default.into()),
            ..Default::default()
        };
        vec![Type {
            name: Some("bpf".into()),
            option: vec![option("direction", "both"), option("program", "")],
            ..Type::default()
        }]
    }
}

fn apply(model: &mut Model, wanted: &Model) -> Vec<String> {
    try_apply(model, wanted).unwrap()
}

#[test]
fn any_graph_becomes_any_other() {
    let mut chance = Chance(0x1a4a);
    // How often, by whether it was for the mode.
    let mut refused = BTreeMap::new();
    for round in 0..5_000 {
        let steps = chance.below(30);
        let mut model = chance.graph(steps);
        // What is wanted differs in everything, or in a little.
        let wanted = if round % 2 == 0 {
            let steps = chance.below(30);
            chance.graph(steps)
        } else {
            let mut wanted = model.clone();
            for _ in 0..chance.below(5) {
                chance.step(&mut wanted);
            }
            wanted
        };
        let mut before = model.clone();
        let changes = loop {
            match try_apply(&mut model, &wanted) {
                Ok(changes) => break changes,
                Err(text) => {
                    *refused.entry(text.contains("xdp")).or_insert(0) += 1;
                    model.heed(&text);
                    before = model.clone();
                }
            }
        };
        assert_eq!(model.shape(), wanted.shape(), "round {round}: {changes:?}");
        for (name, block) in &before.blocks {
            let same = wanted
                .blocks
                .get(name)
                .is_some_and(|w| w.kind == block.kind && w.device == block.device);
            let stayed = model
                .blocks
                .get(name)
                .is_some_and(|now| now.number == block.number);
            assert_eq!(same, stayed, "round {round}: {name}");
        }
        assert_eq!(apply(&mut model, &wanted), [""; 0], "round {round}");
    }
    assert!(refused[&false] > 100 && refused[&true] > 50, "{refused:?}");
}

/// Which block of a pair.
type End = fn(&Pair) -> Name;

/// The most bindings that can stay, found by trying.
fn most(running: &Running, target: &Target<'_>) -> usize {
    let list = |pairs: &[Pair], end: End, name: Name| -> Vec<Pair> {
        pairs
            .iter()
            .filter(|pair| end(pair) == name)
            .copied()
            .collect()
    };
    let wanted: Vec<Pair> = target.bindings.iter().map(|bond| bond.pair).collect();
    let egress: Vec<Pair> = running.bindings.keys().copied().collect();
    let mut ingress = egress.clone();
    ingress.sort_by_key(|pair| running.bindings[pair]);
    let fits = |stay: &[Pair]| {
        let ends: [(End, _); 2] = [(|p| p.0, &egress), (|p| p.1, &ingress)];
        ends.iter().all(|(end, now)| {
            running.blocks.iter().all(|(name, _)| {
                let mut now = list(now, *end, name);
                now.retain(|pair| stay.contains(pair));
                list(&wanted, *end, name).starts_with(&now)
            })
        })
    };
    let common: Vec<_> = egress
        .iter()
        .filter(|pair| wanted.contains(pair))
        .copied()
        .collect();
    let subsets = 0..1u32 << common.len();
    let subsets = subsets.map(|subset| -> Vec<Pair> {
        let chosen = |number: usize| subset & (1 << number) != 0;
        let pairs = common
            .iter()
            .enumerate()
            .filter(|(number, _)| chosen(*number));
        pairs.map(|(_, pair)| *pair).collect()
    });
    let fitting = subsets.filter(|stay| fits(stay));
    fitting.map(|stay| stay.len()).max().unwrap()
}

#[test]
fn as_many_bindings_as_can_be_stay() {
    let mut chance = Chance(0xb1d5);
    let mut moved = 0;
    for round in 0..2_000 {
        let mut model = Model::default();
        for name in ["a", "b", "c", "d", "e", "f"] {
            model.add(name, "tee");
        }
        let mut wanted = model.clone();
        for _ in 0..chance.below(8) {
            let pair = (chance.name().to_owned(), chance.name().to_owned());
            if pair.0 != pair.1 {
                model.bindings.insert(pair);
            }
        }
        let mut all: Vec<_> = model.bindings.iter().cloned().collect();
        while !all.is_empty() {
            wanted
                .bindings
                .insert(all.swap_remove(chance.below(all.len())));
        }
        let mut names = Names::default();
        let (running, target) = (model.running(&mut names), wanted.target(&mut names));
        let most = most(&running, &target);
        let changes = apply(&mut model, &wanted);
        assert_eq!(changes.len(), wanted.bindings.len() - most, "round {round}");
        moved += changes.len();
    }
    assert!(moved > 100, "{moved}");
}

#[test]
fn what_is_saved_changes_nothing() {
    let mut chance = Chance(0x5a7e);
    for round in 0..2_000 {
        let steps = chance.below(40);
        let model = chance.graph(steps);
        let mut names = Names::default();
        let running = model.running(&mut names);
        let text = document::write(&running, &order(&running, &names).unwrap(), &names);
        let target = document::read(&text, &mut names).unwrap();
        let changes = changes(&running, &target, &mut names).unwrap();
        assert_eq!(changes, [], "round {round}:\n{text}");

        // Made anew from the file, it is saved the same.
        let mut anew = Model::default();
        let empty = Running::default();
        for change in super::changes(&empty, &target, &mut names).unwrap() {
            anew.perform(&change.op(&names));
        }
        anew.end(&BTreeMap::new());
        assert_eq!(anew.shape(), model.shape(), "round {round}:\n{text}");
        let running = anew.running(&mut names);
        let again = document::write(&running, &order(&running, &names).unwrap(), &names);
        assert_eq!(again, text, "round {round}");
    }
}

#[test]
fn changes_in_words() {
    let mut now = Model::default();
    now.hook("lan0");
    for (name, kind) in [("a", "counter"), ("f", "bpf"), ("g", "bpf"), ("t", "tee")] {
        now.add(name, kind);
    }
    now.bind("a", "lan0");
    now.bind("f", "t");
    now.bind("g", "t");
    now.subscriptions.insert(("a".into(), "t".into()));
    now.blocks["f"]
        .options
        .insert("direction".into(), "ingress".into());
    now.blocks["g"]
        .options
        .insert("program".into(), "1\n6 0 0 1".into());
    let mut then = Model::default();
    for (name, kind) in [("a", "dummy"), ("f", "bpf"), ("g", "bpf"), ("t", "tee")] {
        then.add(name, kind);
    }
    then.hook("lan1");
    then.add("n", "bpf");
    then.blocks["n"]
        .options
        .insert("program".into(), "3".into());
    then.add("z", "seal");
    let key = ("tx.key".into(), "1:00ff".into());
    then.blocks["z"].options.extend([key]);
    then.bind("g", "t");
    then.bind("f", "t");
    then.bind("a", "lan1");
    then.subscriptions.insert(("a".into(), "t".into()));
    then.subscriptions.insert(("f".into(), "t".into()));
    then.blocks["f"]
        .options
        .insert("program".into(), "1".into());
    then.blocks["g"]
        .options
        .insert("program".into(), "2".into());
    let expected = [
        "- binding a lan0",
        "- device lan0 ethernet",
        "- block a counter",
        "+ block a dummy",
        "+ device lan1 ethernet",
        "+ block n bpf",
        "+ block z seal",
        "~ option f direction: ingress -> both",
        "~ option f program: none -> 1",
        "~ option g program: (2 lines) -> 2",
        "~ option n program=3",
        "~ option z tx.key=secret",
        "~ binding f t",
        "+ binding a lan1",
        "~ subscription a t",
        "+ subscription f t",
    ];
    assert_eq!(apply(&mut now, &then), expected);
}

#[test]
fn changes_for_programs() {
    let mut now = Model::default();
    now.add("f", "bpf");
    let mut then = Model::default();
    then.hook("lan0");
    then.hook_as("lan1", "lan1", true);
    then.make("mydev0", "wan0", 10);
    now.blocks["f"]
        .options
        .insert("direction".into(), "ingress".into());
    then.add("f", "bpf");
    then.bind("f", "lan0");
    then.blocks["f"]
        .options
        .insert("program".into(), "1\n6 0 0 1".into());
    let mut names = Names::default();
    let (running, target) = (now.running(&mut names), then.target(&mut names));
    let changes = changes(&running, &target, &mut names).unwrap();
    let mut known = Values::default();
    let values = |change: &Change<'_>| change.values(&mut known, &mut Declared, &names);
    let values: Vec<_> = changes.iter().map(values).collect();
    let told = changes.iter().zip(&values);
    let told: Vec<_> = told
        .map(|(change, values)| change.told(values.as_ref(), &names))
        .collect();
    let expected = serde_json::json!([
        { "change": "add", "item": "device", "name": "lan0", "subsystem": "ethernet", "ifname": "lan0" },
        {
            "change": "add", "item": "device", "name": "lan1", "subsystem": "ethernet",
            "ifname": "lan1", "xdp": true,
        },
        {
            "change": "add", "item": "device", "name": "mydev0", "subsystem": "ethernet",
            "ifname": "mydev0", "carrier": "wan0", "id": 10,
        },
        {
            "change": "change", "item": "option", "name": "f", "key": "direction",
            "old": "ingress", "value": "both",
        },
        {
            "change": "change", "item": "option", "name": "f", "key": "program",
            "old": "", "value": "1\n6 0 0 1",
        },
        { "change": "add", "item": "binding", "upper": "f", "lower": "lan0" },
    ]);
    assert_eq!(serde_json::to_value(told).unwrap(), expected);
}

#[test]
fn renamed_devices() {
    let mut now = Model::default();
    now.hook("lan0");
    let mut names = Names::default();
    let mut renamed = now.clone();
    renamed.rename("lan0", "new0");
    let mut compare = |now: &Model, then: &Model| {
        let (running, target) = (now.running(&mut names), then.target(&mut names));
        let changes = changes(&running, &target, &mut names).map_err(|(_, text)| text)?;
        let shown = changes.iter().map(|change| change.describe(&names));
        Ok::<Vec<String>, String>(shown.collect())
    };
    assert_eq!(compare(&renamed, &renamed), Ok(vec![]));
    // The file wants the device that is called lan0 now.
    let changes = vec![
        "- device lan0 ethernet".into(),
        "+ device lan0 ethernet".into(),
    ];
    assert_eq!(compare(&renamed, &now), Ok(changes));
    // And by its other name, under the block's old one.
    let changes = vec![
        "- device lan0 ethernet".into(),
        "+ device lan0 ethernet".into(),
    ];
    assert_eq!(compare(&now, &renamed), Ok(changes));
}

#[test]
fn virtual_devices() {
    let with = |name: &str, carrier, id| {
        let mut model = Model::default();
        model.make(name, carrier, id);
        model
    };
    let now = with("mydev0", "wan0", 10);
    for (then, expected) in [
        (with("mydev0", "wan0", 10), &[][..]),
        (Model::default(), &["- device mydev0 ethernet"]),
        (
            with("mydev1", "wan0", 11),
            &["- device mydev0 ethernet", "+ device mydev1 ethernet"],
        ),
        (
            with("mydev1", "wan1", 10),
            &["- device mydev0 ethernet", "+ device mydev1 ethernet"],
        ),
    ] {
        assert_eq!(apply(&mut now.clone(), &then), expected);
    }
    let mut hooked = Model::default();
    hooked.hook("mydev0");
    for then in [
        with("mydev0", "wan0", 11),
        with("mydev0", "wan1", 10),
        with("mydev1", "wan0", 10),
        hooked,
    ] {
        let refused = "mydev0 exists on carrier wan0 with id 10: \
                       remove it first (vlink ethernet rm mydev0)";
        assert_eq!(try_apply(&mut now.clone(), &then), Err(refused.to_owned()));
    }

    let mut renamed = now.clone();
    renamed.rename("mydev0", "new0");
    assert_eq!(apply(&mut renamed.clone(), &renamed), [""; 0]);
    // The id is not free, here and there.
    let refused = try_apply(&mut now.clone(), &renamed).unwrap_err();
    assert!(refused.contains("vlink ethernet rm mydev0"), "{refused}");
    let refused = try_apply(&mut renamed.clone(), &now).unwrap_err();
    assert!(refused.contains("vlink ethernet rm new0"), "{refused}");
    let changes = ["- device mydev0 ethernet", "+ device mydev0 ethernet"];
    let then = with("mydev0", "wan0", 11);
    assert_eq!(apply(&mut renamed.clone(), &then), changes);
    let made = ["+ device mydev0 ethernet"];
    assert_eq!(apply(&mut Model::default(), &renamed), made);
}

#[test]
fn devices_hooked_by_xdp() {
    let with = |name: &str, ifname: &str, xdp| {
        let mut model = Model::default();
        model.hook_as(name, ifname, xdp);
        model
    };
    let now = with("eth0", "eth0", true);
    let made = ["+ device eth0 ethernet --xdp"];
    assert_eq!(apply(&mut Model::default(), &now), made);
    for (then, expected) in [
        (with("eth0", "eth0", true), &[][..]),
        (Model::default(), &["- device eth0 ethernet"]),
        (
            with("a", "eth0", true),
            &["- device eth0 ethernet", "+ device a ethernet --xdp"],
        ),
        (
            with("eth0", "eth1", false),
            &["- device eth0 ethernet", "+ device eth0 ethernet"],
        ),
    ] {
        assert_eq!(apply(&mut now.clone(), &then), expected);
    }
    // Its mode does not change while it is hooked, whatever its block is called.
    for name in ["eth0", "a"] {
        let (with_it, without) = (with(name, "eth0", true), with("eth0", "eth0", false));
        let advice = "unhook it first (vlink ethernet unhook eth0)";
        let refused = Err(format!("eth0 is hooked with xdp: {advice}"));
        assert_eq!(try_apply(&mut with_it.clone(), &without), refused);
        let refused = Err(format!("eth0 is hooked without xdp: {advice}"));
        assert_eq!(try_apply(&mut without.clone(), &with_it), refused);
    }
    // A virtual device that takes the name is another one.
    let mut virtual_one = Model::default();
    virtual_one.make("a", "wan0", 10);
    let changes = ["- device eth0 ethernet", "+ device a ethernet"];
    assert_eq!(apply(&mut now.clone(), &virtual_one), changes);
}

#[test]
fn refusals_have_a_place() {
    let mut names = Names::default();
    let mut now = Model::default();
    now.make("mydev0", "wan0", 10);
    let running = now.running(&mut names);
    let file = "\n[devices.mydev0]\nsubsystem = 'ethernet'\ncarrier = 'wan0'\nid = 11";
    let target = document::read(file, &mut names).unwrap();
    let (place, _) = changes(&running, &target, &mut names).unwrap_err();
    assert_eq!(document::line(file, place), 2);
}
