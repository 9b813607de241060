// SPDX-License-Identifier: GPL-2.0

//! Any bytes as messages, and as what happens to two hosts: what `tests/fuzz.rs` and `cargo fuzz` call.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "what panics is to be found"
)]

use lana_channel::{
    catalogue, header, open, seal, Config, Endpoint, Fallback, Graph, Key, Message, Name, Output,
    Place, Policy, Time, Timing, Wanted, HEADER,
};
use std::{collections::VecDeque, time::Duration};

/// The most outputs that one input has.
const OUTPUTS_MAX: usize = 300;

const STACKS: [&[&str]; 5] = [
    &["crypt"],
    &["checksum", "compress", "crypt"],
    &["reliable"],
    &["compress", "reliable"],
    &[],
];

/// Bytes, from the front. None are zeros.
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((&first, rest)) => {
                self.0 = rest;
                first
            }
            None => 0,
        }
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.byte()).collect()
    }
}

fn key() -> Key {
    Key::new([7; 32])
}

struct Host {
    endpoint: Endpoint,
    /// Messages that are on their way to this host.
    waiting: VecDeque<Vec<u8>>,
    tickets: VecDeque<u64>,
    seed: u8,
}

fn endpoint(seed: u8, graph: Option<Graph>, now: Time) -> Endpoint {
    let config = Config {
        channel: 1,
        key: key(),
        place: Place {
            prefix: "c".into(),
            device: "eth1".into(),
            top: Some("lan".into()),
        },
        have: catalogue(),
        demand: Vec::new(),
        fallback: Fallback::Open,
        listen: true,
        policy: Policy::reliable(),
        delay: 0,
        timing: Timing::default(),
    };
    let mut number = seed;
    let random = Box::new(move |bytes: &mut [u8]| {
        number = number.wrapping_add(2);
        bytes.fill(number);
    });
    Endpoint::new(config, graph, random, now).unwrap()
}

/// Feeds the bytes to all that reads messages.
pub(crate) fn any(data: &[u8]) {
    message(data);
    hosts(&mut Script(data));
}

fn message(data: &[u8]) {
    if let Ok((header, message)) = header(data) {
        assert!(message.len() <= data.len());
        let _ = open(&key(), &header, message);
    }
    let Some((&kind, content)) = data.split_first() else {
        return;
    };
    if let Ok(message) = Message::decode(kind, content) {
        let (again, content) = message.encode();
        assert_eq!(again, kind);
        assert_eq!(Message::decode(kind, &content).as_ref(), Ok(&message));
    }
}

/// A message with the header of a true one, and content that has been changed: whoever has the key can send it.
fn changed(message: &[u8], script: &mut Script<'_>) -> Vec<u8> {
    let (mut head, bytes) = header(message).unwrap();
    let mut content = bytes[HEADER..bytes.len() - 32].to_vec();
    head.sequence = head.sequence.wrapping_add(u64::from(script.byte()));
    for _ in 0..script.byte() % 4 {
        let at = usize::from(script.byte());
        let byte = script.byte();
        match byte % 4 {
            _ if content.is_empty() => content.push(byte),
            0 => content.truncate(at),
            1 => content.insert(at % content.len(), byte),
            _ => {
                let length = content.len();
                content[at % length] ^= byte;
            }
        }
    }
    if script.byte() % 4 == 0 {
        head.kind = script.byte() % 18;
        let more = usize::from(script.byte() % 64);
        content.extend(script.bytes(more));
    }
    seal(&key(), &head, &content).unwrap_or_default()
}

fn hosts(script: &mut Script<'_>) {
    let mut now = Time::ZERO;
    let mut hosts = [0, 1].map(|seed| Host {
        endpoint: endpoint(seed, None, now),
        waiting: VecDeque::new(),
        tickets: VecDeque::new(),
        seed,
    });
    while !script.0.is_empty() {
        let what = script.byte();
        let to = usize::from(what & 1);
        let host = &mut hosts[to];
        match what >> 1 & 15 {
            0 | 1 => {
                let names = STACKS[usize::from(script.byte()) % STACKS.len()];
                let wanted = |name: &&str| Wanted::new(Name::short(name).unwrap());
                let blocks = names.iter().map(wanted).collect();
                assert_eq!(host.endpoint.open(blocks, now), Ok(()));
            }
            2 => host.endpoint.close(now),
            3 => {
                host.waiting.pop_front();
            }
            4 => {
                if let Some(message) = host.waiting.front().cloned() {
                    let _ = host.endpoint.receive(&message, now);
                }
            }
            5 | 6 => {
                if let Some(message) = host.waiting.pop_front() {
                    let changed = changed(&message, script);
                    let _ = host.endpoint.receive(&changed, now);
                }
            }
            7 => {
                let messages = &mut host.waiting;
                let middle = messages.len() / 2;
                messages.rotate_left(middle);
            }
            8 => {
                host.seed = host.seed.wrapping_add(64);
                let graph = (script.byte() & 1 == 0).then(|| host.endpoint.graph().clone());
                host.endpoint = endpoint(host.seed, graph, now);
                host.tickets.clear();
            }
            9 | 10 => {
                if let Some(ticket) = host.tickets.pop_front() {
                    let result = match script.byte() {
                        0..32 => Err("no".to_owned()),
                        _ => Ok(()),
                    };
                    host.endpoint.applied(ticket, result, now);
                }
            }
            11 => {
                now += Duration::from_millis(u64::from(script.byte()) * 16);
                host.endpoint.timeout(now);
            }
            12 => {
                let next = host.endpoint.next_timeout().unwrap_or(now);
                now = now.max(next);
                host.endpoint.timeout(now);
                assert_ne!(
                    host.endpoint.next_timeout(),
                    Some(next),
                    "{:#?}",
                    host.endpoint
                );
            }
            13 => host.endpoint.drained(now),
            _ => {
                if let Some(message) = host.waiting.pop_front() {
                    let _ = host.endpoint.receive(&message, now);
                }
            }
        }
        outputs(&mut hosts, to);
    }
}

fn outputs(hosts: &mut [Host; 2], from: usize) {
    let mut count = 0;
    while let Some(output) = hosts[from].endpoint.poll() {
        count += 1;
        assert!(count < OUTPUTS_MAX, "{:?}", hosts[from].endpoint);
        match output {
            Output::Send(message) => {
                assert!(message.len() <= lana_channel::MESSAGE_MAX);
                hosts[1 - from].waiting.push_back(message);
                hosts[1 - from].waiting.truncate(32);
            }
            Output::Apply { ticket, plan, .. } => {
                assert!(plan.blocks.iter().all(|block| block.name.len() <= 31));
                hosts[from].tickets.push_back(ticket);
            }
            Output::Watch(_) | Output::Report(_) => {}
        }
    }
    if let Graph::Present { stacks, sends } = hosts[from].endpoint.graph() {
        assert!(stacks.len() <= lana_channel::STACKS_MAX);
        assert!(stacks.iter().any(|stack| stack.id == *sends));
    }
}
