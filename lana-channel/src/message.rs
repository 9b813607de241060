// SPDX-License-Identifier: GPL-2.0

//! What a message says, as TLVs. The tables of the crate's documentation describe them.

use crate::{
    seal::BadMessage,
    stack::{Verdict, Wanted, BLOCKS_MAX},
    wire::{put, put_text, Reader, MUST_KNOW},
};

/// Names a stack that both hosts have built. Zeros stand for the channel without blocks.
pub type StackId = [u8; 16];

/// The channel without blocks.
pub const BASE: StackId = [0; 16];

/// The most stacks that a host has at once.
pub const STACKS_MAX: usize = 2;

/// A stack that a host can receive by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The stack.
    pub id: StackId,
    /// Later stacks have higher numbers.
    pub number: u32,
    /// The host sends by it.
    pub sends: bool,
}

/// Why a host refuses a request, or closes a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// A user wants it.
    Request = 1,
    /// A required block is lacking.
    Blocks = 2,
    /// The host demands a block that the offer does not have.
    Demand = 3,
    /// The packets of the stack cannot be told from those of the stack before.
    Inseparable = 4,
    /// The graph has refused the transaction.
    Graph = 5,
    /// The other host is at another point of the protocol.
    State = 6,
    /// Content that must be known, and is not.
    Unknown = 7,
    /// No message has come for too long.
    Timeout = 8,
}

impl Reason {
    fn from(code: u8) -> Option<Self> {
        [
            Reason::Request,
            Reason::Blocks,
            Reason::Demand,
            Reason::Inseparable,
            Reason::Graph,
            Reason::State,
            Reason::Unknown,
            Reason::Timeout,
        ]
        .into_iter()
        .find(|&reason| reason as u8 == code)
    }
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the tables of the crate describe the fields")]
pub enum Message {
    /// Begins a session.
    Hello {
        ready: bool,
        done: bool,
        held: Vec<Held>,
    },
    /// What the stack shall be. `running` is the stack that runs now.
    Offer {
        round: u32,
        highest: u32,
        running: StackId,
        blocks: Vec<Wanted>,
    },
    /// What the other host says to each block of the offer.
    Answer {
        round: u32,
        highest: u32,
        verdicts: Vec<Verdict>,
    },
    /// This host can receive by the new stack.
    Prepare { round: u32, digest: [u8; 16] },
    /// The other one can, too.
    Prepared { round: u32 },
    /// Send by this stack, in so many milliseconds.
    Switch {
        round: u32,
        target: StackId,
        delay: u32,
    },
    /// The other host does.
    Switched { round: u32 },
    /// Nothing of this host is on its way by another stack.
    Finish { round: u32 },
    /// Nor of the other host.
    Finished { round: u32 },
    /// A request cannot be done.
    Refuse {
        round: u32,
        reason: Reason,
        text: String,
    },
    /// This host is there. See [`Link`].
    Keepalive(Link),
    /// The channel ends.
    Close { reason: Reason },
    /// It has ended.
    Closed,
    /// Who has this service?
    Resolve {
        number: u32,
        context: String,
        service: String,
    },
    /// This host, and packets for it have this token.
    Resolved {
        number: u32,
        token: u16,
        lifetime: u32,
    },
    /// Not this host.
    Unresolved { number: u32 },
}

/// What a host tells of the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Link {
    /// The highest sequence number that has come from the other host.
    pub highest: u64,
    /// How many of its messages have come.
    pub received: u64,
    /// The sequence number of its last keepalive that has come.
    pub echo: u64,
    /// Microseconds since that came.
    pub age: u32,
}

