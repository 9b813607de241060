// SPDX-License-Identifier: GPL-2.0

//! From packets to templates: bytes, and a list of what changes.

use super::{
    ast::{Element, Packet, SumKind},
    error::Mistake,
    headers::{self, Layer},
    protocols::Field,
    value::MOST_BYTES,
};
use crate::{
    checksum::{Pseudo, Sum, TCP, UDP},
    template::{Counter, Patch, Place, Template},
};

/// What the sending device is called by others: what header functions take for the source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// Its Ethernet address.
    pub mac: [u8; 6],
    /// Its first address of IPv4.
    pub ip4: [u8; 4],
    /// Its first address of IPv6.
    pub ip6: [u8; 16],
}

/// A packet that is being made.
pub(crate) struct Builder<'a> {
    pub(crate) bytes: Vec<u8>,
    patches: Vec<Patch>,
    pub(crate) layers: Vec<Layer>,
    pub(crate) host: &'a Host,
}

impl Builder<'_> {
    /// Writes a number into a field of a header that begins at `start`.
    pub(crate) fn put(&mut self, field: Option<&Field>, start: usize, value: u64) {
        if let Some(field) = field {
            self.write(Place::of(start * 8 + field.bit, field.bits), value);
        }
    }

    /// Writes a number, which does not vary then.
    pub(crate) fn write(&mut self, place: Place, value: u64) {
        place.write(&mut self.bytes, value);
    }

    /// Writes bytes over others.
    pub(crate) fn overwrite(&mut self, offset: usize, bytes: &[u8]) {
        if let Some(place) = self.bytes.get_mut(offset..offset + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    /// From now on something changes from frame to frame.
    pub(crate) fn vary(&mut self, patch: Patch) {
        self.patches.push(patch);
    }
}

/// Compiles a packet. Without `sums`, header functions fill in no checksums.
pub(crate) fn compile(
    packet: &Packet,
    host: &Host,
    random: &mut fastrand::Rng,
    sums: bool,
) -> Result<Template, Mistake> {
    let mut builder = Builder {
        bytes: Vec::new(),
        patches: Vec::new(),
        layers: Vec::new(),
        host,
    };
    for item in &packet.items {
        let offset = builder.bytes.len();
        let grow =
            |builder: &mut Builder<'_>, length: usize| builder.bytes.resize(offset + length, 0);
        match &item.element {
            Element::Bytes(bytes) => builder.bytes.extend(bytes),
            Element::Random(length) => {
                grow(&mut builder, *length);
                random.fill(builder.bytes.get_mut(offset..).unwrap_or_default());
            }
            Element::Fresh(length) => {
                grow(&mut builder, *length);
                let length = *length;
                builder.vary(Patch::Bytes { offset, length });
            }
            Element::Count(count) => {
                grow(&mut builder, 1);
                let first = if count.down { count.max } else { count.min };
                let mut counter =
                    Counter::new(first, (count.min, count.max), count.step, count.down);
                if count.ahead {
                    counter.count();
                }
                builder.vary(Patch::Count {
                    place: Place::of(offset * 8, 8),
                    counter,
                });
            }
            Element::Sum { kind, from, to } => {
                grow(&mut builder, 2);
                let (from, to) = (*from, *to);
                let (from, to, pseudo) = match kind {
                    SumKind::Internet => (from, to.saturating_add(1), None),
                    SumKind::Udp => (to, usize::MAX, Some(Pseudo::ip4(from, UDP))),
                    SumKind::Tcp => (to, usize::MAX, Some(Pseudo::ip4(from, TCP))),
                    SumKind::Udp6 => (to, usize::MAX, Some(Pseudo::ip6(from, UDP))),
                    SumKind::Tcp6 => (to, usize::MAX, Some(Pseudo::ip6(from, TCP))),
                };
                builder.vary(Patch::Sum(Sum {
                    at: offset,
                    from,
                    to,
                    pseudo,
                }));
            }
            Element::Header(call) => headers::header(&mut builder, item.at, call)?,
        }
        if builder.bytes.len() > MOST_BYTES {
            let what = format!("the packet has more than {MOST_BYTES} bytes");
            return Err(Mistake::new(item.at, what));
        }
    }
    headers::finish(&mut builder, sums);
    Ok(fixed(builder, packet.cpus))
}

/// Writes what is the same in all frames once and for all: sums that cover nothing that changes.
fn fixed(builder: Builder<'_>, cpus: Option<(u32, u32)>) -> Template {
    let Builder {
        mut bytes, patches, ..
    } = builder;
    let (mut kept, mut written) = (Vec::new(), Vec::new());
    let (sums, others): (Vec<_>, Vec<_>) = patches
        .into_iter()
        .partition(|patch| matches!(patch, Patch::Sum(_)));
    for patch in others {
        written.push(patch.written());
        kept.push(patch);
    }
    for patch in sums {
        let Patch::Sum(sum) = &patch else { continue };
        if written.iter().any(|bytes| sum.covers(*bytes)) {
            written.push(patch.written());
            kept.push(patch);
        } else {
            sum.write(&mut bytes);
        }
    }
    Template {
        bytes,
        patches: kept,
        cpus,
        ..Template::default()
    }
}
