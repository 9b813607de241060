// SPDX-License-Identifier: GPL-2.0

//! The blocks of a channel: what one host wants, what the other has, and what they agree on.
//!
//! A stack is a list of blocks in the order in which a packet that leaves passes them: the last one is
//! next to the link.

use crate::{
    name::Name,
    wire::{self, Reader},
};
use sha2::{Digest as _, Sha256};
use std::ops::RangeInclusive;

/// The most blocks that a stack has.
pub const BLOCKS_MAX: usize = 16;
/// The most options that a block of an offer has.
pub const OPTIONS_MAX: usize = 16;

/// What packets look like on the link, below a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// As they are above it.
    Unchanged,
    /// Some have this EtherType, others are as they are above the block. It remembers nothing of other packets,
    /// and passes packets of other EtherTypes on their way up.
    Some(u16),
    /// All have this EtherType.
    All {
        /// The EtherType.
        ethertype: u16,
        /// The byte behind it: the version of the format.
        version: u8,
        /// The next byte is a number of the stack: that of the keys of `crypt`.
        numbered: bool,
    },
}

/// How a block gets what only the two hosts know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    /// It needs nothing.
    None,
    /// Keys for both directions, in the options of `crypt`.
    Crypt,
}

/// A block that this host has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capability {
    /// Its qualified name.
    pub name: Name,
    /// Its type in the graph of this host: at most 12 bytes.
    pub kind: String,
    /// The versions that this host has.
    pub versions: RangeInclusive<u16>,
    /// What it does to packets.
    pub wire: Wire,
    /// The options that the other host may ask for.
    pub options: Vec<String>,
    /// The keys that it needs.
    pub secrets: Secrets,
    /// It keeps packets, to send them later or again. So a stack with it ends only when it is empty.
    pub keeps: bool,
}

/// The blocks of LANA that a channel can have.
pub fn catalogue() -> Vec<Capability> {
    let all = |version, numbered| Wire::All {
        ethertype: 0x88b5,
        version,
        numbered,
    };
    let reliable = [
        "window",
        "limit",
        "retries",
        "rto-min",
        "rto-max",
        "ack-delay",
        "timeout",
    ];
    let blocks: [(&str, Wire, &[&str]); 6] = [
        ("checksum", Wire::Unchanged, &["complete"]),
        ("compress", Wire::Some(0x88b6), &["level", "least"]),
        ("crypt", all(1, true), &[]),
        ("reliable", all(0x10, false), &reliable),
        ("counter", Wire::Unchanged, &[]),
        ("dummy", Wire::Unchanged, &[]),
    ];
    let capability = |(kind, wire, options): (&str, Wire, &[&str])| {
        Some(Capability {
            name: Name::short(kind).ok()?,
            kind: kind.into(),
            versions: 1..=1,
            wire,
            options: options.iter().map(|&option| option.into()).collect(),
            secrets: match kind {
                "crypt" => Secrets::Crypt,
                _ => Secrets::None,
            },
            keeps: kind == "reliable",
        })
    };
    blocks.into_iter().filter_map(capability).collect()
}

/// A block that a host wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its qualified name.
    pub name: Name,
    /// The versions that will do.
    pub versions: RangeInclusive<u16>,
    /// The stack may be without it.
    pub optional: bool,
    /// Options that both hosts set.
    pub options: Vec<(String, String)>,
}

impl Wanted {
    /// A block in any version, without options, that the stack must have.
    pub fn new(name: Name) -> Self {
        Wanted {
            name,
            versions: 0..=u16::MAX,
            optional: false,
            options: Vec::new(),
        }
    }

    pub(crate) fn encode(&self, to: &mut Vec<u8>) {
        to.push(self.optional.into());
        to.extend(self.versions.start().to_be_bytes());
        to.extend(self.versions.end().to_be_bytes());
        wire::put_text(to, self.name.as_str());
        to.extend(u8::try_from(self.options.len()));
        for (key, value) in &self.options {
            wire::put_text(to, key);
            wire::put_text(to, value);
        }
    }

    pub(crate) fn decode(mut from: Reader<'_>) -> Option<Self> {
        let optional = match from.u8()? {
            0 => false,
            1 => true,
            _ => return None,
        };
        let versions = from.u16()?..=from.u16()?;
        let name = Name::new(from.text()?).ok()?;
        let count = usize::from(from.u8()?);
        if versions.is_empty() || count > OPTIONS_MAX {
            return None;
        }
        let options = (0..count).map(|_| Some((from.text()?.into(), from.text()?.into())));
        let options = options.collect::<Option<_>>()?;
        from.end(Wanted {
            name,
            versions,
            optional,
            options,
        })
    }
}