mod kind {
    pub(super) const HELLO: u8 = 1;
    pub(super) const OFFER: u8 = 2;
    pub(super) const ANSWER: u8 = 3;
    pub(super) const PREPARE: u8 = 4;
    pub(super) const PREPARED: u8 = 5;
    pub(super) const SWITCH: u8 = 6;
    pub(super) const SWITCHED: u8 = 7;
    pub(super) const FINISH: u8 = 8;
    pub(super) const FINISHED: u8 = 9;
    pub(super) const REFUSE: u8 = 10;
    pub(super) const KEEPALIVE: u8 = 11;
    pub(super) const CLOSE: u8 = 12;
    pub(super) const CLOSED: u8 = 13;
    pub(super) const RESOLVE: u8 = 14;
    pub(super) const RESOLVED: u8 = 15;
    pub(super) const UNRESOLVED: u8 = 16;
}

mod tlv {
    pub(super) const ROUND: u16 = 1;
    pub(super) const BLOCK: u16 = 2;
    pub(super) const VERDICT: u16 = 3;
    pub(super) const HELD: u16 = 4;
    pub(super) const DIGEST: u16 = 5;
    pub(super) const STACK: u16 = 6;
    pub(super) const DELAY: u16 = 7;
    pub(super) const LINK: u16 = 8;
    pub(super) const REASON: u16 = 9;
    pub(super) const FLAGS: u16 = 10;
    pub(super) const HIGHEST: u16 = 11;
    pub(super) const SERVICE: u16 = 12;
    pub(super) const TOKEN: u16 = 13;
}

/// The TLVs of a message that may be there once, and the lists.
#[derive(Default)]
struct Parts<'a> {
    round: Option<u32>,
    blocks: Vec<Wanted>,
    verdicts: Vec<Verdict>,
    held: Vec<Held>,
    digest: Option<[u8; 16]>,
    stack: Option<StackId>,
    delay: Option<u32>,
    link: Option<Link>,
    reason: Option<(Reason, &'a str)>,
    flags: Option<u8>,
    highest: Option<u32>,
    service: Option<(&'a str, &'a str)>,
    token: Option<(u16, u32)>,
}

/// Stores what may be there once.
fn once<T>(slot: &mut Option<T>, value: Option<T>) -> Option<()> {
    if slot.is_some() {
        return None;
    }
    *slot = Some(value?);
    Some(())
}

/// Appends to a list that is at most so long.
fn push<T>(list: &mut Vec<T>, value: Option<T>, most: usize) -> Option<()> {
    if list.len() == most {
        return None;
    }
    list.push(value?);
    Some(())
}

impl<'a> Parts<'a> {
    fn read(content: &'a [u8]) -> Result<Self, BadMessage> {
        let mut parts = Parts::default();
        let mut reader = Reader(content);
        while !reader.0.is_empty() {
            let (kind, value) = reader.tlv().ok_or(BadMessage::Content)?;
            if !(tlv::ROUND..=tlv::TOKEN).contains(&(kind & !MUST_KNOW)) {
                if kind & MUST_KNOW != 0 {
                    return Err(BadMessage::Unknown(kind));
                }
                continue;
            }
            parts
                .take(kind & !MUST_KNOW, value)
                .ok_or(BadMessage::Content)?;
        }
        Ok(parts)
    }

    fn take(&mut self, kind: u16, mut value: Reader<'a>) -> Option<()> {
        let whole = value;
        let number = |mut value: Reader<'_>| value.u32().and_then(|number| value.end(number));
        let array = |mut value: Reader<'_>| value.array().and_then(|array| value.end(array));
        match kind {
            tlv::ROUND => once(&mut self.round, number(value)),
            tlv::BLOCK => push(&mut self.blocks, Wanted::decode(whole), BLOCKS_MAX),
            tlv::VERDICT => push(&mut self.verdicts, Verdict::decode(whole), BLOCKS_MAX),
            tlv::HELD => {
                let held = Held {
                    id: value.array()?,
                    number: value.u32()?,
                    sends: match value.u8()? {
                        0 => false,
                        1 => true,
                        _ => return None,
                    },
                };
                push(&mut self.held, value.end(held), STACKS_MAX)
            }
            tlv::DIGEST => once(&mut self.digest, array(value)),
            tlv::STACK => once(&mut self.stack, array(value)),
            tlv::DELAY => once(&mut self.delay, number(value)),
            tlv::LINK => {
                let link = Link {
                    highest: value.u64()?,
                    received: value.u64()?,
                    echo: value.u64()?,
                    age: value.u32()?,
                };
                once(&mut self.link, value.end(link))
            }
            tlv::REASON => {
                let reason = (Reason::from(value.u8()?)?, value.text()?);
                once(&mut self.reason, value.end(reason))
            }
            tlv::FLAGS => {
                let flags = value.u8()?;
                once(&mut self.flags, value.end(flags))
            }
            tlv::HIGHEST => once(&mut self.highest, number(value)),
            tlv::SERVICE => {
                let service = (value.text()?, value.text()?);
                once(&mut self.service, value.end(service))
            }
            tlv::TOKEN => {
                let token = (value.u16()?, value.u32()?);
                once(&mut self.token, value.end(token))
            }
            _ => None,
        }
    }

