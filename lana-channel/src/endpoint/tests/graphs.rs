// SPDX-License-Identifier: GPL-2.0

//! What the kernel makes of a plan, as far as packets of a channel see it.

use crate::{Block, Plan};
use std::collections::HashMap;

/// What a block has put in front of a packet: its EtherType, its number, and the key.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layer {
    ethertype: u16,
    version: u32,
    number: u32,
    key: String,
}

/// A packet: what is in front of it, the outermost layer last.
pub(super) type Packet = Vec<Layer>;

/// Takes the outermost layer off, if it is of this EtherType.
fn unwrap(packet: &mut Packet, ethertype: u16, version: u32) -> Option<Layer> {
    let outer = packet.last()?;
    (outer.ethertype == ethertype && outer.version == version).then(|| packet.pop())?
}

/// A graph.
#[derive(Default)]
pub(super) struct Kernel {
    plan: Plan,
    /// The options that blocks have.
    options: HashMap<String, HashMap<String, String>>,
}

impl Kernel {
    /// A transaction.
    pub(super) fn apply(&mut self, plan: Plan) {
        let mut options = HashMap::new();
        for block in &plan.blocks {
            assert!(block.name.len() <= 31, "{}", block.name);
            let was = self.options.get(&block.name);
            let mut now = HashMap::new();
            for (key, value) in &block.options {
                let mut value = value.as_str().to_owned();
                if value == "secret" {
                    let was = was.and_then(|was| was.get(key));
                    value.clone_from(was.expect("a key that has been set"));
                }
                now.insert(key.clone(), value);
            }
            options.insert(block.name.clone(), now);
        }
        self.options = options;
        self.plan = plan;
    }

    fn below(&self, name: &str) -> Vec<&str> {
        let bindings = self.plan.bindings.iter();
        let below = bindings.filter(|(upper, _)| upper == name);
        below.map(|(_, lower)| lower.as_str()).collect()
    }

    fn above(&self, name: &str) -> Vec<&str> {
        let bindings = self.plan.bindings.iter();
        let above = bindings.filter(|(_, lower)| lower == name);
        above.map(|(upper, _)| upper.as_str()).collect()
    }

    fn block(&self, name: &str) -> &Block {
        let mut blocks = self.plan.blocks.iter();
        blocks.find(|block| block.name == name).expect("a block")
    }

    fn option(&self, name: &str, key: &str) -> &str {
        &self.options[name][key]
    }

    /// The packet that leaves, if one does. `compressible` says what `compress` makes of it.
    pub(super) fn send(&self, compressible: bool) -> Option<Packet> {
        let mut packet = Packet::new();
        let mut at = *self.below("top").first()?;
        while at != "device" {
            let layer = |ethertype, version| Layer {
                ethertype,
                version,
                number: 0,
                key: String::new(),
            };
            let mut port = 0;
            match self.block(at).kind.as_str() {
                "compress" if compressible => packet.push(layer(0x88b6, 1)),
                "reliable" => packet.push(layer(0x88b5, 16)),
                "crypt" => {
                    let (number, key) = self.option(at, "tx.key").split_once(':').unwrap();
                    packet.push(Layer {
                        number: number.parse().unwrap(),
                        key: key.to_owned(),
                        ..layer(0x88b5, 1)
                    });
                }
                "classify" if at == "c.out" => match self.option(at, "default") {
                    "drop" => return None,
                    number => port = number.parse().unwrap(),
                },
                _ => {}
            }
            at = self.below(at)[port];
        }
        Some(packet)
    }

    fn rule_port(&self, packet: &Packet) -> Option<usize> {
        let port = |text: &str| (text != "drop").then(|| text.parse().unwrap());
        for number in 0.. {
            let Some(rule) = self.options["c.in"].get(&format!("rule.{number}")) else {
                break;
            };
            let (keys, to) = rule.split_once(" -> ").unwrap();
            let ethertype = &keys.split(' ').next().unwrap()["ethertype=0x".len()..];
            let ethertype = u16::from_str_radix(ethertype, 16).unwrap();
            let Some(outer) = packet.last().filter(|outer| outer.ethertype == ethertype) else {
                continue;
            };
            let program = keys.split_once("bpf=").map(|(_, program)| program);
            let both = outer.version << 8 | outer.number;
            let matches = [
                format!("48 0 0 14,21 0 1 {}", outer.version),
                format!("40 0 0 14,21 0 1 {both}"),
            ];
            let matches = matches.map(|test| format!("\"4,{test},6 0 0 1,6 0 0 0\""));
            if program.is_none_or(|program| matches.iter().any(|matches| matches == program)) {
                return port(to);
            }
        }
        port(self.option("c.in", "default"))
    }

    /// A packet comes: whether it reaches the top as it left the other one.
    pub(super) fn receive(&self, mut packet: Packet) -> Result<(), String> {
        let mut at = "device";
        while at != "top" {
            let mut port = 0;
            if at != "device" {
                match self.block(at).kind.as_str() {
                    "compress" => {
                        unwrap(&mut packet, 0x88b6, 1);
                    }
                    "reliable" => {
                        unwrap(&mut packet, 0x88b5, 16);
                    }
                    "crypt" => {
                        let outer = unwrap(&mut packet, 0x88b5, 1);
                        let outer = outer.ok_or("clear")?;
                        let key = self.options[at].get(&format!("rx.{}.key", outer.number));
                        if key != Some(&outer.key) {
                            return Err("forged".into());
                        }
                    }
                    "classify" if at == "c.in" => {
                        port = self.rule_port(&packet).ok_or("filtered")?;
                    }
                    _ => {}
                }
            }
            at = *self.above(at).get(port).ok_or("unbound")?;
        }
        if packet.is_empty() {
            Ok(())
        } else {
            Err(format!("{packet:?} is left"))
        }
    }
}
