// SPDX-License-Identifier: GPL-2.0

//! The graph of each state of a channel.
//!
//! ```text
//!            top                          a packet that leaves    │   ▲  one that comes
//!             │                                                   ▼   │
//!        PREFIX.out     classify, direction=egress: its default is the stack to send by
//!          │     │
//!   5.compress  6.compress
//!          │     │
//!      5.crypt  6.crypt    the old stack and the new one, side by side
//!          │     │
//!        PREFIX.in      classify, direction=ingress: its rules tell the stacks apart
//!             │
//!          device
//! ```
//!
//! Both `classify` stay as long as the channel. So a change touches neither the device nor the block on top,
//! and to send by another stack is one option of one block.

use crate::{
    message::{StackId, BASE},
    stack::{claims, Agreed, Capability, Secrets},
};
use std::fmt;
use zeroize::Zeroizing;

/// Where in the graph a channel is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Names of the channel's blocks begin so: up to [`PREFIX_MAX`] bytes, which no other block's name begins with.
    pub prefix: String,
    /// The block below the channel: that of the device.
    pub device: String,
    /// The block on top of it. Without one, packets that come up reach a port without a block.
    pub top: Option<String>,
}

/// The longest [prefix](Place::prefix), so that names have at most 31 bytes.
pub const PREFIX_MAX: usize = 8;
/// The longest type of a block.
pub const KIND_MAX: usize = 11;

/// A value of an option. Its text is overwritten when it goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Value {
    text: Zeroizing<String>,
    secret: bool,
}

impl Value {
    /// How it reads.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// It must not be shown to anybody.
    pub fn is_secret(&self) -> bool {
        self.secret
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        let text = Zeroizing::new(text);
        Value {
            text,
            secret: false,
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secret { "secret" } else { &self.text })
    }
}

/// A block of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: String,
    /// Its options. Those that are not listed have their defaults. The value `secret` stands for what was set when
    /// the block was added.
    pub options: Vec<(String, Value)>,
}

/// What the graph shall be: these blocks and no others whose names begin with the prefix, and among them, the
/// device and the top these bindings only, from lower to higher ports.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The blocks.
    pub blocks: Vec<Block>,
    /// Pairs of an upper block and a lower one.
    pub bindings: Vec<(String, String)>,
}

/// The keys of both directions, while they have not been set.
#[derive(Clone)]
pub struct Keys {
    pub(crate) sends: Zeroizing<[u8; 32]>,
    pub(crate) receives: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(secret)")
    }
}

/// A stack in the graph.
#[derive(Debug, Clone)]
pub struct Stack {
    /// Its name for both hosts.
    pub id: StackId,
    /// Later stacks have higher numbers.
    pub number: u32,
    /// Its blocks, the last one next to the link.
    pub blocks: Vec<Agreed>,
    /// Packets may pass although there are no blocks. Only the [base](Stack::base) may be closed.
    pub open: bool,
    /// Its keys, until it is built.
    pub keys: Option<Keys>,
}

impl Stack {
    /// The channel without blocks.
    pub fn base(open: bool) -> Self {
        Stack {
            id: BASE,
            number: 0,
            blocks: Vec::new(),
            open,
            keys: None,
        }
    }

    /// The number that packets can carry: from 1 to 255.
    fn short_number(&self) -> u32 {
        self.number % 255 + 1
    }
}

/// What a channel has in the graph.
#[derive(Debug, Clone)]
pub enum Graph {
    /// Nothing. If `open`, the top is bound to the device.
    Absent {
        /// Packets pass.
        open: bool,
    },
    /// The two `classify` and one or two stacks.
    Present {
        /// The stacks by which packets come, the older one first.
        stacks: Vec<Stack>,
        /// The stack by which packets leave.
        sends: StackId,
    },
}

/// The EtherType of control frames of channels, which the device's block must not send up.
pub const ETHER_TYPE: u16 = 0xad00;