    fn message(self, kind: u8) -> Option<Message> {
        let round = self.round;
        Some(match kind {
            kind::HELLO => {
                let flags = self.flags?;
                Message::Hello {
                    ready: flags & 1 != 0,
                    done: flags & 2 != 0,
                    held: self.held,
                }
            }
            kind::OFFER => Message::Offer {
                round: round?,
                highest: self.highest?,
                running: self.stack?,
                blocks: self.blocks,
            },
            kind::ANSWER => Message::Answer {
                round: round?,
                highest: self.highest?,
                verdicts: self.verdicts,
            },
            kind::PREPARE => Message::Prepare {
                round: round?,
                digest: self.digest?,
            },
            kind::PREPARED => Message::Prepared { round: round? },
            kind::SWITCH => Message::Switch {
                round: round?,
                target: self.stack?,
                delay: self.delay?,
            },
            kind::SWITCHED => Message::Switched { round: round? },
            kind::FINISH => Message::Finish { round: round? },
            kind::FINISHED => Message::Finished { round: round? },
            kind::REFUSE => {
                let (reason, text) = self.reason?;
                Message::Refuse {
                    round: round?,
                    reason,
                    text: text.into(),
                }
            }
            kind::KEEPALIVE => Message::Keepalive(self.link?),
            kind::CLOSE => Message::Close {
                reason: self.reason?.0,
            },
            kind::CLOSED => Message::Closed,
            kind::RESOLVE => {
                let (context, service) = self.service?;
                Message::Resolve {
                    number: round?,
                    context: context.into(),
                    service: service.into(),
                }
            }
            kind::RESOLVED => {
                let (token, lifetime) = self.token?;
                Message::Resolved {
                    number: round?,
                    token,
                    lifetime,
                }
            }
            kind::UNRESOLVED => Message::Unresolved { number: round? },
            _ => return None,
        })
    }
}

impl Message {
    /// Reads the TLVs of a message of this kind.
    pub fn decode(kind: u8, content: &[u8]) -> Result<Self, BadMessage> {
        Parts::read(content)?
            .message(kind)
            .ok_or(BadMessage::Content)
    }

    /// The kind of the message, and its TLVs.
    pub fn encode(&self) -> (u8, Vec<u8>) {
        let mut to = Vec::new();
        if let Some(round) = self.round() {
            put(&mut to, tlv::ROUND, &round.to_be_bytes());
        }
        self.put(&mut to);
        (self.kind(), to)
    }

    fn kind(&self) -> u8 {
        match self {
            Message::Hello { .. } => kind::HELLO,
            Message::Offer { .. } => kind::OFFER,
            Message::Answer { .. } => kind::ANSWER,
            Message::Prepare { .. } => kind::PREPARE,
            Message::Prepared { .. } => kind::PREPARED,
            Message::Switch { .. } => kind::SWITCH,
            Message::Switched { .. } => kind::SWITCHED,
            Message::Finish { .. } => kind::FINISH,
            Message::Finished { .. } => kind::FINISHED,
            Message::Refuse { .. } => kind::REFUSE,
            Message::Keepalive(_) => kind::KEEPALIVE,
            Message::Close { .. } => kind::CLOSE,
            Message::Closed => kind::CLOSED,
            Message::Resolve { .. } => kind::RESOLVE,
            Message::Resolved { .. } => kind::RESOLVED,
            Message::Unresolved { .. } => kind::UNRESOLVED,
        }
    }