/// A list of blocks cannot be offered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadStack {
    /// Too many blocks.
    #[error("a channel has at most {BLOCKS_MAX} blocks")]
    Many,
    /// A name occurs twice.
    #[error("{0} is there twice")]
    Twice(Name),
    /// Too many options, or characters that cannot be sent.
    #[error("{0}: at most {OPTIONS_MAX} options, of up to 255 printable ASCII characters each")]
    Options(Name),
    /// The offer would not fit into a message.
    #[error("the offer takes {0} bytes, and a message has {max}", max = crate::MESSAGE_MAX)]
    Long(usize),
    /// This host has no such block.
    #[error("this host has no {0} in a version that is wanted")]
    Lacking(Name),
    /// No channel sets this option.
    #[error("{0}: no channel sets the option '{1}'")]
    Option(Name, String),
    /// This host demands a block that is not there.
    #[error("this host demands {0}")]
    Demanded(Name),
}

/// Checks a list that a user wants, or that came in an offer.
pub(crate) fn check(blocks: &[Wanted]) -> Result<(), BadStack> {
    if blocks.len() > BLOCKS_MAX {
        return Err(BadStack::Many);
    }
    for (at, block) in blocks.iter().enumerate() {
        if blocks.iter().take(at).any(|other| other.name == block.name) {
            return Err(BadStack::Twice(block.name.clone()));
        }
        let mut texts = block.options.iter().flat_map(|(key, value)| [key, value]);
        if block.options.len() > OPTIONS_MAX || !texts.all(|text| wire::is_text(text)) {
            return Err(BadStack::Options(block.name.clone()));
        }
    }
    Ok(())
}

/// What the other host says to a block of an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It has the block, and takes this version.
    Accept(u16),
    /// It has no block of this name.
    Lacking,
    /// It has the block in these versions only.
    Version(u16, u16),
    /// It sets no such option.
    Option(String),
}

impl Verdict {
    pub(crate) fn encode(&self, to: &mut Vec<u8>) {
        match self {
            Verdict::Accept(version) => {
                to.push(0);
                to.extend(version.to_be_bytes());
            }
            Verdict::Lacking => to.push(1),
            Verdict::Version(first, last) => {
                to.push(2);
                to.extend(first.to_be_bytes());
                to.extend(last.to_be_bytes());
            }
            Verdict::Option(option) => {
                to.push(3);
                wire::put_text(to, option);
            }
        }
    }

    pub(crate) fn decode(mut from: Reader<'_>) -> Option<Self> {
        let verdict = match from.u8()? {
            0 => Verdict::Accept(from.u16()?),
            1 => Verdict::Lacking,
            2 => Verdict::Version(from.u16()?, from.u16()?),
            3 => Verdict::Option(from.text()?.into()),
            _ => return None,
        };
        from.end(verdict)
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Verdict::Accept(version) => write!(f, "version {version}"),
            Verdict::Lacking => f.write_str("the other host has no such block"),
            Verdict::Version(first, last) if first == last => {
                write!(f, "the other host has version {first}")
            }
            Verdict::Version(first, last) => {
                write!(f, "the other host has versions {first} to {last}")
            }
            Verdict::Option(option) => write!(f, "the other host does not set option '{option}'"),
        }
    }
}

/// What this host says to a block of an offer.
pub(crate) fn judge(wanted: &Wanted, have: &[Capability]) -> Verdict {
    let Some(has) = have.iter().find(|has| has.name == wanted.name) else {
        return Verdict::Lacking;
    };
    let last = *has.versions.end().min(wanted.versions.end());
    if last < *has.versions.start().max(wanted.versions.start()) {
        return Verdict::Version(*has.versions.start(), *has.versions.end());
    }
    let unknown = |(key, _): &&(String, String)| !has.options.contains(key);
    match wanted.options.iter().find(unknown) {
        Some((key, _)) => Verdict::Option(key.clone()),
        None => Verdict::Accept(last),
    }
}

/// A block that both hosts have agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    /// Its qualified name.
    pub name: Name,
    /// Its version.
    pub version: u16,
    /// Options that both hosts set.
    pub options: Vec<(String, String)>,
}

/// The stack of an offer and what the other host says to it; or the required block that is refused first.
pub(crate) fn combine(
    offer: &[Wanted],
    verdicts: &[Verdict],
) -> Result<Vec<Agreed>, (Name, Verdict)> {
    let mut agreed = Vec::new();
    for (wanted, verdict) in offer.iter().zip(verdicts) {
        match verdict {
            Verdict::Accept(version) => agreed.push(Agreed {
                name: wanted.name.clone(),
                version: *version,
                options: wanted.options.clone(),
            }),
            _ if wanted.optional => {}
            refused => return Err((wanted.name.clone(), refused.clone())),
        }
    }
    Ok(agreed)
}

/// The list of one host, and on top of it what only the other wants: for two offers that crossed.
pub(crate) fn merge(first: &[Wanted], second: &[Wanted]) -> Vec<Wanted> {
    let missing = |block: &&Wanted| !first.iter().any(|other| other.name == block.name);
    let mut merged: Vec<Wanted> = second.iter().filter(missing).cloned().collect();
    merged.extend(first.iter().map(|block| {
        let also = second.iter().find(|other| other.name == block.name);
        let mut block = block.clone();
        block.optional &= also.is_none_or(|other| other.optional);
        block
    }));
    merged.truncate(BLOCKS_MAX);
    merged
}