/// The graph of a state. It depends on nothing else.
pub fn plan(place: &Place, graph: &Graph, have: &[Capability]) -> Plan {
    let mut plan = Plan::default();
    let (stacks, sends) = match graph {
        Graph::Absent { open } => {
            let top = place.top.iter().filter(|_| *open);
            plan.bindings = top.map(|top| (top.clone(), place.device.clone())).collect();
            return plan;
        }
        Graph::Present { stacks, sends } => (stacks, sends),
    };
    let out = format!("{}.out", place.prefix);
    let within = format!("{}.in", place.prefix);
    plan.bindings.push((within.clone(), place.device.clone()));

    let mut rules = vec![format!("ethertype={ETHER_TYPE:#06x} -> drop")];
    let (mut default, mut send_by) = ("drop".to_owned(), "drop".to_owned());
    // A closed base has no port.
    let ports = stacks
        .iter()
        .filter(|stack| stack.open || !stack.blocks.is_empty());
    for (port, stack) in ports.enumerate() {
        if stack.id == *sends {
            send_by = port.to_string();
        }
        let claims = claims(&stack.blocks, have);
        for sort in claims.sorts {
            let version = sort.version.map_or(String::new(), |version| {
                // ldb [14] or ldh [14]; jeq #what, 0, 1; ret #1; ret #0
                let (load, what) = if sort.numbered {
                    (40, u32::from(version) << 8 | stack.short_number())
                } else {
                    (48, version.into())
                };
                format!(" bpf=\"4,{load} 0 0 14,21 0 1 {what},6 0 0 1,6 0 0 0\"")
            });
            // Where two stacks take the same packets, it makes no difference which one gets them.
            rules.push(format!(
                "ethertype={:#06x}{version} -> {port}",
                sort.ethertype
            ));
        }
        if claims.plain {
            default = port.to_string();
        }
        let mut above = out.clone();
        for block in &stack.blocks {
            let block = chain_block(place, stack, block, have);
            let name = block.name.clone();
            plan.blocks.push(block);
            plan.bindings.push((above, name.clone()));
            above = name;
        }
        plan.bindings.push((above, within.clone()));
    }
    if let Some(top) = &place.top {
        plan.bindings.push((top.clone(), out.clone()));
    }

    let mut options: Vec<(String, Value)> = Vec::new();
    for (number, rule) in rules.into_iter().enumerate() {
        options.push((format!("rule.{number}"), rule.into()));
    }
    options.push(("default".into(), default.into()));
    let classify = |name, options| Block {
        name,
        kind: "classify".into(),
        options,
    };
    plan.blocks.push(classify(within, options));
    let options = vec![
        ("direction".to_owned(), "egress".to_owned().into()),
        ("default".to_owned(), send_by.into()),
    ];
    plan.blocks.push(classify(out, options));
    plan
}