    /// Appends all TLVs but the round.
    fn put(&self, to: &mut Vec<u8>) {
        match self {
            Message::Hello { ready, done, held } => {
                put(to, tlv::FLAGS, &[u8::from(*ready) | u8::from(*done) << 1]);
                for held in held {
                    let mut value = held.id.to_vec();
                    value.extend(held.number.to_be_bytes());
                    value.push(held.sends.into());
                    put(to, tlv::HELD, &value);
                }
            }
            Message::Offer {
                highest,
                running,
                blocks,
                ..
            } => {
                put(to, tlv::HIGHEST, &highest.to_be_bytes());
                put(to, tlv::STACK, running);
                for block in blocks {
                    let mut value = Vec::new();
                    block.encode(&mut value);
                    put(to, tlv::BLOCK, &value);
                }
            }
            Message::Answer {
                highest, verdicts, ..
            } => {
                put(to, tlv::HIGHEST, &highest.to_be_bytes());
                for verdict in verdicts {
                    let mut value = Vec::new();
                    verdict.encode(&mut value);
                    put(to, tlv::VERDICT, &value);
                }
            }
            Message::Prepare { digest, .. } => put(to, tlv::DIGEST, digest),
            Message::Switch { target, delay, .. } => {
                put(to, tlv::STACK, target);
                put(to, tlv::DELAY, &delay.to_be_bytes());
            }
            Message::Refuse { reason, text, .. } => put_reason(to, *reason, text),
            Message::Keepalive(link) => {
                let mut value = Vec::new();
                value.extend(link.highest.to_be_bytes());
                value.extend(link.received.to_be_bytes());
                value.extend(link.echo.to_be_bytes());
                value.extend(link.age.to_be_bytes());
                put(to, tlv::LINK, &value);
            }
            Message::Close { reason } => put_reason(to, *reason, ""),
            Message::Resolve {
                context, service, ..
            } => {
                let mut value = Vec::new();
                put_text(&mut value, context);
                put_text(&mut value, service);
                put(to, tlv::SERVICE, &value);
            }
            Message::Resolved {
                token, lifetime, ..
            } => {
                let mut value = token.to_be_bytes().to_vec();
                value.extend(lifetime.to_be_bytes());
                put(to, tlv::TOKEN, &value);
            }
            Message::Prepared { .. }
            | Message::Switched { .. }
            | Message::Finish { .. }
            | Message::Finished { .. }
            | Message::Closed
            | Message::Unresolved { .. } => {}
        }
    }

    /// The round that a request begins or goes on with, or the number of a question.
    pub(crate) fn round(&self) -> Option<u32> {
        match self {
            Message::Offer { round, .. }
            | Message::Answer { round, .. }
            | Message::Prepare { round, .. }
            | Message::Prepared { round }
            | Message::Switch { round, .. }
            | Message::Switched { round }
            | Message::Finish { round }
            | Message::Finished { round }
            | Message::Refuse { round, .. } => Some(*round),
            Message::Resolve { number, .. }
            | Message::Resolved { number, .. }
            | Message::Unresolved { number } => Some(*number),
            Message::Hello { .. }
            | Message::Keepalive(_)
            | Message::Close { .. }
            | Message::Closed => None,
        }
    }
}

fn put_reason(to: &mut Vec<u8>, reason: Reason, text: &str) {
    let mut value = vec![reason as u8];
    put_text(&mut value, text);
    put(to, tlv::REASON, &value);
}

#[cfg(test)]
mod tests;