/// A digest of a stack, by which both hosts see that they mean the same.
pub(crate) fn digest(stack: &[Agreed]) -> [u8; 16] {
    let mut bytes = Vec::new();
    for block in stack {
        wire::put_text(&mut bytes, block.name.as_str());
        bytes.extend(block.version.to_be_bytes());
        bytes.extend(u8::try_from(block.options.len()));
        for (key, value) in &block.options {
            wire::put_text(&mut bytes, key);
            wire::put_text(&mut bytes, value);
        }
    }
    let mut digest = [0; 16];
    digest
        .iter_mut()
        .zip(Sha256::digest(bytes))
        .for_each(|(to, byte)| *to = byte);
    digest
}

/// A sort of packet on the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) ethertype: u16,
    /// The version of the format, if that matters.
    pub(crate) version: Option<u8>,
    /// It carries the number of the stack.
    pub(crate) numbered: bool,
}

impl Claim {
    /// Whether no packet is of both sorts.
    fn apart(self, other: Claim) -> bool {
        let versions = self.version.zip(other.version);
        self.ethertype != other.ethertype || versions.is_some_and(|(one, other)| one != other)
    }
}

/// The packets on the link that belong to a stack.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Claims {
    pub(crate) sorts: Vec<Claim>,
    /// All other packets, too.
    pub(crate) plain: bool,
}

/// What a stack does to packets, from the link up.
fn wires<'a>(stack: &'a [Agreed], have: &'a [Capability]) -> impl Iterator<Item = Wire> + 'a {
    let wire = |block: &Agreed| have.iter().find(|has| has.name == block.name);
    stack.iter().rev().filter_map(wire).map(|has| has.wire)
}

pub(crate) fn claims(stack: &[Agreed], have: &[Capability]) -> Claims {
    let mut claims = Claims::default();
    for wire in wires(stack, have) {
        match wire {
            Wire::Unchanged => {}
            Wire::Some(ethertype) => claims.sorts.push(Claim {
                ethertype,
                version: None,
                numbered: false,
            }),
            Wire::All {
                ethertype,
                version,
                numbered,
            } => {
                claims.sorts.push(Claim {
                    ethertype,
                    version: Some(version),
                    numbered,
                });
                return claims;
            }
        }
    }
    claims.plain = true;
    claims
}

/// Whether a receiver can tell the packets of two stacks apart, or need not.
pub(crate) fn separable(one: &[Agreed], other: &[Agreed], have: &[Capability]) -> bool {
    let changes = |stack| -> Vec<Wire> {
        let changes = |wire: &Wire| *wire != Wire::Unchanged;
        wires(stack, have).filter(changes).collect()
    };
    let (ours, theirs) = (changes(one), changes(other));
    let stateless = |wire: &Wire| !matches!(wire, Wire::All { .. });
    if ours == theirs && ours.iter().all(stateless) {
        return true;
    }
    let (ours, theirs) = (claims(one, have), claims(other, have));
    let clash = |claim: &Claim| {
        let mut others = theirs.sorts.iter();
        others.any(|other| !(claim.apart(*other) || claim.numbered && other.numbered))
    };
    !ours.sorts.iter().any(clash)
}

/// The stack to run between two that are not separable: the new one without the blocks whose packets look like those
/// of the old one. `None` if none is needed, or if that does not help.
pub(crate) fn bridge(old: &[Agreed], new: &[Wanted], have: &[Capability]) -> Option<Vec<Wanted>> {
    let stack = |blocks: &[Wanted]| -> Vec<Agreed> {
        let agreed = |block: &Wanted| Agreed {
            name: block.name.clone(),
            version: 0,
            options: Vec::new(),
        };
        blocks.iter().map(agreed).collect()
    };
    let wanted = stack(new);
    let same = old.len() == new.len() && {
        let mut pairs = old.iter().zip(new);
        pairs.all(|(old, new)| old.name == new.name && old.options == new.options)
    };
    if same || separable(old, &wanted, have) {
        return None;
    }
    let old_claims = claims(old, have);
    let clashes = |block: &Wanted| {
        let alone = claims(&stack(std::slice::from_ref(block)), have);
        let looks_alike = |claim: &Claim| {
            let mut others = old_claims.sorts.iter();
            !claim.numbered && others.any(|other| !claim.apart(*other))
        };
        alone.sorts.iter().any(looks_alike)
    };
    let bridge: Vec<Wanted> = new
        .iter()
        .filter(|block| !clashes(block))
        .cloned()
        .collect();
    let between = stack(&bridge);
    let helps = separable(old, &between, have) && separable(&between, &wanted, have);
    helps.then_some(bridge)
}

#[cfg(test)]
mod tests;