/// A block of a stack.
fn chain_block(place: &Place, stack: &Stack, block: &Agreed, have: &[Capability]) -> Block {
    let has = have.iter().find(|has| has.name == block.name);
    let kind = has.map_or(block.name.as_str(), |has| &has.kind);
    let plain = block.options.iter();
    let mut options: Vec<(String, Value)> = plain
        .map(|(key, value)| (key.clone(), value.clone().into()))
        .collect();
    if has.is_some_and(|has| has.secrets == Secrets::Crypt) {
        let number = stack.short_number();
        let secret = |id: &str, key: Option<&[u8; 32]>| {
            let mut text = Zeroizing::new(String::with_capacity(80));
            match key {
                None => text.push_str("secret"),
                Some(key) => {
                    text.push_str(id);
                    for byte in key {
                        for half in [byte >> 4, byte & 15] {
                            text.extend(char::from_digit(half.into(), 16));
                        }
                    }
                }
            }
            Value { text, secret: true }
        };
        let keys = stack.keys.as_ref();
        let receives = secret("", keys.map(|keys| &*keys.receives));
        let sends = secret(&format!("{number}:"), keys.map(|keys| &*keys.sends));
        options.push((format!("rx.{number}.key"), receives));
        options.push(("tx.key".into(), sends));
    }
    Block {
        name: format!("{}.{}.{kind}", place.prefix, stack.number),
        kind: kind.into(),
        options,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{name::Name, stack::catalogue};

    fn stack(number: u32, names: &str) -> Stack {
        let agreed = |name| Agreed {
            name: Name::short(name).unwrap(),
            version: 1,
            options: Vec::new(),
        };
        Stack {
            id: [u8::try_from(number).unwrap(); 16],
            number,
            blocks: names.split(',').map(agreed).collect(),
            open: true,
            keys: None,
        }
    }

    fn text(graph: &Graph) -> String {
        let place = Place {
            prefix: "c".into(),
            device: "eth1".into(),
            top: Some("lan".into()),
        };
        let plan = plan(&place, graph, &catalogue());
        let mut text = String::new();
        for block in &plan.blocks {
            text += &format!("{} {}", block.name, block.kind);
            for (key, value) in &block.options {
                text += &format!(" {key}={}", value.as_str());
            }
            text += "\n";
        }
        for (upper, lower) in &plan.bindings {
            text += &format!("{upper}/{lower} ");
        }
        text
    }

    #[test]
    fn absent() {
        assert_eq!(text(&Graph::Absent { open: true }), "lan/eth1 ");
        assert_eq!(text(&Graph::Absent { open: false }), "");
    }

    #[test]
    fn base() {
        let graph = |open| Graph::Present {
            stacks: vec![Stack::base(open)],
            sends: BASE,
        };
        assert_eq!(
            text(&graph(true)),
            "c.in classify rule.0=ethertype=0xad00 -> drop default=0\n\
             c.out classify direction=egress default=0\n\
             c.in/eth1 c.out/c.in lan/c.out "
        );
        assert_eq!(
            text(&graph(false)),
            "c.in classify rule.0=ethertype=0xad00 -> drop default=drop\n\
             c.out classify direction=egress default=drop\n\
             c.in/eth1 lan/c.out "
        );
    }

    #[test]
    fn two_stacks() {
        let graph = Graph::Present {
            stacks: vec![stack(1, "compress"), stack(2, "checksum,compress,crypt")],
            sends: [1; 16],
        };
        assert_eq!(
            text(&graph),
            "c.1.compress compress\n\
             c.2.checksum checksum\n\
             c.2.compress compress\n\
             c.2.crypt crypt rx.3.key=secret tx.key=secret\n\
             c.in classify rule.0=ethertype=0xad00 -> drop rule.1=ethertype=0x88b6 -> 0 \
             rule.2=ethertype=0x88b5 bpf=\"4,40 0 0 14,21 0 1 259,6 0 0 1,6 0 0 0\" -> 1 default=0\n\
             c.out classify direction=egress default=0\n\
             c.in/eth1 c.out/c.1.compress c.1.compress/c.in c.out/c.2.checksum \
             c.2.checksum/c.2.compress c.2.compress/c.2.crypt c.2.crypt/c.in lan/c.out "
        );
    }

    #[test]
    fn keys() {
        let mut stack = stack(9, "crypt");
        stack.keys = Some(Keys {
            sends: Zeroizing::new([0xa1; 32]),
            receives: Zeroizing::new([0x02; 32]),
        });
        let graph = Graph::Present {
            sends: stack.id,
            stacks: vec![stack],
        };
        let text = text(&graph);
        let (sends, receives) = ("a1".repeat(32), "02".repeat(32));
        assert!(
            text.contains(&format!("rx.10.key={receives} tx.key=10:{sends}\n")),
            "{text}"
        );
        assert!(!format!("{graph:?}").contains("a1a1"));
    }
}
